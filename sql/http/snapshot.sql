-- The HTTP API: snapshots.

CREATE FUNCTION reason.http_snapshot(caller reason.client, id text, needs_content boolean, division text) RETURNS reason.snapshot
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_snapshot reason.snapshot;
BEGIN
    SELECT * INTO found_snapshot FROM reason.snapshot s
    WHERE s.id = reason.http_uuid($2, 'the id of the snapshot') AND ARRAY[s.division, '*'] && caller.divisions
      AND ($4 IS NULL OR s.division = $4);
    IF NOT FOUND THEN
        PERFORM reason.refuse_moved($4) WHERE ARRAY[$4, '*'] && caller.divisions;
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', $2);
    END IF;
    PERFORM reason.refuse_moved(found_snapshot.division);
    IF needs_content THEN
        IF found_snapshot.pii_included AND NOT caller.pii THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = 'the snapshot holds personal data, which this client may not see';
        END IF;
        IF found_snapshot.status <> 'complete' THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('snapshot "%s" is %s, not complete', $2, found_snapshot.status);
        END IF;
        PERFORM reason.require_document(found_snapshot);
    END IF;
    RETURN found_snapshot;
END
$$;
COMMENT ON FUNCTION reason.http_snapshot(reason.client, text, boolean, text) IS 'A snapshot of the client''s divisions; for its content it must be complete, and the client must be allowed to see personal data if it holds any.';

CREATE FUNCTION reason.redacted_proof(s reason.snapshot, OUT hash text, OUT signature bytea)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT r.hash, r.signature FROM reason.redacted_snapshot r WHERE r.no = $1.no AND r.division = $1.division $$;
COMMENT ON FUNCTION reason.redacted_proof(reason.snapshot) IS
    'Hash and signature of a snapshot for those who may not see personal data; NULL where they would confirm a guess at it.';

