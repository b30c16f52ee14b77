/*
 * csv_table.h
 *		Rows and fields of comma-separated values, RFC 4180.
 *
 * Lines end with CR LF, the first names the columns, and a field that needs it
 * is quoted.  Spreadsheets take a field for a formula that begins with =, +, -,
 * @ (or the full-width forms of them), a tab or the end of a line, even a quoted
 * one: before text that does so stands an apostrophe, which they do not show
 * (https://owasp.org/www-community/attacks/CSV_Injection).  Numbers stay as they are.
 */
#ifndef REASON_EXPORT_CSV_TABLE_H
#define REASON_EXPORT_CSV_TABLE_H

#include "postgres.h"

#include "core/buffer.h"
#include "trace/shown.h"

typedef struct CsvTable
{
	ByteBuffer *out;
	ByteBuffer	field;			/* room for what a field holds */
	int			columns;		/* of the row, so far */
} CsvTable;

extern void csv_begin(CsvTable *table, ByteBuffer *out);

/* Separates the field from that before it; by itself, an empty one. */
extern void csv_begin_field(CsvTable *table);

extern void csv_put_bytes(CsvTable *table, const char *bytes, size_t length);
extern void csv_put_words(CsvTable *table, const char *words);
extern void csv_put_flag(CsvTable *table, bool flag);

/* A number, or whatever else needs no quotes; none: an empty field. */
extern void csv_put_bare(CsvTable *table, ShownText value);

/* A string is told without its quotes and escapes, whole; whatever else is JSON. */
extern void csv_put_text(CsvTable *table, ShownText value);

extern void csv_end_row(CsvTable *table);

#endif							/* REASON_EXPORT_CSV_TABLE_H */
