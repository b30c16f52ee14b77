/*
 * graph.h
 *		Reading the graph: tables, covering indexes, and walks along them.
 *
 * A Graph is open for the length of one call.  Everything is read with the
 * snapshot that was active when it was opened, so a walk sees exactly what a
 * plain query in its place would see.  All memory of a walk is counted;
 * beyond reason.trace_memory_limit graph_alloc() and graph_grow() raise an
 * error with SQLSTATE 54000.
 */
#ifndef REASON_GRAPH_GRAPH_H
#define REASON_GRAPH_GRAPH_H

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
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "record/record.h"

/* reason.trace_memory_limit, in kB. */
extern int	reason_trace_memory_limit_kb;

typedef enum GraphDirection
{
	GRAPH_ANCESTORS,			/* to → from: what caused it */
	GRAPH_DESCENDANTS			/* from → to: what came of it */
} GraphDirection;

/* "ancestors" or "descendants"; anything else raises 22023. */
extern GraphDirection graph_direction_of(const char *name);

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
	Oid			schema;
	GraphIndex *index[GRAPH_INDEX_KINDS];	/* opened when first used */
	RecordText	division;		/* of the start node; others are never entered */
	bool		hides_quarantined;	/* from this caller: see graph/quarantine.h */
	int64	   *quarantine;		/* numbers of records, ascending */
	uint32		quarantine_count;
	uint32		quarantine_capacity;
} Graph;

extern Graph *graph_open(void);
extern void graph_close(Graph *graph);
/* Its first half: nothing can be read any more, but what was read is still there, until graph->context goes. */
extern void graph_close_tables(Graph *graph);

extern void *graph_alloc(Graph *graph, Size size);
/* Frees as well: new_size 0. */
extern void *graph_grow(Graph *graph, void *old, Size old_size, Size new_size);

/* Grows an array so that one more element fits. */
#define graph_reserve(graph, array, count, capacity) \
	do { \
		if (unlikely((count) >= (capacity))) \
		{ \
			Size		new_capacity = Max((Size) (capacity) * 2, 64); \
			(array) = graph_grow((graph), (array), (Size) (capacity) * sizeof(*(array)), new_capacity * sizeof(*(array))); \
			(capacity) = new_capacity; \
		} \
	} while (0)

/* For round `i` of a loop that does little in each; wants miscadmin.h. */
#define GRAPH_CHECK_NOW_AND_THEN(i) \
	do { \
		if (unlikely((i) % 4096 == 4095)) \
			CHECK_FOR_INTERRUPTS(); \
	} while (0)

/* graph/memory.c's part of opening. */
extern void graph_memory_define_parameters(void);
extern void graph_memory_begin(Graph *graph);

/* ---------------------------------------------------------------- the start */

typedef struct GraphNode
{
	int64		no;
	pg_uuid_t	id;
	TimestampTz created_at;
	ItemPointerData tid;
	RecordText	division;
} GraphNode;

/* Divisions that a caller may see. */
typedef struct GraphDivisions
{
	bool		all;
	int			count;
	RecordText *names;
} GraphDivisions;

/* Of the current user: as reason.visible_divisions() has it. */
extern GraphDivisions graph_divisions_of_user(Graph *graph);
/* Of a text[]; '*' stands for all. */
extern GraphDivisions graph_divisions_of_array(Datum array);

/*
 * The node of that id among the divisions; NULL when there is none.  The same id
 * in several of them raises 22023, unless `division` names one of them.
 */
extern GraphNode *graph_find_node(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division);

/* Raises P0002. */
extern void graph_report_no_node(const pg_uuid_t *id);

/* ---------------------------------------------------------------- walks */

/* Receives visible entries in pieces, in no particular order. */
typedef void (*GraphSink) (void *argument, const GraphEntry *entries, int count);

/*
 * Refuses rows that the snapshot sees; NULL accepts all.  The tuple is pinned,
 * not locked.
 */
typedef bool (*GraphFilter) (void *argument, HeapTuple tuple, TupleDesc desc);

/*
 * Moves the entries that may make a difference to the sink to the front, and says how many they are.  Asked before rows
 * are looked up, so of entries too that turn out to be invisible or refused.  What makes no difference now must not
 * make one when the sink was given more.
 */
typedef int (*GraphSieve) (void *argument, GraphEntry *entries, int count);

/*
 * Finds the entries of all keys, which must be sorted and distinct.  Index-only
 * where the visibility map allows and there is no filter.
 */
extern void graph_walk(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
					   GraphFilter filter, GraphSink sink, void *argument);

/*
 * As graph_walk(), but of entries that the sieve keeps back no row is looked up; the sink does not get them then.
 * Serializable: what a row that makes no difference would say is no dependency.
 */
extern void graph_walk_sieved(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
							  GraphSieve sieve, GraphFilter filter, GraphSink sink, void *argument);

/* graph/index.c's part of closing. */
extern void graph_index_close(Graph *graph, GraphIndex *index);

/* ---------------------------------------------------------------- rows */

/* Called with the visible version of a row: pinned, not locked. */
typedef void (*GraphVisitor) (void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc);

/*
 * Visits the rows of the entries, block by block; sorts the entries by tid.
 * Entries whose row the snapshot does not see are passed over.
 */
extern void graph_visit_rows(Graph *graph, Relation heap, GraphEntry *entries, uint32 count,
							 GraphVisitor visitor, void *argument);

/* Columns, in the order of sql/10_tables.sql. */
#define NODE_NO 1
#define NODE_ID 2
#define NODE_DIVISION 3
#define NODE_TYPE 4
#define NODE_AUTHOR 5
#define NODE_PAYLOAD 6
#define NODE_METADATA 7
#define NODE_CREATED_AT 8
#define NODE_OCCURRED_AT 9
#define NODE_VERSION 10
#define NODE_MANIFEST_SIGNATURE_ID 11
#define NODE_PAYLOAD_REF 12
#define NODE_PAYLOAD_HASH 14
#define NODE_DIGEST 15
#define NODE_AUDIT_EVENT_ID 16
#define NODE_COLUMNS 16

#define EDGE_NO 1
#define EDGE_ID 2
#define EDGE_DIVISION 3
#define EDGE_FROM_NO 4
#define EDGE_TO_NO 5
#define EDGE_TYPE 6
#define EDGE_WEIGHT 7
#define EDGE_METADATA 8
#define EDGE_CREATED_AT 9
#define EDGE_DIGEST 10
#define EDGE_AUDIT_EVENT_ID 11
#define EDGE_COLUMNS 11

/* Called by _PG_init(). */
extern void graph_define_parameters(void);

#endif							/* REASON_GRAPH_GRAPH_H */
