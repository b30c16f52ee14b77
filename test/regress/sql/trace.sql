-- Traces: what is shown, in which order, to whom.
SET client_min_messages = warning;
\pset null '-'

-- A small decision. Letters make ids readable: node x is 0000000x-…
CREATE FUNCTION id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT (lpad(name, 8, '0') || '-0000-7000-8000-000000000000')::uuid $$;
CREATE FUNCTION name(id uuid) RETURNS text LANGUAGE sql IMMUTABLE
AS $$ SELECT ltrim(left(id::text, 8), '0') $$;
SELECT count(reason.add_node(type, '{"mail": "ann@example.org"}', 'kernel', id => id(node),
                             metadata => jsonb_strip_nulls(jsonb_build_object('confidence', confidence))))
FROM (VALUES ('a1', 'observation', 0.9), ('a2', 'observation', 0.2), ('b', 'score', 0.8), ('c', 'recommendation', NULL),
             ('d', 'decision', 0.7), ('e', 'action', NULL)) n (node, type, confidence);
SELECT count(reason.add_edge(id(f), id(t), type, weight, id => id(name)))
FROM (VALUES ('a1', 'b', 'derivedFrom', 1.0, 'ee1'), ('a2', 'b', 'derivedFrom', 0.3, 'ee2'), ('b', 'c', 'supports', 1.0, 'ee3'),
             ('a1', 'c', 'causal', 0.5, 'ee4'), ('c', 'd', 'causal', 1.0, 'ee5'), ('b', 'd', 'causal', 1.0, 'ee6'),
             ('d', 'e', 'causal', 1.0, 'ee7')) e (f, t, type, weight, name);

CREATE FUNCTION show(traced text) RETURNS TABLE (step integer, depth integer, node text, edge text, parent text, cycle boolean)
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT step, depth, name(node_id), name(edge_id), name(parent_id), cycle FROM reason.trace(%s)', traced);
END
$$;
SELECT * FROM show($$id('e')$$);
SELECT * FROM show($$id('a1'), 'descendants'$$);
SELECT * FROM show($$id('e'), max_depth => 2$$);
SELECT * FROM show($$id('e'), max_depth => 0$$);
SELECT * FROM show($$id('e'), max_nodes => 4$$);
SELECT * FROM show($$id('e'), types => '{decision,score,observation}'$$);
SELECT * FROM show($$id('e'), types => '{}'$$);
SELECT * FROM show($$id('e'), edge_types => '{causal}'$$);
SELECT * FROM show($$id('e'), min_weight => 1$$);
SELECT * FROM show($$id('e'), min_confidence => 0.5$$);
SELECT * FROM show($$id('e'), NULL, NULL$$);
SELECT * FROM show($$NULL$$);

SELECT * FROM reason.trace_size(id('e'));
SELECT * FROM reason.trace_size(id('e'), max_depth => 2);
SELECT * FROM reason.trace_size(NULL);
SELECT step, name(node_id), name(edge_id) FROM reason.causal_path(id('a2'), id('e'));
SELECT step, name(node_id), name(edge_id) FROM reason.causal_path(id('e'), id('a2'));
SELECT step, name(node_id), name(edge_id) FROM reason.causal_path(id('e'), id('e'));
SELECT causal_index, entity_type, name(id), type, ARRAY(SELECT name(p) FROM unnest(parent_ids) p) AS parents,
       name(from_id) AS "from", name(to_id) AS "to", in_cycle
FROM reason.ordered_trace(id('d'));

-- What the graph was before the edges were written
SELECT name(node_id) FROM reason.trace(id('e'), as_of => (SELECT min(created_at) - interval '1 us' FROM reason.edge));
SELECT reason.trace(id('e'), as_of => '2000-01-01 00:00:00+00');

