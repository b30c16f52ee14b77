/* file.h: what file.c and file_list.c share. */
#ifndef SIDECAR_FILE_H
#define SIDECAR_FILE_H

#include "store/store.h"

#include <dirent.h>
#include <sys/stat.h>

/* The names in a directory of the store's, as it was when they were read. */
struct file_names {
    char *path;                 /* NULL: none are held */
    struct stat status;
    struct dirent **entries;    /* in the order of the keys */
    int count;
};

struct file_store {
    struct store store;
    char *directory;
    struct file_names names;    /* of the one that listings come back to: folders of logs, one by one, and of each division */
};

void file_names_free(struct file_names *names);

bool file_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context);
bool file_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context);

#endif
