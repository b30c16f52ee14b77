/* archive.c: which segments the archive holds, beginning with the day of the last one that the index knows. */
#include "readback/readback.h"

#include "base/log.h"
#include "core/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "audit/"
#define EVENTS ".jsonl"
#define CONTENTS ".contents.jsonl"
/* What lists more is not our archive, or not a listing that ends. */
#define DIVISIONS_MOST 100000
#define SEGMENTS_MOST 2000000

/* What stands between the root and the next slash, whether or not a division can have this name. */
struct folder {
    bool found;
    char name[256];             /* its beginning, if it is longer */
    char after[300];            /* keys behind everything in it are greater */
};

static bool take_folder(void *context, const char *key, const char *version)
{
    struct folder *folder = context;
    const char *name = key + strlen(ROOT);
    size_t length = strcspn(name, "/");
    bool whole = length < sizeof(folder->name);

    (void)version;
    if (!whole)
        length = sizeof(folder->name) - 1;
    /* not in the middle of a character */
    while (!whole && length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    folder->found = true;
    snprintf(folder->name, sizeof(folder->name), "%.*s", (int)length, name);
    /* 0 follows the slash, and nothing follows the last character of Unicode */
    snprintf(folder->after, sizeof(folder->after), ROOT "%s%s", folder->name, whole ? "0" : "\xf4\x8f\xbf\xbf");
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

/* False: out of memory, or there are more than can be. */
static bool add_segment(struct segments *found, const char *key, size_t length)
{
    struct segment *larger;

    if (found->count == SEGMENTS_MOST) {
        log_error("the archive lists more than %d segments since the last that the index knows", SEGMENTS_MOST);
        return false;
    }
    /* doubled whenever it is full */
    if ((found->count & (found->count - 1)) == 0) {
        larger = realloc(found->list, (found->count ? 2 * found->count : 1) * sizeof(*larger));
        if (!larger)
            return false;
        found->list = larger;
    }
    found->list[found->count] = (struct segment){.prefix = strndup(key, length)};
    return found->list[found->count++].prefix != NULL;
}

struct taking {
    struct segments *found;
    bool failed;
};

/* Versions of one object follow each other, the oldest last; objects of one segment are neighbours. */
static bool take_segment(void *context, const char *key, const char *version)
{
    struct taking *taking = context;
    struct segments *found = taking->found;
    bool contents = ends_with(key, CONTENTS);
    size_t length = strlen(key) - strlen(contents ? CONTENTS : EVENTS);
    struct segment *segment = found->count ? &found->list[found->count - 1] : NULL;
    char **kept;

    if (!ends_with(key, EVENTS))
        return true;
    if (!segment || strlen(segment->prefix) != length || strncmp(segment->prefix, key, length) != 0) {
        if (!add_segment(found, key, length)) {
            taking->failed = true;
            return false;
        }
        segment = &found->list[found->count - 1];
    }
    kept = contents ? &segment->contents_version : &segment->version;
    free(*kept);
    *kept = strdup(version);
    taking->failed = !*kept;
    return !taking->failed;
}

static bool readback_division(struct store *store, struct db *db, const char *target, const char *division, struct taking *taking)
{
    const char *parameters[] = {target, division};
    PGresult *mark = db_call(db, "SELECT reason.archive_mark($1, $2)", "1t", 2, parameters, NULL);
    char prefix[300];
    bool ok;

    if (!mark)
        return false;
    snprintf(prefix, sizeof(prefix), ROOT "%s/", division);
    ok = store->list(store, prefix, PQgetvalue(mark, 0, 0), take_segment, taking) && !taking->failed;
    PQclear(mark);
    return ok;
}

bool readback_archive(struct store *store, struct db *db, const char *target, struct segments *found)
{
    struct taking taking = {.found = found};
    struct folder folder = {.after = ""};

    for (int folders = 0; folders < DIVISIONS_MOST; folders++) {
        char before[sizeof(folder.after)];

        strcpy(before, folder.after);
        folder.found = false;
        if (!store->list(store, ROOT, before[0] ? before : NULL, take_folder, &folder))
            return false;
        if (!folder.found)
            return true;
        if (strcmp(folder.after, before) <= 0)
            break;
        /* nothing of ours lies there, and what does hides nothing of ours */
        if (!division_name_is_valid(folder.name, strlen(folder.name)))
            log_warning("the archive holds \"" ROOT "%s\", and no division can have that name: passed over", folder.name);
        else if (!readback_division(store, db, target, folder.name, &taking))
            return false;
    }
    log_error("the archive lists more divisions than can be, or lists them out of order");
    return false;
}

void segments_free(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        free(segments->list[i].prefix);
        free(segments->list[i].version);
        free(segments->list[i].contents_version);
    }
    free(segments->list);
    segments->list = NULL;
    segments->count = 0;
}