-- A cycle is marked where an edge leads back to an ancestor on the path, not where a node was seen already
SELECT count(reason.add_edge(id('d'), id('a1'), 'influencedBy', id => id('ee8')));
SELECT * FROM show($$id('d')$$);
SELECT causal_index, entity_type, name(id), in_cycle FROM reason.ordered_trace(id('e'));
SELECT j -> 'metadata' -> 'cycleDetected' AS detected,
       ARRAY(SELECT name(n::uuid) FROM jsonb_array_elements_text(j #> '{metadata,cycleDetails,0,nodeIds}') n) AS nodes
FROM reason.ordered_trace_json(id('e'), '{*}') t, jsonb(t) j;

-- JSON: steps, pages, redaction
SELECT j -> 'depth' AS depth, j -> 'truncated' AS truncated, j ? 'nextCursor' AS goes_on, jsonb_array_length(j -> 'steps') AS steps,
       jsonb_array_length(j -> 'edges') AS edges, j #> '{steps,0,node,payload}' AS payload
FROM reason.trace_json(id('e'), "limit" => 2, divisions => '{*}') t, jsonb(t) j;
SELECT j #> '{steps,0,node,payload}' AS payload
FROM reason.trace_json(id('e'), redact => false, divisions => '{*}') t, jsonb(t) j;
SELECT array_agg(k ORDER BY k) FROM reason.node_json(id('c'), '{*}') t, jsonb_object_keys(jsonb(t) -> 'node') k;
SELECT name((e ->> 'from')::uuid), e ->> 'type' AS type FROM reason.node_json(id('c'), '{*}') t, jsonb_array_elements(jsonb(t) -> 'incoming') e;

-- Errors
SELECT reason.trace('00000000-0000-7000-8000-00000000dead');
SELECT reason.trace_size('00000000-0000-7000-8000-00000000dead');
SELECT reason.ordered_trace('00000000-0000-7000-8000-00000000dead');
SELECT reason.node_json('00000000-0000-7000-8000-00000000dead', '{*}');
SELECT reason.trace(id('e'), 'sideways');
SELECT reason.trace(id('e'), max_depth => -1);
SELECT reason.trace(id('e'), max_nodes => 0);
SELECT reason.trace(id('e'), min_weight => 'NaN');
SELECT reason.trace_json(id('e'), "limit" => 0, divisions => '{*}');
SELECT reason.trace_json(id('e'), cursor => 'made up', divisions => '{*}');

-- The same id in two divisions: each sees its own, who sees both must say which
SELECT count(reason.add_node('observation', '{}', 'other', division => 'other', id => id('e')));
SELECT reason.trace(id('e'));
SELECT count(*) FROM reason.trace(id('e'), division => 'default');
SELECT count(*) FROM reason.trace(id('e'), division => 'other');
SELECT count(*) FROM reason.trace_json(id('e'), divisions => '{other}') t, jsonb_array_elements(jsonb(t) -> 'steps');

-- A node of a division that the caller may not see is one that does not exist
SELECT count(reason.add_node('observation', '{}', 'other', division => 'other', id => id('f')));
CREATE ROLE regress_trace_reader IN ROLE reason_reader;
CREATE ROLE regress_trace_stranger;
GRANT EXECUTE ON FUNCTION id(text) TO PUBLIC;
SET ROLE regress_trace_reader;
SELECT reason.visible_divisions();
SELECT count(*) FROM reason.trace(id('e'));
SELECT reason.trace(id('f'));
SELECT reason.trace(id('e'), division => 'other');
SELECT reason.trace_json(id('e'));
SELECT secret FROM reason.cursor_secret;
RESET ROLE;
INSERT INTO reason.division_grant VALUES ('regress_trace_reader', 'other');
SET ROLE regress_trace_reader;
SELECT count(*) FROM reason.trace(id('f'));
SELECT reason.trace(id('e'));
RESET ROLE;
SET ROLE regress_trace_stranger;
SELECT reason.trace(id('e'));
RESET ROLE;
DELETE FROM reason.division_grant WHERE grantee = 'regress_trace_reader';
DROP ROLE regress_trace_reader, regress_trace_stranger;

-- A trace may be joined, and run in a parallel worker
SELECT provolatile, proparallel, proretset FROM pg_proc WHERE oid = 'reason.trace'::regproc;
