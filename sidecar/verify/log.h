/*
 * What reason-verify knows of transparency logs: who may sign checkpoints, heads of logs that must agree, proofs, and
 * logs of tiles. The formats are those of C2SP: see extension/core/signed_note.h and its neighbours.
 */
#ifndef REASON_VERIFY_LOG_H
#define REASON_VERIFY_LOG_H

#include "core/log_policy.h"
#include "core/merkle.h"
#include "verify.h"

/* ---------------------------------------------------------------- who may sign */

/* The registry's keys for checkpoints count, under whatever origin, unless a policy names logs. */
typedef struct {
    const Registry *registry; /* NULL: none was given */
    const LogPolicy *policy;  /* NULL: none was given */
} LogTrust;

typedef struct {
    SignedNote note;
    Checkpoint checkpoint; /* points into the text that was parsed */
} SignedCheckpoint;

/* False, with the reason as a finding, when the file is no policy. `text` must outlive it. */
bool log_policy_load(LogPolicy *policy, const char *text, size_t length, ByteBuffer *error);

/*
 * Reads a signed checkpoint, and judges its signatures: adds findings, and what it says to the report. False when it is
 * none. Whoever reads it cannot know when a checkpoint was signed, but that it was after `earliest`, when something that
 * it covers was there (KEY_TIME_BEGIN: that is not known), and before witnesses cosigned it.
 */
bool log_read_checkpoint(const LogTrust *trust, Report *report, const char *text, size_t length, int64_t earliest,
                         SignedCheckpoint *out);
/* The same for one that was parsed. */
void log_check_signatures(const LogTrust *trust, Report *report, const SignedCheckpoint *checkpoint, int64_t earliest);

/* The division that a log is of: the last part of its origin, without the number of a log that began anew. */
Bytes log_division(const NoteText *origin);

/* ---------------------------------------------------------------- heads */

/* The head of a log at some size, as an object or a person states it; a log that is read must have had this root. */
typedef struct {
    char *label; /* who says so */
    char *origin;
    uint64_t size;
    uint8_t root[SHA256_LENGTH];
    bool noted;    /* noted at an earlier visit: what is given now must extend it */
    bool compared; /* with a log, or with another head */
} Head;

typedef struct {
    Head *heads;
    size_t count;
    MerkleHash *consistency; /* from the noted head to the present one */
    size_t consistency_count;
    bool has_consistency;
    bool wanted; /* a log is given, or a head from before: what snapshots name can be compared */
} Heads;

void heads_free(Heads *heads);

/* A head that was noted before: a signed checkpoint, or its first three lines. False, with the reason in `error`. */
bool heads_note(Heads *heads, const char *label, const char *text, size_t length, ByteBuffer *error);
/* The same by hand; the root in Base 64 or hexadecimal. */
bool heads_note_by_hand(Heads *heads, const char *origin, const char *size, const char *root, ByteBuffer *error);
/* Hashes of a consistency proof: in Base 64, one a line, or in the array `hashes` of a JSON object. */
bool heads_read_consistency(Heads *heads, const char *text, size_t length, ByteBuffer *error);

/* Adds a head that an object states, after comparing it with those of the same log; adds findings. */
void heads_add(Heads *heads, Report *report, const Checkpoint *checkpoint);

/* The same without findings, for a head that was compared already. */
bool heads_remember(Heads *heads, const char *label, const Checkpoint *checkpoint);

/* The head of the log that a snapshot names (payload.log), if it does. */
void heads_add_snapshot(Heads *heads, Report *report, const char *text, size_t length);

/* What was noted and never compared with anything: adds a finding for each. */
void heads_report_left(const Heads *heads, Report *report);

/* ---------------------------------------------------------------- objects */

/* A proof that an event is in a log (.tlog-proof), its `extra` being the canonical event. */
void verify_proof(Report *report, const LogTrust *trust, Heads *heads, const char *text, size_t length);

/* A signed checkpoint alone. */
void verify_checkpoint(Report *report, const LogTrust *trust, Heads *heads, const char *text, size_t length);

/*
 * A log of tiles (https://c2sp.org/tlog-tiles) below a folder, or a URL that ends in a slash: the tree is computed anew from
 * its entries, and every tile, every head of the log and every event of the audit that was read before compared with it.
 */
void verify_log(Report *report, const LogTrust *trust, Heads *heads, const Audit *audit, const char *location);
/* Whether a location is one of a log rather than of an object. */
bool log_is_location(const char *location);

#endif
