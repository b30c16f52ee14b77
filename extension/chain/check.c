/*
 * check.c
 *		What an event says, against the rows that it is about.
 *
 * The record in an event is compared with the one written anew from the
 * columns of the row, as bytes.  Only when they differ is it found out where.
 */
#include "postgres.h"

#include "chain/check.h"
#include "canonical/backend.h"
#include "core/sha256.h"

#include "executor/spi.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

/* The columns behind the members of a record; NULL name: the end. */
static const struct
{
	const char *member;
	const char *column;
}			member_columns[] = {
	{"author", "author"}, {"createdAt", "created_at"}, {"division", "division"}, {"id", "id"},
	{"manifestSignatureId", "manifest_signature_id"}, {"metadata", "metadata"}, {"payloadHash", "payload_hash"},
	{"payloadRef", "payload_ref"}, {"ts", "occurred_at"}, {"type", "type"}, {"version", "version"},
	{"weight", "weight"}, {"from", "from_no"}, {"to", "to_no"}, {"target", "target_no"},
	{"fromDigest", "from_no (its node has another digest)"}, {"toDigest", "to_no (its node has another digest)"},
	{"targetDigest", "target_no (its node has another digest)"}
};

void
audit_checker_init(AuditChecker *checker, RecordReader *reader)
{
	memset(checker, 0, sizeof(*checker));
	checker->reader = reader;
	checker->fault = makeStringInfo();
	json_document_init(&checker->event, canonical_realloc, CurrentMemoryContext);
	json_document_init(&checker->recorded, canonical_realloc, CurrentMemoryContext);
	json_document_init(&checker->row, canonical_realloc, CurrentMemoryContext);
	buffer_init(&checker->record, canonical_realloc, CurrentMemoryContext);
	buffer_init(&checker->content, canonical_realloc, CurrentMemoryContext);
}

bool
audit_fault(AuditChecker *checker, const char *format, ...)
{
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(checker->fault, format, arguments);
		va_end(arguments);
		if (needed == 0)
			return false;
		enlargeStringInfo(checker->fault, needed);
	}
}

char *
audit_uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

RecordText
audit_member_text(const JsonDocument *document, const JsonNode *object, const char *name)
{
	RecordText	result = {NULL, 0};
	const JsonNode *value = json_member(document, object, name, strlen(name));

	if (value && value->kind == JSON_STRING)
	{
		result.data = json_string(document, value);
		result.length = value->length;
	}
	return result;
}

