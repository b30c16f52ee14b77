/*
 * national.c
 *		Numbers that a state gives to persons, by their form and their check.
 *
 * Those whose form says too little without a word beside it (nine or eleven
 * bare digits) are left to the names of members.
 */
#include "postgres.h"

#include "redact/internal.h"

static int
number_of(const uint8 *digits, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
		number = 10 * number + digits[i];
	return number;
}

static bool
is_date(int month, int day)
{
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
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

/* "SSN: 078051120": nine bare digits say nothing without the word. */
static bool
follows_its_name(const DigitRun *run, int first)
{
	static const char *const names[] = {"ssn", "social security number", "social security no", "social security"};
	int			end = run->groups[first].start;

	while (end > 0 && run->groups[first].start - end < 6 && strchr(" :#=.", run->data[end - 1]))
		end--;
	for (int i = 0; i < lengthof(names); i++)
	{
		int			length = strlen(names[i]);

		if (end >= length && pg_strncasecmp(run->data + end - length, names[i], length) == 0 &&
			(end == length || !is_letter(run->data[end - length - 1])))
			return true;
	}
	return false;
}

/* United States: SSN (SSA, 2011: no area 000, 666, 900-999; no group 00; no serial 0000) and ITIN (IRS: 9xx). */
static int
us_number(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;
	int			area;
	int			group;

	if (groups[0].count == 9 && follows_its_name(run, first))
		return first;
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
	return sum % 10 == 0 && is_date(number_of(digits + skip + 2, 2), day > 60 ? day - 60 : day) ? first + 1 : -1;
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
	if ((century != 19 && century != 20) || !is_date(number_of(group->digits + 10, 2), number_of(group->digits + 12, 2)))
		return -1;
	for (int i = 0; i < 17; i++)
		sum += group->digits[i] * weights[i];
	return (12 - sum % 11) % 11 == group->digits[17] ? first : -1;
}

typedef int (*NationalForm) (const DigitRun *run, int first);

int
redact_national_number(const DigitRun *run, int first)
{
	static const NationalForm forms[] = {
		us_number, brazilian_number, canadian_number, indian_number, french_number, swedish_number, swiss_number, chinese_number
	};

	if (run->plus && first == 0)
		return -1;
	for (int i = 0; i < lengthof(forms); i++)
	{
		int			last = forms[i](run, first);

		if (last >= 0 && digit_run_free(run, first, last, JOINS))
			return last;
	}
	return -1;
}

/* ---------------------------------------------------------------- with letters */

#define WORD_LENGTH 18

/* Up to most letters and digits from a place on, single spaces or hyphens left out; their end, or 0 when there are fewer. */
static int
read_word(const char *data, int length, int place, char *word, int wanted, bool spaced)
{
	int			count = 0;

	while (count < wanted && place < length)
	{
		if (is_alnum(data[place]))
			word[count++] = data[place++];
		else if (spaced && count > 0 && (data[place] == ' ' || data[place] == '-'))
			place++;
		else
			return 0;
	}
	if (count < wanted || (place < length && (is_alnum(data[place]) || data[place] == '_')))
		return 0;
	if (place + 1 < length && data[place] == '-' && is_alnum(data[place + 1]))
		return 0;
	return place;
}

/* A: capital letter, 9: digit, ?: either */
static bool
has_form(const char *word, const char *form)
{
	for (; *form; word++, form++)
	{
		bool		letter = *word >= 'A' && *word <= 'Z';

		if (*form == 'A' ? !letter : *form == '9' ? !is_digit(*word) : !letter && !is_digit(*word))
			return false;
	}
	return true;
}

/* United Kingdom, NINO: QQ 12 34 56 C; which letters may begin it: HMRC, NIM39110. */
static bool
is_british(const char *word)
{
	static const char *const never[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};

	if (!has_form(word, "AA999999A") || strchr("DFIQUV", word[0]) || strchr("DFIOQUV", word[1]) || word[8] > 'D')
		return false;
	for (int i = 0; i < lengthof(never); i++)
	{
		if (memcmp(word, never[i], 2) == 0)
			return false;
	}
	return true;
}

/* Spain, DNI and NIE: eight digits, or X, Y, Z and seven, and a letter by 23. */
static bool
is_spanish(const char *word)
{
	char		digits[9] = {0};

	memcpy(digits, word, 8);
	if (word[0] >= 'X' && word[0] <= 'Z')
		digits[0] = word[0] - 'X' + '0';
	return has_form(digits, "99999999") && word[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[atoi(digits) % 23];
}

/* Italy, codice fiscale: sixteen places, the last a check by 26. */
static bool
is_italian(const char *word)
{
	static const uint8 odd[26] = {1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
	static const uint8 numbers[7] = {6, 7, 9, 10, 12, 13, 14};
	int			sum = 0;
	int			digits = 0;

	if (!has_form(word, "AAAAAA??A??A???A") || !strchr("ABCDEHLMPRST", word[8]))
		return false;
	/* Two persons of one code: letters take the place of digits, from the last on. */
	for (int i = 0; i < lengthof(numbers); i++)
	{
		if (is_digit(word[numbers[i]]))
			digits++;
		else if (!strchr("LMNPQRSTUV", word[numbers[i]]))
			return false;
	}
	if (digits < 4)
		return false;
	for (int i = 0; i < 15; i++)
	{
		int			value = is_digit(word[i]) ? word[i] - '0' : word[i] - 'A';

		sum += i % 2 == 0 ? odd[value] : value;
	}
	return word[15] == 'A' + sum % 26;
}

/* Finland, henkilötunnus: date, sign of the century, order and a check by 31. */
static bool
is_finnish(const char *data, int length, int place)
{
	char		digits[10] = {0};
	int			i;

	if (place + 11 > length || !strchr("-+ABCDEFYXWVU", data[place + 6]))
		return false;
	for (i = 0; i < 6; i++)
		digits[i] = data[place + i];
	for (i = 0; i < 3; i++)
		digits[6 + i] = data[place + 7 + i];
	return has_form(digits, "999999999") && is_date(10 * (digits[2] - '0') + digits[3] - '0', 10 * (digits[0] - '0') + digits[1] - '0') &&
		data[place + 10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[atoi(digits) % 31] &&
		(place + 11 == length || !is_alnum(data[place + 11]));
}

int
redact_national_word(const char *data, int length, int place)
{
	char		word[WORD_LENGTH + 1] = {0};
	int			end;

	if (is_letter(data[place]))
	{
		if ((end = read_word(data, length, place, word, 9, true)) != 0 && is_british(word))
			return end;
		if (data[place] >= 'X' && data[place] <= 'Z' && end != 0 && is_spanish(word))
			return end;
		if ((end = read_word(data, length, place, word, 16, true)) != 0)
		{
			for (int i = 0; i < 16; i++)
				word[i] = ascii_upper(word[i]);
			if (is_italian(word))
				return end;
		}
		/* India, PAN: five letters, the fourth the kind of holder, four digits and a letter */
		if ((end = read_word(data, length, place, word, 10, false)) != 0 && has_form(word, "AAAAA9999A") && strchr("ABCFGHLJPT", word[3]))
			return end;
		return 0;
	}
	if ((end = read_word(data, length, place, word, 9, true)) != 0 && has_form(word, "99999999A") && is_spanish(word))
		return end;
	if (is_finnish(data, length, place))
		return place + 11;
	if ((end = read_word(data, length, place, word, 18, false)) != 0 && has_form(word, "99999999999999999A") && word[17] == 'X')
	{
		static const uint8 weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
		int			sum = 0;

		for (int i = 0; i < 17; i++)
			sum += (word[i] - '0') * weights[i];
		if (sum % 11 == 2 && (memcmp(word + 6, "19", 2) == 0 || memcmp(word + 6, "20", 2) == 0))
			return end;
	}
	return 0;
}
