/*
 * reason-verify: checks snapshots, audit records, proofs and logs against a registry of signers, without
 * the database that made them and without asking anybody.
 */
#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tlog_proof.h"
#include "log.h"
#include "options.h"

/* What objects are checked by, and what is remembered from one to the next. */
typedef struct {
    const Options *options;
    Registry registry;
    LogPolicy *policy;
    Input policy_text;
    LogTrust trust;
    Audit *audit;
    Heads heads;
    ByteBuffer json;
} Session;

/* Reads a file that the command line names; ends the program when it cannot be used. */
static void read_named(Input *input, const char *path, const char *what)
{
    ByteBuffer error;

    buffer_init(&error, NULL, NULL);
    if (!input_read(input, path, &error)) {
        buffer_append_char(&error, '\0');
        give_up(what, error.data);
    }
}

static void refuse_named(ByteBuffer *error, const char *what)
{
    buffer_append_char(error, '\0');
    give_up(what, error->data);
}

static void load_registry(Session *session)
{
    static const char unusable[] = "cannot use the registry";
    Input input;
    ByteBuffer error;

    if (!session->options->registry_path)
        return;
    buffer_init(&error, NULL, NULL);
    read_named(&input, session->options->registry_path, unusable);
    if (!registry_read(&session->registry, input.bytes.data, input.bytes.length, &error))
        refuse_named(&error, unusable);
    session->registry.refuse_revoked = session->options->refuse_revoked;
    session->trust.registry = &session->registry;
    input_free(&input);
}

static void load_policy(Session *session)
{
    static const char unusable[] = "cannot use the policy";
    ByteBuffer error;

    if (!session->options->policy_path)
        return;
    buffer_init(&error, NULL, NULL);
    session->policy = malloc(sizeof(*session->policy));
    if (!session->policy)
        give_up("out of memory", NULL);
    read_named(&session->policy_text, session->options->policy_path, unusable);
    if (!log_policy_load(session->policy, session->policy_text.bytes.data, session->policy_text.bytes.length, &error))
        refuse_named(&error, unusable);
    session->trust.policy = session->policy;
}

/* The checkpoint from before, and what proves that the present one extends it. */
static void load_noted(Session *session)
{
    static const char unusable[] = "cannot use the checkpoint from before", no_proof[] = "cannot use the proof of consistency";
    const Options *options = session->options;
    Input input;
    ByteBuffer error;

    buffer_init(&error, NULL, NULL);
    if (options->noted_path) {
        read_named(&input, options->noted_path, unusable);
        if (!heads_note(&session->heads, options->noted_path, input.bytes.data, input.bytes.length, &error))
            refuse_named(&error, unusable);
        input_free(&input);
    } else if (options->noted_by_hand[0] && !heads_note_by_hand(&session->heads, options->noted_by_hand[0], options->noted_by_hand[1],
                                                                options->noted_by_hand[2], &error))
        refuse_named(&error, unusable);
    if (options->consistency_path) {
        read_named(&input, options->consistency_path, no_proof);
        if (!heads_read_consistency(&session->heads, input.bytes.data, input.bytes.length, &error))
            refuse_named(&error, no_proof);
        input_free(&input);
    }
    buffer_free(&error);
}

static bool is_envelope(const char *text, size_t length)
{
    const JsonLimits limits = {.max_depth = 1000};
    JsonDocument document;
    JsonError error;
    bool found;

    json_document_init(&document, NULL, NULL);
    found = json_read(&document, text, length, &limits, &error)
            && json_member_literal(&document, json_root(&document), "signer_kid");
    json_document_free(&document);
    return found;
}

/* Finds the metadata: a file that was named, what came with the object, or the file beside it. */
static bool read_metadata(ByteBuffer *metadata, Report *report, const Options *options, const char *object,
                          const Input *input)
{
    Input file;
    ByteBuffer error;
    char *beside = NULL;
    bool found;

    if (!options->metadata_path && input_is_remote(object)) {
        buffer_append(metadata, input->metadata.data, input->metadata.length);
        return metadata->length > 0;
    }
    if (!options->metadata_path && asprintf(&beside, "%s.meta.json", object) < 0)
        give_up("out of memory", NULL);
    buffer_init(&error, NULL, NULL);
    found = input_read(&file, options->metadata_path ? options->metadata_path : beside, &error);
    if (found)
        buffer_append(metadata, file.bytes.data, file.bytes.length);
    else if (options->metadata_path)
        report_add(report, FINDING_UNCHECKED, "metadata", "%.*s", (int)error.length, error.data);
    input_free(&file);
    buffer_free(&error);
    free(beside);
    return found;
}

