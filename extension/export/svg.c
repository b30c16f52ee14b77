/*
 * svg.c
 *		A picture of a part: SVG 1.1, still, without scripts, that reads well by day and by night and aloud.
 *
 * https://www.w3.org/TR/SVG11/, https://www.w3.org/TR/xml/#charsets.  Colours
 * follow the reader's scheme by a media query.  Each box and line has a title
 * that says everything of it, which pointers show and screen readers read.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/layout.h"
#include "export/svg_lines.h"
#include "export/svg_pieces.h"
#include "export/writer.h"

#include "canonical/backend.h"
#include "core/canonical.h"

#include "miscadmin.h"

/* So many columns of text fit into a box. */
#define BOX_COLUMNS 32
/* And above the boxes, where a picture is as narrow as it can be. */
#define HEADING_COLUMNS 72
#define HEAD_COLUMNS 110
#define LINE_HEIGHT 16
/* A narrower picture would have no room for its head. */
#define LEAST_WIDTH 760
/* A time without fraction and zone. */
#define SECONDS_LENGTH 19

static const char style[] =
	"<style>\n"
	"text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;font-size:12px;fill:#1b1f24}\n"
	".ground{fill:#ffffff}.box{fill:#f6f8fa;stroke:#57606a}.decision .box{fill:#ddf4ff;stroke:#0550ae;stroke-width:2}\n"
	".corrected .box{stroke:#bc4c00;stroke-width:2}.gone .box{stroke-dasharray:5 4}.many .box{stroke-dasharray:2 3}\n"
	".type{font-weight:bold}.small{fill:#4d5660;font-size:11px}.flag{fill:#953800;font-size:10px;font-weight:bold;text-anchor:end}\n"
	".head{font-size:16px;font-weight:bold}.cut{fill:#953800;font-weight:bold}.label{fill:#4d5660;font-size:10px;text-anchor:middle}\n"
	".line{fill:none;stroke:#6e7781}.tip{fill:#6e7781}.contradicts{stroke:#a40e26;stroke-dasharray:7 4}.corrects{stroke:#bc4c00;stroke-dasharray:2 4}\n"
	"@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.box{fill:#161b22;stroke:#9da7b3}.decision .box{fill:#0c2d4d;stroke:#79c0ff}\n"
	".corrected .box{stroke:#ffa657}.small,.label{fill:#b1bac4}.flag,.cut{fill:#ffa657}.line{stroke:#8b949e}.tip{fill:#8b949e}.contradicts{stroke:#ff7b72}.corrects{stroke:#ffa657}}\n"
	"</style>\n";

/* Characters that XML has none of come as escapes of JSON. */
static void
escape(ByteBuffer *out, const char *bytes, size_t length)
{
	static const char *const codes[128] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;"};

	export_replace(out, bytes, length, codes);
}

/* ---------------------------------------------------------------- head */

/* What stands in the scratch, if anything does. */
static int
put_head_line(ExportWriter *writer, const char *class, int y)
{
	if (writer->scratch.length == 0)
		return y;
	svg_put_line(writer, class, 24, y, strcmp(class, "head") == 0 ? HEADING_COLUMNS : HEAD_COLUMNS);
	writer->scratch.length = 0;
	return y + LINE_HEIGHT + 4;
}

/* Writes what stands above the boxes; returns where they may begin. */
static int
put_head(ExportWriter *writer, const Layout *layout)
{
	const ExportPart *part = writer->part;
	int			y = 30;

	writer->scratch.length = 0;
	export_write_heading(&writer->scratch, part);
	y = put_head_line(writer, "head", y);
	export_write_subject(&writer->scratch, part);
	y = put_head_line(writer, "small", y);
	export_write_identity(&writer->scratch, part);
	y = put_head_line(writer, "small", y);
	export_write_extent(&writer->scratch, part);
	y = put_head_line(writer, "small", y);
	if (part->snapshot.data)
	{
		svg_add_text(writer, "hash ", shown_member(part->snapshot, "hash"), EXPORT_TEXT_CHARACTERS);
		y = put_head_line(writer, "small", y);
		svg_add_text(writer, "created ", shown_member(part->snapshot, "createdAt"), EXPORT_TEXT_CHARACTERS);
		svg_add_text(writer, ", signer ", shown_member(part->snapshot, "signerId"), EXPORT_TEXT_CHARACTERS);
		y = put_head_line(writer, "small", y);
	}
	if (export_is_cut(part))
	{
		export_write_cut(&writer->scratch, part);
		y = put_head_line(writer, "cut", y);
	}
	if (layout->folded > 0)
	{
		svg_add(writer, "FOLDED: ");
		canonical_write_integer(&writer->scratch, layout->folded);
		svg_add(writer, " nodes stand in boxes for many. Ask for less depth, or for a smaller page.");
		y = put_head_line(writer, "cut", y);
	}
	return y;
}

