/*
 * client.c
 *		Clients: who calls over HTTPS.  Every request asks.
 */
#include "postgres.h"

#include "record/client.h"

#include "core/names.h"
#include "record/placement.h"
#include "record/row_scan.h"
#include "record/schema.h"
#include "record/text.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(reason_client_of);
PG_FUNCTION_INFO_V1(reason_client_may);
PG_FUNCTION_INFO_V1(reason_http_client);

static bool
is_same(RecordText a, RecordText b)
{
	return a.data && b.data && a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static bool
is_literal(RecordText value, const char *literal)
{
	return is_same(value, (RecordText) {literal, strlen(literal)});
}

/* ---------------------------------------------------------------- finding the row */

static bool
has_uri(const ClientCertificate *certificate, RecordText uri)
{
	const char *rest = certificate->uris.data;
	const char *end = rest + certificate->uris.length;

	/* Between two blanks, or in a list that is empty, stands none. */
	while (rest && uri.length > 0)
	{
		const char *blank = memchr(rest, ' ', end - rest);

		if (is_same(uri, (RecordText) {rest, (blank ? blank : end) - rest}))
			return true;
		rest = blank ? blank + 1 : NULL;
	}
	return false;
}

/* Whether the client is enabled and takes the issuer of the certificate. */
static bool
is_open_to(Relation table, TupleTableSlot *slot, const ClientCertificate *certificate)
{
	RecordText	issuer = row_scan_text_value(slot, row_scan_column(table, "issuer"));

	return DatumGetBool(row_scan_value(slot, row_scan_column(table, "enabled"))) &&
		(issuer.data == NULL || is_same(issuer, certificate->issuer));
}

static Client
client_in(Relation table, TupleTableSlot *slot)
{
	Client		client = {
		.row = ExecFetchSlotHeapTupleDatum(slot),
		.row_type = RelationGetDescr(table)->tdtypeid,
		.name = DatumGetTextPCopy(row_scan_value(slot, row_scan_column(table, "name"))),
		.role = DatumGetTextPCopy(row_scan_value(slot, row_scan_column(table, "role"))),
		.divisions = DatumGetArrayTypePCopy(row_scan_value(slot, row_scan_column(table, "divisions")))
	};

	return client;
}

static Client
find_by_name(const ClientCertificate *certificate)
{
	RowScan		scan;
	Client		client = {0};

	row_scan_open(&scan, "client", "client_pkey", 1, GetActiveSnapshot());
	row_scan_text(&scan, 0, cstring_to_text_with_len(certificate->common_name.data, certificate->common_name.length));
	if (row_scan_find(&scan) && is_open_to(scan.heap, scan.slot, certificate))
	{
		RecordText	uri = row_scan_text_value(scan.slot, row_scan_column(scan.heap, "san_uri"));

		if (uri.data == NULL || has_uri(certificate, uri))
			client = client_in(scan.heap, scan.slot);
	}
	row_scan_close(&scan);
	return client;
}

/* As in the certificates of SPIFFE: the URI says who it is, if it says so of one client only. */
static Client
find_by_uri(const ClientCertificate *certificate)
{
	Relation	table = schema_open_table("client", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	AttrNumber	uri = row_scan_column(table, "san_uri");
	Client		client = {0};
	int			found = 0;

	while (found < 2 && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!has_uri(certificate, row_scan_text_value(slot, uri)) || !is_open_to(table, slot, certificate))
			continue;
		if (++found == 1)
			client = client_in(table, slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return found == 1 ? client : (Client) {0};
}

Client
client_of_certificate(const ClientCertificate *certificate)
{
	Client		client;

	if (certificate->common_name.length == 0 && certificate->uris.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 certificate->issuer.data == NULL ? errmsg("a client certificate is required") :
				 errmsg("the client certificate names nobody"),
				 certificate->issuer.data == NULL ? errhint("Connect with the certificate of a registered client.") :
				 errhint("A certificate needs exactly one common name, or a URI as subject alternative name.")));
	client = certificate->common_name.length > 0 ? find_by_name(certificate) : find_by_uri(certificate);
	/* The same answer whatever did not match: a stranger learns nothing about who is registered. */
	if (client.name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the certificate belongs to no client of this service"),
				 errhint("An administrator registers clients with reason.set_client().")));
	return client;
}

/* ---------------------------------------------------------------- what it may do */

static RecordText
bytes_of(const text *value)
{
	return (RecordText) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

static bool
role_may(RecordText role, RecordText action)
{
	bool		is_admin = is_literal(role, "admin");

	if (is_literal(action, "read"))
		return true;
	if (is_literal(action, "write"))
		return is_admin || is_literal(role, "writer");
	if (is_literal(action, "inspect"))
		return is_admin || is_literal(role, "auditor");
	if (is_literal(action, "freeze"))
		return is_admin || is_literal(role, "writer") || is_literal(role, "auditor");
	return false;
}

void
client_require(const Client *client, RecordText action)
{
	if (!role_may(bytes_of(client->role), action))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("client \"%s\" has role %s, which does not allow this",
						text_to_cstring(client->name), text_to_cstring(client->role))));
}

