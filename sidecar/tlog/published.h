/*
 * published.h: the checkpoints that lie in the store, which its readers have seen.
 *
 * One counts if our own checkpoint key signed it, or one from before that the operator keeps: the store may be written by others, and what
 * they write there is not our word.
 */
#ifndef SIDECAR_TLOG_PUBLISHED_H
#define SIDECAR_TLOG_PUBLISHED_H

#include "core/names.h"
#include "core/merkle.h"
#include "store/store.h"
#include "tlog/signers.h"
#include "tlog/state.h"

#define PUBLISHED_FOLDER_SIZE (DIVISION_NAME_LENGTH + 32)

struct published_keys {
    const char *prefix;         /* of origins, which are also the keys' names */
    struct log_signers list;
};

struct published {
    char division[DIVISION_NAME_LENGTH + 1];
    char origin[LOG_ORIGIN_SIZE];
    unsigned epoch;             /* of the origin: 1, or what stands behind its semicolon */
    uint64_t size;
    MerkleHash root;
    uint64_t missed;            /* so much was published, and is not there; 0: it is */
};

/* 0: the origin is none of this division. */
unsigned published_epoch(const char *prefix, const char *division, const char *origin);
/* Where a log lies: tlog/<division>, and tlog/<division>;<epoch> from the second on. */
void published_folder(const char *division, unsigned epoch, char folder[PUBLISHED_FOLDER_SIZE]);

/* Instead of a size that is known. */
#define PUBLISHED_ALL UINT64_MAX

/*
 * The largest checkpoint of a division's latest origin, among the newest versions of its object `checkpoint`, of which no
 * more are read once one is as large as what is known; PUBLISHED_ALL: and among the largest of those that stand under their
 * sizes. size 0: there is none. False: the store does not tell, logged.
 */
bool published_newest(struct store *store, const struct published_keys *keys, const char *division, uint64_t known, struct published *found);

/* What is remembered of a log. */
struct remembered {
    char origin[LOG_ORIGIN_SIZE];
    uint64_t checkpoint, published;
    MerkleHash root;            /* of the checkpoint */
};

/*
 * Looks for the checkpoint that was published last, where `found` is not as large: what there is of it, or that it is missed, in `also`,
 * whose size and missed are 0 when it was not looked for. One that says what is remembered is not missed, whoever signed it: our key
 * was another then. `found` may be of another sidecar on a copy of the database, so both are to be compared. False: the store does not
 * tell, logged.
 */
bool published_look_for(struct store *store, const struct published_keys *keys, const struct remembered *remembered, const struct published *found,
                        struct published *also);

/* Whether the object holds a note with the same checkpoint as this note, by whatever key. */
bool published_says_the_same(struct store *store, const char *object, const char *note);

/* Gives every division of which something was published, perhaps more than once. False: the store does not tell, logged. */
typedef bool division_taker(void *context, const char *division);
bool published_divisions(struct store *store, division_taker *take, void *context);

#endif
