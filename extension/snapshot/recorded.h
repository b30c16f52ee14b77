/*
 * recorded.h
 *		What the chain knew of a record when a snapshot was frozen.
 *
 * A snapshot names the size of the log at its freezing: that many events were
 * signed.  Freezing saw all of their records.  It may have seen, or not seen,
 * records whose events waited for their signature then.  Whatever it saw was
 * written before the snapshot was complete, so the event of that stands in the
 * chain before the event of the completion.
 */
#ifndef REASON_SNAPSHOT_RECORDED_H
#define REASON_SNAPSHOT_RECORDED_H

#include "postgres.h"

#include "chain/check.h"
#include "record/row_scan.h"
#include "record/read.h"

typedef enum RecordedWhen
{
	RECORDED_NEVER,				/* there is no event of that number */
	RECORDED_AFTER,				/* its event comes after that of the completion */
	RECORDED_HELD,				/* it was in quarantine */
	RECORDED_PERHAPS,			/* it may have been seen, and need not have been */
	RECORDED_BEFORE				/* it was seen */
} RecordedWhen;

typedef struct RecordedChain
{
	text	   *division;
	int64		size;			/* of the log; 0 when the document names none: set before asking */
	int64		end_seq;		/* of the event that completed the snapshot, -1 when that has no place yet */
	RowScan		seals;
	RowScan		seals_before;	/* by seq, for the hash that one follows on */
	RowScan		events;
	RowScan		quarantined;
	RowScan		released;
	bool		has_quarantine;
	AttrNumber	seq;
	AttrNumber	hash;
	AttrNumber	prev_hash;
	AttrNumber	event_id;
	AttrNumber	event_ts;
	AttrNumber	event_type;
	AttrNumber	payload;
	AttrNumber	event_no;
} RecordedChain;

extern void recorded_chain_open(RecordedChain *chain, text *division, int64 end_seq, Snapshot snapshot);
extern void recorded_chain_close(RecordedChain *chain);

/* Fastest when asked in the order of numbers. */
extern RecordedWhen recorded_when(RecordedChain *chain, int64 no);

/*
 * The event of the row's number recorded this record, by its digest, and is what was hashed when it got its place.
 * checker has just checked the row: its canonical bytes are in checker->record.  Needs memory that is reset soon.
 */
extern bool recorded_check(RecordedChain *chain, AuditChecker *checker, const StoredRecord *stored);

#endif							/* REASON_SNAPSHOT_RECORDED_H */
