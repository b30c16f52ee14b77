/*
 * answer_forms.c
 *		An answer as lines to read, as Markdown, and as comma-separated values.
 */
#include "postgres.h"

#include "export/answer.h"
#include "export/csv_table.h"
#include "export/writer.h"

#include "canonical/backend.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- values as text */

/* The elements of an array, or a value by itself, on one line. */
static void
write_value(ByteBuffer *out, ShownText value, int most)
{
	const char *at = NULL;
	ShownText	name;
	ShownText	element;
	bool		is_first = true;

	if (*value.data != '[')
	{
		shown_write_plain(out, value, most);
		return;
	}
	while (shown_next(value, &at, &name, &element))
	{
		if (!is_first)
			buffer_append_char(out, ' ');
		is_first = false;
		shown_write_plain(out, element, most);
	}
}

static int
most_of(const AnswerColumn *column)
{
	return column->kind == ANSWER_NOTE ? EXPORT_NOTE_CHARACTERS : EXPORT_TEXT_CHARACTERS;
}

/* No annotations is nothing to tell. */
static bool
is_told(const AnswerColumn *column, ShownText value)
{
	return value.data != NULL && !(column->kind == ANSWER_LIST && value.length == strlen("[]"));
}

static void
say(ExportWriter *writer, void (*write)(ByteBuffer *out, const Answer *answer), const Answer *answer)
{
	writer->scratch.length = 0;
	write(&writer->scratch, answer);
	writer->escape(writer->out, writer->scratch.data, writer->scratch.length);
}

static void
say_value(ExportWriter *writer, const AnswerColumn *column, ShownText value)
{
	if (column->kind == ANSWER_FLAG || column->kind == ANSWER_STOPPED)
	{
		export_say(writer, column->label);
		return;
	}
	writer->scratch.length = 0;
	write_value(&writer->scratch, value, most_of(column));
	writer->escape(writer->out, writer->scratch.data, writer->scratch.length);
}

/* What was asked for, what was counted, and what was cut: each a line of its own between the two. */
static void
put_facts(ExportWriter *writer, const Answer *answer, const char *before, const char *after)
{
	ShownText	objects[] = {answer->facts, shown_member(answer->inner, "counts")};
	ShownText	name;
	ShownText	value;

	for (int i = 0; i < lengthof(objects); i++)
	{
		for (const char *at = NULL; objects[i].data && shown_next(objects[i], &at, &name, &value);)
		{
			export_put(writer, before);
			export_say_text(writer, "", name, EXPORT_TEXT_CHARACTERS);
			export_say_text(writer, ": ", value, EXPORT_TEXT_CHARACTERS);
			export_put(writer, after);
		}
	}
}

/* Which columns any entry of a list has something in. */
static void
find_used(const Answer *answer, ShownText list, bool *used)
{
	const char *at = NULL;
	ShownText	name;
	ShownText	entry;

	while (shown_next(list, &at, &name, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < answer->kind->column_count; k++)
			used[k] = used[k] || is_told(&answer->kind->columns[k], answer_value(answer, &answer->kind->columns[k], entry));
	}
}

static bool
is_empty(ShownText list)
{
	return list.data == NULL || *list.data != '[' || list.length == strlen("[]");
}

static void
escape_nothing(ByteBuffer *out, const char *bytes, size_t length)
{
	buffer_append(out, bytes, length);
}

/* ---------------------------------------------------------------- lines to read */

/* What it says of itself, or its type, or what it is called here; then the rest, its id last, as in the tree of a trace. */
static void
put_line(ExportWriter *writer, const Answer *answer, const char *word, ShownText entry)
{
	/* It names type and author. */
	ShownText	list_word = {word, strlen(word)};
	bool		is_told_in_note = shown_member(entry, "note").data != NULL;
	ShownText	id = {NULL, 0};

	export_put(writer, "- ");
	for (int k = 0; k < answer->kind->column_count; k++)
	{
		const AnswerColumn *column = &answer->kind->columns[k];
		ShownText	value = answer_value(answer, column, entry);

		if (column->kind == (is_told_in_note ? ANSWER_NOTE : ANSWER_TYPE))
			export_say_text(writer, "", value.data ? value : list_word, most_of(column));
	}
	for (int k = 0; k < answer->kind->column_count; k++)
	{
		const AnswerColumn *column = &answer->kind->columns[k];
		ShownText	value = answer_value(answer, column, entry);

		if (column->kind == ANSWER_ID)
			id = value;
		if (!is_told(column, value) || column->kind == ANSWER_ID || column->kind == ANSWER_TYPE ||
			(is_told_in_note && (column->kind == ANSWER_NOTE || column->kind == ANSWER_AUTHOR)))
			continue;
		export_put(writer, ", ");
		if (column->kind != ANSWER_FLAG && column->kind != ANSWER_STOPPED)
		{
			export_put(writer, column->label);
			export_put(writer, " ");
		}
		say_value(writer, column, value);
	}
	export_say_text(writer, ", id ", id, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\n");
}

void
answer_write_text(ByteBuffer *out, const Answer *answer)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, NULL, escape_nothing);
	say(&writer, answer_write_title, answer);
	export_put(&writer, "\n");
	put_facts(&writer, answer, "", "\n");
	if (answer_is_cut(answer))
	{
		say(&writer, answer_write_cut, answer);
		export_put(&writer, "\n");
	}
	for (int i = 0; i < answer->kind->list_count; i++)
	{
		ShownText	list = shown_member(answer->inner, answer->kind->lists[i].name);
		const char *at = NULL;
		ShownText	name;
		ShownText	entry;

		if (is_empty(list))
			continue;
		export_put(&writer, "\n");
		export_put(&writer, answer->kind->lists[i].title);
		export_put(&writer, "\n");
		while (shown_next(list, &at, &name, &entry))
		{
			CHECK_FOR_INTERRUPTS();
			put_line(&writer, answer, answer->kind->lists[i].word, entry);
		}
	}
}

