/*
 * sidecar.c: whether it is the sidecar on trial that seals, signs and stores.
 *
 * It claims these duties when it starts (trial = yes in [sidecar]); its metrics say whether it has them, and what it did.
 */
#include "canary/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MS 5000

#define READY "reason_sidecar_ready"
#define LEADS_SEAL "reason_sidecar_leading{duty=\"seal\"}"
#define LEADS_SNAPSHOT "reason_sidecar_leading{duty=\"snapshot\"}"
#define STORED "reason_sidecar_snapshots_stored_total"

/* The value of a metric; -1: it is not there. */
static double metric(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, length) && line[length] == ' ')
            return strtod(line + length + 1, NULL);
    return -1;
}

/* The metrics, which the caller frees; NULL: no answer. */
static char *metrics_of(struct canary *canary, char *error, size_t size)
{
    int left_ms = canary_time_left(canary);
    const struct http_request request = {.method = "GET", .url = canary->sidecar, .timeout_ms = left_ms < REQUEST_MS ? left_ms : REQUEST_MS};
    struct http_answer answer;
    char *text = NULL;

    if (left_ms == 0)
        return NULL;
    if (http_call(canary->plain, &request, &answer) && answer.status == 200 && answer.body) {
        text = answer.body;
        answer.body = NULL;
    } else
        snprintf(error, size, "%s: %s", canary->sidecar, answer.error[0] ? answer.error : "no metrics");
    http_answer_free(&answer);
    return text;
}

static bool leads(const char *text)
{
    return metric(text, READY) == 1 && metric(text, LEADS_SEAL) == 1 && metric(text, LEADS_SNAPSHOT) == 1;
}

bool canary_leads(struct canary *canary)
{
    char error[400] = "no time is left";

    if (!canary->sidecar)
        return true;
    do {
        char *text = metrics_of(canary, error, sizeof(error));
        bool ok = text && leads(text);

        if (ok)
            canary->stored_before = metric(text, STORED);
        else if (text)
            snprintf(error, sizeof(error), "it is %sready, and leads %ssealing and %ssnapshots", metric(text, READY) == 1 ? "" : "not ",
                     metric(text, LEADS_SEAL) == 1 ? "" : "no ", metric(text, LEADS_SNAPSHOT) == 1 ? "" : "no ");
        free(text);
        if (ok)
            return true;
    } while (canary_pause(canary));
    return canary_fail(canary, "the sidecar on trial does not lead in time: %s", error);
}

bool canary_led(struct canary *canary)
{
    char error[400] = "no time is left";
    char *text;
    bool ok;

    if (!canary->sidecar)
        return true;
    text = metrics_of(canary, error, sizeof(error));
    ok = text && leads(text) && metric(text, STORED) >= canary->stored_before + 1;
    if (!text)
        canary_fail(canary, "the sidecar on trial: %s", error);
    else if (!ok)
        canary_fail(canary, "the snapshot was not stored by the sidecar on trial, or it leads no more");
    free(text);
    return ok;
}
