/*
 * policy.h: how many witnesses must have cosigned a checkpoint before it is announced as the newest.
 *
 * Either a number, checkpoint.quorum, or a policy in the form of https://c2sp.org/tlog-policy: the file that auditors verify
 * by can be the one that is published by.
 */
#ifndef SIDECAR_WITNESS_POLICY_H
#define SIDECAR_WITNESS_POLICY_H

#include "base/config.h"
#include "base/db.h"
#include "core/log_policy.h"

struct witness_policy {
    const struct config *config;
    NoteKey keys[WITNESSES_MOST];       /* of the configured witnesses, in their order */
    size_t count;
    char *text;                         /* of the policy file, which `rules` points into */
    LogPolicy *rules;                   /* NULL: the quorum counts */
};

/* Reads the configured keys and the policy. False after logging which cannot be used, or that the policy can never be met. */
bool witness_policy_load(struct witness_policy *policy, const struct config *config);
void witness_policy_free(struct witness_policy *policy);
/* Whether it is met when these of the configured witnesses have cosigned. */
bool witness_policy_is_met_by(const struct witness_policy *policy, const bool cosigned[WITNESSES_MOST]);
/*
 * Whether enough witnesses are asked about the logs of this division to meet it. Other logs are covered by the log of
 * division system, whose events log.heads count them, and wait for no witness.
 */
bool witness_policy_concerns(const struct witness_policy *policy, const char *division);
/* Whether the cosignatures in a signed note of our log meet it: those that verify, by configured witnesses. Others do not count. */
bool witness_policy_is_met(const struct witness_policy *policy, const SignedNote *note, const Checkpoint *checkpoint);

/* The verifier keys of all configured witnesses, as an array literal that is ended; to be freed in any case. False: out of memory. */
bool witness_vkeys(const struct config *config, struct array *vkeys);

#endif
