-- Quotas: how many nodes and edges a client may write a day (UTC) and division, over HTTPS.
--
-- Exact under concurrency: what is written is added up in the writer's own transaction, in one row for each client,
-- division and day, so that a write that is rolled back does not count and two at once cannot both take what is left. Writers of
-- a client that has a quota therefore commit one after the other within a division; a client without one costs a lookup.

CREATE TABLE reason.quota (
    client        text   NOT NULL,
    division      text   NOT NULL,
    nodes_per_day bigint,
    edges_per_day bigint,
    CONSTRAINT quota_pkey PRIMARY KEY (client, division),
    -- No more than an event can record exactly: JSON's numbers are doubles.
    CONSTRAINT quota_limits_check CHECK (nodes_per_day >= 0 AND nodes_per_day <= 9007199254740991 AND edges_per_day >= 0 AND edges_per_day <= 9007199254740991),
    CONSTRAINT quota_limit_given_check CHECK (nodes_per_day IS NOT NULL OR edges_per_day IS NOT NULL)
);
COMMENT ON TABLE reason.quota IS 'What clients may write a day. Changed with reason.set_quota(), which leaves an event.';
COMMENT ON COLUMN reason.quota.division IS '''*'' stands for each division that has no row of its own, counted by itself.';
COMMENT ON COLUMN reason.quota.nodes_per_day IS 'NULL: as many as it likes.';

CREATE TABLE reason.quota_use (
    client   text   NOT NULL,
    division text   NOT NULL,
    day      date   NOT NULL,
    nodes    bigint NOT NULL DEFAULT 0,
    edges    bigint NOT NULL DEFAULT 0,
    CONSTRAINT quota_use_pkey PRIMARY KEY (client, division, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.quota_use IS 'What clients with a quota have written, by day (UTC) and division.';

CREATE FUNCTION reason.set_quota(client text, division text DEFAULT '*', nodes_per_day bigint DEFAULT NULL, edges_per_day bigint DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reason.client c WHERE c.name = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('client "%s" does not exist', $1),
            HINT = 'Register it with reason.set_client() first.';
    END IF;
    PERFORM reason.check_division($2);
    IF $3 IS NULL AND $4 IS NULL THEN
        DELETE FROM reason.quota q WHERE q.client = $1 AND q.division = $2;
    ELSE
        INSERT INTO reason.quota AS q VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT quota_pkey DO UPDATE
            SET nodes_per_day = excluded.nodes_per_day, edges_per_day = excluded.edges_per_day
            WHERE (q.nodes_per_day, q.edges_per_day) IS DISTINCT FROM (excluded.nodes_per_day, excluded.edges_per_day);
    END IF;
    IF FOUND THEN
        PERFORM reason.append_event('system', 'client.changed', jsonb_build_object(
            'quota', jsonb_build_object('client', $1, 'division', $2, 'nodesPerDay', $3, 'edgesPerDay', $4),
            'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_quota(text, text, bigint, bigint) IS
    'Limits what a client may write over HTTPS a day (UTC) in a division; division * stands for each that has no limit of its own. NULL for both lifts the limit. Takes effect with the next write, what was written that day since the limit began included. Raises P0002 for an unknown client.';

CREATE FUNCTION reason.quota_today(client text DEFAULT NULL,
    OUT client_name text, OUT division text, OUT nodes bigint, OUT nodes_per_day bigint, OUT edges bigint, OUT edges_per_day bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT u.client, u.division, u.nodes, q.nodes_per_day, u.edges, q.edges_per_day
    FROM reason.quota_use u
    LEFT JOIN LATERAL (SELECT * FROM reason.quota q WHERE q.client = u.client AND q.division IN (u.division, '*')
                       ORDER BY q.division = '*' LIMIT 1) q ON true
    WHERE u.day = (statement_timestamp() AT TIME ZONE 'UTC')::date AND ($1 IS NULL OR u.client = $1)
    ORDER BY u.client, u.division
$$;
COMMENT ON FUNCTION reason.quota_today(text) IS 'What clients with a quota have written today (UTC), and may.';

CREATE FUNCTION reason.charge_quota(client text, kind text, numbers bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    now_utc CONSTANT timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    charge record;
BEGIN
    -- In the order of divisions, so that two batches never wait for each other.
    FOR charge IN
        SELECT w.division, w.count, CASE kind WHEN 'node' THEN q.nodes_per_day ELSE q.edges_per_day END AS most
        FROM (SELECT e.division, count(*) FROM reason.audit_event e WHERE e.no = ANY (numbers) GROUP BY e.division) w
        CROSS JOIN LATERAL (SELECT * FROM reason.quota q WHERE q.client = $1 AND q.division IN (w.division, '*')
                            ORDER BY q.division = '*' LIMIT 1) q
        ORDER BY w.division
    LOOP
        INSERT INTO reason.quota_use AS u (client, division, day, nodes, edges)
        SELECT $1, charge.division, now_utc::date, CASE kind WHEN 'node' THEN charge.count ELSE 0 END,
               CASE kind WHEN 'edge' THEN charge.count ELSE 0 END
        WHERE charge.most IS NULL OR charge.count <= charge.most
        ON CONFLICT ON CONSTRAINT quota_use_pkey DO UPDATE
            SET nodes = u.nodes + excluded.nodes, edges = u.edges + excluded.edges
            WHERE charge.most IS NULL OR CASE kind WHEN 'node' THEN u.nodes + excluded.nodes ELSE u.edges + excluded.edges END <= charge.most;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'configuration_limit_exceeded',
                MESSAGE = format('the quota of %s %ss a day in division "%s" does not allow %s more', charge.most, kind, charge.division, charge.count),
                DETAIL = jsonb_build_object('division', charge.division, 'limit', charge.most, 'requested', charge.count,
                    'retryAfter', ceil(extract(epoch FROM date_trunc('day', now_utc) + interval '1 day' - now_utc))::integer)::text,
                HINT = 'Quotas begin anew at midnight UTC; an administrator sets them with reason.set_quota().';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.charge_quota(text, text, bigint[]) IS
    'Counts nodes or edges that a client has just written, by number; raises 53400 when its quota does not allow them, so that they are not.';
