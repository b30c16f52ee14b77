/*
 * phone.c
 *		Telephone numbers: international (ITU-T E.164) and as national plans write them.
 *
 * Without "+" digits alone say little, so a national number must have the
 * grouping of its plan, or a word such as "tel." before it.
 */
#include "postgres.h"

#include "redact/internal.h"

/* How many digits follow a country code: what the plans of the larger countries allow. */
typedef struct CountryPlan
{
	uint16		code;
	uint8		least;
	uint8		most;
} CountryPlan;

static const CountryPlan plans[] = {
	{1, 10, 10}, {7, 10, 10}, {20, 8, 10}, {27, 9, 9}, {30, 10, 10}, {31, 9, 9}, {32, 8, 9}, {33, 9, 9}, {34, 9, 9},
	{36, 8, 9}, {39, 6, 12}, {40, 9, 9}, {41, 9, 9}, {43, 7, 13}, {44, 9, 10}, {45, 8, 8}, {46, 7, 10}, {47, 8, 8},
	{48, 9, 9}, {49, 6, 12}, {51, 8, 9}, {52, 10, 11}, {53, 6, 8}, {54, 10, 11}, {55, 10, 11}, {56, 9, 9}, {57, 8, 10},
	{58, 10, 10}, {60, 8, 10}, {61, 9, 9}, {62, 8, 12}, {63, 8, 10}, {64, 8, 10}, {65, 8, 8}, {66, 8, 9}, {81, 9, 10},
	{82, 8, 10}, {84, 8, 10}, {86, 10, 11}, {90, 10, 10}, {91, 10, 10}, {92, 9, 10}, {93, 9, 9}, {94, 9, 9},
	{95, 7, 10}, {98, 10, 10}
};

/* The plan of a country whose code has three digits; the first two say which those are. */
static const CountryPlan three_digits = {0, 6, 12};

/* Islands whose numbers are shorter. */
static const CountryPlan islands[] = {
	{247, 5, 6}, {290, 4, 5}, {500, 5, 5}, {672, 5, 6}, {676, 5, 7}, {677, 5, 7}, {678, 5, 7}, {682, 5, 5}, {683, 4, 7},
	{685, 5, 10}, {686, 5, 8}, {688, 5, 7}, {690, 4, 7}
};

static bool
is_three_digit_code(int two)
{
	/* ITU-T E.164: zones 21-29, 35, 37, 38, 42, 50, 59, 67-69, 80, 85, 87, 88, 96, 97, 99 */
	return (two >= 21 && two <= 29 && two != 27) || two == 35 || two == 37 || two == 38 || two == 42 || two == 50 || two == 59 ||
		(two >= 67 && two <= 69) || two == 80 || two == 85 || two == 87 || two == 88 || two == 96 || two == 97 || two == 99;
}

/* Whether digits are a country code and as many as its plan allows. */
static bool
is_international(const uint8 *digits, int count)
{
	int			two;

	if (count < 7 || count > 15 || digits[0] == 0)
		return false;
	two = 10 * digits[0] + digits[1];
	for (int i = 0; i < lengthof(islands); i++)
	{
		if (islands[i].code == 10 * two + digits[2])
			return count >= 3 + islands[i].least && count <= 3 + islands[i].most;
	}
	if (count < 8)
		return false;
	if (digits[0] == 1)
		/* North America: neither area nor exchange begins with 0 or 1 */
		return count == 11 && digits[1] >= 2;
	if (is_three_digit_code(two))
		return count >= 3 + three_digits.least && count <= 3 + three_digits.most;
	for (int i = 0; i < lengthof(plans); i++)
	{
		int			code_length = plans[i].code < 10 ? 1 : 2;

		if (plans[i].code == (code_length == 1 ? digits[0] : two))
			return count >= code_length + plans[i].least && count <= code_length + plans[i].most;
	}
	return false;
}

/* The digits of groups first to last, a trunk "(0)" left out. */
static int
join_without_trunk(const DigitRun *run, int first, int last, uint8 *digits, int most)
{
	int			count = 0;

	for (int i = first; i <= last; i++)
	{
		const DigitGroup *group = &run->groups[i];

		if (i > first && group->count == 1 && group->digits[0] == 0 && (group->before & SEPARATOR_OPEN))
			continue;
		if (group->count > DIGITS_KEPT || count + group->count > most)
			return -1;
		memcpy(digits + count, group->digits, group->count);
		count += group->count;
	}
	return count;
}

