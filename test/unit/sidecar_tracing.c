/*
 * Trace contexts and samplers of the sidecar.
 *
 * https://www.w3.org/TR/trace-context/#traceparent-header, and the test suite that goes with it
 * (https://github.com/w3c/trace-context/blob/main/test/test.py).
 */
#include "check.h"

#include "tracing/context.h"

#define ID "12345678901234567890123456789012"
#define GOOD "00-" ID "-1234567890123456-01"

static bool
accepts(const char *traceparent)
{
	struct trace_context context;

	return trace_context_parse(traceparent, &context);
}

static void
traceparents(void)
{
	struct trace_context context;

	CHECK(trace_context_parse(GOOD, &context));
	CHECK(context.sampled);
	CHECK(context.trace_id[0] == 0x12 && context.trace_id[15] == 0x12 && context.trace_id[4] == 0x90);
	CHECK(context.parent_id[0] == 0x12 && context.parent_id[7] == 0x56);
	CHECK(trace_context_parse("00-" ID "-1234567890123456-02", &context));
	CHECK(!context.sampled);
	/* a version to come */
	CHECK(accepts("cc-" ID "-1234567890123456-01"));
	CHECK(accepts("cc-" ID "-1234567890123456-01-what-the-future-will-be-like"));
	CHECK(!accepts("cc-" ID "-1234567890123456-01.what-the-future-will-not-be-like"));
	CHECK(!accepts("ff-" ID "-1234567890123456-01"));
	CHECK(!accepts(GOOD "-extra"));
	CHECK(!accepts(GOOD "."));
	CHECK(!accepts(""));
	CHECK(!accepts("00"));
	CHECK(!accepts("00-00000000000000000000000000000000-1234567890123456-01"));
	CHECK(!accepts("00-" ID "-0000000000000000-01"));
	CHECK(!accepts("00-1234567890123456789012345678901X-1234567890123456-01"));
	CHECK(!accepts("00-1234567890123456789012345678901A-1234567890123456-01"));
	CHECK(!accepts("0x-" ID "-1234567890123456-01"));
	CHECK(!accepts("00-" ID "_1234567890123456-01"));
	CHECK(!accepts("00-" ID "-1234567890123456-.0"));
	CHECK(!accepts("00-" ID "-1234567890123456-1"));
	CHECK(!accepts("00-" ID "-123456789012345-01"));
}

static bool
records(const char *name, const char *argument, const char *traceparent)
{
	struct sampler sampler;
	struct trace_context context;

	CHECK(sampler_parse(name, argument, &sampler));
	CHECK(trace_context_parse(traceparent, &context));
	return sampler_records(&sampler, &context);
}

static void
samplers(void)
{
	const char *unsampled = "00-" ID "-1234567890123456-00";
	/* the second half of the id, read as 63 bits, is a quarter and three quarters of the range */
	const char *low = "00-ffffffffffffffff4000000000000000-1234567890123456-00";
	const char *high = "00-0000000000000001c000000000000000-1234567890123456-01";
	struct sampler sampler;

	CHECK(records("parentbased_always_on", "1", GOOD));
	CHECK(!records("parentbased_always_on", "1", unsampled));
	CHECK(records("parentbased_always_off", "1", GOOD));
	CHECK(!records("parentbased_traceidratio", "1", unsampled));
	CHECK(records("always_on", "1", unsampled));
	CHECK(!records("always_off", "1", GOOD));
	CHECK(records("traceidratio", "0.5", low));
	CHECK(!records("traceidratio", "0.5", high));
	CHECK(records("traceidratio", "0.76", high));
	CHECK(records("traceidratio", "1", high));
	CHECK(!records("traceidratio", "0", low));
	CHECK(!sampler_parse("traceidratio", "1.5", &sampler));
	CHECK(!sampler_parse("traceidratio", "-0.1", &sampler));
	CHECK(!sampler_parse("traceidratio", "nan", &sampler));
	CHECK(!sampler_parse("traceidratio", "", &sampler));
	CHECK(!sampler_parse("traceidratio", "0.5x", &sampler));
	CHECK(!sampler_parse("jaeger_remote", "1", &sampler));
}

int
main(void)
{
	traceparents();
	samplers();
	return check_summary("sidecar_tracing");
}
