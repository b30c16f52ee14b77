-- Policy rules: which writes need a check, what an answer means, and what comes of it. The gateway's part is played by hand.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT reason.set_client('kernel', 'writer', '{*}', pii => true);

-- A write as the gateway makes it: NULL status is the first call.
CREATE TYPE answered AS (status integer, headers text, body jsonb);
CREATE FUNCTION ask(kind text, request text, policy_status text DEFAULT NULL, policy_answer text DEFAULT NULL, key text DEFAULT NULL)
RETURNS answered LANGUAGE plpgsql AS $$
DECLARE
    response answered;
BEGIN
    EXECUTE format('SELECT status, headers, body::jsonb FROM reason.http_post_%s(%L, NULL, NULL, %L, NULL, %s$1, $2, $3, $4)', kind, 'kernel', 'req-1',
                   CASE WHEN kind = 'annotation' THEN quote_literal(request::jsonb ->> 'target') || ', ' END)
    INTO response USING CASE WHEN kind = 'annotation' THEN (request::jsonb - 'target')::text ELSE request END,
        key, policy_status, translate(encode(convert_to(policy_answer, 'UTF8'), 'base64'), E'\n', '');
    RETURN response;
END
$$;
CREATE FUNCTION answer(decision text, rationale text DEFAULT '"because"') RETURNS text LANGUAGE sql AS $$
    SELECT format('{"decision": "%s", "reason": "a reason", "rationale": %s, "policy_id": "p-1", "policy_version": "7"}', $1, $2)
$$;
CREATE FUNCTION counts() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM reason.node), (SELECT count(*) FROM reason.edge), (SELECT count(*) FROM reason.annotation),
        (SELECT count(*) FROM reason.audit_event WHERE division <> 'system'), (SELECT count(*) FROM reason.idempotency_key),
        (SELECT count(*) FROM reason.quarantine))
$$;
CREATE TEMP TABLE made (name text PRIMARY KEY, id uuid);
CREATE FUNCTION id_of(text) RETURNS text LANGUAGE sql AS 'SELECT id::text FROM pg_temp.made WHERE name = $1';
INSERT INTO made SELECT 'cause', reason.add_node('observation', '"c"', 'ada');
INSERT INTO made SELECT 'effect', reason.add_node('decision', '"e"', 'ada');

-- ---------------------------------------------------------------- without a rule
SELECT is((ask('node', '{"type": "action", "author": "a", "payload": 1}')).status, 201, 'without a rule nothing is asked');

-- ---------------------------------------------------------------- rules
SELECT throws_ok($$SELECT reason.set_policy_rule('bad', '{node.delete}')$$, '23514', NULL, 'a rule names actions that exist');
SELECT throws_ok($$SELECT reason.set_policy_rule('bad', '{node.create}', division_pattern => '(')$$, '2201B', NULL, 'and expressions that compile');
SELECT throws_ok($$SELECT reason.set_policy_rule('bad', '{node.create}', on_silence => 'perhaps')$$, '23514', NULL, 'and what silence means');
SELECT reason.set_policy_rule('large payments', '{node.create}', '{action}', 'default|bank-.*', '$.payload.amount ? (@ > 1000)');
SELECT reason.set_policy_rule('large payments', '{node.create}', '{action}', 'default|bank-.*', '$.payload.amount ? (@ > 1000)');
SELECT is((SELECT count(*) FROM reason.audit_event WHERE event_type = 'policy.changed'), 1::bigint, 'a change of a rule is an event, no change is none');

CREATE FUNCTION asked(body text) RETURNS boolean LANGUAGE sql AS $$ SELECT (ask('node', $1)).status = 202 $$;
SELECT ok(asked('{"type": "ACTION", "author": "a", "payload": {"amount": 1001}}'), 'what matches is asked about, whatever the case of its type');
SELECT ok(NOT asked('{"type": "action", "author": "a", "payload": {"amount": 1000}}'), 'another content is not');
SELECT ok(NOT asked('{"type": "score", "author": "a", "payload": {"amount": 1001}}'), 'nor another type');
SELECT ok(NOT asked('{"type": "action", "author": "a", "division": "shop", "payload": {"amount": 1001}}'), 'nor another division');
SELECT ok(NOT asked('{"type": "action", "author": "a", "division": "a-bank-x", "payload": {"amount": 1001}}'), 'of which the whole name counts');
SELECT ok(asked('{"type": "action", "author": "a", "division": "bank-x", "payload": {"amount": 1001}}'), 'and may be one of several');
SELECT reason.set_policy_rule('predicate', '{node.create}', '{score}', path => '$.payload.n > 5');
SELECT ok(asked('{"type": "score", "author": "a", "payload": {"n": 6}}') AND NOT asked('{"type": "score", "author": "a", "payload": {"n": 5}}'),
    'a path may be a predicate');
