/*
 * redact.c
 *		Replaces personal data in payloads, by the catalogue reason.pii_rule.
 *
 * A rule names members whose whole value goes, or a pattern that goes wherever
 * a string holds it.  The catalogue is read once for each place of a query that
 * calls; PostgreSQL keeps the compiled expressions.
 */
#include "postgres.h"

#include "record/schema.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(reason_redact);

/* Columns of reason.pii_rule, in the order of sql/redact.sql. */
enum
{
	ATTNUM_CATEGORY = 2,
	ATTNUM_MEMBER,
	ATTNUM_PATTERN
};

typedef struct RedactRule
{
	text	   *expression;
	text	   *token;			/* "[redacted:<category>]" */
	bool		is_member;
	bool		is_card;		/* is looked for in numbers too */
} RedactRule;

typedef struct RedactRules
{
	int			count;
	RedactRule	rules[FLEXIBLE_ARRAY_MEMBER];
} RedactRules;

static RedactRules *
read_rules(MemoryContext context)
{
	Relation	table = schema_open_table("pii_rule", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	int			capacity = 16;
	RedactRules *rules = palloc(offsetof(RedactRules, rules) + capacity * sizeof(RedactRule));

	rules->count = 0;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		char	   *category = TextDatumGetCString(slot_getattr(slot, ATTNUM_CATEGORY, &isnull));
		Datum		expression;
		RedactRule *rule;

		CHECK_FOR_INTERRUPTS();
		if (rules->count == capacity)
		{
			capacity *= 2;
			rules = repalloc(rules, offsetof(RedactRules, rules) + capacity * sizeof(RedactRule));
		}
		rule = &rules->rules[rules->count++];
		expression = slot_getattr(slot, ATTNUM_MEMBER, &isnull);
		rule->is_member = !isnull;
		if (isnull)
			expression = slot_getattr(slot, ATTNUM_PATTERN, &isnull);
		rule->expression = DatumGetTextPCopy(expression);
		rule->token = cstring_to_text(psprintf("[redacted:%s]", category));
		rule->is_card = strcmp(category, "card") == 0;
	}
	MemoryContextSwitchTo(old_context);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return rules;
}

static void
set_string(JsonbValue *value, text *string)
{
	value->type = jbvString;
	value->val.string.val = VARDATA_ANY(string);
	value->val.string.len = VARSIZE_ANY_EXHDR(string);
}

/* The rule that takes the whole value of a member of that name, NULL if none does. */
static const RedactRule *
member_rule(const RedactRules *rules, const JsonbValue *name)
{
	for (int i = 0; i < rules->count; i++)
	{
		const RedactRule *rule = &rules->rules[i];

		if (rule->is_member && RE_compile_and_execute(rule->expression, name->val.string.val, name->val.string.len,
													  REG_ADVANCED | REG_ICASE | REG_NOSUB, C_COLLATION_OID, 0, NULL))
			return rule;
	}
	return NULL;
}

static void
redact_scalar(const RedactRules *rules, JsonbValue *value)
{
	if (value->type == jbvString)
	{
		text	   *string = cstring_to_text_with_len(value->val.string.val, value->val.string.len);
		text	   *before = string;

		for (int i = 0; i < rules->count; i++)
		{
			const RedactRule *rule = &rules->rules[i];

			if (!rule->is_member && RE_compile_and_execute(rule->expression, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string),
														   REG_ADVANCED | REG_NOSUB, C_COLLATION_OID, 0, NULL))
				string = replace_text_regexp(string, rule->expression, rule->token, REG_ADVANCED, C_COLLATION_OID, 0, 0);
		}
		if (string != before)
			set_string(value, string);
	}
	else if (value->type == jbvNumeric)
	{
		/* A card number is one written as a number too. */
		char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));

		for (int i = 0; i < rules->count; i++)
		{
			const RedactRule *rule = &rules->rules[i];

			if (rule->is_card && !rule->is_member &&
				RE_compile_and_execute(rule->expression, digits, strlen(digits),
									   REG_ADVANCED | REG_NOSUB, C_COLLATION_OID, 0, NULL))
			{
				set_string(value, rule->token);
				return;
			}
		}
	}
}

Datum
reason_redact(PG_FUNCTION_ARGS)
{
	Jsonb	   *payload = PG_GETARG_JSONB_P(0);
	RedactRules *rules = fcinfo->flinfo->fn_extra;
	JsonbParseState *state = NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *result = NULL;
	const RedactRule *whole = NULL;

	if (rules == NULL)
		fcinfo->flinfo->fn_extra = rules = read_rules(fcinfo->flinfo->fn_mcxt);

	iterator = JsonbIteratorInit(&payload->root);
	while ((token = JsonbIteratorNext(&iterator, &value, whole != NULL)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			whole = member_rule(rules, &value);
			result = pushJsonbValue(&state, token, &value);
		}
		else if (token == WJB_VALUE || token == WJB_ELEM)
		{
			/* with a rule for the member, a container comes as one value */
			if (whole)
				set_string(&value, whole->token);
			else
				redact_scalar(rules, &value);
			whole = NULL;
			result = pushJsonbValue(&state, token, &value);
		}
		else
			result = pushJsonbValue(&state, token, token == WJB_BEGIN_ARRAY && value.val.array.rawScalar ? &value : NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}