/* ---------------------------------------------------------------- national plans */

/* What a shape says of its groups: so many digits each. */
static bool
has_shape(const DigitRun *run, int first, const char *shape)
{
	int			i = 0;

	for (; shape[i]; i++)
	{
		if (first + i >= run->count || run->groups[first + i].count != shape[i] - '0')
			return false;
	}
	return true;
}

static bool
in_parentheses(const DigitRun *run, int i)
{
	bool		opened = i == 0 ? run->open : (run->groups[i].before & SEPARATOR_OPEN) != 0;

	return opened && i + 1 < run->count && (run->groups[i + 1].before & SEPARATOR_CLOSE);
}

static bool
separators_within(const DigitRun *run, int first, int last, int allowed)
{
	for (int i = first + 1; i <= last; i++)
	{
		if (run->groups[i].before & ~allowed)
			return false;
	}
	return true;
}

/* Groups from `first` on that together have between least and most digits, as many groups as there are. */
static int
take_digits(const DigitRun *run, int first, int least, int most, int most_groups, int allowed)
{
	int			count = 0;
	int			best = -1;

	for (int i = first; i < run->count && i < first + most_groups; i++)
	{
		if (i > first && (run->groups[i].before & ~allowed))
			break;
		count += run->groups[i].count;
		if (count > most)
			break;
		if (count >= least)
			best = i;
	}
	return best;
}

#define JOINS (SEPARATOR_HYPHEN | SEPARATOR_DOT | SEPARATOR_SLASH)

/* (030) 123-4567, (212) 555-0123, (11) 91234-5678, (495) 123-45-67 */
static int
area_in_parentheses(const DigitRun *run, int first)
{
	const DigitGroup *area = &run->groups[first];
	const DigitGroup *next = area + 1;

	if (!in_parentheses(run, first))
		return -1;
	if (area->digits[0] == 0 && area->count >= 2 && area->count <= 6 && area->digits[1] != 0)
		return take_digits(run, first, 8, 12, 6, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE | SEPARATOR_DOT | SEPARATOR_SLASH);
	if (area->count == 3 && next->count == 3)
	{
		if (has_shape(run, first, "334") &&
			separators_within(run, first, first + 2, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_DOT | SEPARATOR_CLOSE))
			return first + 2;
		if (has_shape(run, first, "3322") && separators_within(run, first, first + 3, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE))
			return first + 3;
	}
	/* (601) 2345678 and (2) 2123 4567, of Colombia and Chile */
	if (has_shape(run, first, "37") && run->count == first + 2 && area->digits[0] >= 2)
		return separators_within(run, first, first + 1, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE) ? first + 1 : -1;
	if (has_shape(run, first, "144") && run->count == first + 3)
		return separators_within(run, first, first + 2, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE) ? first + 2 : -1;
	if (area->count == 2 && (has_shape(run, first, "244") || has_shape(run, first, "254")) &&
		separators_within(run, first, first + 2, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE))
		return first + 2;
	return -1;
}

/* (351) 939 819 616: a country code of three digits; a shorter one may be the number of an item */
static int
code_in_parentheses(const DigitRun *run, int first)
{
	int			last = Min(run->count - 1, first + 5);
	uint8		digits[17];
	int			count;

	if (first > 0 || !in_parentheses(run, 0) || run->groups[0].digits[0] == 0 || last + 1 < run->count ||
		run->groups[0].count != 3 || !is_three_digit_code(10 * run->groups[0].digits[0] + run->groups[0].digits[1]) ||
		!separators_within(run, 0, last, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE))
		return -1;
	count = digit_run_join(run, 0, last, digits, 15);
	return count >= 11 && is_international(digits, count) ? last : -1;
}

