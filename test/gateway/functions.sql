-- What the tests put behind the gateway's routes, in place of the product's functions.

CREATE SCHEMA reason;
CREATE TABLE reason.done (key text, at timestamptz DEFAULT clock_timestamp());

CREATE FUNCTION reason.http_get_health(text, text, text, text, text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$ SELECT 200, NULL, '{"ok":true}' $$;
CREATE FUNCTION reason.http_get_ready(text, text, text, text, text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$ SELECT 200, NULL, '{"ok":true}' $$;

CREATE FUNCTION reason.echo(cn text, issuer text, uri text, request_id text, traceparent text, id text, query text, request_body text)
RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$
    SELECT 200, E'X-Test: here\nETag: "1"\n', json_build_object('cn', cn, 'issuer', issuer, 'uri', uri, 'requestId', request_id,
        'traceparent', traceparent, 'id', id, 'query', query::json, 'body', request_body)::text
$$;

CREATE FUNCTION reason.refuse(text, text, text, text, text, what text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE plpgsql AS $$
DECLARE
    w jsonb := what;
BEGIN
    RAISE EXCEPTION USING ERRCODE = w ->> 'sqlstate', MESSAGE = coalesce(w ->> 'message', 'refused'),
        DETAIL = coalesce(w ->> 'detail', ''), HINT = coalesce(w ->> 'hint', '');
END
$$;

-- The function is SQL and not inlined, so rows come out one by one; the error comes after the last of them.
CREATE FUNCTION reason.rows(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql VOLATILE AS $$
    SELECT 200, E'Cache-Control: max-age=1\nETag: "rows"\n',
           repeat(chr(97 + n % 26), ($6::jsonb ->> 'size')::int / (CASE WHEN n = ($6::jsonb ->> 'fail')::int THEN 0 ELSE 1 END))
    FROM generate_series(0, ($6::jsonb ->> 'rows')::int - 1) n
$$;

-- What is no text comes in digits; "digits" makes others of them.
CREATE FUNCTION reason.bytes(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql VOLATILE AS $$
    SELECT 200, E'Content-Type: application/octet-stream\nX-Reason-Body: hex\n',
           coalesce($6::jsonb ->> 'digits', substr(repeat(all_bytes, ($6::jsonb ->> 'size')::int / 256 + 2), 2 * ((n + 1) % 256) + 1, 2 * ($6::jsonb ->> 'size')::int))
    FROM generate_series(0, ($6::jsonb ->> 'rows')::int - 1) n,
         (SELECT string_agg(lpad(to_hex(k), 2, '0'), '' ORDER BY k) AS all_bytes FROM generate_series(0, 255) k) AS every
$$;

CREATE FUNCTION reason.sleep(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reason.done (key) VALUES ($6::jsonb ->> 'key');
    PERFORM pg_sleep(($6::jsonb ->> 'seconds')::float);
    RETURN QUERY SELECT 200, NULL, '{}';
END
$$;

CREATE FUNCTION reason.begin(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$
    SELECT 202, format(E'Location: /later\nX-Reason-Await: %s %s\n', $6::jsonb ->> 'wait', $6::jsonb ->> 'key'), '{"status":"pending"}'
$$;
CREATE FUNCTION reason.await(key text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$
    SELECT CASE WHEN done THEN 201 ELSE 202 END, CASE WHEN NOT done THEN E'Location: /later\n' END,
           format('{"status":"%s"}', CASE WHEN done THEN 'complete' ELSE 'pending' END)
    FROM (SELECT EXISTS (SELECT FROM reason.done d WHERE d.key = $1) AS done) x
$$;
CREATE FUNCTION reason.nothing(text, text, text, text, text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$ SELECT 200, NULL, NULL WHERE false $$;

-- What shares connections. It writes, so that the tests see how often it was done.
CREATE FUNCTION reason.look(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE plpgsql AS $$
DECLARE
    q jsonb := $6;
BEGIN
    PERFORM pg_sleep(coalesce((q ->> 'seconds')::float, 0));
    IF q ? 'sqlstate' THEN
        RAISE EXCEPTION USING ERRCODE = q ->> 'sqlstate', MESSAGE = q ->> 'key';
    ELSIF q ? 'die' THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    ELSIF q ? 'note' THEN
        INSERT INTO reason.done (key) VALUES (q ->> 'key');
    END IF;
    RETURN QUERY SELECT 200, NULL, json_build_object('key', q ->> 'key', 'pid', pg_backend_pid())::text;
END
$$;

-- What long bodies meet: a caller who may not write, and how much of the body came.
CREATE FUNCTION reason.admit(cn text, text, text, text, text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE plpgsql AS $$
BEGIN
    IF cn = 'reader' THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'a reader does not write';
    END IF;
    RETURN QUERY SELECT 204, NULL, NULL;
END
$$;
CREATE FUNCTION reason.measure(text, text, text, text, text, request_body text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$ SELECT 200, NULL, json_build_object('length', length($6), 'md5', md5($6))::text $$;

-- A document that may be had in parts.
CREATE FUNCTION reason.document(text, text, text, text, text, query text) RETURNS TABLE (status int, headers text, body text)
LANGUAGE sql AS $$
    SELECT 200, format(E'ETag: "v1"\nAccept-Ranges: bytes\nContent-Length: %s\n', ($6::jsonb ->> 'rows')::int * ($6::jsonb ->> 'size')::int),
           repeat(chr(97 + n % 26), ($6::jsonb ->> 'size')::int)
    FROM generate_series(0, ($6::jsonb ->> 'rows')::int - 1) n
$$;
