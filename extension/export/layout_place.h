/*
 * layout_place.h
 *		Gives boxes, and the places at which lines pass levels, their coordinates.
 *
 * A level is a row of slots: columns of boxes, and tracks between them in which
 * lines pass.  In each gap between columns there are at most LAYOUT_TRACKS, which
 * lines share where they are more.  Slots begin side by side in the middle, and
 * move, level by level, forth and back, to the average of what they are joined to,
 * as far as their neighbours and the width of the widest level let them.
 */
#ifndef REASON_EXPORT_LAYOUT_PLACE_H
#define REASON_EXPORT_LAYOUT_PLACE_H

#include "postgres.h"

#include "export/layout_order.h"
#include "export/picture.h"

#define LAYOUT_TRACKS 8
/* Lines that lead beside the boxes have so many lanes, which they share where they are more. */
#define LAYOUT_ASIDE 12

/* Items of the order are the layout's boxes, then its passes. */
extern void layout_place(Layout *layout, const LayoutOrder *order);

#endif							/* REASON_EXPORT_LAYOUT_PLACE_H */
