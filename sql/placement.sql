-- Where divisions live: a division moves to another cell, a cluster with a product of its own, without losing a write.
--
-- Its writes rest (freeze_division()), all that was under way ends (await_frozen()), the other cell replays its chain, the two
-- heads are compared, the gateway's map is switched, and what stays here names where it went (move_division()). Each step is an
-- event of division system. docs/for-operators/cells.md has the procedure.

CREATE TABLE reason.division_placement (
    division  text NOT NULL,
    state     text NOT NULL,
    cell      text,
    head_seq  bigint,
    head_hash text,
    reason    text,
    CONSTRAINT division_placement_pkey PRIMARY KEY (division),
    CONSTRAINT division_placement_state_check CHECK (state IN ('frozen', 'moved')),
    CONSTRAINT division_placement_cell_check CHECK ((state = 'moved') = (cell IS NOT NULL) AND (head_seq IS NULL) = (head_hash IS NULL) AND (state = 'moved' OR head_seq IS NULL))
);
COMMENT ON TABLE reason.division_placement IS 'Divisions whose writes rest, and those that live in another cell. All others have no row. Changed with freeze_division(), move_division() and thaw_division(), which leave an event.';
COMMENT ON COLUMN reason.division_placement.cell IS 'Where it lives now, by the name that the gateway has for it.';
COMMENT ON COLUMN reason.division_placement.head_seq IS 'The last event of the chain here, with which the other cell began; NULL: there was none.';

CREATE FUNCTION reason.announce_placement() RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_announce_placement';
COMMENT ON FUNCTION reason.announce_placement() IS 'Has all sessions look at table division_placement again, once this transaction has committed.';

