/*
 * event_form.c
 *		Whether a row of audit_event is what a writer can have left.
 */
#include "postgres.h"

#include "chain/event_form.h"

#include "canonical/backend.h"

#include "utils/timestamp.h"

static bool
same_bytes(RecordText value, const char *data, size_t length)
{
	return value.data && value.length == length && memcmp(value.data, data, length) == 0;
}

/* A column is not what the payload says; the event is named as the payload names it. */
static bool
column_fault(AuditChecker *checker, const char *column)
{
	RecordText	id = audit_member_text(&checker->event, json_root(&checker->event), "id");

	return audit_fault(checker, "audit_event \"%.*s\": column %s is not what the payload says",
					   (int) id.length, id.data ? id.data : "", column);
}

/* A member that repeats a column, as its canonical text. */
static bool
check_member(AuditChecker *checker, const char *member, const ByteBuffer *expected, const char *column)
{
	const JsonDocument *event = &checker->event;
	const JsonNode *value = json_member(event, json_root(event), member, strlen(member));

	if (value && json_raw_length(value) == expected->length &&
		memcmp(json_raw(event, value), expected->data, expected->length) == 0)
		return true;
	return column_fault(checker, column);
}

static bool
check_text_member(AuditChecker *checker, const char *member, RecordText expected, const char *column)
{
	return same_bytes(audit_member_text(&checker->event, json_root(&checker->event), member), expected.data, expected.length) ||
		column_fault(checker, column);
}

static bool
check_payload(AuditChecker *checker, RecordText payload)
{
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	const JsonNode *root;

	if (!json_read(&checker->event, payload.data, payload.length, &limits, &error))
		return audit_fault(checker, "audit_event: column payload is not JSON that can have been recorded: %s", error.message);
	root = json_root(&checker->event);
	if (root->kind != JSON_OBJECT || !(root->flags & JSON_CANONICAL) || json_raw_length(root) != payload.length)
		return audit_fault(checker, "audit_event: column payload is not canonical JSON");
	return true;
}

bool
audit_check_form(AuditChecker *checker, const EventRow *row)
{
	ByteBuffer *scratch = &checker->record;

	if (!check_payload(checker, row->payload))
		return false;
	scratch->length = 0;
	record_write_uuid(scratch, &row->id);
	if (!check_member(checker, "id", scratch, "id"))
		return false;
	if (TIMESTAMP_NOT_FINITE(row->ts))
		return column_fault(checker, "ts");
	scratch->length = 0;
	record_write_timestamp(scratch, row->ts);
	return check_member(checker, "ts", scratch, "ts") &&
		check_text_member(checker, "division", row->division, "division") &&
		check_text_member(checker, "eventType", row->event_type, "event_type");
}
