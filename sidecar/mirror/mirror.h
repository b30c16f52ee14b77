/*
 * mirror.h: a graph store that shows the graph, and the little that its engine must do.
 *
 * How far a mirror is, for each division, stands in the mirror: its mark, the last event that it has taken, with the hash of that
 * event. apply() moves the mark in the transaction that writes what it covers, and only from where it is thought to be: so
 * nothing is lost or doubled, whoever is killed, and two who feed at once do no harm.
 *
 * A key is "<division>/<id>". Records are JSON objects as the database gives them (sql/sidecar/mirror.sql); each of their members is a
 * property. An answer is believed only where it says what was asked for.
 */
#ifndef SIDECAR_MIRROR_MIRROR_H
#define SIDECAR_MIRROR_MIRROR_H

#include "base/config.h"
#include "net/http.h"

#include <jansson.h>

/* Marks with another number were made by another version, and are not touched. */
#define MIRROR_SCHEMA 1
#define MIRROR_HASH_HEX 64

enum mirror_outcome {
    MIRROR_DONE,
    MIRROR_AWAY,                /* no answer, or none that can be believed: nothing is known; later again */
    MIRROR_REFUSED,             /* it will not take what it was given, and took nothing of it */
    MIRROR_MOVED                /* its mark is another than was said; nothing was written */
};

struct mirror_mark {
    bool there;                 /* false: the mirror has no mark for the division */
    bool rebuilding;            /* it is being emptied */
    long schema;
    long seq;                   /* -1: nothing was taken yet */
    char hash[MIRROR_HASH_HEX + 1];     /* "" with -1 */
};

/* Takes a mark as an engine gave it, the hash of none as "" or not at all; false when it can be none. */
bool mirror_take_mark(struct mirror_mark *mark, const json_t *seq, const json_t *hash, const json_t *schema, const json_t *rebuilding);

/* What events do to a mirror, in the order in which it is to be done: arrays of the rows that the database gave, by op and type. */
struct mirror_group {
    const char *op;             /* node, annotation, edge, erase */
    const char *type;           /* of the records; of erase: node or annotation */
    json_t *rows;
};

#define MIRROR_GROUPS_MOST 24

struct mirror_changes {
    struct mirror_group groups[MIRROR_GROUPS_MOST];
    size_t count;
    bool again;                 /* edges may be there already */
};

struct mirror;

struct mirror_engine {
    const char *type;
    const char *token_header;   /* that carries a token as it is; NULL: it is a bearer token */
    /* Constraints and indices, if they are not there. */
    enum mirror_outcome (*prepare)(struct mirror *mirror);
    enum mirror_outcome (*read_mark)(struct mirror *mirror, const char *division, struct mirror_mark *mark);
    /* Writes changes and moves the mark, or makes it, in one transaction. */
    enum mirror_outcome (*apply)(struct mirror *mirror, const char *division, const struct mirror_mark *before, const struct mirror_mark *after,
                                 const struct mirror_changes *changes);
    /* {"node": {"decision": 3, …}, "edge": {…}, "annotation": {"annotation": 2}} of a division. */
    enum mirror_outcome (*count)(struct mirror *mirror, const char *division, json_t **counts);
    /* Records of a kind (node, edge, annotation) by key: {key: {"labels": […] or "type": …, "from", "to", "record": {…}}}. */
    enum mirror_outcome (*fetch)(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found);
    /* Keys of the causes of nodes: an array, perhaps with repeats. */
    enum mirror_outcome (*causes)(struct mirror *mirror, const json_t *keys, json_t **found);
    /* Removes some of a division's records, never its mark; *removed is 0 when none is left. */
    enum mirror_outcome (*empty)(struct mirror *mirror, const char *division, long *removed);
};

struct mirror {
    const struct mirror_config *config;
    const struct mirror_engine *engine;
    struct http *http;
    char *url;                  /* without a slash at its end */
    bool prepared;
    char error[400];            /* what was wrong, after any outcome but MIRROR_DONE */
};

/*
 * The types of nodes and edges, ended by NULL. They become part of what some engines are told, so the database is not believed that
 * another is one.
 */
extern const char *const mirror_node_types[], *const mirror_edge_types[];
bool mirror_has_type(const char *const *types, const char *type);

extern const struct mirror_engine mirror_neo4j, mirror_janusgraph, mirror_dgraph;

/* NULL after logging why not. */
struct mirror *mirror_open(const struct mirror_config *config);
void mirror_close(struct mirror *mirror);
/* The mirror of this name; NULL: there is none. */
const struct mirror_config *mirror_named(const struct config *config, const char *name);
/* The divisions of a mirror as an array literal of PostgreSQL, which the caller frees. */
char *mirror_divisions(const struct mirror_config *config);
/* Whether it answers, takes the credentials, and has or gets its constraints. Logged when not. */
bool mirror_answers(const struct mirror_config *config);

#endif
