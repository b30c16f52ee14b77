-- The HTTP API: nodes, traces, queries.

CREATE FUNCTION reason.http_get_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
BEGIN
    RETURN QUERY SELECT 200, NULL::text,
        reason.node_json(reason.http_uuid($6, 'the id of the node'), caller.divisions, NOT caller.pii, reason.client_may(caller, 'inspect'));
END
$$;

CREATE FUNCTION reason.http_get_trace(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, ARRAY['direction', 'depth', 'limit', 'cursor', 'types', 'edgeTypes', 'minWeight',
                                              'minConfidence', 'asOf']);
BEGIN
    RETURN QUERY SELECT 200, NULL::text, reason.trace_json(
        node => reason.http_uuid($6, 'the id of the node'),
        direction => coalesce(q ->> 'direction', 'ancestors'),
        depth => coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10),
        "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        cursor => q ->> 'cursor',
        types => reason.http_types(q ->> 'types', 'node'),
        edge_types => reason.http_types(q ->> 'edgeTypes', 'edge'),
        min_weight => reason.http_number(q ->> 'minWeight', 'minWeight'),
        min_confidence => reason.http_number(q ->> 'minConfidence', 'minConfidence'),
        as_of => reason.http_timestamp(q ->> 'asOf', 'asOf'),
        redact => NOT caller.pii,
        divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'));
END
$$;

