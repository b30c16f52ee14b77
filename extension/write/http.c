/*
 * http.c
 *		Writes over HTTP: who asks, whether it was asked before, the work, and what the client gets.
 *
 * One function a route, called by the gateway, and the answer is one row.  What most writes do
 * not need is done in SQL and asked for only by those that do: policy checks
 * (http_write_checked()), idempotency keys (http_replay(), http_remember()), quotas (charge_quota()).
 */
#include "postgres.h"

#include "core/uuid_text.h"
#include "record/caller.h"
#include "record/client.h"
#include "record/text.h"
#include "write/annotation.h"
#include "write/edges.h"
#include "write/nodes.h"
#include "write/policy.h"
#include "write/quota.h"
#include "write/row.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(reason_http_written);
PG_FUNCTION_INFO_V1(reason_http_post_node);
PG_FUNCTION_INFO_V1(reason_http_post_edge);
PG_FUNCTION_INFO_V1(reason_http_post_nodes);
PG_FUNCTION_INFO_V1(reason_http_post_edges);
PG_FUNCTION_INFO_V1(reason_http_post_annotation);

/* The columns of reason.http_response. */
enum
{
	RESPONSE_STATUS,
	RESPONSE_HEADERS,
	RESPONSE_BODY,
	RESPONSE_COLUMNS
};

typedef struct Response
{
	Datum		values[RESPONSE_COLUMNS];
	bool		nulls[RESPONSE_COLUMNS];
} Response;

/* ---------------------------------------------------------------- what is written, and the answer */

typedef struct Written
{
	RecordKind	kind;
	StringInfoData receipts;
	char		first_id[UUID_TEXT_LENGTH + 1];
	Datum	   *numbers;
	int			count;
	int			capacity;
	MemoryContext context;		/* of the above */
} Written;

static void
add_receipt(void *argument, const WrittenRecord *record)
{
	static const char *const id_members[] = {
		[RECORD_NODE] = "nodeId", [RECORD_EDGE] = "edgeId", [RECORD_ANNOTATION] = "annotationId"
	};
	Written    *written = argument;
	MemoryContext caller = MemoryContextSwitchTo(written->context);
	char		id[UUID_TEXT_LENGTH + 1];
	char		event_id[UUID_TEXT_LENGTH + 1];
	ByteBuffer	created_at;

	uuid_write_text(id, record->id.data);
	uuid_write_text(event_id, record->event_id.data);
	buffer_init(&created_at, canonical_realloc, CurrentMemoryContext);
	record_write_timestamp(&created_at, record->created_at);
	appendStringInfo(&written->receipts, "%s{\"%s\":\"%s\",\"auditEventId\":\"%s\",\"createdAt\":%.*s}",
					 written->count > 0 ? "," : "", id_members[written->kind], id, event_id,
					 (int) created_at.length, created_at.data);
	pfree(created_at.data);
	if (written->count == 0)
		memcpy(written->first_id, id, sizeof(id));
	if (written->count == written->capacity)
	{
		written->capacity = Max(8, 2 * written->capacity);
		written->numbers = written->numbers ? repalloc(written->numbers, written->capacity * sizeof(Datum)) :
			palloc(written->capacity * sizeof(Datum));
	}
	written->numbers[written->count++] = Int64GetDatum(record->no);
	MemoryContextSwitchTo(caller);
}

