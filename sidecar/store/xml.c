/* xml.c: one pass over a document, with the path of names that are open and the text of the innermost. */
#include "store/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 8
#define PATH_SIZE 256
/* An encoded key has at most 3,072 bytes. */
#define TEXT_SIZE 8192
#define SPACE " \t\r\n"

struct name {
    const char *begin;          /* as it stands in the document, with its prefix */
    size_t length;
    size_t path_length;         /* of the path without it */
};

struct reader {
    const char *at, *end;
    xml_taker *take;
    void *context;
    struct name open[DEPTH_MOST];
    int depth;
    char path[PATH_SIZE];       /* below the root */
    char text[TEXT_SIZE];
    size_t text_length;
};

static bool starts_with(const struct reader *reader, const char *text)
{
    size_t length = strlen(text);

    return (size_t)(reader->end - reader->at) >= length && !memcmp(reader->at, text, length);
}

/* Goes behind the next occurrence of a text. */
static bool skip_behind(struct reader *reader, const char *text)
{
    const char *found = memmem(reader->at, (size_t)(reader->end - reader->at), text, strlen(text));

    if (found)
        reader->at = found + strlen(text);
    return found != NULL;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && strchr(SPACE, *reader->at) && *reader->at)
        reader->at++;
}

static bool add_text(struct reader *reader, const char *bytes, size_t length)
{
    if (length >= sizeof(reader->text) - reader->text_length || memchr(bytes, '\0', length))
        return false;
    memcpy(reader->text + reader->text_length, bytes, length);
    reader->text_length += length;
    return true;
}

