/*
 * file.c: objects in a directory.
 *
 * Bytes go into a file without a name, are synced, and linked to their name, which fails if that
 * exists: nothing is ever overwritten. The directory is synced before success is told. An object that replaces another
 * is written under a hidden name and renamed: readers find the one or the other, whole.
 * The metadata lie beside the object, <object>.meta.json, and are written first, so that an object
 * is never without them.
 */
#include "store/file.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct text {
    char bytes[4096];
    bool done;
};

static bool next_text(void *context, const void **bytes, size_t *length)
{
    struct text *text = context;

    *bytes = text->bytes;
    *length = text->done ? 0 : strlen(text->bytes);
    text->done = true;
    return true;
}

static bool sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Makes the directories above a file, each synced into its parent. */
static bool make_directories(char *path)
{
    for (char *p = path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0755) == 0) {
            char copy[4096];

            snprintf(copy, sizeof(copy), "%s", path);
            if (!sync_directory(dirname(copy))) {
                *p = '/';
                return false;
            }
        } else if (errno != EEXIST) {
            *p = '/';
            return false;
        }
        *p = '/';
    }
    return true;
}

static bool file_has_hash(const char *path, const char *hash)
{
    unsigned char buffer[65536], digest[32];
    char hex[65];
    ssize_t n;
    /* not waiting for the writer of what may be a FIFO */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = fd >= 0 && context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);

    while (ok && (n = read(fd, buffer, sizeof(buffer))) != 0)
        ok = n > 0 && EVP_DigestUpdate(context, buffer, (size_t)n);
    ok = ok && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (fd >= 0)
        close(fd);
    for (int i = 0; ok && i < 32; i++)
        sprintf(hex + 2 * i, "%02x", digest[i]);
    return ok && !strcmp(hex, hash);
}

/* A file in the making: without a name, so that a process that dies leaves nothing behind, where the file system can. */
struct draft {
    int fd;
    bool named;
    char name[4200];            /* by which it can be read and linked */
};

static bool begin(struct draft *draft, const char *path, const char *directory)
{
    draft->named = false;
    draft->fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0444);
    snprintf(draft->name, sizeof(draft->name), "/proc/self/fd/%d", draft->fd);
    /* EISDIR: a kernel, EOPNOTSUPP: a file system (NFS) that has none; or there is no /proc to link it by */
    if (draft->fd >= 0 ? access(draft->name, F_OK) == 0 : errno != EISDIR && errno != EOPNOTSUPP)
        return draft->fd >= 0;
    if (draft->fd >= 0)
        close(draft->fd);
    draft->named = true;
    snprintf(draft->name, sizeof(draft->name), "%s.%ld.tmp", path, (long)getpid());
    if (unlink(draft->name) != 0 && errno != ENOENT)
        return false;
    draft->fd = open(draft->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    return draft->fd >= 0;
}

static void end(struct draft *draft)
{
    if (draft->fd < 0)
        return;
    close(draft->fd);
    if (draft->named)
        unlink(draft->name);
}

