-- What was given up: parked with the reason, so that the rest goes on, and tried again when somebody says so.
--
-- A snapshot is `failed`, an event that a topic cannot take stands in emission_parked, one that a mirror refuses in mirror_parked, a
-- segment that the archive does not take has parked_at. An event cannot be passed over when it is sealed: those behind it rest on its hash, so the chain of its division
-- halts there (table halted_chain), and only what is done to the event lets it go on.

CREATE FUNCTION reason.record_archive_failure(lease_token bigint, target text, division text, first_seq bigint, reason text, most_attempts integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    given_up boolean;
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    -- 1, 2, 4 ... seconds, five minutes at most
    UPDATE reason.archive_segment a SET attempts = a.attempts + 1, failure = left($5, 2000),
        parked_at = CASE WHEN a.attempts + 1 >= $6 THEN clock_timestamp() END,
        next_attempt_at = CASE WHEN a.attempts + 1 < $6 THEN clock_timestamp() + make_interval(secs => least(300, power(2, least(a.attempts, 20)))) END
    WHERE a.target = $2 AND a.division = $3 AND a.first_seq = $4 AND a.archived_at IS NULL
    RETURNING a.parked_at IS NOT NULL INTO given_up;
    RETURN coalesce(given_up, false);
END
$$;
COMMENT ON FUNCTION reason.record_archive_failure(bigint, text, text, bigint, text, integer) IS
    'An attempt to archive a segment failed: it is tried again after 1, 2, 4 ... 300 seconds, or, when it was tried often enough, parked (true). Others go on.';

CREATE FUNCTION reason.retry_segment(target text, division text, first_seq bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    UPDATE reason.archive_segment a SET attempts = 0, next_attempt_at = NULL, failure = NULL, parked_at = NULL
    WHERE a.target = $1 AND a.division = $2 AND a.first_seq = $3 AND a.archived_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('no segment of division "%s" from event %s on waits for archive "%s"', $2, $3, $1);
    END IF;
    PERFORM reason.ring();
END
$$;
COMMENT ON FUNCTION reason.retry_segment(text, text, bigint) IS 'Has a segment that was parked, or waits, archived at once.';

CREATE FUNCTION reason.retry_emission(target text, division text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    first_seq bigint;
BEGIN
    -- The row of the cursor is locked first, as emitting does it.
    PERFORM FROM reason.emission m WHERE m.target = $1 AND m.division = $2 FOR UPDATE;
    SELECT min(p.seq) INTO first_seq FROM reason.emission_parked p WHERE p.target = $1 AND p.division = $2;
    IF first_seq IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('no event of division "%s" is parked for "%s"', $2, $1);
    END IF;
    DELETE FROM reason.emission_parked p WHERE p.target = $1 AND p.division = $2;
    UPDATE reason.emission m SET seq = first_seq - 1, at = clock_timestamp() WHERE m.target = $1 AND m.division = $2 AND m.seq >= first_seq;
    PERFORM reason.ring();
    RETURN first_seq;
END
$$;
COMMENT ON FUNCTION reason.retry_emission(text, text) IS
    'Sends a division''s events again from the first parked one on, in order; a consumer drops those that it has. Returns the seq of the first.';

CREATE VIEW reason.parked WITH (security_invoker = true) AS
SELECT 'snapshot' AS duty, NULL AS target, s.division, s.id::text AS item, s.failure AS reason,
       format('SELECT reason.retry_snapshot(%L)', s.id) AS retry
FROM reason.snapshot s WHERE s.status = 'failed' AND s.erased_event_id IS NULL
UNION ALL
SELECT 'emit', p.target, p.division, p.seq::text, p.reason, format('SELECT reason.retry_emission(%L, %L)', p.target, p.division)
FROM reason.emission_parked p
UNION ALL
SELECT 'mirror', p.target, p.division, p.seq::text, p.reason, format('SELECT reason.retry_mirrored(%L, %L)', p.target, p.division)
FROM reason.mirror_parked p
UNION ALL
SELECT 'archive', a.target, a.division, format('%s-%s', a.first_seq, a.last_seq), a.failure,
       format('SELECT reason.retry_segment(%L, %L, %s)', a.target, a.division, a.first_seq)
FROM reason.archive_segment a WHERE a.archived_at IS NULL AND a.parked_at IS NOT NULL
UNION ALL
SELECT 'seal', NULL, h.division, coalesce(h.event_id::text, format('number %s', h.event_no)), h.fault,
       CASE WHEN h.look_at IS NULL THEN format('SELECT reason.mend_chain(%L, %L)', h.division, 'why') END
FROM reason.halted_chain h;
COMMENT ON VIEW reason.parked IS 'Snapshots, events and segments that were given up, and events at which their chain has halted; why, and what has each tried again: NULL where a page must be mended first.';

CREATE FUNCTION reason.parked_items() RETURNS TABLE (duty text, items bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT d.duty, (SELECT count(*) FROM reason.parked p WHERE p.duty = d.duty)
    FROM (VALUES ('seal'), ('snapshot'), ('emit'), ('archive'), ('mirror')) d (duty)
$$;
COMMENT ON FUNCTION reason.parked_items() IS 'How many items each duty of the sidecar has given up: the view parked says which.';
