/*
 * svg_lines.c
 *		Where lines lead, and where there is room for words.
 */
#include "postgres.h"

#include "export/svg_lines.h"

#include "export/svg_pieces.h"

#include "miscadmin.h"

/* Between lanes, at boxes and where they pass levels. */
#define LANE_WIDTH 12
#define LANE_PASSES 3
/* Beside a column of boxes there is room for lines to it and from it; so far from the boxes. */
#define GUTTER_IN 10
#define GUTTER_OUT 16
/* Where such lines enter a box, and leave it, from its upper edge. */
#define ENTERS_AT 24
#define LEAVES_AT 50
#define BEND 8
/* A line of a node to itself hangs so far below, in the room between rows, and begins so far from the corner. */
#define LOOP_BELOW 32
#define LOOP_CORNER 16
#define LOOP_WIDTH 84
#define LOOP_STEP 6
/* Where lines that lead aside leave a box, and enter it, from its right edge; and how far from it they turn. */
#define ASIDE_LEAVES 30
#define ASIDE_ENTERS 56
#define ASIDE_TURN 10
#define ASIDE_STEP 2

/* ---------------------------------------------------------------- paths */

/* A path that is drawn.  Straight pieces that go on straight are written as one. */
typedef struct Pen
{
	ExportWriter *writer;
	int			x;
	int			y;
	int			written_y;
} Pen;

static void
begin_path(Pen *pen, int x, int y)
{
	svg_put_point(pen->writer, "M", x, y);
	pen->x = x;
	pen->y = pen->written_y = y;
}

static void
draw_down(Pen *pen, int y)
{
	pen->y = y;
}

static void
write_straight(Pen *pen)
{
	if (pen->y != pen->written_y)
		svg_put_point(pen->writer, " L", pen->x, pen->y);
}

/* From a level to the next: down at both ends, so that it stays between them. */
static void
draw_curve(Pen *pen, int x, int y)
{
	int			bend = (y - pen->y) / 2;

	if (x == pen->x)
	{
		draw_down(pen, y);
		return;
	}
	write_straight(pen);
	svg_put_point(pen->writer, " C", pen->x, pen->y + bend);
	svg_put_point(pen->writer, " ", x, y - bend);
	svg_put_point(pen->writer, " ", x, y);
	pen->x = x;
	pen->y = pen->written_y = y;
}

/* Straight to a corner, and round it towards what comes next. */
static void
draw_corner(Pen *pen, int x, int y, int to_x, int to_y)
{
	int			back_x = x > pen->x ? BEND : x < pen->x ? -BEND : 0;
	int			back_y = y > pen->y ? BEND : y < pen->y ? -BEND : 0;
	int			on_x = to_x > x ? BEND : to_x < x ? -BEND : 0;
	int			on_y = to_y > y ? BEND : to_y < y ? -BEND : 0;

	svg_put_point(pen->writer, " L", x - back_x, y - back_y);
	svg_put_point(pen->writer, " Q", x, y);
	svg_put_point(pen->writer, " ", x + on_x, y + on_y);
	pen->x = x + on_x;
	pen->y = pen->written_y = y + on_y;
}

/* Whether rows of the same level stand below the box, or above it. */
static bool
leaves_aside(const LayoutBox *box)
{
	return box->y + LAYOUT_BOX_HEIGHT < box->bottom;
}

static bool
enters_aside(const LayoutBox *box)
{
	return box->y > box->top;
}

/* From a box to below its level: from its lower edge at x, or beside those that stand below it. */
static void
draw_leaving(Pen *pen, const LayoutBox *box, int x)
{
	int			right = box->x + LAYOUT_BOX_WIDTH;

	if (!leaves_aside(box))
	{
		begin_path(pen, x, box->y + LAYOUT_BOX_HEIGHT);
		return;
	}
	begin_path(pen, right, box->y + LEAVES_AT);
	svg_put_point(pen->writer, " Q", right + GUTTER_OUT, box->y + LEAVES_AT);
	svg_put_point(pen->writer, " ", right + GUTTER_OUT, box->y + LEAVES_AT + BEND);
	pen->x = right + GUTTER_OUT;
	pen->y = pen->written_y = box->y + LEAVES_AT + BEND;
	draw_down(pen, box->bottom);
}

static int
entering_x(const LayoutBox *box, int x)
{
	return enters_aside(box) ? box->x + LAYOUT_BOX_WIDTH + GUTTER_IN : x;
}

