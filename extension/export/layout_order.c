/*
 * layout_order.c
 *		Averages of places, level by level, forth and back.
 */
#include "postgres.h"

#include "export/layout_order.h"

#include "derived/human.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- items by level, pieces by item */

static void
group_items(LayoutOrder *order, const uint32 *levels)
{
	uint32	   *start = human_room((size_t) order->level_count + 2, sizeof(uint32));

	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	memset(start, 0, ((size_t) order->level_count + 2) * sizeof(uint32));
	for (uint32 i = 0; i < order->count; i++)
		start[levels[i] + 2]++;
	for (uint32 i = 2; i < order->level_count + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = 0; i < order->count; i++)
		order->items[start[levels[i] + 1]++] = i;
	order->level_start = start;
}

static void
group_pieces(LayoutJoins *joins, const LayoutOrder *order, const LayoutPiece *pieces, uint32 piece_count, bool to_before)
{
	joins->start = human_room((size_t) order->count + 2, sizeof(uint32));
	joins->others = human_room(piece_count, sizeof(uint32));
	memset(joins->start, 0, ((size_t) order->count + 2) * sizeof(uint32));
	for (uint32 i = 0; i < piece_count; i++)
		joins->start[(to_before ? pieces[i].after : pieces[i].before) + 2]++;
	for (uint32 i = 2; i < order->count + 2; i++)
		joins->start[i] += joins->start[i - 1];
	for (uint32 i = 0; i < piece_count; i++)
	{
		uint32		item = to_before ? pieces[i].after : pieces[i].before;

		CHECK_FOR_INTERRUPTS();
		joins->others[joins->start[item + 1]++] = to_before ? pieces[i].before : pieces[i].after;
	}
}

/* ---------------------------------------------------------------- averages */

typedef struct Ranked
{
	uint32		item;
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
rank(const LayoutOrder *order, uint32 item, const LayoutJoins *joins)
{
	Ranked		ranked = {.item = item, .place = order->place[item]};

	for (uint32 k = joins->start[item]; k < joins->start[item + 1]; k++)
	{
		ranked.sum += order->place[joins->others[k]];
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

static void
order_level(LayoutOrder *order, uint32 level, const LayoutJoins *joins, Ranked *ranked)
{
	uint32		begin = order->level_start[level];
	uint32		count = order->level_start[level + 1] - begin;

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < count; i++)
		ranked[i] = rank(order, order->items[begin + i], joins);
	sort_ranked(ranked, count);
	for (uint32 i = 0; i < count; i++)
	{
		order->items[begin + i] = ranked[i].item;
		order->place[ranked[i].item] = i;
	}
}

/* ---------------------------------------------------------------- crossings */

#define ST_SORT sort_places
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * A piece between a level and the next crosses those that begin before it and
 * end after it.  counts is a Fenwick tree of ends by place (Barth, Mutzel
 * and Juenger 2004).
 */
static uint64
crossings_below(const LayoutOrder *order, uint32 level, uint32 *counts, uint32 *places)
{
	uint32		ends = order->level_start[level + 2] - order->level_start[level + 1];
	uint64		crossings = 0;
	uint32		before = 0;

	memset(counts, 0, ((size_t) ends + 1) * sizeof(uint32));
	for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
	{
		uint32		item = order->items[i];
		uint32		count = 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = order->after.start[item]; k < order->after.start[item + 1]; k++)
			places[count++] = order->place[order->after.others[k]];
		sort_places(places, count);
		/* Those of one item do not cross each other: all are counted before one is added. */
		for (uint32 k = 0; k < count; k++)
		{
			crossings += before;
			for (uint32 at = places[k] + 1; at > 0; at -= at & -at)
				crossings -= counts[at];
		}
		for (uint32 k = 0; k < count; k++)
		{
			for (uint32 at = places[k] + 1; at <= ends; at += at & -at)
				counts[at]++;
		}
		before += count;
	}
	return crossings;
}

static uint64
count_crossings(const LayoutOrder *order, uint32 *counts, uint32 *places)
{
	uint64		crossings = 0;

	for (uint32 level = 0; level + 1 < order->level_count; level++)
		crossings += crossings_below(order, level, counts, places);
	return crossings;
}

/* ---------------------------------------------------------------- sweeps */

static void
number_places(LayoutOrder *order)
{
	for (uint32 level = 0; level < order->level_count; level++)
	{
		for (uint32 i = order->level_start[level]; i < order->level_start[level + 1]; i++)
			order->place[order->items[i]] = i - order->level_start[level];
	}
}

static void
sweep(LayoutOrder *order, uint32 piece_count)
{
	Ranked	   *ranked = human_room(order->count, sizeof(Ranked));
	uint32	   *counts = human_room((size_t) order->count + 1, sizeof(uint32));
	uint32	   *places = human_room(piece_count, sizeof(uint32));
	uint32	   *best = human_room(order->count, sizeof(uint32));
	uint64		fewest = PG_UINT64_MAX;

	for (int half = 0; half < 2 * LAYOUT_SWEEPS && fewest > 0; half++)
	{
		uint64		crossings;

		for (uint32 i = 1; i < order->level_count; i++)
		{
			if (half % 2 == 0)
				order_level(order, i, &order->before, ranked);
			else
				order_level(order, order->level_count - 1 - i, &order->after, ranked);
		}
		crossings = count_crossings(order, counts, places);
		if (crossings < fewest)
		{
			fewest = crossings;
			memcpy(best, order->items, order->count * sizeof(uint32));
		}
	}
	memcpy(order->items, best, order->count * sizeof(uint32));
	number_places(order);
	pfree(ranked);
	pfree(counts);
	pfree(places);
	pfree(best);
}

LayoutOrder *
layout_order(const uint32 *levels, uint32 count, uint32 level_count, const LayoutPiece *pieces, uint32 piece_count)
{
	LayoutOrder *order = palloc0(sizeof(LayoutOrder));

	order->count = count;
	order->level_count = level_count;
	order->items = human_room(count, sizeof(uint32));
	order->place = human_room(count, sizeof(uint32));
	group_items(order, levels);
	group_pieces(&order->before, order, pieces, piece_count, true);
	group_pieces(&order->after, order, pieces, piece_count, false);
	number_places(order);
	sweep(order, piece_count);
	return order;
}
