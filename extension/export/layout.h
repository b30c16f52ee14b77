/*
 * layout.h
 *		Where the nodes of a part stand in a picture: in levels, causes above effects; and where lines lead between them.
 *
 * The rules, which give the same picture for the same part:
 *
 * 1. Levels are those of longest paths (levels.h), as in the explorer.
 * 2. If there are more than LAYOUT_NODES nodes, some are folded into boxes that
 *    stand for many: levels after the LAYOUT_LEVELS-th into one box, and of each
 *    level what goes beyond the greatest number a level with which the rest fits.
 *    The explorer folds whole groups of a level and type instead, the largest
 *    first, and more than 1,000 nodes: its folds open, these do not, and what
 *    nobody can open shall hide no level.
 * 3. A line that passes levels has a place of its own in the order of each, and
 *    leads straight down there.  Lines that lead up, back in a circle, lead beside
 *    all boxes between; so do those that pass most levels, where more than
 *    LAYOUT_PASSES places would be needed.
 * 4. Boxes, in the order of the walk, and places are ordered within their level
 *    (layout_order.h).
 * 5. A level of more than LAYOUT_ROW boxes is broken into rows, column by column:
 *    a picture is no wider than a page or a screen, and goes on downwards.  Places
 *    are between columns.
 * 6. Columns and places stand as near as they can to what they are joined to
 *    (layout_place.h).
 */
#ifndef REASON_EXPORT_LAYOUT_H
#define REASON_EXPORT_LAYOUT_H

#include "postgres.h"

#include "export/part.h"
#include "export/picture.h"

#define LAYOUT_NODES 400
#define LAYOUT_LEVELS 100
#define LAYOUT_PASSES 4000

/* In CurrentMemoryContext. */
extern Layout *layout_of(const ExportPart *part);

#endif							/* REASON_EXPORT_LAYOUT_H */
