/*
 * json_number.c
 *		Reads one number of a JSON text.
 *
 * Three questions are answered at once: which double, whether a double tells
 * this decimal from every other, and whether the text is canonical already.
 *
 * "Exact" means: the digits of the text, without leading and trailing zeros, are
 * the digits that ECMAScript writes for the double.  Then and only then does
 * reading the canonical form give the number that was written, so that two
 * different numbers never have the same canonical form.  0.1, 1.50 and 1e21 are
 * exact; 9007199254740993 and 0.1000000000000000055511151231257827 are not, and
 * neither is 295147905179352825856, which a double does hold (2^68), but which
 * ECMAScript writes 295147905179352830000, like that other number.
 */
#include "core/json_number.h"

#include <math.h>

#include "core/canonical_number.h"

/* What fits into 64 bits whatever the digits are. */
#define WORD_DIGITS 19

/* Far beyond any exponent that matters; keeps sums of exponents from overflowing. */
#define EXPONENT_LIMIT 100000000

static inline bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* The parts of a number's text. */
typedef struct Parts
{
	bool		negative;
	const char *integer;		/* its digits */
	int64_t		integer_digits;
	const char *fraction;		/* its digits; NULL: no point */
	int64_t		fraction_digits;
	bool		has_exponent;
	int64_t		exponent;
} Parts;

/*
 * Whether an exact number is written as ECMAScript writes it: no exponent between
 * 1e-6 and 1e21, no zeros at the end of a fraction.
 */
static bool
has_canonical_form(const Parts *parts, const JsonNumber *number)
{
	if (parts->has_exponent)
	{
		/* Rare enough to be written anew, and compared. */
		char		text[CANONICAL_NUMBER_SIZE];
		const char *start = parts->integer - (parts->negative ? 1 : 0);
		size_t		length = canonical_format_number(text, number->value);

		return (size_t) (number->end - start) == length && memcmp(start, text, length) == 0;
	}
	if (parts->integer_digits > 21)
		return false;
	if (!parts->fraction)
		return true;
	if (parts->fraction[parts->fraction_digits - 1] == '0')
		return false;
	if (*parts->integer != '0')
		return true;
	/* at most five zeros before the first digit that counts */
	for (int i = 0; i < 6 && i < parts->fraction_digits; i++)
	{
		if (parts->fraction[i] != '0')
			return true;
	}
	return false;
}

/* More digits than a word holds, or a value that is no normal double. */
static JsonErrorCode __attribute__((cold))
convert_slowly(const Parts *parts, JsonNumber *number)
{
	char		at_hand[64];
	char	   *digits = at_hand;
	int64_t		count = parts->integer_digits + parts->fraction_digits;
	int64_t		exponent = parts->exponent - parts->fraction_digits;
	int64_t		first = 0;
	int64_t		limit;
	uint64_t	word = 0;
	Decimal		shortest;
	char		kept[800];
	bool		cut = false;

	/* Leading zeros say nothing; digits are taken from both parts as if there were no point. */
#define DIGIT(i) ((i) < parts->integer_digits ? parts->integer[i] : parts->fraction[(i) - parts->integer_digits])
	while (first < count && DIGIT(first) == '0')
		first++;
	while (count > first && DIGIT(count - 1) == '0')
	{
		count--;
		exponent++;
	}
	if (first == count)
	{
		number->value = parts->negative ? -0.0 : 0.0;
		number->exact = true;
		return JSON_OK;
	}
	limit = count - first;
	if (limit > (int64_t) sizeof(at_hand))
		digits = kept;
	if (limit > (int64_t) sizeof(kept))
	{
		/* The last digit kept is made to say that there are more; no double has so many. */
		cut = true;
		exponent += limit - (int64_t) sizeof(kept);
		limit = (int64_t) sizeof(kept);
	}
	for (int64_t i = 0; i < limit; i++)
		digits[i] = DIGIT(first + i);
#undef DIGIT
	if (cut)
		digits[limit - 1] = '1';

	number->value = decimal_text_to_double(digits, (size_t) limit, exponent);
	if (isinf(number->value))
		return JSON_ERROR_NUMBER_RANGE;
	number->exact = false;
	number->canonical = false;
	if (limit <= WORD_DIGITS && number->value > 0)
	{
		for (int64_t i = 0; i < limit; i++)
			word = word * 10 + (uint64_t) (digits[i] - '0');
		shortest = decimal_shortest(number->value);
		number->exact = shortest.digits == word && shortest.exponent == exponent;
	}
	if (parts->negative)
		number->value = -number->value;
	number->canonical = number->exact && has_canonical_form(parts, number);
	return JSON_OK;
}

