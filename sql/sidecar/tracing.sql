-- What the sidecar needs to make spans (OpenTelemetry) as children of the requests that caused the work.
-- Asked only when it exports spans.

CREATE FUNCTION reason.unix_us(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT (extract(epoch FROM $1) * 1000000)::bigint $$;
COMMENT ON FUNCTION reason.unix_us(timestamptz) IS 'Microseconds since 1970-01-01 00:00 UTC.';

CREATE FUNCTION reason.snapshot_spans(id uuid)
RETURNS TABLE (traceparent text, canonicalise_began bigint, canonicalise_ended bigint, canonicalise_us bigint,
               hash_began bigint, hash_ended bigint, hash_us bigint, walk_began bigint, nodes bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT q.request ->> 'traceparent', reason.unix_us(q.canonicalise_began), reason.unix_us(q.canonicalise_ended), q.canonicalise_us,
           reason.unix_us(q.hash_began), reason.unix_us(q.hash_ended), q.hash_us,
           reason.unix_us(q.walk_began), s.node_count
    FROM reason.snapshot s JOIN reason.snapshot_request q ON q.snapshot_no = s.no AND q.division = s.division
    WHERE s.id = $1 AND q.request ->> 'traceparent' IS NOT NULL
$$;
COMMENT ON FUNCTION reason.snapshot_spans(uuid) IS 'The traceparent of the request that made a snapshot, and when its records were looked for, canonicalised and hashed; no row without a traceparent.';

CREATE FUNCTION reason.traced_events(divisions text[], seqs bigint[]) RETURNS TABLE (place bigint, traceparent text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT u.place, e.traceparent
    FROM unnest($1, $2) WITH ORDINALITY u (division, seq, place),
         LATERAL (SELECT x.payload -> 'request' ->> 'traceparent' AS traceparent
                  FROM reason.audit_seal s JOIN reason.audit_event x ON x.no = s.event_no AND x.division = s.division
                  WHERE s.division = u.division AND s.seq = u.seq OFFSET 0) e
    WHERE e.traceparent IS NOT NULL;
END
$$;
COMMENT ON FUNCTION reason.traced_events(text[], bigint[]) IS 'Which of these events were caused by a request with a traceparent: their place in the arrays, counted from 1, and the traceparent.';

CREATE FUNCTION reason.chain_ends() RETURNS TABLE (division text, seq bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    -- One index descent a division.
    RETURN QUERY
    WITH RECURSIVE chain AS (
        (SELECT s.division FROM reason.audit_seal s ORDER BY s.division LIMIT 1)
        UNION ALL
        SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT c.division, (SELECT s.seq FROM reason.audit_seal s WHERE s.division = c.division ORDER BY s.seq DESC LIMIT 1)
    FROM chain c WHERE c.division IS NOT NULL;
END
$$;
COMMENT ON FUNCTION reason.chain_ends() IS 'The last sealed event of each chain.';

CREATE FUNCTION reason.seal_events_traced(lease_token bigint, max_events integer)
RETURNS TABLE (sealed integer, began bigint, ended bigint, division text, seq bigint, traceparent text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    ends jsonb;
BEGIN
    -- From here on no other seals, so that what lies behind these ends afterwards was sealed here.
    PERFORM reason.check_lease('seal', lease_token);
    SELECT coalesce(jsonb_object_agg(c.division, c.seq), '{}') INTO ends FROM reason.chain_ends() c;
    began := reason.unix_us(clock_timestamp());
    sealed := reason.seal_events(lease_token, max_events);
    ended := reason.unix_us(clock_timestamp());
    RETURN NEXT;
    IF sealed = 0 THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 0, began, ended, s.division, s.seq, e.payload -> 'request' ->> 'traceparent'
    FROM reason.chain_ends() c,
         LATERAL (SELECT a.division, a.seq, a.event_no FROM reason.audit_seal a
                  WHERE a.division = c.division AND a.seq > coalesce((ends ->> c.division)::bigint, -1) OFFSET 0) s,
         LATERAL (SELECT x.payload FROM reason.audit_event x WHERE x.no = s.event_no AND x.division = s.division OFFSET 0) e
    WHERE e.payload -> 'request' ->> 'traceparent' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION reason.seal_events_traced(bigint, integer) IS
    'seal_events(), telling when (microseconds since 1970) and what: a first row with how many, then a row for each event that was caused by a request with a traceparent.';
