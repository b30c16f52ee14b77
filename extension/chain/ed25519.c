/*
 * ed25519.c
 *		Ed25519 for SQL: ed25519_verify(), public_key().
 *
 * libsodium, because it verifies twice as fast as OpenSSL.
 */
#include "postgres.h"

#include "chain/ed25519.h"

#include <sodium.h>

#include "fmgr.h"
#include "utils/builtins.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_ed25519_verify);
PG_FUNCTION_INFO_V1(reason_public_key);

/* What precedes the 32 bytes of the key in a SubjectPublicKeyInfo (RFC 8410, section 4). */
static const uint8 spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

#define SPKI_LENGTH (sizeof(spki_prefix) + ED25519_KEY_LENGTH)

static void
prepare(void)
{
	static bool ready = false;

	if (!ready && sodium_init() < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not initialise libsodium")));
	ready = true;
}

bool
ed25519_verify(const uint8 *public_key, const void *message, size_t length, const uint8 *signature)
{
	prepare();
	return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

/* ed25519_verify(public_key, message, signature) → boolean */
Datum
reason_ed25519_verify(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *message = PG_GETARG_BYTEA_PP(1);
	bytea	   *signature = PG_GETARG_BYTEA_PP(2);

	PG_RETURN_BOOL(VARSIZE_ANY_EXHDR(key) == ED25519_KEY_LENGTH &&
				   VARSIZE_ANY_EXHDR(signature) == ED25519_SIGNATURE_LENGTH &&
				   ed25519_verify((uint8 *) VARDATA_ANY(key), VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message),
								  (uint8 *) VARDATA_ANY(signature)));
}

/* What stands between the lines of PEM armour; the whole text when there is none. */
static void
strip_armour(const char **key_text, size_t *length)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----";
	static const char end[] = "-----END PUBLIC KEY-----";
	const char *first = memmem(*key_text, *length, begin, sizeof(begin) - 1);
	const char *last;

	if (first == NULL)
		return;
	first += sizeof(begin) - 1;
	last = memmem(first, *key_text + *length - first, end, sizeof(end) - 1);
	if (last == NULL)
		return;
	*key_text = first;
	*length = last - first;
}

/* Takes what was decoded, if it is a key or an SPKI with one. */
static bool
take_key(uint8 key[ED25519_KEY_LENGTH], const uint8 *bytes, size_t length)
{
	if (length == SPKI_LENGTH && memcmp(bytes, spki_prefix, sizeof(spki_prefix)) == 0)
		memcpy(key, bytes + sizeof(spki_prefix), ED25519_KEY_LENGTH);
	else if (length == ED25519_KEY_LENGTH)
		memcpy(key, bytes, ED25519_KEY_LENGTH);
	else
		return false;
	return true;
}

/* public_key(text) → bytea: PEM, SPKI or raw key in base64, base64url or hexadecimal */
Datum
reason_public_key(PG_FUNCTION_ARGS)
{
	static const int base64_variants[] = {
		sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
		sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING
	};
	text	   *source = PG_GETARG_TEXT_PP(0);
	const char *data = VARDATA_ANY(source);
	size_t		length = VARSIZE_ANY_EXHDR(source);
	uint8		decoded[SPKI_LENGTH + 1];
	size_t		decoded_length;
	uint8		key[ED25519_KEY_LENGTH];
	bool		found;
	bytea	   *result;

	prepare();
	strip_armour(&data, &length);
	/* Hexadecimal first: its digits are base64's too, but never give a key's length. */
	found = sodium_hex2bin(decoded, sizeof(decoded), data, length, " \r\n\t", &decoded_length, NULL) == 0 &&
		take_key(key, decoded, decoded_length);
	for (int i = 0; !found && i < lengthof(base64_variants); i++)
		found = sodium_base642bin(decoded, sizeof(decoded), data, length, " \r\n\t", &decoded_length, NULL,
								  base64_variants[i]) == 0 &&
			take_key(key, decoded, decoded_length);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is not an Ed25519 public key"),
				 errhint("Give PEM (BEGIN PUBLIC KEY), or base64 of the SubjectPublicKeyInfo, or the 32 bytes of the key in base64 or hexadecimal.")));
	if (!crypto_core_ed25519_is_valid_point(key))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is not a point of the prime-order group of Ed25519"),
				 errdetail("Signatures under such a key prove nothing.")));
	result = palloc(VARHDRSZ + ED25519_KEY_LENGTH);
	SET_VARSIZE(result, VARHDRSZ + ED25519_KEY_LENGTH);
	memcpy(VARDATA(result), key, ED25519_KEY_LENGTH);
	PG_RETURN_BYTEA_P(result);
}