static ArrayType *
numbers_of(const Written *written)
{
	return construct_array(written->numbers, written->count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Counts what was written; raises an error when the client's quota does not allow it. */
static void
charge_quota(text *client, const Written *written)
{
	Oid			types[] = {TEXTOID, TEXTOID, INT8ARRAYOID};
	Datum		values[] = {
		PointerGetDatum(client), CStringGetTextDatum(record_kind_names[written->kind]), PointerGetDatum(numbers_of(written))
	};

	SPI_connect();
	if (SPI_execute_with_args("SELECT reason.charge_quota($1, $2, $3)", 3, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not charge the quota");
	SPI_finish();
}

/*
 * client: the one whose quota is charged.  Takes a new snapshot, to see what was committed while the
 * transaction waited.
 */
static void
write_records(Written *written, WriteInput *input, RecordKind kind, bool single, const pg_uuid_t *target, text *client)
{
	bool		is_charged;

	memset(written, 0, sizeof(*written));
	written->kind = kind;
	written->context = CurrentMemoryContext;
	initStringInfo(&written->receipts);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (kind == RECORD_NODE)
		nodes_write(input, single, add_receipt, written);
	else if (kind == RECORD_EDGE)
		edges_write(input, single, add_receipt, written);
	else
		annotation_write(input, target, add_receipt, written);
	is_charged = kind != RECORD_ANNOTATION && quota_is_set(client);
	PopActiveSnapshot();
	if (is_charged)
		charge_quota(client, written);
}

static Response
answer(const Written *written, bool single, RecordText path_division)
{
	const char *kind = record_kind_names[written->kind];
	Response	response = {{Int32GetDatum(201)}, {false, true, false}};

	if (!single)
		response.values[RESPONSE_BODY] = CStringGetTextDatum(psprintf("{\"count\":%d,\"%ss\":[%s]}", written->count, kind,
																	  written->receipts.data));
	else
		response.values[RESPONSE_BODY] = PointerGetDatum(cstring_to_text_with_len(written->receipts.data, written->receipts.len));
	if (single && written->kind == RECORD_NODE)
	{
		char	   *before = path_division.data ? psprintf("/d/%.*s", (int) path_division.length, path_division.data) : "";

		response.values[RESPONSE_HEADERS] = CStringGetTextDatum(psprintf("Location: %s/reason/node/%s\n", before, written->first_id));
		response.nulls[RESPONSE_HEADERS] = false;
	}
	return response;
}

static RecordKind
kind_of(RecordText name)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		if (name.length == strlen(record_kind_names[kind]) && memcmp(name.data, record_kind_names[kind], name.length) == 0)
			return kind;
	}
	elog(ERROR, "unknown kind of record \"%.*s\"", (int) name.length, name.data);
}

/* http_written(kind, single, request_body, target, divisions, client, request, policy, path_division) → response, numbers */
Datum
reason_http_written(PG_FUNCTION_ARGS)
{
	static const int required[] = {0, 1, 2, 4, 5};
	RecordKind	kind;
	bool		single;
	WriteInput	input = {
		.source = record_text_argument(fcinfo, 2), .request = record_text_argument(fcinfo, 6), .policy = record_text_argument(fcinfo, 7),
		.home = record_text_argument(fcinfo, 8)
	};
	Written		written;
	Response	response;
	TupleDesc	desc;
	TupleDesc	response_desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	for (int i = 0; i < lengthof(required); i++)
		record_require_argument(fcinfo, required[i]);
	kind = kind_of(record_text_argument(fcinfo, 0));
	single = PG_GETARG_BOOL(1);
	input.divisions = PG_GETARG_ARRAYTYPE_P(4);
	if (kind == RECORD_ANNOTATION)
		record_require_argument(fcinfo, 3);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	write_records(&written, &input, kind, single, PG_ARGISNULL(3) ? NULL : PG_GETARG_UUID_P(3), PG_GETARG_TEXT_PP(5));
	response = answer(&written, single, input.home);
	response_desc = lookup_rowtype_tupdesc(TupleDescAttr(desc, 0)->atttypid, -1);
	values[0] = HeapTupleGetDatum(heap_form_tuple(response_desc, response.values, response.nulls));
	ReleaseTupleDesc(response_desc);
	values[1] = PointerGetDatum(numbers_of(&written));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---------------------------------------------------------------- a request */

/* Places of the arguments; those after the request's own differ by one where the path names a node. */
enum
{
	ARGUMENT_COMMON_NAME,
	ARGUMENT_ISSUER,
	ARGUMENT_URIS,
	ARGUMENT_REQUEST_ID,
	ARGUMENT_TRACEPARENT,
	ARGUMENT_BODY,
	ARGUMENT_IDEMPOTENCY_KEY,
	ARGUMENT_POLICY_STATUS,
	ARGUMENT_POLICY_ANSWER,
	ARGUMENT_PATH_DIVISION
};

typedef struct Request
{
	FunctionCallInfo fcinfo;
	int			shift;			/* of the arguments from the body on */
	RecordKind	kind;
	bool		single;
	Client		client;
	RecordText	record;			/* the member "request" of events */
	char	   *route;			/* what an idempotency key is for */
	bool		has_target;
	pg_uuid_t	target;
} Request;

static int
place_of(const Request *request, int argument)
{
	return argument + (argument >= ARGUMENT_BODY ? request->shift : 0);
}

static RecordText
text_of(const Request *request, int argument)
{
	return record_text_argument(request->fcinfo, place_of(request, argument));
}

/* For SPI: the argument as it came, and whether it is NULL. */
static void
pass_on(const Request *request, int argument, Datum *value, char *null)
{
	NullableDatum given = request->fcinfo->args[place_of(request, argument)];

	*value = given.value;
	*null = given.isnull ? 'n' : ' ';
}

static void
read_target(Request *request)
{
	RecordText	target = record_text_argument(request->fcinfo, ARGUMENT_BODY);

	request->has_target = true;
	if (target.data == NULL || !write_read_uuid(target, &request->target))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the id of the node must be a UUID")));
	request->route = psprintf("%s %.*s", request->route, (int) target.length, target.data);
}

static void
begin_request(Request *request, FunctionCallInfo fcinfo, RecordKind kind, bool single)
{
	ClientCertificate certificate = {
		.common_name = record_text_argument(fcinfo, ARGUMENT_COMMON_NAME),
		.issuer = record_text_argument(fcinfo, ARGUMENT_ISSUER),
		.uris = record_text_argument(fcinfo, ARGUMENT_URIS)
	};
	RecordText	path_division;
	text	   *name;

	memset(request, 0, sizeof(*request));
	request->fcinfo = fcinfo;
	request->kind = kind;
	request->single = single;
	request->shift = kind == RECORD_ANNOTATION;
	request->client = client_of_certificate(&certificate);
	client_require(&request->client, row_literal("write"));
	path_division = text_of(request, ARGUMENT_PATH_DIVISION);
	client_narrow(&request->client, path_division);
	name = request->client.name;
	request->record = caller_http_request((RecordText) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)},
										  record_text_argument(fcinfo, ARGUMENT_REQUEST_ID),
										  record_text_argument(fcinfo, ARGUMENT_TRACEPARENT));
	request->route = psprintf("POST %s %s", record_kind_names[kind], single ? "t" : "f");
	/* The same body is another request where the path names another division. */
	if (path_division.data)
		request->route = psprintf("%s in %.*s", request->route, (int) path_division.length, path_division.data);
	if (kind == RECORD_ANNOTATION)
		read_target(request);
}

/* ---------------------------------------------------------------- what is done in SQL */

/* The first row of a query that gives (status, headers, body), in the memory of `context`; false: all of it is NULL. */
static bool
response_of_query(MemoryContext context, Response *response)
{
	bool		is_given = false;

	if (SPI_processed != 1 || SPI_tuptable->tupdesc->natts != RESPONSE_COLUMNS)
		elog(ERROR, "a write was not answered");
	for (int column = 0; column < RESPONSE_COLUMNS; column++)
	{
		Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, column);
		MemoryContext caller;

		response->values[column] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column + 1, &response->nulls[column]);
		if (response->nulls[column])
			continue;
		is_given = true;
		caller = MemoryContextSwitchTo(context);
		response->values[column] = datumCopy(response->values[column], attribute->attbyval, attribute->attlen);
		MemoryContextSwitchTo(caller);
	}
	return is_given;
}

