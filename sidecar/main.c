/*
 * main.c: the sidecar: one thread a duty, and this one, which keeps the leases and answers signals.
 *
 * All state is in the database. The process may be ended at any instruction, by SIGKILL too, and started again.
 *   SIGTERM, SIGINT  finish what is being done, give up the leases, end
 *   SIGUSR1          make the checkpoints of all logs that have grown, whatever their interval
 *   SIGHUP           read the configuration again: log level and format; signer, stores and Kafka's producer are opened
 *                    anew, with the credentials that are in their files now
 */
#include "accept.h"
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "check_log.h"
#include "cosign.h"
#include "duty.h"
#include "kubernetes/lease.h"
#include "net/http.h"
#include "recover.h"
#include "report.h"
#include "stage/stage.h"
#include "mirror/check.h"
#include "mirror/mirror.h"
#include "mirror/rebuild.h"
#include "tracing/tracing.h"
#include "witness/witness.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How often the sidecar reports to the database and asks how deep the queues are. */
#define REPORT_MS 2000
/* The duties' threads get so long to end, the rest a few seconds more. */
#define STOP_MS 10000
/* The server ends a session that sleeps for so much longer than it was to. */
#define OVERSLEPT_MS 10000
#define MMAP_BYTES (128 * 1024)
#define WORKERS_MOST (JOB_COUNT + MIRRORS_MOST - 1)

/* Tells systemd, if it started us (sd_notify(3)): one datagram to a socket. */
static void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    int fd;

    if (length < 2 || length >= sizeof(address.sun_path) || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return;
    memcpy(address.sun_path, path, length);
    /* an abstract socket */
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        log_warning("systemd cannot be told \"%s\": %s", state, strerror(errno));
    close(fd);
}

/* Opens the memory of what was signed: nothing is signed that does not extend it. */
static void begin_memory(struct sidecar *sidecar)
{
    bool file = sidecar->config.checkpoint_state_file[0], store = sidecar->config.checkpoint_signer.id[0];

    sidecar->log.on = file || store;
    sidecar->log.prefix = sidecar->config.checkpoint_origin;
    refusals_init(&sidecar->log.refusals, sidecar->config.checkpoint_interval_s, sidecar->config.database_timeout_ms);
    sidecar->log.state.path = sidecar->config.checkpoint_state_file;
    /* counted from here, as long as none was made */
    metrics_set(METRIC_CHECKPOINT_SECONDS, store ? time(NULL) : 0);
    sidecar->log.where = file && store ? "file and store" : file ? "file" : store ? "store" : "none";
    metrics_memory(sidecar->log.where);
    if (!file && !store)
        log_warning("nothing outside the database remembers what was signed (checkpoint.state_file, checkpoint.signer): whoever can change the database can have any history signed");
    else if (!store)
        log_info("no checkpoints are made: there is no checkpoint.signer");
    else if (!file)
        log_warning("what was signed last is remembered by checkpoints in the store alone: there is no checkpoint.state_file");
}

static bool has_duty(const struct config *config, enum duty duty)
{
    if (duty == DUTY_SEAL || duty == DUTY_SNAPSHOT)
        return true;
    if (config->trial)
        return false;
    return (duty == DUTY_EMIT && config->kafka_brokers[0])
           || (duty == DUTY_ARCHIVE && config->archive_url[0]) || (duty == DUTY_MIRROR && config->mirror_count > 0);
}

/* What can change while running: the log, and the counterparts with their credentials. */
static void reload(struct sidecar *sidecar, const char *path)
{
    struct config config;

    if (!config_load(&config, path)) {
        log_error("the configuration was not reloaded");
        config_free(&config);
        return;
    }
    log_configure(config.log_level, config.log_format);
    config_free(&config);
    /* their locks may be held for as long as a counterpart takes: whoever uses them next opens them anew */
    atomic_fetch_add(&sidecar->reloads, 1);
    atomic_store(&sidecar->signer_failing, false);
    atomic_store(&sidecar->signer_ready, false);
    atomic_store(&sidecar->store_ready, false);
    doorbell_ring();
    log_info("reloaded");
}

static const char *job_name(int job)
{
    return job == JOB_LOG ? "log" : duty_names[job];
}

