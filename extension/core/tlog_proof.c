/*
 * tlog_proof.c
 *		Proofs that an entry is in a log, in one text: https://c2sp.org/tlog-proof
 */
#include "core/tlog_proof.h"

#include "core/base64.h"
#include "core/decimal.h"

static const char first_line[] = "c2sp.org/tlog-proof@v1\n";
#define FIRST_LINE_LENGTH (sizeof(first_line) - 1)

/* What follows the word and a space in the line; false if it begins otherwise. */
static bool
line_after(const NoteText *line, const char *word, NoteText *rest)
{
	size_t		length = strlen(word);

	if (line->length <= length || memcmp(line->data, word, length) != 0 || line->data[length] != ' ')
		return false;
	rest->data = line->data + length + 1;
	rest->length = line->length - length - 1;
	return true;
}

bool
tlog_proof_recognises(const char *bytes, size_t length)
{
	return length >= FIRST_LINE_LENGTH && memcmp(bytes, first_line, FIRST_LINE_LENGTH) == 0;
}

/* Lines up to the empty one, which is passed over. */
static const char *
read_hashes(TlogProof *proof, const char **at, const char *end)
{
	static const char malformed[] = "the proof has a line that is not 32 bytes in Base 64";
	NoteText	line;
	size_t		length;

	for (;;)
	{
		if (!note_next_line(at, end, &line))
			return "the proof ends before its checkpoint";
		if (line.length == 0)
			return NULL;
		if (proof->hash_count == TLOG_PROOF_HASHES_MOST)
			return "the proof has more than 63 hashes";
		if (!base64_decoded_length(line.data, line.length, &length) || length != SHA256_LENGTH ||
			!base64_decode(line.data, line.length, proof->hashes[proof->hash_count], SHA256_LENGTH))
			return malformed;
		proof->hash_count++;
	}
}

const char *
tlog_proof_parse(TlogProof *proof, const char *bytes, size_t length)
{
	const char *at;
	const char *end;
	const char *error;
	NoteText	line;
	NoteText	number;
	size_t		extra_length;

	memset(proof, 0, sizeof(*proof));
	if (length > TLOG_PROOF_BYTES_MOST)
		return "the proof is larger than 64 megabytes";
	if (!tlog_proof_recognises(bytes, length))
		return "the first line is not \"c2sp.org/tlog-proof@v1\"";
	at = bytes + FIRST_LINE_LENGTH;
	end = bytes + length;
	if (!note_next_line(&at, end, &line))
		return "the proof has no index";
	if (line_after(&line, "extra", &proof->extra))
	{
		proof->has_extra = true;
		if (!base64_decoded_length(proof->extra.data, proof->extra.length, &extra_length) ||
			!base64_decode(proof->extra.data, proof->extra.length, NULL, 0))
			return "the proof's extra data is not Base 64";
		if (!note_next_line(&at, end, &line))
			return "the proof has no index";
	}
	if (!line_after(&line, "index", &number) || !decimal_read(number.data, number.length, &proof->index))
		return "the proof's index is no decimal without leading zeros, or exceeds 2^63 - 1";
	error = read_hashes(proof, &at, end);
	if (error)
		return error;
	proof->note.data = at;
	proof->note.length = (size_t) (end - at);
	error = note_parse(&proof->signed_note, at, (size_t) (end - at));
	if (!error)
		error = checkpoint_parse(&proof->checkpoint, proof->signed_note.text.data, proof->signed_note.text.length);
	if (!error && proof->index >= proof->checkpoint.size)
		error = "the proof's index is not below the checkpoint's size";
	return error;
}

bool
tlog_proof_extra(ByteBuffer *out, const TlogProof *proof)
{
	return !proof->has_extra || base64_decode_append(out, proof->extra.data, proof->extra.length);
}

void
tlog_proof_write(ByteBuffer *out, const void *extra, size_t extra_length, uint64_t index,
				 const uint8_t (*hashes)[SHA256_LENGTH], size_t hash_count, const char *note, size_t note_length)
{
	buffer_append(out, first_line, FIRST_LINE_LENGTH);
	if (extra)
	{
		buffer_append_literal(out, "extra ");
		base64_append(out, extra, extra_length);
		buffer_append_char(out, '\n');
	}
	buffer_append_literal(out, "index ");
	decimal_append(out, index);
	buffer_append_char(out, '\n');
	for (size_t i = 0; i < hash_count; i++)
	{
		base64_append(out, hashes[i], SHA256_LENGTH);
		buffer_append_char(out, '\n');
	}
	buffer_append_char(out, '\n');
	buffer_append(out, note, note_length);
}
