/*
 * checkpoint_sql.c
 *		Checkpoints, their signatures and cosignatures for SQL: what core makes of
 *		them, and what is wrong with one.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "chain/ed25519.h"
#include "core/checkpoint.h"
#include "core/merkle.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "catalog/pg_type.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_checkpoint_text);
PG_FUNCTION_INFO_V1(reason_checkpoint_note_fault);
PG_FUNCTION_INFO_V1(reason_cosignature_fault);
PG_FUNCTION_INFO_V1(reason_cosignature_line);
PG_FUNCTION_INFO_V1(reason_log_origin_of);
PG_FUNCTION_INFO_V1(reason_log_key);
PG_FUNCTION_INFO_V1(reason_merkle_root);

static bool
verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
	return ed25519_verify(public_key, message, length, signature);
}

static text *
text_of(const ByteBuffer *buffer)
{
	return cstring_to_text_with_len(buffer->data, (int) buffer->length);
}

/* The text of a checkpoint from arguments 0 (origin), 1 (size) and 2 (root). */
static void
write_checkpoint(FunctionCallInfo fcinfo, ByteBuffer *out)
{
	text	   *origin = PG_GETARG_TEXT_PP(0);
	int64		size = PG_GETARG_INT64(1);
	bytea	   *root = PG_GETARG_BYTEA_PP(2);

	if (size < 0 || VARSIZE_ANY_EXHDR(root) != MERKLE_HASH_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a checkpoint has a size that is not negative, and a root of %d bytes", MERKLE_HASH_LENGTH)));
	buffer_init(out, canonical_realloc, CurrentMemoryContext);
	checkpoint_text(out, VARDATA_ANY(origin), VARSIZE_ANY_EXHDR(origin), (uint64) size, (uint8 *) VARDATA_ANY(root));
}

/* checkpoint_text(origin text, size bigint, root bytea) → text */
Datum
reason_checkpoint_text(PG_FUNCTION_ARGS)
{
	ByteBuffer	out;

	write_checkpoint(fcinfo, &out);
	PG_RETURN_TEXT_P(text_of(&out));
}

/* What is wrong with a note that should hold this text, and this signature by this key. */
static const char *
note_fault(const ByteBuffer *expected, text *note_text, const NoteKey *key, bytea *signature)
{
	SignedNote *note = palloc(sizeof(SignedNote));
	const char *fault = note_parse(note, VARDATA_ANY(note_text), VARSIZE_ANY_EXHDR(note_text));

	if (fault)
		return fault;
	if (note->text.length != expected->length || memcmp(note->text.data, expected->data, expected->length) != 0)
		return "its text is not that of the checkpoint";
	if (note_verify(note, key, verify, NULL) != NOTE_VERIFIED)
		return "it has no signature line of the key that verifies";
	for (size_t i = 0; i < note->signature_count; i++)
	{
		const NoteSignature *line = &note->signatures[i];

		if (memcmp(line->key_id, key->key_id, NOTE_KEY_ID_LENGTH) == 0 && line->length == VARSIZE_ANY_EXHDR(signature) &&
			memcmp(line->bytes, VARDATA_ANY(signature), line->length) == 0)
			return NULL;
	}
	return "its signature line is not the signature";
}

/* checkpoint_note_fault(origin text, size bigint, root bytea, public_key bytea, signature bytea, note text) → text */
Datum
reason_checkpoint_note_fault(PG_FUNCTION_ARGS)
{
	text	   *origin = PG_GETARG_TEXT_PP(0);
	bytea	   *public_key = PG_GETARG_BYTEA_PP(3);
	bytea	   *signature = PG_GETARG_BYTEA_PP(4);
	NoteKey		key = {.name = {VARDATA_ANY(origin), VARSIZE_ANY_EXHDR(origin)}, .type = NOTE_TYPE_ED25519};
	ByteBuffer	message;
	const char *fault;

	write_checkpoint(fcinfo, &message);
	if (VARSIZE_ANY_EXHDR(public_key) != ED25519_KEY_LENGTH || VARSIZE_ANY_EXHDR(signature) != ED25519_SIGNATURE_LENGTH ||
		!ed25519_verify((uint8 *) VARDATA_ANY(public_key), message.data, message.length, (uint8 *) VARDATA_ANY(signature)))
		PG_RETURN_TEXT_P(cstring_to_text("the signature is not that of the key over the checkpoint"));
	memcpy(key.public_key, VARDATA_ANY(public_key), ED25519_KEY_LENGTH);
	note_key_id(key.key_id, key.name.data, key.name.length, NOTE_TYPE_ED25519, key.public_key, ED25519_KEY_LENGTH);
	fault = note_fault(&message, PG_GETARG_TEXT_PP(5), &key, signature);
	if (fault)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("the note: %s", fault)));
	PG_RETURN_NULL();
}

/* ---------------------------------------------------------------- witnesses */

