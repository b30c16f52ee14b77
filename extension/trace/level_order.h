/*
 * level_order.h
 *		The nodes of a level, looked up and put in order.
 */
#ifndef REASON_TRACE_LEVEL_ORDER_H
#define REASON_TRACE_LEVEL_ORDER_H

#include "postgres.h"

#include "trace/level.h"

/*
 * Looks up the new nodes for which that cannot wait, leaves out those that are not accepted, puts the
 * others into the order of the trace, and sets the frontier of the next level.  False: a node is not
 * there that an edge leads to, and the level is optimistic.
 */
extern bool trace_level_place(TraceLevel *level);

/* Looks up, when the trace is done, the nodes for which that could wait.  False:
 * a node is not there. */
extern bool trace_level_look_up_rest(TraceLevel *level);

#endif							/* REASON_TRACE_LEVEL_ORDER_H */
