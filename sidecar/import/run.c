/* run.c: threads that write batches, while others are read. */
#include "import/run.h"

#include "base/clock.h"
#include "import/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAITING_PER_JOB 2       /* batches that were read and nobody has taken */
#define FIRST_PAUSE_MS 100
#define LONGEST_PAUSE_MS 15000
#define GLANCE_MS 200

struct run {
    struct run_settings settings;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *waiting[JOBS_MOST * WAITING_PER_JOB];
    int waiting_count, under_way;
    bool ended, failed;
    char why[WHY_SIZE];
    struct run_counts counts;
    int threads;
    pthread_t thread[JOBS_MOST];
};

static bool failed(struct run *run)
{
    bool answer;

    pthread_mutex_lock(&run->lock);
    answer = run->failed;
    pthread_mutex_unlock(&run->lock);
    return answer;
}

/* The first reason stays. */
void run_fail(struct run *run, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    pthread_mutex_lock(&run->lock);
    if (!run->failed)
        vsnprintf(run->why, sizeof(run->why), format, arguments);
    run->failed = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    va_end(arguments);
}

/* Waits for a change, not for long. The lock is held. */
static void glance(struct run *run)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GLANCE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&run->changed, &run->lock, &until);
}

/* ---------------------------------------------------------------- refused records */

bool run_refuse(struct run *run, const char *path, const char *unit, uint64_t place, const char *why, const char *record, size_t length)
{
    ByteBuffer line;
    char number[64];
    bool ok;

    if (!run->settings.rejects) {
        run_fail(run, "%.300s, %s %" PRIu64 ": %.600s", path, unit, place, why);
        return false;
    }
    buffer_init(&line, NULL, NULL);
    buffer_append_literal(&line, "{\"file\":");
    columns_write_text(&line, path, strlen(path));
    buffer_append(&line, number, (size_t)snprintf(number, sizeof(number), ",\"%s\":%" PRIu64 ",\"why\":", unit, place));
    columns_write_text(&line, why, strlen(why));
    buffer_append_literal(&line, ",\"record\":");
    if (record)
        buffer_append(&line, record, length);
    else
        buffer_append_literal(&line, "null");
    buffer_append_literal(&line, "}\n");
    pthread_mutex_lock(&run->lock);
    ok = !line.failed && fwrite(line.data, 1, line.length, run->settings.rejects) == line.length && fflush(run->settings.rejects) == 0;
    run->counts.refused++;
    pthread_mutex_unlock(&run->lock);
    buffer_free(&line);
    if (!ok)
        run_fail(run, "the file of rejected records cannot be written: %s", strerror(errno));
    else if (run->counts.refused > (uint64_t)run->settings.rejects_most)
        run_fail(run, "more than %ld records were rejected, the last one %.300s, %s %" PRIu64 ": %.400s", run->settings.rejects_most, path, unit, place, why);
    else
        return true;
    return false;
}

/* ---------------------------------------------------------------- writing */

/* A pause that ends with the import. */
static void pause_for(struct run *run, long ms)
{
    long until = clock_ms() + ms;

    pthread_mutex_lock(&run->lock);
    while (!run->failed && !import_stopping() && clock_ms() < until)
        glance(run);
    pthread_mutex_unlock(&run->lock);
}

struct attempts {
    long failing_since;         /* 0: nothing has failed */
    long wait_ms;               /* the next pause */
};

/* After a pause; false when it has failed for too long. */
static bool may_try_again(struct run *run, struct attempts *attempts)
{
    attempts->failing_since = attempts->failing_since ? attempts->failing_since : clock_ms();
    if (clock_ms() - attempts->failing_since > run->settings.deadline_s * 1000)
        return false;
    attempts->wait_ms = attempts->wait_ms ? attempts->wait_ms : FIRST_PAUSE_MS;
    pause_for(run, attempts->wait_ms);
    attempts->wait_ms = attempts->wait_ms * 2 < LONGEST_PAUSE_MS ? attempts->wait_ms * 2 : LONGEST_PAUSE_MS;
    return true;
}

/* Tries until the batch is written, without the records that are refused; false after run_fail(), or when the import is to stop. */
static bool write_batch(struct run *run, struct target *target, struct batch *batch)
{
    struct outcome outcome;
    struct attempts attempts = {0};
    char why[WHY_SIZE];

    while (batch->count > 0) {
        memset(&outcome, 0, sizeof(outcome));
        target->write(target, batch, &outcome);
        if (outcome.written == WRITTEN)
            break;
        if (outcome.written == REFUSED && outcome.index >= 0 && outcome.index < batch->count) {
            size_t length;
            const char *record = batch_record(batch, (int)outcome.index, &length);

            if (!run_refuse(run, batch->path, batch->unit, batch->records[outcome.index].place, outcome.why, record, length))
                return false;
            batch_remove(batch, (int)outcome.index);
            continue;
        }
        if (outcome.written != PASSING || !may_try_again(run, &attempts)) {
            run_fail(run, "%.300s, %ss %" PRIu64 " to %" PRIu64 ": %.600s", batch->path, batch->unit, batch->records[0].place,
                     batch->records[batch->count - 1].place, outcome.why);
            return false;
        }
        if (failed(run) || import_stopping())
            return false;
    }
    if (journal_note_done(run->settings.journal, batch, why))
        return true;
    run_fail(run, "%s", why);
    return false;
}

