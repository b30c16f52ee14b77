/*
 * cursor.c
 *		Cursors of traces: writing, reading, checking.
 */
#include "postgres.h"

#include "trace/cursor.h"

#include "core/sha256.h"
#include "record/schema.h"
#include "trace/horizon.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "executor/tuptable.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define CURSOR_VERSION 2
#define MAC_LENGTH 32
/* A cursor travels in the query of a URL. */
#define MAX_TRANSACTIONS 500

static int	cursor_lifetime_s = 3600;

void
trace_define_parameters(void)
{
	DefineCustomIntVariable("reason.cursor_lifetime",
							"Sets how long the cursor of a trace is good for.",
							NULL,
							&cursor_lifetime_s, 3600, 1, 7 * SECS_PER_DAY,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

/* The bytes that are signed. */
typedef struct CursorBody
{
	uint8		version;
	uint8		parameters[TRACE_PARAMETERS_HASH];
	uint32		offset;
	uint32		edge_offset;
	int64		expires_at;
	int64		last_no;
	int64		decided_no;
	uint32		xmin;
	uint32		xmax;
	uint16		running_count;	/* transactions that the first page's snapshot saw running */
	uint16		own_count;		/* ids of the transaction that asked for the first page */
	uint32		xids[2 * MAX_TRANSACTIONS];
} CursorBody;

static size_t
body_length(const CursorBody *body)
{
	return offsetof(CursorBody, xids) + (body->running_count + body->own_count) * sizeof(uint32);
}

static void
report_invalid(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cursor %s", what),
			 errhint("Begin again with the first page, without a cursor.")));
}

/* ---------------------------------------------------------------- signing */

/* Read once for all that is done with a cursor. */
static bytea *
read_secret(Graph *graph)
{
	Relation	table = schema_open_table("cursor_secret", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, graph->snapshot, 0, NULL);
	bytea	   *secret = NULL;

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		secret = DatumGetByteaPCopy(slot_getattr(slot, 1, &isnull));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	if (secret == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table reason.cursor_secret is empty")));
	return secret;
}

static void
authenticate(const bytea *secret, const void *bytes, size_t length, uint8 mac[MAC_LENGTH])
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	bool		done;

	done = hmac != NULL &&
		pg_hmac_init(hmac, (const uint8 *) VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret)) == 0 &&
		pg_hmac_update(hmac, bytes, length) == 0 &&
		pg_hmac_final(hmac, mac, MAC_LENGTH) == 0;
	pg_hmac_free(hmac);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not sign the cursor")));
}

/*
 * Enciphers, or deciphers again: exclusive or with the HMACs of "cursor", the
 * HMAC of the plain bytes and a counter.  No two cursors have the same HMAC
 * unless they are the same (RFC 5297 has this construction as SIV).
 */
static void
cipher(const bytea *secret, const uint8 mac[MAC_LENGTH], uint8 *bytes, size_t length)
{
	struct
	{
		char		purpose[8];
		uint8		mac[MAC_LENGTH];
		uint32		counter;
	}			input = {.purpose = "cursor"};
	uint8		stream[MAC_LENGTH];

	memcpy(input.mac, mac, MAC_LENGTH);
	for (size_t i = 0; i < length; i++)
	{
		if (i % MAC_LENGTH == 0)
		{
			authenticate(secret, &input, sizeof(input), stream);
			input.counter++;
		}
		bytes[i] ^= stream[i % MAC_LENGTH];
	}
}

