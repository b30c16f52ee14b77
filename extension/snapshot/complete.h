/*
 * complete.h
 *		Whether a snapshot's document holds what was known when it was frozen: all of it, and nothing else.
 *
 * The rule, with `size` the size of the log that the document names:
 *
 *	- what it holds was recorded by an event that comes before the one that completed the snapshot, and was not
 *	  in quarantine then;
 *	- the walk from its roots, over all records whose events are below `size` and over those that it holds, comes
 *	  to its nodes, edges and annotations, and to no others;
 *	- its frontier names the nodes of the last level from which such records lead on; a record whose event is not
 *	  below `size` may be the reason for another.
 *
 * What was written and not yet signed may be there or not: nothing outside can tell what was committed first.
 */
#ifndef REASON_SNAPSHOT_COMPLETE_H
#define REASON_SNAPSHOT_COMPLETE_H

#include "postgres.h"

#include "chain/check.h"
#include "core/snapshot_graph.h"
#include "snapshot/number_set.h"
#include "snapshot/recorded.h"

/* The rows of a document's records, by number. */
typedef struct DocumentRecords
{
	NumberSet	kinds[RECORD_KINDS];
	NumberSet	frontier;
} DocumentRecords;

extern void document_records_init(DocumentRecords *records);

/*
 * checker has the rows, chain is open.  All rows of the document's records were found, and they hold together
 * (snapshot_graph_check()).  False with the first fault in checker.
 */
extern bool document_is_complete(DocumentRecords *records, const SnapshotGraph *document, RecordedChain *chain, AuditChecker *checker);

#endif							/* REASON_SNAPSHOT_COMPLETE_H */
