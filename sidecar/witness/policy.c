/* policy.c: how many witnesses must have cosigned. */
#include "witness/policy.h"

#include "base/log.h"
#include "base/plain_file.h"
#include "witness/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_key(NoteKey *key, const struct witness_config *witness)
{
    const char *wrong = note_key_parse(key, witness->vkey, strlen(witness->vkey));

    if (!wrong && key->type != NOTE_TYPE_COSIGNATURE)
        wrong = "its type is not 4, that of a witness by Ed25519";
    if (wrong)
        log_error("witness \"%s\": its vkey cannot be used: %s", witness->name, wrong);
    return !wrong;
}

static bool read_keys(struct witness_policy *policy)
{
    const struct witness_config *witnesses = policy->config->witnesses;

    for (size_t i = 0; i < policy->count; i++) {
        if (!read_key(&policy->keys[i], &witnesses[i]))
            return false;
        for (size_t before = 0; before < i; before++)
            if (!memcmp(policy->keys[i].fingerprint, policy->keys[before].fingerprint, sizeof(policy->keys[i].fingerprint))) {
                log_error("witnesses \"%s\" and \"%s\" have the same key", witnesses[before].name, witnesses[i].name);
                return false;
            }
    }
    return true;
}

static bool read_rules(struct witness_policy *policy)
{
    const char *path = policy->config->checkpoint_policy_file, *wrong;
    FILE *file = plain_file_open(path);
    size_t length = 0, line = 0;

    policy->text = file ? malloc(POLICY_BYTES_MOST + 1) : NULL;
    policy->rules = malloc(sizeof(*policy->rules));
    if (policy->text)
        length = fread(policy->text, 1, POLICY_BYTES_MOST + 1, file);
    if (file)
        fclose(file);
    if (!policy->text || !policy->rules)
        return false;
    wrong = length > POLICY_BYTES_MOST ? "it is too long" : log_policy_parse(policy->rules, policy->text, length, &line);
    if (wrong)
        log_error("\"%s\", line %zu: %s", path, line, wrong);
    return !wrong;
}

bool witness_policy_load(struct witness_policy *policy, const struct config *config)
{
    bool all[WITNESSES_MOST];

    memset(policy, 0, sizeof(*policy));
    policy->config = config;
    policy->count = config->witness_count;
    if (config->checkpoint_quorum > 0 && config->checkpoint_policy_file[0]) {
        log_error("checkpoint.quorum and checkpoint.policy_file exclude each other");
        return false;
    }
    if (!read_keys(policy) || (config->checkpoint_policy_file[0] && !read_rules(policy)))
        return false;
    for (size_t i = 0; i < WITNESSES_MOST; i++)
        all[i] = true;
    if (!witness_policy_is_met_by(policy, all)) {
        log_error("the quorum of checkpoints can never be met by the %zu witnesses that are configured", policy->count);
        return false;
    }
    return true;
}

void witness_policy_free(struct witness_policy *policy)
{
    free(policy->rules);
    free(policy->text);
    policy->rules = NULL;
    policy->text = NULL;
}

/* Whether one of the configured witnesses that have cosigned has this key. */
static bool has_cosigned(const struct witness_policy *policy, const bool cosigned[WITNESSES_MOST], const NoteKey *key)
{
    for (size_t i = 0; i < policy->count; i++)
        if (cosigned[i] && !memcmp(policy->keys[i].fingerprint, key->fingerprint, sizeof(key->fingerprint)))
            return true;
    return false;
}

/* Members stand before the group that they belong to. */
static bool rules_are_met(const struct witness_policy *policy, const bool cosigned[WITNESSES_MOST])
{
    const LogPolicy *rules = policy->rules;
    size_t members[POLICY_ENTRIES_MOST] = {0};
    bool met = false;

    for (int i = 0; i < (int)rules->entry_count; i++) {
        const PolicyEntry *entry = &rules->entries[i];
        bool has = entry->is_group ? members[i] >= entry->least : has_cosigned(policy, cosigned, &entry->key);

        if (has && entry->group >= 0)
            members[entry->group]++;
        if (i == rules->quorum)
            met = has;
    }
    return met || rules->quorum < 0;
}

bool witness_policy_is_met_by(const struct witness_policy *policy, const bool cosigned[WITNESSES_MOST])
{
    int count = 0;

    if (policy->rules)
        return rules_are_met(policy, cosigned);
    for (size_t i = 0; i < policy->count; i++)
        count += cosigned[i];
    return count >= policy->config->checkpoint_quorum;
}

/* In a list of names with commas or spaces between. */
static bool is_named(const char *names, const char *name)
{
    size_t length = strlen(name);

    while (*names) {
        size_t here = strcspn(names, ", ");

        if (here == length && !memcmp(names, name, length))
            return true;
        names += here + (names[here] != '\0');
    }
    return false;
}

bool witness_policy_concerns(const struct witness_policy *policy, const char *division)
{
    bool asked[WITNESSES_MOST] = {false};

    for (size_t i = 0; i < policy->count; i++) {
        const char *divisions = policy->config->witnesses[i].divisions;

        asked[i] = !strcmp(divisions, "*") || is_named(divisions, division);
    }
    return witness_policy_is_met_by(policy, asked);
}

bool witness_policy_is_met(const struct witness_policy *policy, const SignedNote *note, const Checkpoint *checkpoint)
{
    bool cosigned[WITNESSES_MOST] = {false};
    PolicyVerdict verdict;

    if (policy->rules) {
        log_policy_judge(policy->rules, note, checkpoint, ed25519_verify, &verdict);
        /* what the policy says of logs is for those who read it: which log this is, and who signs it, is known here */
        return !verdict.forged.data && verdict.quorum;
    }
    for (size_t i = 0; i < policy->count; i++)
        cosigned[i] = note_verify(note, &policy->keys[i], ed25519_verify, NULL) == NOTE_VERIFIED;
    return witness_policy_is_met_by(policy, cosigned);
}

bool witness_vkeys(const struct config *config, struct array *vkeys)
{
    bool ok = true;

    *vkeys = (struct array){0};
    for (size_t i = 0; ok && i < config->witness_count; i++)
        ok = array_add(vkeys, config->witnesses[i].vkey);
    return ok && array_end(vkeys);
}
