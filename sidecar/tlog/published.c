/* published.c: checkpoints read back from the store. */
#include "tlog/published.h"

#include "base/log.h"
#include "core/checkpoint.h"
#include "core/decimal.h"
#include "core/signed_note.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "tlog/"
/* Versions of the object that is replaced by each checkpoint. Whoever can write it can put older ones on top. */
#define VERSIONS_LOOKED_AT 32
/* Objects that stand under their sizes: whoever can write there can put some that are none. */
#define SIZES_LOOKED_AT 32
#define FOLDERS_MOST 200000
#define EPOCHS_END 1000000

static bool verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
    return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

unsigned published_epoch(const char *prefix, const char *division, const char *origin)
{
    size_t prefix_length = strlen(prefix), length = strlen(division);
    const char *rest = origin + prefix_length + 1 + length;
    uint64_t epoch;

    if (strlen(origin) < prefix_length + 1 + length || strncmp(origin, prefix, prefix_length) != 0 || origin[prefix_length] != '/'
        || strncmp(origin + prefix_length + 1, division, length) != 0)
        return 0;
    if (!*rest)
        return 1;
    return *rest == ';' && decimal_read(rest + 1, strlen(rest + 1), &epoch) && epoch >= 2 && epoch < EPOCHS_END ? (unsigned)epoch : 0;
}

/* Whether one of our keys signed the note: each has the log's name. */
static bool is_signed(const struct published_keys *keys, const SignedNote *note, const NoteText *origin)
{
    NoteKey key = {.name = *origin, .type = NOTE_TYPE_ED25519};

    for (size_t i = 0; i < keys->list.count; i++) {
        memcpy(key.public_key, keys->list.list[i].public_key, NOTE_PUBLIC_KEY_LENGTH);
        note_key_id(key.key_id, origin->data, origin->length, key.type, key.public_key, NOTE_PUBLIC_KEY_LENGTH);
        if (note_verify(note, &key, verify, NULL) == NOTE_VERIFIED)
            return true;
    }
    return false;
}

/* Takes a note that a key of ours signed, if its checkpoint is larger than the one found so far. */
static void take_note(const struct published_keys *keys, const char *division, const char *text, struct published *found)
{
    static _Thread_local SignedNote note;
    size_t length = strlen(text);
    Checkpoint checkpoint;
    char origin[LOG_ORIGIN_SIZE];
    unsigned epoch;

    if (note_parse(&note, text, length) || checkpoint_parse(&checkpoint, note.text.data, note.text.length)
        || checkpoint.origin.length >= sizeof(origin))
        return;
    snprintf(origin, sizeof(origin), "%.*s", (int)checkpoint.origin.length, checkpoint.origin.data);
    epoch = published_epoch(keys->prefix, division, origin);
    if (epoch == 0 || !is_signed(keys, &note, &checkpoint.origin))
        return;
    if (epoch < found->epoch || (epoch == found->epoch && checkpoint.size <= found->size))
        return;
    found->epoch = epoch;
    found->size = checkpoint.size;
    memcpy(found->root, checkpoint.root, sizeof(found->root));
    strcpy(found->origin, origin);
}

void published_folder(const char *division, unsigned epoch, char folder[PUBLISHED_FOLDER_SIZE])
{
    if (epoch < 2)
        snprintf(folder, PUBLISHED_FOLDER_SIZE, ROOT "%s", division);
    else
        snprintf(folder, PUBLISHED_FOLDER_SIZE, ROOT "%s;%u", division, epoch);
}

static bool read_note(struct store *store, const struct published_keys *keys, const char *division, const char *object, const char *version,
                      struct published *found)
{
    char *text;
    bool told = store_read_text(store, object, version, NOTE_BYTES_MOST, &text);

    if (text)
        take_note(keys, division, text, found);
    free(text);
    return told;
}

/* ---------------------------------------------------------------- the object that is replaced */

struct versions {
    const char *object;
    char *list[VERSIONS_LOOKED_AT];         /* the newest first */
    size_t count;
    bool failed;
};

static bool take_version(void *context, const char *key, const char *version)
{
    struct versions *versions = context;

    /* those that its name begins too stand before or behind all of its own, as many as there are checkpoints */
    if (strcmp(key, versions->object) != 0)
        return versions->count == 0;
    versions->list[versions->count] = strdup(version);
    versions->failed = !versions->list[versions->count];
    versions->count += !versions->failed;
    return !versions->failed && versions->count < VERSIONS_LOOKED_AT;
}

/* The versions of one object, the newest first, until one is as large as what is known. */
static bool look_at_object(struct store *store, const struct published_keys *keys, const char *division, const char *object, uint64_t known,
                           struct published *found)
{
    struct versions versions = {.object = object};
    bool ok;

