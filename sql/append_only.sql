-- Append-only: what is recorded is never changed and never removed, by whatever role.
--
-- Two things are allowed all the same. A payload may be erased: payload and salt become NULL,
-- nothing else changes, and only when the chain has an event payload.erased that names the
-- record; with it go the documents of the snapshots that the event names. A snapshot moves through
-- its states until it is complete.
--
-- The triggers fire for ordinary sessions (ENABLE, not ENABLE ALWAYS): a logical replica applies
-- what the publisher's triggers have let pass, and it must not be asked twice.

CREATE FUNCTION reason.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('cannot %s table "%s": what is recorded is never changed', lower(TG_OP), TG_TABLE_NAME),
        HINT = CASE TG_TABLE_NAME
            WHEN 'node' THEN 'Write a correction: a new node, with an edge of type corrects to this one. Personal content is removed with reason.erase_payload().'
            WHEN 'edge' THEN 'Write a correction: a new node, with an edge of type corrects.'
            WHEN 'annotation' THEN 'Add another annotation. Personal content is removed with reason.erase_annotation().'
            WHEN 'signer' THEN 'Use reason.retire_signer() or reason.revoke_signer().'
            WHEN 'snapshot' THEN 'Make a new snapshot with reason.create_snapshot().'
            WHEN 'snapshot_chunk' THEN 'Make a new snapshot with reason.create_snapshot().'
            ELSE 'The audit chain is the proof of what happened; add to it with new events only.' END;
END
$$;
COMMENT ON FUNCTION reason.refuse_change() IS 'Trigger: refuses the statement.';

-- ---------------------------------------------------------------- erasure

