/*
 * test_numbers.c
 *		Doubles are written as ECMAScript writes them, and decimals read back exactly.
 *
 * The sequence is the one of RFC 8785's author: test/vectors/README.md.  With an
 * argument, that many values are compared (1,000,000 by default).
 */
#include "check.h"

#include <float.h>
#include <math.h>

#include "core/canonical_number.h"
#include "core/json_number.h"
#include "core/sha256.h"

static const struct
{
	unsigned	lines;
	const char *digest;
}			checkpoints[] = {
	{1000, "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687"},
	{10000, "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892"},
	{100000, "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7"},
	{1000000, "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16"},
	{10000000, "b9f8a44a91d46813b21b9602e72f112613c91408db0b8341fb94603d9db135e0"},
	{100000000, "0f7dda6b0837dde083c5d6b896f7d62340c8a2415b0c7121d83145e08a755272"},
};

/* After the listed values come this many doubles from the smallest normal one on. */
#define SERIAL_COUNT 2000
#define SERIAL_FIRST UINT64_C(0x0010000000000000)

static uint64_t *listed;
static unsigned listed_count;

static void
read_listed(const char *path)
{
	size_t		length;
	char	   *text = check_read_file(path, &length);
	char	   *p = text;

	listed = calloc(length / 17 + 1, sizeof(uint64_t));
	while (*p)
	{
		listed[listed_count++] = strtoull(p, &p, 16);
		while (*p == '\n')
			p++;
	}
	free(text);
}

