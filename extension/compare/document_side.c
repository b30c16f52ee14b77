/*
 * document_side.c
 *		The document of a snapshot as one of two that are compared.
 */
#include "postgres.h"

#include "compare/side.h"

#include "graph/memory.h"
#include "derived/human.h"
#include "derived/human_source.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* What is between the quotes; our own names, times and digests have no escapes. */
static RecordText
inside(ShownText quoted)
{
	if (quoted.data == NULL || quoted.length < 2)
		return (RecordText) {"", 0};
	return (RecordText) {quoted.data + 1, quoted.length - 2};
}

static double
number_of(ShownText number)
{
	char		digits[64];
	size_t		length = Min(number.length, sizeof(digits) - 1);

	memcpy(digits, number.data, length);
	digits[length] = '\0';
	return strtod(digits, NULL);
}

static TimestampTz
time_of(ShownText quoted)
{
	RecordText	time = inside(quoted);
	char	   *value = pnstrdup(time.data, time.length);
	TimestampTz result = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(value),
																 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));

	pfree(value);
	return result;
}

static void
read_node(Side *side, ShownText record)
{
	SideNode   *node = &side->nodes[side->node_count];
	RecordText	digest = inside(shown_member(record, "digest"));
	ShownText	erased = shown_member(record, "erased");

	memset(node, 0, sizeof(*node));
	node->id = human_uuid(shown_member(record, "id"));
	if (digest.length == 2 * REASON_DIGEST_LENGTH)
		hex_decode(digest.data, digest.length, (char *) node->digest);
	node->is_erased = erased.data != NULL;
	node->source = side->node_count;
	side->texts[side->node_count++] = record;
}

static void
read_edge(Side *side, ShownText record)
{
	SideEdge   *edge = &side->edges[side->edge_count++];
	ShownRecord shown = shown_record(record.data, record.length);

	memset(edge, 0, sizeof(*edge));
	edge->id = human_uuid(shown.id);
	edge->from = human_uuid(shown.from);
	edge->to = human_uuid(shown.to);
	edge->created_at = time_of(shown.created_at);
	edge->type = inside(shown.type);
	edge->weight = shown.weight.data ? number_of(shown.weight) : 1;
	edge->has_confidence = shown.confidence.data && strchr("-0123456789", *shown.confidence.data);
	if (edge->has_confidence)
		edge->confidence = number_of(shown.confidence);
}

void
side_of_document(Side *side, Graph *graph, ShownText document)
{
	ShownText	payload = shown_member(document, "payload");
	ShownText	nodes = shown_member(payload, "nodes");
	ShownText	edges = shown_member(payload, "edges");
	size_t		node_count = human_count(nodes);
	size_t		edge_count = human_count(edges);
	ShownText	name;
	ShownText	element;

	memset(side, 0, sizeof(*side));
	side->graph = graph;
	side->is_snapshot = true;
	side->id = human_uuid(shown_member(document, "id"));
	side->nodes = graph_alloc(graph, Max(node_count, 1) * sizeof(SideNode));
	side->texts = graph_alloc(graph, Max(node_count, 1) * sizeof(ShownText));
	side->edges = graph_alloc(graph, Max(edge_count, 1) * sizeof(SideEdge));
	for (const char *at = NULL; nodes.data && shown_next(nodes, &at, &name, &element);)
	{
		CHECK_FOR_INTERRUPTS();
		read_node(side, element);
	}
	for (const char *at = NULL; edges.data && shown_next(edges, &at, &name, &element);)
	{
		CHECK_FOR_INTERRUPTS();
		read_edge(side, element);
	}
	side->frontier_count = human_count(shown_member(payload, "frontier"));
	side_finish(side);
}
