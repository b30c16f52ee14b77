/*
 * csv_table.c
 *		Rows and fields of comma-separated values.
 */
#include "postgres.h"

#include "export/csv_table.h"

#include "canonical/backend.h"

void
csv_begin(CsvTable *table, ByteBuffer *out)
{
	table->out = out;
	table->columns = 0;
	buffer_init(&table->field, canonical_realloc, CurrentMemoryContext);
}

static bool
is_taken_for_formula(const char *bytes, size_t length)
{
	static const char *const full_width[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};

	if (length > 0 && memchr("=+-@\t\r\n", bytes[0], 7))
		return true;
	for (int i = 0; i < lengthof(full_width); i++)
	{
		if (length >= 3 && memcmp(bytes, full_width[i], 3) == 0)
			return true;
	}
	return false;
}

void
csv_begin_field(CsvTable *table)
{
	if (table->columns++ > 0)
		buffer_append_char(table->out, ',');
}

void
csv_put_bytes(CsvTable *table, const char *bytes, size_t length)
{
	csv_begin_field(table);
	buffer_append_char(table->out, '"');
	if (is_taken_for_formula(bytes, length))
		buffer_append_char(table->out, '\'');
	while (length > 0)
	{
		const char *quote = memchr(bytes, '"', length);
		size_t		run = quote ? quote + 1 - bytes : length;

		buffer_append(table->out, bytes, run);
		if (quote)
			buffer_append_char(table->out, '"');
		bytes += run;
		length -= run;
	}
	buffer_append_char(table->out, '"');
}

/* A number, or whatever else needs no quotes; none: an empty field. */
void
csv_put_bare(CsvTable *table, ShownText value)
{
	csv_begin_field(table);
	if (value.data && strspn(value.data, "0123456789+-.eE") >= value.length)
		buffer_append(table->out, value.data, value.length);
}

/* A string is told without its quotes and escapes, whole; whatever else is JSON. */
void
csv_put_text(CsvTable *table, ShownText value)
{
	if (value.data == NULL)
	{
		csv_begin_field(table);
		return;
	}
	table->field.length = 0;
	shown_write_lines(&table->field, value);
	csv_put_bytes(table, table->field.data, table->field.length);
}

void
csv_put_words(CsvTable *table, const char *words)
{
	csv_put_bytes(table, words, strlen(words));
}

void
csv_put_flag(CsvTable *table, bool flag)
{
	csv_begin_field(table);
	buffer_append(table->out, flag ? "true" : "false", flag ? 4 : 5);
}

void
csv_end_row(CsvTable *table)
{
	buffer_append_literal(table->out, "\r\n");
	table->columns = 0;
}
