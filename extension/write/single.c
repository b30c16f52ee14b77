/*
 * single.c
 *		add_node(), add_edge() and annotate(): one record, from the arguments of a call in SQL.
 *
 * The arguments are put together as the JSON text that the same write would be over
 * HTTPS, members in the order that jsonb has, and go the same way from there.  As functions in SQL these took twice as long
 * to be planned and started as to write.
 */
#include "postgres.h"

#include "core/canonical_number.h"
#include "record/caller.h"
#include "record/text.h"
#include "record/uuid.h"
#include "write/annotation.h"
#include "write/edges.h"
#include "write/nodes.h"
#include "write/policy.h"
#include "write/row.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_add_node);
PG_FUNCTION_INFO_V1(reason_add_edge);
PG_FUNCTION_INFO_V1(reason_annotate);

/* ---------------------------------------------------------------- arguments as JSON */

static void
put_name(StringInfo out, const char *name)
{
	appendStringInfo(out, "%s\"%s\": ", out->len > 0 ? ", " : "{", name);
}

static void
put_string(StringInfo out, const char *name, const char *value)
{
	put_name(out, name);
	escape_json(out, value);
}

static void
put_text(StringInfo out, const char *name, FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		put_string(out, name, text_to_cstring(PG_GETARG_TEXT_PP(argument)));
}

static void
put_uuid(StringInfo out, const char *name, FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		put_string(out, name, DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(argument))));
}

/* What is NULL becomes `otherwise`; NULL: it is left out. */
static void
put_jsonb(StringInfo out, const char *name, FunctionCallInfo fcinfo, int argument, const char *otherwise)
{
	if (PG_ARGISNULL(argument) && otherwise == NULL)
		return;
	put_name(out, name);
	if (PG_ARGISNULL(argument))
		appendStringInfoString(out, otherwise);
	else
	{
		Jsonb	   *value = PG_GETARG_JSONB_P(argument);

		(void) JsonbToCString(out, &value->root, VARSIZE(value));
	}
}

static void
put_time(StringInfo out, const char *name, FunctionCallInfo fcinfo, int argument)
{
	ByteBuffer	quoted;

	if (PG_ARGISNULL(argument))
		return;
	record_check_time(PG_GETARG_TIMESTAMPTZ(argument), row_literal(name));
	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	record_write_timestamp(&quoted, PG_GETARG_TIMESTAMPTZ(argument));
	put_name(out, name);
	appendBinaryStringInfo(out, quoted.data, (int) quoted.length);
}

/* JSON has no infinity and no NaN: they become strings, which are refused for not being numbers. */
static void
put_number(StringInfo out, const char *name, FunctionCallInfo fcinfo, int argument)
{
	char		digits[CANONICAL_NUMBER_SIZE];
	double		value;

	if (PG_ARGISNULL(argument))
		return;
	value = PG_GETARG_FLOAT8(argument);
	put_name(out, name);
	if (isfinite(value))
		appendBinaryStringInfo(out, digits, (int) canonical_format_number(digits, value));
	else
		appendStringInfo(out, "\"%s\"", isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

/* ---------------------------------------------------------------- writing */

static void
take_written(void *argument, const WrittenRecord *written)
{
	*(WrittenRecord *) argument = *written;
}

/*
 * Raises an error for a write that a policy rule denies where nobody can be asked: SQL is no way
 * around a check.
 */
static void
uphold_policy(const char *kind, const WrittenRecord *written)
{
	Datum		number = Int64GetDatum(written->no);
	Datum		id = UUIDPGetDatum(&written->id);
	Oid			types[] = {TEXTOID, INT8ARRAYOID, UUIDARRAYOID};
	Datum		values[] = {
		CStringGetTextDatum(kind),
		PointerGetDatum(construct_array(&number, 1, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
		PointerGetDatum(construct_array(&id, 1, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR))
	};

	SPI_connect();
	if (SPI_execute_with_args("SELECT reason.policy_uphold($1, $2, $3)", 3, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not ask for the policy");
	SPI_finish();
}

/* Each call sees what was written before it, by the same statement too. */
static Datum
write_single(RecordKind kind, StringInfo out, const pg_uuid_t *target)
{
	const char *kind_name = record_kind_names[kind];
	WrittenRecord written = {0};
	WriteInput	input = {0};
	pg_uuid_t  *id;
	bool		has_policy;

	appendStringInfoChar(out, '}');
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	input.source = (RecordText) {out->data, out->len};
	input.divisions = caller_visible_divisions(GetOuterUserId());
	input.request = caller_sql_request();
	if (kind == RECORD_NODE)
		nodes_write(&input, true, take_written, &written);
	else if (kind == RECORD_EDGE)
		edges_write(&input, true, take_written, &written);
	else
		annotation_write(&input, target, take_written, &written);
	has_policy = policy_applies(row_literal(kind_name));
	PopActiveSnapshot();
	if (has_policy)
		uphold_policy(kind_name, &written);

	id = palloc(sizeof(pg_uuid_t));
	*id = written.id;
	return UUIDPGetDatum(id);
}

/* add_node(type, payload, author, division, metadata, id, ts, version, manifest_signature_id, payload_ref, audit_event_id) */
Datum
reason_add_node(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	put_uuid(&out, "id", fcinfo, 5);
	put_time(&out, "ts", fcinfo, 6);
	put_text(&out, "type", fcinfo, 0);
	put_text(&out, "author", fcinfo, 2);
	put_jsonb(&out, "payload", fcinfo, 1, "null");
	put_text(&out, "version", fcinfo, 7);
	put_text(&out, "division", fcinfo, 3);
	put_jsonb(&out, "metadata", fcinfo, 4, "{}");
	put_jsonb(&out, "payloadRef", fcinfo, 9, NULL);
	put_uuid(&out, "auditEventId", fcinfo, 10);
	put_text(&out, "manifestSignatureId", fcinfo, 8);
	return write_single(RECORD_NODE, &out, NULL);
}

/* add_edge(from_node, to_node, type, weight, metadata, id, division, audit_event_id) */
Datum
reason_add_edge(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	put_uuid(&out, "id", fcinfo, 5);
	put_uuid(&out, "to", fcinfo, 1);
	put_uuid(&out, "from", fcinfo, 0);
	put_text(&out, "type", fcinfo, 2);
	put_number(&out, "weight", fcinfo, 3);
	put_text(&out, "division", fcinfo, 6);
	put_jsonb(&out, "metadata", fcinfo, 4, "{}");
	put_uuid(&out, "auditEventId", fcinfo, 7);
	return write_single(RECORD_EDGE, &out, NULL);
}

/* annotate(node, note, payload, author, type, metadata, division) */
Datum
reason_annotate(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the node to be annotated must not be null")));
	initStringInfo(&out);
	put_text(&out, "note", fcinfo, 1);
	put_text(&out, "type", fcinfo, 4);
	if (PG_ARGISNULL(3))
		put_string(&out, "author", caller_role_name());
	else
		put_text(&out, "author", fcinfo, 3);
	put_jsonb(&out, "payload", fcinfo, 2, NULL);
	put_text(&out, "division", fcinfo, 6);
	put_jsonb(&out, "metadata", fcinfo, 5, "{}");
	return write_single(RECORD_ANNOTATION, &out, PG_GETARG_UUID_P(0));
}
