/*
 * svg_pieces.c
 *		Attributes, points and lines of text.
 */
#include "postgres.h"

#include "export/svg_pieces.h"

#include "mb/pg_wchar.h"

void
svg_put_number(ExportWriter *writer, const char *before, int number)
{
	export_put(writer, before);
	export_put_number(writer, number);
	export_put(writer, "\"");
}

void
svg_put_point(ExportWriter *writer, const char *command, int x, int y)
{
	export_put(writer, command);
	export_put_number(writer, x);
	export_put(writer, ",");
	export_put_number(writer, y);
}

void
svg_add(ExportWriter *writer, const char *words)
{
	buffer_append(&writer->scratch, words, strlen(words));
}

void
svg_add_text(ExportWriter *writer, const char *before, ShownText value, int most)
{
	if (value.data == NULL)
		return;
	svg_add(writer, before);
	shown_write_plain(&writer->scratch, value, most);
}

static void
put_fitted(ExportWriter *writer, const char *bytes, size_t length, int columns)
{
	size_t		at = 0;
	size_t		fits = 0;
	int			width = 0;

	while (at < length)
	{
		width += Max(pg_encoding_dsplen(PG_UTF8, bytes + at), 0);
		at += pg_utf_mblen((const unsigned char *) bytes + at);
		/* One for the mark that there is more. */
		if (width < columns)
			fits = at;
		if (width > columns)
		{
			writer->escape(writer->out, bytes, fits);
			export_put(writer, "\xE2\x80\xA6");
			return;
		}
	}
	writer->escape(writer->out, bytes, length);
}

void
svg_put_line(ExportWriter *writer, const char *class, int x, int y, int columns)
{
	export_put(writer, "<text class=\"");
	export_put(writer, class);
	svg_put_number(writer, "\" x=\"", x);
	svg_put_number(writer, " y=\"", y);
	export_put(writer, ">");
	put_fitted(writer, writer->scratch.data, writer->scratch.length, columns);
	export_put(writer, "</text>\n");
}