/* ---------------------------------------------------------------- one division alone */

static bool
has_division(const Client *client, RecordText division)
{
	ArrayIterator iterator = array_create_iterator(client->divisions, 0, NULL);
	Datum		element;
	bool		isnull;
	bool		found = false;

	while (!found && array_iterate(iterator, &element, &isnull))
	{
		RecordText	granted = isnull ? (RecordText) {NULL, 0} : bytes_of(DatumGetTextPP(element));

		found = is_same(granted, division) || is_literal(granted, "*");
	}
	array_free_iterator(iterator);
	return found;
}

void
client_narrow(Client *client, RecordText division)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(client->row);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};
	TupleDesc	desc;
	Datum		name;
	Datum		value;
	bool		isnull = false;
	int			column;

	if (division.data == NULL)
		return;
	/* "*" stands for all divisions and is none: whoever has all has no narrower one of that name. */
	if (!division_name_is_valid(division.data, division.length) || !has_division(client, division))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("division \"%.*s\" does not exist or is not granted", (int) division.length, division.data)));
	name = PointerGetDatum(cstring_to_text_with_len(division.data, division.length));
	client->divisions = construct_array(&name, 1, TEXTOID, -1, false, TYPALIGN_INT);
	value = PointerGetDatum(client->divisions);
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	column = SPI_fnumber(desc, "divisions");
	client->row = HeapTupleGetDatum(heap_modify_tuple_by_cols(&tuple, desc, 1, &column, &value, &isnull));
	ReleaseTupleDesc(desc);
}

/* ---------------------------------------------------------------- for SQL */

static ClientCertificate
certificate_of(FunctionCallInfo fcinfo)
{
	ClientCertificate certificate = {
		.common_name = record_text_argument(fcinfo, 0), .issuer = record_text_argument(fcinfo, 1), .uris = record_text_argument(fcinfo, 2)
	};

	return certificate;
}

/* client_of(client_cn, client_issuer, client_san) → client */
Datum
reason_client_of(PG_FUNCTION_ARGS)
{
	ClientCertificate certificate = certificate_of(fcinfo);

	PG_RETURN_DATUM(client_of_certificate(&certificate).row);
}

/* http_client(client_cn, client_issuer, client_san, action, path_division, moved) → client */
Datum
reason_http_client(PG_FUNCTION_ARGS)
{
	ClientCertificate certificate = certificate_of(fcinfo);
	Client		client = client_of_certificate(&certificate);

	client_require(&client, record_text_argument(fcinfo, 3));
	client_narrow(&client, record_text_argument(fcinfo, 4));
	if (!PG_ARGISNULL(4) && !PG_GETARG_BOOL(5))
		placement_require_here(record_text_argument(fcinfo, 4));
	PG_RETURN_DATUM(client.row);
}

/* client_may(client, action) → boolean */
Datum
reason_client_may(PG_FUNCTION_ARGS)
{
	bool		isnull = PG_ARGISNULL(0);
	Datum		role = isnull ? (Datum) 0 : GetAttributeByName(PG_GETARG_HEAPTUPLEHEADER(0), "role", &isnull);

	PG_RETURN_BOOL(role_may(isnull ? (RecordText) {NULL, 0} : bytes_of(DatumGetTextPP(role)), record_text_argument(fcinfo, 1)));
}
