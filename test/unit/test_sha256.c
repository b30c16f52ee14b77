/*
 * test_sha256.c
 *		SHA-256 of the examples of FIPS 180-2, in one piece and in many.
 */
#include "check.h"

#include "core/sha256.h"

static void
check_digest(const char *text, size_t length, const char *expected)
{
	uint8_t		digest[SHA256_LENGTH];
	uint8_t		by_byte[SHA256_LENGTH];
	char		hex[SHA256_LENGTH * 2 + 1];
	Sha256		context;

	sha256_of(digest, text, length);
	for (int i = 0; i < SHA256_LENGTH; i++)
		snprintf(hex + i * 2, 3, "%02x", digest[i]);
	CHECK_TEXT(hex, strlen(hex), expected);

	sha256_init(&context);
	for (size_t i = 0; i < length; i++)
		sha256_update(&context, text + i, 1);
	sha256_final(&context, by_byte);
	CHECK(memcmp(digest, by_byte, sizeof(digest)) == 0);

	sha256_of_two(by_byte, text, length / 3, text + length / 3, length - length / 3);
	CHECK(memcmp(digest, by_byte, sizeof(digest)) == 0);
}

int
main(void)
{
	char	   *million = malloc(1000000);

	memset(million, 'a', 1000000);
	check_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
				 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_digest(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
	return check_summary("sha256");
}
