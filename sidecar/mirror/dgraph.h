/* dgraph.h: what the parts of Dgraph's engine share: texts of DQL, requests, and how records are named there. */
#ifndef SIDECAR_MIRROR_DGRAPH_H
#define SIDECAR_MIRROR_DGRAPH_H

#include "mirror/target.h"

#include <stdio.h>

/* The properties of a record, each a predicate. */
#define DGRAPH_PROPERTIES "reason.key reason.id reason.division reason.type reason.author reason.createdAt reason.occurredAt reason.digest reason.auditEventId" \
    " reason.payload reason.payloadOmitted reason.erased reason.confidence reason.weight reason.tags reason.tagList"

/* A text that grows. */
struct text {
    FILE *out;
    char *bytes;
    size_t length;
};

bool text_begin(struct text *text);
/* What was written, which the caller frees; NULL when memory was short. */
char *text_end(struct text *text);
/* A JSON string in quotes, whose escapes are those of DQL too. */
void text_quote(FILE *out, const json_t *string);
/* A list of such strings. */
void text_list(FILE *out, const json_t *strings);

/* Sends a text of a type; *data gets what the answer holds, which the caller releases, or the outcome is not MIRROR_DONE. */
enum mirror_outcome dgraph_send(struct mirror *mirror, const char *path, const char *type, const char *text, json_t **data);
/* Asks, with a text that is freed; NULL: memory was short. */
enum mirror_outcome dgraph_ask(struct mirror *mirror, char *query, json_t **data);
/* Mutates and commits, with a query that is freed and mutations that are released; *queries gets the answer to the query. */
enum mirror_outcome dgraph_mutate(struct mirror *mirror, char *query, json_t *mutations, json_t **queries);

/* These of struct mirror_engine. */
enum mirror_outcome dgraph_count(struct mirror *mirror, const char *division, json_t **counts);
enum mirror_outcome dgraph_fetch(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found);
enum mirror_outcome dgraph_causes(struct mirror *mirror, const json_t *keys, json_t **found);

#endif
