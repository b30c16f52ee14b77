/*
 * plain_file.h: files that hold secrets and settings.
 *
 * Whoever opens a FIFO waits for its writer, perhaps for ever: these are files, or they are refused.
 */
#ifndef SIDECAR_BASE_PLAIN_FILE_H
#define SIDECAR_BASE_PLAIN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Opens a file for reading without ever waiting; NULL after logging why not. */
FILE *plain_file_open(const char *path);
/* False when something other than a file or a directory lies there. What does not exist is for whoever opens it. */
bool plain_file_permits(const char *path);
/* Reads the first line of a file that holds a secret; false after logging why not: one that has no room is not cut. */
bool plain_file_read_secret(const char *path, char *secret, size_t size);

#endif
