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

#include "canonical/backend.h"
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
/* Beside a column of boxes there is room for lines to it and from it; so far from the boxes. */
#define GUTTER_IN 10
#define GUTTER_OUT 16
/* Where such lines enter a box, and leave it, from its upper edge. */
#define ENTERS_AT 24
#define LEAVES_AT 50
#define BEND 8
/* About as much as a label is wide, and so many of a box have room below it. */
#define LABEL_WIDTH 90
#define MOST_LABELS 2
/* Lines that go up stay so far from the edge of the picture. */
#define EDGE 16
/* A time without fraction and zone. */
#define SECONDS_LENGTH 19

static const char style[] =
	"<style>\n"
	"text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;font-size:12px;fill:#1b1f24}\n"
	".ground{fill:#ffffff}.box{fill:#f6f8fa;stroke:#57606a}.decision .box{fill:#ddf4ff;stroke:#0550ae;stroke-width:2}\n"
	".corrected .box{stroke:#bc4c00;stroke-width:2}.gone .box{stroke-dasharray:5 4}.many .box{stroke-dasharray:2 3}\n"
	".type{font-weight:bold}.small{fill:#4d5660;font-size:11px}.flag{fill:#953800;font-size:10px;font-weight:bold;text-anchor:end}\n"
	".head{font-size:16px;font-weight:bold}.cut{fill:#953800;font-weight:bold}.label{fill:#4d5660;font-size:10px;text-anchor:middle;paint-order:stroke;stroke:#ffffff;stroke-width:3px}\n"
	".line{fill:none;stroke:#6e7781}.tip{fill:#6e7781}.contradicts{stroke:#a40e26;stroke-dasharray:7 4}.corrects{stroke:#bc4c00;stroke-dasharray:2 4}\n"
	"@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.box{fill:#161b22;stroke:#9da7b3}.decision .box{fill:#0c2d4d;stroke:#79c0ff}\n"
	".corrected .box{stroke:#ffa657}.small,.label{fill:#b1bac4}.label{stroke:#0d1117}.flag,.cut{fill:#ffa657}.line{stroke:#8b949e}.tip{fill:#8b949e}.contradicts{stroke:#ff7b72}.corrects{stroke:#ffa657}}\n"
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

/* Writes what stands above the boxes; returns where they may begin. */
static int
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
	if (part->graph->nodes[box->node].circle != HUMAN_NONE)
		add(writer, " CIRCLE");
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

/* A line: a curve, and beside levels of several rows what leads to it and from it. */
typedef struct Route
{
	int			curve[8];
	bool		leaves_aside;	/* from a row that has others below it */
	bool		enters_aside;	/* into a row that has others above it */
} Route;

static void
set_curve(Route *route, int x1, int y1, int x2, int y2, int x3, int y3, int x4, int y4)
{
	int			curve[8] = {x1, y1, x2, y2, x3, y3, x4, y4};

	memcpy(route->curve, curve, sizeof(curve));
}

/* From below the cause to above the effect; sideways where that does not lie below. */
static Route
find_route(const LayoutBox *from, const LayoutBox *to, uint32 lane)
{
	int			shift = (int) lane * LANE_WIDTH;
	int			right = LAYOUT_BOX_WIDTH;
	int			middle = LAYOUT_BOX_WIDTH / 2 + shift;
	int			below = from->y + LAYOUT_BOX_HEIGHT;
	Route		route = {.leaves_aside = false};

	if (from->bottom <= to->top)
	{
		int			bend = (to->top - from->bottom) / 2;
		int			start;
		int			end;

		route.leaves_aside = below < from->bottom;
		route.enters_aside = to->y > to->top;
		start = from->x + (route.leaves_aside ? right + GUTTER_OUT : middle);
		end = to->x + (route.enters_aside ? right + GUTTER_IN : middle);
		set_curve(&route, start, from->bottom, start, from->bottom + bend, end, to->top - bend, end, to->top);
	}
	else if (from == to)
		set_curve(&route, from->x + right - 16, below, from->x + right - 16, below + 32 + shift / 4,
				  from->x + right - 100, below + 32 + shift / 4, from->x + right - 100, below);
	else if (from->y == to->y)
		set_curve(&route, from->x + middle, below, from->x + middle, below + 28 + shift,
				  to->x + middle, below + 28 + shift, to->x + middle, below);
	else
	{
		int			far = Max(from->x, to->x) + right + 40 + shift;

		set_curve(&route, from->x + right, from->y + ENTERS_AT, far, from->y + ENTERS_AT,
				  far, to->y + LEAVES_AT, to->x + right, to->y + LEAVES_AT);
	}
	return route;
}

