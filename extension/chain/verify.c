/*
 * verify.c
 *		Checks a range of a chain, event by event.
 *
 * One pass in the order of the chain.  Memory does not grow with the chain: each
 * event is checked and forgotten.  The tables are read with one snapshot and
 * without regard to row security: the right to see the division is decided once.
 */
#include "postgres.h"

#include "chain/verify.h"
#include "canonical/backend.h"
#include "chain/ed25519.h"
#include "chain/event_form.h"
#include "core/sha256.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* ---------------------------------------------------------------- signers */

static void
read_signers(Verifier *verifier)
{
	HASHCTL		control = {.keysize = MAX_SIGNER_BYTES, .entrysize = sizeof(Signer), .hcxt = CurrentMemoryContext};

	verifier->signers = hash_create("signers", 16, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	if (SPI_execute("SELECT signer_id, public_key, coalesce(valid_from, '-infinity'), coalesce(valid_to, 'infinity'), status = 'revoked' OR revoked_at IS NOT NULL, coalesce(revoked_at, '-infinity'), purpose"
					/* one without a key, as none can be that was registered, counts as not registered */
					" FROM reason.signer WHERE octet_length(public_key) = 32 AND signer_id IS NOT NULL AND purpose IS NOT NULL ORDER BY signer_id", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the signers");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		bool		found;
		Signer	   *signer = hash_search(verifier->signers, SPI_getvalue(tuple, desc, 1), HASH_ENTER, &found);

		memcpy(signer->key, VARDATA_ANY(DatumGetByteaPP(SPI_getbinval(tuple, desc, 2, &isnull))), ED25519_KEY_LENGTH);
		signer->times.valid_from = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
		signer->times.valid_to = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 4, &isnull));
		signer->times.revoked = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
		signer->times.revoked_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 6, &isnull));
		strlcpy(signer->purpose, SPI_getvalue(tuple, desc, 7), sizeof(signer->purpose));
		signer->times.other_purpose = strcmp(signer->purpose, "events") != 0;
		signer->number = (int) i;
		signer->signed_before_revocation = 0;
	}
	SPI_freetuptable(SPI_tuptable);
}

static Signer *
signer_of(Verifier *verifier, RecordText id)
{
	char		key[MAX_SIGNER_BYTES] = {0};

	if (id.length >= MAX_SIGNER_BYTES)
		return NULL;
	memcpy(key, id.data, id.length);
	return hash_search(verifier->signers, key, HASH_FIND, NULL);
}

/* A seal is signed at some time after it is made, and its place in the chain vouches for when that was. */
static bool
check_signature(Verifier *verifier, int64 seq, const uint8 *hash, TimestampTz created_at)
{
	AuditChecker *checker = &verifier->checker;
	TupleTableSlot *slot = verifier->signatures.slot;
	RecordText	signer_id;
	Signer	   *signer;
	bytea	   *signature;
	int64		signed_seq = verifier->at_signature ? DatumGetInt64(row_scan_value(slot, verifier->signature_seq)) : 0;

	if (!verifier->at_signature || signed_seq > seq)
	{
		if (verifier->unsigned_count++ == 0)
			verifier->unsigned_first = seq;
		return true;
	}
	if (signed_seq < seq)
		return audit_fault(checker, "audit_signature: there is a signature of " INT64_FORMAT ", which is not sealed", signed_seq);
	if (verifier->unsigned_count > 0)
		return audit_fault(checker, "audit_signature: the signature of " INT64_FORMAT " is missing", verifier->unsigned_first);

	signer_id = row_scan_text_value(slot, verifier->signature_signer_id);
	signer = signer_of(verifier, signer_id);
	if (signer == NULL)
		return audit_fault(checker, "audit_signature: column signer_id names \"%.*s\", who is not registered",
						   (int) signer_id.length, signer_id.data);
	signature = DatumGetByteaPP(row_scan_value(slot, verifier->signature_signature));
	if (VARSIZE_ANY_EXHDR(signature) != ED25519_SIGNATURE_LENGTH ||
		!ed25519_verify(signer->key, hash, SHA256_LENGTH, (uint8 *) VARDATA_ANY(signature)))
		return audit_fault(checker, "audit_signature: column signature is not that of signer \"%s\" over the hash", signer->id);
	switch (key_validity(&signer->times, created_at, KEY_TIME_END, true))
	{
		case KEY_REVOKED:
			return audit_fault(checker, "audit_signature: signer \"%s\" was revoked by then, as of %s", signer->id,
							   timestamptz_to_str(signer->times.revoked_at));
		case KEY_NO_LONGER_VALID:
			return audit_fault(checker, "audit_signature: signer \"%s\" was valid only to %s", signer->id,
							   timestamptz_to_str(signer->times.valid_to));
		case KEY_OTHER_PURPOSE:
			return audit_fault(checker, "audit_signature: signer \"%s\" is registered for %s, and signs no events", signer->id,
							   signer->purpose);
		case KEY_NOT_VALID_YET: /* nothing says until when it was signed */
		case KEY_COUNTS:
			break;
		case KEY_COUNTED_THEN:
			signer->signed_before_revocation++;
			break;
	}
	verifier->signed_any = true;
	verifier->at_signature = row_scan_next(&verifier->signatures);
	return true;
}