/* Writes, syncs and checks; and names the file, unless it is to replace another. */
static enum store_result write_draft(struct draft *draft, const char *path, const struct object *object, const char *hash, char *reason,
                                     size_t reason_size)
{
    const void *bytes;
    size_t length;

    do {
        if (!object->next(object->context, &bytes, &length)) {
            snprintf(reason, reason_size, "the bytes could not be read from the database");
            return STORE_RETRY;
        }
        if (!plain_file_write(draft->fd, bytes, length))
            goto failed;
    } while (length > 0);
    if (fsync(draft->fd) != 0 || fchmod(draft->fd, 0444) != 0)
        goto failed;
    if (hash && !file_has_hash(draft->name, hash)) {
        snprintf(reason, reason_size, "what was written to \"%s\" is not what was frozen", path);
        return STORE_REFUSED;
    }
    if (object->replaces)
        return STORE_DONE;
    if (linkat(AT_FDCWD, draft->name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return STORE_DONE;
    if (errno != EEXIST)
        goto failed;
    if (hash && !file_has_hash(path, hash)) {
        snprintf(reason, reason_size, "\"%s\" exists with other bytes", path);
        return STORE_REFUSED;
    }
    return STORE_DONE;

failed:
    snprintf(reason, reason_size, "cannot write \"%s\": %s", path, strerror(errno));
    return STORE_RETRY;
}

/* hash: of what is there already, to be taken for success; NULL: whatever is there is replaced by nothing and fine. */
static enum store_result write_once(const char *path, const struct object *object, const char *hash, char *reason, size_t reason_size)
{
    char copy[4096];
    const char *directory;
    struct draft draft;
    enum store_result result = STORE_RETRY;

    snprintf(copy, sizeof(copy), "%s", path);
    directory = dirname(copy);
    if (begin(&draft, path, directory))
        result = write_draft(&draft, path, object, hash, reason, reason_size);
    else
        snprintf(reason, reason_size, "cannot write \"%s\": %s", path, strerror(errno));
    end(&draft);
    if (result == STORE_DONE && !sync_directory(directory)) {
        snprintf(reason, reason_size, "cannot sync \"%s\": %s", directory, strerror(errno));
        result = STORE_RETRY;
    }
    return result;
}

static enum store_result replace(const char *path, const struct object *object, char *reason, size_t reason_size)
{
    char copy[4096], name[4096];
    struct draft draft = {.named = true};
    const char *directory, *slash = strrchr(path, '/');
    enum store_result result = STORE_RETRY;

    snprintf(copy, sizeof(copy), "%s", path);
    directory = dirname(copy);
    /* a name that no other process uses, and that no listing shows */
    snprintf(name, sizeof(name), "%.*s/.%s", (int)(slash - path), path, slash + 1);
    snprintf(draft.name, sizeof(draft.name), "%s.%ld.tmp", name, (long)getpid());
    unlink(draft.name);
    draft.fd = open(draft.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (draft.fd >= 0)
        result = write_draft(&draft, path, object, object->hash, reason, reason_size);
    else
        snprintf(reason, reason_size, "cannot write \"%.300s\": %s", path, strerror(errno));
    if (result == STORE_DONE && (rename(draft.name, path) != 0 || !sync_directory(directory))) {
        snprintf(reason, reason_size, "cannot replace \"%.300s\": %s", path, strerror(errno));
        result = STORE_RETRY;
    }
    end(&draft);
    return result;
}

/* The metadata as one JSON object. */
static bool metadata_text(const struct object *object, struct text *text)
{
    size_t length = 0;

    for (size_t i = 0; i <= object->metadata_count; i++) {
        size_t room = sizeof(text->bytes) - length;
        int n = i == object->metadata_count
                    ? snprintf(text->bytes + length, room, "%s}\n", i ? "" : "{")
                    : snprintf(text->bytes + length, room, "%c\"%s\":\"%s\"", i ? ',' : '{', object->metadata[i].name, object->metadata[i].value);

        if (n < 0 || (size_t)n >= room)
            return false;
        length += (size_t)n;
    }
    return true;
}

static enum store_result put(struct store *store, const struct object *object, struct stored *stored)
{
    struct file_store *files = (struct file_store *)store;
    char path[2000], metadata_path[2032];
    struct text text = {.done = false};
    struct object metadata = {.next = next_text, .context = &text};
    enum store_result result = STORE_DONE;

    if (snprintf(path, sizeof(path), "%s/%s", files->directory, object->key) >= (int)sizeof(path) || strstr(object->key, "..")
        || !store_metadata_are_plain(object) || !metadata_text(object, &text)) {
        snprintf(stored->reason, sizeof(stored->reason), "the object's name or metadata are not acceptable");
        return STORE_REFUSED;
    }
    snprintf(metadata_path, sizeof(metadata_path), "%s.meta.json", path);
    if (!make_directories(path)) {
        snprintf(stored->reason, sizeof(stored->reason), "cannot make the directory of \"%.300s\": %s", path, strerror(errno));
        return STORE_RETRY;
    }
    if (object->metadata_count > 0)
        result = write_once(metadata_path, &metadata, NULL, stored->reason, sizeof(stored->reason));
    if (result == STORE_DONE)
        result = object->replaces ? replace(path, object, stored->reason, sizeof(stored->reason))
                                  : write_once(path, object, object->hash, stored->reason, sizeof(stored->reason));
    if (result == STORE_DONE)
        snprintf(stored->uri, sizeof(stored->uri), "file://%s", path);
    return result;
}

static bool check(struct store *store)
{
    struct file_store *files = (struct file_store *)store;

    if (faccessat(AT_FDCWD, files->directory, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    log_error("store directory \"%s\" cannot be written: %s", files->directory, strerror(errno));
    return false;
}

static void close_store(struct store *store)
{
    struct file_store *files = (struct file_store *)store;

    file_names_free(&files->names);
    free(files->directory);
    free(files);
}

struct store *store_file_open(const char *directory)
{
    struct file_store *files = calloc(1, sizeof(*files));

    if (!files)
        return NULL;
    files->directory = strdup(directory);
    files->store.put = put;
    files->store.list = file_list;
    files->store.read = file_read;
    files->store.check = check;
    files->store.close = close_store;
    if (!files->directory || !check(&files->store)) {
        close_store(&files->store);
        return NULL;
    }
    return &files->store;
}
