/*
 * page.h
 *		Items of a B-tree page whose first key column is a bigint that is never null.
 */
#ifndef REASON_GRAPH_PAGE_H
#define REASON_GRAPH_PAGE_H

#include "postgres.h"

#include "access/itup.h"
#include "access/nbtree.h"
#include "storage/bufpage.h"

static inline IndexTuple
graph_tuple_at(Page page, OffsetNumber offset)
{
	return (IndexTuple) PageGetItem(page, PageGetItemId(page, offset));
}

/* The first column lies right behind the header. */
static inline int64
graph_key_of(IndexTuple tuple)
{
	return *(const int64 *) ((const char *) tuple + MAXALIGN(sizeof(IndexTupleData)));
}

static inline int64
graph_key_at(Page page, OffsetNumber offset)
{
	return graph_key_of(graph_tuple_at(page, offset));
}

#endif							/* REASON_GRAPH_PAGE_H */
