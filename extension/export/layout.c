/*
 * layout.c
 *		Levels, folding, order and places.
 */
#include "postgres.h"

#include "export/layout.h"

#include "miscadmin.h"

#define GAP_X 24
#define GAP_Y 26
#define LEVEL_GAP 60
#define MARGIN 24

typedef struct Level
{
	uint32		begin;			/* of its boxes */
	uint32		end;
} Level;

typedef struct Laying
{
	const ExportPart *part;
	Layout	   *layout;
	uint32	   *level_of;		/* of a node */
	uint32	   *box_of;
	Level	   *levels;
	uint32		level_count;
	uint32		shown_levels;	/* the last is that of the box for all levels after these, if there are more */
	uint32		cap;			/* nodes of a level that are boxes of their own */
	uint32	   *place;			/* of a box in its level */
	uint32	   *joined_start;	/* lines by box: those of box i are joined[joined_start[i]] to [joined_start[i + 1]] */
	uint32	   *joined;
} Laying;

/* ---------------------------------------------------------------- levels */

/* In the order of the tree a node comes after that below which it hangs. */
static void
find_levels(Laying *laying)
{
	const HumanTree *tree = laying->part->tree;
	uint32		count = laying->part->graph->node_count;

	laying->level_of = human_room(count, sizeof(uint32));
	for (uint32 i = 0; i < count; i++)
	{
		uint32		node = tree->order[i];
		uint32		level = tree->edge[node] == HUMAN_NONE ? 0 : laying->level_of[tree->above[tree->edge[node]]] + 1;

		CHECK_FOR_INTERRUPTS();
		laying->level_of[node] = level;
		laying->level_count = Max(laying->level_count, level + 1);
	}
	laying->shown_levels = Min(laying->level_count, LAYOUT_LEVELS);
}

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
	laying->levels[level].begin = layout->box_count;
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
	laying->levels[level].end = layout->box_count;
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
	laying->levels = human_room(levels, sizeof(Level));
	/* One more a level than the cap allows where that saves a box for one. */
	laying->layout->boxes = human_room(Min((size_t) count, LAYOUT_NODES) + 2 * (size_t) levels, sizeof(LayoutBox));
	for (uint32 i = 0; i < levels; i++)
		make_level(laying, i, by_level + start[i], start[i + 1] - start[i]);
	laying->level_count = levels;
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

static void
join_lines(Laying *laying)
{
	Layout	   *layout = laying->layout;

	laying->joined_start = human_room((size_t) layout->box_count + 2, sizeof(uint32));
	laying->joined = human_room(2 * (size_t) layout->line_count, sizeof(uint32));
	memset(laying->joined_start, 0, ((size_t) layout->box_count + 2) * sizeof(uint32));
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		laying->joined_start[layout->lines[i].from + 2]++;
		laying->joined_start[layout->lines[i].to + 2]++;
	}
	for (uint32 i = 2; i < layout->box_count + 2; i++)
		laying->joined_start[i] += laying->joined_start[i - 1];
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		laying->joined[laying->joined_start[layout->lines[i].from + 1]++] = i;
		laying->joined[laying->joined_start[layout->lines[i].to + 1]++] = i;
	}
}

/* ---------------------------------------------------------------- order within a level */

typedef struct Ranked
{
	uint32		box;
	uint32		place;			/* so far, which decides between equals */
	uint64		sum;			/* of the places of what it is joined to; sum / count is the average */
	uint64		count;
} Ranked;