void
audit_require_division(text *division)
{
	Oid			type = TEXTOID;
	Datum		value = PointerGetDatum(division);
	bool		isnull;

	if (SPI_execute_with_args("SELECT reason.division_visible($1)", 1, &type, &value, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not find out whether the division may be seen");
	if (!DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("division \"%s\" does not exist or is not granted", text_to_cstring(division))));
	SPI_freetuptable(SPI_tuptable);
}

/* ---------------------------------------------------------------- which column differs */

static bool
same_value(const JsonDocument *a, const JsonNode *a_value, const JsonDocument *b, const JsonNode *b_value)
{
	if (a_value == NULL || b_value == NULL)
		return a_value == b_value;
	return json_raw_length(a_value) == json_raw_length(b_value) &&
		memcmp(json_raw(a, a_value), json_raw(b, b_value), json_raw_length(a_value)) == 0;
}

static const char *
differing_column(AuditChecker *checker, RecordText record)
{
	const JsonDocument *recorded = &checker->recorded;
	const JsonDocument *row = &checker->row;
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;

	if (!json_read(&checker->recorded, record.data, record.length, &limits, &error))
		canonical_report(&error);
	if (!json_read(&checker->row, checker->record.data, checker->record.length, &limits, &error))
		return "metadata";
	for (int i = 0; i < lengthof(member_columns); i++)
	{
		const char *name = member_columns[i].member;

		if (!same_value(recorded, json_member(recorded, json_root(recorded), name, strlen(name)),
						row, json_member(row, json_root(row), name, strlen(name))))
			return member_columns[i].column;
	}
	return "(none: the record itself is not as recorded)";
}

/* ---------------------------------------------------------------- contents */

static bool
was_erased(AuditChecker *checker, const StoredRecord *stored)
{
	Oid			types[] = {TEXTOID, UUIDOID};
	Datum		values[] = {PointerGetDatum(checker->reader->division), UUIDPGetDatum(&stored->record.id)};
	MemoryContext caller = CurrentMemoryContext;
	bool		erased;

	if (SPI_execute_with_args("SELECT FROM reason.erasure($1, $2) e WHERE e.event_id IS NOT NULL", lengthof(types), types, values,
							  NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for an erasure");
	erased = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	/* SPI makes its own context current, which lasts as long as the whole verification. */
	MemoryContextSwitchTo(caller);
	return erased;
}

static bool
check_content(AuditChecker *checker, const StoredRecord *stored)
{
	if (stored->record.kind == RECORD_EDGE)
		return true;
	if (stored->payload == NULL && stored->salt.data == NULL)
	{
		if (was_erased(checker, stored))
			return true;
		return audit_fault(checker, "%s \"%s\": column payload is gone, and no event payload.erased tells why",
						   record_kind_names[stored->record.kind], audit_uuid_text(&stored->record.id));
	}
	if (record_content_matches(stored, &checker->content))
		return true;
	return audit_fault(checker, "%s \"%s\": columns payload and salt do not give payload_hash",
					   record_kind_names[stored->record.kind], audit_uuid_text(&stored->record.id));
}

/* ---------------------------------------------------------------- rows */

bool
audit_check_record(AuditChecker *checker, const StoredRecord *stored, RecordText record, const uint8 *digest)
{
	const char *kind = record_kind_names[stored->record.kind];

	if (stored->unreadable)
		return audit_fault(checker, "%s \"%s\": column %s holds what cannot have been recorded",
						   kind, audit_uuid_text(&stored->record.id), stored->unreadable);
	checker->record.length = 0;
	record_write(&checker->record, &stored->record);
	if (checker->record.length != record.length || memcmp(checker->record.data, record.data, record.length) != 0)
	{
		const char *column = differing_column(checker, record);
		RecordText	id = audit_member_text(&checker->recorded, json_root(&checker->recorded), "id");

		/* By the id that was recorded: the row's own may be what was altered. */
		return audit_fault(checker, "%s \"%.*s\": column %s is not as recorded", kind, (int) id.length, id.data ? id.data : "", column);
	}
	if (memcmp(stored->digest, digest, REASON_DIGEST_LENGTH) != 0)
		return audit_fault(checker, "%s \"%s\": column digest is not as recorded", kind, audit_uuid_text(&stored->record.id));
	return check_content(checker, stored);
}

bool
audit_check_stored(AuditChecker *checker, const StoredRecord *stored)
{
	const char *kind = record_kind_names[stored->record.kind];
	uint8		digest[SHA256_LENGTH];

	if (stored->unreadable)
		return audit_fault(checker, "%s \"%s\": column %s holds what cannot have been recorded",
						   kind, audit_uuid_text(&stored->record.id), stored->unreadable);
	checker->record.length = 0;
	record_write(&checker->record, &stored->record);
	sha256_of(digest, checker->record.data, checker->record.length);
	if (memcmp(digest, stored->digest, SHA256_LENGTH) != 0)
		return audit_fault(checker, "%s \"%s\": its columns do not give its digest", kind, audit_uuid_text(&stored->record.id));
	return check_content(checker, stored);
}

/* The nodes that an edge or annotation refers to, each by its own columns. */
static bool
check_ends(AuditChecker *checker, const StoredRecord *stored)
{
	int			count = stored->record.kind == RECORD_EDGE ? 2 : stored->record.kind == RECORD_ANNOTATION ? 1 : 0;

	for (int i = 0; i < count; i++)
	{
		StoredRecord node;

		if (!record_read_by_no(checker->reader, RECORD_NODE, stored->record.ends[i].no, &node))
			return audit_fault(checker, "%s \"%s\": the node with no " INT64_FORMAT " that it refers to is missing",
							   record_kind_names[stored->record.kind], audit_uuid_text(&stored->record.id), stored->record.ends[i].no);
		if (!audit_check_stored(checker, &node))
			return false;
	}
	return true;
}

static bool
check_created(AuditChecker *checker, RecordKind kind, int64 no, const pg_uuid_t *event_id)
{
	const JsonDocument *event = &checker->event;
	const char *name = record_kind_names[kind];
	const JsonNode *record = json_member(event, json_root(event), name, strlen(name));
	RecordText	id;
	RecordText	bytes;
	StoredRecord stored;
	uint8		digest[SHA256_LENGTH];

	if (record == NULL || record->kind != JSON_OBJECT)
		return audit_fault(checker, "the event holds no %s", name);
	id = audit_member_text(event, record, "id");
	if (!record_read_by_no(checker->reader, kind, no, &stored))
		return audit_fault(checker, "%s \"%.*s\": its row (no " INT64_FORMAT ") is missing", name, (int) id.length,
						   id.data ? id.data : "", no);
	bytes.data = json_raw(event, record);
	bytes.length = json_raw_length(record);
	sha256_of(digest, bytes.data, bytes.length);
	if (!audit_check_record(checker, &stored, bytes, digest))
		return false;
	if (memcmp(&stored.audit_event_id, event_id, sizeof(pg_uuid_t)) != 0)
		return audit_fault(checker, "%s \"%s\": column audit_event_id names another event", name, audit_uuid_text(&stored.record.id));
	return !checker->check_ends || check_ends(checker, &stored);
}

/* Whether the event put its record into quarantine. */
static bool
is_quarantined(AuditChecker *checker)
{
	const JsonDocument *event = &checker->event;
	const JsonNode *policy = json_member_literal(event, json_root(event), "policy");
	RecordText	decision = {NULL, 0};

	if (policy && policy->kind == JSON_OBJECT)
		decision = audit_member_text(event, policy, "decision");
	return decision.length == strlen("quarantine") && memcmp(decision.data, "quarantine", decision.length) == 0;
}

/* What was erased must be gone: a backup may have brought it back. */
static bool
check_erased(AuditChecker *checker)
{
	const JsonDocument *event = &checker->event;
	const JsonNode *erased = json_member_literal(event, json_root(event), "erased");
	RecordText	kind_name;
	RecordText	id_text;
	pg_uuid_t	id;
	RecordKind	kind = RECORD_NODE;
	StoredRecord stored;

	if (erased == NULL || erased->kind != JSON_OBJECT)
		return audit_fault(checker, "the event does not say what was erased");
	kind_name = audit_member_text(event, erased, "kind");
	id_text = audit_member_text(event, erased, "id");
	if (kind_name.length == strlen("annotation"))
		kind = RECORD_ANNOTATION;
	if (id_text.data == NULL || id_text.length != 36)
		return audit_fault(checker, "the event does not say what was erased");
	id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(pnstrdup(id_text.data, id_text.length))));
	if (!record_read_by_id(checker->reader, kind, &id, &stored))
		return audit_fault(checker, "%s \"%s\": its row is missing", record_kind_names[kind], audit_uuid_text(&id));
	if (stored.payload || stored.salt.data)
		return audit_fault(checker, "%s \"%s\": payload and salt were erased and are back", record_kind_names[kind], audit_uuid_text(&id));
	return true;
}

/*
 * Events of signers, snapshots, erasures and the quarantine describe rows of other tables: the function
 * of that name in SQL says what does not agree, NULL when all does.
 */
static bool
check_in_sql(AuditChecker *checker, const char *query)
{
	Oid			types[] = {JSONOID, TEXTOID};
	const JsonDocument *event = &checker->event;
	Datum		values[] = {
		PointerGetDatum(cstring_to_text_with_len(event->text, event->text_length)),
		PointerGetDatum(checker->reader->division)
	};
	MemoryContext caller = CurrentMemoryContext;
	bool		isnull;
	Datum		fault;

	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not check what an event says");
	fault = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		audit_fault(checker, "%s", TextDatumGetCString(fault));
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	return isnull;
}

static bool
is_type(RecordText event_type, const char *name)
{
	return event_type.length == strlen(name) && memcmp(event_type.data, name, event_type.length) == 0;
}

/* A record, and whether it is in quarantine as its event says. */
static bool
check_written(AuditChecker *checker, RecordKind kind, int64 no, const pg_uuid_t *event_id)
{
	return check_created(checker, kind, no, event_id) &&
		(!is_quarantined(checker) || check_in_sql(checker, "SELECT reason.quarantine_event_fault($1, $2)"));
}

bool
audit_check_subject(AuditChecker *checker, RecordText event_type, int64 no, const pg_uuid_t *event_id)
{
	if (is_type(event_type, "node.created"))
		return check_written(checker, RECORD_NODE, no, event_id);
	if (is_type(event_type, "edge.created"))
		return check_written(checker, RECORD_EDGE, no, event_id);
	if (is_type(event_type, "annotation.created"))
		return check_written(checker, RECORD_ANNOTATION, no, event_id);
	if (is_type(event_type, "quarantine.released"))
		return check_in_sql(checker, "SELECT reason.quarantine_event_fault($1, $2)");
	if (is_type(event_type, "payload.erased"))
		return check_erased(checker) && check_in_sql(checker, "SELECT reason.erasure_event_fault($1, $2)");
	if (is_type(event_type, "snapshot.completed"))
		return check_in_sql(checker, "SELECT reason.snapshot_event_fault($1, $2)");
	if (is_type(event_type, "signer.added") || is_type(event_type, "signer.retired") || is_type(event_type, "signer.revoked"))
		return check_in_sql(checker, "SELECT reason.signer_event_fault($1)");
	return true;
}
