/*
 * signed_note.c
 *		Signed notes and their verifier keys, as https://c2sp.org/signed-note has them.
 */
#include "core/signed_note.h"

#include "core/base64.h"
#include "core/cosignature.h"
#include "core/sha256.h"
#include "core/characters.h"

/* Em dash and space begin each signature line. */
static const char signature_mark[] = "\xE2\x80\x94 ";
#define SIGNATURE_MARK_LENGTH (sizeof(signature_mark) - 1)

/* White_Space of Unicode, which other readers of notes go by. */
static bool
is_space(uint32_t character)
{
	return (character >= 0x09 && character <= 0x0D) || character == 0x20 || character == 0x85 || character == 0xA0 ||
		character == 0x1680 || (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
		character == 0x2029 || character == 0x202F || character == 0x205F || character == 0x3000;
}

bool
note_key_name_is_valid(const char *name, size_t length)
{
	const char *end = name + length;
	uint32_t	character;

	for (const char *p = name; p < end;)
	{
		size_t		size = character_read(p, end, &character);

		if (size == 0 || is_space(character) || character == '+')
			return false;
		p += size;
	}
	return length > 0;
}

/* Valid UTF-8 without control characters of ASCII but the newline. */
static bool
is_clean(const char *bytes, size_t length)
{
	const char *end = bytes + length;
	uint32_t	character;

	for (const char *p = bytes; p < end;)
	{
		size_t		size = character_read(p, end, &character);

		if (size == 0 || (character < 0x20 && character != '\n'))
			return false;
		p += size;
	}
	return true;
}

bool
note_next_line(const char **at, const char *end, NoteText *line)
{
	const char *newline = *at < end ? memchr(*at, '\n', (size_t) (end - *at)) : NULL;

	if (!newline)
		return false;
	line->data = *at;
	line->length = (size_t) (newline - *at);
	*at = newline + 1;
	return true;
}

/* Takes one signature line apart; false if it is none. */
static bool
read_signature(NoteSignature *signature, const NoteText *line)
{
	uint8_t		decoded[NOTE_KEY_ID_LENGTH + NOTE_SIGNATURE_KEPT] = {0};
	const char *end = line->data + line->length;
	const char *space;
	size_t		length;

	if (line->length < SIGNATURE_MARK_LENGTH || memcmp(line->data, signature_mark, SIGNATURE_MARK_LENGTH) != 0)
		return false;
	signature->name.data = line->data + SIGNATURE_MARK_LENGTH;
	space = memchr(signature->name.data, ' ', (size_t) (end - signature->name.data));
	if (!space)
		return false;
	signature->name.length = (size_t) (space - signature->name.data);
	if (!note_key_name_is_valid(signature->name.data, signature->name.length) ||
		!base64_decoded_length(space + 1, (size_t) (end - space - 1), &length) ||
		length <= NOTE_KEY_ID_LENGTH ||
		!base64_decode(space + 1, (size_t) (end - space - 1), decoded, sizeof(decoded)))
		return false;
	memcpy(signature->key_id, decoded, NOTE_KEY_ID_LENGTH);
	memcpy(signature->bytes, decoded + NOTE_KEY_ID_LENGTH, NOTE_SIGNATURE_KEPT);
	signature->length = length - NOTE_KEY_ID_LENGTH;
	return true;
}

/* The length of the text before the last empty line, its newline included; 0 if there is none. */
static size_t
text_length(const char *bytes, size_t length)
{
	for (size_t i = length; i >= 2; i--)
	{
		if (bytes[i - 1] == '\n' && bytes[i - 2] == '\n')
			return i - 1;
	}
	return 0;
}

const char *
note_parse(SignedNote *note, const char *bytes, size_t length)
{
	const char *at;
	NoteText	line;

	note->signature_count = 0;
	if (length == 0)
		return "the note is empty";
	if (length > NOTE_BYTES_MOST)
		return "the note is larger than one megabyte";
	if (!is_clean(bytes, length))
		return "the note is not UTF-8, or has control characters";
	note->text.data = bytes;
	note->text.length = text_length(bytes, length);
	if (note->text.length == 0)
		return "the note has no empty line between text and signatures";
	if (bytes[length - 1] != '\n')
		return "the note does not end in a newline";
	at = bytes + note->text.length + 1;
	while (note_next_line(&at, bytes + length, &line))
	{
		if (note->signature_count == NOTE_SIGNATURES_MOST)
			return "the note has more than 100 signatures";
		if (!read_signature(&note->signatures[note->signature_count], &line))
			return "the note has a signature line that is none";
		note->signature_count++;
	}
	return note->signature_count > 0 ? NULL : "the note has no signature";
}

static bool
is_by(const NoteSignature *signature, const NoteKey *key)
{
	return signature->name.length == key->name.length &&
		memcmp(signature->name.data, key->name.data, key->name.length) == 0 &&
		memcmp(signature->key_id, key->key_id, NOTE_KEY_ID_LENGTH) == 0;
}

NoteVerdict
note_verify(const SignedNote *note, const NoteKey *key, Ed25519Verify verify, uint64_t *timestamp)
{
	NoteVerdict verdict = NOTE_NOT_SIGNED;
	uint64_t	latest = 0;

	if (timestamp)
		*timestamp = 0;
	if (key->type != NOTE_TYPE_ED25519 && key->type != NOTE_TYPE_COSIGNATURE)
		return NOTE_TYPE_UNKNOWN;
	for (size_t i = 0; i < note->signature_count; i++)
	{
		const NoteSignature *signature = &note->signatures[i];
		uint64_t	stated = 0;
		bool		good;

		if (!is_by(signature, key))
			continue;
		if (key->type == NOTE_TYPE_COSIGNATURE)
			good = cosignature_verify(note->text.data, note->text.length, signature->bytes, signature->length,
									  key->public_key, verify, &stated);
		else
			good = signature->length == NOTE_ED25519_LENGTH &&
				verify(signature->bytes, (const uint8_t *) note->text.data, note->text.length, key->public_key);
		if (!good)
			return NOTE_FORGED;
		verdict = NOTE_VERIFIED;
		latest = stated > latest ? stated : latest;
	}
	if (timestamp)
		*timestamp = latest;
	return verdict;
}

void
note_key_id(uint8_t key_id[NOTE_KEY_ID_LENGTH], const char *name, size_t name_length, uint8_t type,
			const uint8_t *public_key, size_t public_key_length)
{
	const Sha256Piece pieces[] = {{name, name_length}, {"\n", 1}, {&type, 1}, {public_key, public_key_length}};
	uint8_t		digest[SHA256_LENGTH];

	sha256_pieces(digest, pieces, 4);
	memcpy(key_id, digest, NOTE_KEY_ID_LENGTH);
}

static bool
read_key_id(uint8_t key_id[NOTE_KEY_ID_LENGTH], const char *hex)
{
	for (int i = 0; i < NOTE_KEY_ID_LENGTH * 2; i++)
	{
		char		c = hex[i];
		int			digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		key_id[i / 2] = (uint8_t) (i % 2 ? key_id[i / 2] << 4 | digit : digit);
	}
	return true;
}

/* Type and public key; NULL, or what is wrong. */
static const char *
read_public_key(NoteKey *key, const uint8_t *bytes, size_t length)
{
	uint8_t		expected[NOTE_KEY_ID_LENGTH];

	key->type = bytes[0];
	sha256_of(key->fingerprint, bytes + 1, length - 1);
	if (key->type != NOTE_TYPE_ED25519 && key->type != NOTE_TYPE_COSIGNATURE)
		return NULL;
	if (length != 1 + NOTE_PUBLIC_KEY_LENGTH)
		return "the verifier key's public key is not 32 bytes long";
	memcpy(key->public_key, bytes + 1, NOTE_PUBLIC_KEY_LENGTH);
	note_key_id(expected, key->name.data, key->name.length, key->type, key->public_key, NOTE_PUBLIC_KEY_LENGTH);
	return memcmp(expected, key->key_id, NOTE_KEY_ID_LENGTH) == 0 ? NULL : "the verifier key's id is not that of its name and key";
}

const char *
note_key_parse(NoteKey *key, const char *vkey, size_t length)
{
	static const char malformed[] = "a verifier key is <name>+<8 hexadecimal digits, lower case>+<base64>";
	const char *plus = length > 0 ? memchr(vkey, '+', length) : NULL;
	const char *end = plus ? vkey + length : NULL;
	const size_t id_length = NOTE_KEY_ID_LENGTH * 2;
	ByteBuffer	bytes;
	const char *error;

	memset(key, 0, sizeof(*key));
	if (!plus || (size_t) (end - plus) < 1 + id_length + 1 || plus[1 + id_length] != '+')
		return malformed;
	key->name.data = vkey;
	key->name.length = (size_t) (plus - vkey);
	if (!note_key_name_is_valid(key->name.data, key->name.length) || !read_key_id(key->key_id, plus + 1))
		return malformed;
	plus += 1 + id_length;
	buffer_init(&bytes, NULL, NULL);
	if (!base64_decode_append(&bytes, plus + 1, (size_t) (end - plus - 1)) || bytes.length < 2)
		error = bytes.failed ? "out of memory" : malformed;
	else
		error = read_public_key(key, (const uint8_t *) bytes.data, bytes.length);
	buffer_free(&bytes);
	return error;
}

void
note_key_write(ByteBuffer *out, const char *name, size_t name_length, uint8_t type,
			   const uint8_t public_key[NOTE_PUBLIC_KEY_LENGTH])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t		typed[1 + NOTE_PUBLIC_KEY_LENGTH];
	uint8_t		key_id[NOTE_KEY_ID_LENGTH];

	typed[0] = type;
	memcpy(typed + 1, public_key, NOTE_PUBLIC_KEY_LENGTH);
	note_key_id(key_id, name, name_length, type, public_key, NOTE_PUBLIC_KEY_LENGTH);
	buffer_append(out, name, name_length);
	buffer_append_char(out, '+');
	for (int i = 0; i < NOTE_KEY_ID_LENGTH; i++)
	{
		buffer_append_char(out, digits[key_id[i] >> 4]);
		buffer_append_char(out, digits[key_id[i] & 0xF]);
	}
	buffer_append_char(out, '+');
	base64_append(out, typed, sizeof(typed));
}

void
note_begin(ByteBuffer *out, const char *text, size_t length)
{
	buffer_append(out, text, length);
	buffer_append_char(out, '\n');
}

void
note_append_signature(ByteBuffer *out, const char *name, size_t name_length,
					  const uint8_t key_id[NOTE_KEY_ID_LENGTH], const uint8_t *signature, size_t length)
{
	ByteBuffer	bytes;

	/* One after another in Base 64 is not one Base 64. */
	buffer_init(&bytes, out->realloc, out->context);
	buffer_append(&bytes, key_id, NOTE_KEY_ID_LENGTH);
	buffer_append(&bytes, signature, length);
	out->failed = out->failed || bytes.failed;
	buffer_append(out, signature_mark, SIGNATURE_MARK_LENGTH);
	buffer_append(out, name, name_length);
	buffer_append_char(out, ' ');
	if (!bytes.failed)
		base64_append(out, bytes.data, bytes.length);
	buffer_append_char(out, '\n');
	buffer_free(&bytes);
}
