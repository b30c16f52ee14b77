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
#include "export/writer.h"

#include "core/canonical.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* So many columns of text fit into a box. */
#define BOX_COLUMNS 32
#define HEAD_COLUMNS 110
/* With more lines none has words beside it; they are in its title. */
#define LABELLED_LINES 60
#define LINE_HEIGHT 16
#define LANE_WIDTH 12
/* Lines that the head takes at most, which the layout leaves room for. */
#define HEAD_LINES 7
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

/* ---------------------------------------------------------------- pieces */

/* name="12" */
static void
put_number(ExportWriter *writer, const char *before, int number)
{
	export_put(writer, before);
	export_put_number(writer, number);
	export_put(writer, "\"");
}

static void
begin_text(ExportWriter *writer, const char *class, int x, int y)
{
	export_put(writer, "<text class=\"");
	export_put(writer, class);
	put_number(writer, "\" x=\"", x);
	put_number(writer, " y=\"", y);
	export_put(writer, ">");
}

/* What of a line fits into so many columns; wide characters take two. */
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

/* A line of what stands in the writer's scratch. */
static void
put_line(ExportWriter *writer, const char *class, int x, int y, int columns)
{
	begin_text(writer, class, x, y);
	put_fitted(writer, writer->scratch.data, writer->scratch.length, columns);
	export_put(writer, "</text>\n");
}

static void
add(ExportWriter *writer, const char *words)
{
	buffer_append(&writer->scratch, words, strlen(words));
}

static void
add_text(ExportWriter *writer, const char *before, ShownText value, int most)
{
	if (value.data == NULL)
		return;
	add(writer, before);
	shown_write_plain(&writer->scratch, value, most);
}

/* ---------------------------------------------------------------- head */

static int
put_head_line(ExportWriter *writer, const char *class, int y)
{
	put_line(writer, class, 24, y, HEAD_COLUMNS);
	writer->scratch.length = 0;
	return y + LINE_HEIGHT + 4;
}

static void
put_head(ExportWriter *writer, const Layout *layout)
{
	const ExportPart *part = writer->part;
	int			y = 30;

	writer->scratch.length = 0;
	export_write_title(&writer->scratch, part);
	y = put_head_line(writer, "head", y);
	export_write_extent(&writer->scratch, part);
	y = put_head_line(writer, "small", y);
	if (part->snapshot.data)
	{
		add_text(writer, "", shown_member(part->snapshot, "description"), EXPORT_TEXT_CHARACTERS);
		y = put_head_line(writer, "small", y);
		add_text(writer, "hash ", shown_member(part->snapshot, "hash"), EXPORT_TEXT_CHARACTERS);
		y = put_head_line(writer, "small", y);
		add_text(writer, "created ", shown_member(part->snapshot, "createdAt"), EXPORT_TEXT_CHARACTERS);
		add_text(writer, ", signer ", shown_member(part->snapshot, "signerId"), EXPORT_TEXT_CHARACTERS);
		y = put_head_line(writer, "small", y);
	}
	if (export_is_cut(part))
	{
		export_write_cut(&writer->scratch, part);
		y = put_head_line(writer, "cut", y);
	}
	if (layout->folded > 0)
	{
		add(writer, "FOLDED: ");
		canonical_write_integer(&writer->scratch, layout->folded);
		add(writer, " nodes stand in boxes for many. Ask for less depth, or for a smaller page.");
		put_head_line(writer, "cut", y);
	}
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
	put_number(writer, "<rect class=\"box\" rx=\"6\" x=\"", box->x);
	put_number(writer, " y=\"", box->y);
	put_number(writer, " width=\"", LAYOUT_BOX_WIDTH);
	put_number(writer, " height=\"", LAYOUT_BOX_HEIGHT);
	export_put(writer, "/>\n");
}

