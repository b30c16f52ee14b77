/*
 * test_signed_note.c
 *		Base 64, signed notes, verifier keys, checkpoints and cosignatures: what the
 *		specifications say, and what they refuse.
 */
#include "check.h"

#include <sodium.h>

#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/decimal.h"

/* https://c2sp.org/signed-note, "Example" (C2SP, CC BY 4.0) */
static const char example_vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char example_note[] =
	"This is an example message.\n"
	"\n"
	"\xE2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/* https://c2sp.org/tlog-checkpoint (C2SP, CC BY 4.0) */
static const char example_checkpoint[] =
	"example.com/behind-the-sofa\n"
	"20852163\n"
	"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

static bool
verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
	return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

static void
test_base64(void)
{
	/* RFC 4648, section 10 */
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
										   {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	/* Bits left over, no padding, padding inside, too much of it, other alphabets, white space */
	static const char *const wrong[] = {"Zh==", "Zm9=", "Zg", "Zg=", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm9v====",
										"Zm9-", "Zm9_", " Zm9", "Zm=v", "Z\xC3\xA9=="};
	ByteBuffer	text;
	ByteBuffer	bytes;
	uint8_t		part[2];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
	{
		size_t		length;

		buffer_init(&text, NULL, NULL);
		buffer_init(&bytes, NULL, NULL);
		base64_append(&text, pairs[i][0], strlen(pairs[i][0]));
		CHECK_TEXT(text.data, text.length, pairs[i][1]);
		CHECK(BASE64_LENGTH(strlen(pairs[i][0])) == strlen(pairs[i][1]));
		CHECK(base64_decode_append(&bytes, pairs[i][1], strlen(pairs[i][1])));
		CHECK_TEXT(bytes.data, bytes.length, pairs[i][0]);
		CHECK(base64_decoded_length(pairs[i][1], strlen(pairs[i][1]), &length) && length == strlen(pairs[i][0]));
		buffer_free(&text);
		buffer_free(&bytes);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		buffer_init(&bytes, NULL, NULL);
		if (!CHECK(!base64_decode_append(&bytes, wrong[i], strlen(wrong[i])) && bytes.length == 0))
			fprintf(stderr, "  %s\n", wrong[i]);
		buffer_free(&bytes);
	}
	/* Whoever has no room for all gets the beginning, and an error in the rest all the same. */
	CHECK(base64_decode("Zm9vYmFy", 8, part, sizeof(part)) && memcmp(part, "fo", 2) == 0);
	CHECK(!base64_decode("Zm9vYm!y", 8, part, sizeof(part)));

	/* Every byte in every place, there and back. */
	for (unsigned value = 0; value < 256; value++)
	{
		uint8_t		original[3] = {(uint8_t) value, (uint8_t) (value ^ 0xFF), (uint8_t) (value * 7)};

		for (size_t length = 1; length <= 3; length++)
		{
			buffer_init(&text, NULL, NULL);
			buffer_init(&bytes, NULL, NULL);
			base64_append(&text, original, length);
			CHECK(base64_decode_append(&bytes, text.data, text.length) && bytes.length == length &&
				  memcmp(bytes.data, original, length) == 0);
			buffer_free(&text);
			buffer_free(&bytes);
		}
	}
}

static void
test_decimals(void)
{
	static const char *const wrong[] = {"", "00", "01", "-1", "+1", " 1", "1 ", "1e3", "0x1", "9223372036854775808",
										"18446744073709551616", "99999999999999999999", "1\n"};
	uint64_t	number = 1;
	ByteBuffer	text;

	CHECK(decimal_read("0", 1, &number) && number == 0);
	CHECK(decimal_read("9223372036854775807", 19, &number) && number == INT64_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK(!decimal_read(wrong[i], strlen(wrong[i]), &number));
	buffer_init(&text, NULL, NULL);
	decimal_append(&text, 0);
	decimal_append(&text, UINT64_MAX);
	CHECK_TEXT(text.data, text.length, "018446744073709551615");
	buffer_free(&text);
}

static const char *
key_error(const char *vkey)
{
	NoteKey		key;

	return note_key_parse(&key, vkey, strlen(vkey));
}

static void
test_keys(void)
{
	/* No id, an id in capitals, of another key, no key, other parts, spaces, a key too short, names that are none */
	static const char *const wrong[] = {"", "example.com/foo", "example.com/foo+530d903a",
										"example.com/foo+530d903a+", "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"example.com/fox+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
										"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
										"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
										"example.com/foo+530d903a+AQ==", "a+00000000+Ag==", "a+0000000+AgA=", "a+000000000+AgA=", "\xFF+00000000+AgA=", "+", "++"};
	NoteKey		key;
	ByteBuffer	text;

	CHECK(note_key_parse(&key, example_vkey, strlen(example_vkey)) == NULL);
	CHECK_TEXT(key.name.data, key.name.length, "example.com/foo");
	CHECK(key.type == NOTE_TYPE_ED25519 && memcmp(key.key_id, "\x53\x0d\x90\x3a", 4) == 0);
	buffer_init(&text, NULL, NULL);
	note_key_write(&text, key.name.data, key.name.length, key.type, key.public_key);
	CHECK_TEXT(text.data, text.length, example_vkey);
	buffer_free(&text);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		if (!CHECK(key_error(wrong[i]) != NULL))
			fprintf(stderr, "  %s\n", wrong[i]);
	}
	/* A key of a type to come can be named, and verifies nothing. */
	CHECK(note_key_parse(&key, "a+00000000+BgAA", 15) == NULL && key.type == 6);
}

static const char *
note_error(const char *bytes, size_t length)
{
	static SignedNote note;

	return note_parse(&note, bytes, length);
}

static void
test_notes(void)
{
	static SignedNote note;
	static const char *const names[] = {"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A", "\xE2\x80\xA8",
										"\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "+"};
	static const char line[] = "\xE2\x80\x94 a AAAAAAA=\n";
	/* Nothing, no text, no empty line, no signatures, no newline, other marks, other Base 64, too short, control characters, not UTF-8 */
	static const char *const wrong[] = {"", "\n", "\n\n", "a\n\n", "a\n\xE2\x80\x94 a AAAAAAA=\n",
										"a\n\n\xE2\x80\x94 a AAAAAAA=", "a\n\n- a AAAAAAA=\n", "a\n\n\xE2\x80\x94" "a AAAAAAA=\n",
										"a\n\n\xE2\x80\x94  AAAAAAA=\n", "a\n\n\xE2\x80\x94 a\n", "a\n\n\xE2\x80\x94 a \n",
										"a\n\n\xE2\x80\x94 a AAAAAA==\n", "a\n\n\xE2\x80\x94 a AAAAAAA\n", "a\n\n\xE2\x80\x94 a AAAAAAB=\n",
										"a\n\n\xE2\x80\x94 a AAAAAAA= \n", "a\n\n\xE2\x80\x94 a b AAAAAAA=\n", "a\n\n\xE2\x80\x94 a AAAAAAA=\n\n",
										"a\n\n\xE2\x80\x94 a AAAAAAA=\nb\n", "a\t\n\n\xE2\x80\x94 a AAAAAAA=\n", "a\r\n\r\n\xE2\x80\x94 a AAAAAAA=\r\n",
										"\xC0\x80\n\n\xE2\x80\x94 a AAAAAAA=\n", "\xED\xA0\x80\n\n\xE2\x80\x94 a AAAAAAA=\n"};
	ByteBuffer	text;
	NoteKey		key;
	NoteKey		other;
	uint64_t	timestamp;
	char		altered[sizeof(example_note)];

	CHECK(note_key_parse(&key, example_vkey, strlen(example_vkey)) == NULL);
	CHECK(note_parse(&note, example_note, strlen(example_note)) == NULL);
	CHECK_TEXT(note.text.data, note.text.length, "This is an example message.\n");
	CHECK(note.signature_count == 1 && note.signatures[0].length == NOTE_ED25519_LENGTH);
	CHECK(note_verify(&note, &key, verify, &timestamp) == NOTE_VERIFIED && timestamp == 0);

	/* Each bit of text or signature counts: the note is malformed, of somebody else, or forged. */
	for (size_t i = 0; i < strlen(example_note); i++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			memcpy(altered, example_note, sizeof(altered));
			altered[i] = (char) (altered[i] ^ 1 << bit);
			if (note_parse(&note, altered, strlen(example_note)) == NULL &&
				!CHECK(note_verify(&note, &key, verify, NULL) != NOTE_VERIFIED))
				fprintf(stderr, "  bit %d of byte %zu\n", bit, i);
		}
	}

	/* Name and id, not one of them. */
	CHECK(note_parse(&note, example_note, strlen(example_note)) == NULL);
	other = key;
	other.key_id[3] ^= 1;
	CHECK(note_verify(&note, &other, verify, NULL) == NOTE_NOT_SIGNED);
	other = key;
	other.name.length--;
	CHECK(note_verify(&note, &other, verify, NULL) == NOTE_NOT_SIGNED);
	other = key;
	other.type = NOTE_TYPE_COSIGNATURE;
	CHECK(note_verify(&note, &other, verify, NULL) == NOTE_FORGED);
	other.type = 6;
	CHECK(note_verify(&note, &other, verify, NULL) == NOTE_TYPE_UNKNOWN);

	/* A second line of a known key that does not verify spoils the first. */
	buffer_init(&text, NULL, NULL);
	buffer_append(&text, example_note, strlen(example_note));
	note_append_signature(&text, key.name.data, key.name.length, key.key_id, (const uint8_t *) "x", 1);
	CHECK(note_parse(&note, text.data, text.length) == NULL && note.signature_count == 2);
	CHECK(note_verify(&note, &key, verify, NULL) == NOTE_FORGED);
	buffer_free(&text);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		if (!CHECK(note_error(wrong[i], strlen(wrong[i])) != NULL))
			fprintf(stderr, "  case %zu\n", i);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CHECK(!note_key_name_is_valid(names[i], strlen(names[i])));
	CHECK(note_key_name_is_valid("\xE2\x80\x8B", 3));	/* not a space in Unicode's eyes */
	CHECK(note_error("a\0b\n\n\xE2\x80\x94 a AAAAAAA=\n", 20) != NULL);
	/* The last empty line parts text from signatures. */
	CHECK(note_parse(&note, "a\n\nb\n\n\xE2\x80\x94 a AAAAAAA=\n", 21) == NULL);
	CHECK_TEXT(note.text.data, note.text.length, "a\n\nb\n");
	CHECK(note_parse(&note, "\n\n\xE2\x80\x94 a AAAAAAA=\n", 17) == NULL && note.text.length == 1);

	/* A hundred signatures, and one megabyte, are the most. */
	buffer_init(&text, NULL, NULL);
	note_begin(&text, "a\n", 2);
	for (int i = 0; i < NOTE_SIGNATURES_MOST; i++)
		buffer_append(&text, line, sizeof(line) - 1);
	CHECK(note_parse(&note, text.data, text.length) == NULL && note.signature_count == NOTE_SIGNATURES_MOST);
	buffer_append(&text, line, sizeof(line) - 1);
	CHECK(note_parse(&note, text.data, text.length) != NULL);
	buffer_free(&text);
	buffer_init(&text, NULL, NULL);
	for (int i = 0; i < NOTE_BYTES_MOST; i++)
		buffer_append_char(&text, i == NOTE_BYTES_MOST - 1 ? '\n' : 'a');
	buffer_append_literal(&text, "\n\xE2\x80\x94 a AAAAAAA=\n");
	CHECK(note_error(text.data, text.length) != NULL);
	buffer_free(&text);
}

static void
test_checkpoints(void)
{
	static const char root[] = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
	static const char *const wrong[] = {"", "a\n1\n", "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
										"\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
										"a\n\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "a\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
										"a\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
										"a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n", "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
										"a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n", "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nx"};
	Checkpoint	checkpoint;
	ByteBuffer	text;

	CHECK(checkpoint_parse(&checkpoint, example_checkpoint, strlen(example_checkpoint)) == NULL);
	CHECK_TEXT(checkpoint.origin.data, checkpoint.origin.length, "example.com/behind-the-sofa");
	CHECK(checkpoint.size == 20852163 && !checkpoint.has_extensions);
	buffer_init(&text, NULL, NULL);
	base64_append(&text, checkpoint.root, sizeof(checkpoint.root));
	CHECK_TEXT(text.data, text.length, root);
	text.length = 0;
	checkpoint_text(&text, checkpoint.origin.data, checkpoint.origin.length, checkpoint.size, checkpoint.root);
	CHECK_TEXT(text.data, text.length, example_checkpoint);
	buffer_append_literal(&text, "more\n");
	CHECK(checkpoint_parse(&checkpoint, text.data, text.length) == NULL && checkpoint.has_extensions);
	text.length = 0;
	checkpoint_origin(&text, "example.com/reason", "default", 7, 1);
	CHECK_TEXT(text.data, text.length, "example.com/reason/default");
	text.length = 0;
	checkpoint_origin(&text, "example.com/reason", "default", 7, 12);
	CHECK_TEXT(text.data, text.length, "example.com/reason/default;12");
	buffer_free(&text);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		if (!CHECK(checkpoint_parse(&checkpoint, wrong[i], strlen(wrong[i])) != NULL))
			fprintf(stderr, "  case %zu\n", i);
	}
}

