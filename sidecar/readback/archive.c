/* archive.c: which segments the archive holds, beginning with the day of the last one that the index knows. */
#include "readback/readback.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "audit/"
#define EVENTS ".jsonl"
#define CONTENTS ".contents.jsonl"
/* What lists more is not our archive, or not a listing that ends. */
#define DIVISIONS_MOST 100000
#define SEGMENTS_MOST 2000000

static bool take_division(void *context, const char *key, const char *version)
{
    char *division = context;

    (void)version;
    snprintf(division, 256, "%.*s", (int)strcspn(key + strlen(ROOT), "/"), key + strlen(ROOT));
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

bool witness_archive(struct store *store, struct db *db, const char *target, struct segments *found)
{
    struct taking taking = {.found = found};
    char after[300] = "";

    for (int divisions = 0; divisions < DIVISIONS_MOST; divisions++) {
        char division[256] = "", prefix[300], before[300];
        const char *parameters[] = {target, division};
        PGresult *mark;
        bool ok;

        if (!store->list(store, ROOT, after[0] ? after : NULL, take_division, division))
            return false;
        if (!division[0])
            return true;
        mark = db_call(db, "SELECT reason.archive_mark($1, $2)", 2, parameters, NULL);
        if (!mark)
            return false;
        snprintf(prefix, sizeof(prefix), ROOT "%s/", division);
        ok = store->list(store, prefix, PQgetvalue(mark, 0, 0), take_segment, &taking) && !taking.failed;
        PQclear(mark);
        if (!ok)
            return false;
        /* behind everything of this division: 0 follows / */
        strcpy(before, after);
        snprintf(after, sizeof(after), ROOT "%s0", division);
        if (strcmp(after, before) <= 0)
            break;
    }
    log_error("the archive lists more divisions than can be, or names that are none");
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