static bool start_workers(struct sidecar *sidecar, struct worker workers[WORKERS_MOST])
{
    for (int number = 0; number < WORKERS_MOST; number++) {
        struct worker *worker = &workers[number];
        /* each mirror but the first has a thread beyond those of the jobs */
        int job = number < JOB_COUNT ? number : DUTY_MIRROR;
        size_t mirror = number < JOB_COUNT ? 0 : (size_t)(number - JOB_COUNT + 1);
        enum duty duty = job == JOB_LOG ? DUTY_SEAL : (enum duty)job;

        *worker = (struct worker){.sidecar = sidecar, .duty = duty, .job = job, .mirror = mirror,
                                  .db = {.conninfo = sidecar->config.conninfo, .name = job_name(job),
                                         .timeout_ms = sidecar->config.database_timeout_ms}};
        /* its lock, which it holds while it sleeps, is not to outlive it, should the server not hear of its end */
        if (job == DUTY_SEAL) {
            worker->db.listen = true;
            worker->db.idle_ms = sidecar->config.poll_idle_ms + OVERSLEPT_MS;
        }
        if (!has_duty(&sidecar->config, duty) || (duty == DUTY_MIRROR && mirror >= sidecar->config.mirror_count))
            continue;
        worker->started = pthread_create(&worker->thread, NULL, duty_run, worker) == 0;
        if (!worker->started) {
            log_error("cannot start the thread of duty %s", job_name(job));
            return false;
        }
    }
    return true;
}

/*
 * Whatever the threads wait for ends soon; a library that does not return (a hardware module's) is not waited for. The
 * process may be ended at any instruction: what it held is then given up by the leases' running out.
 */
static void stop_workers(struct worker workers[WORKERS_MOST])
{
    long until_us = clock_us() + STOP_MS * 1000L;
    const struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};

    doorbell_stop();
    db_hurry();
    http_hurry();
    for (int i = 0; i < WORKERS_MOST; i++)
        if (workers[i].started && pthread_clockjoin_np(workers[i].thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
            log_error("duty %s does not end: this process ends without it", job_name(workers[i].job));
            _exit(1);
        }
}

/* Whether a sidecar that can do the duty should have it instead, if there is one. */
static bool cannot_do(struct sidecar *sidecar, enum duty duty)
{
    long since_ms = atomic_load(&sidecar->failing_since_ms[duty]);

    return since_ms && clock_ms() - since_ms > 2L * sidecar->config.lease_ms;
}

/* Who cannot lead makes no proof, and so is told nothing of the log: that the database refuses the lease itself is the same refusal. */
static void note_refusal(struct sidecar *sidecar, struct db *db)
{
    struct log_memory *memory = &sidecar->log;

    if (!memory->on || (db->refusal[0] ? db->refusal_passes : !refusals_wait(&memory->refusals, clock_ms())))
        return;
    /* leases do not wait for whoever proves or signs */
    if (pthread_mutex_trylock(&memory->lock) != 0)
        return;
    if (db->refusal[0])
        log_memory_refused(memory, db);
    else
        refusals_end(&memory->refusals, db->name);
    pthread_mutex_unlock(&memory->lock);
}

/* Takes or renews the leases of the database, if this sidecar is to try. */
static void lead(struct sidecar *sidecar, struct db *db)
{
    db->refusal[0] = '\0';
    kube_lease_able();
    if (!kube_lease_permits()) {
        leader_release(db);
        return;
    }
    for (enum duty duty = 0; duty < DUTY_COUNT; duty++) {
        if (!has_duty(&sidecar->config, duty) || (cannot_do(sidecar, duty) && leader_yield(db, duty, sidecar->config.lease_ms)))
            continue;
        if (sidecar->config.trial)
            leader_claim(db, duty, sidecar->holder, sidecar->config.lease_ms);
        leader_renew(db, duty, sidecar->holder, sidecar->config.lease_ms);
    }
    note_refusal(sidecar, db);
}

/* A renewal that takes longer than the lease lasts is of no use. */
static int main_timeout_ms(const struct config *config)
{
    int most_ms = 2 * config->lease_ms;

    return config->database_timeout_ms < most_ms ? config->database_timeout_ms : most_ms;
}

static void demand_checkpoints(struct sidecar *sidecar)
{
    atomic_store(&sidecar->checkpoint_demanded, true);
    doorbell_ring();
}

/* Keeps the leases until a signal says otherwise. */
static void run(struct sidecar *sidecar, const char *config_path, const sigset_t *signals)
{
    struct db db = {.conninfo = sidecar->config.conninfo, .name = "main", .timeout_ms = main_timeout_ms(&sidecar->config)};
    struct worker workers[WORKERS_MOST] = {0};
    struct cosigning *cosigning = NULL;
    long turn_ms = sidecar->config.lease_ms / 4;
    const struct timespec turn = {turn_ms / 1000, turn_ms % 1000 * 1000000L};
    long reported_ms = clock_ms() - REPORT_MS;
    bool was_ready = false;

    if (start_workers(sidecar, workers) && cosign_start(sidecar, &cosigning))
        for (;;) {
            int signal_number;

            metrics_turned();
            leader_lapse();
            if (db_connect(&db)) {
                lead(sidecar, &db);
                if (clock_ms() - reported_ms >= REPORT_MS || sidecar_is_ready(sidecar) != was_ready) {
                    was_ready = sidecar_is_ready(sidecar);
                    report(sidecar, &db);
                    reported_ms = clock_ms();
                }
            }
            if (!db.connection)
                metrics_forget();
            signal_number = sigtimedwait(signals, NULL, &turn);
            if (signal_number == SIGHUP)
                reload(sidecar, config_path);
            else if (signal_number == SIGUSR1)
                demand_checkpoints(sidecar);
            else if (signal_number > 0)
                break;
        }
    stop_workers(workers);
    cosign_stop(cosigning);
    leader_release(&db);
    db_close(&db);
    kube_lease_stop();
}

