/*
 * layout.h
 *		Where the nodes of a part stand in a picture: in levels by depth, causes above effects.
 *
 * The rules, which give the same picture for the same part:
 *
 * 1. A node's level is its depth in the tree that is drawn of the part (derived/human_tree.h).
 * 2. If there are more than LAYOUT_NODES nodes, some are folded into boxes that
 *    stand for many: levels after the LAYOUT_LEVELS-th into one box, and of each
 *    level what goes beyond the greatest number a level with which the rest fits.
 * 3. Within a level boxes begin in the order of the walk and are put by the
 *    average place of what they are joined to on the level before, then, going
 *    back, on the level after, LAYOUT_SWEEPS times (the barycentre heuristic;
 *    Sugiyama, Tagawa and Toda 1981); whatever is equal keeps its order.
 * 4. A level of more than LAYOUT_ROW boxes is broken into rows, column by column:
 *    a picture is no wider than a page or a screen, and goes on downwards.
 */
#ifndef REASON_EXPORT_LAYOUT_H
#define REASON_EXPORT_LAYOUT_H

#include "postgres.h"

#include "export/part.h"

#define LAYOUT_NODES 400
#define LAYOUT_LEVELS 100
#define LAYOUT_SWEEPS 4
#define LAYOUT_LANES 4
#define LAYOUT_ROW 6

typedef struct LayoutBox
{
	uint32		node;			/* HUMAN_NONE: a box for many */
	uint32		folded;			/* so many */
	uint32		level;
	int			x;				/* of the upper left corner, in pixels */
	int			y;
	int			top;			/* of its level: of the first row, and below the last */
	int			bottom;
} LayoutBox;

/* Edges between two boxes: up to LAYOUT_LANES lines, each for one, but for the last, and one for all if a box is for many. */
typedef struct LayoutLine
{
	uint32		from;			/* boxes: of the cause, of the effect */
	uint32		to;
	uint32		edge;			/* the first that it stands for */
	uint32		count;
	uint32		lane;			/* of the lines between the two, from 0 */
} LayoutLine;

typedef struct Layout
{
	LayoutBox  *boxes;			/* level by level, in the order in which they stand */
	uint32		box_count;
	LayoutLine *lines;
	uint32		line_count;
	uint32		folded;			/* nodes that are in boxes for many */
	int			width;
	int			height;
} Layout;

#define LAYOUT_BOX_WIDTH 232
#define LAYOUT_BOX_HEIGHT 74

/* In CurrentMemoryContext. */
extern Layout *layout_of(const ExportPart *part);

#endif							/* REASON_EXPORT_LAYOUT_H */