/* By averages; products of whole numbers compare them exactly. */
static inline int
compare_ranked(const Ranked *a, const Ranked *b)
{
	uint64		left = a->sum * b->count;
	uint64		right = b->sum * a->count;

	if (left != right)
		return left < right ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

#define ST_SORT sort_ranked
#define ST_ELEMENT_TYPE Ranked
#define ST_COMPARE(a, b) compare_ranked(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static Ranked
rank(const Laying *laying, uint32 box, uint32 other_level)
{
	const Layout *layout = laying->layout;
	Ranked		ranked = {.box = box, .place = laying->place[box]};

	for (uint32 k = laying->joined_start[box]; k < laying->joined_start[box + 1]; k++)
	{
		const LayoutLine *line = &layout->lines[laying->joined[k]];
		uint32		other = line->from == box ? line->to : line->from;

		if (layout->boxes[other].level != other_level)
			continue;
		ranked.sum += laying->place[other];
		ranked.count++;
	}
	/* What is joined to nothing there stays about where it is. */
	if (ranked.count == 0)
	{
		ranked.sum = ranked.place;
		ranked.count = 1;
	}
	return ranked;
}

/* A box keeps its number; its place changes. */
static void
order_level(Laying *laying, uint32 level, uint32 other_level, Ranked *ranked)
{
	const Level *boxes = &laying->levels[level];
	uint32		count = boxes->end - boxes->begin;

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < count; i++)
		ranked[i] = rank(laying, boxes->begin + i, other_level);
	sort_ranked(ranked, count);
	for (uint32 i = 0; i < count; i++)
		laying->place[ranked[i].box] = i;
}

static void
order_levels(Laying *laying)
{
	Ranked	   *ranked = human_room(laying->layout->box_count, sizeof(Ranked));

	laying->place = human_room(laying->layout->box_count, sizeof(uint32));
	for (uint32 level = 0; level < laying->level_count; level++)
	{
		for (uint32 i = laying->levels[level].begin; i < laying->levels[level].end; i++)
			laying->place[i] = i - laying->levels[level].begin;
	}
	for (int sweep = 0; sweep < LAYOUT_SWEEPS; sweep++)
	{
		for (uint32 level = 1; level < laying->level_count; level++)
			order_level(laying, level, level - 1, ranked);
		for (uint32 level = laying->level_count - 1; level > 0; level--)
			order_level(laying, level - 1, level, ranked);
	}
	pfree(ranked);
}

/* ---------------------------------------------------------------- places */

/* The lowest level is the first of the walk if causes are above it, else the last. */
static void
place_boxes(Laying *laying)
{
	Layout	   *layout = laying->layout;
	uint32		widest = 1;
	int			y = 0;

	for (uint32 i = 0; i < laying->level_count; i++)
		widest = Max(widest, Min(laying->levels[i].end - laying->levels[i].begin, LAYOUT_ROW));
	layout->width = 2 * MARGIN + (int) widest * (LAYOUT_BOX_WIDTH + GAP_X) - GAP_X;
	for (uint32 i = 0; i < laying->level_count; i++)
	{
		const Level *level = &laying->levels[laying->part->graph->upwards ? laying->level_count - 1 - i : i];
		uint32		count = level->end - level->begin;
		uint32		rows = Max((count + LAYOUT_ROW - 1) / LAYOUT_ROW, 1);
		uint32		columns = (count + rows - 1) / rows;
		int			left = (layout->width - ((int) columns * (LAYOUT_BOX_WIDTH + GAP_X) - GAP_X)) / 2;
		int			bottom = y + (int) rows * (LAYOUT_BOX_HEIGHT + GAP_Y) - GAP_Y;

		for (uint32 k = level->begin; k < level->end; k++)
		{
			LayoutBox  *box = &layout->boxes[k];

			box->x = left + (int) (laying->place[k] / rows) * (LAYOUT_BOX_WIDTH + GAP_X);
			box->y = y + (int) (laying->place[k] % rows) * (LAYOUT_BOX_HEIGHT + GAP_Y);
			box->top = y;
			box->bottom = bottom;
		}
		y = bottom + LEVEL_GAP;
	}
	layout->height = y - LEVEL_GAP + MARGIN;
}

Layout *
layout_of(const ExportPart *part)
{
	Laying		laying = {.part = part, .layout = palloc0(sizeof(Layout))};

	laying.layout->width = 2 * MARGIN + LAYOUT_BOX_WIDTH;
	laying.layout->height = MARGIN;
	if (part->graph->node_count == 0)
		return laying.layout;
	find_levels(&laying);
	choose_cap(&laying);
	make_boxes(&laying);
	make_lines(&laying);
	join_lines(&laying);
	order_levels(&laying);
	place_boxes(&laying);
	return laying.layout;
}