/* ---------------------------------------------------------------- one event */

/* A constraint fixes the length of hashes, but whoever can alter rows can drop it. */
static bool
is_hash(bytea *value, const uint8 *hash)
{
	return VARSIZE_ANY_EXHDR(value) == SHA256_LENGTH && memcmp(VARDATA_ANY(value), hash, SHA256_LENGTH) == 0;
}

static bool
check_event(Verifier *verifier, int64 no)
{
	AuditChecker *checker = &verifier->checker;
	TupleTableSlot *slot = verifier->events.slot;
	EventRow	row = {.no = no};
	char	   *fault;
	uint8		hash[SHA256_LENGTH];
	TimestampTz created_at;
	TupleTableSlot *seal = verifier->seals.slot;
	bytea	   *sealed_hash = DatumGetByteaPP(row_scan_value(seal, verifier->seal_hash));
	bool		first = verifier->seq < 0;

	if (!row_scan_seek(&verifier->events, no, verifier->division))
		return audit_fault(checker, "audit_event: the event with no " INT64_FORMAT " is missing", no);
	row.id = *DatumGetUUIDP(row_scan_value(slot, verifier->event_id));
	row.ts = DatumGetTimestampTz(row_scan_value(slot, verifier->event_ts));
	row.event_type = row_scan_text_value(slot, verifier->event_event_type);
	row.division.data = VARDATA_ANY(verifier->division);
	row.division.length = VARSIZE_ANY_EXHDR(verifier->division);
	row.payload = row_scan_text_value(slot, verifier->event_payload);
	if (!event_text_complete(&verifier->texts, &row, &fault))
		return audit_fault(checker, "%s", fault);

	sha256_of_two(hash, row.payload.data, row.payload.length, verifier->hash, first ? 0 : SHA256_LENGTH);
	if (!is_hash(sealed_hash, hash))
		return audit_fault(checker, "audit_event \"%s\": payload and prev_hash do not give the hash that was sealed", audit_uuid_text(&row.id));
	if (!audit_check_form(checker, &row))
		return false;

	created_at = first || row.ts > verifier->created_at ? row.ts : verifier->created_at + 1;
	if (DatumGetTimestampTz(row_scan_value(seal, verifier->seal_created_at)) != created_at)
		return audit_fault(checker, "audit_seal: column created_at does not follow from the event's time");
	memcpy(verifier->hash, hash, SHA256_LENGTH);
	verifier->created_at = created_at;
	return audit_check_subject(checker, row.event_type, no, &row.id);
}

/* The seal that is next: its place, its predecessor, its event, its signature. */
static bool
check_seal(Verifier *verifier)
{
	AuditChecker *checker = &verifier->checker;
	TupleTableSlot *seal = verifier->seals.slot;
	int64		seq = DatumGetInt64(row_scan_value(seal, verifier->seal_seq));
	int64		no = DatumGetInt64(row_scan_value(seal, verifier->seal_event_no));
	bool		isnull;
	Datum		prev_hash = slot_getattr(seal, verifier->seal_prev_hash, &isnull);

	if (seq != verifier->seq + 1)
		return audit_fault(checker, "audit_seal: the seal of " INT64_FORMAT " is missing", verifier->seq + 1);
	/* The row before holds it; what was once stored beside it must be the same. */
	if (!isnull && (seq == 0 || !is_hash(DatumGetByteaPP(prev_hash), verifier->hash)))
		return audit_fault(checker, "audit_seal: column prev_hash is not the hash of the event before");
	if (!check_event(verifier, no))
		return false;
	if (!check_signature(verifier, seq, verifier->hash, verifier->created_at))
		return false;
	verifier->seq = seq;
	return true;
}

/* ---------------------------------------------------------------- opening */

static void
open_tables(Verifier *verifier)
{
	Relation	table;

	row_scan_open(&verifier->seals, "audit_seal", "audit_seal_pkey", 2, verifier->snapshot);
	row_scan_open(&verifier->events, "audit_event", "audit_event_pkey", 1, verifier->snapshot);
	row_scan_seek_by(&verifier->events, "no");
	row_scan_open(&verifier->signatures, "audit_signature", "audit_signature_pkey", 2, verifier->snapshot);
	row_scan_text(&verifier->seals, 0, verifier->division);
	row_scan_text(&verifier->signatures, 0, verifier->division);
	row_scan_int8(&verifier->seals, 1, BTGreaterEqualStrategyNumber, 0);

	table = verifier->seals.heap;
	verifier->seal_seq = row_scan_column(table, "seq");
	verifier->seal_event_no = row_scan_column(table, "event_no");
	verifier->seal_prev_hash = row_scan_column(table, "prev_hash");
	verifier->seal_hash = row_scan_column(table, "hash");
	verifier->seal_created_at = row_scan_column(table, "created_at");
	table = verifier->events.heap;
	verifier->event_id = row_scan_column(table, "id");
	verifier->event_event_type = row_scan_column(table, "event_type");
	verifier->event_ts = row_scan_column(table, "ts");
	verifier->event_payload = row_scan_column(table, "payload");
	table = verifier->signatures.heap;
	verifier->signature_seq = row_scan_column(table, "seq");
	verifier->signature_signer_id = row_scan_column(table, "signer_id");
	verifier->signature_signature = row_scan_column(table, "signature");
}