CREATE FUNCTION reason.snapshot_metadata(s reason.snapshot, redact boolean) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'snapshotId', $1.id, 'status', CASE $1.status WHEN 'signed' THEN 'pending' ELSE $1.status END,
        'hash', CASE WHEN $2 THEN redacted.hash ELSE $1.hash END,
        'signature', translate(encode(CASE WHEN $2 THEN redacted.signature ELSE $1.signature END, 'base64'), E'\n', ''), 'signerId', $1.signer_id,
        'createdAt', reason.rfc3339($1.created_at), 'completedAt', reason.rfc3339($1.completed_at),
        'division', $1.division, 'rootNodeIds', $1.root_ids, 'depth', $1.depth, 'direction', $1.direction,
        'audience', CASE WHEN $2 THEN reason.redact_text($1.audience) ELSE $1.audience END,
        'description', CASE WHEN $2 THEN reason.redact_text($1.description) ELSE $1.description END, 'includeAnnotations', $1.include_annotations,
        'piiIncluded', $1.pii_included, 'manifestSignatureId', $1.manifest_signature_id, 'reasoningGraphVersion', $1.graph_version,
        'sizeBytes', $1.size_bytes, 'nodeCount', $1.node_count, 'edgeCount', $1.edge_count,
        'log', $1.log,
        'objectUri', $1.object_uri, 'objectVersion', $1.object_version, 'failure', $1.failure,
        'documentErasedAt', reason.rfc3339(erasure.ts),
        'documentErasedBy', CASE WHEN $2 THEN reason.redact_text(erasure.payload #>> '{erased,by}') ELSE erasure.payload #>> '{erased,by}' END,
        'documentErasedReason', CASE WHEN $2 THEN reason.redact_text(erasure.payload #>> '{erased,reason}') ELSE erasure.payload #>> '{erased,reason}' END))::text
    FROM (SELECT) one LEFT JOIN reason.audit_event erasure ON erasure.id = $1.erased_event_id AND erasure.division = $1.division
        LEFT JOIN LATERAL reason.redacted_proof($1) redacted ON $2
$$;
COMMENT ON FUNCTION reason.snapshot_metadata(reason.snapshot, boolean) IS
    'What is known of a snapshot, its content left out; until it is stored it is pending, signed or not. redact: for those who may not see personal data.';

-- ---------------------------------------------------------------- making one

CREATE FUNCTION reason.http_snapshot_state(p_id uuid, redact boolean, path_division text DEFAULT NULL) RETURNS reason.http_response
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE WHEN s.status = 'failed'
        THEN reason.http_error(502, 'DEPENDENCY', format('snapshot "%s" failed: %s', s.id, coalesce(s.failure, 'its document was erased')),
            q.request ->> 'requestId', jsonb_strip_nulls(jsonb_build_object('snapshotId', s.id, 'status', s.status, 'failure', s.failure)))
        ELSE ROW(CASE s.status WHEN 'complete' THEN 201 ELSE 202 END, format(E'Location: %s\n', reason.http_place('/reason/snapshot/' || s.id, $3)),
                 reason.snapshot_metadata(s, $2))::reason.http_response END
    FROM reason.snapshot s LEFT JOIN reason.snapshot_request q ON q.snapshot_no = s.no AND q.division = s.division
    WHERE s.id = $1
$$;
COMMENT ON FUNCTION reason.http_snapshot_state(uuid, boolean, text) IS
    'The answer to a request for a snapshot as it stands now: 201 when complete, 502 when it failed, else 202. requestId is that of the request that made it.';

CREATE FUNCTION reason.http_post_snapshot(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, prefer text, idempotency_key text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'freeze', path_division);
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST ' || reason.http_place('/reason/snapshot', path_division), request_body);
    -- RFC 7240; more than half a minute is for those who come back.
    wait_s integer := least(coalesce((regexp_match(prefer, E'\\mwait\\s*=\\s*"?([0-9]{1,4})\\M'))[1]::integer, 5), 30);
    q jsonb;
    roots uuid[];
    member record;
    snapshot_id uuid;
BEGIN
    IF response IS NULL THEN
        q := reason.http_body(request_body)::jsonb;
        IF q IS NULL OR jsonb_typeof(q) <> 'object' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the body must be a JSON object';
        END IF;
        FOR member IN SELECT m.key, jsonb_typeof(m.value) AS kind FROM jsonb_each(jsonb_strip_nulls(q)) m LOOP
            IF member.kind IS DISTINCT FROM (CASE
                WHEN member.key = 'rootNodeIds' THEN 'array'
                WHEN member.key = 'depth' THEN 'number'
                WHEN member.key = 'includeAnnotations' THEN 'boolean'
                WHEN member.key IN ('description', 'direction', 'audience', 'division', 'manifestSignatureId') THEN 'string' END)
            THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" is unknown or not of the right kind', member.key),
                    HINT = 'Members are rootNodeIds, description, depth, direction, audience, includeAnnotations, division and manifestSignatureId.';
            END IF;
        END LOOP;
        SELECT array_agg(reason.http_uuid(r, 'each of "rootNodeIds"')) INTO roots
        FROM jsonb_array_elements_text(coalesce(NULLIF(q -> 'rootNodeIds', 'null'), '[]')) r;
        IF coalesce(cardinality(roots), 0) NOT BETWEEN 1 AND 32 THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = '"rootNodeIds" must name 1 to 32 nodes';
        END IF;
        IF q ->> 'audience' = 'auditor' AND NOT caller.pii THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = 'a snapshot for an auditor holds personal data, which this client may not see';
        END IF;
        snapshot_id := reason.create_snapshot_for(roots, coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10),
            coalesce(q ->> 'direction', 'ancestors'), coalesce(q ->> 'audience', 'internal'), q ->> 'description',
            coalesce((q ->> 'includeAnnotations')::boolean, false), q ->> 'division', q ->> 'manifestSignatureId',
            caller.pii, caller.divisions, caller.name, NULL, reason.http_request(caller.name, request_id, traceparent));
        response := reason.http_snapshot_state(snapshot_id, NOT caller.pii, path_division);
        -- The snapshot is pending when this answer is kept; a repeat gets its state by then.
        PERFORM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        -- The snapshot of the first request, as it stands now.
        snapshot_id := (response.body::jsonb ->> 'snapshotId')::uuid;
        response := reason.http_snapshot_state(snapshot_id, NOT caller.pii, path_division);
    END IF;
    IF response.status = 202 AND wait_s > 0 THEN
        response.headers := response.headers || format(E'X-Reason-Await: %s %s\n', wait_s * 1000, concat_ws(' ', snapshot_id, path_division));
    END IF;
    RETURN NEXT response;
END
$$;

CREATE FUNCTION reason.http_await_snapshot(id text) RETURNS SETOF reason.http_response
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- Whoever waits for it made it, so it holds nothing that he may not see.
    SELECT (reason.http_snapshot_state(split_part($1, ' ', 1)::uuid, false, NULLIF(split_part($1, ' ', 2), ''))).*
$$;
COMMENT ON FUNCTION reason.http_await_snapshot(text) IS 'Asked by the gateway while a request waits for its snapshot (reason_await); the id, and behind it the division that the path named, come from X-Reason-Await.';

-- ---------------------------------------------------------------- reading one

CREATE FUNCTION reason.http_document(s reason.snapshot, headers text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    bytes bytea;
    rest bytea := '';
    whole integer;
    -- A document may be had in parts: a download that broke off goes on.
    headers text := coalesce($2, '') || format(E'Content-Length: %s\nAccept-Ranges: bytes\n',
        (SELECT sum(octet_length(c.bytes)) FROM reason.snapshot_chunk c WHERE c.snapshot_no = s.no AND c.division = s.division));
BEGIN
    FOR bytes IN SELECT c.bytes FROM reason.snapshot_chunk c WHERE c.snapshot_no = s.no AND c.division = s.division ORDER BY c.chunk LOOP
        bytes := rest || bytes;
        -- A chunk may end within a character: what has not all its bytes goes with the next chunk.
        whole := length(bytes);
        WHILE whole > 0 AND get_byte(bytes, whole - 1) & 192 = 128 LOOP
            whole := whole - 1;
        END LOOP;
        IF whole > 0 AND get_byte(bytes, whole - 1) >= 192 THEN
            whole := whole - 1;
        ELSE
            whole := length(bytes);
        END IF;
        rest := substr(bytes, whole + 1);
        RETURN NEXT (200, headers, convert_from(substr(bytes, 1, whole), 'UTF8'))::reason.http_response;
    END LOOP;
    IF length(rest) > 0 THEN
        RETURN NEXT (200, headers, convert_from(rest, 'UTF8'))::reason.http_response;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.http_document(reason.snapshot, text) IS 'The signed bytes of a snapshot, a row for each chunk.';

CREATE FUNCTION reason.page_piece(piece integer) RETURNS text
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'reason_page_piece';
COMMENT ON FUNCTION reason.page_piece(integer) IS 'What stands in the auditor''s page before the document (0), its metadata (1), the registry of signers (2), a proof of the log (3), a policy (4), and at the end (5). 53000 where the library was built without the page.';

CREATE FUNCTION reason.http_page(s reason.snapshot, with_proof boolean) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    bytes bytea;
    rest bytea := '';
    whole integer;
    headers text := concat(E'Cache-Control: no-store\nContent-Type: text/html; charset=utf-8\nContent-Security-Policy: sandbox allow-scripts allow-downloads\n',
        format(E'Content-Disposition: attachment; filename="snapshot-%s.html"\n', s.id));
BEGIN
    RETURN NEXT (200, headers, reason.page_piece(0))::reason.http_response;
    FOR bytes IN SELECT c.bytes FROM reason.snapshot_chunk c WHERE c.snapshot_no = s.no AND c.division = s.division ORDER BY c.chunk LOOP
        -- Three bytes are four characters: what is over goes with the next chunk.
        bytes := rest || bytes;
        whole := length(bytes) - length(bytes) % 3;
        rest := substr(bytes, whole + 1);
        RETURN NEXT (200, headers, encode(substr(bytes, 1, whole), 'base64'))::reason.http_response;
    END LOOP;
    RETURN NEXT (200, headers, concat(encode(rest, 'base64'),
        reason.page_piece(1), encode(convert_to(jsonb_strip_nulls(jsonb_build_object('snapshotId', s.id, 'hash', s.hash,
            'signature', translate(encode(s.signature, 'base64'), E'\n', ''), 'signerId', s.signer_id))::text, 'UTF8'), 'base64'),
        reason.page_piece(2), encode(convert_to(reason.signer_registry()::text, 'UTF8'), 'base64'),
        reason.page_piece(3), encode(convert_to(coalesce((SELECT reason.proof_of(e) FROM reason.audit_event e
            WHERE with_proof AND e.id = s.audit_event_id AND e.division = s.division), ''), 'UTF8'), 'base64'),
        reason.page_piece(4), reason.page_piece(5)))::reason.http_response;
END
$$;
COMMENT ON FUNCTION reason.http_page(reason.snapshot, boolean) IS 'The auditor''s page of a snapshot: one HTML file that shows it and verifies it in a browser, with nothing else; with_proof: and, once a checkpoint covers it, with a proof of the log, which tells who asked for the snapshot.';

CREATE FUNCTION reason.snapshot_human(s reason.snapshot, page_limit integer, cursor text, redact boolean) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF cursor !~ '^[0-9]{1,9}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'cursor is not valid',
            HINT = 'Begin again with the first page, without a cursor.';
    END IF;
    RETURN format(E'Snapshot %s\n%s\ncreated    %s\nhash       %s\nsignature  %s\nsigner     %s\nroots      %s\nholds      %s nodes, %s edges, %s up to %s edges away\n\n%s',
        s.id, regexp_replace(coalesce(CASE WHEN redact THEN reason.redact_text(s.description) ELSE s.description END, ''), '[[:cntrl:]]', ' ', 'g'), reason.rfc3339(s.created_at), s.hash,
        translate(encode(s.signature, 'base64'), E'\n', ''), s.signer_id, array_to_string(s.root_ids, ', '), s.node_count, s.edge_count,
        s.direction, s.depth, reason.document_human(reason.snapshot_document(s.id), page_limit, coalesce(cursor, '0')::integer));
END
$$;
COMMENT ON FUNCTION reason.snapshot_human(reason.snapshot, integer, text, boolean) IS 'A page of a snapshot as text for a person: what is signed, and a tree of its records.';

CREATE FUNCTION reason.http_get_snapshot(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, if_none_match text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,limit,cursor,division}');
    format_wanted text := coalesce(q ->> 'format', 'metadata');
    s reason.snapshot := reason.http_snapshot(caller, $6, format_wanted <> 'metadata', q ->> 'division');
    etag text := format('"%s-%s%s"', CASE WHEN s.pii_included AND NOT caller.pii THEN s.id::text ELSE s.hash END, format_wanted, concat(CASE WHEN s.erased_event_id IS NOT NULL THEN '-erased' END, CASE WHEN NOT caller.pii THEN '-redacted' END));
    -- It never changes, but it may be erased: whoever keeps it asks each time whether it still is.
    kept text := E'Cache-Control: private, no-cache, must-revalidate\nETag: ' || etag || E'\n';
    page_limit integer := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 10000);
    envelope text;
BEGIN
    IF format_wanted NOT IN ('metadata', 'canonical', 'envelope', 'human', 'page') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown format "%s"', format_wanted),
            HINT = 'Formats are metadata, canonical, envelope, human and page.';
    END IF;
    IF format_wanted <> 'human' AND q ?| '{limit,cursor}' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'limit and cursor go with format=human', HINT = 'The other formats are whole.';
    END IF;
    -- The size of what is hidden is hidden too.
    IF s.pii_included AND NOT caller.pii THEN
        s.size_bytes := NULL;
    END IF;
    IF s.status <> 'complete' THEN
        RETURN NEXT (200, E'Cache-Control: no-store\n', reason.snapshot_metadata(s, NOT caller.pii))::reason.http_response;
    ELSIF position(etag IN coalesce(if_none_match, '')) > 0 THEN
        RETURN NEXT (304, kept, NULL)::reason.http_response;
    ELSIF format_wanted = 'metadata' THEN
        RETURN NEXT (200, kept, reason.snapshot_metadata(s, NOT caller.pii))::reason.http_response;
    ELSIF format_wanted = 'canonical' THEN
        RETURN QUERY SELECT * FROM reason.http_document(s, kept);
    ELSIF format_wanted = 'envelope' THEN
        envelope := reason.snapshot_envelope(s.id)::text;
        RETURN NEXT (200, kept || format(E'Content-Length: %s\nAccept-Ranges: bytes\n', octet_length(envelope)), envelope)::reason.http_response;
    ELSIF format_wanted = 'page' THEN
        RETURN QUERY SELECT * FROM reason.http_page(s, caller.pii AND reason.client_may(caller, 'inspect'));
    ELSE
        RETURN NEXT (200, kept || E'Content-Type: text/plain; charset=utf-8\n', reason.snapshot_human(s, page_limit, q ->> 'cursor', NOT caller.pii))::reason.http_response;
    END IF;
END
$$;

-- ---------------------------------------------------------------- which there are

CREATE FUNCTION reason.snapshots_before(divisions text[], before_no bigint, how_many integer) RETURNS SETOF reason.snapshot
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF '*' = ANY (divisions) THEN
        RETURN QUERY SELECT s.* FROM reason.snapshot s
            WHERE s.no < before_no AND NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = s.division AND p.state = 'moved')
            ORDER BY s.no DESC LIMIT how_many;
    ELSE
        -- Each division is read by its own index: what others hold costs this caller nothing.
        RETURN QUERY SELECT s.* FROM (SELECT DISTINCT u.name FROM unnest(divisions) u (name)
                                 WHERE NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = u.name AND p.state = 'moved')) d, LATERAL (
                SELECT m.* FROM reason.snapshot m WHERE m.division = d.name AND m.no < before_no ORDER BY m.no DESC LIMIT how_many) s
            ORDER BY s.no DESC LIMIT how_many;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.snapshots_before(text[], bigint, integer) IS
    'Snapshots of these divisions, as far as they live in this cell, with smaller numbers, newest first.';

