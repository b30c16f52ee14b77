/*
 * buffer_hints.h
 *		Hints where blocks of heaps are in shared buffers, kept from call to call.
 *
 * A backend remembers the buffer that a block was in when it last read it.  A hint may be wrong, as the buffer may
 * hold another block by now, or it is about another block: reading asks the buffer which it holds.  What
 * hints save is the lookup in the buffer table, and waiting for memory: rows that are needed next are fetched ahead.
 */
#ifndef REASON_GRAPH_BUFFER_HINTS_H
#define REASON_GRAPH_BUFFER_HINTS_H

#include "postgres.h"

#include "storage/block.h"
#include "storage/buf.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/* As ReadBuffer(). */
extern Buffer graph_buffer_hints_read(Relation heap, BlockNumber block);

/* Have the processor fetch what reading a row will touch, first its line pointer, then the row. */
extern void graph_buffer_hints_fetch_item(Relation heap, const ItemPointerData *tid);
extern void graph_buffer_hints_fetch_row(Relation heap, const ItemPointerData *tid);

#endif							/* REASON_GRAPH_BUFFER_HINTS_H */
