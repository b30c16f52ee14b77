/*
 * Reads a file, given by its path or as file:// URL; input_http.c reads all other URLs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify.h"

static bool fail(ByteBuffer *error, const char *location, const char *what)
{
    buffer_append(error, location, strlen(location));
    buffer_append_literal(error, ": ");
    buffer_append(error, what, strlen(what));
    return false;
}

/* -1, with the reason in `error`. Where a file must be one, nobody waits for the writer of a FIFO. */
static int open_file(const Input *input, const char *path, ByteBuffer *error)
{
    struct stat status;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | (input->may_compress ? O_NONBLOCK : 0));

    if (fd < 0)
        fail(error, path, strerror(errno));
    else if (input->may_compress && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        fail(error, path, "it is no file");
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool read_file(Input *input, const char *path, ByteBuffer *error)
{
    struct stat status;
    int fd = open_file(input, path, error);
    ssize_t got;

    if (fd < 0)
        return false;
    /* One byte more, so that the end is seen without growing again. */
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size < input->most)
        buffer_reserve(&input->bytes, (size_t)status.st_size + 1);
    do {
        if (!buffer_reserve(&input->bytes, 65536)) {
            errno = ENOMEM;
            got = -1;
            break;
        }
        got = read(fd, input->bytes.data + input->bytes.length, input->bytes.capacity - input->bytes.length);
        if (got > 0)
            input->bytes.length += (size_t)got;
        if (input->bytes.length > input->most) {
            errno = EFBIG;
            got = -1;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        fail(error, path, strerror(errno));
    if (fd != STDIN_FILENO)
        close(fd);
    return got == 0;
}

bool input_is_remote(const char *location)
{
    return strncmp(location, "s3://", 5) == 0 || strncmp(location, "https://", 8) == 0
           || strncmp(location, "http://", 7) == 0;
}

static bool read_location(Input *input, const char *location, size_t most, bool may_compress, ByteBuffer *error)
{
    static const char scheme[] = "file://";

    buffer_init(&input->bytes, NULL, NULL);
    buffer_init(&input->metadata, NULL, NULL);
    buffer_init(&input->version, NULL, NULL);
    input->version_asked = false;
    input->most = most;
    input->may_compress = may_compress;
    if (input_is_remote(location))
        return input_read_http(input, location, error);
    if (strncmp(location, scheme, sizeof(scheme) - 1) == 0)
        location += sizeof(scheme) - 1;
    return read_file(input, location, error);
}

bool input_read(Input *input, const char *location, ByteBuffer *error)
{
    return read_location(input, location, SIZE_MAX / 4, false, error);
}

bool input_read_limited(Input *input, const char *location, size_t most, ByteBuffer *error)
{
    return read_location(input, location, most, true, error);
}

void input_free(Input *input)
{
    buffer_free(&input->bytes);
    buffer_free(&input->metadata);
    buffer_free(&input->version);
}
