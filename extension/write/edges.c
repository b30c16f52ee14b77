/*
 * edges.c
 *		Edges, from JSON text.
 */
#include "postgres.h"

#include "write/edges.h"

#include "write/node_lookup.h"

PG_FUNCTION_INFO_V1(reason_insert_edges);

enum
{
	MEMBER_ID,
	MEMBER_FROM,
	MEMBER_TO,
	MEMBER_TYPE,
	MEMBER_DIVISION,
	MEMBER_WEIGHT,
	MEMBER_METADATA,
	MEMBER_AUDIT_EVENT_ID,
	MEMBER_COUNT
};

static const WriteMember members[] = {
	{"from", MEMBER_FROM},
	{"to", MEMBER_TO},
	{"type", MEMBER_TYPE},
	{"id", MEMBER_ID},
	{"weight", MEMBER_WEIGHT},
	{"metadata", MEMBER_METADATA},
	{"division", MEMBER_DIVISION},
	{"auditEventId", MEMBER_AUDIT_EVENT_ID},
	{NULL, 0}
};

/* The node that a member of an edge names; its division is that of the first. */
static void
find_end(WriteInput *input, NodeLookup *lookup, const JsonNode *object, const JsonNode *value, const char *name,
		 RecordText *division, NodeReference *end)
{
	if (!write_uuid(input, value, name, &end->id))
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is missing", name);
	node_lookup(lookup, input, value, "Nodes are written before the edges between them.", division, end);
}

/* 1 when absent. */
static double
edge_weight(WriteInput *input, const JsonNode *value)
{
	if (value == NULL)
		return 1;
	if (value->kind != JSON_NUMBER)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"weight\" must be a number");
	/* Minus zero would not survive canonical JSON. */
	return value->u.number + 0.0;
}

static void
read_edge(WriteInput *input, const JsonNode *object, WriteRecord *write, void *argument)
{
	NodeLookup *lookup = argument;
	const JsonNode *slots[MEMBER_COUNT];
	Record	   *edge = &write->record;

	write_members(input, object, members, slots, MEMBER_COUNT, -1);
	edge->type = write_type(input, object, slots[MEMBER_TYPE], RECORD_EDGE);
	write_own_or_new_uuid(input, slots[MEMBER_ID], "id", &edge->id);
	edge->weight = edge_weight(input, slots[MEMBER_WEIGHT]);
	edge->metadata = row_metadata(input, slots[MEMBER_METADATA], &write->metadata);
	if (slots[MEMBER_DIVISION])
		write_division(input, slots[MEMBER_DIVISION], &edge->division);
	find_end(input, lookup, object, slots[MEMBER_FROM], "from", &edge->division, &edge->ends[0]);
	find_end(input, lookup, object, slots[MEMBER_TO], "to", &edge->division, &edge->ends[1]);
	write->event_id = slots[MEMBER_AUDIT_EVENT_ID];
}

void
edges_write(WriteInput *input, bool single, WriteSink sink, void *sink_argument)
{
	NodeLookup	lookup;
	WriteJob	job = {
		.kind = RECORD_EDGE, .collection = single ? NULL : "edges", .read = read_edge, .read_argument = &lookup,
		.sink = sink, .sink_argument = sink_argument
	};

	node_lookup_begin(&lookup);
	write_rows(input, &job);
	node_lookup_end(&lookup);
}

Datum
reason_insert_edges(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};

	write_input_arguments(&input, fcinfo);
	write_begin_results(fcinfo);
	edges_write(&input, PG_GETARG_BOOL(1), write_put_result, fcinfo->resultinfo);
	return (Datum) 0;
}
