/*
 * layout_order.h
 *		In which order the items of each level stand, so that few lines cross.
 *
 * An item is a box, or a place at which a line passes a level. Items begin in the
 * order of their numbers and are put by the average place of what they are joined
 * to on the level before, then, going back, on the level after, LAYOUT_SWEEPS
 * times (the barycentre heuristic; Sugiyama, Tagawa and Toda 1981); whatever is
 * equal keeps its order. The order with the fewest crossings stays.
 */
#ifndef REASON_EXPORT_LAYOUT_ORDER_H
#define REASON_EXPORT_LAYOUT_ORDER_H

#include "postgres.h"

#define LAYOUT_SWEEPS 4

/* A piece of a line, between two items on levels that follow each other. */
typedef struct LayoutPiece
{
	uint32		before;
	uint32		after;
} LayoutPiece;

/* Items at the other end of pieces: those of item i are others[start[i]] to others[start[i + 1]]. */
typedef struct LayoutJoins
{
	uint32	   *start;
	uint32	   *others;
} LayoutJoins;

typedef struct LayoutOrder
{
	uint32		count;
	uint32		level_count;
	uint32	   *level_start;	/* the items of level i are items[level_start[i]] to items[level_start[i + 1]], as they stand */
	uint32	   *items;
	uint32	   *place;			/* of an item in its level */
	LayoutJoins before;			/* with the level before, and after */
	LayoutJoins after;
} LayoutOrder;

/* Items have levels less than level_count. In CurrentMemoryContext. */
extern LayoutOrder *layout_order(const uint32 *levels, uint32 count, uint32 level_count, const LayoutPiece *pieces, uint32 piece_count);

#endif							/* REASON_EXPORT_LAYOUT_ORDER_H */
