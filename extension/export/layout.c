/*
 * layout.c
 *		Folding, boxes, lines, and which places lines need.
 */
#include "postgres.h"

#include "export/layout.h"

#include "export/layout_order.h"
#include "export/layout_place.h"
#include "export/levels.h"

#include "miscadmin.h"

typedef struct Laying
{
	const ExportPart *part;
	Layout	   *layout;
	uint32	   *level_of;		/* of a node */
	uint32	   *box_of;
	uint32		level_count;
	uint32		shown_levels;	/* the last is that of the box for all levels after these, if there are more */
	uint32		cap;			/* nodes of a level that are boxes of their own */
} Laying;

/* ---------------------------------------------------------------- boxes */

/* How many boxes there are if a level shows so many nodes. */
static uint64
boxes_with(const uint32 *sizes, uint32 levels, uint32 cap)
{
	uint64		boxes = 0;

	for (uint32 i = 0; i < levels; i++)
		boxes += sizes[i] > cap ? (uint64) cap + 1 : sizes[i];
	return boxes;
}

static void
choose_cap(Laying *laying)
{
	uint32		count = laying->part->graph->node_count;
	uint32	   *sizes = human_room(laying->shown_levels, sizeof(uint32));
	uint32		low = 1;
	uint32		high = LAYOUT_NODES;

	memset(sizes, 0, (size_t) laying->shown_levels * sizeof(uint32));
	for (uint32 i = 0; i < count; i++)
	{
		if (laying->level_of[i] < laying->shown_levels)
			sizes[laying->level_of[i]]++;
	}
	while (low < high)
	{
		uint32		middle = (low + high + 1) / 2;

		if (boxes_with(sizes, laying->shown_levels, middle) <= LAYOUT_NODES)
			low = middle;
		else
			high = middle - 1;
	}
	laying->cap = low;
	pfree(sizes);
}

static LayoutBox *
add_box(Laying *laying, uint32 node, uint32 level)
{
	LayoutBox  *box = &laying->layout->boxes[laying->layout->box_count++];

	memset(box, 0, sizeof(*box));
	box->node = node;
	box->level = level;
	return box;
}

/* One level's boxes; nodes stand in by_level in the order of the tree. */
static void
make_level(Laying *laying, uint32 level, const uint32 *nodes, uint32 count)
{
	Layout	   *layout = laying->layout;
	uint32		own = level == LAYOUT_LEVELS ? 0 : Min(count, laying->cap);

	/* A box for one would be no shorter than the node itself. */
	if (own > 0 && count - own == 1)
		own = count;
	for (uint32 i = 0; i < own; i++)
	{
		laying->box_of[nodes[i]] = layout->box_count;
		add_box(laying, nodes[i], level);
	}
	for (uint32 i = own; i < count; i++)
		laying->box_of[nodes[i]] = layout->box_count;
	if (own < count)
	{
		add_box(laying, HUMAN_NONE, level)->folded = count - own;
		layout->folded += count - own;
	}
}

static void
make_boxes(Laying *laying)
{
	uint32		count = laying->part->graph->node_count;
	uint32		levels = laying->shown_levels + (laying->level_count > laying->shown_levels);
	uint32	   *start = human_room((size_t) levels + 2, sizeof(uint32));
	uint32	   *by_level = human_room(count, sizeof(uint32));

	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	memset(start, 0, ((size_t) levels + 2) * sizeof(uint32));
	for (uint32 i = 0; i < count; i++)
		start[Min(laying->level_of[i], levels - 1) + 2]++;
	for (uint32 i = 2; i < levels + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = 0; i < count; i++)
	{
		uint32		node = laying->part->tree->order[i];

		by_level[start[Min(laying->level_of[node], levels - 1) + 1]++] = node;
	}
	laying->box_of = human_room(count, sizeof(uint32));
	/* One more a level than the cap allows where that saves a box for one. */
	laying->layout->boxes = human_room(Min((size_t) count, LAYOUT_NODES) + 2 * (size_t) levels, sizeof(LayoutBox));
	for (uint32 i = 0; i < levels; i++)
		make_level(laying, i, by_level + start[i], start[i + 1] - start[i]);
	laying->layout->level_count = levels;
	pfree(by_level);
	pfree(start);
}

/* ---------------------------------------------------------------- lines */

static inline int
compare_lines(const LayoutLine *a, const LayoutLine *b)
{
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return a->edge < b->edge ? -1 : a->edge > b->edge;
}

#define ST_SORT sort_lines
#define ST_ELEMENT_TYPE LayoutLine
#define ST_COMPARE(a, b) compare_lines(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static bool
is_for_many(const Layout *layout, uint32 box)
{
	return layout->boxes[box].node == HUMAN_NONE;
}

/* Whether a line goes where the one before it goes, and has to be drawn with it. */
static bool
joins(const Layout *layout, const LayoutLine *before, const LayoutLine *line)
{
	return before->from == line->from && before->to == line->to &&
		(before->lane == LAYOUT_LANES - 1 || is_for_many(layout, line->from) || is_for_many(layout, line->to));
}

