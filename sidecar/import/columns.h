/*
 * columns.h: a record out of named columns.
 *
 * A column is named as a member of a record is: type, author, from, weight. payload, metadata and payloadRef hold JSON;
 * payload.NAME and metadata.NAME hold one member of these, a text unless the name ends in :number, :boolean, :json or :tags
 * (texts between semicolons). tags and confidence stand for metadata.tags and metadata.confidence.
 */
#ifndef REASON_IMPORT_COLUMNS_H
#define REASON_IMPORT_COLUMNS_H

#include "import/import.h"

#define COLUMNS_MOST 1000

struct columns;

struct cell {
    const char *bytes;
    size_t length;
    bool absent;
};

/* By what a column holds where its name does not say: COLUMN_TEXT is no statement. */
enum column_form { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BOOLEAN, COLUMN_JSON, COLUMN_TAGS };

struct columns *columns_new(enum kind kind, const struct settings *settings);
void columns_free(struct columns *columns);
/* The next column; false, with the reason, when a record has no place for it. */
bool columns_add(struct columns *columns, const char *name, enum column_form form, char why[WHY_SIZE]);
int columns_count(const struct columns *columns);
/* Appends the object that a row is; false, with the reason, when a cell does not hold what its column does. */
bool columns_write(struct columns *columns, const struct cell *cells, ByteBuffer *out, char why[WHY_SIZE]);

/* Whether records of this kind have a member of this name that is a text. */
bool columns_is_text(enum kind kind, const char *name);

/* Appends a text as a JSON string. */
void columns_write_text(ByteBuffer *out, const char *bytes, size_t length);

#endif
