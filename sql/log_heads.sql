-- Heads of all logs: an event of division system that holds how many there are, and a root over them.
--
-- Whoever witnesses the log of division system witnesses all of them so, and learns no name: a log that is cut, altered or
-- removed afterwards does not extend what an event has counted.

CREATE TABLE reason.log_head (
    division text   NOT NULL,
    origin   text   NOT NULL,
    size     bigint NOT NULL,
    root     bytea  NOT NULL,
    CONSTRAINT log_head_pkey PRIMARY KEY (division)
);
COMMENT ON TABLE reason.log_head IS 'The heads that the last event log.heads counts: that event holds their number and a root over them, and no names.';

CREATE FUNCTION reason.head_stands(division text, size bigint, root bytea) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    RETURN reason.tree_root_of($1, $2) = $3;
EXCEPTION WHEN no_data_found OR data_corrupted OR invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION reason.head_stands(text, bigint, bytea) IS 'Whether the tree of a division extends one of this size and root.';

CREATE FUNCTION reason.log_head_lines(OUT count bigint, OUT root bytea)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT count(*), reason.merkle_root(coalesce(array_agg(h.line ORDER BY h.line COLLATE "C"), '{}'))
    FROM (SELECT reason.checkpoint_text(x.origin, x.size, x.root) AS line FROM reason.log_head x) h
$$;
COMMENT ON FUNCTION reason.log_head_lines() IS 'How many heads there are in table log_head, and the root of the Merkle tree over their lines, which are the texts of checkpoints, in the order of their bytes.';

CREATE FUNCTION reason.log_heads_due(max_age interval, min_age interval) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    age interval;
    place bigint;
BEGIN
    SELECT clock_timestamp() - e.ts, s.seq INTO age, place
    FROM reason.audit_event e LEFT JOIN reason.audit_seal s ON s.event_no = e.no AND s.division = e.division
    WHERE e.event_type = 'log.heads' AND e.division = 'system' ORDER BY e.no DESC LIMIT 1;
    RETURN CASE
        -- There was none, or the clock was set back.
        WHEN NOT FOUND OR age < interval '0' THEN true
        -- Until the last one has its place, another would say no more.
        WHEN place IS NULL THEN false
        WHEN age >= $1 THEN true
        -- An event of system that is not log.heads: what it is witnessed with is to vouch for the other logs as they are by then.
        ELSE age >= $2 AND EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = 'system' AND s.seq > place) END;
END
$$;
COMMENT ON FUNCTION reason.log_heads_due(interval, interval) IS
    'Whether the last event log.heads is older than max_age, or than min_age where division system has got another event since. Whether other logs have grown is for record_log_heads().';

CREATE FUNCTION reason.record_log_heads(lease_token bigint, max_age interval DEFAULT '1 hour', min_age interval DEFAULT '1 minute') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    most_behind CONSTANT bigint := 100000;
    lost text;
    told record;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    PERFORM reason.lock_until_commit('log heads');
    IF NOT reason.log_heads_due($2, $3)
       -- A longer log of division system is no reason for a count, or each count would make the next one
       -- necessary.
       OR NOT EXISTS (SELECT FROM reason.log_heads() t LEFT JOIN reason.log_head h ON h.division = t.division AND h.origin = t.origin
                      WHERE t.division <> 'system' AND t.size IS DISTINCT FROM h.size)
       -- A tree that lags is grown first, as before a checkpoint.
       OR EXISTS (SELECT FROM reason.log_heads() t WHERE t.size - t.grown >= most_behind) THEN
        RETURN NULL;
    END IF;
    -- Those that have not grown cost nothing here: verify_log() looks at all of them.
    SELECT h.division INTO lost FROM reason.log_head h LEFT JOIN reason.log_heads() t ON t.division = h.division
    WHERE t.size IS DISTINCT FROM h.size AND NOT reason.head_stands(h.division, h.size, h.root) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted', MESSAGE = format('the log of division "%s" does not extend what the last event log.heads counts', lost),
            HINT = 'The chain was cut, altered or removed: see what reason.verify_all() says.';
    END IF;
    INSERT INTO reason.log_head AS h (division, origin, size, root)
    SELECT t.division, t.origin, t.size, reason.tree_root_of(t.division, t.size) FROM reason.log_heads() t
    WHERE t.division <> 'system' AND NOT EXISTS (SELECT FROM reason.log_head x WHERE x.division = t.division AND x.origin = t.origin AND x.size = t.size)
    ON CONFLICT ON CONSTRAINT log_head_pkey DO UPDATE SET origin = excluded.origin, size = excluded.size, root = excluded.root;
    SELECT * INTO told FROM reason.log_head_lines();
    RETURN reason.append_event('system', 'log.heads', jsonb_build_object('heads',
        jsonb_build_object('count', told.count, 'root', encode(told.root, 'hex')), 'request', reason.sql_request()::jsonb));
END
$$;
COMMENT ON FUNCTION reason.record_log_heads(bigint, interval, interval) IS
    'An event log.heads in division system, if a log has grown since the last one and log_heads_due(): how many logs there are, and a root over the lines "origin, size, root" of all but that of system. So whoever witnesses the log of system witnesses all, and sees no name. Raises XX001 when a log does not extend what was counted last. Needs the lease of the duty seal.';

CREATE FUNCTION reason.log_heads_fault() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    last_event record;
    fewer record;
    present record;
    lost bigint;
BEGIN
    SELECT e.payload #>> '{heads,count}' AS count, e.payload #>> '{heads,root}' AS root INTO last_event
    FROM reason.audit_event e WHERE e.event_type = 'log.heads' AND e.division = 'system' ORDER BY e.no DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN CASE WHEN EXISTS (SELECT FROM reason.log_head) THEN 'log_head: no event log.heads counts these rows' END;
    END IF;
    SELECT h.id, h.count, h.before INTO fewer
    FROM (SELECT x.id, x.no, x.count, lag(x.count) OVER (PARTITION BY x.epoch ORDER BY x.no) AS before
          -- An accepted restore begins all logs anew, in another epoch: what it gave up is not counted there.
          FROM (SELECT e.id, e.no, e.event_type, (e.payload #>> '{heads,count}')::bigint AS count,
                       max((e.payload #>> '{log,epoch}')::integer) OVER (ORDER BY e.no) AS epoch
                FROM reason.audit_event e WHERE e.event_type IN ('log.changed', 'log.heads') AND e.division = 'system') x
          WHERE x.event_type = 'log.heads') h
    WHERE h.count < h.before ORDER BY h.no LIMIT 1;
    IF FOUND THEN
        RETURN format('event "%s" counts the heads of %s logs, and the one before it of %s: a division is gone', fewer.id, fewer.count, fewer.before);
    END IF;
    SELECT * INTO present FROM reason.log_head_lines();
    -- Rebuilt from its chain a database has none until the next event.
    IF present.count = 0 THEN
        RETURN NULL;
    END IF;
    IF (present.count::text, encode(present.root, 'hex')) IS DISTINCT FROM (last_event.count, last_event.root) THEN
        RETURN 'log_head: the rows are not what the last event log.heads counts';
    END IF;
    SELECT count(*) INTO lost FROM reason.log_head h WHERE NOT reason.head_stands(h.division, h.size, h.root);
    IF lost > 0 THEN
        RETURN format('%s of the %s logs that the last event log.heads counts are gone, or do not extend what they were', lost, present.count);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.log_heads_fault() IS 'For verify_log() of division system: whether all logs extend the heads that the last event log.heads counts, and no event counts fewer than the one before. Names no division.';
