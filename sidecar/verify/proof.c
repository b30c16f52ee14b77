/*
 * A proof that an event is in a log: the event itself, as the proof brings it along, the way from its hash to the root of a
 * checkpoint, and whose signatures the checkpoint has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canonical.h"
#include "core/tlog_proof.h"
#include "log.h"

/* One text for each event: what stands in the proof is what the archive holds. */
static bool is_canonical(const ByteBuffer *text)
{
    const JsonLimits limits = {.max_depth = 1000};
    JsonDocument document;
    JsonError error;
    ByteBuffer form;
    bool same;

    json_document_init(&document, NULL, NULL);
    buffer_init(&form, NULL, NULL);
    same = json_read(&document, text->data, text->length, &limits, &error);
    if (same)
        canonical_write_value(&form, &document, json_root(&document));
    same = same && form.length == text->length && memcmp(form.data, text->data, form.length) == 0;
    json_document_free(&document);
    buffer_free(&form);
    return same;
}

/* The event that is proved: what it says, and that it belongs where the proof says. */
static bool check_event(Report *report, const LogTrust *trust, const TlogProof *proof, const ByteBuffer *extra, AuditEvent *event)
{
    Bytes division = log_division(&proof->checkpoint.origin);
    size_t before = report->count;

    if (!is_canonical(extra)) {
        report_add(report, FINDING_BAD, "event", "the extra data are not an event in canonical JSON");
        return false;
    }
    if (!audit_check_event(trust->registry, report, extra->data, extra->length, event))
        return false;
    if (event->seq != proof->index)
        report_add(report, FINDING_BAD, "event", "it is event %llu of its chain, and the proof is of entry %llu",
                   (unsigned long long)event->seq, (unsigned long long)proof->index);
    if (strlen(event->division) != division.length || memcmp(event->division, division.data, division.length) != 0)
        report_add(report, FINDING_BAD, "event", "it is of division \"%s\", and the log of another", event->division);
    for (size_t i = before; i < report->count; i++) {
        if (report->findings[i].kind == FINDING_BAD)
            return true;
    }
    report_add(report, FINDING_OK, "event", "%s, event %llu of division \"%s\": hash%s", event->event_type,
               (unsigned long long)event->seq, event->division, trust->registry ? " and signature" : "");
    if (!trust->registry)
        report_add(report, FINDING_NOTE, "event", "its own signature was not checked, for no registry was given");
    return true;
}

static void check_inclusion(Report *report, const TlogProof *proof, const AuditEvent *event)
{
    uint8_t leaf[SHA256_LENGTH];

    merkle_leaf_hash(event->hash, SHA256_LENGTH, leaf);
    if (merkle_verify_inclusion(proof->index, proof->checkpoint.size, leaf, (const MerkleHash *)proof->hashes, proof->hash_count,
                                proof->checkpoint.root))
        report_add(report, FINDING_OK, "inclusion", "it is entry %llu of the log", (unsigned long long)proof->index);
    else
        report_add(report, FINDING_BAD, "inclusion", "its hash does not lead to the checkpoint's root");
}

static void check_proof(Report *report, const LogTrust *trust, Heads *heads, const TlogProof *proof, ByteBuffer *extra)
{
    SignedCheckpoint *signed_ = malloc(sizeof(*signed_));
    AuditEvent event = {.ts = KEY_TIME_BEGIN};

    if (!signed_ || !tlog_proof_extra(extra, proof)) {
        report_add(report, FINDING_UNCHECKED, "proof", "out of memory");
        free(signed_);
        return;
    }
    report->has_index = true;
    report->index = proof->index;
    if (!proof->has_extra)
        report_add(report, FINDING_UNCHECKED, "event", "the proof does not bring its event along");
    else if (check_event(report, trust, proof, extra, &event))
        check_inclusion(report, proof, &event);
    signed_->note = proof->signed_note;
    signed_->checkpoint = proof->checkpoint;
    log_check_signatures(trust, report, signed_, event.ts);
    /* A head that nobody signed proves nothing against other heads. */
    if (report_verdict(report) != VERDICT_REFUSED)
        heads_add(heads, report, &proof->checkpoint);
    audit_event_free(&event);
    free(signed_);
}

void verify_proof(Report *report, const LogTrust *trust, Heads *heads, const char *text, size_t length)
{
    TlogProof *proof = malloc(sizeof(*proof));
    const char *error = proof ? tlog_proof_parse(proof, text, length) : "out of memory";
    ByteBuffer extra;

    buffer_init(&extra, NULL, NULL);
    if (error)
        report_add(report, proof ? FINDING_BAD : FINDING_UNCHECKED, "proof", "%s", error);
    else
        check_proof(report, trust, heads, proof, &extra);
    buffer_free(&extra);
    free(proof);
}
