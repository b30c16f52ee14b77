/*
 * name_order.c
 *		Compares and sorts the names of an object.
 */
#include "core/name_order.h"

/* Below this many names insertion is faster than merging. */
#define INSERTION_LIMIT 16

int
order_compare_rest(const OrderedName *a, const OrderedName *b)
{
	size_t		a_rest = a->length > 8 ? a->length - 8 : 0;
	size_t		b_rest = b->length > 8 ? b->length - 8 : 0;

	return canonical_compare_names(a->name + 8, a_rest, b->name + 8, b_rest);
}

static void
sort_by_insertion(OrderedName *names, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
	{
		OrderedName entry = names[i];
		uint32_t	j = i;

		while (j > 0 && order_compare(&names[j - 1], &entry) > 0)
		{
			names[j] = names[j - 1];
			j--;
		}
		names[j] = entry;
	}
}

void
order_sort(OrderedName *names, uint32_t count, OrderedName *scratch)
{
	OrderedName *from = names;
	OrderedName *to = scratch;

	for (uint32_t start = 0; start < count; start += INSERTION_LIMIT)
		sort_by_insertion(names + start, count - start < INSERTION_LIMIT ? count - start : INSERTION_LIMIT);

	for (uint64_t width = INSERTION_LIMIT; width < count; width *= 2)
	{
		OrderedName *swap;

		for (uint64_t start = 0; start < count; start += 2 * width)
		{
			uint64_t	middle = start + width < count ? start + width : count;
			uint64_t	end = middle + width < count ? middle + width : count;
			uint64_t	left = start;
			uint64_t	right = middle;

			for (uint64_t i = start; i < end; i++)
			{
				if (left < middle && (right == end || order_compare(&from[left], &from[right]) <= 0))
					to[i] = from[left++];
				else
					to[i] = from[right++];
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != names)
		memcpy(names, from, (size_t) count * sizeof(OrderedName));
}

int
canonical_compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		shorter = a_length < b_length ? a_length : b_length;

	for (size_t i = 0; i < shorter; i++)
	{
		if (a[i] != b[i])
			return (int) order_of_byte((unsigned char) a[i]) - (int) order_of_byte((unsigned char) b[i]);
	}
	return (a_length > b_length) - (a_length < b_length);
}
