/* plain_file.c: opening files, and nothing else, without waiting; the secrets in them; writing. */
#include "base/plain_file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *plain_file_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    FILE *file = NULL;

    if (fd < 0 || fstat(fd, &status) != 0)
        log_error("cannot read \"%s\": %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        log_error("cannot read \"%s\": it is no regular file", path);
    else
        file = fdopen(fd, "r");
    if (!file && fd >= 0)
        close(fd);
    return file;
}

bool plain_file_permits(const char *path)
{
    struct stat status;

    return stat(path, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
}

bool plain_file_read_secret(const char *path, char *secret, size_t size)
{
    FILE *file = plain_file_open(path);
    bool ok = file && fgets(secret, (int)size, file), whole = false;

    if (ok) {
        int next = strchr(secret, '\n') ? EOF : fgetc(file);

        whole = next == EOF || next == '\n' || next == '\r';
        secret[strcspn(secret, "\r\n")] = '\0';
    }
    if (file && (!ok || !secret[0]))
        log_error("cannot read \"%s\": it is empty", path);
    else if (file && !whole)
        log_error("cannot read \"%s\": its first line has more than %zu characters", path, size - 1);
    if (file)
        fclose(file);
    return ok && whole && secret[0];
}

bool plain_file_write(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}