static void
put_flags(ExportWriter *writer, const LayoutBox *box, const ShownRecord *record)
{
	const ExportPart *part = writer->part;

	writer->scratch.length = 0;
	if (export_corrections(part, box->node, true, NULL, NULL) > 0)
		add(writer, " CORRECTED");
	if (record->erased.data)
		add(writer, " ERASED");
	if (record->quarantined.data)
		add(writer, " HELD");
	if (part->graph->nodes[box->node].first_note != HUMAN_NONE)
		add(writer, " NOTED");
	if (part->leads_on[box->node])
		add(writer, " CUT");
	if (export_edges_elsewhere(part, box->node) > 0)
		add(writer, " MORE");
	if (writer->scratch.length > 0)
		put_line(writer, "flag", box->x + LAYOUT_BOX_WIDTH - 8, box->y + 17, BOX_COLUMNS);
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
	add_text(writer, "", record.type, BOX_COLUMNS + 1);
	add_text(writer, " ", record.confidence, BOX_COLUMNS + 1);
	put_line(writer, "type", x, y, BOX_COLUMNS);
	put_flags(writer, box, &record);
	writer->scratch.length = 0;
	if (record.erased.data)
		add(writer, "(payload erased)");
	else
		add_text(writer, "", note.data ? note : record.payload, BOX_COLUMNS + 1);
	put_line(writer, "note", x, y + LINE_HEIGHT, BOX_COLUMNS);
	writer->scratch.length = 0;
	add_text(writer, "by ", record.author, BOX_COLUMNS + 1);
	put_line(writer, "small", x, y + 2 * LINE_HEIGHT, BOX_COLUMNS + 2);
	writer->scratch.length = 0;
	add(writer, "recorded ");
	/* Seconds are enough here; the title has all of it. */
	buffer_append(&writer->scratch, record.created_at.data + 1, SECONDS_LENGTH);
	add(writer, "Z");
	put_line(writer, "small", x, y + 3 * LINE_HEIGHT, BOX_COLUMNS + 2);
	export_put(writer, "</g>\n");
}

static void
put_many(ExportWriter *writer, const LayoutBox *box)
{
	writer->scratch.length = 0;
	canonical_write_integer(&writer->scratch, box->folded);
	add(writer, box->level == LAYOUT_LEVELS ? " nodes further away" : box->folded == 1 ? " more node" : " more nodes");
	export_put(writer, "<g class=\"many\">\n<title>");
	writer->escape(writer->out, writer->scratch.data, writer->scratch.length);
	export_put(writer, " at this distance, folded</title>\n");
	put_rectangle(writer, box);
	put_line(writer, "type", box->x + 8, box->y + 18 + LINE_HEIGHT, BOX_COLUMNS);
	export_put(writer, "</g>\n");
}

/* ---------------------------------------------------------------- lines */

static void
put_point(ExportWriter *writer, const char *command, int x, int y)
{
	export_put(writer, command);
	export_put_number(writer, x);
	export_put(writer, ",");
	export_put_number(writer, y);
}

static void
put_curve(ExportWriter *writer, const int points[8])
{
	put_point(writer, "M", points[0], points[1]);
	put_point(writer, " C", points[2], points[3]);
	put_point(writer, " ", points[4], points[5]);
	put_point(writer, " ", points[6], points[7]);
}

/* From below the cause to above the effect; sideways where that does not lie below. */
static void
find_curve(const LayoutBox *from, const LayoutBox *to, uint32 lane, int points[8])
{
	int			shift = (int) lane * LANE_WIDTH;
	int			right = LAYOUT_BOX_WIDTH;
	int			middle = LAYOUT_BOX_WIDTH / 2 + shift;

	if (from->y + LAYOUT_BOX_HEIGHT <= to->y)
	{
		int			bend = (to->y - from->y - LAYOUT_BOX_HEIGHT) / 2;
		int			curve[8] = {from->x + middle, from->y + LAYOUT_BOX_HEIGHT, from->x + middle, from->y + LAYOUT_BOX_HEIGHT + bend,
								to->x + middle, to->y - bend, to->x + middle, to->y};

		memcpy(points, curve, sizeof(curve));
	}
	else if (from->y == to->y && from->x != to->x)
	{
		int			bottom = from->y + LAYOUT_BOX_HEIGHT;
		int			curve[8] = {from->x + middle, bottom, from->x + middle, bottom + 28 + shift,
								to->x + middle, bottom + 28 + shift, to->x + middle, bottom};

		memcpy(points, curve, sizeof(curve));
	}
	else
	{
		int			far = Max(from->x, to->x) + right + 40 + shift;
		int			curve[8] = {from->x + right, from->y + 24, far, from->y + 24, far, to->y + 50, to->x + right, to->y + 50};

		memcpy(points, curve, sizeof(curve));
	}
}

