/*
 * card.c
 *		Numbers of payment cards: ISO/IEC 7812 (issuer, length, check digit).
 *
 * Issuer ranges are those that the networks publish.  What begins with 1 is no
 * card here, but for 15 digits of JCB: times in milliseconds to nanoseconds do,
 * which have 13, 16 and 19.
 */
#include "postgres.h"

#include "redact/internal.h"

typedef struct IssuerRange
{
	uint32		first;			/* six digits, inclusive */
	uint32		last;
	uint32		lengths;		/* bit n: n digits */
} IssuerRange;

#define LENGTH(n) (1u << (n))
/* Ids of 17 and 18 digits are common, and such cards are not, but of the two networks that issue them. */
#define LONG (LENGTH(16) | LENGTH(19))
#define FROM_16 (LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19))
#define MAESTRO (LENGTH(12) | LENGTH(13) | LENGTH(14) | LENGTH(15) | FROM_16)

/* Ascending. */
static const IssuerRange issuers[] = {
	{180000, 180099, LENGTH(15)},	/* JCB of old, as 2131 */
	{213100, 213199, LENGTH(15)},
	{220000, 220499, LONG}, /* Mir */
	{222100, 272099, LENGTH(16)},	/* Mastercard */
	{300000, 305999, LENGTH(14) | LONG}, /* Diners Club */
	{309500, 309599, LENGTH(14) | LONG},
	{340000, 349999, LENGTH(15)},	/* American Express */
	{352800, 358999, LONG}, /* JCB */
	{360000, 369999, LENGTH(14) | LONG}, /* Diners Club */
	{370000, 379999, LENGTH(15)},	/* American Express */
	{380000, 399999, LENGTH(14) | LONG}, /* Diners Club */
	{400000, 499999, LENGTH(13) | LONG},	/* Visa */
	{500000, 501799, LONG}, /* Elo, Verve, RuPay, Maestro */
	{501800, 501899, MAESTRO},
	{501900, 501999, LONG}, /* Dankort */
	{502000, 502099, MAESTRO},
	{502100, 503799, LONG},
	{503800, 503899, MAESTRO},
	{503900, 509999, LONG},
	{510000, 559999, LENGTH(16)},	/* Mastercard */
	{560000, 589299, LONG}, /* Maestro */
	{589300, 589399, MAESTRO},
	{589400, 589999, LONG},
	{600000, 600999, LENGTH(16)},	/* RuPay */
	{601100, 601199, LONG}, /* Discover */
	{604001, 604200, LONG}, /* UkrCard */
	{606282, 606282, LENGTH(16)},	/* Hipercard */
	{607000, 608999, LENGTH(16)},	/* RuPay */
	{620000, 629999, FROM_16},	/* UnionPay */
	{630400, 630499, MAESTRO},
	{636000, 639999, LONG}, /* InterPayment, InstaPayment, Elo */
	{644000, 659999, LONG}, /* Discover, Elo, Troy, RuPay */
	{675900, 676399, MAESTRO},
	{810000, 829999, LONG}, /* UnionPay, RuPay */
	{860000, 860099, LENGTH(16)},	/* Uzcard */
	{979200, 979299, LENGTH(16)},	/* Troy */
	{986000, 986099, LENGTH(16)},	/* Humo */
};

/* The check digit of ISO/IEC 7812-1, annex B. */
static bool
luhn_holds(const uint8 *digits, int count)
{
	int			sum = 0;

	for (int i = 0; i < count; i++)
	{
		int			digit = digits[count - 1 - i];

		if (i % 2 == 1)
			digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
		sum += digit;
	}
	return sum % 10 == 0;
}

/* GTIN-13 (GS1): thirteen digits on goods, weighted 1 and 3 in turn. */
static bool
is_article(const uint8 *digits, int count)
{
	int			sum = 0;

	for (int i = 0; i < count; i++)
		sum += digits[i] * (i % 2 == 0 ? 1 : 3);
	return count == 13 && sum % 10 == 0;
}

