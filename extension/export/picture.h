/*
 * picture.h
 *		What a picture consists of: boxes, lines between them, and where they stand.
 */
#ifndef REASON_EXPORT_PICTURE_H
#define REASON_EXPORT_PICTURE_H

#include "postgres.h"

#define LAYOUT_BOX_WIDTH 232
#define LAYOUT_BOX_HEIGHT 90
/* Lines between two boxes, and boxes in a row of a level. */
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

/* Where a line leads straight down past a level. */
typedef struct LayoutPass
{
	uint32		level;
	int			x;
	int			top;
	int			bottom;
} LayoutPass;

/* Edges between two boxes: up to LAYOUT_LANES lines, each for one, but for the last, and one for all if a box is for many. */
typedef struct LayoutLine
{
	uint32		from;			/* boxes: of the cause, of the effect */
	uint32		to;
	uint32		edge;			/* the first that it stands for */
	uint32		count;
	uint32		lane;			/* of the lines between the two, from 0 */
	uint32		first_pass;		/* in the order in which it leads down; the lines between two boxes share them */
	uint32		pass_count;
	bool		aside;			/* it leads beside the boxes */
	uint32		aside_lane;		/* of those that do, from 0 */
	int			aside_x;
} LayoutLine;

typedef struct Layout
{
	bool		upwards;		/* the first level is the lowest */
	LayoutBox  *boxes;			/* level by level, in the order of the walk */
	uint32		box_count;
	LayoutPass *passes;
	uint32		pass_count;
	LayoutLine *lines;
	uint32		line_count;
	uint32		level_count;
	uint32		folded;			/* nodes that are in boxes for many */
	int			width;
	int			height;
} Layout;

#endif							/* REASON_EXPORT_PICTURE_H */
