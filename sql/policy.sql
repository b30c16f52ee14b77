-- Policy: which writes are checked before they are made, what an answer means, and what comes of it.
--
-- The database asks nobody. It says what to ask (http_write_checked() returns the question instead of
-- writing), the gateway asks SentinelNet, and hands the answer in with a second call.

CREATE TABLE reason.policy_rule (
    name             text     NOT NULL,
    actions          text[]   NOT NULL,
    types            text[],
    division_pattern text,
    path             jsonpath,
    on_silence       text     NOT NULL DEFAULT 'deny',
    enabled          boolean  NOT NULL DEFAULT true,
    CONSTRAINT policy_rule_pkey PRIMARY KEY (name),
    CONSTRAINT policy_rule_name_check CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_.:/ -]{0,99}$'),
    CONSTRAINT policy_rule_actions_check CHECK (cardinality(actions) > 0 AND array_position(actions, NULL) IS NULL
        AND actions <@ ARRAY['node.create', 'edge.create', 'annotation.create']),
    CONSTRAINT policy_rule_types_check CHECK (cardinality(types) > 0 AND array_position(types, NULL) IS NULL),
    CONSTRAINT policy_rule_on_silence_check CHECK (on_silence IN ('deny', 'allow'))
);
COMMENT ON TABLE reason.policy_rule IS 'Which writes need a policy check: those that match an enabled rule in all that the rule states. Every change is an event in the chain of division system.';
COMMENT ON COLUMN reason.policy_rule.actions IS 'node.create, edge.create, annotation.create.';
COMMENT ON COLUMN reason.policy_rule.types IS 'Types of nodes, edges or annotations; NULL: all.';
COMMENT ON COLUMN reason.policy_rule.division_pattern IS 'Regular expression that the whole name of the division must match; NULL: all divisions.';
COMMENT ON COLUMN reason.policy_rule.path IS 'SQL/JSON path over the record ({type, author, division, payload, metadata, ...}). It matches when it yields anything but false, and when it cannot be evaluated; NULL: every record.';
COMMENT ON COLUMN reason.policy_rule.on_silence IS 'When nobody gives a valid answer in time: deny (nothing is written) or allow.';

