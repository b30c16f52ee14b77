-- Clients: who may call over HTTPS.
--
-- The gateway passes what the verified certificate says (common name, issuer, URI); client_of()
-- finds the registered client, with a role and divisions (extension/record/client.c). Changes are
-- events of division system.

CREATE FUNCTION reason.set_client(name text, role text, divisions text[] DEFAULT '{default}', pii boolean DEFAULT false,
    issuer text DEFAULT NULL, san_uri text DEFAULT NULL, enabled boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    -- It stands in certificates, events and logs.
    PERFORM reason.check_label($1, 'a client''s name', 255);
    PERFORM reason.check_division(d) FROM unnest($3) d;
    INSERT INTO reason.client AS c (name, role, divisions, pii, issuer, san_uri, enabled)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT ON CONSTRAINT client_pkey DO UPDATE
        SET role = excluded.role, divisions = excluded.divisions, pii = excluded.pii,
            issuer = excluded.issuer, san_uri = excluded.san_uri, enabled = excluded.enabled
        WHERE (c.role, c.divisions, c.pii, c.issuer, c.san_uri, c.enabled)
           IS DISTINCT FROM (excluded.role, excluded.divisions, excluded.pii, excluded.issuer, excluded.san_uri, excluded.enabled);
    IF FOUND THEN
        PERFORM reason.append_change('client.changed', jsonb_build_object(
            'client', jsonb_build_object('name', $1, 'role', $2, 'divisions', $3, 'pii', $4,
                                         'issuer', $5, 'sanUri', $6, 'enabled', $7),
            'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_client(text, text, text[], boolean, text, text, boolean) IS
    'Registers or changes a client of the gateway: role reader, auditor, writer or admin; divisions {*} grants all; pii shows records unredacted. A client is never deleted, only disabled.';

CREATE FUNCTION reason.client_of(client_cn text, client_issuer text, client_san text) RETURNS reason.client
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'reason_client_of';
COMMENT ON FUNCTION reason.client_of(text, text, text) IS 'The enabled client that a verified certificate stands for: by its common name, with the URI if the client has one; a certificate without a common name, or with two, by its URI alone, which must be one client''s. Raises 28000 without a certificate, 42501 for a stranger.';

CREATE FUNCTION reason.client_may(client reason.client, action text) RETURNS boolean
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'reason_client_may';
COMMENT ON FUNCTION reason.client_may(reason.client, text) IS 'What a client''s role allows: read (traces, nodes, verification), write (nodes, edges, annotations), inspect (what is in quarantine), freeze (snapshots).';
