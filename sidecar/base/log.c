/* log.c: one event a line, text or JSON, whole lines also when several threads write. */
#include "base/log.h"

#include "core/characters.h"

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

/*
 * What counterparts say and objects are called stands in messages. What would steer a terminal, turn the direction of
 * a line, cannot be seen or is not UTF-8 is written as an escape.
 */
static void put_text(FILE *out, const char *text, bool json)
{
    const char *end = text + strlen(text);

    for (const char *p = text; p < end;) {
        uint32_t character;
        size_t length = character_read(p, end, &character);

        if (length == 0)
            fprintf(out, json ? "\\ufffd" : "\\x%02x", (unsigned char)*p);
        else if (json && (*p == '"' || *p == '\\'))
            fprintf(out, "\\%c", *p);
        else if (!character_is_hidden(character))
            fwrite(p, 1, length, out);
        else if (character <= 0xFFFF)
            fprintf(out, "\\u%04x", (unsigned)character);
        else if (json)
            fprintf(out, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (character >> 10)), (unsigned)(0xDC00 | (character & 0x3FF)));
        else
            fprintf(out, "\\U%08x", (unsigned)character);
        p += length ? length : 1;
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
        put_text(stderr, message, true);
        fputs("\"}\n", stderr);
    } else {
        fprintf(stderr, "%s.%03ldZ %s ", now_text, now.tv_nsec / 1000000, level_names[level]);
        put_text(stderr, message, false);
        putc('\n', stderr);
    }
    fflush(stderr);
    funlockfile(stderr);
}
