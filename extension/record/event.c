/*
 * event.c
 *		Payloads of the events that record a write.
 */
#include "postgres.h"

#include "record/event.h"

#include "core/canonical.h"

static void
write_optional(ByteBuffer *out, const char *member, RecordText value)
{
	if (value.data == NULL)
		return;
	buffer_append(out, member, strlen(member));
	buffer_append(out, value.data, value.length);
}

const char *
event_type_of(RecordKind kind)
{
	static const char *const event_types[] = {
		[RECORD_NODE] = "node.created",
		[RECORD_EDGE] = "edge.created",
		[RECORD_ANNOTATION] = "annotation.created"
	};

	return event_types[kind];
}

void
event_write(ByteBuffer *out, const WriteEvent *event)
{
	const char *event_type = event_type_of(event->kind);

	/* In canonical order, which puts the record in one of three places. */
	buffer_append_char(out, '{');
	if (event->kind == RECORD_ANNOTATION)
	{
		write_optional(out, "\"annotation\":", event->record);
		buffer_append_char(out, ',');
	}
	buffer_append_literal(out, "\"division\":");
	canonical_write_string(out, event->division.data, event->division.length);
	if (event->kind == RECORD_EDGE)
		write_optional(out, ",\"edge\":", event->record);
	buffer_append_literal(out, ",\"eventType\":\"");
	buffer_append(out, event_type, strlen(event_type));
	buffer_append_literal(out, "\",\"id\":");
	record_write_uuid(out, &event->id);
	if (event->kind == RECORD_NODE)
		write_optional(out, ",\"node\":", event->record);
	write_optional(out, ",\"policy\":", event->policy);
	write_optional(out, ",\"request\":", event->request);
	buffer_append_literal(out, ",\"ts\":");
	record_write_timestamp(out, event->ts);
	buffer_append_char(out, '}');
}
