/*
 * journal.c: what an import has done so far, in a file.
 *
 * Lines: reason-import 1; id UUID; records N; target NAME; input …, one each; then
 * at PLACE, sent KIND NUMBER HASH TRANSACTION, done KIND NUMBER HASH REFUSED. A last line without its end was cut by a crash, and is dropped.
 */
#include "import/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "reason-import 1"
#define BATCHES_MOST ((uint64_t) 1 << 28)
/* No batch is so far ahead of all before it: each of a few connections writes the next. */
#define AHEAD_MOST 65536

struct entry {
    uint64_t hash, transaction;
    int refused;
    bool noted, done;
};

struct journal {
    FILE *file;                 /* NULL: nothing is kept */
    char *path;
    char *where;                /* it writes; NULL: to be noted */
    pthread_mutex_t lock;
    struct entry *entries[KINDS];
    uint64_t counts[KINDS];
};

static bool grow(struct journal *journal, enum kind kind, uint64_t number)
{
    uint64_t count = journal->counts[kind];
    struct entry *larger;

    if (number < count)
        return true;
    if (number >= BATCHES_MOST || number > count + AHEAD_MOST)
        return false;
    count = number < 512 ? 1024 : number * 2;
    larger = realloc(journal->entries[kind], count * sizeof(*larger));
    if (!larger)
        return false;
    memset(larger + journal->counts[kind], 0, (count - journal->counts[kind]) * sizeof(*larger));
    journal->entries[kind] = larger;
    journal->counts[kind] = count;
    return true;
}

static bool kind_of(const char *name, enum kind *kind)
{
    for (*kind = NODES; *kind < KINDS; (*kind)++)
        if (strcmp(kind_names[*kind], name) == 0)
            return true;
    return false;
}

/* One line of what was done. */
static bool take_line(struct journal *journal, const char *line)
{
    char word[8], name[8];
    uint64_t number, hash, last = 0;    /* its transaction, or how many records were refused */
    int fields = sscanf(line, "%7s %7s %" SCNu64 " %" SCNx64 " %" SCNu64, word, name, &number, &hash, &last);
    bool done = fields == 5 && strcmp(word, "done") == 0, sent = fields == 5 && strcmp(word, "sent") == 0;
    enum kind kind;
    struct entry *entry;

    if (strncmp(line, "at ", 3) == 0 && !journal->where) {
        journal->where = strndup(line + 3, strcspn(line + 3, "\n"));
        return journal->where != NULL;
    }
    if (done && last > INT_MAX)
        return false;
    if ((!done && !sent) || !kind_of(name, &kind) || !grow(journal, kind, number))
        return false;
    entry = &journal->entries[kind][number];
    *entry = (struct entry){.hash = hash, .transaction = sent ? last : 0, .refused = done ? (int)last : 0, .noted = true, .done = done};
    return true;
}

/* The lines before what was done; false: it is of another import. */
static bool take_head(FILE *file, struct journal_head *head, char why[WHY_SIZE])
{
    char *line = NULL, id[UUID_TEXT_LENGTH + 1] = "", target[16] = "";
    size_t size = 0;
    ssize_t length;
    const char *inputs = head->inputs;
    bool ok = getline(&line, &size, file) > 0 && strcmp(line, FIRST_LINE "\n") == 0;

    ok = ok && getline(&line, &size, file) > 0 && sscanf(line, "id %36s", id) == 1 && uuid_read_text(id, strlen(id), head->import_id);
    ok = ok && getline(&line, &size, file) > 0 && sscanf(line, "records %ld", &head->records) == 1 && head->records > 0;
    ok = ok && getline(&line, &size, file) > 0 && sscanf(line, "target %15s", target) == 1;
    if (!ok)
        snprintf(why, WHY_SIZE, "it is no journal of an import");
    else if (strcmp(target, head->target) != 0) {
        snprintf(why, WHY_SIZE, "it is of an import over %s", target);
        ok = false;
    }
    while (ok && *inputs) {
        size_t expected = strcspn(inputs, "\n") + 1;

        length = getline(&line, &size, file);
        ok = length == (ssize_t)expected && strncmp(line, inputs, expected) == 0;
        if (!ok)
            snprintf(why, WHY_SIZE, "it is of an import of other files, or of these as they were; remove it to begin anew");
        inputs += expected;
    }
    free(line);
    return ok;
}

static bool take(struct journal *journal, struct journal_head *head, char why[WHY_SIZE])
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    off_t whole;
    bool ok = take_head(journal->file, head, why);

    whole = ftello(journal->file);
    while (ok && (length = getline(&line, &size, journal->file)) > 0 && line[length - 1] == '\n') {
        whole = ftello(journal->file);
        ok = take_line(journal, line);
        if (!ok)
            snprintf(why, WHY_SIZE, "a line cannot be understood: %.100s", line);
    }
    free(line);
    if (ok && (ftruncate(fileno(journal->file), whole) != 0 || fseeko(journal->file, whole, SEEK_SET) != 0)) {
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
        ok = false;
    }
    return ok;
}

