/* ndjson.c: one JSON object a line. Empty lines are passed over. */
#include "import/source.h"

#include "import/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ndjson {
    struct source source;
    struct bytes *bytes;
};

/* Appends the rest of a line; false, with the reason, when it cannot be had. *more: there was something, an end of line at least. */
static bool take_line(struct ndjson *ndjson, ByteBuffer *out, bool *more, char why[WHY_SIZE])
{
    const char *run;
    size_t begin = out->length, length;
    int next;

    for (;;) {
        while ((length = bytes_run(ndjson->bytes, '\n', '\n', &run)) > 0) {
            if (out->length - begin + length > RECORD_MOST) {
                ndjson->source.broken = true;
                snprintf(why, WHY_SIZE, "a line has more than %zu MiB", RECORD_MOST >> 20);
                return false;
            }
            buffer_append(out, run, length);
        }
        next = bytes_next(ndjson->bytes);
        if (next == '\n')
            *more = true;
        if (next >= -1) {
            *more = *more || out->length > begin;
            return true;
        }
        ndjson->source.broken = true;
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
        return false;
    }
}

static bool is_blank(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        length--;
    return length == 0;
}

static enum taken ndjson_next(struct source *source, ByteBuffer *out, char why[WHY_SIZE])
{
    struct ndjson *ndjson = (struct ndjson *)source;
    size_t begin = out->length;

    for (;;) {
        bool more = false;

        source->place++;
        if (!take_line(ndjson, out, &more, why))
            return TAKEN_BAD;
        if (!more)
            return TAKEN_NONE;
        if (out->failed || !is_blank(out->data + begin, out->length - begin))
            return TAKEN;
        out->length = begin;
    }
}

static void ndjson_close(struct source *source)
{
    bytes_close(((struct ndjson *)source)->bytes);
    free(source);
}

static double ndjson_progress(const struct source *source)
{
    const struct bytes *bytes = ((const struct ndjson *)source)->bytes;

    return bytes_size(bytes) ? (double)bytes_taken(bytes) / (double)bytes_size(bytes) : -1;
}

struct source *ndjson_open(const char *path, char why[WHY_SIZE])
{
    struct ndjson *ndjson = calloc(1, sizeof(*ndjson));

    if (ndjson)
        ndjson->bytes = bytes_open(path);
    if (!ndjson || !ndjson->bytes) {
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
        free(ndjson);
        return NULL;
    }
    ndjson->source = (struct source){.next = ndjson_next, .close = ndjson_close, .progress = ndjson_progress, .path = path, .unit = "line"};
    return &ndjson->source;
}
