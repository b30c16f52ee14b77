-- The HTTP API: public keys, health, readiness.

CREATE FUNCTION reason.http_get_signers(client_cn text, client_issuer text, client_san text, request_id text, traceparent text, path_division text DEFAULT NULL)
RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    RETURN QUERY SELECT 200, NULL::text, reason.signer_registry()::text;
END
$$;

CREATE FUNCTION reason.http_get_health(client_cn text, client_issuer text, client_san text, request_id text, traceparent text)
RETURNS SETOF reason.http_response
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT 200, E'Cache-Control: no-store\n', format('{"ok":true,"db":"up","time":"%s"}', reason.rfc3339(clock_timestamp()))
$$;
COMMENT ON FUNCTION reason.http_get_health(text, text, text, text, text) IS 'Answers while the database does; asks for no certificate.';

CREATE FUNCTION reason.http_get_ready(client_cn text, client_issuer text, client_san text, request_id text, traceparent text)
RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    state record := reason.readiness();
BEGIN
    RETURN QUERY SELECT CASE WHEN state.ok THEN 200 ELSE 503 END, E'Cache-Control: no-store\n',
        json_build_object('ok', state.ok, 'db', 'up', 'signer', state.signer, 'objectStore', state.object_store,
            'auditLagSeconds', state.audit_lag_s, 'haltedChains', state.halted_chains, 'memory', state.memory, 'safeMode', state.safe_mode,
            'sidecarReportSeconds', state.report_age_s, 'time', reason.rfc3339(clock_timestamp()))::text;
END
$$;
COMMENT ON FUNCTION reason.http_get_ready(text, text, text, text, text) IS 'Ready when the sidecar lives, can sign and store, and the chain does not lag; 503 otherwise. Asks for no certificate.';
