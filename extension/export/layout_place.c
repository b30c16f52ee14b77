/*
 * layout_place.c
 *		Columns, tracks, and where each of them stands.
 */
#include "postgres.h"

#include "export/layout_place.h"

#include "derived/human.h"

#include "miscadmin.h"

#define GAP_X 24
#define GAP_Y 26
#define LEVEL_GAP 66
#define MARGIN 24
/* Below the last level an edge of a node to itself hangs. */
#define MARGIN_BELOW 36
/* Between tracks, and from a track to the boxes on its right; on its left lines lead from boxes and to them (svg_lines.c). */
#define TRACK_GAP 12
#define TRACK_LEFT 14
#define TRACK_RIGHT 28
/* Beside the boxes, with room for what stands by a line. */
#define ASIDE_GAP 56
#define ASIDE_LANE 14
/* Above the first level and below the last, where lines lead aside there. */
#define ASIDE_ROOM 36

#define MOST_SLOTS (LAYOUT_ROW + (LAYOUT_ROW + 1) * LAYOUT_TRACKS)
#define SWEEPS 4

typedef struct Slot
{
	bool		is_column;
	int			x;				/* of its middle */
	int64		sum;			/* of the middles of what its items are joined to */
	int64		count;
} Slot;

typedef struct Row
{
	uint32		rows;
	uint32		columns;
	uint32		slot_count;
	int			width;			/* at least */
	Slot		slots[MOST_SLOTS];
} Row;

typedef struct Placing
{
	Layout	   *layout;
	const LayoutOrder *order;
	Row		   *levels;
	uint32	   *level_of;		/* of an item */
	uint32	   *slot_of;
	int			width;			/* that every level has */
} Placing;

static inline bool
is_box(const Placing *placing, uint32 item)
{
	return item < placing->layout->box_count;
}

/* ---------------------------------------------------------------- slots */

/* Between the middles of two slots that stand side by side. */
static int
distance(const Slot *left, const Slot *right)
{
	int			half = LAYOUT_BOX_WIDTH / 2;

	if (left->is_column)
		return right->is_column ? 2 * half + GAP_X : half + TRACK_RIGHT;
	return right->is_column ? TRACK_LEFT + half : TRACK_GAP;
}

static int
half_of(const Slot *slot)
{
	return slot->is_column ? LAYOUT_BOX_WIDTH / 2 : 0;
}

/* Which gap between columns is the nearest to where `boxes` boxes stand on the left. */
static uint32
gap_at(const Row *row, uint32 boxes)
{
	return Min((boxes + row->rows / 2) / row->rows, row->columns);
}

/* From left to right: the tracks of a gap, and the column on its right. */
static void
make_slots(Placing *placing, uint32 level)
{
	const LayoutOrder *order = placing->order;
	Row		   *row = &placing->levels[level];
	uint32		passes[LAYOUT_ROW + 1] = {0};
	uint32		before[LAYOUT_ROW + 1] = {0};
	uint32		first[LAYOUT_ROW + 1];
	uint32		boxes = 0;

	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
		boxes += is_box(placing, order->items[i]);
	row->rows = Max((boxes + LAYOUT_ROW - 1) / LAYOUT_ROW, 1);
	row->columns = (boxes + row->rows - 1) / row->rows;
	boxes = 0;
	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
	{
		if (is_box(placing, order->items[i]))
			boxes++;
		else
			passes[gap_at(row, boxes)]++;
	}
	for (uint32 gap = 0; gap <= row->columns; gap++)
	{
		first[gap] = row->slot_count;
		row->slot_count += Min(passes[gap], LAYOUT_TRACKS);
		if (gap < row->columns)
			row->slots[row->slot_count++].is_column = true;
	}
	boxes = 0;
	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
	{
		uint32		item = order->items[i];
		uint32		gap = gap_at(row, boxes);

		placing->level_of[item] = level;
		if (is_box(placing, item))
			placing->slot_of[item] = first[boxes / row->rows + 1] - 1, boxes++;
		else
			placing->slot_of[item] = first[gap] + before[gap]++ * Min(passes[gap], LAYOUT_TRACKS) / passes[gap];
	}
}

