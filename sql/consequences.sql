-- What rests on a node.
--
-- The walk is the one of traces (extension/derived/impact.c), along the edges that carry support.

CREATE FUNCTION reason.impact(node uuid, max_depth integer DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    as_of_seq bigint DEFAULT NULL,
    OUT step integer, OUT node_id uuid, OUT type text, OUT depth integer, OUT strength double precision, OUT other_support boolean,
    OUT corrected boolean, OUT corrected_by uuid[], OUT stands boolean, OUT earlier boolean, OUT leads_on boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'reason_impact';
COMMENT ON FUNCTION reason.impact(uuid, integer, timestamptz, text, bigint) IS
    'What rests on a node: all that edges lead to from it, those of type contradicts and corrects left out, which carry no support. Decisions first, then in the order of trace(). strength: of all paths from the node the one whose weakest edge is strongest, and how strong that is: weight times the confidence that the edge states times the confidence that its cause states, 1 where nothing is stated. other_support: without the node there still is a node that nothing carries support to, from which support comes. corrected: an edge of type corrects leads to it. stands: other_support, and not corrected. earlier: recorded before the node, and linked to it afterwards. leads_on: the walk stopped there for max_depth, and more rests on it.';

CREATE FUNCTION reason.impact_json(node uuid, divisions text[] DEFAULT NULL, redact boolean DEFAULT true, quarantined boolean DEFAULT NULL,
    division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL, depth integer DEFAULT NULL, "limit" integer DEFAULT NULL, cursor text DEFAULT NULL,
    as_of timestamptz DEFAULT NULL) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_impact_json';
COMMENT ON FUNCTION reason.impact_json(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz) IS
    'A page of what rests on a node: {counts, frontier, node, nodes, nextCursor, truncated}, a node with support {other, strength}, corrected, stands. Counts are those of the whole.';