CREATE FUNCTION reason.http_get_traces(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
BEGIN
    PERFORM reason.http_query(query, '{}');
    RETURN QUERY SELECT 200, NULL::text,
        reason.ordered_trace_json(reason.http_uuid($6, 'the id of the node'), caller.divisions, NOT caller.pii, reason.client_may(caller, 'inspect'));
END
$$;

CREATE FUNCTION reason.http_get_reason(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, ARRAY['depth', 'limit']);
    found_trace json := reason.trace_json(
        node => reason.http_uuid($6, 'the id of the node'), direction => 'ancestors',
        depth => coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10), "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        redact => NOT caller.pii, divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'))::json;
BEGIN
    RETURN QUERY
    SELECT 200, NULL::text, json_build_object(
        'node', found_trace -> 'steps' -> 0 -> 'node',
        'trace', (SELECT coalesce(json_agg(json_build_object(
                      'step', s.ordinality - 1,
                      'ts', coalesce(s.value -> 'node' ->> 'ts', s.value -> 'node' ->> 'createdAt'),
                      'note', reason.node_note(s.value -> 'node'),
                      'data', s.value -> 'node') ORDER BY s.ordinality), '[]')
                  FROM json_array_elements(found_trace -> 'steps') WITH ORDINALITY s),
        'metadata', json_build_object('length', json_array_length(found_trace -> 'steps'),
                                      'truncated', found_trace -> 'truncated'))::text;
END
$$;

CREATE FUNCTION reason.node_note(node json) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT format('%s by %s%s', $1 ->> 'type', $1 ->> 'author',
        coalesce(': ' || CASE json_typeof($1 -> 'payload') WHEN 'object' THEN
            left(coalesce($1 -> 'payload' ->> 'note', $1 -> 'payload' ->> 'summary', $1 -> 'payload' ->> 'title',
                     $1 -> 'payload' ->> 'text', $1 -> 'payload' ->> 'reason', $1 -> 'payload' ->> 'rationale'), 200)
        WHEN 'string' THEN left($1 ->> 'payload', 200) END, ''))
$$;
COMMENT ON FUNCTION reason.node_note(json) IS 'One line for a person: type, author, and what the payload says of itself.';

-- ---------------------------------------------------------------- query

CREATE FUNCTION reason.query_nodes(filters jsonb, divisions text[], quarantined boolean, page_limit integer, before_no bigint,
    OUT no bigint, OUT id uuid) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT n.no, n.id FROM reason.node n
    WHERE (before_no IS NULL OR n.no < before_no)
      AND ('*' = ANY (divisions) OR n.division = ANY (divisions))
      AND (quarantined OR n.no NOT IN (SELECT q FROM reason.quarantined_numbers() q))
      AND (filters ->> 'division' IS NULL OR n.division = filters ->> 'division')
      AND (filters -> 'types' IS NULL OR n.type = ANY (ARRAY(SELECT jsonb_array_elements_text(filters -> 'types'))))
      AND (filters -> 'authors' IS NULL OR n.author = ANY (ARRAY(SELECT jsonb_array_elements_text(filters -> 'authors'))))
      AND (filters -> 'tags' IS NULL OR n.metadata -> 'tags' @> (filters -> 'tags'))
      AND (filters ->> 'createdFrom' IS NULL OR n.created_at >= (filters ->> 'createdFrom')::timestamptz)
      AND (filters ->> 'createdTo' IS NULL OR n.created_at < (filters ->> 'createdTo')::timestamptz)
      AND (filters ->> 'minConfidence' IS NULL OR (n.metadata ->> 'confidence')::double precision >= (filters ->> 'minConfidence')::double precision)
      AND (filters ->> 'maxConfidence' IS NULL OR (n.metadata ->> 'confidence')::double precision <= (filters ->> 'maxConfidence')::double precision)
      AND (filters ->> 'text' IS NULL OR strpos(lower(n.payload::text), lower(filters ->> 'text')) > 0)
    ORDER BY n.no DESC
    LIMIT page_limit;
END
$$;
COMMENT ON FUNCTION reason.query_nodes(jsonb, text[], boolean, integer, bigint) IS 'Nodes that match all filters, newest first.';

CREATE FUNCTION reason.http_post_query(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    -- Read strictly, as every body is.
    q jsonb := reason.http_body(request_body)::jsonb;
    filters jsonb := CASE WHEN jsonb_typeof(q) = 'object' THEN coalesce(q -> 'filters', q - 'limit' - 'cursor') END;
    page_limit integer;
    before_no bigint;
    problem text;
    member record;
BEGIN
    IF q IS NULL OR jsonb_typeof(q) <> 'object' OR jsonb_typeof(filters) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the body must be a JSON object with "filters"';
    END IF;
    IF q ? 'filters' AND q - '{filters,limit,cursor}'::text[] <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'beside "filters" there may be "limit" and "cursor"';
    END IF;
    IF jsonb_typeof(q -> 'limit') NOT IN ('number', 'null') OR jsonb_typeof(q -> 'cursor') NOT IN ('string', 'null') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = '"limit" must be a number, "cursor" a string';
    END IF;
    -- {"created": {"from", "to"}} and {"confidence": {"min", "max"}} are the ranges' other spelling.
    IF jsonb_typeof(filters -> 'created') = 'object' THEN
        filters := filters - 'created' || jsonb_strip_nulls(jsonb_build_object(
            'createdFrom', filters -> 'created' -> 'from', 'createdTo', filters -> 'created' -> 'to'));
    END IF;
    IF jsonb_typeof(filters -> 'confidence') = 'object' THEN
        filters := filters - 'confidence' || jsonb_strip_nulls(jsonb_build_object(
            'minConfidence', filters -> 'confidence' -> 'min', 'maxConfidence', filters -> 'confidence' -> 'max'));
    END IF;
    filters := jsonb_strip_nulls(filters);
    FOR member IN SELECT * FROM jsonb_each(filters) LOOP
        problem := CASE
            WHEN member.key IN ('types', 'authors', 'tags') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'array' OR member.value @? '$[*] ? (@.type() != "string")' THEN 'must be an array of strings' END
            WHEN member.key IN ('minConfidence', 'maxConfidence') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'number' THEN 'must be a number' END
            WHEN member.key IN ('text', 'division') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'string' THEN 'must be a string' END
            WHEN member.key IN ('createdFrom', 'createdTo') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'string' OR reason.http_timestamp(filters ->> member.key, member.key) IS NULL THEN 'must be an RFC 3339 time' END
            ELSE 'is no filter' END;
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('filters: "%s" %s', member.key, problem),
                HINT = 'Filters are types, authors, tags, createdFrom, createdTo, minConfidence, maxConfidence, division and text.';
        END IF;
    END LOOP;
    page_limit := coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 1000), 100);
    IF q ->> 'cursor' IS NOT NULL THEN
        IF q ->> 'cursor' !~ '^[0-9a-f]{1,16}$' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'this is no cursor of this service';
        END IF;
        before_no := ('x' || lpad(q ->> 'cursor', 16, '0'))::bit(64)::bigint;
    END IF;

    RETURN QUERY
    WITH page AS MATERIALIZED (
        SELECT f.no, f.id FROM reason.query_nodes(filters, caller.divisions, reason.client_may(caller, 'inspect'), page_limit + 1, before_no) f
    ), shown AS (
        SELECT p.no, p.id FROM page p ORDER BY p.no DESC LIMIT page_limit
    )
    SELECT 200, NULL::text,
        '{"nodes":[' || coalesce((SELECT string_agg((reason.node_json(s.id, caller.divisions, NOT caller.pii, reason.client_may(caller, 'inspect'))::json -> 'node')::text, ',' ORDER BY s.no DESC) FROM shown s), '') || ']'
        || CASE WHEN (SELECT count(*) FROM page) > page_limit
                THEN ',"nextCursor":"' || to_hex((SELECT min(s.no) FROM shown s)) || '"' ELSE '' END
        || '}';
