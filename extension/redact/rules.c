/*
 * rules.c
 *		The catalogue reason.pii_rule.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "record/schema.h"
#include "redact/internal.h"
#include "redact/redact.h"

/* Columns of reason.pii_rule, in the order of sql/redact.sql. */
enum
{
	RULE_NAME = 1,
	RULE_CATEGORY,
	RULE_MEMBER,
	RULE_PATTERN,
	RULE_BUILTIN,
	RULE_MATCHER,
	RULE_EXCEPT,
	RULE_ENABLED
};

static const char *const matcher_names[REDACT_MATCHERS] = {
	[REDACT_EMAIL] = "email",
	[REDACT_PHONE] = "phone",
	[REDACT_CARD] = "card",
	[REDACT_IBAN] = "iban",
	[REDACT_NATIONAL_ID] = "national_id",
	[REDACT_EMAIL_MEMBER] = "email_member",
	[REDACT_PHONE_MEMBER] = "phone_member",
	[REDACT_CARD_MEMBER] = "card_member",
	[REDACT_IBAN_MEMBER] = "iban_member",
	[REDACT_NATIONAL_ID_MEMBER] = "national_id_member"
};

int
redact_matcher_of(const char *name)
{
	for (int i = 0; i < REDACT_MATCHERS; i++)
	{
		if (strcmp(matcher_names[i], name) == 0)
			return i;
	}
	return -1;
}

/* In collation C, so that the same record is redacted alike everywhere. */
bool
redact_regex_matches(text *expression, const char *data, int length, bool ignore_case)
{
	return RE_compile_and_execute(expression, unconstify(char *, data), length,
								  REG_ADVANCED | REG_NOSUB | (ignore_case ? REG_ICASE : 0), C_COLLATION_OID, 0, NULL);
}

static int
compare_rules(const void *a, const void *b)
{
	return strcmp(((const RedactRule *) a)->name, ((const RedactRule *) b)->name);
}

Redaction *
redact_of_rules(RedactRule *rules, int count)
{
	Redaction  *redaction = palloc0(sizeof(Redaction));

	qsort(rules, count, sizeof(RedactRule), compare_rules);
	redaction->rules = rules;
	redaction->rule_count = count;
	redaction->span_capacity = 16;
	redaction->spans = palloc(redaction->span_capacity * sizeof(RedactSpan));
	for (int i = count - 1; i >= 0; i--)
	{
		rules[i].token = cstring_to_text(psprintf("[redacted:%s]", rules[i].category));
		if (rules[i].matcher >= 0)
			redaction->by_matcher[rules[i].matcher] = &rules[i];
		redaction->has_patterns |= rules[i].pattern != NULL;
		redaction->has_members |= rules[i].member != NULL;
	}
	return redaction;
}

static text *
text_column(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

Redaction *
redact_open(void)
{
	Relation	table = schema_open_table("pii_rule", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	int			capacity = 16;
	int			count = 0;
	RedactRule *rules = palloc(capacity * sizeof(RedactRule));

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		RedactRule *rule;
		text	   *matcher;

		CHECK_FOR_INTERRUPTS();
		if (!DatumGetBool(slot_getattr(slot, RULE_ENABLED, &isnull)))
			continue;
		if (count == capacity)
			rules = repalloc(rules, (capacity *= 2) * sizeof(RedactRule));
		rule = &rules[count++];
		rule->name = text_to_cstring(text_column(slot, RULE_NAME));
		rule->category = text_to_cstring(text_column(slot, RULE_CATEGORY));
		rule->member = text_column(slot, RULE_MEMBER);
		rule->pattern = text_column(slot, RULE_PATTERN);
		rule->except = text_column(slot, RULE_EXCEPT);
		matcher = text_column(slot, RULE_MATCHER);
		rule->matcher = matcher ? redact_matcher_of(text_to_cstring(matcher)) : -1;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return redact_of_rules(rules, count);
}
