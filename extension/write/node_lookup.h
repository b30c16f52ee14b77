/*
 * node_lookup.h
 *		Finds nodes by id, for edges and annotations that refer to them.
 */
#ifndef REASON_WRITE_NODE_LOOKUP_H
#define REASON_WRITE_NODE_LOOKUP_H

#include "postgres.h"

#include "record/index_scan.h"
#include "record/record.h"
#include "write/input.h"

typedef struct NodeLookup
{
	AuditScan	scan;
	AttrNumber	no_column;
	AttrNumber	division_column;
	AttrNumber	digest_column;
} NodeLookup;

typedef struct FoundNode
{
	int64		no;
	RecordText	division;		/* in the current memory context */
	uint8		digest[REASON_DIGEST_LENGTH];
} FoundNode;

/* Opens the table; what the active snapshot sees is found. */
extern void node_lookup_begin(NodeLookup *lookup);
extern void node_lookup_end(NodeLookup *lookup);

/*
 * The node of that id in the division, or, when division.data is NULL, in any
 * that input->divisions grants; "default" wins among several.  Raises an error
 * about `value` (NULL: about the record) if there is none, with `hint`, or if
 * several other divisions have one.
 */
extern void node_lookup(NodeLookup *lookup, WriteInput *input, const JsonNode *value, const pg_uuid_t *id,
						RecordText division, const char *hint, FoundNode *found);

#endif							/* REASON_WRITE_NODE_LOOKUP_H */
