/*
 * sql.c
 *		Pages of what differs between two traces or snapshots as JSON text: compare_json().
 *
 * A page holds some of the entries, by number and by their bytes; counts are
 * always those of the whole.  Both traces are those that the first page saw.
 */
#include "postgres.h"

#include "compare/difference.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "core/sha256.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/page.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_compare_json);

/*
 * Arguments: a, document of a, b, document of b, divisions, redact, quarantined, division, direction, depth, limit, cursor,
 * as_of_a, as_of_b, as_of_seq_a, as_of_seq_b.  Of a snapshot the document is given.
 */
enum
{
	ARGUMENT_A, ARGUMENT_A_DOCUMENT, ARGUMENT_B, ARGUMENT_B_DOCUMENT, ARGUMENT_DIVISIONS, ARGUMENT_REDACT, ARGUMENT_QUARANTINED,
	ARGUMENT_DIVISION, ARGUMENT_DIRECTION, ARGUMENT_DEPTH, ARGUMENT_LIMIT, ARGUMENT_CURSOR, ARGUMENT_AS_OF_A, ARGUMENT_AS_OF_B,
	ARGUMENT_AS_OF_SEQ_A, ARGUMENT_AS_OF_SEQ_B
};

static const TraceArguments side_arguments[2] = {
	{.max_depth = ARGUMENT_DEPTH, .types = -1, .edge_types = -1, .min_weight = -1, .min_confidence = -1, .as_of = ARGUMENT_AS_OF_A,
	 .max_nodes = -1, .as_of_seq = ARGUMENT_AS_OF_SEQ_A},
	{.max_depth = ARGUMENT_DEPTH, .types = -1, .edge_types = -1, .min_weight = -1, .min_confidence = -1, .as_of = ARGUMENT_AS_OF_B,
	 .max_nodes = -1, .as_of_seq = ARGUMENT_AS_OF_SEQ_B},
};

/* ---------------------------------------------------------------- what is asked */

static void
add_filter(Sha256 *hash, const GraphFilter *filter)
{
	int64		times[4] = {filter->has_as_of, filter->has_as_of ? filter->as_of : 0,
							filter->has_as_of_seq, filter->has_as_of_seq ? filter->as_of_seq : 0};

	sha256_update(hash, times, sizeof(times));
}

/* Stands for all that the two sides are, in place of a start: a cursor is good for them alone. */
static pg_uuid_t
identity_of(FunctionCallInfo fcinfo, const GraphFilter filters[2])
{
	pg_uuid_t	identity;
	uint8		digest[SHA256_LENGTH];
	bool		are_documents[2] = {!PG_ARGISNULL(ARGUMENT_A_DOCUMENT), !PG_ARGISNULL(ARGUMENT_B_DOCUMENT)};
	Sha256		hash;

	sha256_init(&hash);
	sha256_update(&hash, PG_GETARG_UUID_P(ARGUMENT_A), UUID_LEN);
	sha256_update(&hash, PG_GETARG_UUID_P(ARGUMENT_B), UUID_LEN);
	sha256_update(&hash, are_documents, sizeof(are_documents));
	add_filter(&hash, &filters[0]);
	add_filter(&hash, &filters[1]);
	sha256_final(&hash, digest);
	memcpy(&identity, digest, UUID_LEN);
	return identity;
}

static uint32
limit_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARGUMENT_LIMIT))
		return PG_UINT32_MAX;
	if (PG_GETARG_INT32(ARGUMENT_LIMIT) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit must be at least 1")));
	return PG_GETARG_INT32(ARGUMENT_LIMIT);
}

/* Reads a side; its graph stays open. */
static void
read_side(Side *side, FunctionCallInfo fcinfo, int node, int document, TraceRequest *request, const pg_uuid_t *identity)
{
	GraphDivisions divisions;
	GraphFilter depth_alone;

	request->graph = graph_open();
	quarantine_argument(fcinfo, ARGUMENT_QUARANTINED, request->graph);
	/* Times are part of the identity: to the cursor both sides are the same. */
	graph_filter_init(&depth_alone);
	depth_alone.max_depth = request->filter.max_depth;
	trace_cursor_begin(&request->cursor, request->graph, TRACE_CURSOR_COMPARISON, identity, request->direction, &depth_alone,
					   record_text_argument(fcinfo, ARGUMENT_CURSOR));
	if (!PG_ARGISNULL(document))
	{
		RecordText	text_of = record_text_argument(fcinfo, document);

		side_of_document(side, request->graph, (ShownText) {text_of.data, text_of.length});
		return;
	}
	divisions = trace_divisions_argument(fcinfo, ARGUMENT_DIVISIONS, request->graph);
	request->start = trace_start(request->graph, PG_GETARG_UUID_P(node), &divisions, record_text_argument(fcinfo, ARGUMENT_DIVISION),
								 &request->filter);
	if (request->cursor.horizon)
	{
		request->graph->horizon = request->cursor.horizon;
		quarantine_load(request->graph);
	}
	side_of_trace(side, request);
}

