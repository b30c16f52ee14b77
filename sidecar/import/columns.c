/* columns.c: a record out of named columns. */
#include "import/columns.h"

#include "core/json_reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where a column goes: a member of the record, or of one of the two objects that records have. */
enum place { IN_RECORD, IN_PAYLOAD, IN_METADATA, PLACES };

static const char *const place_names[PLACES] = {NULL, "payload", "metadata"};

struct column {
    char *name;                 /* as it stands in the file */
    char *member;
    enum place place;
    enum column_form form;
};

struct columns {
    enum kind kind;
    const struct settings *settings;
    struct column *columns;
    int count;
    bool has[PLACES];
    JsonDocument document;      /* of a cell */
};

struct member {
    const char *name;
    enum column_form form;
};

static const struct member node_members[] = {
    {"id"}, {"type"}, {"author"}, {"actor"}, {"ts"}, {"division"}, {"version"}, {"manifestSignatureId"}, {"auditEventId"},
    {"payload", COLUMN_JSON}, {"metadata", COLUMN_JSON}, {"payloadRef", COLUMN_JSON}, {NULL},
};
static const struct member edge_members[] = {
    {"id"}, {"from"}, {"to"}, {"type"}, {"weight", COLUMN_NUMBER}, {"metadata", COLUMN_JSON}, {"division"}, {"auditEventId"}, {NULL},
};
/* What the service knows of metadata. */
static const struct member metadata_members[] = {{"tags", COLUMN_TAGS}, {"confidence", COLUMN_NUMBER}, {NULL}};
static const struct member form_names[] = {
    {"string", COLUMN_TEXT}, {"number", COLUMN_NUMBER}, {"boolean", COLUMN_BOOLEAN}, {"json", COLUMN_JSON}, {"tags", COLUMN_TAGS}, {NULL},
};

static const struct member *find(const struct member *members, const char *name)
{
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

bool columns_is_text(enum kind kind, const char *name)
{
    const struct member *member = find(kind == NODES ? node_members : edge_members, name);

    return member && member->form == COLUMN_TEXT;
}

struct columns *columns_new(enum kind kind, const struct settings *settings)
{
    struct columns *columns = calloc(1, sizeof(*columns));

    if (columns) {
        columns->kind = kind;
        columns->settings = settings;
        json_document_init(&columns->document, NULL, NULL);
    }
    return columns;
}

void columns_free(struct columns *columns)
{
    if (!columns)
        return;
    for (int i = 0; i < columns->count; i++) {
        free(columns->columns[i].name);
        free(columns->columns[i].member);
    }
    free(columns->columns);
    json_document_free(&columns->document);
    free(columns);
}

int columns_count(const struct columns *columns)
{
    return columns->count;
}

/* What --rename says it is, or itself. */
static const char *renamed(const struct settings *settings, const char *name)
{
    size_t length = strlen(name);

    for (int i = 0; i < settings->renamed_count; i++)
        if (strncmp(settings->renamed[i], name, length) == 0 && settings->renamed[i][length] == '=')
            return settings->renamed[i] + length + 1;
    return name;
}

/* Takes a form off the end of a name: amount:number. */
static bool take_form(char *member, enum column_form *form)
{
    char *colon = strrchr(member, ':');
    const struct member *named = colon ? find(form_names, colon + 1) : NULL;

    if (!named)
        return false;
    *colon = '\0';
    *form = named->form;
    return true;
}

/* Finds the place of column->member, which loses the name of the object it is in. */
static bool place_of(const struct columns *columns, struct column *column, bool formed)
{
    const struct member *known = find(columns->kind == NODES ? node_members : edge_members, column->member);

    for (enum place place = IN_PAYLOAD; !known && place < PLACES; place++) {
        size_t length = strlen(place_names[place]);

        if (place == IN_PAYLOAD && columns->kind == EDGES)
            continue;
        if (strncmp(column->member, place_names[place], length) == 0 && column->member[length] == '.' && column->member[length + 1]) {
            memmove(column->member, column->member + length + 1, strlen(column->member + length));
            column->place = place;
            known = place == IN_METADATA ? find(metadata_members, column->member) : NULL;
            if (known && !formed)
                column->form = known->form;
            return true;
        }
    }
    if (known) {
        if (!formed || known->form != COLUMN_JSON)
            column->form = known->form;
        return true;
    }
    known = find(metadata_members, column->member);
    if (known) {
        column->place = IN_METADATA;
        if (!formed)
            column->form = known->form;
    }
    return known != NULL;
}

static bool is_twice(const struct columns *columns, const struct column *column)
{
    for (int i = 0; i < columns->count; i++)
        if (columns->columns[i].place == column->place && strcmp(columns->columns[i].member, column->member) == 0)
            return true;
    return false;
}

bool columns_add(struct columns *columns, const char *name, enum column_form form, char why[WHY_SIZE])
{
    struct column *larger = realloc(columns->columns, ((size_t)columns->count + 1) * sizeof(*larger));
    struct column column = {.name = strdup(name), .member = strdup(renamed(columns->settings, name)), .form = form};
    bool whole[PLACES] = {false}, formed;

    if (larger)
        columns->columns = larger;
    if (!larger || !column.name || !column.member) {
        snprintf(why, WHY_SIZE, "out of memory");
        goto refused;
    }
    if (columns->count == COLUMNS_MOST) {
        snprintf(why, WHY_SIZE, "there are more than %d columns", COLUMNS_MOST);
        goto refused;
    }
    formed = take_form(column.member, &column.form) || form != COLUMN_TEXT;
    if (!place_of(columns, &column, formed)) {
        snprintf(why, WHY_SIZE, "column \"%s\" is nothing that %s have; --rename '%s=payload.%s' puts it into the payload, another name elsewhere, and"
                 " --rename '%s=' leaves it out", name, kind_names[columns->kind], name, name, name);
        if (columns->kind == EDGES)
            snprintf(why, WHY_SIZE, "column \"%s\" is nothing that edges have; --rename '%s=metadata.%s' puts it into the metadata, and --rename '%s=' leaves it out",
                     name, name, name, name);
        if (*renamed(columns->settings, name))
            goto refused;
        *column.member = '\0';
    }
    if (*column.member && is_twice(columns, &column)) {
        snprintf(why, WHY_SIZE, "there are two columns \"%s\"", name);
        goto refused;
    }
    columns->columns[columns->count++] = column;
    if (*column.member)
        columns->has[column.place] = true;
    for (int i = 0; i < columns->count; i++)
        for (enum place place = IN_PAYLOAD; place < PLACES; place++)
            whole[place] |= columns->columns[i].place == IN_RECORD && strcmp(columns->columns[i].member, place_names[place]) == 0;
    for (enum place place = IN_PAYLOAD; place < PLACES; place++)
        if (whole[place] && columns->has[place]) {
            snprintf(why, WHY_SIZE, "there are a column \"%s\" and columns for its members", place_names[place]);
            return false;
        }
    return true;
refused:
    free(column.name);
    free(column.member);
    return false;
}

/* ---------------------------------------------------------------- writing */

void columns_write_text(ByteBuffer *out, const char *bytes, size_t length)
{
    size_t done = 0;

    buffer_append_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char escaped[8];

        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buffer_append(out, bytes + done, i - done);
        done = i + 1;
        buffer_append(out, escaped, (size_t)snprintf(escaped, sizeof(escaped), c < ' ' ? "\\u%04x" : "\\%c", c));
    }
    buffer_append(out, bytes + done, length - done);
    buffer_append_char(out, '"');
}