/* --check: every counterpart answers. */
static bool check_counterparts(struct sidecar *sidecar)
{
    struct db db = {.conninfo = sidecar->config.conninfo, .name = "check", .timeout_ms = sidecar->config.database_timeout_ms};
    bool database = db_connect(&db), checkpoints, signer, store, archive = true, kafka = true, kubernetes = true, mirrors = true;

    if (database)
        signer = sidecar_open_signer(sidecar, &db);
    else
        signer = sidecar->signer != NULL || (sidecar->signer = signer_open(&sidecar->config.signer)) != NULL;
    checkpoints = !sidecar->config.checkpoint_signer.id[0] || (database && sidecar_open_checkpoint_signer(sidecar, &db));
    store = sidecar_open_store(sidecar) && sidecar->store->check(sidecar->store);
    if (sidecar->config.archive_url[0]) {
        const struct store_options options = {sidecar->config.archive_url, sidecar->config.archive_lock_mode, sidecar->config.archive_lock_days};
        struct store *other = store_open(&sidecar->config, &options);

        archive = other && other->check(other);
        if (other)
            other->close(other);
    }
    if (sidecar->config.kafka_brokers[0])
        kafka = emit_check(&sidecar->config);
    if (sidecar->config.kubernetes_lease[0])
        kubernetes = kube_lease_check(&sidecar->config);
    for (size_t i = 0; i < sidecar->config.mirror_count; i++)
        mirrors = mirror_answers(&sidecar->config.mirrors[i]) && mirrors;
    printf("database %s\nsigner %s\nstore %s\n", database ? "ok" : "failed", signer ? "ok" : "failed", store ? "ok" : "failed");
    if (sidecar->config.checkpoint_signer.id[0])
        printf("checkpoints %s\n", checkpoints ? "ok" : "failed");
    if (sidecar->config.archive_url[0])
        printf("archive %s\n", archive ? "ok" : "failed");
    if (sidecar->config.kafka_brokers[0])
        printf("kafka %s\n", kafka ? "ok" : "failed");
    if (sidecar->config.kubernetes_lease[0])
        printf("kubernetes %s\n", kubernetes ? "ok" : "failed");
    if (sidecar->config.mirror_count > 0)
        printf("mirrors %s\n", mirrors ? "ok" : "failed");
    db_close(&db);
    return database && signer && checkpoints && store && archive && kafka && kubernetes && mirrors;
}

static void usage(FILE *out)
{
    fprintf(out, "Usage: reason-sidecar [OPTION] CONFIG\n"
            "       reason-sidecar --witness [--check] CONFIG\n"
            "Seals and signs the audit chain, signs and stores snapshots, emits and archives events.\n\n"
            "  --check      check the configuration and reach every counterpart, then exit\n"
            "  --check-log  compare the database with all that was signed and published: every hash, every signature; then exit\n"
            "  --recover    in safe mode: bring back what a restored database has forgotten, then exit\n"
            "  --registry FILE\n"
            "               with --recover: take only what these signers signed, as reason.signer_registry() gives them\n"
            "  --division NAME\n"
            "               with --recover and --registry: bring this division alone, which is frozen here, from another cell's archive\n"
            "               and store, which CONFIG names\n"            "  --accept-restore\n"
            "               go on with a database that does not extend what was signed, for what cannot be recovered\n"
            "  --mirror-check NAME\n"
            "               compare a mirror with the database at the mirror's mark: counts, samples, traces; with --all every record\n"
            "  --mirror-rebuild NAME\n"
            "               empty a mirror and feed it from the first event on\n"
            "  --help       show this help, then exit\n"
            "  --version    show the version, then exit\n\n"
            "Every setting can be given by the environment: REASON_SIDECAR_<SECTION>_<KEY>.\n");
}

