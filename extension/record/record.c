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

#include "utils/datetime.h"
#include "utils/timestamp.h"

static const char hex_digits[] = "0123456789abcdef";

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
	char		quoted[UUID_LEN * 2 + 4 + 2];
	char	   *p = quoted;

	*p++ = '"';
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex_digits[id->data[i] >> 4];
		*p++ = hex_digits[id->data[i] & 0xF];
	}
	*p++ = '"';
	buffer_append(out, quoted, p - quoted);
}

void
record_write_hex(ByteBuffer *out, const uint8 *bytes, size_t length)
{
	if (!buffer_reserve(out, length * 2 + 2))
		return;
	buffer_append_char(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		out->data[out->length++] = hex_digits[bytes[i] >> 4];
		out->data[out->length++] = hex_digits[bytes[i] & 0xF];
	}
	buffer_append_char(out, '"');
}

static void
write_string(ByteBuffer *out, RecordText value)
{
	canonical_write_string(out, value.data, value.length);
}

void
record_write_node(ByteBuffer *out, const NodeRecord *node)
{
	buffer_append_literal(out, "{\"author\":");
	write_string(out, node->author);
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, node->created_at);
	buffer_append_literal(out, ",\"division\":");
	write_string(out, node->division);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &node->id);
	if (node->manifest_signature_id.data)
	{
		buffer_append_literal(out, ",\"manifestSignatureId\":");
		write_string(out, node->manifest_signature_id);
	}
	buffer_append_literal(out, ",\"metadata\":");
	buffer_append(out, node->metadata.data, node->metadata.length);
	buffer_append_literal(out, ",\"payloadHash\":");
	record_write_hex(out, node->payload_hash, REASON_DIGEST_LENGTH);
	if (node->payload_ref.data)
	{
		buffer_append_literal(out, ",\"payloadRef\":");
		buffer_append(out, node->payload_ref.data, node->payload_ref.length);
	}
	if (node->has_occurred_at)
	{
		buffer_append_literal(out, ",\"ts\":");
		record_write_timestamp(out, node->occurred_at);
	}
	buffer_append_literal(out, ",\"type\":");
	write_string(out, node->type);
	if (node->version.data)
	{
		buffer_append_literal(out, ",\"version\":");
		write_string(out, node->version);
	}
	buffer_append_char(out, '}');
}

void
record_write_edge(ByteBuffer *out, const EdgeRecord *edge)
{
	buffer_append_literal(out, "{\"createdAt\":");
	record_write_timestamp(out, edge->created_at);
	buffer_append_literal(out, ",\"division\":");
	write_string(out, edge->division);
	buffer_append_literal(out, ",\"from\":");
	record_write_uuid(out, &edge->from);
	buffer_append_literal(out, ",\"fromDigest\":");
	record_write_hex(out, edge->from_digest, REASON_DIGEST_LENGTH);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &edge->id);
	buffer_append_literal(out, ",\"metadata\":");
	buffer_append(out, edge->metadata.data, edge->metadata.length);
	buffer_append_literal(out, ",\"to\":");
	record_write_uuid(out, &edge->to);
	buffer_append_literal(out, ",\"toDigest\":");
	record_write_hex(out, edge->to_digest, REASON_DIGEST_LENGTH);
	buffer_append_literal(out, ",\"type\":");
	write_string(out, edge->type);
	buffer_append_literal(out, ",\"weight\":");
	canonical_write_number(out, edge->weight);
	buffer_append_char(out, '}');
}

void
record_write_annotation(ByteBuffer *out, const AnnotationRecord *annotation)
{
	buffer_append_literal(out, "{\"author\":");
	write_string(out, annotation->author);
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, annotation->created_at);
	buffer_append_literal(out, ",\"division\":");
	write_string(out, annotation->division);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &annotation->id);
	buffer_append_literal(out, ",\"metadata\":");
	buffer_append(out, annotation->metadata.data, annotation->metadata.length);
	buffer_append_literal(out, ",\"payloadHash\":");
	record_write_hex(out, annotation->payload_hash, REASON_DIGEST_LENGTH);
	buffer_append_literal(out, ",\"target\":");
	record_write_uuid(out, &annotation->target);
	buffer_append_literal(out, ",\"targetDigest\":");
	record_write_hex(out, annotation->target_digest, REASON_DIGEST_LENGTH);
	buffer_append_literal(out, ",\"type\":");
	write_string(out, annotation->type);
	buffer_append_char(out, '}');
}
