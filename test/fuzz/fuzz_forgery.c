/*
 * fuzz_forgery.c
 *		Good objects, altered where their structure is: each alteration is refused,
 *		or changes nothing that anybody vouches for.
 *
 * The input is a program of alterations: which object, which value in it, what
 * becomes of the value.  Bytes at random are fuzz_verify's part; they hardly ever
 * come to a document that is read to its end.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/canonical.h"
#include "verify.h"

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 4
#define EVENTS (2 * NODES - 1)
#define ALTERATIONS_MOST 6

typedef enum { SNAPSHOT, METADATA, ENVELOPE, CHAIN, REGISTRY, OBJECTS } ObjectKind;

static const JsonLimits limits = {.max_depth = 1000};
static uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
static ByteBuffer good[OBJECTS];
/* Canonical payloads of the chain's events. */
static ByteBuffer payloads[EVENTS];

/* ---------------------------------------------------------------- good objects */

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
static char digests[NODES][SHA256_LENGTH * 2 + 1];

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

/* The canonical form of some text. */
static void
canonicalise(ByteBuffer *out, const char *text, size_t length)
{
	JsonDocument document;
	JsonError	error;

	json_document_init(&document, NULL, NULL);
	MUST(json_read(&document, text, length, &limits, &error));
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
		  "\"depth\":%d,\"description\":null,\"direction\":\"ancestors\",\"pii_included\":true,\"nodes\":[", NODES - 1, NODES - 1);
	for (int n = 0; n < NODES; n++)
	{
		print(&text, n ? "," : "");
		write_record(&text, n, true);
	}
	print(&text, "],\"edges\":[");
	for (int n = 0; n + 1 < NODES; n++)
	{
		print(&text, n ? "," : "");
		write_record(&text, n, false);
	}
	print(&text, "]}}");
	canonicalise(out, text.data, text.length);
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

	for (int n = 0; n < EVENTS; n++)
	{
		ByteBuffer	text;
		bool		is_node = n < NODES;
		char		hash_text[SHA256_LENGTH * 2 + 1];

		buffer_init(&text, NULL, NULL);
		print(&text, "{\"division\":\"default\",\"eventType\":\"%s.created\",\"id\":\"50000000-0000-7000-8000-00000000000%d\",\"%s\":",
			  is_node ? "node" : "edge", n, is_node ? "node" : "edge");
		(is_node ? node_record : edge_record)(&text, is_node ? n : n - NODES);
		print(&text, ",\"ts\":\"2026-11-23T16:15:29.00000%dZ\"}", n);
		buffer_init(&payloads[n], NULL, NULL);
		canonicalise(&payloads[n], text.data, text.length);
		{
			uint8_t		before[SHA256_LENGTH];

			memcpy(before, hash, sizeof(before));
			sha256_of_two(hash, payloads[n].data, payloads[n].length, before, n ? SHA256_LENGTH : 0);
		}
		sign(hash, signature);
		hex(hash_text, hash, sizeof(hash));
		print(out, "{\"division\":\"default\",\"eventType\":\"%s.created\",\"hash\":\"%s\",\"id\":\"50000000-0000-7000-8000-00000000000%d\",\"payload\":",
			  is_node ? "node" : "edge", hash_text, n);
		buffer_append(out, payloads[n].data, payloads[n].length);
		print(out, ",\"prevHash\":%s,\"seq\":%d,\"signature\":\"%s\",\"signerId\":\"key-1\",\"ts\":\"2026-11-23T16:15:29.00000%dZ\"}\n",
			  previous, n, signature, n);
		snprintf(previous, sizeof(previous), "\"%s\"", hash_text);
		buffer_free(&text);
	}
}