static const char *
class_of(const HumanEdge *edge)
{
	if (edge->corrects)
		return "line corrects";
	if (export_is_word(edge->type, "contradicts"))
		return "line contradicts";
	return "line";
}

/* In tenths of a pixel, by weight. */
static int
thickness_of(const HumanEdge *edge)
{
	double		weight = edge->weight.data ? strtod(pnstrdup(edge->weight.data, edge->weight.length), NULL) : 1;

	return weight >= 1 ? 24 : weight > 0 ? 10 + (int) (14 * weight) : 10;
}

static void
put_line_between(ExportWriter *writer, const Layout *layout, const LayoutLine *line)
{
	const HumanEdge *edge = &writer->part->graph->edges[line->edge];
	int			points[8];
	int			tenths = line->count > 1 ? 24 : thickness_of(edge);

	find_curve(&layout->boxes[line->from], &layout->boxes[line->to], line->lane, points);
	export_put(writer, "<path class=\"");
	export_put(writer, line->count > 1 ? "line" : class_of(edge));
	export_put(writer, "\" stroke-width=\"");
	export_put_number(writer, tenths / 10);
	export_put(writer, ".");
	export_put_number(writer, tenths % 10);
	export_put(writer, "\" marker-end=\"url(#tip)\" d=\"");
	put_curve(writer, points);
	export_put(writer, "\"><title>");
	if (line->count > 1)
	{
		export_put_number(writer, line->count);
		export_say(writer, " edges");
	}
	else
	{
		export_say_edge(writer, edge);
		export_say_text(writer, ", from ", edge->from_text, EXPORT_TEXT_CHARACTERS);
		export_say_text(writer, " to ", edge->to_text, EXPORT_TEXT_CHARACTERS);
	}
	export_put(writer, "</title></path>\n");
}

static void
put_label(ExportWriter *writer, const Layout *layout, const LayoutLine *line)
{
	const HumanEdge *edge = &writer->part->graph->edges[line->edge];
	int			p[8];

	if (line->count > 1)
		return;
	find_curve(&layout->boxes[line->from], &layout->boxes[line->to], line->lane, p);
	writer->scratch.length = 0;
	add_text(writer, "", edge->type, BOX_COLUMNS);
	add_text(writer, " ", edge->weight, BOX_COLUMNS);
	/* Half way along the curve; several between the same two one below the other. */
	put_line(writer, "label", (p[0] + 3 * p[2] + 3 * p[4] + p[6]) / 8, (p[1] + 3 * p[3] + 3 * p[5] + p[7]) / 8 + 4 + (int) line->lane * 11, BOX_COLUMNS);
}

/* ---------------------------------------------------------------- the picture */

static void
begin_picture(ExportWriter *writer, const Layout *layout)
{
	int			width = Max(layout->width, 760);

	put_number(writer, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"title description\" width=\"", width);
	put_number(writer, " height=\"", layout->height);
	put_number(writer, " viewBox=\"0 0 ", width);
	writer->out->length--;
	export_put(writer, " ");
	export_put_number(writer, layout->height);
	export_put(writer, "\">\n<title id=\"title\">");
	export_say_by(writer, export_write_title);
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
	Layout	   *layout = layout_of(part, HEAD_LINES * (LINE_HEIGHT + 4) + 10);

	export_writer_begin(&writer, out, part, escape);
	begin_picture(&writer, layout);
	put_head(&writer, layout);
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_line_between(&writer, layout, &layout->lines[i]);
	}
	for (uint32 i = 0; i < layout->box_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (layout->boxes[i].node == HUMAN_NONE)
			put_many(&writer, &layout->boxes[i]);
		else
			put_node(&writer, &layout->boxes[i]);
	}
	for (uint32 i = 0; i < layout->line_count && layout->line_count <= LABELLED_LINES; i++)
		put_label(&writer, layout, &layout->lines[i]);
	export_put(&writer, "</svg>\n");
}
