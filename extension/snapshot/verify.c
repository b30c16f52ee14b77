/*
 * verify.c
 *		What a snapshot's document says, by itself and against the graph: check_document().
 *
 * Each record is checked three ways: it gives the digest that stands beside it;
 * the payload beside it gives its payloadHash; and the row of that id in the
 * graph gives the same record, column by column, and so does the event that recorded
 * it.  Together they must be the graph that the document says it is
 * (core/snapshot_graph.h), and all that was known when it was frozen
 * (snapshot/complete.h).
 */
#include "postgres.h"

#include <sodium.h>

#include "chain/check.h"
#include "canonical/backend.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "core/shown_record.h"
#include "core/snapshot_graph.h"
#include "core/uuid_text.h"
#include "snapshot/complete.h"
#include "snapshot/read.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(reason_check_document);
PG_FUNCTION_INFO_V1(reason_snapshot_records);

/* Members of the records, in canonical order; those that may be missing are simply not there. */
static const char *const node_members[] = {
	"author", "createdAt", "division", "id", "manifestSignatureId", "metadata", "payloadHash", "payloadRef", "ts", "type",
	"version", NULL
};
static const char *const edge_members[] = {
	"createdAt", "division", "from", "fromDigest", "id", "metadata", "to", "toDigest", "type", "weight", NULL
};
static const char *const annotation_members[] = {
	"author", "createdAt", "division", "id", "metadata", "payloadHash", "target", "targetDigest", "type", NULL
};
static const char *const *const members_of[RECORD_KINDS] = {node_members, edge_members, annotation_members};

/* As deep as one compares what was redacted with the whole: that recurses. */
#define MAX_COMPARED_DEPTH 10000

typedef struct DocumentCheck
{
	bool		against_graph;
	RecordReader rows;
	AuditChecker form;			/* faults of the document in itself */
	AuditChecker graph;			/* faults of the rows */
	JsonDocument document;		/* the present record */
	JsonDocument whole;			/* its row's, or its row's payload, of one that was redacted */
	ShownWork	work;
	ByteBuffer	record;			/* its canonical bytes, without what stands beside */
	MemoryContext context;		/* reset after each record */
	int64		counts[RECORD_KINDS];
	pg_uuid_t	previous_id;
	const ByteBuffer *frontier; /* as the reader has it: complete before the first node */
	size_t		frontier_done;	/* bytes of it whose ids were met among the nodes */
	SnapshotGraph records;
	RecordedChain chain;
	DocumentRecords found;		/* their rows */
} DocumentCheck;

/* The record without its companions; false when there is a member that belongs to neither. */
static bool
extract_record(const JsonDocument *document, RecordKind kind, ByteBuffer *out)
{
	const JsonNode *root = json_root(document);

	out->length = 0;
	buffer_append_char(out, '{');
	for (const JsonNode *name = json_first(document, root); name; name = json_next(document, root, json_value(name)))
	{
		const char *bytes = json_string(document, name);

		if (shown_name_is_among(bytes, name->length, members_of[kind]))
		{
			if (out->length > 1)
				buffer_append_char(out, ',');
			buffer_append(out, json_raw(document, name), json_raw_length(name));
			buffer_append_char(out, ':');
			buffer_append(out, json_raw(document, json_value(name)), json_raw_length(json_value(name)));
		}
		else if (!shown_name_is_among(bytes, name->length, shown_companions))
			return false;
	}
	buffer_append_char(out, '}');
	return true;
}

static bool
hex_is(RecordText hex, const uint8 *bytes)
{
	char		digits[2 * SHA256_LENGTH];
	uint8		decoded[SHA256_LENGTH];
	size_t		length;

	if (hex.length != sizeof(digits))
		return false;
	hex_write(digits, bytes, SHA256_LENGTH);
	if (memcmp(hex.data, digits, sizeof(digits)) == 0)
		return true;
	/* In upper case, perhaps. */
	return sodium_hex2bin(decoded, sizeof(decoded), hex.data, hex.length, NULL, &length, NULL) == 0 &&
		length == SHA256_LENGTH && memcmp(decoded, bytes, SHA256_LENGTH) == 0;
}

