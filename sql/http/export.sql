-- The HTTP API: exports.

CREATE FUNCTION reason.http_export_headers(id uuid, format text, part text, next_cursor text, truncated boolean) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT format(E'Content-Type: %s\nContent-Disposition: %s; filename="reasoning-%s%s"\nX-Content-Type-Options: nosniff\nX-Truncated: %s\n',
            f.kind, f.disposition, concat($1::text || '.', $3 || '.'), f.suffix, $5::text)
        || coalesce(f.policy, '') || coalesce(E'X-Next-Cursor: ' || $4 || E'\n', '')
    FROM (VALUES
        ('markdown', 'text/markdown; charset=utf-8', 'inline', 'md', NULL),
        -- A picture that is opened by itself runs and fetches nothing, whatever is in it.
        ('svg', 'image/svg+xml', 'inline', 'svg', E'Content-Security-Policy: default-src ''none''; style-src ''unsafe-inline''; sandbox\n'),
        ('dot', 'text/vnd.graphviz; charset=utf-8', 'attachment', 'gv', NULL),
        ('mermaid', 'text/plain; charset=utf-8', 'attachment', 'mmd', NULL),
        ('prov', 'application/json', 'attachment', 'prov.json', NULL),
        ('human', 'text/plain; charset=utf-8', 'inline', 'txt', NULL),
        ('csv', 'text/csv; charset=utf-8; header=present', 'attachment', 'csv', NULL)) f (name, kind, disposition, suffix, policy)
    WHERE f.name = $2
$$;
COMMENT ON FUNCTION reason.http_export_headers(uuid, text, text, text, boolean) IS 'Header lines of an export: what it is, under which name it is kept, and what it lacks.';

CREATE FUNCTION reason.http_list_format(format text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF format NOT IN ('json', 'human', 'markdown', 'csv') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('unknown format "%s"', format),
            HINT = 'Formats are json, human, markdown and csv.';
    END IF;
    RETURN coalesce(format, 'json');
END
$$;
COMMENT ON FUNCTION reason.http_list_format(text) IS 'The form that is wanted of a read that gives a list; json unless given.';

CREATE FUNCTION reason.http_list(caller reason.client, answer text, read text, id uuid, format text, facts jsonb, until timestamptz, until_seq bigint)
RETURNS reason.http_response
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    exported record;
BEGIN
    IF format = 'json' THEN
        RETURN (200, NULL, answer)::reason.http_response;
    END IF;
    exported := reason.export_answer(answer, read, format, facts, caller.divisions, reason.client_may(caller, 'inspect'), until, until_seq);
    RETURN (200, reason.http_export_headers(id, format, read, exported.next_cursor, exported.truncated), exported.body)::reason.http_response;
END
$$;
COMMENT ON FUNCTION reason.http_list(reason.client, text, text, uuid, text, jsonb, timestamptz, bigint) IS
    'The answer of a read that gives a list (impact, diff, explanation or query), in the form that is wanted.';

CREATE FUNCTION reason.http_get_export(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,part,direction,depth,limit,cursor,asOf,asOfSeq,division}');
    format_wanted text := coalesce(q ->> 'format', 'json');
    part_wanted text := q ->> 'part';
    direction_wanted text := coalesce(q ->> 'direction', 'ancestors');
    wanted uuid := reason.http_uuid($6, 'the id of the node or snapshot');
    depth_wanted integer := coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10000);
    page_limit integer := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 10000);
    until timestamptz := reason.http_timestamp(q ->> 'asOf', 'asOf');
    until_seq bigint := reason.http_seq(q ->> 'asOfSeq', 'asOfSeq');
    plain CONSTANT text := E'Content-Type: text/plain; charset=utf-8\n';
    is_document CONSTANT boolean := format_wanted IN ('json', 'canonical');
    frozen reason.snapshot;
    exported record;
BEGIN
    IF format_wanted NOT IN ('human', 'json', 'canonical', 'markdown', 'svg', 'dot', 'mermaid', 'prov', 'csv') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown format "%s"', format_wanted),
            HINT = 'Formats are human, json, canonical, markdown, svg, dot, mermaid, prov and csv.';
    END IF;
    IF part_wanted IS NOT NULL AND (format_wanted <> 'csv' OR part_wanted NOT IN ('nodes', 'edges', 'annotations')) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'part is nodes, edges or annotations, with format=csv';
    END IF;
    IF format_wanted = 'csv' THEN
        part_wanted := coalesce(part_wanted, 'nodes');
    END IF;
    IF EXISTS (SELECT FROM reason.snapshot s WHERE s.id = wanted AND ARRAY[s.division, '*'] && caller.divisions
                 AND (NOT q ? 'division' OR s.division = q ->> 'division')) THEN
        IF q ?| '{direction,depth,asOf,asOfSeq}' OR is_document AND q ?| '{limit,cursor}' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a snapshot is exported as it was frozen and signed',
                HINT = 'Of the parameters direction, depth, limit, cursor, asOf and asOfSeq a snapshot takes limit and cursor, and with format=json and canonical, which are whole, none.';
        END IF;
        frozen := reason.http_snapshot(caller, $6, true, q ->> 'division');
        IF is_document THEN
            -- The document is JSON, and canonical.
            RETURN QUERY SELECT * FROM reason.http_document(frozen, NULL);
            RETURN;
        ELSIF format_wanted = 'human' THEN
            RETURN NEXT (200, plain, reason.snapshot_human(frozen, page_limit, q ->> 'cursor', NOT caller.pii))::reason.http_response;
            RETURN;
        END IF;
        exported := reason.snapshot_export(frozen, format_wanted, part_wanted, page_limit, q ->> 'cursor', NOT caller.pii);
    ELSIF format_wanted = 'human' THEN
        RETURN NEXT (200, plain, reason.trace_human(
            node => wanted, divisions => caller.divisions, redact => NOT caller.pii, quarantined => reason.client_may(caller, 'inspect'),
            division => q ->> 'division', depth => depth_wanted, "limit" => page_limit, cursor => q ->> 'cursor', as_of => until, as_of_seq => until_seq,
            direction => direction_wanted))::reason.http_response;
        RETURN;
    ELSIF is_document THEN
        -- Its text is canonical.
        RETURN NEXT (200, NULL, reason.trace_json(
            node => wanted, direction => direction_wanted, depth => depth_wanted, "limit" => page_limit, cursor => q ->> 'cursor', as_of => until, as_of_seq => until_seq,
            redact => NOT caller.pii, divisions => caller.divisions, quarantined => reason.client_may(caller, 'inspect'),
            division => q ->> 'division'))::reason.http_response;
        RETURN;
    ELSE
        -- Assigned: in FROM it would go through a tuplestore, and a long one through a file.
        exported := reason.trace_export(
            node => wanted, divisions => caller.divisions, redact => NOT caller.pii, quarantined => reason.client_may(caller, 'inspect'),
            division => q ->> 'division', as_of_seq => until_seq, depth => depth_wanted, "limit" => page_limit, cursor => q ->> 'cursor', as_of => until,
            direction => direction_wanted, format => format_wanted, part => part_wanted);
    END IF;
    RETURN NEXT (200, reason.http_export_headers(wanted, format_wanted, part_wanted, exported.next_cursor, exported.truncated), exported.body)::reason.http_response;
END
$$;
