-- The HTTP API: one function a route, called by the gateway.
--
-- Every function takes what the gateway knows of the caller from the verified certificate
-- (client_cn, client_issuer, client_san), the request's id and traceparent, then its own
-- arguments as text, and last path_division, by name and only where the path names a division (/d/DIVISION/...). It returns status, header lines and body; further rows continue the body.
-- An error raised here is turned by the gateway into status and error body by its SQLSTATE, and has undone
-- everything the request wrote.

CREATE TYPE reason.http_response AS (status integer, headers text, body text);
COMMENT ON TYPE reason.http_response IS 'First row: status and header lines ("Name: value\n"); every row: a piece of the body.';

CREATE FUNCTION reason.http_pieces(body text) RETURNS SETOF text
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'reason_http_pieces';
COMMENT ON FUNCTION reason.http_pieces(text) IS 'A body in pieces of at most 64 KiB, one at least: the gateway calls it on every answer, so that it never holds a long one whole.';

-- ---------------------------------------------------------------- callers and parameters

CREATE FUNCTION reason.http_client(client_cn text, client_issuer text, client_san text, action text, path_division text DEFAULT NULL,
    moved boolean DEFAULT false) RETURNS reason.client
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'reason_http_client';
COMMENT ON FUNCTION reason.http_client(text, text, text, text, text, boolean) IS 'The calling client, if its role allows the action; else 42501. path_division: narrowed to the division that the path names; 42501 unless the client has it, whether or not there is one, and 55000 if it lives in another cell; moved: it may.';

