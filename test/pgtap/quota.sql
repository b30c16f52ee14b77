-- Quotas: what a client may write a day and division, counted exactly, and what is undone does not count.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT reason.set_client('kernel', 'writer', '{*}');
SELECT reason.set_client('other', 'writer', '{*}');

CREATE FUNCTION write(kind text, body text, client text DEFAULT 'kernel', key text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    answered integer;
BEGIN
    EXECUTE format('SELECT status FROM reason.http_post_%s(%L, NULL, NULL, %L, NULL, $1, $2, NULL, NULL)', kind, client, 'req-1')
    INTO answered USING body, key;
    RETURN answered;
END
$$;
CREATE FUNCTION node(division text DEFAULT 'default') RETURNS text LANGUAGE sql AS $$
    SELECT format('{"type": "action", "author": "a", "payload": 1, "division": "%s"}', $1)
$$;
CREATE FUNCTION nodes(count integer) RETURNS text LANGUAGE sql AS $$
    SELECT format('{"nodes": [%s]}', string_agg('{"type": "action", "actor": "a", "payload": 1}', ',')) FROM generate_series(1, $1)
$$;
CREATE FUNCTION used(client text DEFAULT 'kernel') RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(concat_ws(' ', division, nodes, edges), ', ' ORDER BY division), 'nothing') FROM reason.quota_today($1)
$$;

-- ---------------------------------------------------------------- setting
SELECT throws_ok($$SELECT reason.set_quota('nobody', '*', 1)$$, 'P0002', NULL, 'a quota is for a client that exists');
SELECT throws_ok($$SELECT reason.set_quota('kernel', '*', -1)$$, '23514', NULL, 'and not negative');
SELECT is(write('node', node()), 201, 'without a quota one writes');
SELECT is(used(), 'nothing', 'and nothing is counted');
SELECT lives_ok($$SELECT reason.set_quota('kernel', 'default', 3, 2)$$, 'a quota is set');
SELECT is((SELECT payload -> 'quota' ->> 'nodesPerDay' FROM reason.audit_event WHERE event_type = 'client.changed' ORDER BY no DESC LIMIT 1),
          '3', 'which leaves an event');
SELECT is((SELECT count(*)::integer FROM (SELECT reason.set_quota('kernel', 'default', 3, 2)) s,
           LATERAL (SELECT FROM reason.audit_event WHERE payload::jsonb ? 'quota') e), 1, 'and setting the same again does not');

-- ---------------------------------------------------------------- counting
SELECT is(write('node', node()), 201, 'a node');
SELECT is(write('nodes', nodes(2)), 201, 'and two more');
SELECT is(used(), 'default 3 0', 'are counted');
SELECT throws_ok($$SELECT write('node', node())$$, '53400', 'the quota of 3 nodes a day in division "default" does not allow 1 more',
                 'the next is refused');
SELECT is(used(), 'default 3 0', 'and not counted');
SELECT is((SELECT count(*)::integer FROM reason.node), 4, 'nor written');
SELECT is(write('node', node('tenant-a')), 201, 'another division has no quota');
SELECT is(write('node', node(), 'other'), 201, 'nor has another client');
SELECT lives_ok($$SELECT reason.add_node('action', '1', 'a')$$, 'nor has SQL');
SELECT is(write('edge', (SELECT format('{"from": "%s", "to": "%s", "type": "causal"}', min(id::text), max(id::text)) FROM reason.node WHERE division = 'default')),
          201, 'edges are counted by themselves');
SELECT is(used(), 'default 3 1', 'one');

-- ---------------------------------------------------------------- a batch is all or nothing
SELECT reason.set_quota('kernel', 'default', 10);
SELECT throws_ok($$SELECT write('nodes', nodes(8))$$, '53400', NULL, 'a batch that does not fit is refused whole');
SELECT is(used(), 'default 3 1', 'and leaves nothing');
SELECT is(write('nodes', nodes(7)), 201, 'one that does is written');
SELECT throws_ok($$SELECT reason.set_quota('kernel', 'default', 5); SELECT write('node', node())$$, '53400', NULL, 'a lower quota holds at once');
SELECT lives_ok($$SELECT reason.set_quota('kernel', 'default')$$, 'a quota is lifted');
SELECT is(write('node', node()), 201, 'and one writes again');

-- ---------------------------------------------------------------- each division
SELECT reason.set_quota('kernel', '*', 1);
SELECT reason.set_quota('kernel', 'tenant-c', 2);
SELECT is(write('node', node('tenant-b')), 201, 'the quota for each division allows one');
SELECT throws_ok($$SELECT write('node', node('tenant-b'))$$, '53400', NULL, 'and no second');
SELECT is(write('node', node('tenant-c')) + write('node', node('tenant-c')), 402, 'a division''s own quota comes first');
SELECT throws_ok($$SELECT write('node', node('tenant-c'))$$, '53400', NULL, 'and ends');
SELECT throws_ok($$SELECT write('nodes', '{"nodes": [{"type": "action", "actor": "a", "payload": 1, "division": "tenant-d"},
    {"type": "action", "actor": "a", "payload": 1, "division": "tenant-c"}]}')$$, NULL, NULL, 'a batch over two divisions is held to both');
SELECT ok(used() !~ 'tenant-d', 'and charged to neither');

-- ---------------------------------------------------------------- repeats, days
SELECT reason.set_quota('other', '*', 2);
SELECT is(write('node', node(), 'other', 'key-1') + write('node', node(), 'other', 'key-1'), 402, 'a repeat under an idempotency key');
SELECT is(used('other'), 'default 1 0', 'is not charged again');
UPDATE reason.quota_use SET day = day - 1;
SELECT is(write('node', node('tenant-b')), 201, 'a new day begins anew');
SELECT is((SELECT count(*)::integer FROM reason.quota_use WHERE client = 'kernel' AND division = 'tenant-b'), 2, 'and the old one is remembered');

-- ---------------------------------------------------------------- what the refusal says
CREATE FUNCTION detail_of(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN configuration_limit_exceeded THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail::jsonb;
END
$$;
SELECT is(detail_of($$SELECT write('node', node('tenant-b'))$$) - 'retryAfter', '{"division": "tenant-b", "limit": 1, "requested": 1}', 'what was asked for and what is allowed');
SELECT ok((detail_of($$SELECT write('node', node('tenant-b'))$$) ->> 'retryAfter')::integer BETWEEN 1 AND 86400, 'and when to try again');

SELECT * FROM finish();
ROLLBACK;