/* &name; or &#number; */
static bool read_reference(struct reader *reader)
{
    static const struct {
        const char *name;
        char byte;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    const char *stop = memchr(reader->at, ';', (size_t)(reader->end - reader->at));
    char digits[12], *rest, byte;
    long number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (starts_with(reader, names[i].name)) {
            reader->at += strlen(names[i].name);
            return add_text(reader, &names[i].byte, 1);
        }
    if (!stop || !starts_with(reader, "&#") || stop - reader->at - 2 >= (long)sizeof(digits))
        return false;
    snprintf(digits, sizeof(digits), "%.*s", (int)(stop - reader->at - 2), reader->at + 2);
    number = digits[0] == 'x' ? strtol(digits + 1, &rest, 16) : strtol(digits, &rest, 10);
    /* what S3 writes so are quotation marks and line ends; more than ASCII it writes as it is */
    if (*rest || rest == digits || number <= 0 || number > 0x7f)
        return false;
    byte = (char)number;
    reader->at = stop + 1;
    return add_text(reader, &byte, 1);
}

static bool read_characters(struct reader *reader)
{
    const char *begin = reader->at;

    if (reader->depth == 0) {
        /* around the root there is nothing but white space */
        skip_space(reader);
        return reader->at == reader->end || *reader->at == '<';
    }
    if (*begin == '&')
        return read_reference(reader);
    while (reader->at < reader->end && *reader->at != '<' && *reader->at != '&')
        reader->at++;
    return add_text(reader, begin, (size_t)(reader->at - begin));
}

static bool read_cdata(struct reader *reader)
{
    const char *begin = reader->at + strlen("<![CDATA[");

    return reader->depth > 0 && skip_behind(reader, "]]>") && add_text(reader, begin, (size_t)(reader->at - 3 - begin));
}

static bool read_name(struct reader *reader, struct name *name)
{
    name->begin = reader->at;
    while (reader->at < reader->end && *reader->at && !strchr(SPACE "/>=<&\"'", *reader->at))
        reader->at++;
    name->length = (size_t)(reader->at - name->begin);
    return name->length > 0;
}

static bool read_close(struct reader *reader)
{
    struct name name, *open;

    reader->at += 2;
    if (!read_name(reader, &name) || reader->depth == 0)
        return false;
    skip_space(reader);
    open = &reader->open[--reader->depth];
    if (reader->at == reader->end || *reader->at++ != '>' || name.length != open->length || memcmp(name.begin, open->begin, name.length) != 0)
        return false;
    reader->text[reader->text_length] = '\0';
    if (reader->take && reader->depth > 0)
        reader->take(reader->context, reader->path, reader->text);
    reader->text_length = 0;
    reader->path[open->path_length] = '\0';
    return true;
}

/* Goes behind the attributes and the end of a tag. */
static bool skip_attributes(struct reader *reader, bool *empty)
{
    *empty = false;
    for (;;) {
        struct name name;
        const char *stop;

        skip_space(reader);
        *empty = starts_with(reader, "/>");
        if (*empty || starts_with(reader, ">")) {
            reader->at += *empty ? 2 : 1;
            return true;
        }
        if (!read_name(reader, &name))
            return false;
        skip_space(reader);
        if (!starts_with(reader, "="))
            return false;
        reader->at++;
        skip_space(reader);
        if (reader->at == reader->end || (*reader->at != '"' && *reader->at != '\''))
            return false;
        stop = memchr(reader->at + 1, *reader->at, (size_t)(reader->end - reader->at) - 1);
        if (!stop)
            return false;
        reader->at = stop + 1;
    }
}

static bool read_open(struct reader *reader, const char *root)
{
    struct name name;
    const char *local, *colon;
    size_t length, path_length = strlen(reader->path);
    bool empty;

    reader->at++;
    if (!read_name(reader, &name) || reader->depth == DEPTH_MOST)
        return false;
    colon = memchr(name.begin, ':', name.length);
    local = colon ? colon + 1 : name.begin;
    length = (size_t)(name.begin + name.length - local);
    name.path_length = path_length;
    if (reader->depth == 0 && (strlen(root) != length || memcmp(local, root, length) != 0))
        return false;
    if (reader->depth > 0
        && snprintf(reader->path + path_length, PATH_SIZE - path_length, "%s%.*s", path_length ? "/" : "", (int)length, local)
        >= (int)(PATH_SIZE - path_length))
        return false;
    if (!skip_attributes(reader, &empty))
        return false;
    reader->text_length = 0;
    if (!empty) {
        reader->open[reader->depth++] = name;
        return true;
    }
    if (reader->take && reader->depth > 0)
        reader->take(reader->context, reader->path, "");
    reader->path[path_length] = '\0';
    return true;
}

bool xml_read(const char *bytes, size_t length, const char *root, xml_taker *take, void *context)
{
    struct reader reader = {.at = bytes, .end = bytes + length, .take = take, .context = context};
    bool begun = false, ok = bytes != NULL;

    if (ok && starts_with(&reader, "\xef\xbb\xbf"))
        reader.at += 3;
    while (ok && reader.at < reader.end) {
        if (*reader.at != '<') {
            ok = read_characters(&reader);
        } else if (starts_with(&reader, "<?")) {
            ok = skip_behind(&reader, "?>");
        } else if (starts_with(&reader, "<!--")) {
            ok = skip_behind(&reader, "-->");
        } else if (starts_with(&reader, "<![CDATA[")) {
            ok = read_cdata(&reader);
        } else if (starts_with(&reader, "<!")) {
            ok = false;
        } else if (starts_with(&reader, "</")) {
            ok = read_close(&reader);
        } else {
            ok = (reader.depth > 0 || !begun) && read_open(&reader, root);
            begun = true;
        }
    }
    return ok && begun && reader.depth == 0;
}

struct wanted {
    const char *path;
    char *text;
    size_t size;
    bool found;
};

static void take_wanted(void *context, const char *path, const char *text)
{
    struct wanted *wanted = context;

    if (wanted->found || strcmp(path, wanted->path) != 0 || strlen(text) >= wanted->size)
        return;
    strcpy(wanted->text, text);
    wanted->found = true;
}

bool xml_text(const char *bytes, size_t length, const char *root, const char *path, char *text, size_t size)
{
    struct wanted wanted = {path, text, size, false};

    text[0] = '\0';
    return xml_read(bytes, length, root, take_wanted, &wanted) && wanted.found;
}
