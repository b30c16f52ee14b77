/*
 * sort.c
 *		Sorting record numbers: radix sort for many, comparison for few.
 */
#include "postgres.h"

#include "graph/sort.h"

#include "graph/types.h"

#include "miscadmin.h"

#define RADIX_BITS 11
#define RADIX_BUCKETS (1 << RADIX_BITS)
/* Below this counting the buckets costs more than comparing. */
#define RADIX_LEAST 512

#define ST_SORT sort_few
#define ST_ELEMENT_TYPE GraphKey
#define ST_COMPARE(a, b) ((a)->no < (b)->no ? -1 : (a)->no > (b)->no)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
graph_sort_keys(GraphKey *keys, GraphKey *scratch, uint32 count)
{
	GraphKey   *from = keys;
	GraphKey   *into = scratch;
	int64		least;
	int64		most;
	bool		sorted = true;

	if (count < 2)
		return;
	least = most = keys[0].no;
	for (uint32 i = 1; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		sorted &= keys[i - 1].no <= keys[i].no;
		least = Min(least, keys[i].no);
		most = Max(most, keys[i].no);
	}
	if (sorted)
		return;
	if (count < RADIX_LEAST)
	{
		sort_few(keys, count);
		return;
	}
	for (int shift = 0; shift < 64 && ((uint64) most - (uint64) least) >> shift != 0; shift += RADIX_BITS)
	{
		uint32		start[RADIX_BUCKETS] = {0};
		uint32		sum = 0;

		for (uint32 i = 0; i < count; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			start[((uint64) from[i].no - (uint64) least) >> shift & (RADIX_BUCKETS - 1)]++;
		}
		for (int bucket = 0; bucket < RADIX_BUCKETS; bucket++)
		{
			uint32		size = start[bucket];

			start[bucket] = sum;
			sum += size;
		}
		for (uint32 i = 0; i < count; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			into[start[((uint64) from[i].no - (uint64) least) >> shift & (RADIX_BUCKETS - 1)]++] = from[i];
		}
		from = into;
		into = from == keys ? scratch : keys;
	}
	if (from == keys)
		return;
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		keys[i] = from[i];
	}
}
