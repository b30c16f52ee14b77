-- Roles, and which divisions a caller may see.
--
-- Roles belong to the cluster, not to the database: they may exist already, and
-- DROP EXTENSION leaves them. What each may do stands in 99_grants.sql.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['reason_reader', 'reason_auditor', 'reason_writer',
                                     'reason_gateway', 'reason_sidecar', 'reason_admin']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$$;

INSERT INTO reason.division_grant (grantee, division) VALUES
    ('reason_reader', 'default'),
    ('reason_auditor', 'default'), ('reason_auditor', 'system'),
    ('reason_writer', 'default'),
    ('reason_admin', '*');

-- ---------------------------------------------------------------- what a caller sees

CREATE FUNCTION reason.division_visible_to(p_role name, p_division text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_role AND r.rolsuper)
        OR EXISTS (SELECT FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
                   WHERE e.extname = 'reasoning_graph' AND pg_has_role(p_role, r.oid, 'USAGE'))
        OR EXISTS (SELECT FROM division_grant g JOIN pg_roles r ON r.rolname = g.grantee
                   WHERE g.division IN (p_division, '*') AND pg_has_role(p_role, r.oid, 'USAGE'))
$$;
COMMENT ON FUNCTION reason.division_visible_to(name, text) IS
    'Whether a database role may see a division: superusers and the owner see all, others what division_grant gives the roles they are members of.';

CREATE FUNCTION reason.division_visible(p_division text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.division_visible_to(current_user, p_division) $$;
COMMENT ON FUNCTION reason.division_visible(text) IS 'Whether the current role may see a division.';

CREATE FUNCTION reason.visible_divisions_of(p_role name) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE WHEN reason.division_visible_to(p_role, NULL) THEN ARRAY['*']
                ELSE ARRAY(SELECT DISTINCT g.division FROM division_grant g JOIN pg_roles r ON r.rolname = g.grantee
                           WHERE pg_has_role(p_role, r.oid, 'USAGE') ORDER BY 1) END
$$;
COMMENT ON FUNCTION reason.visible_divisions_of(name) IS 'The divisions that a database role may see; {*} when it may see all.';

CREATE FUNCTION reason.visible_divisions() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.visible_divisions_of(current_user) $$;
COMMENT ON FUNCTION reason.visible_divisions() IS 'The divisions that the current role may see; {*} when it may see all. Row security evaluates it once a query.';

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
