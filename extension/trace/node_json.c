/*
 * node_json.c
 *		JSON text of nodes and edges.
 */
#include "postgres.h"

#include "trace/node_json.h"

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "core/canonical.h"
#include "graph/columns.h"
#include "graph/quarantine.h"
#include "record/record.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

NodeJson *
node_json_begin(const Graph *graph, bool redact)
{
	NodeJson   *json = palloc0(sizeof(NodeJson));

	json->graph = graph;
	json->scratch = AllocSetContextCreate(CurrentMemoryContext, "reasoning graph JSON", ALLOCSET_DEFAULT_SIZES);
	if (redact)
		json->redaction = redact_open();
	return json;
}

void
node_json_buffer(ByteBuffer *out)
{
	buffer_init(out, canonical_realloc, CurrentMemoryContext);
	buffer_reserve(out, VARHDRSZ);
	out->length = VARHDRSZ;
}

Datum
node_json_text(ByteBuffer *out)
{
	if (out->length > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the answer has %zu bytes, more than a value may have", out->length),
				 errhint("Ask for smaller pages with limit, or limit depth.")));
	SET_VARSIZE(out->data, out->length);
	return PointerGetDatum(out->data);
}

void
node_json_text_member(ByteBuffer *out, Datum value)
{
	text	   *string = DatumGetTextPP(value);

	canonical_write_string(out, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
}

void
node_json_hex(ByteBuffer *out, Datum bytes)
{
	bytea	   *value = DatumGetByteaPP(bytes);

	record_write_hex(out, (const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

void
node_json_content(NodeJson *json, ByteBuffer *out, Datum content, bool isnull)
{
	Jsonb	   *shown;

	if (isnull)
	{
		buffer_append_literal(out, "null");
		return;
	}
	shown = DatumGetJsonbP(content);
	if (json->redaction)
		shown = redact_jsonb(json->redaction, shown);
	canonical_write_jsonb(out, shown);
}

void
node_json_author(NodeJson *json, ByteBuffer *out, Datum author)
{
	text	   *string = DatumGetTextPP(author);
	RecordText	shown = {VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string)};

	if (json->redaction)
		shown = redact_text(json->redaction, shown);
	canonical_write_string(out, shown.data, shown.length);
}

void
node_json_node(NodeJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc)
{
	MemoryContext caller = MemoryContextSwitchTo(json->scratch);
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

#define value_of(column) values[(column) - 1]
#define is_null(column) nulls[(column) - 1]
	heap_deform_tuple(tuple, desc, values, nulls);
	buffer_append_literal(out, "{\"auditEventId\":");
	record_write_uuid(out, DatumGetUUIDP(value_of(NODE_AUDIT_EVENT_ID)));
	buffer_append_literal(out, ",\"author\":");
	node_json_author(json, out, value_of(NODE_AUTHOR));
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, DatumGetTimestampTz(value_of(NODE_CREATED_AT)));
	buffer_append_literal(out, ",\"digest\":");
	node_json_hex(out, value_of(NODE_DIGEST));
	buffer_append_literal(out, ",\"division\":");
	node_json_text_member(out, value_of(NODE_DIVISION));
	if (is_null(NODE_PAYLOAD))
		buffer_append_literal(out, ",\"erased\":true");
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, DatumGetUUIDP(value_of(NODE_ID)));
	if (!is_null(NODE_MANIFEST_SIGNATURE_ID))
	{
		buffer_append_literal(out, ",\"manifestSignatureId\":");
		node_json_text_member(out, value_of(NODE_MANIFEST_SIGNATURE_ID));
	}
	buffer_append_literal(out, ",\"metadata\":");
	node_json_content(json, out, value_of(NODE_METADATA), false);
	buffer_append_literal(out, ",\"payload\":");
	node_json_content(json, out, value_of(NODE_PAYLOAD), is_null(NODE_PAYLOAD));
	buffer_append_literal(out, ",\"payloadHash\":");
	node_json_hex(out, value_of(NODE_PAYLOAD_HASH));
	if (!is_null(NODE_PAYLOAD_REF))
	{
		buffer_append_literal(out, ",\"payloadRef\":");
		node_json_content(json, out, value_of(NODE_PAYLOAD_REF), false);
	}
	if (quarantine_contains(json->graph, DatumGetInt64(value_of(NODE_NO))))
		buffer_append_literal(out, ",\"quarantined\":true");
	if (!is_null(NODE_OCCURRED_AT))
	{
		buffer_append_literal(out, ",\"ts\":");
		record_write_timestamp(out, DatumGetTimestampTz(value_of(NODE_OCCURRED_AT)));
	}
	buffer_append_literal(out, ",\"type\":");
	node_json_text_member(out, value_of(NODE_TYPE));
	if (!is_null(NODE_VERSION))
	{
		buffer_append_literal(out, ",\"version\":");
		node_json_text_member(out, value_of(NODE_VERSION));
	}
	buffer_append_char(out, '}');
	MemoryContextSwitchTo(caller);
	MemoryContextReset(json->scratch);
}

void
node_json_edge(NodeJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc,
			   const pg_uuid_t *from, const pg_uuid_t *to)
{
	MemoryContext caller = MemoryContextSwitchTo(json->scratch);
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(tuple, desc, values, nulls);
	buffer_append_literal(out, "{\"auditEventId\":");
	record_write_uuid(out, DatumGetUUIDP(value_of(EDGE_AUDIT_EVENT_ID)));
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, DatumGetTimestampTz(value_of(EDGE_CREATED_AT)));
	buffer_append_literal(out, ",\"digest\":");
	node_json_hex(out, value_of(EDGE_DIGEST));
	buffer_append_literal(out, ",\"division\":");
	node_json_text_member(out, value_of(EDGE_DIVISION));
	buffer_append_literal(out, ",\"from\":");
	record_write_uuid(out, from);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, DatumGetUUIDP(value_of(EDGE_ID)));
	buffer_append_literal(out, ",\"metadata\":");
	node_json_content(json, out, value_of(EDGE_METADATA), false);
	buffer_append_literal(out, ",\"to\":");
	record_write_uuid(out, to);
	buffer_append_literal(out, ",\"type\":");
	node_json_text_member(out, value_of(EDGE_TYPE));
	buffer_append_literal(out, ",\"weight\":");
	canonical_write_number(out, DatumGetFloat8(value_of(EDGE_WEIGHT)));
	buffer_append_char(out, '}');
	MemoryContextSwitchTo(caller);
	MemoryContextReset(json->scratch);
}
