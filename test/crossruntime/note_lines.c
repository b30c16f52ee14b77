/*
 * note_lines.c
 *		Signed notes by ours, a line in, a line out:
 *
 *		open NOTE VKEY			both in Base 64: "no key", "no note", "not signed", "forged", or "verified" and the text
 *		sign NAME SEED TEXT		the seed in hexadecimal, the text in Base 64: verifier key and signed note
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/signed_note.h"

static bool
verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
	return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

static void
open_note(const ByteBuffer *bytes, const ByteBuffer *vkey)
{
	static SignedNote note;
	NoteKey		key;
	ByteBuffer	text;

	/* Go's reader knows no other type. */
	if (note_key_parse(&key, vkey->data, vkey->length) || key.type != NOTE_TYPE_ED25519)
	{
		puts("no key");
		return;
	}
	if (note_parse(&note, bytes->data, bytes->length))
	{
		puts("no note");
		return;
	}
	switch (note_verify(&note, &key, verify, NULL))
	{
		case NOTE_VERIFIED:
			buffer_init(&text, NULL, NULL);
			base64_append(&text, note.text.data, note.text.length);
			printf("verified %.*s\n", (int) text.length, text.data);
			buffer_free(&text);
			break;
		case NOTE_FORGED:
			puts("forged");
			break;
		default:
			puts("not signed");
	}
}

static void
sign_note(const char *name, const char *seed_hex, const ByteBuffer *text)
{
	uint8_t		seed[32],
				public_key[32],
				secret_key[64],
				signature[64],
				key_id[NOTE_KEY_ID_LENGTH];
	ByteBuffer	vkey,
				note,
				out;

	buffer_init(&vkey, NULL, NULL);
	buffer_init(&note, NULL, NULL);
	buffer_init(&out, NULL, NULL);
	if (sodium_hex2bin(seed, sizeof(seed), seed_hex, strlen(seed_hex), NULL, NULL, NULL) != 0)
		abort();
	crypto_sign_seed_keypair(public_key, secret_key, seed);
	crypto_sign_detached(signature, NULL, (const uint8_t *) text->data, text->length, secret_key);
	note_key_write(&vkey, name, strlen(name), NOTE_TYPE_ED25519, public_key);
	note_key_id(key_id, name, strlen(name), NOTE_TYPE_ED25519, public_key, sizeof(public_key));
	note_begin(&note, text->data, text->length);
	note_append_signature(&note, name, strlen(name), key_id, signature, sizeof(signature));
	base64_append(&out, note.data, note.length);
	printf("%.*s %.*s\n", (int) vkey.length, vkey.data, (int) out.length, out.data);
	buffer_free(&vkey);
	buffer_free(&note);
	buffer_free(&out);
}

int
main(void)
{
	char	   *line = NULL;
	size_t		capacity = 0;

	if (sodium_init() < 0)
		return 2;
	while (getline(&line, &capacity, stdin) > 0)
	{
		char	   *word[4] = {0};
		ByteBuffer	bytes[2];
		char	   *rest = line;
		bool		opens;

		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < 4 && rest; i++)
			word[i] = strsep(&rest, " ");
		opens = strcmp(word[0], "open") == 0;
		for (int i = 0; i < 2; i++)
		{
			const char *text = word[opens ? 1 + i : 3];

			buffer_init(&bytes[i], NULL, NULL);
			if (!base64_decode_append(&bytes[i], text, strlen(text)))
				return 1;
		}
		if (opens)
			open_note(&bytes[0], &bytes[1]);
		else
			sign_note(word[1], word[2], &bytes[0]);
		buffer_free(&bytes[0]);
		buffer_free(&bytes[1]);
	}
	free(line);
	return 0;
}
