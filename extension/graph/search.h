/*
 * search.h
 *		Searching the record numbers of a page.
 */
#ifndef REASON_GRAPH_SEARCH_H
#define REASON_GRAPH_SEARCH_H

#include "postgres.h"

#include "graph/page.h"

/*
 * The first item from `first` to `last` whose key is not less than `key`, last + 1 if there is none.
 * No key exceeds `most`.
 */
static pg_attribute_always_inline int
graph_search(Page page, int first, int last, int64 key, int64 most)
{
	int			low = first;	/* everything before is less */
	int			high = last + 1;	/* nothing from here on is */
	int			step = 1;

	if (low > last || graph_key_at(page, low) >= key)
		return first;
	low++;
	/* Numbers come from a sequence: guess where the key would lie, then search around. */
	if (last - low > 16)
	{
		int64		least = graph_key_at(page, first);
		int			probe;

		if (most < key)
			return last + 1;
		probe = first + (int) ((double) (last - first) * ((double) key - (double) least) /
							   ((double) most - (double) least));
		probe = Max(low, Min(probe, last));
		if (graph_key_at(page, probe) < key)
			low = probe + 1;
		else
		{
			high = probe;
			while (high > low && graph_key_at(page, Max(low, high - step)) >= key)
			{
				high = Max(low, high - step);
				step *= 2;
			}
			low = Max(low, high - step);
		}
	}
	step = 1;
	while (low + step - 1 < high && graph_key_at(page, low + step - 1) < key)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step - 1, high);
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (graph_key_at(page, middle) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif							/* REASON_GRAPH_SEARCH_H */