/* Side by side, in the middle. */
static void
pack(Placing *placing)
{
	for (uint32 level = 0; level < placing->order->level_count; level++)
	{
		Row		   *row = &placing->levels[level];

		row->slots[0].x = half_of(&row->slots[0]);
		for (uint32 i = 1; i < row->slot_count; i++)
			row->slots[i].x = row->slots[i - 1].x + distance(&row->slots[i - 1], &row->slots[i]);
		row->width = row->slots[row->slot_count - 1].x + half_of(&row->slots[row->slot_count - 1]);
		placing->width = Max(placing->width, row->width);
	}
	for (uint32 level = 0; level < placing->order->level_count; level++)
	{
		Row		   *row = &placing->levels[level];

		for (uint32 i = 0; i < row->slot_count; i++)
			row->slots[i].x += (placing->width - row->width) / 2;
	}
}

/* ---------------------------------------------------------------- moving them */

/*
 * From where each slot would be to where it can be: half way between what pushing
 * those on the right and pushing those on the left would give, which both keep the
 * distances, and inside the width.
 */
static void
settle(Placing *placing, Row *row)
{
	Slot	   *slots = row->slots;
	uint32		count = row->slot_count;
	int			pushed[MOST_SLOTS];
	int			least;
	int			most;

	pushed[count - 1] = slots[count - 1].x;
	for (uint32 i = count - 1; i > 0; i--)
		pushed[i - 1] = Min(slots[i - 1].x, pushed[i] - distance(&slots[i - 1], &slots[i]));
	for (uint32 i = 1; i < count; i++)
		slots[i].x = Max(slots[i].x, slots[i - 1].x + distance(&slots[i - 1], &slots[i]));
	least = half_of(&slots[0]);
	most = least + placing->width - row->width;
	for (uint32 i = 0; i < count; i++)
	{
		int			step = i + 1 < count ? distance(&slots[i], &slots[i + 1]) : 0;

		/* Rounded down on both sides of nought. */
		slots[i].x = (slots[i].x + pushed[i]) >> 1;
		slots[i].x = Min(Max(slots[i].x, least), most);
		least += step;
		most += step;
	}
}

/* Slots move to what they are joined to; what is joined to nothing there stays. passes_only: tracks move to tracks, nothing else does. */
static void
move_level(Placing *placing, uint32 level, const LayoutJoins *joins, bool passes_only)
{
	const LayoutOrder *order = placing->order;
	Row		   *row = &placing->levels[level];

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < row->slot_count; i++)
		row->slots[i].sum = row->slots[i].count = 0;
	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
	{
		uint32		item = order->items[i];
		Slot	   *slot = &row->slots[placing->slot_of[item]];

		if (passes_only && is_box(placing, item))
			continue;
		for (uint32 k = joins->start[item]; k < joins->start[item + 1]; k++)
		{
			uint32		other = joins->others[k];

			if (passes_only && is_box(placing, other))
				continue;
			slot->sum += placing->levels[placing->level_of[other]].slots[placing->slot_of[other]].x;
			slot->count++;
		}
	}
	for (uint32 i = 0; i < row->slot_count; i++)
	{
		if (row->slots[i].count > 0)
			row->slots[i].x = row->slots[i].sum / row->slots[i].count;
	}
	settle(placing, row);
}

static void
move(Placing *placing)
{
	uint32		count = placing->order->level_count;

	for (int i = 0; i <= SWEEPS; i++)
	{
		for (uint32 level = 1; level < count; level++)
			move_level(placing, level, &placing->order->before, i == SWEEPS);
		for (uint32 level = count - 1; level > 0; level--)
			move_level(placing, level - 1, &placing->order->after, i == SWEEPS);
	}
}

/* ---------------------------------------------------------------- coordinates */

