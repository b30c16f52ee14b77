/*
 * hex.h
 *		Bytes as lower-case hexadecimal digits and back, many at a time.
 *
 * Every record holds some hundred such digits.
 */
#ifndef REASON_CORE_HEX_H
#define REASON_CORE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* REASON_PORTABLE: so that tests reach what other processors use. */
#if defined(__SSE2__) && !defined(REASON_PORTABLE)
#define HEX_SSE2
#include <emmintrin.h>
#endif

#ifdef HEX_SSE2
/* Sixteen digits of sixteen values from 0 to 15. */
static inline __m128i
hex_digits_of(__m128i values)
{
	__m128i		beyond_nine = _mm_cmpgt_epi8(values, _mm_set1_epi8(9));

	return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), _mm_and_si128(beyond_nine, _mm_set1_epi8('a' - '0' - 10)));
}

/* The values of sixteen digits; what is no digit sets a byte of `wrong`. */
static inline __m128i
hex_values_of(__m128i digits, __m128i *wrong)
{
	__m128i		letters = _mm_cmpgt_epi8(digits, _mm_set1_epi8('a' - 1));
	__m128i		values = _mm_sub_epi8(digits, _mm_add_epi8(_mm_set1_epi8('0'), _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10))));
	/* Letters from 10 to 15, others from 0 to 9; as signed bytes, so that what lies below is negative. */
	__m128i		too_large = _mm_cmpgt_epi8(values, _mm_add_epi8(_mm_set1_epi8(9), _mm_and_si128(letters, _mm_set1_epi8(6))));

	*wrong = _mm_or_si128(*wrong, _mm_or_si128(too_large, _mm_cmplt_epi8(values, _mm_setzero_si128())));
	return values;
}
#endif

/* Two digits a byte, not terminated. */
static inline void
hex_write(char *digits, const uint8_t *bytes, size_t count)
{
	size_t		i = 0;

#ifdef HEX_SSE2
	const __m128i low_half = _mm_set1_epi8(0x0F);

	for (; count - i >= 16; i += 16)
	{
		__m128i		read = _mm_loadu_si128((const __m128i *) (bytes + i));
		__m128i		high = hex_digits_of(_mm_and_si128(_mm_srli_epi16(read, 4), low_half));
		__m128i		low = hex_digits_of(_mm_and_si128(read, low_half));

		_mm_storeu_si128((__m128i *) (digits + 2 * i), _mm_unpacklo_epi8(high, low));
		_mm_storeu_si128((__m128i *) (digits + 2 * i + 16), _mm_unpackhi_epi8(high, low));
	}
#endif
	for (; i < count; i++)
	{
		digits[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		digits[2 * i + 1] = "0123456789abcdef"[bytes[i] & 0x0F];
	}
}

/* 16 for what is no digit. */
static inline uint8_t
hex_value(char digit)
{
	return (uint8_t) (digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : 16);
}

/* So many bytes from twice as many digits.  False when one of them is none, or an upper-case one; bytes are undefined then. */
static inline bool
hex_read(uint8_t *bytes, const char *digits, size_t count)
{
	size_t		i = 0;

#ifdef HEX_SSE2
	const __m128i first_of_pair = _mm_set1_epi16(0x00FF);
	__m128i		wrong = _mm_setzero_si128();

	for (; count - i >= 16; i += 16)
	{
		__m128i		a = hex_values_of(_mm_loadu_si128((const __m128i *) (digits + 2 * i)), &wrong);
		__m128i		b = hex_values_of(_mm_loadu_si128((const __m128i *) (digits + 2 * i + 16)), &wrong);

		/* A pair is 16 bits, its first digit in the lower byte. */
		a = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(a, first_of_pair), 4), _mm_srli_epi16(a, 8));
		b = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(b, first_of_pair), 4), _mm_srli_epi16(b, 8));
		_mm_storeu_si128((__m128i *) (bytes + i), _mm_packus_epi16(a, b));
	}
	if (_mm_movemask_epi8(wrong))
		return false;
#endif
	for (; i < count; i++)
	{
		uint8_t		high = hex_value(digits[2 * i]);
		uint8_t		low = hex_value(digits[2 * i + 1]);

		if ((high | low) & 16)
			return false;
		bytes[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}

#endif							/* REASON_CORE_HEX_H */
