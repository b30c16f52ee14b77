/* leader.c: leases, renewed by the main thread and read by the working ones. */
#include "base/leader.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *const duty_names[DUTY_COUNT] = {"seal", "snapshot", "emit", "archive", "mirror"};

static struct {
    atomic_long token;          /* 0: not led */
    atomic_long until_ms;       /* by this machine's steady clock */
    long yields_until_ms;       /* the main thread's: it is left to others until then */
    long keeps_until_ms;        /* and not let go again before that */
    bool yielded;               /* this sidecar could not do it */
} leases[DUTY_COUNT];

void leader_claim(struct db *db, enum duty duty, const char *holder, int lease_ms)
{
    char ttl[32], token[24];
    const char *parameters[] = {duty_names[duty], holder, ttl};

    if (leases[duty].yielded || leader_token(duty, token)[0])
        return;
    snprintf(ttl, sizeof(ttl), "%d milliseconds", lease_ms);
    PQclear(db_call(db, "SELECT reason.claim_lease($1, $2, $3)", NULL, 3, parameters, NULL));
}

void leader_renew(struct db *db, enum duty duty, const char *holder, int lease_ms)
{
    char ttl[32];
    const char *parameters[] = {duty_names[duty], holder, ttl};
    long asked_ms = clock_ms(), token = 0, before = atomic_load(&leases[duty].token);
    PGresult *result;

    snprintf(ttl, sizeof(ttl), "%d milliseconds", lease_ms);
    result = db_call(db, "SELECT reason.acquire_lease($1, $2, $3)", "1N", 3, parameters, NULL);
    /* unknown: what is led now is led until it runs out */
    if (!result)
        return;
    if (!PQgetisnull(result, 0, 0))
        token = atol(PQgetvalue(result, 0, 0));
    PQclear(result);
    /* counted from before the question: never longer than the database counts */
    atomic_store(&leases[duty].until_ms, asked_ms + lease_ms);
    atomic_store(&leases[duty].token, token);
    metrics_set(METRIC_LEADING_SEAL + duty, token != 0);
    if (token != before) {
        log_info("duty %s: %s", duty_names[duty], token ? "this sidecar leads" : "another sidecar leads");
        doorbell_ring();
    }
}

static void release(struct db *db, enum duty duty)
{
    char token[24];
    const char *parameters[] = {duty_names[duty], token};

    if (leader_token(duty, token)[0] && db->connection)
        PQclear(db_call(db, "SELECT reason.release_lease($1, $2)", NULL, 2, parameters, NULL));
    atomic_store(&leases[duty].token, 0);
    metrics_set(METRIC_LEADING_SEAL + duty, 0);
}

void leader_release(struct db *db)
{
    for (enum duty duty = 0; duty < DUTY_COUNT; duty++)
        release(db, duty);
}

bool leader_yield(struct db *db, enum duty duty, int lease_ms)
{
    char token[24];

    if (clock_ms() < leases[duty].yields_until_ms)
        return true;
    if (clock_ms() < leases[duty].keeps_until_ms || !leader_token(duty, token)[0])
        return false;
    log_warning("duty %s: this sidecar cannot do it, and lets another take it", duty_names[duty]);
    release(db, duty);
    leases[duty].yielded = true;
    leases[duty].yields_until_ms = clock_ms() + lease_ms;
    leases[duty].keeps_until_ms = clock_ms() + 11L * lease_ms;
    return true;
}

void leader_lapse(void)
{
    for (enum duty duty = 0; duty < DUTY_COUNT; duty++) {
        char token[24];

        metrics_set(METRIC_LEADING_SEAL + duty, leader_token(duty, token)[0] != '\0');
    }
}

const char *leader_token(enum duty duty, char token[24])
{
    long number = atomic_load(&leases[duty].token);

    if (number == 0 || clock_ms() >= atomic_load(&leases[duty].until_ms))
        token[0] = '\0';
    else
        snprintf(token, 24, "%ld", number);
    return token;
}
