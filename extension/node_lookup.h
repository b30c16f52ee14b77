/*
 * node_lookup.h
 *		Finds nodes by id, for edges and annotations that refer to them.
 */
#ifndef REASON_NODE_LOOKUP_H
#define REASON_NODE_LOOKUP_H

#include "postgres.h"

#include "access/genam.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "record.h"
#include "write_input.h"

typedef struct NodeLookup
{
	Relation	heap;
	Relation	index;
	Snapshot	snapshot;
	IndexScanDesc scan;
	struct TupleTableSlot *slot;
} NodeLookup;

typedef struct FoundNode
{
	int64		no;
	RecordText	division;		/* in the current memory context */
	uint8		digest[REASON_DIGEST_LENGTH];
} FoundNode;

typedef enum NodeLookupResult
{
	NODE_ABSENT,
	NODE_FOUND,
	NODE_AMBIGUOUS				/* the same id in several divisions of the caller */
} NodeLookupResult;

/* Opens the tables; what the active snapshot sees is found. */
extern void node_lookup_begin(NodeLookup *lookup);
extern void node_lookup_end(NodeLookup *lookup);

/*
 * The node of that id in the division, or, when division->data is NULL, in any
 * that input->divisions grants.
 */
extern NodeLookupResult node_lookup(NodeLookup *lookup, const WriteInput *input, const pg_uuid_t *id,
									RecordText division, FoundNode *found);

#endif							/* REASON_NODE_LOOKUP_H */
