/*
 * graph_memory.c
 *		The memory of a walk: counted, and in part kept from one walk to the next.
 *
 * The system hands out memory page by page as it is first touched, which takes a fifth of the time
 * of a trace of some thousand nodes.  So a backend that walks the graph keeps a region, and
 * one walk at a time has it.  What does not fit, and what a second walk needs meanwhile, comes
 * from the graph's memory context.
 */
#include "postgres.h"

#include "graph.h"

#include "utils/memutils.h"

/* 0, for tools that watch over allocations: all memory comes from contexts. */
#ifndef GRAPH_KEPT_BYTES
#define GRAPH_KEPT_BYTES (4 * 1024 * 1024)
#endif

static const Size kept_bytes = GRAPH_KEPT_BYTES;

static struct
{
	char	   *begin;			/* NULL: not needed yet */
	Size		used;
	bool		taken;
}			kept;

static void
leave_kept(void *argument)
{
	kept.taken = false;
	kept.used = 0;
}

void
graph_memory_begin(Graph *graph)
{
	MemoryContextCallback *callback;

	if (kept.taken || kept_bytes == 0)
		return;
	callback = MemoryContextAlloc(graph->context, sizeof(MemoryContextCallback));
	if (!kept.begin)
		kept.begin = MemoryContextAlloc(TopMemoryContext, kept_bytes);
	callback->func = leave_kept;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(graph->context, callback);
	kept.taken = true;
	graph->has_kept_memory = true;
}

static void
count_memory(Graph *graph, Size more)
{
	if (graph->used_bytes + more > graph->limit_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace needs more memory than reason.trace_memory_limit (%d kB)",
						reason_trace_memory_limit_kb),
				 errhint("Limit the trace with max_depth, max_nodes or filters, or raise reason.trace_memory_limit.")));
	graph->used_bytes += more;
}

static inline bool
is_kept(const void *bytes)
{
	return kept.begin && (const char *) bytes >= kept.begin && (const char *) bytes < kept.begin + kept_bytes;
}

static void *
take(Graph *graph, Size size)
{
	void	   *result;

	if (!graph->has_kept_memory || size > kept_bytes - kept.used)
		return MemoryContextAllocHuge(graph->context, size);
	result = kept.begin + kept.used;
	kept.used = Min(kept.used + MAXALIGN(size), kept_bytes);
	return result;
}

/* Whether it is the last that was taken of what is kept. */
static inline bool
is_last(const void *bytes, Size size)
{
	return is_kept(bytes) && (const char *) bytes + MAXALIGN(size) == kept.begin + kept.used;
}

/* What was not taken last waits for the end of the walk. */
static void
give_back(void *bytes, Size size)
{
	if (is_last(bytes, size))
		kept.used -= MAXALIGN(size);
	else if (!is_kept(bytes))
		pfree(bytes);
}

/* To another place, unless there is room behind it. */
static void *
move(Graph *graph, void *old, Size old_size, Size new_size)
{
	void	   *result;

	if (!is_kept(old))
		return repalloc_huge(old, new_size);
	if (is_last(old, old_size))
		kept.used -= MAXALIGN(old_size);
	result = take(graph, new_size);
	if (result != old)
		memcpy(result, old, Min(old_size, new_size));
	return result;
}

void *
graph_alloc(Graph *graph, Size size)
{
	count_memory(graph, size);
	return take(graph, size);
}

void *
graph_grow(Graph *graph, void *old, Size old_size, Size new_size)
{
	void	   *result;

	if (new_size == 0)
	{
		if (old)
			give_back(old, old_size);
		graph->used_bytes -= old_size;
		return NULL;
	}
	/* Old and new exist side by side while the bytes are copied. */
	count_memory(graph, new_size);
	result = old ? move(graph, old, old_size, new_size) : take(graph, new_size);
	graph->used_bytes -= old_size;
	return result;
}