static void *work(void *argument)
{
    struct run *run = argument;
    struct target *target = run->settings.target ? target_open(run->settings.target) : NULL;
    struct batch *batch;
    bool ok;

    if (run->settings.target && !target)
        run_fail(run, "out of memory");
    for (;;) {
        pthread_mutex_lock(&run->lock);
        while (run->waiting_count == 0 && !run->ended && !run->failed)
            pthread_cond_wait(&run->changed, &run->lock);
        if (run->waiting_count == 0 || run->failed) {
            pthread_mutex_unlock(&run->lock);
            break;
        }
        batch = run->waiting[0];
        memmove(run->waiting, run->waiting + 1, (size_t)--run->waiting_count * sizeof(*run->waiting));
        run->under_way++;
        pthread_cond_broadcast(&run->changed);
        pthread_mutex_unlock(&run->lock);

        ok = !target || write_batch(run, target, batch);
        pthread_mutex_lock(&run->lock);
        run->under_way--;
        if (ok)
            run->counts.written[batch->kind] += (uint64_t)batch->count;
        pthread_cond_broadcast(&run->changed);
        pthread_mutex_unlock(&run->lock);
        batch_free(batch);
    }
    if (target)
        target->close(target);
    return NULL;
}

/* ---------------------------------------------------------------- for whoever reads */

struct run *run_begin(const struct run_settings *settings, char why[WHY_SIZE])
{
    struct run *run = calloc(1, sizeof(*run));
    pthread_condattr_t monotonic;
    struct run_counts counts;
    char ignored[WHY_SIZE];
    int error = 0;

    if (!run) {
        snprintf(why, WHY_SIZE, "out of memory");
        return NULL;
    }
    run->settings = *settings;
    pthread_mutex_init(&run->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&run->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (; run->threads < settings->jobs && !error; run->threads += !error)
        error = pthread_create(&run->thread[run->threads], NULL, work, run);
    if (!error)
        return run;
    snprintf(why, WHY_SIZE, "no thread can be had: %s", strerror(error));
    run_end(run, &counts, ignored);
    return NULL;
}

bool run_recognize(struct run *run)
{
    struct target *target = run->settings.target ? target_open(run->settings.target) : NULL;
    struct attempts attempts = {0};
    struct outcome outcome = {.written = PASSING};

    if (!run->settings.target)
        return true;
    if (!target) {
        run_fail(run, "out of memory");
        return false;
    }
    while (outcome.written == PASSING && !import_stopping()) {
        target->recognize(target, &outcome);
        if (outcome.written != WRITTEN && (outcome.written != PASSING || !may_try_again(run, &attempts))) {
            run_fail(run, "%s", outcome.why);
            break;
        }
    }
    target->close(target);
    return outcome.written == WRITTEN;
}

bool run_give(struct run *run, struct batch *batch, void (*meanwhile)(void *context), void *context)
{
    enum journal_state state = journal_look_up(run->settings.journal, batch);
    bool ok;

    if (state == JOURNAL_OTHER) {
        run_fail(run, "%.300s, from %s %" PRIu64 " on: the records are others than when the import began; with other files or options it is another import",
                 batch->path, batch->unit, batch->records[0].place);
        batch_free(batch);
        return false;
    }
    pthread_mutex_lock(&run->lock);
    if (state == JOURNAL_DONE) {
        run->counts.before[batch->kind] += (uint64_t)(batch->count - batch->refused);
        run->counts.refused += (uint64_t)batch->refused;
        pthread_mutex_unlock(&run->lock);
        batch_free(batch);
        return true;
    }
    while (run->waiting_count == run->threads * WAITING_PER_JOB && !run->failed && !import_stopping()) {
        glance(run);
        pthread_mutex_unlock(&run->lock);
        meanwhile(context);
        pthread_mutex_lock(&run->lock);
    }
    ok = !run->failed && !import_stopping();
    if (ok)
        run->waiting[run->waiting_count++] = batch;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    if (!ok)
        batch_free(batch);
    meanwhile(context);
    return ok;
}

bool run_wait(struct run *run, void (*meanwhile)(void *context), void *context)
{
    bool ok;

    pthread_mutex_lock(&run->lock);
    while ((run->waiting_count > 0 || run->under_way > 0) && !run->failed) {
        glance(run);
        pthread_mutex_unlock(&run->lock);
        meanwhile(context);
        pthread_mutex_lock(&run->lock);
    }
    ok = !run->failed;
    pthread_mutex_unlock(&run->lock);
    return ok;
}

void run_count(struct run *run, struct run_counts *counts)
{
    pthread_mutex_lock(&run->lock);
    *counts = run->counts;
    pthread_mutex_unlock(&run->lock);
}

bool run_end(struct run *run, struct run_counts *counts, char why[WHY_SIZE])
{
    bool ok;

    pthread_mutex_lock(&run->lock);
    run->ended = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    for (int i = 0; i < run->threads; i++)
        pthread_join(run->thread[i], NULL);
    for (int i = 0; i < run->waiting_count; i++)
        batch_free(run->waiting[i]);
    ok = !run->failed;
    *counts = run->counts;
    if (!ok)
        snprintf(why, WHY_SIZE, "%s", run->why);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->lock);
    free(run);
    return ok;
}
