-- The HTTP API: nodes, traces, queries.

CREATE FUNCTION reason.with_erasure(node_read text, redact boolean) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    -- Few are erased: the others are not read as JSON.
    IF strpos($1, '"erased":true') = 0 THEN
        RETURN $1;
    END IF;
    RETURN coalesce((
        SELECT format('{"erasure":%s,%s', reason.canonical_json(jsonb_build_object('at', reason.rfc3339(e.at),
                      'by', CASE WHEN $2 THEN reason.redact_text(e.by) ELSE e.by END,
                      'reason', CASE WHEN $2 THEN reason.redact_text(e.reason) ELSE e.reason END)), substr($1, 2))
        FROM (SELECT $1::jsonb -> 'node' AS node) r, reason.erasure(r.node ->> 'division', (r.node ->> 'id')::uuid) e
        WHERE r.node ->> 'erased' = 'true' AND e.event_id IS NOT NULL), $1);
END
$$;
COMMENT ON FUNCTION reason.with_erasure(text, boolean) IS
    'What is read of a node; if its content was erased, with a member "erasure" that says when, by whom and why, personal data in it redacted where that is asked for.';

CREATE FUNCTION reason.http_get_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, '{limit,cursor,division}');
BEGIN
    PERFORM reason.turn_when_long(caller.name);
    RETURN QUERY SELECT 200, NULL::text, reason.with_erasure(reason.node_json(
        id => reason.http_uuid($6, 'the id of the node'), divisions => caller.divisions, redact => NOT caller.pii,
        quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division',
        "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        cursor => q ->> 'cursor'), NOT caller.pii);
END
$$;

CREATE FUNCTION reason.http_get_trace(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'read', path_division);
    q jsonb := reason.http_query(query, ARRAY['direction', 'depth', 'limit', 'cursor', 'types', 'edgeTypes', 'minWeight',
                                              'minConfidence', 'asOf', 'asOfSeq', 'division']);
BEGIN
    PERFORM reason.turn_when_long(caller.name);
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
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{depth,limit,cursor,asOf,asOfSeq,division}');
BEGIN
    RETURN QUERY SELECT 200, NULL::text, reason.ordered_trace_json(
        node => reason.http_uuid($6, 'the id of the node'), divisions => caller.divisions, redact => NOT caller.pii,
        quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division',
        depth => reason.http_integer(q ->> 'depth', 'depth', 0, 10000),
        "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        cursor => q ->> 'cursor',
        as_of => reason.http_timestamp(q ->> 'asOf', 'asOf'),
        as_of_seq => reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'));
END
$$;

CREATE FUNCTION reason.http_get_reason(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{depth,limit,cursor,asOf,asOfSeq,division}');
BEGIN
    RETURN QUERY SELECT 200, NULL::text, reason.reason_json(
        node => reason.http_uuid($6, 'the id of the node'), divisions => caller.divisions, redact => NOT caller.pii,
        quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division',
        depth => coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10),
        "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
        cursor => q ->> 'cursor',
        as_of => reason.http_timestamp(q ->> 'asOf', 'asOf'),
        as_of_seq => reason.http_seq(q ->> 'asOfSeq', 'asOfSeq'));
END
$$;

CREATE FUNCTION reason.http_get_explain(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,depth,limit,cursor,asOf,asOfSeq,division}');
    format_wanted CONSTANT text := reason.http_list_format(q ->> 'format');
    wanted CONSTANT uuid := reason.http_uuid($6, 'the id of the node');
    depth_wanted CONSTANT integer := reason.http_integer(q ->> 'depth', 'depth', 0, 10000);
    until CONSTANT timestamptz := reason.http_timestamp(q ->> 'asOf', 'asOf');
    until_seq CONSTANT bigint := reason.http_seq(q ->> 'asOfSeq', 'asOfSeq');
BEGIN
    RETURN NEXT reason.http_list(caller, reason.explain_json(
            node => wanted, divisions => caller.divisions, redact => NOT caller.pii,
            quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division', depth => depth_wanted,
            "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
            cursor => q ->> 'cursor', as_of => until, as_of_seq => until_seq),
        'explanation', wanted, format_wanted, reason.export_facts(until, until_seq, depth_wanted), until, until_seq);
END
$$;

CREATE FUNCTION reason.http_get_impact(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    id text, query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,depth,limit,cursor,asOf,asOfSeq,division}');
    format_wanted CONSTANT text := reason.http_list_format(q ->> 'format');
    wanted CONSTANT uuid := reason.http_uuid($6, 'the id of the node');
    depth_wanted CONSTANT integer := reason.http_integer(q ->> 'depth', 'depth', 1, 10000);
    until CONSTANT timestamptz := reason.http_timestamp(q ->> 'asOf', 'asOf');
    until_seq CONSTANT bigint := reason.http_seq(q ->> 'asOfSeq', 'asOfSeq');
BEGIN
    RETURN NEXT reason.http_list(caller, reason.impact_json(
            node => wanted, divisions => caller.divisions, redact => NOT caller.pii,
            quarantined => reason.client_may(caller, 'inspect'), division => q ->> 'division', depth => depth_wanted,
            "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000),
            cursor => q ->> 'cursor', as_of => until, as_of_seq => until_seq),
        'impact', wanted, format_wanted, reason.export_facts(until, until_seq, depth_wanted), until, until_seq);
END
$$;
