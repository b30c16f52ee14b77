-- Roles, and which divisions a caller may see.
--
-- Roles belong to the cluster, not to the database: they may exist already, and
-- DROP EXTENSION leaves them. What each may do stands in sql/grants.sql.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['reason_reader', 'reason_auditor', 'reason_writer',
                                     'reason_gateway', 'reason_sidecar', 'reason_admin', 'reason_backup']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- divisions of the roles

CREATE FUNCTION reason.initial_division_grants() RETURNS TABLE (grantee name, division text)
LANGUAGE sql IMMUTABLE
AS $$
    VALUES ('reason_reader'::name, 'default'),
           ('reason_auditor', 'default'), ('reason_auditor', 'system'),
           ('reason_writer', 'default'),
           ('reason_admin', '*')
$$;
COMMENT ON FUNCTION reason.initial_division_grants() IS 'What division_grant holds after CREATE EXTENSION.';

INSERT INTO reason.division_grant SELECT * FROM reason.initial_division_grants();

-- A dump has neither the initial grants, which CREATE EXTENSION brings along, nor a trace of one that
-- was deleted, but for what these triggers write down.

CREATE FUNCTION reason.note_withdrawn_grant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'UPDATE') THEN
        INSERT INTO reason.division_grant_withdrawn SELECT * FROM reason.initial_division_grants() g
        WHERE (g.grantee, g.division) = (OLD.grantee, OLD.division)
        ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        DELETE FROM reason.division_grant_withdrawn w WHERE (w.grantee, w.division) = (NEW.grantee, NEW.division);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.note_withdrawn_grant() IS 'Trigger: notes an initial grant that is deleted, until it is made again.';

CREATE TRIGGER note_withdrawn AFTER INSERT OR UPDATE OR DELETE ON reason.division_grant
    FOR EACH ROW EXECUTE FUNCTION reason.note_withdrawn_grant();

CREATE FUNCTION reason.withdraw_grant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    DELETE FROM reason.division_grant g WHERE (g.grantee, g.division) = (NEW.grantee, NEW.division);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.withdraw_grant() IS 'Trigger: deletes a grant that is noted as withdrawn, as when a dump is restored.';

CREATE TRIGGER withdraw AFTER INSERT ON reason.division_grant_withdrawn
    FOR EACH ROW EXECUTE FUNCTION reason.withdraw_grant();

-- ---------------------------------------------------------------- what a caller sees

CREATE FUNCTION reason.visible_divisions_of(role name) RETURNS text[]
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_visible_divisions_of';
COMMENT ON FUNCTION reason.visible_divisions_of(name) IS
    'The divisions that a database role may see, for functions that run with the owner''s rights: no other role may ask. {*} when it may see all: superusers and the owner do, others see what division_grant gives the roles they are members of.';

CREATE FUNCTION reason.visible_divisions() RETURNS text[]
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_visible_divisions';
COMMENT ON FUNCTION reason.visible_divisions() IS 'The divisions that the current role may see; {*} when it may see all. Row security evaluates it once a query.';

CREATE FUNCTION reason.division_visible(division text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT ARRAY[$1, '*'] && reason.visible_divisions() $$;
COMMENT ON FUNCTION reason.division_visible(text) IS 'Whether the current role may see a division.';

-- ---------------------------------------------------------------- row security
-- The array is computed once a query (an initplan), not once a row.

ALTER TABLE reason.node ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.edge ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.annotation ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.audit_seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.audit_signature ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.snapshot ENABLE ROW LEVEL SECURITY;
ALTER TABLE reason.snapshot_chunk ENABLE ROW LEVEL SECURITY;

DO $$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['node', 'edge', 'annotation', 'audit_event', 'audit_seal',
                                      'audit_signature', 'snapshot', 'snapshot_chunk']
    LOOP
        EXECUTE pg_catalog.format($policy$
            CREATE POLICY %1$s_division ON reason.%1$s FOR SELECT
            USING (division = ANY ((SELECT reason.visible_divisions())::text[])
                   OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
        $policy$, table_name);
    END LOOP;
END
$$;
