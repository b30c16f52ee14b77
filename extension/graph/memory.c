/*
 * memory.c
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

#include "graph/memory.h"

#include <limits.h>

#include "graph/types.h"
#include "port/huge_pages.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* glibc's own: it keeps so much, and maps larger pieces one by one, for which it takes no more than 32 MB. */
#define MIN_KEPT_HEAP_KB 128
#define MAX_KEPT_HEAP_KB (64 * 1024)

static int	kept_heap_kb;

int			reason_trace_memory_limit_kb = 1024 * 1024;

/* 0, for tools that watch over allocations: all memory comes from contexts. */
#ifndef GRAPH_KEPT_BYTES
#define GRAPH_KEPT_BYTES (8 * 1024 * 1024)
#endif

static const Size kept_bytes = GRAPH_KEPT_BYTES;
#define COPY_BYTES (1024 * 1024)

/* What was given back of the region, larger than this, may be taken again. */
#define LEAST_FREE 2048
#define MOST_FREE 16

typedef struct FreePart
{
	char	   *begin;
	Size		size;
} FreePart;

static struct
{
	char	   *begin;			/* NULL: not needed yet */
	Size		used;
	bool		taken;
	FreePart	free[MOST_FREE];
	int			free_count;
}			kept;

void
graph_memory_define_parameters(void)
{
	DefineCustomIntVariable("reason.trace_memory_limit",
							"Sets the memory that one trace may take.",
							"A trace that needs more ends with an error.",
							&reason_trace_memory_limit_kb, 1024 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("reason.kept_memory",
							"Sets how much freed memory a session that reads the graph keeps for its next call.",
							"It counts from the session's first trace on; 0 leaves all to the C library.",
							&kept_heap_kb, 0, 0, MAX_KEPT_HEAP_KB,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
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
	kept.free_count = 0;
}

/* What is never touched takes no memory. */
static char *
make_region(void)
{
	char	   *begin = MemoryContextAlloc(TopMemoryContext, kept_bytes + HUGE_PAGE);

	begin = (char *) TYPEALIGN(HUGE_PAGE, begin);
	prefer_huge_pages(begin, kept_bytes);
	return begin;
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
		kept.begin = make_region();
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

/* From the smallest part that is large enough; NULL: there is none. */
static void *
take_free(Size size)
{
	int			best = -1;
	char	   *result;

	for (int i = 0; i < kept.free_count; i++)
	{
		if (kept.free[i].size >= size && (best < 0 || kept.free[i].size < kept.free[best].size))
			best = i;
	}
	if (best < 0)
		return NULL;
	result = kept.free[best].begin;
	kept.free[best].begin += size;
	kept.free[best].size -= size;
	if (kept.free[best].size < LEAST_FREE)
		kept.free[best] = kept.free[--kept.free_count];
	return result;
}

static void *
take_from_context(Graph *graph, Size size)
{
	char	   *result = MemoryContextAllocHuge(graph->context, size);

	prefer_huge_pages(result, size);
	return result;
}

static void *
take(Graph *graph, Size size)
{
	void	   *result;

	if (!graph->has_kept_memory)
		return take_from_context(graph, size);
	if (kept.free_count > 0 && (result = take_free(MAXALIGN(size))) != NULL)
		return result;
	if (size > kept_bytes - kept.used)
		return take_from_context(graph, size);
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

/*
 * Small pieces wait for the end of the walk, and so do others, but the last, when there are many parts
 * already.
 */
static void
give_back(void *bytes, Size size)
{
	if (!is_kept(bytes))
		pfree(bytes);
	else if (is_last(bytes, size))
		kept.used -= MAXALIGN(size);
	else if (MAXALIGN(size) >= LEAST_FREE && kept.free_count < MOST_FREE)
		kept.free[kept.free_count++] = (FreePart) {bytes, MAXALIGN(size)};
}

/* To another place, unless there is room behind it. */
static void *
move(Graph *graph, void *old, Size old_size, Size new_size)
{
	char	   *result;

	if (is_last(old, old_size) && new_size <= kept_bytes - (kept.used - MAXALIGN(old_size)))
	{
		kept.used += MAXALIGN(new_size) - MAXALIGN(old_size);
		return old;
	}
	result = take(graph, new_size);
	/* If this is interrupted, the old bytes are still there. */
	for (Size done = 0, most = Min(old_size, new_size); done < most; done += COPY_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		memcpy(result + done, (const char *) old + done, Min(most - done, COPY_BYTES));
	}
	give_back(old, old_size);
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
