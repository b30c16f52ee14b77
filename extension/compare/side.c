/*
 * side.c
 *		Sorting and finding what a side holds, and telling of its nodes.
 */
#include "postgres.h"

#include "compare/side.h"

#include "canonical/backend.h"
#include "graph/heap.h"
#include "record/uuid.h"

#include "miscadmin.h"

#define ST_SORT sort_nodes
#define ST_ELEMENT_TYPE SideNode
#define ST_COMPARE(a, b) memcmp(&(a)->id, &(b)->id, UUID_LEN)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_edges
#define ST_ELEMENT_TYPE SideEdge
#define ST_COMPARE(a, b) memcmp(&(a)->id, &(b)->id, UUID_LEN)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
side_finish(Side *side)
{
	sort_nodes(side->nodes, side->node_count);
	sort_edges(side->edges, side->edge_count);
	for (uint32 i = 0; i < side->edge_count; i++)
	{
		RecordText	type = side->edges[i].type;
		SideNode   *corrected;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (type.length != strlen("corrects") || memcmp(type.data, "corrects", type.length) != 0)
			continue;
		corrected = side_node(side, &side->edges[i].to);
		if (corrected)
			corrected->is_corrected = true;
	}
}

SideNode *
side_node(const Side *side, const pg_uuid_t *id)
{
	return uuid_search(id, side->nodes, side->node_count, sizeof(SideNode));
}

const SideEdge *
side_edge(const Side *side, const pg_uuid_t *id)
{
	return uuid_search(id, side->edges, side->edge_count, sizeof(SideEdge));
}

typedef struct EntryWriter
{
	ByteBuffer *out;
	NodeJson   *json;
} EntryWriter;

static void
write_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EntryWriter *writer = argument;
	ByteBuffer	whole;

	buffer_init(&whole, canonical_realloc, CurrentMemoryContext);
	node_json_node(writer->json, &whole, tuple, desc);
	shown_write_entry(writer->out, (ShownText) {whole.data, whole.length});
	pfree(whole.data);
}

void
side_write_node(ByteBuffer *out, const Side *side, const SideNode *node)
{
	EntryWriter writer = {out, side->json};
	GraphEntry	entry = {0};

	if (side->is_snapshot)
	{
		shown_write_entry(out, side->texts[node->source]);
		return;
	}
	entry.tid = side->trace->nodes[node->source].tid;
	graph_visit_rows(side->graph, side->graph->node, &entry, 1, write_row, &writer);
}