/* ---------------------------------------------------------------- boxes */

static void
put_node_title(ExportWriter *writer, uint32 node, const ShownRecord *record)
{
	export_put(writer, "<title>");
	export_say_text(writer, "", record->type, EXPORT_TEXT_CHARACTERS);
	export_say(writer, ": ");
	export_say_note(writer, record, EXPORT_NOTE_CHARACTERS);
	export_say_text(writer, ", by ", record->author, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", confidence ", record->confidence, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", recorded ", record->created_at, EXPORT_TEXT_CHARACTERS);
	export_say_text(writer, ", occurred ", record->ts, EXPORT_TEXT_CHARACTERS);
	export_say_state(writer, node, record, ", ");
	export_say_text(writer, ", id ", record->id, EXPORT_TEXT_CHARACTERS);
	export_say_annotations(writer, node, "; ");
	export_put(writer, "</title>\n");
}

static void
put_rectangle(ExportWriter *writer, const LayoutBox *box)
{
	svg_put_number(writer, "<rect class=\"box\" rx=\"6\" x=\"", box->x);
	svg_put_number(writer, " y=\"", box->y);
	svg_put_number(writer, " width=\"", LAYOUT_BOX_WIDTH);
	svg_put_number(writer, " height=\"", LAYOUT_BOX_HEIGHT);
	export_put(writer, "/>\n");
}

static void
put_flags(ExportWriter *writer, const LayoutBox *box, const ShownRecord *record)
{
	const ExportPart *part = writer->part;

	writer->scratch.length = 0;
	if (export_corrections(part, box->node, true, NULL, NULL) > 0)
		svg_add(writer, " CORRECTED");
	if (record->erased.data)
		svg_add(writer, " ERASED");
	if (record->quarantined.data)
		svg_add(writer, " HELD");
	if (part->graph->nodes[box->node].circle != HUMAN_NONE)
		svg_add(writer, " CIRCLE");
	if (part->graph->nodes[box->node].first_note != HUMAN_NONE)
		svg_add(writer, " NOTED");
	if (part->leads_on[box->node])
		svg_add(writer, " CUT");
	if (export_edges_elsewhere(part, box->node) > 0)
		svg_add(writer, " MORE");
	if (writer->scratch.length > 0)
		svg_put_line(writer, "flag", box->x + LAYOUT_BOX_WIDTH - 8, box->y + 17, BOX_COLUMNS);
}

static void
put_node(ExportWriter *writer, const LayoutBox *box)
{
	ShownText	shown = writer->part->graph->nodes[box->node].record;
	ShownRecord record = shown_record(shown.data, shown.length);
	ShownText	note = shown_note(&record);
	int			x = box->x + 8;
	int			y = box->y + 18;

	export_put(writer, "<g class=\"node");
	export_put(writer, export_is_word(record.type, "decision") ? " decision" : "");
	export_put(writer, export_corrections(writer->part, box->node, true, NULL, NULL) > 0 ? " corrected" : "");
	export_put(writer, record.erased.data || record.quarantined.data ? " gone\">\n" : "\">\n");
	put_node_title(writer, box->node, &record);
	put_rectangle(writer, box);
	writer->scratch.length = 0;
	svg_add_text(writer, "", record.type, BOX_COLUMNS + 1);
	svg_put_line(writer, "type", x, y, BOX_COLUMNS);
	put_flags(writer, box, &record);
	writer->scratch.length = 0;
	if (record.erased.data)
		svg_add(writer, "(payload erased)");
	else
		svg_add_text(writer, "", note.data ? note : record.payload, BOX_COLUMNS + 1);
	svg_put_line(writer, "note", x, y + LINE_HEIGHT, BOX_COLUMNS);
	writer->scratch.length = 0;
	svg_add_text(writer, "by ", record.author, BOX_COLUMNS + 1);
	svg_put_line(writer, "small", x, y + 2 * LINE_HEIGHT, BOX_COLUMNS + 2);
	writer->scratch.length = 0;
	svg_add(writer, "recorded ");
	/* Seconds are enough here; the title has all of it. */
	buffer_append(&writer->scratch, record.created_at.data + 1, SECONDS_LENGTH);
	svg_add(writer, "Z");
	svg_put_line(writer, "small", x, y + 3 * LINE_HEIGHT, BOX_COLUMNS + 2);
	writer->scratch.length = 0;
	svg_add_text(writer, "confidence ", record.confidence, BOX_COLUMNS + 1);
	if (writer->scratch.length > 0)
		svg_put_line(writer, "small", x, y + 4 * LINE_HEIGHT, BOX_COLUMNS + 2);
	export_put(writer, "</g>\n");
}

