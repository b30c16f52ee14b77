/*
 * dot.c
 *		DOT, the language of Graphviz.
 *
 * https://graphviz.org/doc/info/lang.html: within a quoted string only \" is
 * escaped; what is an escString besides (labels, tooltips) has \N, \G, \l and
 * the like, where \\ is a backslash; and labels know HTML's entities.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/writer.h"

#include "miscadmin.h"

static void
escape(ByteBuffer *out, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		switch (bytes[i])
		{
			case '"':
				buffer_append_literal(out, "\\\"");
				break;
			case '\\':
				buffer_append_literal(out, "\\\\");
				break;
			case '&':
				buffer_append_literal(out, "&amp;");
				break;
			default:
				buffer_append_char(out, bytes[i]);
		}
	}
}

static void
put_id(ExportWriter *writer, ShownText id)
{
	export_put(writer, "\"");
	export_say_text(writer, "", id, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\"");
}

static void
put_annotations(ExportWriter *writer, uint32 node)
{
	const HumanGraph *graph = writer->part->graph;

	for (uint32 i = graph->nodes[node].first_note; i != HUMAN_NONE; i = graph->notes[i].next)
	{
		ShownRecord note = shown_record(graph->notes[i].record.data, graph->notes[i].record.length);

		CHECK_FOR_INTERRUPTS();
		export_put(writer, "\\n");
		export_say_text(writer, "", note.type, EXPORT_TEXT_CHARACTERS);
		export_say_text(writer, " by ", note.author, EXPORT_TEXT_CHARACTERS);
		export_say_text(writer, ", recorded ", note.created_at, EXPORT_TEXT_CHARACTERS);
		export_say(writer, ": ");
		export_say_note(writer, &note, EXPORT_NOTE_CHARACTERS);
	}
}

static void
put_node(ExportWriter *writer, uint32 node)
{
	ShownText	shown = writer->part->graph->nodes[node].record;
	ShownRecord record = shown_record(shown.data, shown.length);

	export_put(writer, "  ");
	put_id(writer, record.id);
	export_put(writer, " [label=\"");
	export_say_text(writer, "", record.type, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", confidence ", record.confidence, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\\n");
	export_say_note(writer, &record, EXPORT_NOTE_CHARACTERS);
	export_put(writer, "\\n");
	export_say_text(writer, "by ", record.author, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\\n");
	export_say_text(writer, "recorded ", record.created_at, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", occurred ", record.ts, EXPORT_TEXT_CHARACTERS);
	export_say_state(writer, node, &record, "\\n");
	put_annotations(writer, node);
	export_put(writer, "\"");
	if (record.erased.data || record.quarantined.data)
		export_put(writer, ", style=dashed");
	export_put(writer, "];\n");
}

static void
put_edge(ExportWriter *writer, const HumanEdge *edge)
{
	export_put(writer, "  ");
	put_id(writer, edge->from_text);
	export_put(writer, " -> ");
	put_id(writer, edge->to_text);
	export_put(writer, " [label=\"");
	export_say_edge(writer, edge);
	export_put(writer, edge->corrects ? "\", style=dotted];\n" :
			   edge->type.length == strlen("\"contradicts\"") && memcmp(edge->type.data, "\"contradicts\"", edge->type.length) == 0 ?
			   "\", style=dashed];\n" : "\"];\n");
}

void
export_dot(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, part, escape);
	export_put(&writer, "digraph reasoning {\n  graph [charset=\"UTF-8\", rankdir=TB, labelloc=t, label=\"");
	export_say_by(&writer, export_write_title);
	export_put(&writer, "\\n");
	export_say_by(&writer, export_write_extent);
	if (export_is_cut(part))
	{
		export_put(&writer, "\\n");
		export_say_by(&writer, export_write_cut);
	}
	export_put(&writer, "\"];\n  node [shape=box];\n");
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_node(&writer, i);
	}
	for (uint32 i = 0; i < part->graph->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_edge(&writer, &part->graph->edges[i]);
	}
	export_put(&writer, "}\n");
}