/* ---------------------------------------------------------------- Markdown */

static void
put_table(ExportWriter *writer, const Answer *answer, ShownText list)
{
	const AnswerKind *kind = answer->kind;
	bool	   *used = palloc0(sizeof(bool) * kind->column_count);
	const char *at = NULL;
	ShownText	name;
	ShownText	entry;

	find_used(answer, list, used);
	for (int line = 0; line < 2; line++)
	{
		for (int k = 0; k < kind->column_count; k++)
		{
			if (used[k])
				export_put(writer, line == 0 ? "| " : "| ---");
			if (used[k] && line == 0)
				export_put(writer, kind->columns[k].label);
			if (used[k])
				export_put(writer, " ");
		}
		export_put(writer, "|\n");
	}
	while (shown_next(list, &at, &name, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < kind->column_count; k++)
		{
			ShownText	value = used[k] ? answer_value(answer, &kind->columns[k], entry) : (ShownText) {NULL, 0};

			if (used[k])
				export_put(writer, "| ");
			if (is_told(&kind->columns[k], value))
				say_value(writer, &kind->columns[k], value);
			if (used[k])
				export_put(writer, " ");
		}
		export_put(writer, "|\n");
	}
	pfree(used);
}

void
answer_write_markdown(ByteBuffer *out, const Answer *answer)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, NULL, export_escape_markdown);
	export_put(&writer, "# ");
	say(&writer, answer_write_title, answer);
	export_put(&writer, "\n\n");
	put_facts(&writer, answer, "- ", "\n");
	if (answer_is_cut(answer))
	{
		export_put(&writer, "\n> **");
		say(&writer, answer_write_cut, answer);
		export_put(&writer, "**\n");
	}
	for (int i = 0; i < answer->kind->list_count; i++)
	{
		ShownText	list = shown_member(answer->inner, answer->kind->lists[i].name);

		if (is_empty(list))
			continue;
		export_put(&writer, "\n## ");
		export_put(&writer, answer->kind->lists[i].title);
		export_put(&writer, "\n\n");
		put_table(&writer, answer, list);
	}
}

/* ---------------------------------------------------------------- comma-separated values */

static void
put_field(CsvTable *table, const AnswerColumn *column, ShownText value)
{
	switch (column->kind)
	{
		case ANSWER_FLAG:
		case ANSWER_STOPPED:
			csv_put_flag(table, value.data != NULL);
			break;
		case ANSWER_NUMBER:
			csv_put_bare(table, value);
			break;
		case ANSWER_ANNOTATIONS:
			csv_begin_field(table);
			buffer_append(table->out, value.data ? value.data : "0", value.data ? value.length : 1);
			break;
		case ANSWER_LIST:
			table->field.length = 0;
			if (value.data)
				write_value(&table->field, value, EXPORT_TEXT_CHARACTERS);
			csv_put_bytes(table, table->field.data, table->field.length);
			break;
		case ANSWER_TEXT:
		case ANSWER_ID:
		case ANSWER_TYPE:
		case ANSWER_AUTHOR:
		case ANSWER_NOTE:
			csv_put_text(table, value);
			break;
	}
}

void
answer_write_csv(ByteBuffer *out, const Answer *answer)
{
	const AnswerKind *kind = answer->kind;
	CsvTable	table;

	csv_begin(&table, out);
	buffer_append_literal(out, "record");
	for (int k = 0; k < kind->column_count; k++)
	{
		buffer_append_char(out, ',');
		buffer_append(out, kind->columns[k].name, strlen(kind->columns[k].name));
	}
	csv_end_row(&table);
	for (int i = 0; i < kind->list_count; i++)
	{
		ShownText	list = shown_member(answer->inner, kind->lists[i].name);
		const char *at = NULL;
		ShownText	name;
		ShownText	entry;

		while (!is_empty(list) && shown_next(list, &at, &name, &entry))
		{
			CHECK_FOR_INTERRUPTS();
			csv_put_words(&table, kind->lists[i].word);
			for (int k = 0; k < kind->column_count; k++)
				put_field(&table, &kind->columns[k], answer_value(answer, &kind->columns[k], entry));
			csv_end_row(&table);
		}
	}
	if (!answer_is_cut(answer))
		return;
	/* A last row says what was cut. */
	csv_put_words(&table, "cut");
	table.field.length = 0;
	answer_write_cut(&table.field, answer);
	csv_put_bytes(&table, table.field.data, table.field.length);
	while (table.columns <= kind->column_count)
		csv_begin_field(&table);
	csv_end_row(&table);
}
