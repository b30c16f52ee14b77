/*
 * record.c
 *		Writes the canonical records that digests cover.
 *
 * The member names of a record are known, so their canonical order (RFC 8785,
 * section 3.2.3: by UTF-16 code units) is the order of the code below and
 * nothing is sorted at run time.
 */
#include "postgres.h"

#include "record/record.h"

#include "core/canonical.h"
#include "core/hex.h"
#include "core/uuid_text.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

const char *const record_kind_names[RECORD_KINDS] = {"node", "edge", "annotation"};

static char *
put_digits(char *p, unsigned value, int width)
{
	for (int i = width - 1; i >= 0; i--)
	{
		p[i] = '0' + value % 10;
		value /= 10;
	}
	return p + width;
}

bool
record_time_fits(TimestampTz ts)
{
	return ts >= (TimestampTz) (date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY &&
		ts < (TimestampTz) (date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

void
record_write_timestamp(ByteBuffer *out, TimestampTz ts)
{
	char		quoted[sizeof("\"2026-11-23T16:15:27.123456Z\"")];
	char	   *p = quoted;
	int			year,
				month,
				day;
	int64		julian;
	int64		time_us;

	if (!record_time_fits(ts))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range of RFC 3339")));
	/* Days and microseconds of the UTC day, rounding towards minus infinity. */
	julian = ts / USECS_PER_DAY;
	time_us = ts % USECS_PER_DAY;
	if (time_us < 0)
	{
		time_us += USECS_PER_DAY;
		julian--;
	}
	j2date((int) (julian + POSTGRES_EPOCH_JDATE), &year, &month, &day);

	*p++ = '"';
	p = put_digits(p, year, 4);
	*p++ = '-';
	p = put_digits(p, month, 2);
	*p++ = '-';
	p = put_digits(p, day, 2);
	*p++ = 'T';
	p = put_digits(p, time_us / USECS_PER_HOUR, 2);
	*p++ = ':';
	p = put_digits(p, time_us / USECS_PER_MINUTE % 60, 2);
	*p++ = ':';
	p = put_digits(p, time_us / USECS_PER_SEC % 60, 2);
	*p++ = '.';
	p = put_digits(p, time_us % USECS_PER_SEC, 6);
	*p++ = 'Z';
	*p++ = '"';
	buffer_append(out, quoted, p - quoted);
}

void
record_write_uuid(ByteBuffer *out, const pg_uuid_t *id)
{
	char		quoted[UUID_TEXT_LENGTH + 2];

	quoted[0] = '"';
	uuid_write_text(quoted + 1, id->data);
	/* In place of the terminator. */
	quoted[UUID_TEXT_LENGTH + 1] = '"';
	buffer_append(out, quoted, sizeof(quoted));
}

void
record_write_hex(ByteBuffer *out, const uint8 *bytes, size_t length)
{
	if (!buffer_reserve(out, length * 2 + 2))
		return;
	buffer_append_char(out, '"');
	hex_write(out->data + out->length, bytes, length);
	out->length += length * 2;
	buffer_append_char(out, '"');
}

static void
write_member(ByteBuffer *out, const char *member, RecordText value, bool is_json)
{
	if (value.data == NULL)
		return;
	buffer_append(out, member, strlen(member));
	if (is_json)
		buffer_append(out, value.data, value.length);
	else
		canonical_write_string(out, value.data, value.length);
}

static void
write_end(ByteBuffer *out, const char *member, const char *digest_member, const NodeReference *end)
{
	buffer_append(out, member, strlen(member));
	record_write_uuid(out, &end->id);
	buffer_append(out, digest_member, strlen(digest_member));
	record_write_hex(out, end->digest, REASON_DIGEST_LENGTH);
}

void
record_write(ByteBuffer *out, const Record *record)
{
	bool		is_edge = record->kind == RECORD_EDGE;

	write_member(out, "{\"author\":", record->author, false);
	buffer_append_char(out, is_edge ? '{' : ',');
	buffer_append_literal(out, "\"createdAt\":");
	record_write_timestamp(out, record->created_at);
	write_member(out, ",\"division\":", record->division, false);
	if (is_edge)
		write_end(out, ",\"from\":", ",\"fromDigest\":", &record->ends[0]);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &record->id);
	write_member(out, ",\"manifestSignatureId\":", record->manifest_signature_id, false);
	write_member(out, ",\"metadata\":", record->metadata, true);
	if (!is_edge)
	{
		buffer_append_literal(out, ",\"payloadHash\":");
		record_write_hex(out, record->payload_hash, REASON_DIGEST_LENGTH);
	}
	write_member(out, ",\"payloadRef\":", record->payload_ref, true);
	if (record->kind == RECORD_ANNOTATION)
		write_end(out, ",\"target\":", ",\"targetDigest\":", &record->ends[0]);
	if (is_edge)
		write_end(out, ",\"to\":", ",\"toDigest\":", &record->ends[1]);
	if (record->has_occurred_at)
	{
		buffer_append_literal(out, ",\"ts\":");
		record_write_timestamp(out, record->occurred_at);
	}
	write_member(out, ",\"type\":", record->type, false);
	write_member(out, ",\"version\":", record->version, false);
	if (is_edge)
	{
		buffer_append_literal(out, ",\"weight\":");
		canonical_write_number(out, record->weight);
	}
	buffer_append_char(out, '}');
}
