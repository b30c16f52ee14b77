-- Traces: what led to a node, and what came of it.
--
-- C walks the covering indexes with the snapshot of the calling query (extension/graph_walk.c,
-- trace.c). The functions run with the caller's rights: the start decides, as an edge and both
-- its ends live in one division, and a node of a division that the caller may not see is
-- reported as one that does not exist.

CREATE FUNCTION reason.trace(node uuid, direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL, min_weight double precision DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, max_nodes integer DEFAULT NULL,
    division text DEFAULT NULL,
    OUT step integer, OUT depth integer, OUT node_id uuid, OUT edge_id uuid, OUT parent_id uuid, OUT cycle boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'reason_trace';
COMMENT ON FUNCTION reason.trace(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, integer, text) IS
    'Breadth first from a node: each node once, at its smallest depth, siblings by (created_at, id). direction: ancestors (causes) or descendants (effects). Nodes that fail types or min_confidence, and edges that fail edge_types or min_weight, are neither shown nor walked through; the start is always shown. as_of: nodes and edges recorded by then. cycle: an edge leads from the node back to itself or to an ancestor on its path.';

CREATE FUNCTION reason.trace_size(node uuid, direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    types text[] DEFAULT NULL, edge_types text[] DEFAULT NULL, min_weight double precision DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    OUT nodes bigint, OUT edges bigint)
LANGUAGE c STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'reason_trace_size';
COMMENT ON FUNCTION reason.trace_size(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, text) IS
    'How many nodes trace() would return, and how many edges have both ends among them.';

CREATE FUNCTION reason.causal_path(from_node uuid, to_node uuid, edge_types text[] DEFAULT NULL,
    min_weight double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    OUT step integer, OUT node_id uuid, OUT edge_id uuid)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'reason_causal_path';
COMMENT ON FUNCTION reason.causal_path(uuid, uuid, text[], double precision, timestamptz, text) IS
    'The shortest chain of edges from a cause to an effect, one row a node, edge_id the edge that leads to it; no rows when there is none.';
