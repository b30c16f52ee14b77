/*
 * layout.h
 *		The adjacency of the whole graph in shared memory, as it was at one moment.
 *
 * A generation is built in one pass over the tables, never changed, and replaced as a
 * whole.  It holds only rows of blocks that the visibility map calls all-visible,
 * so every snapshot sees them.  What changed since is found by comparing
 * visibility maps (cache/view.c), and is read from the tables
 * (cache/delta.c): nothing has to be told to the cache, so it is
 * right under replication, on a standby, after a restore, and when a superuser goes behind the
 * extension's back.  It may vanish at any moment without changing an answer.
 *
 * Nodes are numbered by (created_at, id), the order of siblings in a trace, and
 * the links of a node are sorted by the number of the other end, then by
 * (created_at, id) of the edge: a breadth-first search that takes them as they come
 * finds the nodes of a trace in their final order.
 *
 * The form is that of compressed sparse rows: node n has heads[n + 1].begin - heads[n].begin
 * links, see graph_cache_first_link().
 */
#ifndef REASON_CACHE_LAYOUT_H
#define REASON_CACHE_LAYOUT_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "storage/bufpage.h"
#include "utils/uuid.h"

#include "port/relation_file.h"

typedef struct GraphCacheNode
{
	int64		no;
	TimestampTz created_at;
	pg_uuid_t	id;
	ItemPointerData tid;
	uint16		division;		/* its place among the names */
} GraphCacheNode;

typedef struct GraphCacheEdge
{
	int64		no;
	pg_uuid_t	id;
	ItemPointerData tid;
} GraphCacheEdge;

typedef struct GraphCacheLink
{
	uint32		node;			/* the other end */
	uint32		edge;
} GraphCacheLink;

#define GRAPH_CACHE_HEAD_LINKS 3
#define GRAPH_CACHE_MANY PG_UINT32_MAX

/*
 * Where the links of a node begin and, if they are few, where they lead: a search then waits
 * for memory once instead of twice.
 */
typedef struct GraphCacheHead
{
	uint32		begin;			/* they end where those of the next node begin */

	/*
	 * The other ends, in order.  Unused places hold the node itself: to follow a link from a node to
	 * itself reaches nothing new.  If there are more other ends, or one is the node itself:
	 * GRAPH_CACHE_MANY.
	 */
	uint32		node[GRAPH_CACHE_HEAD_LINKS];
} GraphCacheHead;

/* What filters ask of a node or edge: see cache/attributes.h. */
typedef struct GraphCacheAttribute
{
	uint8		type;			/* its place among the names, or GRAPH_CACHE_OTHER */
	uint8		number;			/* that of its confidence or weight among the values, or ... */
} GraphCacheAttribute;

#define GRAPH_CACHE_OTHER 255	/* the row has it */
#define GRAPH_CACHE_NO_NUMBER 254	/* it states no confidence */
#define GRAPH_CACHE_ATTRIBUTE_VALUES 254

typedef struct GraphCacheAttributes
{
	Size		attributes;		/* GraphCacheAttribute of each node or edge */
	uint32		type_count;
	Size		types;			/* each a uint32 length and as many bytes */
	uint32		value_count;
	Size		values;			/* double */
	uint32		other_types;	/* records of which the row has it */
	uint32		other_numbers;
} GraphCacheAttributes;

typedef enum GraphCacheTableKind
{
	GRAPH_CACHE_NODE,
	GRAPH_CACHE_EDGE
} GraphCacheTableKind;

#define GRAPH_CACHE_TABLES 2

/* A page of a visibility map has so many bytes, of two bits a block (visibilitymap.c). */
#define GRAPH_CACHE_MAP_BYTES ((int) (BLCKSZ - MAXALIGN(SizeOfPageHeaderData)))
#define GRAPH_CACHE_BLOCKS_PER_BYTE 4
#define GRAPH_CACHE_BLOCKS_PER_MAP (GRAPH_CACHE_MAP_BYTES * GRAPH_CACHE_BLOCKS_PER_BYTE)
#define GRAPH_CACHE_ALL_VISIBLE_WORD UINT64CONST(0x5555555555555555)

typedef struct GraphCacheMap
{
	XLogRecPtr	lsn;			/* of the map's page: moves when a bit is set, not when one is cleared */
	uint8		held[GRAPH_CACHE_MAP_BYTES];	/* blocks whose rows the generation has, as all-visible bits */
	uint8		covered[GRAPH_CACHE_MAP_BYTES]; /* those of them that are not known to have changed */
} GraphCacheMap;

typedef struct GraphCacheTable
{
	Oid			relation;
	RelationFile file;
	BlockNumber blocks;			/* none from here on are covered */
	uint32		map_count;
	Size		maps;			/* GraphCacheMap; guarded by graph_cache_lock() */
	Size		lsns;			/* XLogRecPtr of each block */
} GraphCacheTable;

/* The beginning of a generation; members of type Size are places, counted from here. */
typedef struct GraphCacheGeneration
{
	Size		size;
	GraphCacheTable table[GRAPH_CACHE_TABLES];
	uint32		node_count;
	uint32		edge_count;
	uint32		division_count;
	int64		last_no;		/* the highest number of a node or edge */
	Size		nodes;			/* GraphCacheNode, by (created_at, id) */
	Size		by_no;			/* uint32: nodes by number */
	Size		by_tid;			/* uint32: nodes by place in the heap */
	Size		edges;			/* GraphCacheEdge, by place in the heap */
	Size		first_edge;		/* uint32: of each block of the heap, and one more */
	Size		latest;			/* TimestampTz of each block: no edge of it, or of one before, was recorded later */
	Size		earliest;		/* ... no edge of it, or of one behind, was recorded earlier */
	GraphCacheAttributes attributes[GRAPH_CACHE_TABLES];
	Size		heads[2];		/* GraphCacheHead of each node, and one more, by GraphDirection */
	Size		links[2];		/* uint32: of each node first the other ends, then the edges */
	uint32		against_time;	/* edges whose cause does not come before their effect */
	Size		cyclic_nodes;	/* uint64, bits of nodes that lie on a cycle; 0: none does */
	Size		divisions;		/* each a uint32 length and as many bytes, in order */
} GraphCacheGeneration;

#define graph_cache_at(generation, type, place) ((type *) ((char *) (generation) + (place)))

/* Where the other ends of a node's links are; the edges follow, as many. */
static inline const uint32 *
graph_cache_first_link(const uint32 *links, const GraphCacheHead *head)
{
	return links + 2 * (Size) head->begin;
}

#endif							/* REASON_CACHE_LAYOUT_H */
