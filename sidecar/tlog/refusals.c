/* refusals.c: how long proofs have been refused. */
#include "tlog/refusals.h"

#include <string.h>

void refusals_init(struct log_refusals *refusals, long interval_s, long timeout_ms)
{
    refusals->lasting_ms = interval_s * 3000 < REFUSALS_MOST_MS ? interval_s * 3000 : REFUSALS_MOST_MS;
    refusals->apart_ms = REFUSALS_APART_MS + timeout_ms;
}

/* The thread's place, the first free one if it has none; -1: all are taken. */
static int place_of(const struct log_refusals *refusals, const char *thread)
{
    int place = 0;

    while (place < REFUSALS_THREADS && refusals->threads[place].name && strcmp(refusals->threads[place].name, thread) != 0)
        place++;
    return place < REFUSALS_THREADS ? place : -1;
}

static void note_until(struct log_refusals *refusals)
{
    long until_ms = 0;

    for (int i = 0; i < REFUSALS_THREADS; i++)
        if (refusals->threads[i].count > 0 && refusals->threads[i].last_ms + refusals->apart_ms > until_ms)
            until_ms = refusals->threads[i].last_ms + refusals->apart_ms;
    atomic_store(&refusals->waits_until_ms, until_ms);
}

bool refusals_add(struct log_refusals *refusals, const char *thread, bool passes, long now_ms)
{
    int place = place_of(refusals, thread);
    long lasting_ms = passes ? REFUSALS_PATIENCE * refusals->lasting_ms : refusals->lasting_ms;

    if (place < 0)
        return true;
    if (refusals->threads[place].count == 0 || now_ms - refusals->threads[place].last_ms > refusals->apart_ms) {
        refusals->threads[place].name = thread;
        refusals->threads[place].since_ms = now_ms;
        refusals->threads[place].count = 0;
        refusals->threads[place].long_enough = false;
    }
    refusals->threads[place].last_ms = now_ms;
    if (refusals->threads[place].count < REFUSALS_LEAST)
        refusals->threads[place].count++;
    if (refusals->threads[place].count == REFUSALS_LEAST && now_ms - refusals->threads[place].since_ms >= lasting_ms)
        refusals->threads[place].long_enough = true;
    note_until(refusals);
    return refusals->threads[place].long_enough;
}

void refusals_end(struct log_refusals *refusals, const char *thread)
{
    int place = place_of(refusals, thread);

    if (place < 0)
        return;
    refusals->threads[place].count = 0;
    refusals->threads[place].long_enough = false;
    note_until(refusals);
}

bool refusals_are_a_fault(const struct log_refusals *refusals, long now_ms)
{
    for (int i = 0; i < REFUSALS_THREADS; i++)
        if (refusals->threads[i].long_enough && now_ms - refusals->threads[i].last_ms <= refusals->apart_ms)
            return true;
    return false;
}

bool refusals_wait(const struct log_refusals *refusals, long now_ms)
{
    return now_ms < atomic_load(&refusals->waits_until_ms);
}