/* The same from above its level. */
static void
draw_entering(Pen *pen, const LayoutBox *box)
{
	int			right = box->x + LAYOUT_BOX_WIDTH;

	if (!enters_aside(box))
	{
		draw_down(pen, box->top);
		write_straight(pen);
		return;
	}
	draw_down(pen, box->y + ENTERS_AT - BEND);
	write_straight(pen);
	svg_put_point(pen->writer, " Q", right + GUTTER_IN, box->y + ENTERS_AT);
	svg_put_point(pen->writer, " ", right, box->y + ENTERS_AT);
}

static int
middle_of(const LayoutBox *box, const LayoutLine *line)
{
	return box->x + LAYOUT_BOX_WIDTH / 2 + (int) line->lane * LANE_WIDTH;
}

static int
pass_x(const LayoutPass *pass, const LayoutLine *line)
{
	return pass->x + (int) line->lane * LANE_PASSES;
}

static void
draw_downwards(Pen *pen, const Layout *layout, const LayoutLine *line)
{
	const LayoutBox *from = &layout->boxes[line->from];
	const LayoutBox *to = &layout->boxes[line->to];

	draw_leaving(pen, from, middle_of(from, line));
	for (uint32 k = 0; k < line->pass_count; k++)
	{
		const LayoutPass *pass = &layout->passes[line->first_pass + k];

		draw_curve(pen, pass_x(pass, line), pass->top);
		draw_down(pen, pass->bottom);
	}
	draw_curve(pen, entering_x(to, middle_of(to, line)), to->top);
	draw_entering(pen, to);
}

/* Out between its level and the next, and in between that of its effect and the one before. */
static void
draw_aside(Pen *pen, const Layout *layout, const LayoutLine *line)
{
	const LayoutBox *from = &layout->boxes[line->from];
	const LayoutBox *to = &layout->boxes[line->to];
	int			turn = ASIDE_TURN + (int) line->aside_lane * ASIDE_STEP;
	int			out = from->bottom + turn;
	int			in = to->top - turn;
	int			x = entering_x(to, to->x + LAYOUT_BOX_WIDTH - ASIDE_ENTERS);

	draw_leaving(pen, from, from->x + LAYOUT_BOX_WIDTH - ASIDE_LEAVES);
	draw_corner(pen, pen->x, out, line->aside_x, out);
	draw_corner(pen, line->aside_x, out, line->aside_x, in);
	draw_corner(pen, line->aside_x, in, x, in);
	draw_corner(pen, x, in, x, to->top);
	draw_entering(pen, to);
}

static void
draw_loop(Pen *pen, const LayoutBox *box, const LayoutLine *line)
{
	int			inwards = (int) line->lane * LOOP_STEP;
	int			right = box->x + LAYOUT_BOX_WIDTH - LOOP_CORNER - inwards;
	int			left = box->x + LAYOUT_BOX_WIDTH - LOOP_CORNER - LOOP_WIDTH + inwards;
	int			y = box->y + LAYOUT_BOX_HEIGHT;

	begin_path(pen, right, y);
	svg_put_point(pen->writer, " C", right, y + LOOP_BELOW - inwards);
	svg_put_point(pen->writer, " ", left, y + LOOP_BELOW - inwards);
	svg_put_point(pen->writer, " ", left, y);
}

static void
draw(ExportWriter *writer, const Layout *layout, const LayoutLine *line)
{
	Pen			pen = {.writer = writer};

	if (line->from == line->to)
		draw_loop(&pen, &layout->boxes[line->from], line);
	else if (line->aside)
		draw_aside(&pen, layout, line);
	else
		draw_downwards(&pen, layout, line);
}

/* ---------------------------------------------------------------- lines */

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
put_line(ExportWriter *writer, const Layout *layout, const LayoutLine *line)
{
	const HumanEdge *edge = &writer->part->graph->edges[line->edge];
	int			tenths = line->count > 1 ? 24 : thickness_of(edge);

	export_put(writer, "<path class=\"");
	export_put(writer, line->count > 1 ? "line" : class_of(edge));
	export_put(writer, "\" stroke-width=\"");
	export_put_number(writer, tenths / 10);
	export_put(writer, ".");
	export_put_number(writer, tenths % 10);
	export_put(writer, "\" marker-end=\"url(#tip)\" d=\"");
	draw(writer, layout, line);
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

void
svg_put_lines(ExportWriter *writer, const Layout *layout)
{
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_line(writer, layout, &layout->lines[i]);
	}
}

/* ---------------------------------------------------------------- labels */

#define LABELLED_LINES 60
#define LABEL_COLUMNS 32
/* About as wide as a letter is, and as high as a label above its line of writing and below. */
#define LETTER_WIDTH 6
#define LABEL_ABOVE 10
#define LABEL_BELOW 3
/* Where on a curve, in twentieths, and on a line beside the boxes, in twelfths; the best place first. */
static const int on_curve[] = {10, 7, 13, 4, 16, 2, 18};
static const int on_side[] = {6, 4, 8, 5, 7, 3, 9};

