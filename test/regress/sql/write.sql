-- Writing: what is accepted, what is recorded, what is refused.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

-- a node, its event and its digest
SELECT reason.add_node('observation', '{"b": 1, "a": [1, 2.50, "ü"]}', 'ada', metadata => '{"confidence": 0.5}',
    id => '00000000-0000-4000-8000-000000000001', ts => '2024-02-29 13:00+01', version => 'v1',
    manifest_signature_id => 'm1', payload_ref => '{"uri": "s3://b/k", "size": 3}');
SELECT division, type, author, payload, metadata, reason.rfc3339(occurred_at), version, manifest_signature_id, payload_ref FROM reason.node;
SELECT n.no = e.no, n.audit_event_id = e.id, e.event_type, e.ts = n.created_at,
       n.digest = sha256(convert_to(reason.canonical_json((e.payload -> 'node')::jsonb), 'UTF8')),
       n.payload_hash = sha256(n.salt || convert_to(reason.canonical_json(n.payload), 'UTF8')),
       octet_length(n.salt), e.payload::text = reason.canonical_json(e.payload)
FROM reason.node n JOIN reason.audit_event e USING (no);
SELECT (payload -> 'node')::jsonb - 'createdAt' - 'payloadHash', payload -> 'request', payload -> 'eventType' FROM reason.audit_event;

-- the same id in another division is another node; in the same it is a conflict
SELECT reason.add_node('score', '1', 'ada', division => 'tenant-a', id => '00000000-0000-4000-8000-000000000001');
SELECT reason.add_node('score', '1', 'ada', id => '00000000-0000-4000-8000-000000000001');

-- an edge holds the digests of both its ends
SELECT reason.add_node('decision', '"go"', 'bob', id => '00000000-0000-4000-8000-000000000002');
SELECT reason.add_edge('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', 'supports', 0.25,
    division => 'default', id => '00000000-0000-4000-8000-000000000003');
SELECT e.weight, e.type, f.id, t.id,
       a.payload #>> '{edge,fromDigest}' = encode(f.digest, 'hex'), a.payload #>> '{edge,toDigest}' = encode(t.digest, 'hex'),
       e.digest = sha256(convert_to(reason.canonical_json((a.payload -> 'edge')::jsonb), 'UTF8'))
FROM reason.edge e JOIN reason.audit_event a USING (no) JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no;

-- without a division, that of the default one is meant
SELECT count(reason.add_edge('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', 'causal'));
-- ends in different divisions
SELECT reason.add_edge('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'causal', division => 'tenant-a');
SELECT reason.add_edge('00000000-0000-4000-8000-000000000002', 'ffffffff-0000-4000-8000-000000000000', 'causal');

-- annotations
SELECT count(reason.annotate('00000000-0000-4000-8000-000000000002', 'fine', author => 'eve'));
SELECT a.payload, a.author, a.type, a.digest = sha256(convert_to(reason.canonical_json((e.payload -> 'annotation')::jsonb), 'UTF8')),
       a.payload_hash = sha256(a.salt || convert_to(reason.canonical_json(a.payload), 'UTF8'))
FROM reason.annotation a JOIN reason.audit_event e USING (no);
SELECT reason.annotate('ffffffff-0000-4000-8000-000000000000', 'fine');
SELECT reason.annotate('00000000-0000-4000-8000-000000000002');

-- batches: all or nothing, the offending record is named
SELECT count(*) FROM reason.add_nodes('{"nodes": [{"type": "ACTION", "actor": "x", "payload": null}, {"type": "policycheck", "author": "x", "payload": {}}]}');
SELECT type, payload FROM reason.node WHERE author = 'x' ORDER BY no;
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "payload": 1}, {"type": "guess", "actor": "y", "payload": 1}]}');
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "payload": {"a": {"b": [0, 1e999]}}}]}');
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "payload": 9007199254740993}]}');
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "payload": 1, "id": "00000000-0000-4000-8000-0000000000aa"},
                                    {"type": "score", "actor": "y", "payload": 1, "id": "00000000-0000-4000-8000-0000000000aa"}]}');
SELECT reason.add_nodes('{"nodes": []}');
SELECT reason.add_nodes('{"nodes": [1]}');
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "author": "z", "payload": 1}]}');
SELECT reason.add_nodes('{"nodes": [{"type": "score", "actor": "y", "payload": 1, "colour": "red"}]}');
SELECT reason.add_nodes('{"items": []}');
SELECT count(*) FROM reason.node WHERE author = 'y';

-- a payload may have so many bytes, and not one more
SET reason.max_payload_size = '1kB';
SELECT count(reason.add_node('score', to_jsonb(repeat('x', 1022)), 'z'));
SELECT reason.add_node('score', to_jsonb(repeat('x', 1023)), 'z');
RESET reason.max_payload_size;

-- every record has its event, every event its record
SELECT (SELECT count(*) FROM reason.node) + (SELECT count(*) FROM reason.edge) + (SELECT count(*) FROM reason.annotation)
     = (SELECT count(*) FROM reason.audit_event WHERE event_type LIKE '%.created');

-- append_event: its members, canonical, with the caller's body
SELECT count(reason.append_event('default', 'test.happened', '{"z": 1, "a": {"y": 2, "x": 1.0}}'));
SELECT payload::jsonb - 'id' - 'ts', payload::text = reason.canonical_json(payload) FROM reason.audit_event WHERE event_type = 'test.happened';

-- times are UTC whatever the session thinks
SET timezone = 'Asia/Kolkata';
SELECT reason.rfc3339('2024-12-31 23:59:59.5+00');
RESET timezone;

-- version 7 ids increase, also within one microsecond
SELECT bool_and(id > before) FROM (SELECT id, lag(id) OVER (ORDER BY g) AS before FROM (SELECT g, reason.uuid_v7() AS id FROM generate_series(1, 10000) g) s) t WHERE before IS NOT NULL;
SELECT substr(reason.uuid_v7()::text, 15, 1);