static void
make_objects(void)
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
	crypto_sign_seed_keypair(public_key, secret_key, seed);
	memcpy(spki + 12, public_key, sizeof(public_key));
	base64(key, sizeof(key), spki, sizeof(spki));
	for (int i = 0; i < OBJECTS; i++)
		buffer_init(&good[i], NULL, NULL);

	print(&good[REGISTRY], "{\"signers\":[{\"signerId\":\"key-1\",\"algorithm\":\"ed25519\",\"publicKey\":\"%s\",\"status\":\"active\","
		  "\"validFrom\":\"2026-01-01T00:00:00Z\",\"validTo\":null},{\"signerId\":\"key-2\",\"algorithm\":\"ed25519\",\"publicKey\":\"%s\","
		  "\"status\":\"revoked\",\"validFrom\":\"2026-01-01T00:00:00Z\",\"validTo\":\"2026-02-01T00:00:00Z\"}]}", key, other_key);
	make_snapshot(&good[SNAPSHOT]);
	sha256_of(hash, good[SNAPSHOT].data, good[SNAPSHOT].length);
	sign(hash, signature);
	hex(hash_hex, hash, sizeof(hash));
	base64(hash_base64, sizeof(hash_base64), hash, sizeof(hash));
	print(&good[METADATA], "{\"snapshot-id\":\"30000000-0000-7000-8000-000000000001\",\"hash\":\"%s\",\"signature\":\"%s\",\"signer-id\":\"key-1\","
		  "\"ts\":\"2026-11-23T16:15:31.000000Z\"}", hash_hex, signature);
	buffer_append(&good[ENVELOPE], good[SNAPSHOT].data, good[SNAPSHOT].length - 1);
	print(&good[ENVELOPE], ",\"snapshot_bytes_canonical_hash\":\"%s\",\"signer_kid\":\"key-1\",\"signature\":\"%s\"}", hash_base64, signature);
	make_chain(&good[CHAIN]);
}

/* ---------------------------------------------------------------- alterations */

typedef struct
{
	const uint8_t *next;
	const uint8_t *end;
} Program;

static uint32_t
choose(Program *program, uint32_t count)
{
	uint32_t	chosen = 0;

	for (int i = 0; i < 2; i++)
		chosen = chosen << 8 | (program->next < program->end ? *program->next++ : 0);
	return count ? chosen % count : 0;
}

static void
splice(ByteBuffer *out, const ByteBuffer *text, size_t start, size_t end, const char *middle, size_t length)
{
	out->length = 0;
	buffer_append(out, text->data, start);
	buffer_append(out, middle, length);
	buffer_append(out, text->data + end, text->length - end);
}

/* One value of a JSON text becomes something else; what is left need not be JSON. */
static void
alter_value(ByteBuffer *out, const ByteBuffer *text, Program *program)
{
	static const char *const others[] = {"null", "true", "0", "1", "-1", "1e3", "\"\"", "[]", "{}", "\"revoked\"", "\"active\"", "\"key-2\"",
										 "\"descendants\"", "\"2026-02-31T00:00:00Z\"", "\"2999-01-01T00:00:00Z\"", "\"00000000-0000-7000-8000-000000000001\"", "\"x\",\"y\":\"z\""};
	JsonDocument document;
	JsonError	error;
	const JsonNode *node;
	const JsonNode *other;
	size_t		start,
				end;

	json_document_init(&document, NULL, NULL);
	if (!json_read(&document, text->data, text->length, &limits, &error))
	{
		out->length = 0;
		buffer_append(out, text->data, text->length);
		json_document_free(&document);
		return;
	}
	node = document.nodes + choose(program, document.node_count);
	other = document.nodes + choose(program, document.node_count);
	start = node->start;
	end = start + json_raw_length(node);
	switch (choose(program, 7))
	{
		case 0:					/* another value of the same text */
			splice(out, text, start, end, json_raw(&document, other), json_raw_length(other));
			break;
		case 1:
			{
				const char *constant = others[choose(program, sizeof(others) / sizeof(*others))];

				splice(out, text, start, end, constant, strlen(constant));
				break;
			}
		case 2:					/* gone, with a comma beside it */
			if (start > 0 && text->data[start - 1] == ',')
				start--;
			else if (end < text->length && text->data[end] == ',')
				end++;
			splice(out, text, start, end, "", 0);
			break;
		case 3:					/* there twice */
			splice(out, text, end, end, ",", 1);
			{
				ByteBuffer	twice;

				buffer_init(&twice, NULL, NULL);
				splice(&twice, out, end + 1, end + 1, text->data + start, end - start);
				splice(out, &twice, 0, twice.length, twice.data, twice.length);
				buffer_free(&twice);
			}
			break;
		case 4:					/* one byte */
			splice(out, text, start, start, "", 0);
			if (end > start)
				out->data[start + choose(program, (uint32_t) (end - start))] ^= (char) (1 << choose(program, 7));
			break;
		case 5:					/* white space before it */
			splice(out, text, start, start, " ", 1);
			break;
		case 6:					/* the two change places */
			if (json_raw_length(other) > 0 && other->start >= end)
			{
				splice(out, text, other->start, other->start + json_raw_length(other), text->data + start, end - start);
				{
					ByteBuffer	half;

					buffer_init(&half, NULL, NULL);
					buffer_append(&half, out->data, out->length);
					splice(out, &half, start, end, json_raw(&document, other), json_raw_length(other));
					buffer_free(&half);
				}
			}
			else
				splice(out, text, start, start, "", 0);
			break;
	}
	json_document_free(&document);
}

