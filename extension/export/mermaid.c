/*
 * mermaid.c
 *		A flowchart of Mermaid.
 *
 * https://mermaid.js.org/syntax/flowchart.html, "Entity codes to escape
 * characters": #35; stands for the character of that number.  Whatever could
 * mean something to it or to the HTML that it makes is written so: directives
 * and comments (%%), Markdown, icons (fa:), formulas ($$), tags and entities.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/writer.h"

#include "miscadmin.h"

static bool
is_plain(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' || c == ',';
}

static void
escape(ByteBuffer *out, const char *bytes, size_t length)
{
	char	   *p;

	/* "#36;<wbr/>" is the longest. */
	if (!buffer_reserve(out, 10 * length))
		return;
	p = out->data + out->length;
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];

		if (is_plain(c))
		{
			*p++ = c;
			continue;
		}
		*p++ = '#';
		if (c >= 100)
			*p++ = '1';
		if (c >= 10)
			*p++ = '0' + c / 10 % 10;
		*p++ = '0' + c % 10;
		*p++ = ';';
		/* Mermaid looks for formulas ($$) and icons (fa:fa-) once codes are characters again: they come apart. */
		if (i + 1 < length && ((c == '$' && bytes[i + 1] == '$') || (c == ':' && bytes[i + 1] == 'f')))
		{
			memcpy(p, "<wbr/>", 6);
			p += 6;
		}
	}
	out->length = p - out->data;
}

static void
put_name(ExportWriter *writer, uint32 node)
{
	export_put(writer, "n");
	export_put_number(writer, node);
}

static void
put_node(ExportWriter *writer, uint32 node)
{
	ShownText	shown = writer->part->graph->nodes[node].record;
	ShownRecord record = shown_record(shown.data, shown.length);

	export_put(writer, "    ");
	put_name(writer, node);
	export_put(writer, "[\"");
	export_say_text(writer, "", record.type, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", confidence ", record.confidence, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "<br/>");
	export_say_note(writer, &record, EXPORT_NOTE_CHARACTERS);
	export_put(writer, "<br/>");
	export_say_text(writer, "by ", record.author, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "<br/>");
	export_say_text(writer, "recorded ", record.created_at, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", occurred ", record.ts, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "<br/>");
	export_say_text(writer, "id ", record.id, EXPORT_TEXT_CHARACTERS);
	export_say_state(writer, node, &record, "<br/>");
	export_say_annotations(writer, node, "<br/>");
	export_put(writer, "\"]\n");
}

/* Ends on other parts are boxes of their own, one for each edge. */
static void
put_edge(ExportWriter *writer, uint32 number)
{
	const HumanGraph *graph = writer->part->graph;
	const HumanTree *tree = writer->part->tree;
	const HumanEdge *edge = &graph->edges[number];
	uint32		from = graph->upwards ? tree->below[number] : tree->above[number];
	uint32		to = graph->upwards ? tree->above[number] : tree->below[number];

	if (from == HUMAN_NONE || to == HUMAN_NONE)
	{
		export_put(writer, "    e");
		export_put_number(writer, number);
		export_put(writer, "([\"");
		export_say_text(writer, "", from == HUMAN_NONE ? edge->from_text : edge->to_text, EXPORT_TEXT_CHARACTERS);
		export_say(writer, ", on another part");
		export_put(writer, "\"])\n");
	}
	export_put(writer, "    ");
	export_put(writer, from == HUMAN_NONE ? "e" : "n");
	export_put_number(writer, from == HUMAN_NONE ? number : from);
	export_put(writer, edge->corrects ? " -.->|\"" : export_is_word(edge->type, "contradicts") ? " --x|\"" : " -->|\"");
	export_say_edge(writer, edge);
	export_put(writer, "\"| ");
	export_put(writer, to == HUMAN_NONE ? "e" : "n");
	export_put_number(writer, to == HUMAN_NONE ? number : to);
	export_put(writer, "\n");
}

void
export_mermaid(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, part, escape);
	export_put(&writer, "flowchart TB\n    title[\"");
	export_say_head(&writer, "<br/>");
	export_put(&writer, "\"]\n    style title fill:none,stroke:none\n");
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_node(&writer, i);
	}
	for (uint32 i = 0; i < part->graph->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_edge(&writer, i);
	}
}
