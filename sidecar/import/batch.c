/* batch.c: records that are written together, all or none. */
#include "import/batch.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(enum kind kind, uint64_t number, const char *path, const char *unit)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    batch->kind = kind;
    batch->number = number;
    batch->path = path;
    batch->unit = unit;
    buffer_init(&batch->text, NULL, NULL);
    buffer_append_literal(&batch->text, "{\"");
    buffer_append(&batch->text, kind_names[kind], strlen(kind_names[kind]));
    buffer_append_literal(&batch->text, "\":[");
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    buffer_free(&batch->text);
    free(batch->records);
    free(batch);
}

bool batch_begin_record(struct batch *batch, uint64_t place)
{
    if (batch->count == batch->room) {
        int room = batch->room ? batch->room * 2 : 1024;
        struct batch_record *larger = realloc(batch->records, (size_t)room * sizeof(*larger));

        if (!larger)
            return false;
        batch->records = larger;
        batch->room = room;
    }
    if (batch->count > 0)
        buffer_append_char(&batch->text, ',');
    batch->records[batch->count] = (struct batch_record){batch->text.length, place};
    batch->count++;
    return !batch->text.failed;
}

void batch_take_back(struct batch *batch)
{
    batch->count--;
    batch->text.length = batch->records[batch->count].start - (batch->count > 0 ? 1 : 0);
}

bool batch_end(struct batch *batch)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];

    buffer_append_literal(&batch->text, "]}");
    buffer_append_char(&batch->text, '\0');
    if (batch->text.failed)
        return false;
    batch->text.length--;
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)batch->text.data, batch->text.length, NULL, 0);
    memcpy(&batch->hash, hash, sizeof(batch->hash));
    return true;
}

const char *batch_record(const struct batch *batch, int index, size_t *length)
{
    size_t start = batch->records[index].start;
    size_t end = index + 1 < batch->count ? batch->records[index + 1].start - 1 : batch->text.length - 2;

    *length = end - start;
    return batch->text.data + start;
}

void batch_remove(struct batch *batch, int index)
{
    size_t length, gap;
    char *text = batch->text.data;
    size_t start = batch->records[index].start;

    batch_record(batch, index, &length);
    gap = length + (batch->count > 1 ? 1 : 0);
    /* The last one goes with the comma before it, others with the one behind. */
    if (index == batch->count - 1 && index > 0)
        start--;
    memmove(text + start, text + start + gap, batch->text.length + 1 - start - gap);
    batch->text.length -= gap;
    for (int i = index + 1; i < batch->count; i++) {
        batch->records[i - 1] = batch->records[i];
        batch->records[i - 1].start -= gap;
    }
    batch->count--;
    batch->refused++;
}
