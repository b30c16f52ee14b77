/*
 * input.h
 *		JSON text from a client, read strictly, field by field.
 *
 * A write is one object, or a batch {"nodes": […]}.  Every error raised from
 * here names the place: DETAIL is a JSON object with pointer (RFC 6901), byte
 * offset and, in a batch, index, which the gateway passes on as it is.
 */
#ifndef REASON_WRITE_INPUT_H
#define REASON_WRITE_INPUT_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/uuid.h"

#include "canonical/backend.h"
#include "core/json_reader.h"
#include "record/record.h"
#include "record/types.h"

/* reason.max_payload_size: bytes of canonical payload that a record may hold. */
extern int	reason_max_payload_kb;

extern void write_define_parameters(void);

/* A member that an object may have. */
typedef struct WriteMember
{
	const char *name;
	int			slot;			/* where write_members() puts its value */
} WriteMember;

typedef struct WriteInput
{
	RecordText	source;			/* the text, which must stay where it is */
	JsonDocument document;
	const char *collection;		/* "nodes", "edges"; NULL for a single record */
	int64		index;			/* of the current record, -1 outside any */
	ArrayType  *divisions;		/* that the caller may write; {*} for all */
	RecordText	home;			/* division of a node that names none; without it, "default" */
	RecordText	request;		/* canonical, or absent */
	RecordText	policy;			/* canonical, or absent */
} WriteInput;

/* What (input text, …, divisions text[], request json, policy json) says; none of the first three may be NULL. */
extern void write_input_arguments(WriteInput *input, FunctionCallInfo fcinfo);

/*
 * Reads input->source.  collection == NULL: the root is the record.  Returns the
 * container of the records, or the one record.
 */
extern const JsonNode *write_input_read(WriteInput *input, const char *collection);

/*
 * The record after `previous` of what write_input_read() returned, the first
 * after NULL; NULL after the last.  Messages are about this record from now on.
 */
extern const JsonNode *write_input_next(WriteInput *input, const JsonNode *records, const JsonNode *previous);

/*
 * Spreads an object's members over slots[]: absent members stay NULL, and so
 * does null for anything but `payload_slot`.  Names that the table does not have
 * are refused.  Names may be given twice over under different spellings of the
 * table (author, actor) only once.
 */
extern void write_members(WriteInput *input, const JsonNode *object, const WriteMember *members,
						  const JsonNode **slots, int slot_count, int payload_slot);

/* Readers of one member; `name` is for messages.  All raise errors that name the place. */
extern RecordText write_text(WriteInput *input, const JsonNode *value, const char *name, size_t max_bytes);
/* A text that is the name of something for people; see core/names.h. */
extern RecordText write_label(WriteInput *input, const JsonNode *value, const char *name, size_t max_bytes);
/* The 36 characters of a UUID, in any case; false for anything else. */
extern bool write_read_uuid(RecordText given, pg_uuid_t *uuid);
extern bool write_uuid(WriteInput *input, const JsonNode *value, const char *name, pg_uuid_t *uuid);
/* A new UUID of version 7 if none is given. */
extern void write_own_or_new_uuid(WriteInput *input, const JsonNode *value, const char *name, pg_uuid_t *uuid);
extern TimestampTz write_timestamp(WriteInput *input, const JsonNode *value, const char *name);
extern void write_division(WriteInput *input, const JsonNode *value, RecordText *division);

/* Whether the caller may write in the division. */
extern bool write_division_granted(const WriteInput *input, const char *division, size_t length);

/* Raises an error about a value of the input (NULL: about the record). */
extern REASON_NORETURN void write_refuse(WriteInput *input, const JsonNode *value, int sqlstate, const char *hint,
										 const char *format, ...) pg_attribute_printf(5, 6);

/* The type of a record, as it stands in the list of its kind, matched without regard to ASCII case. */
extern RecordText write_type(WriteInput *input, const JsonNode *object, const JsonNode *value, RecordKind kind);

#endif							/* REASON_WRITE_INPUT_H */