/* A witness's line beside the log's own: each verifies by its own key alone. */
static void
test_cosignatures(void)
{
	static SignedNote note;
	uint8_t		log_public[32],
				log_secret[64],
				witness_public[32],
				witness_secret[64],
				signature[64],
				cosignature[COSIGNATURE_LENGTH];
	uint8_t		id[NOTE_KEY_ID_LENGTH];
	const uint8_t seed[32] = {1};
	const size_t length = strlen(example_checkpoint);
	ByteBuffer	text;
	ByteBuffer	message;
	ByteBuffer	vkeys[2];
	NoteKey		log;
	NoteKey		witness;
	uint64_t	timestamp;

	crypto_sign_keypair(log_public, log_secret);
	crypto_sign_seed_keypair(witness_public, witness_secret, seed);
	buffer_init(&text, NULL, NULL);
	buffer_init(&message, NULL, NULL);
	buffer_init(&vkeys[0], NULL, NULL);
	buffer_init(&vkeys[1], NULL, NULL);

	cosignature_message(&message, 1679315147, example_checkpoint, length);
	CHECK_TEXT(message.data, message.length,
			   "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
			   "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
	note_begin(&text, example_checkpoint, length);
	crypto_sign_detached(signature, NULL, (const uint8_t *) example_checkpoint, length, log_secret);
	note_key_id(id, "example.com/behind-the-sofa", 27, NOTE_TYPE_ED25519, log_public, 32);
	note_append_signature(&text, "example.com/behind-the-sofa", 27, id, signature, sizeof(signature));
	crypto_sign_detached(signature, NULL, (const uint8_t *) message.data, message.length, witness_secret);
	cosignature_write(cosignature, 1679315147, signature);
	note_key_id(id, "witness.example/w1", 18, NOTE_TYPE_COSIGNATURE, witness_public, 32);
	note_append_signature(&text, "witness.example/w1", 18, id, cosignature, sizeof(cosignature));
	CHECK(note_parse(&note, text.data, text.length) == NULL && note.signature_count == 2);

	note_key_write(&vkeys[0], "example.com/behind-the-sofa", 27, NOTE_TYPE_ED25519, log_public);
	note_key_write(&vkeys[1], "witness.example/w1", 18, NOTE_TYPE_COSIGNATURE, witness_public);
	CHECK(note_key_parse(&log, vkeys[0].data, vkeys[0].length) == NULL);
	CHECK(note_key_parse(&witness, vkeys[1].data, vkeys[1].length) == NULL);
	CHECK(note_verify(&note, &log, verify, &timestamp) == NOTE_VERIFIED && timestamp == 0);
	CHECK(note_verify(&note, &witness, verify, &timestamp) == NOTE_VERIFIED && timestamp == 1679315147);

	/* The time is signed, and a time past 2^63 - 1 is none. */
	note.signatures[1].bytes[7] ^= 1;
	CHECK(note_verify(&note, &witness, verify, &timestamp) == NOTE_FORGED && timestamp == 0);
	note.signatures[1].bytes[7] ^= 1;
	CHECK(note_verify(&note, &witness, verify, NULL) == NOTE_VERIFIED);
	note.signatures[1].bytes[0] |= 0x80;
	CHECK(note_verify(&note, &witness, verify, NULL) == NOTE_FORGED);
	note.signatures[1].bytes[0] = 0;
	note.signatures[1].length = 64;
	CHECK(note_verify(&note, &witness, verify, NULL) == NOTE_FORGED);

	buffer_free(&text);
	buffer_free(&message);
	buffer_free(&vkeys[0]);
	buffer_free(&vkeys[1]);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 2;
	test_base64();
	test_decimals();
	test_keys();
	test_notes();
	test_checkpoints();
	test_cosignatures();
	return check_summary("signed_note");
}
