-- What a caller without the capability for personal data sees instead of it.
--
-- What matches a rule is replaced by "[redacted:<category>]". Built-in rules name a matcher of the library
-- (extension/redact/); an administrator's rule is a regular expression. docs/for-operators/redaction.md says what each catches.

CREATE TABLE reason.pii_rule (
    name           text    NOT NULL,
    category       text    NOT NULL,
    member         text,
    pattern        text,
    builtin        boolean NOT NULL DEFAULT false,
    matcher        text,
    except_pattern text,
    enabled        boolean NOT NULL DEFAULT true,
    description    text,
    CONSTRAINT pii_rule_pkey PRIMARY KEY (name),
    CONSTRAINT pii_rule_name_check CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_.:/ -]{0,99}$'),
    CONSTRAINT pii_rule_category_check CHECK (category ~ '^[a-z][a-z0-9_]{0,49}$'),
    CONSTRAINT pii_rule_kind_check CHECK (num_nonnulls(member, pattern, matcher) = 1)
);
COMMENT ON TABLE reason.pii_rule IS 'Catalogue of personal data: in strings, in numbers, and by the names of members. What matches is replaced by "[redacted:<category>]". Changed with reason.set_pii_rule() and drop_pii_rule(), which leave an event in the chain of division system.';
COMMENT ON COLUMN reason.pii_rule.member IS 'Regular expression, without regard to case, for the names of members whose whole value is personal.';
COMMENT ON COLUMN reason.pii_rule.pattern IS 'Regular expression for personal data within strings.';
COMMENT ON COLUMN reason.pii_rule.matcher IS 'A matcher of the library: email, phone, card, iban, national_id for values; the same with _member for names of members.';
COMMENT ON COLUMN reason.pii_rule.except_pattern IS 'Regular expression: what the rule finds and this matches too is left alone. Rules for members have it look at the name.';
COMMENT ON COLUMN reason.pii_rule.builtin IS 'As it came with the extension; not dumped.';

CREATE FUNCTION reason.builtin_pii_rules() RETURNS SETOF reason.pii_rule
LANGUAGE sql IMMUTABLE
AS $$
    VALUES
    ('email', 'email', NULL::text, NULL::text, true, 'email', NULL::text, true,
        'Addresses of mail (RFC 5322, RFC 6531), also with full-width @ or %40. Not versions of packages, repositories, remote logins.'),
    ('phone', 'phone', NULL, NULL, true, 'phone', NULL, true,
        'Telephone numbers: with a country code (E.164), grouped as national plans do, or after a word such as tel.'),
    ('card', 'card', NULL, NULL, true, 'card', NULL, true,
        'Numbers of payment cards: issuer, length and check digit hold, in strings and as whole numbers.'),
    ('iban', 'iban', NULL, NULL, true, 'iban', NULL, true,
        'International bank account numbers: country, length and check hold.'),
    ('national id', 'national_id', NULL, NULL, true, 'national_id', NULL, true,
        'Numbers that states give to persons: US (SSN, ITIN), GB, CA, MX, BR, AR, CL, IN, PK, CN, TW, KR, TH, MY, SG, AE, FR, ES, IT, BE, SE, FI, NO, CH, CZ, SK, RU, by form and check; others after a word that names them.'),
    ('email member', 'email', NULL, NULL, true, 'email_member', NULL, true,
        'Members whose name ends in email, mail_address and the like, however its words are joined.'),
    ('phone member', 'phone', NULL, NULL, true, 'phone_member', NULL, true,
        'Members whose name ends in phone, mobile, fax, tel and the like, or these with number, no, nr.'),
    ('card member', 'card', NULL, NULL, true, 'card_member', NULL, true,
        'Members called card or pan, or whose name ends in card_number, credit_card, cvv and the like.'),
    ('iban member', 'iban', NULL, NULL, true, 'iban_member', NULL, true,
        'Members whose name ends in iban or bank_account.'),
    ('national id member', 'national_id', NULL, NULL, true, 'national_id_member', NULL, true,
        'Members whose name ends in ssn, national_id, passport, tax_id, driver_license and their like in other countries.')
$$;
COMMENT ON FUNCTION reason.builtin_pii_rules() IS 'What pii_rule holds after CREATE EXTENSION.';

INSERT INTO reason.pii_rule SELECT * FROM reason.builtin_pii_rules();

