-- Traces: what led to a node, and what came of it.
--
-- C walks the covering indexes with the snapshot of the calling query (extension/graph/walk.c,
-- trace.c). The functions run with the caller's rights: the start decides, as an edge and both
-- its ends live in one division, and a node of a division that the caller may not see is
-- reported as one that does not exist. So is one in quarantine, for those who do not see it.

CREATE FUNCTION reason.trace_support(internal) RETURNS internal
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'reason_trace_support';
COMMENT ON FUNCTION reason.trace_support(internal) IS 'How many rows the planner is to expect of trace().';

CREATE FUNCTION reason.trace(node uuid, direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL, min_weight double precision DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, max_nodes integer DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL,
    OUT step integer, OUT depth integer, OUT node_id uuid, OUT edge_id uuid, OUT parent_id uuid, OUT cycle boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100 SUPPORT reason.trace_support
AS 'MODULE_PATHNAME', 'reason_trace';
COMMENT ON FUNCTION reason.trace(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, integer, text, bigint) IS
    'Breadth first from a node: each node once, at its smallest depth, siblings by (created_at, id). direction: ancestors (causes) or descendants (effects). Nodes that fail types or min_confidence, and edges that fail edge_types or min_weight, are neither shown nor walked through; the start is always shown. as_of: nodes and edges whose time is not later; a transaction that was open then may still add some. as_of_seq: nodes and edges that had their place in the chain of the division at that event, which is the same for ever. cycle: an edge leads from the node back to itself or to an ancestor on its path.';

-- Not another trace(): PostgreSQL could not tell which of the two trace('...') means.
CREATE FUNCTION reason.trace_from(nodes uuid[], direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL, min_weight double precision DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, max_nodes integer DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL,
    OUT step integer, OUT depth integer, OUT node_id uuid, OUT edge_id uuid, OUT parent_id uuid, OUT cycle boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100 SUPPORT reason.trace_support
AS 'MODULE_PATHNAME', 'reason_trace_from';
COMMENT ON FUNCTION reason.trace_from(uuid[], text, integer, text[], text[], double precision, double precision, timestamptz, integer, text, bigint) IS
    'trace() from several nodes of one division at once: each node once, at its smallest depth from any of them. The nodes that are given come first, at depth 0, in the order of the array, each once; all of them must be there. cycle: an edge leads from the node back to itself or to an ancestor on its path, which begins at one of them.';

CREATE FUNCTION reason.trace_size(node uuid, direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL, min_weight double precision DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    as_of_seq bigint DEFAULT NULL,
    OUT nodes bigint, OUT edges bigint)
LANGUAGE c STABLE PARALLEL SAFE COST 1000 SUPPORT reason.trace_support
AS 'MODULE_PATHNAME', 'reason_trace_size';
COMMENT ON FUNCTION reason.trace_size(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, text, bigint) IS
    'How many nodes trace() would return, and how many edges have both ends among them; in FROM, edges are not counted when only nodes are asked for.';

CREATE FUNCTION reason.causal_path(from_node uuid, to_node uuid, edge_types text[] DEFAULT NULL,
    min_weight double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    as_of_seq bigint DEFAULT NULL,
    OUT step integer, OUT node_id uuid, OUT edge_id uuid)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'reason_causal_path';
COMMENT ON FUNCTION reason.causal_path(uuid, uuid, text[], double precision, timestamptz, text, bigint) IS
    'The shortest chain of edges from a cause to an effect, one row a node, edge_id the edge that leads to it; no rows when there is none.';

CREATE FUNCTION reason.strongest_paths(from_node uuid, to_node uuid, k integer DEFAULT 1, edge_types text[] DEFAULT NULL,
    as_of timestamptz DEFAULT NULL, division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL,
    OUT path integer, OUT step integer, OUT node_id uuid, OUT edge_id uuid, OUT edge_strength double precision, OUT strength double precision)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'reason_strongest_paths';
COMMENT ON FUNCTION reason.strongest_paths(uuid, uuid, integer, text[], timestamptz, text, bigint) IS
    'The k (1 to 1000) strongest paths from a cause to an effect, the strongest first, one row a node, edge_id the edge that leads to it. A path is as strong as its weakest edge: weight times the confidence that the edge states times the confidence that its cause states, 1 where nothing is stated, as impact() has it. No path visits a node twice; edges between the same two nodes make paths of their own. Of equally strong paths the one with fewer edges comes first, then the one whose edges were recorded earlier. edge_types: NULL for those that carry support, all but contradicts and corrects. No rows when there is no path.';

CREATE FUNCTION reason.ordered_trace(node uuid, division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL,
    OUT causal_index integer, OUT entity_type text, OUT id uuid, OUT type text, OUT ts timestamptz,
    OUT parent_ids uuid[], OUT from_id uuid, OUT to_id uuid, OUT in_cycle boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'reason_ordered_trace';
COMMENT ON FUNCTION reason.ordered_trace(uuid, text, bigint) IS
    'All ancestors of a node in causal order, causes first, edges as entries between their nodes; ties by time, then id. as_of_seq: as of that event of the chain. What lies on a cycle, or behind one, follows by time; in_cycle marks what lies on one.';

-- ---------------------------------------------------------------- pages

CREATE TABLE reason.cursor_secret (
    secret   bytea   NOT NULL,
    only_row boolean NOT NULL DEFAULT true,
    CONSTRAINT cursor_secret_pkey PRIMARY KEY (only_row),
    CONSTRAINT cursor_secret_only_row_check CHECK (only_row),
    CONSTRAINT cursor_secret_length_check CHECK (octet_length(secret) = 32)
);
COMMENT ON TABLE reason.cursor_secret IS 'Signs the cursors of traces. Nobody reads it but the library; not dumped, so a restored database refuses older cursors.';
INSERT INTO reason.cursor_secret (secret)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- ---------------------------------------------------------------- as JSON text, for HTTP

CREATE FUNCTION reason.trace_json(node uuid, direction text DEFAULT 'ancestors', depth integer DEFAULT 10,
    "limit" integer DEFAULT 1000, cursor text DEFAULT NULL, types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL,
    min_weight double precision DEFAULT NULL, min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL,
    redact boolean DEFAULT true, divisions text[] DEFAULT NULL, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_trace_json';
COMMENT ON FUNCTION reason.trace_json(uuid, text, integer, integer, text, text[], text[], double precision, double precision, timestamptz, boolean, text[], boolean, text, bigint) IS
    'A page of a trace: {startNodeId, direction, depth, steps, edges, nextCursor, truncated}. Pages are consistent with the first one. divisions: those the client may see, {*} for all, NULL for those of the current role. quarantined: whether to show what is in quarantine, NULL: if the current role sees it. division: which one is meant, should several hold the node; without it "default", or else the first of divisions.';

CREATE FUNCTION reason.node_json(id uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 1000
AS 'MODULE_PATHNAME', 'reason_node_json';
COMMENT ON FUNCTION reason.node_json(uuid, text[], boolean, boolean, text, integer, text) IS
    'A node with a page of its edges: {node, incoming, outgoing, nextCursor, truncated}; incoming ones first, each side by (created_at, id). limit: NULL for all.';

CREATE FUNCTION reason.ordered_trace_json(node uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL, depth integer DEFAULT NULL, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL,
    as_of timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_ordered_trace_json';
COMMENT ON FUNCTION reason.ordered_trace_json(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz) IS
    'A page of the ordered causal path to a node: {trace_id, ordered_path, metadata, frontier, nextCursor, truncated}, annotations and audit references included. The order is that of all entries; limit counts nodes and edges, NULL for all.';

CREATE FUNCTION reason.reason_json(node uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL, depth integer DEFAULT 10, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL,
    as_of timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_reason_json';
COMMENT ON FUNCTION reason.reason_json(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz) IS
    'A page of what led to a node, as lines to read: {node, record, trace: [{step, ts, note, data}], metadata: {length, frontier, nextCursor, truncated}}.';

CREATE FUNCTION reason.trace_human(node uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL, depth integer DEFAULT NULL, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL,
    as_of timestamptz DEFAULT NULL, direction text DEFAULT 'ancestors') RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_trace_human';
COMMENT ON FUNCTION reason.trace_human(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz, text) IS
    'A page of what led to a node, or came of it (direction descendants), as a tree for a person: each node once, every edge with type and weight, annotations, erasures, corrections, and where it was cut.';

CREATE FUNCTION reason.document_human(document text, "limit" integer, skip integer) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'reason_document_human';
COMMENT ON FUNCTION reason.document_human(text, integer, integer) IS
    'The records of a snapshot''s document as a tree for a person, from the roots, so many nodes after those that are skipped.';

CREATE FUNCTION reason.explain_json(node uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL, depth integer DEFAULT NULL, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL,
    as_of timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_explain_json';
COMMENT ON FUNCTION reason.explain_json(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz) IS
    'What a node rests on: {explain: {summary, components, evidence, corrections, after, frontier, counts, cycleDetected, node}, nextCursor, truncated}. Only causes recorded no later than the node count; an edge of type corrects is no cause. Counts are those of the whole, lists those of the page.';

CREATE FUNCTION reason.node_shown(node reason.node, redact boolean, quarantined boolean) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'reason_node_shown';
COMMENT ON FUNCTION reason.node_shown(reason.node, boolean, boolean) IS
    'A node as answers show it: the member "node" of node_json(). Filters look at this, so that nothing is found which is not shown. quarantined: whether to say that it is in quarantine.';

CREATE FUNCTION reason.trace_statistics(OUT engine text, OUT nodes bigint, OUT traces bigint, OUT seconds double precision, OUT within bigint[])
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL SAFE ROWS 10
AS 'MODULE_PATHNAME', 'reason_trace_statistics';
COMMENT ON FUNCTION reason.trace_statistics() IS
    'How many traces have run since the server started, in all its databases, by engine (indexes, cache) and size (of at most so many nodes, and more than in the row before; NULL: more than that), how many seconds they took together, and how many took at most 0.1, 1, 10, 50, 100, 200, 500 ms, 1, 5 and 30 s. No rows without the library in shared_preload_libraries.';
