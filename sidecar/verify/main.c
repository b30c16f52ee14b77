/*
 * reason-verify: checks snapshots and audit records against a registry of signers, without
 * the database that made them and without asking anybody.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

typedef struct {
    const char *registry_path;
    const char *metadata_path;
    const char *type;
    Claims claims;
    bool json;
    bool quiet;
    bool refuse_revoked;
} Options;

static const char usage[] =
    "Usage: reason-verify [OPTION]... OBJECT...\n"
    "Checks snapshots and audit records of a reasoning graph against a registry of signers.\n"
    "\n"
    "  -r, --registry FILE     the registry of signers (default: $REASON_SIGNERS)\n"
    "  -m, --metadata FILE     metadata of the snapshot (default: that of the S3 object, or\n"
    "                          OBJECT.meta.json, if there)\n"
    "      --hash HEX          the same by hand: SHA-256 of the object,\n"
    "      --signature BASE64  its signature,\n"
    "      --signer-id ID      whose it is,\n"
    "      --signed-at TIME    and when it was made (RFC 3339)\n"
    "  -t, --type TYPE         snapshot, envelope or audit (default: seen from the content)\n"
    "      --refuse-revoked    let no signature of a revoked key count, whenever it was made\n"
    "      --json              print for machines: one JSON document a line and object\n"
    "  -q, --quiet             print only what is wrong, and the verdict\n"
    "  -h, --help              print this\n"
    "      --version           print the version\n"
    "\n"
    "OBJECT is a file, a URL (file, http, https, or s3://BUCKET/KEY[?versionId=ID]), or - for standard\n"
    "input: the canonical file of a snapshot, an envelope, or segments of the audit archive in order.\n"
    "S3: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.\n"
    "Exit status: 0 verified, 1 refused, 2 could not be checked.\n";

enum { OPTION_HASH = 256, OPTION_SIGNATURE, OPTION_SIGNER_ID, OPTION_SIGNED_AT, OPTION_REFUSE_REVOKED, OPTION_JSON,
       OPTION_VERSION };

static const struct option long_options[] = {
    {"registry", required_argument, NULL, 'r'},
    {"metadata", required_argument, NULL, 'm'},
    {"hash", required_argument, NULL, OPTION_HASH},
    {"signature", required_argument, NULL, OPTION_SIGNATURE},
    {"signer-id", required_argument, NULL, OPTION_SIGNER_ID},
    {"signed-at", required_argument, NULL, OPTION_SIGNED_AT},
    {"type", required_argument, NULL, 't'},
    {"refuse-revoked", no_argument, NULL, OPTION_REFUSE_REVOKED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static Bytes bytes_of(const char *text)
{
    return (Bytes){text, strlen(text)};
}

static void give_up(const char *what, const char *why)
{
    fputs("reason-verify: ", stderr);
    safe_text_print(stderr, what);
    fputs(why ? ": " : "", stderr);
    safe_text_print(stderr, why ? why : "");
    fputc('\n', stderr);
    exit(VERDICT_UNCHECKED);
}

static void read_options(Options *options, int argc, char **argv)
{
    int option;

    memset(options, 0, sizeof(*options));
    options->registry_path = getenv("REASON_SIGNERS");
    options->type = "auto";
    /* A name that a shell made of a file would be printed as it is. */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "r:m:t:qh", long_options, NULL)) != -1) {
        switch (option) {
        case 'r':
            options->registry_path = optarg;
            break;
        case 'm':
            options->metadata_path = optarg;
            break;
        case 't':
            options->type = optarg;
            break;
        case 'q':
            options->quiet = true;
            break;
        case OPTION_HASH:
            options->claims.hash = bytes_of(optarg);
            break;
        case OPTION_SIGNATURE:
            options->claims.signature = bytes_of(optarg);
            break;
        case OPTION_SIGNER_ID:
            options->claims.signer_id = bytes_of(optarg);
            break;
        case OPTION_SIGNED_AT:
            options->claims.ts = bytes_of(optarg);
            break;
        case OPTION_REFUSE_REVOKED:
            options->refuse_revoked = true;
            break;
        case OPTION_JSON:
            options->json = true;
            break;
        case OPTION_VERSION:
            puts("reason-verify " REASON_VERSION);
            exit(0);
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            give_up("no such option, or one without its argument", optopt ? NULL : argv[optind - 1]);
        }
    }
    if (optind == argc)
        give_up("no object given", "see reason-verify --help");
    if (!options->registry_path || !*options->registry_path)
        give_up("no registry of signers given", "use --registry FILE or set REASON_SIGNERS");
    if (strcmp(options->type, "auto") != 0 && strcmp(options->type, "snapshot") != 0
        && strcmp(options->type, "envelope") != 0 && strcmp(options->type, "audit") != 0)
        give_up("unknown type", options->type);
}

