-- The HTTP API: nodes, traces, queries.

CREATE FUNCTION reason.http_get_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, '{division}');
BEGIN
    RETURN QUERY SELECT 200, NULL::text,
        reason.node_json(reason.http_uuid($6, 'the id of the node'), caller.divisions, NOT caller.pii, reason.client_may(caller, 'inspect'), q ->> 'division');
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
                                              'minConfidence', 'asOf', 'asOfSeq', 'division']);
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
        as_of_seq => reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'),
        redact => NOT caller.pii,
        divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'),
        division => q ->> 'division');
END
$$;

CREATE FUNCTION reason.http_get_traces(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, '{asOfSeq,division}');
BEGIN
    RETURN QUERY SELECT 200, NULL::text,
        reason.ordered_trace_json(reason.http_uuid($6, 'the id of the node'), caller.divisions, NOT caller.pii, reason.client_may(caller, 'inspect'),
                                  q ->> 'division', reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'));
END
$$;

CREATE FUNCTION reason.http_get_reason(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, ARRAY['depth', 'limit', 'asOfSeq', 'division']);
    found_trace json := reason.trace_json(
        node => reason.http_uuid($6, 'the id of the node'), direction => 'ancestors',
        depth => coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10), "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        redact => NOT caller.pii, divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division',
        as_of_seq => reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'))::json;
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

-- ---------------------------------------------------------------- explain

CREATE FUNCTION reason.http_get_explain(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read');
    q jsonb := reason.http_query(query, '{asOfSeq,division}');
    found_trace json := reason.trace_json(
        node => reason.http_uuid($6, 'the id of the node'), direction => 'ancestors', depth => 10, "limit" => 1000,
        redact => NOT caller.pii, divisions => caller.divisions,
        quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division',
        as_of_seq => reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'))::json;
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
