/*
 * recorded.c
 *		What the chain knew of a record when a snapshot was frozen.
 */
#include "postgres.h"

#include "snapshot/recorded.h"

#include "canonical/backend.h"
#include "core/sha256.h"
#include "record/schema.h"

#include "access/stratnum.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

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
	row_scan_open(&chain->events, "audit_event", "audit_event_pkey", 1, snapshot);
	row_scan_seek_by(&chain->events, "no");
	chain->event_id = row_scan_column(chain->events.heap, "id");
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

/* The event's own bytes give the hash at its place; true when it has none yet. */
static bool
hash_matches(RecordedChain *chain, int64 no, text *payload)
{
	bool		isnull;
	Datum		previous;
	bytea	   *hash;
	bytea	   *previous_hash = NULL;
	uint8		computed[SHA256_LENGTH];

	if (!row_scan_seek(&chain->seals, no, chain->division))
		return true;
	hash = DatumGetByteaPP(row_scan_value(chain->seals.slot, chain->hash));
	previous = slot_getattr(chain->seals.slot, chain->prev_hash, &isnull);
	if (!isnull)
		previous_hash = DatumGetByteaPP(previous);
	sha256_of_two(computed, VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload),
				  previous_hash ? VARDATA_ANY(previous_hash) : "", previous_hash ? VARSIZE_ANY_EXHDR(previous_hash) : 0);
	return VARSIZE_ANY_EXHDR(hash) == SHA256_LENGTH && memcmp(VARDATA_ANY(hash), computed, SHA256_LENGTH) == 0;
}

/*
 * Whether the event holds exactly the record that was checked last.  A value of JSON may stand where another does: with a
 * short one in the record's place the rest is read, which is much less, and says whether that is the member's place.
 */
static bool
holds_checked_record(AuditChecker *checker, text *payload, const char *kind)
{
	const char *bytes = VARDATA_ANY(payload);
	const char *end = bytes + VARSIZE_ANY_EXHDR(payload);
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
holds_record(AuditChecker *checker, text *payload, const StoredRecord *stored)
{
	const char *kind = record_kind_names[stored->record.kind];
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonError	error;
	const JsonNode *record;
	uint8		digest[SHA256_LENGTH];

	if (holds_checked_record(checker, payload, kind))
		return true;
	if (!json_read(&checker->event, VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload), &limits, &error) ||
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
	RecordText	event_type;
	text	   *payload;

	if (!row_scan_seek(&chain->events, stored->no, chain->division))
		return audit_fault(checker, "%s \"%s\": no event recorded it", kind, audit_uuid_text(&stored->record.id));
	event_type = row_scan_text_value(chain->events.slot, chain->event_type);
	payload = DatumGetTextPP(row_scan_value(chain->events.slot, chain->payload));
	if (event_type.length != strlen(kind) + strlen(".created") || memcmp(event_type.data, kind, strlen(kind)) != 0 ||
		memcmp(event_type.data + strlen(kind), ".created", strlen(".created")) != 0 ||
		memcmp(DatumGetUUIDP(row_scan_value(chain->events.slot, chain->event_id)), &stored->audit_event_id, UUID_LEN) != 0 ||
		!holds_record(checker, payload, stored))
		return audit_fault(checker, "%s \"%s\": the event of its number recorded something else", kind, audit_uuid_text(&stored->record.id));
	if (!hash_matches(chain, stored->no, payload))
		return audit_fault(checker, "%s \"%s\": its event does not give the hash at its place in the chain", kind, audit_uuid_text(&stored->record.id));
	return true;
}