static double
from_bits(uint64_t bits)
{
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double
next_value(unsigned index)
{
	static uint8_t block[SHA256_LENGTH];
	static unsigned left;

	if (index < listed_count)
		return from_bits(listed[index]);
	if (index < listed_count + SERIAL_COUNT)
		return from_bits(SERIAL_FIRST + index - listed_count);
	for (;;)
	{
		uint64_t	bits = 0;
		double		value;

		if (left == 0)
		{
			sha256_of(block, block, sizeof(block));
			left = 4;
		}
		for (int i = 7; i >= 0; i--)
			bits = bits << 8 | block[(4 - left) * 8 + (unsigned) i];
		left--;
		value = from_bits(bits);
		if (value != 0 && isfinite(value))
			return value;
	}
}

/* What was written must be read as the same double, and as an exact and canonical number. */
static bool
reads_back(const char *text, size_t length, double value)
{
	JsonNumber	number;

	return json_read_number(text, text + length, &number) == JSON_OK &&
		number.value == value && number.exact && number.canonical && number.end == text + length;
}

static void
test_sequence(unsigned count)
{
	Sha256		running;
	unsigned	checkpoint = 0;
	unsigned	lost = 0;

	sha256_init(&running);
	for (unsigned i = 0; i < count; i++)
	{
		double		value = next_value(i);
		uint64_t	bits;
		char		line[64];
		int			length;
		size_t		written;

		memcpy(&bits, &value, sizeof(bits));
		length = snprintf(line, sizeof(line), "%" PRIx64 ",", bits);
		written = canonical_format_number(line + length, value);
		if (!reads_back(line + length, written, value) && lost++ < 10)
			fprintf(stderr, "%016" PRIx64 " is not read back from %.*s\n", bits, (int) written, line + length);
		line[(size_t) length + written] = '\n';
		sha256_update(&running, line, (size_t) length + written + 1);
		if (i + 1 == checkpoints[checkpoint].lines)
		{
			Sha256		copy = running;
			uint8_t		digest[SHA256_LENGTH];
			char		hex[SHA256_LENGTH * 2 + 1];

			sha256_final(&copy, digest);
			for (int b = 0; b < SHA256_LENGTH; b++)
				snprintf(hex + b * 2, 3, "%02x", digest[b]);
			CHECK_TEXT(hex, strlen(hex), checkpoints[checkpoint].digest);
			checkpoint++;
		}
	}
	CHECK(lost == 0);
	printf("%u numbers of the sequence\n", count);
}

static void
check_format(double value, const char *expected)
{
	char		text[CANONICAL_NUMBER_SIZE];
	size_t		length = canonical_format_number(text, value);

	CHECK_TEXT(text, length, expected);
}

static void
test_format(void)
{
	check_format(0, "0");
	check_format(-0.0, "0");
	check_format(1, "1");
	check_format(-1.5, "-1.5");
	check_format(100, "100");
	check_format(1e20, "100000000000000000000");
	check_format(1e21, "1e+21");
	check_format(123456789012345680000.0, "123456789012345680000");
	check_format(1e-6, "0.000001");
	check_format(1e-7, "1e-7");
	check_format(1.5e-7, "1.5e-7");
	/* on the edge of its interval, and so the shortest */
	check_format(1e23, "1e+23");
	check_format(5e-324, "5e-324");
	check_format(2.2250738585072014e-308, "2.2250738585072014e-308");
	check_format(DBL_MAX, "1.7976931348623157e+308");
	check_format(-DBL_MAX, "-1.7976931348623157e+308");
	check_format(9007199254740992.0, "9007199254740992");
	check_format(-0.000001234567890123456, "-0.000001234567890123456");
	check_format(4.35, "4.35");
	check_format(0.1 + 0.2, "0.30000000000000004");
}

typedef enum Reading
{
	EXACT, INEXACT, OUT_OF_RANGE, NO_NUMBER
} Reading;

static void
check_reading(const char *text, Reading expected)
{
	JsonNumber	number;
	JsonErrorCode code = json_read_number(text, text + strlen(text), &number);
	Reading		got = code == JSON_ERROR_SYNTAX ? NO_NUMBER :
		code == JSON_ERROR_NUMBER_RANGE ? OUT_OF_RANGE : number.exact ? EXACT : INEXACT;

	if (!CHECK(got == expected))
		fprintf(stderr, "  %s: %d instead of %d\n", text, got, expected);
	if (code == JSON_OK && !CHECK(number.value == strtod(text, NULL)))
		fprintf(stderr, "  %s: read as %.17g\n", text, number.value);
}

static void
test_exactness(void)
{
	static const char *const exact[] = {
		"0", "-0", "-0.0", "0e5", "0.000e-999999999999", "1", "-1", "0.1", "1.50", "1e21",
		"9007199254740991", "9007199254740992", "9007199254740994", "-9007199254740994",
		"123456789012345", "0.30000000000000004", "5e-324", "1.7976931348623157e308",
		"100000000000000000000000", "1e23", "1.0000000000000000000000000000", "0.0000010", "1e22", "1e-22",
		"295147905179352830000", "10000000000000000000000000000000000000000e-40", "1e308", "3e-308",
	};
	static const char *const inexact[] = {
		"9007199254740993", "-9007199254740993", "0.1000000000000000055511151231257827",
		"295147905179352825856", "12345678901234567890", "0.12345678901234567890", "1e-400",
		"4.9e-324", "2e-324", "123456789012345678", "3.141592653589793238", "1.00000000000000001",
		"333333333.33333331", "333333333.33333329", "0.10000000000000001", "0.333333333333333333333333333333",
	};
	static const char *const too_large[] = {
		"1e309", "-1e309", "1.7976931348623159e308", "1e999999999999999999999", "123e400",
	};
	static const char *const no_number[] = {
		"-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "01", "-01", "00", "-a", "1.5e-",
	};

	for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
		check_reading(exact[i], EXACT);
	for (size_t i = 0; i < sizeof(inexact) / sizeof(*inexact); i++)
		check_reading(inexact[i], INEXACT);
	for (size_t i = 0; i < sizeof(too_large) / sizeof(*too_large); i++)
		check_reading(too_large[i], OUT_OF_RANGE);
	for (size_t i = 0; i < sizeof(no_number) / sizeof(*no_number); i++)
		check_reading(no_number[i], NO_NUMBER);
}

/* Ties and near ties, where a wrong rounding shows: against the C library. */
static void
test_hard_decimals(void)
{
	uint64_t	random = 88172645463325252u;
	unsigned	wrong = 0;

	for (int i = 0; i < 300000; i++)
	{
		char		text[1200];
		JsonNumber	number;
		double		value;
		uint64_t	bits;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bits = random & UINT64_C(0x7FFFFFFFFFFFFFFF);
		if (bits >> 52 == 0x7FF)
			continue;
		value = from_bits(bits);
		switch (i % 6)
		{
			case 0:				/* half way between two doubles, all digits */
				{
					double		above = nextafter(value, INFINITY);

					if (!isfinite(above) || value < 1e-300 || value > 1e300)
						continue;
					snprintf(text, sizeof(text), "%.780Le", ((long double) value + above) / 2);
					break;
				}
			case 1:
				snprintf(text, sizeof(text), "%.18e", value);
				break;
			case 2:
				snprintf(text, sizeof(text), "%.16e", value);
				break;
			case 3:
				snprintf(text, sizeof(text), "%" PRIu64, random);
				break;
			case 4:
				snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, random >> 40, random & 0xFFFFFFFF);
				break;
			default:
				snprintf(text, sizeof(text), "%.800e", value);
				break;
		}
		if ((json_read_number(text, text + strlen(text), &number) != JSON_OK ||
			 number.value != strtod(text, NULL)) && wrong++ < 10)
			fprintf(stderr, "%.60s… is read as %.17g instead of %.17g\n", text, number.value, strtod(text, NULL));
	}
	CHECK(wrong == 0);
}