-- serves: when and by whom a content was erased
CREATE INDEX audit_event_erased_idx ON reason.audit_event ((payload #>> '{erased,id}'), division)
    WHERE event_type = 'payload.erased';

CREATE FUNCTION reason.erasure(division text, id uuid, OUT event_id uuid, OUT at timestamptz, OUT by text, OUT reason text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT e.id, e.ts, e.payload #>> '{erased,by}', e.payload #>> '{erased,reason}'
    FROM reason.audit_event e
    WHERE e.event_type = 'payload.erased' AND e.payload #>> '{erased,id}' = $2::text AND e.division = $1
    ORDER BY e.no LIMIT 1
$$;
COMMENT ON FUNCTION reason.erasure(text, uuid) IS 'When, by whom and why the content of a node or annotation was erased; NULLs when it was not.';

CREATE FUNCTION reason.allow_only_erasure() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    erased record := OLD;
BEGIN
    erased.payload := NULL;
    erased.salt := NULL;
    -- Compared byte by byte: an equal value written differently is a change too.
    IF NEW *= erased AND (reason.erasure(OLD.division, OLD.id)).event_id IS NOT NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('cannot update table "%s": what is recorded is never changed', TG_TABLE_NAME),
        HINT = CASE TG_TABLE_NAME
            WHEN 'node' THEN 'Write a correction: a new node, with an edge of type corrects to this one. Personal content is removed with reason.erase_payload().'
            ELSE 'Add another annotation. Personal content is removed with reason.erase_annotation().' END;
END
$$;
COMMENT ON FUNCTION reason.allow_only_erasure() IS 'Trigger: lets payload and salt become NULL when the chain has the event of it; refuses any other update.';

CREATE FUNCTION reason.erases_document(event_id uuid, division text, snapshot_id uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM reason.audit_event e
                   WHERE e.id = $1 AND e.division = $2 AND e.event_type = 'payload.erased'
                     AND (e.payload #> '{erased,snapshots}')::jsonb ? $3::text)
$$;
COMMENT ON FUNCTION reason.erases_document(uuid, text, uuid) IS 'Whether an event is of type payload.erased and names the snapshot as one whose document it removed.';

CREATE FUNCTION reason.allow_only_erased_document() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM reason.snapshot s WHERE s.no = OLD.snapshot_no AND s.division = OLD.division
               AND reason.erases_document(s.erased_event_id, s.division, s.id)) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = 'cannot delete table "snapshot_chunk": what is recorded is never changed',
        HINT = 'Personal content is removed with reason.erase_payload().';
END
$$;
COMMENT ON FUNCTION reason.allow_only_erased_document() IS 'Trigger: lets the document of a snapshot go when the chain has the event of it.';

-- ---------------------------------------------------------------- snapshots

CREATE FUNCTION reason.allow_only_progress() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    fixed record := NEW;
    kept record := OLD;
    allowed boolean;
BEGIN
    kept.erased_event_id := NEW.erased_event_id;
    IF OLD.erased_event_id IS NULL AND reason.erases_document(NEW.erased_event_id, OLD.division, OLD.id) THEN
        -- Complete it stays as it is; otherwise it has failed.
        IF OLD.status = 'complete' AND NEW *= kept THEN
            RETURN NEW;
        END IF;
        allowed := NEW.status = 'failed';
        fixed.erased_event_id := NULL;
    ELSE
        allowed := OLD.erased_event_id IS NULL;
    END IF;
    -- Only these describe the state; the rest says what was frozen.
    fixed.status := OLD.status;
    fixed.signer_id := OLD.signer_id;
    fixed.signature := OLD.signature;
    fixed.signed_at := OLD.signed_at;
    fixed.object_uri := OLD.object_uri;
    fixed.object_version := OLD.object_version;
    fixed.completed_at := OLD.completed_at;
    fixed.attempts := OLD.attempts;
    fixed.next_attempt_at := OLD.next_attempt_at;
    fixed.failure := OLD.failure;
    fixed.audit_event_id := OLD.audit_event_id;
    allowed := allowed AND fixed *= OLD AND CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('pending', 'signed', 'failed')
        -- back to pending: its signer may not sign any more
        WHEN 'signed' THEN NEW.status IN ('signed', 'complete', 'failed', 'pending')
        WHEN 'failed' THEN NEW.status IN ('pending', 'signed') OR NEW.erased_event_id IS NOT NULL
        ELSE false END;
    IF allowed THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = CASE WHEN OLD.status = 'complete' THEN format('snapshot "%s" is complete and cannot be changed', OLD.id)
                       ELSE format('snapshot "%s" cannot be changed this way', OLD.id) END,
        HINT = 'Make a new snapshot with reason.create_snapshot().';
END
$$;
COMMENT ON FUNCTION reason.allow_only_progress() IS 'Trigger: lets a snapshot move from pending over signed to complete, or to failed and back; a complete one stays as it is. Its document may be erased, once.';

-- ---------------------------------------------------------------- signers

CREATE FUNCTION reason.allow_only_revocation() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF (NEW.signer_id, NEW.algorithm, NEW.public_key, NEW.valid_from, NEW.purpose) = (OLD.signer_id, OLD.algorithm, OLD.public_key, OLD.valid_from, OLD.purpose)
       AND (OLD.status = 'active' AND NEW.status IN ('retired', 'revoked')
            OR OLD.status = 'retired' AND NEW.status = 'revoked') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('signer "%s" cannot be changed this way', OLD.signer_id),
        HINT = 'A signer goes from active to retired to revoked. For another key, add another signer.';
END
$$;
COMMENT ON FUNCTION reason.allow_only_revocation() IS 'Trigger: a signer goes from active to retired to revoked, and its key never changes.';

-- ---------------------------------------------------------------- triggers

DO $$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['node', 'edge', 'annotation', 'audit_event', 'audit_seal', 'audit_signature',
                                      'snapshot', 'snapshot_chunk', 'signer']
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reason.%I
            FOR EACH STATEMENT EXECUTE FUNCTION reason.refuse_change()', table_name);
        -- Those of an event that was never sealed: mend.sql.
        CONTINUE WHEN table_name = 'audit_event';
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_delete BEFORE DELETE ON reason.%I
            FOR EACH ROW EXECUTE FUNCTION reason.%I()', table_name,
            CASE table_name WHEN 'snapshot_chunk' THEN 'allow_only_erased_document' ELSE 'refuse_change' END);
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_update BEFORE UPDATE ON reason.%I
            FOR EACH ROW EXECUTE FUNCTION reason.%I()', table_name,
            CASE table_name WHEN 'node' THEN 'allow_only_erasure'
                            WHEN 'annotation' THEN 'allow_only_erasure'
                            WHEN 'snapshot' THEN 'allow_only_progress'
                            WHEN 'signer' THEN 'allow_only_revocation'
                            ELSE 'refuse_change' END);
    END LOOP;
END
$$;
