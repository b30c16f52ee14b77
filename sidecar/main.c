/*
 * main.c: the sidecar's loop: lead, work, sleep.
 *
 * All state is in the database. The loop may be ended at any instruction, by SIGKILL too, and started again.
 *
 * Sleeping: the sidecar takes the doorbell's advisory lock exclusively. It gets it only when no transaction is in
 * flight that made work without ringing (writers hold it shared until they commit); from then on writers notify.
 * It looks for work once more, waits, and lets go of the lock. A notification that is lost costs latency only.
 */
#include "log.h"
#include "sidecar.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static volatile int stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* The lease's token, "" when another leads the duty. */
static void lead(struct sidecar *sidecar, const char *duty, char token[24])
{
    char ttl[32];
    const char *parameters[] = {duty, sidecar->holder, ttl};
    PGresult *result;

    snprintf(ttl, sizeof(ttl), "%d milliseconds", sidecar->config.lease_ms);
    result = db_call(&sidecar->db, "SELECT reason.acquire_lease($1, $2, $3)", 3, parameters, NULL);
    snprintf(token, 24, "%s", result && PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void release(struct sidecar *sidecar, const char *duty, const char *token)
{
    const char *parameters[] = {duty, token};

    if (token[0] && sidecar->db.connection)
        PQclear(db_call(&sidecar->db, "SELECT reason.release_lease($1, $2)", 2, parameters, NULL));
}

/* Tells the database, and so /ready, that this sidecar lives and whether it can sign and store. */
static void report(struct sidecar *sidecar)
{
    const char *parameters[] = {sidecar->holder, sidecar->config.signer_id};

    PQclear(db_call(&sidecar->db, "SELECT reason.report_sidecar($1, $2)", 2, parameters, NULL));
}

static bool doorbell(struct sidecar *sidecar, const char *statement)
{
    PGresult *result = db_call(&sidecar->db, statement, 0, NULL, NULL);
    bool got = result && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';

    PQclear(result);
    return got;
}

/* The registered key must be the signer's: a sidecar with another key signs nothing. */
static bool key_is_registered(struct sidecar *sidecar)
{
    const char *parameters[] = {sidecar->config.signer_id};
    char hex[2 * PUBLIC_KEY_LENGTH + 1];
    bool ok;
    PGresult *result = db_call(&sidecar->db, "SELECT encode(reason.signing_key($1), 'hex')", 1, parameters, NULL);

    if (!result)
        return false;
    sodium_bin2hex(hex, sizeof(hex), sidecar->signer->public_key, PUBLIC_KEY_LENGTH);
    ok = PQntuples(result) == 1 && !strcmp(PQgetvalue(result, 0, 0), hex);
    PQclear(result);
    if (!ok)
        log_error("signer \"%s\" is registered with another key than this sidecar has", sidecar->config.signer_id);
    return ok;
}

/* One turn of all duties. */
static enum progress work(struct sidecar *sidecar, char seal_token[24], char snapshot_token[24])
{
    enum progress chain = PROGRESS_NONE, snapshots = PROGRESS_NONE;

    lead(sidecar, "snapshot", snapshot_token);
    metrics_set(METRIC_LEADING_SNAPSHOT, snapshot_token[0] != '\0');
    if (snapshot_token[0])
        snapshots = stage_snapshot(sidecar, snapshot_token);
    lead(sidecar, "seal", seal_token);
    metrics_set(METRIC_LEADING_SEAL, seal_token[0] != '\0');
    if (seal_token[0])
        chain = stage_chain(sidecar, seal_token);
    /* a snapshot that fails waits by itself (next_attempt_at) and must not hold up the chain */
    if (chain == PROGRESS_SOME || snapshots == PROGRESS_SOME)
        return PROGRESS_SOME;
    return chain == PROGRESS_FAILED || snapshots == PROGRESS_FAILED ? PROGRESS_FAILED : PROGRESS_NONE;
}

static void pause_ms(struct sidecar *sidecar, int ms)
{
    /* with jitter, so that several sidecars do not knock at the same time */
    db_wait(&sidecar->db, ms / 2 + (int)randombytes_uniform((uint32_t)ms / 2 + 1), &stop);
}

static void run(struct sidecar *sidecar)
{
    char seal_token[24] = "", snapshot_token[24] = "";
    int backoff_ms = 100;
    time_t reported = 0;
    bool checked = false;

    while (!stop) {
        enum progress progress;

        metrics_set(METRIC_LAST_TURN_SECONDS, time(NULL));
        metrics_set(METRIC_DATABASE_FAILURES, (long)sidecar->db.failures);
        if (!db_connect(&sidecar->db) || (!checked && !key_is_registered(sidecar))) {
            pause_ms(sidecar, backoff_ms);
            backoff_ms = backoff_ms < 5000 ? backoff_ms * 2 : 5000;
            continue;
        }
        checked = true;
        if (time(NULL) - reported >= 2) {
            report(sidecar);
            reported = time(NULL);
        }

        progress = work(sidecar, seal_token, snapshot_token);
        if (progress == PROGRESS_FAILED) {
            checked = false;
            pause_ms(sidecar, backoff_ms);
            backoff_ms = backoff_ms < 5000 ? backoff_ms * 2 : 5000;
            continue;
        }
        backoff_ms = 100;
        if (progress == PROGRESS_SOME)
            continue;

        if (!doorbell(sidecar, "SELECT pg_try_advisory_lock(reason.doorbell_key())")) {
            /* a writer is in flight, or another sidecar sleeps */
            pause_ms(sidecar, sidecar->config.poll_busy_ms);
            continue;
        }
        if (work(sidecar, seal_token, snapshot_token) == PROGRESS_NONE)
            db_wait(&sidecar->db, sidecar->config.lease_ms / 2 < sidecar->config.poll_idle_ms ? sidecar->config.lease_ms / 2 : sidecar->config.poll_idle_ms,
                    &stop);
        doorbell(sidecar, "SELECT pg_advisory_unlock(reason.doorbell_key())");
    }
    release(sidecar, "seal", seal_token);
    release(sidecar, "snapshot", snapshot_token);
}

static void usage(FILE *out)
{
    fprintf(out, "Usage: reason-sidecar [OPTION] CONFIG\n"
                 "Seals and signs the audit chain, signs and stores snapshots.\n\n"
                 "  --check      check the configuration and the signing key, then exit\n"
                 "  --help       show this help, then exit\n"
                 "  --version    show the version, then exit\n\n"
                 "Every setting can be given by the environment: REASON_SIDECAR_<SECTION>_<KEY>.\n");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"check", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};
    struct sigaction action = {.sa_handler = on_signal};
    struct sidecar sidecar = {0};
    bool check = false;
    char host[64] = "localhost";
    int option, status = 1;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c': check = true; break;
        case 'h': usage(stdout); return 0;
        case 'v': puts("reason-sidecar " REASON_VERSION); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 2;
    }
    if (sodium_init() < 0) {
        log_error("libsodium could not be initialised");
        return 1;
    }
    if (!config_load(&sidecar.config, argv[optind]))
        goto done;
    if (!strcmp(sidecar.config.log_level, "debug"))
        log_set_level(LOG_LEVEL_DEBUG);
    else if (!strcmp(sidecar.config.log_level, "warning"))
        log_set_level(LOG_LEVEL_WARNING);
    if (strcmp(sidecar.config.signer_type, "local") != 0) {
        log_error("signer.type \"%s\" is unknown", sidecar.config.signer_type);
        goto done;
    }
    gethostname(host, sizeof(host) - 1);
    snprintf(sidecar.holder, sizeof(sidecar.holder), "%s/%ld/%08x", host, (long)getpid(), (unsigned)randombytes_random());
    sidecar.db.conninfo = sidecar.config.conninfo;
    sidecar.signer = signer_local_open(sidecar.config.signer_key_file);
    sidecar.store = sidecar.signer ? store_open(sidecar.config.store_url) : NULL;
    if (!sidecar.store)
        goto done;
    if (check) {
        status = db_connect(&sidecar.db) && key_is_registered(&sidecar) ? 0 : 1;
        goto done;
    }

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!metrics_start(sidecar.config.metrics_address, sidecar.config.metrics_port))
        goto done;
    log_info("reason-sidecar %s started as %s", REASON_VERSION, sidecar.holder);
    run(&sidecar);
    log_info("stopped");
    status = 0;
done:
    metrics_stop();
    db_close(&sidecar.db);
    if (sidecar.store)
        sidecar.store->close(sidecar.store);
    if (sidecar.signer)
        sidecar.signer->close(sidecar.signer);
    config_free(&sidecar.config);
    return status;
}
