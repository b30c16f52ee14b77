/*
 * svg_lines.h
 *		The lines of a picture, and what stands beside them.
 *
 * A line leads down, in a curve from level to level and straight past them, or
 * beside the boxes (layout.h); where a level has several rows, beside the column
 * to its box and from it.  None leads through a box.
 */
#ifndef REASON_EXPORT_SVG_LINES_H
#define REASON_EXPORT_SVG_LINES_H

#include "postgres.h"

#include "export/picture.h"
#include "export/writer.h"

extern void svg_put_lines(ExportWriter *writer, const Layout *layout);

/* Type and weight of each edge, where no box and no other label stands; nothing, if there are many lines: their titles say it. */
extern void svg_put_labels(ExportWriter *writer, const Layout *layout);

#endif							/* REASON_EXPORT_SVG_LINES_H */
