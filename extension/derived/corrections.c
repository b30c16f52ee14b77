/*
 * corrections.c
 *		Finds who corrected the nodes of a trace.
 */
#include "postgres.h"

#include "derived/corrections.h"

#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sealed.h"
#include "graph/sort.h"
#include "graph/walk.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

typedef struct Corrector
{
	uint32		position;		/* of what is corrected */
	int64		no;
	pg_uuid_t	id;
} Corrector;

typedef struct CorrectorSearch
{
	Graph	   *graph;
	GraphFilter filter;
	GraphKey   *nodes;			/* of the trace, by number */
	Corrector  *found;
	uint32		count;
	uint32		capacity;
	GraphKey   *ends;			/* numbers of the correctors, and their index in found */
	uint32	   *first;			/* where the ends of a key begin */
	int64	   *keys;
	bool	   *is_seen;		/* by index in found */
} CorrectorSearch;

static bool
accept_edge(void *argument, HeapTuple tuple, TupleDesc desc)
{
	return graph_filter_accepts_edge(&((CorrectorSearch *) argument)->filter, tuple);
}

static void
take_edges(void *argument, const GraphEntry *entries, int count)
{
	CorrectorSearch *search = argument;
	Graph	   *graph = search->graph;

	for (int i = 0; i < count; i++)
	{
		if (quarantine_hides(graph, entries[i].link.edge_no) || quarantine_hides(graph, entries[i].link.other_no))
			continue;
		graph_reserve(graph, search->found, search->count, search->capacity);
		search->found[search->count].position = search->nodes[entries[i].position].index;
		search->found[search->count++].no = entries[i].link.other_no;
	}
}

static void
take_ids(void *argument, const GraphEntry *entries, int count)
{
	CorrectorSearch *search = argument;
	const GraphFilter *filter = &search->filter;

	for (int i = 0; i < count; i++)
	{
		uint32		key = entries[i].position;

		if ((filter->has_as_of && entries[i].record.created_at > filter->as_of) ||
			(filter->sealed && !graph_sealed_shows(filter->sealed, search->keys[key])))
			continue;
		for (uint32 k = search->first[key]; k < search->first[key + 1]; k++)
		{
			search->found[search->ends[k].index].id = entries[i].record.id;
			search->is_seen[search->ends[k].index] = true;
		}
	}
}

static void
look_up_ids(CorrectorSearch *search)
{
	Graph	   *graph = search->graph;
	Size		size = Max((Size) search->count, 1);
	uint32		distinct = 0;

	search->ends = graph_alloc(graph, size * sizeof(GraphKey));
	search->first = graph_alloc(graph, (size + 1) * sizeof(uint32));
	search->keys = graph_alloc(graph, size * sizeof(int64));
	search->is_seen = graph_alloc(graph, size * sizeof(bool));
	memset(search->is_seen, 0, size * sizeof(bool));
	for (uint32 i = 0; i < search->count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		search->ends[i].no = search->found[i].no;
		search->ends[i].index = i;
	}
	graph_sort_keys(search->ends, graph_alloc(graph, size * sizeof(GraphKey)), search->count);
	for (uint32 i = 0; i < search->count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (i == 0 || search->ends[i].no != search->ends[i - 1].no)
		{
			search->keys[distinct] = search->ends[i].no;
			search->first[distinct++] = i;
		}
	}
	search->first[distinct] = search->count;
	graph_walk(graph, GRAPH_NODES, search->keys, distinct, NULL, take_ids, search);
}

static inline int
compare_correctors(const Corrector *a, const Corrector *b)
{
	if (a->position != b->position)
		return a->position < b->position ? -1 : 1;
	return memcmp(&a->id, &b->id, UUID_LEN);
}

#define ST_SORT sort_correctors
#define ST_ELEMENT_TYPE Corrector
#define ST_COMPARE(a, b) compare_correctors(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
keep_seen(CorrectorSearch *search)
{
	uint32		kept = 0;

	for (uint32 i = 0; i < search->count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (search->is_seen[i])
			search->found[kept++] = search->found[i];
	}
	search->count = kept;
	sort_correctors(search->found, search->count);
}

void
corrections_find(Corrections *corrections, const Trace *trace)
{
	Graph	   *graph = trace->graph;
	RecordText	corrects = {"corrects", strlen("corrects")};
	CorrectorSearch search = {.graph = graph, .filter = trace->filter};
	int64	   *keys = graph_alloc(graph, (Size) trace->node_count * sizeof(int64));
	uint32		written = 0;
	uint32		at = 0;

	search.filter.edge_type_count = 1;
	search.filter.edge_types = &corrects;
	search.nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(GraphKey));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		search.nodes[i].no = trace->nodes[i].no;
		search.nodes[i].index = i;
	}
	graph_sort_keys(search.nodes, graph_alloc(graph, (Size) trace->node_count * sizeof(GraphKey)), trace->node_count);
	for (uint32 i = 0; i < trace->node_count; i++)
		keys[i] = search.nodes[i].no;
	graph_walk(graph, GRAPH_LINKS_TO, keys, trace->node_count, accept_edge, take_edges, &search);
	look_up_ids(&search);
	keep_seen(&search);

	corrections->first = graph_alloc(graph, ((Size) trace->node_count + 1) * sizeof(uint32));
	corrections->by = graph_alloc(graph, Max((Size) search.count, 1) * sizeof(pg_uuid_t));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		corrections->first[i] = written;
		for (; at < search.count && search.found[at].position == i; at++)
		{
			if (written == corrections->first[i] || memcmp(&corrections->by[written - 1], &search.found[at].id, UUID_LEN) != 0)
				corrections->by[written++] = search.found[at].id;
		}
	}
	corrections->first[trace->node_count] = written;
}
