-- The HTTP API: nodes, edges and annotations.

CREATE FUNCTION reason.http_post_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST /reason/node', request_body);
BEGIN
    IF response IS NULL THEN
        SELECT 201, format(E'Location: /reason/node/%s\n', n.id),
               format('{"nodeId":"%s","auditEventId":"%s","createdAt":"%s"}', n.id, n.audit_event_id, reason.rfc3339(n.created_at))
        INTO response
        FROM reason.insert_nodes(request_body, true, caller.divisions, reason.http_request(caller.name, request_id, traceparent)) n;
        RETURN QUERY SELECT * FROM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        RETURN NEXT response;
    END IF;
END
$$;

CREATE FUNCTION reason.http_post_edge(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST /reason/edge', request_body);
BEGIN
    IF response IS NULL THEN
        SELECT 201, NULL,
               format('{"edgeId":"%s","auditEventId":"%s","createdAt":"%s"}', e.id, e.audit_event_id, reason.rfc3339(e.created_at))
        INTO response
        FROM reason.insert_edges(request_body, true, caller.divisions, reason.http_request(caller.name, request_id, traceparent)) e;
        RETURN QUERY SELECT * FROM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        RETURN NEXT response;
    END IF;
END
$$;

CREATE FUNCTION reason.http_post_nodes(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST /nodes', request_body);
BEGIN
    IF response IS NULL THEN
        SELECT 201, NULL,
               format('{"count":%s,"nodes":[%s]}', count(*), string_agg(
                   '{"nodeId":"' || n.id || '","auditEventId":"' || n.audit_event_id
                   || '","createdAt":"' || reason.rfc3339(n.created_at) || '"}', ','))
        INTO response
        FROM reason.insert_nodes(request_body, false, caller.divisions, reason.http_request(caller.name, request_id, traceparent)) n;
        RETURN QUERY SELECT * FROM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        RETURN NEXT response;
    END IF;
END
$$;

CREATE FUNCTION reason.http_post_edges(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST /edges', request_body);
BEGIN
    IF response IS NULL THEN
        SELECT 201, NULL,
               format('{"count":%s,"edges":[%s]}', count(*), string_agg(
                   '{"edgeId":"' || e.id || '","auditEventId":"' || e.audit_event_id
                   || '","createdAt":"' || reason.rfc3339(e.created_at) || '"}', ','))
        INTO response
        FROM reason.insert_edges(request_body, false, caller.divisions, reason.http_request(caller.name, request_id, traceparent)) e;
        RETURN QUERY SELECT * FROM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        RETURN NEXT response;
    END IF;
END
$$;

CREATE FUNCTION reason.http_post_annotation(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    target text, request_body text, idempotency_key text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    response reason.http_response := reason.http_replay(caller.name, idempotency_key, 'POST /reason/annotate/' || target, request_body);
BEGIN
    IF response IS NULL THEN
        SELECT 201, NULL,
               format('{"annotationId":"%s","auditEventId":"%s","createdAt":"%s"}', a.id, a.audit_event_id, reason.rfc3339(a.created_at))
        INTO response
        FROM reason.insert_annotation(request_body, reason.http_uuid(target, 'the id of the node'), caller.divisions,
                                      reason.http_request(caller.name, request_id, traceparent)) a;
        RETURN QUERY SELECT * FROM reason.http_remember(caller.name, idempotency_key, response);
    ELSE
        RETURN NEXT response;
    END IF;
END
$$;
