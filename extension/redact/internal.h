/*
 * internal.h
 *		What the files of this folder share: rules, spans, and the matchers of personal data.
 *
 * A matcher looks at one place of a string and says where what it knows ends.
 * None looks further than a bounded number of bytes, so that time is linear.
 */
#ifndef REASON_REDACT_INTERNAL_H
#define REASON_REDACT_INTERNAL_H

#include "postgres.h"

typedef struct Redaction Redaction;

/* Built-in matchers, as the column matcher of reason.pii_rule names them. */
typedef enum RedactMatcher
{
	REDACT_EMAIL,
	REDACT_PHONE,
	REDACT_CARD,
	REDACT_IBAN,
	REDACT_NATIONAL_ID,
	REDACT_EMAIL_MEMBER,
	REDACT_PHONE_MEMBER,
	REDACT_CARD_MEMBER,
	REDACT_IBAN_MEMBER,
	REDACT_NATIONAL_ID_MEMBER
} RedactMatcher;

#define REDACT_MATCHERS (REDACT_NATIONAL_ID_MEMBER + 1)
#define REDACT_FIRST_MEMBER REDACT_EMAIL_MEMBER

typedef struct RedactRule
{
	char	   *name;
	char	   *category;
	int			matcher;		/* a RedactMatcher, or -1 */
	text	   *member;			/* regular expression for names of members, or NULL */
	text	   *pattern;		/* regular expression within strings, or NULL */
	text	   *except;			/* what matches this as well is left alone, or NULL */
	text	   *token;			/* "[redacted:<category>]" */
} RedactRule;

/* Bytes [start, end) of a string. */
typedef struct RedactSpan
{
	int			start;
	int			end;
	const RedactRule *rule;
} RedactSpan;

struct Redaction
{
	int			rule_count;
	RedactRule *rules;			/* in the order of their names */
	const RedactRule *by_matcher[REDACT_MATCHERS];	/* NULL: switched off */
	bool		has_patterns;
	bool		has_members;
	/* found in the string that is looked at; kept from string to string */
	RedactSpan *spans;
	int			span_count;
	int			span_capacity;
	/* names, values and the matches themselves, for those who try a rule */
	void		(*found) (void *argument, const RedactRule *rule, const char *match, int length);
	void	   *found_argument;
};

/* ---------------------------------------------------------------- rules: redact/rules.c */

/* The matcher of that name, -1 when there is none. */
extern int	redact_matcher_of(const char *name);
extern Redaction *redact_of_rules(RedactRule *rules, int count);
extern bool redact_regex_matches(text *expression, const char *data, int length, bool ignore_case);

/* ---------------------------------------------------------------- strings: redact/scan.c */

/* Fills redaction->spans with what is personal, ascending, without overlaps. */
extern void redact_scan(Redaction *redaction, const char *data, int length);

/* ---------------------------------------------------------------- groups of digits: redact/digits.c */

/* What stands between two groups. */
#define SEPARATOR_SPACE		0x01	/* also no-break, figure and thin spaces, %20 */
#define SEPARATOR_HYPHEN	0x02	/* also U+2010 to U+2013 */
#define SEPARATOR_DOT		0x04
#define SEPARATOR_SLASH		0x08
#define SEPARATOR_OPEN		0x10	/* ( */
#define SEPARATOR_CLOSE		0x20	/* ) */

#define DIGIT_GROUPS 24
#define DIGITS_KEPT 20

typedef struct DigitGroup
{
	int			start;
	int			end;
	int			count;			/* digits, of which at most DIGITS_KEPT are kept */
	uint8		digits[DIGITS_KEPT];
	uint8		before;			/* separator from the group before; 0 for the first */
} DigitGroup;

typedef struct DigitRun
{
	const char *data;
	int			length;
	int			start;			/* of "+" or "(" that leads, or of the first digit */
	bool		plus;			/* "+", or %2B, stands in front */
	bool		open;			/* "(" stands before the first digit */
	int			count;
	DigitGroup	groups[DIGIT_GROUPS];
} DigitRun;

/* Reads groups from a digit, "+" or "(" on; false when no digit follows. */
extern bool digit_run_read(DigitRun *run, const char *data, int length, int start);
/* The digit at a place, ASCII or full-width, with its length in bytes; -1 when there is none. */
extern int	digit_at(const char *data, int length, int place, int *bytes);
extern int	separator_at(const char *data, int length, int place, int *bytes);
/* Copies the digits of groups first to last; returns how many, or -1 when there are more than most. */
extern int	digit_run_join(const DigitRun *run, int first, int last, uint8 *digits, int most);
/* All separators within groups first to last are of that one kind. */
extern bool digit_run_uniform(const DigitRun *run, int first, int last, int separator);
/* Neither letters nor a sign of currency nor a decimal touch the groups. */
extern bool digit_run_free(const DigitRun *run, int first, int last, int joining);

/* Beside the groups stand words of as many hexadecimal digits: "54E8 5546 5531 5617 59BE", "d7 02 03 01 00 01 a3". */
extern bool digit_run_dumped(const DigitRun *run, int first, int last);

/* Each: the last group of what begins with group `first`, -1 when nothing does. */
extern int	redact_card(const DigitRun *run, int first);
extern int	redact_national_number(const DigitRun *run, int first);
extern int	redact_named_number(const DigitRun *run, int first);
/* start: of the match, which may lie before the group. */
extern int	redact_phone(const DigitRun *run, int first, int *start);

/* What a word says of the number behind it. */
typedef enum PhoneEvidence
{
	SAYS_NOTHING,
	HINTS_AT_PHONE,				/* "call" */
	NAMES_PHONE,				/* "mobile" */
	INTRODUCES_PHONE			/* "phone:", "tel." */
} PhoneEvidence;

/* What the words before a place say: redact/phone_word.c */
extern PhoneEvidence redact_phone_evidence(const char *data, int place);

/* Whether the digits of a number are a card's: length, issuer, check digit. */
extern bool redact_is_card(const uint8 *digits, int count);

/* ---------------------------------------------------------------- other shapes */

/* Whether the "@" of at_bytes at a place belongs to an address; then where that begins and ends. */
extern bool redact_email(const char *data, int length, int floor, int place, int at_bytes, int *start, int *end);
/* Bytes of an "@" at a place, however written; 0 when there is none. */
extern int	redact_at_sign(const char *data, int length, int place);

/* At the beginning of a word: where an account number, or a national id with letters, ends; 0 for none. */
extern int	redact_iban(const char *data, int length, int place);
extern int	redact_national_word(const char *data, int length, int place);
extern int	redact_named_word(const char *data, int length, int place);

/* ---------------------------------------------------------------- names of members: redact/member.c */

/*
 * The member matcher that a name belongs to, -1 for none.  vague: "card", "pan",
 * "mobile" are other things too, so that the value must hold digits enough.
 */
extern int	redact_member_of(const char *name, int length, bool *vague);
/* Whether a name says that its number is a time, a measure, an amount or an id. */
extern bool redact_member_counts(const char *name, int length);

/* ---------------------------------------------------------------- characters */

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_alnum(char c)
{
	return is_digit(c) || is_letter(c);
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
}

static inline int
hex_value(char c)
{
	return is_digit(c) ? c - '0' : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10 : -1;
}

static inline bool
bytes_at(const char *data, int length, int place, const char *wanted, int count)
{
	return place >= 0 && place + count <= length && memcmp(data + place, wanted, count) == 0;
}

static inline bool
redact_is_date(int month, int day)
{
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

#endif							/* REASON_REDACT_INTERNAL_H */
