/*
 * fuzz_note.c
 *		Whatever bytes are given for a signed note, a verifier key, a proof or a policy:
 *		they are refused, or they are the one text of what was read.
 *
 * Readers that took two texts for one thing would let the same note be told in
 * ways that others refuse.
 */
#include <stdint.h>

#include "core/base64.h"
#include "core/log_policy.h"
#include "core/tlog_proof.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
verify_nothing(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
	return length > 0 && signature[0] == message[0] && public_key[0] == 0;
}

static void
must_be(ByteBuffer *written, const char *bytes, size_t length)
{
	MUST(!written->failed && written->length == length && (length == 0 || memcmp(written->data, bytes, length) == 0));
	buffer_free(written);
}

static void
try_note(const char *bytes, size_t length)
{
	static SignedNote note;
	Checkpoint	checkpoint;
	ByteBuffer	written;
	bool		whole = true;

	if (note_parse(&note, bytes, length))
		return;
	MUST(note.signature_count > 0 && note.text.data == bytes && note.text.length < length);
	buffer_init(&written, NULL, NULL);
	note_begin(&written, note.text.data, note.text.length);
	for (size_t i = 0; i < note.signature_count; i++)
	{
		const NoteSignature *signature = &note.signatures[i];

		/* what is longer than any that is verified was not kept whole */
		whole = whole && signature->length <= NOTE_SIGNATURE_KEPT;
		if (whole)
			note_append_signature(&written, signature->name.data, signature->name.length, signature->key_id, signature->bytes,
								  signature->length);
	}
	if (whole)
		must_be(&written, bytes, length);
	buffer_free(&written);
	if (checkpoint_parse(&checkpoint, note.text.data, note.text.length) || checkpoint.has_extensions)
		return;
	buffer_init(&written, NULL, NULL);
	checkpoint_text(&written, checkpoint.origin.data, checkpoint.origin.length, checkpoint.size, checkpoint.root);
	must_be(&written, note.text.data, note.text.length);
}

static void
try_key(const char *bytes, size_t length)
{
	NoteKey		key;
	ByteBuffer	written;

	if (note_key_parse(&key, bytes, length) || (key.type != NOTE_TYPE_ED25519 && key.type != NOTE_TYPE_COSIGNATURE))
		return;
	buffer_init(&written, NULL, NULL);
	note_key_write(&written, key.name.data, key.name.length, key.type, key.public_key);
	must_be(&written, bytes, length);
}

static void
try_proof(const char *bytes, size_t length)
{
	static TlogProof proof;
	ByteBuffer	extra;
	ByteBuffer	written;

	if (tlog_proof_parse(&proof, bytes, length))
		return;
	MUST(proof.index < proof.checkpoint.size);
	buffer_init(&extra, NULL, NULL);
	buffer_init(&written, NULL, NULL);
	MUST(tlog_proof_extra(&extra, &proof));
	tlog_proof_write(&written, proof.has_extra ? (extra.data ? extra.data : "") : NULL, extra.length, proof.index, proof.hashes,
					 proof.hash_count, proof.note.data, proof.note.length);
	must_be(&written, bytes, length);
	buffer_free(&extra);
}

static void
try_policy(const char *bytes, size_t length)
{
	static LogPolicy policy;
	static PolicyVerdict verdict;
	static SignedNote note;
	static const char signed_text[] = "log.example/a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xE2\x80\x94 log.example/a AAAAAAA=\n";
	Checkpoint	checkpoint;
	size_t		line;
	size_t		members[POLICY_ENTRIES_MOST] = {0};

	if (log_policy_parse(&policy, bytes, length, &line))
		return;
	MUST(policy.quorum < (int) policy.entry_count);
	for (size_t i = 0; i < policy.entry_count; i++)
	{
		MUST(policy.entries[i].group == -1 || policy.entries[i].group > (int) i);
		if (policy.entries[i].group >= 0)
			members[policy.entries[i].group]++;
	}
	for (size_t i = 0; i < policy.entry_count; i++)
		MUST(!policy.entries[i].is_group || (policy.entries[i].least >= 1 && policy.entries[i].least <= members[i]));
	MUST(note_parse(&note, signed_text, sizeof(signed_text) - 1) == NULL);
	MUST(checkpoint_parse(&checkpoint, note.text.data, note.text.length) == NULL);
	log_policy_judge(&policy, &note, &checkpoint, verify_nothing, &verdict);
	MUST(verdict.log == NULL && verdict.witness_count == 0 && verdict.quorum == (policy.quorum < 0 && !verdict.forged.data));
}

static void
try_base64(const char *bytes, size_t length)
{
	ByteBuffer	decoded;
	ByteBuffer	written;

	buffer_init(&decoded, NULL, NULL);
	if (base64_decode_append(&decoded, bytes, length))
	{
		buffer_init(&written, NULL, NULL);
		base64_append(&written, decoded.data, decoded.length);
		must_be(&written, bytes, length);
	}
	buffer_free(&decoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;

	try_note(bytes, size);
	try_key(bytes, size);
	try_proof(bytes, size);
	try_policy(bytes, size);
	try_base64(bytes, size);
	return 0;
}
