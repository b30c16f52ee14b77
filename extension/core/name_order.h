/*
 * name_order.h
 *		The order of names by UTF-16 code units, compared on UTF-8.
 *
 * Bytes of UTF-8 stand in the order of code points, and code units of UTF-16 do
 * too, but for one thing: U+10000 and above are written with surrogates (D800 to
 * DFFF) and so come before U+E000 to U+FFFF.  Both begin with lead bytes that
 * begin nothing else, F0 to F4 and EE to EF, and lead bytes meet only lead bytes
 * where two texts first differ: to lift EE and EF above F4 is all it takes.
 */
#ifndef REASON_CORE_NAME_ORDER_H
#define REASON_CORE_NAME_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline unsigned
order_of_byte(unsigned char c)
{
	return (c == 0xEE || c == 0xEF) ? c + 0x10u : c;
}

/*
 * Order of two names by UTF-16 code units: negative, 0, positive.  Both valid
 * UTF-8.  The order of UTF-8 bytes is the same, except that U+10000 and above
 * (surrogates in UTF-16) come before U+E000 to U+FFFF.
 */
extern int	canonical_compare_names(const char *a, size_t a_length, const char *b, size_t b_length);

/* A name to be sorted: its first eight bytes as a number that compares like the name. */
typedef struct OrderedName
{
	uint64_t	prefix;
	const char *name;
	uint32_t	length;
	uint32_t	index;			/* the caller's */
} OrderedName;

static inline uint64_t
order_prefix(const char *name, size_t length)
{
	uint64_t	word = 0;

	if (length >= 8)
	{
		memcpy(&word, name, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		word = __builtin_bswap64(word);
#endif
	}
	else if (length >= 4)
	{
		uint32_t	first,
					last;

		/* two halves that overlap, and agree where they do */
		memcpy(&first, name, 4);
		memcpy(&last, name + length - 4, 4);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		first = __builtin_bswap32(first);
		last = __builtin_bswap32(last);
#endif
		word = (uint64_t) first << 32 | (uint64_t) last << (8 * (8 - length));
	}
	else
	{
		for (size_t i = 0; i < length; i++)
			word |= (uint64_t) (unsigned char) name[i] << (56 - 8 * i);
	}
	if (word & UINT64_C(0x8080808080808080))
	{
		uint64_t	mapped = 0;

		for (int shift = 56; shift >= 0; shift -= 8)
			mapped |= (uint64_t) (order_of_byte((unsigned char) (word >> shift)) & 0xFF) << shift;
		word = mapped;
	}
	return word;
}

static inline void
order_name(OrderedName *entry, const char *name, uint32_t length, uint32_t index)
{
	entry->prefix = order_prefix(name, length);
	entry->name = name;
	entry->length = length;
	entry->index = index;
}

extern int	order_compare_rest(const OrderedName *a, const OrderedName *b);

/* Names contain no NUL, so equal prefixes of short names mean equal names. */
static inline int
order_compare(const OrderedName *a, const OrderedName *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (a->length <= 8 && b->length <= 8)
		return 0;
	return order_compare_rest(a, b);
}

/*
 * Sorts; names that are equal keep their order.  `scratch` has room for as many
 * entries again.  Takes n log n comparisons whatever the names.
 */
extern void order_sort(OrderedName *names, uint32_t count, OrderedName *scratch);

#endif							/* REASON_CORE_NAME_ORDER_H */
