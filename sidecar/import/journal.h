/*
 * journal.h: what an import has done so far, in a file, so that it can be gone on with.
 *
 * Whatever ends the process, each batch is known to be written, not to be, or to be looked up: before a transaction is
 * committed its number is on the disk, and the database knows how it ended. Threads may note side by side.
 */
#ifndef REASON_IMPORT_JOURNAL_H
#define REASON_IMPORT_JOURNAL_H

#include "core/uuid_text.h"
#include "import/batch.h"
#include "import/import.h"

struct journal;

/* What must be the same when an import is gone on with. */
struct journal_head {
    uint8_t import_id[UUID_BYTES];
    long records;               /* in a batch */
    const char *target;         /* "sql", "https" */
    const char *inputs;         /* a line each, with size and time */
};

enum journal_state { JOURNAL_NEW, JOURNAL_DONE, JOURNAL_OTHER };

/*
 * Opens or begins a journal; path NULL: nothing is kept. head is what a new one begins with; of one that there is, its id and records are
 * put there. NULL, with the reason: it cannot be, another process has it, or it is of another import.
 */
struct journal *journal_open(const char *path, struct journal_head *head, bool *continued, char why[WHY_SIZE]);
void journal_close(struct journal *journal);
/*
 * Whether the import writes where it began: a database or an address, whose name has no end of line. The first one is noted. False, with the
 * reason: it is another, or it could not be noted.
 */
bool journal_is_at(struct journal *journal, const char *where, char why[WHY_SIZE]);
/* The import has ended: the file is removed. */
void journal_remove(struct journal *journal);

/*
 * JOURNAL_DONE: without batch->refused of its records. JOURNAL_NEW: it is to be sent, after batch->transaction if that is not 0.
 * JOURNAL_OTHER: it was another batch then.
 */
enum journal_state journal_look_up(struct journal *journal, struct batch *batch);
/* batch->transaction is about to be committed. False, with the reason: that could not be noted. */
bool journal_note_sent(struct journal *journal, const struct batch *batch, char why[WHY_SIZE]);
bool journal_note_done(struct journal *journal, const struct batch *batch, char why[WHY_SIZE]);

#endif