static void
place_level(Placing *placing, uint32 level, int shift, int top, int bottom)
{
	Layout	   *layout = placing->layout;
	const LayoutOrder *order = placing->order;
	Row		   *row = &placing->levels[level];
	uint32		boxes = 0;

	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
	{
		uint32		item = order->items[i];
		int			x = row->slots[placing->slot_of[item]].x + shift;

		if (is_box(placing, item))
		{
			LayoutBox  *box = &layout->boxes[item];

			box->x = x - LAYOUT_BOX_WIDTH / 2;
			box->y = top + (int) (boxes++ % row->rows) * (LAYOUT_BOX_HEIGHT + GAP_Y);
			box->top = top;
			box->bottom = bottom;
		}
		else
		{
			LayoutPass *pass = &layout->passes[item - layout->box_count];

			pass->x = x;
			pass->top = top;
			pass->bottom = bottom;
		}
	}
}

static bool
any_aside(const Layout *layout)
{
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		if (layout->lines[i].aside)
			return true;
	}
	return false;
}

/* What the levels leave free on both sides is left out. */
static void
place_levels(Placing *placing)
{
	Layout	   *layout = placing->layout;
	uint32		count = placing->order->level_count;
	int			room = any_aside(layout) ? ASIDE_ROOM : 0;
	int			left = PG_INT32_MAX;
	int			right = 0;
	int			y = room;

	for (uint32 level = 0; level < count; level++)
	{
		const Row  *row = &placing->levels[level];

		left = Min(left, row->slots[0].x - half_of(&row->slots[0]));
		right = Max(right, row->slots[row->slot_count - 1].x + half_of(&row->slots[row->slot_count - 1]));
	}
	for (uint32 i = 0; i < count; i++)
	{
		uint32		level = layout->upwards ? count - 1 - i : i;
		int			bottom = y + (int) placing->levels[level].rows * (LAYOUT_BOX_HEIGHT + GAP_Y) - GAP_Y;

		place_level(placing, level, MARGIN - left, y, bottom);
		y = bottom + LEVEL_GAP;
	}
	layout->width = right - left + 2 * MARGIN;
	layout->height = y - LEVEL_GAP + MARGIN_BELOW + room;
}

/* To the right of whatever stands on the levels between its ends, each in a lane. */
static void
place_aside(Placing *placing)
{
	Layout	   *layout = placing->layout;
	uint32		placed = 0;
	int		   *right = human_room(layout->level_count, sizeof(int));

	memset(right, 0, layout->level_count * sizeof(int));
	for (uint32 i = 0; i < layout->box_count; i++)
		right[layout->boxes[i].level] = Max(right[layout->boxes[i].level], layout->boxes[i].x + LAYOUT_BOX_WIDTH);
	for (uint32 i = 0; i < layout->pass_count; i++)
		right[layout->passes[i].level] = Max(right[layout->passes[i].level], layout->passes[i].x);
	for (uint32 i = 0; i < layout->line_count; i++)
	{
		LayoutLine *line = &layout->lines[i];
		uint32		from = layout->boxes[line->from].level;
		uint32		to = layout->boxes[line->to].level;

		if (!line->aside)
			continue;
		CHECK_FOR_INTERRUPTS();
		line->aside_lane = placed++ % LAYOUT_ASIDE;
		for (uint32 level = Min(from, to); level <= Max(from, to); level++)
			line->aside_x = Max(line->aside_x, right[level]);
		line->aside_x += ASIDE_GAP + (int) line->aside_lane * ASIDE_LANE;
		layout->width = Max(layout->width, line->aside_x + ASIDE_GAP);
	}
	pfree(right);
}

void
layout_place(Layout *layout, const LayoutOrder *order)
{
	Placing		placing = {.layout = layout, .order = order};

	placing.levels = human_room(order->level_count, sizeof(Row));
	memset(placing.levels, 0, order->level_count * sizeof(Row));
	placing.level_of = human_room(order->count, sizeof(uint32));
	placing.slot_of = human_room(order->count, sizeof(uint32));
	for (uint32 level = 0; level < order->level_count; level++)
		make_slots(&placing, level);
	pack(&placing);
	move(&placing);
	place_levels(&placing);
	place_aside(&placing);
	pfree(placing.levels);
	pfree(placing.level_of);
	pfree(placing.slot_of);
}
