/*
 * horizon.h
 *		Which record numbers need no second look on the later pages of a trace.
 *
 * A number is decided for a snapshot if whoever drew it had ended before the snapshot was taken:
 * what it left is seen by that snapshot and by every later one, or by none.  Up to which number that
 * holds, the sealer says (table sealer_state), if one runs; if nobody writes, the present moment; if
 * somebody does, the newest watermark noted that the snapshot has come up to (record/watermark.h).
 */
#ifndef REASON_TRACE_HORIZON_H
#define REASON_TRACE_HORIZON_H

#include "postgres.h"

#include "graph/types.h"

/*
 * The last number that was drawn; whatever the graph's snapshot sees has none beyond it.  *decided_no:
 * numbers up to here are decided for that snapshot.
 */
extern int64 trace_last_no(Graph *graph, int64 *decided_no);

#endif							/* REASON_TRACE_HORIZON_H */
