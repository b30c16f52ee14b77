-- Mirrors: graph stores outside that show the graph. What each is fed comes from the signed events, in the order of their chain.
--
-- How far a mirror is stands in the mirror itself, written in the transaction that it covers. mirror_mark is a copy, by which the lag is told.

CREATE TABLE reason.mirror_parked (
    target    text        NOT NULL,
    division  text        NOT NULL,
    seq       bigint      NOT NULL,
    reason    text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    again     boolean     NOT NULL DEFAULT false,
    CONSTRAINT mirror_parked_pkey PRIMARY KEY (target, division, seq)
);
COMMENT ON TABLE reason.mirror_parked IS 'Events that a mirror refuses, and that it therefore lacks. again: somebody wants it tried once more.';

-- ---------------------------------------------------------------- the forms in which a mirror holds records

CREATE FUNCTION reason.mirror_hides(division text, record_no bigint, seq bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = $1 AND q.record_no = $2
                     AND NOT EXISTS (SELECT FROM reason.quarantine_release r
                                     JOIN reason.audit_seal s ON s.event_no = r.event_no AND s.division = r.division
                                     WHERE r.division = $1 AND r.record_no = $2 AND s.seq <= $3))
$$;
COMMENT ON FUNCTION reason.mirror_hides(text, bigint, bigint) IS 'Whether a record was in quarantine as of an event of its division.';

CREATE FUNCTION reason.mirror_number(number double precision) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Always with a point, so that a graph store takes every value of a property for the same type.
    SELECT CASE WHEN $1 = trunc($1) AND abs($1) < 1e15 THEN to_jsonb(round($1::numeric, 1)) ELSE to_jsonb($1) END
$$;
COMMENT ON FUNCTION reason.mirror_number(double precision) IS 'A number as a mirror is given it: never as a whole number.';