/* A payload that stands there with its salt gives payloadHash. */
static bool
check_content(DocumentCheck *check, RecordKind kind, RecordText id)
{
	const JsonDocument *document = &check->document;
	const JsonNode *root = json_root(document);
	const JsonNode *payload = json_member_literal(document, root, "payload");
	const JsonNode *salt_node = json_member_literal(document, root, "salt");
	RecordText	salt_text = audit_member_text(document, root, "salt");
	uint8		salt[64];
	size_t		salt_length;
	uint8		hash[SHA256_LENGTH];

	if (salt_node == NULL || salt_node->kind == JSON_NULL || payload == NULL)
		return true;
	if (salt_text.data == NULL ||
		sodium_base642bin(salt, sizeof(salt), salt_text.data, salt_text.length, NULL, &salt_length, NULL,
						  sodium_base64_VARIANT_ORIGINAL) != 0)
		return audit_fault(&check->form, "document: the salt of %s \"%.*s\" is none",
						   record_kind_names[kind], (int) id.length, id.data);
	sha256_of_two(hash, salt, salt_length, json_raw(document, payload), json_raw_length(payload));
	if (hex_is(audit_member_text(document, root, "payloadHash"), hash))
		return true;
	return audit_fault(&check->form, "document: payload and salt of %s \"%.*s\" do not give its payloadHash",
					   record_kind_names[kind], (int) id.length, id.data);
}

/* Ids ascend, so that nothing is there twice. */
static bool
parse_id(DocumentCheck *check, RecordKind kind, RecordText text_id, pg_uuid_t *id)
{
	if (!uuid_read_text(text_id.data, text_id.length, id->data))
		return audit_fault(&check->form, "document: %s number " INT64_FORMAT " has no id", record_kind_names[kind], check->counts[kind]);
	if (check->counts[kind] > 1 && memcmp(&check->previous_id, id, UUID_LEN) >= 0)
		return audit_fault(&check->form, "document: %s \"%.*s\" is out of order", record_kind_names[kind], (int) text_id.length, text_id.data);
	check->previous_id = *id;
	return true;
}

/* The frontier's ids ascend as the nodes do: each is met in turn, if it is one of them.  True for a node that is. */
static bool
meet_frontier(DocumentCheck *check, RecordText text_id)
{
	const ByteBuffer *frontier = check->frontier;
	size_t		at = check->frontier_done > 0 ? check->frontier_done + 1 : 0;

	if (frontier->length >= at + text_id.length + 2 && (at == 0 || frontier->data[at - 1] == ',') &&
		frontier->data[at] == '"' && memcmp(frontier->data + at + 1, text_id.data, text_id.length) == 0 &&
		frontier->data[at + 1 + text_id.length] == '"')
	{
		check->frontier_done = at + text_id.length + 2;
		return true;
	}
	return false;
}

static bool
read_whole(DocumentCheck *check, const ByteBuffer *canonical)
{
	JsonLimits	limits = {.max_depth = Min(reason_max_canonical_depth, MAX_COMPARED_DEPTH)};
	JsonError	error;

	return json_read(&check->whole, canonical->data, canonical->length, &limits, &error);
}

/* Names are compared for as long as it takes, or until somebody interrupts. */
static bool
goes_on(void)
{
	CHECK_FOR_INTERRUPTS();
	return true;
}

/* A record that was redacted is the row's, but for what was put in the place of personal data; the row gives the digest beside it. */
static bool
check_redacted(DocumentCheck *check, const StoredRecord *stored)
{
	AuditChecker *graph = &check->graph;
	const JsonNode *root = json_root(&check->document);

	if (!hex_is(audit_member_text(&check->document, root, "digest"), stored->digest))
		return audit_fault(graph, "%s \"%s\": column digest is not as recorded", record_kind_names[stored->record.kind],
						   audit_uuid_text(&stored->record.id));
	if (!audit_check_stored(graph, stored))
		return false;
	graph->record.length = 0;
	record_write(&graph->record, &stored->record);
	return (read_whole(check, &graph->record) &&
			shown_record_is_of(&check->work, &check->document, root, &check->whole, json_root(&check->whole), true)) ||
		audit_fault(graph, "%s \"%s\": the document shows more of it altered than what is redacted", record_kind_names[stored->record.kind],
					audit_uuid_text(&stored->record.id));
}

