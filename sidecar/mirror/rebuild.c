/* rebuild.c: a mirror made anew. */
#include "mirror/rebuild.h"

#include "base/clock.h"
#include "base/db.h"
#include "base/log.h"
#include "mirror/feed.h"
#include "mirror/mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS 20
#define PAUSE_MS 200
/* The sidecar that leads the duty takes as long at most to go on. */
#define STANDSTILL_MS 120000
#define LEASE "30 seconds"
#define BAR 30

struct rebuild {
    const struct mirror_config *config;
    const char *holder;
    struct mirror *mirror;
    struct feed *feed;
    struct db db;
    PGresult *heads;            /* division, last signed event */
    char token[24];             /* of the duty; "": another leads */
    long began_ms, shown_ms;
};

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Moves a division's mark from wherever it is. */
static bool set_mark(struct rebuild *rebuild, const char *division, bool rebuilding)
{
    const struct mirror_mark after = {.there = true, .seq = -1, .schema = MIRROR_SCHEMA, .rebuilding = rebuilding};

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct mirror_mark before;
        enum mirror_outcome outcome = rebuild->mirror->engine->read_mark(rebuild->mirror, division, &before);

        /* the sidecar that feeds the mirror may have been faster */
        if (outcome == MIRROR_DONE)
            outcome = rebuild->mirror->engine->apply(rebuild->mirror, division, &before, &after, NULL);
        if (outcome == MIRROR_DONE)
            return true;
        if (outcome != MIRROR_MOVED)
            break;
    }
    log_error("mirror \"%s\": %s", rebuild->config->name, rebuild->mirror->error);
    return false;
}

static bool empty_division(struct rebuild *rebuild, const char *division)
{
    long removed, sum = 0;

    if (!set_mark(rebuild, division, true))
        return false;
    do {
        if (rebuild->mirror->engine->empty(rebuild->mirror, division, &removed) != MIRROR_DONE) {
            log_error("mirror \"%s\": %s", rebuild->config->name, rebuild->mirror->error);
            return false;
        }
        sum += removed;
    } while (removed > 0);
    printf("division %s: %ld records removed\n", division, sum);
    return set_mark(rebuild, division, false);
}

/* Takes or renews the lease of the duty; without it, whoever has it feeds the mirror. */
static void lead(struct rebuild *rebuild)
{
    const char *parameters[] = {"mirror", rebuild->holder, LEASE};
    PGresult *result = db_call(&rebuild->db, "SELECT reason.acquire_lease($1, $2, $3)", "1N", 3, parameters, NULL);

    snprintf(rebuild->token, sizeof(rebuild->token), "%s", result ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void let_go(struct rebuild *rebuild)
{
    const char *parameters[] = {"mirror", rebuild->token};

    if (rebuild->token[0] && rebuild->db.connection)
        PQclear(db_call(&rebuild->db, "SELECT reason.release_lease($1, $2)", NULL, 2, parameters, NULL));
}

static void show(struct rebuild *rebuild, long done, long whole)
{
    bool terminal = isatty(STDOUT_FILENO), over = done >= whole;
    double seconds = (double)(clock_ms() - rebuild->began_ms) / 1000;
    int filled = whole > 0 ? (int)(done * BAR / whole) : BAR;

    if (!over && clock_ms() - rebuild->shown_ms < (terminal ? PAUSE_MS : 5000))
        return;
    rebuild->shown_ms = clock_ms();
    printf("%s[%.*s%*s] %ld of %ld events, %.0f a second%s", terminal ? "\r" : "", filled, "##############################", BAR - filled, "", done, whole,
           seconds > 0 ? (double)done / seconds : 0, terminal && !over ? "" : "\n");
    fflush(stdout);
}

/* How many of the events that were signed at the beginning the mirror has; -1: it does not answer, or stands for a rebuild of somebody else. */
static long progress(struct rebuild *rebuild)
{
    long done = 0;

    for (int i = 0; i < PQntuples(rebuild->heads); i++) {
        long head = atol(PQgetvalue(rebuild->heads, i, 1));
        struct mirror_mark mark;

        if (rebuild->mirror->engine->read_mark(rebuild->mirror, PQgetvalue(rebuild->heads, i, 0), &mark) != MIRROR_DONE || mark.rebuilding)
            return -1;
        done += 1 + (mark.seq < head ? mark.seq : head);
    }
    return done;
}

static bool feed_all(struct rebuild *rebuild)
{
    long whole = 0, done = 0, moved_ms = clock_ms();

    for (int i = 0; i < PQntuples(rebuild->heads); i++)
        whole += 1 + atol(PQgetvalue(rebuild->heads, i, 1));
    rebuild->began_ms = clock_ms();
    lead(rebuild);
    printf("%s\n", rebuild->token[0] ? "no sidecar feeds mirrors: this process does" : "a sidecar feeds the mirror");
    for (;;) {
        long now;

        if (rebuild->token[0]) {
            lead(rebuild);
            feed_turn(rebuild->feed, &rebuild->db, rebuild->token);
        } else {
            pause_ms(PAUSE_MS);
        }
        now = progress(rebuild);
        if (now > done)
            moved_ms = clock_ms();
        done = now > done ? now : done;
        show(rebuild, done, whole);
        if (done >= whole)
            return true;
        if (clock_ms() - moved_ms > STANDSTILL_MS || !db_connect(&rebuild->db)) {
            log_error("mirror \"%s\" does not go on: the log of the sidecar that feeds it says why", rebuild->config->name);
            return false;
        }
    }
}

bool mirror_rebuild(const struct config *config, const char *name, const char *holder)
{
    struct rebuild rebuild = {.config = mirror_named(config, name), .holder = holder,
                              .db = {.conninfo = config->conninfo, .name = "rebuild", .timeout_ms = config->database_timeout_ms}};
    char *wanted;
    const char *parameters[1];
    bool ok;

    if (!rebuild.config) {
        log_error("there is no section [mirror %s]", name);
        return false;
    }
    wanted = mirror_divisions(rebuild.config);
    parameters[0] = wanted;
    ok = wanted && (rebuild.mirror = mirror_open(rebuild.config)) != NULL && (rebuild.feed = feed_open(rebuild.config)) != NULL && db_connect(&rebuild.db)
         && (rebuild.heads = db_call(&rebuild.db, "SELECT division, head_seq FROM reason.mirror_heads($1)", "ti", 1, parameters, NULL)) != NULL;
    if (ok && rebuild.mirror->engine->prepare(rebuild.mirror) != MIRROR_DONE) {
        log_error("mirror \"%s\": %s", name, rebuild.mirror->error);
        ok = false;
    }
    for (int i = 0; ok && i < PQntuples(rebuild.heads); i++)
        ok = empty_division(&rebuild, PQgetvalue(rebuild.heads, i, 0));
    ok = ok && feed_all(&rebuild);
    let_go(&rebuild);
    PQclear(rebuild.heads);
    free(wanted);
    feed_close(rebuild.feed);
    mirror_close(rebuild.mirror);
    db_close(&rebuild.db);
    return ok;
}