CREATE FUNCTION reason.mirror_metadata(metadata jsonb, payloads text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object(
        'tags', CASE WHEN jsonb_typeof(m -> 'tags') = 'array' AND m -> 'tags' <> '[]' THEN
                    (SELECT jsonb_agg(t) FROM jsonb_array_elements_text(m -> 'tags') t WHERE t IS NOT NULL) END,
        'confidence', CASE WHEN jsonb_typeof(m -> 'confidence') = 'number' THEN reason.mirror_number((m ->> 'confidence')::double precision) END)
    FROM (SELECT CASE $2 WHEN 'whole' THEN $1 ELSE reason.redact($1) END) x (m)
$$;
COMMENT ON FUNCTION reason.mirror_metadata(jsonb, text) IS 'What of a record''s metadata a mirror is given: tags and confidence.';

CREATE FUNCTION reason.mirror_content(payload jsonb, payloads text, most_bytes integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE
        WHEN $1 IS NULL THEN '{"erased": true}'
        WHEN $2 = 'none' THEN '{}'
        WHEN octet_length(x.shown) > $3 THEN '{"payloadOmitted": true}'
        ELSE jsonb_build_object('payload', x.shown) END
    FROM (SELECT CASE $2 WHEN 'whole' THEN reason.canonical_json($1) WHEN 'redacted' THEN reason.canonical_json(reason.redact($1)) END) x (shown)
$$;
COMMENT ON FUNCTION reason.mirror_content(jsonb, text, integer) IS 'What of a content a mirror is given: nothing, or its canonical JSON, redacted or whole, if it is small enough.';

CREATE FUNCTION reason.mirror_node(n reason.node, payloads text, most_bytes integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('op', 'node', 'type', $1.type, 'key', $1.division || '/' || $1.id, 'record', jsonb_strip_nulls(
        jsonb_build_object('key', $1.division || '/' || $1.id, 'id', $1.id, 'division', $1.division, 'type', $1.type,
            'author', CASE $2 WHEN 'whole' THEN $1.author ELSE reason.redact_text($1.author) END,
            'createdAt', reason.rfc3339($1.created_at), 'occurredAt', reason.rfc3339($1.occurred_at),
            'digest', encode($1.digest, 'hex'), 'auditEventId', $1.audit_event_id)
        || reason.mirror_metadata($1.metadata, $2) || reason.mirror_content($1.payload, $2, $3)))
$$;
COMMENT ON FUNCTION reason.mirror_node(reason.node, text, integer) IS 'A node in the form in which mirrors are given it.';

CREATE FUNCTION reason.mirror_edge(e reason.edge, from_id uuid, to_id uuid, payloads text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('op', 'edge', 'type', $1.type, 'key', $1.division || '/' || $1.id,
        'from', $1.division || '/' || $2, 'to', $1.division || '/' || $3, 'record', jsonb_strip_nulls(
        jsonb_build_object('key', $1.division || '/' || $1.id, 'id', $1.id, 'division', $1.division, 'type', $1.type,
            'weight', reason.mirror_number($1.weight), 'createdAt', reason.rfc3339($1.created_at),
            'digest', encode($1.digest, 'hex'), 'auditEventId', $1.audit_event_id)
        || reason.mirror_metadata($1.metadata, $4)))
$$;
COMMENT ON FUNCTION reason.mirror_edge(reason.edge, uuid, uuid, text) IS 'An edge in the form in which mirrors are given it.';

CREATE FUNCTION reason.mirror_annotation(a reason.annotation, target_id uuid, payloads text, most_bytes integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('op', 'annotation', 'type', $1.type, 'key', $1.division || '/' || $1.id,
        'to', $1.division || '/' || $2, 'record', jsonb_strip_nulls(
        jsonb_build_object('key', $1.division || '/' || $1.id, 'id', $1.id, 'division', $1.division, 'type', $1.type,
            'author', CASE $3 WHEN 'whole' THEN $1.author ELSE reason.redact_text($1.author) END,
            'createdAt', reason.rfc3339($1.created_at), 'digest', encode($1.digest, 'hex'), 'auditEventId', $1.audit_event_id)
        || reason.mirror_metadata($1.metadata, $3) || reason.mirror_content($1.payload, $3, $4)))
$$;
COMMENT ON FUNCTION reason.mirror_annotation(reason.annotation, uuid, text, integer) IS 'An annotation in the form in which mirrors are given it.';

-- ---------------------------------------------------------------- what an event does to a mirror

CREATE FUNCTION reason.mirror_record(division text, no bigint, kind text, seq bigint, payloads text, most_bytes integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    form jsonb;
BEGIN
    IF reason.mirror_hides($1, $2, $4) THEN
        RETURN NULL;
    END IF;
    CASE $3
        WHEN 'node' THEN
            SELECT reason.mirror_node(n, $5, $6) INTO form FROM reason.node n WHERE n.no = $2 AND n.division = $1;
        WHEN 'edge' THEN
            SELECT reason.mirror_edge(e, f.id, t.id, $5) INTO form
            FROM reason.edge e
            JOIN reason.node f ON f.no = e.from_no AND f.division = e.division
            JOIN reason.node t ON t.no = e.to_no AND t.division = e.division
            WHERE e.no = $2 AND e.division = $1
              AND NOT reason.mirror_hides($1, e.from_no, $4) AND NOT reason.mirror_hides($1, e.to_no, $4);
        WHEN 'annotation' THEN
            SELECT reason.mirror_annotation(a, t.id, $5, $6) INTO form
            FROM reason.annotation a JOIN reason.node t ON t.no = a.target_no AND t.division = a.division
            WHERE a.no = $2 AND a.division = $1 AND NOT reason.mirror_hides($1, a.target_no, $4);
    END CASE;
    RETURN form;
END
$$;
COMMENT ON FUNCTION reason.mirror_record(text, bigint, text, bigint, text, integer) IS
    'A record in the form in which mirrors are given it, as of an event; NULL while it is in quarantine, or goes with what is.';

CREATE FUNCTION reason.mirror_release(division text, kind text, record_id uuid, seq bigint, payloads text, most_bytes integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    -- The record, and what was held back because of it and had its place in the chain already.
    SELECT coalesce(jsonb_agg(r.form ORDER BY r.no) FILTER (WHERE r.form IS NOT NULL), '[]')
    FROM (SELECT o.no, reason.mirror_record($1, o.no, o.kind, $4, $5, $6) AS form
          FROM reason.quarantine q
          CROSS JOIN LATERAL (
              SELECT q.record_no AS no, q.kind AS kind
              UNION SELECT e.no, 'edge' FROM reason.edge e WHERE q.kind = 'node' AND e.to_no = q.record_no
              UNION SELECT e.no, 'edge' FROM reason.edge e WHERE q.kind = 'node' AND e.from_no = q.record_no
              UNION SELECT a.no, 'annotation' FROM reason.annotation a WHERE q.kind = 'node' AND a.target_no = q.record_no) o
          JOIN reason.audit_seal s ON s.event_no = o.no AND s.division = $1 AND s.seq <= $4
          WHERE q.division = $1 AND q.kind = $2 AND q.record_id = $3) r
$$;
COMMENT ON FUNCTION reason.mirror_release(text, text, uuid, bigint, text, integer) IS 'What a mirror is given when a record is released from quarantine.';

CREATE FUNCTION reason.mirror_events(division text, after_seq bigint, after_hash text, max_events integer, max_bytes bigint, payloads text, most_bytes integer,
    at_seq bigint DEFAULT NULL)
RETURNS TABLE (seq bigint, hash text, ops text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    head CONSTANT bigint := (SELECT g.seq FROM reason.audit_signature g WHERE g.division = $1 ORDER BY g.seq DESC LIMIT 1);
BEGIN
    PERFORM reason.refuse_in_safe_mode(reason.sealing_fault());
    IF $2 > head OR ($3 IS NOT NULL AND $2 >= 0
                     AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = $1 AND s.seq = $2 AND encode(s.hash, 'hex') = $3)) THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is not the one that the mirror has', $2, $1),
            DETAIL = 'The mirror was fed from another history, such as that of before a restore.',
            HINT = 'Rebuild it: reason-sidecar --mirror-rebuild.';
    END IF;
    RETURN QUERY
    SELECT b.seq, b.hash, b.ops::text
    FROM (SELECT o.seq, o.hash, o.ops, sum(octet_length(o.ops::text)) OVER (ORDER BY o.seq) - octet_length(o.ops::text) AS bytes_before
          FROM (SELECT s.seq, encode(s.hash, 'hex') AS hash, coalesce(CASE
                    WHEN e.event_type IN ('node.created', 'edge.created', 'annotation.created') THEN
                        nullif(jsonb_build_array(reason.mirror_record(s.division, e.no, split_part(e.event_type, '.', 1), coalesce($8, s.seq), $6, $7)), '[null]')
                    WHEN $8 IS NOT NULL THEN NULL
                    WHEN e.event_type = 'payload.erased' AND e.payload #>> '{erased,kind}' IN ('node', 'annotation') THEN
                        jsonb_build_array(jsonb_build_object('op', 'erase', 'type', e.payload #>> '{erased,kind}',
                                                             'key', s.division || '/' || (e.payload #>> '{erased,id}')))
                    WHEN e.event_type = 'quarantine.released' THEN
                        reason.mirror_release(s.division, e.payload #>> '{released,kind}', (e.payload #>> '{released,id}')::uuid, s.seq, $6, $7)
                    END, '[]') AS ops
                FROM reason.audit_seal s
                JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division
                WHERE s.division = $1 AND s.seq > $2 AND s.seq <= least(head, $2 + $4)
                ORDER BY s.seq) o) b
    WHERE b.bytes_before < $5
    ORDER BY b.seq;
END
$$;
COMMENT ON FUNCTION reason.mirror_events(text, bigint, text, integer, bigint, text, integer, bigint) IS
    'Signed events after one that a mirror has, which must be the one here (22000), each with what it does to a mirror: records to write, contents to erase. payloads: none, redacted or whole; those of more than most_bytes are left out. With at_seq what was recorded is told as it stands after that event.';

-- ---------------------------------------------------------------- feeding

CREATE FUNCTION reason.mirror_heads(divisions text[]) RETURNS TABLE (division text, head_seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT c.division, c.head_seq FROM reason.signed_chains() c WHERE ARRAY['*', c.division] && $1 ORDER BY c.division
$$;
COMMENT ON FUNCTION reason.mirror_heads(text[]) IS 'The divisions that a mirror of these is fed (*: all), and the last signed event of each.';

CREATE FUNCTION reason.mirror_marks(lease_token bigint, target text, divisions text[]) RETURNS TABLE (division text, head_seq bigint, seq bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('mirror', lease_token);
    INSERT INTO reason.mirror_mark AS m (target, division, seq)
    SELECT $2, h.division, -1 FROM reason.mirror_heads($3) h
    WHERE NOT EXISTS (SELECT FROM reason.mirror_mark x WHERE x.target = $2 AND x.division = h.division)
    ON CONFLICT ON CONSTRAINT mirror_mark_pkey DO NOTHING;
    RETURN QUERY
    SELECT h.division, h.head_seq, m.seq FROM reason.mirror_heads($3) h
    JOIN reason.mirror_mark m ON m.target = $2 AND m.division = h.division;
END
$$;
COMMENT ON FUNCTION reason.mirror_marks(bigint, text, text[]) IS 'mirror_heads(), each with how far the mirror was when that was last told. From now on its lag is told.';

CREATE FUNCTION reason.record_mirrored(lease_token bigint, target text, division text, seq bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('mirror', lease_token);
    INSERT INTO reason.mirror_mark AS m (target, division, seq) VALUES ($2, $3, $4)
    ON CONFLICT ON CONSTRAINT mirror_mark_pkey DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE m.seq <> excluded.seq;
END
$$;
COMMENT ON FUNCTION reason.record_mirrored(bigint, text, text, bigint) IS 'Notes how far a mirror is.';

CREATE FUNCTION reason.park_mirrored(lease_token bigint, target text, division text, seq bigint, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('mirror', lease_token);
    INSERT INTO reason.mirror_parked AS p (target, division, seq, reason) VALUES ($2, $3, $4, left($5, 2000))
    ON CONFLICT ON CONSTRAINT mirror_parked_pkey DO UPDATE SET reason = excluded.reason, again = false;
END
$$;
COMMENT ON FUNCTION reason.park_mirrored(bigint, text, text, bigint, text) IS 'Notes that a mirror refuses an event, which is passed over, and waits until somebody has it tried again.';

CREATE FUNCTION reason.unpark_mirrored(lease_token bigint, target text, division text, seq bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('mirror', lease_token);
    -- Without a seq: the mirror is made anew.
    DELETE FROM reason.mirror_parked p WHERE p.target = $2 AND p.division = $3 AND p.seq = coalesce($4, p.seq);
END
$$;
COMMENT ON FUNCTION reason.unpark_mirrored(bigint, text, text, bigint) IS 'A mirror has taken an event that it had refused; seq NULL: all that it refused are fed to it anew.';

CREATE FUNCTION reason.mirror_retries(target text, max integer DEFAULT 100) RETURNS TABLE (division text, seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT p.division, p.seq FROM reason.mirror_parked p WHERE p.target = $1 AND p.again ORDER BY p.division, p.seq LIMIT $2
$$;
COMMENT ON FUNCTION reason.mirror_retries(text, integer) IS 'Events that a mirror refused, and that it is to be given again, in the order of their chain.';

CREATE FUNCTION reason.retry_mirrored(target text, division text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    events bigint;
BEGIN
    UPDATE reason.mirror_parked p SET again = true WHERE p.target = $1 AND p.division = $2;
    GET DIAGNOSTICS events = ROW_COUNT;
    IF events = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('no event of division "%s" is parked for mirror "%s"', $2, $1);
    END IF;
    PERFORM reason.ring();
    RETURN events;
END
$$;
COMMENT ON FUNCTION reason.retry_mirrored(text, text) IS 'Gives a mirror once more what it refused of a division. Returns how many events that are.';

CREATE FUNCTION reason.forget_mirror(target text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    divisions bigint;
BEGIN
    DELETE FROM reason.mirror_parked p WHERE p.target = $1;
    DELETE FROM reason.mirror_mark m WHERE m.target = $1;
    GET DIAGNOSTICS divisions = ROW_COUNT;
    RETURN divisions;
END
$$;
COMMENT ON FUNCTION reason.forget_mirror(text) IS 'Forgets a mirror that is no longer fed: how far it was, and what it refused. Returns for how many divisions.';

-- ---------------------------------------------------------------- comparing

CREATE FUNCTION reason.mirror_counts(division text, at_seq bigint) RETURNS TABLE (kind text, type text, count bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET jit = off
AS $$
    WITH hidden AS MATERIALIZED (
        SELECT q.record_no AS no FROM reason.quarantine q WHERE q.division = $1 AND reason.mirror_hides($1, q.record_no, $2)
    ), events AS (
        SELECT e.no, e.event_type FROM reason.audit_seal s JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division
        WHERE s.division = $1 AND s.seq <= $2 AND e.event_type IN ('node.created', 'edge.created', 'annotation.created')
          AND e.no NOT IN (SELECT h.no FROM hidden h)
    )
    SELECT 'node', n.type, count(*) FROM events e JOIN reason.node n ON n.no = e.no AND n.division = $1 WHERE e.event_type = 'node.created' GROUP BY n.type
    UNION ALL
    SELECT 'edge', x.type, count(*) FROM events e JOIN reason.edge x ON x.no = e.no AND x.division = $1
    WHERE e.event_type = 'edge.created' AND x.from_no NOT IN (SELECT h.no FROM hidden h) AND x.to_no NOT IN (SELECT h.no FROM hidden h) GROUP BY x.type
    UNION ALL
    SELECT 'annotation', 'annotation', count(*) FROM events e JOIN reason.annotation a ON a.no = e.no AND a.division = $1
    WHERE e.event_type = 'annotation.created' AND a.target_no NOT IN (SELECT h.no FROM hidden h) HAVING count(*) > 0
$$;
COMMENT ON FUNCTION reason.mirror_counts(text, bigint) IS 'How many records of each kind and type a mirror must hold once it has taken the events up to at_seq.';

CREATE FUNCTION reason.mirror_trace(division text, node uuid, at_seq bigint, max_depth integer) RETURNS TABLE (node_id uuid, depth integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    frontier bigint[] := ARRAY(SELECT n.no FROM reason.node n WHERE n.id = $2 AND n.division = $1);
    seen bigint[] := frontier;
BEGIN
    FOR at_depth IN 0 .. $4 LOOP
        RETURN QUERY SELECT n.id, at_depth FROM reason.node n WHERE n.no = ANY (frontier) AND n.division = $1;
        frontier := ARRAY(
            SELECT DISTINCT e.from_no FROM reason.edge e JOIN reason.audit_seal s ON s.event_no = e.no AND s.division = $1 AND s.seq <= $3
            WHERE e.to_no = ANY (frontier) AND e.from_no <> ALL (seen)
              AND NOT reason.mirror_hides($1, e.no, $3) AND NOT reason.mirror_hides($1, e.from_no, $3));
        EXIT WHEN frontier = '{}';
        seen := seen || frontier;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.mirror_trace(text, uuid, bigint, integer) IS 'The causes of a node as a mirror must show them once it has taken the events up to at_seq: without what is in quarantine.';
