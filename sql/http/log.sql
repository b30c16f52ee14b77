-- The HTTP API: divisions, their logs as https://c2sp.org/tlog-tiles has them, and proofs.
--
-- Whoever sees a division sees its log: hashes, which show only how many events there are.

-- ---------------------------------------------------------------- divisions

CREATE FUNCTION reason.divisions_page(caller reason.client, q jsonb, OUT listed text[], OUT most integer, OUT more boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    sees_all boolean := '*' = ANY (caller.divisions);
BEGIN
    IF q ->> 'cursor' = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'cursor is not valid', HINT = 'Begin again with the first page, without a cursor.';
    END IF;
    most := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000);
    -- One more than is shown tells whether there are more.
    SELECT array_agg(d.division ORDER BY d.division COLLATE "C") INTO listed
    FROM (SELECT k.division FROM (SELECT c.division FROM reason.chain_ends() c WHERE sees_all
                                  UNION SELECT unnest(CASE WHEN sees_all THEN '{default}' ELSE caller.divisions END)) k
          WHERE q ->> 'cursor' IS NULL OR k.division COLLATE "C" > q ->> 'cursor'
          ORDER BY k.division COLLATE "C" LIMIT most + 1) d;
    more := coalesce(cardinality(listed) > most, false);
    listed := coalesce(listed[:most], '{}');
END
$$;
COMMENT ON FUNCTION reason.divisions_page(reason.client, jsonb) IS
    'The divisions that the client sees and that have records here, with those that it was given by name, behind the cursor: at most so many, by their bytes, and whether there are more. 22023: a cursor or a limit that cannot be.';