CREATE FUNCTION reason.snapshots_position(cursor text, divisions text[]) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_no bigint;
BEGIN
    -- As of nodes (query_position()): a number would tell how much others write.
    IF cursor ~ '^[0-9a-f]{34,}$' AND length(cursor) % 2 = 0 THEN
        SELECT s.no INTO found_no FROM reason.snapshot s
        WHERE s.id = left(cursor, 32)::uuid AND convert_to(s.division, 'UTF8') = decode(substr(cursor, 33), 'hex') AND ARRAY[s.division, '*'] && divisions;
    END IF;
    IF found_no IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'this is no cursor of this service', HINT = 'Begin again without a cursor.';
    END IF;
    RETURN found_no;
END
$$;
COMMENT ON FUNCTION reason.snapshots_position(text, text[]) IS 'Where the page of that cursor begins.';

CREATE FUNCTION reason.http_get_snapshots(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{limit,cursor,division}');
    page_limit integer := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 1000), 100);
    within text[] := CASE WHEN NOT q ? 'division' THEN caller.divisions
                          WHEN caller.divisions && ARRAY[q ->> 'division', '*'] THEN ARRAY[q ->> 'division'] ELSE '{}' END;
    before_no bigint := CASE WHEN q ->> 'cursor' IS NOT NULL THEN reason.snapshots_position(q ->> 'cursor', caller.divisions) ELSE 9223372036854775807 END;
    s reason.snapshot;
    found integer := 0;
    listed text[] := '{}';
    next_cursor text;
