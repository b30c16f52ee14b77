/*
 * Times, base64 and hexadecimal, as they stand in documents.
 */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "verify.h"

/* Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's days_from_civil). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t era;
    unsigned year_of_era, day_of_year, day_of_era;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = (unsigned)(year - era * 400);
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool digits(const char **p, const char *end, int count, unsigned *value)
{
    *value = 0;
    if (end - *p < count)
        return false;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *value = *value * 10 + (unsigned)(**p - '0');
    }
    return true;
}

static bool literal(const char **p, const char *end, const char *allowed)
{
    if (*p == end || **p == '\0' || !strchr(allowed, **p))
        return false;
    (*p)++;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

int64_t latest_present(void)
{
    return (int64_t)time(NULL) * 1000000 + 999999 + CLOCK_TOLERANCE;
}

bool parse_time(Bytes text, int64_t *time)
{
    const char *p = text.data ? text.data : "";
    const char *end = p + text.length;
    unsigned year, month, day, hour, minute, second;
    unsigned micro = 0;
    int64_t offset = 0;
    int64_t seconds;

    if (!digits(&p, end, 4, &year) || !literal(&p, end, "-") || !digits(&p, end, 2, &month)
        || !literal(&p, end, "-") || !digits(&p, end, 2, &day) || !literal(&p, end, "Tt ")
        || !digits(&p, end, 2, &hour) || !literal(&p, end, ":") || !digits(&p, end, 2, &minute)
        || !literal(&p, end, ":") || !digits(&p, end, 2, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    if (p < end && *p == '.') {
        unsigned scale = 100000;

        p++;
        if (p == end || *p < '0' || *p > '9')
            return false;
        for (; p < end && *p >= '0' && *p <= '9'; p++, scale /= 10)
            micro += (unsigned)(*p - '0') * scale;
    }
    if (p < end && (*p == '+' || *p == '-')) {
        int sign = *p == '-' ? -1 : 1;
        unsigned hours, minutes = 0;

        p++;
        if (!digits(&p, end, 2, &hours))
            return false;
        if (p < end && (!literal(&p, end, ":") || !digits(&p, end, 2, &minutes)))
            return false;
        if (hours > 23 || minutes > 59)
            return false;
        offset = sign * (int64_t)(hours * 60 + minutes) * 60;
    } else if (!literal(&p, end, "Zz"))
        return false;
    if (p != end)
        return false;
    seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    /* A leap second is the last of a day in UTC. */
    if (second == 60 && seconds % 86400 != 0)
        return false;
    *time = seconds * 1000000 + micro;
    return true;
}

bool decode_base64(Bytes text, uint8_t *out, size_t size)
{
    size_t length;

    return text.data
           && sodium_base642bin(out, size, text.data, text.length, NULL, &length, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0
           && length == size;
}

bool decode_hex(Bytes text, uint8_t *out, size_t size)
{
    size_t length;

    return text.data && text.length == size * 2
           && sodium_hex2bin(out, size, text.data, text.length, NULL, &length, NULL) == 0 && length == size;
}

void encode_hex(char *out, const uint8_t *bytes, size_t size)
{
    sodium_bin2hex(out, size * 2 + 1, bytes, size);
}

Bytes member_text(const JsonDocument *document, const JsonNode *object, const char *name)
{
    const JsonNode *value = object ? json_member(document, object, name, strlen(name)) : NULL;

    if (!value || value->kind != JSON_STRING)
        return (Bytes){NULL, 0};
    return (Bytes){json_string(document, value), value->length};
}
