-- Safe mode: a database that was restored to an earlier state seals and signs nothing.
--
-- After a recovery to an earlier point the archive and Kafka know events that the database has forgotten. Sealing others
-- in their places would fork the chains. So the leader of duty seal compares the chains with what is known outside
-- whenever it has connected anew, and lets nothing be sealed before. Where something is missing, safe mode is entered; it
-- is left once everything is there again: recover_event() and recover_segment() bring it.

CREATE TABLE reason.safe_mode (
    only_row    boolean     NOT NULL DEFAULT true,
    incarnation text,
    accepted    boolean     NOT NULL DEFAULT false,
    since       timestamptz,
    reason      text,
    CONSTRAINT safe_mode_pkey PRIMARY KEY (only_row),
    CONSTRAINT safe_mode_only_row_check CHECK (only_row),
    CONSTRAINT safe_mode_reason_check CHECK ((since IS NULL) = (reason IS NULL))
);
COMMENT ON TABLE reason.safe_mode IS 'Whether this database may have forgotten events that are known outside. Belongs to one running database: not dumped.';
COMMENT ON COLUMN reason.safe_mode.incarnation IS 'System identifier and timeline in which the chains were last found to be whole.';
COMMENT ON COLUMN reason.safe_mode.accepted IS 'An administrator has ended safe mode: in this incarnation nothing is compared any more, nor when another fault was mended since.';
COMMENT ON COLUMN reason.safe_mode.since IS 'When safe mode was entered; NULL outside of it.';

CREATE FUNCTION reason.incarnation() RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_incarnation';
COMMENT ON FUNCTION reason.incarnation() IS 'System identifier and timeline of this server: another one after a recovery to an earlier point, a promotion, or a copy. NULL on a standby.';

CREATE FUNCTION reason.announce_safe_mode() RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_announce_safe_mode';
COMMENT ON FUNCTION reason.announce_safe_mode() IS 'Has all sessions look at table safe_mode again before they write.';

CREATE FUNCTION reason.safe_mode_fault() RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT m.reason FROM (VALUES (1)) one LEFT JOIN reason.safe_mode m ON m.since IS NOT NULL
$$;
COMMENT ON FUNCTION reason.safe_mode_fault() IS 'What is missing here and known outside, in safe mode; else NULL.';

CREATE FUNCTION reason.sealing_fault() RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(m.reason, CASE WHEN m.incarnation <> reason.incarnation() THEN
        'this database was restored or promoted, and has not been compared yet with the events that are known outside' END)
    FROM (VALUES (1)) one LEFT JOIN reason.safe_mode m ON true
$$;
COMMENT ON FUNCTION reason.sealing_fault() IS 'Why nothing may be sealed, signed or sent now: safe mode, or the chains were not compared since a restore or a promotion. NULL when it may.';

