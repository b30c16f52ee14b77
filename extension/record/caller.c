/*
 * caller.c
 *		Who calls, and which divisions that role may see.
 */
#include "postgres.h"

#include "record/caller.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "record/schema.h"
#include "record/text.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(reason_calling_role);
PG_FUNCTION_INFO_V1(reason_sql_request);
PG_FUNCTION_INFO_V1(reason_http_request);
PG_FUNCTION_INFO_V1(reason_visible_divisions);
PG_FUNCTION_INFO_V1(reason_visible_divisions_of);
PG_FUNCTION_INFO_V1(reason_sees_quarantined);

static bool
is_owner(Oid role, Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return has_privs_of_role(role, owner);
}

ArrayType *
caller_visible_divisions(Oid role)
{
	ArrayBuildState *divisions;
	Relation	table;
	TableScanDesc scan;
	TupleTableSlot *slot;

	if (superuser_arg(role) || is_owner(role, schema_oid()))
	{
		Datum		all = CStringGetTextDatum("*");

		return construct_array(&all, 1, TEXTOID, -1, false, TYPALIGN_INT);
	}

	/* A handful of rows: cheaper to read than to remember. */
	divisions = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	table = schema_open_table("division_grant", AccessShareLock);
	slot = table_slot_create(table, NULL);
	scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Name		grantee = DatumGetName(slot_getattr(slot, 1, &isnull));
		Oid			grantee_oid = get_role_oid(NameStr(*grantee), true);

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(grantee_oid) && has_privs_of_role(role, grantee_oid))
			divisions = accumArrayResult(divisions, slot_getattr(slot, 2, &isnull), false, TEXTOID, CurrentMemoryContext);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return DatumGetArrayTypeP(makeArrayResult(divisions, CurrentMemoryContext));
}

Datum
reason_visible_divisions(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(caller_visible_divisions(GetUserId()));
}

Datum
reason_visible_divisions_of(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(caller_visible_divisions(get_role_oid(NameStr(*PG_GETARG_NAME(0)), false)));
}

bool
caller_sees_quarantined(Oid role)
{
	return superuser_arg(role) || is_owner(role, schema_oid()) ||
		has_privs_of_role(role, get_role_oid("reason_auditor", false));
}

Datum
reason_sees_quarantined(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(caller_sees_quarantined(GetUserId()));
}

const char *
caller_role_name(void)
{
	return GetUserNameFromId(GetOuterUserId(), false);
}

Datum
reason_calling_role(PG_FUNCTION_ARGS)
{
	Name		name = palloc(NAMEDATALEN);

	namestrcpy(name, caller_role_name());
	PG_RETURN_NAME(name);
}

RecordText
caller_sql_request(void)
{
	ByteBuffer	out;
	const char *role = caller_role_name();

	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	buffer_append_literal(&out, "{\"role\":");
	canonical_write_string(&out, role, strlen(role));
	buffer_append_char(&out, '}');
	return (RecordText) {out.data, out.length};
}

Datum
reason_sql_request(PG_FUNCTION_ARGS)
{
	RecordText	request = caller_sql_request();

	PG_RETURN_TEXT_P(cstring_to_text_with_len(request.data, request.length));
}

static void
append_member(ByteBuffer *out, const char *name, RecordText value)
{
	if (value.data == NULL)
		return;
	if (out->length > 1)
		buffer_append_char(out, ',');
	canonical_write_string(out, name, strlen(name));
	buffer_append_char(out, ':');
	canonical_write_string(out, value.data, value.length);
}

RecordText
caller_http_request(RecordText client, RecordText request_id, RecordText traceparent)
{
	ByteBuffer	out;

	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	buffer_append_char(&out, '{');
	append_member(&out, "client", client);
	append_member(&out, "requestId", request_id);
	append_member(&out, "traceparent", traceparent);
	buffer_append_char(&out, '}');
	return (RecordText) {out.data, out.length};
}

Datum
reason_http_request(PG_FUNCTION_ARGS)
{
	RecordText	request = caller_http_request(record_text_argument(fcinfo, 0), record_text_argument(fcinfo, 1),
											  record_text_argument(fcinfo, 2));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(request.data, request.length));
}
