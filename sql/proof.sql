-- Proofs that an event is in its division's log, each in one text that anybody can verify alone: https://c2sp.org/tlog-proof
--
-- The extra data are the event as the archive has it, without content: the bytes that were hashed, and what they hold of
-- names and times. So a proof is for those who may see the whole record.

CREATE FUNCTION reason.event_line(division text, seq bigint) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    RETURN (SELECT reason.canonical_json(json_build_object('id', v.id, 'eventType', v.event_type, 'payload', v.payload, 'prevHash', v.prev_hash,
        'hash', v.hash, 'signature', v.signature, 'signerId', v.signer_id, 'ts', reason.rfc3339(v.ts), 'division', v.division,
        'seq', v.seq, 'metadata', v.metadata))
    FROM reason.audit_events v WHERE v.division = $1 AND v.seq = $2);
END
$$;
COMMENT ON FUNCTION reason.event_line(text, bigint) IS 'A signed event as a line of canonical JSON, without its content: as in the archive, but for the end of the line.';

CREATE FUNCTION reason.covering_checkpoint(division text, seq bigint, OUT size bigint, OUT note text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    named text := (SELECT reason.log_origin_of(i.prefix, $1, i.epoch) FROM reason.log_identity() i);
BEGIN
    -- The newest that a witness has seen says more than a newer one.
    SELECT w.size INTO size FROM reason.audit_cosignature w WHERE w.division = $1 AND w.origin = named ORDER BY w.size DESC LIMIT 1;
    IF (size > $2) IS NOT TRUE THEN
        SELECT g.size INTO size FROM reason.audit_checkpoint_signature g WHERE g.division = $1 AND g.origin = named AND g.size > $2
        ORDER BY g.size DESC LIMIT 1;
    END IF;
    SELECT g.note || coalesce((SELECT string_agg(reason.cosignature_line(w.witness, w.key_id, w.timestamp, w.signature), '' ORDER BY w.witness, w.key_id)
                               FROM reason.audit_cosignature w WHERE w.division = $1 AND w.origin = named AND w.size = g.size), '')
    INTO note
    FROM reason.audit_checkpoint_signature g WHERE g.division = $1 AND g.origin = named AND g.size = covering_checkpoint.size
    ORDER BY g.signer_id LIMIT 1;
END
$$;
COMMENT ON FUNCTION reason.covering_checkpoint(text, bigint) IS
    'The newest checkpoint that a witness has cosigned, if it covers the event, else the newest of all: its size, and its note with cosignatures. NULL when none covers the event yet.';

CREATE FUNCTION reason.tlog_proof(extra text, index bigint, path bytea[], note text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT E'c2sp.org/tlog-proof@v1\nextra ' || translate(encode(convert_to($1, 'UTF8'), 'base64'), E'\n', '') || E'\nindex ' || $2 || E'\n'
        || coalesce((SELECT string_agg(encode(p.hash, 'base64') || E'\n', '' ORDER BY p.place) FROM unnest($3) WITH ORDINALITY p (hash, place)), '')
        || E'\n' || $4
$$;
COMMENT ON FUNCTION reason.tlog_proof(text, bigint, bytea[], text) IS 'The text of a proof (https://c2sp.org/tlog-proof): extra data, index, inclusion proof, signed checkpoint.';

CREATE FUNCTION reason.proof_of(e reason.audit_event) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    seq bigint := (SELECT s.seq FROM reason.audit_seal s WHERE s.event_no = $1.no AND s.division = $1.division);
    covering record := reason.covering_checkpoint($1.division, seq);
BEGIN
    RETURN CASE WHEN covering.note IS NOT NULL THEN
        reason.tlog_proof(reason.event_line($1.division, seq), seq, reason.inclusion_proof($1.division, seq, covering.size), covering.note) END;
END
$$;
COMMENT ON FUNCTION reason.proof_of(reason.audit_event) IS 'The proof that an event is in its log; NULL while no checkpoint covers it.';

-- ---------------------------------------------------------------- which event

CREATE FUNCTION reason.event_held_back(e reason.audit_event) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- An edge goes with its ends, an annotation with its node.
    SELECT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = $1.division AND NOT q.released AND q.record_no = ANY (CASE $1.event_type
        WHEN 'edge.created' THEN (SELECT ARRAY[$1.no, d.from_no, d.to_no] FROM reason.edge d WHERE d.no = $1.no AND d.division = $1.division)
        WHEN 'annotation.created' THEN (SELECT ARRAY[$1.no, a.target_no] FROM reason.annotation a WHERE a.no = $1.no AND a.division = $1.division)
        ELSE ARRAY[$1.no] END))
$$;
COMMENT ON FUNCTION reason.event_held_back(reason.audit_event) IS 'Whether an event recorded what is in quarantine.';

CREATE FUNCTION reason.event_named(id uuid, divisions text[], inspects boolean, division text) RETURNS reason.audit_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_events reason.audit_event[];
BEGIN
    SELECT array_agg(e ORDER BY e.division <> 'default', e.division IS DISTINCT FROM divisions[1], e.division) INTO found_events
    FROM reason.audit_event e
    WHERE e.id = $1 AND ARRAY[e.division, '*'] && divisions AND ($4 IS NULL OR e.division = $4)
      AND (inspects OR e.event_type IN ('node.created', 'edge.created', 'annotation.created') AND NOT reason.event_held_back(e));
    IF found_events IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('event "%s" does not exist', $1);
    END IF;
    IF cardinality(found_events) > 1 AND found_events[1].division NOT IN ('default', divisions[1]) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('event "%s" exists in several divisions', $1),
            DETAIL = jsonb_build_object('divisions', (SELECT array_agg(f.division) FROM unnest(found_events) f)), HINT = 'Name the division.';
    END IF;
    RETURN found_events[1];
END
$$;
COMMENT ON FUNCTION reason.event_named(uuid, text[], boolean, text) IS
    'The event of an id in these divisions ({*}: all): default''s, or else that of the first of them, should several have it. inspects: whether to see events of what is in quarantine, and those that recorded no node, edge or annotation.';

CREATE FUNCTION reason.node_event(node uuid, divisions text[], quarantined boolean, division text) RETURNS reason.audit_event
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT e FROM (SELECT reason.node_json(id => $1, divisions => $2, redact => false, quarantined => $3, division => $4, "limit" => 1)::json -> 'node' AS found OFFSET 0) n
    JOIN reason.audit_event e ON e.id = (n.found ->> 'auditEventId')::uuid AND e.division = n.found ->> 'division'
$$;
COMMENT ON FUNCTION reason.node_event(uuid, text[], boolean, text) IS 'The event that recorded a node: which one is meant, and who sees it, is as with node_json().';

-- ---------------------------------------------------------------- for auditors

CREATE FUNCTION reason.proof_or_wait(e reason.audit_event) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    proof text := reason.proof_of($1);
BEGIN
    IF proof IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('no checkpoint covers event "%s" yet', $1.id),
            HINT = 'The sidecar signs and publishes checkpoints every so often: ask again.';
    END IF;
    RETURN proof;
END
$$;
COMMENT ON FUNCTION reason.proof_or_wait(reason.audit_event) IS 'proof_of(), or 55000 while no checkpoint covers the event.';

CREATE FUNCTION reason.event_proof(event uuid, division text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.proof_or_wait(reason.event_named($1, reason.visible_divisions_of(reason.calling_role()), true, $2)) $$;
COMMENT ON FUNCTION reason.event_proof(uuid, text) IS
    'The proof that an event is in its division''s log, in one text (https://c2sp.org/tlog-proof): the event without its content, its index, the path to the root, and a signed checkpoint with its cosignatures. 55000 while no checkpoint covers it.';

CREATE FUNCTION reason.node_proof(node uuid, division text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.proof_or_wait(reason.node_event($1, reason.visible_divisions_of(reason.calling_role()), true, $2)) $$;
COMMENT ON FUNCTION reason.node_proof(uuid, text) IS 'event_proof() of the event that recorded a node.';

-- ---------------------------------------------------------------- a decision's bundle

CREATE FUNCTION reason.http_zip(names text[], bodies bytea[]) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_http_zip';
COMMENT ON FUNCTION reason.http_zip(text[], bytea[]) IS 'A ZIP archive of files, stored as they are.';

CREATE FUNCTION reason.proof_bundle(node uuid, depth integer, most integer, divisions text[], quarantined boolean, division text) RETURNS bytea
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    decision reason.audit_event := reason.node_event($1, $4, $5, $6);
    trace json := reason.trace_json(node => $1, depth => $2, "limit" => $3, redact => false, divisions => $4, quarantined => $5, division => decision.division)::json;
    found_events uuid[];
    frozen reason.snapshot;
    last_seq bigint;
    covering record;
    names text[];
    bodies bytea[];
BEGIN
    IF trace ->> 'nextCursor' IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('the trace has more than %s nodes, or more edges than a page of it', $3),
            HINT = 'Ask for a smaller depth, or for proofs one at a time.';
    END IF;
    SELECT array_agg(r.id) INTO found_events
    FROM (SELECT (s -> 'node' ->> 'auditEventId')::uuid FROM json_array_elements(trace -> 'steps') s
          UNION ALL SELECT (e ->> 'auditEventId')::uuid FROM json_array_elements(trace -> 'edges') e
          UNION ALL SELECT a.audit_event_id FROM json_array_elements(trace -> 'steps') s
                    JOIN reason.node n ON n.id = (s -> 'node' ->> 'id')::uuid AND n.division = decision.division
                    JOIN reason.annotation a ON a.target_no = n.no AND a.division = n.division
                    WHERE $5 OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = a.division AND q.record_no = a.no AND NOT q.released)) r (id);
    -- The newest snapshot of it that is complete, and its completion.
    SELECT * INTO frozen FROM reason.snapshot s
    WHERE s.division = decision.division AND $1 = ANY (s.root_ids) AND s.status = 'complete' AND s.erased_event_id IS NULL AND s.size_bytes <= 33554432
    ORDER BY s.no DESC LIMIT 1;
    IF EXISTS (SELECT FROM reason.audit_seal p JOIN reason.audit_event e ON e.no = p.event_no AND e.division = p.division
               WHERE e.division = decision.division AND e.id = frozen.audit_event_id) THEN
        found_events := found_events || frozen.audit_event_id;
    ELSE
        frozen := NULL;
    END IF;
    SELECT max(coalesce(p.seq, 9223372036854775806)) INTO last_seq FROM unnest(found_events) w (id)
    LEFT JOIN reason.audit_event e ON e.division = decision.division AND e.id = w.id
    LEFT JOIN reason.audit_seal p ON p.event_no = e.no AND p.division = e.division;
    covering := reason.covering_checkpoint(decision.division, last_seq);
    IF covering.note IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(f.name ORDER BY f.place, f.name), array_agg(f.body ORDER BY f.place, f.name) INTO names, bodies
    FROM (SELECT 1 AS place, 'README.txt' AS name, convert_to(format(
                     E'Node %s of division %s, and what led to it up to %s edges away.\n\n'
                     '*.tlog-proof    the event of each record (and of a snapshot''s completion): that it is in the log, at which place\n'
                     'checkpoint      the head of the log that all of them are proved against, as it was signed\n'
                     '%s\nVerify with the registry of keys, which you have from elsewhere, and a policy if there are witnesses:\n\n'
                     '    reason-verify --registry signers.json *.tlog-proof%s\n', $1, decision.division, $2,
                     CASE WHEN frozen.id IS NOT NULL THEN E'snapshot-*.json the newest snapshot of it that is complete, with its signature\n' ELSE '' END,
                     CASE WHEN frozen.id IS NOT NULL THEN ' snapshot-*.json' ELSE '' END), 'UTF8') AS body
          UNION ALL SELECT 2, 'checkpoint', convert_to(covering.note, 'UTF8')
          UNION ALL SELECT 3, format('snapshot-%s.json', frozen.id), convert_to(reason.snapshot_envelope(frozen.id)::text, 'UTF8') WHERE frozen.id IS NOT NULL
          UNION ALL SELECT 4, format('%s-%s.tlog-proof', split_part(e.event_type, '.', 1), reason.event_payload(e) #>> ARRAY[split_part(e.event_type, '.', 1), 'id']),
                           convert_to(reason.tlog_proof(reason.event_line(e.division, p.seq), p.seq, reason.inclusion_proof(e.division, p.seq, covering.size), covering.note), 'UTF8')
                    FROM unnest(found_events) w (id) JOIN reason.audit_event e ON e.division = decision.division AND e.id = w.id
                    JOIN reason.audit_seal p ON p.event_no = e.no AND p.division = e.division) f;
    RETURN reason.http_zip(names, bodies);
END
$$;
COMMENT ON FUNCTION reason.proof_bundle(uuid, integer, integer, text[], boolean, text) IS
    'A ZIP archive for whoever wants a decision proved: a proof for the node, each node, edge and annotation of what led to it, the checkpoint of all of them, and the newest complete snapshot of it. NULL while no checkpoint covers all of them; 54000 for more nodes than most.';
