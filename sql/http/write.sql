-- The HTTP API: nodes, edges and annotations.

CREATE FUNCTION reason.http_receipt(id_member text, id uuid, audit_event_id uuid, created_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT '{"' || $1 || '":"' || $2 || '","auditEventId":"' || $3 || '","createdAt":"' || reason.rfc3339($4) || '"}' $$;
COMMENT ON FUNCTION reason.http_receipt(text, uuid, uuid, timestamptz) IS 'What the client gets for one record.';

CREATE FUNCTION reason.http_written(kind text, single boolean, request_body text, target uuid, divisions text[], request json, policy json,
    OUT response reason.http_response, OUT numbers bigint[])
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    written text;
    first_id uuid;
BEGIN
    -- A branch for each kind keeps its plan.
    IF kind = 'node' THEN
        SELECT string_agg(reason.http_receipt('nodeId', w.id, w.audit_event_id, w.created_at), ','), array_agg(w.no), min(w.id::text)
        INTO written, numbers, first_id
        FROM reason.insert_nodes(request_body, single, divisions, request, policy) w;
    ELSIF kind = 'edge' THEN
        SELECT string_agg(reason.http_receipt('edgeId', w.id, w.audit_event_id, w.created_at), ','), array_agg(w.no)
        INTO written, numbers
        FROM reason.insert_edges(request_body, single, divisions, request, policy) w;
    ELSE
        SELECT reason.http_receipt('annotationId', w.id, w.audit_event_id, w.created_at), ARRAY[w.no]
        INTO written, numbers
        FROM reason.insert_annotation(request_body, target, divisions, request, policy) w;
    END IF;
    IF kind <> 'annotation' AND EXISTS (SELECT FROM reason.quota q WHERE q.client = request ->> 'client') THEN
        PERFORM reason.charge_quota(request ->> 'client', kind, numbers);
    END IF;
    response.status := 201;
    IF single THEN
        response.body := written;
        IF kind = 'node' THEN
            response.headers := format(E'Location: /reason/node/%s\n', first_id);
        END IF;
    ELSE
        response.body := format('{"count":%s,"%ss":[%s]}', cardinality(numbers), kind, written);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.http_written(text, boolean, text, uuid, text[], json, json) IS 'Writes what the body says (kind node, edge or annotation; single or a batch) and makes the answer; numbers are those of the records.';

CREATE FUNCTION reason.http_write(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    kind text, single boolean, target text, request_body text, idempotency_key text, policy_status text, policy_answer text)
RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_client(client_cn, client_issuer, client_san, 'write');
    request json := reason.http_request(caller.name, request_id, traceparent);
    route text := concat_ws(' ', 'POST', kind, single, target);
    target_id uuid := CASE WHEN target IS NOT NULL THEN reason.http_uuid(target, 'the id of the node') END;
    response reason.http_response;
BEGIN
    IF policy_status IS NOT NULL OR reason.policy_applies(kind) THEN
        RETURN NEXT reason.http_write_checked(caller, request, kind, single, route, target_id, request_body, idempotency_key,
                                              policy_status, policy_answer);
        RETURN;
    END IF;
    IF idempotency_key IS NOT NULL THEN
        response := reason.http_replay(caller.name, idempotency_key, route, request_body);
    END IF;
    IF response IS NULL THEN
        response := (reason.http_written(kind, single, request_body, target_id, caller.divisions, request, NULL)).response;
        IF idempotency_key IS NOT NULL THEN
            PERFORM reason.http_remember(caller.name, idempotency_key, response);
        END IF;
    END IF;
    RETURN NEXT response;
END
$$;
COMMENT ON FUNCTION reason.http_write(text, text, text, text, text, text, boolean, text, text, text, text, text) IS 'A write: who asks, whether it was asked before, then the work, and what is kept for repeats.';

-- ---------------------------------------------------------------- routes
-- policy_status and policy_answer are the gateway's, never a client's: what SentinelNet answered (base64), NULL before it is asked.

CREATE FUNCTION reason.http_post_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$ BEGIN RETURN QUERY SELECT * FROM reason.http_write($1, $2, $3, $4, $5, 'node', true, NULL, $6, $7, $8, $9); END $$;

CREATE FUNCTION reason.http_post_edge(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$ BEGIN RETURN QUERY SELECT * FROM reason.http_write($1, $2, $3, $4, $5, 'edge', true, NULL, $6, $7, $8, $9); END $$;

CREATE FUNCTION reason.http_post_nodes(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$ BEGIN RETURN QUERY SELECT * FROM reason.http_write($1, $2, $3, $4, $5, 'node', false, NULL, $6, $7, $8, $9); END $$;

CREATE FUNCTION reason.http_post_edges(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$ BEGIN RETURN QUERY SELECT * FROM reason.http_write($1, $2, $3, $4, $5, 'edge', false, NULL, $6, $7, $8, $9); END $$;

CREATE FUNCTION reason.http_post_annotation(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    target text, request_body text, idempotency_key text, policy_status text, policy_answer text) RETURNS SETOF reason.http_response
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$ BEGIN RETURN QUERY SELECT * FROM reason.http_write($1, $2, $3, $4, $5, 'annotation', true, coalesce($6, ''), $7, $8, $9, $10); END $$;