/* 8 (71234) 5 67 89, 8 0152 45-09-11: the trunk "8" of countries that were one */
static int
trunk_eight(const DigitRun *run, int first)
{
	static const char *const belarusian[] = {"14222", "13322", "12322"};
	const DigitGroup *groups = run->groups;

	if (first > 0 || run->count < 3 || groups[0].count != 1 || groups[0].digits[0] != 8 ||
		!separators_within(run, 1, run->count - 1, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE))
		return -1;
	if (in_parentheses(run, 1) && groups[1].count >= 3 && groups[1].count <= 5)
		return take_digits(run, 0, 11, 11, 6, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_OPEN | SEPARATOR_CLOSE);
	for (int i = 0; i < lengthof(belarusian); i++)
	{
		if (groups[1].digits[0] == 0 && run->count == 5 && has_shape(run, 0, belarusian[i]))
			return 4;
	}
	return -1;
}

/* (06 1) 234 5678, (0-312) 34567: the trunk apart from the area, of Hungary and Lithuania */
static int
trunk_in_parentheses(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;

	if (first > 0 || !run->open || run->count < 3 || groups[0].digits[0] != 0 || groups[0].count > 2 || groups[1].count > 3 ||
		!(groups[2].before & SEPARATOR_CLOSE))
		return -1;
	return take_digits(run, first, 9, 11, 5, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_CLOSE);
}

/* 212-555-0123, 212.555.0123, 1-212-555-0123 */
static int
north_american(const DigitRun *run, int first)
{
	const DigitGroup *groups = run->groups + first;
	int			before;

	if (first + 2 >= run->count || groups[0].count != 3 || !has_shape(run, first, "334") || groups[0].digits[0] == 0)
		return -1;
	before = groups[1].before;
	if (!digit_run_uniform(run, first, first + 2, SEPARATOR_HYPHEN) && (groups[0].digits[0] < 2 || groups[1].digits[0] < 2))
		return -1;
	if (!digit_run_uniform(run, first, first + 2, before) ||
		(before != SEPARATOR_HYPHEN && before != SEPARATOR_DOT && before != SEPARATOR_SPACE))
		return -1;
	/* In a row of numbers this is one more of them. */
	if (before == SEPARATOR_SPACE && (first > 1 || first + 3 < run->count))
		return -1;
	return first + 2;
}

static bool
has_lone_digits(const DigitRun *run, int first, int last)
{
	for (int i = first; i <= last; i++)
	{
		if (run->groups[i].count == 1)
			return true;
	}
	return false;
}

/* Numbers of eight digits, or in pairs that are no date: 02 123 456, 08-12 34 56, 06 20 123 4567, 01 23 45 6789, 0412.345.678 */
static const struct
{
	const char *counts;
	int			separator;		/* the first, and what may stand between the others */
	int			rest;
}			short_shapes[] = {
	{"233", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN},
	{"2222", SEPARATOR_HYPHEN, SEPARATOR_SPACE},
	{"2234", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN},
	{"2233", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN},
	{"2224", SEPARATOR_SPACE, SEPARATOR_SPACE},
	{"35", SEPARATOR_SPACE, 0},
	{"322", SEPARATOR_SPACE, SEPARATOR_SPACE},
	{"433", SEPARATOR_DOT, SEPARATOR_DOT},
	{"334", SEPARATOR_DOT, SEPARATOR_DOT},
	{"344", SEPARATOR_DOT, SEPARATOR_DOT},
	{"244", SEPARATOR_DOT, SEPARATOR_DOT},
};

