/*
 * trace_decided.h
 *		Which record numbers need no second look on the later pages of a trace.
 *
 * A number is decided for a snapshot if whoever drew it had ended before the snapshot was taken:
 * what it left is seen by that snapshot and by every later one, or by none.  That follows
 * from what the sealer goes by (audit_seal.c): a number is drawn only by transactions that have
 * their xid, so what was drawn up to some moment is decided once xmin of a snapshot has come up to the xid
 * that was to be given out next just after.  The sealer need not run for that: if nobody writes, the
 * present moment will do; if somebody does, an earlier one that this backend has noted.
 */
#ifndef REASON_TRACE_DECIDED_H
#define REASON_TRACE_DECIDED_H

#include "postgres.h"

#include "graph.h"

/*
 * The last number that was drawn; whatever the graph's snapshot sees has none beyond it.  *decided_no:
 * numbers up to here are decided for that snapshot.
 */
extern int64 trace_last_no(Graph *graph, int64 *decided_no);

#endif							/* REASON_TRACE_DECIDED_H */