static void
put_route(ExportWriter *writer, const LayoutBox *from, const LayoutBox *to, const Route *route)
{
	const int  *curve = route->curve;

	if (route->leaves_aside)
	{
		put_point(writer, "M", from->x + LAYOUT_BOX_WIDTH, from->y + LEAVES_AT);
		put_point(writer, " Q", curve[0], from->y + LEAVES_AT);
		put_point(writer, " ", curve[0], from->y + LEAVES_AT + BEND);
		put_point(writer, " L", curve[0], curve[1]);
	}
	else
		put_point(writer, "M", curve[0], curve[1]);
	put_point(writer, " C", curve[2], curve[3]);
	put_point(writer, " ", curve[4], curve[5]);
	put_point(writer, " ", curve[6], curve[7]);
	if (route->enters_aside)
	{
		put_point(writer, " L", curve[6], to->y + ENTERS_AT - BEND);
		put_point(writer, " Q", curve[6], to->y + ENTERS_AT);
		put_point(writer, " ", to->x + LAYOUT_BOX_WIDTH, to->y + ENTERS_AT);
	}
}

/* As far right as a line goes. */
static int
reach_of(const Layout *layout, const LayoutLine *line)
{
	Route		route = find_route(&layout->boxes[line->from], &layout->boxes[line->to], line->lane);

	return Max(Max(route.curve[0], route.curve[2]), Max(route.curve[4], route.curve[6]));
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
	const LayoutBox *from = &layout->boxes[line->from];
	const LayoutBox *to = &layout->boxes[line->to];
	Route		route = find_route(from, to, line->lane);
	int			tenths = line->count > 1 ? 24 : thickness_of(edge);

	export_put(writer, "<path class=\"");
	export_put(writer, line->count > 1 ? "line" : class_of(edge));
	export_put(writer, "\" stroke-width=\"");
	export_put_number(writer, tenths / 10);
	export_put(writer, ".");
	export_put_number(writer, tenths % 10);
	export_put(writer, "\" marker-end=\"url(#tip)\" d=\"");
	put_route(writer, from, to, &route);
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

/* Where no box and, as far as may be, no other label stands. `below` counts those below each box. */
static void
put_label(ExportWriter *writer, const Layout *layout, const LayoutLine *line, uint8 *below)
{
	const HumanEdge *edge = &writer->part->graph->edges[line->edge];
	const LayoutBox *from = &layout->boxes[line->from];
	const LayoutBox *to = &layout->boxes[line->to];
	Route		route = find_route(from, to, line->lane);
	const int  *p = route.curve;
	int			x = (p[0] + 3 * p[2] + 3 * p[4] + p[6]) / 8;
	int			y = (p[1] + 3 * p[3] + 3 * p[5] + p[7]) / 8 + 4 + (int) line->lane * 11;

	if (line->count > 1)
		return;
	if (route.leaves_aside || from == to)
	{
		if (below[line->from] >= MOST_LABELS)
			return;
		x = from->x + LAYOUT_BOX_WIDTH - 58 - below[line->from]++ * LABEL_WIDTH;
		y = from->y + LAYOUT_BOX_HEIGHT + 17;
	}
	else if (route.enters_aside)
	{
		x = to->x + LAYOUT_BOX_WIDTH / 2;
		y = to->y - 9;
	}
	else if (to->level + 1 < from->level || from->level + 1 < to->level)
	{
		/* Half way along a long line boxes stand: beside the cause there is room. */
		x = p[0];
		y = p[1] + 26 + (int) line->lane * 11;
	}
	writer->scratch.length = 0;
	add_text(writer, "", edge->type, BOX_COLUMNS);
	add_text(writer, " ", edge->weight, BOX_COLUMNS);
	put_line(writer, "label", x, y, BOX_COLUMNS);
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
	put_number(writer, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"title description\" width=\"", width);
	put_number(writer, " height=\"", height);
	put_number(writer, " viewBox=\"0 0 ", width);
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

static int
width_of(const Layout *layout)
{
	int			width = Max(layout->width, 760);

	for (uint32 i = 0; i < layout->line_count; i++)
		width = Max(width, reach_of(layout, &layout->lines[i]) + EDGE);
	return width;
}

void
export_svg(ByteBuffer *out, const ExportPart *part)
{
	ExportWriter writer;
	ByteBuffer	head;
	Layout	   *layout = layout_of(part);
	uint8	   *below = palloc0(Max(layout->box_count, 1));
	int			top;

	/* The head decides where the boxes begin, and so the height, which stands before it. */
	buffer_init(&head, canonical_realloc, CurrentMemoryContext);
	export_writer_begin(&writer, &head, part, escape);
	top = put_head(&writer, layout);
	export_writer_begin(&writer, out, part, escape);
	begin_picture(&writer, width_of(layout), top + layout->height);
	buffer_append(out, head.data, head.length);
	put_number(&writer, "<g transform=\"translate(0 ", top);
	out->length--;
	export_put(&writer, ")\">\n");
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
		put_label(&writer, layout, &layout->lines[i], below);
	export_put(&writer, "</g>\n</svg>\n");
}
