/*
 * recorded.c
 *		What the chain knew of a record when a snapshot was frozen.
 */
#include "postgres.h"

#include "snapshot/recorded.h"

#include "canonical/backend.h"
#include "core/sha256.h"
#include "record/event_text.h"
#include "record/schema.h"

#include "access/stratnum.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

void
recorded_chain_open(RecordedChain *chain, text *division, int64 end_seq, Snapshot snapshot)
{
	memset(chain, 0, sizeof(*chain));
	chain->division = division;
	chain->end_seq = end_seq;
	row_scan_open(&chain->seals, "audit_seal", "audit_seal_event_key", 1, snapshot);
	row_scan_seek_by(&chain->seals, "event_no");
	chain->seq = row_scan_column(chain->seals.heap, "seq");
	chain->hash = row_scan_column(chain->seals.heap, "hash");
	chain->prev_hash = row_scan_column(chain->seals.heap, "prev_hash");
	row_scan_open(&chain->seals_before, "audit_seal", "audit_seal_pkey", 2, snapshot);
	row_scan_text(&chain->seals_before, 0, division);
	row_scan_open(&chain->events, "audit_event", "audit_event_pkey", 1, snapshot);
	row_scan_seek_by(&chain->events, "no");
	chain->event_id = row_scan_column(chain->events.heap, "id");
	chain->event_ts = row_scan_column(chain->events.heap, "ts");
	chain->event_type = row_scan_column(chain->events.heap, "event_type");
	chain->payload = row_scan_column(chain->events.heap, "payload");
	row_scan_open(&chain->quarantined, "quarantine", "quarantine_pkey", 2, snapshot);
	row_scan_text(&chain->quarantined, 0, division);
	row_scan_open(&chain->released, "quarantine_release", "quarantine_release_pkey", 2, snapshot);
	row_scan_text(&chain->released, 0, division);
	chain->event_no = row_scan_column(chain->released.heap, "event_no");
	/* Almost always there is none, and nothing to look for. */
	chain->has_quarantine = RelationGetNumberOfBlocks(chain->quarantined.heap) > 0;
}

void
recorded_chain_close(RecordedChain *chain)
{
	row_scan_close(&chain->released);
	row_scan_close(&chain->quarantined);
	row_scan_close(&chain->events);
	row_scan_close(&chain->seals_before);
	row_scan_close(&chain->seals);
}

static RecordedWhen
place_of(RecordedChain *chain, int64 no)
{
	int64		seq;

	if (!row_scan_seek(&chain->seals, no, chain->division))
	{
		if (!row_scan_seek(&chain->events, no, chain->division))
			return RECORDED_NEVER;
		/* What was written before an event that has its place has its own. */
		return chain->end_seq >= 0 ? RECORDED_AFTER : RECORDED_PERHAPS;
	}
	seq = DatumGetInt64(row_scan_value(chain->seals.slot, chain->seq));
	if (chain->end_seq >= 0 && seq > chain->end_seq)
		return RECORDED_AFTER;
	return seq < chain->size ? RECORDED_BEFORE : RECORDED_PERHAPS;
}

static bool
find_in(RowScan *scan, int64 no)
{
	row_scan_int8(scan, 1, BTEqualStrategyNumber, no);
	return row_scan_find(scan);
}

RecordedWhen
recorded_when(RecordedChain *chain, int64 no)
{
	RecordedWhen when = place_of(chain, no);

	/* A record is quarantined by the write that makes it, or never. */
	if (when < RECORDED_PERHAPS || !chain->has_quarantine || !find_in(&chain->quarantined, no))
		return when;
	if (!find_in(&chain->released, no))
		return RECORDED_HELD;
	switch (place_of(chain, DatumGetInt64(row_scan_value(chain->released.slot, chain->event_no))))
	{
		case RECORDED_BEFORE:
			return when;
		case RECORDED_PERHAPS:
			return RECORDED_PERHAPS;
		default:
			return RECORDED_HELD;
	}
}

/* The hash that the seal found by number follows on; NULL: it is the first, or the one before is missing. */
static bytea *
previous_hash(RecordedChain *chain)
{
	bool		isnull;
	Datum		stored = slot_getattr(chain->seals.slot, chain->prev_hash, &isnull);

	if (!isnull)
		return DatumGetByteaPP(stored);
	row_scan_int8(&chain->seals_before, 1, BTEqualStrategyNumber, DatumGetInt64(row_scan_value(chain->seals.slot, chain->seq)) - 1);
	return row_scan_find(&chain->seals_before) ? DatumGetByteaPP(row_scan_value(chain->seals_before.slot, chain->hash)) : NULL;
}

