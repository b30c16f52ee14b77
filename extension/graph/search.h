/*
 * search.h
 *		Searching sorted record numbers: those of a page, of a copy of it, or of fences between pages.
 */
#ifndef REASON_GRAPH_SEARCH_H
#define REASON_GRAPH_SEARCH_H

#include "postgres.h"

/* Gives the key of item `i`; the caller knows what `items` is. */
typedef int64 (*GraphKeyAt) (const void *items, int i);

/*
 * The first item from `first` to `last` whose key is not less than `key`, last + 1 if there is none.
 * No key exceeds `most`.  Inlined together with key_at.
 */
static pg_attribute_always_inline int
graph_search(const void *items, GraphKeyAt key_at, int first, int last, int64 key, int64 most)
{
	int			low = first;	/* everything before is less */
	int			high = last + 1;	/* nothing from here on is */
	int			step = 1;

	if (low > last || key_at(items, low) >= key)
		return first;
	low++;
	/* Numbers come from a sequence: guess where the key would lie, then search around. */
	if (last - low > 16)
	{
		int64		least = key_at(items, first);
		int			probe;

		if (most < key)
			return last + 1;
		probe = first + (int) ((double) (last - first) * ((double) key - (double) least) /
							   ((double) most - (double) least));
		probe = Max(low, Min(probe, last));
		if (key_at(items, probe) < key)
			low = probe + 1;
		else
		{
			high = probe;
			while (high > low && key_at(items, Max(low, high - step)) >= key)
			{
				high = Max(low, high - step);
				step *= 2;
			}
			low = Max(low, high - step);
		}
	}
	step = 1;
	while (low + step - 1 < high && key_at(items, low + step - 1) < key)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step - 1, high);
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (key_at(items, middle) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The last of sorted fences that is less than the key, the first if none is: looked for from near `hint` on. */
static inline uint32
graph_last_fence(const int64 *fences, uint32 count, uint32 hint, int64 key)
{
	uint32		low = fences[hint] < key ? hint : 0;
	uint32		high = low + 1;
	uint32		step = 1;

	while (high < count && fences[high] < key)
	{
		low = high;
		high += step;
		step *= 2;
	}
	high = Min(high, count);
	/* fences[low] < key <= fences[high] */
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (fences[middle] < key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

#endif							/* REASON_GRAPH_SEARCH_H */
