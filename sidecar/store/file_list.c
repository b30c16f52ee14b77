/* file_list.c: what a directory holds, in the order of the objects' names, and its bytes. */
#include "store/file.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/plain_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_SIZE 4096
/* What was changed in the last moments may be changed again without another time of change. */
#define SETTLED_SECONDS 2

/* A directory that is being read, and those that it lies in. */
struct place {
    dev_t device;
    ino_t inode;
    const struct place *above;
};

struct walk {
    struct file_names *held;
    const char *root, *prefix, *after;
    long until_ms;              /* 0: whenever it ends */
    bool (*is_given_up)(void);  /* NULL: never */
    object_taker *take;
    void *context;
    bool stopped;
};

/* ---------------------------------------------------------------- names */

/* What follows a name in the keys: a slash, if it is a directory's. */
static unsigned char behind(const struct dirent *entry)
{
    return entry->d_type == DT_DIR ? '/' : '\0';
}

/* In the order of the keys. */
static int in_key_order(const void *a, const void *b)
{
    const struct dirent *one = *(struct dirent *const *)a, *other = *(struct dirent *const *)b;
    const char *left = one->d_name, *right = other->d_name;

    while (*left && *left == *right) {
        left++;
        right++;
    }
    return (*left ? (unsigned char)*left : behind(one)) - (*right ? (unsigned char)*right : behind(other));
}

/* Directories are those, and what leads to one. */
static void tell_directories(const struct file_names *names)
{
    char path[PATH_SIZE];
    struct stat status;

    for (int i = 0; i < names->count; i++)
        if (names->entries[i]->d_type == DT_LNK || names->entries[i]->d_type == DT_UNKNOWN)
            names->entries[i]->d_type = snprintf(path, sizeof(path), "%s%s", names->path, names->entries[i]->d_name) < (int)sizeof(path) && stat(path, &status) == 0
                                        && S_ISDIR(status.st_mode) ? DT_DIR : DT_REG;
}

void file_names_free(struct file_names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->entries[i]);
    if (names->path)
        free(names->entries);
    free(names->path);
    *names = (struct file_names){.path = NULL};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whoever sets a time of change by hand changes the other one. */
static bool is_as_it_was(const struct file_names *names, const char *path, const struct stat *status)
{
    return names->path && !strcmp(names->path, path) && names->status.st_dev == status->st_dev && names->status.st_ino == status->st_ino
           && same_time(names->status.st_mtim, status->st_mtim) && same_time(names->status.st_ctim, status->st_ctim);
}

/* The names in a directory, to be freed or put back: those that are held, if nothing has changed. False: it cannot be read. */
static bool take_names(struct file_names *held, const char *path, struct file_names *names)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return false;
    if (is_as_it_was(held, path, &status)) {
        *names = *held;
        *held = (struct file_names){.path = NULL};
        return true;
    }
    *names = (struct file_names){.path = strdup(path), .status = status};
    if (!names->path)
        return false;
    names->count = scandir(path, &names->entries, NULL, NULL);
    if (names->count >= 0) {
        tell_directories(names);
        if (names->count > 1)
            qsort(names->entries, (size_t)names->count, sizeof(*names->entries), in_key_order);
        return true;
    }
    free(names->path);
    *names = (struct file_names){.path = NULL};
    return false;
}

/* Holds the names of a directory right below the root. */
static void put_back(struct file_names *held, const char *directory, struct file_names *names)
{
    const char *slash = strchr(directory, '/');

    if (!slash || slash[1] || time(NULL) - names->status.st_mtim.tv_sec <= SETTLED_SECONDS) {
        file_names_free(names);
        return;
    }
    file_names_free(held);
    *held = *names;
}

/* Whether a name comes before all keys that begin with the text or follow it. */
static bool lies_before(const struct dirent *entry, const char *text)
{
    size_t length = strlen(entry->d_name);
    int order = strncmp(entry->d_name, text, length);

    return order ? order < 0 : behind(entry) < (unsigned char)text[length];
}

/* What follows the directory in a key; "": all that lies in it. */
static const char *rest_of(const char *key, const char *directory)
{
    size_t length = strlen(directory);

    return key && !strncmp(key, directory, length) ? key + length : "";
}

