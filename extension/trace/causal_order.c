/*
 * causal_order.c
 *		Topological order of the ancestor closure, and its cycles.
 */
#include "postgres.h"

#include "trace/causal_order.h"

#include "graph/columns.h"
#include "graph/memory.h"
#include "graph/sort.h"
#include "trace/circles.h"
#include "trace/trace.h"
#include "trace/visit.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static inline int
compare_entries(const CausalOrderEntry *a, const CausalOrderEntry *b)
{
	int			order = graph_compare_records(a->created_at, &a->id, b->created_at, &b->id);

	/* A node and an edge may have the same id. */
	return order != 0 ? order : (int) a->is_edge - (int) b->is_edge;
}

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE CausalOrderEntry
#define ST_COMPARE(a, b) compare_entries(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------------------------------------------------------------- a heap of entries */

typedef struct Queue
{
	CausalOrderEntry *entries;	/* entries[0] is the smallest; children of i are 2i + 1 and 2i + 2 */
	uint32		count;
} Queue;

static void
push(Queue *queue, CausalOrderEntry entry)
{
	uint32		i = queue->count++;

	while (i > 0)
	{
		uint32		parent = (i - 1) / 2;

		if (compare_entries(&queue->entries[parent], &entry) <= 0)
			break;
		queue->entries[i] = queue->entries[parent];
		i = parent;
	}
	queue->entries[i] = entry;
}

static CausalOrderEntry
pop(Queue *queue)
{
	CausalOrderEntry smallest = queue->entries[0];
	CausalOrderEntry last = queue->entries[--queue->count];
	uint32		i = 0;

	for (;;)
	{
		uint32		child = 2 * i + 1;

		if (child >= queue->count)
			break;
		if (child + 1 < queue->count && compare_entries(&queue->entries[child + 1], &queue->entries[child]) < 0)
			child++;
		if (compare_entries(&last, &queue->entries[child]) <= 0)
			break;
		queue->entries[i] = queue->entries[child];
		i = child;
	}
	queue->entries[i] = last;
	return smallest;
}

/* ---------------------------------------------------------------- edges */

static void
read_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	CausalOrderEntry *edge = &((CausalOrderEntry *) argument)[entry->position];
	bool		isnull;

	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->is_edge = true;
	edge->index = entry->position;
}

static CausalOrderEntry *
read_edges(Trace *trace)
{
	CausalOrderEntry *edges = graph_alloc(trace->graph, Max((Size) trace->edges_kept, 1) * sizeof(CausalOrderEntry));

	trace_visit_edges(trace, read_edge, edges);
	return edges;
}

/* Edges grouped by one end: those of node i from start[i] to start[i + 1]. */
static void
group_edges(Trace *trace, bool by_effect, uint32 **start, uint32 **edges)
{
	Size		nodes = trace->node_count;

	*start = graph_alloc(trace->graph, (nodes + 2) * sizeof(uint32));
	*edges = graph_alloc(trace->graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));
	memset(*start, 0, (nodes + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(*start)[(by_effect ? trace->edges[i].source : trace->edges[i].target) + 2]++;
	}
	for (Size i = 2; i < nodes + 2; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		(*start)[i] += (*start)[i - 1];
	}
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(*edges)[(*start)[(by_effect ? trace->edges[i].source : trace->edges[i].target) + 1]++] = i;
	}
}

#define ST_SORT sort_edge_order
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, edges) compare_entries(&edges[*(a)], &edges[*(b)])
#define ST_COMPARE_ARG_TYPE const CausalOrderEntry
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------------------------------------------------------------- cycles */

/* The circles among the nodes that Kahn's algorithm left over. */
static void
find_components(CausalOrder *order, const uint32 *outgoing_start, const uint32 *outgoing, const uint32 *waiting)
{
	Trace	   *trace = order->trace;
	Graph	   *graph = trace->graph;
	uint32	   *effects = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));
	CircleEdges edges = {trace->node_count, outgoing_start, effects, waiting};

	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		CHECK_FOR_INTERRUPTS();
		effects[i] = trace->edges[outgoing[i]].source;
	}
	order->component_count = circles_find(&edges, order->component, graph_alloc(graph, circles_room(trace->node_count)));
}

bool
causal_order_in_cycle(const CausalOrder *order, const CausalOrderEntry *entry)
{
	const TraceEdge *edge;

	if (!entry->is_edge)
		return order->component[entry->index] != CIRCLE_NONE;
	edge = &order->trace->edges[entry->index];
	return order->component[edge->source] != CIRCLE_NONE &&
		order->component[edge->source] == order->component[edge->target];
}

/* ---------------------------------------------------------------- causes */

