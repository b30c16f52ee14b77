/*
 * record.h: the records that are sent: what was read, with the ids that it lacks.
 *
 * A record without an id gets one of version 7 (RFC 9562): the time at which the import began, the record's number in it, and bits of
 * the import's own id. So the same record of the same import always has the same one, and records that lie together in
 * a file lie together in the index. Ids that are no UUIDs are keys: with a namespace they become UUIDs of version 5, which
 * anybody can compute again.
 */
#ifndef REASON_IMPORT_RECORD_H
#define REASON_IMPORT_RECORD_H

#include "core/json_reader.h"
#include "core/uuid_text.h"
#include "import/import.h"

struct record_maker {
    const struct settings *settings;
    uint8_t import_id[UUID_BYTES];  /* of version 7 */
    JsonDocument document;
};

/* A new UUID of version 7. */
void record_new_id(uint8_t id[UUID_BYTES]);
/* A UUID in any case; false for other texts. */
bool record_read_uuid(const char *text, size_t length, uint8_t id[UUID_BYTES]);

void record_maker_init(struct record_maker *maker, const struct settings *settings, const uint8_t import_id[UUID_BYTES]);
void record_maker_free(struct record_maker *maker);
/* Appends the record; false, with the reason and nothing appended, when the text is no object that can be one. number: of its kind in this import, from 0. */
bool record_make(struct record_maker *maker, enum kind kind, uint64_t number, const char *text, size_t length, ByteBuffer *out, char why[WHY_SIZE]);

#endif