/* What lies on this machine must be there at the start; what is reached over a network may come later. */
static bool open_local(struct sidecar *sidecar)
{
    if (!strcmp(sidecar->config.signer.type, "local") && !(sidecar->signer = signer_open(&sidecar->config.signer)))
        return false;
    return strncmp(sidecar->config.store_url, "file://", 7) != 0 || sidecar_open_store(sidecar);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"check", no_argument, NULL, 'c'}, {"check-log", no_argument, NULL, 'k'}, {"recover", no_argument, NULL, 'r'}, {"registry", required_argument, NULL, 's'}, {"division", required_argument, NULL, 'd'}, {"accept-restore", no_argument, NULL, 'a'}, {"mirror-check", required_argument, NULL, 'm'}, {"all", no_argument, NULL, 'l'}, {"mirror-rebuild", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};
    struct sidecar sidecar = {.signer_lock = PTHREAD_MUTEX_INITIALIZER, .checkpoint_lock = PTHREAD_MUTEX_INITIALIZER,
                              .store_lock = PTHREAD_MUTEX_INITIALIZER, .log = {.lock = PTHREAD_MUTEX_INITIALIZER},
                              .announcements = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    sigset_t signals;
    bool check = false, checks_log = false, recovers = false, accepts = false, all = false, at_once;
    char host[64] = "localhost";
    const char *registry = NULL, *division = NULL, *checked = NULL, *rebuilt = NULL;
    int option, status = 1;

    if (argc > 1 && !strcmp(argv[1], "--witness"))
        return witness_main(argc - 1, argv + 1);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c': check = true; break;
        case 'k': checks_log = true; break;
        case 'r': recovers = true; break;
        case 's': registry = optarg; break;
        case 'd': division = optarg; break;
        case 'a': accepts = true; break;
        case 'm': checked = optarg; break;
        case 'l': all = true; break;
        case 'b': rebuilt = optarg; break;
        case 'h': usage(stdout); return 0;
        case 'v': puts("reason-sidecar " REASON_VERSION); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (optind + 1 != argc || (registry && !recovers) || (division && !registry) || (all && !checked)
        || check + checks_log + recovers + accepts + (checked != NULL) + (rebuilt != NULL) > 1) {
        usage(stderr);
        return 2;
    }
    /*
     * Batches are of many sizes. glibc would learn to take the larger ones from the heap, where what is left of them stays
     * with the process: so they go back to the system.
     */
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    /* threads inherit the mask: signals are for the main thread alone */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    /* what is done once ends at once, whatever it waits for */
    at_once = check || checks_log || recovers || accepts || checked || rebuilt;
    if (!at_once)
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !doorbell_open()) {
        log_error("the libraries could not be initialised");
        return 1;
    }
    if (!config_load(&sidecar.config, argv[optind]))
        goto done;
    log_configure(sidecar.config.log_level, sidecar.config.log_format);
    if (!cosign_check(&sidecar))
        goto done;
    gethostname(host, sizeof(host) - 1);
    snprintf(sidecar.holder, sizeof(sidecar.holder), "%s/%ld/%08x", host, (long)getpid(), (unsigned)randombytes_random());
    if (checked || rebuilt) {
        status = (checked ? mirror_check(&sidecar.config, checked, all) : mirror_rebuild(&sidecar.config, rebuilt, sidecar.holder)) ? 0 : 1;
        goto done;
    }
    begin_memory(&sidecar);
    if (checks_log) {
        status = check_log(&sidecar) ? 0 : 1;
        goto done;
    }
    if (accepts) {
        status = accept_restore(&sidecar) ? 0 : 1;
        goto done;
    }
    if (check || recovers) {
        status = (check ? check_counterparts(&sidecar) : recover(&sidecar, registry ? registry : sidecar.config.archive_registry_file, division)) ? 0 : 1;
        goto done;
    }
    if (!open_local(&sidecar) || !metrics_start(sidecar.config.metrics_address, sidecar.config.metrics_port)
        || !tracing_start(&sidecar.config, sidecar.holder) || !kube_lease_start(&sidecar.config, sidecar.holder))
        goto done;
    log_info("reason-sidecar %s started as %s", REASON_VERSION, sidecar.holder);
    notify_systemd("READY=1");
    run(&sidecar, argv[optind], &signals);
    notify_systemd("STOPPING=1");
    log_info("stopped");
    status = 0;
done:
    tracing_stop();
    metrics_stop();
    if (sidecar.store)
        sidecar.store->close(sidecar.store);
    if (sidecar.signer)
        sidecar.signer->close(sidecar.signer);
    if (sidecar.checkpoint_signer)
        sidecar.checkpoint_signer->close(sidecar.checkpoint_signer);
    log_state_free(&sidecar.log.state);
    witness_policy_free(&sidecar.policy);
    config_free(&sidecar.config);
    curl_global_cleanup();
    return status;
}
