/* span.c: spans in the making. */
#include "tracing/export.h"
#include "tracing/tracing.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

long tracing_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

void span_begin(struct span *span, const struct trace_context *context, const char *name, enum span_kind kind, long began_us)
{
    memset(span, 0, sizeof(*span));
    span->context = *context;
    span->name = name;
    span->kind = kind;
    span->began_us = began_us;
    randombytes_buf(span->id, sizeof(span->id));
}

static struct span_attribute *add(struct span *span, const char *key)
{
    struct span_attribute *attribute;

    if (span->attribute_count == SPAN_ATTRIBUTES_MOST)
        return NULL;
    attribute = &span->attributes[span->attribute_count++];
    attribute->key = key;
    return attribute;
}

/* Cuts at the beginning of a UTF-8 character, not within: JSON takes no halves. */
static void copy_text(char *to, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(to, text, length);
    to[length] = '\0';
}

void span_text(struct span *span, const char *key, const char *text)
{
    struct span_attribute *attribute = add(span, key);

    if (!attribute)
        return;
    attribute->is_text = true;
    copy_text(attribute->text, sizeof(attribute->text), text);
}

void span_number(struct span *span, const char *key, long number)
{
    struct span_attribute *attribute = add(span, key);

    if (attribute)
        attribute->number = number;
}

void span_end(struct span *span, long ended_us, const char *failure)
{
    /* the clock may have been set back meanwhile */
    span->ended_us = ended_us < span->began_us ? span->began_us : ended_us;
    span->failed = failure != NULL;
    if (failure)
        copy_text(span->failure, sizeof(span->failure), failure);
    export_span(span);
}
