/*
 * feed.h: witnesses are asked to cosign what this sidecar has signed.
 *
 * A thread for each witness, so that one that is slow or away holds up neither the others nor the chain. What is to be
 * asked stands in the database, and what was answered is recorded there: nothing is kept here but what speeds things up.
 * Only the sidecar that leads the duty seal asks.
 *
 * A witness that has seen more of a log than this database has, or another history, contradicts. Where it shows the
 * checkpoint that it holds, and our own key has signed that, it is proved: the log stops. Where it shows none, its word
 * alone stands against ours; the log stops when the policy (policy.h) cannot be met any more without those who contradict.
 * So the policy says both: how many must agree, and how many may lie.
 */
#ifndef SIDECAR_WITNESS_FEED_H
#define SIDECAR_WITNESS_FEED_H

#include "base/config.h"
#include "base/db.h"
#include "core/checkpoint.h"
#include "core/signed_note.h"
#include "witness/policy.h"

/* A checkpoint that our key signed, compared with what we signed of that log. */
enum likeness { FEED_SAME, FEED_ANOTHER, FEED_UNKNOWN };

/* What the sidecar does about it. */
struct feed_hooks {
    void *context;
    /* Our key for this log; false: not known now. */
    bool (*log_key)(void *context, const char *origin, NoteKey *key);
    /* Whether the log of a division has this name, as is remembered outside the database. */
    bool (*is_named)(void *context, const char *division, const char *origin);
    /* Whether what we signed of a division extends what a witness shows. The database is not believed. */
    enum likeness (*compare)(void *context, struct db *db, const char *division, const Checkpoint *theirs);
    /* A cosignature was recorded. */
    void (*cosigned)(void *context, const char *division);
    /* Nothing is to be signed any more, for this reason. */
    void (*refuse)(void *context, const char *division, const char *origin, const char *reason);
    /* A witness has cosigned this log, and none contradicts it now. */
    void (*relent)(void *context, const char *origin);
};

struct feeds;

/* One thread for each configured witness. NULL after logging why not. */
struct feeds *feeds_start(const struct config *config, const struct witness_policy *policy, const struct feed_hooks *hooks);
/* Waits for them; the doorbell has been stopped. */
void feeds_stop(struct feeds *feeds);

#endif
