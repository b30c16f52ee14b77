/*
 * input.c
 *		JSON text from a client, read strictly, field by field.
 */
#include "postgres.h"

#include "write/input.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "core/names.h"
#include "core/json_pointer.h"
#include "record/text.h"
#include "record/uuid.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Read by reason.http_replay() alone. */
static int	idempotency_key_lifetime_s = 24 * 60 * 60;

int			reason_max_payload_kb = 256;

void
write_define_parameters(void)
{
	DefineCustomIntVariable("reason.max_payload_size",
							"Sets the largest payload that a node or annotation may hold.",
							"Measured on the canonical form. Larger content belongs into the object store, referred to by payloadRef.",
							&reason_max_payload_kb, 256, 1, 256 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("reason.idempotency_key_lifetime",
							"Sets how long the answer to a write is kept for repeats under its Idempotency-Key.",
							"After that the key is as good as new.",
							&idempotency_key_lifetime_s, 24 * 60 * 60, 1, PG_INT32_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

/* DETAIL for the gateway: {"index":3,"offset":117,"pointer":"/nodes/3/type"}; what is negative is left out. */
static char *
place_detail(int64 index, int64 offset, const char *pointer, size_t pointer_length)
{
	ByteBuffer	out;

	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	buffer_append_char(&out, '{');
	if (index >= 0)
	{
		buffer_append_literal(&out, "\"index\":");
		canonical_write_integer(&out, index);
		buffer_append_char(&out, ',');
	}
	if (offset >= 0)
	{
		buffer_append_literal(&out, "\"offset\":");
		canonical_write_integer(&out, offset);
		buffer_append_char(&out, ',');
	}
	buffer_append_literal(&out, "\"pointer\":");
	canonical_write_string(&out, pointer, pointer_length);
	buffer_append(&out, "}", 2);	/* with its terminator */
	return out.data;
}

/* The index in "/nodes/3/type", -1 if the pointer leads to no record. */
static int64
index_of_pointer(const char *collection, const char *pointer)
{
	size_t		length;

	if (collection == NULL || pointer[0] != '/')
		return -1;
	length = strlen(collection);
	if (strncmp(pointer + 1, collection, length) != 0 || pointer[1 + length] != '/')
		return -1;
	return strtol(pointer + length + 2, NULL, 10);
}

static void
report_unreadable(const WriteInput *input, const JsonError *error)
{
	int64		index = index_of_pointer(input->collection, error->pointer);
	char	   *prefix = index >= 0 ? psprintf("%s[" INT64_FORMAT "]: ", input->collection, index) : "";

	if (error->code == JSON_ERROR_MEMORY)
		canonical_report(error);
	ereport(ERROR,
			(errcode(error->code == JSON_ERROR_SIZE ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
					 ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("%sinvalid JSON: %s", prefix, error->message),
			 errdetail_internal("%s", place_detail(index, error->offset, error->pointer, strlen(error->pointer))),
			 error->code == JSON_ERROR_NUMBER_INEXACT ?
			 errhint("Write the number as a string to keep all its digits.") : 0));
}

void
write_input_arguments(WriteInput *input, FunctionCallInfo fcinfo)
{
	for (int i = 0; i < 3; i++)
		record_require_argument(fcinfo, i);
	input->source = record_text_argument(fcinfo, 0);
	input->divisions = PG_GETARG_ARRAYTYPE_P(2);
	input->request = record_text_argument(fcinfo, 3);
	input->policy = record_text_argument(fcinfo, 4);
}

const JsonNode *
write_input_read(WriteInput *input, const char *collection)
{
	JsonLimits	limits = canonical_write_limits();
	JsonError	error;
	const JsonNode *root;
	const JsonNode *records = NULL;

	/* A batch wraps its records in an object and an array. */
	limits.max_depth += collection ? 3 : 1;
	input->collection = collection;
	input->index = -1;
	json_document_init(&input->document, canonical_realloc, CurrentMemoryContext);
	if (!json_read(&input->document, input->source.data, input->source.length, &limits, &error))
		report_unreadable(input, &error);

	root = json_root(&input->document);
	if (root->kind != JSON_OBJECT)
		write_refuse(input, root, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "the body must be a JSON object");
	if (collection == NULL)
		return root;

	for (const JsonNode *name = json_first(&input->document, root); name;
		 name = json_next(&input->document, root, json_value(name)))
	{
		if (!json_string_is(&input->document, name, collection, strlen(collection)))
			write_refuse(input, name, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
						 "unknown member \"%.*s\" beside \"%s\"",
						 (int) Min(name->length, 100), json_string(&input->document, name), collection);
		records = json_value(name);
	}
	if (records && records->kind == JSON_ARRAY && records->length > 0)
		return records;
	if (records && records->kind == JSON_ARRAY)
		write_refuse(input, records, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is empty", collection);
	write_refuse(input, records ? records : root, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
				 "the body must have an array \"%s\"", collection);
}

void
write_refuse(WriteInput *input, const JsonNode *value, int sqlstate, const char *hint, const char *format, ...)
{
	ByteBuffer	pointer;
	StringInfoData message;
	bool		in_batch = input->collection && input->index >= 0;

	initStringInfo(&message);
	if (in_batch)
		appendStringInfo(&message, "%s[" INT64_FORMAT "]: ", input->collection, input->index);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}

	buffer_init(&pointer, canonical_realloc, CurrentMemoryContext);
	if (value)
		json_write_pointer(&pointer, &input->document, value);
	else if (in_batch)
	{
		/* About the record as a whole. */
		buffer_append_char(&pointer, '/');
		buffer_append(&pointer, input->collection, strlen(input->collection));
		buffer_append_char(&pointer, '/');
		canonical_write_integer(&pointer, input->index);
	}
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg_internal("%s", message.data),
			 value || in_batch ?
			 errdetail_internal("%s", place_detail(in_batch ? input->index : -1, value ? (int64) value->start : -1,
												   pointer.data, pointer.length)) : 0,
			 hint ? errhint("%s", hint) : 0));
}

const JsonNode *
write_input_next(WriteInput *input, const JsonNode *records, const JsonNode *previous)
{
	CHECK_FOR_INTERRUPTS();
	input->index++;
	if (input->collection == NULL)
		return previous ? NULL : records;
	return previous ? json_next(&input->document, records, previous) : json_first(&input->document, records);
}

void
write_members(WriteInput *input, const JsonNode *object, const WriteMember *members,
			  const JsonNode **slots, int slot_count, int payload_slot)
{
	const JsonDocument *document = &input->document;

	memset(slots, 0, slot_count * sizeof(*slots));
	if (object->kind != JSON_OBJECT)
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "must be a JSON object");

	for (const JsonNode *name = json_first(document, object); name;
		 name = json_next(document, object, json_value(name)))
	{
		const JsonNode *value = json_value(name);
		const WriteMember *member = members;

		while (member->name && !json_string_is(document, name, member->name, strlen(member->name)))
			member++;
		if (member->name == NULL)
			write_refuse(input, name, ERRCODE_INVALID_PARAMETER_VALUE,
						 "What the service does not know it would have to forget; put it into metadata or payload.",
						 "unknown member \"%.*s\"", (int) Min(name->length, 100), json_string(document, name));
		if (value->kind == JSON_NULL && member->slot != payload_slot)
			continue;
		if (slots[member->slot])
			write_refuse(input, name, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
						 "\"%s\" repeats what another member says", member->name);
		slots[member->slot] = value;
	}
}

RecordText
write_text(WriteInput *input, const JsonNode *value, const char *name, size_t max_bytes)
{
	RecordText	result = {NULL, 0};

	if (value == NULL)
		return result;
	if (value->kind != JSON_STRING)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" must be a string", name);
	if (value->length == 0)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is empty", name);
	if (value->length > max_bytes)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is longer than %zu bytes", name, max_bytes);
	result.data = json_string(&input->document, value);
	result.length = value->length;
	return result;
}

