/*
 * sort.h
 *		Sorting record numbers together with what belongs to them.
 */
#ifndef REASON_GRAPH_SORT_H
#define REASON_GRAPH_SORT_H

#include "postgres.h"

typedef struct GraphKey
{
	int64		no;
	uint32		index;
} GraphKey;

/*
 * Sorts by number, not necessarily keeping the order of equal ones.  `scratch`
 * has room for as many keys.  The result is in `keys`.
 */
extern void graph_sort_keys(GraphKey *keys, GraphKey *scratch, uint32 count);

#endif							/* REASON_GRAPH_SORT_H */
