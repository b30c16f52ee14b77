/*
 * heap_block.h
 *		All rows of one block of a heap.
 */
#ifndef REASON_GRAPH_HEAP_BLOCK_H
#define REASON_GRAPH_HEAP_BLOCK_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "storage/block.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/*
 * Called for each row, with the values of all its columns, none of them
 * detoasted.  The tuple is pinned, not locked; its t_self is the tid that indexes have.
 */
typedef void (*GraphHeapBlockVisitor) (void *argument, HeapTuple tuple, const Datum *values);

typedef struct GraphHeapBlockReader
{
	Relation	heap;
	BufferAccessStrategy strategy;	/* may be NULL */
	GraphHeapBlockVisitor visitor;
	void	   *argument;
	Datum	   *values;
	bool	   *nulls;
	Buffer		buffer;
} GraphHeapBlockReader;

extern void graph_heap_block_begin(GraphHeapBlockReader *reader, Relation heap, BufferAccessStrategy strategy,
								   GraphHeapBlockVisitor visitor, void *argument);

/* Visits the rows that the snapshot sees. */
extern void graph_heap_block_visit(GraphHeapBlockReader *reader, BlockNumber block, Snapshot snapshot);

/*
 * Visits all rows if the page is all-visible, and says whether it is.  *lsn: the
 * page's; while it stays the same, so do the rows.
 */
extern bool graph_heap_block_visit_all_visible(GraphHeapBlockReader *reader, BlockNumber block, XLogRecPtr *lsn);

extern void graph_heap_block_end(GraphHeapBlockReader *reader);

#endif							/* REASON_GRAPH_HEAP_BLOCK_H */
