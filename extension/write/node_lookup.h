/*
 * node_lookup.h
 *		Finds nodes by id, for edges and annotations that refer to them.
 */
#ifndef REASON_WRITE_NODE_LOOKUP_H
#define REASON_WRITE_NODE_LOOKUP_H

#include "postgres.h"

#include "record/row_scan.h"
#include "record/record.h"
#include "write/input.h"

typedef struct NodeLookup
{
	RowScan		scan;
	AttrNumber	no_column;
	AttrNumber	division_column;
	AttrNumber	digest_column;
} NodeLookup;

/* Opens the table; what the active snapshot sees is found. */
extern void node_lookup_begin(NodeLookup *lookup);
extern void node_lookup_end(NodeLookup *lookup);

/*
 * Completes a reference that has the node's id.  Division: where to look; when
 * division->data is NULL, in any that input->divisions grants, where "default"
 * wins among several; the node's afterwards, in the current memory context.
 * Raises an error about `value` (NULL: about the record) if there is none, with
 * `hint`, or if several other divisions have one.
 */
extern void node_lookup(NodeLookup *lookup, WriteInput *input, const JsonNode *value, const char *hint,
						RecordText *division, NodeReference *reference);

#endif							/* REASON_WRITE_NODE_LOOKUP_H */
