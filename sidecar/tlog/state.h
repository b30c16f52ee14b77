/*
 * state.h: what this sidecar signed last in each division, kept where the operator of the database cannot rewrite it.
 *
 * The file is text, one fact a line, and ends with the SHA-256 of all before, so that a torn or edited one is refused:
 *
 *   reason-sidecar log 1
 *   division <name> <origin or ->          begins a division; the lines up to the next are its own
 *   signed <size> <hashes,…>               the compact range (core/merkle.h) of all that was signed
 *   head <hash> <signature> <signer>       of event size - 1
 *   recorded <size>                        so many signatures the database has taken
 *   checkpoint <size> <root>               the last that was signed, or found published
 *   published <size>                       the last that lies in the store with all its tiles
 *   key <from seq> <public key> <signer>   who signed from this event on; one line for each change
 *   mark <size> <seconds>                  so many were signed by then, in seconds since 1970; LOG_MARKS of them at most
 *   closed <origin> <size> <root>          an origin that ended, when a restore was accepted
 *   sha256 <hex>
 *
 * It is replaced whole: written beside, synced, renamed, and its directory synced. Whoever changes it holds the lock of
 * <file>.lock meanwhile. It is about 1 kB a division.
 */
#ifndef SIDECAR_TLOG_STATE_H
#define SIDECAR_TLOG_STATE_H

#include "core/names.h"
#include "core/merkle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_ORIGIN_SIZE 512
#define LOG_SIGNER_SIZE 256
#define LOG_SIGNATURE_LENGTH 64

struct log_key {
    uint64_t from;
    uint8_t public_key[32];
    char signer[LOG_SIGNER_SIZE];
};

/* The older, the farther between. */
#define LOG_MARKS 32
#define LOG_MARK_SECONDS 60

struct log_mark {
    uint64_t size;
    int64_t seconds;
};

struct log_closed {
    char origin[LOG_ORIGIN_SIZE];
    uint64_t size;
    MerkleHash root;
};

struct log_division {
    char name[DIVISION_NAME_LENGTH + 1];
    char origin[LOG_ORIGIN_SIZE];           /* "" until there was a checkpoint */
    MerkleRange signed_range;
    MerkleHash head_hash;                   /* of event signed_range.size - 1 */
    uint8_t head_signature[LOG_SIGNATURE_LENGTH];
    char head_signer[LOG_SIGNER_SIZE];
    uint64_t recorded;
    uint64_t checkpoint_size;               /* 0: there was none */
    MerkleHash checkpoint_root;
    uint64_t published;
    struct log_key *keys;                   /* by their first event */
    size_t key_count;
    struct log_mark marks[LOG_MARKS];       /* by time */
    size_t mark_count;
    struct log_closed *closed;
    size_t closed_count;
    bool doubted;                           /* the store refused to take what is to be published, since this was read: not kept in the file */
};

struct log_state {
    const char *path;                       /* "": it is kept nowhere but here */
    struct log_division **divisions;        /* by name */
    size_t count;
    bool loaded;                            /* there was a file */
    ino_t inode;                            /* of the file that holds this */
    long modified_s, modified_ns;
};

/* Reads the file; one that is not there is an empty state. False after logging why not: then nothing may be signed. */
bool log_state_load(struct log_state *state, const char *path);
/* Whether the file is still the one that was read or written last. */
bool log_state_is_current(const struct log_state *state);
/* Whether there was a file, and there is none any more. */
bool log_state_is_gone(const struct log_state *state);
/* Durable when it returns true. False after logging why not; also when somebody else has written the file meanwhile. */
bool log_state_save(struct log_state *state);
void log_state_free(struct log_state *state);

/* NULL: nothing is known of it. */
struct log_division *log_state_find(const struct log_state *state, const char *name);
/* Finds the division, or adds it with nothing signed. NULL when out of memory, or when no division can have the name. */
struct log_division *log_state_add(struct log_state *state, const char *name);

/* Notes that events from `from` on are signed by this key, unless they are already. */
bool log_division_key(struct log_division *division, uint64_t from, const char *signer, const uint8_t public_key[32]);
/* Who signed an event, as far as is known; NULL: it was signed before anything was remembered. */
const struct log_key *log_division_key_of(const struct log_division *division, uint64_t seq);
/* Notes that all that is remembered as signed was signed by now; false: that was known, or was noted a moment ago. */
bool log_division_mark(struct log_division *division, int64_t now);
/* So many events at least were signed by then, as far as is known. */
uint64_t log_division_signed_by(const struct log_division *division, int64_t seconds);
/* Closes the origin at what was signed last, and forgets that. */
bool log_division_close(struct log_division *division);

#endif
