/*
 * levels.h
 *		On which level of a picture each node of a part stands: causes above effects, by longest paths.
 *
 * The rules, which are those of the explorer's pictures too (gateway/ui/src/graph/layout.ts):
 *
 * 1. Edges that lead back to a node on the path of a depth-first forest are left
 *    out. The forest is grown from the nodes in their order, the first of which
 *    is what the part is about, away from it, along edges in their order. What is
 *    left has no circle.
 * 2. A node stands as many levels above the lowest as the longest path has edges
 *    that leads from it to a node without effects; if it has causes, as far above
 *    that as it can: on the level below the lowest of them.
 * 3. Levels are counted from what the part is about: from the lowest up where
 *    causes are walked to, from the highest down where effects are.
 */
#ifndef REASON_EXPORT_LEVELS_H
#define REASON_EXPORT_LEVELS_H

#include "postgres.h"

#include "export/part.h"

/* By node, in CurrentMemoryContext; *level_count is one more than the greatest. Time and memory grow with nodes and edges. */
extern uint32 *layout_levels(const ExportPart *part, uint32 *level_count);

#endif							/* REASON_EXPORT_LEVELS_H */