/* 030 1234567, 01 23 45 67 89, 020 7946 0958, 030/1234567, 090-1234-5678, 01.23.45.67.89 */
static int
trunk_zero(const DigitRun *run, int first)
{
	const DigitGroup *area = &run->groups[first];
	int			separator;
	int			last;

	if (area->digits[0] != 0 || area->count < 2 || area->count > 6 || area->digits[1] == 0 || first + 1 >= run->count)
		return -1;
	/* After other groups this one belongs to them, and no telephone number is grouped 3-2-4; 011 15-2345-6789 goes on. */
	if (first > 0)
		return -1;
	if (has_shape(run, first, "324"))
		return run->count == 4 && has_shape(run, first, "3244") ? first + 3 : -1;
	separator = area[1].before;
	/* ZIP+4 of New England */
	if (run->count == 2 && separator == SEPARATOR_HYPHEN && has_shape(run, first, "54"))
		return -1;
	for (int i = 0; i < lengthof(short_shapes); i++)
	{
		last = first + (int) strlen(short_shapes[i].counts) - 1;
		if (run->count == last + 1 && has_shape(run, first, short_shapes[i].counts) &&
			(separator == short_shapes[i].separator) && separators_within(run, first + 1, last, short_shapes[i].rest))
			return last;
	}
	/* Two pairs may be a date or what a network card is called: five make a number. */
	if (area->count == 2 && area[1].count == 2 &&
		(!has_shape(run, first, "22222") || (first + 5 < run->count && area[5].count == 2)))
		return -1;
	if (separator == SEPARATOR_SLASH)
		last = take_digits(run, first, 9, 12, 5, SEPARATOR_SLASH | SEPARATOR_SPACE | SEPARATOR_HYPHEN);
	else if (separator == SEPARATOR_DOT)
		return has_shape(run, first, "22222") && digit_run_uniform(run, first, first + 4, SEPARATOR_DOT) ? first + 4 : -1;
	else if (separator == SEPARATOR_SPACE || separator == SEPARATOR_HYPHEN || separator == (SEPARATOR_SPACE | SEPARATOR_HYPHEN))
		last = take_digits(run, first, 9, 12, 5, SEPARATOR_SPACE | SEPARATOR_HYPHEN);
	else
		return -1;
	if (last < 0 || (last == first + 1 && area[1].count < 4) || has_lone_digits(run, first + 1, last))
		return -1;
	return last;
}

/* A Chinese character, or a full-width mark behind one, ends before a place; or begins there. */
static bool
is_han_beside(const DigitRun *run, int start, int end)
{
	const uint8 *data = (const uint8 *) run->data;

	if (start >= 3 && bytes_at(run->data, run->length, start - 3, "\xEF\xBC", 2))
		start -= 3;
	return (start >= 3 && data[start - 3] >= 0xE4 && data[start - 3] <= 0xE9) ||
		(end + 2 < run->length && data[end] >= 0xE4 && data[end] <= 0xE9);
}

/* 138 1234 5678, in one piece within Chinese text, unless that speaks of an order or a number of something */
static int
chinese_mobile(const DigitRun *run, int first)
{
	static const char *const others[] = {"\xE5\x8D\x95", "\xE7\xBC\x96", "\xE5\xBA\x8F", "\xE5\x85\x83", "\xE8\xB4\xA6"}; /* 单, 编, 序, 元, 账 */
	const DigitGroup *groups = run->groups + first;

	if (run->count == 1 && groups[0].count == 11 && groups[0].digits[0] == 1 && groups[0].digits[1] >= 3 &&
		is_han_beside(run, run->start, groups[0].end))
	{
		for (int place = Max(0, run->start - 15); place < groups[0].end + 3; place++)
		{
			for (int i = 0; i < lengthof(others); i++)
			{
				if (bytes_at(run->data, run->length, place, others[i], 3))
					return -1;
			}
		}
		return first;
	}
	if (!has_shape(run, first, "344") || groups[0].digits[0] != 1 || groups[0].digits[1] < 3)
		return -1;
	if (digit_run_uniform(run, first, first + 2, SEPARATOR_SPACE) || digit_run_uniform(run, first, first + 2, SEPARATOR_HYPHEN))
		return first + 2;
	return -1;
}

/*
 * Whether groups that bytes and coordinates have as well stand as in a sentence: between spaces, quotes or parentheses, and
 * beside no byte in hexadecimal such as "e9".
 */
static bool
stands_in_a_sentence(const DigitRun *run)
{
	const char *data = run->data;
	int			start = run->start;
	int			end = run->groups[run->count - 1].end;

	if (start > 0 && !strchr(" \n\t\"'(<=", data[start - 1]) && !((uint8) data[start - 1] & 0x80))
		return false;
	if (end < run->length && !strchr(" \n\t\"').,;!?>", data[end]) && !((uint8) data[end] & 0x80))
		return false;
	for (int side = -1; side <= 1; side += 2)
	{
		int			from = side < 0 ? start - 1 : end;
		int			letters = 0;
		int			others = 0;

		while (from >= 0 && from < run->length && data[from] == ' ')
			from += side;
		for (; from >= 0 && from < run->length && is_alnum(data[from]); from += side)
		{
			letters += is_letter(data[from]);
			others += is_digit(data[from]);
			if (letters + others > 2)
				break;
		}
		if (letters + others == 2 && letters == 1)
			return false;
	}
	return true;
}

