/* log.c: one event a line, text or JSON, whole lines also when several threads write. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static atomic_int least = LOG_LEVEL_INFO;
static atomic_bool as_json;

void log_configure(const char *level, const char *format)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
        if (!strcmp(level, level_names[i]))
            atomic_store(&least, i);
    atomic_store(&as_json, !strcmp(format, "json"));
}

static void put_json_text(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(out, "\\u%04x", *p);
        else
            putc(*p, out);
    }
}

void log_event(enum log_level level, const char *format, ...)
{
    char message[2048], now_text[32];
    struct timespec now;
    struct tm utc;
    va_list arguments;

    if ((int)level < atomic_load(&least))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(now_text, sizeof(now_text), "%Y-%m-%dT%H:%M:%S", &utc);
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    /* libpq's messages end with a newline and may have more within */
    for (char *p = message; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = p[1] ? ' ' : '\0';
    flockfile(stderr);
    if (atomic_load(&as_json)) {
        fprintf(stderr, "{\"ts\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"", now_text, now.tv_nsec / 1000000, level_names[level]);
        put_json_text(stderr, message);
        fputs("\"}\n", stderr);
    } else {
        fprintf(stderr, "%s.%03ldZ %s %s\n", now_text, now.tv_nsec / 1000000, level_names[level], message);
    }
    fflush(stderr);
    funlockfile(stderr);
}
