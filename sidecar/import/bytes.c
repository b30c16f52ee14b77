/* bytes.c: the bytes of a file or of standard input, piece by piece. */
#include "import/bytes.h"

#include "import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1024 * 1024)
#define MARK "\xEF\xBB\xBF"     /* byte order mark: some programs begin files with it */
#define MARK_LENGTH (sizeof(MARK) - 1)

struct bytes {
    int fd;
    bool ended;
    size_t at, filled;
    uint64_t before;            /* bytes of earlier pieces */
    uint64_t size;
    char piece[PIECE];
};

struct bytes *bytes_open(const char *path)
{
    struct bytes *bytes = calloc(1, sizeof(*bytes));
    struct stat about;

    if (!bytes)
        return NULL;
    bytes->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (bytes->fd >= 0 && fstat(bytes->fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        bytes_close(bytes);
        errno = EISDIR;
        return NULL;
    }
    if (bytes->fd < 0) {
        free(bytes);
        return NULL;
    }
    bytes->size = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    return bytes;
}

void bytes_close(struct bytes *bytes)
{
    if (bytes) {
        close(bytes->fd);
        free(bytes);
    }
}

/* What read() says, which no signal but one that asks for the end interrupts. */
static ssize_t read_more(struct bytes *bytes)
{
    ssize_t got;

    do {
        if (import_stopping()) {
            errno = EINTR;
            return -1;
        }
        got = read(bytes->fd, bytes->piece + bytes->filled, sizeof(bytes->piece) - bytes->filled);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* Nothing has been read yet but a mark, or its beginning: a pipe gives what its writer wrote at a time. */
static bool is_mark_so_far(const struct bytes *bytes)
{
    return bytes->before == 0 && bytes->filled <= MARK_LENGTH && memcmp(bytes->piece, MARK, bytes->filled) == 0;
}

/* False: at the end, or errno says why not. */
static bool fill(struct bytes *bytes)
{
    ssize_t got;

    if (bytes->ended)
        return false;
    bytes->before += bytes->filled;
    bytes->at = bytes->filled = 0;
    do {
        got = read_more(bytes);
        if (got < 0)
            return false;
        bytes->ended = got == 0;
        bytes->filled += (size_t)got;
    } while (!bytes->ended && is_mark_so_far(bytes));
    if (bytes->before == 0 && bytes->filled >= MARK_LENGTH && memcmp(bytes->piece, MARK, MARK_LENGTH) == 0)
        bytes->at = MARK_LENGTH;
    errno = 0;
    return bytes->at < bytes->filled;
}

int bytes_peek(struct bytes *bytes)
{
    errno = 0;
    if (bytes->at == bytes->filled && !fill(bytes))
        return errno ? -2 : -1;
    return (unsigned char)bytes->piece[bytes->at];
}

int bytes_next(struct bytes *bytes)
{
    int byte = bytes_peek(bytes);

    if (byte >= 0)
        bytes->at++;
    return byte;
}

size_t bytes_run(struct bytes *bytes, int stop, int other, const char **run)
{
    const char *begin, *end, *first;
    size_t length;

    if (bytes_peek(bytes) < 0)
        return 0;
    begin = bytes->piece + bytes->at;
    length = bytes->filled - bytes->at;
    first = memchr(begin, stop, length);
    end = first ? first : begin + length;
    first = other == stop ? NULL : memchr(begin, other, (size_t)(end - begin));
    if (first)
        end = first;
    *run = begin;
    bytes->at += (size_t)(end - begin);
    return (size_t)(end - begin);
}

uint64_t bytes_taken(const struct bytes *bytes)
{
    return bytes->before + bytes->at;
}

uint64_t bytes_size(const struct bytes *bytes)
{
    return bytes->size;
}