/* ---------------------------------------------------------------- the answer */

static void
append_side(ByteBuffer *out, const char *name, const Side *side)
{
	buffer_append(out, name, strlen(name));
	buffer_append_literal(out, "{\"edges\":");
	canonical_write_integer(out, side->edge_count);
	buffer_append_literal(out, ",\"frontier\":");
	canonical_write_integer(out, side->frontier_count);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &side->id);
	if (side->is_snapshot)
		buffer_append_literal(out, ",\"kind\":\"snapshot\",\"nodes\":");
	else
		buffer_append_literal(out, ",\"kind\":\"node\",\"nodes\":");
	canonical_write_integer(out, side->node_count);
	buffer_append_char(out, '}');
}

static void
append_flags(ByteBuffer *out, bool *is_first, const char *name, bool a, bool b)
{
	if (a == b)
		return;
	if (!*is_first)
		buffer_append_char(out, ',');
	*is_first = false;
	buffer_append(out, name, strlen(name));
	buffer_append_literal(out, "{\"a\":");
	canonical_write_boolean(out, a);
	buffer_append_literal(out, ",\"b\":");
	canonical_write_boolean(out, b);
	buffer_append_char(out, '}');
}

static void
append_node_changes(ByteBuffer *out, const SideNode *a, const SideNode *b)
{
	bool		is_first = true;

	buffer_append_literal(out, ",\"changes\":{");
	append_flags(out, &is_first, "\"corrected\":", a->is_corrected, b->is_corrected);
	if (memcmp(a->digest, b->digest, REASON_DIGEST_LENGTH) != 0)
	{
		buffer_append(out, is_first ? "" : ",", is_first ? 0 : 1);
		is_first = false;
		buffer_append_literal(out, "\"digest\":{\"a\":");
		record_write_hex(out, a->digest, REASON_DIGEST_LENGTH);
		buffer_append_literal(out, ",\"b\":");
		record_write_hex(out, b->digest, REASON_DIGEST_LENGTH);
		buffer_append_char(out, '}');
	}
	append_flags(out, &is_first, "\"erased\":", a->is_erased, b->is_erased);
	buffer_append_char(out, '}');
}

static void
append_confidence(ByteBuffer *out, const SideEdge *edge)
{
	if (edge->has_confidence)
		canonical_write_number(out, edge->confidence);
	else
		buffer_append_literal(out, "null");
}

static void
append_edge(ByteBuffer *out, const SideEdge *edge)
{
	buffer_append_literal(out, "{\"confidence\":");
	append_confidence(out, edge);
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, edge->created_at);
	buffer_append_literal(out, ",\"edgeId\":");
	record_write_uuid(out, &edge->id);
	buffer_append_literal(out, ",\"from\":");
	record_write_uuid(out, &edge->from);
	buffer_append_literal(out, ",\"kind\":\"edge\",\"to\":");
	record_write_uuid(out, &edge->to);
	buffer_append_literal(out, ",\"type\":");
	canonical_write_string(out, edge->type.data, edge->type.length);
	buffer_append_literal(out, ",\"weight\":");
	canonical_write_number(out, edge->weight);
}

static void
append_edge_changes(ByteBuffer *out, const SideEdge *a, const SideEdge *b)
{
	buffer_append_literal(out, ",\"changes\":{\"confidence\":{\"a\":");
	append_confidence(out, a);
	buffer_append_literal(out, ",\"b\":");
	append_confidence(out, b);
	buffer_append_literal(out, "},\"edgeId\":{\"a\":");
	record_write_uuid(out, &a->id);
	buffer_append_literal(out, ",\"b\":");
	record_write_uuid(out, &b->id);
	buffer_append_literal(out, "},\"weight\":{\"a\":");
	canonical_write_number(out, a->weight);
	buffer_append_literal(out, ",\"b\":");
	canonical_write_number(out, b->weight);
	buffer_append_literal(out, "}}");
}

static void
append_node(ByteBuffer *out, const Side *side, uint32 node)
{
	buffer_append_char(out, '{');
	side_write_node(out, side, &side->nodes[node]);
	buffer_append_literal(out, ",\"kind\":\"node\"");
}

