/*
 * result.c
 *		Writing down what a trace finds.
 */
#include "postgres.h"

#include "trace/result.h"

#include "graph/memory.h"

void
trace_begin_level(Trace *trace, uint32 position)
{
	/* One more, for the end of the last level. */
	graph_reserve(trace->graph, trace->level, trace->level_count + 1, trace->level_capacity);
	trace->level[trace->level_count++] = position;
}

void
trace_end_levels(Trace *trace, uint32 position)
{
	if (position < trace->node_count)
		trace_begin_level(trace, position);
	trace->level[trace->level_count] = trace->node_count;
}

void
trace_add_return(Trace *trace, uint32 source, uint32 target)
{
	graph_reserve(trace->graph, trace->returns, trace->return_count, trace->return_capacity);
	trace->returns[trace->return_count].source = source;
	trace->returns[trace->return_count].target = target;
	trace->return_count++;
}
