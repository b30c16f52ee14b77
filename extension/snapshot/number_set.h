/*
 * number_set.h
 *		Sets of record numbers, as bitmaps in pages: a bit a number, where there are any.
 *
 * Numbers come from one sequence, so the members of a subgraph lie close
 * together: a million nodes take some hundred kilobytes, not tens of megabytes.
 */
#ifndef REASON_SNAPSHOT_NUMBER_SET_H
#define REASON_SNAPSHOT_NUMBER_SET_H

#include "postgres.h"

#include "graph/bits.h"

#include "utils/hsearch.h"

typedef struct NumberPage
{
	int64		number;			/* key: no >> GRAPH_BITS_PAGE_BITS */
	uint64		words[GRAPH_BITS_WORDS];
} NumberPage;

typedef struct NumberSet
{
	MemoryContext context;
	HTAB	   *pages;
	NumberPage *last;			/* the page that was used last */
	int64		count;

	/* reading in order */
	NumberPage **sorted;
	long		sorted_count;
	long		next_page;
	int			next_bit;
} NumberSet;

extern void number_set_init(NumberSet *set);
extern void number_set_free(NumberSet *set);

/* True when it was not in the set before. */
extern bool number_set_add(NumberSet *set, int64 no);
extern bool number_set_contains(NumberSet *set, int64 no);

/* Reading from the smallest on; the set must not change meanwhile. */
extern void number_set_rewind(NumberSet *set);
/* Up to max numbers, ascending; 0 at the end. */
extern int	number_set_next(NumberSet *set, int64 *numbers, int max);

#endif							/* REASON_SNAPSHOT_NUMBER_SET_H */
