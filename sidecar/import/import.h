/* import.h: what all parts of reason-import share. */
#ifndef REASON_IMPORT_IMPORT_H
#define REASON_IMPORT_IMPORT_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nodes come first: edges name them. */
enum kind { NODES, EDGES, KINDS };

/* "nodes", "edges" */
extern const char *const kind_names[KINDS];

#define RECORD_MOST ((size_t) 16 * 1024 * 1024) /* bytes that one record may have in a file */
#define WHY_SIZE 1024           /* of a sentence that says what is wrong */

/* A signal asked for the end: what is under way is finished, nothing more is begun. */
bool import_stopping(void);

/* What a file's columns or members are called in a record, and what records have that a file does not say. */
struct settings {
    char **renamed;             /* COLUMN=MEMBER */
    int renamed_count;
    char **constants;           /* MEMBER=VALUE */
    int constant_count;
    int delimiter;              /* of CSV; 0: by the file's name */
    bool has_namespace;
    uint8_t namespace[16];      /* in which keys that are no UUIDs become UUIDs */
    const char *duckdb;         /* the library that reads Parquet */
};

#endif