/* The n-th line: where it starts, and its length without the end of the line. */
static size_t
line_at(const ByteBuffer *text, uint32_t n, size_t *length)
{
	size_t		start = 0;
	const char *end;

	for (;;)
	{
		end = memchr(text->data + start, '\n', text->length - start);
		*length = end ? (size_t) (end - text->data) - start : text->length - start;
		if (n-- == 0 || end == NULL)
			return start;
		start += *length + 1;
	}
}

/* A line of a chain is altered, dropped, repeated, or goes to the end. */
static void
alter_chain(ByteBuffer *out, const ByteBuffer *text, Program *program)
{
	size_t		length;
	size_t		start = line_at(text, choose(program, EVENTS), &length);
	uint32_t	what = choose(program, 8);
	ByteBuffer	line, altered;

	if (start + length >= text->length)
		what = 7;
	switch (what)
	{
		case 0:
			splice(out, text, start, start + length + 1, "", 0);
			return;
		case 1:
			splice(out, text, start, start, text->data + start, length + 1);
			return;
		case 2:
			splice(out, text, start, start + length + 1, "", 0);
			buffer_append(out, text->data + start, length + 1);
			return;
		case 3:
			splice(out, text, start, start, "\n", 1);
			return;
		default:
			buffer_init(&line, NULL, NULL);
			buffer_init(&altered, NULL, NULL);
			buffer_append(&line, text->data + start, length);
			alter_value(&altered, &line, program);
			splice(out, text, start, start + length, altered.data, altered.length);
			buffer_free(&line);
			buffer_free(&altered);
	}
}

/* ---------------------------------------------------------------- what may still be verified */

