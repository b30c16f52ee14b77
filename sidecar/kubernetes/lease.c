/*
 * lease.c: acquiring, renewing and releasing the Lease.
 *
 * The protocol is that of client-go's leader election (k8s.io/client-go/tools/leaderelection), so that its tools show
 * and understand the Lease: the object is read, and replaced under its resourceVersion, which the API server refuses
 * with 409 when another was faster. Times in the object are for people: whether another's Lease has run out is measured
 * by this machine's clock, from when its last change was seen, so that clocks need not agree.
 *
 *   lease_s           without a change for so long, others take the Lease
 *   2/3 of it         without a renewal for so long, the holder stops trying: before others begin
 *   2/15 of it        how often it is renewed, or looked at
 *   twice lease_s     without an answer for so long, a sidecar tries without the Lease
 */
#include "kubernetes/lease.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kubernetes/api.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STOP_MS 2000

static struct {
    pthread_t thread;
    bool started;
    struct kube_api *api;
    const char *name, *identity;
    char collection[256], path[512];
    long lease_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stopping;
    atomic_long stop_ms;        /* stopping: no request goes on after that */
    atomic_long able_ms;        /* when the sidecar last said that it could lead */
    atomic_long held_until_ms;  /* 0: not held */
    atomic_long answered_ms;    /* when it was last known who holds it */
    /* the thread's own */
    bool alone;                 /* it has not been known for long */
    json_t *observed;           /* the Lease as last seen; NULL: there is none, or it must be read */
    char version[64];           /* its resourceVersion */
    long observed_ms;           /* when this version was first seen */
} lease = {.lock = PTHREAD_MUTEX_INITIALIZER};

static long deadline_ms(void)
{
    return lease.lease_ms * 2 / 3;
}

static bool is_held(void)
{
    return clock_ms() < atomic_load(&lease.held_until_ms);
}

/* No answer has come for so long that a sidecar which gets answers will have taken the Lease, and leads. */
static bool is_unknown(void)
{
    return clock_ms() - atomic_load(&lease.answered_ms) > 2 * lease.lease_ms;
}

bool kube_lease_permits(void)
{
    return !lease.started || is_held() || is_unknown();
}

void kube_lease_able(void)
{
    atomic_store(&lease.able_ms, clock_ms());
}

static bool is_able(void)
{
    return clock_ms() - atomic_load(&lease.able_ms) < lease.lease_ms;
}

/* ---------------------------------------------------------------- the object */

static const char *holder_of(const json_t *object)
{
    const char *holder = json_string_value(json_object_get(json_object_get(object, "spec"), "holderIdentity"));

    return holder ? holder : "";
}

static long duration_of(const json_t *object)
{
    return (long)json_integer_value(json_object_get(json_object_get(object, "spec"), "leaseDurationSeconds")) * 1000;
}

static const char *version_of(const json_t *object)
{
    const char *version = json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));

    return version ? version : "";
}

/* Keeps the object; a version that was not seen before is a sign of life. */
static void observe(json_t *object)
{
    const char *version = version_of(object);

    json_decref(lease.observed);
    lease.observed = object;
    if (!version[0] || strcmp(version, lease.version) != 0) {
        snprintf(lease.version, sizeof(lease.version), "%s", version);
        lease.observed_ms = clock_ms();
    }
}

static void forget(void)
{
    json_decref(lease.observed);
    lease.observed = NULL;
}

/* MicroTime: RFC 3339 with six digits of a second. */
static void set_time(json_t *spec, const char *member)
{
    struct timespec now;
    struct tm utc;
    char seconds[32], text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof(text), "%s.%06ldZ", seconds, now.tv_nsec / 1000);
    json_object_set_new(spec, member, json_string(text));
}

/* The observed object, or a new one, with us as its holder (or nobody); what else it holds stays. */
static json_t *make_object(const char *holder)
{
    json_t *object = lease.observed ? json_deep_copy(lease.observed)
                                    : json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease", "metadata",
                                                "name", lease.name, "spec");
    json_t *spec = json_object_get(object, "spec");
    bool taken = strcmp(holder_of(object), holder) != 0;

    if (!object)
        return NULL;
    if (!spec) {
        spec = json_object();
        json_object_set_new(object, "spec", spec);
    }
    set_time(spec, "renewTime");
    if (taken)
        set_time(spec, "acquireTime");
    if (taken && holder[0] && lease.observed)
        json_object_set_new(spec, "leaseTransitions", json_integer(json_integer_value(json_object_get(spec, "leaseTransitions")) + 1));
    json_object_set_new(spec, "holderIdentity", json_string(holder));
    json_object_set_new(spec, "leaseDurationSeconds", json_integer(holder[0] ? lease.lease_ms / 1000 : 1));
    return object;
}

/* ---------------------------------------------------------------- turns */

/* Who holds it has been learnt, from an answer to a question asked then. */
static void know(long asked_ms, bool ours)
{
    bool before = is_held();

    atomic_store(&lease.held_until_ms, ours ? asked_ms + deadline_ms() : 0);
    atomic_store(&lease.answered_ms, asked_ms);
    metrics_set(METRIC_KUBERNETES_LEASE, ours);
    if (ours != before) {
        log_info(ours ? "this sidecar holds Lease \"%s\"" : "this sidecar holds Lease \"%s\" no more", lease.name);
        doorbell_ring();
    }
}

/* Whether an answer says that the object was written: each write gets a version of its own. Who only sends back what came has none. */
static bool is_written(const json_t *answer, const char *holder)
{
    return answer && !strcmp(holder_of(answer), holder) && version_of(answer)[0] && strcmp(version_of(answer), lease.version) != 0;
}

