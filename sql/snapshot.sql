-- Snapshots: a frozen subgraph, its signature, its object, its proof.
--
-- create_snapshot() freezes in one transaction; the sidecar signs, stores and reports back
-- (pending -> signed -> complete, or failed). Only complete is complete: signature and object durable.

-- ---------------------------------------------------------------- freezing

CREATE FUNCTION reason.freeze_subgraph(division text, root_nos bigint[], root_ids uuid[], depth integer, direction text, audience text,
    description text, manifest_signature_id text, include_annotations boolean, pii boolean, log jsonb,
    OUT no bigint, OUT id uuid, OUT created_at timestamptz, OUT graph_version text, OUT hash text, OUT size_bytes bigint,
    OUT node_count bigint, OUT edge_count bigint, OUT canonicalise_began timestamptz, OUT canonicalise_ended timestamptz,
    OUT canonicalise_us bigint, OUT hash_began timestamptz, OUT hash_ended timestamptz, OUT hash_us bigint)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_freeze_subgraph';
COMMENT ON FUNCTION reason.freeze_subgraph(text, bigint[], uuid[], integer, text, text, text, text, boolean, boolean, jsonb) IS
    'Writes the canonical document of a subgraph into snapshot_chunk while hashing it. Everything is seen by one MVCC snapshot; memory does not grow with the subgraph.';