    ok = store->list(store, object, NULL, take_version, &versions) && !versions.failed;
    for (size_t i = 0; i < versions.count; i++) {
        ok = ok && ((found->size > 0 && found->size >= known) || read_note(store, keys, division, object, versions.list[i], found));
        free(versions.list[i]);
    }
    return ok;
}

static bool look_at_newest(struct store *store, const struct published_keys *keys, const char *division, const char *folder, uint64_t known,
                           struct published *found)
{
    char object[PUBLISHED_FOLDER_SIZE + 16];

    snprintf(object, sizeof(object), "%s/checkpoint", folder);
    return look_at_object(store, keys, division, object, known, found);
}

/* ---------------------------------------------------------------- those that stand under their sizes */

struct sized {
    uint64_t size;
    char *version;
};

struct sizes {
    size_t prefix_length;
    struct sized list[SIZES_LOOKED_AT];     /* the largest, in no order */
    size_t count;
    bool failed;
};

static bool take_size(void *context, const char *key, const char *version)
{
    struct sizes *sizes = context;
    struct sized *place = &sizes->list[0];
    uint64_t size;

    if (!decimal_read(key + sizes->prefix_length, strlen(key + sizes->prefix_length), &size))
        return true;
    if (sizes->count < SIZES_LOOKED_AT) {
        place = &sizes->list[sizes->count++];
        place->version = NULL;
    } else {
        for (size_t i = 1; i < sizes->count; i++)
            if (sizes->list[i].size < place->size)
                place = &sizes->list[i];
        if (size <= place->size)
            return true;
    }
    free(place->version);
    *place = (struct sized){size, strdup(version)};
    sizes->failed = !place->version;
    return !sizes->failed;
}

static bool look_at_sizes(struct store *store, const struct published_keys *keys, const char *division, const char *folder, struct published *found)
{
    char prefix[PUBLISHED_FOLDER_SIZE + 16], object[PUBLISHED_FOLDER_SIZE + 64];
    struct sizes sizes = {0};
    bool ok;

    snprintf(prefix, sizeof(prefix), "%s/checkpoints/", folder);
    sizes.prefix_length = strlen(prefix);
    ok = store->list(store, prefix, NULL, take_size, &sizes) && !sizes.failed;
    for (size_t i = 0; i < sizes.count; i++) {
        snprintf(object, sizeof(object), "%s%" PRIu64, prefix, sizes.list[i].size);
        ok = ok && read_note(store, keys, division, object, sizes.list[i].version, found);
        free(sizes.list[i].version);
    }
    return ok;
}

/* ---------------------------------------------------------------- folders */

/* A key is at most 1,024 bytes long in S3. */
#define KEY_SIZE 1100

/* Objects that are none of a log's are passed over in one listing, so many; a page of S3 has 1,000. */
#define ODD_MOST 1000

struct naming {
    char key[KEY_SIZE];
    bool listed;
    int odd;
};

/* The number behind the name of a division; 1: there is none. False: no log has such a folder. */
static bool read_epoch(const char *folder, unsigned *epoch)
{
    const char *text = folder + strcspn(folder, ";");
    uint64_t number;

    *epoch = 1;
    if (!*text)
        return true;
    if (!decimal_read(text + 1, strlen(text + 1), &number) || number < 2 || number >= EPOCHS_END)
        return false;
    *epoch = (unsigned)number;
    return true;
}

/* The folder of the log that an object lies in. False: it lies in none that a log can have. */
static bool read_folder(const char *key, char folder[PUBLISHED_FOLDER_SIZE])
{
    const char *name = key + strlen(ROOT);
    size_t length = strcspn(name, "/");
    unsigned epoch;

    if (name[length] != '/' || length >= PUBLISHED_FOLDER_SIZE)
        return false;
    snprintf(folder, PUBLISHED_FOLDER_SIZE, "%.*s", (int)length, name);
    return division_name_is_valid(folder, strcspn(folder, ";")) && read_epoch(folder, &epoch);
}

static bool take_key(void *context, const char *key, const char *version)
{
    struct naming *naming = context;
    char folder[PUBLISHED_FOLDER_SIZE];

    (void)version;
    snprintf(naming->key, sizeof(naming->key), "%s", key);
    naming->listed = true;
    return !read_folder(key, folder) && ++naming->odd < ODD_MOST;
}

/* Behind everything that lies in the same folder, 0 follows /; an object in no folder: behind itself. */
static void step_behind(const char *key, char after[KEY_SIZE])
{
    size_t length = strlen(ROOT) + strcspn(key + strlen(ROOT), "/");

    snprintf(after, KEY_SIZE, "%.*s%s", (int)length, key, key[length] ? "0" : "");
}

