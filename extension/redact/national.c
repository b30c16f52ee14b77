/*
 * national.c
 *		Numbers that a state gives to persons, by their form and their check.
 *
 * Those whose form says too little (nine or eleven bare digits) are found by the
 * word before them, national_named.c, and by the names of members.
 */
#include "postgres.h"

#include "redact/internal.h"

/* The digits as one number. */
static int
number_of(const uint8 *digits, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
		number = 10 * number + digits[i];
	return number;
}

static bool
has_counts(const DigitRun *run, int first, const char *counts)
{
	for (int i = 0; counts[i]; i++)
	{
		if (first + i >= run->count || run->groups[first + i].count != counts[i] - '0')
			return false;
	}
	return true;
}

#define JOINS (SEPARATOR_HYPHEN | SEPARATOR_DOT | SEPARATOR_SLASH)

/* United States: SSN (SSA, 2011: no area 000, 666, 900-999; no group 00; no serial 0000) and ITIN (IRS: 9xx). */
static int
us_number(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;
	int			area;
	int			group;

	if (!has_counts(run, first, "324"))
		return -1;
	if (digit_run_uniform(run, first, first + 2, SEPARATOR_SPACE))
	{
		/* In a row of numbers these are three more of them. */
		if (run->count != 3)
			return -1;
	}
	else if (!digit_run_uniform(run, first, first + 2, SEPARATOR_HYPHEN))
		return -1;
	area = number_of(groups[0].digits, 3);
	group = number_of(groups[1].digits, 2);
	if (area == 0 || area == 666 || group == 0 || number_of(groups[2].digits, 4) == 0)
		return -1;
	if (area >= 900 && !((group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group <= 92) || group >= 94))
		return -1;
	return first + 2;
}

/* Brazil, CPF: 123.456.789-09, two check digits by 11. */
static int
brazilian_number(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;
	uint8		digits[11];

	if (!has_counts(run, first, "3332") || groups[1].before != SEPARATOR_DOT || groups[2].before != SEPARATOR_DOT ||
		groups[3].before != SEPARATOR_HYPHEN)
		return -1;
	digit_run_join(run, first, first + 3, digits, 11);
	for (int length = 9; length <= 10; length++)
	{
		int			sum = 0;

		for (int i = 0; i < length; i++)
			sum += digits[i] * (length + 1 - i);
		if (10 * sum % 11 % 10 != digits[length])
			return -1;
	}
	return first + 3;
}

/* Canada, SIN: 046-454-286, check digit as of cards. */
static int
canadian_number(const DigitRun *run, int first)
{
	uint8		digits[9];
	int			sum = 0;

	if (!has_counts(run, first, "333") || !digit_run_uniform(run, first, first + 2, SEPARATOR_HYPHEN))
		return -1;
	digit_run_join(run, first, first + 2, digits, 9);
	for (int i = 0; i < 9; i++)
	{
		int			digit = i % 2 == 1 ? 2 * digits[i] : digits[i];

		sum += digit > 9 ? digit - 9 : digit;
	}
	return digits[0] != 8 && sum % 10 == 0 ? first + 2 : -1;
}

/* India, Aadhaar: 2345 6789 0124, check digit by Verhoeff. */
static int
indian_number(const DigitRun *run, int first)
{
	static const uint8 product[10][10] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	};
	static const uint8 permutation[8][10] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}
	};
	uint8		digits[12];
	int			check = 0;

	if (run->count != 3 || first != 0 || !has_counts(run, first, "444") ||
		(!digit_run_uniform(run, 0, 2, SEPARATOR_SPACE) && !digit_run_uniform(run, 0, 2, SEPARATOR_HYPHEN)))
		return -1;
	digit_run_join(run, 0, 2, digits, 12);
	for (int i = 0; i < 12; i++)
		check = product[check][permutation[i % 8][digits[11 - i]]];
	return digits[0] >= 2 && check == 0 ? 2 : -1;
}

/* France, NIR: sex, year, month, department, commune, order and a check by 97; fifteen digits. */
static int
french_number(const DigitRun *run, int first)
{
	uint8		digits[15];
	int			last = has_counts(run, first, "1222332") ? first + 6 : has_counts(run, first, "1222333") ? -1 :
		run->groups[first].count == 15 ? first : run->groups[first].count == 13 && has_counts(run, first + 1, "2") ? first + 1 : -1;
	int			month;
	int			remainder = 0;

	if (last < 0 || (last > first && !digit_run_uniform(run, first, last, SEPARATOR_SPACE)) ||
		digit_run_join(run, first, last, digits, 15) != 15)
		return -1;
	month = number_of(digits + 3, 2);
	if ((digits[0] != 1 && digits[0] != 2) || !((month >= 1 && month <= 12) || (month >= 20 && month <= 42)))
		return -1;
	for (int i = 0; i < 13; i++)
		remainder = (10 * remainder + digits[i]) % 97;
	return 97 - remainder == number_of(digits + 13, 2) ? last : -1;
}

