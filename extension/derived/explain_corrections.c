/*
 * explain_corrections.c
 *		What nodes of an explanation correct, and what corrects them.
 */
#include "postgres.h"

#include "derived/explain_corrections.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sealed.h"
#include "graph/walk.h"
#include "record/record.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* An entry names so many corrections; the list of corrections has them all. */
#define NAMED_CORRECTIONS 20

/* Other ends of edges of type corrects at one node, as it is shown. */
struct ExplainCorrection
{
	int64		no;				/* of the node */
	pg_uuid_t	other;
};

static bool
is_correction(void *argument, HeapTuple tuple, TupleDesc desc)
{
	ExplainCorrections *corrections = argument;
	bool		isnull;
	text	   *type = DatumGetTextPP(heap_getattr(tuple, EDGE_TYPE, desc, &isnull));

	return VARSIZE_ANY_EXHDR(type) == strlen("corrects") && memcmp(VARDATA_ANY(type), "corrects", strlen("corrects")) == 0 &&
		(!corrections->filter->has_as_of ||
		 DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull)) <= corrections->filter->as_of);
}

static void
take_corrections(void *argument, const GraphEntry *entries, int count)
{
	ExplainCorrections *corrections = argument;
	Graph	   *graph = corrections->trace->graph;

	for (int i = 0; i < count; i++)
	{
		if (quarantine_hides(graph, entries[i].link.edge_no) || quarantine_hides(graph, entries[i].link.other_no) ||
			(corrections->filter->sealed && !graph_sealed_shows(corrections->filter->sealed, entries[i].link.edge_no)))
			continue;
		graph_reserve(graph, corrections->corrected, corrections->corrected_count, corrections->corrected_capacity);
		corrections->corrected[corrections->corrected_count].no = corrections->keys[entries[i].position];
		/* Until the ids are known, the number stands in their place. */
		memset(&corrections->corrected[corrections->corrected_count].other, 0, UUID_LEN);
		memcpy(&corrections->corrected[corrections->corrected_count++].other, &entries[i].link.other_no, sizeof(int64));
	}
}

static void
take_ids(void *argument, const GraphEntry *entries, int count)
{
	ExplainCorrections *corrections = argument;

	for (int i = 0; i < count; i++)
	{
		for (uint32 k = corrections->first[entries[i].position]; k < corrections->first[entries[i].position + 1]; k++)
			corrections->corrected[corrections->others[k].index].other = entries[i].record.id;
	}
}

static int
compare_corrections(const void *a, const void *b)
{
	const ExplainCorrection *x = a;
	const ExplainCorrection *y = b;

	if (x->no != y->no)
		return x->no < y->no ? -1 : 1;
	return memcmp(&x->other, &y->other, UUID_LEN);
}

/* Also what lies outside the trace: a correction is a cause of what rests on it, not of what it corrects alone. */
static void
find_corrected(ExplainCorrections *corrections, const uint32 *positions, uint32 count)
{
	const Trace *trace = corrections->trace;
	Graph	   *graph = trace->graph;
	GraphKey   *nodes = graph_alloc(graph, (Size) count * sizeof(GraphKey));
	int64	   *keys;
	uint32		distinct = 0;
	Size		size;

	corrections->keys = graph_alloc(graph, (Size) count * sizeof(int64));
	for (uint32 i = 0; i < count; i++)
	{
		nodes[i].no = trace->nodes[positions[i]].no;
		nodes[i].index = i;
	}
	graph_sort_keys(nodes, graph_alloc(graph, (Size) count * sizeof(GraphKey)), count);
	for (uint32 i = 0; i < count; i++)
		corrections->keys[i] = nodes[i].no;
	graph_walk(graph, GRAPH_LINKS_FROM, corrections->keys, count, is_correction, take_corrections, corrections);

	size = Max((Size) corrections->corrected_count, 1);
	corrections->others = graph_alloc(graph, size * sizeof(GraphKey));
	corrections->first = graph_alloc(graph, (size + 1) * sizeof(uint32));
	keys = graph_alloc(graph, size * sizeof(int64));
	for (uint32 i = 0; i < corrections->corrected_count; i++)
	{
		memcpy(&corrections->others[i].no, &corrections->corrected[i].other, sizeof(int64));
		corrections->others[i].index = i;
	}
	graph_sort_keys(corrections->others, graph_alloc(graph, size * sizeof(GraphKey)), corrections->corrected_count);
	for (uint32 i = 0; i < corrections->corrected_count; i++)
	{
		if (i == 0 || corrections->others[i].no != corrections->others[i - 1].no)
		{
			keys[distinct] = corrections->others[i].no;
			corrections->first[distinct++] = i;
		}
	}
	corrections->first[distinct] = corrections->corrected_count;
	graph_walk(graph, GRAPH_NODES, keys, distinct, NULL, take_ids, corrections);
	qsort(corrections->corrected, corrections->corrected_count, sizeof(ExplainCorrection), compare_corrections);
}

void
explain_append_corrected(ByteBuffer *out, const ExplainCorrections *corrections, uint32 position)
{
	int64		no = corrections->trace->nodes[position].no;
	uint32		low = 0;
	uint32		high = corrections->corrected_count;
	int			named = 0;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (corrections->corrected[middle].no < no)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < corrections->corrected_count && corrections->corrected[low].no == no && named < NAMED_CORRECTIONS; low++)
	{
		if (named++ == 0)
			buffer_append_literal(out, ",\"corrects\":[");
		else
			buffer_append_char(out, ',');
		record_write_uuid(out, &corrections->corrected[low].other);
	}
	if (named > 0)
		buffer_append_char(out, ']');
}

/* Edges of type corrects in the trace, by what they correct. */
static void
group_correctors(ExplainCorrections *corrections, const Explanation *explanation)
{
	const Trace *trace = explanation->trace;
	Size		starts = ((Size) trace->node_count + 2) * sizeof(uint32);
	uint32	   *start = graph_alloc(trace->graph, starts);
	uint32	   *grouped = graph_alloc(trace->graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));

	memset(start, 0, starts);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (explanation->edges[i].corrects)
			start[trace->edges[i].source + 2]++;
	}
	for (Size i = 2; i < (Size) trace->node_count + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (explanation->edges[i].corrects)
			grouped[start[trace->edges[i].source + 1]++] = i;
	}
	corrections->start = start;
	corrections->correctors = grouped;
}

void
explain_find_corrections(ExplainCorrections *corrections, const Explanation *explanation, const GraphFilter *filter,
						 const uint32 *positions, uint32 count)
{
	memset(corrections, 0, sizeof(ExplainCorrections));
	corrections->trace = explanation->trace;
	corrections->filter = filter;
	find_corrected(corrections, positions, count);
	group_correctors(corrections, explanation);
}

void
explain_append_correctors(ByteBuffer *out, const ExplainCorrections *corrections, uint32 position)
{
	const Trace *trace = corrections->trace;
	const uint32 *start = corrections->start;
	uint32		count = start[position + 1] - start[position];

	if (count == 0)
		return;
	buffer_append_literal(out, ",\"corrected\":true,\"correctedBy\":[");
	for (uint32 k = 0; k < Min(count, NAMED_CORRECTIONS); k++)
	{
		if (k > 0)
			buffer_append_char(out, ',');
		record_write_uuid(out, &trace->nodes[trace->edges[corrections->correctors[start[position] + k]].target].id);
	}
	buffer_append_char(out, ']');
}