static bool
same_member(const JsonDocument *document, const char *name, const char *expected)
{
	Bytes		text = member_text(document, json_root(document), name);

	return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

/* The payloads of a chain that passed are some of the events, one after another. */
static void
must_be_part_of_chain(const ByteBuffer *text)
{
	int			at = -1;
	JsonDocument document;
	JsonError	error;

	json_document_init(&document, NULL, NULL);
	for (size_t start = 0; start < text->length;)
	{
		const char *end = memchr(text->data + start, '\n', text->length - start);
		size_t		length = end ? (size_t) (end - text->data) - start : text->length - start;

		if (length > 0)
		{
			ByteBuffer	payload;
			const JsonNode *value;

			MUST(json_read(&document, text->data + start, length, &limits, &error));
			value = json_member_literal(&document, json_root(&document), "payload");
			MUST(value != NULL);
			buffer_init(&payload, NULL, NULL);
			canonical_write_value(&payload, &document, value);
			if (at < 0)
			{
				for (at = 0; at < EVENTS; at++)
				{
					if (payloads[at].length == payload.length && memcmp(payloads[at].data, payload.data, payload.length) == 0)
						break;
				}
			}
			else
				at++;
			MUST(at < EVENTS);
			MUST(payloads[at].length == payload.length && memcmp(payloads[at].data, payload.data, payload.length) == 0);
			buffer_free(&payload);
		}
		start += length + 1;
	}
	json_document_free(&document);
}

/* The one entry of the signer has its key, and lets it sign at the time of the snapshot. */
static void
must_be_a_registry_that_allows(const ByteBuffer *text)
{
	JsonDocument document;
	JsonError	error;
	const JsonNode *signers;
	int			entries = 0;

	json_document_init(&document, NULL, NULL);
	MUST(json_read(&document, text->data, text->length, &limits, &error));
	signers = json_member_literal(&document, json_root(&document), "signers");
	MUST(signers != NULL);
	for (const JsonNode *s = json_first(&document, signers); s; s = json_next(&document, signers, s))
	{
		Bytes		id = member_text(&document, s, "signerId");
		Bytes		key = member_text(&document, s, "publicKey");
		Bytes		status = member_text(&document, s, "status");
		uint8_t		spki[44];

		MUST(decode_base64(key, spki, sizeof(spki)));
		if (memcmp(spki + 12, public_key, sizeof(public_key)) == 0)
			MUST(status.length != 7 || memcmp(status.data, "revoked", 7) != 0 || member_text(&document, s, "validTo").data);
		if (id.length != 5 || memcmp(id.data, "key-1", 5) != 0)
			continue;
		entries++;
		MUST(memcmp(spki + 12, public_key, sizeof(public_key)) == 0);
		/* As text: what the alterations put there begins with the year. */
		MUST(member_text(&document, s, "validFrom").data == NULL || memcmp(member_text(&document, s, "validFrom").data, "2026-11-24", 10) < 0);
		MUST(member_text(&document, s, "validTo").data == NULL || memcmp(member_text(&document, s, "validTo").data, "2026-11-23", 10) >= 0);
	}
	MUST(entries == 1);
	json_document_free(&document);
}

static void
must_be_equivalent(ObjectKind kind, const ByteBuffer *text)
{
	JsonDocument document;
	JsonError	error;
	ByteBuffer	ours, theirs;

	switch (kind)
	{
		case SNAPSHOT:
			MUST(text->length == good[kind].length && memcmp(text->data, good[kind].data, text->length) == 0);
			break;
		case METADATA:
			json_document_init(&document, NULL, NULL);
			MUST(json_read(&document, text->data, text->length, &limits, &error));
			MUST(same_member(&document, "signer-id", "key-1") || same_member(&document, "signerId", "key-1"));
			json_document_free(&document);
			break;
		case ENVELOPE:
			buffer_init(&ours, NULL, NULL);
			buffer_init(&theirs, NULL, NULL);
			canonicalise(&ours, good[kind].data, good[kind].length);
			canonicalise(&theirs, text->data, text->length);
			MUST(ours.length == theirs.length && memcmp(ours.data, theirs.data, ours.length) == 0);
			buffer_free(&ours);
			buffer_free(&theirs);
			break;
		case CHAIN:
			must_be_part_of_chain(text);
			break;
		case REGISTRY:
			must_be_a_registry_that_allows(text);
			break;
		case OBJECTS:
			break;
	}
}

static bool
is_verified(ObjectKind kind, const ByteBuffer *object)
{
	const ByteBuffer *metadata = kind == METADATA ? object : &good[METADATA];
	const ByteBuffer *registry_text = kind == REGISTRY ? object : &good[REGISTRY];
	Registry	registry;
	Report		report;
	ByteBuffer	out;
	JsonDocument document;
	JsonError	error;
	bool		verified;

	buffer_init(&out, NULL, NULL);
	if (!registry_read(&registry, registry_text->data, registry_text->length, &out))
	{
		registry_free(&registry);
		buffer_free(&out);
		return false;
	}
	report_init(&report, "object", kind == CHAIN ? "audit" : kind == ENVELOPE ? "envelope" : "snapshot");
	json_document_init(&document, NULL, NULL);
	if (kind == ENVELOPE)
		verify_envelope(&report, &registry, object->data, object->length);
	else if (kind == CHAIN)
	{
		Audit	   *audit = audit_new(&registry);

		audit_verify(audit, &report, object->data, object->length);
		audit_free(audit);
	}
	else if (json_read(&document, metadata->data, metadata->length, &limits, &error))
	{
		const ByteBuffer *snapshot = kind == SNAPSHOT ? object : &good[SNAPSHOT];
		Claims		claims = {0};

		claims_take(&claims, &document);
		verify_snapshot(&report, &registry, snapshot->data, snapshot->length, &claims);
	}
	else
		report_add(&report, FINDING_UNCHECKED, "metadata", "%s", error.message);
	verified = report_verdict(&report) == VERDICT_VERIFIED;
	out.length = 0;
	report_write_json(&out, &report);
	json_document_free(&document);
	report_free(&report);
	registry_free(&registry);
	buffer_free(&out);
	return verified;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Program		program = {data, data + size};
	ByteBuffer	object, altered;
	ObjectKind	kind;

	if (!good[SNAPSHOT].data)
	{
		make_objects();
		for (int i = 0; i < OBJECTS; i++)
			MUST(is_verified((ObjectKind) i, &good[i]));
	}
	kind = (ObjectKind) choose(&program, OBJECTS);
	buffer_init(&object, NULL, NULL);
	buffer_init(&altered, NULL, NULL);
	buffer_append(&object, good[kind].data, good[kind].length);
	for (int i = 0; i < ALTERATIONS_MOST && program.next < program.end; i++)
	{
		ByteBuffer	swap;

		(kind == CHAIN ? alter_chain : alter_value)(&altered, &object, &program);
		swap = object;
		object = altered;
		altered = swap;
	}
	if (is_verified(kind, &object))
		must_be_equivalent(kind, &object);
	buffer_free(&object);
	buffer_free(&altered);
	return 0;
}