static bool is_json(struct columns *columns, const struct cell *cell, bool number, char why[WHY_SIZE])
{
    static const JsonLimits limits = {.max_depth = 64, .max_bytes = RECORD_MOST};
    JsonError error;

    if (!json_read(&columns->document, cell->bytes, cell->length, &limits, &error)) {
        snprintf(why, WHY_SIZE, "%s", error.message);
        return false;
    }
    if (number && json_root(&columns->document)->kind != JSON_NUMBER) {
        snprintf(why, WHY_SIZE, "it is no number");
        return false;
    }
    return true;
}

static void write_tags(ByteBuffer *out, const struct cell *cell)
{
    const char *at = cell->bytes, *end = cell->bytes + cell->length;

    buffer_append_char(out, '[');
    for (;;) {
        const char *stop = memchr(at, ';', (size_t)(end - at));

        columns_write_text(out, at, (size_t)((stop ? stop : end) - at));
        if (!stop)
            break;
        at = stop + 1;
        buffer_append_char(out, ',');
    }
    buffer_append_char(out, ']');
}

static bool write_cell(struct columns *columns, const struct column *column, const struct cell *cell, ByteBuffer *out, char why[WHY_SIZE])
{
    static const struct {
        const char *text;
        bool value;
    } truths[] = {{"true", true}, {"t", true}, {"1", true}, {"false", false}, {"f", false}, {"0", false}};
    char said[WHY_SIZE];

    switch (column->form) {
    case COLUMN_TAGS:
        write_tags(out, cell);
        return true;
    case COLUMN_TEXT:
        columns_write_text(out, cell->bytes, cell->length);
        return true;
    case COLUMN_BOOLEAN:
        for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++)
            if (strlen(truths[i].text) == cell->length && strncasecmp(truths[i].text, cell->bytes, cell->length) == 0) {
                buffer_append(out, truths[i].value ? "true" : "false", truths[i].value ? 4 : 5);
                return true;
            }
        snprintf(why, WHY_SIZE, "column \"%s\": it is neither true nor false", column->name);
        return false;
    default:
        if (is_json(columns, cell, column->form == COLUMN_NUMBER, said)) {
            buffer_append(out, cell->bytes, cell->length);
            return true;
        }
        snprintf(why, WHY_SIZE, "column \"%.200s\": %.500s", column->name, said);
        return false;
    }
}

bool columns_write(struct columns *columns, const struct cell *cells, ByteBuffer *out, char why[WHY_SIZE])
{
    bool first = true;

    buffer_append_char(out, '{');
    for (enum place place = IN_RECORD; place < PLACES; place++) {
        bool begun = false;

        for (int i = 0; i < columns->count; i++) {
            const struct column *column = &columns->columns[i];

            if (column->place != place || cells[i].absent || !*column->member)
                continue;
            if (!first)
                buffer_append_char(out, ',');
            if (place != IN_RECORD && !begun) {
                columns_write_text(out, place_names[place], strlen(place_names[place]));
                buffer_append_literal(out, ":{");
            }
            first = false;
            begun = true;
            columns_write_text(out, column->member, strlen(column->member));
            buffer_append_char(out, ':');
            if (!write_cell(columns, column, &cells[i], out, why))
                return false;
        }
        if (begun && place != IN_RECORD)
            buffer_append_char(out, '}');
    }
    buffer_append_char(out, '}');
    return true;
}