/* Under policy rules. */
static Response
write_checked(const Request *request)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {
		request->client.row_type, JSONOID, TEXTOID, BOOLOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
	};
	Datum		values[] = {
		request->client.row, row_text(request->record), CStringGetTextDatum(record_kind_names[request->kind]),
		BoolGetDatum(request->single), CStringGetTextDatum(request->route), UUIDPGetDatum(&request->target), 0, 0, 0, 0, 0
	};
	char		nulls[lengthof(values)];
	Response	response;

	memset(nulls, ' ', sizeof(nulls));
	nulls[5] = request->has_target ? ' ' : 'n';
	pass_on(request, ARGUMENT_BODY, &values[6], &nulls[6]);
	pass_on(request, ARGUMENT_IDEMPOTENCY_KEY, &values[7], &nulls[7]);
	pass_on(request, ARGUMENT_POLICY_STATUS, &values[8], &nulls[8]);
	pass_on(request, ARGUMENT_POLICY_ANSWER, &values[9], &nulls[9]);
	pass_on(request, ARGUMENT_PATH_DIVISION, &values[10], &nulls[10]);
	SPI_connect();
	if (SPI_execute_with_args("SELECT (w).status, (w).headers, (w).body FROM (SELECT reason.http_write_checked($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) w OFFSET 0) x",
							  lengthof(values), types, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not have the write checked");
	(void) response_of_query(caller, &response);
	SPI_finish();
	return response;
}

/* Runs a statement whose plan is kept for the session. */
static void
run_kept(SPIPlanPtr *plan, const char *statement, int count, Oid *types, Datum *values, const char *nulls)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(statement, count, types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\"", statement);
		*plan = prepared;
	}
	if (SPI_execute_plan(*plan, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", statement);
}

/* The first answer, if the request is repeated under its Idempotency-Key; else the key is taken. */
static bool
replay(const Request *request, Response *response)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {PointerGetDatum(request->client.name), 0, CStringGetTextDatum(request->route), 0};
	char		nulls[] = {' ', ' ', ' ', ' '};
	bool		is_repeated;

	pass_on(request, ARGUMENT_IDEMPOTENCY_KEY, &values[1], &nulls[1]);
	pass_on(request, ARGUMENT_BODY, &values[3], &nulls[3]);
	SPI_connect();
	run_kept(&plan, "SELECT (w).status, (w).headers, (w).body FROM (SELECT reason.http_replay($1, $2, $3, $4) w OFFSET 0) x",
			 lengthof(values), types, values, nulls);
	is_repeated = response_of_query(caller, response);
	SPI_finish();
	return is_repeated;
}

