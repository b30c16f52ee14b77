/*
 * number_set.c
 *		Sets of record numbers.
 */
#include "postgres.h"

#include "snapshot/number_set.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

void
number_set_init(NumberSet *set)
{
	HASHCTL		control = {.keysize = sizeof(int64), .entrysize = sizeof(NumberPage)};

	memset(set, 0, sizeof(*set));
	set->context = AllocSetContextCreate(CurrentMemoryContext, "record numbers", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = set->context;
	set->pages = hash_create("record numbers", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
number_set_free(NumberSet *set)
{
	MemoryContextDelete(set->context);
	set->context = NULL;
}

static NumberPage *
page_of(NumberSet *set, int64 no, HASHACTION action)
{
	int64		number = no >> GRAPH_BITS_PAGE_BITS;
	bool		found;
	NumberPage *page;

	if (set->last && set->last->number == number)
		return set->last;
	page = hash_search(set->pages, &number, action, &found);
	if (page == NULL)
		return NULL;
	if (!found)
		memset(page->words, 0, sizeof(page->words));
	set->last = page;
	return page;
}

bool
number_set_add(NumberSet *set, int64 no)
{
	NumberPage *page = page_of(set, no, HASH_ENTER);

	if (!bit_set(page->words, no & GRAPH_BITS_PAGE_MASK))
		return false;
	set->count++;
	return true;
}

bool
number_set_contains(NumberSet *set, int64 no)
{
	NumberPage *page = page_of(set, no, HASH_FIND);

	return page && bit_is_set(page->words, no & GRAPH_BITS_PAGE_MASK);
}

static int
compare_pages(const void *a, const void *b)
{
	int64		left = (*(NumberPage *const *) a)->number;
	int64		right = (*(NumberPage *const *) b)->number;

	return left < right ? -1 : left > right;
}

void
number_set_rewind(NumberSet *set)
{
	HASH_SEQ_STATUS status;
	NumberPage *page;
	long		i = 0;

	if (set->sorted)
		pfree(set->sorted);
	set->sorted_count = hash_get_num_entries(set->pages);
	set->sorted = MemoryContextAllocHuge(set->context, Max(set->sorted_count, 1) * sizeof(NumberPage *));
	hash_seq_init(&status, set->pages);
	while ((page = hash_seq_search(&status)) != NULL)
		set->sorted[i++] = page;
	qsort(set->sorted, set->sorted_count, sizeof(NumberPage *), compare_pages);
	set->next_page = 0;
	set->next_bit = 0;
}

int
number_set_next(NumberSet *set, int64 *numbers, int max)
{
	int			count = 0;

	while (set->next_page < set->sorted_count)
	{
		NumberPage *page = set->sorted[set->next_page];

		while (set->next_bit < (1 << GRAPH_BITS_PAGE_BITS))
		{
			uint64		rest = page->words[set->next_bit / 64] >> (set->next_bit & 63);

			if (rest == 0)
			{
				set->next_bit = (set->next_bit | 63) + 1;
				continue;
			}
			if (count == max)
				return count;
			set->next_bit += pg_rightmost_one_pos64(rest);
			numbers[count++] = (page->number << GRAPH_BITS_PAGE_BITS) + set->next_bit;
			set->next_bit++;
		}
		set->next_bit = 0;
		set->next_page++;
	}
	return count;
}