static void load_registry(Registry *registry, const Options *options)
{
    Input input;
    ByteBuffer error;

    buffer_init(&error, NULL, NULL);
    if (!input_read(&input, options->registry_path, &error)
        || !registry_read(registry, input.bytes.data, input.bytes.length, &error)) {
        buffer_append_char(&error, '\0');
        give_up("cannot use the registry", error.data);
    }
    registry->refuse_revoked = options->refuse_revoked;
    input_free(&input);
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

static void check_snapshot(Report *report, const Registry *registry, const Options *options, const char *object,
                           const Input *input)
{
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
    verify_snapshot(report, registry, input->bytes.data, input->bytes.length, &claims);
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

static Verdict check_object(ByteBuffer *json, const Registry *registry, Audit *audit, const Options *options,
                            const char *object)
{
    Report report;
    Input input;
    ByteBuffer error;
    Verdict verdict;

    buffer_init(&error, NULL, NULL);
    report_init(&report, object, "snapshot");
    if (!input_read(&input, object, &error))
        report_add(&report, FINDING_UNCHECKED, "object", "%.*s", (int)error.length, error.data);
    else if (is_type(options, "audit",
                     ends_with(object, ".jsonl") || audit_recognises(input.bytes.data, input.bytes.length))) {
        report.kind = "audit";
        audit_verify(audit, &report, input.bytes.data, input.bytes.length);
    } else if (is_type(options, "envelope", is_envelope(input.bytes.data, input.bytes.length))) {
        report.kind = "envelope";
        verify_envelope(&report, registry, input.bytes.data, input.bytes.length);
    } else
        check_snapshot(&report, registry, options, object, &input);

    if (input.version_asked && input.bytes.length && !input.version.length)
        report_add(&report, FINDING_NOTE, "object", "the store does not say which version it gave");
    verdict = report_verdict(&report);
    if (options->json) {
        json->length = 0;
        report_write_json(json, &report);
        buffer_append_char(json, '\n');
        fwrite(json->data, 1, json->length, stdout);
    } else
        report_print(&report, options->quiet);
    report_free(&report);
    input_free(&input);
    buffer_free(&error);
    return verdict;
}

/*
 * Objects are taken as they are given, except that segments of the audit archive, which tell
 * by their names <first>-<last>.jsonl where they belong, come in the order of their events,
 * and contents after all events: as a shell lists them they do neither.
 */
typedef struct {
    const char *location;
    int place; /* among the arguments */
    int kind;  /* 0: another object, 1: events, 2: contents */
    unsigned long long first;
} Object;

static Object object_of(const char *location, int place)
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

int main(int argc, char **argv)
{
    Options options;
    Registry registry;
    Audit *audit;
    Object *objects;
    ByteBuffer json;
    Verdict verdict = VERDICT_VERIFIED;

    read_options(&options, argc, argv);
    if (sodium_init() < 0)
        give_up("libsodium cannot be used", NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        give_up("libcurl cannot be used", NULL);
    load_registry(&registry, &options);
    audit = audit_new(&registry);
    buffer_init(&json, NULL, NULL);
    objects = calloc((size_t)(argc - optind), sizeof(*objects));
    if (!objects)
        give_up("out of memory", NULL);
    for (int i = 0; i < argc - optind; i++)
        objects[i] = object_of(argv[optind + i], i);
    qsort(objects, (size_t)(argc - optind), sizeof(*objects), compare_objects);
    for (int i = 0; i < argc - optind; i++)
        verdict = worse(verdict, check_object(&json, &registry, audit, &options, objects[i].location));
    free(objects);
    buffer_free(&json);
    audit_free(audit);
    registry_free(&registry);
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout))
        give_up("cannot write the result", NULL);
    return verdict;
}
