-- Leadership of the sidecar's duties, and what it tells of itself.

CREATE FUNCTION reason.acquire_lease(duty text, holder text, ttl interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    held reason.lease;
    at timestamptz := clock_timestamp();
BEGIN
    INSERT INTO reason.lease AS l (duty, holder, token, expires_at) VALUES ($1, $2, 1, at + ttl)
    ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE
        SET holder = excluded.holder, expires_at = excluded.expires_at,
            token = l.token + CASE WHEN l.holder = excluded.holder AND l.expires_at > at THEN 0 ELSE 1 END
        WHERE l.holder = excluded.holder OR l.expires_at <= at
    RETURNING * INTO held;
    RETURN held.token;
END
$$;
COMMENT ON FUNCTION reason.acquire_lease(text, text, interval) IS
    'Takes or renews the lease of a duty; returns its fencing token, NULL while another holds it. A lease that ran out gets a new token, even for the same holder.';

CREATE FUNCTION reason.check_lease(duty text, lease_token bigint) RETURNS void
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
COMMENT ON FUNCTION reason.check_lease(text, bigint) IS 'Raises 55000 unless the token is that of the duty''s present leader; holds the lease until the transaction ends.';

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
    CONSTRAINT sidecar_report_pkey PRIMARY KEY (holder)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.sidecar_report IS 'Sidecars that live: each writes its row every few seconds, once its signer and its store are open.';

CREATE FUNCTION reason.report_sidecar(holder text, signer_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    DELETE FROM reason.sidecar_report r WHERE r.reported_at < clock_timestamp() - interval '1 hour';
    INSERT INTO reason.sidecar_report AS r (holder, signer_id, reported_at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT ON CONSTRAINT sidecar_report_pkey DO UPDATE SET signer_id = excluded.signer_id, reported_at = excluded.reported_at
$$;
COMMENT ON FUNCTION reason.report_sidecar(text, text) IS 'A sidecar says that it lives, signs as signer_id, and has its store open.';

CREATE FUNCTION reason.audit_lag() RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- The oldest event without a place: the numbers up to decided_no have theirs.
    SELECT coalesce((SELECT clock_timestamp() - e.ts FROM reason.audit_event e
                     WHERE e.no > (SELECT decided_no FROM reason.sealer_state)
                       AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = e.no AND s.division = e.division)
                     ORDER BY e.no LIMIT 1), interval '0')
$$;
COMMENT ON FUNCTION reason.audit_lag() IS 'Age of the oldest event that is not sealed yet.';

CREATE FUNCTION reason.readiness(OUT ok boolean, OUT signer text, OUT object_store text, OUT audit_lag_s double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    last_report reason.sidecar_report;
BEGIN
    SELECT * INTO last_report FROM reason.sidecar_report r ORDER BY r.reported_at DESC LIMIT 1;
    signer := CASE
        WHEN last_report.reported_at > clock_timestamp() - interval '15 seconds' IS NOT TRUE THEN 'down'
        WHEN EXISTS (SELECT FROM reason.signer s WHERE s.signer_id = last_report.signer_id AND s.status = 'active') THEN 'up'
        ELSE 'not active' END;
    object_store := CASE
        WHEN signer = 'down' THEN 'down'
        -- Snapshots that the store would not take for a while.
        WHEN EXISTS (SELECT FROM reason.snapshot s WHERE s.status IN ('pending', 'signed') AND s.attempts > 2) THEN 'failing'
        ELSE 'up' END;
    audit_lag_s := extract(epoch FROM reason.audit_lag());
    ok := signer = 'up' AND object_store = 'up' AND audit_lag_s < 60;
END
$$;
COMMENT ON FUNCTION reason.readiness() IS 'Whether writes would be sealed, signed and stored: a sidecar reported lately, its signer is active, the store takes objects, and no event waits for a minute.';
