/* context.c: reading traceparent, and sampling. */
#include "tracing/context.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* "vv-" 32 "-" 16 "-ff" */
enum { TRACE_ID_AT = 3, PARENT_ID_AT = 36, FLAGS_AT = 53, LENGTH = 55 };

static int hex_digit(char c)
{
    /* upper case is not allowed */
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

bool trace_context_parse(const char *traceparent, struct trace_context *context)
{
    uint8_t version, flags;

    if (strlen(traceparent) < LENGTH || !read_hex(traceparent, &version, 1) || version == 0xff || traceparent[TRACE_ID_AT - 1] != '-'
        || !read_hex(traceparent + TRACE_ID_AT, context->trace_id, TRACE_ID_LENGTH) || traceparent[PARENT_ID_AT - 1] != '-'
        || !read_hex(traceparent + PARENT_ID_AT, context->parent_id, SPAN_ID_LENGTH) || traceparent[FLAGS_AT - 1] != '-'
        || !read_hex(traceparent + FLAGS_AT, &flags, 1))
        return false;
    /* a later version may say more, after another dash */
    if (traceparent[LENGTH] != '\0' && (version == 0 || traceparent[LENGTH] != '-'))
        return false;
    context->sampled = (flags & 1) != 0;
    return !all_zero(context->trace_id, TRACE_ID_LENGTH) && !all_zero(context->parent_id, SPAN_ID_LENGTH);
}

bool sampler_parse(const char *name, const char *argument, struct sampler *sampler)
{
    char *end;

    sampler->ratio = strtod(argument, &end);
    if (end == argument || *end || !(sampler->ratio >= 0 && sampler->ratio <= 1))
        return false;
    if (!strncmp(name, "parentbased_", 12)) {
        sampler->kind = SAMPLE_AS_CALLER;
        name += 12;
    } else if (!strcmp(name, "always_on")) {
        sampler->kind = SAMPLE_ALL;
    } else if (!strcmp(name, "always_off")) {
        sampler->kind = SAMPLE_NONE;
    } else {
        sampler->kind = SAMPLE_RATIO;
    }
    return !strcmp(name, "always_on") || !strcmp(name, "always_off") || !strcmp(name, "traceidratio");
}

bool sampler_records(const struct sampler *sampler, const struct trace_context *context)
{
    uint64_t number = 0;

    switch (sampler->kind) {
    case SAMPLE_AS_CALLER:
        return context->sampled;
    case SAMPLE_ALL:
        return true;
    case SAMPLE_NONE:
        return false;
    case SAMPLE_RATIO:
        break;
    }
    /* as other SDKs decide, so that a trace is recorded by all or by none: 63 bits of the id's second half, which are random */
    for (int i = TRACE_ID_LENGTH / 2; i < TRACE_ID_LENGTH; i++)
        number = number << 8 | context->trace_id[i];
    return (double)(number >> 1) < sampler->ratio * 9223372036854775808.0;
}
