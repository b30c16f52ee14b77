/* file.h: what file.c and file_list.c share. */
#ifndef SIDECAR_FILE_H
#define SIDECAR_FILE_H

#include "store/store.h"

struct file_store {
    struct store store;
    char *directory;
};

bool file_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context);
bool file_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context);

#endif