/* A payload without its salt is the row's, as far as it is still there, but for what was put in the place of personal data. */
static bool
check_shown_payload(DocumentCheck *check, const StoredRecord *stored)
{
	ByteBuffer *content = &check->graph.content;
	const JsonNode *root = json_root(&check->document);

	if (stored->payload == NULL || !shown_payload_is_unproved(&check->document, root))
		return true;
	content->length = 0;
	return (record_write_jsonb(content, stored->payload) && read_whole(check, content) &&
			shown_value_is_of(&check->work, &check->document, json_member_literal(&check->document, root, "payload"), &check->whole, json_root(&check->whole))) ||
		audit_fault(&check->graph, "%s \"%s\": the document shows another payload than was recorded", record_kind_names[stored->record.kind],
					audit_uuid_text(&stored->record.id));
}

/* What the document says of its erasure, against the row: what is there was not erased. */
static bool
check_shown_erasure(DocumentCheck *check, const StoredRecord *stored)
{
	return stored->payload == NULL || json_member_literal(&check->document, json_root(&check->document), "erased") == NULL ||
		audit_fault(&check->graph, "%s \"%s\": the document says that its content was erased, and it is there",
					record_kind_names[stored->record.kind], audit_uuid_text(&stored->record.id));
}

/* Without the digest the record was redacted: then the row's own is what stands beside it. */
static void
check_row(DocumentCheck *check, RecordKind kind, const pg_uuid_t *id, const uint8 *digest, bool at_frontier)
{
	StoredRecord stored;
	RecordText	record = {check->record.data, check->record.length};

	if (!record_read_by_id(&check->rows, kind, id, &stored))
	{
		audit_fault(&check->graph, "%s \"%s\": its row is missing", record_kind_names[kind], audit_uuid_text(id));
		return;
	}
	number_set_add(&check->found.kinds[kind], stored.no);
	if (at_frontier)
		number_set_add(&check->found.frontier, stored.no);
	if (digest == NULL ? check_redacted(check, &stored) : audit_check_record(&check->graph, &stored, record, digest))
		(void) (check_shown_payload(check, &stored) && check_shown_erasure(check, &stored) &&
				recorded_check(&check->chain, &check->graph, &stored));
}

static void
add_to_graph(DocumentCheck *check, RecordKind kind)
{
	const JsonNode *root = json_root(&check->document);

	switch (kind)
	{
		case RECORD_ANNOTATION:
			snapshot_graph_annotation(&check->records, &check->document, root);
			break;
		case RECORD_EDGE:
			snapshot_graph_edge(&check->records, &check->document, root);
			break;
		case RECORD_NODE:
			snapshot_graph_node(&check->records, &check->document, root);
			break;
	}
}

