/*
 * canonical_number.c
 *		Numbers as ECMAScript writes them, and back.
 *
 * Double to shortest decimal is Schubfach (R. Giulietti, "The Schubfach way to
 * render doubles", 2021): one candidate interval, three multiplications.
 * PostgreSQL's own shortest output is not usable here: it never takes a decimal
 * on the edge of the interval, so that 1e23 comes out as 9.999999999999999e+22.
 *
 * Decimal to double is Clinger's exact case, then Eisel-Lemire (D. Lemire,
 * "Number parsing at a gigabyte per second", 2021), then the C library.
 */
#include "core/canonical_number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/canonical_powers.h"

_Static_assert(DBL_MANT_DIG == 53 && DBL_DIG == DECIMAL_SAFE_DIGITS, "doubles must be IEEE 754 binary64");
_Static_assert(FLT_EVAL_METHOD == 0, "Clinger's exact case needs arithmetic without excess precision");

typedef unsigned __int128 uint128;

const char	decimal_pairs[200] =
	"0001020304050607080910111213141516171819"
	"2021222324252627282930313233343536373839"
	"4041424344454647484950515253545556575859"
	"6061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

static const uint64_t integer_powers[20] = {
	UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
	UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000),
	UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
	UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
	UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000)
};

/* Powers of ten that a double holds exactly. */
static const double exact_powers[23] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

int
decimal_count_digits(uint64_t value)
{
	/* log10(2) is about 1233 / 4096; the table settles the last digit. */
	int			guess = ((64 - __builtin_clzll(value | 1)) * 1233) >> 12;

	return guess + (value >= integer_powers[guess]) + (value == 0);
}

Decimal
decimal_normalize(uint64_t digits, int exponent)
{
	Decimal		result;

	while (digits % 100 == 0)
	{
		digits /= 100;
		exponent += 2;
	}
	if (digits % 10 == 0)
	{
		digits /= 10;
		exponent++;
	}
	result.digits = digits;
	result.exponent = exponent;
	return result;
}

/* Shifts to the right as if there were no end of bits, negative numbers too; |value| < 2^62. */
static inline int
floor_shift(int64_t value, int bits)
{
	return (int) ((int64_t) ((uint64_t) (value + (INT64_C(1) << 62)) >> bits) - (INT64_C(1) << (62 - bits)));
}

/* floor(e * log2(10)), for |e| <= 1233 */
static inline int
floor_log2_power(int e)
{
	return floor_shift((int64_t) e * 1741647, 19);
}

/* The 65th bit and up of g * cp / 2^63, with the lowest bit set if anything was cut off. */
static inline uint64_t
round_to_odd(PowerOfTen g, uint64_t cp)
{
	uint64_t	x = (uint64_t) (((uint128) g.low * cp) >> 64);
	uint128		y = (uint128) g.high * cp + x;

	return (uint64_t) (y >> 64) | ((uint64_t) y > 1);
}

Decimal
decimal_shortest(double value)
{
	uint64_t	bits;
	uint64_t	fraction;
	int			biased;
	uint64_t	c;
	int			q,
				k,
				h;
	bool		even,
				lower_is_closer;
	PowerOfTen	g;
	uint64_t	vb,
				lower,
				upper,
				s;

	assert(value > 0 && value <= DBL_MAX);
	memcpy(&bits, &value, sizeof(bits));
	fraction = bits & ((UINT64_C(1) << 52) - 1);
	biased = (int) (bits >> 52);
	if (biased != 0)
	{
		c = fraction | (UINT64_C(1) << 52);
		q = biased - 1075;
		/* An integer up to 2^53: all its digits are needed. */
		if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0)
			return decimal_normalize(c >> -q, 0);
	}
	else
	{
		c = fraction;
		q = -1074;
	}

	/* The reader rounds ties to even, so an even c may stand on the edge of its interval. */
	even = (c & 1) == 0;
	lower_is_closer = fraction == 0 && biased > 1;

	/* k = floor(log10(2^q)), or of 3/4 of it for the narrower interval below a power of two */
	k = floor_shift((int64_t) q * 1262611 - (lower_is_closer ? 524031 : 0), 22);
	h = q + floor_log2_power(-k) + 1;
	assert(-k >= POWERS_FIRST && -k <= POWERS_LAST && h >= 1 && h <= 4);
	g = powers_of_ten[-k - POWERS_FIRST];
	if (-k < 0 || -k > POWERS_EXACT_LAST)
	{
		/* The method wants inexact powers rounded up. */
		g.low++;
		g.high += g.low == 0;
	}

	lower = round_to_odd(g, (4 * c - 2 + lower_is_closer) << h) + !even;
	vb = round_to_odd(g, (4 * c) << h);
	upper = round_to_odd(g, (4 * c + 2) << h) - !even;

	s = vb / 4;
	if (s >= 10)
	{
		uint64_t	tens = s / 10;
		bool		down_inside = lower <= 40 * tens;
		bool		up_inside = 40 * tens + 40 <= upper;

		if (down_inside != up_inside)
			return decimal_normalize(tens + up_inside, k + 1);
	}
	{
		bool		down_inside = lower <= 4 * s;
		bool		up_inside = 4 * s + 4 <= upper;

		if (down_inside != up_inside)
			s += up_inside;
		else
		{
			uint64_t	middle = 4 * s + 2;

			s += vb > middle || (vb == middle && (s & 1) != 0);
		}
	}
	return decimal_normalize(s, k);
}