BEGIN
    PERFORM reason.refuse_moved(q ->> 'division') WHERE ARRAY[q ->> 'division', '*'] && caller.divisions;
    -- One more than is shown tells whether there are more.
    FOR s IN SELECT * FROM reason.snapshots_before(within, before_no, page_limit + 1) b ORDER BY b.no DESC LOOP
        found := found + 1;
        EXIT WHEN found > page_limit;
        next_cursor := replace(s.id::text, '-', '') || encode(convert_to(s.division, 'UTF8'), 'hex');
        -- The size of what is hidden is hidden too.
        IF s.pii_included AND NOT caller.pii THEN
            s.size_bytes := NULL;
        END IF;
        listed := listed || reason.snapshot_metadata(s, NOT caller.pii);
    END LOOP;
    RETURN NEXT (200, E'Cache-Control: no-store\n', concat('{"snapshots":[', array_to_string(listed, ','), ']',
        CASE WHEN found > page_limit THEN format(',"nextCursor":"%s"', next_cursor) END, ',"truncated":', (found > page_limit)::text, '}'))::reason.http_response;
END
$$;
COMMENT ON FUNCTION reason.http_get_snapshots(text, text, text, text, text, text, text) IS
    'The snapshots of the client''s divisions, or of one of them, newest first, with what is known of each, as GET /reason/snapshot/{id} tells it.';

CREATE FUNCTION reason.http_get_snapshot_verify(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    s reason.snapshot := reason.http_snapshot(caller, $6, false, reason.http_query(query, '{division}') ->> 'division');
    told boolean := caller.pii OR (reason.redacted_proof(s)).hash IS NOT NULL;
BEGIN
    -- As snapshot_metadata() tells the hash, or does not.
    RETURN QUERY SELECT 200, E'Cache-Control: no-store\n', row_to_json(r)::text
    FROM (SELECT v.ok, v.hash_ok, v.signature_ok, v.signer_id, v.signer_status, v.graph_ok,
                 CASE WHEN told THEN v.stored_hash END AS stored_hash,
                 CASE WHEN told THEN v.computed_hash END AS computed_hash, v.detail
          FROM reason.verify_snapshot(s.id) v) r;
END
$$;