static void
append_entry(ByteBuffer *out, const Differences *differences, const Difference *entry)
{
	const Side *a = differences->a;
	const Side *b = differences->b;

	switch (entry->kind)
	{
		case DIFFERENCE_ADDED_NODE:
			append_node(out, b, entry->b);
			break;
		case DIFFERENCE_ADDED_EDGE:
			append_edge(out, &b->edges[entry->b]);
			break;
		case DIFFERENCE_REMOVED_NODE:
			append_node(out, a, entry->a);
			break;
		case DIFFERENCE_REMOVED_EDGE:
			append_edge(out, &a->edges[entry->a]);
			break;
		case DIFFERENCE_CHANGED_NODE:
			append_node(out, b, entry->b);
			append_node_changes(out, &a->nodes[entry->a], &b->nodes[entry->b]);
			break;
		case DIFFERENCE_CHANGED_EDGE:
			append_edge(out, &b->edges[entry->b]);
			append_edge_changes(out, &a->edges[entry->a], &b->edges[entry->b]);
			break;
		case DIFFERENCE_KINDS:
			break;
	}
	buffer_append_char(out, '}');
}

/* Entries of two kinds that are a list, as many as the page may have; *at goes on. */
static void
append_list(ByteBuffer *out, const char *name, const Differences *differences, DifferenceKind last, uint32 *at, uint32 end, size_t most)
{
	bool		is_first = true;

	buffer_append(out, name, strlen(name));
	while (*at < end && differences->entries[*at].kind <= last && out->length <= most)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_first)
			buffer_append_char(out, ',');
		is_first = false;
		append_entry(out, differences, &differences->entries[(*at)++]);
	}
	buffer_append_char(out, ']');
}

static void
append_counts(ByteBuffer *out, const Differences *differences)
{
	const uint32 *counts = differences->counts;

	buffer_append_literal(out, ",\"counts\":{\"added\":");
	canonical_write_integer(out, (int64) counts[DIFFERENCE_ADDED_NODE] + counts[DIFFERENCE_ADDED_EDGE]);
	buffer_append_literal(out, ",\"changed\":");
	canonical_write_integer(out, (int64) counts[DIFFERENCE_CHANGED_NODE] + counts[DIFFERENCE_CHANGED_EDGE]);
	buffer_append_literal(out, ",\"removed\":");
	canonical_write_integer(out, (int64) counts[DIFFERENCE_REMOVED_NODE] + counts[DIFFERENCE_REMOVED_EDGE]);
	buffer_append_literal(out, ",\"sameEdges\":");
	canonical_write_integer(out, differences->same_edges);
	buffer_append_literal(out, ",\"sameNodes\":");
	canonical_write_integer(out, differences->same_nodes);
	buffer_append_char(out, '}');
}

Datum
reason_compare_json(PG_FUNCTION_ARGS)
{
	uint32		limit = limit_argument(fcinfo);
	GraphFilter filters[2] = {trace_filter_of(fcinfo, &side_arguments[0]), trace_filter_of(fcinfo, &side_arguments[1])};
	GraphDirection direction = trace_direction_argument(fcinfo, ARGUMENT_DIRECTION);
	size_t		most = PG_ARGISNULL(ARGUMENT_LIMIT) ? MaxAllocSize : PAGE_BYTES;
	TraceRequest requests[2] = {0};
	Side		sides[2];
	Differences *differences;
	pg_uuid_t	identity;
	ByteBuffer	out;
	uint32		at;
	uint32		end;

	if (PG_ARGISNULL(ARGUMENT_A) || PG_ARGISNULL(ARGUMENT_B))
		PG_RETURN_NULL();
	identity = identity_of(fcinfo, filters);
	for (int i = 0; i < 2; i++)
	{
		requests[i].filter = filters[i];
		requests[i].direction = direction;
		requests[i].redact = PG_ARGISNULL(ARGUMENT_REDACT) || PG_GETARG_BOOL(ARGUMENT_REDACT);
	}
	read_side(&sides[0], fcinfo, ARGUMENT_A, ARGUMENT_A_DOCUMENT, &requests[0], &identity);
	read_side(&sides[1], fcinfo, ARGUMENT_B, ARGUMENT_B_DOCUMENT, &requests[1], &identity);
	differences = differences_of(&sides[0], &sides[1]);
	at = Min(requests[0].cursor.offset, differences->count);
	end = at + Min(limit, differences->count - at);

	node_json_buffer(&out);
	append_side(&out, "{\"a\":", &sides[0]);
	append_list(&out, ",\"added\":[", differences, DIFFERENCE_ADDED_EDGE, &at, end, most);
	append_side(&out, ",\"b\":", &sides[1]);
	append_counts(&out, differences);
	append_list(&out, ",\"removed\":[", differences, DIFFERENCE_REMOVED_EDGE, &at, end, most);
	append_list(&out, ",\"changed\":[", differences, DIFFERENCE_CHANGED_EDGE, &at, end, most);
	if (at < differences->count)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&requests[0].cursor, &out, at, 0);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, at < differences->count || sides[0].frontier_count > 0 || sides[1].frontier_count > 0);
	buffer_append_char(&out, '}');
	graph_close(requests[1].graph);
	graph_close(requests[0].graph);
	return node_json_text(&out);
}
