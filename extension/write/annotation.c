/*
 * annotation.c
 *		An annotation, from JSON text.
 */
#include "postgres.h"

#include "write/annotation.h"

#include "canonical/backend.h"
#include "write/node_lookup.h"

PG_FUNCTION_INFO_V1(reason_insert_annotation);

enum
{
	MEMBER_ID,
	MEMBER_CONTENT,
	MEMBER_NOTE,
	MEMBER_AUTHOR,
	MEMBER_TYPE,
	MEMBER_DIVISION,
	MEMBER_METADATA,
	MEMBER_AUDIT_EVENT_ID,
	MEMBER_COUNT
};

static const WriteMember members[] = {
	{"note", MEMBER_NOTE},
	{"text", MEMBER_NOTE},
	{"payload", MEMBER_CONTENT},
	{"author", MEMBER_AUTHOR},
	{"actor", MEMBER_AUTHOR},
	{"type", MEMBER_TYPE},
	{"metadata", MEMBER_METADATA},
	{"division", MEMBER_DIVISION},
	{"id", MEMBER_ID},
	{"auditEventId", MEMBER_AUDIT_EVENT_ID},
	{NULL, 0}
};

/* Who asks, according to "request": the client of the gateway, or the role in SQL. */
static RecordText
requester(RecordText request)
{
	JsonDocument document;
	JsonLimits	limits = {.max_depth = 2};
	JsonError	error;
	const JsonNode *name;
	RecordText	result = row_literal("unknown");

	if (request.data == NULL)
		return result;
	json_document_init(&document, canonical_realloc, CurrentMemoryContext);
	if (!json_read(&document, request.data, request.length, &limits, &error))
		canonical_report(&error);
	name = json_member_literal(&document, json_root(&document), "client");
	if (name == NULL)
		name = json_member_literal(&document, json_root(&document), "role");
	if (name && name->kind == JSON_STRING)
	{
		result.data = json_string(&document, name);
		result.length = name->length;
	}
	return result;
}

/* What is annotated with: the payload, or a note, which is the short form of a payload that is a string. */
static const JsonNode *
annotation_content(WriteInput *input, const JsonNode *object, const JsonNode *const *slots)
{
	if ((slots[MEMBER_NOTE] == NULL) == (slots[MEMBER_CONTENT] == NULL))
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
					 "give one of \"note\", \"text\" and \"payload\"");
	if (slots[MEMBER_NOTE] == NULL)
		return slots[MEMBER_CONTENT];
	(void) write_text(input, slots[MEMBER_NOTE], "note", SIZE_MAX); /* limited as any payload is */
	return slots[MEMBER_NOTE];
}

typedef struct Target
{
	NodeLookup	lookup;
	pg_uuid_t	id;
} Target;

static void
read_annotation(WriteInput *input, const JsonNode *object, WriteRecord *write, void *argument)
{
	Target	   *target = argument;
	const JsonNode *slots[MEMBER_COUNT];
	Record	   *annotation = &write->record;

	write_members(input, object, members, slots, MEMBER_COUNT, MEMBER_CONTENT);
	if (slots[MEMBER_DIVISION])
		write_division(input, slots[MEMBER_DIVISION], &annotation->division);
	annotation->ends[0].id = target->id;
	node_lookup(&target->lookup, input, NULL, NULL, &annotation->division, &annotation->ends[0]);
	write_own_or_new_uuid(input, slots[MEMBER_ID], "id", &annotation->id);
	annotation->author = write_label(input, slots[MEMBER_AUTHOR], "author", 1024);
	if (annotation->author.data == NULL)
		annotation->author = requester(input->request);
	annotation->type = write_label(input, slots[MEMBER_TYPE], "type", 100);
	if (annotation->type.data == NULL)
		annotation->type = row_literal("note");
	annotation->metadata = row_metadata(input, slots[MEMBER_METADATA], &write->metadata);
	row_commit_payload(input, annotation_content(input, object, slots), &write->payload, write->salt, annotation->payload_hash);
	write->event_id = slots[MEMBER_AUDIT_EVENT_ID];
}

void
annotation_write(WriteInput *input, const pg_uuid_t *node, WriteSink sink, void *sink_argument)
{
	/* cppcheck-suppress ctunullpointer ; write_single() has no node for nodes and edges, which do not get here */
	Target		target = {.id = *node};
	WriteJob	job = {
		.kind = RECORD_ANNOTATION, .read = read_annotation, .read_argument = &target, .sink = sink, .sink_argument = sink_argument
	};

	node_lookup_begin(&target.lookup);
	write_rows(input, &job);
	node_lookup_end(&target.lookup);
}

Datum
reason_insert_annotation(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};

	write_input_arguments(&input, fcinfo);
	write_begin_results(fcinfo);
	annotation_write(&input, PG_GETARG_UUID_P(1), write_put_result, fcinfo->resultinfo);
	return (Datum) 0;
}
