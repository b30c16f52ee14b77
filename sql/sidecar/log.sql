-- What the sidecar reads of the log before it signs: hashes, and never a root. It computes roots by itself.

CREATE FUNCTION reason.log_sizes(division text DEFAULT NULL) RETURNS TABLE (division text, sealed bigint, signed bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    WITH RECURSIVE chain AS (
        (SELECT s.division FROM reason.audit_seal s WHERE $1 IS NULL ORDER BY s.division LIMIT 1)
        UNION ALL
        SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT c.division,
           1 + (SELECT s.seq FROM reason.audit_seal s WHERE s.division = c.division ORDER BY s.seq DESC LIMIT 1),
           1 + coalesce((SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division ORDER BY g.seq DESC LIMIT 1), -1)
    FROM (SELECT d.division FROM chain d WHERE $1 IS NULL AND d.division IS NOT NULL
          UNION ALL SELECT $1 WHERE EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = $1)) c
$$;
COMMENT ON FUNCTION reason.log_sizes(text) IS 'How many events are sealed, and signed, of a division or of each.';

CREATE FUNCTION reason.log_hashes(division text, level integer, first bigint, count integer) RETURNS bytea
LANGUAGE c STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_log_hashes';
COMMENT ON FUNCTION reason.log_hashes(text, integer, bigint, integer) IS
    'Hashes from index first on, one after the other, as many as there are without a gap: of seals at level 0, of complete subtrees of 256^level leaves above.';

CREATE FUNCTION reason.log_signatures(division text, seqs bigint[]) RETURNS TABLE (seq bigint, hash bytea, signer_id text, signature bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT u.seq, s.hash, g.signer_id, g.signature
    FROM unnest($2) u (seq)
    LEFT JOIN LATERAL (SELECT a.hash FROM reason.audit_seal a WHERE a.division = $1 AND a.seq = u.seq OFFSET 0) s ON true
    LEFT JOIN LATERAL (SELECT a.signer_id, a.signature FROM reason.audit_signature a WHERE a.division = $1 AND a.seq = u.seq OFFSET 0) g ON true
$$;
COMMENT ON FUNCTION reason.log_signatures(text, bigint[]) IS 'Hashes and signatures of some events; NULL where there is none.';

CREATE FUNCTION reason.report_log_fault(lease_token bigint, fault text, epoch integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.hold_lease('seal', lease_token);
    IF coalesce(fault, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a fault of the log needs a reason';
    END IF;
    -- Whoever ended safe mode is not overruled here: the sidecar goes on refusing until its operator accepts that as well. From
    -- then on it has the present names of the logs, and what it finds is another fault.
    PERFORM reason.change_safe_mode(fault, is_another => coalesce((SELECT i.epoch = $3 FROM reason.log_identity() i), false));
END
$$;
COMMENT ON FUNCTION reason.report_log_fault(bigint, text, integer) IS
    'The sidecar has found that this database does not extend what was signed: enters safe mode. epoch: the latest in the names of the logs that it remembers. Needs the lease of duty seal.';

-- ---------------------------------------------------------------- what a snapshot holds, compared with the log before it is signed

CREATE FUNCTION reason.log_records(division text, kind text, ids uuid[])
RETURNS TABLE (id uuid, seq bigint, prev_hash bytea, payload text, salt bytea, content text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT r.id, s.seq, coalesce(s.prev_hash, (SELECT p.hash FROM reason.audit_seal p WHERE p.division = $1 AND p.seq = s.seq - 1)), e.payload::text, r.salt, reason.canonical_json(r.payload)
    FROM unnest($3) u (id),
         LATERAL (SELECT n.no, n.id, n.salt, n.payload FROM reason.node n WHERE $2 = 'node' AND n.id = u.id AND n.division = $1
                  UNION ALL SELECT n.no, n.id, NULL, NULL FROM reason.edge n WHERE $2 = 'edge' AND n.id = u.id AND n.division = $1
                  UNION ALL SELECT n.no, n.id, n.salt, n.payload FROM reason.annotation n WHERE $2 = 'annotation' AND n.id = u.id AND n.division = $1) r,
         LATERAL (SELECT reason.event_payload(x) AS payload FROM reason.audit_event x WHERE x.no = r.no AND x.division = $1) e
         LEFT JOIN LATERAL (SELECT x.seq, x.prev_hash FROM reason.audit_seal x WHERE x.event_no = r.no AND x.division = $1 OFFSET 0) s ON true;
END
$$;
COMMENT ON FUNCTION reason.log_records(text, text, uuid[]) IS
    'For each node, edge or annotation (kind) its event, as it was hashed, with its place and the hash before it; and the content, if it is there. seq is NULL of what has no place yet.';

CREATE FUNCTION reason.released_within(division text, record_no bigint, size bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM reason.quarantine_release r JOIN reason.audit_seal s ON s.event_no = r.event_no AND s.division = r.division
                   WHERE r.division = $1 AND r.record_no = $2 AND s.seq < $3)
$$;
COMMENT ON FUNCTION reason.released_within(text, bigint, bigint) IS 'Whether a record in quarantine was released by one of the first size events of its division.';

CREATE FUNCTION reason.log_links(division text, ids uuid[], direction text, size bigint) RETURNS TABLE (node uuid, edge uuid, other uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT u.id, l.id, o.id
    FROM unnest($2) u (id)
    JOIN reason.node n ON n.id = u.id AND n.division = $1,
         LATERAL (SELECT e.no, e.id, e.from_no AS other_no FROM reason.edge e WHERE $3 = 'ancestors' AND e.to_no = n.no
                  UNION ALL SELECT e.no, e.id, e.to_no FROM reason.edge e WHERE $3 <> 'ancestors' AND e.from_no = n.no) l,
         LATERAL (SELECT x.id FROM reason.node x WHERE x.no = l.other_no AND x.division = $1) o,
         LATERAL (SELECT x.seq FROM reason.audit_seal x WHERE x.event_no = l.no AND x.division = $1) s
    WHERE s.seq < $4
      -- What is in quarantine is in no snapshot; nor need be what was released after the tree had this size.
      AND NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = $1 AND q.record_no IN (l.no, l.other_no) AND NOT reason.released_within($1, q.record_no, $4));
END
$$;
COMMENT ON FUNCTION reason.log_links(text, uuid[], text, bigint) IS
    'The edges that lead from these nodes in a direction, among the first size events of the division''s log: edge and the node at its other end.';

CREATE FUNCTION reason.log_annotations(division text, ids uuid[], size bigint) RETURNS TABLE (annotation uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT a.id
    FROM unnest($2) u (id)
    JOIN reason.node n ON n.id = u.id AND n.division = $1
    JOIN reason.annotation a ON a.target_no = n.no AND a.division = $1,
         LATERAL (SELECT x.seq FROM reason.audit_seal x WHERE x.event_no = a.no AND x.division = $1) s
    WHERE s.seq < $3
      AND NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = $1 AND q.record_no = a.no AND NOT reason.released_within($1, q.record_no, $3));
END
$$;
COMMENT ON FUNCTION reason.log_annotations(text, uuid[], bigint) IS 'The annotations of these nodes among the first size events of the division''s log.';
