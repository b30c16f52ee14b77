/*
 * reason-canary: tries a release, by its gateway and its sidecar, on records that are marked as such.
 *
 * One line of JSON on standard output says what was seen; the exit status, whether the release may replace the one that runs.
 */
#include "canary/canary.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/uuid_text.h"

#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: reason-canary --gateway URL --cert FILE --key FILE --verifier PROGRAM... [OPTION]...\n"
    "Tries a release: writes marked records through its gateway, traces and freezes them, and has the snapshot\n"
    "that its sidecar stored verified.\n"
    "\n"
    "  -g, --gateway URL         the gateway on trial: https://host[:port]\n"
    "  -c, --cert FILE           certificate of a client that may write in the division,\n"
    "  -k, --key FILE            its key,\n"
    "  -a, --cacert FILE         and the authorities that the gateway is known by; the system's\n"
    "  -C, --connect HOST:PORT   where the gateway is, if not where its URL says\n"
    "  -p, --peer URL            another gateway of the same database, which must show the same\n"
    "  -P, --peer-connect HOST:PORT  and where that one is\n"
    "  -m, --sidecar URL         /metrics of the sidecar on trial, which must lead, and do the work\n"
    "  -s, --store URL           where snapshots are: file:///directory, or s3://bucket[/prefix] as AWS_ENDPOINT_URL,\n"
    "                            AWS_REGION and AWS's credentials in the environment say;\n"
    "  -f, --sidecar-config FILE or [store] of a sidecar's configuration says it\n"
    "  -v, --verifier PROGRAM    reason-verify of one release; may be given several times\n"
    "  -r, --registry FILE       the signers that are trusted; without it those that the gateway names\n"
    "  -d, --division NAME       where the marked records are (canary)\n"
    "  -t, --deadline SECONDS    for all of it (120)\n"
    "  -h, --help                print this\n"
    "      --version             print the version\n"
    "\n"
    "Exit status: 0 the release works, 1 it does not, 2 it could not be tried.\n";

enum { WORKS = 0, WORKS_NOT = 1, NOT_TRIED = 2 };

#define DEADLINE_MOST_S 86400

static const struct option long_options[] = {
    {"gateway", required_argument, NULL, 'g'},
    {"cert", required_argument, NULL, 'c'},
    {"key", required_argument, NULL, 'k'},
    {"cacert", required_argument, NULL, 'a'},
    {"connect", required_argument, NULL, 'C'},
    {"peer", required_argument, NULL, 'p'},
    {"peer-connect", required_argument, NULL, 'P'},
    {"sidecar", required_argument, NULL, 'm'},
    {"store", required_argument, NULL, 's'},
    {"sidecar-config", required_argument, NULL, 'f'},
    {"verifier", required_argument, NULL, 'v'},
    {"registry", required_argument, NULL, 'r'},
    {"division", required_argument, NULL, 'd'},
    {"deadline", required_argument, NULL, 't'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

struct options {
    struct http_tls tls;
    const char *store, *sidecar_config;
    long deadline_s;
};

static void give_up(const char *why)
{
    fprintf(stderr, "reason-canary: %s\n", why);
    exit(NOT_TRIED);
}

static long seconds(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || end == text || value < 1 || value > DEADLINE_MOST_S)
        give_up("--deadline takes seconds, from 1 to 86400");
    return value;
}

static void check_options(const struct canary *canary, const struct options *options)
{
    if (!canary->gateway.url || !options->tls.cert_file || !options->tls.key_file)
        give_up("give --gateway, --cert and --key; see reason-canary --help");
    if (!options->store == !options->sidecar_config)
        give_up("say where snapshots are: --store or --sidecar-config");
    if (canary->verifier_count == 0)
        give_up("give at least one --verifier");
    if (!division_name_is_valid(canary->division, strlen(canary->division)))
        give_up("--division: a name has " DIVISION_NAME_RULE);
}

static void read_options(struct canary *canary, struct options *options, int argc, char **argv)
{
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "g:c:k:a:C:p:P:m:s:f:v:r:d:t:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'g': canary->gateway.url = optarg; break;
        case 'c': options->tls.cert_file = optarg; break;
        case 'k': options->tls.key_file = optarg; break;
        case 'a': options->tls.ca_file = optarg; break;
        case 'C': canary->gateway.connect_to = optarg; break;
        case 'p': canary->peer.url = optarg; break;
        case 'P': canary->peer.connect_to = optarg; break;
        case 'm': canary->sidecar = optarg; break;
        case 's': options->store = optarg; break;
        case 'f': options->sidecar_config = optarg; break;
        case 'v':
            if (canary->verifier_count == VERIFIERS_MOST)
                give_up("too many verifiers");
            canary->verifiers[canary->verifier_count++] = optarg;
            break;
        case 'r': canary->registry = optarg; break;
        case 'd': canary->division = optarg; break;
        case 't': options->deadline_s = seconds(optarg); break;
        case 'h': fputs(usage, stdout); exit(WORKS);
        case 'V': puts("reason-canary " REASON_VERSION); exit(WORKS);
        default: give_up("no such option, or one without its argument; see reason-canary --help");
        }
    }
    if (optind != argc)
        give_up("takes options alone; see reason-canary --help");
    check_options(canary, options);
}

