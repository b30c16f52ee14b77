/*
 * scan.c
 *		Where in a string personal data stands: one pass, asking matchers at the places where theirs may begin.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "redact/internal.h"

/* What may begin at a byte. */
enum
{
	NOTHING,
	WORD,						/* a letter */
	NUMBER,						/* a digit, "+", "(", or the first byte of a full-width one */
	AT,							/* "@" and its other forms, or "%" */
	WIDE						/* the first byte of a full-width character: either of both */
};

static const uint8 begins[256] = {
	['0' ... '9'] = NUMBER, ['+'] = NUMBER, ['('] = NUMBER,
	['A' ... 'Z'] = WORD, ['a' ... 'z'] = WORD,
	['@'] = AT, ['%'] = AT, ['&'] = AT,
	[0xEF] = WIDE
};

/* So many bytes between two looks for a cancellation. */
#define INTERRUPT_BYTES 65536

static void
add_span(Redaction *redaction, const char *data, int start, int end, const RedactRule *rule)
{
	RedactSpan *span;

	if (rule->except && redact_regex_matches(rule->except, data + start, end - start, false))
		return;
	/* An address swallows the number that it begins with. */
	while (redaction->span_count > 0 && redaction->spans[redaction->span_count - 1].end > start)
	{
		start = Min(start, redaction->spans[redaction->span_count - 1].start);
		redaction->span_count--;
	}
	if (redaction->span_count == redaction->span_capacity)
	{
		redaction->span_capacity *= 2;
		redaction->spans = repalloc_huge(redaction->spans, redaction->span_capacity * sizeof(RedactSpan));
	}
	span = &redaction->spans[redaction->span_count++];
	span->start = start;
	span->end = end;
	span->rule = rule;
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool
is_uuid(const char *data, int length, int place)
{
	if (place + 36 > length || data[place + 8] != '-' || (place + 36 < length && is_alnum(data[place + 36])))
		return false;
	for (int i = 0; i < 36; i++)
	{
		if (i == 8 || i == 13 || i == 18 || i == 23 ? data[place + i] != '-' : hex_value(data[place + i]) < 0)
			return false;
	}
	return true;
}

/* A run of groups of digits from a place on; where to go on. */
static int
scan_number(Redaction *redaction, const char *data, int length, int place)
{
	DigitRun	run;
	int			first = 0;

	if (!digit_run_read(&run, data, length, place))
		return place + 1;
	while (first < run.count)
	{
		int			last = -1;
		int			start = run.groups[first].start;
		const RedactRule *rule = NULL;

		/* The run may go on behind what was read: look at the rest from its middle. */
		if (run.count == DIGIT_GROUPS && first >= DIGIT_GROUPS / 2)
			return run.groups[first].start;
		if ((rule = redaction->by_matcher[REDACT_CARD]) != NULL)
			last = redact_card(&run, first);
		if (last < 0 && (rule = redaction->by_matcher[REDACT_NATIONAL_ID]) != NULL)
			last = redact_national_number(&run, first);
		if (last < 0 && (rule = redaction->by_matcher[REDACT_PHONE]) != NULL)
			last = redact_phone(&run, first, &start);
		if (last >= 0)
		{
			add_span(redaction, data, start, run.groups[last].end, rule);
			first = last + 1;
		}
		else
			first++;
	}
	return run.groups[run.count - 1].end;
}

/* Whether so many letters, and what stands behind them, may begin a national id; most words cannot. */
static bool
may_be_national(const char *data, int length, int place, int letters)
{
	const char *after = data + place + letters;
	int			left = length - place - letters;

	if (left < 2)
		return false;
	switch (letters)
	{
		case 1:
			return data[place] >= 'A' && data[place] <= 'Z' && (is_digit(after[0]) || is_digit(after[1]));
		case 2:
			return is_digit(after[0]) || is_digit(after[1]);
		case 3:
			return (after[0] == ' ' || after[0] == '-') && is_letter(after[1]) && ascii_upper(data[place]) == data[place];
		case 4:
			return is_digit(after[0]);
		case 5:
		case 6:
			return is_digit(after[0]) || is_digit(after[1]);
		default:
			return false;
	}
}

/* A word of letters and digits that begins at a place; where it, or what begins with it, ends. */
static int
scan_word(Redaction *redaction, const char *data, int length, int place)
{
	int			end = place;
	int			letters = 0;
	int			found = 0;
	const RedactRule *rule = NULL;

	while (end < length && is_letter(data[end]))
		end++;
	letters = end - place;
	if (letters == 2 && (rule = redaction->by_matcher[REDACT_IBAN]) != NULL)
		found = redact_iban(data, length, place);
	if (found == 0 && may_be_national(data, length, place, letters) &&
		(rule = redaction->by_matcher[REDACT_NATIONAL_ID]) != NULL)
		found = redact_national_word(data, length, place);
	if (found > 0)
	{
		add_span(redaction, data, place, found, rule);
		return found;
	}
	while (end < length && is_alnum(data[end]))
		end++;
	return end;
}

static void
scan_builtin(Redaction *redaction, const char *data, int length)
{
	const RedactRule *email = redaction->by_matcher[REDACT_EMAIL];
	int			place = 0;
	int			email_floor = 0;
	int			next_check = INTERRUPT_BYTES;

	while (place < length)
	{
		int			start;
		int			end;
		int			bytes;

		if (place > next_check)
		{
			CHECK_FOR_INTERRUPTS();
			next_check = place + INTERRUPT_BYTES;
		}
		switch (begins[(uint8) data[place]])
		{
			case NOTHING:
				while (++place < length && begins[(uint8) data[place]] == NOTHING)
					;
				break;
			case WORD:
				place = is_uuid(data, length, place) ? place + 36 : scan_word(redaction, data, length, place);
				break;
			case NUMBER:
				start = data[place] == '(' ? place + 1 : place;
				if (start < length && is_digit(data[start]))
				{
					const RedactRule *rule = redaction->by_matcher[REDACT_NATIONAL_ID];

					if (is_uuid(data, length, start))
					{
						place = start + 36;
						break;
					}
					end = rule ? redact_national_word(data, length, start) : 0;
					if (end > 0)
					{
						add_span(redaction, data, start, end, rule);
						place = end;
						break;
					}
				}
				place = scan_number(redaction, data, length, place);
				/* Letters that are joined to digits are no word: "9b1deb4d". */
				while (place < length && is_digit(data[place - 1]) && is_letter(data[place]))
				{
					while (place < length && is_alnum(data[place]))
						place++;
				}
				break;
			case AT:
			case WIDE:
				bytes = redact_at_sign(data, length, place);
				if (bytes > 0 && email && redact_email(data, length, email_floor, place, bytes, &start, &end))
				{
					add_span(redaction, data, start, end, email);
					place = email_floor = end;
				}
				else if (bytes > 0)
					place += bytes;
				else if (digit_at(data, length, place, &bytes) >= 0 || bytes_at(data, length, place, "\xEF\xBC\x8B", 3) ||
						 bytes_at(data, length, place, "%2B", 3) || bytes_at(data, length, place, "%2b", 3))
					place = scan_number(redaction, data, length, place);
				else if (data[place] == '%' && place + 2 < length && hex_value(data[place + 1]) >= 0 && hex_value(data[place + 2]) >= 0)
					place += 3;
				else
					place++;
				break;
		}
	}
}

static int
compare_spans(const void *a, const void *b)
{
	const RedactSpan *left = a;
	const RedactSpan *right = b;

	return left->start != right->start ? left->start - right->start : right->end - left->end;
}

/* What an administrator's expression matches, beside what is there. */
static void
scan_pattern(Redaction *redaction, const RedactRule *rule, const char *data, int length, const pg_wchar *wide, int wide_length)
{
	regex_t    *expression = RE_compile_and_cache(rule->pattern, REG_ADVANCED, C_COLLATION_OID);
	int			from = 0;
	int			place = 0;		/* in bytes, of character `from` */

	while (from < wide_length)
	{
		regmatch_t	match;
		int			result = pg_regexec(expression, wide, wide_length, from, NULL, 1, &match, 0);
		int			start;

		if (result == REG_NOMATCH)
			break;
		if (result != REG_OKAY)
		{
			char		message[100];

			pg_regerror(result, expression, message, sizeof(message));
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
					 errmsg("rule \"%s\" could not be matched: %s", rule->name, message)));
		}
		for (; from < match.rm_so; from++)
			place += pg_mblen(data + place);
		start = place;
		for (; from < match.rm_eo; from++)
			place += pg_mblen(data + place);
		if (place > start && !(rule->except && redact_regex_matches(rule->except, data + start, place - start, false)))
		{
			if (redaction->span_count == redaction->span_capacity)
			{
				redaction->span_capacity *= 2;
				redaction->spans = repalloc_huge(redaction->spans, redaction->span_capacity * sizeof(RedactSpan));
			}
			redaction->spans[redaction->span_count++] = (RedactSpan) {start, place, rule};
		}
		/* What matches nothing is passed over. */
		if (match.rm_eo == match.rm_so && from < wide_length)
		{
			place += pg_mblen(data + place);
			from++;
		}
	}
}

