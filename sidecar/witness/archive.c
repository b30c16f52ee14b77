/* archive.c: which segments the archive holds, beginning with the day of the last one that the index knows. */
#include "witness.h"

#include "../log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "audit/"
#define EVENTS ".jsonl"
#define CONTENTS ".contents.jsonl"

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

    if (!ends_with(key, EVENTS) || length >= sizeof(segment->prefix))
        return true;
    if (!segment || strlen(segment->prefix) != length || strncmp(segment->prefix, key, length) != 0) {
        struct segment *larger = realloc(found->list, (found->count + 1) * sizeof(*larger));

        if (!larger) {
            taking->failed = true;
            return false;
        }
        found->list = larger;
        segment = &found->list[found->count++];
        memset(segment, 0, sizeof(*segment));
        snprintf(segment->prefix, sizeof(segment->prefix), "%.*s", (int)length, key);
    }
    segment->has_contents = segment->has_contents || contents;
    snprintf(contents ? segment->contents_version : segment->version, sizeof(segment->version), "%s", version);
    return true;
}

bool witness_archive(struct store *store, struct db *db, const char *target, struct segments *found)
{
    struct taking taking = {.found = found};
    char after[300] = "";

    for (;;) {
        char division[256] = "", prefix[300];
        const char *parameters[] = {target, division};
        PGresult *mark;
        bool ok;

        if (!store->list(store, ROOT, after[0] ? after : NULL, take_division, division))
            return false;
        if (!division[0])
            return !taking.failed;
        mark = db_call(db, "SELECT reason.archive_mark($1, $2)", 2, parameters, NULL);
        if (!mark)
            return false;
        snprintf(prefix, sizeof(prefix), ROOT "%s/", division);
        ok = store->list(store, prefix, PQgetvalue(mark, 0, 0), take_segment, &taking);
        PQclear(mark);
        if (!ok)
            return false;
        /* behind every day of this division */
        snprintf(after, sizeof(after), ROOT "%s/~", division);
    }
}

void segments_free(struct segments *segments)
{
    free(segments->list);
    segments->list = NULL;
    segments->count = 0;
}
