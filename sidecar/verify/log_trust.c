/*
 * Whose signatures make a checkpoint count: the registry's keys for checkpoints and witnesses, or those of a policy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"
#include "log.h"

bool log_policy_load(LogPolicy *policy, const char *text, size_t length, ByteBuffer *error)
{
    size_t line;
    const char *fault = log_policy_parse(policy, text, length, &line);
    char place[40];

    if (!fault)
        return true;
    snprintf(place, sizeof(place), "line %zu: ", line);
    buffer_append(error, place, strlen(place));
    buffer_append(error, fault, strlen(fault));
    return false;
}

/* What a checkpoint says becomes part of the report. */
static void tell_head(Report *report, const Checkpoint *checkpoint)
{
    ByteBuffer root;

    buffer_init(&root, NULL, NULL);
    base64_append(&root, checkpoint->root, SHA256_LENGTH);
    buffer_append_char(&root, '\0');
    free(report->origin);
    report->origin = strndup(checkpoint->origin.data, checkpoint->origin.length);
    report->tree_size = checkpoint->size;
    snprintf(report->root, sizeof(report->root), "%s", root.failed ? "" : root.data);
    report_add(report, FINDING_NOTE, "checkpoint", "log \"%.*s\" of %llu events, root %s", (int)checkpoint->origin.length,
               checkpoint->origin.data, (unsigned long long)checkpoint->size, report->root);
    if (checkpoint->has_extensions)
        report_add(report, FINDING_NOTE, "checkpoint", "it has further lines, which mean nothing here");
    buffer_free(&root);
}

