/*
 * document.h: whether a snapshot's document is what the log says, before it is signed.
 *
 * A signature on a snapshot says that these records are the graph that was recorded. The database has frozen it, and could
 * have left one out or changed one: so the bytes are read here.
 *
 *   - they are canonical JSON with the hash that is to be signed, no event, with the members that a document has and no others, and a graph that
 *     holds together (core/snapshot_graph.h);
 *   - each record is the one of its event, whose hash is in the log that this sidecar signed; contents that are shown and
 *     not redacted are those that the record commits to;
 *   - the tree that the document names is of this division's log, and no older than what this sidecar had signed when the document
 *     says that it was frozen;
 *   - of each node every edge that the database has among that tree's events is there, or the node is named where the walk
 *     stopped, and is as far from the roots as the document goes; where annotations were asked for, each of them.
 *
 * What this cannot find: an edge whose row the database does not show (its event stands in the log, and
 * reason.verify_all() finds that the row is missing); that something else was asked for than the document says.
 */
#ifndef SIDECAR_TLOG_DOCUMENT_H
#define SIDECAR_TLOG_DOCUMENT_H

#include "base/db.h"
#include "tlog/state.h"

/* Larger documents are not held in memory: of them only the hash is compared. */
#define DOCUMENT_BYTES_MOST (256L * 1024 * 1024)

enum document_verdict {
    DOCUMENT_TRUE,
    DOCUMENT_NOT_KNOWN,         /* the database did not answer, or out of memory */
    DOCUMENT_TOO_NEW,           /* it holds what is not signed yet */
    DOCUMENT_OUTDATED,          /* of a log that has begun anew since: it is to be frozen again */
    DOCUMENT_MISNAMED,          /* of a log with another prefix than checkpoint.origin, as the database has it: until one of them is changed */
    DOCUMENT_STRANGE,           /* it says more than this sidecar knows of: of a later version, until this one is of that too */
    DOCUMENT_MISTIMED,          /* the clock of the database is ahead of this sidecar's: until they agree nobody can say what there was when it was frozen */
    DOCUMENT_UNDECIDED,         /* to compare it would take too long */
    DOCUMENT_FALSE              /* the database contradicts what was signed */
};

struct document_question {
    struct db *db;
    const char *id, *division;
    const char *prefix;         /* of the logs' origins */
    const struct log_division *known;   /* what is remembered of the division's log */
    int64_t ahead_until;        /* documents that say they were made by then were made by a clock that was ahead; 0: none */
    int64_t made_at;            /* set: when the document says that it was made, in seconds since 1970 */
    char reason[400];           /* what is false */
};

enum document_verdict document_verdict(struct document_question *question, const char *text, size_t length);

#endif