CREATE FUNCTION reason.take_turn(client text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reason_take_turn';
COMMENT ON FUNCTION reason.take_turn(text) IS 'Waits until fewer than reason.client_heavy_reads transactions of this client have their turn and have not ended.';

CREATE FUNCTION reason.turn_when_long(client text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reason_turn_when_long';
COMMENT ON FUNCTION reason.turn_when_long(text) IS 'take_turn() once the transaction has taken 20 ms, if it then still reads the graph.';

CREATE FUNCTION reason.http_heavy_reader(client_cn text, client_issuer text, client_san text, path_division text DEFAULT NULL) RETURNS reason.client
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
BEGIN
    -- The gateway's workers do not know of each other: here their calls meet, and here are the processors.
    PERFORM reason.take_turn(caller.name);
    RETURN caller;
END
$$;
COMMENT ON FUNCTION reason.http_heavy_reader(text, text, text, text) IS 'http_client() of a read that may take long, once it is its turn among those of its client.';

CREATE FUNCTION reason.http_admit_write(client_cn text, client_issuer text, client_san text, request_id text, traceparent text, path_division text DEFAULT NULL)
RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.http_client(client_cn, client_issuer, client_san, 'write', path_division);
    RETURN NEXT (204, NULL, NULL)::reason.http_response;
END
$$;
COMMENT ON FUNCTION reason.http_admit_write(text, text, text, text, text, text) IS 'Asked by the gateway before it reads a long body (reason_admit): 204 if the client may write, else the error that the write would be.';

CREATE FUNCTION reason.http_place(path text, path_division text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT coalesce('/d/' || $2, '') || $1 $$;
COMMENT ON FUNCTION reason.http_place(text, text) IS 'Where a path is to be found by whoever came by that division''s: for Location.';

CREATE FUNCTION reason.http_request(client_name text, request_id text, traceparent text) RETURNS json
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_http_request';
COMMENT ON FUNCTION reason.http_request(text, text, text) IS 'The member "request" of the events that a request causes.';

CREATE FUNCTION reason.http_uuid(value text, what text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF value IS NULL OR value !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s must be a UUID', what);
    END IF;
    RETURN value::uuid;
END
$$;

-- Readers of one parameter each. They are STRICT: a parameter that is not given, as most are not, costs no call.

CREATE FUNCTION reason.http_integer(value text, name text, minimum integer, maximum integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF value !~ '^[0-9]{1,9}$' OR value::integer NOT BETWEEN minimum AND maximum THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s must be a whole number from %s to %s', name, minimum, maximum);
    END IF;
    RETURN value::integer;
END
$$;

CREATE FUNCTION reason.http_seq(value text, name text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF value !~ '^[0-9]{1,18}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s must be the number of an event in its chain', name);
    END IF;
    RETURN value::bigint;
END
$$;

CREATE FUNCTION reason.http_size(value text, name text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF value !~ '^(0|[1-9][0-9]{0,17})$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s must be a size of the log, in events', name);
    END IF;
    RETURN value::bigint;
END
$$;

CREATE FUNCTION reason.http_number(value text, name text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF value !~ '^-?[0-9]{1,15}([.][0-9]{1,17})?$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s must be a number', name);
    END IF;
    RETURN value::double precision;
END
$$;

CREATE FUNCTION reason.http_timestamp(value text, name text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
SET "DateStyle" = 'ISO, YMD'
AS $$
BEGIN
    IF value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s must be an RFC 3339 time', name), HINT = 'For example 2026-11-23T16:15:27.123456Z.';
    END IF;
    RETURN value::timestamptz;
END
$$;

CREATE FUNCTION reason.http_types(value text, kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.known_types(string_to_array($1, ','), $2) $$;
COMMENT ON FUNCTION reason.http_types(text, text) IS 'A comma-separated parameter of node or edge types, without regard to case; NULL when it is absent or empty.';

CREATE FUNCTION reason.http_query(query text, allowed text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    given json := coalesce(NULLIF(query, ''), '{}');
    refused text;
BEGIN
    IF given::text = '{}' THEN
        RETURN '{}';
    END IF;
    -- If a parameter is given twice, only one would count, and it would be unclear which.
    SELECT k INTO refused FROM json_object_keys(given) k GROUP BY k HAVING k <> ALL (allowed) OR count(*) > 1 ORDER BY k = ANY (allowed) LIMIT 1;
    IF refused = ANY (allowed) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('parameter "%s" is given more than once', refused),
            HINT = 'Values of a list are divided by commas.';
    ELSIF refused IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown parameter "%s"', refused),
            HINT = CASE WHEN cardinality(allowed) = 0 THEN 'This path takes no parameters.'
                        ELSE 'Parameters are ' || array_to_string(allowed, ', ') || '.' END;
    END IF;
    RETURN given::jsonb;
END
$$;
COMMENT ON FUNCTION reason.http_query(text, text[]) IS 'The query string as the gateway decoded it, if it has no other parameters than those allowed, and none twice.';

CREATE FUNCTION reason.http_body(request_body text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_canonical_json';
COMMENT ON FUNCTION reason.http_body(text) IS 'A body read strictly, in canonical form. A cast to json would put what it cannot read into the server''s log.';

-- ---------------------------------------------------------------- idempotent writes

CREATE FUNCTION reason.http_replay(client_name text, idempotency_key text, route text, request_body text) RETURNS reason.http_response
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    request_digest bytea := sha256(convert_to(route || E'\n' || request_body, 'UTF8'));
    first reason.idempotency_key;
    expired_before timestamptz;
BEGIN
    IF idempotency_key IS NULL THEN
        RETURN NULL;
    END IF;
    IF length(idempotency_key) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'Idempotency-Key must have 1 to 255 characters';
    END IF;
    -- Each new key has more expired ones removed than it adds, until none is left that is too old.
    expired_before := clock_timestamp() - current_setting('reason.idempotency_key_lifetime')::interval;
    DELETE FROM reason.idempotency_key k
    WHERE k.ctid = ANY (ARRAY(SELECT old.ctid FROM reason.idempotency_key old WHERE old.created_at < expired_before
                              ORDER BY old.created_at LIMIT 4 FOR UPDATE SKIP LOCKED));
    -- A second request with the key waits here until the first has committed or failed.
    INSERT INTO reason.idempotency_key (client, key, request_hash) VALUES (client_name, $2, request_digest)
    ON CONFLICT ON CONSTRAINT idempotency_key_pkey DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO first FROM reason.idempotency_key k WHERE k.client = client_name AND k.key = $2;
    IF first.created_at < expired_before THEN
        UPDATE reason.idempotency_key k
        SET request_hash = request_digest, status = NULL, headers = NULL, body = NULL, created_at = clock_timestamp()
        WHERE k.client = client_name AND k.key = $2 AND k.created_at < expired_before;
        IF FOUND THEN
            RETURN NULL;
        END IF;
        SELECT * INTO first FROM reason.idempotency_key k WHERE k.client = client_name AND k.key = $2;
    END IF;
    IF first.request_hash <> request_digest THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation',
            MESSAGE = 'this Idempotency-Key was used for another request',
            HINT = 'Use a new key for each new request, and repeat a request with the very same body.';
    END IF;
    RETURN (first.status, first.headers, first.body);
END
$$;
COMMENT ON FUNCTION reason.http_replay(text, text, text, text) IS 'The first answer to a request that is repeated under its Idempotency-Key; NULL when it is the first, or the first is longer ago than reason.idempotency_key_lifetime. The same key with another body raises 23505.';

CREATE FUNCTION reason.http_remember(client_name text, idempotency_key text, response reason.http_response) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    UPDATE reason.idempotency_key k SET status = response.status, headers = response.headers, body = response.body
    WHERE k.client = client_name AND k.key = $2;
END
$$;
COMMENT ON FUNCTION reason.http_remember(text, text, reason.http_response) IS 'Keeps the answer for repeats, in the transaction that did the work; without a key there is nothing to keep.';

CREATE FUNCTION reason.expire_idempotency_keys(older_than interval DEFAULT '24 hours') RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    WITH expired AS (DELETE FROM reason.idempotency_key WHERE created_at < clock_timestamp() - $1 RETURNING 1)
    SELECT count(*) FROM expired
$$;
COMMENT ON FUNCTION reason.expire_idempotency_keys(interval) IS 'Forgets answers older than so long, now and all of them; by themselves they go as new ones come, after reason.idempotency_key_lifetime. Returns how many.';
