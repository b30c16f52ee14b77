-- The HTTP API: nodes, edges and annotations.
--
-- The functions are in C (extension/write/http.c), which calls back for what most writes do not need: policy checks,
-- idempotency keys, quotas.

CREATE FUNCTION reason.http_written(kind text, single boolean, request_body text, target uuid, divisions text[], client text, request json, policy json,
    path_division text DEFAULT NULL, OUT response reason.http_response, OUT numbers bigint[])
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_http_written';
COMMENT ON FUNCTION reason.http_written(text, boolean, text, uuid, text[], text, json, json, text) IS 'Writes what the body says (kind node, edge or annotation; single or a batch) and makes the answer; numbers are those of the records. They are charged to the client''s quota. path_division: where nodes go that name no division.';

-- ---------------------------------------------------------------- routes
-- policy_status and policy_answer are the gateway's, never a client's: what SentinelNet answered (base64), NULL before it is asked.

CREATE FUNCTION reason.http_post_node(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_http_post_node';

CREATE FUNCTION reason.http_post_edge(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_http_post_edge';

CREATE FUNCTION reason.http_post_nodes(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_http_post_nodes';

CREATE FUNCTION reason.http_post_edges(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_http_post_edges';

CREATE FUNCTION reason.http_post_annotation(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    target text, request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_http_post_annotation';
