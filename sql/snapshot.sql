-- Snapshots: a frozen subgraph, its signature, its object, its proof.
--
-- create_snapshot() freezes in one transaction; the sidecar signs, stores and reports back
-- (pending -> signed -> complete, or failed). Only complete is complete: signature and object durable.

-- ---------------------------------------------------------------- freezing

CREATE FUNCTION reason.freeze_subgraph(division text, root_nos bigint[], root_ids uuid[], depth integer, direction text, audience text,
    description text, manifest_signature_id text, include_annotations boolean, pii boolean, log jsonb,
    OUT no bigint, OUT id uuid, OUT created_at timestamptz, OUT graph_version text, OUT hash text, OUT size_bytes bigint,
    OUT node_count bigint, OUT edge_count bigint, OUT canonicalise_began timestamptz, OUT canonicalise_ended timestamptz,
    OUT canonicalise_us bigint, OUT hash_began timestamptz, OUT hash_ended timestamptz, OUT hash_us bigint, OUT walk_began timestamptz)
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
    PERFORM reason.check_label($4, 'audience', 1000), reason.check_label($8, 'manifest_signature_id', 1000);

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
    -- As for a write: see placement.sql.
    LOCK TABLE reason.audit_event IN ROW EXCLUSIVE MODE;
    PERFORM reason.refuse_frozen(found_division);
    PERFORM reason.refuse_old_view('1 minute');
    -- First the log, then the records: whatever the log holds has been written by then.
    frozen_log := reason.frozen_log(found_division);
    SELECT * INTO frozen FROM reason.freeze_subgraph(found_division, root_nos, root_ids, $2, $3, $4, $5, $8, $6, $9, frozen_log);
    INSERT INTO reason.snapshot (no, id, division, root_ids, depth, direction, audience, description, include_annotations, pii_included,
        manifest_signature_id, graph_version, created_at, request_id, requested_by, hash, size_bytes, node_count, edge_count, log)
    VALUES (frozen.no, frozen.id, found_division, root_ids, $2, $3, $4, $5, $6, $9,
        $8, frozen.graph_version, frozen.created_at, $12, $11, frozen.hash, frozen.size_bytes, frozen.node_count, frozen.edge_count, frozen_log);
    INSERT INTO reason.snapshot_request (snapshot_no, division, request, canonicalise_began, canonicalise_ended, canonicalise_us,
        hash_began, hash_ended, hash_us, walk_began)
    VALUES (frozen.no, found_division, $13, frozen.canonicalise_began, frozen.canonicalise_ended, frozen.canonicalise_us,
        frozen.hash_began, frozen.hash_ended, frozen.hash_us, frozen.walk_began);
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

CREATE FUNCTION reason.snapshot_records(snapshot_no bigint, division text, OUT kind text, OUT id uuid, OUT digest bytea)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 10000
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_snapshot_records';
COMMENT ON FUNCTION reason.snapshot_records(bigint, text) IS 'The records in a snapshot''s document: kind, id, digest.';

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