/* The event's own bytes give the hash at its place; true when it has none yet. */
static bool
hash_matches(RecordedChain *chain, int64 no, RecordText payload)
{
	bytea	   *hash;
	bytea	   *previous;
	uint8		computed[SHA256_LENGTH];

	if (!row_scan_seek(&chain->seals, no, chain->division))
		return true;
	hash = DatumGetByteaPP(row_scan_value(chain->seals.slot, chain->hash));
	previous = previous_hash(chain);
	sha256_of_two(computed, payload.data, payload.length,
				  previous ? VARDATA_ANY(previous) : "", previous ? VARSIZE_ANY_EXHDR(previous) : 0);
	return VARSIZE_ANY_EXHDR(hash) == SHA256_LENGTH && memcmp(VARDATA_ANY(hash), computed, SHA256_LENGTH) == 0;
}

/*
 * Whether the event holds exactly the record that was checked last.  A value of JSON may stand where another does: with a
 * short one in the record's place the rest is read, which is much less, and says whether that is the member's place.
 */
static bool
holds_checked_record(AuditChecker *checker, RecordText payload, const char *kind)
{
	const char *bytes = payload.data;
	const char *end = bytes + payload.length;
	const ByteBuffer *record = &checker->record;
	ByteBuffer *rest = &checker->content;
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	const JsonNode *member;
	const char *at;
	char		name[32];
	int			name_length = snprintf(name, sizeof(name), "\"%s\":", kind);

	at = memmem(bytes, end - bytes, name, name_length);
	if (at == NULL)
		return false;
	at += name_length;
	if ((size_t) (end - at) < record->length || memcmp(at, record->data, record->length) != 0)
		return false;
	rest->length = 0;
	buffer_append(rest, bytes, at - bytes);
	buffer_append_char(rest, '0');
	buffer_append(rest, at + record->length, end - at - record->length);
	if (!json_read(&checker->event, rest->data, rest->length, &limits, &error))
		return false;
	member = json_member(&checker->event, json_root(&checker->event), kind, strlen(kind));
	return member && json_raw(&checker->event, member) == rest->data + (at - bytes);
}

/* checker->record is the canonical record of the row, and gives its digest. */
static bool
holds_record(AuditChecker *checker, RecordText payload, const StoredRecord *stored)
{
	const char *kind = record_kind_names[stored->record.kind];
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	const JsonNode *record;
	uint8		digest[SHA256_LENGTH];

	if (holds_checked_record(checker, payload, kind))
		return true;
	if (!json_read(&checker->event, payload.data, payload.length, &limits, &error) ||
		json_root(&checker->event)->kind != JSON_OBJECT)
		return false;
	record = json_member(&checker->event, json_root(&checker->event), kind, strlen(kind));
	if (record == NULL || record->kind != JSON_OBJECT)
		return false;
	sha256_of(digest, json_raw(&checker->event, record), json_raw_length(record));
	return memcmp(digest, stored->digest, SHA256_LENGTH) == 0;
}

bool
recorded_check(RecordedChain *chain, AuditChecker *checker, const StoredRecord *stored)
{
	const char *kind = record_kind_names[stored->record.kind];
	TupleTableSlot *slot = chain->events.slot;
	RecordKind	event_kind;
	EventRow	row = {.no = stored->no, .division = stored->record.division};
	char	   *fault;

	if (!row_scan_seek(&chain->events, stored->no, chain->division))
		return audit_fault(checker, "%s \"%s\": no event recorded it", kind, audit_uuid_text(&stored->record.id));
	row.id = *DatumGetUUIDP(row_scan_value(slot, chain->event_id));
	row.ts = DatumGetTimestampTz(row_scan_value(slot, chain->event_ts));
	row.event_type = row_scan_text_value(slot, chain->event_type);
	row.payload = row_scan_text_value(slot, chain->payload);
	/* What is made from the row is compared with the hash below. */
	if (event_is_stated(&row, &event_kind) && event_kind == stored->record.kind && !event_text_of_record(stored, &row, &fault))
		return audit_fault(checker, "%s", fault);
	if (row.event_type.length != strlen(kind) + strlen(".created") || memcmp(row.event_type.data, kind, strlen(kind)) != 0 ||
		memcmp(row.event_type.data + strlen(kind), ".created", strlen(".created")) != 0 ||
		memcmp(&row.id, &stored->audit_event_id, UUID_LEN) != 0 ||
		!holds_record(checker, row.payload, stored))
		return audit_fault(checker, "%s \"%s\": the event of its number recorded something else", kind, audit_uuid_text(&stored->record.id));
	if (!hash_matches(chain, stored->no, row.payload))
		return audit_fault(checker, "%s \"%s\": its event does not give the hash at its place in the chain", kind, audit_uuid_text(&stored->record.id));
	return true;
}