/* Takes the same time wherever the first difference is. */
static bool
same_bytes(const uint8 *a, const uint8 *b, size_t length)
{
	uint8		difference = 0;

	for (size_t i = 0; i < length; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/* ---------------------------------------------------------------- base64url (RFC 4648, section 5), not padded */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
encode(ByteBuffer *out, const uint8 *bytes, size_t length)
{
	for (size_t i = 0; i < length; i += 3)
	{
		size_t		have = Min(length - i, 3);
		uint32		group = bytes[i] << 16;

		if (have > 1)
			group |= bytes[i + 1] << 8;
		if (have > 2)
			group |= bytes[i + 2];
		for (size_t k = 0; k <= have; k++)
			buffer_append_char(out, digits[group >> (18 - 6 * k) & 63]);
	}
}

/* False unless it is the one encoding of so many bytes, at most `room`. */
static bool
decode(RecordText encoded, uint8 *bytes, size_t room, size_t *length)
{
	uint32		group = 0;
	int			bits = 0;

	*length = 0;
	if (encoded.length % 4 == 1)
		return false;
	for (size_t i = 0; i < encoded.length; i++)
	{
		const char *digit = encoded.data[i] ? strchr(digits, encoded.data[i]) : NULL;

		if (digit == NULL)
			return false;
		group = (group << 6 | (uint32) (digit - digits)) & 0xFFFF;
		bits += 6;
		if (bits >= 8)
		{
			if (*length == room)
				return false;
			bits -= 8;
			bytes[(*length)++] = group >> bits & 0xFF;
		}
	}
	return (group & ((1u << bits) - 1)) == 0;
}

/* ---------------------------------------------------------------- parameters */

static void
add_bytes(ByteBuffer *bytes, const void *data, size_t length)
{
	uint32		prefix = length;

	buffer_append(bytes, &prefix, sizeof(prefix));
	buffer_append(bytes, data, length);
}

static void
add_names(ByteBuffer *bytes, int count, const RecordText *names)
{
	add_bytes(bytes, &count, sizeof(count));
	for (int i = 0; i < count; i++)
		add_bytes(bytes, names[i].data, names[i].length);
}

static void
hash_parameters(uint8 hash[TRACE_PARAMETERS_HASH], TraceCursorKind kind, const pg_uuid_t *start, GraphDirection direction,
				const GraphFilter *filter, bool hides_quarantined)
{
	ByteBuffer	bytes;
	uint8		digest[SHA256_LENGTH];

	buffer_init(&bytes, NULL, NULL);
	add_bytes(&bytes, &kind, sizeof(kind));
	add_bytes(&bytes, start, UUID_LEN);
	add_bytes(&bytes, &direction, sizeof(direction));
	add_bytes(&bytes, &filter->max_depth, sizeof(filter->max_depth));
	add_names(&bytes, filter->type_count, filter->types);
	add_names(&bytes, filter->edge_type_count, filter->edge_types);
	if (filter->has_min_weight)
		add_bytes(&bytes, &filter->min_weight, sizeof(double));
	add_bytes(&bytes, &filter->has_min_weight, sizeof(bool));
	if (filter->has_min_confidence)
		add_bytes(&bytes, &filter->min_confidence, sizeof(double));
	add_bytes(&bytes, &filter->has_min_confidence, sizeof(bool));
	if (filter->has_as_of)
		add_bytes(&bytes, &filter->as_of, sizeof(TimestampTz));
	add_bytes(&bytes, &filter->has_as_of, sizeof(bool));
	if (filter->has_as_of_seq)
		add_bytes(&bytes, &filter->as_of_seq, sizeof(int64));
	add_bytes(&bytes, &filter->has_as_of_seq, sizeof(bool));
	add_bytes(&bytes, &hides_quarantined, sizeof(bool));
	if (bytes.failed)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	sha256_of(digest, bytes.data, bytes.length);
	buffer_free(&bytes);
	memcpy(hash, digest, TRACE_PARAMETERS_HASH);
}

/* ---------------------------------------------------------------- what the first page saw */

static void
add_xids(CursorBody *body, const TransactionId *xids, int count, bool own)
{
	for (int i = 0; i < count; i++)
	{
		if (body->running_count + body->own_count == lengthof(body->xids))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("too many transactions are running to divide the trace into pages"),
					 errhint("Try again, or raise limit so that the trace fits one page.")));
		body->xids[body->running_count + body->own_count] = xids[i];
		if (own)
			body->own_count++;
		else
			body->running_count++;
	}
}

static void
describe_snapshot(Graph *graph, CursorBody *body)
{
	Snapshot	snapshot = graph->snapshot;
	TransactionId own = GetTopTransactionIdIfAny();
	TransactionId *children;
	int			child_count = xactGetCommittedChildren(&children);

	if (snapshot->suboverflowed)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many subtransactions are running to divide the trace into pages"),
				 errhint("Try again, or raise limit so that the trace fits one page.")));
	body->last_no = trace_last_no(graph, &body->decided_no);
	body->xmin = snapshot->xmin;
	body->xmax = snapshot->xmax;
	add_xids(body, snapshot->xip, snapshot->xcnt, false);
	add_xids(body, snapshot->subxip, snapshot->subxcnt, false);
	if (TransactionIdIsValid(own))
		add_xids(body, &own, 1, true);
	if (IsSubTransaction())
	{
		own = GetCurrentTransactionIdIfAny();
		if (TransactionIdIsValid(own))
			add_xids(body, &own, 1, true);
	}
	add_xids(body, children, child_count, true);
}

static void
describe_horizon(const GraphHorizon *horizon, CursorBody *body)
{
	body->last_no = horizon->last_no;
	body->decided_no = horizon->decided_no;
	body->xmin = horizon->snapshot->xmin;
	body->xmax = horizon->snapshot->xmax;
	add_xids(body, horizon->snapshot->xip, horizon->snapshot->xcnt, false);
	add_xids(body, horizon->own_xids, horizon->own_count, true);
}

