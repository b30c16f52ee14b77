-- The transparency log: a Merkle tree (RFC 6962) over the chain of each division, and its signed heads.
--
-- Leaf seq of a division's tree is the hash of the seal with this seq: it commits to the event and to all before it, and
-- reveals nothing. A tree only ever grows. Its checkpoints (https://c2sp.org/tlog-checkpoint) are published and cosigned
-- by witnesses, so that whoever rewrites or cuts a chain afterwards would have to change what others hold.
--
-- Nothing waits for the tree: growing it and signing its heads are stages behind the signing of events.

-- ---------------------------------------------------------------- what is stored of a tree

CREATE TABLE reason.audit_subtree (
    division text     NOT NULL,
    level    smallint NOT NULL,
    index    bigint   NOT NULL,
    hash     bytea    NOT NULL,
    CONSTRAINT audit_subtree_pkey PRIMARY KEY (division, level, index),
    CONSTRAINT audit_subtree_place_check CHECK (level >= 1 AND level <= 7 AND index >= 0),
    CONSTRAINT audit_subtree_hash_check CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE reason.audit_subtree IS
    'Nodes of the Merkle tree of a division that are complete: the root over the 256^level leaves from index * 256^level on. Level 0, the leaves, are the seals. Made from them, and compared with them by verify_log().';

CREATE TABLE reason.audit_checkpoint (
    division text   NOT NULL,
    origin   text   NOT NULL,
    size     bigint NOT NULL,
    root     bytea  NOT NULL,
    CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (division, origin, size),
    CONSTRAINT audit_checkpoint_size_check CHECK (size > 0),
    CONSTRAINT audit_checkpoint_root_check CHECK (octet_length(root) = 32)
);
COMMENT ON TABLE reason.audit_checkpoint IS 'Heads of trees that were signed, or are to be: durable before anything is signed, so that a crash leads to the same signature.';
COMMENT ON COLUMN reason.audit_checkpoint.origin IS 'The name that the log had: current_origin().';

CREATE TABLE reason.audit_checkpoint_signature (
    division  text   NOT NULL,
    origin    text   NOT NULL,
    size      bigint NOT NULL,
    signer_id text   NOT NULL,
    signature bytea  NOT NULL,
    note      text   NOT NULL,
    CONSTRAINT audit_checkpoint_signature_pkey PRIMARY KEY (division, origin, size, signer_id),
    CONSTRAINT audit_checkpoint_signature_length_check CHECK (octet_length(signature) = 64)
);
COMMENT ON TABLE reason.audit_checkpoint_signature IS 'Ed25519 over the text of a checkpoint (checkpoint_text()), by a signer whose key is for checkpoints.';
COMMENT ON COLUMN reason.audit_checkpoint_signature.note IS 'The signed note as it is published, without cosignatures.';

CREATE TABLE reason.audit_cosignature (
    division  text   NOT NULL,
    origin    text   NOT NULL,
    size      bigint NOT NULL,
    witness   text   NOT NULL,
    key_id    bytea  NOT NULL,
    vkey      text   NOT NULL,
    timestamp bigint NOT NULL,
    signature bytea  NOT NULL,
    CONSTRAINT audit_cosignature_pkey PRIMARY KEY (division, origin, size, witness, key_id),
    CONSTRAINT audit_cosignature_length_check CHECK (octet_length(signature) = 64 AND octet_length(key_id) = 4),
    CONSTRAINT audit_cosignature_timestamp_check CHECK (timestamp >= 0)
);
COMMENT ON TABLE reason.audit_cosignature IS 'What witnesses answered to a checkpoint (https://c2sp.org/tlog-cosignature): they saw that it extends what they saw before.';
COMMENT ON COLUMN reason.audit_cosignature.vkey IS 'The witness''s verifier key, name+id+key, which witness and key_id are part of.';
COMMENT ON COLUMN reason.audit_cosignature.timestamp IS 'When the witness made it, in seconds since 1970.';

DO $$
DECLARE
    table_name text;
    operation text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['audit_subtree', 'audit_checkpoint', 'audit_checkpoint_signature', 'audit_cosignature'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reason.%I FOR EACH STATEMENT EXECUTE FUNCTION reason.refuse_change()', table_name);
        FOREACH operation IN ARRAY ARRAY['update', 'delete'] LOOP
            EXECUTE pg_catalog.format('CREATE TRIGGER refuse_%1$s BEFORE %1$s ON reason.%2$I FOR EACH ROW EXECUTE FUNCTION reason.refuse_change()', operation, table_name);
        END LOOP;
        EXECUTE pg_catalog.format('ALTER TABLE reason.%I ENABLE ROW LEVEL SECURITY', table_name);
        EXECUTE pg_catalog.format($policy$
            CREATE POLICY %1$s_division ON reason.%1$s FOR SELECT
            USING (division = ANY ((SELECT reason.visible_divisions())::text[])
                   OR '*' = ANY ((SELECT reason.visible_divisions())::text[]))
        $policy$, table_name);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- names of logs

CREATE TABLE reason.log_prefix (
    only_row boolean NOT NULL DEFAULT true,
    prefix   text    NOT NULL,
    epoch    integer NOT NULL,
    CONSTRAINT log_prefix_pkey PRIMARY KEY (only_row),
    CONSTRAINT log_prefix_only_row_check CHECK (only_row),
    CONSTRAINT log_prefix_epoch_check CHECK (epoch > 0)
);
COMMENT ON TABLE reason.log_prefix IS 'What the names of all logs begin with, and how often they began anew. No row: localhost/reason, 1. Changes are events of division system.';
COMMENT ON COLUMN reason.log_prefix.epoch IS 'Counted up by leave_safe_mode(): what was published before need not be extended by what comes after, so the logs get other names.';

-- serves: which names logs have had, and what the last heads of all logs were
CREATE INDEX audit_event_log_idx ON reason.audit_event (event_type, no) WHERE event_type IN ('log.changed', 'log.heads');

CREATE FUNCTION reason.log_origin_of(prefix text, division text, epoch integer) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_log_origin_of';
COMMENT ON FUNCTION reason.log_origin_of(text, text, integer) IS 'The origin of a division''s log: prefix/division, and ;epoch from the second on.';

CREATE FUNCTION reason.log_identity(OUT prefix text, OUT epoch integer)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(l.prefix, 'localhost/reason'), coalesce(l.epoch, 1) FROM (VALUES (1)) one LEFT JOIN reason.log_prefix l ON l.only_row
$$;
COMMENT ON FUNCTION reason.log_identity() IS 'What the names of all logs are made from.';

CREATE FUNCTION reason.require_log(division text) RETURNS void
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'reason_require_log';
COMMENT ON FUNCTION reason.require_log(text) IS 'Raises 42501 unless the role that called may see the division''s log; the same for a division that does not exist.';

CREATE FUNCTION reason.current_origin(division text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.require_log($1);
    RETURN (SELECT reason.log_origin_of(i.prefix, $1, i.epoch) FROM reason.log_identity() i);
END
$$;
COMMENT ON FUNCTION reason.current_origin(text) IS 'The name of a division''s log: the first line of its checkpoints, and the name of the key that signs them.';

CREATE FUNCTION reason.change_log_identity(prefix text, epoch integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    -- Nothing is planned under the old name from here on.
    PERFORM reason.lock_until_commit('checkpoints');
    INSERT INTO reason.log_prefix AS l (prefix, epoch) VALUES ($1, $2)
    ON CONFLICT ON CONSTRAINT log_prefix_pkey DO UPDATE SET prefix = excluded.prefix, epoch = excluded.epoch;
    PERFORM reason.append_event('system', 'log.changed', jsonb_build_object('log', jsonb_build_object('prefix', $1, 'epoch', $2),
        'request', reason.sql_request()::jsonb));
END
$$;
COMMENT ON FUNCTION reason.change_log_identity(text, integer) IS 'Names all logs anew from now on, with its event.';

CREATE FUNCTION reason.set_log_prefix(prefix text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    known record;
BEGIN
    IF length($1) > 200 OR $1 !~ '^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" cannot be what the names of logs begin with', $1),
            HINT = 'Give an address without scheme and without a slash at its end, such as log.example.org/reason.';
    END IF;
    SELECT * INTO known FROM reason.log_identity();
    IF known.prefix <> $1 THEN
        PERFORM reason.change_log_identity($1, known.epoch);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_log_prefix(text) IS
    'What the names of all logs begin with: an address without scheme, localhost/reason at first. Set it before the first checkpoint: under another name a log is another log for whoever follows it.';

CREATE FUNCTION reason.begin_logs_anew() RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- What was counted of the old ones need not be there any more.
    DELETE FROM reason.log_head;
    SELECT reason.change_log_identity(i.prefix, i.epoch + 1) FROM reason.log_identity() i
$$;
COMMENT ON FUNCTION reason.begin_logs_anew() IS 'For leave_safe_mode(): closes all logs at their last checkpoints and begins others.';

CREATE FUNCTION reason.log_origins(division text) RETURNS TABLE (epoch integer, origin text, first_size bigint, closed_size bigint)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER ROWS 2
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM reason.require_log($1);
    RETURN QUERY
    WITH named AS (
        SELECT min(h.epoch) AS epoch, h.origin, max(h.no) AS no
        FROM (SELECT (e.payload #>> '{log,epoch}')::integer AS epoch,
                     reason.log_origin_of(e.payload #>> '{log,prefix}', $1, (e.payload #>> '{log,epoch}')::integer) AS origin, e.no
              FROM reason.audit_event e WHERE e.division = 'system' AND e.event_type = 'log.changed'
              UNION ALL SELECT 1, reason.log_origin_of('localhost/reason', $1, 1), 0
              -- in the cell that it came from
              UNION ALL SELECT 0, o, e.no
              FROM reason.audit_event e, json_array_elements_text(e.payload #> '{placement,origins}') o
              WHERE e.division = 'system' AND e.event_type = 'division.changed' AND e.payload #>> '{placement,division}' = $1) h
        GROUP BY h.origin
    )
    SELECT n.epoch, n.origin, (SELECT min(c.size) FROM reason.audit_checkpoint c WHERE c.division = $1 AND c.origin = n.origin),
           CASE WHEN n.origin <> (SELECT reason.log_origin_of(i.prefix, $1, i.epoch) FROM reason.log_identity() i)
                THEN (SELECT coalesce(max(c.size), 0) FROM reason.audit_checkpoint c WHERE c.division = $1 AND c.origin = n.origin) END
    FROM named n
    ORDER BY n.epoch, n.no;
END
$$;
COMMENT ON FUNCTION reason.log_origins(text) IS
    'The names that a division''s log could have had, as events of division system say, those of a cell that it came from (epoch 0) included: the sizes of the first checkpoint, and of the last one if the log is closed. closed_size is NULL for the one that is current.';

-- ---------------------------------------------------------------- growing and reading trees

CREATE FUNCTION reason.grow_tree(lease_token bigint, division text DEFAULT NULL, max integer DEFAULT 100000) RETURNS bigint
LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_grow_tree';
COMMENT ON FUNCTION reason.grow_tree(bigint, text, integer) IS
    'Stores what signed events have completed of the tree of a division, or of all: whole tiles of 256 leaves, at most max leaves. Returns how many. Needs the lease of the duty seal. A chain that is older than its tree is caught up with from its beginning.';

CREATE FUNCTION reason.tree_size(division text) RETURNS bigint
LANGUAGE c STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_tree_size';
COMMENT ON FUNCTION reason.tree_size(text) IS 'How many leaves the tree of a division has: the events that are signed.';

CREATE FUNCTION reason.tree_root(division text, size bigint DEFAULT NULL) RETURNS bytea
LANGUAGE c STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_tree_root';
COMMENT ON FUNCTION reason.tree_root(text, bigint) IS 'The root of the tree of a division when it had so many leaves (default: now). P0002 beyond what it has.';

CREATE FUNCTION reason.tree_root_of(division text, size bigint) RETURNS bytea
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'reason_tree_root_of';
COMMENT ON FUNCTION reason.tree_root_of(text, bigint) IS 'tree_root() for functions that have decided already who may see the division.';

CREATE FUNCTION reason.inclusion_proof(division text, seq bigint, size bigint DEFAULT NULL) RETURNS bytea[]
LANGUAGE c STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_inclusion_proof';
COMMENT ON FUNCTION reason.inclusion_proof(text, bigint, bigint) IS 'The hashes that lead from an event to the root of the tree of so many leaves (default: now), lowest first (RFC 6962, 2.1.1).';

CREATE FUNCTION reason.consistency_proof(division text, old_size bigint, new_size bigint DEFAULT NULL) RETURNS bytea[]
LANGUAGE c STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_consistency_proof';
COMMENT ON FUNCTION reason.consistency_proof(text, bigint, bigint) IS 'The hashes that prove that the tree of new_size leaves (default: now) extends that of old_size (RFC 6962, 2.1.2); none where nothing need be proved: old_size 0, or equal sizes.';

CREATE FUNCTION reason.tile(division text, level integer, n bigint, width integer DEFAULT 256) RETURNS bytea
LANGUAGE c STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_tile';
COMMENT ON FUNCTION reason.tile(text, integer, bigint, integer) IS 'A tile (https://c2sp.org/tlog-tiles): width hashes of the nodes from n * 256 on, of 256^level leaves each. P0002 for what the tree does not have yet.';

CREATE FUNCTION reason.tile_entries(division text, n bigint, width integer DEFAULT 256) RETURNS bytea
LANGUAGE c STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_tile_entries';
COMMENT ON FUNCTION reason.tile_entries(text, bigint, integer) IS 'An entry bundle (https://c2sp.org/tlog-tiles): the hashes of width seals from n * 256 on, each after its length in two bytes.';

CREATE FUNCTION reason.merkle_root(leaves text[]) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_merkle_root';
COMMENT ON FUNCTION reason.merkle_root(text[]) IS 'The root of the Merkle tree (RFC 6962) over these leaves, in this order.';

-- ---------------------------------------------------------------- checkpoints

CREATE FUNCTION reason.checkpoint_text(origin text, size bigint, root bytea) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_checkpoint_text';
COMMENT ON FUNCTION reason.checkpoint_text(text, bigint, bytea) IS 'What the key of a log signs: origin, size and the root in base64, a line each (https://c2sp.org/tlog-checkpoint).';

CREATE FUNCTION reason.checkpoint_note_fault(origin text, size bigint, root bytea, public_key bytea, signature bytea, note text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'reason_checkpoint_note_fault';
COMMENT ON FUNCTION reason.checkpoint_note_fault(text, bigint, bytea, bytea, bytea, text) IS 'What is wrong with the signature of a checkpoint or its signed note (https://c2sp.org/signed-note); NULL when nothing.';

CREATE FUNCTION reason.log_key(vkey text, OUT name text, OUT key_id bytea, OUT type integer, OUT public_key bytea)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_log_key';
COMMENT ON FUNCTION reason.log_key(text) IS 'What a verifier key (name+id+key, https://c2sp.org/signed-note) says; 22023 for what is none.';

CREATE FUNCTION reason.cosignature_fault(origin text, size bigint, root bytea, vkey text, made bigint, signature bytea) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'reason_cosignature_fault';
COMMENT ON FUNCTION reason.cosignature_fault(text, bigint, bytea, text, bigint, bytea) IS 'What is wrong with a witness''s cosignature of a checkpoint; NULL when nothing.';

CREATE FUNCTION reason.cosignature_line(witness text, key_id bytea, made bigint, signature bytea) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_cosignature_line';
COMMENT ON FUNCTION reason.cosignature_line(text, bytea, bigint, bytea) IS 'A cosignature as a line of a signed note.';

CREATE FUNCTION reason.checkpoints_due(lease_token bigint, max_age interval, force boolean DEFAULT false)
RETURNS TABLE (division text, origin text, size bigint, root bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    -- A tree that lags further is grown first: its root would be made from all that is not stored yet.
    most_behind CONSTANT bigint := 100000;
    head record;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    PERFORM reason.lock_until_commit('checkpoints');
    FOR head IN
        SELECT t.* FROM reason.log_heads() t
        WHERE t.size > coalesce(t.last_size, 0)
          AND (t.last_size IS NULL OR t.last_signed)
          -- By the time of the last event that is covered: one that comes after a pause is covered at once.
          AND (t.last_size IS NULL OR $3 OR NOT EXISTS (
               SELECT FROM reason.audit_seal s WHERE s.division = t.division AND s.seq = t.last_size - 1
                 AND s.created_at BETWEEN clock_timestamp() - $2 AND clock_timestamp()))
          AND t.size - t.grown < most_behind
    LOOP
        BEGIN
            INSERT INTO reason.audit_checkpoint (division, origin, size, root)
            VALUES (head.division, head.origin, head.size, reason.tree_root_of(head.division, head.size));
        EXCEPTION WHEN data_corrupted THEN
            -- One chain that is damaged keeps no other log from its checkpoints.
            RAISE WARNING USING ERRCODE = 'data_corrupted', MESSAGE = format('no checkpoint of "%s": %s', head.origin, SQLERRM),
                HINT = 'See what reason.verify_all() says.';
        END;
    END LOOP;
    RETURN QUERY
    SELECT t.division, t.origin, c.size, c.root
    FROM reason.log_heads() t
    JOIN reason.audit_checkpoint c ON c.division = t.division AND c.origin = t.origin AND c.size = t.last_size
    WHERE NOT t.last_signed
    ORDER BY t.division;
END
$$;
COMMENT ON FUNCTION reason.checkpoints_due(bigint, interval, boolean) IS
    'Plans a checkpoint of each log that has grown since its last one, if that is older than max_age or force is given, and returns all that are planned and not signed yet. Needs the lease of the duty seal.';

CREATE FUNCTION reason.log_heads() RETURNS TABLE (division text, origin text, size bigint, grown bigint, last_size bigint, last_signed boolean)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT t.division, t.origin, t.size,
           256 * (1 + coalesce((SELECT s.index FROM reason.audit_subtree s WHERE s.division = t.division AND s.level = 1 ORDER BY s.index DESC LIMIT 1), -1)),
           l.size, EXISTS (SELECT FROM reason.audit_checkpoint_signature g WHERE g.division = t.division AND g.origin = t.origin AND g.size = l.size)
    FROM (SELECT c.division, reason.log_origin_of(i.prefix, c.division, i.epoch) AS origin, c.head_seq + 1 AS size
          FROM reason.signed_chains() c, reason.log_identity() i OFFSET 0) t
    LEFT JOIN LATERAL (SELECT k.size FROM reason.audit_checkpoint k WHERE k.division = t.division AND k.origin = t.origin
                       ORDER BY k.size DESC LIMIT 1) l ON true
$$;
COMMENT ON FUNCTION reason.log_heads() IS 'Of each log: its name, its size, how much of its tree is stored, and its last checkpoint under this name.';

CREATE FUNCTION reason.planned_checkpoint(division text, origin text, size bigint) RETURNS reason.audit_checkpoint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    planned reason.audit_checkpoint;
BEGIN
    SELECT * INTO planned FROM reason.audit_checkpoint c WHERE c.division = $1 AND c.origin = $2 AND c.size = $3;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('no checkpoint of size %s of "%s" was planned', $3, $2),
            HINT = 'Checkpoints are planned by reason.checkpoints_due().';
    END IF;
    RETURN planned;
END
$$;
COMMENT ON FUNCTION reason.planned_checkpoint(text, text, bigint) IS 'The row of a checkpoint; P0002 without one.';

CREATE FUNCTION reason.record_checkpoint(lease_token bigint, division text, origin text, size bigint, signer_id text, signature bytea, note text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    planned reason.audit_checkpoint;
    last_size bigint;
    fault text;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    PERFORM reason.lock_until_commit('checkpoints');
    planned := reason.planned_checkpoint($2, $3, $4);
    SELECT g.size INTO last_size FROM reason.audit_checkpoint_signature g WHERE g.division = $2 AND g.origin = $3 ORDER BY g.size DESC LIMIT 1;
    fault := CASE
        WHEN $3 <> (SELECT reason.log_origin_of(i.prefix, $2, i.epoch) FROM reason.log_identity() i) THEN format('"%s" is not the name of the log any more', $3)
        WHEN $4 < last_size THEN format('the log has a checkpoint of size %s already', last_size)
        WHEN reason.tree_root_of($2, $4) <> planned.root THEN 'the root is not that of the tree'
        END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('cannot record the checkpoint of size %s of "%s": %s', $4, $3, fault);
    END IF;
    fault := reason.checkpoint_note_fault($3, $4, planned.root, reason.signing_key($5, 'checkpoints'), $6, $7);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('cannot record the checkpoint of size %s of "%s": %s', $4, $3, fault),
            HINT = 'Nothing was recorded. Compare the signer''s key with reason.signer_registry().';
    END IF;
    INSERT INTO reason.audit_checkpoint_signature (division, origin, size, signer_id, signature, note) VALUES ($2, $3, $4, $5, $6, $7)
    ON CONFLICT ON CONSTRAINT audit_checkpoint_signature_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION reason.record_checkpoint(bigint, text, text, bigint, text, bytea, text) IS
    'Records the signature of a planned checkpoint and its signed note, once both are verified and the root is found to be that of the tree. May be repeated.';

CREATE FUNCTION reason.witness_counts(witness text, vkey text, configured text[]) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce($2 = ANY ($3), false)
           OR EXISTS (SELECT FROM reason.signer s WHERE s.signer_id = $1 AND s.purpose = 'witness' AND s.status = 'active'
                        AND reason.note_vkey(s.signer_id, 4, s.public_key) = $2)
$$;
COMMENT ON FUNCTION reason.witness_counts(text, text, text[]) IS 'Whether a witness is one of those that the sidecar has configured, or is registered (add_signer() with purpose witness): others leave it room in a note.';

CREATE FUNCTION reason.record_cosignature(lease_token bigint, division text, origin text, size bigint, witness_vkey text, made bigint, signature bytea,
    configured text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    planned reason.audit_checkpoint;
    key record;
    counts boolean;
    fault text;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    -- Who comes at the same time is counted.
    PERFORM reason.lock_until_commit('cosignatures');
    planned := reason.planned_checkpoint($2, $3, $4);
    SELECT * INTO key FROM reason.log_key($5);
    fault := reason.cosignature_fault($3, $4, planned.root, $5, $6, $7);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('cannot record the cosignature of the checkpoint of size %s of "%s" by "%s": %s', $4, $3, key.name, fault);
    END IF;
    -- A note holds at most 100 signatures, of which one is the log's. Those of others leave room for whoever counts.
    counts := reason.witness_counts(key.name, $5, $8);
    IF (SELECT count(*) >= 99 FROM reason.audit_cosignature w
        WHERE w.division = $2 AND w.origin = $3 AND w.size = $4 AND (NOT counts OR reason.witness_counts(w.witness, w.vkey, $8)))
        AND NOT EXISTS (SELECT FROM reason.audit_cosignature w
                        WHERE w.division = $2 AND w.origin = $3 AND w.size = $4 AND w.witness = key.name AND w.key_id = key.key_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the checkpoint of size %s of "%s" has 99 cosignatures, and a note has no room for more', $4, $3);
    END IF;
    INSERT INTO reason.audit_cosignature (division, origin, size, witness, key_id, vkey, timestamp, signature)
    VALUES ($2, $3, $4, key.name, key.key_id, $5, $6, $7)
    ON CONFLICT ON CONSTRAINT audit_cosignature_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION reason.record_cosignature(bigint, text, text, bigint, text, bigint, bytea, text[]) IS
    'Records that a witness cosigned a checkpoint at a time (seconds since 1970), once its cosignature is verified; the first one of each key stays. May be repeated. At most 99 of a checkpoint, and 99 of witnesses that count (witness_counts()) whatever others there are; beyond that 55000.';

CREATE FUNCTION reason.last_checkpoint(division text, OUT origin text, OUT size bigint, OUT root bytea, OUT note text) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM reason.require_log($1);
    RETURN QUERY
    SELECT c.origin, c.size, c.root,
           g.note || coalesce((SELECT string_agg(reason.cosignature_line(w.witness, w.key_id, w.timestamp, w.signature), '' ORDER BY w.witness, w.key_id)
                               FROM (SELECT * FROM reason.audit_cosignature w WHERE w.division = $1 AND w.origin = c.origin AND w.size = c.size
                                     ORDER BY reason.witness_counts(w.witness, w.vkey, '{}') DESC, w.witness, w.key_id LIMIT 99) w), '')
    FROM reason.log_identity() i,
         LATERAL (SELECT x.origin, x.size, x.note FROM reason.audit_checkpoint_signature x
                  WHERE x.division = $1 AND x.origin = reason.log_origin_of(i.prefix, $1, i.epoch)
                  ORDER BY x.size DESC, x.signer_id LIMIT 1) g
    JOIN reason.audit_checkpoint c ON c.division = $1 AND c.origin = g.origin AND c.size = g.size;
END
$$;
COMMENT ON FUNCTION reason.last_checkpoint(text) IS 'The last signed checkpoint of a division''s log under its present name, with cosignatures, of registered witnesses first: the note as it is published. No row without one.';

-- ---------------------------------------------------------------- verifying

CREATE FUNCTION reason.checkpoint_signature_fault(g reason.audit_checkpoint_signature) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    signed reason.audit_checkpoint;
    s reason.signer;
    covered timestamptz;
    validity text;
BEGIN
    SELECT * INTO signed FROM reason.audit_checkpoint c WHERE c.division = g.division AND c.origin = g.origin AND c.size = g.size;
    IF NOT FOUND THEN
        RETURN 'there is no such checkpoint';
    END IF;
    SELECT * INTO s FROM reason.signer x WHERE x.signer_id = g.signer_id;
    IF NOT FOUND THEN
        RETURN format('column signer_id names "%s", who is not registered', g.signer_id);
    END IF;
    -- As with events: it was made after the last event that it covers, whose place in the chain vouches for when that was.
    SELECT a.created_at INTO covered FROM reason.audit_seal a WHERE a.division = g.division AND a.seq = g.size - 1;
    validity := reason.key_validity(s.valid_from, s.valid_to, s.status = 'revoked' OR s.revoked_at IS NOT NULL, s.revoked_at, covered, 'infinity', true,
        s.purpose <> 'checkpoints');
    RETURN CASE
        WHEN validity = 'other purpose' THEN format('signer "%s" is registered for %s, and signs no checkpoints', s.signer_id, s.purpose)
        WHEN validity NOT IN ('counts', 'counted then') THEN format('the key of signer "%s" was %s by then', s.signer_id, validity)
        ELSE reason.checkpoint_note_fault(g.origin, g.size, signed.root, s.public_key, g.signature, g.note) END;
END
$$;
COMMENT ON FUNCTION reason.checkpoint_signature_fault(reason.audit_checkpoint_signature) IS 'What is wrong with the signature of a checkpoint; NULL when nothing.';

CREATE FUNCTION reason.checkpoint_cosignature_fault(w reason.audit_cosignature) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    signed reason.audit_checkpoint;
    key record;
BEGIN
    SELECT * INTO signed FROM reason.audit_checkpoint c WHERE c.division = w.division AND c.origin = w.origin AND c.size = w.size;
    IF NOT FOUND THEN
        RETURN 'there is no such checkpoint';
    END IF;
    BEGIN
        SELECT * INTO key FROM reason.log_key(w.vkey);
    EXCEPTION WHEN invalid_parameter_value THEN
        RETURN 'column vkey is no verifier key';
    END;
    RETURN CASE WHEN (key.name, key.key_id) IS DISTINCT FROM (w.witness, w.key_id) THEN 'columns witness and key_id are not those of vkey'
                ELSE reason.cosignature_fault(w.origin, w.size, signed.root, w.vkey, w.timestamp, w.signature) END;
END
$$;
COMMENT ON FUNCTION reason.checkpoint_cosignature_fault(reason.audit_cosignature) IS 'What is wrong with a witness''s cosignature in its table; NULL when nothing.';

CREATE FUNCTION reason.checkpoint_fault(division text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET jit = off
AS $$
    SELECT format('%s of size %s of "%s": %s', f.table_name, f.size, f.origin, f.fault)
    FROM (SELECT 'audit_checkpoint' AS table_name, c.size, c.origin, 'the log never had this name' AS fault
          FROM reason.audit_checkpoint c WHERE c.division = $1 AND c.origin <> ALL (ARRAY(SELECT o.origin FROM reason.log_origins($1) o))
          UNION ALL
          SELECT 'audit_checkpoint_signature', g.size, g.origin, reason.checkpoint_signature_fault(g)
          FROM reason.audit_checkpoint_signature g WHERE g.division = $1
          UNION ALL
          SELECT 'audit_cosignature', w.size, w.origin, reason.checkpoint_cosignature_fault(w)
          FROM reason.audit_cosignature w WHERE w.division = $1
          UNION ALL
          SELECT 'audit_cosignature', w.size, w.origin, format('there are %s of this checkpoint, and no more than 198 are recorded', count(*))
          FROM reason.audit_cosignature w WHERE w.division = $1 GROUP BY w.size, w.origin HAVING count(*) > 198) f
    WHERE f.fault IS NOT NULL
    ORDER BY f.size, f.table_name, f.origin LIMIT 1
$$;
COMMENT ON FUNCTION reason.checkpoint_fault(text) IS 'For verify_log(): what is wrong with the names, signatures and cosignatures of a log''s checkpoints; NULL when nothing.';

CREATE FUNCTION reason.verify_log(division text DEFAULT 'default', OUT ok boolean, OUT size bigint, OUT detail text)
LANGUAGE c STABLE STRICT
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_verify_log';
COMMENT ON FUNCTION reason.verify_log(text) IS
    'Compares all that is stored of a division''s log with its chain: each node of the tree, the root of each checkpoint, signatures and cosignatures. detail names the first thing that is wrong. verify_audit() of a whole chain includes it.';