/* At most WORD_DIGITS digits, in `word`. */
static inline JsonErrorCode
convert_word(const Parts *parts, uint64_t word, JsonNumber *number)
{
	int64_t		exponent = parts->exponent - parts->fraction_digits;

	if (word == 0)
	{
		number->value = parts->negative ? -0.0 : 0.0;
		number->exact = true;
		number->canonical = number->end - parts->integer == 1 && !parts->negative;
		return JSON_OK;
	}
	/* With so small an exponent a number of so few digits is within the safe range. */
	if (word < DECIMAL_SAFE_LIMIT && exponent >= -22 && exponent <= 22)
	{
		decimal_to_double(word, (int) exponent, &number->value);
		number->exact = true;
	}
	else
	{
		Decimal		decimal;
		Decimal		shortest;

		if (!decimal_to_double(word, (int) exponent, &number->value))
			return convert_slowly(parts, number);
		decimal = decimal_normalize(word, (int) exponent);
		number->exact = decimal_is_shortest(decimal.digits, decimal.exponent);
		if (!number->exact)
		{
			shortest = decimal_shortest(number->value);
			number->exact = shortest.digits == decimal.digits && shortest.exponent == decimal.exponent;
		}
	}
	if (parts->negative)
		number->value = -number->value;
	number->canonical = number->exact && has_canonical_form(parts, number);
	return JSON_OK;
}

static JsonErrorCode
syntax_error(JsonNumber *number, const char *at, const char *expected)
{
	number->end = at;
	number->expected = expected;
	return JSON_ERROR_SYNTAX;
}

JsonErrorCode
json_read_number(const char *p, const char *end, JsonNumber *number)
{
	Parts		parts = {0};
	uint64_t	word = 0;

	number->canonical = false;
	if (*p == '-')
	{
		parts.negative = true;
		p++;
	}
	parts.integer = p;
	if (!is_digit(p, end))
		return syntax_error(number, p, "a digit");
	if (*p == '0')
	{
		p++;
		if (is_digit(p, end))
			return syntax_error(number, p, "no digit after a leading 0");
	}
	else
	{
		/* Wraps around with more than WORD_DIGITS digits, and is not used then. */
		do
			word = word * 10 + (uint64_t) (*p++ - '0');
		while (is_digit(p, end));
	}
	parts.integer_digits = p - parts.integer;

	if (p < end && *p == '.')
	{
		parts.fraction = ++p;
		if (!is_digit(p, end))
			return syntax_error(number, p, "a digit");
		do
			word = word * 10 + (uint64_t) (*p++ - '0');
		while (is_digit(p, end));
		parts.fraction_digits = p - parts.fraction;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		negative = false;

		parts.has_exponent = true;
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			negative = *p++ == '-';
		if (!is_digit(p, end))
			return syntax_error(number, p, "a digit");
		do
		{
			if (parts.exponent < EXPONENT_LIMIT)
				parts.exponent = parts.exponent * 10 + (*p - '0');
			p++;
		}
		while (is_digit(p, end));
		if (negative)
			parts.exponent = -parts.exponent;
	}
	number->end = p;
	if (parts.integer_digits + parts.fraction_digits <= WORD_DIGITS)
		return convert_word(&parts, word, number);
	return convert_slowly(&parts, number);
}
