/*
 * verify_sql.c
 *		verify_audit() for SQL.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "chain/verify.h"
#include "chain/verify_parallel.h"
#include "record/record.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_verify_audit);

/* What a reader of the result should know though nothing is wrong. */
static void
append_remarks(Verifier *verifier, StringInfo detail)
{
	HASH_SEQ_STATUS status;
	Signer	   *signer;

	if (verifier->unsigned_count > 0)
		appendStringInfo(detail, INT64_FORMAT " events from " INT64_FORMAT " on are sealed and await their signature",
						 verifier->unsigned_count, verifier->unsigned_first);
	hash_seq_init(&status, verifier->signers);
	while ((signer = hash_seq_search(&status)) != NULL)
	{
		if (signer->signed_before_revocation > 0)
			appendStringInfo(detail, "%s" INT64_FORMAT " signatures are by \"%s\", revoked as of %s", detail->len > 0 ? "; " : "",
							 signer->signed_before_revocation, signer->id, timestamptz_to_str(signer->times.revoked_at));
	}
}

/* What lies behind the chain's end: events without a place, or nothing at all. */
static bool
check_end(Verifier *verifier, StringInfo detail)
{
	Oid			types[] = {TEXTOID, INT8OID};
	Datum		values[] = {PointerGetDatum(verifier->division), Int64GetDatum(verifier->seq)};
	char	   *fault;
	char	   *remark;

	if (SPI_execute_with_args("SELECT fault, remark FROM reason.chain_end($1, $2)", 2, types, values, NULL, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look behind the end of the chain");
	fault = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	remark = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (fault)
		verifier->stray = true;
	if (fault || remark)
		appendStringInfo(detail, "%s%s", detail->len > 0 ? "; " : "", fault ? fault : remark);
	return fault == NULL;
}

/* The transparency log over the chain: what is stored of its tree, and its checkpoints. */
static bool
check_log(Verifier *verifier, StringInfo detail)
{
	Oid			type = TEXTOID;
	Datum		value = PointerGetDatum(verifier->division);
	char	   *fault;

	if (SPI_execute_with_args("SELECT CASE WHEN NOT l.ok THEN l.detail END FROM reason.verify_log($1) l", 1, &type, &value, NULL, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not verify the log");
	fault = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (fault == NULL)
		return true;
	/* Nothing of it has a place in the chain. */
	verifier->stray = true;
	appendStringInfo(detail, "%s%s", detail->len > 0 ? "; " : "", fault);
	return false;
}

/* verify_audit(division, from_seq, to_seq) → (ok, checked, head_seq, head_hash, first_bad_seq, detail) */
Datum
reason_verify_audit(PG_FUNCTION_ARGS)
{
	Verifier	verifier;
	int64		from_seq = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
	int64		to_seq = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2);
	bool		whole = from_seq == 0 && to_seq == PG_INT64_MAX;
	bool		good;
	text	   *division;
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {0};
	StringInfoData detail;
	MemoryContext context = CurrentMemoryContext;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (from_seq < 0 || to_seq < from_seq)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("from_seq must not be negative, nor to_seq less than from_seq")));
	division = DatumGetTextPCopy(PG_GETARG_DATUM(0));

	SPI_connect();
	audit_require_division(division);
	audit_verifier_open(&verifier, division, whole);
	good = audit_verify_together(&verifier, from_seq, to_seq, whole);

	MemoryContextSwitchTo(context);
	initStringInfo(&detail);
	appendBinaryStringInfo(&detail, verifier.checker.fault->data, verifier.checker.fault->len);
	if (good)
		append_remarks(&verifier, &detail);
	/* A row without its event may be one whose event cannot be sealed. */
	if (whole && (good || verifier.stray))
		good = check_end(&verifier, &detail) && good;
	if (whole && good)
		good = check_log(&verifier, &detail);
	audit_verifier_close(&verifier);

	/* Whoever asks through SPI is left in a context that ends with SPI_finish(). */
	MemoryContextSwitchTo(context);
	values[0] = BoolGetDatum(good);
	values[1] = Int64GetDatum(Max(verifier.seq + 1 - from_seq, 0));
	nulls[2] = nulls[3] = verifier.seq < from_seq;
	values[2] = Int64GetDatum(verifier.seq);
	if (!nulls[3])
	{
		ByteBuffer	hex;

		buffer_init(&hex, canonical_realloc, context);
		record_write_hex(&hex, verifier.hash, SHA256_LENGTH);
		values[3] = PointerGetDatum(cstring_to_text_with_len(hex.data + 1, hex.length - 2));
	}
	/* A row that no event records has no place in the chain. */
	nulls[4] = good || verifier.stray;
	values[4] = Int64GetDatum(verifier.seq + 1);
	nulls[5] = detail.len == 0;
	values[5] = PointerGetDatum(cstring_to_text_with_len(detail.data, detail.len));
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
