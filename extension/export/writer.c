/*
 * writer.c
 *		Text in a form, and what all forms say of nodes and edges.
 */
#include "postgres.h"

#include "export/writer.h"

#include "canonical/backend.h"
#include "core/canonical.h"

#include "miscadmin.h"

/* A node names so many corrections. */
#define NAMED_CORRECTIONS 3

void
export_writer_begin(ExportWriter *writer, ByteBuffer *out, const ExportPart *part, ExportEscape escape)
{
	writer->out = out;
	writer->part = part;
	writer->escape = escape;
	buffer_init(&writer->scratch, canonical_realloc, CurrentMemoryContext);
}

void
export_replace(ByteBuffer *out, const char *bytes, size_t length, const char *const codes[128])
{
	const char *end = bytes + length;
	const char *run = bytes;

	for (const char *p = bytes; p < end; p++)
	{
		const char *code = (unsigned char) *p < 128 ? codes[(unsigned char) *p] : NULL;

		if (code == NULL)
			continue;
		buffer_append(out, run, p - run);
		buffer_append(out, code, strlen(code));
		run = p + 1;
	}
	buffer_append(out, run, end - run);
}

bool
export_is_word(ShownText value, const char *word)
{
	size_t		length = strlen(word);

	return value.length == length + 2 && *value.data == '"' && memcmp(value.data + 1, word, length) == 0;
}

void
export_put(ExportWriter *writer, const char *syntax)
{
	buffer_append(writer->out, syntax, strlen(syntax));
}

void
export_put_number(ExportWriter *writer, int64 number)
{
	canonical_write_integer(writer->out, number);
}

void
export_say(ExportWriter *writer, const char *words)
{
	writer->escape(writer->out, words, strlen(words));
}

static void
say_scratch(ExportWriter *writer)
{
	writer->escape(writer->out, writer->scratch.data, writer->scratch.length);
}

void
export_say_text(ExportWriter *writer, const char *before, ShownText value, int most)
{
	if (value.data == NULL)
		return;
	export_say(writer, before);
	writer->scratch.length = 0;
	shown_write_plain(&writer->scratch, value, most);
	say_scratch(writer);
}

void
export_say_by(ExportWriter *writer, void (*write)(ByteBuffer *out, const ExportPart *part))
{
	writer->scratch.length = 0;
	write(&writer->scratch, writer->part);
	say_scratch(writer);
}

void
export_say_note(ExportWriter *writer, const ShownRecord *record, int most)
{
	ShownText	note = shown_note(record);

	if (record->erased.data)
		export_say(writer, "(payload erased)");
	else
		export_say_text(writer, "", note.data ? note : record->payload, most);
}

void
export_say_head(ExportWriter *writer, const char *separator)
{
	export_say_by(writer, export_write_title);
	export_put(writer, separator);
	export_say_by(writer, export_write_extent);
	if (export_is_cut(writer->part))
	{
		export_put(writer, separator);
		export_say_by(writer, export_write_cut);
	}
}

void
export_say_annotations(ExportWriter *writer, uint32 node, const char *separator)
{
	const HumanGraph *graph = writer->part->graph;

	for (uint32 i = graph->nodes[node].first_note; i != HUMAN_NONE; i = graph->notes[i].next)
	{
		ShownRecord note = shown_record(graph->notes[i].record.data, graph->notes[i].record.length);

		CHECK_FOR_INTERRUPTS();
		export_put(writer, separator);
		export_say_text(writer, "", note.type, EXPORT_TEXT_CHARACTERS);
		export_say_text(writer, " by ", note.author, EXPORT_TEXT_CHARACTERS);
		export_say_text(writer, ", recorded ", note.created_at, EXPORT_TEXT_CHARACTERS);
		export_say(writer, ": ");
		export_say_note(writer, &note, EXPORT_NOTE_CHARACTERS);
	}
}

void
export_say_edge(ExportWriter *writer, const HumanEdge *edge)
{
	export_say_text(writer, "", edge->type, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", weight ", edge->weight, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", confidence ", edge->confidence, EXPORT_TEXT_CHARACTERS);
}

void
export_say_erasure(ExportWriter *writer, ShownText erased)
{
	export_say(writer, "erased");
	if (*erased.data != '{')
		return;
	export_say_text(writer, " ", shown_member(erased, "at"), EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", by ", shown_member(erased, "by"), EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ": ", shown_member(erased, "reason"), EXPORT_TEXT_CHARACTERS);
}

/* ---------------------------------------------------------------- the state of a node */

typedef struct Corrections
{
	ExportWriter *writer;
	const char *separator;
	const char *words;
	uint32		named;
} Corrections;

static void
name_correction(void *argument, ShownText id)
{
	Corrections *corrections = argument;

	if (corrections->named == NAMED_CORRECTIONS)
		return;
	if (corrections->named++ == 0)
	{
		export_put(corrections->writer, corrections->separator);
		export_say(corrections->writer, corrections->words);
	}
	else
		export_say(corrections->writer, ", ");
	export_say_text(corrections->writer, "", id, EXPORT_TEXT_CHARACTERS);
}

static void
say_number(ExportWriter *writer, const char *separator, uint64 count, const char *one, const char *many)
{
	if (count == 0)
		return;
	export_put(writer, separator);
	writer->scratch.length = 0;
	canonical_write_integer(&writer->scratch, (int64) count);
	say_scratch(writer);
	export_say(writer, count == 1 ? one : many);
}

void
export_say_state(ExportWriter *writer, uint32 node, const ShownRecord *record, const char *separator)
{
	const ExportPart *part = writer->part;
	Corrections by = {writer, separator, "CORRECTED by ", 0};
	Corrections of = {writer, separator, "corrects ", 0};
	uint64		notes = 0;

	export_corrections(part, node, true, name_correction, &by);
	export_corrections(part, node, false, name_correction, &of);
	if (record->erased.data)
	{
		export_put(writer, separator);
		export_say_erasure(writer, record->erased);
	}
	if (record->quarantined.data)
	{
		export_put(writer, separator);
		export_say(writer, "in quarantine");
	}
	if (part->graph->nodes[node].circle != HUMAN_NONE)
	{
		export_put(writer, separator);
		export_say(writer, "in a circle");
	}
	for (uint32 i = part->graph->nodes[node].first_note; i != HUMAN_NONE; i = part->graph->notes[i].next)
		notes++;
	say_number(writer, separator, notes, " annotation", " annotations");
	say_number(writer, separator, export_edges_elsewhere(part, node), " edge to another part", " edges to other parts");
	if (part->leads_on[node])
	{
		export_put(writer, separator);
		export_say(writer, "CUT: the walk stopped here");
	}
}
