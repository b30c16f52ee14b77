/*
 * mark.h
 *		The sealer's mark: what it need not look at again (table sealer_state).
 */
#ifndef REASON_CHAIN_MARK_H
#define REASON_CHAIN_MARK_H

#include "postgres.h"

#include "record/watermark.h"

#include "utils/snapshot.h"

typedef struct SealerMark
{
	int64		decided_no;		/* all transactions that drew a number up to here have ended, and their events are sealed */
	int64		sealed_no;		/* what the snapshot sees up to here is sealed */

	/* of the snapshot */
	FullTransactionId xmin;
	FullTransactionId xmax;
	Datum		running;		/* xid8[]: transactions below xmax that had not ended */
} SealerMark;

/* As the snapshot sees it.  SPI must be connected, and what is read lives until it is finished. */
extern void sealer_mark_read(SealerMark *mark, Relation sequence, Snapshot snapshot);

/*
 * Moves the mark: everything up to done_no that mark's snapshot saw is sealed
 * (PG_INT64_MAX: everything that it saw).  `began` was noted before that
 * snapshot was taken and, if possible, before the transaction had its xid.
 */
extern void sealer_mark_move(const SealerMark *mark, Relation sequence, Watermark began, int64 done_no);

#endif							/* REASON_CHAIN_MARK_H */
