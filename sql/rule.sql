-- What the chain of division system says of the tables that hold rules: who may call, sign, see, write how much, what is
-- archived, checked and redacted, what logs are called, which events were mended, who must agree to what and who did.
--
-- One function turns an event into the row that it recorded. replay() writes that row, and verify_audit() compares it with
-- the one that is there, so that neither can know of a rule that the other does not.

CREATE FUNCTION reason.recorded_rules(event jsonb) RETURNS TABLE (rule_table text, rule_key jsonb, recorded jsonb)
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT 'client', jsonb_build_object('name', c -> 'name'),
           jsonb_build_object('name', c -> 'name', 'issuer', c -> 'issuer', 'san_uri', c -> 'sanUri', 'role', c -> 'role',
                              'divisions', c -> 'divisions', 'pii', c -> 'pii', 'enabled', c -> 'enabled')
    FROM jsonb_extract_path($1, 'client') c WHERE $1 ->> 'eventType' = 'client.changed' AND c IS NOT NULL
    UNION ALL
    SELECT 'quota', jsonb_build_object('client', q -> 'client', 'division', q -> 'division'),
           CASE WHEN coalesce(q ->> 'nodesPerDay', q ->> 'edgesPerDay') IS NOT NULL THEN
               jsonb_build_object('client', q -> 'client', 'division', q -> 'division',
                                  'nodes_per_day', q -> 'nodesPerDay', 'edges_per_day', q -> 'edgesPerDay') END
    FROM jsonb_extract_path($1, 'quota') q WHERE $1 ->> 'eventType' = 'client.changed' AND q IS NOT NULL
    UNION ALL
    SELECT 'signer', jsonb_build_object('signer_id', s -> 'signerId'),
           jsonb_build_object('signer_id', s -> 'signerId', 'algorithm', s -> 'algorithm', 'public_key', s -> 'publicKey',
                              'status', s -> 'status', 'valid_from', s -> 'validFrom', 'valid_to', s -> 'validTo',
                              'revoked_at', s -> 'revokedAt', 'revocation_reason', s -> 'revocationReason',
                              -- events from before there were purposes name none
                              'purpose', coalesce(s -> 'purpose', '"events"'))
    FROM jsonb_extract_path($1, 'signer') s
    WHERE $1 ->> 'eventType' IN ('signer.added', 'signer.retired', 'signer.revoked') AND s IS NOT NULL
    UNION ALL
    SELECT 'archive_rule', jsonb_build_object('division', a -> 'division'),
           jsonb_build_object('division', a -> 'division', 'retain_days', a -> 'retainDays', 'legal_hold', a -> 'legalHold')
    FROM jsonb_extract_path($1, 'archiveRule') a WHERE $1 ->> 'eventType' = 'archiveRule.changed' AND a IS NOT NULL
    UNION ALL
    SELECT 'policy_rule', jsonb_build_object('name', p -> 'name'),
           jsonb_build_object('name', p -> 'name', 'actions', p -> 'actions', 'types', p -> 'types',
                              'division_pattern', p -> 'divisionPattern', 'path', p -> 'path', 'on_silence', p -> 'onSilence',
                              'enabled', p -> 'enabled')
    FROM jsonb_extract_path($1, 'rule') p WHERE $1 ->> 'eventType' = 'policy.changed' AND p IS NOT NULL
    UNION ALL
    SELECT 'pii_rule', jsonb_build_object('name', i -> 'name'),
           CASE WHEN NOT coalesce((i ->> 'dropped')::boolean, false) THEN
               jsonb_build_object('name', i -> 'name', 'category', i -> 'category', 'member', i -> 'member', 'pattern', i -> 'pattern',
                                  'matcher', i -> 'matcher', 'except_pattern', i -> 'exceptPattern', 'enabled', i -> 'enabled',
                                  'description', i -> 'description', 'builtin', false) END
    FROM jsonb_extract_path($1, 'piiRule') i WHERE $1 ->> 'eventType' = 'piiRule.changed' AND i IS NOT NULL
    UNION ALL
    SELECT 'division_grant', jsonb_build_object('grantee', g -> 'grantee', 'division', g -> 'division'),
           CASE WHEN (g ->> 'granted')::boolean THEN jsonb_build_object('grantee', g -> 'grantee', 'division', g -> 'division') END
    FROM jsonb_extract_path($1, 'divisionGrant') g WHERE $1 ->> 'eventType' = 'divisionGrant.changed' AND g IS NOT NULL
    UNION ALL
    SELECT 'mended_event', jsonb_build_object('audit_event_id', $1 -> 'id'),
           jsonb_build_object('audit_event_id', $1 -> 'id', 'event_id', m -> 'eventId', 'division', m -> 'division', 'event_type', m -> 'eventType', 'fault', m -> 'fault',
                              'outcome', m -> 'outcome', 'mended_by', m -> 'by', 'reason', m -> 'reason', 'found_hash', m -> 'foundHash')
    FROM jsonb_extract_path($1, 'mended') m WHERE $1 ->> 'eventType' = 'event.mended' AND m IS NOT NULL
    UNION ALL
    SELECT 'log_prefix', '{"only_row": true}', jsonb_build_object('only_row', true, 'prefix', l -> 'prefix', 'epoch', l -> 'epoch')
    FROM jsonb_extract_path($1, 'log') l WHERE $1 ->> 'eventType' = 'log.changed' AND l IS NOT NULL
    UNION ALL
    SELECT 'division_placement', jsonb_build_object('division', p -> 'division'),
           CASE WHEN p ->> 'state' <> 'here' THEN
               jsonb_build_object('division', p -> 'division', 'state', p -> 'state', 'cell', p -> 'cell', 'head_seq', p -> 'headSeq',
                                  'head_hash', p -> 'headHash', 'reason', p -> 'reason') END
    FROM jsonb_extract_path($1, 'placement') p WHERE $1 ->> 'eventType' = 'division.changed' AND p IS NOT NULL
    UNION ALL
    SELECT 'approver', jsonb_build_object('approver_id', a -> 'approverId'),
           jsonb_build_object('approver_id', a -> 'approverId', 'public_key', a -> 'publicKey', 'valid_from', a -> 'validFrom', 'valid_to', a -> 'validTo')
    FROM jsonb_extract_path($1, 'approver') a WHERE $1 ->> 'eventType' = 'approver.changed' AND a IS NOT NULL
    UNION ALL
    SELECT 'approval_rule', jsonb_build_object('kind', a -> 'kind'), jsonb_build_object('kind', a -> 'kind', 'threshold', a -> 'threshold')
    FROM jsonb_extract_path($1, 'approvalRule') a WHERE $1 ->> 'eventType' = 'approvalRule.changed' AND a IS NOT NULL
    UNION ALL
    SELECT 'proposal', jsonb_build_object('id', p -> 'id'), jsonb_build_object('id', p -> 'id', 'document', p, 'audit_event_id', $1 -> 'id')
    FROM jsonb_extract_path($1, 'proposal') p WHERE $1 ->> 'eventType' = 'change.proposed' AND p IS NOT NULL
    UNION ALL
    SELECT 'approval', jsonb_build_object('proposal_id', a -> 'proposalId', 'approver_id', a -> 'approverId'),
           jsonb_build_object('proposal_id', a -> 'proposalId', 'approver_id', a -> 'approverId', 'signature', a -> 'signature', 'audit_event_id', $1 -> 'id')
    FROM jsonb_extract_path($1, 'approval') a WHERE $1 ->> 'eventType' = 'change.approved' AND a IS NOT NULL
    UNION ALL
    SELECT 'proposal_executed', jsonb_build_object('proposal_id', i), jsonb_build_object('proposal_id', i, 'audit_event_id', $1 -> 'id')
    FROM jsonb_extract_path($1, 'approved', 'proposal', 'id') i WHERE i IS NOT NULL