/* Sweden, personnummer: 811218-9876 or 19811218-9876, check digit as of cards. */
static int
swedish_number(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;
	uint8		digits[12];
	int			skip;
	int			sum = 0;
	int			day;

	if (first + 1 >= run->count || groups[1].count != 4 || groups[1].before != SEPARATOR_HYPHEN ||
		(groups[0].count != 6 && groups[0].count != 8))
		return -1;
	skip = groups[0].count - 6;
	if (skip && (number_of(groups[0].digits, 2) < 18 || number_of(groups[0].digits, 2) > 20))
		return -1;
	digit_run_join(run, first, first + 1, digits, 12);
	for (int i = 0; i < 10; i++)
	{
		int			digit = i % 2 == 0 ? 2 * digits[skip + i] : digits[skip + i];

		sum += digit > 9 ? digit - 9 : digit;
	}
	day = number_of(digits + skip + 4, 2);
	return sum % 10 == 0 && redact_is_date(number_of(digits + skip + 2, 2), day > 60 ? day - 60 : day) ? first + 1 : -1;
}

/* Switzerland, AHV: 756.1234.5678.97, check digit as of EAN-13. */
static int
swiss_number(const DigitRun *run, int first)
{
	uint8		digits[13];
	int			sum = 0;

	if (!has_counts(run, first, "3442") || !digit_run_uniform(run, first, first + 3, SEPARATOR_DOT) ||
		number_of(run->groups[first].digits, 3) != 756)
		return -1;
	digit_run_join(run, first, first + 3, digits, 13);
	for (int i = 0; i < 13; i++)
		sum += digits[i] * (i % 2 == 0 ? 1 : 3);
	return sum % 10 == 0 ? first + 3 : -1;
}

/* China, GB 11643: region, date of birth, order and a check by 11 that may be X. */
static int
chinese_number(const DigitRun *run, int first)
{
	static const uint8 weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	const DigitGroup *group = &run->groups[first];
	int			sum = 0;
	int			century;

	if (group->count != 18)
		return -1;
	century = number_of(group->digits + 6, 2);
	if ((century != 19 && century != 20) || !redact_is_date(number_of(group->digits + 10, 2), number_of(group->digits + 12, 2)))
		return -1;
	for (int i = 0; i < 17; i++)
		sum += group->digits[i] * weights[i];
	return (12 - sum % 11) % 11 == group->digits[17] ? first : -1;
}

/* South Korea, resident registration: 850101-1234567; the digit after the date says century and sex. */
static bool
korean_holds(const uint8 *digits)
{
	return redact_is_date(number_of(digits + 2, 2), number_of(digits + 4, 2)) && digits[6] >= 1 && digits[6] <= 8;
}

/* Thailand: 1-2345-67890-12-1, check by 11. */
static bool
thai_holds(const uint8 *digits)
{
	int			sum = 0;

	for (int i = 0; i < 12; i++)
		sum += digits[i] * (13 - i);
	return digits[0] != 0 && (11 - sum % 11) % 10 == digits[12];
}

/* Argentina, CUIL of persons: 20-12345678-6, check by 11. */
static bool
argentine_holds(const uint8 *digits)
{
	static const uint8 weights[10] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2};
	int			kind = number_of(digits, 2);
	int			sum = 0;

	for (int i = 0; i < 10; i++)
		sum += digits[i] * weights[i];
	return (kind == 20 || (kind >= 23 && kind <= 27)) && (11 - sum % 11) % 11 == digits[10];
}

/* Czechia and Slovakia, rodne cislo: 855101/1234, divisible by 11; months of women are 50 higher, of the overflow 20. */
static bool
czech_holds(const uint8 *digits)
{
	int			month = number_of(digits + 2, 2) % 50;
	int64		number = 0;

	for (int i = 0; i < 10; i++)
		number = 10 * number + digits[i];
	return redact_is_date(month > 20 ? month - 20 : month, number_of(digits + 4, 2)) && number % 11 == 0;
}

/* United Kingdom, NHS: 943 476 5919, check by 11. */
static bool
nhs_holds(const uint8 *digits)
{
	int			sum = 0;

	for (int i = 0; i < 9; i++)
		sum += digits[i] * (10 - i);
	return digits[0] >= 2 && (11 - sum % 11) % 11 == digits[9];
}

/* Belgium: 85.07.30-033.28, check by 97, with a 2 before it for those born since 2000. */
static bool
belgian_holds(const uint8 *digits)
{
	int			number = number_of(digits, 9);
	int			check = number_of(digits + 9, 2);

	return redact_is_date(Max(number_of(digits + 2, 2) % 20, 1), Max(number_of(digits + 4, 2), 1)) &&
		(97 - number % 97 == check || 97 - (int) ((INT64CONST(2000000000) + number) % 97) == check);
}

/* Russia, SNILS: 112-233-445 95, check by 101. */
static bool
russian_holds(const uint8 *digits)
{
	int			sum = 0;

	for (int i = 0; i < 9; i++)
		sum += digits[i] * (9 - i);
	return sum % 101 % 100 == number_of(digits + 9, 2);
}

