/*
 * forgery_objects.c
 *		Makes the good objects; times and ids are made up, digests and signatures are right.
 */
#include "forgery_objects.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/canonical.h"
#include "must.h"
#include "verify.h"

const JsonLimits forgery_limits = {.max_depth = 1000};
uint8_t		forgery_public_key[crypto_sign_PUBLICKEYBYTES];
ByteBuffer	forgery_good[OBJECTS];
ByteBuffer	forgery_payloads[FORGERY_EVENTS];

static uint8_t secret_key[crypto_sign_SECRETKEYBYTES];

static void
print(ByteBuffer *out, const char *format, ...)
{
	char		text[2000];
	va_list		arguments;
	int			length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	MUST(length >= 0 && length < (int) sizeof(text));
	buffer_append(out, text, (size_t) length);
}

static void
hex(char *out, const void *bytes, size_t size)
{
	encode_hex(out, bytes, size);
}

static void
base64(char *out, size_t room, const uint8_t *bytes, size_t size)
{
	sodium_bin2base64(out, room, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

/* The record of node or edge n, in canonical form but for its closing brace; digests of nodes are made before those of edges. */
static char digests[FORGERY_NODES][SHA256_LENGTH * 2 + 1];

static void
node_record(ByteBuffer *out, int n)
{
	char		payload[40];
	char		payload_hash[SHA256_LENGTH * 2 + 1];
	uint8_t		hash[SHA256_LENGTH];
	int			length = snprintf(payload, sizeof(payload), "{\"n\":%d}", n);

	sha256_of_two(hash, "0123456789abcdef", 16, payload, (size_t) length);
	hex(payload_hash, hash, sizeof(hash));
	print(out, "{\"author\":\"ada\",\"createdAt\":\"2026-11-23T16:15:27.00000%dZ\",\"division\":\"default\",\"id\":\"00000000-0000-7000-8000-00000000000%d\","
		  "\"metadata\":{\"tags\":[\"a\"]},\"payloadHash\":\"%s\",\"type\":\"observation\"}", n, n, payload_hash);
}

static void
edge_record(ByteBuffer *out, int n)
{
	print(out, "{\"createdAt\":\"2026-11-23T16:15:28.00000%dZ\",\"division\":\"default\",\"from\":\"00000000-0000-7000-8000-00000000000%d\",\"fromDigest\":\"%s\","
		  "\"id\":\"10000000-0000-7000-8000-00000000000%d\",\"metadata\":{},\"to\":\"00000000-0000-7000-8000-00000000000%d\",\"toDigest\":\"%s\","
		  "\"type\":\"causal\",\"weight\":1}", n, n, digests[n], n, n + 1, digests[n + 1]);
}

void
forgery_canonicalise(ByteBuffer *out, const char *text, size_t length)
{
	JsonDocument document;
	JsonError	error;

	json_document_init(&document, NULL, NULL);
	MUST(json_read(&document, text, length, &forgery_limits, &error));
	canonical_write_value(out, &document, json_root(&document));
	json_document_free(&document);
}

static void
write_record(ByteBuffer *out, int n, bool is_node)
{
	ByteBuffer	record;
	uint8_t		digest[SHA256_LENGTH];
	char		text[SHA256_LENGTH * 2 + 1];

	buffer_init(&record, NULL, NULL);
	(is_node ? node_record : edge_record)(&record, n);
	sha256_of(digest, record.data, record.length);
	hex(is_node ? digests[n] : text, digest, sizeof(digest));
	buffer_append(out, record.data, record.length - 1);
	print(out, ",\"digest\":\"%s\"", is_node ? digests[n] : text);
	if (is_node)
		print(out, ",\"payload\":{\"n\":%d},\"salt\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"", n);
	buffer_append_char(out, '}');
	buffer_free(&record);
}

static void
make_snapshot(ByteBuffer *out)
{
	ByteBuffer	text;

	buffer_init(&text, NULL, NULL);
	print(&text, "{\"id\":\"30000000-0000-7000-8000-000000000001\",\"root_ids\":[\"00000000-0000-7000-8000-00000000000%d\"],"
		  "\"created_at\":\"2026-11-23T16:15:30.000000Z\",\"reasoning_graph_version\":\"0.1.0\",\"payload\":{\"audience\":\"internal\","
		  "\"depth\":%d,\"description\":null,\"direction\":\"ancestors\",\"pii_included\":true,\"nodes\":[", FORGERY_NODES - 1, FORGERY_NODES - 1);
	for (int n = 0; n < FORGERY_NODES; n++)
	{
		print(&text, n ? "," : "");
		write_record(&text, n, true);
	}
	print(&text, "],\"edges\":[");
	for (int n = 0; n + 1 < FORGERY_NODES; n++)
	{
		print(&text, n ? "," : "");
		write_record(&text, n, false);
	}
	print(&text, "]}}");
	forgery_canonicalise(out, text.data, text.length);
	buffer_free(&text);
}

static void
sign(const uint8_t hash[SHA256_LENGTH], char signature[100])
{
	uint8_t		bytes[crypto_sign_BYTES];

	crypto_sign_detached(bytes, NULL, hash, SHA256_LENGTH, secret_key);
	base64(signature, 100, bytes, sizeof(bytes));
}

static void
make_chain(ByteBuffer *out)
{
	uint8_t		hash[SHA256_LENGTH];
	char		previous[SHA256_LENGTH * 2 + 3] = "null";
	char		signature[100];

	for (int n = 0; n < FORGERY_EVENTS; n++)
	{
		ByteBuffer	text;
		bool		is_node = n < FORGERY_NODES;
		char		hash_text[SHA256_LENGTH * 2 + 1];

		buffer_init(&text, NULL, NULL);
		print(&text, "{\"division\":\"default\",\"eventType\":\"%s.created\",\"id\":\"50000000-0000-7000-8000-00000000000%d\",\"%s\":",
			  is_node ? "node" : "edge", n, is_node ? "node" : "edge");
		(is_node ? node_record : edge_record)(&text, is_node ? n : n - FORGERY_NODES);
		print(&text, ",\"ts\":\"2026-11-23T16:15:29.00000%dZ\"}", n);
		buffer_init(&forgery_payloads[n], NULL, NULL);
		forgery_canonicalise(&forgery_payloads[n], text.data, text.length);
		{
			uint8_t		before[SHA256_LENGTH];

			memcpy(before, hash, sizeof(before));
			sha256_of_two(hash, forgery_payloads[n].data, forgery_payloads[n].length, before, n ? SHA256_LENGTH : 0);
		}
		sign(hash, signature);
		hex(hash_text, hash, sizeof(hash));
		print(out, "{\"division\":\"default\",\"eventType\":\"%s.created\",\"hash\":\"%s\",\"id\":\"50000000-0000-7000-8000-00000000000%d\",\"payload\":",
			  is_node ? "node" : "edge", hash_text, n);
		buffer_append(out, forgery_payloads[n].data, forgery_payloads[n].length);
		print(out, ",\"prevHash\":%s,\"seq\":%d,\"signature\":\"%s\",\"signerId\":\"key-1\",\"ts\":\"2026-11-23T16:15:29.00000%dZ\"}\n",
			  previous, n, signature, n);
		snprintf(previous, sizeof(previous), "\"%s\"", hash_text);
		buffer_free(&text);
	}
}

void
forgery_make_objects(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = "a key for forgeries";
	static const uint8_t other_seed[crypto_sign_SEEDBYTES] = "another key";
	uint8_t		spki[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	uint8_t		other_secret[crypto_sign_SECRETKEYBYTES];
	uint8_t		hash[SHA256_LENGTH];
	char		key[100], other_key[100], signature[100], hash_hex[SHA256_LENGTH * 2 + 1], hash_base64[100];

	MUST(sodium_init() >= 0);
	crypto_sign_seed_keypair(spki + 12, other_secret, other_seed);
	base64(other_key, sizeof(other_key), spki, sizeof(spki));
	crypto_sign_seed_keypair(forgery_public_key, secret_key, seed);
	memcpy(spki + 12, forgery_public_key, sizeof(forgery_public_key));
	base64(key, sizeof(key), spki, sizeof(spki));
	for (int i = 0; i < OBJECTS; i++)
		buffer_init(&forgery_good[i], NULL, NULL);

	print(&forgery_good[REGISTRY], "{\"signers\":[{\"signerId\":\"key-1\",\"algorithm\":\"ed25519\",\"publicKey\":\"%s\",\"status\":\"active\","
		  "\"validFrom\":\"2026-01-01T00:00:00Z\",\"validTo\":null},{\"signerId\":\"key-2\",\"algorithm\":\"ed25519\",\"publicKey\":\"%s\","
		  "\"status\":\"revoked\",\"validFrom\":\"2026-01-01T00:00:00Z\",\"validTo\":\"2026-02-01T00:00:00Z\"}]}", key, other_key);
	make_snapshot(&forgery_good[SNAPSHOT]);
	sha256_of(hash, forgery_good[SNAPSHOT].data, forgery_good[SNAPSHOT].length);
	sign(hash, signature);
	hex(hash_hex, hash, sizeof(hash));
	base64(hash_base64, sizeof(hash_base64), hash, sizeof(hash));
	print(&forgery_good[METADATA], "{\"snapshot-id\":\"30000000-0000-7000-8000-000000000001\",\"hash\":\"%s\",\"signature\":\"%s\",\"signer-id\":\"key-1\","
		  "\"ts\":\"2026-11-23T16:15:31.000000Z\"}", hash_hex, signature);
	buffer_append(&forgery_good[ENVELOPE], forgery_good[SNAPSHOT].data, forgery_good[SNAPSHOT].length - 1);
	print(&forgery_good[ENVELOPE], ",\"snapshot_bytes_canonical_hash\":\"%s\",\"signer_kid\":\"key-1\",\"signature\":\"%s\"}", hash_base64, signature);
	make_chain(&forgery_good[CHAIN]);
}
