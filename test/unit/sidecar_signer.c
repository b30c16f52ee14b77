/*
 * Public keys in all the forms in which signers give them.
 */
#include "check.h"

#include "signer/pkcs11_key.h"
#include "signer/signer.h"

/* RFC 8032, section 7.1, test 1 */
static const uint8_t expected[32] = {
	0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
	0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
};

static bool
point(const char *prefix, size_t prefix_length, size_t length)
{
	uint8_t		bytes[64] = {0};
	uint8_t		key[32];

	memcpy(bytes, prefix, prefix_length);
	memcpy(bytes + prefix_length, expected, sizeof(expected));
	return pkcs11_public_point(bytes, length, key) && memcmp(key, expected, sizeof(key)) == 0;
}

static bool
parameters(const char *bytes, size_t length)
{
	return pkcs11_is_ed25519((const uint8_t *) bytes, length);
}

static void
pkcs11_forms(void)
{
	CHECK(parameters("\x06\x03\x2b\x65\x70", 5));
	CHECK(parameters("\x13\x0c" "edwards25519", 14));
	CHECK(parameters("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", 11));
	/* Ed448, P-256, cut short, empty */
	CHECK(!parameters("\x06\x03\x2b\x65\x71", 5));
	CHECK(!parameters("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10));
	CHECK(!parameters("\x13\x0c" "edwards2551", 13));
	CHECK(!parameters("", 0));

	CHECK(point("", 0, 32));
	CHECK(point("\x04\x20", 2, 34));
	CHECK(point("\x03\x21\x00", 3, 35));
	CHECK(!point("\x04\x21", 2, 34));
	CHECK(!point("\x05\x20", 2, 34));
	CHECK(!point("\x03\x21\x01", 3, 35));
	CHECK(!point("", 0, 31));
	CHECK(!point("", 0, 33));
}

static bool
public_key(const char *text)
{
	uint8_t		key[32];

	return signer_parse_public_key(text, key) && memcmp(key, expected, sizeof(key)) == 0;
}

static void
public_key_forms(void)
{
#define SPKI "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	CHECK(public_key(SPKI));
	CHECK(public_key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
	CHECK(public_key("-----BEGIN PUBLIC KEY-----\n" SPKI "\n-----END PUBLIC KEY-----\n"));
	CHECK(!public_key("MCowBQYDK2VxAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
	CHECK(!public_key("11qYAYKxCrfVS/7TyWQHOg=="));
	CHECK(!public_key("no base64!"));
	CHECK(!public_key(""));
}

int
main(void)
{
	pkcs11_forms();
	public_key_forms();
	return check_summary("sidecar_signer");
}
