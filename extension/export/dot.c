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
	static const char *const codes[128] = {['"'] = "\\\"", ['\\'] = "\\\\", ['&'] = "&amp;"};

	export_replace(out, bytes, length, codes);
}

static void
put_id(ExportWriter *writer, ShownText id)
{
	export_put(writer, "\"");
	export_say_text(writer, "", id, EXPORT_TEXT_CHARACTERS);
	export_put(writer, "\"");
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
	export_say_annotations(writer, node, "\\n");
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
			   export_is_word(edge->type, "contradicts") ?
			   "\", style=dashed];\n" : "\"];\n");
}

void
export_dot(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;

	export_writer_begin(&writer, out, part, escape);
	export_put(&writer, "digraph reasoning {\n  graph [charset=\"UTF-8\", rankdir=TB, labelloc=t, label=\"");
	export_say_head(&writer, "\\n");
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