/* Seconds since 1970 as RFC 3339; the number itself where the year would have more than four digits. */
static void format_time(char *out, size_t size, uint64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm parts;

    if (seconds > UINT64_C(253402300799) || !gmtime_r(&when, &parts) || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(out, size, "%llu", (unsigned long long)seconds);
}

static void tell_cosignature(Report *report, const char *name, size_t length, uint64_t timestamp)
{
    char when[40];

    format_time(when, sizeof(when), timestamp);
    if (timestamp > (uint64_t)(latest_present() / 1000000))
        report_add(report, FINDING_BAD, "witness", "\"%.*s\" states a time in the future: %s", (int)length, name, when);
    else
        report_add(report, FINDING_OK, "witness", "cosigned by \"%.*s\" at %s", (int)length, name, when);
}

/* A registered key under a name that notes know it by; its purpose says of which type. */
static NoteKey key_of(const Signer *signer, const char *name, size_t name_length, uint8_t type)
{
    NoteKey key = {.name = {name, name_length}, .type = type};

    memcpy(key.public_key, signer->public_key, NOTE_PUBLIC_KEY_LENGTH);
    note_key_id(key.key_id, name, name_length, type, signer->public_key, PUBLIC_KEY_LENGTH);
    return key;
}

static bool has_purpose(const Signer *signer, const char *purpose)
{
    return strcmp(signer->purpose, purpose) == 0;
}

/* Cosignatures by the registry's witnesses. Returns the latest at which the checkpoint can have been signed: before they did. */
static int64_t check_registered_witnesses(const Registry *registry, Report *report, const SignedCheckpoint *signed_)
{
    int64_t latest = latest_present();

    for (size_t i = 0; i < registry->count; i++) {
        const Signer *signer = &registry->signers[i];
        NoteKey key = key_of(signer, signer->id, strlen(signer->id), NOTE_TYPE_COSIGNATURE);
        uint64_t timestamp;
        NoteVerdict verdict;
        int64_t made;

        if (!has_purpose(signer, "witness"))
            continue;
        verdict = note_verify(&signed_->note, &key, ed25519_verify, &timestamp);
        if (verdict == NOTE_FORGED)
            report_add(report, FINDING_BAD, "witness", "a cosignature in the name of \"%s\" is not its", signer->id);
        if (verdict != NOTE_VERIFIED)
            continue;
        made = timestamp > (uint64_t)(INT64_MAX / 1000000) ? INT64_MAX : (int64_t)timestamp * 1000000;
        /* the time is the witness's own word: that of a revoked key counts for nothing */
        if (signer->times.revoked || key_validity(&signer->times, made, made, false) != KEY_COUNTS) {
            report_add(report, FINDING_NOTE, "witness", "\"%s\" cosigned when its key did not count", signer->id);
            continue;
        }
        tell_cosignature(report, signer->id, strlen(signer->id), timestamp);
        latest = made < latest ? made : latest;
    }
    return latest;
}

/* The log's own signature, by a key of the registry for checkpoints under the origin's name. */
static void check_registered_log(const Registry *registry, Report *report, const SignedCheckpoint *signed_, int64_t earliest,
                                 int64_t latest)
{
    const NoteText *origin = &signed_->checkpoint.origin;
    bool found = false;

    for (size_t i = 0; i < registry->count; i++) {
        const Signer *signer = &registry->signers[i];
        NoteKey key = key_of(signer, origin->data, origin->length, NOTE_TYPE_ED25519);
        NoteVerdict verdict = note_verify(&signed_->note, &key, ed25519_verify, NULL);
        const char *refusal;

        if (verdict == NOTE_FORGED)
            report_add(report, FINDING_BAD, "checkpoint", "a signature in the name of %s is not its", signer->id);
        if (verdict != NOTE_VERIFIED)
            continue;
        found = true;
        refusal = registry_checkpoint_refusal(registry, signer, earliest, latest);
        if (refusal)
            report_add(report, FINDING_BAD, "checkpoint", "%s (%s)", refusal, signer->id);
        else
            report_add(report, FINDING_OK, "checkpoint", "signed by %s, registered for checkpoints", signer->id);
    }
    if (!found)
        report_add(report, FINDING_BAD, "checkpoint", "no key of the registry signed it as the log \"%.*s\"",
                   (int)origin->length, origin->data);
}

static void check_policy(const LogTrust *trust, Report *report, const SignedCheckpoint *signed_)
{
    const LogPolicy *policy = trust->policy;
    const NoteText *origin = &signed_->checkpoint.origin;
    PolicyVerdict verdict;

    log_policy_judge(policy, &signed_->note, &signed_->checkpoint, ed25519_verify, &verdict);
    if (verdict.forged.data) {
        report_add(report, FINDING_BAD, "policy", "a signature in the name of \"%.*s\" is not its", (int)verdict.forged.length,
                   verdict.forged.data);
        return;
    }
    if (verdict.log)
        report_add(report, FINDING_OK, "checkpoint", "signed by the log \"%.*s\", which the policy knows", (int)origin->length,
                   origin->data);
    else if (policy->log_count > 0)
        report_add(report, FINDING_BAD, "checkpoint", "no log that the policy knows signed it as \"%.*s\"", (int)origin->length,
                   origin->data);
    for (size_t i = 0; i < policy->entry_count; i++) {
        const PolicyEntry *entry = &policy->entries[i];

        if (!entry->is_group && verdict.witnessed[i])
            tell_cosignature(report, entry->key.name.data, entry->key.name.length, verdict.timestamps[i]);
    }
    if (!verdict.quorum)
        report_add(report, FINDING_BAD, "policy", "the witnesses that cosigned are no quorum: \"%.*s\" is asked for",
                   (int)policy->entries[policy->quorum].name.length, policy->entries[policy->quorum].name.data);
    else if (policy->quorum < 0)
        report_add(report, FINDING_NOTE, "policy", "no witness is asked for");
    else
        report_add(report, FINDING_OK, "policy", "the witnesses that cosigned are a quorum");
}

void log_check_signatures(const LogTrust *trust, Report *report, const SignedCheckpoint *signed_, int64_t earliest)
{
    tell_head(report, &signed_->checkpoint);
    if (trust->policy)
        check_policy(trust, report, signed_);
    if (trust->policy && trust->policy->log_count > 0)
        return;
    if (trust->registry) {
        int64_t latest = trust->policy ? latest_present() : check_registered_witnesses(trust->registry, report, signed_);

        check_registered_log(trust->registry, report, signed_, earliest, latest);
    } else
        report_add(report, FINDING_UNCHECKED, "checkpoint", "the policy names no log, and no registry was given");
}

bool log_read_checkpoint(const LogTrust *trust, Report *report, const char *text, size_t length, int64_t earliest,
                         SignedCheckpoint *out)
{
    const char *error = note_parse(&out->note, text, length);

    if (!error)
        error = checkpoint_parse(&out->checkpoint, out->note.text.data, out->note.text.length);
    if (error) {
        report_add(report, FINDING_BAD, "checkpoint", "%s", error);
        return false;
    }
    log_check_signatures(trust, report, out, earliest);
    return true;
}

Bytes log_division(const NoteText *origin)
{
    size_t begin = origin->length, end;

    while (begin > 0 && origin->data[begin - 1] != '/')
        begin--;
    for (end = begin; end < origin->length && origin->data[end] != ';'; end++)
        ;
    return (Bytes){origin->data + begin, end - begin};
}

void verify_checkpoint(Report *report, const LogTrust *trust, Heads *heads, const char *text, size_t length)
{
    SignedCheckpoint *signed_ = calloc(1, sizeof(*signed_));

    if (!signed_)
        report_add(report, FINDING_UNCHECKED, "checkpoint", "out of memory");
    else if (log_read_checkpoint(trust, report, text, length, KEY_TIME_BEGIN, signed_) && report_verdict(report) != VERDICT_REFUSED)
        heads_add(heads, report, &signed_->checkpoint);
    free(signed_);
}
