/* bytes.h: the bytes of a file or of standard input, piece by piece; without the byte order mark that it may begin with. */
#ifndef REASON_IMPORT_BYTES_H
#define REASON_IMPORT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;

/* "-" is standard input. NULL, with errno, when it cannot be read. */
struct bytes *bytes_open(const char *path);
void bytes_close(struct bytes *bytes);

/* The next byte; -1 at the end, -2 with errno when it cannot be read (EINTR: the import is to stop). */
int bytes_next(struct bytes *bytes);
/* The byte after that, which stays; -1 and -2 as above. */
int bytes_peek(struct bytes *bytes);
/*
 * Bytes up to the first that is `stop` or `other`, exclusively, as many as lie at hand: *run points to them until the next call.
 * 0 when the next byte is one of the two, or there is none.
 */
size_t bytes_run(struct bytes *bytes, int stop, int other, const char **run);

/* How many were taken, and of how many; 0: it is no regular file. */
uint64_t bytes_taken(const struct bytes *bytes);
uint64_t bytes_size(const struct bytes *bytes);

#endif