bool
redact_is_card(const uint8 *digits, int count)
{
	uint32		issuer = 0;

	if (count < 12 || count > 19)
		return false;
	for (int i = 0; i < 6; i++)
		issuer = 10 * issuer + digits[i];
	for (int i = 0; i < lengthof(issuers) && issuers[i].first <= issuer; i++)
	{
		if (issuer <= issuers[i].last)
			return (issuers[i].lengths & LENGTH(count)) && luhn_holds(digits, count) && !is_article(digits, count);
	}
	return false;
}

/* How the digits are grouped on cards: one group, fours, or 4-6-5, 4-6-4 and 6-13. */
static bool
grouped_as_card(const DigitRun *run, int first, int last)
{
	const DigitGroup *groups = run->groups + first;
	int			count = last - first + 1;

	if (count == 1)
		return true;
	if (count == 2)
		return (groups[0].count == 6 && groups[1].count == 13) || (groups[0].count == 8 && groups[1].count == 8 && run->count == 2);
	if (groups[0].count != 4)
		return false;
	if (count == 3 && groups[1].count == 6)
		return groups[2].count == 4 || groups[2].count == 5;
	for (int i = 1; i < count - 1; i++)
	{
		if (groups[i].count != 4)
			return false;
	}
	return groups[count - 1].count <= 7;
}

/* "-4303834123456789012", but not "no-4111111111111111" */
static bool
is_negative(const DigitRun *run, int first)
{
	int			start = run->groups[first].start;

	return first == 0 && start > 0 && run->data[start - 1] == '-' && (start == 1 || !is_alnum(run->data[start - 2]));
}

/* Four groups of four digits that are a card's. */
static bool
is_four_fours(const DigitRun *run, int first)
{
	uint8		digits[16];

	if (first < 0 || first + 3 >= run->count)
		return false;
	for (int i = first; i < first + 4; i++)
	{
		if (run->groups[i].count != 4)
			return false;
	}
	digit_run_join(run, first, first + 3, digits, 16);
	return redact_is_card(digits, 16);
}

/* One more number of four digits beside it makes a table of it, unless that is a card as well, or until when it is valid. */
static bool
in_a_table(const DigitRun *run, int first, int last)
{
	const DigitGroup *before = first > 0 ? &run->groups[first - 1] : NULL;
	const DigitGroup *after = last + 1 < run->count ? &run->groups[last + 1] : NULL;

	if (before && before->count == 4 && run->groups[first].before == SEPARATOR_SPACE && !is_four_fours(run, first - 4))
		return true;
	return after && after->count == 4 && after->before == SEPARATOR_SPACE && !is_four_fours(run, last + 1) &&
		(last + 2 < run->count || 10 * after->digits[0] + after->digits[1] > 12);
}

int
redact_card(const DigitRun *run, int first)
{
	static const int separators[] = {SEPARATOR_SPACE, SEPARATOR_HYPHEN, SEPARATOR_DOT, SEPARATOR_SLASH};
	uint8		digits[19];

	if (run->plus && first == 0)
		return -1;
	/* The longest first: the nineteen digits of a card may begin with sixteen of another. */
	for (int last = Min(first + 5, run->count - 1); last >= first; last--)
	{
		int			count;
		bool		uniform = first == last;
		int			joining = SEPARATOR_HYPHEN | SEPARATOR_DOT;

		if (!grouped_as_card(run, first, last))
			continue;
		for (int i = 0; i < lengthof(separators) && !uniform; i++)
			uniform = digit_run_uniform(run, first, last, separators[i]);
		count = digit_run_join(run, first, last, digits, lengthof(digits));
		/* "/12/27" and "-123" may follow a card: validity and check number */
		if (last > first && run->groups[first + 1].before == SEPARATOR_SPACE)
			joining = SEPARATOR_DOT;
		if (!uniform || count <= 0 || !redact_is_card(digits, count) || !digit_run_free(run, first, last, joining))
			continue;
		if (first == last ? !is_negative(run, first) : !in_a_table(run, first, last) && !digit_run_dumped(run, first, last))
			return last;
	}
	return -1;
}