/*
 * Shapes that amounts and lists do not have: 612 34 56 78, 12 345 67 89, 11 91234-5678, 8 912 345-67-89, 6 71 23 45 67,
 * 21 23 4 56789, 984-1234567, 41-3130-3299, 43/531-9266.
 */
static const struct
{
	const char *counts;
	int			separator;		/* the first, and what may stand between the others */
	int			rest;
	bool		anywhere;
}			distinct_shapes[] = {
	{"3222", SEPARATOR_SPACE, SEPARATOR_SPACE, true},
	{"2322", SEPARATOR_SPACE, SEPARATOR_SPACE, true},
	{"244", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN, true},
	{"254", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN, true},
	{"13322", SEPARATOR_SPACE, SEPARATOR_SPACE | SEPARATOR_HYPHEN, true},
	{"12222", SEPARATOR_SPACE, SEPARATOR_SPACE, false},
	{"2215", SEPARATOR_SPACE, SEPARATOR_SPACE, false},
	{"37", SEPARATOR_HYPHEN, 0, true},
	{"244", SEPARATOR_HYPHEN, SEPARATOR_HYPHEN, true},
	{"254", SEPARATOR_HYPHEN, SEPARATOR_HYPHEN, true},
	{"234", SEPARATOR_SLASH, SEPARATOR_HYPHEN | SEPARATOR_SPACE, true},
	{"234", SEPARATOR_CLOSE | SEPARATOR_SLASH, SEPARATOR_HYPHEN | SEPARATOR_SPACE, true},
};

static int
distinct_shape(const DigitRun *run, int first)
{
	if (first > 0 || run->groups[0].digits[0] == 0)
		return -1;
	for (int i = 0; i < lengthof(distinct_shapes); i++)
	{
		int			last = (int) strlen(distinct_shapes[i].counts) - 1;

		if (run->count == last + 1 && has_shape(run, 0, distinct_shapes[i].counts) &&
			run->groups[1].before == distinct_shapes[i].separator && separators_within(run, 1, last, distinct_shapes[i].rest))
			return distinct_shapes[i].anywhere || stands_in_a_sentence(run) ? last : -1;
	}
	return -1;
}

/* 32 21 45 12: four pairs, unless they rise, as a list does that is sorted */
static int
four_pairs(const DigitRun *run, int first)
{
	bool		rises = true;

	if (first > 0 || run->count != 4 || !has_shape(run, 0, "2222") || run->groups[0].digits[0] < 2 ||
		!digit_run_uniform(run, 0, 3, SEPARATOR_SPACE))
		return -1;
	for (int i = 1; i < 4; i++)
	{
		const DigitGroup *group = &run->groups[i];

		rises &= memcmp(group->digits, group[-1].digits, 2) >= 0;
	}
	return !rises && stands_in_a_sentence(run) ? 3 : -1;
}

/* ISBN-10: ten digits of which many begin with 0, check by 11. */
static bool
is_isbn(const DigitGroup *group)
{
	int			sum = 0;

	for (int i = 0; i < 10; i++)
		sum += (10 - i) * group->digits[i];
	return group->count == 10 && sum % 11 == 0;
}

/*
 * 0612345678, 07700900123, 01711234567: a trunk "0" and nine to eleven digits, as most plans with one have; of twelve digits,
 * which UPC have too, the mobiles of Germany alone.
 */
static int
bare_trunk_zero(const DigitRun *run, int first)
{
	const DigitGroup *group = &run->groups[first];
	bool		alike = true;

	if (run->count != 1 || group->digits[0] != 0 || group->digits[1] == 0 || group->count < 10 || group->count > 12 || is_isbn(group))
		return -1;
	if (run->start > 0 && (run->data[run->start - 1] == '#' || run->data[run->start - 1] == ':'))
		return -1;
	for (int i = 2; i < group->count; i++)
		alike &= group->digits[i] == group->digits[1];
	if (alike)
		return -1;
	return group->count < 12 || (group->digits[1] == 1 && group->digits[2] >= 5 && group->digits[2] <= 7) ? first : -1;
}

