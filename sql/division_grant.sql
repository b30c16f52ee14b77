-- Granting divisions to database roles. Changes are events of division system.

CREATE FUNCTION reason.division_grant_event(grantee name, division text, granted boolean) RETURNS uuid
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.append_event('system', 'divisionGrant.changed', jsonb_build_object(
        'divisionGrant', jsonb_build_object('grantee', $1, 'division', $2, 'granted', $3), 'request', reason.sql_request()::jsonb))
$$;
COMMENT ON FUNCTION reason.division_grant_event(name, text, boolean) IS 'Records that a role may see a division from now on, or no more.';

CREATE FUNCTION reason.grant_division(grantee name, division text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('role "%s" does not exist', $1);
    END IF;
    PERFORM reason.check_division($2);
    INSERT INTO reason.division_grant VALUES ($1, $2) ON CONFLICT ON CONSTRAINT division_grant_pkey DO NOTHING;
    IF FOUND THEN
        PERFORM reason.division_grant_event($1, $2, true);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.grant_division(name, text) IS 'Lets the members of a database role see a division in SQL; division * stands for all. Raises 42704 for an unknown role.';

CREATE FUNCTION reason.revoke_division(grantee name, division text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    DELETE FROM reason.division_grant g WHERE g.grantee = $1 AND g.division = $2;
    IF FOUND THEN
        PERFORM reason.division_grant_event($1, $2, false);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.revoke_division(name, text) IS 'Takes back what grant_division(), or CREATE EXTENSION, granted; the role need not exist any more.';
