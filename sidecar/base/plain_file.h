/*
 * plain_file.h: reading files that hold secrets and settings, and writing whole ones.
 *
 * Opening a FIFO waits for its writer, perhaps for ever, so anything but a file is refused.
 */
#ifndef SIDECAR_BASE_PLAIN_FILE_H
#define SIDECAR_BASE_PLAIN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Opens a file for reading without ever waiting; NULL after logging why not. */
FILE *plain_file_open(const char *path);
/* False when something other than a file or a directory lies there. A path that does not exist is left to the function that opens it. */
bool plain_file_permits(const char *path);
/* Reads the first line of a file that holds a secret; false after logging why not: one that has no room is not cut. */
bool plain_file_read_secret(const char *path, char *secret, size_t size);
/* Writes all of the bytes; false, with errno, when that cannot be. */
bool plain_file_write(int fd, const char *bytes, size_t length);

#endif