/* ---------------------------------------------------------------- a range */

/* A range that goes further than the chain does is nothing that was altered, so no event is named as bad. */
static bool
beyond_end(Verifier *verifier)
{
	int64		last = audit_last_sealed(verifier);

	verifier->stray = true;
	if (last < 0)
		return audit_fault(&verifier->checker, "division \"%s\" has no chain", text_to_cstring(verifier->division));
	return audit_fault(&verifier->checker, "the chain ends at event " INT64_FORMAT ", and the range goes beyond it", last);
}

/* A range begins where the seal before it left off. */
static bool
read_predecessor(Verifier *verifier, int64 from_seq)
{
	bytea	   *hash;

	verifier->seq = from_seq - 1;
	if (from_seq == 0)
		return true;
	row_scan_int8(&verifier->seals, 1, BTGreaterEqualStrategyNumber, from_seq - 1);
	if (!row_scan_find(&verifier->seals) ||
		DatumGetInt64(row_scan_value(verifier->seals.slot, verifier->seal_seq)) != from_seq - 1)
		return audit_last_sealed(verifier) < from_seq - 1 ? beyond_end(verifier) :
			audit_fault(&verifier->checker, "audit_seal: the seal of " INT64_FORMAT " is missing", from_seq - 1);
	hash = DatumGetByteaPP(row_scan_value(verifier->seals.slot, verifier->seal_hash));
	if (VARSIZE_ANY_EXHDR(hash) != SHA256_LENGTH)
		return audit_fault(&verifier->checker, "audit_seal: column hash of " INT64_FORMAT " is no hash", from_seq - 1);
	memcpy(verifier->hash, VARDATA_ANY(hash), SHA256_LENGTH);
	verifier->created_at = DatumGetTimestampTz(row_scan_value(verifier->seals.slot, verifier->seal_created_at));
	return true;
}

bool
audit_verify_range(Verifier *verifier, int64 from_seq, int64 to_seq)
{
	bool		good = read_predecessor(verifier, from_seq);

	row_scan_int8(&verifier->seals, 1, BTGreaterEqualStrategyNumber, from_seq);
	row_scan_int8(&verifier->signatures, 1, BTGreaterEqualStrategyNumber, from_seq);
	row_scan_start(&verifier->signatures);
	verifier->at_signature = row_scan_next(&verifier->signatures);
	row_scan_start(&verifier->seals);
	while (good && verifier->seq < to_seq && row_scan_next(&verifier->seals))
	{
		MemoryContext old_context = MemoryContextSwitchTo(verifier->event_context);

		CHECK_FOR_INTERRUPTS();
		good = check_seal(verifier);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(verifier->event_context);
	}
	if (good && to_seq == PG_INT64_MAX && verifier->at_signature)
	{
		verifier->seq++;
		good = audit_fault(&verifier->checker, "audit_seal: there is a signature of " INT64_FORMAT ", which is not sealed",
						   DatumGetInt64(row_scan_value(verifier->signatures.slot, verifier->signature_seq)));
		verifier->seq--;
	}
	if (good && to_seq != PG_INT64_MAX && verifier->seq < to_seq)
		good = beyond_end(verifier);
	return good;
}

/* ---------------------------------------------------------------- a verifier */

void
audit_verifier_open(Verifier *verifier, text *division, bool whole)
{
	memset(verifier, 0, sizeof(*verifier));
	verifier->division = division;
	verifier->snapshot = RegisterSnapshot(GetActiveSnapshot());
	verifier->event_context = AllocSetContextCreate(CurrentMemoryContext, "event", ALLOCSET_DEFAULT_SIZES);
	record_reader_open(&verifier->reader, verifier->snapshot, division);
	event_texts_begin(&verifier->texts, verifier->snapshot, &verifier->reader);
	audit_checker_init(&verifier->checker, &verifier->reader);
	/* Over a whole chain each node is checked at its own event. */
	verifier->checker.check_ends = !whole;
	read_signers(verifier);
	open_tables(verifier);
}

void
audit_verifier_close(Verifier *verifier)
{
	row_scan_close(&verifier->signatures);
	row_scan_close(&verifier->events);
	row_scan_close(&verifier->seals);
	hash_destroy(verifier->signers);
	event_texts_end(&verifier->texts);
	record_reader_close(&verifier->reader);
	UnregisterSnapshot(verifier->snapshot);
}

int64
audit_last_sealed(Verifier *verifier)
{
	row_scan_int8(&verifier->seals, 1, BTGreaterEqualStrategyNumber, 0);
	return row_scan_find_last(&verifier->seals) ?
		DatumGetInt64(row_scan_value(verifier->seals.slot, verifier->seal_seq)) : -1;
}
