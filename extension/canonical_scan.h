/*
 * canonical_scan.h
 *		Skips the bytes of a string that need no attention, sixteen or eight at a time.
 */
#ifndef REASON_CANONICAL_SCAN_H
#define REASON_CANONICAL_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes that end a run: the quote, the backslash, controls, and for readers all but ASCII. */
static inline bool
scan_stops_at(unsigned char c, bool stop_at_high)
{
	return c < 0x20 || c == '"' || c == '\\' || (stop_at_high && c >= 0x80);
}

/* The first byte from p on that ends a run; `end` if there is none. */
static inline const char *
scan_plain(const char *p, const char *end, bool stop_at_high)
{
#ifdef __SSE2__
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
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = UINT64_C(0x8080808080808080);

	while (end - p >= 8)
	{
		uint64_t	word,
					quotes,
					backslashes,
					hit;

		memcpy(&word, p, sizeof(word));
		quotes = word ^ (ones * '"');
		backslashes = word ^ (ones * '\\');
		/* may also hit behind a true hit, never miss one: the byte loop below decides */
		hit = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
			((word - ones * 0x20) & ~word);
		if (stop_at_high)
			hit |= word;
		if (hit & highs)
			break;
		p += 8;
	}
#endif
	while (p < end && !scan_stops_at((unsigned char) *p, stop_at_high))
		p++;
	return p;
}

#endif							/* REASON_CANONICAL_SCAN_H */
