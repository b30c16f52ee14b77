/*
 * record.h: what a witness remembers: of each log the latest checkpoint that it cosigned.
 *
 * One file a log, <directory>/<SHA-256 of the origin in hexadecimal>.note, which holds the signed note itself: what is
 * served to monitors is what is compared with. A file, and no database: one fact of some hundred bytes a log is replaced
 * as a whole, by one writer, some times a minute; rename() does that, and what lies there can be read by anybody with a
 * pager. It is written beside, synced, renamed, and its directory synced before anybody hears of the cosignature.
 *
 * A directory has one witness at a time: it is locked. Whoever sets it back to an earlier state makes the witness forget.
 */
#ifndef SIDECAR_WITNESS_RECORD_H
#define SIDECAR_WITNESS_RECORD_H

#include "core/buffer.h"

#include <stdbool.h>

/* The longest origin line has this room, and the longest note. */
#define RECORD_NOTE_MOST 65536
#define RECORD_NAME_LENGTH 64

struct record_directory {
    const char *path;
    int fd;                     /* of the directory, which is locked; -1: not open */
};

/* False after logging why not: it is not there, cannot be written, or, where it is to be locked, another process has it. */
bool record_open(struct record_directory *directory, const char *path, bool locks);
void record_close(struct record_directory *directory);

/* The name of an origin's files: 64 hexadecimal digits and a terminator. */
void record_name(char name[RECORD_NAME_LENGTH + 1], const char *origin, size_t length);

enum record_state { RECORD_NONE, RECORD_THERE, RECORD_UNREADABLE };

/* Appends the note to `note`. RECORD_UNREADABLE after logging why: it is not known what was cosigned, so nothing may be. */
enum record_state record_read(const struct record_directory *directory, const char *name, ByteBuffer *note);
/* Durable when it returns true; false after logging why not, and then the old note stands, or the new one does. */
bool record_write(const struct record_directory *directory, const char *name, const char *note, size_t length);
/* Keeps a note that contradicts the recorded one, as <name>.fork; the first is kept. */
void record_keep_fork(const struct record_directory *directory, const char *name, const char *note, size_t length);

#endif