/* cosignature_fault(origin text, size bigint, root bytea, vkey text, made bigint, signature bytea) → text */
Datum
reason_cosignature_fault(PG_FUNCTION_ARGS)
{
	text	   *vkey = PG_GETARG_TEXT_PP(3);
	int64		made = PG_GETARG_INT64(4);
	bytea	   *signature = PG_GETARG_BYTEA_PP(5);
	ByteBuffer	checkpoint;
	ByteBuffer	message;
	NoteKey		key;
	const char *fault = note_key_parse(&key, VARDATA_ANY(vkey), VARSIZE_ANY_EXHDR(vkey));

	if (fault)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("the verifier key: %s", fault)));
	if (key.type != NOTE_TYPE_COSIGNATURE)
		PG_RETURN_TEXT_P(cstring_to_text("the verifier key is not one of cosignatures by Ed25519"));
	write_checkpoint(fcinfo, &checkpoint);
	buffer_init(&message, canonical_realloc, CurrentMemoryContext);
	if (made >= 0)
		cosignature_message(&message, (uint64) made, checkpoint.data, checkpoint.length);
	if (made < 0 || VARSIZE_ANY_EXHDR(signature) != ED25519_SIGNATURE_LENGTH ||
		!ed25519_verify(key.public_key, message.data, message.length, (uint8 *) VARDATA_ANY(signature)))
		PG_RETURN_TEXT_P(cstring_to_text("the cosignature is not that of the witness over the checkpoint"));
	PG_RETURN_NULL();
}

/* cosignature_line(witness text, key_id bytea, made bigint, signature bytea) → text */
Datum
reason_cosignature_line(PG_FUNCTION_ARGS)
{
	text	   *witness = PG_GETARG_TEXT_PP(0);
	bytea	   *key_id = PG_GETARG_BYTEA_PP(1);
	bytea	   *signature = PG_GETARG_BYTEA_PP(3);
	uint8		bytes[COSIGNATURE_LENGTH];
	ByteBuffer	out;

	if (VARSIZE_ANY_EXHDR(key_id) != NOTE_KEY_ID_LENGTH || VARSIZE_ANY_EXHDR(signature) != ED25519_SIGNATURE_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a cosignature has a key id of %d bytes and a signature of %d", NOTE_KEY_ID_LENGTH, ED25519_SIGNATURE_LENGTH)));
	cosignature_write(bytes, (uint64) PG_GETARG_INT64(2), (uint8 *) VARDATA_ANY(signature));
	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	note_append_signature(&out, VARDATA_ANY(witness), VARSIZE_ANY_EXHDR(witness), (uint8 *) VARDATA_ANY(key_id), bytes, sizeof(bytes));
	PG_RETURN_TEXT_P(text_of(&out));
}

/* log_key(vkey text) → (name text, key_id bytea, type integer, public_key bytea) */
Datum
reason_log_key(PG_FUNCTION_ARGS)
{
	text	   *vkey = PG_GETARG_TEXT_PP(0);
	NoteKey		key;
	const char *fault = note_key_parse(&key, VARDATA_ANY(vkey), VARSIZE_ANY_EXHDR(vkey));
	TupleDesc	desc;
	Datum		values[4];
	bool		nulls[4] = {0};
	bytea	   *key_id = palloc(VARHDRSZ + NOTE_KEY_ID_LENGTH);
	bytea	   *public_key = palloc(VARHDRSZ + NOTE_PUBLIC_KEY_LENGTH);

	if (fault)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is not a verifier key: %s", fault),
				 errhint("A verifier key is written name+id+key, as its owner gives it out.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SET_VARSIZE(key_id, VARHDRSZ + NOTE_KEY_ID_LENGTH);
	memcpy(VARDATA(key_id), key.key_id, NOTE_KEY_ID_LENGTH);
	SET_VARSIZE(public_key, VARHDRSZ + NOTE_PUBLIC_KEY_LENGTH);
	memcpy(VARDATA(public_key), key.public_key, NOTE_PUBLIC_KEY_LENGTH);
	values[0] = PointerGetDatum(cstring_to_text_with_len(key.name.data, (int) key.name.length));
	values[1] = PointerGetDatum(key_id);
	values[2] = Int32GetDatum(key.type);
	values[3] = PointerGetDatum(public_key);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---------------------------------------------------------------- names, and heads of many logs */

/* log_origin_of(prefix text, division text, epoch integer) → text */
Datum
reason_log_origin_of(PG_FUNCTION_ARGS)
{
	text	   *division = PG_GETARG_TEXT_PP(1);
	ByteBuffer	out;

	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	checkpoint_origin(&out, text_to_cstring(PG_GETARG_TEXT_PP(0)), VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division),
					  (uint32) PG_GETARG_INT32(2));
	PG_RETURN_TEXT_P(text_of(&out));
}

/* merkle_root(leaves text[]) → bytea: the root of the tree with these leaves, in this order */
Datum
reason_merkle_root(PG_FUNCTION_ARGS)
{
	Datum	   *leaves;
	int			count;
	MerkleRange range;
	bytea	   *result = palloc(VARHDRSZ + MERKLE_HASH_LENGTH);

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &leaves, NULL, &count);
	merkle_range_init(&range);
	for (int i = 0; i < count; i++)
	{
		text	   *leaf = DatumGetTextPP(leaves[i]);
		MerkleHash	hash;

		merkle_leaf_hash(VARDATA_ANY(leaf), VARSIZE_ANY_EXHDR(leaf), hash);
		merkle_range_append(&range, hash);
	}
	SET_VARSIZE(result, VARHDRSZ + MERKLE_HASH_LENGTH);
	merkle_range_root(&range, (uint8 *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}