$$;
COMMENT ON FUNCTION reason.recorded_rules(jsonb) IS
    'The row of a rule, by column, as an event leaves it behind; recorded is NULL when the event removed it. Keys of signers are in base64, times as events write them. No row for an event about something else.';

CREATE FUNCTION reason.is_system_event(event_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT $1 LIKE ANY (ARRAY['%.changed', 'signer.%', 'event.mended', 'change.%', 'safemode.%'])
$$;
COMMENT ON FUNCTION reason.is_system_event(text) IS
    'Whether events of a type belong into division system alone: those of recorded_rules(), and of the safe mode. Approvals are asked for there, so that one elsewhere would be none that anybody agreed to.';

CREATE FUNCTION reason.present_rules() RETURNS TABLE (rule_table text, rule_key jsonb, present jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT 'client', jsonb_build_object('name', c.name), to_jsonb(c) FROM reason.client c
    UNION ALL
    SELECT 'quota', jsonb_build_object('client', q.client, 'division', q.division), to_jsonb(q) FROM reason.quota q
    UNION ALL
    SELECT 'signer', jsonb_build_object('signer_id', s.signer_id),
           to_jsonb(s) || jsonb_build_object('public_key', reason.public_key_spki(s.public_key), 'valid_from', reason.recorded_time(s.valid_from),
               'valid_to', reason.recorded_time(s.valid_to), 'revoked_at', reason.recorded_time(s.revoked_at))
    FROM reason.signer s
    UNION ALL
    SELECT 'archive_rule', jsonb_build_object('division', a.division), to_jsonb(a) FROM reason.archive_rule a
    UNION ALL
    SELECT 'policy_rule', jsonb_build_object('name', p.name), to_jsonb(p) FROM reason.policy_rule p
    UNION ALL
    SELECT 'pii_rule', jsonb_build_object('name', i.name), to_jsonb(i) FROM reason.pii_rule i WHERE NOT i.builtin
    UNION ALL
    SELECT 'division_grant', jsonb_build_object('grantee', g.grantee, 'division', g.division), to_jsonb(g) FROM reason.division_grant g
    UNION ALL
    -- The bytes that were found are kept where they were found, and stand for their hash.
    SELECT 'mended_event', jsonb_build_object('audit_event_id', m.audit_event_id),
           to_jsonb(m) - 'found' || CASE WHEN encode(sha256(m.found), 'hex') <> m.found_hash THEN '{"found_hash": "not that of found"}' ELSE '{}' END::jsonb
    FROM reason.mended_event m
    UNION ALL
    SELECT 'log_prefix', jsonb_build_object('only_row', l.only_row), to_jsonb(l) FROM reason.log_prefix l
    UNION ALL
    SELECT 'division_placement', jsonb_build_object('division', p.division), to_jsonb(p) FROM reason.division_placement p
    UNION ALL
    SELECT 'approver', jsonb_build_object('approver_id', a.approver_id),
           to_jsonb(a) || jsonb_build_object('valid_from', reason.recorded_time(a.valid_from), 'valid_to', reason.recorded_time(a.valid_to))
    FROM reason.approver a
    UNION ALL
    SELECT 'approval_rule', jsonb_build_object('kind', r.kind), to_jsonb(r) FROM reason.approval_rule r
    UNION ALL
    SELECT 'proposal', jsonb_build_object('id', p.id), to_jsonb(p) FROM reason.proposal p
    UNION ALL
    SELECT 'approval', jsonb_build_object('proposal_id', a.proposal_id, 'approver_id', a.approver_id), to_jsonb(a) FROM reason.approval a
    UNION ALL
    SELECT 'proposal_executed', jsonb_build_object('proposal_id', x.proposal_id), to_jsonb(x) FROM reason.proposal_executed x
$$;
COMMENT ON FUNCTION reason.present_rules() IS 'The rows of rules that are there, in the form of recorded_rules(). Rules for personal data that are as the extension brought them are part of it, and no event records them.';

CREATE FUNCTION reason.rule_faults() RETURNS TABLE (rule_table text, rule_key jsonb, detail text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET jit = off
AS $$
    WITH history AS (
        -- The order of the chain, not that of the numbers: what was replayed has got new ones.
        SELECT r.rule_table, r.rule_key, r.recorded, coalesce(s.seq, 9223372036854775807) AS seq, e.no
        FROM reason.audit_event e
        LEFT JOIN reason.audit_seal s ON s.event_no = e.no AND s.division = e.division
        CROSS JOIN LATERAL reason.recorded_rules(e.payload::jsonb) r
        WHERE e.division = 'system'
          -- An event at which the chain has halted is left out: verify_audit() reports it.
          AND e.no IS DISTINCT FROM (SELECT h.event_no FROM reason.halted_chain h WHERE h.division = 'system')
          AND e.event_type LIKE ANY (ARRAY['%.changed', 'signer.%', 'event.mended', 'change.%', 'safemode.accepted'])
        UNION ALL
        SELECT 'division_grant', to_jsonb(g), to_jsonb(g), -1, 0 FROM reason.initial_division_grants() g
    ), latest AS (
        SELECT DISTINCT ON (h.rule_table, h.rule_key) h.* FROM history h ORDER BY h.rule_table, h.rule_key, h.seq DESC, h.no DESC
    )
    SELECT rule_table, rule_key, format('%s %s: %s', rule_table,
        (SELECT string_agg(format('"%s"', k.value), ' ') FROM jsonb_each_text(rule_key) k),
        CASE WHEN p.present IS NULL THEN 'its row is missing'
             WHEN l.recorded IS NULL THEN 'no event records it'
             ELSE format('column %s is not as recorded',
                  (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(p.present) k WHERE p.present -> k IS DISTINCT FROM l.recorded -> k)) END)
    FROM latest l FULL JOIN reason.present_rules() p USING (rule_table, rule_key)
    WHERE l.recorded IS DISTINCT FROM p.present
    ORDER BY rule_table, rule_key
$$;
COMMENT ON FUNCTION reason.rule_faults() IS
    'Rows of client, quota, signer, archive_rule, policy_rule, pii_rule, division_grant, log_prefix, division_placement, mended_event, approver, approval_rule, proposal, approval and proposal_executed that are not what the last event about them recorded.';

CREATE FUNCTION reason.strange_member(event jsonb, rule_table text, recorded jsonb) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT m.name
    FROM (SELECT a.attname::text AS name, $3 -> a.attname AS value,
                 CASE WHEN a.atttypid = 'boolean'::regtype THEN 'boolean'
                      WHEN a.atttypid IN ('integer'::regtype, 'bigint'::regtype) THEN 'number'
                      WHEN a.atttypid = 'text[]'::regtype THEN 'array'
                      WHEN a.atttypid = 'jsonb'::regtype THEN 'object'
                      ELSE 'string' END AS form
          FROM pg_attribute a
          WHERE a.attrelid = format('reason.%I', $2)::regclass AND a.attnum > 0 AND NOT a.attisdropped
          UNION ALL
          SELECT m.path[2], $1 #> m.path, 'boolean' FROM (VALUES (ARRAY['divisionGrant', 'granted']), (ARRAY['piiRule', 'dropped'])) m (path)) m
    WHERE m.value <> 'null' AND (jsonb_typeof(m.value) <> m.form OR m.form = 'array' AND jsonb_path_exists(m.value, 'strict $[*] ? (@.type() != "string")'))
    ORDER BY m.name LIMIT 1
$$;
COMMENT ON FUNCTION reason.strange_member(jsonb, text, jsonb) IS
    'The column of a rule that an event records as what the database''s functions never write for it, such as an array as a text: PostgreSQL would make one of it, and whoever reads the chain would not. NULL: there is none.';

CREATE FUNCTION reason.replay_rules(event json) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    rule record;
    replayed integer := 0;
    strange text;
BEGIN
    FOR rule IN SELECT * FROM reason.recorded_rules(event::jsonb) LOOP
        replayed := replayed + 1;
        strange := reason.strange_member(event::jsonb, rule.rule_table, rule.recorded);
        IF strange IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('event "%s" records %s of a %s as what it cannot be', event ->> 'id', strange, rule.rule_table),
                HINT = 'The event was not written by the database''s functions.';
        END IF;
        IF rule.rule_table = 'signer' THEN
            PERFORM reason.replay_signer(rule.recorded);
            CONTINUE;
        ELSIF rule.rule_table = 'pii_rule' THEN
            PERFORM reason.replay_pii_rule(event);
            CONTINUE;
        END IF;
        EXECUTE format('DELETE FROM reason.%I t WHERE to_jsonb(t) @> $1', rule.rule_table) USING rule.rule_key;
        IF rule.recorded IS NOT NULL THEN
            EXECUTE format('INSERT INTO reason.%1$I SELECT * FROM jsonb_populate_record(NULL::reason.%1$I, $1)', rule.rule_table) USING rule.recorded;
        END IF;
    END LOOP;
    RETURN replayed;
END
$$;
COMMENT ON FUNCTION reason.replay_rules(json) IS 'For replay(): writes the rows that recorded_rules() finds in an event. Returns how many. Raises 22000 for one with a strange_member().';

CREATE FUNCTION reason.replay_signer(recorded jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    key bytea := reason.public_key(recorded ->> 'public_key');
    known boolean;
    refused text;
BEGIN
    PERFORM reason.check_signer_id(recorded ->> 'signer_id');
    SELECT s.public_key = key AND s.valid_from = (recorded ->> 'valid_from')::timestamptz AND s.purpose = recorded ->> 'purpose' INTO known
    FROM reason.signer s WHERE s.signer_id = recorded ->> 'signer_id';
    IF NOT known THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation',
            MESSAGE = format('signer "%s" was registered here already, with another key, for another purpose or from another time on', recorded ->> 'signer_id'),
            HINT = 'Rebuild into a database as CREATE EXTENSION leaves it: the chain registers its signers itself.';
    END IF;
    IF EXISTS (SELECT FROM reason.signer s WHERE s.public_key = key AND s.purpose <> recorded ->> 'purpose') THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation',
            MESSAGE = format('the key of signer "%s" was registered for another purpose already', recorded ->> 'signer_id');
    END IF;
    INSERT INTO reason.signer AS s (signer_id, algorithm, public_key, status, valid_from, valid_to, revoked_at, revocation_reason, purpose)
    VALUES (recorded ->> 'signer_id', recorded ->> 'algorithm', key, recorded ->> 'status', (recorded ->> 'valid_from')::timestamptz,
        (recorded ->> 'valid_to')::timestamptz, (recorded ->> 'revoked_at')::timestamptz, recorded ->> 'revocation_reason', recorded ->> 'purpose')
    ON CONFLICT ON CONSTRAINT signer_pkey DO UPDATE
        SET status = excluded.status, valid_to = excluded.valid_to, revoked_at = excluded.revoked_at, revocation_reason = excluded.revocation_reason
        WHERE s.status <> excluded.status;
    -- What was signed by a key that the chain had yet to name could not be checked before.
    SELECT g.seq INTO refused FROM reason.audit_signature g JOIN reason.audit_seal s ON (s.division, s.seq) = (g.division, g.seq)
    WHERE known IS NULL AND g.division = 'system' AND g.signer_id = recorded ->> 'signer_id'
      AND (recorded ->> 'purpose' <> 'events' OR reason.ed25519_verify(key, s.hash, g.signature) IS NOT TRUE)
    ORDER BY g.seq LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('signatures up to event %s of division "system" are not those of signer "%s"',
                (SELECT max(s.seq) FROM reason.audit_seal s WHERE s.division = 'system'), recorded ->> 'signer_id');
    END IF;
END
$$;
COMMENT ON FUNCTION reason.replay_signer(jsonb) IS 'For replay(): a signer as an event recorded it. Refuses one that the database knows otherwise, and a key that did not make the signatures so far in its name.';