static GraphHorizon *
horizon_of(Graph *graph, const CursorBody *body)
{
	GraphHorizon *horizon = MemoryContextAllocZero(graph->context, sizeof(GraphHorizon));
	Snapshot	snapshot = MemoryContextAllocZero(graph->context, sizeof(SnapshotData));
	TransactionId *xids = MemoryContextAlloc(graph->context, sizeof(body->xids));

	memcpy(xids, body->xids, sizeof(body->xids));
	snapshot->snapshot_type = SNAPSHOT_MVCC;
	snapshot->xmin = body->xmin;
	snapshot->xmax = body->xmax;
	snapshot->xip = xids;
	snapshot->xcnt = body->running_count;
	horizon->last_no = body->last_no;
	horizon->decided_no = body->decided_no;
	horizon->snapshot = snapshot;
	horizon->own_xids = xids + body->running_count;
	horizon->own_count = body->own_count;
	return horizon;
}

/*
 * Whether one of these transactions still runs for this snapshot, though it had ended for the first
 * page's.
 */
static bool
had_ended(const TransactionId *xids, int count, const CursorBody *body)
{
	for (int i = 0; i < count; i++)
	{
		bool		ran = !TransactionIdPrecedes(xids[i], body->xmax);

		for (int k = 0; !ran && k < body->running_count; k++)
			ran = xids[i] == body->xids[k];
		if (!ran)
			return true;
	}
	return false;
}

/* Transactions do not end in the order of their ids, so the bounds alone do not tell. */
static bool
sees_less(Snapshot snapshot, const CursorBody *body)
{
	return TransactionIdPrecedes(snapshot->xmax, body->xmax) ||
		had_ended(snapshot->xip, snapshot->xcnt, body) ||
		had_ended(snapshot->subxip, snapshot->subxcnt, body);
}

/* ---------------------------------------------------------------- reading and writing */

void
trace_cursor_begin(TraceCursor *cursor, Graph *graph, TraceCursorKind kind, const pg_uuid_t *start,
				   GraphDirection direction, const GraphFilter *filter, RecordText encoded)
{
	union
	{
		CursorBody	body;
		uint8		bytes[sizeof(CursorBody) + MAC_LENGTH];
	}			read;
	uint8		mac[MAC_LENGTH];
	uint8		given_mac[MAC_LENGTH];
	size_t		length;

	cursor->graph = graph;
	cursor->offset = 0;
	cursor->edge_offset = 0;
	cursor->secret = NULL;
	cursor->horizon = NULL;
	hash_parameters(cursor->parameters, kind, start, direction, filter, graph->hides_quarantined);
	if (encoded.data == NULL)
		return;

	memset(&read, 0, sizeof(read));
	if (!decode(encoded, read.bytes, sizeof(read.bytes), &length) ||
		length < offsetof(CursorBody, xids) + MAC_LENGTH)
		report_invalid("is not valid");
	cursor->secret = read_secret(graph);
	memcpy(given_mac, read.bytes + length - MAC_LENGTH, MAC_LENGTH);
	cipher(cursor->secret, given_mac, read.bytes, length - MAC_LENGTH);
	if (read.body.version != CURSOR_VERSION ||
		read.body.running_count + read.body.own_count > (int) lengthof(read.body.xids) ||
		length != body_length(&read.body) + MAC_LENGTH)
		report_invalid("is not valid");
	authenticate(cursor->secret, &read.body, body_length(&read.body), mac);
	if (!same_bytes(mac, given_mac, MAC_LENGTH))
		report_invalid("is not valid");
	if (read.body.expires_at < GetCurrentTimestamp())
		report_invalid("has expired");
	if (memcmp(read.body.parameters, cursor->parameters, TRACE_PARAMETERS_HASH) != 0)
		report_invalid("belongs to a trace with other parameters");
	/* A standby behind the server of the first page, or a transaction older than it. */
	if (sees_less(graph->snapshot, &read.body))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("this transaction sees less than the first page of the trace did"),
				 errhint("Try again.")));
	cursor->offset = read.body.offset;
	cursor->edge_offset = read.body.edge_offset;
	cursor->horizon = horizon_of(graph, &read.body);
}

void
trace_cursor_write(const TraceCursor *cursor, ByteBuffer *out, uint32 offset, uint32 edge_offset)
{
	const bytea *secret;
	CursorBody	body;
	uint8		bytes[sizeof(CursorBody) + MAC_LENGTH];

	/* Padding is signed too. */
	memset(&body, 0, sizeof(body));
	body.version = CURSOR_VERSION;
	memcpy(body.parameters, cursor->parameters, TRACE_PARAMETERS_HASH);
	body.offset = offset;
	body.edge_offset = edge_offset;
	body.expires_at = GetCurrentTimestamp() + (int64) cursor_lifetime_s * USECS_PER_SEC;
	if (cursor->horizon)
		describe_horizon(cursor->horizon, &body);
	else
		describe_snapshot(cursor->graph, &body);
	memcpy(bytes, &body, body_length(&body));
	secret = cursor->secret ? cursor->secret : read_secret(cursor->graph);
	authenticate(secret, &body, body_length(&body), bytes + body_length(&body));
	cipher(secret, bytes + body_length(&body), bytes, body_length(&body));
	encode(out, bytes, body_length(&body) + MAC_LENGTH);
}
