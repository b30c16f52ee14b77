/* store.c: which store a URL names, and what all of them do alike. */
#include "store/store.h"

#include "base/log.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct store *store_open(const struct config *config, const struct store_options *options)
{
    if (!strncmp(options->url, "file:///", 8))
        return store_file_open(options->url + 7);
    if (!strncmp(options->url, "s3://", 5))
        return store_s3_open(config, options);
    log_error("store \"%s\" is neither file:///directory nor s3://bucket", options->url);
    return NULL;
}

struct text {
    char *bytes;
    size_t length, most;
    bool too_long;
};

static bool add(void *context, const void *bytes, size_t length)
{
    struct text *text = context;
    char *larger;

    text->too_long = length > text->most - text->length;
    larger = text->too_long ? NULL : realloc(text->bytes, text->length + length + 1);
    if (!larger)
        return false;
    text->bytes = larger;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return true;
}

bool store_read_text(struct store *store, const char *key, const char *version, size_t most, char **bytes)
{
    struct text text = {.bytes = calloc(1, 1), .most = most};
    bool whole = text.bytes && store->read(store, key, version, add, &text);

    *bytes = whole ? text.bytes : NULL;
    if (!whole)
        free(text.bytes);
    if (text.too_long)
        log_warning("\"%s\" in the store is longer than %zu bytes, which it cannot be", key, most);
    return whole || text.too_long;
}

bool store_metadata_are_plain(const struct object *object)
{
    for (size_t i = 0; i < object->metadata_count; i++)
        for (const char *p = object->metadata[i].value; *p; p++)
            if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
                return false;
    return true;
}

struct bytes {
    const void *bytes;
    size_t length;
    bool given;
};

static bool next_bytes(void *context, const void **bytes, size_t *length)
{
    struct bytes *whole = context;

    *bytes = whole->bytes;
    *length = whole->given ? 0 : whole->length;
    whole->given = true;
    return true;
}

static bool rewind_bytes(void *context)
{
    ((struct bytes *)context)->given = false;
    return true;
}

enum store_result store_put_bytes(struct store *store, const char *key, const char *content_type, const void *bytes, size_t length,
                                  bool replaces, struct stored *stored)
{
    struct bytes whole = {.bytes = bytes, .length = length};
    unsigned char digest[32];
    char hash[65];
    const struct object object = {.key = key, .content_type = content_type,
                                  .cache_control = replaces ? "no-cache" : "public, max-age=31536000, immutable", .hash = hash, .size = (long long)length, .next = next_bytes,
                                  .rewind = rewind_bytes, .context = &whole, .replaces = replaces};

    EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    return store->put(store, &object, stored);
}