/* Creates or replaces the object; false: it has to be read again. */
static bool write_object(const char *holder)
{
    json_t *object = make_object(holder), *answer = NULL;
    long asked_ms = clock_ms();
    bool create = lease.observed == NULL;
    long status = object ? kube_api_call(lease.api, create ? "POST" : "PUT", create ? lease.collection : lease.path, object, &answer) : 0;

    json_decref(object);
    if (is_written(answer, holder)) {
        observe(answer);
        know(asked_ms, holder[0] != '\0');
        return true;
    }
    json_decref(answer);
    forget();
    /* another was faster, or has removed it: look again at once. After any other failure the state is unknown, and stays what it was. */
    return status != 409 && status != 404;
}

/* One look at the Lease; false: look again at once. */
static bool turn(bool able)
{
    long asked_ms = clock_ms();
    bool ours;

    if (!lease.observed || strcmp(holder_of(lease.observed), lease.identity) != 0) {
        json_t *object;
        long status = kube_api_call(lease.api, "GET", lease.path, NULL, &object);

        if (object)
            observe(object);
        else
            forget();
        if (!object && status != 404)
            return true;
    }
    ours = lease.observed && !strcmp(holder_of(lease.observed), lease.identity);
    if (ours && !able)
        return write_object("");
    if (!able || (!ours && lease.observed && holder_of(lease.observed)[0] && clock_ms() - lease.observed_ms < duration_of(lease.observed))) {
        know(asked_ms, false);
        return true;
    }
    return write_object(lease.identity);
}

static void pause_turns(long ms)
{
    long until = clock_ms() + ms;
    const struct timespec deadline = {until / 1000, until % 1000 * 1000000L};

    pthread_mutex_lock(&lease.lock);
    while (!atomic_load(&lease.stopping) && clock_ms() < until)
        pthread_cond_timedwait(&lease.changed, &lease.lock, &deadline);
    pthread_mutex_unlock(&lease.lock);
}

/* What has changed only because time has passed. */
static void notice(void)
{
    if (atomic_load(&lease.held_until_ms) && !is_held()) {
        atomic_store(&lease.held_until_ms, 0);
        metrics_set(METRIC_KUBERNETES_LEASE, 0);
        log_warning("Lease \"%s\" could not be renewed in time", lease.name);
    }
    if (is_unknown() != lease.alone) {
        lease.alone = !lease.alone;
        if (lease.alone)
            log_warning("nobody tells who holds Lease \"%s\": the database alone decides who leads", lease.name);
        else
            log_info("Lease \"%s\" decides again who tries to lead", lease.name);
    }
}

static void *run(void *argument)
{
    long period_ms = lease.lease_ms * 2 / 15;

    (void)argument;
    while (!atomic_load(&lease.stopping)) {
        if (!turn(is_able()) && !turn(is_able()))
            log_debug("Lease \"%s\" changes hands just now", lease.name);
        notice();
        /* those that wait do not all ask at the same moment */
        pause_turns(period_ms * 4 / 5 + (long)randombytes_uniform((uint32_t)(period_ms * 2 / 5 + 1)));
    }
    if (lease.observed && !strcmp(holder_of(lease.observed), lease.identity))
        write_object("");
    return NULL;
}

/* ---------------------------------------------------------------- start and stop */

static bool is_out_of_time(void)
{
    return atomic_load(&lease.stopping) && clock_ms() > atomic_load(&lease.stop_ms);
}

static bool open_api(const struct config *config)
{
    lease.name = config->kubernetes_lease;
    lease.lease_ms = config->kubernetes_lease_s * 1000L;
    lease.api = kube_api_open(config, (int)(lease.lease_ms / 3), is_out_of_time);
    if (!lease.api)
        return false;
    snprintf(lease.collection, sizeof(lease.collection), "/apis/coordination.k8s.io/v1/namespaces/%s/leases", kube_api_namespace(lease.api));
    snprintf(lease.path, sizeof(lease.path), "%s/%s", lease.collection, lease.name);
    return true;
}

bool kube_lease_check(const struct config *config)
{
    json_t *object = NULL;
    long status = open_api(config) ? kube_api_call(lease.api, "GET", lease.path, NULL, &object) : 0;

    json_decref(object);
    kube_api_close(lease.api);
    /* none yet: it is made by whoever leads first */
    return status == 200 || status == 404;
}

bool kube_lease_start(const struct config *config, const char *identity)
{
    pthread_condattr_t attributes;

    if (!config->kubernetes_lease[0])
        return true;
    lease.identity = identity;
    if (!open_api(config))
        return false;
    atomic_store(&lease.able_ms, clock_ms());
    atomic_store(&lease.answered_ms, clock_ms());
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&lease.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    lease.started = pthread_create(&lease.thread, NULL, run, NULL) == 0;
    if (!lease.started) {
        log_error("the thread that keeps the Lease cannot be started");
        kube_api_close(lease.api);
    }
    return lease.started;
}

void kube_lease_stop(void)
{
    if (!lease.started)
        return;
    pthread_mutex_lock(&lease.lock);
    atomic_store(&lease.stop_ms, clock_ms() + STOP_MS);
    atomic_store(&lease.stopping, true);
    pthread_cond_broadcast(&lease.changed);
    pthread_mutex_unlock(&lease.lock);
    pthread_join(lease.thread, NULL);
    lease.started = false;
    json_decref(lease.observed);
    kube_api_close(lease.api);
}