SELECT reason.set_policy_rule('predicate', '{node.create}', '{score}', path => '$.payload.n.double() > 5');
SELECT ok(asked('{"type": "score", "author": "a", "payload": {"n": "many"}}'), 'content on which a path cannot be evaluated is no way around it');
SELECT reason.set_policy_rule('predicate', '{node.create}', '{score}', path => 'strict $.payload.n ? (@ > 5)');
SELECT ok(asked('{"type": "score", "author": "a", "payload": {"m": 1}}'), 'nor is content that a strict path does not find');
SELECT reason.set_policy_rule('predicate', '{node.create}', '{score}', enabled => false);
SELECT ok(NOT asked('{"type": "score", "author": "a", "payload": {"n": 6}}'), 'a disabled rule asks nothing');

-- ---------------------------------------------------------------- the question
CREATE FUNCTION payment() RETURNS text LANGUAGE sql AS $$ SELECT '{"type": "action", "author": "planner", "payload": {"amount": 5000}, "metadata": {"confidence": 1}}' $$;
CREATE TEMP TABLE before AS SELECT counts();
SELECT is((SELECT headers FROM ask('node', payment(), key => 'k1')), E'X-Reason-Policy: ask\n', 'the gateway is told to ask');
SELECT is((SELECT body FROM ask('node', payment(), key => 'k1')), '{"requestId": "req-1", "action": "node.create", "actor": "kernel",
    "resource": {"kind": "node", "type": "action", "division": "default", "author": "planner", "payload": {"amount": 5000}, "metadata": {"confidence": 1}},
    "context": {"role": "writer", "rules": ["large payments"]}}', 'the question');
SELECT is(counts(), (SELECT counts FROM before), 'a question writes nothing, not even the key');
SELECT throws_ok($$SELECT ask('node', '{"type": "action", "payload": {"amount": 5000}}')$$, '22023', NULL, 'what is invalid is refused before anybody is asked');
SELECT is((SELECT body -> 'resource' FROM ask('nodes', '{"nodes": [{"type": "score", "author": "a", "payload": 1}, {"type": "action", "author": "a", "payload": {"amount": 2000}}]}')),
    '{"kind": "nodes", "division": "default", "records": [{"kind": "node", "type": "action", "division": "default", "author": "a", "payload": {"amount": 2000}, "metadata": {}}]}',
    'of a batch, what matched');
SELECT throws_like($$SELECT ask('nodes', '{"nodes": [{"type": "action", "author": "a", "payload": {"amount": 2000}}, {"type": "action", "author": "a", "division": "bank-x", "payload": {"amount": 2000}}]}')$$,
    '%within one division%', 'one division at a time');
SELECT throws_ok(format($$SELECT ask('nodes', '{"nodes": [%s]}')$$,
        (SELECT string_agg(format('{"type": "action", "author": "a", "payload": {"amount": 2000, "text": "%s"}}', repeat('x', 250000)), ',') FROM generate_series(1, 20))),
    '54000', NULL, 'the question is bounded');

-- ---------------------------------------------------------------- allow
CREATE TEMP TABLE allowed AS SELECT * FROM ask('node', payment(), '200', answer('allow', 'null'), 'k1');
SELECT is((SELECT status FROM allowed), 201, 'allow: the write is made');
SELECT is((SELECT payload -> 'policy' FROM reason.audit_event WHERE id::text = (SELECT body ->> 'auditEventId' FROM allowed))::jsonb,
    '{"decision": "allow", "reason": "a reason", "policyId": "p-1", "policyVersion": "7"}', 'and its event keeps the decision');
SELECT is((SELECT body FROM ask('node', payment(), key => 'k1')), (SELECT body FROM allowed), 'the same key and body: the first answer, and nobody is asked');
SELECT throws_ok($$SELECT ask('node', '{"type": "action", "author": "a", "payload": {"amount": 6000}}', key => 'k1')$$, '23505', NULL, 'another body: a conflict');