CREATE FUNCTION reason.refuse_frozen(division text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reason_refuse_frozen';
COMMENT ON FUNCTION reason.refuse_frozen(text) IS 'Raises 57P03 while the writes of a division rest, 55000 if it lives in another cell. To be asked behind the write: who wrote before may go on, and await_frozen() waits for it.';

CREATE FUNCTION reason.refuse_moved(division text) RETURNS void
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'reason_refuse_moved';
COMMENT ON FUNCTION reason.refuse_moved(text) IS 'Raises 55000 if a division lives in another cell, and names it.';

-- ---------------------------------------------------------------- what two cells compare

CREATE FUNCTION reason.division_head(division text, OUT head_seq bigint, OUT head_hash text, OUT root text, OUT nodes bigint, OUT edges bigint,
    OUT records text, OUT unsettled text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    head reason.audit_seal;
BEGIN
    SELECT * INTO head FROM reason.audit_seal s WHERE s.division = $1 ORDER BY s.division DESC, s.seq DESC LIMIT 1;
    head_seq := head.seq;
    head_hash := encode(head.hash, 'hex');
    unsettled := CASE
        WHEN EXISTS (SELECT FROM reason.audit_event e WHERE e.division = $1 AND e.no > coalesce(head.event_no, 0)) THEN 'events wait for their place in the chain'
        WHEN head.seq IS NOT NULL AND NOT EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = $1 AND g.seq = head.seq) THEN 'events wait to be signed'
        WHEN EXISTS (SELECT FROM reason.snapshot s WHERE s.division = $1 AND s.status NOT IN ('complete', 'failed')) THEN 'snapshots wait to be completed' END;
    IF unsettled IS NOT NULL THEN
        RETURN;
    END IF;
    root := encode(reason.tree_root_of($1, head.seq + 1), 'hex');
    SELECT count(*) FILTER (WHERE r.kind = 0), count(*) FILTER (WHERE r.kind = 1), encode(sha256(string_agg(r.digest, '' ORDER BY r.kind, r.id)), 'hex')
    INTO nodes, edges, records
    FROM (SELECT 0 AS kind, n.id, n.digest FROM reason.node n WHERE n.division = $1
          UNION ALL SELECT 1, e.id, e.digest FROM reason.edge e WHERE e.division = $1
          UNION ALL SELECT 2, a.id, a.digest FROM reason.annotation a WHERE a.division = $1) r;
END
$$;
COMMENT ON FUNCTION reason.division_head(text) IS
    'What must be the same of a division in two cells: the last event of its chain, the root of its tree up to there (hex), how many nodes and edges, and SHA-256 over the digests of all its records by kind and id. unsettled: what is still under way, and all but the last event are NULL then; NULL when nothing is.';

-- ---------------------------------------------------------------- the steps

CREATE FUNCTION reason.change_placement(division text, state text, cell text, head_seq bigint, head_hash text, reason text, origins text[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    DELETE FROM reason.division_placement p WHERE p.division = $1;
    IF $2 <> 'here' THEN
        INSERT INTO reason.division_placement VALUES ($1, $2, $3, $4, $5, $6);
    END IF;
    PERFORM reason.append_change('division.changed', jsonb_build_object('placement', jsonb_build_object(
        'division', $1, 'state', $2, 'cell', $3, 'headSeq', $4, 'headHash', $5, 'reason', $6, 'origins', coalesce($7, '{}')), 'request', reason.sql_request()::jsonb));
    PERFORM reason.announce_placement();
END
$$;
COMMENT ON FUNCTION reason.change_placement(text, text, text, bigint, text, text, text[]) IS 'The row of a division (state here: none), its event, and the announcement of both.';

CREATE FUNCTION reason.require_division(division text, state text) RETURNS reason.division_placement
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_row reason.division_placement;
BEGIN
    PERFORM reason.check_division($1);
    IF $1 IN ('*', 'system') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('division "%s" does not move', $1),
            HINT = CASE $1 WHEN '*' THEN 'Name one division.' ELSE 'Each cell has a division system of its own.' END;
    END IF;
    PERFORM reason.lock_until_commit('placement');
    SELECT * INTO found_row FROM reason.division_placement p WHERE p.division = $1;
    IF $2 IS DISTINCT FROM found_row.state AND ($2 IS NOT NULL OR found_row.state IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('division "%s" %s', $1, CASE found_row.state WHEN 'frozen' THEN 'is frozen already' WHEN 'moved' THEN format('has moved to cell "%s"', found_row.cell) ELSE 'is not frozen' END),
            HINT = CASE WHEN found_row.state IS NULL THEN 'Freeze it first: reason.freeze_division().' ELSE 'See reason.thaw_division().' END;
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION reason.require_division(text, text) IS 'The row of a division that can move and is in that state (NULL: it has none); 55000 if it is in another. Holds a lock until the transaction ends.';

CREATE FUNCTION reason.freeze_division(division text, reason text, origins text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    returns CONSTANT boolean := cardinality($3) > 0 AND EXISTS (SELECT FROM reason.division_placement p WHERE p.division = $1 AND p.state = 'moved');
    placed CONSTANT reason.division_placement := reason.require_division($1, CASE WHEN returns THEN 'moved' END);
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'freezing a division needs a reason';
    END IF;
    IF returns THEN
        PERFORM reason.change_placement($1, 'moved', placed.cell, placed.head_seq, placed.head_hash, $2, array_remove($3, reason.current_origin($1)));
        RETURN;
    END IF;
    IF reason.current_origin($1) = ANY ($3) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the log of division "%s" is named "%s" in both cells', $1, reason.current_origin($1)),
            HINT = 'Logs of two cells need names of their own: reason.set_log_prefix().';
    END IF;
    PERFORM reason.change_placement($1, 'frozen', NULL, NULL, NULL, $2, $3);
END
$$;
COMMENT ON FUNCTION reason.freeze_division(text, text, text[]) IS
    'Has the writes of a division rest: they get 57P03, over HTTPS 503 with Retry-After, until thaw_division() or, in its new cell, for good. Reads go on. Takes effect when it is committed; await_frozen() then waits for what was under way. origins: where a division arrives, the names that its log had in the cell that it comes from, which its snapshots name. A division that returns to a cell rests there by its tombstone, which stays; only the names are learnt.';

CREATE FUNCTION reason.await_frozen(division text, at_most interval DEFAULT '1 minute', OUT head_seq bigint, OUT head_hash text, OUT root text,
    OUT nodes bigint, OUT edges bigint, OUT records text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + at_most;
    writers CONSTANT text[] := ARRAY(SELECT l.virtualtransaction FROM pg_locks l
        WHERE l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.relation = 'reason.audit_event'::regclass
          AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid());
    wait text;
BEGIN
    IF NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = $1 AND p.state = 'frozen') THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('division "%s" is not frozen', $1),
            HINT = 'Freeze it first: reason.freeze_division().';
    END IF;
    IF EXISTS (SELECT FROM reason.division_placement p WHERE p.division = $1 AND p.xmin = pg_current_xact_id_if_assigned()::xid) THEN
        RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction', MESSAGE = 'commit freeze_division() first: until then nobody else knows of it';
    END IF;
    LOOP
        wait := CASE WHEN EXISTS (SELECT FROM pg_locks l WHERE l.relation = 'reason.audit_event'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
                                    AND l.virtualtransaction = ANY (writers)) THEN 'transactions that wrote before have not ended' END;
        IF wait IS NULL THEN
            SELECT h.head_seq, h.head_hash, h.root, h.nodes, h.edges, h.records, h.unsettled INTO head_seq, head_hash, root, nodes, edges, records, wait
            FROM reason.division_head($1) h;
        END IF;
        EXIT WHEN wait IS NULL;
        IF clock_timestamp() > until THEN
            RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = format('division "%s" has not come to rest: %s', $1, wait),
                HINT = 'Does the sidecar run? Who writes stands in pg_stat_activity and pg_prepared_xacts.';
        END IF;
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.await_frozen(text, interval) IS
    'Waits until every transaction that may have written to a frozen division has ended, all its events are sealed and signed and its snapshots complete or failed; then nothing comes after the head that it returns (division_head()). Raises 55P03 when it takes too long.';

CREATE FUNCTION reason.move_division(division text, cell text, head_seq bigint DEFAULT NULL, head_hash text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    head record;
BEGIN
    PERFORM reason.require_division($1, 'frozen');
    PERFORM reason.check_label($2, 'the name of a cell', 64);
    SELECT h.* INTO head FROM reason.division_head($1) h;
    IF head.unsettled IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('division "%s" has not come to rest: %s', $1, head.unsettled),
            HINT = 'See reason.await_frozen().';
    END IF;
    IF (head.head_seq, head.head_hash) IS DISTINCT FROM ($3, lower($4)) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the chain of division "%s" ends with another event here than the one that is named', $1),
            DETAIL = format('Here it is event %s, %s.', head.head_seq, head.head_hash),
            HINT = 'Give what reason.division_head() says in the other cell, once its chain has been replayed there whole.';
    END IF;
    PERFORM reason.change_placement($1, 'moved', $2, $3, lower($4), NULL, NULL);
END
$$;
COMMENT ON FUNCTION reason.move_division(text, text, bigint, text) IS
    'Records that a frozen division lives in another cell from now on; head_seq and head_hash are the last event of its chain there, which must be that of the chain here. Its writes, and reads by the API, then get 55000 (409) that names the cell.';

CREATE FUNCTION reason.thaw_division(division text, reason text, head_seq bigint DEFAULT NULL, head_hash text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    returns CONSTANT boolean := $3 IS NOT NULL AND EXISTS (SELECT FROM reason.division_placement p WHERE p.division = $1 AND p.state = 'moved');
    placed CONSTANT reason.division_placement := reason.require_division($1, CASE WHEN returns THEN 'moved' ELSE 'frozen' END);
    head CONSTANT record := reason.division_head($1);
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'thawing a division needs a reason';
    END IF;
    IF ($3 IS NOT NULL OR $4 IS NOT NULL) AND (head.head_seq, head.head_hash) IS DISTINCT FROM ($3, lower($4)) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = CASE WHEN returns THEN format('division "%s" went on in cell "%s": its chain ends with another event here', $1, placed.cell)
                           ELSE format('the chain of division "%s" ends with another event here than the one that is named', $1) END,
            DETAIL = format('Here it is event %s, %s.', head.head_seq, head.head_hash),
            HINT = 'Replay its chain from the other cell first (reason-rebuild --division), or the chain would fork.';
    END IF;
    PERFORM reason.change_placement($1, 'here', NULL, NULL, NULL, $2, NULL);
END
$$;
COMMENT ON FUNCTION reason.thaw_division(text, text, bigint, text) IS
    'Lets a frozen division be written to again. head_seq and head_hash, where they are given, must be the last event of its chain here: the last one of the cell that it comes from. One that had moved needs them.';

CREATE FUNCTION reason.idempotency_keys_of(division text) RETURNS SETOF reason.idempotency_key
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT k.* FROM reason.idempotency_key k JOIN reason.client c ON c.name = k.client WHERE ARRAY[$1, '*'] && c.divisions AND k.status IS NOT NULL
$$;
COMMENT ON FUNCTION reason.idempotency_keys_of(text) IS
    'The answers that are kept for repeats of clients who have the division, for its new cell: a client who had no answer repeats its write there. Some may be of other divisions, where they harm nobody.';
