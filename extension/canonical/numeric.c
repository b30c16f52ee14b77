/*
 * numeric.c
 *		A numeric as canonical JSON writes a number.
 *
 * Most numbers are laid out from numeric's digits as they are, without becoming a
 * double, because few digits are always the shortest that give their double back.
 */
#include "postgres.h"

#include "canonical/numeric.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "core/canonical_number.h"

#include <math.h>

/*
 * The layout of numeric on disk (utils/adt/numeric.c keeps it to itself; it has
 * not changed since 9.1, and pg_upgrade relies on it).
 */
#define NUMERIC_SIGN_BITS		0xC000
#define NUMERIC_LONG_NEGATIVE	0x4000
#define NUMERIC_IS_SHORT		0x8000
#define NUMERIC_IS_SPECIAL		0xC000
#define NUMERIC_SHORT_NEGATIVE	0x2000
#define NUMERIC_SHORT_WEIGHT_NEGATIVE	0x0040
#define NUMERIC_SHORT_WEIGHT	0x003F

/* A numeric: sum of digits[i] * 10000^(weight - i). */
typedef struct NumericParts
{
	bool		negative;
	int			weight;
	int			count;
	const int16 *digits;
} NumericParts;

static pg_attribute_always_inline NumericParts
numeric_parts(const char *datum)
{
	NumericParts parts;
	const char *bytes = VARDATA_ANY(datum);
	int			size = VARSIZE_ANY_EXHDR(datum);
	uint16		header;

	memcpy(&header, bytes, sizeof(header));
	if ((header & NUMERIC_SIGN_BITS) == NUMERIC_IS_SPECIAL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("JSON has no form for NaN and infinity")));
	if (header & NUMERIC_IS_SHORT)
	{
		parts.negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		parts.weight = header & NUMERIC_SHORT_WEIGHT;
		if (header & NUMERIC_SHORT_WEIGHT_NEGATIVE)
			parts.weight |= ~NUMERIC_SHORT_WEIGHT;
		parts.digits = (const int16 *) (bytes + sizeof(uint16));
		parts.count = (size - (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	else
	{
		int16		weight;

		memcpy(&weight, bytes + sizeof(uint16), sizeof(weight));
		parts.negative = (header & NUMERIC_SIGN_BITS) == NUMERIC_LONG_NEGATIVE;
		parts.weight = weight;
		parts.digits = (const int16 *) (bytes + 2 * sizeof(uint16));
		parts.count = (size - 2 * (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	return parts;
}

static REASON_NORETURN void
report_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number in jsonb is beyond the range of a double")));
	pg_unreachable();
}

/* Any number of digits, of any value. */
static void pg_noinline
write_long_numeric(ByteBuffer *out, NumericParts parts)
{
	char	   *digits = palloc(parts.count * 4);
	double		value;

	for (int i = 0; i < parts.count; i++)
	{
		int			digit = parts.digits[i];

		digits[i * 4] = '0' + digit / 1000;
		digits[i * 4 + 1] = '0' + digit / 100 % 10;
		digits[i * 4 + 2] = '0' + digit / 10 % 10;
		digits[i * 4 + 3] = '0' + digit % 10;
	}
	value = decimal_text_to_double(digits, parts.count * 4, (parts.weight - parts.count + 1) * 4);
	pfree(digits);
	if (isinf(value))
		report_out_of_range();
	canonical_write_number(out, parts.negative ? -value : value);
}

/* Trailing zeros of a number from 1 to 9999 written with four digits: bytes that are '0'. */
static inline int
zeros_of_four(unsigned value)
{
	uint32		digits = decimal_four(value) ^ 0x30303030;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_clz(digits) >> 3;
#else
	return __builtin_ctz(digits) >> 3;
#endif
}

/* value / 10^zeros for a value below 10,000: a division would take longer than all the rest. */
static inline unsigned
without_zeros(unsigned value, int zeros)
{
	static const uint32 reciprocals[] = {1 << 23, 838861, 83887, 8389};

	return (uint64) value * reciprocals[zeros] >> 23;
}

/*
 * Lays out digits as they are, in the range that ECMAScript writes without
 * exponent: where they are known to be those of ECMAScript no conversion is needed
 * (see core/canonical_number.h).  Without branches where lengths vary, which nothing could
 * predict: four bytes are written, and as many count as do.
 */
static pg_attribute_always_inline void
write_plain_numeric(ByteBuffer *out, NumericParts parts, int first_length, int zeros)
{
	const int16 *digits = parts.digits;
	int			count = parts.count;
	char	   *start = out->data + out->length;
	char	   *p = start;
	int			i = 0;

	*p = '-';
	p += parts.negative;
	if (parts.weight >= 0)
	{
		decimal_write_last_of_four(p, digits[0], first_length);
		p += first_length;
		for (i = 1; i <= parts.weight; i++, p += 4)
			decimal_write_four(p, i < count ? digits[i] : 0);
	}
	else
		*p++ = '0';
	if (i < count)
	{
		int			left = count - i;

		*p++ = '.';
		decimal_write_four(p, digits[i]);
		if (left > 2)
		{
			/* Doubles have three to five: what is written too much does not count. */
			decimal_write_four(p + 4, digits[i + 1]);
			decimal_write_four(p + 8, digits[i + 2]);
			decimal_write_four(p + 12, digits[Min(i + 3, count - 1)]);
			decimal_write_four(p + 16, digits[count - 1]);
		}
		else if (left > 1)
			decimal_write_four(p + 4, digits[i + 1]);
		p += left * 4 - zeros;
	}
	out->length += p - start;
}

/* Up to 19 digits that are not laid out as they are: by way of a double, or with an exponent. */
static void pg_noinline
write_decimal(ByteBuffer *out, NumericParts parts, Decimal decimal, bool shortest)
{
	double		value;

	if (!shortest)
	{
		if (!decimal_to_double(decimal.digits, decimal.exponent, &value))
		{
			write_long_numeric(out, parts);
			return;
		}
		decimal = decimal_shortest(value);
	}
	out->length += decimal_format(out->data + out->length, parts.negative,
								  decimal.digits, decimal_count_digits(decimal.digits), decimal.exponent);
}

/* The digits of a numeric as one number; the last four end in so many zeros, which do not count. */
static pg_attribute_always_inline Decimal
numeric_decimal(NumericParts parts, int zeros)
{
	static const int powers[] = {1, 10, 100, 1000, 10000};
	Decimal		decimal = {0, (parts.weight - parts.count + 1) * 4 + zeros};

	for (int i = 0; i < Min(parts.count - 1, 3); i++)
		decimal.digits = decimal.digits * 10000 + parts.digits[i];
	decimal.digits = parts.count > 4 ? decimal.digits * 10000 + parts.digits[3] : decimal.digits;
	decimal.digits = decimal.digits * powers[4 - zeros] + without_zeros(parts.digits[parts.count - 1], zeros);
	return decimal;
}

void
canonical_write_numeric(ByteBuffer *out, const char *datum)
{
	NumericParts parts = numeric_parts(datum);
	Decimal		decimal;
	unsigned	last;
	int			first_length;
	int			zeros;
	int			count;
	bool		plain;
	bool		shortest;

	if (!buffer_reserve(out, CANONICAL_NUMBER_SIZE))
		return;
	if (parts.count == 0)
	{
		/* numeric has no minus zero */
		buffer_append_char(out, '0');
		return;
	}
	last = parts.digits[parts.count - 1];
	if (parts.count > 5 || parts.digits[0] == 0 || last == 0)
	{
		/* numeric strips zeros at both ends, but nothing depends on it */
		write_long_numeric(out, parts);
		return;
	}

	/* Significant digits, counted without converting anything. */
	first_length = 1 + (parts.digits[0] >= 10) + (parts.digits[0] >= 100) + (parts.digits[0] >= 1000);
	zeros = zeros_of_four(last);
	count = first_length + (parts.count - 1) * 4 - zeros;
	plain = parts.weight >= -1 && parts.weight <= 4;
	if (count <= DECIMAL_SAFE_DIGITS && plain)
	{
		write_plain_numeric(out, parts, first_length, zeros);
		return;
	}
	if (count > 19)
	{
		write_long_numeric(out, parts);
		return;
	}
	decimal = numeric_decimal(parts, zeros);
	shortest = decimal_is_shortest(decimal.digits, decimal.exponent);
	if (shortest && plain)
		write_plain_numeric(out, parts, first_length, zeros);
	else
		write_decimal(out, parts, decimal, shortest);
}
