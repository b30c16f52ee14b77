/*
 * graph_memory.c
 *		The memory of a walk: counted, and in part kept from one walk to the next.
 *
 * The system hands out memory page by page as it is first touched, which takes a fifth of the time
 * of a trace of some thousand nodes.  So a backend that walks the graph keeps a region, and
 * one walk at a time has it.  What does not fit, and what a second walk needs meanwhile, comes
 * from the graph's memory context.
 *
 * Whatever else a call needs comes from malloc: its text above all, of which PostgreSQL makes copy
 * after copy on the way to the client.  glibc gives the end of its heap, and each large piece,
 * back to the system when a call has ended, and the next fetches it page by page again: a third of
 * the time of a trace of 63 nodes with their payloads, two thirds of one of 1,000.  So malloc is told to
 * keep some of it, in backends that walk, and not in others of the server.
 */
#include "postgres.h"

#include "graph.h"

#include "utils/guc.h"
#include "utils/memutils.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* glibc's own: it keeps so much, and maps larger pieces one by one, for which it takes no more than 32 MB. */
#define MIN_KEPT_HEAP_KB 128
#define MAX_KEPT_HEAP_KB (64 * 1024)

static int	kept_heap_kb;

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

void
graph_memory_define_parameters(void)
{
	DefineCustomIntVariable("reason.kept_memory",
							"Sets how much freed memory a session that reads the graph keeps for its next call.",
							"It counts from the session's first trace on; 0 leaves all to the C library.",
							&kept_heap_kb, 16 * 1024, 0, MAX_KEPT_HEAP_KB,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
keep_heap(void)
{
#ifdef __GLIBC__
	if (kept_heap_kb > MIN_KEPT_HEAP_KB)
	{
		(void) mallopt(M_TRIM_THRESHOLD, kept_heap_kb * 1024);
		(void) mallopt(M_MMAP_THRESHOLD, Max(kept_heap_kb / 2, MIN_KEPT_HEAP_KB) * 1024);
	}
#endif
}

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
	{
		kept.begin = MemoryContextAlloc(TopMemoryContext, kept_bytes);
		keep_heap();
	}
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