static bool begin(struct journal *journal, const struct journal_head *head, char why[WHY_SIZE])
{
    char id[UUID_TEXT_LENGTH + 1];

    uuid_write_text(id, head->import_id);
    fprintf(journal->file, FIRST_LINE "\nid %s\nrecords %ld\ntarget %s\n%s", id, head->records, head->target, head->inputs);
    if (fflush(journal->file) == 0 && fsync(fileno(journal->file)) == 0)
        return true;
    snprintf(why, WHY_SIZE, "%s", strerror(errno));
    unlink(journal->path);
    return false;
}

struct journal *journal_open(const char *path, struct journal_head *head, bool *continued, char why[WHY_SIZE])
{
    struct journal *journal = calloc(1, sizeof(*journal));
    struct stat about;
    int fd;

    *continued = false;
    if (!journal) {
        snprintf(why, WHY_SIZE, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&journal->lock, NULL);
    if (!path)
        return journal;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0 || fstat(fd, &about) != 0)
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
    else if (!S_ISREG(about.st_mode))
        snprintf(why, WHY_SIZE, "it is no file");
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        snprintf(why, WHY_SIZE, "another import has it");
    else if ((journal->path = strdup(path)) != NULL && (journal->file = fdopen(fd, "r+")) != NULL) {
        fd = -1;
        *continued = about.st_size > 0;
        if (*continued ? take(journal, head, why) : begin(journal, head, why))
            return journal;
    } else
        snprintf(why, WHY_SIZE, "out of memory");
    if (fd >= 0)
        close(fd);
    journal_close(journal);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    if (journal->file)
        fclose(journal->file);
    for (enum kind kind = NODES; kind < KINDS; kind++)
        free(journal->entries[kind]);
    pthread_mutex_destroy(&journal->lock);
    free(journal->where);
    free(journal->path);
    free(journal);
}

bool journal_is_at(struct journal *journal, const char *where, char why[WHY_SIZE])
{
    bool ok = true;

    if (!journal->file)
        return true;
    pthread_mutex_lock(&journal->lock);
    if (!journal->where) {
        journal->where = strdup(where);
        ok = journal->where && fprintf(journal->file, "at %s\n", where) > 0 && fflush(journal->file) == 0;
        if (!ok)
            snprintf(why, WHY_SIZE, "%.200s: %s", journal->path, strerror(errno));
    } else if (strcmp(journal->where, where) != 0) {
        snprintf(why, WHY_SIZE, "%.200s is of an import into another database or gateway: give another --journal, or remove it to begin anew", journal->path);
        ok = false;
    }
    pthread_mutex_unlock(&journal->lock);
    return ok;
}

void journal_remove(struct journal *journal)
{
    if (journal->path)
        unlink(journal->path);
}

enum journal_state journal_look_up(struct journal *journal, struct batch *batch)
{
    const struct entry *entry;
    enum journal_state state = JOURNAL_NEW;

    pthread_mutex_lock(&journal->lock);
    if (batch->number < journal->counts[batch->kind]) {
        entry = &journal->entries[batch->kind][batch->number];
        if (entry->noted) {
            state = entry->hash != batch->hash ? JOURNAL_OTHER : entry->done ? JOURNAL_DONE : JOURNAL_NEW;
            batch->transaction = entry->transaction;
            batch->refused = state == JOURNAL_DONE ? entry->refused : 0;
        }
    }
    pthread_mutex_unlock(&journal->lock);
    return state;
}

bool journal_note_sent(struct journal *journal, const struct batch *batch, char why[WHY_SIZE])
{
    bool ok;

    if (!journal->file)
        return true;
    pthread_mutex_lock(&journal->lock);
    ok = fprintf(journal->file, "sent %s %" PRIu64 " %" PRIx64 " %" PRIu64 "\n", kind_names[batch->kind], batch->number, batch->hash, batch->transaction) > 0
         && fflush(journal->file) == 0;
    pthread_mutex_unlock(&journal->lock);
    /* Others may note meanwhile. */
    ok = ok && fdatasync(fileno(journal->file)) == 0;
    if (!ok)
        snprintf(why, WHY_SIZE, "%.200s: %s", journal->path, strerror(errno));
    return ok;
}

bool journal_note_done(struct journal *journal, const struct batch *batch, char why[WHY_SIZE])
{
    bool ok;

    if (!journal->file)
        return true;
    pthread_mutex_lock(&journal->lock);
    ok = fprintf(journal->file, "done %s %" PRIu64 " %" PRIx64 " %d\n", kind_names[batch->kind], batch->number, batch->hash, batch->refused) > 0
         && fflush(journal->file) == 0;
    pthread_mutex_unlock(&journal->lock);
    if (!ok)
        snprintf(why, WHY_SIZE, "%.200s: %s", journal->path, strerror(errno));
    return ok;
}
