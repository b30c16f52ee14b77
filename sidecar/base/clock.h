/*
 * clock.h: the steady clock, for intervals and deadlines.
 *
 * It does not change when somebody sets the time of day. That is for what people and other machines read: events,
 * retention, the log.
 */
#ifndef SIDECAR_BASE_CLOCK_H
#define SIDECAR_BASE_CLOCK_H

#include <time.h>

static inline long clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline long clock_ms(void)
{
    return clock_us() / 1000;
}

#endif
