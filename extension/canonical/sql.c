/*
 * sql.c
 *		canonical_json() and digest() for SQL.
 */

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "core/canonical.h"
#include "core/sha256.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(reason_canonical_json);
PG_FUNCTION_INFO_V1(reason_canonical_jsonb);
PG_FUNCTION_INFO_V1(reason_digest_jsonb);

/* Bytes that are hashed and exchanged are UTF-8; so must be what they are made of. */
static void
check_encoding(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("canonical JSON needs a database with encoding UTF8"),
				 errdetail("This database has encoding %s.", GetDatabaseEncodingName())));
}

/* A buffer that becomes a text: the header's place is kept free. */
static void
begin_text(ByteBuffer *out, size_t expected)
{
	buffer_init(out, canonical_realloc, CurrentMemoryContext);
	if (buffer_reserve(out, VARHDRSZ + expected))
		out->length = VARHDRSZ;
}

static Datum
end_text(ByteBuffer *out)
{
	if (out->length > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("canonical form is longer than a text can be"),
				 errdetail("It has %zu bytes.", out->length - VARHDRSZ)));
	SET_VARSIZE(out->data, out->length);
	PG_RETURN_TEXT_P((text *) out->data);
}

/* canonical_json(json) → text */
Datum
reason_canonical_json(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	JsonLimits	limits = {.max_depth = reason_max_canonical_depth};
	JsonDocument document;
	JsonError	error;
	ByteBuffer	out;

	check_encoding();
	json_document_init(&document, canonical_realloc, CurrentMemoryContext);
	if (!json_read(&document, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), &limits, &error))
		canonical_report(&error);
	begin_text(&out, VARSIZE_ANY_EXHDR(source));
	canonical_write_value(&out, &document, json_root(&document));
	return end_text(&out);
}

/* canonical_json(jsonb) → text */
Datum
reason_canonical_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *source = PG_GETARG_JSONB_P(0);
	ByteBuffer	out;

	check_encoding();
	begin_text(&out, VARSIZE(source) + VARSIZE(source) / 4);
	canonical_write_jsonb(&out, source);
	return end_text(&out);
}

/* Documents are hashed in pieces of this size, which the processor's caches hold. */
#define DIGEST_PIECE (64 * 1024)

static void
hash_piece(void *context, ByteBuffer *out)
{
	sha256_update(context, out->data, out->length);
	out->length = 0;
}

/* digest(jsonb) → bytea: SHA-256 of the canonical form */
Datum
reason_digest_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *source = PG_GETARG_JSONB_P(0);
	bytea	   *result = palloc(VARHDRSZ + SHA256_LENGTH);
	Sha256		hash;
	ByteBuffer	out;

	check_encoding();
	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	buffer_reserve(&out, Min(VARSIZE(source) + VARSIZE(source) / 4, 2 * DIGEST_PIECE));
	sha256_init(&hash);
	canonical_stream_jsonb(&out, source, DIGEST_PIECE, hash_piece, &hash);
	sha256_update(&hash, out.data, out.length);
	SET_VARSIZE(result, VARHDRSZ + SHA256_LENGTH);
	sha256_final(&hash, (uint8 *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}
