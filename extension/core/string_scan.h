/*
 * string_scan.h
 *		Skips or copies the bytes of a string that need no attention, many at a time.
 */
#ifndef REASON_CORE_STRING_SCAN_H
#define REASON_CORE_STRING_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* REASON_PORTABLE: so that tests reach what other processors use. */
#if defined(__SSE2__) && !defined(REASON_PORTABLE)
#define SCAN_SSE2
#include <emmintrin.h>
#endif

/* Bytes that end a run: the quote, the backslash, controls, and for readers all but ASCII. */
static inline bool
scan_stops_at(unsigned char c, bool stop_at_high)
{
	return c < 0x20 || c == '"' || c == '\\' || (stop_at_high && c >= 0x80);
}

/* Nonzero in the highest bit of a byte that ends a run; false hits only above a true one. */
static inline uint64_t
scan_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t	quotes = word ^ (ones * '"');
	uint64_t	backslashes = word ^ (ones * '\\');

	return (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
			((word - ones * 0x20) & ~word)) & UINT64_C(0x8080808080808080);
}

/* The first byte from p on that ends a run; `end` if there is none. */
static inline const char *
scan_plain(const char *p, const char *end, bool stop_at_high)
{
#ifdef SCAN_SSE2
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i last_control = _mm_set1_epi8(0x1F);

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) p);
		__m128i		hit = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
		int			mask;

		/* unsigned comparison: min(byte, 0x1F) is the byte itself only for controls */
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
		mask = _mm_movemask_epi8(hit);
		if (stop_at_high)
			mask |= _mm_movemask_epi8(bytes);
		if (mask)
			return p + __builtin_ctz((unsigned) mask);
		p += 16;
	}
#else
	while (end - p >= 8)
	{
		uint64_t	word;

		memcpy(&word, p, sizeof(word));
		/* Which byte it is, the loop below finds. */
		if (scan_word(word) || (stop_at_high && (word & UINT64_C(0x8080808080808080))))
			break;
		p += 8;
	}
#endif
	while (p < end && !scan_stops_at((unsigned char) *p, stop_at_high))
		p++;
	return p;
}

/*
 * Copies a string; true if it needs no escape.  Otherwise what was copied is to
 * be written again.  Never reads or writes beyond `length`: the last bytes are
 * covered by a step that overlaps the one before.
 */
static inline bool
copy_plain(char *to, const char *from, size_t length)
{
	uint64_t	hits;

	if (length >= 16)
	{
#ifdef SCAN_SSE2
		const __m128i quote = _mm_set1_epi8('"');
		const __m128i backslash = _mm_set1_epi8('\\');
		const __m128i last_control = _mm_set1_epi8(0x1F);
		__m128i		hit = _mm_setzero_si128();

		for (size_t i = 0;; i += 16)
		{
			__m128i		bytes;

			if (i + 16 > length)
			{
				if (i == length)
					break;
				i = length - 16;
			}
			bytes = _mm_loadu_si128((const __m128i *) (from + i));
			_mm_storeu_si128((__m128i *) (to + i), bytes);
			hit = _mm_or_si128(hit, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
			hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
		}
		return _mm_movemask_epi8(hit) == 0;
#else
		hits = 0;
		for (size_t i = 0;; i += 8)
		{
			uint64_t	word;

			if (i + 8 > length)
			{
				if (i == length)
					break;
				i = length - 8;
			}
			memcpy(&word, from + i, 8);
			memcpy(to + i, &word, 8);
			hits |= scan_word(word);
		}
		return hits == 0;
#endif
	}
	if (length >= 8)
	{
		uint64_t	first,
					last;

		memcpy(&first, from, 8);
		memcpy(&last, from + length - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + length - 8, &last, 8);
		hits = scan_word(first) | scan_word(last);
	}
	else if (length >= 4)
	{
		uint32_t	first,
					last;

		memcpy(&first, from, 4);
		memcpy(&last, from + length - 4, 4);
		memcpy(to, &first, 4);
		memcpy(to + length - 4, &last, 4);
		hits = scan_word((uint64_t) last << 32 | first);
	}
	else
	{
		hits = 0;
		for (size_t i = 0; i < length; i++)
		{
			to[i] = from[i];
			hits |= scan_stops_at((unsigned char) from[i], false);
		}
	}
	return hits == 0;
}

#endif							/* REASON_CORE_STRING_SCAN_H */
