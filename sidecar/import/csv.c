/*
 * csv.c: RFC 4180, with names in the first line.
 *
 * Ends of lines are LF or CRLF, in quoted cells as they stand. An empty cell without quotes is absent, one of two quotes an
 * empty text.
 */
#include "import/columns.h"
#include "import/source.h"

#include "import/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct csv {
    struct source source;
    struct bytes *bytes;
    struct columns *columns;
    int delimiter;
    uint64_t line;              /* that the next byte is on */
    ByteBuffer row;             /* cells, one after the other */
    size_t ends[COLUMNS_MOST + 1];
    bool quoted[COLUMNS_MOST];
    struct cell cells[COLUMNS_MOST];
};

static enum taken bad(struct csv *csv, bool broken, char why[WHY_SIZE], const char *message)
{
    csv->source.broken = csv->source.broken || broken;
    snprintf(why, WHY_SIZE, "%s", message);
    return TAKEN_BAD;
}

/* The rest of a quoted cell, its first quote taken. */
static enum taken take_quoted(struct csv *csv, char why[WHY_SIZE])
{
    const char *run;
    size_t length;

    for (;;) {
        int next;

        while ((length = bytes_run(csv->bytes, '"', '\n', &run)) > 0) {
            if (csv->row.length + length > RECORD_MOST)
                return bad(csv, true, why, "a row has more than 16 MiB: is a quote missing?");
            buffer_append(&csv->row, run, length);
        }
        next = bytes_next(csv->bytes);
        if (next == '\n') {
            csv->line++;
            buffer_append_char(&csv->row, '\n');
        } else if (next == '"' && bytes_peek(csv->bytes) == '"')
            buffer_append_char(&csv->row, (char)bytes_next(csv->bytes));
        else if (next == '"')
            return TAKEN;
        else
            return bad(csv, true, why, next == -1 ? "the file ends within quotes" : strerror(errno));
    }
}

/* One cell, and what ends it: *last, the row ends too. */
static enum taken take_cell(struct csv *csv, bool *quoted, bool *last, char why[WHY_SIZE])
{
    const char *run;
    size_t length, begin = csv->row.length;
    int next;

    *quoted = bytes_peek(csv->bytes) == '"';
    if (*quoted) {
        bytes_next(csv->bytes);
        if (take_quoted(csv, why) == TAKEN_BAD)
            return TAKEN_BAD;
    } else
        while ((length = bytes_run(csv->bytes, csv->delimiter, '\n', &run)) > 0) {
            if (csv->row.length + length > RECORD_MOST)
                return bad(csv, true, why, "a row has more than 16 MiB");
            buffer_append(&csv->row, run, length);
        }
    next = bytes_next(csv->bytes);
    if (*quoted && next == '\r' && bytes_peek(csv->bytes) == '\n')
        next = bytes_next(csv->bytes);
    if (!*quoted && next != csv->delimiter && csv->row.length > begin && csv->row.data[csv->row.length - 1] == '\r')
        csv->row.length--;
    if (next == -2)
        return bad(csv, true, why, strerror(errno));
    *last = next != csv->delimiter;
    if (*last && next != '\n' && next != -1)
        return bad(csv, true, why, "something follows a closing quote");
    if (next == '\n')
        csv->line++;
    return TAKEN;
}

/* The cells of the next row that is not empty into row, ends and quoted; their number. */
static enum taken take_row(struct csv *csv, int *count, char why[WHY_SIZE])
{
    bool last;

    for (;;) {
        csv->row.length = 0;
        *count = 0;
        last = false;
        csv->source.place = csv->line;
        if (bytes_peek(csv->bytes) == -1)
            return TAKEN_NONE;
        while (!last) {
            if (*count == COLUMNS_MOST)
                return bad(csv, true, why, "a row has more than 1000 cells");
            if (take_cell(csv, &csv->quoted[*count], &last, why) == TAKEN_BAD)
                return TAKEN_BAD;
            csv->ends[++*count] = csv->row.length;
        }
        if (csv->row.failed)
            return bad(csv, true, why, "out of memory");
        if (*count > 1 || csv->row.length > 0 || csv->quoted[0])
            return TAKEN;
    }
}

static enum taken csv_next(struct source *source, ByteBuffer *out, char why[WHY_SIZE])
{
    struct csv *csv = (struct csv *)source;
    int count, expected = columns_count(csv->columns);
    enum taken taken = take_row(csv, &count, why);

    if (taken != TAKEN)
        return taken;
    if (count != expected) {
        snprintf(why, WHY_SIZE, "there are %d cells, and %d columns", count, expected);
        return TAKEN_BAD;
    }
    for (int i = 0; i < count; i++)
        csv->cells[i] = (struct cell){csv->row.data + csv->ends[i], csv->ends[i + 1] - csv->ends[i], csv->ends[i + 1] == csv->ends[i] && !csv->quoted[i]};
    return columns_write(csv->columns, csv->cells, out, why) ? TAKEN : TAKEN_BAD;
}

static bool take_header(struct csv *csv, char why[WHY_SIZE])
{
    int count;
    bool ok = true;

    if (take_row(csv, &count, why) != TAKEN) {
        if (!csv->source.broken)
            snprintf(why, WHY_SIZE, "it is empty: the first line has the names of the columns");
        return false;
    }
    if (csv->row.length > 0 && memchr(csv->row.data, '\0', csv->row.length)) {
        snprintf(why, WHY_SIZE, "names of columns have NUL characters: is the file UTF-16? It must be UTF-8");
        return false;
    }
    for (int i = 0; i < count && ok; i++) {
        char *name = strndup(csv->row.data ? csv->row.data + csv->ends[i] : "", csv->ends[i + 1] - csv->ends[i]);

        ok = name && columns_add(csv->columns, name, COLUMN_TEXT, why);
        free(name);
    }
    return ok;
}

static void csv_close(struct source *source)
{
    struct csv *csv = (struct csv *)source;

    bytes_close(csv->bytes);
    columns_free(csv->columns);
    buffer_free(&csv->row);
    free(csv);
}

static double csv_progress(const struct source *source)
{
    const struct bytes *bytes = ((const struct csv *)source)->bytes;

    return bytes_size(bytes) ? (double)bytes_taken(bytes) / (double)bytes_size(bytes) : -1;
}

struct source *csv_open(const char *path, int delimiter, enum kind kind, const struct settings *settings, char why[WHY_SIZE])
{
    struct csv *csv = calloc(1, sizeof(*csv));

    if (!csv) {
        snprintf(why, WHY_SIZE, "out of memory");
        return NULL;
    }
    csv->source = (struct source){.next = csv_next, .close = csv_close, .progress = csv_progress, .path = path, .unit = "line"};
    csv->delimiter = delimiter;
    csv->line = 1;
    buffer_init(&csv->row, NULL, NULL);
    csv->bytes = bytes_open(path);
    csv->columns = columns_new(kind, settings);
    if (!csv->bytes)
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
    else if (!csv->columns)
        snprintf(why, WHY_SIZE, "out of memory");
    else if (take_header(csv, why))
        return &csv->source;
    if (csv->bytes)
        csv_close(&csv->source);
    else {
        columns_free(csv->columns);
        free(csv);
    }
    return NULL;
}
