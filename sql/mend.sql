-- The way on for a chain that has halted at an event that cannot be sealed.
--
-- Nothing was sealed from such an event on, so no proof is touched by replacing it. The event of a node, edge or annotation is
-- made anew from its row, which must still give its digest: chain and replay are then as if nothing had happened, but for who
-- asked for the write. Any other is set aside. Both are recorded: by an event in the chain of division system, and by a row
-- here that keeps the bytes which were found.

CREATE TABLE reason.mended_event (
    audit_event_id uuid  NOT NULL,
    event_id       uuid  NOT NULL,
    division       text  NOT NULL,
    event_type     text  NOT NULL,
    fault          text  NOT NULL,
    outcome        text  NOT NULL,
    mended_by      text  NOT NULL,
    reason         text  NOT NULL,
    found_hash     text,
    found          bytea,
    CONSTRAINT mended_event_pkey PRIMARY KEY (audit_event_id),
    CONSTRAINT mended_event_outcome_check CHECK (outcome IN ('remade', 'set aside'))
);
COMMENT ON TABLE reason.mended_event IS 'Events that could not be sealed as they were found, and what an administrator had done with each: remade from the row that it records, or set aside. The rows stay.';
COMMENT ON COLUMN reason.mended_event.audit_event_id IS 'The event event.mended of division system.';
COMMENT ON COLUMN reason.mended_event.event_type IS 'As column event_type had it, like event_id and division: any of them may have been what was wrong.';
COMMENT ON COLUMN reason.mended_event.found IS 'The payload as it was found; NULL when it could not be read, and in a database that was rebuilt from its chain.';
COMMENT ON COLUMN reason.mended_event.found_hash IS 'SHA-256 of found, hex.';

CREATE FUNCTION reason.found_payload(division text, no bigint) RETURNS bytea
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'reason_found_payload';
COMMENT ON FUNCTION reason.found_payload(text, bigint) IS 'The bytes of an event''s payload, whatever they are; NULL when they cannot be read, or there is no such event.';

CREATE FUNCTION reason.remade_payload(kind text, division text, no bigint, policy text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'reason_remade_payload';
COMMENT ON FUNCTION reason.remade_payload(text, text, bigint, text) IS 'The payload of the event of a node, edge or annotation, made from its row, without the request. NULL unless the row is there and gives its digest.';

CREATE FUNCTION reason.allow_only_mending() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM reason.halted_chain h JOIN reason.mended_event m ON m.event_id = h.event_id AND m.division = h.division
               WHERE h.division = OLD.division AND h.event_no = OLD.no AND h.event_id = OLD.id)
       AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = OLD.no)
       AND (TG_OP = 'DELETE' OR NEW.no = OLD.no) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('cannot %s table "audit_event": what is recorded is never changed', lower(TG_OP COLLATE "C")),
        HINT = 'The audit chain is the proof of what happened; add to it with new events only. A chain that has halted goes on with reason.mend_chain().';
END
$$;
COMMENT ON FUNCTION reason.allow_only_mending() IS 'Trigger: lets an event that was never sealed, and at which its chain has halted, be remade or set aside once a row of mended_event says so; refuses any other change.';

DO $$
DECLARE
    operation text;
BEGIN
    ALTER TABLE reason.mended_event ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mended_event_division ON reason.mended_event FOR SELECT
        USING (division = ANY ((SELECT reason.visible_divisions())::text[]) OR '*' = ANY ((SELECT reason.visible_divisions())::text[]));
    EXECUTE 'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reason.mended_event FOR EACH STATEMENT EXECUTE FUNCTION reason.refuse_change()';
    FOREACH operation IN ARRAY ARRAY['update', 'delete'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_%1$s BEFORE %1$s ON reason.mended_event FOR EACH ROW EXECUTE FUNCTION reason.refuse_change()', operation);
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_%1$s BEFORE %1$s ON reason.audit_event FOR EACH ROW EXECUTE FUNCTION reason.allow_only_mending()', operation);
    END LOOP;
END
$$;

CREATE FUNCTION reason.mend_chain(division text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    halted reason.halted_chain;
    recorded record;
    remade text;
    bytes bytea;
    asker CONSTANT text := reason.calling_role();
    made text;
    told uuid;
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'mending a chain needs a reason';
    END IF;
    SELECT * INTO halted FROM reason.halted_chain h WHERE h.division = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('the chain of division "%s" has not halted', $1);
    END IF;
    IF halted.look_at IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('a page that cannot be read hides what the chain of division "%s" needs: %s', $1, halted.fault),
            HINT = 'Mend or restore the page first: runbook ReasonChainHalted. The sealer looks every ten seconds, and goes on by itself.';
    END IF;
    -- Numbers are drawn from one sequence: whatever the event's columns say now, this is the record that it was written with.
    SELECT r.* INTO recorded
    FROM (SELECT 'node' AS kind, n.division, n.audit_event_id, n.created_at FROM reason.node n WHERE n.no = halted.event_no
          UNION ALL SELECT 'edge', e.division, e.audit_event_id, e.created_at FROM reason.edge e WHERE e.no = halted.event_no
          UNION ALL SELECT 'annotation', a.division, a.audit_event_id, a.created_at FROM reason.annotation a WHERE a.no = halted.event_no) r;
    BEGIN
        remade := reason.remade_payload(recorded.kind, recorded.division, halted.event_no,
            (SELECT reason.canonical_json(jsonb_build_object('decision', 'quarantine', 'policyCheckId', q.policy_check_id))
             FROM reason.quarantine q WHERE q.division = recorded.division AND q.record_no = halted.event_no));
    EXCEPTION WHEN data_corrupted OR internal_error THEN
        remade := NULL;
    END;
    bytes := reason.found_payload($1, halted.event_no);
    made := CASE WHEN remade IS NULL THEN 'set aside' ELSE 'remade' END;
    told := reason.append_event('system', 'event.mended', jsonb_build_object('mended',
        jsonb_build_object('eventId', halted.event_id, 'division', $1, 'eventType', halted.event_type, 'fault', halted.fault, 'outcome', made,
            'by', asker, 'reason', $2, 'foundHash', encode(sha256(bytes), 'hex')),
        'request', reason.sql_request()::jsonb));
    INSERT INTO reason.mended_event (audit_event_id, event_id, division, event_type, fault, outcome, mended_by, reason, found_hash, found)
    VALUES (told, halted.event_id, $1, halted.event_type, halted.fault, made, asker, $2, encode(sha256(bytes), 'hex'), bytes);
    IF remade IS NULL THEN
        DELETE FROM reason.audit_event e WHERE e.no = halted.event_no AND e.division = $1;
    ELSE
        UPDATE reason.audit_event e SET id = recorded.audit_event_id, division = recorded.division, event_type = recorded.kind || '.created',
            ts = recorded.created_at, payload = reason.stored_payload(
                (e.no, recorded.audit_event_id, recorded.division, recorded.kind || '.created', recorded.created_at, remade::json)::reason.audit_event)
        WHERE e.no = halted.event_no AND e.division = $1;
    END IF;
    RETURN made;
END
$$;
COMMENT ON FUNCTION reason.mend_chain(text, text) IS
    'Lets a chain go on that has halted at an event that cannot be sealed: the event is remade from the row that it records, or set aside where that cannot be. Says which. Recorded in division system, and in table mended_event.';
