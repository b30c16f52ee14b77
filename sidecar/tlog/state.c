/* state.c: the file that holds what was signed last. */
#include "tlog/state.h"

#include "base/doorbell.h"
#include "base/log.h"
#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LINE "reason-sidecar log 1\n"
#define LAST_LINE "sha256 "
/* 64 hashes in hexadecimal, and what stands around them */
#define LINE_SIZE (64 * 65 + 2048)
#define FILE_MOST (256L * 1024 * 1024)
#define PATH_SIZE 4096
#define LOCK_MS 10000
#define LOCK_STEP_MS 5

/* ---------------------------------------------------------------- divisions */

static size_t place_of(const struct log_state *state, const char *name)
{
    size_t low = 0, high = state->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(state->divisions[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct log_division *log_state_find(const struct log_state *state, const char *name)
{
    size_t place = place_of(state, name);

    return place < state->count && !strcmp(state->divisions[place]->name, name) ? state->divisions[place] : NULL;
}

struct log_division *log_state_add(struct log_state *state, const char *name)
{
    struct log_division *found = log_state_find(state, name), **larger;
    size_t place = place_of(state, name);

    if (found || !division_name_is_valid(name, strlen(name)))
        return found;
    larger = realloc(state->divisions, (state->count + 1) * sizeof(*larger));
    if (!larger)
        return NULL;
    state->divisions = larger;
    found = calloc(1, sizeof(*found));
    if (!found)
        return NULL;
    strcpy(found->name, name);
    memmove(larger + place + 1, larger + place, (state->count - place) * sizeof(*larger));
    larger[place] = found;
    state->count++;
    return found;
}

void log_state_free(struct log_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        free(state->divisions[i]->keys);
        free(state->divisions[i]->closed);
        free(state->divisions[i]);
    }
    free(state->divisions);
    state->divisions = NULL;
    state->count = 0;
}

bool log_division_key(struct log_division *division, uint64_t from, const char *signer, const uint8_t public_key[32])
{
    const struct log_key *last = division->key_count ? &division->keys[division->key_count - 1] : NULL;
    struct log_key *larger;

    if (last && !strcmp(last->signer, signer) && !memcmp(last->public_key, public_key, 32))
        return true;
    larger = realloc(division->keys, (division->key_count + 1) * sizeof(*larger));
    if (!larger)
        return false;
    division->keys = larger;
    larger += division->key_count++;
    larger->from = from;
    memcpy(larger->public_key, public_key, 32);
    snprintf(larger->signer, sizeof(larger->signer), "%s", signer);
    return true;
}

const struct log_key *log_division_key_of(const struct log_division *division, uint64_t seq)
{
    const struct log_key *found = NULL;

    for (size_t i = 0; i < division->key_count && division->keys[i].from <= seq; i++)
        found = &division->keys[i];
    return found;
}

/* The mark that is left out is the one between whose neighbours least time lies, measured against its age. */
static size_t least_mark(const struct log_division *division, int64_t now)
{
    const struct log_mark *marks = division->marks;
    size_t least = 1;
    double smallest = 0;

    for (size_t i = 1; i + 1 < division->mark_count; i++) {
        double gap = (double)(marks[i + 1].seconds - marks[i - 1].seconds) / (double)(now - marks[i].seconds + 1);

        if (i == 1 || gap < smallest) {
            smallest = gap;
            least = i;
        }
    }
    return least;
}

bool log_division_mark(struct log_division *division, int64_t now)
{
    const struct log_mark *last;

    /* the clock was ahead: what was signed by then says nothing of now, and no other mark would be made until then */
    while (division->mark_count > 0 && division->marks[division->mark_count - 1].seconds > now)
        division->mark_count--;
    last = division->mark_count ? &division->marks[division->mark_count - 1] : NULL;
    if (division->signed_range.size == 0
        || (last && (last->size >= division->signed_range.size || now < last->seconds + LOG_MARK_SECONDS)))
        return false;
    if (division->mark_count == LOG_MARKS) {
        size_t least = least_mark(division, now);

        division->mark_count--;
        memmove(division->marks + least, division->marks + least + 1, (division->mark_count - least) * sizeof(division->marks[0]));
    }
    division->marks[division->mark_count++] = (struct log_mark){division->signed_range.size, now};
    return true;
}

uint64_t log_division_signed_by(const struct log_division *division, int64_t seconds)
{
    uint64_t size = 0;

    for (size_t i = 0; i < division->mark_count && division->marks[i].seconds <= seconds; i++)
        size = division->marks[i].size;
    return size;
}

static bool add_closed(struct log_division *division, const char *origin, uint64_t size, const MerkleHash root)
{
    struct log_closed *larger = realloc(division->closed, (division->closed_count + 1) * sizeof(*larger));

    if (!larger)
        return false;
    division->closed = larger;
    larger += division->closed_count++;
    snprintf(larger->origin, sizeof(larger->origin), "%s", origin);
    larger->size = size;
    memcpy(larger->root, root, sizeof(larger->root));
    return true;
}

bool log_division_close(struct log_division *division)
{
    MerkleHash root;

    merkle_range_root(&division->signed_range, root);
    if (!add_closed(division, division->origin[0] ? division->origin : "-", division->signed_range.size, root))
        return false;
    merkle_range_init(&division->signed_range);
    division->head_signer[0] = '\0';
    division->recorded = division->checkpoint_size = division->published = 0;
    division->key_count = division->mark_count = 0;
    return true;
}

/* ---------------------------------------------------------------- reading */

static bool read_hex(const char *text, uint8_t *bytes, size_t length)
{
    size_t got;
    const char *end;

    return text && strlen(text) == 2 * length && sodium_hex2bin(bytes, length, text, 2 * length, NULL, &got, &end) == 0 && got == length && !*end;
}

static bool read_number(const char *text, uint64_t *number)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !*end && !errno && *number <= MERKLE_MAX_SIZE;
}

static bool read_text(const char *text, char *field, size_t size)
{
    return text && (size_t)snprintf(field, size, "%s", text) < size;
}

/* They ascend, as they were written. */
static bool read_mark(struct log_division *division, const char *size, const char *seconds)
{
    struct log_mark *mark = &division->marks[division->mark_count];
    uint64_t number;

    if (division->mark_count == LOG_MARKS || !read_number(size, &mark->size) || !read_number(seconds, &number)
        || (division->mark_count > 0 && (mark->size <= mark[-1].size || (int64_t)number < mark[-1].seconds)))
        return false;
    mark->seconds = (int64_t)number;
    division->mark_count++;
    return true;
}

static bool read_range(const char *size, char *hashes, MerkleRange *range)
{
    char *rest = hashes;
    int count;

    merkle_range_init(range);
    if (!read_number(size, &range->size))
        return false;
    count = merkle_range_count(range);
    for (int i = 0; i < count; i++)
        if (!read_hex(strtok_r(i ? NULL : hashes, ",", &rest), range->hashes[i], MERKLE_HASH_LENGTH))
            return false;
    return count == 0 ? hashes && !strcmp(hashes, "-") : !*rest;
}

/* A line without its end. */
static bool take_line(struct log_state *state, struct log_division **division, char *line)
{
    char *rest, *what = strtok_r(line, " ", &rest), *a = strtok_r(NULL, " ", &rest), *b = strtok_r(NULL, " ", &rest);
    const char *c = rest;
    uint64_t number;
    uint8_t bytes[32];

    if (what && !strcmp(what, "division")) {
        if (!a || log_state_find(state, a))
            return false;
        *division = log_state_add(state, a);
        return *division && read_text(b && !strcmp(b, "-") ? "" : b, (*division)->origin, LOG_ORIGIN_SIZE);
    }
    if (!what || !*division)
        return false;
    if (!strcmp(what, "signed"))
        return read_range(a, b, &(*division)->signed_range);
    if (!strcmp(what, "head"))
        return read_hex(a, (*division)->head_hash, MERKLE_HASH_LENGTH) && read_hex(b, (*division)->head_signature, LOG_SIGNATURE_LENGTH)
               && read_text(c, (*division)->head_signer, LOG_SIGNER_SIZE);
    if (!strcmp(what, "recorded"))
        return read_number(a, &(*division)->recorded);
    if (!strcmp(what, "checkpoint"))
        return read_number(a, &(*division)->checkpoint_size) && read_hex(b, (*division)->checkpoint_root, MERKLE_HASH_LENGTH);
    if (!strcmp(what, "published"))
        return read_number(a, &(*division)->published);
    if (!strcmp(what, "key"))
        return read_number(a, &number) && read_hex(b, bytes, sizeof(bytes)) && c && log_division_key(*division, number, c, bytes);
    if (!strcmp(what, "mark"))
        return read_mark(*division, a, b);
    if (!strcmp(what, "closed"))
        return a && read_number(b, &number) && read_hex(c, bytes, sizeof(bytes)) && add_closed(*division, a, number, bytes);
    return false;
}

/* Whether the text ends with the hash of what stands before; then it ends there. */
static bool take_checksum(char *text, size_t *length)
{
    uint8_t told[crypto_hash_sha256_BYTES], made[crypto_hash_sha256_BYTES];
    size_t last = strlen(LAST_LINE) + 2 * sizeof(told) + 1;
    char hex[2 * sizeof(told) + 1];

    if (*length < last || text[*length - 1] != '\n' || memcmp(text + *length - last, LAST_LINE, strlen(LAST_LINE)) != 0)
        return false;
    snprintf(hex, sizeof(hex), "%s", text + *length - last + strlen(LAST_LINE));
    *length -= last;
    text[*length] = '\0';
    crypto_hash_sha256(made, (const unsigned char *)text, *length);
    return read_hex(hex, told, sizeof(told)) && !memcmp(told, made, sizeof(told));
}

static bool parse(struct log_state *state, char *text, size_t length)
{
    struct log_division *division = NULL;
    char *rest, *line;

    if (memchr(text, '\0', length) || !take_checksum(text, &length) || strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
        return false;
    for (line = strtok_r(text + strlen(FIRST_LINE), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!take_line(state, &division, line))
            return false;
    return true;
}

static void keep_identity(struct log_state *state, const struct stat *status)
{
    state->inode = status->st_ino;
    state->modified_s = status->st_mtim.tv_sec;
    state->modified_ns = status->st_mtim.tv_nsec;
}

bool log_state_load(struct log_state *state, const char *path)
{
    struct stat status;
    FILE *file;
    char *text = NULL;
    size_t length = 0;
    bool ok;

    log_state_free(state);
    *state = (struct log_state){.path = path};
    if (!path[0] || (stat(path, &status) != 0 && errno == ENOENT))
        return true;
    file = plain_file_open(path);
    if (!file)
        return false;
    ok = fstat(fileno(file), &status) == 0 && status.st_size <= FILE_MOST && (text = malloc((size_t)status.st_size + 1));
    if (ok) {
        length = fread(text, 1, (size_t)status.st_size, file);
        text[length] = '\0';
        ok = length == (size_t)status.st_size && parse(state, text, length);
    }
    if (ok && (status.st_mode & 077) != 0) {
        log_error("\"%s\" must be readable by its owner alone", path);
        ok = false;
    } else if (!ok) {
        log_error("\"%s\" is not what a sidecar wrote: what was signed last is not known from it, so nothing is signed", path);
    }
    if (ok) {
        state->loaded = true;
        keep_identity(state, &status);
    } else {
        log_state_free(state);
    }
    fclose(file);
    free(text);
    return ok;
}

/* ---------------------------------------------------------------- writing */

static void write_hex(FILE *out, const uint8_t *bytes, size_t length, const char *after)
{
    char hex[2 * LOG_SIGNATURE_LENGTH + 1];

    fprintf(out, "%s%s", sodium_bin2hex(hex, sizeof(hex), bytes, length), after);
}

static void write_division(FILE *out, const struct log_division *division)
{
    int count = merkle_range_count(&division->signed_range);

    fprintf(out, "division %s %s\nsigned %" PRIu64 " ", division->name, division->origin[0] ? division->origin : "-", division->signed_range.size);
    for (int i = 0; i < count; i++)
        write_hex(out, division->signed_range.hashes[i], MERKLE_HASH_LENGTH, i + 1 < count ? "," : "\n");
    if (count == 0)
        fputs("-\n", out);
    if (division->head_signer[0]) {
        fputs("head ", out);
        write_hex(out, division->head_hash, MERKLE_HASH_LENGTH, " ");
        write_hex(out, division->head_signature, LOG_SIGNATURE_LENGTH, " ");
        fprintf(out, "%s\n", division->head_signer);
    }
    fprintf(out, "recorded %" PRIu64 "\n", division->recorded);
    if (division->checkpoint_size > 0) {
        fprintf(out, "checkpoint %" PRIu64 " ", division->checkpoint_size);
        write_hex(out, division->checkpoint_root, MERKLE_HASH_LENGTH, "\n");
        fprintf(out, "published %" PRIu64 "\n", division->published);
    }
    for (size_t i = 0; i < division->key_count; i++) {
        fprintf(out, "key %" PRIu64 " ", division->keys[i].from);
        write_hex(out, division->keys[i].public_key, 32, " ");
        fprintf(out, "%s\n", division->keys[i].signer);
    }
    for (size_t i = 0; i < division->mark_count; i++)
        fprintf(out, "mark %" PRIu64 " %" PRId64 "\n", division->marks[i].size, division->marks[i].seconds);
    for (size_t i = 0; i < division->closed_count; i++) {
        fprintf(out, "closed %s %" PRIu64 " ", division->closed[i].origin, division->closed[i].size);
        write_hex(out, division->closed[i].root, MERKLE_HASH_LENGTH, "\n");
    }
}

/* The file's text, from malloc(). */
static char *write_text(const struct log_state *state, size_t *length)
{
    char *text = NULL, *whole = NULL;
    uint8_t hash[crypto_hash_sha256_BYTES];
    FILE *out = open_memstream(&text, length);

    if (!out)
        return NULL;
    fputs(FIRST_LINE, out);
    for (size_t i = 0; i < state->count; i++)
        write_division(out, state->divisions[i]);
    if (fflush(out) == 0) {
        crypto_hash_sha256(hash, (const unsigned char *)text, *length);
        fputs(LAST_LINE, out);
        write_hex(out, hash, sizeof(hash), "\n");
    }
    if (fclose(out) == 0)
        whole = text;
    else
        free(text);
    return whole;
}

static bool is_same(const struct log_state *state, const struct stat *status)
{
    return status->st_ino == state->inode && status->st_mtim.tv_sec == state->modified_s && status->st_mtim.tv_nsec == state->modified_ns;
}

bool log_state_is_current(const struct log_state *state)
{
    struct stat status;

    if (!state->path || !state->path[0])
        return state->path != NULL;
    return stat(state->path, &status) == 0 ? is_same(state, &status) : errno == ENOENT && !state->inode;
}

bool log_state_is_gone(const struct log_state *state)
{
    struct stat status;

    return state->path && state->path[0] && state->inode && stat(state->path, &status) != 0 && errno == ENOENT;
}

static bool sync_directory_of(const char *path)
{
    char copy[PATH_SIZE];
    int fd;
    bool ok;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool write_whole(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Whoever else writes the file holds the lock for a moment; nobody is waited for much longer, or by a process that is to end. */
static bool take_lock(int fd)
{
    for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_STEP_MS) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited_ms >= LOCK_MS || doorbell_stopped())
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_STEP_MS * 1000000L}, NULL);
    }
    return true;
}

