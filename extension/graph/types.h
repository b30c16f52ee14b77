/*
 * types.h
 *		What reading the graph speaks of: an open graph, its indexes, entries of them, and nodes.
 *
 * A Graph is open for the length of one call.  Everything is read with the snapshot that was active
 * when it was opened, so a walk sees exactly what a plain query in its place would see.
 */
#ifndef REASON_GRAPH_TYPES_H
#define REASON_GRAPH_TYPES_H

#include "postgres.h"

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "storage/block.h"
#include "storage/buf.h"
#include "storage/itemptr.h"
#include "utils/palloc.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "record/record.h"

typedef enum GraphDirection
{
	GRAPH_ANCESTORS,			/* to → from: what caused it */
	GRAPH_DESCENDANTS			/* from → to: what came of it */
} GraphDirection;

/*
 * What an index entry holds besides its key: for edges by one end (edge_to_idx,
 * edge_from_idx; of back edges alone, whose cause has no smaller number than the effect, edge_back_to_idx,
 * edge_back_from_idx) the other end and the edge's number; for records by number
 * (node_pkey, edge_pkey) id and created_at.
 */
typedef struct GraphEntry
{
	uint32		position;		/* of the key in the array that was asked for */
	ItemPointerData tid;
	bool		all_visible;	/* its block, as the walk knows; of graph/walk.c alone */
	union
	{
		struct
		{
			int64		other_no;
			int64		edge_no;
		}			link;
		struct
		{
			pg_uuid_t	id;
			TimestampTz created_at;
		}			record;
	};
} GraphEntry;

typedef enum GraphIndexKind
{
	GRAPH_LINKS_TO,				/* edge_to_idx */
	GRAPH_LINKS_FROM,			/* edge_from_idx */
	GRAPH_BACK_LINKS_TO,		/* edge_back_to_idx */
	GRAPH_BACK_LINKS_FROM,		/* edge_back_from_idx */
	GRAPH_NODES,				/* node_pkey */
	GRAPH_EDGES					/* edge_pkey */
} GraphIndexKind;

#define GRAPH_INDEX_KINDS 6

typedef struct GraphIndex GraphIndex;
typedef struct GraphSealed GraphSealed; /* graph/sealed.h */

/* Rows that the pages of a trace after the first may see: see trace/cursor.h. */
typedef struct GraphHorizon
{
	int64		last_no;		/* rows beyond are not seen */
	int64		decided_no;		/* rows up to here were committed or aborted */
	Snapshot	snapshot;		/* rows in between are seen as it sees their xmin */
	const TransactionId *own_xids;	/* of the transaction that asked for the first page */
	int			own_count;
} GraphHorizon;

typedef struct Graph
{
	MemoryContext context;		/* of everything below */
	Size		used_bytes;
	Size		limit_bytes;
	bool		has_kept_memory;	/* see graph/memory.c */
	Snapshot	snapshot;
	bool		serializable;	/* reads must leave predicate locks */
	bool		ignore_dead;	/* index entries marked dead are dead for us too */
	const GraphHorizon *horizon;	/* NULL: whatever the snapshot sees */
	Relation	node;
	Relation	edge;
	GraphIndex *index[GRAPH_INDEX_KINDS];	/* opened when first used */
	GraphSealed *sealed;		/* NULL: nothing asks for it */
	RecordText	division;		/* of the start node; others are never entered */
	bool		hides_quarantined;	/* from this caller: see graph/quarantine.h */
	int64	   *quarantine;		/* numbers of records, ascending */
	uint32		quarantine_count;
	uint32		quarantine_capacity;
} Graph;

/* For round `i` of a loop that does little in each; wants miscadmin.h. */
#define GRAPH_CHECK_NOW_AND_THEN(i) \
	do { \
		if (unlikely((i) % 4096 == 4095)) \
			CHECK_FOR_INTERRUPTS(); \
	} while (0)

typedef struct GraphNode
{
	int64		no;
	pg_uuid_t	id;
	TimestampTz created_at;
	ItemPointerData tid;
	bool		has_moved;		/* when it was found, to a place that no index knows */
	RecordText	division;
} GraphNode;

#endif							/* REASON_GRAPH_TYPES_H */
