/*
 * digits.c
 *		Groups of digits as people write numbers: "3782 822463 10005", "(030) 123-4567".
 */
#include "postgres.h"

#include "redact/internal.h"

int
digit_at(const char *data, int length, int place, int *bytes)
{
	if (place >= length)
		return -1;
	*bytes = 1;
	if (is_digit(data[place]))
		return data[place] - '0';
	/* full-width digits, U+FF10 to U+FF19 */
	*bytes = 3;
	if (bytes_at(data, length, place, "\xEF\xBC", 2) && place + 2 < length &&
		(uint8) data[place + 2] >= 0x90 && (uint8) data[place + 2] <= 0x99)
		return (uint8) data[place + 2] - 0x90;
	return -1;
}

int
separator_at(const char *data, int length, int place, int *bytes)
{
	static const struct
	{
		const char *bytes;
		int			length;
		int			kind;
	}			longer[] = {
		{"%20", 3, SEPARATOR_SPACE},
		{"\xC2\xA0", 2, SEPARATOR_SPACE},	/* no-break space */
		{"\xC2\xAD", 2, SEPARATOR_SPACE},	/* soft hyphen */
		{"\xE2\x81\x9F", 3, SEPARATOR_SPACE},	/* mathematical space */
		{"\xE2\x81\xA0", 3, SEPARATOR_SPACE},	/* word joiner */
		{"\xEF\xBB\xBF", 3, SEPARATOR_SPACE},	/* zero-width no-break space */
		{"\xE2\x80\xAF", 3, SEPARATOR_SPACE},	/* narrow no-break space */
		{"\xE3\x80\x80", 3, SEPARATOR_SPACE},	/* ideographic space */
		{"\xE2\x80\x90", 3, SEPARATOR_HYPHEN},	/* hyphen */
		{"\xE2\x80\x91", 3, SEPARATOR_HYPHEN},	/* no-break hyphen */
		{"\xE2\x80\x92", 3, SEPARATOR_HYPHEN},	/* figure dash */
		{"\xE2\x80\x93", 3, SEPARATOR_HYPHEN},	/* en dash */
		{"\xE2\x88\x92", 3, SEPARATOR_HYPHEN},	/* minus */
		{"\xEF\xBC\x8D", 3, SEPARATOR_HYPHEN},	/* full-width hyphen */
	};

	if (place >= length)
		return 0;
	*bytes = 1;
	switch (data[place])
	{
		case ' ':
		case '\t':
			return SEPARATOR_SPACE;
		case '-':
			return SEPARATOR_HYPHEN;
		case '.':
			return SEPARATOR_DOT;
		case '/':
			return SEPARATOR_SLASH;
		case '(':
			return SEPARATOR_OPEN;
		case ')':
			return SEPARATOR_CLOSE;
		case '%':
		case '\xC2':
		case '\xE2':
		case '\xE3':
		case '\xEF':
			/* U+2000 to U+200D: spaces of every width, none included, and joiners */
			if (place + 2 < length && bytes_at(data, length, place, "\xE2\x80", 2) && (uint8) data[place + 2] >= 0x80 && (uint8) data[place + 2] <= 0x8D)
			{
				*bytes = 3;
				return SEPARATOR_SPACE;
			}
			for (int i = 0; i < lengthof(longer); i++)
			{
				if (bytes_at(data, length, place, longer[i].bytes, longer[i].length))
				{
					*bytes = longer[i].length;
					return longer[i].kind;
				}
			}
			return 0;
		default:
			return 0;
	}
}

/* At most so many separators stand between two groups, as in ") - ". */
#define SEPARATORS 3

bool
digit_run_read(DigitRun *run, const char *data, int length, int start)
{
	int			place = start;
	int			before = 0;
	int			bytes;

	run->data = data;
	run->length = length;
	run->start = start;
	run->plus = run->open = false;
	run->count = 0;
	for (int i = 0; i < 2 && place < length; i++)
	{
		if (data[place] == '(' && !run->open)
		{
			run->open = true;
			place++;
		}
		else if (!run->plus && (data[place] == '+' || bytes_at(data, length, place, "\xEF\xBC\x8B", 3) ||
								bytes_at(data, length, place, "%2B", 3) || bytes_at(data, length, place, "%2b", 3)))
		{
			run->plus = true;
			run->start = place;
			place += data[place] == '+' ? 1 : 3;
		}
	}
	while (run->count < DIGIT_GROUPS)
	{
		DigitGroup *group = &run->groups[run->count];
		int			digit;

		group->start = place;
		group->count = 0;
		while ((digit = digit_at(data, length, place, &bytes)) >= 0)
		{
			if (group->count < DIGITS_KEPT)
				group->digits[group->count] = digit;
			group->count++;
			place += bytes;
		}
		if (group->count == 0)
			break;
		group->end = place;
		group->before = before;
		run->count++;
		before = 0;
		for (int i = 0; i < SEPARATORS; i++)
		{
			int			kind = separator_at(data, length, place, &bytes);

			if (kind == 0)
				break;
			before |= kind;
			place += bytes;
		}
		if (before == 0)
			break;
	}
	return run->count > 0;
}