CREATE FUNCTION reason.refuse_in_safe_mode(fault text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'cannot_connect_now', MESSAGE = format('safe mode: %s', fault), HINT = 'See the runbook ReasonSafeMode.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.refuse_in_safe_mode(text) IS 'Raises 57P03 when there is a fault.';

-- ---------------------------------------------------------------- comparing

CREATE FUNCTION reason.compared() RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE
        WHEN m.accepted AND m.incarnation = reason.incarnation() THEN 'accepted'
        WHEN m.since IS NOT NULL THEN 'safe mode'
        WHEN m.incarnation = reason.incarnation() THEN 'here'
        WHEN m.only_row IS NULL AND NOT EXISTS (SELECT FROM reason.audit_seal) THEN 'new'
        ELSE 'elsewhere' END
    FROM (VALUES (1)) one LEFT JOIN reason.safe_mode m ON true
$$;
COMMENT ON FUNCTION reason.compared() IS
    'Where the chains were compared last: here, new (there is none yet), accepted (an administrator wants no comparison, in safe mode for another fault either), elsewhere (before a restore, a promotion, a dump), or safe mode.';

CREATE FUNCTION reason.archive_mark(target text, division text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce((SELECT regexp_replace(a.object_prefix, '[^/]*$', '') FROM reason.archive_segment a
                     WHERE a.target = $1 AND a.division = $2 ORDER BY a.first_seq DESC LIMIT 1),
                    format('audit/%s/', $2))
$$;
COMMENT ON FUNCTION reason.archive_mark(text, text) IS 'Objects of the archive whose names come before this one are in its index.';

CREATE FUNCTION reason.unknown_segments(target text, segments text[]) RETURNS TABLE (object_prefix text, division text, first_seq bigint, last_seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT s.object_prefix, s.part[1], s.part[2]::bigint, s.part[3]::bigint
    FROM (SELECT p AS object_prefix, regexp_match(p, '^audit/([^/]+)/[0-9]{4}/[0-9]{2}/[0-9]{2}/([0-9]{1,18})-([0-9]{1,18})$') AS part FROM unnest($2) p) s
    WHERE s.part IS NOT NULL AND NOT EXISTS (SELECT FROM reason.archive_segment a WHERE a.target = $1 AND a.object_prefix = s.object_prefix)
    -- Signers that others need are in division system.
    ORDER BY s.part[1] <> 'system', s.part[1], s.part[2]::bigint
$$;
COMMENT ON FUNCTION reason.unknown_segments(text, text[]) IS 'Which segments that the archive holds are not in its index, not even planned; in the order in which they can be recovered.';

CREATE FUNCTION reason.chain_fault(target text, segments text[], divisions text[], seqs bigint[], hashes text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT coalesce(
        (SELECT format('the archive holds events %s to %s of division "%s", which this database does not know of', u.first_seq, u.last_seq, u.division)
         FROM reason.unknown_segments($1, $2) u LIMIT 1),
        (SELECT CASE WHEN s.hash IS NULL THEN format('archive or Kafka hold event %s of division "%s", which is not in this database', k.seq, k.division)
                     ELSE format('event %s of division "%s" is another one here than in archive or Kafka: the chain has forked', k.seq, k.division) END
         FROM unnest($3, $4, $5) k (division, seq, hash)
         LEFT JOIN LATERAL (SELECT a.hash FROM reason.audit_seal a WHERE a.division = k.division AND a.seq = k.seq OFFSET 0) s ON true
         WHERE encode(s.hash, 'hex') IS DISTINCT FROM k.hash LIMIT 1))
$$;
COMMENT ON FUNCTION reason.chain_fault(text, text[], text[], bigint[], text[]) IS
    'What is known outside (names of segments of the archive; last events of segments and of Kafka, by their hashes) and is missing here, or is another one; NULL when everything is here.';

CREATE FUNCTION reason.change_safe_mode(fault text, accepted boolean DEFAULT false, is_another boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    m reason.safe_mode;
    stands boolean;
BEGIN
    INSERT INTO reason.safe_mode DEFAULT VALUES ON CONFLICT DO NOTHING;
    SELECT * INTO m FROM reason.safe_mode FOR UPDATE;
    stands := coalesce(m.accepted AND m.incarnation = reason.incarnation(), false);
    -- Whoever has ended safe mode, perhaps while this waited for the row, is not overruled.
    IF fault IS NOT NULL AND stands AND NOT $3 THEN
        RETURN;
    END IF;
    -- What he accepted is still accepted when another fault was mended.
    stands := stands OR $2;
    IF fault IS NOT NULL AND m.since IS NULL THEN
        PERFORM reason.append_event('system', 'safemode.entered', jsonb_build_object('safeMode',
            jsonb_build_object('reason', fault, 'incarnation', reason.incarnation()), 'request', reason.sql_request()::jsonb));
    ELSIF fault IS NULL AND m.since IS NOT NULL THEN
        PERFORM reason.append_event('system', 'safemode.left', jsonb_build_object('safeMode',
            jsonb_build_object('reason', m.reason, 'since', reason.rfc3339(m.since), 'incarnation', reason.incarnation(), 'accepted', $2),
            'request', reason.sql_request()::jsonb));
    END IF;
    UPDATE reason.safe_mode s SET
        since = CASE WHEN fault IS NOT NULL THEN coalesce(s.since, clock_timestamp()) END,
        reason = fault,
        accepted = stands,
        incarnation = CASE WHEN fault IS NULL THEN reason.incarnation() ELSE s.incarnation END
    WHERE (s.reason, s.accepted, s.incarnation) IS DISTINCT FROM (fault, stands, CASE WHEN fault IS NULL THEN reason.incarnation() ELSE s.incarnation END);
    IF FOUND THEN
        PERFORM reason.announce_safe_mode();
    END IF;
END
$$;
COMMENT ON FUNCTION reason.change_safe_mode(text, boolean, boolean) IS 'Enters safe mode with a fault, leaves it without; each with its event in division system. Where an administrator has ended safe mode, only another fault than the one that he accepted enters it again, and what he accepted stands when that one is mended.';

CREATE FUNCTION reason.compare_chains(lease_token bigint, target text, segments text[], divisions text[], seqs bigint[], hashes text[],
    silent text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    before text := reason.compared();
    fault text := reason.chain_fault(target, segments, divisions, seqs, hashes);
BEGIN
    PERFORM reason.hold_lease('seal', lease_token);
    -- The log's own fault, if there is one, is mended: the sidecar compares nothing before that.
    IF before = 'accepted' THEN
        PERFORM reason.change_safe_mode(NULL);
        RETURN NULL;
    END IF;
    -- Where nothing points to a restore, those who do not answer hold nothing up.
    IF fault IS NULL AND before NOT IN ('here', 'new') THEN
        fault := CASE WHEN silent <> '' THEN format('the database was restored or promoted, and what is known outside cannot be asked: %s', silent)
                      ELSE (SELECT format('according to the chain the store holds "%s", which this database does not know of', f.object_key)
                            FROM reason.forgotten_snapshots() f LIMIT 1) END;
    END IF;
    PERFORM reason.change_safe_mode(fault);
    RETURN reason.safe_mode_fault();
END
$$;
COMMENT ON FUNCTION reason.compare_chains(bigint, text, text[], text[], bigint[], text[], text) IS
    'Compares the chains with what is known outside (archive, Kafka); enters safe mode and says why when something is missing, leaves it when nothing is. silent: who did not answer. Needs the lease of duty seal.';

CREATE FUNCTION reason.leave_safe_mode(reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF coalesce($1, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'leaving safe mode needs a reason';
    END IF;
    IF reason.safe_mode_fault() IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'there is no safe mode to leave';
    END IF;
    PERFORM reason.append_change('safemode.accepted', jsonb_build_object('safeMode', jsonb_build_object('reason', $1),
        'request', reason.sql_request()::jsonb));
    PERFORM reason.change_safe_mode(NULL, true);
    -- Checkpoints that were published may contradict the logs as they go on, so these get other
    -- names.
    PERFORM reason.begin_logs_anew();
END
$$;
COMMENT ON FUNCTION reason.leave_safe_mode(text) IS
    'Goes on with the chains as they are, and compares them no more until the next restore. What is known outside and missing here is lost for this database, and the chains fork where they were cut off: for what cannot be recovered only.';

-- ---------------------------------------------------------------- recovering what was forgotten

CREATE FUNCTION reason.replay_snapshot(recorded json, division text, event_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.id::text = recorded ->> 'id' AND x.division = $2 FOR UPDATE;
    -- One that was made later comes back with its document: restore_snapshot().
    IF NOT FOUND OR s.status = 'complete' OR s.erased_event_id IS NOT NULL THEN
        RETURN;
    END IF;
    IF s.hash IS DISTINCT FROM recorded ->> 'hash' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('snapshot "%s" is another one here', s.id);
    END IF;
    UPDATE reason.snapshot x SET status = CASE recorded ->> 'status' WHEN 'complete' THEN 'signed' ELSE 'failed' END,
        signer_id = recorded ->> 'signerId', signature = decode(recorded ->> 'signature', 'base64'),
        signed_at = (recorded ->> 'signedAt')::timestamptz, attempts = (recorded ->> 'attempts')::integer,
        failure = recorded ->> 'failure', next_attempt_at = NULL
    WHERE x.no = s.no AND x.division = s.division AND x.status <> 'failed';
    UPDATE reason.snapshot x SET status = 'signed' WHERE x.no = s.no AND x.division = s.division AND x.status = 'failed' AND recorded ->> 'status' = 'complete';
    UPDATE reason.snapshot x SET status = 'complete', signer_id = recorded ->> 'signerId', signature = decode(recorded ->> 'signature', 'base64'),
        signed_at = (recorded ->> 'signedAt')::timestamptz, attempts = (recorded ->> 'attempts')::integer, failure = recorded ->> 'failure',
        object_uri = recorded ->> 'objectUri', object_version = recorded ->> 'objectVersion',
        completed_at = (recorded ->> 'completedAt')::timestamptz, audit_event_id = event_id
    WHERE x.no = s.no AND x.division = s.division AND recorded ->> 'status' = 'complete';
END
$$;
COMMENT ON FUNCTION reason.replay_snapshot(json, text, uuid) IS 'For replay(): brings a snapshot that is here into the state that an event snapshot.completed or snapshot.failed recorded.';

CREATE FUNCTION reason.replay_erased_documents(erased json, division text, event_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    UPDATE reason.snapshot s SET erased_event_id = $3, status = CASE s.status WHEN 'complete' THEN 'complete' ELSE 'failed' END, next_attempt_at = NULL
    WHERE s.division = $2 AND s.erased_event_id IS NULL AND (erased -> 'snapshots')::jsonb ? s.id::text;
    DELETE FROM reason.snapshot_chunk c USING reason.snapshot s
    WHERE s.erased_event_id = $3 AND s.division = $2 AND c.snapshot_no = s.no AND c.division = s.division;
END
$$;
COMMENT ON FUNCTION reason.replay_erased_documents(json, text, uuid) IS 'For replay(): removes the documents that an event payload.erased removed.';

CREATE FUNCTION reason.is_arriving(division text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    RETURN $1 <> 'system' AND EXISTS (SELECT FROM reason.division_placement p WHERE p.division = $1);
END
$$;
COMMENT ON FUNCTION reason.is_arriving(text) IS 'Whether nobody but its chain may write to a division: its writes rest, or it lives in another cell. Then that chain may be brought here event by event.';

CREATE FUNCTION reason.recovery_fault(registry json, division text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    fault text;
BEGIN
    IF registry IS NOT NULL AND json_typeof(registry -> 'signers') IS DISTINCT FROM 'array' THEN
        RETURN 'the registry of signers has no array "signers"';
    END IF;
    IF division IS NOT NULL AND (registry IS NULL OR NOT reason.is_arriving(division)) THEN
        RETURN CASE WHEN registry IS NULL THEN 'a division is taken from another cell by the registry of signers of that cell'
                    ELSE format('division "%s" is not frozen here: freeze it first, so that nobody writes to it meanwhile', division) END;
    END IF;
    -- A database that was restored has keys to check by. An empty one would take the keys from the events,
    -- and so from whoever made them.
    IF registry IS NULL AND NOT EXISTS (SELECT FROM reason.safe_mode m WHERE m.incarnation IS NOT NULL) THEN
        RETURN 'this database has never known its chains to be whole: a registry of signers that was kept outside of it must say which keys count';
    END IF;
    SELECT format('signer "%s" has another key or purpose here than in the registry', s.signer_id) INTO fault
    FROM reason.signer s JOIN json_array_elements(registry -> 'signers') r ON r ->> 'signerId' = s.signer_id
    WHERE reason.public_key(r ->> 'publicKey') <> s.public_key OR coalesce(r ->> 'purpose', 'events') <> s.purpose LIMIT 1;
    -- Its own events would come after the recovered ones in the chain, and contradict them.
    IF fault IS NULL AND NOT EXISTS (SELECT FROM reason.audit_seal) THEN
        SELECT format('this database holds an event of its own, %s of division "%s", which nobody has sealed: rebuild into one as CREATE EXTENSION leaves it, where no signer is registered, for the chain registers them',
                      e.event_type, e.division) INTO fault
        FROM reason.audit_event e WHERE e.event_type NOT LIKE 'safemode.%' ORDER BY e.no LIMIT 1;
    END IF;
    RETURN fault;
END
$$;
COMMENT ON FUNCTION reason.recovery_fault(json, text) IS 'Why nothing can be recovered into this database with this registry of signers (what signer_registry() gave; NULL: none), or why not a division that comes from another cell; NULL when it can.';

CREATE FUNCTION reason.recover_event(event json, registry json DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    fault text;
    arrives boolean;
BEGIN
    arrives := reason.is_arriving(event ->> 'division');
    IF reason.safe_mode_fault() IS NULL AND NOT arrives THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'events are recovered in safe mode only, or into a division that is frozen';
    END IF;
    fault := reason.recovery_fault(registry, CASE WHEN reason.safe_mode_fault() IS NULL THEN event ->> 'division' END);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('cannot recover: %s', fault),
            HINT = 'See "Rebuilding into an empty database" in docs/for-operators/sidecar.md.';
    END IF;
    IF registry IS NULL AND NOT EXISTS (SELECT FROM reason.signer s WHERE s.signer_id = event ->> 'signerId') THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is signed by "%s", who is not registered', event ->> 'seq', event ->> 'division', event ->> 'signerId');
    END IF;
    RETURN reason.replay(event, registry);
END
$$;
COMMENT ON FUNCTION reason.recover_event(json, json) IS
    'In safe mode, or of a division that is frozen here: replays an event that the database has forgotten, or never had, once its signature is verified by the registry. Without one, in a database that was restored to an earlier state, by the signers that it knows. One that is sealed here and not signed gets its signature. False when it is here, signed.';

CREATE FUNCTION reason.recover_segment(target text, object_prefix text, object_uri text, object_version text, contents_uri text, contents_version text,
    events text, contents text, registry json DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    segment record;
    recovered bigint;
BEGIN
    SELECT u.division, u.first_seq, u.last_seq INTO segment FROM reason.unknown_segments($1, ARRAY[$2]) u;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT count(*) FILTER (WHERE reason.recover_event(w.event, $9)) INTO recovered
    FROM (SELECT ('{"content":' || coalesce((c.line::json -> 'content')::text, 'null') || ',' || substr(e.line, 2))::json AS event
          FROM unnest(string_to_array(rtrim($7, E'\n'), E'\n')) WITH ORDINALITY e (line, place)
          LEFT JOIN unnest(string_to_array(rtrim($8, E'\n'), E'\n')) c (line) ON c.line::json ->> 'id' = e.line::json ->> 'id'
          ORDER BY e.place OFFSET 0) w;
    IF NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = segment.division AND s.seq = segment.last_seq) THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('"%s.jsonl" does not hold what its name says', $2);
    END IF;
    INSERT INTO reason.archive_segment AS a (target, division, first_seq, last_seq, object_prefix, object_uri, object_version, object_hash,
        contents_uri, contents_version, archived_at)
    VALUES ($1, segment.division, segment.first_seq, segment.last_seq, $2, $3, nullif($4, ''), encode(sha256(convert_to($7, 'UTF8')), 'hex'),
        nullif($5, ''), nullif($6, ''), clock_timestamp());
    RETURN recovered;
END
$$;
COMMENT ON FUNCTION reason.recover_segment(text, text, text, text, text, text, text, text, json) IS
    'In safe mode: replays the events of a segment that the archive holds and its index has forgotten, and enters it there. Returns how many events, or their signatures, were missing.';

CREATE FUNCTION reason.chain_heads() RETURNS TABLE (division text, head_seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$ SELECT c.division, c.head_seq FROM reason.signed_chains() c $$;
COMMENT ON FUNCTION reason.chain_heads() IS 'signed_chains() for the sidecar: which events need not be recovered, as they are here and signed.';

CREATE FUNCTION reason.forgotten_snapshots() RETURNS TABLE (event_id uuid, division text, object_key text, object_version text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT e.id, e.division, format('snapshots/%s/%s.json', e.division, e.payload #>> '{snapshot,id}'), coalesce(e.payload #>> '{snapshot,objectVersion}', '')
    FROM reason.audit_event e
    WHERE e.event_type = 'snapshot.completed'
      AND NOT EXISTS (SELECT FROM reason.snapshot s WHERE s.id = (e.payload #>> '{snapshot,id}')::uuid AND s.division = e.division)
    ORDER BY e.no
$$;
COMMENT ON FUNCTION reason.forgotten_snapshots() IS 'Snapshots that were complete according to the chain and are not here: their objects have them.';

CREATE FUNCTION reason.forgotten_snapshot(event_id uuid, division text) RETURNS json
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    recorded json := (SELECT e.payload -> 'snapshot' FROM reason.audit_event e
                      WHERE e.id = $1 AND e.division = $2 AND e.event_type = 'snapshot.completed');
BEGIN
    IF reason.safe_mode_fault() IS NULL AND NOT reason.is_arriving($2) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'snapshots are recovered in safe mode only, or into a division that is frozen';
    END IF;
    IF recorded IS NULL OR EXISTS (SELECT FROM reason.snapshot s WHERE s.id::text = recorded ->> 'id' AND s.division = $2) THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('event "%s" of division "%s" completed no snapshot that is not here', $1, $2);
    END IF;
    RETURN recorded;
END
$$;
COMMENT ON FUNCTION reason.forgotten_snapshot(uuid, text) IS 'What the event recorded of a snapshot that the database has forgotten. Raises 55000 outside of safe mode, P0002 when there is no such event, or the snapshot is here.';

CREATE FUNCTION reason.restore_snapshot_chunk(event_id uuid, division text, n integer, bytes bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    INSERT INTO reason.snapshot_chunk (division, snapshot_no, chunk, bytes)
    VALUES ($2, (reason.forgotten_snapshot($1, $2) ->> 'no')::bigint, $3, $4);
END
$$;
COMMENT ON FUNCTION reason.restore_snapshot_chunk(uuid, text, integer, bytea) IS
    'In safe mode: the nth MiB, n from 0, of the document of a snapshot that the database has forgotten. Before restore_snapshot(), in the same transaction.';

CREATE FUNCTION reason.restore_snapshot(event_id uuid, division text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    recorded json := reason.forgotten_snapshot($1, $2);
    document record;
    d json;
    erased uuid;
    made reason.snapshot;
BEGIN
    SELECT c.hash, c.header INTO document FROM reason.check_document((recorded ->> 'no')::bigint, $2, NULL, NULL) c;
    IF document.hash IS DISTINCT FROM recorded ->> 'hash' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the document of snapshot "%s" is not what its event recorded', recorded ->> 'id');
    END IF;
    d := document.header;
    SELECT e.id INTO erased FROM reason.audit_event e
    WHERE e.division = $2 AND e.event_type = 'payload.erased' AND (e.payload #> '{erased,snapshots}')::jsonb ? (recorded ->> 'id');
    INSERT INTO reason.snapshot (no, id, division, status, root_ids, depth, direction, audience, description, include_annotations, pii_included,
        manifest_signature_id, graph_version, created_at, request_id, requested_by, hash, size_bytes, node_count, edge_count, signer_id,
        signature, signed_at, object_uri, object_version, completed_at, attempts, failure, audit_event_id, erased_event_id, log)
    VALUES ((recorded ->> 'no')::bigint, (recorded ->> 'id')::uuid, $2, 'complete', ARRAY(SELECT json_array_elements_text(d -> 'root_ids')::uuid),
        (d #>> '{payload,depth}')::integer, d #>> '{payload,direction}', d #>> '{payload,audience}', d #>> '{payload,description}',
        d #> '{payload,annotations}' IS NOT NULL, (d #>> '{payload,pii_included}')::boolean, d ->> 'manifest_signature_id',
        d ->> 'reasoning_graph_version', (d ->> 'created_at')::timestamptz, recorded ->> 'requestId', recorded ->> 'requestedBy',
        recorded ->> 'hash', (recorded ->> 'sizeBytes')::bigint, (recorded ->> 'nodeCount')::bigint, (recorded ->> 'edgeCount')::bigint,
        recorded ->> 'signerId', decode(recorded ->> 'signature', 'base64'), (recorded ->> 'signedAt')::timestamptz, recorded ->> 'objectUri',
        recorded ->> 'objectVersion', (recorded ->> 'completedAt')::timestamptz, (recorded ->> 'attempts')::integer, recorded ->> 'failure',
        $1, erased, (d #> '{payload,log}')::jsonb)
    RETURNING * INTO made;
    DELETE FROM reason.snapshot_chunk c WHERE erased IS NOT NULL AND c.snapshot_no = made.no AND c.division = $2;
    -- Its number must not be given out again.
    PERFORM setval('reason.record_no', made.no) FROM reason.record_no q WHERE q.last_value < made.no;
END
$$;
COMMENT ON FUNCTION reason.restore_snapshot(uuid, text) IS
    'In safe mode: brings back a complete snapshot that the database has forgotten, from the event that recorded it and the bytes that the object store holds, once restore_snapshot_chunk() has brought these.';