static void
check_record(void *argument, RecordKind kind, const char *bytes, size_t length)
{
	DocumentCheck *check = argument;
	MemoryContext old_context;
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	RecordText	text_id;
	pg_uuid_t	id = {{0}};
	uint8		digest[SHA256_LENGTH];

	CHECK_FOR_INTERRUPTS();
	check->counts[kind]++;
	if (check->form.fault->len > 0)
		return;
	old_context = MemoryContextSwitchTo(check->context);
	if (!json_read(&check->document, bytes, length, &limits, &error))
		audit_fault(&check->form, "document: %s number " INT64_FORMAT ": %s", record_kind_names[kind], check->counts[kind], error.message);
	else if (json_root(&check->document)->kind != JSON_OBJECT || !(json_root(&check->document)->flags & JSON_CANONICAL) ||
			 !extract_record(&check->document, kind, &check->record))
		audit_fault(&check->form, "document: %s number " INT64_FORMAT " is not the canonical form of one", record_kind_names[kind],
					check->counts[kind]);
	else
	{
		text_id = audit_member_text(&check->document, json_root(&check->document), "id");
		sha256_of(digest, check->record.data, check->record.length);
		if (parse_id(check, kind, text_id, &id))
		{
			bool		at_frontier = kind == RECORD_NODE && meet_frontier(check, text_id);
			bool		redacted = json_member_literal(&check->document, json_root(&check->document), "redacted") != NULL;

			add_to_graph(check, kind);
			if (!redacted && !hex_is(audit_member_text(&check->document, json_root(&check->document), "digest"), digest))
				audit_fault(&check->form, "document: %s \"%.*s\" does not give its digest", record_kind_names[kind],
							(int) text_id.length, text_id.data);
			else if (check_content(check, kind, text_id) && check->against_graph && check->graph.fault->len == 0)
				check_row(check, kind, &id, redacted ? NULL : digest, at_frontier);
		}
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(check->context);
}

/* The header as it will be read by SQL: it must be JSON, canonical, and no event. */
static bool
check_header(DocumentCheck *check, const ByteBuffer *header)
{
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	const JsonNode *root;

	if (!json_read(&check->document, header->data, header->length, &limits, &error))
		return audit_fault(&check->form, "document: %s", error.message);
	root = json_root(&check->document);
	if (root->kind != JSON_OBJECT || !(root->flags & JSON_CANONICAL) || json_member_literal(&check->document, root, "eventType") ||
		json_member_literal(&check->document, root, "payload") == NULL ||
		json_member_literal(&check->document, root, "payload")->kind != JSON_OBJECT)
	{
		if (check->form.fault->len == 0)
			audit_fault(&check->form, "document: it is not the canonical document of a snapshot");
		return false;
	}
	snapshot_graph_header(&check->records, &check->document, root);
	return true;
}

static void
pause_to_look_up(void)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * check_document(snapshot_no, division, document, end_seq) → (hash, size_bytes, header, node_count, edge_count,
 *				  form_fault, graph_fault); without a division nothing is compared with the graph
 */
Datum
reason_check_document(PG_FUNCTION_ARGS)
{
	DocumentCheck check = {0};
	SnapshotReader reader;
	TupleDesc	desc;
	Datum		values[7];
	bool		nulls[7] = {0};
	uint8		hash[SHA256_LENGTH];
	Snapshot	snapshot;
	text	   *division = PG_ARGISNULL(1) ? NULL : DatumGetTextPCopy(PG_GETARG_DATUM(1));
	bool		complete = true;
	bool		has_header;
	ByteBuffer	hex;
	Datum		result;
	MemoryContext context = CurrentMemoryContext;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);

	SPI_connect();
	if (division)
		audit_require_division(division);
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	check.context = AllocSetContextCreate(CurrentMemoryContext, "snapshot record", ALLOCSET_DEFAULT_SIZES);
	check.against_graph = division != NULL;
	if (check.against_graph)
	{
		record_reader_open(&check.rows, snapshot, division);
		recorded_chain_open(&check.chain, division, PG_ARGISNULL(3) ? -1 : PG_GETARG_INT64(3), snapshot);
		document_records_init(&check.found);
	}
	audit_checker_init(&check.form, NULL);
	audit_checker_init(&check.graph, &check.rows);
	json_document_init(&check.document, canonical_realloc, CurrentMemoryContext);
	json_document_init(&check.whole, canonical_realloc, CurrentMemoryContext);
	shown_work_init(&check.work, UINT64_MAX, goes_on, canonical_realloc, CurrentMemoryContext);
	buffer_init(&check.record, canonical_realloc, CurrentMemoryContext);
	snapshot_graph_init(&check.records, canonical_realloc, CurrentMemoryContext);

	snapshot_reader_init(&reader, check_record, &check);
	/* cppcheck-suppress autoVariables ; used while the document is read only */
	check.frontier = &reader.frontier;
	if (PG_ARGISNULL(2))
		complete = snapshot_read_chunks(&reader, PG_GETARG_INT64(0), division, snapshot);
	else
	{
		text	   *document = PG_GETARG_TEXT_PP(2);

		snapshot_read(&reader, VARDATA_ANY(document), VARSIZE_ANY_EXHDR(document));
	}
	sha256_final(&reader.hash, hash);
	has_header = check_header(&check, &reader.header);
	if (reader.stray && check.form.fault->len == 0)
		audit_fault(&check.form, "document: there is something among the records that is none");
	if (check.frontier_done != reader.frontier.length && check.form.fault->len == 0)
		audit_fault(&check.form, "document: the frontier names what is none of its nodes, or not in order");
	if (!complete && check.form.fault->len == 0)
		audit_fault(&check.form, "snapshot_chunk: a chunk is missing or belongs to another division");
	if (check.form.fault->len == 0 && !snapshot_graph_check(&check.records, pause_to_look_up))
		audit_fault(&check.form, "document: %s", check.records.fault);
	if (check.against_graph)
	{
		check.chain.size = check.records.log_size;
		if (check.form.fault->len == 0 && check.graph.fault->len == 0)
			(void) document_is_complete(&check.found, &check.records, &check.chain, &check.graph);
		recorded_chain_close(&check.chain);
		record_reader_close(&check.rows);
	}
	UnregisterSnapshot(snapshot);

	MemoryContextSwitchTo(context);
	buffer_init(&hex, NULL, NULL);
	record_write_hex(&hex, hash, SHA256_LENGTH);
	values[0] = PointerGetDatum(cstring_to_text_with_len(hex.data + 1, hex.length - 2));
	buffer_free(&hex);
	values[1] = Int64GetDatum(reader.size_bytes);
	nulls[2] = !has_header;
	values[2] = has_header ? PointerGetDatum(cstring_to_text_with_len(reader.header.data, reader.header.length)) : (Datum) 0;
	values[3] = Int64GetDatum(check.counts[RECORD_NODE]);
	values[4] = Int64GetDatum(check.counts[RECORD_EDGE]);
	nulls[5] = check.form.fault->len == 0;
	values[5] = CStringGetTextDatum(check.form.fault->data);
	nulls[6] = check.graph.fault->len == 0;
	values[6] = CStringGetTextDatum(check.graph.fault->data);
	result = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/* ---------------------------------------------------------------- listing */

typedef struct RecordList
{
	ReturnSetInfo *result;
	JsonDocument document;
	MemoryContext context;
} RecordList;

static void
list_record(void *argument, RecordKind kind, const char *bytes, size_t length)
{
	RecordList *list = argument;
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	MemoryContext old_context = MemoryContextSwitchTo(list->context);
	RecordText	id;
	RecordText	digest;
	bytea	   *digest_bytes = palloc0(VARHDRSZ + SHA256_LENGTH);
	size_t		decoded;
	Datum		values[3];
	bool		nulls[3] = {0};

	CHECK_FOR_INTERRUPTS();
	if (!json_read(&list->document, bytes, length, &limits, &error))
		canonical_report(&error);
	id = audit_member_text(&list->document, json_root(&list->document), "id");
	digest = audit_member_text(&list->document, json_root(&list->document), "digest");
	SET_VARSIZE(digest_bytes, VARHDRSZ + SHA256_LENGTH);
	if (id.data == NULL || digest.data == NULL ||
		sodium_hex2bin((unsigned char *) VARDATA(digest_bytes), SHA256_LENGTH, digest.data, digest.length, NULL, &decoded, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the document of the snapshot holds a record without id or digest")));
	values[0] = CStringGetTextDatum(record_kind_names[kind]);
	values[1] = DirectFunctionCall1(uuid_in, CStringGetDatum(pnstrdup(id.data, id.length)));
	values[2] = PointerGetDatum(digest_bytes);
	tuplestore_putvalues(list->result->setResult, list->result->setDesc, values, nulls);
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(list->context);
}

/* snapshot_records(snapshot_no, division) → (kind, id, digest) */
Datum
reason_snapshot_records(PG_FUNCTION_ARGS)
{
	RecordList	list = {0};
	SnapshotReader reader;

	InitMaterializedSRF(fcinfo, 0);
	list.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	SPI_connect();
	audit_require_division(PG_GETARG_TEXT_PP(1));
	SPI_finish();
	list.context = AllocSetContextCreate(CurrentMemoryContext, "snapshot record", ALLOCSET_DEFAULT_SIZES);
	json_document_init(&list.document, canonical_realloc, CurrentMemoryContext);
	snapshot_reader_init(&reader, list_record, &list);
	(void) snapshot_read_chunks(&reader, PG_GETARG_INT64(0), PG_GETARG_TEXT_PP(1), GetActiveSnapshot());
	return (Datum) 0;
}
