/*
 * event.c
 *		Payloads of the events that record a write: whole, and as they are stored.
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
	if (event->stated.length > 0)
		write_optional(out, ",", event->stated);
	buffer_append_literal(out, ",\"ts\":");
	record_write_timestamp(out, event->ts);
	buffer_append_char(out, '}');
}

void
event_write_stated(ByteBuffer *out, const WriteEvent *event)
{
	buffer_append_char(out, '{');
	write_optional(out, "\"policy\":", event->policy);
	if (event->policy.data && event->request.data)
		buffer_append_char(out, ',');
	write_optional(out, "\"request\":", event->request);
	buffer_append_char(out, '}');
}

static bool
begins_with(RecordText value, const char *beginning)
{
	return value.length >= strlen(beginning) && memcmp(value.data, beginning, strlen(beginning)) == 0;
}

static bool
is_literal(RecordText value, const char *literal)
{
	return value.length == strlen(literal) && memcmp(value.data, literal, value.length) == 0;
}

/* A whole payload begins with its annotation or its division. */
bool
event_is_stated(const EventRow *row, RecordKind *kind)
{
	for (int i = 0; i < RECORD_KINDS; i++)
	{
		if (!is_literal(row->event_type, event_type_of(i)))
			continue;
		*kind = i;
		return is_literal(row->payload, "{}") || begins_with(row->payload, "{\"policy\":") || begins_with(row->payload, "{\"request\":");
	}
	return false;
}