uint32
causal_order_parents(const CausalOrder *order, const CausalOrderEntry *entry, uint32 *parents, uint32 *seen)
{
	const Trace *trace = order->trace;
	uint32		count = 0;

	if (entry->is_edge)
	{
		parents[0] = trace->edges[entry->index].target;
		return 1;
	}
	for (uint32 k = order->incoming_start[entry->index]; k < order->incoming_start[entry->index + 1]; k++)
	{
		uint32		cause = trace->edges[order->incoming[k]].target;

		CHECK_FOR_INTERRUPTS();
		if (seen[cause] != entry->index + 1)
			parents[count++] = cause;
		seen[cause] = entry->index + 1;
	}
	return count;
}

/* ---------------------------------------------------------------- the order */

static CausalOrderEntry
node_entry(const Trace *trace, uint32 index)
{
	CausalOrderEntry entry = {trace->nodes[index].created_at, trace->nodes[index].id, false, index};

	return entry;
}

/* What Kahn's algorithm works with. */
typedef struct Sorting
{
	CausalOrder *order;
	CausalOrderEntry *edges;
	uint32	   *outgoing_start;
	uint32	   *outgoing;
	uint32	   *waiting;		/* edges into a node that are not out yet */
	bool	   *edge_done;
	Queue		ready;
} Sorting;

static void
sort_incoming(CausalOrder *order, const CausalOrderEntry *edges)
{
	for (uint32 i = 0; i < order->trace->node_count; i++)
	{
		uint32		count = order->incoming_start[i + 1] - order->incoming_start[i];

		CHECK_FOR_INTERRUPTS();
		if (count > 1)
			sort_edge_order(order->incoming + order->incoming_start[i], count, edges);
	}
}

/* Nodes that wait for no edge are ready. */
static void
begin_sorting(Sorting *sorting)
{
	CausalOrder *order = sorting->order;
	Trace	   *trace = order->trace;
	Graph	   *graph = trace->graph;
	Size		total = (Size) trace->node_count + trace->edges_kept;

	order->entries = graph_alloc(graph, total * sizeof(CausalOrderEntry));
	sorting->ready.entries = graph_alloc(graph, total * sizeof(CausalOrderEntry));
	sorting->waiting = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	sorting->edge_done = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(bool));
	memset(sorting->edge_done, 0, (Size) trace->edges_kept * sizeof(bool));
	order->component = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		order->component[i] = CIRCLE_NONE;
		sorting->waiting[i] = order->incoming_start[i + 1] - order->incoming_start[i];
		if (sorting->waiting[i] == 0)
			push(&sorting->ready, node_entry(trace, i));
	}
}

/* The earliest that is ready is next; it makes others ready. */
static void
put_acyclic(Sorting *sorting)
{
	CausalOrder *order = sorting->order;
	Trace	   *trace = order->trace;

	while (sorting->ready.count > 0)
	{
		CausalOrderEntry entry = pop(&sorting->ready);

		CHECK_FOR_INTERRUPTS();
		order->entries[order->count++] = entry;
		if (entry.is_edge)
		{
			uint32		effect = trace->edges[entry.index].source;

			sorting->edge_done[entry.index] = true;
			if (--sorting->waiting[effect] == 0)
				push(&sorting->ready, node_entry(trace, effect));
			continue;
		}
		for (uint32 k = sorting->outgoing_start[entry.index]; k < sorting->outgoing_start[entry.index + 1]; k++)
		{
			CHECK_FOR_INTERRUPTS();
			push(&sorting->ready, sorting->edges[sorting->outgoing[k]]);
		}
	}
	order->acyclic_count = order->count;
}

/* What lies on a cycle or behind one, by time. */
static void
put_rest(Sorting *sorting)
{
	CausalOrder *order = sorting->order;
	Trace	   *trace = order->trace;

	for (uint32 i = 0; i < trace->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (sorting->waiting[i] > 0)
			order->entries[order->count++] = node_entry(trace, i);
	}
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!sorting->edge_done[i])
			order->entries[order->count++] = sorting->edges[i];
	}
	sort_entries(order->entries + order->acyclic_count, order->count - order->acyclic_count);
}

CausalOrder *
causal_order(Graph *graph, const GraphNode *start, const GraphFilter *filter)
{
	CausalOrder *order = graph_alloc(graph, sizeof(CausalOrder));
	Sorting		sorting = {.order = order};
	Trace	   *trace = trace_run(graph, start, GRAPH_ANCESTORS, filter, TRACE_EDGES, 0);

	memset(order, 0, sizeof(*order));
	order->trace = trace;
	sorting.edges = read_edges(trace);
	group_edges(trace, false, &sorting.outgoing_start, &sorting.outgoing);
	group_edges(trace, true, &order->incoming_start, &order->incoming);
	sort_incoming(order, sorting.edges);

	begin_sorting(&sorting);
	put_acyclic(&sorting);
	if (order->count < (Size) trace->node_count + trace->edges_kept)
	{
		put_rest(&sorting);
		find_components(order, sorting.outgoing_start, sorting.outgoing, sorting.waiting);
	}
	Assert(order->count == (Size) trace->node_count + trace->edges_kept);
	return order;
}