-- ---------------------------------------------------------------- deny
CREATE TEMP TABLE denied AS SELECT * FROM ask('node', payment(), '200', answer('deny', '{"rule": 4, "text": "over the limit"}'), 'k2');
SELECT is((SELECT (status, body ->> 'code', body ->> 'requestId', body #>> '{details,reason}')::text FROM denied),
    '(403,REASONING_GRAPH_POLICY_DENIED,req-1,"a reason")', 'deny: 403 with the reason');
SELECT is((SELECT n.payload FROM reason.node n WHERE n.type = 'policyCheck' AND n.id::text = (SELECT body #>> '{details,policyCheckId}' FROM denied)),
    '{"action": "node.create", "decision": "deny", "reason": "a reason", "rationale": {"rule": 4, "text": "over the limit"},
      "policyId": "p-1", "policyVersion": "7", "requestId": "req-1", "records": 1, "types": ["action"]}', 'a policyCheck node holds the rationale');
SELECT is((SELECT count(*) FROM reason.node WHERE payload ->> 'amount' = '5000'), 1::bigint, 'and nothing else is written');
SELECT is((SELECT payload::jsonb - 'id' - 'ts' FROM reason.audit_event WHERE event_type = 'policy.denied'),
    jsonb_build_object('eventType', 'policy.denied', 'division', 'default', 'denied', '{"action": "node.create", "records": 1, "types": ["action"]}'::jsonb,
        'policy', jsonb_build_object('decision', 'deny', 'reason', 'a reason', 'policyId', 'p-1', 'policyVersion', '7',
                                     'policyCheckId', (SELECT body #>> '{details,policyCheckId}' FROM denied)),
        'request', '{"client": "kernel", "requestId": "req-1"}'::jsonb), 'the denial is an event, without the rationale');
SELECT is((SELECT (status, body)::text FROM ask('node', payment(), key => 'k2')), (SELECT (status, body)::text FROM denied), 'a denial is repeated, not asked again');

SELECT reason.set_policy_rule('links', '{edge.create,annotation.create}', path => '$.metadata.checked');
CREATE FUNCTION link() RETURNS text LANGUAGE sql AS $$ SELECT format('{"from": "%s", "to": "%s", "type": "causal", "metadata": {"checked": 1}}', id_of('cause'), id_of('effect')) $$;
SELECT is((SELECT body #> '{resource,from}' FROM ask('edge', link())), to_jsonb(id_of('cause')), 'an edge is asked about with its ends');
TRUNCATE denied;
INSERT INTO denied SELECT * FROM ask('edge', link(), '200', answer('deny'));
SELECT set_eq(format($$SELECT f.id, e.type FROM reason.edge e JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no WHERE t.id = %L$$,
        (SELECT body #>> '{details,policyCheckId}' FROM denied)),
    $$SELECT id, 'influencedBy'::text FROM made WHERE name IN ('cause', 'effect')$$, 'the policyCheck is linked to what the write was about');
SELECT is((SELECT count(*) FROM reason.edge WHERE type = 'causal'), 0::bigint, 'the edge itself is not there');
TRUNCATE denied;
INSERT INTO denied SELECT * FROM ask('annotation', format('{"target": "%s", "note": "x", "metadata": {"checked": 1}}', id_of('effect')), '200', answer('deny'));
SELECT is((SELECT f.id::text FROM reason.edge e JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no
           WHERE t.id::text = (SELECT body #>> '{details,policyCheckId}' FROM denied)), id_of('effect'), 'to the node of an annotation as well');
SELECT is((SELECT count(*) FROM reason.annotation), 0::bigint, 'which is not there');

-- ---------------------------------------------------------------- no valid answer
TRUNCATE before;
INSERT INTO before SELECT counts();
SELECT is((SELECT (a.status, a.body ->> 'code')::text FROM ask('node', payment(), v.status, v.answer, 'k3') a), '(503,REASONING_GRAPH_DEPENDENCY)',
    format('no answer: %s %s', v.status, left(v.answer, 60)))
FROM (VALUES ('000', NULL), ('504', NULL), ('500', answer('allow')), ('201', answer('allow')), ('200', NULL), ('200', ''), ('200', 'allow'),
    ('200', '"allow"'), ('200', '[]'), ('200', 'null'), ('200', '{}'), ('200', answer('Allow')), ('200', answer('allow ')), ('200', answer('permit')),
    ('200', replace(answer('allow'), '"allow"', 'true')), ('200', '{"decision": "deny", "decision": "allow", "reason": "", "rationale": "", "policy_id": "p", "policy_version": "1"}'),
    ('200', replace(answer('allow'), 'a reason', repeat('x', 1001))), ('200', replace(answer('allow'), '"a reason"', 'null')),
    ('200', replace(answer('allow'), 'policy_id', 'policyId')), ('200', replace(answer('allow'), '"p-1"', '""')), ('200', replace(answer('allow'), '"7"', '{}')),
    ('200', answer('deny', 'null')), ('200', answer('quarantine', 'null')), ('200', replace(answer('allow'), '{', '{"requestId": "req-2", ')),
    ('200', answer('allow') || repeat(' ', 65536)), ('200', answer('allow', repeat('[', 10000))), ('200', answer('allow', '"\ud800"')),
    ('200', answer('allow') || answer('allow'))) v (status, answer);
SELECT is((reason.policy_verdict_of('200', a, 'req-1')).decision, 'unanswered', 'no text: ' || a) FROM (VALUES ('gIA='), ('AAAA'), ('%'), ('A')) v (a);
SELECT is(counts(), (SELECT counts FROM before), 'without an answer nothing is written, nor kept for repeats');
SELECT is((SELECT status FROM ask('node', payment(), '200', answer('allow'), 'k3')), 201, 'so a repeat may succeed');
SELECT is((SELECT status FROM ask('node', payment(), '200', replace(answer('allow'), '{', '{"requestId": "req-1", "more": 1, '))), 201, 'further members do no harm');
SELECT reason.set_policy_rule('large payments', '{node.create}', '{action}', path => '$.payload.amount ? (@ > 1000)', on_silence => 'allow');
CREATE TEMP TABLE unanswered AS SELECT * FROM ask('node', payment(), '000', NULL);
SELECT is((SELECT payload #>> '{policy,decision}' FROM reason.audit_event WHERE id::text = (SELECT body ->> 'auditEventId' FROM unanswered)), 'unanswered',
    'where a rule allows silence, the event says that nobody answered');
SELECT reason.set_policy_rule('payments by robots', '{node.create}', path => '$.author ? (@ starts with "robot")');
SELECT is((SELECT status FROM ask('node', replace(payment(), 'planner', 'robot-1'), '000', NULL)), 503, 'of several rules the strictest holds');
SELECT is((SELECT status FROM ask('node', '{"type": "score", "author": "a", "payload": 1}', '000', NULL)), 201, 'and none holds for what none matches');

-- ---------------------------------------------------------------- quarantine
CREATE TEMP TABLE held AS SELECT * FROM ask('nodes', '{"nodes": [{"type": "action", "author": "a", "payload": {"amount": 7000}}, {"type": "score", "author": "a", "payload": "beside"}]}',
    '200', answer('quarantine', '"suspicious"'), 'k4');
SELECT is((SELECT (status, body -> 'quarantined', body -> 'count')::text FROM held), '(201,true,2)', 'quarantine: the write is made');
SELECT is((SELECT count(*) FROM reason.quarantine q WHERE q.policy_check_id::text = (SELECT body ->> 'policyCheckId' FROM held)), 3::bigint, 'the records and the policyCheck are marked');
SELECT throws_ok($$DELETE FROM reason.quarantine$$, '55000', NULL, 'for good');
SELECT throws_ok($$UPDATE reason.quarantine SET kind = 'edge'$$, '55000', NULL, 'and as they are');
SELECT throws_ok($$TRUNCATE reason.quarantine_release$$, '55000', NULL, 'releases too');
INSERT INTO made SELECT 'held', (body #>> '{nodes,0,nodeId}')::uuid FROM held UNION ALL SELECT 'beside', (body #>> '{nodes,1,nodeId}')::uuid FROM held
    UNION ALL SELECT 'check', (body ->> 'policyCheckId')::uuid FROM held;
INSERT INTO held SELECT * FROM ask('edge', format('{"from": "%s", "to": "%s", "type": "supports"}', id_of('held'), id_of('effect')));
INSERT INTO held SELECT * FROM ask('annotation', format('{"target": "%s", "note": "on a held node"}', id_of('held')));

CREATE ROLE policy_reader IN ROLE reason_reader;
CREATE ROLE policy_auditor IN ROLE reason_auditor;
CREATE ROLE policy_writer IN ROLE reason_writer;
CREATE ROLE policy_admin IN ROLE reason_admin;
GRANT SELECT ON made TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SET LOCAL ROLE policy_reader;
SELECT is_empty($$SELECT id FROM reason.node WHERE id IN (SELECT id FROM made WHERE name IN ('held', 'beside', 'check'))$$, 'a reader does not see them');
SELECT is_empty($$SELECT id FROM reason.edge WHERE type = 'supports'$$, 'nor an edge that leads there');
SELECT is_empty($$SELECT id FROM reason.annotation$$, 'nor what is said about them');
SELECT is((SELECT count(*) FROM reason.node WHERE id IN (SELECT id FROM made WHERE name IN ('cause', 'effect'))), 2::bigint, 'but what he saw before');
SELECT throws_ok($$SELECT reason.release_quarantine(gen_random_uuid(), 'x')$$, '42501', NULL, 'and releases nothing');
SET LOCAL ROLE policy_writer;
SELECT throws_ok($$SELECT reason.release_quarantine(gen_random_uuid(), 'x')$$, '42501', NULL, 'nor does a writer');
SELECT throws_ok($$SELECT reason.set_policy_rule('mine', '{node.create}')$$, '42501', NULL, 'who sets no rules');
SELECT throws_like($$SELECT reason.add_node('score', '1', 'robot-2')$$, '%nobody can be asked from within SQL%', 'SQL is no way around a check');
SELECT throws_like($$SELECT * FROM reason.add_nodes('{"nodes": [{"type": "score", "author": "x", "payload": 1}, {"type": "score", "author": "robot", "payload": 1}]}')$$,
    '%nobody can be asked from within SQL%', 'nor is a batch');
SELECT throws_like($$SELECT reason.add_nodes('{"nodes": [{"type": "score", "author": "x", "payload": 1}, {"type": "score", "author": "robot", "payload": 1}]}') LIMIT 1$$,
    '%nobody can be asked from within SQL%', 'of which only the first is looked at');
SELECT throws_like(format($$SELECT reason.add_edge(%L, %L, 'causal', metadata => '{"checked": 1}')$$, id_of('cause'), id_of('effect')), '%nobody can be asked%', 'nor an edge');
SELECT throws_like(format($$SELECT reason.annotate(%L, 'x', metadata => '{"checked": 1}')$$, id_of('cause')), '%nobody can be asked%', 'nor an annotation');
SELECT lives_ok($$SELECT reason.add_node('action', '{"amount": 9000}', 'ada')$$, 'unless the rule allows silence');
SET LOCAL ROLE policy_auditor;
SELECT is((SELECT count(*) FROM reason.node WHERE id IN (SELECT id FROM made WHERE name IN ('held', 'beside', 'check'))), 3::bigint, 'an auditor sees them');
SELECT is((SELECT count(*) FROM reason.quarantine), 3::bigint, 'and that they are quarantined');
SET LOCAL ROLE policy_admin;
SELECT throws_ok($$SELECT reason.release_quarantine(gen_random_uuid(), 'x')$$, 'P0002', NULL, 'what is not in quarantine is not released');
SELECT throws_ok(format($$SELECT reason.release_quarantine(%L, '')$$, id_of('held')), '22023', NULL, 'nor without a reason');
SELECT is(reason.release_quarantine(id_of('held')::uuid, 'checked by hand'), 1::bigint, 'an admin releases a record');
SELECT is(reason.release_quarantine(id_of('held')::uuid, 'again'), 0::bigint, 'once');
SET LOCAL ROLE policy_reader;
SELECT results_eq($$SELECT id FROM reason.node WHERE id IN (SELECT id FROM made WHERE name IN ('held', 'beside', 'check'))$$,
    $$SELECT id FROM made WHERE name = 'held'$$, 'then a reader sees it, and it alone');
SELECT is((SELECT count(*) FROM reason.edge WHERE type = 'supports') + (SELECT count(*) FROM reason.annotation), 2::bigint, 'and what belongs to it');
SET LOCAL ROLE policy_admin;
SELECT is(reason.release_quarantine(id_of('check')::uuid, 'all of it'), 2::bigint, 'or all that a check held back');
RESET ROLE;
SELECT results_eq($$SELECT payload #>> '{released,kind}', payload #>> '{released,by}', payload #>> '{released,reason}', payload #>> '{request,role}'
        FROM reason.audit_event WHERE event_type = 'quarantine.released' ORDER BY no$$,
    $$VALUES ('node', 'policy_admin', 'checked by hand', 'policy_admin'), ('node', 'policy_admin', 'all of it', 'policy_admin'), ('node', 'policy_admin', 'all of it', 'policy_admin')$$,
    'each release is an event');
SELECT * FROM finish();
ROLLBACK;