/* Where a word only hints: groupings that are hardly anything else. */
static int
hinted(const DigitRun *run)
{
	static const char *const shapes[] = {
		"3334", "334", "3333", "344", "3322", "2222", "22222", "244", "254", "234", "233", "333", "343", "3222", "2322", "433", "434", "444",
		"1334", "1344", "155", "44", "34", "55", "37", "26", "27", "28", "36", "322", "332", "12222", "224", "35"
	};
	const DigitGroup *group = run->groups;

	if (run->count == 1)
		/* Eleven digits that begin with 1, and ten that begin with 16 or 17, are times or counts as likely. */
		return group->count >= 10 && group->count <= 11 && group->digits[0] != 1 ? 0 : -1;
	/* From one year to another, and a date */
	if (has_shape(run, 0, "224") && ((group[2].digits[0] == 1 && group[2].digits[1] == 9) ||
									 (group[2].digits[0] == 2 && group[2].digits[1] == 0)))
		return -1;
	if (has_shape(run, 0, "44") && (group[0].digits[0] == 1 || group[0].digits[0] == 2) && group[0].digits[1] % 9 == 0 &&
		(group[1].digits[0] == 1 || group[1].digits[0] == 2) && group[1].digits[1] % 9 == 0)
		return -1;
	for (int i = 0; i < lengthof(shapes); i++)
	{
		int			last = (int) strlen(shapes[i]) - 1;

		if (last < run->count && has_shape(run, 0, shapes[i]) &&
			separators_within(run, 0, last, SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_DOT | SEPARATOR_CLOSE) &&
			(last + 1 == run->count || (run->groups[last + 1].before & SEPARATOR_DOT) == 0))
			return last;
	}
	return -1;
}

/* Any grouping, as a word before it says what it is. */
static int
after_a_word(const DigitRun *run, int first)
{
	PhoneEvidence evidence;
	int			last;

	if (first > 0 || (evidence = redact_phone_evidence(run->data, run->start)) == SAYS_NOTHING)
		return -1;
	if (evidence == HINTS_AT_PHONE)
		return hinted(run);
	/* Small countries, and towns, have numbers of five and six digits: "phone: 31234", "tel. 211-234". */
	last = take_digits(run, 0, evidence == INTRODUCES_PHONE ? 5 : 7, 13, 6,
					   SEPARATOR_SPACE | SEPARATOR_HYPHEN | SEPARATOR_DOT | SEPARATOR_SLASH | SEPARATOR_OPEN | SEPARATOR_CLOSE);
	/* A network address of a telephone, a date */
	if (last == 3 && digit_run_uniform(run, 0, 3, SEPARATOR_DOT))
		return -1;
	if (last == 2 && (has_shape(run, 0, "224") || has_shape(run, 0, "422")))
		return -1;
	if (last == 1 && has_shape(run, 0, "42"))
		return -1;
	if (last == 0 && run->groups[0].count == 10 && run->groups[0].digits[0] == 1)
		return -1;
	return last;
}

/* ---------------------------------------------------------------- */

static bool
stands_free(const DigitRun *run, int first, int last, bool marked)
{
	int			start = first == 0 ? run->start : run->groups[first].start;
	int			end = run->groups[last].end;
	char		c = start > 0 ? run->data[start - 1] : ' ';

	/* What stands before "+" may be anything but a number; what is not marked must begin something. */
	if (first == 0 && (is_alnum(c) || c == '_' || (!marked && (c == '-' || c == '.' || c == '/' || c == '@' || c == '$'))))
		return false;
	/* "16:10:03 -0500 2006", "fc:01 1180226" */
	if (first == 0 && !marked && c == ':' && start > 2 && hex_value(run->data[start - 2]) >= 0 && hex_value(run->data[start - 3]) >= 0 &&
		(start == 3 || !is_letter(run->data[start - 4])))
		return false;
	if (last > first && !marked && digit_run_dumped(run, first, last))
		return false;
	if (end < run->length && (run->data[end] == ':' || run->data[end] == '@') && end + 1 < run->length && is_alnum(run->data[end + 1]))
		return false;
	if (!marked || first > 0)
		return digit_run_free(run, first, last, JOINS);
	return end >= run->length || !is_alnum(run->data[end]) ||
		(run->data[end] == 'x' && end + 1 < run->length && is_digit(run->data[end + 1]));
}

