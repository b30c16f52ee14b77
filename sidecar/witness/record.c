/* record.c: what a witness remembers, in files. */
#include "witness/record.h"

#include "base/log.h"
#include "base/plain_file.h"
#include "core/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME_SIZE (RECORD_NAME_LENGTH + 16)

bool record_open(struct record_directory *directory, const char *path, bool locks)
{
    directory->path = path;
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0) {
        log_error("cannot open the witness' directory \"%s\": %s", path, strerror(errno));
        return false;
    }
    if (locks && flock(directory->fd, LOCK_EX | LOCK_NB) != 0) {
        log_error("the witness' directory \"%s\" is %s", path, errno == EWOULDBLOCK ? "another process' already" : strerror(errno));
        record_close(directory);
        return false;
    }
    if (faccessat(directory->fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        log_error("cannot write to the witness' directory \"%s\": %s", path, strerror(errno));
        record_close(directory);
        return false;
    }
    return true;
}

void record_close(struct record_directory *directory)
{
    if (directory->fd >= 0)
        close(directory->fd);
    directory->fd = -1;
}

void record_name(char name[RECORD_NAME_LENGTH + 1], const char *origin, size_t length)
{
    uint8_t hash[SHA256_LENGTH];

    sha256_of(hash, origin, length);
    for (int i = 0; i < SHA256_LENGTH; i++)
        snprintf(name + 2 * i, 3, "%02x", hash[i]);
}

static bool read_all(int fd, ByteBuffer *note)
{
    for (;;) {
        char bytes[4096];
        ssize_t n = read(fd, bytes, sizeof(bytes));

        if (n == 0)
            return !note->failed;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (note->length + (size_t)n > RECORD_NOTE_MOST) {
            errno = EFBIG;
            return false;
        }
        buffer_append(note, bytes, (size_t)n);
    }
}

enum record_state record_read(const struct record_directory *directory, const char *name, ByteBuffer *note)
{
    char file[FILE_NAME_SIZE];
    bool ok;
    int fd;

    snprintf(file, sizeof(file), "%s.note", name);
    fd = openat(directory->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return RECORD_NONE;
    ok = fd >= 0 && read_all(fd, note);
    if (!ok)
        log_error("cannot read \"%s/%s\": %s", directory->path, file, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok ? RECORD_THERE : RECORD_UNREADABLE;
}

/* Writes a file of the directory and has it on the disk, its name aside. */
static bool write_file(const struct record_directory *directory, const char *file, int flags, const char *note, size_t length)
{
    int fd = openat(directory->fd, file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    bool ok = fd >= 0 && plain_file_write(fd, note, length) && fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok;
}

bool record_write(const struct record_directory *directory, const char *name, const char *note, size_t length)
{
    char file[FILE_NAME_SIZE], beside[FILE_NAME_SIZE];

    snprintf(file, sizeof(file), "%s.note", name);
    snprintf(beside, sizeof(beside), "%s.new", name);
    if (write_file(directory, beside, O_TRUNC, note, length) && renameat(directory->fd, beside, directory->fd, file) == 0
        && fsync(directory->fd) == 0)
        return true;
    log_error("cannot write \"%s/%s\": %s", directory->path, file, strerror(errno));
    return false;
}

void record_keep_fork(const struct record_directory *directory, const char *name, const char *note, size_t length)
{
    char file[FILE_NAME_SIZE];

    snprintf(file, sizeof(file), "%s.fork", name);
    if (write_file(directory, file, O_EXCL, note, length))
        log_error("kept as \"%s/%s\": with the note that was cosigned it proves that the log has two histories", directory->path, file);
    else if (errno != EEXIST)
        log_error("cannot write \"%s/%s\": %s", directory->path, file, strerror(errno));
}
