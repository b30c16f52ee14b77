/*
 * human.c
 *		Graphs that are to be drawn: adding records, and finding nodes.
 */
#include "postgres.h"

#include "derived/human.h"

#include "record/uuid.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* ---------------------------------------------------------------- adding */

void *
human_room(size_t count, size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * size);
}

HumanGraph *
human_graph(bool upwards, size_t nodes, size_t edges, size_t notes)
{
	HumanGraph *graph = palloc0(sizeof(HumanGraph));

	graph->upwards = upwards;
	graph->nodes = human_room(nodes, sizeof(HumanNode));
	graph->edges = human_room(edges, sizeof(HumanEdge));
	graph->notes = human_room(notes, sizeof(HumanNote));
	return graph;
}

static int
digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

pg_uuid_t
human_uuid(ShownText quoted)
{
	pg_uuid_t	id = {0};
	const char *p;

	if (quoted.data == NULL || quoted.length != 38)
		return id;
	p = quoted.data + 1;
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (*p == '-')
			p++;
		id.data[i] = digit(p[0]) << 4 | digit(p[1]);
		p += 2;
	}
	return id;
}

void
human_add_node(HumanGraph *graph, ShownText record, pg_uuid_t id)
{
	HumanNode  *node = &graph->nodes[graph->node_count++];

	node->id = id;
	node->record = record;
	node->first_note = node->last_note = node->circle = HUMAN_NONE;
}

void
human_add_edge(HumanGraph *graph, ShownText record, const pg_uuid_t *from, const pg_uuid_t *to)
{
	HumanEdge  *edge = &graph->edges[graph->edge_count++];
	ShownRecord shown = shown_record(record.data, record.length);

	edge->from = from ? *from : human_uuid(shown.from);
	edge->to = to ? *to : human_uuid(shown.to);
	edge->from_text = shown.from;
	edge->to_text = shown.to;
	edge->type = shown.type;
	edge->weight = shown.weight;
	edge->confidence = shown.confidence;
	edge->record = record;
	edge->is_given = true;
	edge->corrects = shown.type.length == strlen("\"corrects\"") && memcmp(shown.type.data, "\"corrects\"", shown.type.length) == 0;
}

void
human_add_note(HumanGraph *graph, uint32 node, ShownText record)
{
	HumanNote  *note = &graph->notes[graph->note_count];

	note->record = record;
	note->next = HUMAN_NONE;
	if (graph->nodes[node].first_note == HUMAN_NONE)
		graph->nodes[node].first_note = graph->note_count;
	else
		graph->notes[graph->nodes[node].last_note].next = graph->note_count;
	graph->nodes[node].last_note = graph->note_count++;
}

/* ---------------------------------------------------------------- finding */

typedef struct IndexEntry
{
	pg_uuid_t	id;
	uint32		node;
} IndexEntry;

struct HumanIndex
{
	uint32		count;
	IndexEntry *entries;
};

#define ST_SORT sort_index
#define ST_ELEMENT_TYPE IndexEntry
#define ST_COMPARE(a, b) memcmp(&(a)->id, &(b)->id, UUID_LEN)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

HumanIndex *
human_index(const HumanGraph *graph)
{
	HumanIndex *index = palloc(sizeof(HumanIndex));

	index->count = graph->node_count;
	index->entries = human_room(graph->node_count, sizeof(IndexEntry));
	for (uint32 i = 0; i < graph->node_count; i++)
	{
		index->entries[i].id = graph->nodes[i].id;
		index->entries[i].node = i;
	}
	sort_index(index->entries, index->count);
	return index;
}

uint32
human_find(const HumanIndex *index, const pg_uuid_t *id)
{
	const IndexEntry *entry = uuid_search(id, index->entries, index->count, sizeof(IndexEntry));

	return entry ? entry->node : HUMAN_NONE;
}
