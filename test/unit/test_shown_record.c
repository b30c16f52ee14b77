/*
 * test_shown_record.c
 *		Which members of a record may be redacted where it is shown, and times of records.
 */
#include "check.h"

#include "core/json_reader.h"
#include "core/recorded_time.h"
#include "core/shown_record.h"

static const JsonLimits limits = {.max_depth = 64};

static bool
read_text(JsonDocument *document, const char *text)
{
	JsonError	error;

	json_document_init(document, NULL, NULL);
	return json_read(document, text, strlen(text), &limits, &error);
}

static void
check_record(const char *record, const char *whole, bool may_redact, bool expected)
{
	JsonDocument documents[2];
	ShownWork	work;

	shown_work_init(&work, 1000, NULL, NULL, NULL);
	if (CHECK(read_text(&documents[0], record) && read_text(&documents[1], whole)) &&
		!CHECK(shown_record_is_of(&work, &documents[0], json_root(&documents[0]), &documents[1], json_root(&documents[1]),
								  may_redact) == expected))
		fprintf(stderr, "  %s\n", record);
	json_document_free(&documents[0]);
	json_document_free(&documents[1]);
	shown_work_free(&work);
}

static void
check_records(void)
{
	static const char whole[] = "{\"author\":\"x\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"type\":\"t\"}";

	check_record("{\"author\":\"x\",\"digest\":\"1\",\"metadata\":{\"a\":1},\"payload\":1,\"payloadHash\":\"0\",\"salt\":\"s\",\"type\":\"t\"}", whole, false, true);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"redacted\":true,\"type\":\"t\"}", whole, true, true);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"redacted\":true,\"type\":\"t\"}", whole, false, false);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"type\":\"t\"}", whole, true, false);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":2},\"payloadHash\":\"0\",\"redacted\":true,\"type\":\"t\"}", whole, true, false);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"redacted\":true,\"type\":\"[redacted:a]\"}", whole, true, false);
	check_record("{\"author\":\"[redacted:a]\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"redacted\":true}", whole, true, false);
	check_record("{\"author\":\"x\",\"metadata\":{\"a\":1},\"payloadHash\":\"0\",\"redacted\":true,\"type\":\"t\"}", whole, true, false);
	check_record("{\"author\":\"x\",\"metadata\":{\"a\":1},\"more\":1,\"payloadHash\":\"0\",\"type\":\"t\"}", whole, true, false);
	check_record("{\"author\":\"x\",\"erased\":{},\"metadata\":{\"a\":1},\"payload\":1,\"payloadHash\":\"0\",\"type\":\"t\"}", whole, true, false);
	check_record("{\"author\":\"x\",\"erased\":{},\"metadata\":{\"a\":1},\"payload\":null,\"payloadHash\":\"0\",\"type\":\"t\"}", whole, true, true);
}

static void
check_times(void)
{
	static const char *const none[] = {"", "2026-02-29T00:00:00.000000Z", "1900-02-29T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "2026-00-01T00:00:00.000000Z",
									   "2026-01-00T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z", "2026-01-01T00:60:00.000000Z", "2026-01-01T00:00:60.000000Z",
									   "2026-01-01T00:00:00.000000z", "2026-01-01 00:00:00.000000Z", "2026-01-01T00:00:00.00000Z", "2026-01-01T00:00:00Z", "-026-01-01T00:00:00.000000Z"};
	static const struct
	{
		const char *text;
		int64_t		seconds;
	}			some[] = {{"1970-01-01T00:00:00.000000Z", 0}, {"1969-12-31T23:59:59.999999Z", -1}, {"2000-02-29T12:00:00.000000Z", 951825600},
						  {"2026-11-29T20:24:57.000001Z", 1795983897}, {"0000-01-01T00:00:00.000000Z", -62167219200}, {"9999-12-31T23:59:59.999999Z", 253402300799}};
	int64_t		seconds;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
	{
		if (!CHECK(!recorded_time_read(none[i], strlen(none[i]), &seconds)))
			fprintf(stderr, "  %s\n", none[i]);
	}
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
	{
		if (!CHECK(recorded_time_read(some[i].text, strlen(some[i].text), &seconds) && seconds == some[i].seconds))
			fprintf(stderr, "  %s is %" PRId64 "\n", some[i].text, seconds);
	}
}

int
main(void)
{
	check_records();
	check_times();
	return check_summary("shown records");
}
