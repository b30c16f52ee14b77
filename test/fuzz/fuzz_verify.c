/*
 * fuzz_verify.c
 *		Whatever an object holds, the verifier ends with a verdict, and nothing that
 *		no known signer has signed is verified.
 */
#include <sodium.h>
#include <stdint.h>

#include "must.h"
#include "verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of RFC 8032, section 7.1: a fuzzer does not come upon a signature of it, so nothing may be "verified". */
static const char registry_text[] =
	"{\"signers\":[{\"signerId\":\"kernel-1\",\"algorithm\":\"ed25519\",\"status\":\"active\",\"publicKey\":"
	"\"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}]}";

static void
judge(const char *text, size_t length, const Registry *registry, int kind)
{
	static const char signature[] =
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
	const Claims claims = {.signature = {signature, sizeof(signature) - 1}, .signer_id = {"kernel-1", 8}};
	Report		report;
	ByteBuffer	json;
	Audit	   *audit;

	report_init(&report, "input", kind == 0 ? "snapshot" : kind == 1 ? "envelope" : "audit");
	if (kind == 0)
		verify_snapshot(&report, registry, text, length, &claims);
	else if (kind == 1)
		verify_envelope(&report, registry, text, length);
	else
	{
		(void) audit_recognises(text, length);
		audit = audit_new(registry);
		audit_verify(audit, &report, text, length);
		audit_free(audit);
	}
	MUST(report.count > 0);
	MUST(report_verdict(&report) != VERDICT_VERIFIED);
	buffer_init(&json, NULL, NULL);
	report_write_json(&json, &report);
	buffer_free(&json);
	report_free(&report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Registry registry;
	Registry	other;
	ByteBuffer	error;

	buffer_init(&error, NULL, NULL);
	if (!registry.signers)
	{
		MUST(sodium_init() >= 0);
		MUST(registry_read(&registry, registry_text, sizeof(registry_text) - 1, &error));
	}
	for (int kind = 0; kind < 3; kind++)
		judge((const char *) data, size, &registry, kind);
	if (!registry_read(&other, (const char *) data, size, &error))
		MUST(error.length > 0);
	registry_free(&other);
	buffer_free(&error);
	return 0;
}