/* Keeps the answer for repeats. */
static void
remember(const Request *request, const Response *response)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID};
	Datum		values[] = {
		PointerGetDatum(request->client.name), 0, response->values[RESPONSE_STATUS], response->values[RESPONSE_HEADERS],
		response->values[RESPONSE_BODY]
	};
	char		nulls[] = {' ', ' ', ' ', response->nulls[RESPONSE_HEADERS] ? 'n' : ' ', ' '};

	pass_on(request, ARGUMENT_IDEMPOTENCY_KEY, &values[1], &nulls[1]);
	SPI_connect();
	run_kept(&plan, "SELECT reason.http_remember($1, $2, ROW($3, $4, $5)::reason.http_response)", lengthof(values), types, values, nulls);
	SPI_finish();
}

/* ---------------------------------------------------------------- the routes */

static Response
do_write(const Request *request)
{
	WriteInput	input = {
		.source = text_of(request, ARGUMENT_BODY), .divisions = request->client.divisions, .request = request->record,
		.home = text_of(request, ARGUMENT_PATH_DIVISION)
	};
	bool		has_key = text_of(request, ARGUMENT_IDEMPOTENCY_KEY).data != NULL;
	Written		written;
	Response	response;

	if (has_key && replay(request, &response))
		return response;
	if (input.source.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the body is missing")));
	write_records(&written, &input, request->kind, request->single, request->has_target ? &request->target : NULL, request->client.name);
	response = answer(&written, request->single, input.home);
	if (has_key)
		remember(request, &response);
	return response;
}

static Datum
post(FunctionCallInfo fcinfo, RecordKind kind, bool single)
{
	ReturnSetInfo *results = (ReturnSetInfo *) fcinfo->resultinfo;
	Request		request;
	Response	response;
	bool		is_checked;

	InitMaterializedSRF(fcinfo, 0);
	PushActiveSnapshot(GetTransactionSnapshot());
	begin_request(&request, fcinfo, kind, single);
	/* What the policy service answered holds, even if the rule is gone by now. */
	is_checked = text_of(&request, ARGUMENT_POLICY_STATUS).data != NULL || policy_applies(row_literal(record_kind_names[kind]));
	PopActiveSnapshot();
	response = is_checked ? write_checked(&request) : do_write(&request);
	tuplestore_putvalues(results->setResult, results->setDesc, response.values, response.nulls);
	return (Datum) 0;
}

/*
 * http_post_node(client_cn, client_issuer, client_san, request_id, traceparent, request_body, idempotency_key, policy_status,
 * policy_answer, path_division)
 */
Datum
reason_http_post_node(PG_FUNCTION_ARGS)
{
	return post(fcinfo, RECORD_NODE, true);
}

Datum
reason_http_post_edge(PG_FUNCTION_ARGS)
{
	return post(fcinfo, RECORD_EDGE, true);
}

Datum
reason_http_post_nodes(PG_FUNCTION_ARGS)
{
	return post(fcinfo, RECORD_NODE, false);
}

Datum
reason_http_post_edges(PG_FUNCTION_ARGS)
{
	return post(fcinfo, RECORD_EDGE, false);
}

/* As the others, with the id of the node between traceparent and body. */
Datum
reason_http_post_annotation(PG_FUNCTION_ARGS)
{
	return post(fcinfo, RECORD_ANNOTATION, true);
}