static void write_page(Report *report, const Options *options, const Input *input, const Claims *claims, Bytes policy)
{
    Input registry = {0}, proof = {0};
    ByteBuffer error;

    buffer_init(&error, NULL, NULL);
    if (!input_read(&registry, options->registry_path, &error)
        || (options->page_proof_path && !input_read(&proof, options->page_proof_path, &error))
        || !page_write(options->page_path, (Bytes){input->bytes.data, input->bytes.length}, claims,
                       (Bytes){registry.bytes.data, registry.bytes.length}, (Bytes){proof.bytes.data, proof.bytes.length}, policy, &error))
        report_add(report, FINDING_UNCHECKED, "page", "was not written: %.*s", (int)error.length, error.data);
    else
        report_add(report, FINDING_NOTE, "page", "written to %s", options->page_path);
    if (options->page_proof_path)
        input_free(&proof);
    input_free(&registry);
    buffer_free(&error);
}

static void check_snapshot(Session *session, Report *report, const char *object, const Input *input)
{
    const Options *options = session->options;
    /* without a proof there is nothing that it could judge */
    Bytes policy = options->page_proof_path ? (Bytes){session->policy_text.bytes.data, session->policy_text.bytes.length} : (Bytes){NULL, 0};
    const JsonLimits limits = {.max_depth = 16};
    Claims claims = options->claims;
    ByteBuffer metadata;
    JsonDocument document;
    JsonError error;

    buffer_init(&metadata, NULL, NULL);
    json_document_init(&document, NULL, NULL);
    if (read_metadata(&metadata, report, options, object, input)) {
        if (json_read(&document, metadata.data, metadata.length, &limits, &error))
            claims_take(&claims, &document);
        else
            report_add(report, FINDING_UNCHECKED, "metadata", "%s (byte offset %zu)", error.message, error.offset);
    }
    verify_snapshot(report, &session->registry, input->bytes.data, input->bytes.length, &claims);
    if (options->page_path)
        write_page(report, options, input, &claims, policy);
    json_document_free(&document);
    buffer_free(&metadata);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_type(const Options *options, const char *type, bool recognised)
{
    return strcmp(options->type, type) == 0 || (strcmp(options->type, "auto") == 0 && recognised);
}

static bool is_checkpoint(const char *text, size_t length)
{
    SignedNote *note = malloc(sizeof(*note));
    Checkpoint checkpoint;
    bool found = note && note_parse(note, text, length) == NULL
                 && checkpoint_parse(&checkpoint, note->text.data, note->text.length) == NULL;

    free(note);
    return found;
}

/* Objects that are signed by keys for events; the others are signed by keys of logs. */
static void check_signed(Session *session, Report *report, const char *object, const Input *input)
{
    const Options *options = session->options;
    const char *text = input->bytes.data;
    size_t length = input->bytes.length;

    if (!session->trust.registry) {
        report_add(report, FINDING_UNCHECKED, "registry", "no registry of signers was given");
    } else if (is_type(options, "audit", ends_with(object, ".jsonl") || audit_recognises(text, length))) {
        report->kind = "audit";
        audit_verify(session->audit, report, text, length);
    } else if (is_type(options, "envelope", is_envelope(text, length))) {
        report->kind = "envelope";
        verify_envelope(report, &session->registry, text, length);
    } else
        check_snapshot(session, report, object, input);
    if (report_verdict(report) == VERDICT_VERIFIED && strcmp(report->kind, "audit") != 0)
        heads_add_snapshot(&session->heads, report, text, length);
}

static void check_content(Session *session, Report *report, const char *object, const Input *input)
{
    const Options *options = session->options;
    const char *text = input->bytes.data;
    size_t length = input->bytes.length;

    if (is_type(options, "proof", tlog_proof_recognises(text, length))) {
        report->kind = "proof";
        verify_proof(report, &session->trust, &session->heads, text, length);
    } else if (is_type(options, "log", is_checkpoint(text, length))) {
        report->kind = "checkpoint";
        verify_checkpoint(report, &session->trust, &session->heads, text, length);
    } else
        check_signed(session, report, object, input);
    if (options->page_path && strcmp(report->kind, "snapshot") != 0)
        report_add(report, FINDING_UNCHECKED, "page", "was not written: it is made of a snapshot's document, its canonical form");
    if (input->version_asked && length && !input->version.length)
        report_add(report, FINDING_NOTE, "object", "the store does not say which version it gave");
}

/* Prints the report, and ends it. */
static Verdict give_report(Session *session, Report *report)
{
    Verdict verdict = report_verdict(report);

    if (session->options->json) {
        session->json.length = 0;
        report_write_json(&session->json, report);
        buffer_append_char(&session->json, '\n');
        fwrite(session->json.data, 1, session->json.length, stdout);
    } else
        report_print(report, session->options->quiet);
    report_free(report);
    return verdict;
}

static Verdict check_object(Session *session, const char *object, bool is_log)
{
    Report report;
    Input input;
    ByteBuffer error;

    report_init(&report, object, is_log ? "log" : "snapshot");
    if (is_log) {
        verify_log(&report, &session->trust, &session->heads, session->audit, object);
        return give_report(session, &report);
    }
    buffer_init(&error, NULL, NULL);
    if (!input_read(&input, object, &error))
        report_add(&report, FINDING_UNCHECKED, "object", "%.*s", (int)error.length, error.data);
    else
        check_content(session, &report, object, &input);
    buffer_free(&error);
    /* what the report names lives in it by now */
    input_free(&input);
    return give_report(session, &report);
}

/* What was noted, and nothing that was given could be compared with. */
static Verdict check_noted(Session *session)
{
    Report report;

    report_init(&report, session->options->noted_path ? session->options->noted_path : "--checkpoint", "noted");
    heads_report_left(&session->heads, &report);
    if (report.count > 0)
        return give_report(session, &report);
    report_free(&report);
    return VERDICT_VERIFIED;
}

/*
 * Objects are taken as they are given, except that segments of the audit archive, which tell
 * by their names <first>-<last>.jsonl where they belong, come in the order of their events,
 * and contents after all events: as a shell lists them they do neither. Logs come last, and are compared with all the rest.
 */
typedef struct {
    const char *location;
    int place; /* among the arguments */
    int kind;  /* 0: another object, 1: events, 2: contents, 3: a log */
    unsigned long long first;
} Object;

static Object object_of(const char *location, int place, bool may_be_log)
{
    Object object = {.location = location, .place = place};
    const char *slash = strrchr(location, '/');
    const char *name = slash ? slash + 1 : location;
    unsigned long long last;
    int end = 0;

    if (sscanf(name, "%llu-%llu%n", &object.first, &last, &end) == 2 && end > 0) {
        if (strcmp(name + end, ".jsonl") == 0)
            object.kind = 1;
        else if (strcmp(name + end, ".contents.jsonl") == 0)
            object.kind = 2;
    }
    if (object.kind == 0)
        object.first = 0;
    if (may_be_log && log_is_location(location))
        object = (Object){.location = location, .place = place, .kind = 3};
    return object;
}

static int compare_objects(const void *a, const void *b)
{
    const Object *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* Refused says more than unchecked, and unchecked more than verified. */
static Verdict worse(Verdict a, Verdict b)
{
    if (a == VERDICT_REFUSED || b == VERDICT_REFUSED)
        return VERDICT_REFUSED;
    return a > b ? a : b;
}

static Verdict check_objects(Session *session, char **locations, size_t count)
{
    Object *objects = calloc(count, sizeof(*objects));
    bool may_be_log = strcmp(session->options->type, "auto") == 0 || strcmp(session->options->type, "log") == 0;
    Verdict verdict = VERDICT_VERIFIED;

    if (!objects)
        give_up("out of memory", NULL);
    for (size_t i = 0; i < count; i++)
        objects[i] = object_of(locations[i], (int)i, may_be_log);
    qsort(objects, count, sizeof(*objects), compare_objects);
    if (objects[count - 1].kind == 3)
        audit_keep_hashes(session->audit);
    session->heads.wanted = objects[count - 1].kind == 3 || session->heads.count > 0;
    for (size_t i = 0; i < count; i++)
        verdict = worse(verdict, check_object(session, objects[i].location, objects[i].kind == 3));
    free(objects);
    return worse(verdict, check_noted(session));
}

int main(int argc, char **argv)
{
    Options options;
    Session session = {.options = &options};
    Verdict verdict;

    options_read(&options, argc, argv);
    if (sodium_init() < 0)
        give_up("libsodium cannot be used", NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        give_up("libcurl cannot be used", NULL);
    input_identify(options.certificate, options.key, options.authorities);
    buffer_init(&session.json, NULL, NULL);
    load_registry(&session);
    load_policy(&session);
    load_noted(&session);
    session.audit = audit_new(&session.registry);
    verdict = check_objects(&session, argv + options.first_object, (size_t)(argc - options.first_object));
    buffer_free(&session.json);
    audit_free(session.audit);
    heads_free(&session.heads);
    registry_free(&session.registry);
    if (session.policy)
        input_free(&session.policy_text);
    free(session.policy);
    input_close();
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout))
        give_up("cannot write the result", NULL);
    return verdict;
}