static void
put_many(ExportWriter *writer, const LayoutBox *box)
{
	writer->scratch.length = 0;
	canonical_write_integer(&writer->scratch, box->folded);
	svg_add(writer, box->level == LAYOUT_LEVELS ? " nodes further away" : box->folded == 1 ? " more node" : " more nodes");
	export_put(writer, "<g class=\"many\">\n<title>");
	writer->escape(writer->out, writer->scratch.data, writer->scratch.length);
	export_put(writer, " at this distance, folded</title>\n");
	put_rectangle(writer, box);
	svg_put_line(writer, "type", box->x + 8, box->y + 18 + 2 * LINE_HEIGHT, BOX_COLUMNS);
	export_put(writer, "</g>\n");
}

/* ---------------------------------------------------------------- the picture */

/* What the picture is about in words: the description of a snapshot, or what its first node says of itself. */
static void
say_subject(ExportWriter *writer)
{
	const ExportPart *part = writer->part;
	ShownText	description = shown_member(part->snapshot, "description");
	ShownRecord first;

	if (description.data)
		export_say_text(writer, ": ", description, EXPORT_NOTE_CHARACTERS);
	/* A later part begins with some other node. */
	if (description.data || part->begin > 0 || part->graph->node_count == 0)
		return;
	first = shown_record(part->graph->nodes[0].record.data, part->graph->nodes[0].record.length);
	export_say(writer, ": ");
	export_say_note(writer, &first, EXPORT_NOTE_CHARACTERS);
}

static void
begin_picture(ExportWriter *writer, int width, int height)
{
	svg_put_number(writer, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"title description\" width=\"", width);
	svg_put_number(writer, " height=\"", height);
	svg_put_number(writer, " viewBox=\"0 0 ", width);
	writer->out->length--;
	export_put(writer, " ");
	export_put_number(writer, height);
	export_put(writer, "\">\n<title id=\"title\">");
	export_say_by(writer, export_write_title);
	say_subject(writer);
	export_put(writer, "</title>\n<desc id=\"description\">");
	export_say(writer, "Causes stand above their effects. ");
	export_say_by(writer, export_write_extent);
	export_say(writer, ". ");
	export_say_by(writer, export_write_cut);
	export_put(writer, "</desc>\n");
	export_put(writer, style);
	export_put(writer, "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\""
			   " orient=\"auto\"><path class=\"tip\" d=\"M0,0 L8,4 L0,8 Z\"/></marker></defs>\n"
			   "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n");
}

void
export_svg(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;
	ByteBuffer	head;
	Layout	   *layout = layout_of(part);
	int			top;

	/* The head decides where the boxes begin, and so the height, which stands before it. */
	buffer_init(&head, canonical_realloc, CurrentMemoryContext);
	export_writer_begin(&writer, &head, part, escape);
	top = put_head(&writer, layout);
	export_writer_begin(&writer, out, part, escape);
	begin_picture(&writer, Max(layout->width, LEAST_WIDTH), top + layout->height);
	buffer_append(out, head.data, head.length);
	svg_put_number(&writer, "<g transform=\"translate(0 ", top);
	out->length--;
	export_put(&writer, ")\">\n");
	svg_put_lines(&writer, layout);
	for (uint32 i = 0; i < layout->box_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (layout->boxes[i].node == HUMAN_NONE)
			put_many(&writer, &layout->boxes[i]);
		else
			put_node(&writer, &layout->boxes[i]);
	}
	svg_put_labels(&writer, layout);
	export_put(&writer, "</g>\n</svg>\n");
}
