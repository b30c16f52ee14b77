/*
 * node_lookup.h
 *		Finds nodes by id, for edges and annotations that refer to them.
 */
#ifndef REASON_WRITE_NODE_LOOKUP_H
#define REASON_WRITE_NODE_LOOKUP_H

#include "postgres.h"

#include "access/genam.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "record/record.h"
#include "write/input.h"

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

/* Opens the tables; what the active snapshot sees is found. */
extern void node_lookup_begin(NodeLookup *lookup);
extern void node_lookup_end(NodeLookup *lookup);

/*
 * The node of that id in the division, or, when division.data is NULL, in any
 * that input->divisions grants.  Raises an error about `value` (NULL: about the
 * record) if there is none, with `hint`, or if several divisions have one.
 */
extern void node_lookup(NodeLookup *lookup, WriteInput *input, const JsonNode *value, const pg_uuid_t *id,
						RecordText division, const char *hint, FoundNode *found);

#endif							/* REASON_WRITE_NODE_LOOKUP_H */
