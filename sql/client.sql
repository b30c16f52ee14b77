-- Clients: who may call over HTTPS.
--
-- The gateway passes what the verified certificate says (common name, issuer, URI); this
-- file turns it into a client with a role and divisions. Changes are events of division system.

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
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_client reason.client;
    candidates reason.client[];
BEGIN
    client_cn := NULLIF(client_cn, '');
    client_san := NULLIF(client_san, '');
    IF coalesce(client_cn, client_san) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_authorization_specification',
            MESSAGE = CASE WHEN client_issuer IS NULL THEN 'a client certificate is required'
                           ELSE 'the client certificate names nobody' END,
            HINT = CASE WHEN client_issuer IS NOT NULL
                        THEN 'A certificate needs exactly one common name, or a URI as subject alternative name.' END;
    END IF;
    IF client_cn IS NOT NULL THEN
        SELECT * INTO found_client FROM reason.client c
        WHERE c.name = client_cn AND c.enabled
          AND (c.issuer IS NULL OR c.issuer = client_issuer)
          AND (c.san_uri IS NULL OR c.san_uri = ANY (string_to_array(client_san, ' ')));
    ELSE
        -- As in the certificates of SPIFFE: the URI says who it is, if it says so of one client only.
        SELECT array_agg(c) INTO candidates FROM reason.client c
        WHERE c.san_uri = ANY (string_to_array(client_san, ' ')) AND c.enabled
          AND (c.issuer IS NULL OR c.issuer = client_issuer);
        IF cardinality(candidates) = 1 THEN
            found_client := candidates[1];
        END IF;
    END IF;
    IF found_client.name IS NULL THEN
        -- The same answer whatever did not match: a stranger learns nothing about who is registered.
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the certificate belongs to no client of this service',
            HINT = 'An administrator registers clients with reason.set_client().';
    END IF;
    RETURN found_client;
END
$$;
COMMENT ON FUNCTION reason.client_of(text, text, text) IS 'The enabled client that a verified certificate stands for: by its common name, with the URI if the client has one; a certificate without a common name, or with two, by its URI alone, which must be one client''s. Raises 28000 without a certificate, 42501 for a stranger.';

CREATE FUNCTION reason.client_may(client reason.client, action text) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE $2
        WHEN 'read' THEN true
        WHEN 'write' THEN ($1).role IN ('writer', 'admin')
        WHEN 'inspect' THEN ($1).role IN ('auditor', 'admin')
        WHEN 'freeze' THEN ($1).role IN ('writer', 'auditor', 'admin')
        ELSE false END
$$;
COMMENT ON FUNCTION reason.client_may(reason.client, text) IS 'What a client''s role allows: read (traces, nodes, verification), write (nodes, edges, annotations), inspect (what is in quarantine), freeze (snapshots).';
