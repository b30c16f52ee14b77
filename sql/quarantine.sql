-- Quarantine: records that a policy check let in, but kept from ordinary readers.
--
-- A record is quarantined by the write that makes it, never afterwards: its event says so (policy.decision),
-- and a row here beside it. An administrator releases it, which is an event and a row as well. The rows stay, so that
-- the pages of a trace can tell what their first page saw; a mark keeps those that were released out of the way.

CREATE TABLE reason.quarantine (
    division        text   NOT NULL,
    record_no       bigint NOT NULL,
    kind            text   NOT NULL,
    record_id       uuid   NOT NULL,
    policy_check_id uuid   NOT NULL,
    released        boolean NOT NULL DEFAULT false,
    CONSTRAINT quarantine_pkey PRIMARY KEY (division, record_no),
    CONSTRAINT quarantine_kind_check CHECK (kind IN ('node', 'edge', 'annotation'))
);
COMMENT ON TABLE reason.quarantine IS 'Records that were written into quarantine. Auditors and administrators see them; others do not, until they are released.';
COMMENT ON COLUMN reason.quarantine.record_no IS 'no of the node, edge or annotation, and of its event.';
COMMENT ON COLUMN reason.quarantine.policy_check_id IS 'Node of type policyCheck that holds the rationale; quarantined itself.';
COMMENT ON COLUMN reason.quarantine.released IS 'There is a row for it in quarantine_release. The one thing about the row that changes, once.';
-- serves every reader: what is held back now
CREATE INDEX quarantine_held_idx ON reason.quarantine (division, record_no) WHERE NOT released;
-- serves releasing by the id of a record or of a policy check
CREATE INDEX quarantine_record_idx ON reason.quarantine (record_id);
CREATE INDEX quarantine_policy_check_idx ON reason.quarantine (policy_check_id);

CREATE TABLE reason.quarantine_release (
    division  text   NOT NULL,
    record_no bigint NOT NULL,
    event_no  bigint NOT NULL,
    CONSTRAINT quarantine_release_pkey PRIMARY KEY (division, record_no)
);
COMMENT ON TABLE reason.quarantine_release IS 'Records that were released from quarantine: from then on they are like any other.';
COMMENT ON COLUMN reason.quarantine_release.event_no IS 'no of the event quarantine.released.';
-- serves the later pages of a trace: what was released since the first
CREATE INDEX quarantine_release_event_idx ON reason.quarantine_release (division, event_no);

CREATE FUNCTION reason.allow_only_release() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    fixed record := NEW;
BEGIN
    fixed.released := OLD.released;
    IF fixed *= OLD AND NEW.released AND NOT OLD.released
       AND EXISTS (SELECT FROM reason.quarantine_release r WHERE r.division = OLD.division AND r.record_no = OLD.record_no) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = 'cannot update table "quarantine": what is recorded is never changed',
        HINT = 'Records are released with reason.release_quarantine().';
END
$$;
COMMENT ON FUNCTION reason.allow_only_release() IS 'Trigger: lets a record in quarantine become released when there is a row of its release; refuses any other update.';

DO $$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['quarantine', 'quarantine_release'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reason.%I
            FOR EACH STATEMENT EXECUTE FUNCTION reason.refuse_change()', table_name);
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_delete BEFORE DELETE ON reason.%I
            FOR EACH ROW EXECUTE FUNCTION reason.refuse_change()', table_name);
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_update BEFORE UPDATE ON reason.%I
            FOR EACH ROW EXECUTE FUNCTION reason.%I()', table_name,
            CASE table_name WHEN 'quarantine' THEN 'allow_only_release' ELSE 'refuse_change' END);
        EXECUTE pg_catalog.format('ALTER TABLE reason.%I ENABLE ROW LEVEL SECURITY', table_name);
        EXECUTE pg_catalog.format($policy$
            CREATE POLICY %1$s_division ON reason.%1$s FOR SELECT
            USING (division = ANY ((SELECT reason.visible_divisions())::text[])
                   OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
        $policy$, table_name);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- who sees them

CREATE FUNCTION reason.sees_quarantined() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_sees_quarantined';
COMMENT ON FUNCTION reason.sees_quarantined() IS 'Whether the current role sees quarantined records: superusers, the owner and members of reason_auditor do.';

CREATE FUNCTION reason.quarantined_numbers() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT q.record_no FROM reason.quarantine q WHERE NOT q.released
$$;
COMMENT ON FUNCTION reason.quarantined_numbers() IS 'Numbers of the records that are in quarantine now, in all divisions: for functions that run with the owner''s rights.';

CREATE FUNCTION reason.row_shown(of_table oid, place tid) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'reason_row_shown';
COMMENT ON FUNCTION reason.row_shown(oid, tid) IS
    'Whether a row of node, edge or annotation is in a division of the current role and not in quarantine, nor what it goes with. False for everything else, so that asking reveals nothing.';

-- An edge goes with its ends, an annotation with its node.
CREATE POLICY node_quarantine ON reason.node AS RESTRICTIVE FOR SELECT
    USING ((SELECT reason.sees_quarantined()) OR reason.row_shown(tableoid, ctid));
CREATE POLICY edge_quarantine ON reason.edge AS RESTRICTIVE FOR SELECT
    USING ((SELECT reason.sees_quarantined()) OR reason.row_shown(tableoid, ctid));
CREATE POLICY annotation_quarantine ON reason.annotation AS RESTRICTIVE FOR SELECT
    USING ((SELECT reason.sees_quarantined()) OR reason.row_shown(tableoid, ctid));