static unsigned wrongly_shortest;

/* What is told without a conversion, against the conversion; returns what was told. */
static bool
check_shortest(uint64_t digits, int exponent)
{
	static char text[32];
	Decimal		decimal = decimal_normalize(digits, exponent);
	bool		told = decimal_is_shortest(decimal.digits, decimal.exponent);

	if (told)
	{
		size_t		length = decimal_format_integer(text, decimal.digits);
		double		value = decimal_text_to_double(text, length, decimal.exponent);
		Decimal		shortest = value > 0 && isfinite(value) ? decimal_shortest(value) : (Decimal) {0, 0};

		if ((shortest.digits != decimal.digits || shortest.exponent != decimal.exponent) && wrongly_shortest++ < 10)
			fprintf(stderr, "%" PRIu64 "e%d is not the shortest\n", decimal.digits, decimal.exponent);
	}
	return told;
}

/* Decimals that are the shortest, and those beside them, where it hardly shows. */
static void
test_shortest(unsigned count)
{
	uint64_t	random = 88172645463325252u;
	unsigned	long_ones = 0;
	unsigned	told = 0;

	for (unsigned i = 0; i < count; i++)
	{
		static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000};
		Decimal		decimal;
		uint64_t	bits;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bits = random & UINT64_C(0x7FFFFFFFFFFFFFFF);
		if (i % 3 == 0)			/* where most numbers of documents lie */
			bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) - random % 32 + random / 32 % 32) << 52;
		else if (i % 3 == 1)	/* near powers of two */
			bits = (bits & ~((UINT64_C(1) << 52) - 1)) + random % 5 - 2;
		if (bits == 0 || bits >> 52 >= 0x7FF)
			continue;
		decimal = decimal_shortest(from_bits(bits));
		if (decimal_count_digits(decimal.digits) >= 16)
		{
			bool		known = check_shortest(decimal.digits, decimal.exponent);

			if (i % 3 == 0)
			{
				long_ones++;
				told += known;
			}
		}
		if (decimal.digits < UINT64_C(1000000000000000000))
		{
			check_shortest(decimal.digits * 10 + random % 10, decimal.exponent - 1);
			check_shortest(decimal.digits + 1, decimal.exponent);
			if (decimal.digits > 1)
				check_shortest(decimal.digits - 1, decimal.exponent);
		}
		check_shortest(1 + (random >> 7), (int) (random % 640) - 330);
		check_shortest(1 + (random >> 11), (int) (random % 640) - 330);
		/* around powers of ten */
		check_shortest(UINT64_C(10000000000000000) + random % 200 * powers[random % 6], (int) (random % 640) - 330);
		check_shortest(UINT64_C(100000000000000000) - 1 - random % 200 * powers[random % 6], (int) (random % 640) - 330);
		check_shortest((UINT64_C(1) << 52) + random % 5 - 2, (int) (random % 640) - 330);
	}
	CHECK(wrongly_shortest == 0);
	CHECK(told > long_ones / 100 * 98);
	printf("%u of %u decimals with 16 digits and more known for the shortest\n", told, long_ones);
}

static void
test_digit_counts(void)
{
	uint64_t	power = 1;

	CHECK(decimal_count_digits(0) == 1);
	for (int digits = 1; digits <= 19; digits++)
	{
		CHECK(decimal_count_digits(power) == digits);
		CHECK(digits == 1 || decimal_count_digits(power - 1) == digits - 1);
		power *= 10;
	}
	CHECK(decimal_count_digits(UINT64_MAX) == 20);
}

int
main(int argc, char **argv)
{
	unsigned	count = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 1000000;

	read_listed(VECTORS "/numbers/first.txt");
	test_format();
	test_exactness();
	test_hard_decimals();
	test_shortest(count);
	test_digit_counts();
	test_sequence(count);
	free(listed);
	return check_summary("numbers");
}