/* Pakistan, CNIC: 35202-1234567-1, which begins with one of eight provinces. */
static bool
pakistani_holds(const uint8 *digits)
{
	return digits[0] >= 1 && digits[0] <= 8;
}

/* United Arab Emirates: 784-1985-1234567-1, with the year of birth. */
static bool
emirati_holds(const uint8 *digits)
{
	int			century = number_of(digits + 3, 2);

	return number_of(digits, 3) == 784 && (century == 19 || century == 20);
}

/* Malaysia, MyKad: 850101-14-1234. */
static bool
malaysian_holds(const uint8 *digits)
{
	return redact_is_date(number_of(digits + 2, 2), number_of(digits + 4, 2)) && number_of(digits + 6, 2) != 0;
}

/* A number by its groups, what divides them, and a check. */
typedef struct NationalShape
{
	const char *counts;
	const char *separators;		/* one of " -./" for each gap */
	bool		(*holds)(const uint8 *digits);
} NationalShape;

static const NationalShape shapes[] = {
	{"67", "-", korean_holds},
	{"14521", "----", thai_holds},
	{"281", "--", argentine_holds},
	{"64", "/", czech_holds},
	{"334", "  ", nhs_holds},
	{"22232", "..-.", belgian_holds},
	{"3332", "-- ", russian_holds},
	{"571", "--", pakistani_holds},
	{"3471", "---", emirati_holds},
	{"624", "--", malaysian_holds},
};

static int
by_shape(const DigitRun *run, int first)
{
	for (int s = 0; s < lengthof(shapes); s++)
	{
		const NationalShape *shape = &shapes[s];
		int			last = first + (int) strlen(shape->separators);
		uint8		digits[20];
		bool		same = has_counts(run, first, shape->counts);

		for (int i = first + 1; same && i <= last; i++)
		{
			char		separator = shape->separators[i - first - 1];

			same = run->groups[i].before == (separator == ' ' ? SEPARATOR_SPACE : separator == '-' ? SEPARATOR_HYPHEN :
											 separator == '.' ? SEPARATOR_DOT : SEPARATOR_SLASH);
		}
		if (same && digit_run_join(run, first, last, digits, lengthof(digits)) > 0 && shape->holds(digits))
			return last;
	}
	return -1;
}

/* Norway: eleven digits, a date (of D numbers 40 days later) and two checks by 11; also 180786 05002. */
static int
norwegian_number(const DigitRun *run, int first)
{
	static const uint8 weights[2][10] = {{3, 7, 6, 1, 8, 9, 4, 5, 2}, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}};
	uint8		digits[11];
	int			last = run->groups[first].count == 11 ? first :
		has_counts(run, first, "65") && run->groups[first + 1].before == SEPARATOR_SPACE ? first + 1 : -1;

	if (last < 0)
		return -1;
	digit_run_join(run, first, last, digits, 11);
	for (int check = 0; check < 2; check++)
	{
		int			sum = 0;

		for (int i = 0; i < 9 + check; i++)
			sum += digits[i] * weights[check][i];
		if ((11 - sum % 11) % 11 != digits[9 + check])
			return -1;
	}
	return redact_is_date(number_of(digits + 2, 2), number_of(digits, 2) % 40) ? last : -1;
}

/* Chile, RUT: 12.345.678-5 or 12345678-5, check by 11. */
static int
chilean_number(const DigitRun *run, int first)
{
	int			last = has_counts(run, first, "233") || has_counts(run, first, "133") ? first + 3 :
		has_counts(run, first, "81") || has_counts(run, first, "71") ? first + 1 : -1;
	uint8		digits[9];
	int			count;
	int			sum = 0;

	if (last < 0 || last >= run->count || run->groups[last].count != 1 || run->groups[last].before != SEPARATOR_HYPHEN ||
		!digit_run_uniform(run, first, last - 1, SEPARATOR_DOT))
		return -1;
	count = digit_run_join(run, first, last, digits, lengthof(digits)) - 1;
	for (int i = 0; i < count; i++)
		sum += digits[count - 1 - i] * (2 + i % 6);
	return (11 - sum % 11) % 11 == digits[count] ? last : -1;
}

typedef int (*NationalForm) (const DigitRun *run, int first);

int
redact_national_number(const DigitRun *run, int first)
{
	static const NationalForm forms[] = {
		us_number, brazilian_number, canadian_number, indian_number, french_number, swedish_number, swiss_number, chinese_number,
		norwegian_number, chilean_number, by_shape, redact_named_number
	};

	if (run->plus && first == 0)
		return -1;
	for (int i = 0; i < lengthof(forms); i++)
	{
		int			last = forms[i](run, first);

		if (last >= 0 && digit_run_free(run, first, last, JOINS) && (last == first || !digit_run_dumped(run, first, last)))
			return last;
	}
	return -1;
}