/* Within a box for many there is none. */
static void
make_lines(Laying *laying)
{
	const ExportPart *part = laying->part;
	const HumanTree *tree = part->tree;
	Layout	   *layout = laying->layout;
	uint32		kept = 0;

	layout->lines = human_room(part->graph->edge_count, sizeof(LayoutLine));
	for (uint32 i = 0; i < part->graph->edge_count; i++)
	{
		uint32		from = part->graph->upwards ? tree->below[i] : tree->above[i];
		uint32		to = part->graph->upwards ? tree->above[i] : tree->below[i];
		LayoutLine	line = {.edge = i, .count = 1};

		CHECK_FOR_INTERRUPTS();
		if (from == HUMAN_NONE || to == HUMAN_NONE)
			continue;
		line.from = laying->box_of[from];
		line.to = laying->box_of[to];
		if (line.from != line.to || !is_for_many(layout, line.from))
			layout->lines[layout->line_count++] = line;
	}
	sort_lines(layout->lines, layout->line_count);
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		LayoutLine	line = layout->lines[i];
		LayoutLine *before = kept > 0 ? &layout->lines[kept - 1] : NULL;

		if (before && joins(layout, before, &line))
		{
			before->count++;
			continue;
		}
		if (before && before->from == line.from && before->to == line.to)
			line.lane = before->lane + 1;
		layout->lines[kept++] = line;
	}
	layout->line_count = kept;
}

/* ---------------------------------------------------------------- places of lines */

/* How many levels a line passes; none, if it leads up, or hangs at its box. */
static uint32
levels_passed(const Layout *layout, const LayoutLine *line)
{
	uint32		from = layout->boxes[line->from].level;
	uint32		to = layout->boxes[line->to].level;
	uint32		above = layout->upwards ? from : to;
	uint32		below = layout->upwards ? to : from;

	return above > below ? above - below - 1 : 0;
}

static bool
leads_up(const Layout *layout, const LayoutLine *line)
{
	uint32		from = layout->boxes[line->from].level;
	uint32		to = layout->boxes[line->to].level;

	return layout->upwards ? from < to : from > to;
}

/* Lines that pass more levels than this lead aside: as many as it takes for the others to find places. */
static uint32
farthest_passed(const Layout *layout)
{
	uint32	   *lines = human_room((size_t) layout->level_count + 1, sizeof(uint32));
	uint64		passes = 0;
	uint32		farthest = 0;

	memset(lines, 0, ((size_t) layout->level_count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < layout->line_count; i++)
		lines[levels_passed(layout, &layout->lines[i])] += layout->lines[i].lane == 0;
	while (farthest < layout->level_count)
	{
		passes += (uint64) lines[farthest + 1] * (farthest + 1);
		if (passes > LAYOUT_PASSES)
			break;
		farthest++;
	}
	pfree(lines);
	return farthest;
}

/* Those of the lanes between two boxes are one after the other. */
static void
make_passes(Laying *laying)
{
	Layout	   *layout = laying->layout;
	uint32		farthest = farthest_passed(layout);

	layout->passes = human_room(LAYOUT_PASSES, sizeof(LayoutPass));
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		LayoutLine *line = &layout->lines[i];
		uint32		passed = levels_passed(layout, line);

		CHECK_FOR_INTERRUPTS();
		line->aside = leads_up(layout, line) || passed > farthest;
		if (line->aside)
			continue;
		line->pass_count = passed;
		line->first_pass = line->lane > 0 ? layout->lines[i - 1].first_pass : layout->pass_count;
		for (uint32 k = 0; k < passed && line->lane == 0; k++)
		{
			uint32		from = layout->boxes[line->from].level;

			layout->passes[layout->pass_count++] = (LayoutPass) {.level = layout->upwards ? from - 1 - k : from + 1 + k};
		}
	}
}

/* Items are boxes, then passes; a line is a chain of them. */
static LayoutOrder *
order_items(Laying *laying)
{
	Layout	   *layout = laying->layout;
	uint32		count = layout->box_count + layout->pass_count;
	uint32	   *levels = human_room(count, sizeof(uint32));
	LayoutPiece *pieces = human_room((size_t) layout->line_count + layout->pass_count, sizeof(LayoutPiece));
	uint32		piece_count = 0;
	LayoutOrder *order;

	for (uint32 i = 0; i < count; i++)
		levels[i] = i < layout->box_count ? layout->boxes[i].level : layout->passes[i - layout->box_count].level;
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		const LayoutLine *line = &layout->lines[i];
		uint32		above = line->from;

		CHECK_FOR_INTERRUPTS();
		if (line->aside || line->lane > 0 || line->from == line->to)
			continue;
		for (uint32 k = 0; k <= line->pass_count; k++)
		{
			uint32		below = k < line->pass_count ? layout->box_count + line->first_pass + k : line->to;

			pieces[piece_count++] = layout->upwards ? (LayoutPiece) {below, above} : (LayoutPiece) {above, below};
			above = below;
		}
	}
	order = layout_order(levels, count, layout->level_count, pieces, piece_count);
	pfree(levels);
	pfree(pieces);
	return order;
}

Layout *
layout_of(const ExportPart *part)
{
	Laying		laying = {.part = part, .layout = palloc0(sizeof(Layout))};

	laying.layout->upwards = part->graph->upwards;
	laying.layout->level_count = 1;
	if (part->graph->node_count == 0)
		return laying.layout;
	laying.level_of = layout_levels(part, &laying.level_count);
	laying.shown_levels = Min(laying.level_count, LAYOUT_LEVELS);
	choose_cap(&laying);
	make_boxes(&laying);
	make_lines(&laying);
	make_passes(&laying);
	layout_place(laying.layout, order_items(&laying));
	return laying.layout;
}