CREATE FUNCTION reason.set_policy_rule(name text, actions text[], types text[] DEFAULT NULL, division_pattern text DEFAULT NULL,
    path jsonpath DEFAULT NULL, on_silence text DEFAULT 'deny', enabled boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    -- An expression that does not compile is refused here, not at somebody's write.
    PERFORM '' ~ ('^(?:' || $4 || ')$');
    -- So is a type that no record can have; annotations have types of their own.
    types := CASE WHEN $3 = '{}' OR array_position($3, NULL) IS NOT NULL OR 'annotation.create' = ANY ($2) THEN $3
                  WHEN 'edge.create' <> ALL ($2) THEN reason.known_types($3, 'node')
                  WHEN 'node.create' <> ALL ($2) THEN reason.known_types($3, 'edge')
                  ELSE reason.known_types($3, 'any') END;
    INSERT INTO reason.policy_rule AS r (name, actions, types, division_pattern, path, on_silence, enabled)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT ON CONSTRAINT policy_rule_pkey DO UPDATE
        SET actions = excluded.actions, types = excluded.types, division_pattern = excluded.division_pattern,
            path = excluded.path, on_silence = excluded.on_silence, enabled = excluded.enabled
        WHERE (r.actions, r.types, r.division_pattern, r.path::text, r.on_silence, r.enabled) IS DISTINCT FROM
              (excluded.actions, excluded.types, excluded.division_pattern, excluded.path::text, excluded.on_silence, excluded.enabled);
    IF FOUND THEN
        PERFORM reason.append_change('policy.changed', jsonb_build_object(
            'rule', jsonb_build_object('name', $1, 'actions', $2, 'types', $3, 'divisionPattern', $4, 'path', $5::text,
                                       'onSilence', $6, 'enabled', $7),
            'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_policy_rule(text, text[], text[], text, jsonpath, text, boolean) IS
    'Adds or changes a rule: which actions (node.create, edge.create, annotation.create), of which types, in which divisions (regular expression), with which content (SQL/JSON path) SentinelNet is asked about, and what holds when it does not answer (deny, allow). A rule is never deleted, only disabled.';

-- ---------------------------------------------------------------- what matches

CREATE FUNCTION reason.policy_applies(kind text) RETURNS boolean
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'reason_policy_applies';
COMMENT ON FUNCTION reason.policy_applies(text) IS 'Whether any rule is about records of the kind (node, edge, annotation): if not, nothing needs to be looked at.';

CREATE FUNCTION reason.policy_path_matches(record jsonb, path jsonpath) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM jsonb_path_query(record, path) v WHERE v <> 'false');
EXCEPTION
    -- Content on which the path cannot be evaluated must not escape the rule.
    WHEN data_exception THEN
        RETURN true;
END
$$;
COMMENT ON FUNCTION reason.policy_path_matches(jsonb, jsonpath) IS 'Whether the path yields anything but false, or cannot be evaluated. A predicate that is unknown yields null, and so matches.';

CREATE FUNCTION reason.policy_records(kind text, numbers bigint[])
RETURNS TABLE (no bigint, division text, type text, record jsonb, ends bigint[])
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF kind = 'node' THEN
        RETURN QUERY SELECT n.no, n.division, n.type, jsonb_strip_nulls(jsonb_build_object(
                'kind', 'node', 'type', n.type, 'division', n.division, 'author', n.author, 'ts', reason.rfc3339(n.occurred_at),
                'version', n.version, 'manifestSignatureId', n.manifest_signature_id, 'payloadRef', n.payload_ref))
                || jsonb_build_object('payload', n.payload, 'metadata', n.metadata), '{}'::bigint[]
            FROM reason.node n WHERE n.no = ANY (numbers);
    ELSIF kind = 'edge' THEN
        RETURN QUERY SELECT e.no, e.division, e.type, jsonb_build_object(
                'kind', 'edge', 'type', e.type, 'division', e.division, 'from', f.id, 'to', t.id, 'weight', e.weight,
                'metadata', e.metadata), ARRAY[e.from_no, e.to_no]
            FROM reason.edge e JOIN reason.node f ON f.no = e.from_no AND f.division = e.division
                               JOIN reason.node t ON t.no = e.to_no AND t.division = e.division
            WHERE e.no = ANY (numbers);
    ELSE
        RETURN QUERY SELECT a.no, a.division, a.type, jsonb_build_object(
                'kind', 'annotation', 'type', a.type, 'division', a.division, 'author', a.author, 'target', n.id,
                'payload', a.payload, 'metadata', a.metadata), ARRAY[a.target_no]
            FROM reason.annotation a JOIN reason.node n ON n.no = a.target_no AND n.division = a.division
            WHERE a.no = ANY (numbers);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.policy_records(text, bigint[]) IS 'Records as rules and SentinelNet see them, and the nodes that they are about.';

CREATE TYPE reason.policy_match AS (rules text[], silence_denies boolean, division text, types text[], records jsonb, ends bigint[]);
COMMENT ON TYPE reason.policy_match IS 'Which records of a write matched rules, which rules, what holds when nobody answers, and the nodes that the records are about.';

CREATE FUNCTION reason.policy_matches(kind text, numbers bigint[]) RETURNS reason.policy_match
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    -- A single record of any allowed size fits; a larger batch is to be divided.
    max_bytes CONSTANT integer := 4194304;
    found_match reason.policy_match;
    division_count bigint;
    bytes bigint;
BEGIN
    WITH matching AS MATERIALIZED (
        SELECT w.no, w.division, w.type, w.record, w.ends, r.names, r.silence_denies
        FROM reason.policy_records(kind, numbers) w,
             LATERAL (SELECT array_agg(r.name ORDER BY r.name) AS names, bool_or(r.on_silence = 'deny') AS silence_denies
                      FROM reason.policy_rule r
                      WHERE r.enabled AND kind || '.create' = ANY (r.actions)
                        AND (r.types IS NULL OR w.type = ANY (r.types))
                        AND (r.division_pattern IS NULL OR w.division ~ ('^(?:' || r.division_pattern || ')$'))
                        AND (r.path IS NULL OR reason.policy_path_matches(w.record, r.path))) r
        WHERE r.names IS NOT NULL
    )
    SELECT (SELECT array_agg(DISTINCT n ORDER BY n) FROM matching m, unnest(m.names) n), bool_or(m.silence_denies), min(m.division),
           array_agg(DISTINCT m.type), jsonb_agg(m.record ORDER BY m.no),
           (SELECT array_agg(DISTINCT e) FROM matching m, unnest(m.ends) e), count(DISTINCT m.division), sum(octet_length(m.record::text))
    INTO found_match.rules, found_match.silence_denies, found_match.division, found_match.types, found_match.records,
         found_match.ends, division_count, bytes
    FROM matching m;
    IF division_count > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a batch that needs a policy check must stay within one division', HINT = 'Send a batch for each division.';
    END IF;
    IF bytes > max_bytes THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
            MESSAGE = format('a policy check takes at most %s bytes of records', max_bytes), HINT = 'Send smaller batches.';
    END IF;
    RETURN found_match;
END
$$;
COMMENT ON FUNCTION reason.policy_matches(text, bigint[]) IS 'What of the records just written needs a policy check; rules is NULL when nothing does.';

-- ---------------------------------------------------------------- what an answer says

CREATE TYPE reason.policy_verdict AS (decision text, reason text, rationale jsonb, policy_id text, policy_version text);
COMMENT ON TYPE reason.policy_verdict IS 'decision: allow, deny, quarantine; unanswered, and then reason says what was wrong; NULL when nobody was asked.';

CREATE FUNCTION reason.policy_verdict_of(status text, answer text, request_id text) RETURNS reason.policy_verdict
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    max_bytes CONSTANT integer := 65536;
    said jsonb;
    fault text;
BEGIN
    IF status IS NULL THEN
        RETURN NULL;
    END IF;
    IF status <> '200' THEN
        fault := CASE WHEN status ~ '^[1-9][0-9][0-9]$' THEN format('the policy service answered with status %s', status)
                      ELSE 'the policy service did not answer' END;
    ELSIF octet_length(answer) > (max_bytes + 2) / 3 * 4 THEN
        fault := 'the answer of the policy service is too long';
    ELSE
        BEGIN
            -- Read strictly: of a member that is given twice it is unclear which one counts.
            said := reason.canonical_json(convert_from(decode(answer, 'base64'), 'UTF8')::json)::jsonb;
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            fault := 'the answer of the policy service is not JSON';
        END;
    END IF;
    IF fault IS NULL THEN
        fault := CASE
            WHEN said IS NULL OR jsonb_typeof(said) <> 'object' THEN 'the answer of the policy service is not a JSON object'
            WHEN jsonb_typeof(said -> 'decision') IS DISTINCT FROM 'string'
              OR said ->> 'decision' NOT IN ('allow', 'deny', 'quarantine') THEN 'the policy service gave no decision that is known'
            WHEN jsonb_typeof(said -> 'reason') IS DISTINCT FROM 'string' OR length(said ->> 'reason') > 1000
                THEN 'the policy service gave no valid reason'
            WHEN jsonb_typeof(said -> 'policy_id') IS DISTINCT FROM 'string' OR length(said ->> 'policy_id') NOT BETWEEN 1 AND 255
              OR coalesce(jsonb_typeof(said -> 'policy_version'), '') NOT IN ('string', 'number')
              OR length(said ->> 'policy_version') NOT BETWEEN 1 AND 255 THEN 'the policy service named no policy and version'
            WHEN said ->> 'decision' <> 'allow' AND coalesce(jsonb_typeof(said -> 'rationale'), 'null') = 'null'
                THEN 'the policy service gave no rationale'
            WHEN said ? 'requestId' AND said ->> 'requestId' IS DISTINCT FROM request_id
                THEN 'the policy service answered another request' END;
    END IF;
    IF fault IS NOT NULL THEN
        RETURN ROW('unanswered', fault, NULL, NULL, NULL)::reason.policy_verdict;
    END IF;
    RETURN ROW(said ->> 'decision', said ->> 'reason', said -> 'rationale', said ->> 'policy_id', said ->> 'policy_version')::reason.policy_verdict;
END
$$;
COMMENT ON FUNCTION reason.policy_verdict_of(text, text, text) IS 'An answer of SentinelNet (HTTP status, and body in base64, for it may be anything), read strictly: whatever is not exactly a decision is no answer.';

CREATE FUNCTION reason.policy_record(verdict reason.policy_verdict, policy_check_id uuid) RETURNS json
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.canonical_json(jsonb_strip_nulls(jsonb_build_object('decision', ($1).decision, 'reason', ($1).reason,
        'policyId', ($1).policy_id, 'policyVersion', ($1).policy_version, 'policyCheckId', $2)))::json
    WHERE ($1).decision IS NOT NULL
$$;
COMMENT ON FUNCTION reason.policy_record(reason.policy_verdict, uuid) IS 'The member "policy" of an event. The rationale is not in it: it may have to be erased one day, and is the payload of the policyCheck node.';

-- ---------------------------------------------------------------- what comes of it

CREATE FUNCTION reason.policy_check_node(check_id uuid, kind text, record_count integer, matched reason.policy_match, verdict reason.policy_verdict, request json)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    max_links CONSTANT integer := 32;
    policy json := reason.policy_record(verdict, check_id);
    check_no bigint;
    links jsonb;
    link_numbers bigint[];
BEGIN
    SELECT w.no INTO check_no FROM reason.insert_nodes(jsonb_build_object(
        'id', check_id, 'type', 'policyCheck', 'author', 'SentinelNet', 'division', matched.division,
        'payload', jsonb_build_object('action', kind || '.create', 'decision', verdict.decision, 'reason', verdict.reason,
            'rationale', verdict.rationale, 'policyId', verdict.policy_id, 'policyVersion', verdict.policy_version,
            'requestId', request ->> 'requestId', 'records', record_count, 'types', matched.types))::text,
        true, ARRAY[matched.division], request, policy) w;
    -- What existed before, and the write was about, led to the check.
    SELECT jsonb_agg(jsonb_build_object('from', n.id, 'to', check_id, 'type', 'influencedBy', 'division', n.division) ORDER BY n.no) INTO links
    FROM (SELECT n.no, n.id, n.division FROM reason.node n WHERE n.no = ANY (matched.ends) AND n.division = matched.division
          ORDER BY n.no LIMIT max_links) n;
    IF links IS NOT NULL THEN
        SELECT array_agg(w.no) INTO link_numbers FROM reason.insert_edges(jsonb_build_object('edges', links)::text, false,
            ARRAY[matched.division], request, policy) w;
    END IF;
    IF verdict.decision = 'quarantine' THEN
        PERFORM reason.quarantine_records('node', ARRAY[check_no], check_id);
        PERFORM reason.quarantine_records('edge', link_numbers, check_id);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.policy_check_node(uuid, text, integer, reason.policy_match, reason.policy_verdict, json) IS
    'Writes the node of type policyCheck for a denial or a quarantine, with edges from what the write was about (at most 32).';

CREATE FUNCTION reason.quarantine_records(kind text, numbers bigint[], policy_check_id uuid) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    INSERT INTO reason.quarantine (division, record_no, kind, record_id, policy_check_id)
    SELECT e.division, e.no, $1, (reason.event_payload(e) -> $1 ->> 'id')::uuid, $3 FROM reason.audit_event e WHERE e.no = ANY ($2)
$$;
COMMENT ON FUNCTION reason.quarantine_records(text, bigint[], uuid) IS 'Marks records of this transaction as quarantined.';

CREATE FUNCTION reason.release_quarantine(record uuid, reason text, division text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    granted text[] := reason.visible_divisions_of(reason.calling_role());
    held reason.quarantine;
    event_id uuid;
    released bigint := 0;
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a release needs a reason';
    END IF;
    -- One release of a record at a time, so that it has one event.
    PERFORM reason.lock_until_commit('quarantine');
    FOR held IN SELECT q.* FROM reason.quarantine q
                WHERE $1 IN (q.record_id, q.policy_check_id) AND (q.division = $3 OR $3 IS NULL)
                  AND ('*' = ANY (granted) OR q.division = ANY (granted))
                ORDER BY q.record_no
    LOOP
        CONTINUE WHEN held.released;
        event_id := reason.append_event(held.division, 'quarantine.released', jsonb_build_object(
            'released', jsonb_build_object('kind', held.kind, 'id', held.record_id, 'by', reason.calling_role(), 'reason', $2),
            'request', reason.sql_request()::jsonb));
        INSERT INTO reason.quarantine_release (division, record_no, event_no)
        SELECT held.division, held.record_no, e.no FROM reason.audit_event e WHERE e.division = held.division AND e.id = event_id;
        UPDATE reason.quarantine q SET released = true WHERE q.division = held.division AND q.record_no = held.record_no;
        released := released + 1;
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('nothing with id "%s" is in quarantine', $1);
    END IF;
    RETURN released;
END
$$;
COMMENT ON FUNCTION reason.release_quarantine(uuid, text, text) IS
    'Releases a node, edge or annotation from quarantine, or, given the id of a policyCheck, all that it quarantined, itself included; records who did it and why. Returns how many records were released; may be repeated.';

-- ---------------------------------------------------------------- writes in SQL

CREATE FUNCTION reason.policy_uphold(kind text, numbers bigint[], ids uuid[]) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF (reason.policy_matches(kind, numbers)).silence_denies THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('this %s needs a policy check, and nobody can be asked from within SQL', kind),
            HINT = 'Write it through the gateway. Rules are in reason.policy_rule.';
    END IF;
    RETURN ids;
END
$$;
COMMENT ON FUNCTION reason.policy_uphold(text, bigint[], uuid[]) IS 'The ids of records just written in SQL. Raises 42501 when one matches a rule that denies writes for which nobody answers: nobody can be asked from SQL, and SQL is no way around a check.';

-- ---------------------------------------------------------------- what the chain says of it

CREATE FUNCTION reason.quarantine_event_fault(event json, p_division text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    released json := event -> 'released';
    subject text := coalesce(released ->> 'kind', split_part(event ->> 'eventType', '.', 1));
    subject_id text := coalesce(released ->> 'id', event -> subject ->> 'id');
    subject_event bigint := (SELECT e.no FROM reason.audit_event e WHERE e.id::text = event ->> 'id' AND e.division = p_division);
BEGIN
    IF released IS NULL THEN
        RETURN (SELECT format('quarantine: the row of %s "%s" is missing, or not as recorded', subject, subject_id)
                WHERE NOT EXISTS (SELECT FROM reason.quarantine q
                    WHERE q.division = p_division AND q.record_no = subject_event AND q.kind = subject AND q.record_id::text = subject_id
                      AND q.policy_check_id::text = event #>> '{policy,policyCheckId}'
                      AND q.released = EXISTS (SELECT FROM reason.quarantine_release r WHERE r.division = q.division AND r.record_no = q.record_no)));
    END IF;
    RETURN (SELECT format('quarantine_release: the row of %s "%s" is missing, or not as recorded', subject, subject_id)
            WHERE NOT EXISTS (SELECT FROM reason.quarantine q
                JOIN reason.quarantine_release r ON r.division = q.division AND r.record_no = q.record_no AND r.event_no = subject_event
                WHERE q.division = p_division AND q.kind = subject AND q.record_id::text = subject_id));
END
$$;
COMMENT ON FUNCTION reason.quarantine_event_fault(json, text) IS 'What the tables say otherwise than an event of a quarantined record or of a release; NULL when they agree.';

CREATE FUNCTION reason.quarantine_stray_fault(p_division text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    (SELECT format('quarantine: no event puts %s "%s" into quarantine', q.kind, q.record_id)
     FROM reason.quarantine q LEFT JOIN reason.audit_event e ON e.no = q.record_no AND e.division = q.division
     WHERE q.division = $1 AND e.payload #>> '{policy,decision}' IS DISTINCT FROM 'quarantine' LIMIT 1)
    UNION ALL
    (SELECT format('quarantine_release: no event releases record %s', r.record_no)
     FROM reason.quarantine_release r LEFT JOIN reason.quarantine q ON q.record_no = r.record_no AND q.division = r.division
     LEFT JOIN reason.audit_event e ON e.no = r.event_no AND e.division = r.division AND e.event_type = 'quarantine.released'
     WHERE r.division = $1 AND e.payload #>> '{released,id}' IS DISTINCT FROM q.record_id::text LIMIT 1)
    LIMIT 1
$$;
COMMENT ON FUNCTION reason.quarantine_stray_fault(text) IS 'A row of the quarantine''s tables that no event of the division explains; no row or NULL when there is none.';
