/*
 * svg_pieces.h
 *		What a picture is written of: numbers, points, lines of text.
 */
#ifndef REASON_EXPORT_SVG_PIECES_H
#define REASON_EXPORT_SVG_PIECES_H

#include "postgres.h"

#include "export/writer.h"

/* `before`, a number and a quotation mark: ` y="12"`. */
extern void svg_put_number(ExportWriter *writer, const char *before, int number);

/* `command`, and a point of a path. */
extern void svg_put_point(ExportWriter *writer, const char *command, int x, int y);

/* Adds to the writer's scratch: words of ours; `before` and at most so many characters of a value, if there is one. */
extern void svg_add(ExportWriter *writer, const char *words);
extern void svg_add_text(ExportWriter *writer, const char *before, ShownText value, int most);

/* What stands in the scratch, as a line of text: what of it fits into so many columns; wide characters take two. */
extern void svg_put_line(ExportWriter *writer, const char *class, int x, int y, int columns);

#endif							/* REASON_EXPORT_SVG_PIECES_H */
