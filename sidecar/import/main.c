/*
 * reason-import: writes nodes and edges from files into a reasoning graph, through the functions that all writers use, so that every
 * record has its event.
 *
 * Files are read in their order, nodes before edges, and cut into batches; threads write them side by side. The journal says
 * which are written, so that an import which was broken off goes on where it was.
 */
#include "import/columns.h"
#include "import/import.h"
#include "import/progress.h"
#include "import/record.h"
#include "import/run.h"
#include "import/source.h"
#include "verify/verify.h"

#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: reason-import [-d CONNINFO | -u URL --cert FILE --key FILE] [-n FILE]... [-e FILE]... [OPTION]...\n"
    "Writes nodes and edges from files into a reasoning graph. Each record has its event, as when a service writes it.\n"
    "\n"
    "What is read:\n"
    "  -n, --nodes FILE          nodes, in CSV, NDJSON or Parquet; may be given several times; - is standard input\n"
    "  -e, --edges FILE          edges, which are read when all nodes have been written\n"
    "  -F, --format NAME         csv, tsv, ndjson or parquet; by the file's name\n"
    "      --delimiter CHAR      between the cells of CSV (a comma; in .tsv a tab)\n"
    "  -r, --rename COLUMN=MEMBER  what a column is in a record: from, payload.amount:number; empty: nothing\n"
    "  -c, --constant MEMBER=VALUE  for records that do not say it: author=billing, nodes.type=observation\n"
    "  -N, --namespace UUID      ids that are no UUIDs are keys in this namespace, and become UUIDs of version 5\n"
    "      --duckdb FILE         the library that reads Parquet (libduckdb.so)\n"
    "\n"
    "Where it is written:\n"
    "  -d, --database CONNINFO   a database, as a member of reason_writer; by default as the environment says (PGHOST, …)\n"
    "  -u, --url URL             or a gateway: https://host[:port], or a division's: https://host/d/NAME\n"
    "      --cert FILE           certificate of a client that may write,\n"
    "      --key FILE            its key,\n"
    "      --cacert FILE         and the authorities that the gateway is known by; the system's\n"
    "      --connect HOST:PORT   where the gateway is, if not where its URL says\n"
    "\n"
    "How:\n"
    "  -j, --jobs NUMBER         connections that write side by side (2)\n"
    "  -b, --batch NUMBER        records in a transaction, or in a request (2000)\n"
    "  -J, --journal FILE        what is done so far; the same command goes on from there. By default the name of the first\n"
    "                            file and .import, in the current folder; of standard input there is none\n"
    "      --no-journal          keep none\n"
    "  -R, --rejects FILE        records that are refused go there, with the reason; without it the first one ends the import\n"
    "      --rejects-most NUMBER  more than so many end it (1000)\n"
    "  -t, --deadline SECONDS    how long what can pass is tried again, a broken connection for one (300)\n"
    "      --dry-run             read and check, and write nothing\n"
    "  -q, --quiet               do not say how far it is\n"
    "  -h, --help                print this\n"
    "  -V, --version             print the version\n"
    "\n"
    "Exit status: 0 all is written, 1 all but what was rejected, 2 it was broken off: the same command goes on.\n";

enum { ALL = 0, SOME_REJECTED = 1, BROKEN_OFF = 2 };

#define FILES_MOST 1000
#define BATCH_BYTES ((size_t) 8 * 1024 * 1024)  /* a batch has more only if one record has */
#define BATCH_MOST 20000        /* what the service answers to more would be cut */
#define REQUEST_MS 120000

const char *const kind_names[KINDS] = {"nodes", "edges"};

static volatile sig_atomic_t stopping;

bool import_stopping(void)
{
    return stopping != 0;
}

static void stop(int signal_number)
{
    stopping = 1;
    /* A second one ends the process. */
    signal(signal_number, SIG_DFL);
}

struct file {
    enum kind kind;
    const char *path;
};

struct options {
    struct settings settings;
    struct target_settings target;
    struct run_settings run;
    enum format format;
    struct file files[FILES_MOST];
    int file_count;
    long batch;
    const char *journal, *rejects;
    bool no_journal, dry_run, quiet;
};

