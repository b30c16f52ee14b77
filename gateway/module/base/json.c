/*
 * base/json.c: what error bodies need of JSON: escaping text, telling whether a text is an object, and in which record of a
 * batch a place lies.
 *
 * The strict reader of extension/core is not used for it: nginx loads modules with RTLD_GLOBAL, where the 21 names that it would
 * bring along (buffer_init, json_read, …) could be taken for those of another module.
 */
#include "base/reason_base.h"

#define REASON_JSON_DEPTH  16

static const u_char *reason_json_value(const u_char *p, ngx_uint_t depth);


/* At most six bytes for each of the text's. */
u_char *
reason_json_escape(u_char *p, const char *text)
{
    static const char  hex[] = "0123456789abcdef";

    for ( ; *text; text++) {
        u_char  c = (u_char) *text;

        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = c;
        } else if (c < 0x20) {
            p = ngx_cpymem(p, "\\u00", 4);
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        } else {
            *p++ = c;
        }
    }
    return p;
}


static const u_char *
reason_json_space(const u_char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
        p++;
    }
    return p;
}


static const u_char *
reason_json_string(const u_char *p)
{
    ngx_uint_t  i;

    if (*p++ != '"') {
        return NULL;
    }
    for ( ; *p != '"'; p++) {
        if (*p < 0x20) {
            return NULL;
        }
        if (*p != '\\') {
            continue;
        }
        p++;
        if (*p == 'u') {
            for (i = 1; i <= 4; i++) {
                if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f'))) {
                    return NULL;
                }
            }
            p += 4;
        } else if (*p == '\0' || ngx_strchr("\"\\/bfnrt", *p) == NULL) {
            return NULL;
        }
    }
    return p + 1;
}


static const u_char *
reason_json_digits(const u_char *p)
{
    if (*p < '0' || *p > '9') {
        return NULL;
    }
    while (*p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}


static const u_char *
reason_json_number(const u_char *p)
{
    if (*p == '-') {
        p++;
    }
    p = *p == '0' ? p + 1 : reason_json_digits(p);
    if (p != NULL && *p == '.') {
        p = reason_json_digits(p + 1);
    }
    if (p != NULL && (*p == 'e' || *p == 'E')) {
        p++;
        p = reason_json_digits(*p == '+' || *p == '-' ? p + 1 : p);
    }
    return p;
}


/* Members of an object or elements of an array, from the opening bracket to behind the closing one. */
static const u_char *
reason_json_list(const u_char *p, u_char close, ngx_uint_t depth)
{
    if (depth >= REASON_JSON_DEPTH) {
        return NULL;
    }
    p = reason_json_space(p + 1);
    if (*p == close) {
        return p + 1;
    }
    for ( ;; ) {
        if (close == '}') {
            p = reason_json_string(p);
            if (p == NULL || *(p = reason_json_space(p)) != ':') {
                return NULL;
            }
            p = reason_json_space(p + 1);
        }
        p = reason_json_value(p, depth + 1);
        if (p == NULL) {
            return NULL;
        }
        p = reason_json_space(p);
        if (*p == close) {
            return p + 1;
        }
        if (*p != ',') {
            return NULL;
        }
        p = reason_json_space(p + 1);
    }
}


static const u_char *
reason_json_value(const u_char *p, ngx_uint_t depth)
{
    switch (*p) {
    case '{': return reason_json_list(p, '}', depth);
    case '[': return reason_json_list(p, ']', depth);
    case '"': return reason_json_string(p);
    case 't': return ngx_strncmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f': return ngx_strncmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n': return ngx_strncmp(p, "null", 4) == 0 ? p + 4 : NULL;
    default: return reason_json_number(p);
    }
}


/* The length of the text up to and with the closing brace, if it is one JSON object and nothing else; else 0. */
size_t
reason_json_object(const char *text)
{
    const u_char  *begin = (const u_char *) text, *end;

    if (*begin != '{') {
        return 0;
    }
    end = reason_json_value(begin, 0);
    return end != NULL && *reason_json_space(end) == '\0' ? (size_t) (end - begin) : 0;
}


/* Whether the name at p is that of a batch's records. */
static ngx_uint_t
reason_json_is_batch(const u_char *name, size_t length)
{
    return length == 5 && (ngx_strncmp(name, "nodes", 5) == 0 || ngx_strncmp(name, "edges", 5) == 0);
}


ngx_int_t
reason_json_record(const u_char *text, size_t length)
{
    size_t         name_length = 0;
    ngx_int_t      index = -1;
    ngx_uint_t     depth = 0;
    const u_char  *p = text, *end = text + length, *name = text;

    for ( ; p < end; p++) {
        switch (*p) {
        case '"':
            name = ++p;
            while (p < end && *p != '"') {
                p += *p == '\\' ? 2 : 1;
            }
            name_length = p - name;
            break;
        case '{': case '[':
            if (++depth == 2 && *p == '[' && reason_json_is_batch(name, name_length)) {
                index = 0;
            }
            break;
        case '}': case ']':
            if (depth-- == 2) {
                index = -1;
            }
            break;
        case ',':
            index += depth == 2 && index >= 0;
        }
    }
    return index;
}
