/*
 * write_event.c
 *		Payloads of the events that record a write, their numbers and times.
 */
#include "postgres.h"

#include "canonical.h"
#include "write_event.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_calling_role);

static void
write_optional(ByteBuffer *out, const char *member, RecordText value)
{
	if (value.data == NULL)
		return;
	buffer_append(out, member, strlen(member));
	buffer_append(out, value.data, value.length);
}

void
event_write(ByteBuffer *out, const WriteEvent *event)
{
	static const char *const event_types[] = {
		[EVENT_ANNOTATION] = "annotation.created",
		[EVENT_EDGE] = "edge.created",
		[EVENT_NODE] = "node.created"
	};
	const char *event_type = event_types[event->subject];

	/* In canonical order, which puts the record in one of three places. */
	buffer_append_char(out, '{');
	if (event->subject == EVENT_ANNOTATION)
	{
		write_optional(out, "\"annotation\":", event->record);
		buffer_append_char(out, ',');
	}
	buffer_append_literal(out, "\"division\":");
	canonical_write_string(out, event->division.data, event->division.length);
	if (event->subject == EVENT_EDGE)
		write_optional(out, ",\"edge\":", event->record);
	buffer_append_literal(out, ",\"eventType\":\"");
	buffer_append(out, event_type, strlen(event_type));
	buffer_append_literal(out, "\",\"id\":");
	record_write_uuid(out, &event->id);
	if (event->subject == EVENT_NODE)
		write_optional(out, ",\"node\":", event->record);
	write_optional(out, ",\"policy\":", event->policy);
	write_optional(out, ",\"request\":", event->request);
	buffer_append_literal(out, ",\"ts\":");
	record_write_timestamp(out, event->ts);
	buffer_append_char(out, '}');
}

int64
next_record_no(void)
{
	/*
	 * The sealer concludes from a snapshot which numbers are decided; that
	 * holds only if a number is never drawn before its transaction shows up
	 * among the running ones.
	 */
	(void) GetTopTransactionId();
	return nextval_internal(get_relname_relid("record_no", get_namespace_oid("reason", false)), false);
}

TimestampTz
next_record_time(TimestampTz previous)
{
	TimestampTz now = GetCurrentTimestamp();

	return now > previous ? now : previous + 1;
}

Datum
reason_calling_role(PG_FUNCTION_ARGS)
{
	Name		name = palloc(NAMEDATALEN);

	namestrcpy(name, GetUserNameFromId(GetOuterUserId(), false));
	PG_RETURN_NAME(name);
}