/*
 * A command that root gives beside the sidecar leaves the file to whom it belongs: to the owner of the one before, or of the directory. In a container
 * root may give nothing away (no CAP_CHOWN): what was nobody's before is its own then.
 */
static bool leave_to_owner(const char *path, int fd)
{
    char copy[PATH_SIZE];
    struct stat status;

    if (geteuid() != 0)
        return true;
    if (stat(path, &status) == 0)
        return fchown(fd, status.st_uid, status.st_gid) == 0;
    snprintf(copy, sizeof(copy), "%s", path);
    return stat(dirname(copy), &status) == 0 && (fchown(fd, status.st_uid, status.st_gid) == 0 || errno == EPERM);
}

/* Under the lock. */
static bool replace_file(struct log_state *state, const char *text, size_t length)
{
    char beside[PATH_SIZE];
    struct stat status;
    int fd;
    bool ok;

    snprintf(beside, sizeof(beside), "%s.new", state->path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ok = fd >= 0 && fchmod(fd, 0600) == 0 && leave_to_owner(state->path, fd) && write_whole(fd, text, length) && fsync(fd) == 0 && fstat(fd, &status) == 0
         && rename(beside, state->path) == 0 && sync_directory_of(state->path);
    if (ok)
        keep_identity(state, &status);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool log_state_save(struct log_state *state)
{
    char lock[PATH_SIZE], *text;
    size_t length;
    int fd;
    bool ok = false;

    if (!state->path[0])
        return true;
    if (snprintf(lock, sizeof(lock), "%s.lock", state->path) >= (int)sizeof(lock))
        return false;
    fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    text = write_text(state, &length);
    if (fd >= 0 && text && leave_to_owner(state->path, fd) && take_lock(fd)) {
        if (!log_state_is_current(state))
            log_error("\"%s\" was changed by another: it is read again before anything is signed", state->path);
        else if (!(ok = replace_file(state, text, length)))
            log_error("cannot write \"%s\": %s", state->path, strerror(errno));
    } else {
        log_error("cannot write \"%s\": %s", state->path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    free(text);
    return ok;
}