/* A point on earth, ISO 6709: +4339-07923, +394421-1045903 */
static bool
is_point(const DigitRun *run)
{
	const DigitGroup *latitude = run->groups;
	const DigitGroup *longitude = latitude + 1;

	return run->count == 2 && longitude->before == SEPARATOR_HYPHEN && longitude->end - longitude->start == longitude->count &&
		((latitude->count == 4 && longitude->count == 5) || (latitude->count == 6 && longitude->count == 7)) &&
		latitude->digits[2] < 6 && longitude->digits[0] < 2 && longitude->digits[3] < 6;
}

/* Four hexadecimal digits each, two of them with a "0" before, as code points are written: 0046 0041 0058 */
static bool
is_code_points(const DigitRun *run, int first)
{
	for (int i = 0; i <= first + 1 && i + 1 < run->count; i++)
	{
		const DigitGroup *group = &run->groups[i];

		if (group->count == 4 && group[1].count == 4 && group->digits[0] == 0 && group[1].digits[0] == 0 &&
			group[1].before == SEPARATOR_SPACE)
			return true;
	}
	return false;
}

typedef int (*PhoneForm) (const DigitRun *run, int first);

int
redact_phone(const DigitRun *run, int first, int *start)
{
	static const PhoneForm national[] = {
		area_in_parentheses, code_in_parentheses, trunk_in_parentheses, north_american, trunk_zero, trunk_eight, chinese_mobile,
		distinct_shape, four_pairs, bare_trunk_zero, after_a_word
	};
	const DigitGroup *group = &run->groups[first];
	uint8		digits[17];
	int			count;

	*start = group->start;
	if (first == 0 && run->plus)
	{
		if (is_point(run))
			return -1;
		*start = in_parentheses(run, 0) && run->start > 0 && run->data[run->start - 1] == '(' ? run->start - 1 : run->start;
		for (int last = Min(run->count - 1, 7); last >= 0; last--)
		{
			count = join_without_trunk(run, 0, last, digits, 15);
			if (count > 0 && is_international(digits, count) && stands_free(run, 0, last, true))
				return last;
		}
		return -1;
	}
	if (group->count <= 4 && is_code_points(run, first))
		return -1;
	/* 00 and 011 call abroad; pairs with hyphens are what a network card is called, rows of pairs are bytes */
	if (group->digits[0] == 0 && group->count >= 2 && group->count <= DIGITS_KEPT &&
		(group->digits[1] == 0 || (group->count == 3 && group->digits[1] == 1 && group->digits[2] == 1)))
	{
		bool		pairs = has_shape(run, first, "222222") &&
			(first > 0 || run->count > 7 || digit_run_uniform(run, first, Min(run->count - 1, first + 5), SEPARATOR_HYPHEN));

		for (int last = Min(run->count - 1, first + 7); last > first && !pairs; last--)
		{
			int			prefix = group->digits[1] == 0 ? 2 : 3;

			count = join_without_trunk(run, first, last, digits, lengthof(digits));
			if (count > prefix && is_international(digits + prefix, count - prefix) && stands_free(run, first, last, false))
				return last;
		}
	}
	for (int i = 0; i < lengthof(national); i++)
	{
		int			last = national[i](run, first);

		if (last >= 0 && (stands_free(run, first, last, false) ||
						  (national[i] == north_american && first == 1 && run->groups[0].count == 1 && run->groups[0].digits[0] == 1)))
		{
			if ((national[i] == trunk_in_parentheses || in_parentheses(run, first)) &&
				group->start > 0 && run->data[group->start - 1] == '(')
				*start = group->start - 1;
			return last;
		}
	}
	return -1;
}
