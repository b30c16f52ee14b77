/* doorbell.c: sleeping and waking. */
#include "base/doorbell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rung;
static unsigned long rings;
static atomic_bool stopped;
static int stop_fd = -1;

bool doorbell_open(void)
{
    pthread_condattr_t attributes;
    bool ok = pthread_condattr_init(&attributes) == 0 && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0
              && pthread_cond_init(&rung, &attributes) == 0;

    pthread_condattr_destroy(&attributes);
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ok && stop_fd >= 0;
}

void doorbell_ring(void)
{
    pthread_mutex_lock(&mutex);
    rings++;
    pthread_cond_broadcast(&rung);
    pthread_mutex_unlock(&mutex);
}

void doorbell_stop(void)
{
    atomic_store(&stopped, true);
    /* stays readable: whoever waits for a notification returns at once */
    (void)eventfd_write(stop_fd, 1);
    doorbell_ring();
}

bool doorbell_stopped(void)
{
    return atomic_load(&stopped);
}

static struct timespec in_ms(int timeout_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

void doorbell_wait(unsigned long *seen, int timeout_ms)
{
    const struct timespec until = in_ms(timeout_ms);

    pthread_mutex_lock(&mutex);
    while (rings == *seen && !atomic_load(&stopped))
        if (pthread_cond_timedwait(&rung, &mutex, &until) != 0)
            break;
    *seen = rings;
    pthread_mutex_unlock(&mutex);
}

void doorbell_rest(int timeout_ms)
{
    const struct timespec until = in_ms(timeout_ms);

    pthread_mutex_lock(&mutex);
    while (!atomic_load(&stopped))
        if (pthread_cond_timedwait(&rung, &mutex, &until) != 0)
            break;
    pthread_mutex_unlock(&mutex);
}

static bool ask(struct db *db, const char *statement)
{
    PGresult *result = db_call(db, statement, "1b", 0, NULL, NULL);
    bool yes = result && PQgetvalue(result, 0, 0)[0] == 't';

    PQclear(result);
    return yes;
}

bool doorbell_lock(struct db *db)
{
    return ask(db, "SELECT reason.lock_doorbell()");
}

void doorbell_listen(struct db *db, int timeout_ms)
{
    db_wait(db, timeout_ms, stop_fd);
}

void doorbell_unlock(struct db *db)
{
    ask(db, "SELECT reason.unlock_doorbell()");
}
