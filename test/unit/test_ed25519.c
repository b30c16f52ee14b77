/*
 * test_ed25519.c
 *		Signatures as the verifier checks them: the Wycheproof cases, and its times.
 */
#include "check.h"

#include <sodium.h>

#include "verify.h"

/* Hexadecimal of any length; the caller frees. */
static uint8_t *
from_hex(Bytes text, size_t *length)
{
	uint8_t    *bytes = malloc(text.length / 2 + 1);

	*length = text.length / 2;
	if (!bytes || !decode_hex(text, bytes, *length))
	{
		fprintf(stderr, "not hexadecimal: %.*s\n", (int) text.length, text.data);
		exit(2);
	}
	return bytes;
}

static void
test_wycheproof(void)
{
	const JsonLimits limits = {.max_depth = 20};
	size_t		length;
	char	   *text = check_read_file(VECTORS "/wycheproof/ed25519_test.json", &length);
	JsonDocument document;
	JsonError	error;
	const JsonNode *groups;
	unsigned	valid = 0;
	unsigned	invalid = 0;

	json_document_init(&document, NULL, NULL);
	if (!json_read(&document, text, length, &limits, &error))
	{
		fprintf(stderr, "ed25519_test.json: %s at %zu\n", error.message, error.offset);
		exit(2);
	}
	groups = json_member_literal(&document, json_root(&document), "testGroups");
	for (const JsonNode *g = json_first(&document, groups); g; g = json_next(&document, groups, g))
	{
		const JsonNode *key = json_member_literal(&document, g, "publicKey");
		const JsonNode *tests = json_member_literal(&document, g, "tests");
		size_t		key_length;
		uint8_t    *public_key = from_hex(member_text(&document, key, "pk"), &key_length);

		CHECK(key_length == PUBLIC_KEY_LENGTH);
		for (const JsonNode *t = json_first(&document, tests); t; t = json_next(&document, tests, t))
		{
			size_t		message_length,
						signature_length;
			uint8_t    *message = from_hex(member_text(&document, t, "msg"), &message_length);
			uint8_t    *signature = from_hex(member_text(&document, t, "sig"), &signature_length);
			Bytes		result = member_text(&document, t, "result");
			bool		expected = result.length == 5 && memcmp(result.data, "valid", 5) == 0;
			bool		got = signature_length == SIGNATURE_LENGTH &&
				ed25519_verify(signature, message, message_length, public_key);

			if (!CHECK(got == expected))
				fprintf(stderr, "  case %g\n", json_member_literal(&document, t, "tcId")->u.number);
			if (expected)
				valid++;
			else
				invalid++;
			free(message);
			free(signature);
		}
		free(public_key);
	}
	CHECK(valid + invalid ==
		  (unsigned) json_member_literal(&document, json_root(&document), "numberOfTests")->u.number);
	CHECK(valid > 0 && invalid > 0);
	printf("wycheproof: %u valid, %u invalid\n", valid, invalid);
	json_document_free(&document);
	free(text);
}

#define REFUSED INT64_MIN

static void
test_times(void)
{
	static const struct
	{
		const char *text;
		int64_t		time;		/* REFUSED: it is none */
	}			cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-23T16:15:27.123456Z", INT64_C(1795450527123456)},
		{"2026-11-23T17:15:27.123456+01:00", INT64_C(1795450527123456)},
		{"2026-11-23 11:15:27.123456-05", INT64_C(1795450527123456)},
		{"2026-11-23T16:15:27.1234569Z", INT64_C(1795450527123456)},
		{"2026-11-23t16:15:27.1z", INT64_C(1795450527100000)},
		{"2000-02-29T23:59:59.999999Z", INT64_C(951868799999999)},
		{"1969-12-31T23:59:59.5Z", -500000},
		{"2026-11-23T16:15:27", REFUSED},
		{"2026-11-23", REFUSED},
		{"2026-13-23T16:15:27Z", REFUSED},
		{"2026-11-23T24:15:27Z", REFUSED},
		{"2026-11-23T16:15:27.Z", REFUSED},
		{"2026-11-23T16:15:27Zx", REFUSED},
		{"2026-02-29T16:15:27Z", REFUSED},
		{"1900-02-29T16:15:27Z", REFUSED},
		{"2026-04-31T16:15:27Z", REFUSED},
		{"2026-11-23T16:15:60Z", REFUSED},
		{"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
		{"2026-11-23T16:15:27+24:00", REFUSED},
		{"", REFUSED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
	{
		int64_t		time = REFUSED;
		bool		good = parse_time((Bytes) {cases[i].text, strlen(cases[i].text)}, &time);

		if (!CHECK(good == (cases[i].time != REFUSED) && (!good || time == cases[i].time)))
			fprintf(stderr, "  %s: %lld\n", cases[i].text, (long long) time);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		return 2;
	test_wycheproof();
	test_times();
	return check_summary("ed25519");
}
