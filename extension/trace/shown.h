/*
 * shown.h
 *		Reads members out of the JSON text that a caller is shown of a record.
 *
 * Whatever is told of a record in another form, a line for a person or a
 * summary, is taken from this text, so that it tells nothing that is not shown.
 * The text is our own: valid, without white space, no name twice.
 */
#ifndef REASON_TRACE_SHOWN_H
#define REASON_TRACE_SHOWN_H

#include "postgres.h"

#include "core/buffer.h"

/* The text of a value; data is NULL where there is none. */
typedef struct ShownText
{
	const char *data;
	size_t		length;
} ShownText;

/* Members that a record of any kind may have; the text lives as long as what it was read from. */
typedef struct ShownRecord
{
	ShownText	audit_event_id;
	ShownText	author;
	ShownText	confidence;		/* of metadata */
	ShownText	created_at;
	ShownText	erased;
	ShownText	from;
	ShownText	id;
	ShownText	metadata;
	ShownText	payload;
	ShownText	quarantined;
	ShownText	target;
	ShownText	to;
	ShownText	ts;
	ShownText	type;
	ShownText	weight;
} ShownRecord;

extern ShownRecord shown_record(const char *bytes, size_t length);

/* One member of an object; none: data is NULL. */
extern ShownText shown_member(ShownText object, const char *name);

/* Goes through the members of an object, or the elements of an array, which have no name; *at begins NULL.  False at the end. */
extern bool shown_next(ShownText container, const char **at, ShownText *name, ShownText *value);

/* What the payload says of itself, as JSON string, or none. */
extern ShownText shown_note(const ShownRecord *record);

/* "type by author: note" as a JSON string; of the note 200 characters, with a sign that there is more. */
extern void shown_write_note(ByteBuffer *out, const ShownRecord *record);

/* Members that tell of a node in a list of many: author, confidence, createdAt, erased, nodeId, note, ts, type. */
extern void shown_write_entry(ByteBuffer *out, ShownText node);

/* At most so many characters of a value, a string without its quotes: plain text on one line that no terminal obeys. */
extern void shown_write_plain(ByteBuffer *out, ShownText value, int most);

/* The same of all of it, but that tabs and ends of lines in a string stay. */
extern void shown_write_lines(ByteBuffer *out, ShownText value);

/* "null" where there is none. */
static inline void
shown_append(ByteBuffer *out, ShownText value)
{
	if (value.data)
		buffer_append(out, value.data, value.length);
	else
		buffer_append_literal(out, "null");
}

#endif							/* REASON_TRACE_SHOWN_H */