RecordText
write_label(WriteInput *input, const JsonNode *value, const char *name, size_t max_bytes)
{
	RecordText	result = write_text(input, value, name, max_bytes);
	const char *fault = result.data ? label_fault(result.data, result.length) : NULL;

	if (fault)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" %s", name, fault);
	return result;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
write_read_uuid(RecordText given, pg_uuid_t *uuid)
{
	const char *p = given.data;
	int			byte = 0;

	if (given.length != 36)
		return false;
	for (int i = 0; i < 36;)
	{
		int			high,
					low;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (p[i++] != '-')
				return false;
			continue;
		}
		high = hex_value(p[i]);
		low = hex_value(p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		uuid->data[byte++] = high << 4 | low;
		i += 2;
	}
	return true;
}

bool
write_uuid(WriteInput *input, const JsonNode *value, const char *name, pg_uuid_t *uuid)
{
	if (value == NULL)
		return false;
	if (value->kind != JSON_STRING ||
		!write_read_uuid((RecordText) {json_string(&input->document, value), value->length}, uuid))
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" must be a UUID", name);
	return true;
}

void
write_own_or_new_uuid(WriteInput *input, const JsonNode *value, const char *name, pg_uuid_t *uuid)
{
	if (!write_uuid(input, value, name, uuid))
		uuid_generate_v7(uuid);
}