typedef struct Label
{
	int			left;
	int			right;
	int			y;
} Label;

typedef struct Labels
{
	ExportWriter *writer;
	int			width;			/* of the picture */
	uint32		count;
	Label		placed[LABELLED_LINES];
} Labels;

/* Puts what stands in the scratch there, unless another stands there. */
static bool
put_at(Labels *labels, int x, int y)
{
	int			half = Min(labels->writer->scratch.length, LABEL_COLUMNS) * LETTER_WIDTH / 2;
	Label		label;

	x = Min(Max(x, half), labels->width - half);
	label = (Label) {.left = x - half, .right = x + half, .y = y};
	for (uint32 i = 0; i < labels->count; i++)
	{
		const Label *other = &labels->placed[i];

		if (label.left < other->right && other->left < label.right && abs(label.y - other->y) < LABEL_ABOVE + LABEL_BELOW)
			return false;
	}
	labels->placed[labels->count++] = label;
	/* No line shows between its words. */
	svg_put_number(labels->writer, "<rect class=\"ground\" x=\"", label.left);
	svg_put_number(labels->writer, " y=\"", y - LABEL_ABOVE);
	svg_put_number(labels->writer, " width=\"", 2 * half);
	svg_put_number(labels->writer, " height=\"", LABEL_ABOVE + LABEL_BELOW);
	export_put(labels->writer, "/>\n");
	svg_put_line(labels->writer, "label", x, y, LABEL_COLUMNS);
	return true;
}

static int
between(int a, int b, int c, int d, int twentieths)
{
	int			t = twentieths;
	int			rest = 20 - t;

	return ((int64) a * rest * rest * rest + (int64) 3 * b * t * rest * rest + (int64) 3 * c * t * t * rest + (int64) d * t * t * t) / 8000;
}

static bool
put_on_curve(Labels *labels, int x, int y, int to_x, int to_y)
{
	int			bend = (to_y - y) / 2;

	for (int i = 0; i < lengthof(on_curve); i++)
	{
		if (put_at(labels, between(x, x, to_x, to_x, on_curve[i]), between(y, y + bend, to_y - bend, to_y, on_curve[i]) + 4))
			return true;
	}
	return false;
}

/* Below the box, beside what leaves it. */
static bool
put_below(Labels *labels, const LayoutBox *box)
{
	int			x = box->x + LAYOUT_BOX_WIDTH - 58;
	int			y = box->y + LAYOUT_BOX_HEIGHT + 17;

	return put_at(labels, x, y) || put_at(labels, x - 90, y);
}

static bool
put_aside(Labels *labels, const LayoutLine *line, const LayoutBox *from, const LayoutBox *to)
{
	for (int i = 0; i < lengthof(on_side); i++)
	{
		if (put_at(labels, line->aside_x, from->bottom + (to->top - from->bottom) * on_side[i] / 12))
			return true;
	}
	return false;
}

/* Beside its cause, where lines that come together are apart yet, or else beside its effect. */
static void
put_label(Labels *labels, const Layout *layout, const LayoutLine *line)
{
	const LayoutBox *from = &layout->boxes[line->from];
	const LayoutBox *to = &layout->boxes[line->to];
	const LayoutPass *passes = &layout->passes[line->first_pass];
	int			start = middle_of(from, line);
	int			end = entering_x(to, middle_of(to, line));
	uint32		last = line->pass_count;

	if (line->from == line->to || leaves_aside(from))
		put_below(labels, from);
	else if (line->aside)
		put_aside(labels, line, from, to);
	else if (enters_aside(to))
		put_at(labels, to->x + LAYOUT_BOX_WIDTH / 2, to->y - 9);
	else if (last == 0)
		put_on_curve(labels, start, from->bottom, end, to->top);
	else if (!put_on_curve(labels, start, from->bottom, pass_x(&passes[0], line), passes[0].top))
		put_on_curve(labels, pass_x(&passes[last - 1], line), passes[last - 1].bottom, end, to->top);
}

void
svg_put_labels(ExportWriter *writer, const Layout *layout)
{
	Labels		labels = {.writer = writer, .width = layout->width};

	for (uint32 i = 0; i < layout->line_count && layout->line_count <= LABELLED_LINES; i++)
	{
		const LayoutLine *line = &layout->lines[i];
		const HumanEdge *edge = &writer->part->graph->edges[line->edge];

		if (line->count > 1)
			continue;
		writer->scratch.length = 0;
		svg_add_text(writer, "", edge->type, LABEL_COLUMNS);
		svg_add_text(writer, " ", edge->weight, LABEL_COLUMNS);
		put_label(&labels, layout, line);
	}
}
