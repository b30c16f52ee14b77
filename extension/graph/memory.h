/*
 * memory.h
 *		The memory of a walk.
 *
 * All of it is counted: beyond reason.trace_memory_limit graph_alloc() and graph_grow() raise an error
 * with SQLSTATE 54000.
 */
#ifndef REASON_GRAPH_MEMORY_H
#define REASON_GRAPH_MEMORY_H

#include "postgres.h"

#include "graph/types.h"

/* reason.trace_memory_limit, in kB. */
extern int	reason_trace_memory_limit_kb;

extern void *graph_alloc(Graph *graph, Size size);
/* Frees as well: new_size 0. */
extern void *graph_grow(Graph *graph, void *old, Size old_size, Size new_size);

/* Grows an array so that one more element fits. */
#define graph_reserve(graph, array, count, capacity) \
	do { \
		if (unlikely((count) >= (capacity))) \
		{ \
			Size		new_capacity = Max((Size) (capacity) * 2, 64); \
			(array) = graph_grow((graph), (array), (Size) (capacity) * sizeof(*(array)), new_capacity * sizeof(*(array))); \
			(capacity) = new_capacity; \
		} \
	} while (0)

/* Called by graph_open(). */
extern void graph_memory_begin(Graph *graph);

/* Called by _PG_init(). */
extern void graph_memory_define_parameters(void);

#endif							/* REASON_GRAPH_MEMORY_H */
