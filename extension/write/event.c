/*
 * event.c
 *		Payloads of the events that record a write, their numbers and times.
 */
#include "postgres.h"

#include "core/canonical.h"
#include "record/watermark.h"
#include "write/event.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

static void
write_optional(ByteBuffer *out, const char *member, RecordText value)
{
	if (value.data == NULL)
		return;
	buffer_append(out, member, strlen(member));
	buffer_append(out, value.data, value.length);
}

const char *
event_type_of(EventSubject subject)
{
	static const char *const event_types[] = {
		[EVENT_ANNOTATION] = "annotation.created",
		[EVENT_EDGE] = "edge.created",
		[EVENT_NODE] = "node.created"
	};

	return event_types[subject];
}

void
event_write(ByteBuffer *out, const WriteEvent *event)
{
	const char *event_type = event_type_of(event->subject);

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
	Oid			sequence = get_relname_relid("record_no", get_namespace_oid("reason", false));
	int64		no;

	/*
	 * The sealer concludes from a snapshot which numbers are decided; that
	 * holds only if a number is never drawn before its transaction shows up
	 * among the running ones.
	 */
	(void) GetTopTransactionId();
	no = nextval_internal(sequence, false);
	moments_drawn(sequence, no);
	return no;
}

TimestampTz
next_record_time(TimestampTz previous)
{
	TimestampTz now = GetCurrentTimestamp();

	return now > previous ? now : previous + 1;
}