CREATE FUNCTION reason.frozen_log(division text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    size bigint := reason.tree_size($1);
BEGIN
    RETURN jsonb_build_object('origin', reason.current_origin($1), 'size', size,
                              'root', translate(encode(reason.tree_root($1, size), 'base64'), E'\n', ''));
END
$$;
COMMENT ON FUNCTION reason.frozen_log(text) IS 'The log of a division as it stands, as snapshots name it: what is frozen afterwards has seen its events.';

CREATE FUNCTION reason.refuse_old_view(most interval) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' AND transaction_timestamp() < clock_timestamp() - most THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_transaction_state',
            MESSAGE = format('cannot freeze what a transaction of isolation level %s saw more than %s ago', current_setting('transaction_isolation'), most),
            DETAIL = 'The snapshot would be dated later than what it holds.',
            HINT = 'Freeze in a new transaction.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.refuse_old_view(interval) IS 'Raises 25000 in a transaction that would freeze an old state of the graph as that of now.';

CREATE FUNCTION reason.create_snapshot_for(roots uuid[], depth integer, direction text, audience text, description text,
    include_annotations boolean, division text, manifest_signature_id text, pii boolean, divisions text[],
    requested_by text, request_id text, request json) RETURNS uuid
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    root record;
    root_ids uuid[];
    root_nos bigint[];
    found_division text;
    candidates text[];
    missing uuid;
    frozen_log jsonb;
    frozen record;
    earlier reason.snapshot;
BEGIN
    IF coalesce(cardinality(roots), 0) NOT BETWEEN 1 AND 32 OR array_position(roots, NULL) IS NOT NULL OR array_ndims(roots) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a snapshot has 1 to 32 roots';
    END IF;
    PERFORM reason.refuse_in_safe_mode(reason.safe_mode_fault());
    IF $2 NOT BETWEEN 0 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'depth must be from 0 to 10000';
    END IF;
    IF $3 NOT IN ('ancestors', 'descendants') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'direction must be "ancestors" or "descendants"';
    END IF;
    IF length($4) NOT BETWEEN 1 AND 255 OR length($5) > 4096 OR length($8) > 255 OR length($12) > 255 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'audience is empty, or audience, description, manifest_signature_id or request_id is too long';
    END IF;

    -- What the document may not hold is not asked for either: its header is compared with this row.
    IF NOT $9 THEN
        audience := reason.redact_text($4);
        description := reason.redact_text($5);
    END IF;

    SELECT array_agg(DISTINCT r ORDER BY r) INTO root_ids FROM unnest(roots) r;
    -- An id may exist in several divisions; all roots must be found in one.
    SELECT d.division, d.nos, d.candidates INTO found_division, root_nos, candidates
    FROM (SELECT n.division, array_agg(n.no ORDER BY n.no) AS nos, array_agg(n.division) OVER (ORDER BY n.division ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS candidates
          FROM reason.node n
          WHERE n.id = ANY (root_ids) AND ('*' = ANY (divisions) OR n.division = ANY (divisions)) AND ($7 IS NULL OR n.division = $7)
            AND n.no NOT IN (SELECT q FROM reason.quarantined_numbers() q)
          GROUP BY n.division
          HAVING count(*) = cardinality(root_ids)) d
    -- The default division wins, as where traces begin.
    ORDER BY d.division <> 'default' LIMIT 1;
    IF cardinality(candidates) > 1 AND found_division <> 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the roots exist in several divisions',
            DETAIL = jsonb_build_object('divisions', candidates), HINT = 'Name the division.';
    END IF;
    IF found_division IS NULL THEN
        SELECT r INTO missing FROM unnest(root_ids) r
        WHERE NOT EXISTS (SELECT FROM reason.node n WHERE n.id = r
                          AND ('*' = ANY (divisions) OR n.division = ANY (divisions)) AND ($7 IS NULL OR n.division = $7)
                          AND n.no NOT IN (SELECT q FROM reason.quarantined_numbers() q))
        LIMIT 1;
        IF missing IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('node "%s" does not exist', missing);
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the roots lie in different divisions',
            HINT = 'Make a snapshot for each division.';
    END IF;

    IF $12 IS NOT NULL THEN
        -- The second of two equal requests waits for the first.
        PERFORM reason.lock_until_commit(jsonb_build_array('snapshot', $11, $12)::text);
        SELECT * INTO earlier FROM reason.snapshot s WHERE s.division = found_division AND s.requested_by = $11 AND s.request_id = $12;
        IF FOUND THEN
            IF (earlier.root_ids, earlier.depth, earlier.direction, earlier.audience, earlier.description, earlier.include_annotations,
                earlier.manifest_signature_id, earlier.pii_included)
               IS DISTINCT FROM (root_ids, $2, $3, $4, $5, $6, $8, $9) THEN
                RAISE EXCEPTION USING ERRCODE = 'unique_violation',
                    MESSAGE = format('request "%s" was for another snapshot', $12);
            END IF;
            RETURN earlier.id;
        END IF;
    END IF;

    PERFORM reason.fence_freezing(found_division);
    PERFORM reason.refuse_old_view('1 minute');
    -- First the log, then the records: whatever the log holds has been written by then.
    frozen_log := reason.frozen_log(found_division);
    SELECT * INTO frozen FROM reason.freeze_subgraph(found_division, root_nos, root_ids, $2, $3, $4, $5, $8, $6, $9, frozen_log);
    INSERT INTO reason.snapshot (no, id, division, root_ids, depth, direction, audience, description, include_annotations, pii_included,
        manifest_signature_id, graph_version, created_at, request_id, requested_by, hash, size_bytes, node_count, edge_count, log)
    VALUES (frozen.no, frozen.id, found_division, root_ids, $2, $3, $4, $5, $6, $9,
        $8, frozen.graph_version, frozen.created_at, $12, $11, frozen.hash, frozen.size_bytes, frozen.node_count, frozen.edge_count, frozen_log);
    INSERT INTO reason.snapshot_request (snapshot_no, division, request, canonicalise_began, canonicalise_ended, canonicalise_us,
        hash_began, hash_ended, hash_us)
    VALUES (frozen.no, found_division, $13, frozen.canonicalise_began, frozen.canonicalise_ended, frozen.canonicalise_us,
        frozen.hash_began, frozen.hash_ended, frozen.hash_us);
    PERFORM reason.ring();
    RETURN frozen.id;
END
$$;
COMMENT ON FUNCTION reason.create_snapshot_for(uuid[], integer, text, text, text, boolean, text, text, boolean, text[], text, text, json) IS
    'create_snapshot() for a caller known by name: divisions that he may see ({*}: all), whether he may see personal data, his request''s id, and the request as events record it.';

CREATE FUNCTION reason.create_snapshot(roots uuid[], depth integer DEFAULT NULL, direction text DEFAULT 'ancestors',
    audience text DEFAULT 'internal', description text DEFAULT NULL, include_annotations boolean DEFAULT false,
    division text DEFAULT NULL, manifest_signature_id text DEFAULT NULL, include_pii boolean DEFAULT true, request_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.create_snapshot_for($1, coalesce($2, 10), $3, $4, $5, coalesce($6, false), $7, $8, coalesce($9, true),
        reason.visible_divisions_of(reason.calling_role()), reason.calling_role(), $10, reason.sql_request())
$$;
COMMENT ON FUNCTION reason.create_snapshot(uuid[], integer, text, text, text, boolean, text, text, boolean, text) IS
    'Freezes what led to the roots (ancestors) or what came of them (descendants), up to depth edges away (default 10, at most 10000), as one canonical document; returns the snapshot''s id. The sidecar signs and stores it. The same request_id gives the same snapshot.';

-- ---------------------------------------------------------------- finding and reading

CREATE FUNCTION reason.snapshot_of(p_id uuid) RETURNS reason.snapshot
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    SELECT * INTO s FROM reason.snapshot WHERE id = p_id AND reason.division_visible(division);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', p_id);
    END IF;
    RETURN s;
END
$$;
COMMENT ON FUNCTION reason.snapshot_of(uuid) IS 'The snapshot, if the current role may see its division; else P0002.';

CREATE FUNCTION reason.snapshot_with_document(p_id uuid) RETURNS reason.snapshot
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot := reason.snapshot_of(p_id);
BEGIN
    PERFORM reason.require_document(s);
    RETURN s;
END
$$;
COMMENT ON FUNCTION reason.snapshot_with_document(uuid) IS 'As snapshot_of(); P0002 as well when the document was erased.';

CREATE FUNCTION reason.snapshot_chunk(id uuid, n integer) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- The sidecar stores every division's snapshots; the gateway's functions have asked for the division already.
    SELECT c.bytes FROM reason.snapshot s JOIN reason.snapshot_chunk c ON c.snapshot_no = s.no AND c.division = s.division
    WHERE s.id = $1 AND c.chunk = $2
      AND (pg_has_role(reason.calling_role(), 'reason_sidecar', 'USAGE') OR pg_has_role(reason.calling_role(), 'reason_gateway', 'USAGE')
           OR ARRAY[s.division, '*'] && reason.visible_divisions_of(reason.calling_role()))
$$;
COMMENT ON FUNCTION reason.snapshot_chunk(uuid, integer) IS 'The nth MiB of a snapshot''s document, n from 0; NULL beyond its end.';

CREATE FUNCTION reason.snapshot_document(id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot := reason.snapshot_with_document($1);
BEGIN
    -- PostgreSQL: a value holds less than 1 GB, and gathering it takes as much again.
    IF s.size_bytes > 1000000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
            MESSAGE = format('the document of snapshot "%s" has %s bytes, more than one value can hold', s.id, s.size_bytes),
            HINT = format('Read it in pieces: reason.snapshot_chunk(id, n), n from 0 to %s.', (s.size_bytes - 1) / 1048576);
    END IF;
    RETURN (SELECT convert_from(string_agg(c.bytes, ''::bytea ORDER BY c.chunk), 'UTF8') FROM reason.snapshot_chunk c
            WHERE c.snapshot_no = s.no AND c.division = s.division);
END
$$;
COMMENT ON FUNCTION reason.snapshot_document(uuid) IS 'The signed bytes of a snapshot: canonical JSON whose SHA-256 is the snapshot''s hash.';

CREATE FUNCTION reason.snapshot_envelope(id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot := reason.snapshot_of($1);
BEGIN
    IF s.signature IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('snapshot "%s" is %s, not signed yet', s.id, s.status);
    END IF;
    RETURN reason.snapshot_document($1)::jsonb || jsonb_build_object(
        'snapshot_bytes_canonical_hash', encode(decode(s.hash, 'hex'), 'base64'),
        'signer_kid', s.signer_id,
        'signature', translate(encode(s.signature, 'base64'), E'\n', ''));
END
$$;
COMMENT ON FUNCTION reason.snapshot_envelope(uuid) IS 'The document with its hash, signature and signer: all that a verifier needs besides the public key.';

-- ---------------------------------------------------------------- the sidecar's part

CREATE FUNCTION reason.claim_snapshots(lease_token bigint, max integer DEFAULT 1)
RETURNS TABLE (id uuid, division text, status text, hash text, size_bytes bigint, chunks integer, signer_id text, signature bytea,
               object_key text, ts text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('snapshot', lease_token);
    RETURN QUERY
    SELECT s.id, s.division, s.status, s.hash, s.size_bytes, ((s.size_bytes + 1048575) / 1048576)::integer, s.signer_id, s.signature,
           format('snapshots/%s/%s.json', s.division, s.id), reason.rfc3339(coalesce(s.signed_at, s.created_at))
    FROM reason.snapshot s
    WHERE s.status IN ('pending', 'signed') AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= clock_timestamp())
    ORDER BY s.next_attempt_at NULLS FIRST, s.no
    LIMIT max;
END
$$;
COMMENT ON FUNCTION reason.claim_snapshots(bigint, integer) IS
    'Snapshots that wait to be signed (pending) or stored (signed), the longest waiting first. ts: when it was signed, or made if it is not signed yet.';

CREATE FUNCTION reason.record_snapshot_signature(lease_token bigint, id uuid, signer_id text, signature bytea) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    key bytea;
    s reason.snapshot;
BEGIN
    PERFORM reason.check_lease('snapshot', lease_token);
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $2 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', $2);
    END IF;
    IF s.status IN ('signed', 'complete') AND s.signer_id = $3 AND s.signature = $4 THEN
        RETURN reason.rfc3339(s.signed_at);
    END IF;
    IF s.status <> 'pending' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('snapshot "%s" is %s, not pending', $2, s.status);
    END IF;
    key := reason.signing_key($3);
    IF NOT reason.ed25519_verify(key, decode(s.hash, 'hex'), $4) THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('the signature of snapshot "%s" is not that of signer "%s"', $2, $3),
            HINT = 'Compare the signer''s key with reason.signer_registry().';
    END IF;
    UPDATE reason.snapshot x SET status = 'signed', signer_id = $3, signature = $4, signed_at = clock_timestamp(),
        next_attempt_at = NULL, failure = NULL
    WHERE x.no = s.no AND x.division = s.division RETURNING * INTO s;
    RETURN reason.rfc3339(s.signed_at);
END
$$;
COMMENT ON FUNCTION reason.record_snapshot_signature(bigint, uuid, text, bytea) IS
    'pending -> signed, once the signature is verified against the registry. May be repeated. Returns when it was signed.';

CREATE FUNCTION reason.snapshot_state(s reason.snapshot) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'id', $1.id, 'no', $1.no::text, 'hash', $1.hash, 'sizeBytes', $1.size_bytes, 'nodeCount', $1.node_count, 'edgeCount', $1.edge_count,
        'requestedBy', $1.requested_by, 'requestId', $1.request_id, 'status', $1.status, 'signerId', $1.signer_id,
        'signature', translate(encode($1.signature, 'base64'), E'\n', ''), 'signedAt', reason.recorded_time($1.signed_at),
        'objectUri', $1.object_uri, 'objectVersion', $1.object_version, 'completedAt', reason.recorded_time($1.completed_at),
        'attempts', $1.attempts, 'nextAttemptAt', reason.recorded_time($1.next_attempt_at), 'failure', $1.failure))
$$;
COMMENT ON FUNCTION reason.snapshot_state(reason.snapshot) IS 'What of a snapshot is not in its document, as its events record it.';

CREATE FUNCTION reason.snapshot_event(s reason.snapshot) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('snapshot', reason.snapshot_state($1))
           || coalesce((SELECT jsonb_build_object('request', q.request) FROM reason.snapshot_request q
                        WHERE q.snapshot_no = $1.no AND q.division = $1.division), '{}')
$$;
COMMENT ON FUNCTION reason.snapshot_event(reason.snapshot) IS 'What the events of a snapshot say: its state, and the request that made it.';

CREATE FUNCTION reason.record_snapshot_stored(lease_token bigint, id uuid, object_uri text, object_version text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    PERFORM reason.check_lease('snapshot', lease_token);
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $2 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', $2);
    END IF;
    IF s.status = 'complete' AND s.object_uri = $3 THEN
        RETURN;
    END IF;
    IF s.status <> 'signed' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('snapshot "%s" is %s, not signed', $2, s.status);
    END IF;
    -- A key that was revoked in between must not complete anything.
    PERFORM FROM reason.signer g WHERE g.signer_id = s.signer_id AND (g.revoked_at IS NULL OR g.revoked_at > s.signed_at);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('signer "%s" of snapshot "%s" is revoked', s.signer_id, $2),
            HINT = 'reason.retry_snapshot() has it signed anew.';
    END IF;
    s.status := 'complete';
    s.object_uri := $3;
    s.object_version := $4;
    s.completed_at := clock_timestamp();
    s.next_attempt_at := NULL;
    s.failure := NULL;
    s.audit_event_id := reason.append_event(s.division, 'snapshot.completed', reason.snapshot_event(s));
    UPDATE reason.snapshot x SET status = s.status, object_uri = s.object_uri, object_version = s.object_version,
        completed_at = s.completed_at, next_attempt_at = NULL, failure = NULL, audit_event_id = s.audit_event_id
    WHERE x.no = s.no AND x.division = s.division;
END
$$;
COMMENT ON FUNCTION reason.record_snapshot_stored(bigint, uuid, text, text) IS
    'signed -> complete, with event snapshot.completed: the object with exactly the signed bytes is durable. May be repeated.';

CREATE FUNCTION reason.record_snapshot_failure(lease_token bigint, id uuid, reason text, give_up boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    PERFORM reason.check_lease('snapshot', lease_token);
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $2 AND x.status IN ('pending', 'signed') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    s.attempts := s.attempts + 1;
    s.failure := left($3, 2000);
    IF give_up THEN
        s.status := 'failed';
        s.next_attempt_at := NULL;
        PERFORM reason.append_event(s.division, 'snapshot.failed', reason.snapshot_event(s));
    ELSE
        -- 1, 2, 4 ... seconds, five minutes at most
        s.next_attempt_at := clock_timestamp() + make_interval(secs => least(300, power(2, least(s.attempts - 1, 20))));
    END IF;
    UPDATE reason.snapshot x SET status = s.status, attempts = s.attempts, failure = s.failure, next_attempt_at = s.next_attempt_at
    WHERE x.no = s.no AND x.division = s.division;
END
$$;
COMMENT ON FUNCTION reason.record_snapshot_failure(bigint, uuid, text, boolean) IS
    'An attempt failed: it is tried again after 1, 2, 4 ... 300 seconds, or, when given up, the snapshot is failed, with event snapshot.failed.';

CREATE FUNCTION reason.retry_snapshot(id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    granted text[] := reason.visible_divisions_of(reason.calling_role());
    s reason.snapshot;
    still_good boolean;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $1 AND ('*' = ANY (granted) OR x.division = ANY (granted)) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', $1);
    END IF;
    IF s.status = 'complete' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('snapshot "%s" is complete', $1);
    END IF;
    PERFORM reason.require_document(s);
    still_good := EXISTS (SELECT FROM reason.signer g WHERE g.signer_id = s.signer_id AND (g.revoked_at IS NULL OR g.revoked_at > s.signed_at));
    UPDATE reason.snapshot x SET
        status = CASE WHEN still_good THEN 'signed' ELSE 'pending' END,
        signer_id = CASE WHEN still_good THEN x.signer_id END,
        signature = CASE WHEN still_good THEN x.signature END,
        signed_at = CASE WHEN still_good THEN x.signed_at END,
        attempts = 0, next_attempt_at = NULL, failure = NULL
    WHERE x.no = s.no AND x.division = s.division;
    PERFORM reason.ring();
END
$$;
COMMENT ON FUNCTION reason.retry_snapshot(uuid) IS 'Has a failed or waiting snapshot tried again at once; signed anew if its signer was revoked meanwhile.';

-- ---------------------------------------------------------------- verifying

CREATE FUNCTION reason.check_document(snapshot_no bigint, division text, document text, end_seq bigint,
    OUT hash text, OUT size_bytes bigint, OUT header json, OUT node_count bigint, OUT edge_count bigint, OUT form_fault text, OUT graph_fault text)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'reason_check_document';
COMMENT ON FUNCTION reason.check_document(bigint, text, text, bigint) IS
    'Reads a snapshot''s document once, from its chunks (document NULL) or as given: its hash, its members without the records, and what is wrong in it or with the rows it froze, left out or added. end_seq: the place of the event that completed it, NULL while it has none.';

CREATE FUNCTION reason.snapshot_end_seq(s reason.snapshot) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT a.seq FROM reason.audit_event e JOIN reason.audit_seal a ON a.event_no = e.no AND a.division = e.division
    WHERE e.id = $1.audit_event_id AND e.division = $1.division
$$;
COMMENT ON FUNCTION reason.snapshot_end_seq(reason.snapshot) IS 'The place in the chain of the event that completed a snapshot, NULL while it has none: what was frozen stands before it.';

CREATE FUNCTION reason.snapshot_log_fault(s reason.snapshot) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    named_size bigint := CASE WHEN $1.log ->> 'size' ~ '^[0-9]{1,16}$' THEN ($1.log ->> 'size')::bigint END;
    later bigint;
BEGIN
    IF $1.log IS NULL THEN
        -- Documents from before there were logs stay as they are; there are none after one that names its log.
        RETURN (SELECT format('snapshot "%s": it names no log, though the snapshot "%s" before it does', $1.id, x.id)
                FROM reason.snapshot x WHERE x.division = $1.division AND x.no < $1.no AND x.log IS NOT NULL ORDER BY x.no LIMIT 1);
    END IF;
    IF NOT EXISTS (SELECT FROM reason.log_origins($1.division) o WHERE o.origin = $1.log ->> 'origin') THEN
        RETURN format('snapshot "%s": it names log "%s", which is none of division "%s"', $1.id, $1.log ->> 'origin', $1.division);
    END IF;
    IF (named_size <= reason.tree_size($1.division)) IS NOT TRUE THEN
        RETURN format('snapshot "%s": it names %s events of the log, which has %s', $1.id, $1.log ->> 'size', reason.tree_size($1.division));
    END IF;
    IF translate(encode(reason.tree_root($1.division, named_size), 'base64'), E'\n', '') IS DISTINCT FROM $1.log ->> 'root' THEN
        RETURN format('snapshot "%s": the log has another root at size %s', $1.id, named_size);
    END IF;
    -- What a witness saw before it was frozen was signed by then. Ten minutes: the witness has a clock of its own. One that
    -- says that it saw an event before it was written proves nothing.
    SELECT max(w.size) INTO later
    FROM reason.audit_cosignature w JOIN reason.audit_seal a ON a.division = w.division AND a.seq = w.size - 1
    WHERE w.division = $1.division AND w.origin = $1.log ->> 'origin'
      AND to_timestamp(w.timestamp) BETWEEN a.created_at AND $1.created_at - interval '10 minutes' AND w.size > named_size;
    IF later > named_size THEN
        RETURN format('snapshot "%s": it names %s events of the log, of which a witness saw %s before it was frozen', $1.id, named_size, later);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.snapshot_log_fault(reason.snapshot) IS
    'What of the log that a snapshot names is not so: an origin of its division, a size that the log has, the root that it has at that size, and nothing older than what a witness had seen. NULL when nothing.';

CREATE FUNCTION reason.snapshot_log_remark(s reason.snapshot) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE WHEN $1.log IS NULL THEN 'it was frozen before snapshots named their log: what it may leave out cannot be seen'
                ELSE (SELECT format('the events from %s on were not signed yet when it was frozen, though the first of them was written at %s: what it may leave out of them cannot be seen',
                                    a.seq, reason.rfc3339(a.created_at))
                      FROM reason.audit_seal a
                      WHERE a.division = $1.division AND a.seq = ($1.log ->> 'size')::bigint AND a.created_at < $1.created_at - interval '10 minutes') END
$$;
COMMENT ON FUNCTION reason.snapshot_log_remark(reason.snapshot) IS
    'What should be known of the log that a snapshot names: it names none, or one that lagged behind by more than ten minutes. NULL when nothing.';

CREATE FUNCTION reason.snapshot_records(snapshot_no bigint, division text, OUT kind text, OUT id uuid, OUT digest bytea)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 10000
AS 'MODULE_PATHNAME', 'reason_snapshot_records';
COMMENT ON FUNCTION reason.snapshot_records(bigint, text) IS 'The records in a snapshot''s document: kind, id, digest.';

CREATE FUNCTION reason.signature_fault(p_signer_id text, p_signature bytea, p_hash text, earliest timestamptz, latest timestamptz, vouched boolean,
    OUT fault text, OUT status text, OUT remark text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.signer;
    validity text;
BEGIN
    SELECT * INTO s FROM reason.signer WHERE signer_id = p_signer_id;
    IF NOT FOUND THEN
        fault := format('signer "%s" is not registered', p_signer_id);
        RETURN;
    END IF;
    status := s.status;
    validity := reason.key_validity(s.valid_from, s.valid_to, s.status = 'revoked' OR s.revoked_at IS NOT NULL, s.revoked_at, earliest, latest, vouched,
        s.purpose <> 'events');
    fault := CASE
        WHEN p_hash !~ '^[0-9a-f]{64}$' THEN 'the hash is none that SHA-256 gives'
        WHEN reason.ed25519_verify(s.public_key, decode(p_hash, 'hex'), p_signature) IS NOT TRUE
            THEN format('the signature is not that of signer "%s" over the hash', p_signer_id)
        WHEN validity = 'other purpose' THEN format('signer "%s" is registered for %s, and signs no snapshots', p_signer_id, s.purpose)
        WHEN validity = 'not valid yet' THEN format('signer "%s" was not valid before %s', p_signer_id, reason.rfc3339(s.valid_from))
        WHEN validity = 'no longer valid' THEN format('signer "%s" was valid only to %s', p_signer_id, reason.rfc3339(s.valid_to))
        WHEN validity = 'revoked' THEN format('signer "%s" was revoked as of %s, before it signed: %s', p_signer_id,
            reason.rfc3339(s.revoked_at), s.revocation_reason)
        END;
    IF fault IS NULL AND validity = 'counted then' THEN
        remark := format('signer "%s" was revoked as of %s, after it signed: %s', p_signer_id, reason.rfc3339(s.revoked_at), s.revocation_reason);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.signature_fault(text, bytea, text, timestamptz, timestamptz, boolean) IS
    'Why a signature made between two times does not count (NULL: it does; key_validity() has the rule), the signer''s status, and what should be known all the same.';

CREATE FUNCTION reason.snapshot_row_fault(s reason.snapshot, header json, size_bytes bigint, node_count bigint, edge_count bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT format('snapshot "%s": column %s is not what the document says', $1.id, c)
    FROM (SELECT CASE
        WHEN $1.id::text IS DISTINCT FROM $2 ->> 'id' THEN 'id'
        WHEN to_json($1.root_ids)::text IS DISTINCT FROM ($2 -> 'root_ids')::text THEN 'root_ids'
        WHEN reason.recorded_time($1.created_at) IS DISTINCT FROM $2 ->> 'created_at' THEN 'created_at'
        WHEN $1.graph_version IS DISTINCT FROM $2 ->> 'reasoning_graph_version' THEN 'graph_version'
        WHEN $1.manifest_signature_id IS DISTINCT FROM $2 ->> 'manifest_signature_id' THEN 'manifest_signature_id'
        WHEN $1.depth::text IS DISTINCT FROM $2 -> 'payload' ->> 'depth' THEN 'depth'
        WHEN $1.direction IS DISTINCT FROM $2 -> 'payload' ->> 'direction' THEN 'direction'
        WHEN $1.audience IS DISTINCT FROM $2 -> 'payload' ->> 'audience' THEN 'audience'
        WHEN $1.description IS DISTINCT FROM $2 -> 'payload' ->> 'description' THEN 'description'
        WHEN $1.include_annotations IS DISTINCT FROM ($2 -> 'payload' -> 'annotations' IS NOT NULL) THEN 'include_annotations'
        WHEN $1.pii_included::text IS DISTINCT FROM $2 -> 'payload' ->> 'pii_included' THEN 'pii_included'
        WHEN $1.log IS DISTINCT FROM ($2 -> 'payload' -> 'log')::jsonb THEN 'log'
        WHEN $1.size_bytes IS DISTINCT FROM $3 THEN 'size_bytes'
        WHEN $1.node_count IS DISTINCT FROM $4 THEN 'node_count'
        WHEN $1.edge_count IS DISTINCT FROM $5 THEN 'edge_count' END) f (c)
    WHERE c IS NOT NULL
$$;
COMMENT ON FUNCTION reason.snapshot_row_fault(reason.snapshot, json, bigint, bigint, bigint) IS 'The first column of a snapshot''s row that its document contradicts.';

CREATE FUNCTION reason.snapshot_event_fault(event json, p_division text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    recorded jsonb := event -> 'snapshot';
    s reason.snapshot;
    member text;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.id::text = recorded ->> 'id' AND x.division = p_division;
    IF NOT FOUND THEN
        RETURN format('snapshot "%s": its row is missing', recorded ->> 'id');
    END IF;
    IF s.audit_event_id::text IS DISTINCT FROM event ->> 'id' THEN
        RETURN format('snapshot "%s": column audit_event_id names another event', s.id);
    END IF;
    SELECT coalesce(a.key, b.key) INTO member
    FROM jsonb_each(recorded) a FULL JOIN jsonb_each(reason.snapshot_state(s)) b USING (key)
    WHERE a.value IS DISTINCT FROM b.value LIMIT 1;
    IF FOUND THEN
        RETURN format('snapshot "%s": column %s is not as recorded', s.id, lower(regexp_replace(member, '([A-Z])', E'_\\1', 'g')));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.snapshot_event_fault(json, text) IS 'What in a snapshot''s row does not agree with its event snapshot.completed; NULL when nothing.';

CREATE FUNCTION reason.snapshot_proof(id uuid,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot := reason.snapshot_of($1);
    d record;
    g record;
    form_fault text;
    graph_fault text;
    row_fault text;
    document_remark text;
BEGIN
    stored_hash := s.hash;
    IF s.erased_event_id IS NULL THEN
        SELECT * INTO d FROM reason.check_document(s.no, s.division, NULL, reason.snapshot_end_seq(s));
        computed_hash := d.hash;
        hash_ok := s.hash = d.hash;
        graph_ok := d.graph_fault IS NULL;
        form_fault := d.form_fault;
        graph_fault := d.graph_fault;
        IF d.header IS NOT NULL THEN
            row_fault := coalesce(reason.snapshot_row_fault(s, d.header, d.size_bytes, d.node_count, d.edge_count), reason.snapshot_log_fault(s));
            document_remark := CASE WHEN row_fault IS NULL THEN reason.snapshot_log_remark(s) END;
        END IF;
    ELSE
        -- Of a document that was erased, its hash can still be proved: signed, and recorded in the chain.
        document_remark := reason.erased_document_remark(s);
        row_fault := reason.erased_document_fault(s);
    END IF;
    IF row_fault IS NULL AND s.status = 'complete' THEN
        row_fault := coalesce((SELECT coalesce(reason.snapshot_event_fault(e.payload, s.division), '') FROM reason.audit_event e
                               WHERE e.id = s.audit_event_id AND e.division = s.division AND e.event_type = 'snapshot.completed'),
                              format('snapshot "%s": column audit_event_id names no event snapshot.completed', s.id));
        row_fault := NULLIF(row_fault, '');
    END IF;
    signer_id := s.signer_id;
    IF s.signature IS NULL THEN
        signature_ok := false;
        SELECT format('snapshot "%s" is %s, not signed', s.id, s.status) AS fault, NULL::text AS status, NULL::text AS remark INTO g;
    ELSE
        SELECT * INTO g FROM reason.signature_fault(s.signer_id, s.signature, coalesce(computed_hash, s.hash), s.signed_at, s.signed_at, true);
        signature_ok := g.fault IS NULL;
    END IF;
    signer_status := g.status;
    ok := hash_ok IS NOT FALSE AND signature_ok AND graph_ok IS NOT FALSE AND row_fault IS NULL AND form_fault IS NULL;
    detail := coalesce(
        CASE WHEN NOT hash_ok THEN format('snapshot_chunk of snapshot "%s": the bytes do not give the hash%s', s.id, coalesce('; ' || form_fault, '')) END,
        g.fault, format('snapshot "%s": ', s.id) || form_fault, row_fault, graph_fault, concat_ws('; ', g.remark, document_remark));
    detail := NULLIF(detail, '');
END
$$;
COMMENT ON FUNCTION reason.snapshot_proof(uuid) IS 'As verify_snapshot(), but of a snapshot that is not complete yet what can be proved of it so far.';

CREATE FUNCTION reason.verify_snapshot(id uuid,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT p.ok AND s.status = 'complete', p.hash_ok, p.signature_ok, p.signer_id, p.signer_status, p.graph_ok, p.stored_hash, p.computed_hash,
           CASE WHEN p.ok AND s.status <> 'complete'
                THEN format('snapshot "%s" is %s, not complete', s.id, s.status) || coalesce(': ' || s.failure, '') ELSE p.detail END
    FROM reason.snapshot_of($1) s, reason.snapshot_proof(s.id) p
$$;
COMMENT ON FUNCTION reason.verify_snapshot(uuid) IS
    'Proves a complete snapshot: its bytes give its hash, the hash is signed by a key that counted then, every node, edge and annotation in it is in the graph as an event recorded it, and it holds all that was signed when it was frozen and nothing that was not known then. detail says what is wrong first, or what should be known all the same. What is not complete is never ok. If its document was erased, hash_ok, graph_ok and computed_hash are NULL, as there are no bytes to look at; ok then speaks of signature, chain and erasure.';

CREATE FUNCTION reason.verify_snapshot_document(document text, signature text, INOUT signer_id text,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    known reason.snapshot;
    d record;
    g record;
    row_fault text;
    made_at timestamptz;
    given_signature bytea;
BEGIN
    BEGIN
        SELECT * INTO known FROM reason.snapshot s WHERE s.id = ($1::json ->> 'id')::uuid AND reason.division_visible(s.division);
        made_at := ($1::json ->> 'created_at')::timestamptz;
        given_signature := decode($2, 'base64');
    EXCEPTION WHEN data_exception THEN
        -- What cannot be read is judged below, by its hash and signature.
        given_signature := coalesce(given_signature, ''::bytea);
    END;
    SELECT * INTO d FROM reason.check_document(NULL, known.division, $1, reason.snapshot_end_seq(known));
    computed_hash := d.hash;
    stored_hash := known.hash;
    hash_ok := known.hash = d.hash;
    IF known.id IS NOT NULL AND d.header IS NOT NULL THEN
        row_fault := coalesce(reason.snapshot_row_fault(known, d.header, d.size_bytes, d.node_count, d.edge_count), reason.snapshot_log_fault(known));
        graph_ok := d.graph_fault IS NULL;
    END IF;
    SELECT * INTO g FROM reason.signature_fault($3, given_signature, d.hash, coalesce(known.signed_at, made_at),
                                                coalesce(known.signed_at, clock_timestamp()), known.signed_at IS NOT NULL);
    signature_ok := g.fault IS NULL;
    signer_status := g.status;
    ok := signature_ok AND d.form_fault IS NULL AND row_fault IS NULL AND coalesce(hash_ok, true) AND coalesce(graph_ok, true);
    detail := coalesce(g.fault, d.form_fault,
        CASE WHEN NOT hash_ok THEN format('snapshot "%s" of this database has another hash', known.id) END,
        row_fault, d.graph_fault, g.remark,
        CASE WHEN known.id IS NULL THEN 'this database has no such snapshot; the records were not compared with the graph' END);
END
$$;
COMMENT ON FUNCTION reason.verify_snapshot_document(text, text, text) IS
    'Proves a document that was brought along: signature (base64) by that signer, and, where the snapshot is known here, its row and the graph. The fields are those of verify_snapshot().';

CREATE FUNCTION reason.verify_snapshot(id uuid, document text, signature text,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT v.ok AND s.hash = v.computed_hash AND s.status = 'complete', s.hash = v.computed_hash, v.signature_ok, v.signer_id, v.signer_status,
           v.graph_ok, s.hash, v.computed_hash,
           CASE WHEN s.hash <> v.computed_hash THEN format('the document is not that of snapshot "%s"', s.id)
                WHEN v.ok AND s.status <> 'complete' THEN format('snapshot "%s" is %s, not complete', s.id, s.status)
                ELSE v.detail END
    FROM reason.snapshot_of($1) s, reason.verify_snapshot_document($2, $3, s.signer_id) v
$$;
COMMENT ON FUNCTION reason.verify_snapshot(uuid, text, text) IS 'Proves a document and a signature (base64) that were brought along against the snapshot of that id.';

-- ---------------------------------------------------------------- comparing

CREATE FUNCTION reason.snapshot_diff(a uuid, b uuid, OUT kind text, OUT id uuid, OUT change text, OUT digest_a text, OUT digest_b text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(x.kind, y.kind), coalesce(x.id, y.id),
           CASE WHEN x.id IS NULL THEN 'added' WHEN y.id IS NULL THEN 'missing' ELSE 'changed' END,
           encode(x.digest, 'hex'), encode(y.digest, 'hex')
    FROM (SELECT r.* FROM reason.snapshot_with_document($1) s, reason.snapshot_records(s.no, s.division) r) x
    FULL JOIN (SELECT r.* FROM reason.snapshot_with_document($2) s, reason.snapshot_records(s.no, s.division) r) y
        ON x.kind = y.kind AND x.id = y.id
    WHERE x.digest IS DISTINCT FROM y.digest
    ORDER BY 1 DESC, 2
$$;
COMMENT ON FUNCTION reason.snapshot_diff(uuid, uuid) IS 'Nodes, edges and annotations that are only in b (added), only in a (missing), or in both with different digests (changed).';

CREATE FUNCTION reason.snapshots_holding(record uuid, OUT id uuid, OUT status text, OUT object_uri text) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT s.id, s.status, s.object_uri FROM reason.snapshot s
    WHERE reason.division_visible(s.division)
      AND EXISTS (SELECT FROM reason.snapshot_records(s.no, s.division) r WHERE r.id = $1)
    ORDER BY s.no
$$;
COMMENT ON FUNCTION reason.snapshots_holding(uuid) IS
    'Snapshots whose document holds a node, edge or annotation: where a content that is to be erased was frozen. Reads every document.';
