/*
 * redact.c
 *		Texts and JSON documents with personal data replaced by "[redacted:<category>]".
 *
 * A document is looked at first and copied only if something is to be replaced,
 * for most hold nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "redact/internal.h"
#include "redact/redact.h"

PG_FUNCTION_INFO_V1(reason_redact);
PG_FUNCTION_INFO_V1(reason_redact_text);
PG_FUNCTION_INFO_V1(reason_pii_matches);
PG_FUNCTION_INFO_V1(reason_pii_matcher_exists);

/* ---------------------------------------------------------------- strings */

/* A copy with each span replaced. */
static RecordText
replace_spans(const Redaction *redaction, const char *data, int length)
{
	Size		size = length;
	int			done = 0;
	char	   *copy;
	char	   *out;

	for (int i = 0; i < redaction->span_count; i++)
		size += VARSIZE_ANY_EXHDR(redaction->spans[i].rule->token);
	out = copy = MemoryContextAllocHuge(CurrentMemoryContext, size);
	for (int i = 0; i < redaction->span_count; i++)
	{
		const RedactSpan *span = &redaction->spans[i];
		text	   *token = span->rule->token;

		memcpy(out, data + done, span->start - done);
		out += span->start - done;
		memcpy(out, VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token));
		out += VARSIZE_ANY_EXHDR(token);
		done = span->end;
	}
	memcpy(out, data + done, length - done);
	out += length - done;
	return (RecordText) {copy, out - copy};
}

RecordText
redact_text(Redaction *redaction, RecordText value)
{
	if (value.data == NULL)
		return value;
	redact_scan(redaction, value.data, value.length);
	return redaction->span_count == 0 ? value : replace_spans(redaction, value.data, value.length);
}

/* ---------------------------------------------------------------- documents */

/* The rule that takes the whole value of a member of that name, NULL if none does. */
static const RedactRule *
member_rule(const Redaction *redaction, const char *name, int length, bool *vague)
{
	const RedactRule *rule = NULL;
	int			matcher = redact_member_of(name, length, vague);

	if (matcher >= 0)
		rule = redaction->by_matcher[matcher];
	if (rule && rule->except && redact_regex_matches(rule->except, name, length, true))
		rule = NULL;
	for (int i = 0; redaction->has_members && rule == NULL && i < redaction->rule_count; i++)
	{
		const RedactRule *candidate = &redaction->rules[i];

		if (candidate->member && redact_regex_matches(candidate->member, name, length, true) &&
			!(candidate->except && redact_regex_matches(candidate->except, name, length, true)))
		{
			rule = candidate;
			*vague = false;
		}
	}
	return rule;
}

/* As many digits as the shortest of what a vague name may mean. */
#define VAGUE_DIGITS 7

static bool
has_digits(const JsonbValue *value)
{
	const char *data;
	int			length;
	int			count = 0;

	if (value->type == jbvNumeric)
		data = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	else if (value->type == jbvString)
		data = value->val.string.val;
	else
		return false;
	length = value->type == jbvNumeric ? strlen(data) : value->val.string.len;
	for (int i = 0; i < length && count < VAGUE_DIGITS; i++)
		count += is_digit(data[i]);
	return count == VAGUE_DIGITS;
}

/* A card's number written as a JSON number: whole, and of a member that names no time, amount or id. */
static const RedactRule *
number_rule(const Redaction *redaction, Numeric value)
{
	const RedactRule *rule = redaction->by_matcher[REDACT_CARD];
	uint8		digits[20];
	int			count = 0;
	char	   *written;
	char	   *end;

	if (rule == NULL)
		return NULL;
	written = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
	while (count < lengthof(digits) && is_digit(written[count]))
	{
		digits[count] = written[count] - '0';
		count++;
	}
	end = written + count;
	/* as what counts in doubles writes it: 4111111111111111.0 */
	if (*end == '.')
		end += 1 + strspn(end + 1, "0");
	/* twelve digits are too few to tell */
	if (*end != '\0' || count < 13 || !redact_is_card(digits, count) ||
		(rule->except && redact_regex_matches(rule->except, written, count, false)))
		rule = NULL;
	if (rule && redaction->found)
		redaction->found(redaction->found_argument, rule, written, count);
	pfree(written);
	return rule;
}