/* A store as the environment says, like other tools of S3; the bucket stands in the path. */
static struct store *open_store(const char *url)
{
    static char none[] = "", region[] = "us-east-1";
    char *endpoint = getenv("AWS_ENDPOINT_URL"), *named = getenv("AWS_REGION");
    const struct config config = {.store_endpoint = endpoint ? endpoint : none, .store_region = named && *named ? named : region,
                                  .store_credentials_file = none, .store_ca_file = none, .store_path_style = true,
                                  .store_timeout_ms = 30000, .store_multipart_mb = 64};

    return store_open(&config, &(struct store_options){.url = url, .lock_mode = "none", .lock_days = 1});
}

static struct store *open_store_of(const char *path)
{
    struct config config;
    struct store *store = NULL;

    if (config_load(&config, path))
        store = store_open(&config, &(struct store_options){.url = config.store_url, .lock_mode = "none", .lock_days = 1});
    config_free(&config);
    return store;
}

static void new_id(char id[MARKER_SIZE])
{
    unsigned char bytes[UUID_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    /* RFC 9562, 5.4: version 4 */
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    uuid_write_text(id, bytes);
}

static const struct step {
    const char *name;
    bool (*take)(struct canary *canary);
} steps[] = {
    {"ready", canary_is_ready}, {"lead", canary_leads}, {"write", canary_writes}, {"read", canary_reads}, {"agree", canary_agrees},
    {"freeze", canary_freezes}, {"store", canary_stores}, {"verify", canary_verifies}, {"led", canary_led},
};

/* Takes the steps until one fails; NULL: none did. */
static const char *take_steps(struct canary *canary)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        long began_ms = clock_ms();
        bool ok = steps[i].take(canary);

        json_array_append_new(json_object_get(canary->report, "steps"),
                              json_pack("{s:s, s:b, s:I}", "step", steps[i].name, "ok", ok, "ms", (json_int_t)(clock_ms() - began_ms)));
        if (!ok)
            return steps[i].name;
    }
    return NULL;
}

/* What was seen as JSON: a text that was cut within a character, or was none, is made ASCII. */
static json_t *said(char *text)
{
    json_t *json = json_string(text);

    for (char *p = text; !json && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json ? json : json_string(text);
}

static void print_report(struct canary *canary, const char *failed, long began_ms)
{
    json_t *report = canary->report;

    json_object_set_new(report, "ok", json_boolean(!failed));
    if (failed) {
        json_object_set_new(report, "failed", json_string(failed));
        json_object_set_new(report, "failure", said(canary->failure));
    }
    if (canary->snapshot)
        json_object_set_new(report, "snapshot", json_pack("{s:O*, s:O*, s:O*}", "id", json_object_get(canary->snapshot, "snapshotId"), "hash",
                                                          json_object_get(canary->snapshot, "hash"), "signerId", json_object_get(canary->snapshot, "signerId")));
    json_object_set_new(report, "ms", json_integer(clock_ms() - began_ms));
    json_dumpf(report, stdout, JSON_COMPACT);
    putchar('\n');
}

static void release(struct canary *canary)
{
    if (canary->store)
        canary->store->close(canary->store);
    http_free(canary->http);
    http_free(canary->plain);
    json_decref(canary->cause_shown);
    json_decref(canary->effect_shown);
    json_decref(canary->edge_shown);
    json_decref(canary->snapshot);
    json_decref(canary->report);
    free(canary->document);
    curl_global_cleanup();
}

int main(int argc, char **argv)
{
    struct canary canary = {.division = "canary"};
    struct options options = {.deadline_s = 120};
    long began_ms = clock_ms();
    const char *failed;

    read_options(&canary, &options, argc, argv);
    log_configure("warning", "text");
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        give_up("the libraries could not be initialised");
    canary.until_ms = began_ms + options.deadline_s * 1000;
    canary.http = http_new(&options.tls);
    canary.plain = http_new(NULL);
    canary.store = options.store ? open_store(options.store) : open_store_of(options.sidecar_config);
    new_id(canary.marker);
    new_id(canary.cause);
    new_id(canary.effect);
    new_id(canary.edge);
    canary.report = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:[]}", "program", "reason-canary " REASON_VERSION, "gateway", canary.gateway.url, "division",
                              canary.division, "marker", canary.marker, "cause", canary.cause, "effect", canary.effect, "steps", "verifiers");
    if (!canary.http || !canary.plain || !canary.store || !canary.report)
        give_up("the store or the client cannot be used");
    failed = take_steps(&canary);
    print_report(&canary, failed, began_ms);
    release(&canary);
    if (fflush(stdout) != 0 || ferror(stdout))
        give_up("cannot write the result");
    return failed ? WORKS_NOT : WORKS;
}