/* The other files' spans do not overlap; with those of expressions they may, and then are one. */
static void
scan_patterns(Redaction *redaction, const char *data, int length)
{
	pg_wchar   *wide = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) length + 1) * sizeof(pg_wchar));
	int			wide_length = pg_mb2wchar_with_len(data, wide, length);
	int			kept = 0;

	for (int i = 0; i < redaction->rule_count; i++)
	{
		if (redaction->rules[i].pattern)
			scan_pattern(redaction, &redaction->rules[i], data, length, wide, wide_length);
	}
	pfree(wide);
	qsort(redaction->spans, redaction->span_count, sizeof(RedactSpan), compare_spans);
	for (int i = 0; i < redaction->span_count; i++)
	{
		RedactSpan *span = &redaction->spans[i];

		if (kept > 0 && span->start < redaction->spans[kept - 1].end)
			redaction->spans[kept - 1].end = Max(redaction->spans[kept - 1].end, span->end);
		else
			redaction->spans[kept++] = *span;
	}
	redaction->span_count = kept;
}

void
redact_scan(Redaction *redaction, const char *data, int length)
{
	redaction->span_count = 0;
	scan_builtin(redaction, data, length);
	if (redaction->has_patterns && length > 0)
		scan_patterns(redaction, data, length);
	if (redaction->found)
	{
		for (int i = 0; i < redaction->span_count; i++)
		{
			RedactSpan *span = &redaction->spans[i];

			redaction->found(redaction->found_argument, span->rule, data + span->start, span->end - span->start);
		}
	}
}
