/*
 * watermark.h
 *		Which record numbers had been drawn when, for those who ask later what has been decided since.
 *
 * A number is drawn only by transactions that have their xid (see the sequence reason.record_no).  So
 * whoever drew one of the numbers up to a watermark's has an xid below the one that was to be given out
 * next just after, and has ended once xmin of a snapshot has come up to that: what they left is seen
 * by that snapshot and by every later one, or by none.
 *
 * Watermarks are noted by traces and, every few hundred numbers, by those who draw them: in shared memory,
 * for all sessions of the database, if the library is preloaded, otherwise for this session alone.
 * Some are kept, the further apart the older they are.  So the newest that has passed is older than the
 * oldest transaction that runs by some hundred numbers and at most half of those drawn since that began.
 *
 * Nothing is noted during recovery, where numbers are heard of before they are drawn.
 */
#ifndef REASON_RECORD_WATERMARK_H
#define REASON_RECORD_WATERMARK_H

#include "postgres.h"

#include "access/transam.h"
#include "utils/relcache.h"

/* Numbers up to `no` had been drawn when `next` was the xid to be given out next. */
typedef struct Watermark
{
	int64		no;
	FullTransactionId next;
} Watermark;

/* The present one. */
extern Watermark watermark_now(Relation sequence);

/* The same, and notes it.  Not during recovery. */
extern Watermark watermarks_note(Relation sequence);

/* The number of the newest watermark noted that snapshots of this xmin have come up to; 0: none is known. */
extern int64 watermarks_decided(Relation sequence, FullTransactionId xmin);

/* To be called by whoever has drawn a number. */
extern void watermarks_drawn(Oid sequence, int64 no);

/* Called by _PG_init(). */
extern void watermarks_define(void);

#endif							/* REASON_RECORD_WATERMARK_H */