/* Gives the folders whose names begin so, without what they hold. Objects in none, or in one that no log can have, are passed over. */
static bool each_folder(struct store *store, const char *prefix, division_taker *take, void *context)
{
    char after[KEY_SIZE] = "", before[KEY_SIZE];

    for (int i = 0; i < FOLDERS_MOST; i++) {
        struct naming naming = {.listed = false};
        char folder[PUBLISHED_FOLDER_SIZE];

        if (!store->list(store, prefix, after[0] ? after : NULL, take_key, &naming))
            return false;
        if (!naming.listed)
            return true;
        strcpy(before, after);
        if (read_folder(naming.key, folder) && !take(context, folder))
            return false;
        step_behind(naming.key, after);
        if (strcmp(after, before) <= 0)
            break;
    }
    log_error("the store lists more folders than there can be below \"%s\", or names that are none", prefix);
    return false;
}

/* Those that exist. */
struct epochs {
    unsigned *list;
    size_t count;
};

static bool take_epoch(void *context, const char *folder)
{
    struct epochs *epochs = context;
    unsigned epoch, *larger;

    read_epoch(folder, &epoch);
    larger = realloc(epochs->list, (epochs->count + 1) * sizeof(*larger));
    if (!larger)
        return false;
    epochs->list = larger;
    larger[epochs->count++] = epoch;
    return true;
}

static int later_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x < y) - (x > y);
}

bool published_newest(struct store *store, const struct published_keys *keys, const char *division, uint64_t known, struct published *found)
{
    char folder[PUBLISHED_FOLDER_SIZE], later[PUBLISHED_FOLDER_SIZE];
    struct epochs epochs = {0};
    bool ok;

    memset(found, 0, sizeof(*found));
    snprintf(found->division, sizeof(found->division), "%s", division);
    snprintf(later, sizeof(later), ROOT "%s;", division);
    ok = each_folder(store, later, take_epoch, &epochs);
    if (epochs.count > 1)
        qsort(epochs.list, epochs.count, sizeof(*epochs.list), later_first);
    /* a folder that holds nothing of ours says nothing: whoever can write there can make some; the first has no number */
    for (size_t i = 0; ok && i <= epochs.count && found->size == 0; i++) {
        published_folder(division, i < epochs.count ? epochs.list[i] : 1, folder);
        ok = look_at_newest(store, keys, division, folder, known, found)
             && (known != PUBLISHED_ALL || look_at_sizes(store, keys, division, folder, found));
    }
    free(epochs.list);
    return ok;
}

/* Whether the object holds a note whose text begins so, up to the empty line before its signatures. */
static bool begins_with(struct store *store, const char *object, const char *text, size_t length)
{
    char *there;
    bool begins = store_read_text(store, object, "", NOTE_BYTES_MOST, &there) && there && !strncmp(there, text, length);

    free(there);
    return begins;
}

bool published_says_the_same(struct store *store, const char *object, const char *note)
{
    const char *end = strstr(note, "\n\n");

    return end && begins_with(store, object, note, (size_t)(end - note) + 2);
}

static bool says_what_is_remembered(struct store *store, const char *object, const struct remembered *remembered)
{
    ByteBuffer text;
    bool says;

    if (remembered->checkpoint != remembered->published)
        return false;
    buffer_init(&text, NULL, NULL);
    checkpoint_text(&text, remembered->origin, strlen(remembered->origin), remembered->published, remembered->root);
    buffer_append_char(&text, '\n');
    says = !text.failed && begins_with(store, object, text.data, text.length);
    buffer_free(&text);
    return says;
}

bool published_look_for(struct store *store, const struct published_keys *keys, const struct remembered *remembered, const struct published *found,
                        struct published *also)
{
    char folder[PUBLISHED_FOLDER_SIZE], object[PUBLISHED_FOLDER_SIZE + 64];
    unsigned epoch = published_epoch(keys->prefix, found->division, remembered->origin);

    memset(also, 0, sizeof(*also));
    strcpy(also->division, found->division);
    if (epoch == 0 || found->epoch > epoch || (found->epoch == epoch && found->size >= remembered->published))
        return true;
    /* the newest is announced once witnesses have cosigned it */
    published_folder(found->division, epoch, folder);
    snprintf(object, sizeof(object), "%s/checkpoints/%" PRIu64, folder, remembered->published);
    if (!look_at_object(store, keys, found->division, object, PUBLISHED_ALL, also))
        return false;
    if (!(also->epoch == epoch && also->size >= remembered->published) && !says_what_is_remembered(store, object, remembered))
        also->missed = remembered->published;
    return true;
}

struct passing {
    division_taker *take;
    void *context;
};

static bool take_division(void *context, const char *folder)
{
    struct passing *passing = context;
    char name[PUBLISHED_FOLDER_SIZE];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(folder, ";"), folder);
    return passing->take(passing->context, name);
}

bool published_divisions(struct store *store, division_taker *take, void *context)
{
    struct passing passing = {take, context};

    return each_folder(store, ROOT, take_division, &passing);
}
