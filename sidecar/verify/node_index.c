/*
 * Digests by id, of nodes or of contents: a hash table with open addressing that only grows.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

/* Ids are UUIDs in their text form. */
#define ID_LENGTH 36

typedef struct {
    bool used;
    char id[ID_LENGTH];
    uint8_t digest[SHA256_LENGTH];
} Slot;

struct NodeIndex {
    Slot *slots;
    size_t capacity; /* a power of two */
    size_t count;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* ids come from outside: no one may choose collisions */
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("reason-verify: out of memory\n", stderr);
        exit(VERDICT_UNCHECKED);
    }
    return memory;
}

NodeIndex *node_index_new(void)
{
    NodeIndex *index = must(calloc(1, sizeof(*index)));

    index->capacity = 1024;
    index->slots = must(calloc(index->capacity, sizeof(Slot)));
    crypto_shorthash_keygen(index->key);
    return index;
}

void node_index_free(NodeIndex *index)
{
    free(index->slots);
    free(index);
}

static Slot *find_slot(const NodeIndex *index, const char id[ID_LENGTH])
{
    uint64_t hash;
    size_t at;

    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)id, ID_LENGTH, index->key);
    at = hash & (index->capacity - 1);
    while (index->slots[at].used && memcmp(index->slots[at].id, id, ID_LENGTH) != 0)
        at = (at + 1) & (index->capacity - 1);
    return &index->slots[at];
}

static void grow(NodeIndex *index)
{
    Slot *old = index->slots;
    size_t old_capacity = index->capacity;

    index->capacity *= 2;
    index->slots = must(calloc(index->capacity, sizeof(Slot)));
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].used)
            *find_slot(index, old[i].id) = old[i];
    }
    free(old);
}

bool node_index_add(NodeIndex *index, Bytes id, const uint8_t digest[SHA256_LENGTH])
{
    Slot *slot;

    if (id.length != ID_LENGTH)
        return false;
    if (index->count * 2 >= index->capacity)
        grow(index);
    slot = find_slot(index, id.data);
    if (slot->used)
        return false;
    slot->used = true;
    memcpy(slot->id, id.data, ID_LENGTH);
    memcpy(slot->digest, digest, SHA256_LENGTH);
    index->count++;
    return true;
}

const uint8_t *node_index_find(const NodeIndex *index, Bytes id)
{
    Slot *slot;

    if (id.length != ID_LENGTH)
        return NULL;
    slot = find_slot(index, id.data);
    return slot->used ? slot->digest : NULL;
}