int
digit_run_join(const DigitRun *run, int first, int last, uint8 *digits, int most)
{
	int			count = 0;

	for (int i = first; i <= last; i++)
	{
		const DigitGroup *group = &run->groups[i];

		if (group->count > DIGITS_KEPT || count + group->count > most)
			return -1;
		memcpy(digits + count, group->digits, group->count);
		count += group->count;
	}
	return count;
}

bool
digit_run_uniform(const DigitRun *run, int first, int last, int separator)
{
	for (int i = first + 1; i <= last; i++)
	{
		int			before = run->groups[i].before;

		/* " - " is a hyphen */
		if (before != separator && !(separator == SEPARATOR_HYPHEN && before == (SEPARATOR_HYPHEN | SEPARATOR_SPACE)))
			return false;
	}
	return true;
}

/*
 * joining: separators that make what stands beyond them a part of the same
 * thing, as hyphens do in an id of many groups.
 */
bool
digit_run_free(const DigitRun *run, int first, int last, int joining)
{
	const char *data = run->data;
	const DigitGroup *group = &run->groups[first];
	int			start = group->start;
	int			end = run->groups[last].end;

	if (first > 0)
	{
		if ((group->before & joining) && !(group->before & SEPARATOR_SPACE))
			return false;
	}
	else if (start > 0)
	{
		char		c = data[start - 1];

		if (is_alnum(c) || c == '$' || bytes_at(data, run->length, start - 2, "\xC2\xA3", 2) ||
			bytes_at(data, run->length, start - 2, "\xC2\xA5", 2) || bytes_at(data, run->length, start - 3, "\xE2\x82\xAC", 3))
			return false;
		if ((c == '.' || c == ',') && start > 1 && is_digit(data[start - 2]))
			return false;
		if (c == '.' && (start == 1 || !is_letter(data[start - 2])))
			return false;
	}
	if (end < run->length)
	{
		char		c = data[end];
		char		next = end + 1 < run->length ? data[end + 1] : '\0';

		/* behind "x" comes an extension */
		if ((is_alnum(c) && !(c == 'x' && is_digit(next))) || (c == '_' && is_alnum(next)))
			return false;
		if (c == ',' && is_digit(next))
		{
			/* "1234,56" is an amount, "1234,5678" a list */
			int			digits = 0;

			while (end + 1 + digits < run->length && digits < 4 && is_digit(data[end + 1 + digits]))
				digits++;
			if (digits < 4)
				return false;
		}
	}
	if (last + 1 < run->count)
	{
		int			after = run->groups[last + 1].before;

		if ((after & joining) && !(after & SEPARATOR_SPACE))
			return false;
		/* A decimal, unless a sentence ends here. */
		if (after == SEPARATOR_DOT && first == last)
			return false;
	}
	else if (end + 1 < run->length && data[end] == '-' && is_letter(data[end + 1]) && (joining & SEPARATOR_HYPHEN))
		return false;
	return true;
}

/* A word of so many hexadecimal digits from `start` to `end`; letters: one of them is none of the ten. */
static bool
is_hexadecimal(const char *data, int start, int end, bool *letters)
{
	for (int i = start; i < end; i++)
	{
		if (hex_value(data[i]) < 0)
			return false;
		*letters |= is_letter(data[i]);
	}
	return end > start;
}

/* As digit_run_dumped() says, on the side that `step` leads to, from a place on. */
static bool
dumped_beside(const DigitRun *run, int place, int step, int width)
{
	const char *data = run->data;
	bool		letters = false;

	/* Two of two letters, for one may be a word: "de". */
	for (int words = 0; words < (width == 2 ? 2 : 1); words++)
	{
		int			from = step > 0 ? place : place - 1;
		int			spaces = 0;
		int			end;

		while (from >= 0 && from < run->length && data[from] == ' ' && spaces < 3)
		{
			from += step;
			spaces++;
		}
		end = from;
		while (end >= 0 && end < run->length && is_alnum(data[end]) && (end - from) * step <= width)
			end += step;
		if (spaces == 0 || (end - from) * step != width ||
			!is_hexadecimal(data, step > 0 ? from : end + 1, step > 0 ? end : from + 1, &letters))
			return false;
		place = step > 0 ? end : end + 1;
	}
	return letters;
}

bool
digit_run_dumped(const DigitRun *run, int first, int last)
{
	return dumped_beside(run, run->groups[first].start, -1, run->groups[first].count) ||
		dumped_beside(run, run->groups[last].end, 1, run->groups[last].count);
}
