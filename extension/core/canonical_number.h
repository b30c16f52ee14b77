/*
 * canonical_number.h
 *		Decimal and binary: the conversions that canonical numbers need.
 *
 * A positive decimal is written digits * 10^exponent; it is normal when digits
 * does not end in 0.
 */
#ifndef REASON_CORE_CANONICAL_NUMBER_H
#define REASON_CORE_CANONICAL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Every decimal with digits below this limit, in this range of magnitudes (that
 * of its first digit), is the shortest that names its double: it need not be
 * converted to be written.  Such digits are fewer than the 2^52 and more steps
 * between a power of two and the next, so of decimals with this exponent no two
 * lie in one double's interval.  All of 15 digits are below it.
 */
#define DECIMAL_SAFE_LIMIT (UINT64_C(1) << 52)
#define DECIMAL_SAFE_DIGITS 15
#define DECIMAL_SAFE_MIN_MAGNITUDE (-307)
#define DECIMAL_SAFE_MAX_MAGNITUDE 307

/*
 * The longest text that canonical_write_number() and canonical_format_number()
 * write, e.g. "-0.000001234567890123456" or "-1.2345678901234567e-308".
 */
#define CANONICAL_NUMBER_SIZE 32

/* Writes to `text` (CANONICAL_NUMBER_SIZE bytes, not terminated) and returns the length. */
extern size_t canonical_format_number(char *text, double value);

typedef struct Decimal
{
	uint64_t	digits;
	int			exponent;
} Decimal;

extern int	decimal_count_digits(uint64_t value);

/* Without trailing zeros; digits must not be 0. */
extern Decimal decimal_normalize(uint64_t digits, int exponent);

/*
 * The shortest decimal that rounds to this double; of several the nearest
 * (ECMA-262, Number::toString).  value: positive, finite.  Normal.
 */
extern Decimal decimal_shortest(double value);

/*
 * The nearest double, ties to even, infinity when out of range.  The digits are
 * those of a text: `count` of them, ASCII, without point, at least one, and the
 * value is digits * 10^exponent.
 */
extern double decimal_text_to_double(const char *digits, size_t count, int64_t exponent);

/*
 * The same for digits in a word.  False when the answer is not certain without
 * all digits, or not a normal number: decimal_text_to_double() knows.
 */
extern bool decimal_to_double(uint64_t digits, int exponent, double *value);

/*
 * Whether a normal decimal is the shortest that names its double, told without
 * making that double.  False also when it is not certain (about one in 300).
 */
extern bool decimal_is_shortest(uint64_t digits, int exponent);

/*
 * Writes a normal decimal as ECMAScript does; `count` is decimal_count_digits().
 * Returns the length, at most CANONICAL_NUMBER_SIZE; the text is not terminated.
 */
extern size_t decimal_format(char *text, bool negative, uint64_t digits, int count, int exponent);

/* Writes an integer without sign; returns the length. */
extern size_t decimal_format_integer(char *text, uint64_t value);

/* "00" to "99" */
extern const char decimal_pairs[200];

/* The four digits of a number below 10,000, as they lie in memory. */
static inline uint32_t
decimal_four(unsigned value)
{
	unsigned	hundreds = value / 100;
	uint16_t	high,
				low;

	memcpy(&high, decimal_pairs + hundreds * 2, 2);
	memcpy(&low, decimal_pairs + (value - hundreds * 100) * 2, 2);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (uint32_t) low << 16 | high;
#else
	return (uint32_t) high << 16 | low;
#endif
}

static inline void
decimal_write_four(char *to, unsigned value)
{
	uint32_t	four = decimal_four(value);

	memcpy(to, &four, 4);
}

/* Writes four bytes, of which only the last `count` digits count, and these first. */
static inline void
decimal_write_last_of_four(char *to, unsigned value, int count)
{
	uint32_t	four = decimal_four(value);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	four >>= 8 * (4 - count);
#else
	four <<= 8 * (4 - count);
#endif
	memcpy(to, &four, 4);
}

#endif							/* REASON_CORE_CANONICAL_NUMBER_H */
