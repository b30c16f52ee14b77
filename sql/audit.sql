-- The audit chain: sealing, signing, reading, verifying, erasing.

-- ---------------------------------------------------------------- sealing

CREATE FUNCTION reason.seal_events(lease_token bigint, max_events integer DEFAULT 1000) RETURNS integer
LANGUAGE c VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_seal_events';
COMMENT ON FUNCTION reason.seal_events(bigint, integer) IS
    'Gives committed events their place in the chain of their division; returns how many. Needs the lease of the duty seal. Signing comes after commit: order and hash are durable before anything is signed.';

CREATE FUNCTION reason.sealed_no() RETURNS bigint
LANGUAGE c STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_sealed_no';
COMMENT ON FUNCTION reason.sealed_no() IS 'Events up to this number that the query sees have their place in the chain, but for chains that have halted: the sealer would not come back for them.';

CREATE FUNCTION reason.sealed_no(division text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT least(reason.sealed_no(), (SELECT h.event_no - 1 FROM reason.halted_chain h WHERE h.division = $1))
$$;
COMMENT ON FUNCTION reason.sealed_no(text) IS 'The same for a division, whose chain may have halted.';

-- ---------------------------------------------------------------- signing
-- The join over division and seq must go through the index however the statistics of a young
-- table look: hence enable_seqscan.

CREATE FUNCTION reason.unsigned_seals_of(division text, max integer)
RETURNS TABLE (division text, seq bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT a.division, a.seq, a.hash FROM reason.audit_seal a
    WHERE a.division = $1
      AND a.seq > coalesce((SELECT g.seq FROM reason.audit_signature g WHERE g.division = $1 ORDER BY g.seq DESC LIMIT 1), -1)
    ORDER BY a.seq LIMIT $2
$$;
COMMENT ON FUNCTION reason.unsigned_seals_of(text, integer) IS 'unsigned_seals() of one chain.';

CREATE FUNCTION reason.sealed_divisions() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    WITH RECURSIVE chain AS (
        (SELECT s.division FROM reason.audit_seal s ORDER BY s.division LIMIT 1)
        UNION ALL
        SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT c.division FROM chain c WHERE c.division IS NOT NULL
$$;
COMMENT ON FUNCTION reason.sealed_divisions() IS 'Divisions that have a chain, in order.';

CREATE FUNCTION reason.unsigned_seals(max integer DEFAULT 1000)
RETURNS TABLE (division text, seq bigint, hash bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    found_division text;
    left_over integer := max;
    found integer;
BEGIN
    -- A chain's signatures have no gaps, so the last one says where to go on. Sorting keeps back all rows until the last is read.
    BEGIN
        RETURN QUERY
        WITH RECURSIVE chain AS (
            (SELECT s.division FROM reason.audit_seal s ORDER BY s.division LIMIT 1)
            UNION ALL
            SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
            FROM chain c WHERE c.division IS NOT NULL
        )
        SELECT q.division, q.seq, q.hash
        FROM (SELECT s.division, s.seq, s.hash
              FROM chain c,
                   LATERAL (SELECT coalesce((SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division
                                             ORDER BY g.seq DESC LIMIT 1), -1) AS seq) signed,
                   LATERAL (SELECT a.division, a.seq, a.hash FROM reason.audit_seal a
                            WHERE a.division = c.division AND a.seq > signed.seq ORDER BY a.seq LIMIT $1) s
              WHERE c.division IS NOT NULL
              LIMIT $1) q
        ORDER BY q.division, q.seq;
        RETURN;
    EXCEPTION WHEN data_corrupted OR index_corrupted OR io_error OR undefined_file THEN
        NULL;
    END;
    -- A page cannot be read: chain by chain then, without those that need it.
    FOR found_division IN SELECT d FROM reason.sealed_divisions() d LOOP
        BEGIN
            RETURN QUERY SELECT q.division, q.seq, q.hash FROM reason.unsigned_seals_of(found_division, left_over) q ORDER BY q.division, q.seq;
            GET DIAGNOSTICS found = ROW_COUNT;
            left_over := left_over - found;
        EXCEPTION WHEN data_corrupted OR index_corrupted OR io_error OR undefined_file THEN
            RAISE WARNING USING MESSAGE = format('nothing of division "%s" is signed: %s', found_division, SQLERRM),
                HINT = 'Other divisions are signed. See the runbook ReasonChainHalted.';
        END;
        EXIT WHEN left_over <= 0;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.unsigned_seals(integer) IS 'Hashes that are durable and wait for their signature, in the order of each chain.';

CREATE FUNCTION reason.read_unsigned_seals(division text, max integer, max_bytes bigint,
    OUT divisions text[], OUT seqs bigint[], OUT hashes bytea[], OUT payloads text[], OUT bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    -- An array holds what a row would only point to: what cannot be read is found out here.
    SELECT array_agg(w.division ORDER BY w.place), array_agg(w.seq ORDER BY w.place), array_agg(w.hash ORDER BY w.place), array_agg(w.payload ORDER BY w.place),
           max(w.bytes)
    FROM (SELECT u.division, u.seq, u.hash, e.payload, u.place, sum(octet_length(e.payload)) OVER (ORDER BY u.place) AS bytes
          FROM (SELECT a.*, row_number() OVER () AS place
                FROM (SELECT x.* FROM reason.unsigned_seals($2) x WHERE $1 IS NULL
                      UNION ALL SELECT x.* FROM reason.unsigned_seals_of($1, $2) x WHERE $1 IS NOT NULL) a) u
          LEFT JOIN LATERAL (SELECT reason.event_payload(x)::text AS payload FROM reason.audit_seal s JOIN reason.audit_event x ON x.no = s.event_no AND x.division = s.division
                             WHERE s.division = u.division AND s.seq = u.seq OFFSET 0) e ON true) w
    WHERE w.place = 1 OR w.bytes <= $3 OR w.bytes IS NULL
$$;
COMMENT ON FUNCTION reason.read_unsigned_seals(text, integer, bigint) IS
    'For unsigned_seals_with_events(): unsigned_seals() of one chain, or NULL: of all, with the payloads of their events as far as they have so many bytes together, but one at least.';

CREATE FUNCTION reason.unsigned_seals_with_events(max integer DEFAULT 1000)
RETURNS TABLE (division text, seq bigint, hash bytea, payload text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    -- Whoever signs holds them in memory.
    left_over bigint := 16777216;
    seals_left integer := max;
    found_division text;
    r record;
BEGIN
    BEGIN
        r := reason.read_unsigned_seals(NULL, $1, left_over);
        RETURN QUERY SELECT * FROM unnest(r.divisions, r.seqs, r.hashes, r.payloads);
        RETURN;
    EXCEPTION WHEN data_corrupted OR index_corrupted OR io_error OR undefined_file THEN
        NULL;
    END;
    -- An event cannot be read: chain by chain then, without those that need it.
    FOR found_division IN SELECT d FROM reason.sealed_divisions() d LOOP
        BEGIN
            r := reason.read_unsigned_seals(found_division, seals_left, left_over);
        EXCEPTION WHEN data_corrupted OR index_corrupted OR io_error OR undefined_file THEN
            RAISE WARNING USING MESSAGE = format('nothing of division "%s" is signed: %s', found_division, SQLERRM),
                HINT = 'Other divisions are signed. See the runbook ReasonChainHalted.';
            CONTINUE;
        END;
        RETURN QUERY SELECT * FROM unnest(r.divisions, r.seqs, r.hashes, r.payloads);
        seals_left := seals_left - coalesce(cardinality(r.seqs), 0);
        left_over := left_over - coalesce(r.bytes, 0);
        EXIT WHEN seals_left <= 0 OR left_over <= 0;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.unsigned_seals_with_events(integer) IS
    'unsigned_seals() with the event that each is of, as it was hashed, of 16 MiB together, so that the signer can see what the hash is of. payload is NULL where there is none.';

CREATE FUNCTION reason.record_seal_signatures(lease_token bigint, signer_id text, divisions text[], seqs bigint[], signatures bytea[])
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    key bytea;
    bad record;
    recorded integer;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    IF cardinality(divisions) <> cardinality(seqs) OR cardinality(seqs) <> cardinality(signatures) THEN
        RAISE EXCEPTION USING ERRCODE = 'array_subscript_error', MESSAGE = 'divisions, seqs and signatures must have the same length';
    END IF;
    key := reason.signing_key($2);
    SELECT u.division, u.seq, s.hash IS NULL AS missing INTO bad
    FROM unnest($3, $4, $5) u (division, seq, signature)
    LEFT JOIN LATERAL (SELECT a.hash FROM reason.audit_seal a WHERE a.division = u.division AND a.seq = u.seq OFFSET 0) s ON true
    WHERE s.hash IS NULL OR reason.ed25519_verify(key, s.hash, u.signature) IS NOT TRUE
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = CASE WHEN bad.missing THEN format('there is no seal %s in division "%s"', bad.seq, bad.division)
                           ELSE format('the signature of seal %s in division "%s" is not that of signer "%s"', bad.seq, bad.division, $2) END,
            HINT = 'Nothing was recorded. Compare the signer''s key with reason.signer_registry().';
    END IF;
    INSERT INTO reason.audit_signature (division, seq, signer_id, signature)
    SELECT u.division, u.seq, $2, u.signature FROM unnest($3, $4, $5) u (division, seq, signature)
    ON CONFLICT ON CONSTRAINT audit_signature_pkey DO NOTHING;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    -- A gap would hide what lies behind it from whoever looks for what is unsigned.
    SELECT u.division, u.seq INTO bad FROM unnest($3, $4) u (division, seq)
    WHERE u.seq > 0 AND NOT EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = u.division AND g.seq = u.seq - 1)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('seal %s in division "%s" is signed before the one before it', bad.seq, bad.division);
    END IF;
    RETURN recorded;
END
$$;
COMMENT ON FUNCTION reason.record_seal_signatures(bigint, text, text[], bigint[], bytea[]) IS
    'Records signatures of seals, each verified against the registry first; one that does not verify and nothing is recorded. May be repeated. Returns how many are new.';

-- ---------------------------------------------------------------- reading

CREATE VIEW reason.audit_events WITH (security_invoker = true, security_barrier = true) AS
SELECT e.id, s.division, s.seq, e.event_type, reason.event_payload(e) AS payload,
       CASE e.event_type
           WHEN 'node.created' THEN (
               SELECT jsonb_build_object('payload', n.payload, 'salt', encode(n.salt, 'base64'))
               FROM reason.node n WHERE n.no = e.no AND n.division = e.division AND n.salt IS NOT NULL)
           WHEN 'annotation.created' THEN (
               SELECT jsonb_build_object('payload', a.payload, 'salt', encode(a.salt, 'base64'))
               FROM reason.annotation a WHERE a.no = e.no AND a.division = e.division AND a.salt IS NOT NULL)
       END AS content,
       encode(coalesce(s.prev_hash, (SELECT p.hash FROM reason.audit_seal p WHERE p.division = s.division AND p.seq = s.seq - 1)), 'hex') AS prev_hash,
       encode(s.hash, 'hex') AS hash,
       translate(encode(g.signature, 'base64'), E'\n', '') AS signature,
       g.signer_id, e.ts, s.created_at, e.payload -> 'request' AS metadata
FROM reason.audit_seal s
JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division
JOIN reason.audit_signature g ON g.division = s.division AND g.seq = s.seq;
COMMENT ON VIEW reason.audit_events IS 'The audit chain: events that have their place, hash and signature. One chain a division, seq from 0 without gaps, created_at strictly increasing.';
COMMENT ON COLUMN reason.audit_events.payload IS 'The canonical bytes that are hashed: hash = SHA-256(payload || prev_hash).';
COMMENT ON COLUMN reason.audit_events.content IS 'Payload and salt of the node or annotation, outside the hash; NULL for other events, and once erased.';
COMMENT ON COLUMN reason.audit_events.signature IS 'Ed25519 over the 32 bytes of hash, base64.';
COMMENT ON COLUMN reason.audit_events.created_at IS 'greatest(ts, created_at of the event before + 1 microsecond).';
COMMENT ON COLUMN reason.audit_events.metadata IS 'The request that caused the event: client or role, requestId, traceparent.';

-- ---------------------------------------------------------------- verifying

CREATE FUNCTION reason.recorded_time(ts timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE WHEN $1 >= '0001-01-01 00:00:00+00' AND $1 < '10000-01-01 00:00:00+00' THEN reason.rfc3339($1)
                  ELSE pg_catalog.date_part('epoch', $1)::numeric::text END $$;
COMMENT ON FUNCTION reason.recorded_time(timestamptz) IS 'A time as events record it; one that none can record, in a row that was tampered with, differs from NULL and from every other.';

CREATE FUNCTION reason.verify_audit(division text DEFAULT 'default', from_seq bigint DEFAULT 0, to_seq bigint DEFAULT NULL,
    OUT ok boolean, OUT checked bigint, OUT head_seq bigint, OUT head_hash text, OUT first_bad_seq bigint, OUT detail text)
LANGUAGE c STABLE
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_verify_audit';
COMMENT ON FUNCTION reason.verify_audit(text, bigint, bigint) IS
    'Checks a chain: order, hashes, signatures, and that every node, edge and annotation is what its event recorded. detail names the first thing that is wrong. Over a whole chain (no bounds given) rows without an event are found too, and its log is verified.';

CREATE FUNCTION reason.audit_event_json(e reason.audit_events) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.canonical_json(json_build_object('id', $1.id, 'eventType', $1.event_type, 'payload', $1.payload, 'content', $1.content,
        'prevHash', $1.prev_hash, 'hash', $1.hash, 'signature', $1.signature, 'signerId', $1.signer_id, 'ts', reason.rfc3339($1.ts),
        'division', $1.division, 'seq', $1.seq, 'metadata', $1.metadata))
$$;
COMMENT ON FUNCTION reason.audit_event_json(reason.audit_events) IS 'An event as it goes to Kafka and into the archive: one line of canonical JSON.';
