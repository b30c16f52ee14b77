/*
 * fuzz_forgery.c
 *		Good objects, altered where their structure is: each alteration is refused,
 *		or changes nothing that anybody vouches for.
 *
 * The input is a program of alterations: which object, which value in it, what
 * becomes of the value.  Bytes at random are fuzz_verify's part; they hardly ever
 * come to a document that is read to its end.
 */
#include <stdint.h>
#include <string.h>

#include "core/canonical.h"
#include "forgery_alter.h"
#include "forgery_objects.h"
#include "must.h"
#include "verify.h"

#define ALTERATIONS_MOST 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---------------------------------------------------------------- what may still be verified */

static bool
same_member(const JsonDocument *document, const char *name, const char *expected)
{
	Bytes		text = member_text(document, json_root(document), name);

	return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static bool
is_payload(int event, const ByteBuffer *payload)
{
	return forgery_payloads[event].length == payload->length &&
		memcmp(forgery_payloads[event].data, payload->data, payload->length) == 0;
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

			MUST(json_read(&document, text->data + start, length, &forgery_limits, &error));
			value = json_member_literal(&document, json_root(&document), "payload");
			MUST(value != NULL);
			buffer_init(&payload, NULL, NULL);
			canonical_write_value(&payload, &document, value);
			if (at < 0)
			{
				for (at = 0; at < FORGERY_EVENTS; at++)
				{
					if (is_payload(at, &payload))
						break;
				}
			}
			else
				at++;
			MUST(at < FORGERY_EVENTS);
			MUST(is_payload(at, &payload));
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
	MUST(json_read(&document, text->data, text->length, &forgery_limits, &error));
	signers = json_member_literal(&document, json_root(&document), "signers");
	MUST(signers != NULL);
	for (const JsonNode *s = json_first(&document, signers); s; s = json_next(&document, signers, s))
	{
		Bytes		id = member_text(&document, s, "signerId");
		Bytes		key = member_text(&document, s, "publicKey");
		Bytes		status = member_text(&document, s, "status");
		uint8_t		spki[44];

		MUST(decode_base64(key, spki, sizeof(spki)));
		if (memcmp(spki + 12, forgery_public_key, sizeof(forgery_public_key)) == 0)
			MUST(status.length != 7 || memcmp(status.data, "revoked", 7) != 0 || member_text(&document, s, "validTo").data);
		if (id.length != 5 || memcmp(id.data, "key-1", 5) != 0)
			continue;
		entries++;
		MUST(memcmp(spki + 12, forgery_public_key, sizeof(forgery_public_key)) == 0);
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
			MUST(text->length == forgery_good[kind].length && memcmp(text->data, forgery_good[kind].data, text->length) == 0);
			break;
		case METADATA:
			json_document_init(&document, NULL, NULL);
			MUST(json_read(&document, text->data, text->length, &forgery_limits, &error));
			MUST(same_member(&document, "signer-id", "key-1") || same_member(&document, "signerId", "key-1"));
			json_document_free(&document);
			break;
		case ENVELOPE:
			buffer_init(&ours, NULL, NULL);
			buffer_init(&theirs, NULL, NULL);
			forgery_canonicalise(&ours, forgery_good[kind].data, forgery_good[kind].length);
			forgery_canonicalise(&theirs, text->data, text->length);
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
	const ByteBuffer *metadata = kind == METADATA ? object : &forgery_good[METADATA];
	const ByteBuffer *registry_text = kind == REGISTRY ? object : &forgery_good[REGISTRY];
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
	else if (json_read(&document, metadata->data, metadata->length, &forgery_limits, &error))
	{
		const ByteBuffer *snapshot = kind == SNAPSHOT ? object : &forgery_good[SNAPSHOT];
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
	ForgeryProgram program = {data, data + size};
	ByteBuffer	object, altered;
	ObjectKind	kind;

	if (!forgery_good[SNAPSHOT].data)
	{
		forgery_make_objects();
		for (int i = 0; i < OBJECTS; i++)
			MUST(is_verified((ObjectKind) i, &forgery_good[i]));
	}
	kind = (ObjectKind) forgery_choose(&program, OBJECTS);
	buffer_init(&object, NULL, NULL);
	buffer_init(&altered, NULL, NULL);
	buffer_append(&object, forgery_good[kind].data, forgery_good[kind].length);
	for (int i = 0; i < ALTERATIONS_MOST && program.next < program.end; i++)
	{
		ByteBuffer	swap;

		(kind == CHAIN ? forgery_alter_chain : forgery_alter_value)(&altered, &object, &program);
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