static void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void give_up(const char *format, ...)
{
    char said[8192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(said, sizeof(said), format, arguments);
    va_end(arguments);
    fputs("reason-import: ", stderr);
    safe_text_print(stderr, said);
    fputc('\n', stderr);
    exit(BROKEN_OFF);
}

/* ---------------------------------------------------------------- options */

enum { DELIMITER = 256, DUCKDB, CERT, KEY, CACERT, CONNECT, NO_JOURNAL, REJECTS_MOST, DRY_RUN };

static const struct option long_options[] = {
    {"nodes", required_argument, NULL, 'n'},
    {"edges", required_argument, NULL, 'e'},
    {"format", required_argument, NULL, 'F'},
    {"delimiter", required_argument, NULL, DELIMITER},
    {"rename", required_argument, NULL, 'r'},
    {"constant", required_argument, NULL, 'c'},
    {"namespace", required_argument, NULL, 'N'},
    {"duckdb", required_argument, NULL, DUCKDB},
    {"database", required_argument, NULL, 'd'},
    {"url", required_argument, NULL, 'u'},
    {"cert", required_argument, NULL, CERT},
    {"key", required_argument, NULL, KEY},
    {"cacert", required_argument, NULL, CACERT},
    {"connect", required_argument, NULL, CONNECT},
    {"jobs", required_argument, NULL, 'j'},
    {"batch", required_argument, NULL, 'b'},
    {"journal", required_argument, NULL, 'J'},
    {"no-journal", no_argument, NULL, NO_JOURNAL},
    {"rejects", required_argument, NULL, 'R'},
    {"rejects-most", required_argument, NULL, REJECTS_MOST},
    {"deadline", required_argument, NULL, 't'},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static long number(const char *name, const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || end == text || value < 1 || value > most)
        give_up("--%s takes a number from 1 to %ld", name, most);
    return value;
}

static void add_file(struct options *options, enum kind kind, const char *path)
{
    if (options->file_count == FILES_MOST)
        give_up("at most %d files can be given", FILES_MOST);
    for (int i = 0; i < options->file_count; i++)
        if (strcmp(path, options->files[i].path) == 0)
            give_up("%s is given twice", strcmp(path, "-") == 0 ? "standard input" : path);
    options->files[options->file_count++] = (struct file){kind, path};
}

/* MEMBER=VALUE, or nodes.MEMBER=VALUE: members that are texts. */
static void check_constant(const char *constant)
{
    const char *equals = strchr(constant, '='), *dot = strchr(constant, '.');
    char name[64];
    bool known = false;

    if (!equals)
        give_up("--constant takes MEMBER=VALUE");
    for (enum kind kind = NODES; kind < KINDS; kind++) {
        const char *start = constant;

        if (dot && dot < equals) {
            if (strncmp(constant, kind_names[kind], (size_t)(dot - constant)) != 0 || (size_t)(dot - constant) != strlen(kind_names[kind]))
                continue;
            start = dot + 1;
        }
        snprintf(name, sizeof(name), "%.*s", (int)(equals - start), start);
        known |= columns_is_text(kind, name) && strcmp(name, "id") != 0;
    }
    if (!known)
        give_up("--constant %.*s: records have no such member that is a text", (int)(equals - constant), constant);
}

static void check_options(const struct options *options)
{
    const struct target_settings *target = &options->target;

    if (options->file_count == 0)
        give_up("give --nodes or --edges; see reason-import --help");
    if (target->url && target->conninfo)
        give_up("give --database or --url, not both");
    if (target->url && (!target->tls.cert_file || !target->tls.key_file))
        give_up("--url needs --cert and --key: the gateway knows its clients by their certificates");
    if (target->url && (strncmp(target->url, "https://", 8) != 0 || strpbrk(target->url, " \t\r\n")))
        give_up("--url takes https://host[:port]");
    if (!target->url && (target->tls.cert_file || target->tls.key_file || target->tls.ca_file || target->connect_to))
        give_up("--cert, --key, --cacert and --connect go with --url");
    if (options->journal && options->no_journal)
        give_up("give --journal or --no-journal, not both");
    for (int i = 0; i < options->settings.constant_count; i++)
        check_constant(options->settings.constants[i]);
    for (int i = 0; i < options->settings.renamed_count; i++)
        if (!strchr(options->settings.renamed[i], '='))
            give_up("--rename takes COLUMN=MEMBER");
}

static void read_options(struct options *options, int argc, char **argv)
{
    struct settings *settings = &options->settings;
    struct target_settings *target = &options->target;
    int option;

    settings->renamed = calloc((size_t)argc, sizeof(*settings->renamed));
    settings->constants = calloc((size_t)argc, sizeof(*settings->constants));
    if (!settings->renamed || !settings->constants)
        give_up("out of memory");
    while ((option = getopt_long(argc, argv, "n:e:F:r:c:N:d:u:j:b:J:R:t:qhV", long_options, NULL)) != -1) {
        switch (option) {
        case 'n': add_file(options, NODES, optarg); break;
        case 'e': add_file(options, EDGES, optarg); break;
        case 'F':
            if (!source_format(optarg, &options->format))
                give_up("--format takes csv, tsv, ndjson or parquet");
            if (strcmp(optarg, "tsv") == 0 && !settings->delimiter)
                settings->delimiter = '\t';
            break;
        case DELIMITER:
            if (!*optarg || optarg[1] || strchr("\"\r\n", *optarg))
                give_up("--delimiter takes one character, no quote");
            settings->delimiter = (unsigned char)*optarg;
            break;
        case 'r': settings->renamed[settings->renamed_count++] = optarg; break;
        case 'c': settings->constants[settings->constant_count++] = optarg; break;
        case 'N':
            if (!record_read_uuid(optarg, strlen(optarg), settings->namespace))
                give_up("--namespace takes a UUID");
            settings->has_namespace = true;
            break;
        case DUCKDB: settings->duckdb = optarg; break;
        case 'd': target->conninfo = optarg; break;
        case 'u': target->url = optarg; break;
        case CERT: target->tls.cert_file = optarg; break;
        case KEY: target->tls.key_file = optarg; break;
        case CACERT: target->tls.ca_file = optarg; break;
        case CONNECT: target->connect_to = optarg; break;
        case 'j': options->run.jobs = (int)number("jobs", optarg, JOBS_MOST); break;
        case 'b': options->batch = number("batch", optarg, BATCH_MOST); break;
        case 'J': options->journal = optarg; break;
        case NO_JOURNAL: options->no_journal = true; break;
        case 'R': options->rejects = optarg; break;
        case REJECTS_MOST: options->run.rejects_most = number("rejects-most", optarg, 1000000000); break;
        case 't': options->run.deadline_s = number("deadline", optarg, 86400); break;
        case DRY_RUN: options->dry_run = true; break;
        case 'q': options->quiet = true; break;
        case 'h': fputs(usage, stdout); exit(ALL);
        case 'V': puts("reason-import " REASON_VERSION); exit(ALL);
        default: fputs("Try reason-import --help.\n", stderr); exit(BROKEN_OFF);
        }
    }
    if (optind != argc)
        give_up("what is \"%s\"? Files are given with --nodes and --edges", argv[optind]);
    check_options(options);
}

/* ---------------------------------------------------------------- the journal */

/* The files, a line each, as they are now. */
static char *inputs_of(const struct options *options)
{
    ByteBuffer text;
    char line[4400];

    buffer_init(&text, NULL, NULL);
    for (int i = 0; i < options->file_count; i++) {
        const struct file *file = &options->files[i];
        struct stat about = {0};

        if (strcmp(file->path, "-") != 0 && stat(file->path, &about) != 0)
            give_up("%s: cannot be read", file->path);
        if (strpbrk(file->path, "\r\n"))
            give_up("a name with an end of line in it cannot be kept in a journal");
        buffer_append(&text, line, (size_t)snprintf(line, sizeof(line), "input %s %.4096s %lld %lld.%09ld\n", kind_names[file->kind], file->path,
                                                    S_ISREG(about.st_mode) ? (long long)about.st_size : 0LL,
                                                    S_ISREG(about.st_mode) ? (long long)about.st_mtim.tv_sec : 0LL,
                                                    S_ISREG(about.st_mode) ? about.st_mtim.tv_nsec : 0L));
    }
    buffer_append_char(&text, '\0');
    if (text.failed)
        give_up("out of memory");
    return text.data;
}

/* Where the journal is kept; NULL: nowhere. */
static const char *journal_path(const struct options *options, char path[4200])
{
    const char *slash, *first = options->files[0].path;

    if (options->no_journal || options->dry_run)
        return NULL;
    if (options->journal)
        return options->journal;
    if (strcmp(first, "-") == 0)
        return NULL;
    slash = strrchr(first, '/');
    snprintf(path, 4200, "%.4096s.import", slash ? slash + 1 : first);
    return path;
}

/* ---------------------------------------------------------------- reading */

struct import {
    const struct options *options;
    struct run *run;
    struct record_maker maker;
    struct progress progress;
    const struct source *source;
    enum kind kind;
    long batch;
    uint64_t records[KINDS], batches[KINDS];
};

static void show(void *context)
{
    struct import *import = context;
    struct run_counts counts;

    run_count(import->run, &counts);
    progress_show(&import->progress, kind_names[import->kind], import->source ? import->source->progress(import->source) : -1,
                  counts.written[NODES] + counts.written[EDGES], counts.refused);
}

/* What was read before something that cannot be is written all the same. */
static enum taken cannot_take(struct import *import, const struct source *source, const char *why)
{
    if (!import_stopping() && run_wait(import->run, show, import))
        run_fail(import->run, "%.300s, %s %" PRIu64 ": %.600s", source->path, source->unit, source->place, why);
    return TAKEN_BAD;
}

/* The next record into the batch; TAKEN_NONE at the end, TAKEN_BAD when the import is to end. */
static enum taken take(struct import *import, struct source *source, struct batch *batch, ByteBuffer *text)
{
    char why[WHY_SIZE];
    enum taken taken;

    for (;;) {
        text->length = 0;
        taken = source->next(source, text, why);
        if (taken == TAKEN_NONE)
            return taken;
        if (taken == TAKEN_BAD && source->broken)
            return cannot_take(import, source, why);
        if (text->failed || !batch_begin_record(batch, source->place)) {
            run_fail(import->run, "out of memory");
            return TAKEN_BAD;
        }
        if (taken == TAKEN && record_make(&import->maker, import->kind, import->records[import->kind]++, text->data, text->length, &batch->text, why))
            return TAKEN;
        batch_take_back(batch);
        if (!import->options->run.rejects)
            return cannot_take(import, source, why);
        if (!run_refuse(import->run, source->path, source->unit, source->place, why, NULL, 0))
            return TAKEN_BAD;
        show(import);
    }
}

static bool import_file(struct import *import, const struct file *file)
{
    char why[WHY_SIZE];
    struct source *source = source_open(file->path, import->options->format, file->kind, &import->options->settings, why);
    enum taken taken = TAKEN;
    ByteBuffer text;
    bool ok = source != NULL;

    if (!ok)
        run_fail(import->run, "%.300s: %.700s", strcmp(file->path, "-") == 0 ? "standard input" : file->path, why);
    buffer_init(&text, NULL, NULL);
    import->source = source;
    import->kind = file->kind;
    while (ok && taken == TAKEN && !import_stopping()) {
        struct batch *batch = batch_new(file->kind, import->batches[file->kind], file->path, source->unit);

        while (batch && batch->count < import->batch && batch->text.length < BATCH_BYTES && (taken = take(import, source, batch, &text)) == TAKEN)
            ;
        ok = batch && taken != TAKEN_BAD && !import_stopping();
        if (ok && batch->count > 0) {
            ok = batch_end(batch);
            if (!ok)
                run_fail(import->run, "out of memory");
            else {
                import->batches[file->kind]++;
                ok = run_give(import->run, batch, show, import);
                continue;
            }
        }
        batch_free(batch);
    }
    ok = ok && run_wait(import->run, show, import);
    import->source = NULL;
    buffer_free(&text);
    if (source)
        source->close(source);
    return ok && !import_stopping();
}

static bool import_files(struct import *import)
{
    for (enum kind kind = NODES; kind < KINDS; kind++)
        for (int i = 0; i < import->options->file_count; i++)
            if (import->options->files[i].kind == kind && !import_file(import, &import->options->files[i]))
                return false;
    return true;
}

static void tell(const struct import *import, const struct run_counts *counts, bool dry_run)
{
    char nodes[32], edges[32], before[32], refused[32], rate[32];
    double seconds = progress_seconds(&import->progress);
    uint64_t earlier = counts->before[NODES] + counts->before[EDGES], now = counts->written[NODES] + counts->written[EDGES];

    printf("%s nodes and %s edges %s in %.1f s, %s a second", progress_number(nodes, counts->written[NODES]), progress_number(edges, counts->written[EDGES]),
           dry_run ? "read" : "written", seconds, progress_number(rate, seconds > 0 ? (uint64_t)((double)now / seconds) : 0));
    if (earlier > 0)
        printf("; %s before", progress_number(before, earlier));
    if (counts->refused > 0)
        printf("; %s rejected", progress_number(refused, counts->refused));
    putchar('\n');
}

static void tell_why(const char *why, const char *kept)
{
    fputs("reason-import: ", stderr);
    safe_text_print(stderr, *why ? why : "it was interrupted");
    fputc('\n', stderr);
    if (kept) {
        fputs("The same command goes on from here, as long as this is kept: ", stderr);
        safe_text_print(stderr, kept);
        fputc('\n', stderr);
    }
}

int main(int argc, char **argv)
{
    static struct options options = {.batch = 2000, .run = {.jobs = 2, .deadline_s = 300, .rejects_most = 1000}};
    struct sigaction action = {.sa_handler = stop};
    struct import import = {.options = &options};
    struct journal_head head = {0};
    struct run_counts counts;
    struct journal *journal;
    char path[4200], why[WHY_SIZE] = "";
    const char *kept;
    char *inputs;
    bool continued, done, ok;

    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        give_up("the libraries cannot be started");
    read_options(&options, argc, argv);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    inputs = inputs_of(&options);
    head = (struct journal_head){.records = options.batch, .target = options.target.url ? "https" : "sql", .inputs = inputs};
    record_new_id(head.import_id);
    kept = journal_path(&options, path);
    journal = journal_open(kept, &head, &continued, why);
    if (!journal)
        give_up("%s: %s", kept, why);
    if (continued && !options.quiet) {
        fputs("going on with what ", stderr);
        safe_text_print(stderr, kept);
        fputs(" says is done\n", stderr);
    }
    if (options.rejects && !(options.run.rejects = fopen(options.rejects, "ae")))
        give_up("%s cannot be written", options.rejects);

    options.target.conninfo = options.target.conninfo ? options.target.conninfo : "";
    options.target.timeout_ms = REQUEST_MS;
    options.target.import_id = head.import_id;
    options.target.journal = options.run.journal = journal;
    options.run.target = options.dry_run ? NULL : &options.target;
    import.batch = head.records;
    record_maker_init(&import.maker, &options.settings, head.import_id);
    import.run = run_begin(&options.run, why);
    if (!import.run)
        give_up("%s", why);
    progress_begin(&import.progress, options.quiet);
    done = (!continued || run_recognize(import.run)) && import_files(&import);
    ok = run_end(import.run, &counts, why) && done;
    progress_end(&import.progress);

    tell(&import, &counts, options.dry_run);
    if (!ok)
        tell_why(why, kept);
    if (ok)
        journal_remove(journal);
    if (options.run.rejects && fclose(options.run.rejects) != 0 && ok)
        give_up("%s cannot be written", options.rejects);
    journal_close(journal);
    record_maker_free(&import.maker);
    free(inputs);
    free(options.settings.renamed);
    free(options.settings.constants);
    return !ok ? BROKEN_OFF : counts.refused > 0 ? SOME_REJECTED : ALL;
}
