/*
 * publish.h: tiles, entries and checkpoints of a log into the store, as https://c2sp.org/tlog-tiles has them.
 *
 *   <folder>/tile/<L>/<N>[.p/<W>], <folder>/tile/entries/<N>[.p/<W>]     immutable; partial ones are not locked
 *   <folder>/checkpoints/<size>                                          immutable
 *   <folder>/checkpoint                                                  the newest, replaced
 *
 * What is published is what the checkpoint's root was made of: the hashes come from the database, and nothing is put
 * before they gave that root.
 */
#ifndef SIDECAR_TLOG_PUBLISH_H
#define SIDECAR_TLOG_PUBLISH_H

#include "base/db.h"
#include "core/merkle.h"
#include "store/store.h"

struct publication {
    struct store *immutable;    /* under lock, if the store is */
    struct store *mutable;      /* never */
    const char *folder;         /* published_folder() */
    uint64_t published;         /* what lies there already, with its tiles */
    uint64_t size;
    const uint8_t *root;
    const char *note;           /* signed */
    bool announces;             /* the checkpoint as the newest, too; else stage/announce.c does it later */
    bool (*goes_on)(void *context);     /* false: to be given up, and begun again later */
    void *context;
    char reason[1000];          /* why it was not done */
};

/* STORE_REFUSED: something else is published there. */
enum store_result publish(struct publication *publication, struct db *db, const char *division);

#endif