/* `width` digits as a number, -1 if there are others. */
static int
digits(const char *p, int width)
{
	int			result = 0;

	for (int i = 0; i < width; i++)
	{
		if (p[i] < '0' || p[i] > '9')
			return -1;
		result = result * 10 + (p[i] - '0');
	}
	return result;
}

/*
 * RFC 3339, section 5.6: date-time with "T" and an offset.  Digits beyond the
 * microsecond are dropped, which is what TimestampTz can hold.
 */
TimestampTz
write_timestamp(WriteInput *input, const JsonNode *value, const char *name)
{
	const char *p;
	const char *end;
	int			year,
				month,
				day,
				hour,
				minute,
				second;
	int			offset_minutes = 0;
	int64		fraction = 0;
	TimestampTz result;

	if (value->kind != JSON_STRING || value->length < 20 || value->length > 40)
		goto refuse;
	p = json_string(&input->document, value);
	end = p + value->length;
	year = digits(p, 4);
	month = digits(p + 5, 2);
	day = digits(p + 8, 2);
	hour = digits(p + 11, 2);
	minute = digits(p + 14, 2);
	second = digits(p + 17, 2);
	if (year < 1 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't') || p[13] != ':' || p[16] != ':' ||
		month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1] ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		goto refuse;
	p += 19;
	if (*p == '.')
	{
		int64		unit = 100000;

		if (++p == end || *p < '0' || *p > '9')
			goto refuse;
		for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			fraction += (*p - '0') * unit;
	}
	if (p == end)
		goto refuse;
	if (*p == 'Z' || *p == 'z')
		p++;
	else if ((*p == '+' || *p == '-') && end - p == 6 && p[3] == ':')
	{
		int			hours = digits(p + 1, 2);
		int			minutes = digits(p + 4, 2);

		if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
			goto refuse;
		offset_minutes = hours * 60 + minutes;
		if (*p == '-')
			offset_minutes = -offset_minutes;
		p = end;
	}
	if (p != end)
		goto refuse;

	result = (TimestampTz) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY
		+ hour * USECS_PER_HOUR + minute * USECS_PER_MINUTE + second * USECS_PER_SEC + fraction
		- offset_minutes * USECS_PER_MINUTE;
	if (!record_time_fits(result))
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, "Times are recorded in UTC, from year 1 to 9999.",
					 "\"%s\" is out of range", name);
	return result;

refuse:
	write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, "For example 2026-11-23T16:15:27.123456Z.",
				 "\"%s\" must be an RFC 3339 time", name);
}

bool
write_division_granted(const WriteInput *input, const char *division, size_t length)
{
	ArrayIterator iterator = array_create_iterator(input->divisions, 0, NULL);
	Datum		element;
	bool		isnull;
	bool		granted = false;

	while (!granted && array_iterate(iterator, &element, &isnull))
	{
		text	   *candidate;

		if (isnull)
			continue;
		candidate = DatumGetTextPP(element);
		granted = (VARSIZE_ANY_EXHDR(candidate) == length && memcmp(VARDATA_ANY(candidate), division, length) == 0) ||
			(VARSIZE_ANY_EXHDR(candidate) == 1 && *VARDATA_ANY(candidate) == '*');
	}
	array_free_iterator(iterator);
	return granted;
}

void
write_division(WriteInput *input, const JsonNode *value, RecordText *division)
{
	if (value == NULL && input->home.data)
		*division = input->home;
	else if (value == NULL)
	{
		division->data = "default";
		division->length = strlen(division->data);
	}
	else
	{
		*division = write_text(input, value, "division", DIVISION_NAME_LENGTH);
		if (!division_name_is_valid(division->data, division->length))
			write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"division\" may hold " DIVISION_NAME_RULE);
	}
	if ((division->length == strlen("system") && memcmp(division->data, "system", division->length) == 0) ||
		!write_division_granted(input, division->data, division->length))
		write_refuse(input, value, ERRCODE_INSUFFICIENT_PRIVILEGE, NULL,
					 "division \"%.*s\" does not exist or is not granted", (int) division->length, division->data);
}

RecordText
write_type(WriteInput *input, const JsonNode *object, const JsonNode *value, RecordKind kind)
{
	if (value && value->kind == JSON_STRING)
	{
		RecordText	type = record_type_of(kind, json_string(&input->document, value), value->length);

		if (type.data)
			return type;
	}
	if (value == NULL)
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"type\" is missing");
	write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, record_types_hint(kind),
				 "unknown %s type", record_kind_names[kind]);
}
