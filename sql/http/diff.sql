-- The HTTP API: what differs.

CREATE FUNCTION reason.http_diff_side(caller reason.client, id uuid, name text, q jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    IF NOT EXISTS (SELECT FROM reason.snapshot x WHERE x.id = $2 AND ARRAY[x.division, '*'] && caller.divisions
                     AND (NOT q ? 'division' OR x.division = q ->> 'division')) THEN
        RETURN NULL;
    END IF;
    IF q ?| ARRAY['asOf' || upper(name), 'asOfSeq' || upper(name)] THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a snapshot is compared as it was frozen, as of no other time';
    END IF;
    s := reason.http_snapshot(caller, $2::text, true, q ->> 'division');
    RETURN reason.snapshot_document(s.id);
END
$$;
COMMENT ON FUNCTION reason.http_diff_side(reason.client, uuid, text, jsonb) IS 'The document of the snapshot of that id; NULL: it is none that the client sees.';

CREATE FUNCTION reason.http_get_diff(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    query text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    q jsonb := reason.http_query(query, '{format,a,b,node,asOfA,asOfB,asOfSeqA,asOfSeqB,direction,depth,limit,cursor,division}');
    format_wanted CONSTANT text := reason.http_list_format(q ->> 'format');
    direction_wanted CONSTANT text := coalesce(q ->> 'direction', 'ancestors');
    depth_wanted CONSTANT integer := coalesce(reason.http_integer(q ->> 'depth', 'depth', 0, 10000), 10000);
    until_a CONSTANT timestamptz := reason.http_timestamp(q ->> 'asOfA', 'asOfA');
    until_b CONSTANT timestamptz := reason.http_timestamp(q ->> 'asOfB', 'asOfB');
    until_seq_a CONSTANT bigint := reason.http_seq(q ->> 'asOfSeqA', 'asOfSeqA');
    until_seq_b CONSTANT bigint := reason.http_seq(q ->> 'asOfSeqB', 'asOfSeqB');
    first uuid;
    second uuid;
BEGIN
    IF (q ? 'node') = (q ?| '{a,b}') OR q ? 'a' <> q ? 'b' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a and b must be given, or node',
            HINT = 'a and b are snapshots or nodes; node is compared with itself at the times asOfA and asOfB.';
    END IF;
    first := reason.http_uuid(coalesce(q ->> 'a', q ->> 'node'), CASE WHEN q ? 'node' THEN 'node' ELSE 'a' END);
    second := reason.http_uuid(coalesce(q ->> 'b', q ->> 'node'), CASE WHEN q ? 'node' THEN 'node' ELSE 'b' END);
    RETURN NEXT reason.http_list(caller, reason.compare_json(
            a => first, a_document => CASE WHEN NOT q ? 'node' THEN reason.http_diff_side(caller, first, 'a', q) END,
            b => second, b_document => CASE WHEN NOT q ? 'node' THEN reason.http_diff_side(caller, second, 'b', q) END,
            divisions => caller.divisions, redact => NOT caller.pii, quarantined => reason.client_may(caller, 'inspect'),
            division => q ->> 'division', direction => direction_wanted, depth => depth_wanted,
            "limit" => coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 10000), 1000), cursor => q ->> 'cursor',
            as_of_a => until_a, as_of_b => until_b, as_of_seq_a => until_seq_a, as_of_seq_b => until_seq_b),
        'diff', second, format_wanted, reason.diff_facts(until_a, until_b, until_seq_a, until_seq_b, direction_wanted, depth_wanted), until_b, until_seq_b);
END
$$;
