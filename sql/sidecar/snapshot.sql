-- What the sidecar does for a snapshot: claim it, and record its signature, its object, or why it failed.

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

CREATE FUNCTION reason.pending_snapshot(id uuid) RETURNS TABLE (division text, hash text, size_bytes bigint, chunks integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT s.division, s.hash, s.size_bytes, ((s.size_bytes + 1048575) / 1048576)::integer
    FROM reason.snapshot s WHERE s.id = $1 AND s.status = 'pending' AND s.erased_event_id IS NULL
$$;
COMMENT ON FUNCTION reason.pending_snapshot(uuid) IS 'A snapshot that waits to be signed, as it is now; no row when it does not wait any more.';

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

CREATE FUNCTION reason.give_up_snapshot(id uuid, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    granted text[] := reason.visible_divisions_of(reason.calling_role());
    s reason.snapshot;
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'giving up a snapshot needs a reason';
    END IF;
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $1 AND ('*' = ANY (granted) OR x.division = ANY (granted)) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('snapshot "%s" does not exist', $1);
    END IF;
    IF s.status <> 'pending' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('snapshot "%s" is %s, not pending', $1, s.status);
    END IF;
    s.status := 'failed';
    s.failure := left($2, 2000);
    s.next_attempt_at := NULL;
    PERFORM reason.append_event(s.division, 'snapshot.failed', reason.snapshot_event(s));
    UPDATE reason.snapshot x SET status = s.status, failure = s.failure, next_attempt_at = NULL WHERE x.no = s.no AND x.division = s.division;
    PERFORM reason.ring();
END
$$;
COMMENT ON FUNCTION reason.give_up_snapshot(uuid, text) IS
    'A snapshot that waits for its signature is failed, with event snapshot.failed: for one that was altered, which the sidecar will not sign and stops at.';