bool
decimal_to_double(uint64_t digits, int exponent, double *value)
{
	int			leading;
	int			binary_exponent;
	PowerOfTen	g;
	uint128		x;
	uint64_t	high,
				low,
				mantissa,
				bits;

	if (digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22)
	{
		/* Both operands are exact, so the one operation rounds correctly. */
		*value = exponent < 0 ? (double) digits / exact_powers[-exponent]
			: (double) digits * exact_powers[exponent];
		return true;
	}
	if (digits == 0 || exponent < POWERS_FIRST || exponent > POWERS_LAST)
		return false;

	leading = __builtin_clzll(digits);
	digits <<= leading;
	binary_exponent = floor_log2_power(exponent) + 64 + 1023 - leading;
	g = powers_of_ten[exponent - POWERS_FIRST];

	x = (uint128) digits * g.high;
	high = (uint64_t) (x >> 64);
	low = (uint64_t) x;
	if ((high & 0x1FF) == 0x1FF && low + digits < digits)
	{
		/* What the lower half of the power adds may carry into the bits that count. */
		uint128		y = (uint128) digits * g.low;
		uint64_t	merged_low = low + (uint64_t) (y >> 64);
		uint64_t	merged_high = high + (merged_low < low);

		if ((merged_high & 0x1FF) == 0x1FF && merged_low + 1 == 0 && (uint64_t) y + digits < digits)
			return false;
		high = merged_high;
		low = merged_low;
	}

	if (high >> 63)
		mantissa = high >> 10;
	else
	{
		mantissa = high >> 9;
		binary_exponent--;
	}
	/* Exactly half way, as far as can be seen. */
	if (low == 0 && (high & 0x1FF) == 0 && (mantissa & 3) == 1)
		return false;
	mantissa += mantissa & 1;
	mantissa >>= 1;
	if (mantissa >> 53)
	{
		mantissa >>= 1;
		binary_exponent++;
	}
	if (binary_exponent <= 0 || binary_exponent >= 0x7FF)
		return false;
	bits = ((uint64_t) binary_exponent << 52) | (mantissa & ((UINT64_C(1) << 52) - 1));
	memcpy(value, &bits, sizeof(bits));
	return true;
}

bool
decimal_is_shortest(uint64_t digits, int exponent)
{
	int			leading;
	int			bits;
	int64_t		half,
				last,
				unit,
				above,
				distance;
	uint64_t	product;
	PowerOfTen	g;

	/* With 17 digits and less all of these are normal doubles. */
	if (exponent < -DECIMAL_SAFE_MAX_MAGNITUDE || exponent > DECIMAL_SAFE_MAX_MAGNITUDE - 17)
		return false;
	if (digits < integer_powers[15])
		return true;
	/* 18 digits never are. */
	if (digits >= integer_powers[17])
		return false;

	/*
	 * Places on the scale of the product's upper word, where doubles are 2 * half
	 * apart: the decimal lies `above` its double, by up to 2 more, and is a
	 * multiple of unit, by up to 1 more.
	 */
	leading = __builtin_clzll(digits);
	g = powers_of_ten[exponent - POWERS_FIRST];
	product = (uint64_t) ((uint128) (digits << leading) * g.high >> 64);
	bits = 9 + (int) (product >> 63);
	half = INT64_C(1) << bits;
	unit = (int64_t) (g.high >> (64 - leading));
	above = (int64_t) (product & (uint64_t) (2 * half - 1));
	above -= (above > half) * 2 * half;
	distance = above < 0 ? -above : above;
	last = (int64_t) (digits % 10);

	/*
	 * Certain are digits below the limit.  Others are when the double is no power
	 * of two, whose interval is narrower below, when no other decimal of as many
	 * digits lies nearer to it, and when both neighbours that end in 0 are outside
	 * its interval.  In the middle between two doubles it does not matter which
	 * one is meant: there the second condition wants a unit larger than an
	 * interval.  No branches: nothing could predict them.
	 */
	return (digits < DECIMAL_SAFE_LIMIT) |
		(((product + (uint64_t) half) << (11 - bits) >> 12 != 0) &
		 (2 * (distance + 2) < unit) &
		 (last * unit > half + above + 2) &
		 ((10 - last) * unit > half - above));
}