/* The first name that may be asked for: they are in order. */
static int first_name(const struct file_names *names, const char *prefix, const char *after)
{
    int low = 0, high = names->count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        if (lies_before(names->entries[middle], prefix) || lies_before(names->entries[middle], after))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---------------------------------------------------------------- walking */

/* Whether a name in a directory can be that of an object that is asked for, or of a directory that holds some, which ends with a slash. */
static bool may_hold(const struct walk *walk, const char *key)
{
    size_t length = strlen(key), prefix_length = strlen(walk->prefix);

    if (strncmp(key, walk->prefix, length < prefix_length ? length : prefix_length) != 0)
        return false;
    return !walk->after || strncmp(key, walk->after, length) >= 0;
}

/* A link can lead to where it lies: each directory is read once on the way to it. */
static bool is_above(const struct place *place, const struct stat *status)
{
    for (; place; place = place->above)
        if (place->device == status->st_dev && place->inode == status->st_ino)
            return true;
    return false;
}

static bool visit(struct walk *walk, const char *directory, const struct place *above);

/* Whether all keys that are asked for lie in one directory below; *ok: whether that could be read. */
static bool visit_only(struct walk *walk, const char *directory, const struct place *above, bool *ok)
{
    size_t length = strlen(directory);
    const char *end = strncmp(walk->prefix, directory, length) ? NULL : strchr(walk->prefix + length, '/');
    char key[PATH_SIZE], path[PATH_SIZE];
    struct stat status;

    if (!end || walk->prefix[length] == '.' || snprintf(key, sizeof(key), "%.*s/", (int)(end - walk->prefix), walk->prefix) >= (int)sizeof(key)
        || snprintf(path, sizeof(path), "%s/%s", walk->root, key) >= (int)sizeof(path))
        return false;
    if (stat(path, &status) != 0) {
        *ok = errno == ENOENT || errno == ENOTDIR;
        if (!*ok)
            log_warning("directory \"%s\" cannot be listed: %s", path, strerror(errno));
    } else if (S_ISDIR(status.st_mode) && may_hold(walk, key) && !is_above(above, &status)) {
        *ok = visit(walk, key, &(struct place){status.st_dev, status.st_ino, above});
    }
    return true;
}

static bool visit(struct walk *walk, const char *directory, const struct place *above)
{
    const char *prefix = rest_of(walk->prefix, directory), *after = rest_of(walk->after, directory);
    char path[PATH_SIZE];
    struct file_names names;
    bool ok = true;

    if (visit_only(walk, directory, above, &ok))
        return ok;
    if (snprintf(path, sizeof(path), "%s/%s", walk->root, directory) >= (int)sizeof(path))
        return false;
    if (walk->until_ms && clock_ms() > walk->until_ms) {
        log_warning("directory \"%s\" cannot be listed: it does not come to its end in time", path);
        return false;
    }
    if (!take_names(walk->held, path, &names)) {
        if (errno == ENOENT)
            return true;
        log_warning("directory \"%s\" cannot be listed: %s", path, strerror(errno));
        return false;
    }
    for (int i = first_name(&names, prefix, after); ok && !walk->stopped && i < names.count; i++) {
        const char *name = names.entries[i]->d_name;
        char key[PATH_SIZE], object[PATH_SIZE];
        struct stat status;

        if (strncmp(name, prefix, strlen(prefix)) != 0)
            break;
        ok = !(walk->is_given_up && walk->is_given_up());
        if (ok && name[0] != '.'
            && snprintf(key, sizeof(key), "%s%s", directory, name) < (int)sizeof(key) - 1 && may_hold(walk, key)
            && snprintf(object, sizeof(object), "%s/%s", walk->root, key) < (int)sizeof(object) && stat(object, &status) == 0) {
            if (S_ISDIR(status.st_mode)) {
                strcat(key, "/");
                if (may_hold(walk, key) && !is_above(above, &status))
                    ok = visit(walk, key, &(struct place){status.st_dev, status.st_ino, above});
            } else if (S_ISREG(status.st_mode) && !strncmp(key, walk->prefix, strlen(walk->prefix)) && (!walk->after || strcmp(key, walk->after) > 0)) {
                walk->stopped = !walk->take(walk->context, key, "");
            }
        }
    }
    put_back(walk->held, directory, &names);
    return ok;
}

bool file_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context)
{
    struct file_store *files = (struct file_store *)store;
    struct walk walk = {.held = &files->names, .root = files->directory, .prefix = prefix, .after = after, .until_ms = store->until_ms,
                        .is_given_up = store->is_given_up, .take = take, .context = context};
    struct stat status;

    if (stat(walk.root, &status) != 0)
        memset(&status, 0, sizeof(status));
    return visit(&walk, "", &(struct place){status.st_dev, status.st_ino, NULL});
}

bool file_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context)
{
    char path[PATH_SIZE], piece[65536];
    FILE *file = NULL;
    size_t length = 0;
    bool ok;

    (void)version;
    if (snprintf(path, sizeof(path), "%s/%s", ((struct file_store *)store)->directory, key) < (int)sizeof(path))
        file = plain_file_open(path);
    ok = file != NULL;
    while (ok && (length = fread(piece, 1, sizeof(piece), file)) > 0)
        ok = take(context, piece, length);
    ok = ok && !ferror(file);
    if (file && !ok)
        log_error("object \"%s\" cannot be read: %s", path, length ? "it is not wanted any more" : strerror(errno));
    if (file)
        fclose(file);
    return ok;
}
