/*
 * markdown.c
 *		Markdown, as CommonMark and GitHub read it: a report of a reasoning.
 *
 * https://spec.commonmark.org/0.31.2/#backslash-escapes: a backslash before
 * punctuation of ASCII takes its meaning.  So none ends a cell of a table, opens
 * a tag or a link, or (https://github.github.com/gfm/#autolinks-extension-)
 * makes an address one.  What means something at the beginning of a line alone
 * stays: no text stands there.  The tree stands in a fence that is longer than
 * any in it.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/writer.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "derived/human_circles.h"
#include "derived/human_draw.h"

#include "miscadmin.h"

#define LEAST_FENCE 3

static bool
ends_www(const char *bytes, size_t length)
{
	return length >= 3 && pg_strncasecmp(bytes + length - 3, "www", 3) == 0;
}

void
export_escape_markdown(ByteBuffer *out, const char *bytes, size_t length)
{
	static const char always[256] = {['\\'] = 1, ['`'] = 1, ['*'] = 1, ['_'] = 1, ['{'] = 1, ['}'] = 1, ['['] = 1, [']'] = 1,
									 ['<'] = 1, ['>'] = 1, ['|'] = 1, ['~'] = 1, ['&'] = 1, ['$'] = 1, ['@'] = 1};
	size_t		run = 0;

	for (size_t i = 0; i < length; i++)
	{
		if (!always[(unsigned char) bytes[i]] && !(bytes[i] == ':' && i + 1 < length && bytes[i + 1] == '/') &&
			!(bytes[i] == '.' && ends_www(bytes, i)))
			continue;
		buffer_append(out, bytes + run, i - run);
		buffer_append_char(out, '\\');
		run = i;
	}
	buffer_append(out, bytes + run, length - run);
}

/* ---------------------------------------------------------------- head */

static void
put_fact(ExportWriter *writer, const char *name, ShownText value)
{
	if (value.data == NULL)
		return;
	export_put(writer, "- ");
	export_put(writer, name);
	export_put(writer, ": ");
	export_say_text(writer, "", value, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\n");
}

static void
put_words(ExportWriter *writer, void (*write)(ByteBuffer *out, const ExportPart *part))
{
	writer->scratch.length = 0;
	write(&writer->scratch, writer->part);
	if (writer->scratch.length == 0)
		return;
	export_put(writer, "- ");
	export_say_by(writer, write);
	export_put(writer, "\n");
}

static void
put_head(ExportWriter *writer)
{
	const ExportPart *part = writer->part;

	export_put(writer, "# ");
	export_say_by(writer, export_write_heading);
	export_put(writer, "\n\n");
	put_words(writer, export_write_subject);
	put_words(writer, export_write_identity);
	put_fact(writer, "description", shown_member(part->snapshot, "description"));
	put_fact(writer, "created", shown_member(part->snapshot, "createdAt"));
	put_fact(writer, "hash", shown_member(part->snapshot, "hash"));
	put_fact(writer, "signature", shown_member(part->snapshot, "signature"));
	put_fact(writer, "signer", shown_member(part->snapshot, "signerId"));
	export_put(writer, "- ");
	export_say_by(writer, export_write_extent);
	export_put(writer, "\n");
	if (export_is_cut(part))
	{
		export_put(writer, "\n> **");
		export_say_by(writer, export_write_cut);
		export_put(writer, "**\n");
	}
}

/* ---------------------------------------------------------------- tree */

static void
put_fence(ByteBuffer *out, size_t length)
{
	for (size_t i = 0; i < length; i++)
		buffer_append_char(out, '`');
}

static void
put_tree(ExportWriter *writer)
{
	ByteBuffer	tree;
	size_t		longest = LEAST_FENCE - 1;
	size_t		run = 0;

	buffer_init(&tree, canonical_realloc, CurrentMemoryContext);
	human_draw(&tree, writer->part->graph);
	for (size_t i = 0; i < tree.length; i++)
	{
		run = tree.data[i] == '`' ? run + 1 : 0;
		longest = Max(longest, run);
	}
	export_put(writer, "\n## Reasoning\n\n");
	put_fence(writer->out, longest + 1);
	export_put(writer, "text\n");
	buffer_append(writer->out, tree.data, tree.length);
	put_fence(writer->out, longest + 1);
	export_put(writer, "\n");
	if (tree.data)
		pfree(tree.data);
}

static void
put_circles(ExportWriter *writer)
{
	const HumanGraph *graph = writer->part->graph;
	bool	   *here = human_circles_here(graph);
	uint32		count = 0;

	for (uint32 i = 0; i < graph->circles.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!here[i])
			continue;
		if (count++ == 0)
			export_put(writer, "\n## Circles\n\nWhat lies on a circle is among its own causes: it rests on itself.\n\n");
		export_put(writer, "- ");
		human_write_circle(writer->out, graph, i);
		export_put(writer, "\n");
	}
}

