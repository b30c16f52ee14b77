-- Least privilege: what each role may do, and that nobody else may do anything.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

-- ---------------------------------------------------------------- PUBLIC has nothing
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'reason'::regnamespace
      AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
$$, 'no function of the schema may be executed by PUBLIC');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'reason'::regnamespace
      AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0)
$$, 'no table of the schema is open to PUBLIC');

-- ---------------------------------------------------------------- functions with their owner's rights
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'reason'::regnamespace AND p.prosecdef
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=pg_catalog, reason, pg_temp%')
$$, 'every SECURITY DEFINER function pins its search_path, temporary tables last');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'reason'::regnamespace AND p.proname LIKE 'http\_%'
      AND EXISTS (SELECT FROM aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
                  WHERE r.rolname LIKE 'reason\_%' AND r.rolname <> 'reason_gateway')
$$, 'what takes an identity as an argument may be called by the gateway alone');

-- ---------------------------------------------------------------- nobody writes tables
SELECT is_empty($$
    SELECT c.oid::regclass, r.rolname FROM pg_class c, pg_roles r
    WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'v')
      AND r.rolname IN ('reason_reader', 'reason_auditor', 'reason_writer', 'reason_gateway', 'reason_sidecar', 'reason_admin')
      AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
$$, 'no role of the product changes a table directly');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'v')
      AND (has_any_column_privilege('reason_writer', c.oid, 'SELECT') OR has_any_column_privilege('reason_gateway', c.oid, 'SELECT'))
$$, 'writer and gateway read no table');

-- ---------------------------------------------------------------- a reader sees no content
SELECT ok(NOT has_column_privilege('reason_reader', 'reason.node', 'payload', 'SELECT'), 'a reader does not select payloads');
SELECT ok(NOT has_column_privilege('reason_reader', 'reason.node', 'salt', 'SELECT'), 'a reader does not select salts');
SELECT ok(has_column_privilege('reason_auditor', 'reason.node', 'payload', 'SELECT'), 'an auditor does');

-- ---------------------------------------------------------------- divisions
SELECT isnt(reason.add_node('observation', '1', 'a', id => '00000000-0000-4000-8000-00000000000a'), NULL, 'a node in default');
SELECT isnt(reason.add_node('observation', '1', 'a', id => '00000000-0000-4000-8000-00000000000b', division => 'tenant-a'), NULL, 'a node in tenant-a');
CREATE ROLE test_reader IN ROLE reason_reader;
CREATE ROLE test_tenant IN ROLE reason_auditor;
CREATE ROLE test_writer IN ROLE reason_writer;
INSERT INTO reason.division_grant VALUES ('test_tenant', 'tenant-a');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;

SET LOCAL ROLE test_reader;
SELECT results_eq('SELECT id, division FROM reason.node', $$VALUES ('00000000-0000-4000-8000-00000000000a'::uuid, 'default')$$, 'a reader sees the division default');
SELECT throws_ok($$SELECT payload FROM reason.node$$, '42501', NULL, 'and no payload');
SELECT throws_ok($$SELECT * FROM reason.trace('00000000-0000-4000-8000-00000000000b')$$, 'P0002', NULL, 'another division''s node does not exist for a trace');
SELECT lives_ok($$SELECT * FROM reason.trace('00000000-0000-4000-8000-00000000000a')$$, 'its own does');
SELECT throws_ok($$SELECT reason.add_node('score', '1', 'a')$$, '42501', NULL, 'a reader does not write');

SELECT throws_ok($$SELECT reason.visible_divisions_of('test_tenant')$$, '42501', NULL, 'nor asks what others may see');
SELECT throws_ok($$SELECT reason.quarantined_numbers()$$, '42501', NULL, 'nor what is in quarantine');
SELECT is(reason.visible_divisions(), '{default}', 'what it may see itself it may ask');
RESET ROLE;
SELECT isnt(reason.add_node('observation', '1', 'a', id => '00000000-0000-4000-8000-00000000000c'), NULL, 'a node to be held back');
SELECT reason.quarantine_records('node', ARRAY[(SELECT no FROM reason.node WHERE id = '00000000-0000-4000-8000-00000000000c')], gen_random_uuid());
CREATE TEMPORARY TABLE place AS
    SELECT right(id::text, 1) AS name, ctid AS at FROM reason.node UNION ALL SELECT 'nothing', '(0,200)' UNION ALL SELECT 'no page', '(70000,1)'
    UNION ALL SELECT 'no place', '(0,0)';
GRANT SELECT ON place TO PUBLIC;
SET LOCAL ROLE test_reader;
SELECT results_eq($$SELECT name FROM place WHERE reason.row_shown('reason.node'::regclass, at)$$, $$VALUES ('a')$$,
    'what row security asks says of a row in quarantine what it says of one that is not there');
SELECT results_eq('SELECT id FROM reason.node', $$VALUES ('00000000-0000-4000-8000-00000000000a'::uuid)$$, 'a row in quarantine is not read');
SELECT ok(NOT reason.row_shown('reason.client'::regclass, '(0,1)'), 'other tables are none of its business');
RESET ROLE;
SELECT is(reason.release_quarantine('00000000-0000-4000-8000-00000000000c', 'looked at'), 1::bigint, 'it is released');

SET LOCAL ROLE test_reader;
SELECT is((SELECT count(*) FROM reason.node), 2::bigint, 'and read from then on');

SET LOCAL ROLE test_tenant;
SELECT results_eq('SELECT id FROM reason.node ORDER BY id', $$VALUES ('00000000-0000-4000-8000-00000000000a'::uuid), ('00000000-0000-4000-8000-00000000000b'), ('00000000-0000-4000-8000-00000000000c')$$,
    'a grant adds a division');

SET LOCAL ROLE test_writer;
SELECT lives_ok($$SELECT reason.add_node('score', '1', 'a')$$, 'a writer writes in its division');
SELECT throws_ok($$SELECT reason.add_node('score', '1', 'a', division => 'tenant-a')$$, '42501', NULL, 'and in no other');
SELECT throws_ok($$SELECT * FROM reason.node$$, '42501', NULL, 'and reads no table');
SELECT throws_ok($$SELECT reason.insert_nodes('{}', true, '{*}', NULL)$$, '42501', NULL, 'and does not reach the inner functions');
SELECT throws_ok($$SELECT reason.append_event('default', 'node.created', '{}')$$, '42501', NULL, 'and forges no event');
SELECT throws_ok($$SELECT reason.set_client('me', 'admin')$$, '42501', NULL, 'and registers no client');

RESET ROLE;
SELECT is((SELECT payload -> 'request' ->> 'role' FROM reason.audit_event e WHERE event_type = 'node.created' AND reason.event_payload(e) -> 'node' ->> 'author' = 'a' ORDER BY no DESC LIMIT 1),
    'test_writer', 'the event names the role that called');
SELECT * FROM finish();
ROLLBACK;
