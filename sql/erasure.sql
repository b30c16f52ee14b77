-- Erasing: a content goes, wherever the database has it; what was proved about it stays proved.
--
-- Payload and salt of the row become NULL. A snapshot that was frozen earlier has the content among its
-- signed bytes, which cannot be altered: its document goes as a whole. Its hash and signature stay, and
-- its object stays in the store under its own retention, so that whoever has the bytes can still prove them.

-- ---------------------------------------------------------------- erasures and snapshots keep apart

CREATE FUNCTION reason.fence_freezing(division text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    INSERT INTO reason.erasure_fence (division) VALUES ($1) ON CONFLICT DO NOTHING;
    -- A transaction that is older than an erasure gets a serialization failure here.
    PERFORM FROM reason.erasure_fence f WHERE f.division = $1 FOR SHARE;
END
$$;
COMMENT ON FUNCTION reason.fence_freezing(text) IS
    'Waits for erasures in a division, and lets none begin until the transaction ends. What the next statement sees has been erased by all that came before.';

CREATE FUNCTION reason.fence_erasure(division text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_transaction_state',
            MESSAGE = format('cannot erase in a transaction of isolation level %s', current_setting('transaction_isolation')),
            DETAIL = 'It would not see snapshots that were made since it began.',
            HINT = 'Erase in a transaction of isolation level read committed.';
    END IF;
    INSERT INTO reason.erasure_fence AS f (division, erasures) VALUES ($1, 1)
    ON CONFLICT ON CONSTRAINT erasure_fence_pkey DO UPDATE SET erasures = f.erasures + 1;
END
$$;
COMMENT ON FUNCTION reason.fence_erasure(text) IS
    'Waits for snapshots that are being frozen in a division and for other erasures, and lets none begin until the transaction ends.';

-- ---------------------------------------------------------------- documents of snapshots

CREATE FUNCTION reason.snapshot_form_digest(s reason.snapshot) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT encode(reason.digest(to_jsonb($1) - '{status,signer_id,signature,signed_at,object_uri,object_version,completed_at,attempts,next_attempt_at,failure,audit_event_id,erased_event_id,created_at,log}'::text[]
                                || jsonb_build_object('created_at', reason.recorded_time($1.created_at))
                                || CASE WHEN $1.log IS NULL THEN '{}' ELSE jsonb_build_object('log', $1.log::text) END), 'hex')
$$;
COMMENT ON FUNCTION reason.snapshot_form_digest(reason.snapshot) IS
    'SHA-256, hex, of the canonical form of the columns that say what a snapshot froze: recorded when its document goes, which proved them until then.';

CREATE FUNCTION reason.erase_document(snapshot_no bigint, division text, event_id uuid, failure text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.no = $1 AND x.division = $2 FOR UPDATE;
    IF s.status <> 'complete' THEN
        IF s.status <> 'failed' THEN
            s.status := 'failed';
            s.failure := $4;
            s.next_attempt_at := NULL;
            PERFORM reason.append_event(s.division, 'snapshot.failed', reason.snapshot_event(s));
        END IF;
    END IF;
    UPDATE reason.snapshot x SET erased_event_id = $3, status = s.status, failure = s.failure, next_attempt_at = s.next_attempt_at
    WHERE x.no = $1 AND x.division = $2;
    DELETE FROM reason.snapshot_chunk c WHERE c.snapshot_no = $1 AND c.division = $2;
END
$$;
COMMENT ON FUNCTION reason.erase_document(bigint, text, uuid, text) IS
    'Removes the document of a snapshot, once an event payload.erased names it. A snapshot that is not complete fails for good, as there is nothing left to store.';

CREATE FUNCTION reason.require_document(s reason.snapshot) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    e record;
BEGIN
    IF s.erased_event_id IS NULL THEN
        RETURN;
    END IF;
    SELECT ts, payload #>> '{erased,reason}' AS why INTO e FROM reason.audit_event WHERE id = s.erased_event_id AND division = s.division;
    RAISE EXCEPTION USING ERRCODE = 'no_data_found',
        MESSAGE = format('the document of snapshot "%s" was erased at %s: %s', s.id, reason.rfc3339(e.ts), e.why),
        HINT = 'Its hash and signature are still here; its object is where object_uri says, as long as it is kept there.';
END
$$;
COMMENT ON FUNCTION reason.require_document(reason.snapshot) IS 'Raises P0002 when the document of a snapshot was erased.';

CREATE FUNCTION reason.erased_document_remark(s reason.snapshot) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT format('the document was erased at %s with the content of %s %s (%s); hash and signature stand, and its bytes can be proved where they are kept%s',
        reason.rfc3339(e.ts), e.payload #>> '{erased,kind}', e.payload #>> '{erased,id}', e.payload #>> '{erased,reason}', ': ' || $1.object_uri)
    FROM reason.audit_event e WHERE e.id = $1.erased_event_id AND e.division = $1.division
$$;
COMMENT ON FUNCTION reason.erased_document_remark(reason.snapshot) IS 'What should be known of a snapshot whose document was erased.';

CREATE FUNCTION reason.erased_document_fault(s reason.snapshot) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE
        WHEN NOT reason.erases_document($1.erased_event_id, $1.division, $1.id)
            THEN format('snapshot "%s": column erased_event_id names no event payload.erased that says so', $1.id)
        WHEN (SELECT e.payload #>> ARRAY['erased', 'snapshots', $1.id::text] FROM reason.audit_event e
              WHERE e.id = $1.erased_event_id AND e.division = $1.division) IS DISTINCT FROM reason.snapshot_form_digest($1)
            THEN format('snapshot "%s": its row is not what it was when its document was erased', $1.id)
        WHEN EXISTS (SELECT FROM reason.snapshot_chunk c WHERE c.snapshot_no = $1.no)
            THEN format('snapshot_chunk of snapshot "%s": the document was erased and is back', $1.id) END
$$;
COMMENT ON FUNCTION reason.erased_document_fault(reason.snapshot) IS 'What is wrong about a snapshot whose document is said to be erased; NULL when nothing.';

CREATE FUNCTION reason.erasure_event_fault(event json, p_division text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- A database that was rebuilt from its chain has no snapshots.
    SELECT CASE WHEN s.erased_event_id IS DISTINCT FROM ($1 ->> 'id')::uuid
                    THEN format('snapshot "%s": column erased_event_id does not name the event that removed its document', s.id)
                ELSE reason.erased_document_fault(s) END
    FROM json_object_keys(coalesce($1 #> '{erased,snapshots}', '{}')) WITH ORDINALITY named (id, place)
    JOIN reason.snapshot s ON s.id = named.id::uuid AND s.division = $2
    WHERE s.erased_event_id IS DISTINCT FROM ($1 ->> 'id')::uuid OR reason.erased_document_fault(s) IS NOT NULL
    ORDER BY named.place LIMIT 1
$$;
COMMENT ON FUNCTION reason.erasure_event_fault(json, text) IS 'What of the snapshots that an event payload.erased names is not gone; NULL when all is.';

-- ---------------------------------------------------------------- erasing

CREATE FUNCTION reason.erase_content(kind text, p_id uuid, why text, division text) RETURNS uuid
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    granted text[] := reason.visible_divisions_of(reason.calling_role());
    found_divisions text[];
    event_id uuid;
    holding jsonb;
BEGIN
    IF coalesce(why, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'an erasure needs a reason';
    END IF;
    IF kind = 'node' THEN
        SELECT array_agg(n.division) INTO found_divisions FROM reason.node n
        WHERE n.id = p_id AND ('*' = ANY (granted) OR n.division = ANY (granted)) AND (n.division = $4 OR $4 IS NULL);
    ELSE
        SELECT array_agg(a.division) INTO found_divisions FROM reason.annotation a
        WHERE a.id = p_id AND ('*' = ANY (granted) OR a.division = ANY (granted)) AND (a.division = $4 OR $4 IS NULL);
    END IF;
    IF found_divisions IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('%s "%s" does not exist', kind, p_id);
    END IF;
    IF cardinality(found_divisions) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s "%s" exists in several divisions', kind, p_id),
            HINT = 'Name the division.';
    END IF;
    -- One erasure at a time, so that a record has one event, and none while a snapshot is being frozen.
    PERFORM reason.fence_erasure(found_divisions[1]);
    event_id := (reason.erasure(found_divisions[1], p_id)).event_id;
    IF event_id IS NULL THEN
        SELECT jsonb_object_agg(s.id, reason.snapshot_form_digest(s)) INTO holding FROM reason.snapshot s
        WHERE s.division = found_divisions[1] AND s.erased_event_id IS NULL
          AND EXISTS (SELECT FROM reason.snapshot_records(s.no, s.division) r WHERE r.kind = $1 AND r.id = p_id);
        event_id := reason.append_event(found_divisions[1], 'payload.erased', jsonb_build_object(
            'erased', jsonb_strip_nulls(jsonb_build_object('kind', kind, 'id', p_id, 'by', reason.calling_role(), 'reason', why,
                                                           'snapshots', holding)),
            'request', reason.sql_request()::jsonb));
        PERFORM reason.erase_document(s.no, s.division, event_id, format('the content of %s "%s" was erased before it was stored', kind, p_id))
        FROM reason.snapshot s WHERE holding ? s.id::text AND s.division = found_divisions[1];
    END IF;
    IF kind = 'node' THEN
        UPDATE reason.node n SET payload = NULL, salt = NULL
        WHERE n.id = p_id AND n.division = found_divisions[1] AND n.salt IS NOT NULL;
    ELSE
        UPDATE reason.annotation a SET payload = NULL, salt = NULL
        WHERE a.id = p_id AND a.division = found_divisions[1] AND a.salt IS NOT NULL;
    END IF;
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION reason.erase_content(text, uuid, text, text) IS
    'Removes payload and salt of a node or annotation, and the documents of snapshots that hold them, with the event of it.';

CREATE FUNCTION reason.erase_payload(node uuid, reason text, division text DEFAULT NULL) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.erase_content('node', $1, $2, $3) $$;
COMMENT ON FUNCTION reason.erase_payload(uuid, text, text) IS
    'Removes the payload of a node and its salt for good, wherever the database has them, and records who did it and why. Node, digest, chain and signatures stay valid; of snapshots that held it, hash, signature and object stay. Returns the event''s id; may be repeated.';

CREATE FUNCTION reason.erase_annotation(annotation uuid, reason text, division text DEFAULT NULL) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.erase_content('annotation', $1, $2, $3) $$;
COMMENT ON FUNCTION reason.erase_annotation(uuid, text, text) IS
    'Removes the content of an annotation and its salt for good, wherever the database has them, and records who did it and why. Returns the event''s id; may be repeated.';
