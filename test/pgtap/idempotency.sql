-- Idempotency keys: kept for repeats, and forgotten after their time.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT reason.set_client('kernel', 'writer', '{*}');

CREATE FUNCTION write(key text, payload integer) RETURNS text LANGUAGE sql AS $$
    SELECT body::json ->> 'nodeId' FROM reason.http_post_node('kernel', NULL, NULL, 'req-1', NULL,
        format('{"type": "action", "author": "a", "payload": %s}', $2), $1, NULL, NULL)
$$;
CREATE FUNCTION keys() RETURNS text LANGUAGE sql AS 'SELECT coalesce(string_agg(key, '' '' ORDER BY key), '''') FROM reason.idempotency_key';
CREATE TEMP TABLE made (node text);

INSERT INTO made SELECT write('a', 1);
SELECT is(write('a', 1), (SELECT node FROM made), 'a repeat gets the first answer');
SELECT throws_ok($$SELECT write('a', 2)$$, '23505', NULL, 'another body is refused');

SELECT is(current_setting('reason.idempotency_key_lifetime'), '1d', 'a key lives a day');
UPDATE reason.idempotency_key SET created_at = clock_timestamp() - interval '23 hours 59 minutes';
SELECT is(write('a', 1), (SELECT node FROM made), 'which is not over yet');
UPDATE reason.idempotency_key SET created_at = clock_timestamp() - interval '24 hours 1 minute';
SELECT isnt(write('a', 2), (SELECT node FROM made), 'after that the key is as good as new');
SELECT throws_ok($$SELECT write('a', 1)$$, '23505', NULL, 'and the first body is the other one');

SELECT count(write('old-' || n, n)) FROM generate_series(1, 9) n;
UPDATE reason.idempotency_key SET created_at = clock_timestamp() - interval '2 days';
SELECT write('b', 1);
SELECT is((SELECT count(*)::integer FROM reason.idempotency_key), 7, 'a new key forgets up to four that are too old');
SELECT write('c', 1), write('d', 1);
SELECT is(keys(), 'b c d', 'until none is left');
SET LOCAL reason.idempotency_key_lifetime = '1s';
UPDATE reason.idempotency_key SET created_at = created_at - interval '2 seconds';
SELECT write('e', 1);
SELECT is(keys(), 'e', 'how long is a matter of configuration');
SELECT is(reason.expire_idempotency_keys('-1 s'), 1::bigint, 'and all may be forgotten at once');

SELECT * FROM finish();
ROLLBACK;
