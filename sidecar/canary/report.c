/* report.c: the deadline, and what is said of a trial. */
#include "canary/canary.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PAUSE_MS 200

bool canary_fail(struct canary *canary, const char *format, ...)
{
    va_list arguments;

    if (!canary->failure[0]) {
        va_start(arguments, format);
        vsnprintf(canary->failure, sizeof(canary->failure), format, arguments);
        va_end(arguments);
    }
    return false;
}

int canary_time_left(const struct canary *canary)
{
    long left_ms = canary->until_ms - clock_ms();

    return left_ms > 0 ? (int)left_ms : 0;
}

bool canary_pause(const struct canary *canary)
{
    usleep(PAUSE_MS * 1000);
    return canary_time_left(canary) > 0;
}