-- A dump has the rules that an administrator changed; CREATE EXTENSION brings them along as they were.
CREATE FUNCTION reason.replace_builtin_pii_rule() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    DELETE FROM reason.pii_rule r WHERE r.name = NEW.name AND r.builtin;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION reason.replace_builtin_pii_rule() IS 'Trigger: a built-in rule makes way for the changed one, as when a dump is restored.';

CREATE TRIGGER replace_builtin BEFORE INSERT ON reason.pii_rule
    FOR EACH ROW EXECUTE FUNCTION reason.replace_builtin_pii_rule();

-- ---------------------------------------------------------------- redacting

CREATE FUNCTION reason.redact(payload jsonb) RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_redact';
COMMENT ON FUNCTION reason.redact(jsonb) IS 'The document with personal data replaced according to pii_rule, in values and in names of members. Expressions are matched in collation C, so that the same document is redacted alike everywhere.';

CREATE FUNCTION reason.redact_text(value text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_redact_text';
COMMENT ON FUNCTION reason.redact_text(text) IS 'The same of a text: an author, a description.';

-- ---------------------------------------------------------------- rules

CREATE FUNCTION reason.pii_matcher_exists(name text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_pii_matcher_exists';
COMMENT ON FUNCTION reason.pii_matcher_exists(text) IS 'Whether the library has a matcher of that name.';

CREATE FUNCTION reason.require_pii_rule(member text, pattern text, matcher text, except_pattern text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF num_nonnulls(member, pattern, matcher) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a rule has one of member, pattern and matcher';
    END IF;
    IF NOT reason.pii_matcher_exists(matcher) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('matcher "%s" does not exist', matcher),
            HINT = 'Matchers are email, phone, card, iban and national_id, and each of these with _member.';
    END IF;
    -- An expression that does not compile is refused here, not at somebody's read.
    PERFORM regexp_match('', coalesce(member, '')), regexp_match('', coalesce(pattern, '')), regexp_match('', coalesce(except_pattern, ''));
    IF '' ~ pattern THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the pattern matches an empty text, and so says nothing';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.require_pii_rule(text, text, text, text) IS 'Raises 22023 for what can be no rule, 2201B for an expression that does not compile.';

CREATE FUNCTION reason.store_pii_rule(rule jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM reason.pii_rule r
               WHERE r.name = rule ->> 'name' AND (r.category, r.member, r.pattern, r.matcher, r.except_pattern, r.enabled, r.description)
                   IS NOT DISTINCT FROM (rule ->> 'category', rule ->> 'member', rule ->> 'pattern', rule ->> 'matcher', rule ->> 'exceptPattern',
                                         (rule ->> 'enabled')::boolean, rule ->> 'description')) THEN
        RETURN false;
    END IF;
    INSERT INTO reason.pii_rule AS r (name, category, member, pattern, matcher, except_pattern, enabled, description)
    VALUES (rule ->> 'name', rule ->> 'category', rule ->> 'member', rule ->> 'pattern', rule ->> 'matcher', rule ->> 'exceptPattern',
        (rule ->> 'enabled')::boolean, rule ->> 'description')
    ON CONFLICT ON CONSTRAINT pii_rule_pkey DO UPDATE
        SET category = excluded.category, member = excluded.member, pattern = excluded.pattern, matcher = excluded.matcher,
            except_pattern = excluded.except_pattern, enabled = excluded.enabled, description = excluded.description;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reason.store_pii_rule(jsonb) IS 'Writes a rule as events record it; false when it is there already.';

CREATE FUNCTION reason.remove_pii_rule(name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    DELETE FROM reason.pii_rule r WHERE r.name = $1 AND NOT r.builtin;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO reason.pii_rule SELECT * FROM reason.builtin_pii_rules() b WHERE b.name = $1;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reason.remove_pii_rule(text) IS 'Removes an administrator''s rule, or brings a built-in one back as it came; false when there is nothing to do.';

CREATE FUNCTION reason.replay_pii_rule(payload json) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE WHEN ($1 #>> '{piiRule,dropped}')::boolean THEN reason.remove_pii_rule($1 -> 'piiRule' ->> 'name')
                ELSE reason.store_pii_rule(($1 -> 'piiRule')::jsonb) END
$$;
COMMENT ON FUNCTION reason.replay_pii_rule(json) IS 'What the event piiRule.changed recorded.';

CREATE FUNCTION reason.set_pii_rule(name text, category text DEFAULT NULL, member text DEFAULT NULL, pattern text DEFAULT NULL,
    matcher text DEFAULT NULL, except_pattern text DEFAULT NULL, enabled boolean DEFAULT true, description text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    rule jsonb;
    earlier reason.pii_rule;
BEGIN
    -- One after the other, so that events come in the order in which they took effect.
    LOCK TABLE reason.pii_rule IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO earlier FROM reason.pii_rule r WHERE r.name = $1;
    IF num_nonnulls(member, pattern, matcher) = 0 AND earlier.name IS NOT NULL THEN
        member := earlier.member;
        pattern := earlier.pattern;
        matcher := earlier.matcher;
    END IF;
    PERFORM reason.require_pii_rule(member, pattern, matcher, except_pattern);
    IF coalesce(category, earlier.category) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a rule needs a category';
    END IF;
    IF EXISTS (SELECT FROM reason.pii_rule r WHERE r.name <> $1 AND r.matcher = set_pii_rule.matcher) THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('matcher "%s" belongs to another rule', matcher),
            HINT = 'Each matcher has one rule: change that one.';
    END IF;
    rule := jsonb_build_object('name', name, 'category', coalesce(category, earlier.category), 'member', member, 'pattern', pattern,
        'matcher', matcher, 'exceptPattern', except_pattern, 'enabled', coalesce(enabled, true),
        'description', coalesce(description, earlier.description));
    IF reason.store_pii_rule(rule) THEN
        PERFORM reason.append_event('system', 'piiRule.changed', jsonb_build_object('piiRule', rule, 'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_pii_rule(text, text, text, text, text, text, boolean, text) IS
    'Adds or changes a rule of personal data: member (expression for names of members), pattern (expression within strings) or matcher (of the library); what is not given stays as an existing rule has it, except that NULL removes except_pattern. enabled => false switches it off. Takes effect with the next read. Raises 22023 for what is no rule.';

CREATE FUNCTION reason.drop_pii_rule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    LOCK TABLE reason.pii_rule IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM reason.pii_rule r WHERE r.name = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('rule "%s" does not exist', $1);
    END IF;
    IF reason.remove_pii_rule($1) THEN
        PERFORM reason.append_event('system', 'piiRule.changed', jsonb_build_object(
            'piiRule', jsonb_build_object('name', $1, 'dropped', true), 'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.drop_pii_rule(text) IS 'Removes an administrator''s rule; a built-in one comes back as the extension brought it (switch it off with set_pii_rule(enabled => false)). Raises P0002 for an unknown rule.';

-- ---------------------------------------------------------------- trying one

CREATE FUNCTION reason.pii_matches(value jsonb, member text, pattern text, matcher text, except_pattern text, most integer) RETURNS text[]
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_pii_matches';
COMMENT ON FUNCTION reason.pii_matches(jsonb, text, text, text, text, integer) IS 'What of a document one rule alone would take, the first so many.';

CREATE FUNCTION reason.try_pii_rule(member text DEFAULT NULL, pattern text DEFAULT NULL, matcher text DEFAULT NULL,
    except_pattern text DEFAULT NULL, division text DEFAULT NULL, max_records integer DEFAULT 10000, max_samples integer DEFAULT 20,
    OUT records bigint, OUT records_matched bigint, OUT samples jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    divisions CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
BEGIN
    PERFORM reason.require_pii_rule($1, $2, $3, $4);
    IF coalesce(max_records, 0) NOT BETWEEN 1 AND 1000000 OR coalesce(max_samples, -1) NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_records must be from 1 to 1000000, max_samples from 0 to 1000';
    END IF;
    WITH newest AS (
        (SELECT n.no, 'node' AS kind, n.id, n.author, n.metadata, n.payload, n.payload_ref FROM reason.node n
         WHERE ($5 IS NULL OR n.division = $5) AND ('*' = ANY (divisions) OR n.division = ANY (divisions)) ORDER BY n.no DESC LIMIT max_records)
        UNION ALL
        (SELECT a.no, 'annotation', a.id, a.author, a.metadata, a.payload, NULL FROM reason.annotation a
         WHERE ($5 IS NULL OR a.division = $5) AND ('*' = ANY (divisions) OR a.division = ANY (divisions)) ORDER BY a.no DESC LIMIT max_records)
        ORDER BY no DESC LIMIT max_records
    ), looked_at AS (
        SELECT w.no, w.kind, w.id, reason.pii_matches(
            jsonb_build_array(w.author, w.metadata, w.payload, w.payload_ref), $1, $2, $3, $4, 5) AS matches
        FROM newest w
    ), numbered AS (
        SELECT l.*, count(*) FILTER (WHERE matches <> '{}') OVER (ORDER BY l.no DESC) AS place FROM looked_at l
    )
    SELECT count(*), count(*) FILTER (WHERE matches <> '{}'),
        coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'id', id, 'matches', matches) ORDER BY no DESC)
                 FILTER (WHERE matches <> '{}' AND place <= max_samples), '[]')
    INTO records, records_matched, samples FROM numbered;
END
$$;
COMMENT ON FUNCTION reason.try_pii_rule(text, text, text, text, text, integer, integer) IS
    'What a rule would take of stored records before it is switched on: looks at the newest max_records nodes and annotations of the divisions that the caller sees (author, metadata, payload, payloadRef), and says how many hold something, and what, with at most max_samples records and five matches each.';

-- ---------------------------------------------------------------- in SQL, for those who may not see personal data
-- Members of reason_reader read records here: the tables' columns that may hold personal data are not granted to
-- them. A view reads with its owner's rights, so each asks for the caller's divisions, and for what is in quarantine.

CREATE VIEW reason.redacted_node WITH (security_barrier) AS
SELECT n.no, n.id, n.division, n.type, reason.redact_text(n.author) AS author, reason.redact(n.payload) AS payload,
       reason.redact(n.metadata) AS metadata, n.created_at, n.occurred_at, n.version, n.manifest_signature_id,
       reason.redact(n.payload_ref) AS payload_ref, n.payload_hash, n.digest, n.audit_event_id
FROM reason.node n
WHERE (n.division = ANY ((SELECT reason.visible_divisions())::text[]) OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
  AND ((SELECT reason.sees_quarantined()) OR reason.row_shown(n.tableoid, n.ctid));
COMMENT ON VIEW reason.redacted_node IS 'Nodes that the current role may see, personal data redacted.';

CREATE VIEW reason.redacted_edge WITH (security_barrier) AS
SELECT e.no, e.id, e.division, e.from_no, e.to_no, e.type, e.weight, reason.redact(e.metadata) AS metadata, e.created_at, e.digest, e.audit_event_id
FROM reason.edge e
WHERE (e.division = ANY ((SELECT reason.visible_divisions())::text[]) OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
  AND ((SELECT reason.sees_quarantined()) OR reason.row_shown(e.tableoid, e.ctid));
COMMENT ON VIEW reason.redacted_edge IS 'Edges that the current role may see, personal data redacted.';

CREATE VIEW reason.redacted_annotation WITH (security_barrier) AS
SELECT a.no, a.id, a.division, a.target_no, a.type, reason.redact_text(a.author) AS author, reason.redact(a.payload) AS payload,
       reason.redact(a.metadata) AS metadata, a.created_at, a.payload_hash, a.digest, a.audit_event_id
FROM reason.annotation a
WHERE (a.division = ANY ((SELECT reason.visible_divisions())::text[]) OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
  AND ((SELECT reason.sees_quarantined()) OR reason.row_shown(a.tableoid, a.ctid));
COMMENT ON VIEW reason.redacted_annotation IS 'Annotations that the current role may see, personal data redacted.';

CREATE VIEW reason.redacted_snapshot WITH (security_barrier) AS
SELECT s.no, s.id, s.division, s.status, s.root_ids, s.depth, s.direction, reason.redact_text(s.audience) AS audience,
       reason.redact_text(s.description) AS description, s.include_annotations, s.pii_included, s.manifest_signature_id, s.graph_version,
       s.created_at, CASE WHEN k.tells_nothing THEN s.hash END AS hash, s.node_count, s.edge_count, s.signer_id,
       CASE WHEN k.tells_nothing THEN s.signature END AS signature, s.signed_at, s.object_uri,
       s.object_version, s.completed_at, s.audit_event_id, s.erased_event_id, s.log
FROM reason.snapshot s,
     -- A payload stands in the document with its salt, which nobody knows who does not see the payload. Where all were erased,
     -- whoever knows the rest of the document could try what is hidden from him against hash and signature.
     LATERAL (SELECT NOT s.pii_included OR EXISTS (SELECT FROM reason.node n WHERE n.id = ANY (s.root_ids) AND n.division = s.division
                                                     AND n.salt IS NOT NULL) AS tells_nothing) k
WHERE s.division = ANY ((SELECT reason.visible_divisions())::text[]) OR '*' = ANY ((SELECT reason.visible_divisions())::text[]);
COMMENT ON VIEW reason.redacted_snapshot IS 'Snapshots that the current role may see, personal data in what was said of them redacted, and without hash and signature where these would confirm a guess at it: in a document that holds such data when the payloads of its roots are erased, and with them the salts.';