/* ---------------------------------------------------------------- tables */

static void
begin_table(ExportWriter *writer, const char *title, const char *head)
{
	export_put(writer, "\n## ");
	export_put(writer, title);
	export_put(writer, "\n\n");
	export_put(writer, head);
	export_put(writer, "\n");
}

static void
put_cell(ExportWriter *writer, ShownText value)
{
	export_put(writer, "| ");
	export_say_text(writer, "", value, EXPORT_TEXT_CHARACTERS);
	export_put(writer, " ");
}

static void
put_evidence(ExportWriter *writer)
{
	const ExportPart *part = writer->part;
	uint32		count = 0;

	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		ShownText	shown = part->graph->nodes[i].record;
		ShownRecord node;

		CHECK_FOR_INTERRUPTS();
		if (!export_is_evidence(part, i))
			continue;
		if (count++ == 0)
			begin_table(writer, "Evidence",
						"Nodes that nothing led to, as far as this goes. *Recorded* is when the database took it down, *occurred* what its author says.\n\n"
						"| type | what | author | confidence | recorded | occurred | state | id |\n"
						"| --- | --- | --- | --- | --- | --- | --- | --- |");
		node = shown_record(shown.data, shown.length);
		put_cell(writer, node.type);
		export_put(writer, "| ");
		export_say_note(writer, &node, EXPORT_NOTE_CHARACTERS);
		export_put(writer, " ");
		put_cell(writer, node.author);
		put_cell(writer, node.confidence);
		put_cell(writer, node.created_at);
		put_cell(writer, node.ts);
		export_put(writer, "| ");
		export_say_state(writer, i, &node, " ");
		export_put(writer, " ");
		put_cell(writer, node.id);
		export_put(writer, "|\n");
	}
}

static void
put_annotations(ExportWriter *writer)
{
	const HumanGraph *graph = writer->part->graph;

	if (graph->note_count > 0)
		begin_table(writer, "Annotations", "| node | type | what | author | recorded | erased |\n| --- | --- | --- | --- | --- | --- |");
	for (uint32 i = 0; i < graph->node_count; i++)
	{
		for (uint32 k = graph->nodes[i].first_note; k != HUMAN_NONE; k = graph->notes[k].next)
		{
			ShownRecord note = shown_record(graph->notes[k].record.data, graph->notes[k].record.length);

			CHECK_FOR_INTERRUPTS();
			put_cell(writer, shown_member(graph->nodes[i].record, "id"));
			put_cell(writer, note.type);
			export_put(writer, "| ");
			export_say_note(writer, &note, EXPORT_NOTE_CHARACTERS);
			export_put(writer, " ");
			put_cell(writer, note.author);
			put_cell(writer, note.created_at);
			export_put(writer, "| ");
			if (note.erased.data)
				export_say_erasure(writer, note.erased);
			export_put(writer, " |\n");
		}
	}
}

static void
put_erasures(ExportWriter *writer)
{
	const HumanGraph *graph = writer->part->graph;
	uint32		count = 0;

	for (uint32 i = 0; i < graph->node_count; i++)
	{
		ShownText	shown = graph->nodes[i].record;
		ShownText	erased = shown_member(shown, "erased");

		CHECK_FOR_INTERRUPTS();
		if (erased.data == NULL)
			continue;
		if (count++ == 0)
			begin_table(writer, "Erasures", "| node | type | erased |\n| --- | --- | --- |");
		put_cell(writer, shown_member(shown, "id"));
		put_cell(writer, shown_member(shown, "type"));
		export_put(writer, "| ");
		export_say_erasure(writer, erased);
		export_put(writer, " |\n");
	}
}

void
export_markdown(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, part, export_escape_markdown);
	put_head(&writer);
	put_tree(&writer);
	put_circles(&writer);
	put_evidence(&writer);
	put_annotations(&writer);
	put_erasures(&writer);
}