CREATE FUNCTION reason.division_entries(caller reason.client, listed text[], cell text, meant text) RETURNS TABLE (division text, entry jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT d.division, jsonb_strip_nulls(jsonb_build_object('division', d.division, 'default', coalesce(d.division = meant, false),
        'cell', coalesce(p.cell, $3), 'frozen', NULLIF(p.state IS NOT DISTINCT FROM 'frozen', false),
        'moved', CASE WHEN p.cell IS NOT NULL THEN jsonb_build_object('seq', p.head_seq, 'hash', p.head_hash) END,
        'head', CASE WHEN reason.client_may(caller, 'inspect') THEN (
            SELECT jsonb_build_object('seq', s.seq, 'hash', encode(s.hash, 'hex'), 'createdAt', reason.rfc3339(s.created_at))
            FROM reason.audit_seal s WHERE s.division = d.division ORDER BY s.seq DESC LIMIT 1) END,
        'log', (SELECT jsonb_build_object('origin', c.origin, 'size', c.size) FROM reason.last_checkpoint(d.division) c)))
    FROM unnest(listed) WITH ORDINALITY d (division, place) LEFT JOIN reason.division_placement p USING (division)
    ORDER BY d.place
$$;
COMMENT ON FUNCTION reason.division_entries(reason.client, text[], text, text) IS
    'What the client is told of each of these divisions: cell is the name of this cell, meant the division that is meant where none is named.';

CREATE FUNCTION reason.client_entry(caller reason.client) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
RETURN jsonb_build_object('name', caller.name, 'role', caller.role, 'pii', caller.pii);
COMMENT ON FUNCTION reason.client_entry(reason.client) IS 'What a client is told of itself.';

CREATE FUNCTION reason.division_meant(caller reason.client) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
RETURN CASE WHEN ARRAY['default', '*'] && caller.divisions THEN 'default' ELSE caller.divisions[1] END;
COMMENT ON FUNCTION reason.division_meant(reason.client) IS 'The division that is meant where the client names none.';

CREATE FUNCTION reason.http_get_divisions(client_cn text, client_issuer text, client_san text, request_id text, traceparent text, query text,
    cell text DEFAULT NULL, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division, true);
    page record := reason.divisions_page(caller, reason.http_query(query, '{limit,cursor}'));
BEGIN
    RETURN QUERY SELECT 200, E'Cache-Control: no-store\n', jsonb_strip_nulls(jsonb_build_object(
        'client', reason.client_entry(caller),
        'divisions', coalesce((SELECT jsonb_agg(e.entry) FROM reason.division_entries(caller, page.listed, cell, reason.division_meant(caller)) e), '[]'),
        'nextCursor', CASE WHEN page.more THEN page.listed[page.most] END,
        'truncated', page.more))::text;
END
$$;
COMMENT ON FUNCTION reason.http_get_divisions(text, text, text, text, text, text, text, text) IS
    'The divisions that the client sees: which one is meant where none is named, in which cell each lives (cell is the name of this one), the last checkpoint of each one''s log, and, for auditors and administrators, the last event of its chain.';

CREATE FUNCTION reason.http_list_divisions(client_cn text, client_issuer text, client_san text, request_id text, traceparent text, query text,
    home text, cell text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', NULL, true);
    page record := reason.divisions_page(caller, reason.http_query(query, '{limit,cursor}'));
BEGIN
    RETURN NEXT (200, format('%s %s', page.most, page.more), reason.client_entry(caller)::text);
    RETURN QUERY SELECT 200, e.division, e.entry::text
        FROM reason.division_entries(caller, page.listed, cell, CASE WHEN cell = home THEN reason.division_meant(caller) END) e;
END
$$;
COMMENT ON FUNCTION reason.http_list_divisions(text, text, text, text, text, text, text, text) IS
    'What http_get_divisions() shows, in rows for a gateway that asks several cells: first a row whose headers are how many divisions a page has at most and whether there are more (t or f), and whose body is the client; then one for each division, which is its headers. home is the cell of requests that name no division: only there one can be meant.';

-- ---------------------------------------------------------------- logs

CREATE FUNCTION reason.http_log(caller reason.client, name text, OUT division text, OUT origin text, OUT size bigint, OUT note text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    division := split_part($2, ';', 1);
    IF ARRAY[division, '*'] && caller.divisions THEN
        PERFORM reason.refuse_moved(division);
        SELECT c.origin, c.size, c.note INTO origin, size, note FROM reason.last_checkpoint(division) c;
    END IF;
    -- The last part of the origin is the name that it is read by: a log that began anew has another.
    IF origin IS NULL OR right(origin, length($2) + 1) <> '/' || $2 THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('log "%s" does not exist, or has no checkpoint yet', $2),
            HINT = CASE WHEN origin IS NULL THEN 'A log is there once the sidecar has signed a checkpoint of it.'
                        ELSE format('The log of the division is named "%s" now.', substring(origin FROM '[^/]*$')) END;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.http_log(reason.client, text) IS 'The log that a path names, with its last checkpoint; P0002 where the client sees no such division, or nothing of it was published yet.';

CREATE FUNCTION reason.http_kept(headers text, body bytea, if_none_match text, type text) RETURNS reason.http_response
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    etag text := format('"%s"', left(encode(sha256(body), 'hex'), 32));
    kept text := headers || format(E'ETag: %s\n', etag);
BEGIN
    IF position(etag IN coalesce(if_none_match, '')) > 0 THEN
        RETURN (304, kept, NULL::text);
    END IF;
    RETURN (200, kept || format(E'Content-Type: %s\nX-Reason-Body: hex\n', type), encode(body, 'hex'));
END
$$;
COMMENT ON FUNCTION reason.http_kept(text, bytea, text, text) IS 'Bytes with an ETag, or 304 for whoever has them.';

CREATE FUNCTION reason.http_get_log_checkpoint(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, if_none_match text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, '{}');
    log record := reason.http_log(caller, $6);
BEGIN
    RETURN NEXT reason.http_kept(E'Cache-Control: private, no-cache\n', convert_to(log.note, 'UTF8'), if_none_match, 'text/plain; charset=utf-8');
END
$$;

CREATE FUNCTION reason.http_tile_index(path text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- Groups of three digits, all but the last behind an x, none more than is needed; more than five are beyond any tree.
    SELECT CASE WHEN $1 ~ '^(x[0-9]{3}/){0,4}[0-9]{3}$' AND $1 !~ '^x000/' THEN translate($1, 'x/', '')::bigint END
$$;
COMMENT ON FUNCTION reason.http_tile_index(text) IS 'The index in the path of a tile, such as x001/x234/067; NULL for any other text.';

CREATE FUNCTION reason.http_get_log_tile(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, path text, query text, if_none_match text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, '{}');
    log record := reason.http_log(caller, $6);
    part text[] := regexp_match($7, '^(entries|0|[1-9][0-9]?)/((?:x?[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?$');
    level integer := CASE WHEN part[1] <> 'entries' THEN part[1]::integer ELSE 0 END;
    n bigint := reason.http_tile_index(part[2]);
    width integer := coalesce(part[3]::integer, 256);
BEGIN
    -- Only what was published of the tree is there, and that never changes.
    IF part IS NULL OR n IS NULL OR level > 7 OR (part[3] IS NOT NULL AND width > 255) OR n * 256 + width > log.size >> (8 * level) THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('the log of size %s has no tile "%s"', log.size, $7),
            HINT = 'Tiles are named as in https://c2sp.org/tlog-tiles.';
    END IF;
    RETURN NEXT reason.http_kept(E'Cache-Control: private, max-age=31536000, immutable\n',
        CASE WHEN part[1] = 'entries' THEN reason.tile_entries(log.division, n, width) ELSE reason.tile(log.division, level, n, width) END,
        if_none_match, 'application/octet-stream');
END
$$;

CREATE FUNCTION reason.http_get_log_consistency(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, '{from,to}');
    old_size bigint := reason.http_size(q ->> 'from', 'from');
    asked_size bigint := reason.http_size(q ->> 'to', 'to');
    log record := reason.http_log(caller, $6);
    new_size bigint := coalesce(asked_size, log.size);
BEGIN
    IF old_size IS NULL OR old_size > new_size THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'from must be a size of the log that is not beyond to',
            HINT = 'to is the size of the last checkpoint unless you say otherwise.';
    END IF;
    IF new_size > log.size THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('the last checkpoint of the log is of size %s', log.size);
    END IF;
    RETURN QUERY SELECT 200, CASE WHEN asked_size IS NULL THEN E'Cache-Control: private, no-cache\n' ELSE E'Cache-Control: private, max-age=31536000, immutable\n' END,
        json_build_object('origin', log.origin, 'from', old_size, 'to', new_size,
            'hashes', ARRAY(SELECT encode(h, 'base64') FROM unnest(reason.consistency_proof(log.division, old_size, new_size)) h))::text;
END
$$;

-- ---------------------------------------------------------------- proofs

CREATE FUNCTION reason.http_proof(request_id text, event reason.audit_event, proof bytea, type text, name text) RETURNS reason.http_response
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    response reason.http_response;
BEGIN
    IF proof IS NULL THEN
        response := reason.http_error(409, 'CONFLICT', format('no checkpoint covers event "%s" and what it rests on yet', event.id), request_id, '{}');
        response.headers := E'Retry-After: 10\n';
        RETURN response;
    END IF;
    RETURN (200, format(E'Cache-Control: private, no-cache\nContent-Type: %s\nContent-Disposition: attachment; filename="%s"\nX-Reason-Body: hex\n', type, name),
            encode(proof, 'hex'));
END
$$;
COMMENT ON FUNCTION reason.http_proof(text, reason.audit_event, bytea, text, text) IS 'A proof as a file, or 409 with Retry-After while there is none.';

CREATE FUNCTION reason.require_pii(caller reason.client) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF NOT caller.pii THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'a proof holds the record as it was hashed, with personal data, which this client may not see';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.require_pii(reason.client) IS 'Raises 42501 for a client that may not see personal data.';

CREATE FUNCTION reason.http_get_event_proof(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, '{division}');
    event reason.audit_event := reason.event_named(reason.http_uuid($6, 'the id of the event'), caller.divisions, reason.client_may(caller, 'inspect'), q ->> 'division');
BEGIN
    PERFORM reason.refuse_moved(event.division);
    PERFORM reason.require_pii(caller);
    RETURN NEXT reason.http_proof($4, event, convert_to(reason.proof_of(event), 'UTF8'), 'text/plain; charset=utf-8', format('event-%s.tlog-proof', event.id));
END
$$;

CREATE FUNCTION reason.http_get_node_proof(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,depth,limit,division}');
    format_wanted text := coalesce(q ->> 'format', 'proof');
    node uuid := reason.http_uuid($6, 'the id of the node');
    depth_wanted integer := coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10);
    most integer := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 1000), 1000);
    event reason.audit_event;
BEGIN
    IF format_wanted NOT IN ('proof', 'bundle') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown format "%s"', format_wanted), HINT = 'Formats are proof and bundle.';
    END IF;
    IF format_wanted = 'proof' AND q ?| '{depth,limit}' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'depth and limit go with format=bundle';
    END IF;
    event := reason.node_event(node, caller.divisions, reason.client_may(caller, 'inspect'), q ->> 'division');
    PERFORM reason.require_pii(caller);
    IF format_wanted = 'proof' THEN
        RETURN NEXT reason.http_proof($4, event, convert_to(reason.proof_of(event), 'UTF8'), 'text/plain; charset=utf-8', format('node-%s.tlog-proof', node));
    ELSE
        RETURN NEXT reason.http_proof($4, event, reason.proof_bundle(node, depth_wanted, most, caller.divisions, reason.client_may(caller, 'inspect'), event.division),
            'application/zip', format('node-%s.zip', node));
    END IF;
END
$$;
