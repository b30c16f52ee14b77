/*
 * canary.h: what the steps of a trial share: what was asked for, what was written, and what is said of it.
 *
 * Every step has the trial's one deadline. A step that returns false has said why by canary_fail(), and ends the trial.
 */
#ifndef SIDECAR_CANARY_H
#define SIDECAR_CANARY_H

#include "net/http.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define VERIFIERS_MOST 16
#define MARKER_SIZE 37          /* a UUID as text */

struct canary {
    /* asked for */
    struct gateway {
        const char *url;        /* https://host[:port]; NULL: none */
        const char *connect_to; /* host:port, where it is, in place of what the URL names; NULL: as it does */
    } gateway, peer;            /* of the release on trial, and another of the same database */
    const char *sidecar;        /* /metrics of the sidecar on trial; NULL: whoever leads */
    const char *division;
    const char *registry;       /* file of signers; NULL: as the gateway says */
    const char *verifiers[VERIFIERS_MOST];
    size_t verifier_count;
    long until_ms;              /* by the steady clock */
    struct http *http;          /* with the client's certificate */
    struct http *plain;         /* without */
    struct store *store;
    /* written and seen */
    char marker[MARKER_SIZE], cause[MARKER_SIZE], effect[MARKER_SIZE], edge[MARKER_SIZE];
    json_t *cause_shown, *effect_shown, *edge_shown;    /* what must be shown of them */
    json_t *snapshot;           /* its metadata, once complete */
    char *document;             /* its bytes in the store */
    double stored_before;       /* snapshots, by the sidecar on trial */
    json_t *report;
    char failure[1200];         /* "": nothing failed */
};

/* Says what was wrong; of several the first counts. Returns false. */
bool canary_fail(struct canary *canary, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How much time is left, in milliseconds; 0: none. */
int canary_time_left(const struct canary *canary);
/* Waits a little before something is looked at again; false when there is no time left. */
bool canary_pause(const struct canary *canary);

/* ---------------------------------------------------------------- the steps, in their order */

/* The gateway says that it and all that it needs is ready. */
bool canary_is_ready(struct canary *canary);
/* The sidecar on trial leads what it is tried for. */
bool canary_leads(struct canary *canary);
/* A cause, an effect and the edge between them; each once, also when it is asked for twice. */
bool canary_writes(struct canary *canary);
/* They are shown as they were written: singly, in traces of both directions, in a search. */
bool canary_reads(struct canary *canary);
/* Another gateway shows the same. */
bool canary_agrees(struct canary *canary);
/* A snapshot of them is signed, stored and complete. */
bool canary_freezes(struct canary *canary);
/* The store has it: the bytes that were signed, with what was written in them. */
bool canary_stores(struct canary *canary);
/* The gateway and each verifier verify it. */
bool canary_verifies(struct canary *canary);
/* It was the sidecar on trial that did it, and it leads still. */
bool canary_led(struct canary *canary);

#endif