static void
set_string(JsonbValue *value, RecordText string)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, string.data);
	value->val.string.len = string.length;
}

static void
set_token(JsonbValue *value, const RedactRule *rule)
{
	set_string(value, (RecordText) {VARDATA_ANY(rule->token), VARSIZE_ANY_EXHDR(rule->token)});
}

/* An object or array that is being walked. */
typedef struct Frame
{
	bool		counts;			/* numbers within are times, amounts, ids */
	uint32		redacted_names;
} Frame;

typedef struct Walk
{
	Redaction  *redaction;
	Frame	   *frames;
	int			depth;
	int			capacity;
	bool		counts;			/* of the member whose value comes next */
	const RedactRule *whole;	/* takes that value as it is */
	const RedactRule *if_digits;	/* takes it if it holds digits enough */
	bool		changed;
	JsonbParseState *state;		/* NULL: only look */
} Walk;

static void
enter(Walk *walk)
{
	if (walk->depth == walk->capacity)
		walk->frames = repalloc(walk->frames, (walk->capacity *= 2) * sizeof(Frame));
	walk->frames[walk->depth++] = (Frame) {.counts = walk->counts};
}

static void
visit_name(Walk *walk, JsonbValue *name)
{
	Redaction  *redaction = walk->redaction;
	const char *data = name->val.string.val;
	int			length = name->val.string.len;
	bool		vague;

	walk->whole = member_rule(redaction, data, length, &vague);
	walk->if_digits = vague ? walk->whole : NULL;
	if (vague)
		walk->whole = NULL;
	walk->counts = redact_member_counts(data, length);
	redact_scan(redaction, data, length);
	if (redaction->span_count > 0)
	{
		RecordText	replaced = replace_spans(redaction, data, length);
		Frame	   *frame = &walk->frames[walk->depth - 1];

		/* The names of an object's members stay distinct, so that no member is lost. */
		if (++frame->redacted_names > 1)
		{
			replaced.data = psprintf("%.*s #%u", (int) replaced.length, replaced.data, frame->redacted_names);
			replaced.length = strlen(replaced.data);
		}
		set_string(name, replaced);
		walk->changed = true;
	}
}

/*
 * Nothing but digits, as many as few cards have and many counters of 64 bits,
 * nanoseconds and trade numbers do.
 */
static bool
is_long_count(const JsonbValue *value)
{
	int			length = value->val.string.len;

	if (length != 13 && (length < 17 || length > 20))
		return false;
	for (int i = 0; i < length; i++)
	{
		if (!is_digit(value->val.string.val[i]))
			return false;
	}
	return true;
}

static void
visit_value(Walk *walk, JsonbValue *value)
{
	Redaction  *redaction = walk->redaction;
	const RedactRule *rule;

	if (walk->if_digits && has_digits(value))
		walk->whole = walk->if_digits;
	if (walk->whole)
	{
		/* null, true and false are nobody's personal data. */
		if (value->type == jbvNull || value->type == jbvBool)
			return;
		if (redaction->found)
		{
			char	   *found = value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) :
				value->type == jbvNumeric ? DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric))) : "{…}";

			redaction->found(redaction->found_argument, walk->whole, found, strlen(found));
		}
		set_token(value, walk->whole);
		walk->changed = true;
	}
	else if (value->type == jbvString && !(walk->counts && is_long_count(value)))
	{
		redact_scan(redaction, value->val.string.val, value->val.string.len);
		if (redaction->span_count > 0)
		{
			set_string(value, replace_spans(redaction, value->val.string.val, value->val.string.len));
			walk->changed = true;
		}
	}
	else if (value->type == jbvNumeric && !walk->counts && (rule = number_rule(redaction, value->val.numeric)) != NULL)
	{
		set_token(value, rule);
		walk->changed = true;
	}
}