/* No double has more significant digits than 767; one more says that some were cut off. */
#define SIGNIFICANT_DIGITS 768

double
decimal_text_to_double(const char *digits, size_t count, int64_t exponent)
{
	char		text[SIGNIFICANT_DIGITS + 1 + sizeof("e-1234567")];
	size_t		used;
	int			length;
	int			written;

	while (count > 1 && *digits == '0')
	{
		digits++;
		count--;
	}
	while (count > 1 && digits[count - 1] == '0')
	{
		count--;
		exponent++;
	}
	if (*digits == '0')
		return 0;
	if (exponent + (int64_t) count > 400)
		return HUGE_VAL;
	if (exponent + (int64_t) count < -400)
		return 0;
	if (count <= 19)
	{
		uint64_t	value = 0;
		double		result;

		for (size_t i = 0; i < count; i++)
			value = value * 10 + (uint64_t) (digits[i] - '0');
		if (decimal_to_double(value, (int) exponent, &result))
			return result;
	}

	used = count > SIGNIFICANT_DIGITS ? SIGNIFICANT_DIGITS : count;
	memcpy(text, digits, used);
	length = (int) used;
	if (used < count)
	{
		/* The last digit is not 0, so what is cut off is more than nothing. */
		text[length++] = '1';
		exponent += (int64_t) (count - used) - 1;
	}
	/* Without a point the text means the same in every locale. */
	text[length++] = 'e';
	if (exponent < 0)
		text[length++] = '-';
	written = (int) decimal_format_integer(text + length, (uint64_t) (exponent < 0 ? -exponent : exponent));
	text[length + written] = '\0';
	return strtod(text, NULL);
}

/* Writes exactly `count` digits. */
static inline void
write_digits(char *text, uint64_t value, int count)
{
	char	   *p = text + count;

	while (count >= 4)
	{
		p -= 4;
		decimal_write_four(p, (unsigned) (value % 10000));
		value /= 10000;
		count -= 4;
	}
	if (count >= 2)
	{
		p -= 2;
		memcpy(p, decimal_pairs + value % 100 * 2, 2);
		value /= 100;
		count -= 2;
	}
	if (count)
		*--p = (char) ('0' + value);
}

size_t
decimal_format_integer(char *text, uint64_t value)
{
	int			count = decimal_count_digits(value);

	write_digits(text, value, count);
	return (size_t) count;
}

size_t
decimal_format(char *text, bool negative, uint64_t digits, int count, int exponent)
{
	char	   *p = text;
	int			point = count + exponent;	/* digits before the decimal point */

	if (negative)
		*p++ = '-';
	if (exponent >= 0 && point <= 21)
	{
		write_digits(p, digits, count);
		memset(p + count, '0', (size_t) exponent);
		return (size_t) (p + point - text);
	}
	if (point > 0 && point <= 21)
	{
		write_digits(p, digits, count);
		memmove(p + point + 1, p + point, (size_t) (count - point));
		p[point] = '.';
		return (size_t) (p + count + 1 - text);
	}
	if (point > -6 && point <= 0)
	{
		memcpy(p, "0.00000", 7);
		p += 2 - point;
		write_digits(p, digits, count);
		return (size_t) (p + count - text);
	}

	/* one digit, the point, the others, and the exponent */
	write_digits(p + 1, digits, count);
	p[0] = p[1];
	if (count > 1)
	{
		p[1] = '.';
		p += count + 1;
	}
	else
		p++;
	*p++ = 'e';
	*p++ = point > 0 ? '+' : '-';
	p += decimal_format_integer(p, (uint64_t) (point > 0 ? point - 1 : 1 - point));
	return (size_t) (p - text);
}

size_t
canonical_format_number(char *text, double value)
{
	Decimal		decimal;
	bool		negative = value < 0;

	assert(isfinite(value));
	if (value == 0)
	{
		*text = '0';
		return 1;
	}
	decimal = decimal_shortest(negative ? -value : value);
	return decimal_format(text, negative, decimal.digits,
						  decimal_count_digits(decimal.digits), decimal.exponent);
}
