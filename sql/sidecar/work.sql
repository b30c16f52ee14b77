-- The sidecar's duties: who leads them, what is emitted and archived, and what it tells of itself.

CREATE FUNCTION reason.acquire_lease(duty text, holder text, ttl interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
    held reason.lease;
    at timestamptz := clock_timestamp();
    -- No lease is longer than a minute (sidecar.lease_ms): what ends later was given before the clock was set back.
    latest timestamptz := at + greatest(ttl, interval '1 minute');
BEGIN
    -- A change that is being made holds the lease (check_lease): whoever asks waits for it, but not for long.
    INSERT INTO reason.lease AS l (duty, holder, token, expires_at) VALUES ($1, $2, 1, at + ttl)
    ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE
        SET holder = excluded.holder, expires_at = excluded.expires_at,
            token = l.token + CASE WHEN l.holder = excluded.holder AND l.expires_at > at THEN 0 ELSE 1 END
        WHERE (l.holder = excluded.holder OR l.expires_at <= at OR l.expires_at > latest)
          AND (l.wanted_by IS NULL OR l.wanted_by = excluded.holder OR l.wanted_until <= at OR l.wanted_until > latest)
    RETURNING * INTO held;
    IF NOT FOUND THEN
        -- Another claims what is led here: it is given up at once. No change of this leader's is being made, for it would hold the lease.
        UPDATE reason.lease l SET expires_at = at
        WHERE l.duty = $1 AND l.holder = $2 AND l.expires_at > at AND l.wanted_by <> $2 AND l.wanted_until > at AND l.wanted_until <= latest;
    END IF;
    RETURN held.token;
EXCEPTION WHEN lock_not_available THEN
    -- The present leader's change is still being made. Its lease holds as long as that takes.
    RETURN (SELECT l.token FROM reason.lease l WHERE l.duty = $1 AND l.holder = $2);
END
$$;
COMMENT ON FUNCTION reason.acquire_lease(text, text, interval) IS
    'Takes or renews the lease of a duty; returns its fencing token, NULL while another holds or claims it. A lease that ran out gets a new token, even for the same holder.';

CREATE FUNCTION reason.claim_lease(duty text, holder text, ttl interval) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    UPDATE reason.lease l SET wanted_by = $2, wanted_until = at + least(ttl, interval '1 minute')
    WHERE l.duty = $1 AND l.holder <> $2
      AND (l.wanted_by IS NULL OR l.wanted_by = $2 OR l.wanted_until <= at OR l.wanted_until > at + interval '1 minute');
EXCEPTION WHEN lock_not_available THEN
    -- The present leader's change is still being made.
    RETURN;
END
$$;
COMMENT ON FUNCTION reason.claim_lease(text, text, interval) IS
    'Has the present leader of a duty hand it over to this holder, who takes it by acquire_lease(): for a release that is tried. A claim lasts as long as it is renewed, a minute at most each time; then anybody may lead again.';

CREATE FUNCTION reason.hold_lease(duty text, lease_token bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    -- Shared until the end of the transaction: nobody takes over in the middle of a change.
    PERFORM FROM reason.lease l WHERE l.duty = $1 AND l.token = $2 FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the lease of duty "%s" has passed to another', duty);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.hold_lease(text, bigint) IS 'Raises 55000 unless the token is that of the duty''s present leader; holds the lease until the transaction ends.';

CREATE FUNCTION reason.check_lease(duty text, lease_token bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.hold_lease($1, $2);
    PERFORM reason.refuse_in_safe_mode(reason.sealing_fault());
END
$$;
COMMENT ON FUNCTION reason.check_lease(text, bigint) IS 'hold_lease(), and nothing is done in safe mode (57P03): every change that a sidecar makes begins with it.';

CREATE FUNCTION reason.release_lease(duty text, lease_token bigint) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ UPDATE reason.lease l SET expires_at = clock_timestamp() WHERE l.duty = $1 AND l.token = $2 $$;
COMMENT ON FUNCTION reason.release_lease(text, bigint) IS 'Gives a duty up at once, so that another need not wait for the lease to run out.';

-- ---------------------------------------------------------------- what sidecars tell of themselves

CREATE TABLE reason.sidecar_report (
    holder      text        NOT NULL,
    signer_id   text        NOT NULL,
    reported_at timestamptz NOT NULL,
    memory      text        NOT NULL,
    CONSTRAINT sidecar_report_pkey PRIMARY KEY (holder)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.sidecar_report IS 'Sidecars that live: each writes its row every few seconds, once its signer and its store are open.';
COMMENT ON COLUMN reason.sidecar_report.memory IS 'Where outside the database it remembers what it signed: none, file, store, file and store.';

CREATE FUNCTION reason.report_sidecar(holder text, signer_id text, memory text DEFAULT 'none') RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    DELETE FROM reason.sidecar_report r
    WHERE r.reported_at < clock_timestamp() - interval '1 hour' OR r.reported_at > clock_timestamp() + interval '1 hour';
    INSERT INTO reason.sidecar_report AS r (holder, signer_id, reported_at, memory) VALUES ($1, $2, clock_timestamp(), $3)
    ON CONFLICT ON CONSTRAINT sidecar_report_pkey DO UPDATE SET signer_id = excluded.signer_id, reported_at = excluded.reported_at, memory = excluded.memory
$$;
COMMENT ON FUNCTION reason.report_sidecar(text, text, text) IS 'A sidecar says that it lives, signs as signer_id, has its store open, and where it remembers what it signed.';

CREATE FUNCTION reason.snapshot_attempts(id uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT s.attempts FROM reason.snapshot s WHERE s.id = $1 $$;
COMMENT ON FUNCTION reason.snapshot_attempts(uuid) IS 'How often a snapshot was tried since it was made or retried.';

CREATE FUNCTION reason.audit_lag() RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
    WITH RECURSIVE chain AS (
        (SELECT s.division FROM reason.audit_seal s ORDER BY s.division LIMIT 1)
        UNION ALL
        SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT greatest(interval '0',
        -- The oldest event without a place. OFFSET 0: seals are looked up one by one, not all joined.
        (SELECT clock_timestamp() - e.ts FROM reason.audit_event e
         WHERE e.no > (SELECT reason.sealed_no())
           AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = e.no AND s.division = e.division OFFSET 0)
           AND NOT EXISTS (SELECT FROM reason.halted_chain h WHERE h.division = e.division)
         ORDER BY e.no LIMIT 1),
        -- The first seal of each chain without a signature: signatures have no gaps.
        (SELECT max(clock_timestamp() - s.created_at)
         FROM (SELECT c.division, 1 + coalesce((SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division
                                                ORDER BY g.seq DESC LIMIT 1), -1) AS seq
               FROM chain c OFFSET 0) u,
              LATERAL (SELECT a.created_at FROM reason.audit_seal a WHERE a.division = u.division AND a.seq = u.seq OFFSET 0) s))
$$;
COMMENT ON FUNCTION reason.audit_lag() IS 'Age of the oldest event that is not sealed and signed yet. A chain that has halted does not count: it waits for an administrator, and the others do not wait for it.';

CREATE FUNCTION reason.leader_report(duty text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- Not whether its lease runs just now: between two leaders the one before counts. A report of the future is from before the clock was set back.
    SELECT r.signer_id FROM reason.lease l
    JOIN reason.sidecar_report r ON r.holder = l.holder
    WHERE l.duty = $1 AND r.reported_at BETWEEN clock_timestamp() - interval '15 seconds' AND clock_timestamp()
$$;
COMMENT ON FUNCTION reason.leader_report(text) IS 'The signer of the sidecar that leads the duty, if that has reported lately that it can sign and store; NULL otherwise, whatever others report.';

CREATE FUNCTION reason.readiness(OUT ok boolean, OUT signer text, OUT object_store text, OUT audit_lag_s double precision, OUT halted_chains bigint,
    OUT memory text, OUT safe_mode boolean, OUT report_age_s double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    signs_as text := reason.leader_report('seal');
BEGIN
    signer := CASE
        WHEN signs_as IS NULL THEN 'down'
        WHEN EXISTS (SELECT FROM reason.signer s WHERE s.signer_id = signs_as AND s.status = 'active') THEN 'up'
        ELSE 'not active' END;
    object_store := CASE
        WHEN reason.leader_report('snapshot') IS NULL THEN 'down'
        -- Snapshots that the store would not take for a while.
        WHEN EXISTS (SELECT FROM reason.snapshot s WHERE s.status IN ('pending', 'signed') AND s.attempts > 2) THEN 'failing'
        ELSE 'up' END;
    audit_lag_s := extract(epoch FROM reason.audit_lag());
    -- Reported, but no reason to be unready: the other divisions are sealed.
    halted_chains := (SELECT count(*) FROM reason.halted_chain);
    SELECT r.memory, extract(epoch FROM clock_timestamp() - r.reported_at) INTO memory, report_age_s
    FROM reason.lease l JOIN reason.sidecar_report r ON r.holder = l.holder WHERE l.duty = 'seal';
    memory := coalesce(memory, 'unknown');
    -- A report of the future is from before the clock was set back.
    IF report_age_s < 0 THEN
        report_age_s := NULL;
    END IF;
    safe_mode := reason.safe_mode_fault() IS NOT NULL;
    ok := signer = 'up' AND object_store = 'up' AND audit_lag_s < 60;
END
$$;
COMMENT ON FUNCTION reason.readiness() IS 'Whether writes would be sealed, signed and stored: the sidecars that lead reported lately, their signer is active, the store takes objects, and no event waits for a minute. halted_chains: divisions whose sealing has halted, which the view parked names. memory: where the sidecar that seals remembers what it signed; with none, whoever can change the database can have any history signed. safe_mode: events that are known outside are missing here, and nothing is written. report_age_s: seconds since the sidecar that seals reported; NULL: none has, as far as is known.';

CREATE FUNCTION reason.signed_chains() RETURNS TABLE (division text, head_seq bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- One index descent a division, however long the chains are.
    WITH RECURSIVE chain AS (
        (SELECT g.division FROM reason.audit_signature g ORDER BY g.division LIMIT 1)
        UNION ALL
        SELECT (SELECT g.division FROM reason.audit_signature g WHERE g.division > c.division ORDER BY g.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT c.division, (SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division ORDER BY g.seq DESC LIMIT 1)
    FROM chain c WHERE c.division IS NOT NULL
$$;
COMMENT ON FUNCTION reason.signed_chains() IS 'The chains and their last signed event.';

-- ---------------------------------------------------------------- emitting

CREATE TABLE reason.emission (
    target   text        NOT NULL,
    division text        NOT NULL,
    seq      bigint      NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT emission_pkey PRIMARY KEY (target, division)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.emission IS 'How far each chain was emitted: every event of the division up to seq was acknowledged by the target (a topic), or parked.';

CREATE TABLE reason.emission_parked (
    target    text        NOT NULL,
    division  text        NOT NULL,
    seq       bigint      NOT NULL,
    reason    text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT emission_parked_pkey PRIMARY KEY (target, division, seq)
);
COMMENT ON TABLE reason.emission_parked IS 'Events that a target can never take, such as one larger than its limit.';

CREATE FUNCTION reason.events_to_emit(lease_token bigint, target text, max_events integer DEFAULT 1000, max_bytes bigint DEFAULT 16777216)
RETURNS TABLE (division text, seq bigint, value text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM reason.check_lease('emit', lease_token);
    RETURN QUERY
    SELECT w.division, w.seq, w.value
    FROM (SELECT e.division, e.seq, e.value, sum(octet_length(e.value)) OVER (ORDER BY e.division, e.seq) - octet_length(e.value) AS bytes_before
          FROM (SELECT v.division, v.seq, reason.canonical_json(json_build_object(
                           'id', v.id, 'eventType', v.event_type, 'payload', v.payload, 'content', v.content, 'prevHash', v.prev_hash,
                           'hash', v.hash, 'signature', v.signature, 'signerId', v.signer_id, 'ts', reason.rfc3339(v.ts),
                           'division', v.division, 'seq', v.seq, 'metadata', v.metadata)) AS value
                -- The view is a barrier: it is asked by index for plain values only, not for expressions such as coalesce(). OFFSET 0 keeps them values.
                FROM (SELECT c.division, c.head_seq, coalesce(m.seq, -1) AS done, coalesce(m.seq, -1) + $3 AS most
                      FROM reason.signed_chains() c
                      LEFT JOIN reason.emission m ON m.target = $2 AND m.division = c.division
                      OFFSET 0) t,
                     LATERAL (SELECT x.* FROM reason.audit_events x
                              WHERE x.division = t.division AND x.seq > t.done AND x.seq <= t.most
                              ORDER BY x.seq) v
                WHERE t.head_seq > t.done
                LIMIT $3) e) w
    WHERE w.bytes_before < $4
    ORDER BY w.division, w.seq;
END
$$;
COMMENT ON FUNCTION reason.events_to_emit(bigint, text, integer, bigint) IS
    'Signed events that a target has not acknowledged yet, in the order of each chain, with the exact text to send: canonical JSON. At most max_events, and not many more than max_bytes.';

CREATE FUNCTION reason.record_emitted(lease_token bigint, target text, divisions text[], seqs bigint[]) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    moved integer;
BEGIN
    PERFORM reason.check_lease('emit', lease_token);
    INSERT INTO reason.emission AS m (target, division, seq)
    SELECT $2, u.division, u.seq FROM unnest($3, $4) u (division, seq)
    ON CONFLICT ON CONSTRAINT emission_pkey DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE m.seq < excluded.seq;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END
$$;
COMMENT ON FUNCTION reason.record_emitted(bigint, text, text[], bigint[]) IS 'Moves the cursors of divisions behind what a target acknowledged; never backwards.';

CREATE FUNCTION reason.last_emission(target text) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT max(m.at) FROM reason.emission m WHERE m.target = $1 $$;
COMMENT ON FUNCTION reason.last_emission(text) IS 'When a target last acknowledged something that this database knows of; NULL: never. What it forgot in a restore was emitted later.';

CREATE FUNCTION reason.park_event(lease_token bigint, target text, division text, seq bigint, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('emit', lease_token);
    INSERT INTO reason.emission_parked (target, division, seq, reason) VALUES ($2, $3, $4, left($5, 2000))
    ON CONFLICT ON CONSTRAINT emission_parked_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION reason.park_event(bigint, text, text, bigint, text) IS 'Notes that a target can never take an event.';

-- ---------------------------------------------------------------- archiving

CREATE TABLE reason.archive_segment (
    target           text        NOT NULL,
    division         text        NOT NULL,
    first_seq        bigint      NOT NULL,
    last_seq         bigint      NOT NULL,
    object_prefix    text        NOT NULL,
    object_uri       text,
    object_version   text,
    object_hash      text,
    contents_uri     text,
    contents_version text,
    archived_at      timestamptz,
    retain_until     timestamptz,
    legal_hold       boolean,
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,
    failure          text,
    parked_at        timestamptz,
    CONSTRAINT archive_segment_pkey PRIMARY KEY (target, division, first_seq),
    CONSTRAINT archive_segment_range_check CHECK (first_seq >= 0 AND last_seq >= first_seq),
    CONSTRAINT archive_segment_stored_check CHECK ((archived_at IS NULL) = (object_uri IS NULL))
);
COMMENT ON TABLE reason.archive_segment IS 'Index of the archive: which events lie in which object and version; the event of seq s is line s - first_seq + 1. A segment is planned (archived_at NULL) before it is stored, so that a crash leaves no second one of other bounds.';
COMMENT ON COLUMN reason.archive_segment.retain_until IS 'Until when the object of the events is locked; NULL: not, or not known.';
COMMENT ON COLUMN reason.archive_segment.legal_hold IS 'Whether the object of the events is under legal hold; NULL: not known.';
COMMENT ON COLUMN reason.archive_segment.parked_at IS 'When it was given up (failure says why), until reason.retry_segment().';
-- serves: those that were planned and not stored
CREATE INDEX archive_segment_planned_idx ON reason.archive_segment (target, division) WHERE archived_at IS NULL;

CREATE FUNCTION reason.plan_segment(target text, max_events integer, max_age interval, max_bytes bigint) RETURNS reason.archive_segment
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    planned reason.archive_segment;
    chain record;
    opened timestamptz;
BEGIN
    SELECT * INTO planned FROM reason.archive_segment a
    WHERE a.target = $1 AND a.archived_at IS NULL AND a.parked_at IS NULL AND coalesce(a.next_attempt_at <= clock_timestamp(), true)
    ORDER BY a.next_attempt_at NULLS FIRST, a.division LIMIT 1;
    IF FOUND THEN
        RETURN planned;
    END IF;
    FOR chain IN
        SELECT c.division, c.head_seq,
               coalesce((SELECT a.last_seq + 1 FROM reason.archive_segment a WHERE a.target = $1 AND a.division = c.division
                         ORDER BY a.first_seq DESC LIMIT 1), 0) AS next_seq
        FROM reason.signed_chains() c
    LOOP
        CONTINUE WHEN chain.next_seq > chain.head_seq;
        -- While a segment of a chain waits for its next attempt, no later one is planned.
        CONTINUE WHEN EXISTS (SELECT FROM reason.archive_segment a
                              WHERE a.target = $1 AND a.division = chain.division AND a.archived_at IS NULL AND a.parked_at IS NULL);
        SELECT s.created_at INTO opened FROM reason.audit_seal s WHERE s.division = chain.division AND s.seq = chain.next_seq;
        CONTINUE WHEN chain.head_seq - chain.next_seq + 1 < max_events AND opened > clock_timestamp() - max_age;
        -- All of one day, and not larger than one value can be.
        SELECT max(w.seq) INTO planned.last_seq
        FROM (SELECT s.seq, s.created_at, sum(b.bytes) OVER (ORDER BY s.seq) - b.bytes AS bytes_before
              FROM reason.audit_seal s
              JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division
              LEFT JOIN reason.node n ON n.no = s.event_no AND n.division = s.division
              CROSS JOIN LATERAL (SELECT octet_length(reason.event_payload(e)::text) + coalesce(octet_length(n.payload::text), 0) AS bytes OFFSET 0) b
              WHERE s.division = chain.division AND s.seq BETWEEN chain.next_seq AND least(chain.head_seq, chain.next_seq + max_events - 1)) w
        WHERE w.bytes_before < max_bytes AND (w.created_at AT TIME ZONE 'UTC')::date = (opened AT TIME ZONE 'UTC')::date;
        INSERT INTO reason.archive_segment AS a (target, division, first_seq, last_seq, object_prefix)
        VALUES ($1, chain.division, chain.next_seq, planned.last_seq,
                format('audit/%s/%s/%s-%s', chain.division, to_char(opened AT TIME ZONE 'UTC', 'YYYY/MM/DD'), chain.next_seq, planned.last_seq))
        RETURNING * INTO planned;
        RETURN planned;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.plan_segment(text, integer, interval, bigint) IS
    'The segment to store next: one that was planned and not stored, else a new one, once a chain has max_events or its oldest is as old as max_age.';

CREATE FUNCTION reason.segment_to_archive(lease_token bigint, target text, max_events integer, max_age interval, max_bytes bigint DEFAULT 67108864)
RETURNS TABLE (division text, first_seq bigint, last_seq bigint, object_prefix text, retain_until timestamptz, legal_hold boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    planned reason.archive_segment;
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    planned := reason.plan_segment(target, max_events, max_age, max_bytes);
    IF planned.division IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT planned.division, planned.first_seq, planned.last_seq, planned.object_prefix, p.retain_until, p.legal_hold
    FROM reason.archive_protection(planned.division, clock_timestamp()) p;
END
$$;
COMMENT ON FUNCTION reason.segment_to_archive(bigint, text, integer, interval, bigint) IS
    'The next segment. It is planned: asked again before record_archived(), it is the same.';

CREATE FUNCTION reason.segment_lines(lease_token bigint, division text, first_seq bigint, last_seq bigint) RETURNS TABLE (event text, content text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    RETURN QUERY
    SELECT reason.canonical_json(json_build_object(
               'id', v.id, 'eventType', v.event_type, 'payload', v.payload, 'prevHash', v.prev_hash, 'hash', v.hash,
               'signature', v.signature, 'signerId', v.signer_id, 'ts', reason.rfc3339(v.ts), 'division', v.division,
               'seq', v.seq, 'metadata', v.metadata)) || E'\n',
           CASE WHEN v.content IS NOT NULL THEN reason.canonical_json(json_build_object('id', v.id, 'content', v.content)) || E'\n' END
    FROM reason.audit_events v
    WHERE v.division = $2 AND v.seq BETWEEN $3 AND $4
    ORDER BY v.seq;
END
$$;
COMMENT ON FUNCTION reason.segment_lines(bigint, text, bigint, bigint) IS
    'The exact text of a segment: each event as a line of canonical JSON, and its content, if it has one, likewise.';

CREATE FUNCTION reason.record_archived(lease_token bigint, target text, division text, first_seq bigint, last_seq bigint,
    object_uri text, object_version text, object_hash text, contents_uri text, contents_version text,
    retain_until timestamptz, legal_hold boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    UPDATE reason.archive_segment a SET object_uri = $6, object_version = $7, object_hash = $8, contents_uri = $9, contents_version = $10,
        archived_at = clock_timestamp(), retain_until = $11, legal_hold = $12, next_attempt_at = NULL, failure = NULL
    WHERE a.target = $2 AND a.division = $3 AND a.first_seq = $4 AND a.last_seq = $5 AND a.archived_at IS NULL;
    -- The rule may have changed since the segment was asked for: then all are looked at once more.
    DELETE FROM reason.archive_rule_applied p USING reason.archive_rule r
    WHERE p.target = $2 AND p.division = $3 AND r.division = $3
      AND (r.legal_hold IS DISTINCT FROM $12 OR coalesce($11 + interval '1 hour' < clock_timestamp() + make_interval(days => r.retain_days), true));
END
$$;
COMMENT ON FUNCTION reason.record_archived(bigint, text, text, bigint, bigint, text, text, text, text, text, timestamptz, boolean) IS 'The objects of a planned segment are durable. May be repeated.';

CREATE FUNCTION reason.archived_event(division text, seq bigint)
RETURNS TABLE (object_uri text, object_version text, line bigint, contents_uri text, contents_version text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT a.object_uri, a.object_version, $2 - a.first_seq + 1, a.contents_uri, a.contents_version
    FROM reason.archive_segment a
    WHERE a.division = $1 AND $2 BETWEEN a.first_seq AND a.last_seq AND a.archived_at IS NOT NULL
      AND ARRAY[a.division, '*'] && reason.visible_divisions_of(reason.calling_role())
$$;
COMMENT ON FUNCTION reason.archived_event(text, bigint) IS 'Where an event lies in the archive: object, version, line.';

-- ---------------------------------------------------------------- mirroring

CREATE TABLE reason.mirror_mark (
    target   text        NOT NULL,
    division text        NOT NULL,
    seq      bigint      NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT mirror_mark_pkey PRIMARY KEY (target, division)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.mirror_mark IS 'How far each chain was mirrored when the sidecar last said so; -1: nothing yet. The mirror itself keeps what counts.';

-- ---------------------------------------------------------------- how much there is to do

CREATE FUNCTION reason.sidecar_status(topic text DEFAULT NULL, archive text DEFAULT NULL, mirrors text[] DEFAULT NULL)
RETURNS TABLE (duty text, holder text, led boolean, depth bigint, age_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
    SELECT d.duty, l.holder, coalesce(l.expires_at > clock_timestamp(), false), coalesce(d.depth, 0),
           CASE WHEN d.depth > 0 THEN coalesce(extract(epoch FROM clock_timestamp() - d.oldest), 0) ELSE 0 END::double precision
    FROM (
        SELECT 'seal', count(*), min(q.ts)
        FROM (SELECT e.ts FROM reason.audit_event e
              WHERE e.no > (SELECT reason.sealed_no())
                AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = e.no AND s.division = e.division OFFSET 0)
                AND NOT EXISTS (SELECT FROM reason.halted_chain h WHERE h.division = e.division)
              UNION ALL
              SELECT s.created_at FROM reason.unsigned_seals(100000) u
              JOIN reason.audit_seal s ON s.division = u.division AND s.seq = u.seq) q
        UNION ALL
        SELECT 'snapshot', count(*), min(s.created_at) FROM reason.snapshot s WHERE s.status IN ('pending', 'signed')
        UNION ALL
        SELECT 'emit', sum(c.head_seq - m.seq)::bigint, min((SELECT s.created_at FROM reason.audit_seal s WHERE s.division = c.division AND s.seq = m.seq + 1))
        FROM (SELECT $1 WHERE $1 <> '' UNION SELECT x.target FROM reason.emission x WHERE $1 IS NULL) t (target)
        CROSS JOIN reason.signed_chains() c
        CROSS JOIN LATERAL (SELECT coalesce((SELECT x.seq FROM reason.emission x WHERE x.target = t.target AND x.division = c.division), -1) AS seq) m
        WHERE c.head_seq > m.seq
        UNION ALL
        SELECT 'archive', sum(c.head_seq - m.seq)::bigint, min((SELECT s.created_at FROM reason.audit_seal s WHERE s.division = c.division AND s.seq = m.seq + 1))
        FROM (SELECT $2 WHERE $2 <> '' UNION SELECT x.target FROM reason.archive_segment x WHERE $2 IS NULL) t (target)
        CROSS JOIN reason.signed_chains() c
        CROSS JOIN LATERAL (SELECT coalesce((SELECT x.last_seq FROM reason.archive_segment x
                                             WHERE x.target = t.target AND x.division = c.division AND x.archived_at IS NOT NULL
                                             ORDER BY x.first_seq DESC LIMIT 1), -1) AS seq) m
        WHERE c.head_seq > m.seq
        UNION ALL
        SELECT 'mirror', sum(c.head_seq - m.seq)::bigint, min((SELECT s.created_at FROM reason.audit_seal s WHERE s.division = c.division AND s.seq = m.seq + 1))
        FROM reason.mirror_mark m
        JOIN reason.signed_chains() c ON c.division = m.division AND c.head_seq > m.seq
        WHERE $3 IS NULL OR m.target = ANY ($3)
    ) d (duty, depth, oldest)
    LEFT JOIN reason.lease l ON l.duty = d.duty
$$;
COMMENT ON FUNCTION reason.sidecar_status(text, text, text[]) IS 'For each duty of the sidecar: who leads it, how much waits, and how old the oldest of that is. topic, archive and mirrors: which ones to report, even if nothing has reached them yet; NULL: all that something has reached.';
