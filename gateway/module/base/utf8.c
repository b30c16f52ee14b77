/*
 * base/utf8.c: what is UTF-8 and what is not. PostgreSQL would say it too, but not where, and not before all has been sent.
 */
#include "base/reason_base.h"


/* How many bytes the first character has; 0 if it is none. Unicode, table 3-7; ngx_utf8_decode() takes more. */
size_t
reason_utf8_character(const u_char *p, const u_char *end)
{
    size_t  i, length;
    u_char  low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80, high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;

    if (*p < 0x80) {
        return 1;
    }
    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }
    length = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    if ((size_t) (end - p) < length || p[1] < low || p[1] > high) {
        return 0;
    }
    for (i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}


size_t
reason_utf8_length(const u_char *text, size_t length)
{
    size_t         character;
    uint64_t       eight;
    const u_char  *p = text, *end = text + length;

    while (p < end) {
        for ( ; end - p >= 8; p += 8) {
            ngx_memcpy(&eight, p, 8);
            if (eight & 0x8080808080808080ull) {
                break;
            }
        }
        if (p == end) {
            break;
        }
        character = reason_utf8_character(p, end);
        if (character == 0) {
            break;
        }
        p += character;
    }
    return p - text;
}
