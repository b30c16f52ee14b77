/* record.c: the records that are sent: what was read, with the ids that it lacks. */
#include "import/record.h"

#include "import/columns.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const JsonLimits limits = {.max_depth = 64, .max_bytes = RECORD_MOST};

static void set_version(uint8_t id[UUID_BYTES], int version)
{
    id[6] = (uint8_t)((id[6] & 0x0F) | version << 4);
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
}

void record_new_id(uint8_t id[UUID_BYTES])
{
    struct timespec now;
    uint64_t ms;

    clock_gettime(CLOCK_REALTIME, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    randombytes_buf(id, UUID_BYTES);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    set_version(id, 7);
}

/* The number has 44 bits, those after the time that are not the version's or the variant's; the import's own id has the rest. */
static void numbered_id(uint8_t id[UUID_BYTES], const uint8_t import_id[UUID_BYTES], enum kind kind, uint64_t number)
{
    memcpy(id, import_id, UUID_BYTES);
    id[6] = (uint8_t)(number >> 40);
    id[7] = (uint8_t)(number >> 32);
    id[8] = (uint8_t)(number >> 26 & 0x3F);
    id[9] = (uint8_t)(number >> 18);
    id[10] = (uint8_t)(number >> 10);
    id[11] = (uint8_t)(number >> 2);
    id[12] = (uint8_t)((number & 3) << 6 | (import_id[12] & 0x1F) | (kind == EDGES ? 0x20 : 0));
    set_version(id, 7);
}

bool record_read_uuid(const char *text, size_t length, uint8_t id[UUID_BYTES])
{
    char lower[UUID_TEXT_LENGTH];

    if (length != UUID_TEXT_LENGTH)
        return false;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + ('a' - 'A') : text[i]);
    return uuid_read_text(lower, length, id);
}

/* RFC 9562, 5.5 */
static bool key_id(uint8_t id[UUID_BYTES], const uint8_t namespace[UUID_BYTES], const char *key, size_t length)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(context, namespace, UUID_BYTES) == 1
              && EVP_DigestUpdate(context, key, length) == 1 && EVP_DigestFinal_ex(context, digest, NULL) == 1;

    EVP_MD_CTX_free(context);
    if (ok) {
        memcpy(id, digest, UUID_BYTES);
        set_version(id, 5);
    }
    return ok;
}

void record_maker_init(struct record_maker *maker, const struct settings *settings, const uint8_t import_id[UUID_BYTES])
{
    maker->settings = settings;
    memcpy(maker->import_id, import_id, UUID_BYTES);
    json_document_init(&maker->document, NULL, NULL);
}

void record_maker_free(struct record_maker *maker)
{
    json_document_free(&maker->document);
}

static void put_uuid(ByteBuffer *out, const uint8_t id[UUID_BYTES])
{
    char text[UUID_TEXT_LENGTH + 1];

    uuid_write_text(text, id);
    buffer_append_char(out, '"');
    buffer_append(out, text, UUID_TEXT_LENGTH);
    buffer_append_char(out, '"');
}

/* A value that names a record: as it is, or the UUID of a key. */
static bool put_reference(struct record_maker *maker, const char *name, const JsonNode *value, ByteBuffer *out, char why[WHY_SIZE])
{
    const JsonDocument *document = &maker->document;
    bool text = value->kind == JSON_STRING;
    const char *key = text ? json_string(document, value) : json_raw(document, value);
    size_t length = text ? value->length : json_raw_length(value);
    uint8_t id[UUID_BYTES];

    if (text && record_read_uuid(key, length, id))
        buffer_append(out, json_raw(document, value), json_raw_length(value));
    else if (!maker->settings->has_namespace) {
        snprintf(why, WHY_SIZE, "%s is %.*s, which is no UUID: --namespace UUID makes UUIDs of keys", name, (int)(length < 100 ? length : 100), key);
        return false;
    } else if (!text && value->kind != JSON_NUMBER) {
        snprintf(why, WHY_SIZE, "%s is neither a text nor a number", name);
        return false;
    } else if (key_id(id, maker->settings->namespace, key, length))
        put_uuid(out, id);
    else {
        snprintf(why, WHY_SIZE, "OpenSSL has no SHA-1, which UUIDs of version 5 are made with");
        return false;
    }
    return true;
}

static void put_constants(struct record_maker *maker, enum kind kind, const JsonNode *object, ByteBuffer *out)
{
    for (int i = 0; i < maker->settings->constant_count; i++) {
        const char *name = maker->settings->constants[i], *equals, *dot;

        dot = strchr(name, '.');
        equals = strchr(name, '=');
        if (dot && dot < equals) {
            if (strncmp(name, kind_names[kind], strlen(kind_names[kind])) != 0)
                continue;
            name = dot + 1;
        } else {
            char member[64];

            snprintf(member, sizeof(member), "%.*s", (int)(equals - name), name);
            if (!columns_is_text(kind, member))
                continue;
        }
        if (json_member(&maker->document, object, name, (size_t)(equals - name)))
            continue;
        buffer_append_char(out, ',');
        columns_write_text(out, name, (size_t)(equals - name));
        buffer_append_char(out, ':');
        columns_write_text(out, equals + 1, strlen(equals + 1));
    }
}

bool record_make(struct record_maker *maker, enum kind kind, uint64_t number, const char *text, size_t length, ByteBuffer *out, char why[WHY_SIZE])
{
    const JsonDocument *document = &maker->document;
    const JsonNode *object, *id;
    size_t begin = out->length;
    JsonError error;

    if (!json_read(&maker->document, text, length, &limits, &error)) {
        snprintf(why, WHY_SIZE, "at byte %zu%s%s: %s", error.offset + 1, *error.pointer ? ", " : "", error.pointer, error.message);
        return false;
    }
    object = json_root(document);
    if (object->kind != JSON_OBJECT) {
        snprintf(why, WHY_SIZE, "it is no JSON object");
        return false;
    }
    id = json_member_literal(document, object, "id");
    buffer_append_literal(out, "{\"id\":");
    if (!id) {
        uint8_t made[UUID_BYTES];

        numbered_id(made, maker->import_id, kind, number);
        put_uuid(out, made);
    } else if (!put_reference(maker, "id", id, out, why))
        goto refused;
    for (const JsonNode *name = json_first(document, object); name; name = json_next(document, object, json_value(name))) {
        const JsonNode *value = json_value(name);
        bool from = json_string_is(document, name, "from", 4), to = json_string_is(document, name, "to", 2);

        if (value == id)
            continue;
        buffer_append_char(out, ',');
        buffer_append(out, json_raw(document, name), json_raw_length(name));
        buffer_append_char(out, ':');
        if (kind == EDGES && (from || to)) {
            if (!put_reference(maker, from ? "from" : "to", value, out, why))
                goto refused;
        } else
            buffer_append(out, json_raw(document, value), json_raw_length(value));
    }
    put_constants(maker, kind, object, out);
    buffer_append_char(out, '}');
    if (!out->failed)
        return true;
    snprintf(why, WHY_SIZE, "out of memory");
refused:
    out->length = begin;
    return false;
}