/* Walks the document; with `build` the copy is returned, else whether there is something to replace. */
static Jsonb *
walk_document(Redaction *redaction, Jsonb *document, bool build)
{
	Walk		walk = {.redaction = redaction, .capacity = 16};
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *result = NULL;

	walk.frames = palloc(walk.capacity * sizeof(Frame));
	while ((token = JsonbIteratorNext(&iterator, &value, walk.whole != NULL)) != WJB_DONE)
	{
		bool		raw_scalar = token == WJB_BEGIN_ARRAY && value.val.array.rawScalar;

		CHECK_FOR_INTERRUPTS();
		switch (token)
		{
			case WJB_KEY:
				visit_name(&walk, &value);
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				/* with a rule for the member, a container comes as one value */
				if (token == WJB_ELEM)
					walk.counts = walk.frames[walk.depth - 1].counts;
				visit_value(&walk, &value);
				walk.whole = walk.if_digits = NULL;
				break;
			case WJB_BEGIN_OBJECT:
				walk.if_digits = NULL;
				walk.counts = false;
				enter(&walk);
				break;
			case WJB_BEGIN_ARRAY:
				walk.if_digits = NULL;
				if (walk.depth > 0 && !walk.counts)
					walk.counts = walk.frames[walk.depth - 1].counts;
				enter(&walk);
				break;
			default:
				walk.depth--;
				walk.counts = false;
				break;
		}
		if (build)
			result = pushJsonbValue(&walk.state, token,
									token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM || raw_scalar ? &value : NULL);
		else if (walk.changed && !redaction->found)
			return document;
	}
	return build ? JsonbValueToJsonb(result) : NULL;
}

Jsonb *
redact_jsonb(Redaction *redaction, Jsonb *value)
{
	return walk_document(redaction, value, false) ? walk_document(redaction, value, true) : value;
}

/* ---------------------------------------------------------------- in SQL */

/* Read once for each place of a query that calls. */
static Redaction *
kept_redaction(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		fcinfo->flinfo->fn_extra = redact_open();
		MemoryContextSwitchTo(old_context);
	}
	return fcinfo->flinfo->fn_extra;
}

Datum
reason_redact(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(redact_jsonb(kept_redaction(fcinfo), PG_GETARG_JSONB_P(0)));
}

Datum
reason_redact_text(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	RecordText	given = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	RecordText	shown = redact_text(kept_redaction(fcinfo), given);

	if (shown.data == given.data)
		PG_RETURN_TEXT_P(value);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(shown.data, shown.length));
}

typedef struct Matches
{
	ArrayBuildState *array;
	int			most;
	int			count;
} Matches;

static void
keep_match(void *argument, const RedactRule *rule, const char *match, int length)
{
	Matches    *matches = argument;

	matches->count++;
	if (matches->count <= matches->most)
		matches->array = accumArrayResult(matches->array, PointerGetDatum(cstring_to_text_with_len(match, length)), false, TEXTOID,
										  CurrentMemoryContext);
}

static text *
optional_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_TEXT_PP(argument);
}

/* pii_matches(value, member, pattern, matcher, except_pattern, most) → text[] */
Datum
reason_pii_matches(PG_FUNCTION_ARGS)
{
	Matches		matches = {.most = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT32(5)};
	RedactRule *rule = palloc0(sizeof(RedactRule));
	text	   *matcher = optional_text(fcinfo, 3);
	Redaction  *redaction;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	rule->name = rule->category = "tried";
	rule->member = optional_text(fcinfo, 1);
	rule->pattern = optional_text(fcinfo, 2);
	rule->except = optional_text(fcinfo, 4);
	rule->matcher = matcher ? redact_matcher_of(text_to_cstring(matcher)) : -1;
	redaction = redact_of_rules(rule, 1);
	redaction->found = keep_match;
	redaction->found_argument = &matches;
	(void) walk_document(redaction, PG_GETARG_JSONB_P(0), false);
	PG_RETURN_DATUM(matches.array ? makeArrayResult(matches.array, CurrentMemoryContext) :
					PointerGetDatum(construct_empty_array(TEXTOID)));
}

Datum
reason_pii_matcher_exists(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(redact_matcher_of(text_to_cstring(PG_GETARG_TEXT_PP(0))) >= 0);
}