END
$$;

-- ---------------------------------------------------------------- explain

CREATE FUNCTION reason.http_get_explain(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    found_trace json := reason.trace_json(
        node => reason.http_uuid($6, 'the id of the node'), direction => 'ancestors', depth => 10, "limit" => 1000,
        redact => NOT caller.pii, divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'))::json;
    subject json := found_trace -> 'steps' -> 0 -> 'node';
BEGIN
    RETURN QUERY
    WITH step AS (
        SELECT s.value -> 'node' AS node, (s.value ->> 'depth')::integer AS depth, s.ordinality
        FROM json_array_elements(found_trace -> 'steps') WITH ORDINALITY s
    ), edge AS (
        SELECT e.value AS edge FROM json_array_elements(found_trace -> 'edges') e
    ), component AS (
        -- What led to the node directly, the weightiest first.
        SELECT json_build_object('nodeId', s.node -> 'id', 'type', s.node -> 'type', 'author', s.node -> 'author',
                   'relation', e.edge -> 'type', 'weight', e.edge -> 'weight',
                   'confidence', s.node -> 'metadata' -> 'confidence', 'note', reason.node_note(s.node)) AS component,
               (e.edge ->> 'weight')::double precision AS weight, s.ordinality
        FROM edge e JOIN step s ON s.node ->> 'id' = e.edge ->> 'from'
        WHERE e.edge ->> 'to' = subject ->> 'id'
    ), evidence AS (
        -- Where the reasoning begins: nodes of the trace that have no cause of their own.
        SELECT json_build_object('nodeId', s.node -> 'id', 'type', s.node -> 'type', 'author', s.node -> 'author',
                   'depth', s.depth, 'createdAt', s.node -> 'createdAt', 'note', reason.node_note(s.node)) AS evidence, s.ordinality
        FROM step s
        WHERE s.ordinality > 1 AND NOT EXISTS (SELECT FROM edge e WHERE e.edge ->> 'to' = s.node ->> 'id')
    )
    SELECT 200, NULL::text, json_build_object('explain', json_build_object(
        'summary', format('%s, recorded %s; %s direct %s, %s %s of reasoning, resting on %s %s of evidence',
            reason.node_note(subject), subject ->> 'createdAt',
            (SELECT count(*) FROM component), CASE WHEN (SELECT count(*) FROM component) = 1 THEN 'cause' ELSE 'causes' END,
            (SELECT count(*) - 1 FROM step), CASE WHEN (SELECT count(*) FROM step) = 2 THEN 'node' ELSE 'nodes' END,
            (SELECT count(*) FROM evidence), CASE WHEN (SELECT count(*) FROM evidence) = 1 THEN 'piece' ELSE 'pieces' END),
        'components', (SELECT coalesce(json_agg(c.component ORDER BY c.weight DESC, c.ordinality), '[]') FROM component c),
        'evidence', (SELECT coalesce(json_agg(e.evidence ORDER BY e.ordinality), '[]') FROM evidence e)))::text;
END
$$;
