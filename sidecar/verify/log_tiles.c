/*
 * A log of tiles, from a folder, a bucket or a server: the tree is computed anew from the entries, and compared with every
 * tile, with the checkpoint and with all heads of the log that are known.
 *
 * Memory does not grow with the log: a tile of hashes for each level, and the compact range.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

#define TILE_WIDTH 256
/* 256^8 leaves are more than a tree has. */
#define LEVELS 8
#define ENTRY_LENGTH (2 + SHA256_LENGTH)
#define FAULTS_SHOWN 10

typedef struct {
    uint64_t n;     /* of the tile that is being filled */
    unsigned width; /* how far it is */
    uint8_t hashes[TILE_WIDTH][SHA256_LENGTH];
} Level;

typedef struct {
    Report *report;
    Heads *heads;
    const Audit *audit;
    const char *location;
    const SignedCheckpoint *signed_;
    char *division;
    MerkleRange range; /* of whole tiles */
    Level levels[LEVELS];
    uint64_t tiles, events; /* compared */
    unsigned faults;
} Walk;

bool log_is_location(const char *location)
{
    size_t length = strlen(location);
    struct stat status;

    if (input_is_remote(location))
        return length > 0 && location[length - 1] == '/';
    if (strncmp(location, "file://", 7) == 0)
        location += 7;
    return strcmp(location, "-") != 0 && stat(location, &status) == 0 && S_ISDIR(status.st_mode);
}

/* So many faults of one kind are named. */
static bool may_tell(Walk *walk)
{
    return walk->faults++ < FAULTS_SHOWN;
}

/* tile/<level>/<n>[.p/<width>]: three digits a folder, all but the last after an x. */
static void tile_path(char *path, size_t size, const char *level, uint64_t n, unsigned width)
{
    char digits[24];
    size_t length, at = (size_t)snprintf(path, size, "tile/%s/", level), groups;

    length = (size_t)snprintf(digits, sizeof(digits), "%03llu", (unsigned long long)n);
    groups = (length + 2) / 3;
    if (length % 3 != 0) {
        memmove(digits + (3 - length % 3), digits, length + 1);
        memset(digits, '0', 3 - length % 3);
    }
    for (size_t i = 0; i < groups; i++)
        at += (size_t)snprintf(path + at, size - at, "%s%.3s%s", i + 1 < groups ? "x" : "", digits + 3 * i, i + 1 < groups ? "/" : "");
    if (width < TILE_WIDTH)
        snprintf(path + at, size - at, ".p/%u", width);
}

static bool read_below(Input *input, const char *location, const char *path, size_t most, ByteBuffer *error)
{
    size_t length = strlen(location);
    char *whole;
    bool good;

    if (asprintf(&whole, "%s%s%s", location, length > 0 && location[length - 1] == '/' ? "" : "/", path) < 0) {
        fputs("reason-verify: out of memory\n", stderr);
        exit(VERDICT_UNCHECKED);
    }
    good = input_read_limited(input, whole, most, error);
    free(whole);
    return good;
}

/* A partial tile may have been removed once the whole one is there, and then begins as that one does. */
static bool read_tile(Walk *walk, Input *input, const char *level, uint64_t n, unsigned width, size_t unit, char path[80])
{
    ByteBuffer error;
    Input whole;
    bool good, exact = true;

    buffer_init(&error, NULL, NULL);
    tile_path(path, 80, level, n, width);
    good = read_below(input, walk->location, path, TILE_WIDTH * unit, &error);
    if (!good && width < TILE_WIDTH) {
        char whole_path[80];
        ByteBuffer other;

        buffer_init(&other, NULL, NULL);
        tile_path(whole_path, sizeof(whole_path), level, n, TILE_WIDTH);
        good = read_below(&whole, walk->location, whole_path, TILE_WIDTH * unit, &other);
        if (good) {
            input_free(input);
            *input = whole;
            exact = false;
            memcpy(path, whole_path, sizeof(whole_path));
        } else
            input_free(&whole);
        buffer_free(&other);
    }
    if (!good && may_tell(walk))
        report_add(walk->report, FINDING_UNCHECKED, "tiles", "%.*s", (int)error.length, error.data);
    if (good && (exact ? input->bytes.length != width * unit : input->bytes.length != TILE_WIDTH * unit)) {
        if (may_tell(walk))
            report_add(walk->report, FINDING_BAD, "tiles", "%s has %zu bytes, not those of %u hashes", path, input->bytes.length,
                       exact ? width : TILE_WIDTH);
        good = false;
    }
    buffer_free(&error);
    return good;
}

/* The tile that the level holds, against the one that is published. */
static void compare_tile(Walk *walk, int number, const Level *level)
{
    char name[4], path[80];
    Input input;

    snprintf(name, sizeof(name), "%d", number);
    if (read_tile(walk, &input, name, level->n, level->width, SHA256_LENGTH, path)) {
        if (memcmp(input.bytes.data, level->hashes, level->width * SHA256_LENGTH) == 0)
            walk->tiles++;
        else if (may_tell(walk))
            report_add(walk->report, FINDING_BAD, "tiles", "%s is not what the entries give", path);
    }
    input_free(&input);
}

/* The root over a whole tile. */
static void tile_root(const Level *level, uint8_t root[SHA256_LENGTH])
{
    uint8_t hashes[TILE_WIDTH][SHA256_LENGTH];

    memcpy(hashes, level->hashes, sizeof(hashes));
    for (unsigned count = TILE_WIDTH; count > 1; count /= 2) {
        for (unsigned i = 0; i < count / 2; i++)
            merkle_node_hash(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    }
    memcpy(root, hashes[0], SHA256_LENGTH);
}

/* A whole tile at level 0 is one hash at level 1, and so on. */
static void close_tile(Walk *walk)
{
    for (int number = 0; number < LEVELS && walk->levels[number].width == TILE_WIDTH; number++) {
        Level *level = &walk->levels[number];
        uint8_t root[SHA256_LENGTH];

        compare_tile(walk, number, level);
        tile_root(level, root);
        if (number == 0)
            merkle_range_append_subtree(&walk->range, 8, root);
        if (number + 1 < LEVELS)
            memcpy(walk->levels[number + 1].hashes[walk->levels[number + 1].width++], root, SHA256_LENGTH);
        level->n++;
        level->width = 0;
    }
}

static void compare_root(Walk *walk, Head *head, const uint8_t root[SHA256_LENGTH])
{
    head->compared = true;
    if (memcmp(root, head->root, SHA256_LENGTH) != 0)
        report_add(walk->report, FINDING_BAD, head->noted ? "noted" : "heads", "at %llu events it was not the log that %s names",
                   (unsigned long long)head->size, head->label);
    else
        report_add(walk->report, FINDING_OK, head->noted ? "noted" : "heads", "at %llu events it was the log that %s names",
                   (unsigned long long)head->size, head->label);
}

static bool is_of_log(const Walk *walk, const Head *head)
{
    const NoteText *origin = &walk->signed_->checkpoint.origin;

    return strlen(head->origin) == origin->length && memcmp(head->origin, origin->data, origin->length) == 0;
}

/* The root of the first `size` leaves, of which the last ones are in the open tile. */
static void root_at(const Walk *walk, uint64_t size, uint8_t root[SHA256_LENGTH])
{
    MerkleRange range = walk->range;

    for (uint64_t i = range.size; i < size; i++)
        merkle_range_append(&range, walk->levels[0].hashes[i - walk->range.size]);
    merkle_range_root(&range, root);
}

/* Heads of sizes that end in the open tile, or, at the very beginning, of the empty log. */
static void compare_heads(Walk *walk)
{
    uint64_t first = walk->range.size, last = first + walk->levels[0].width;
    uint8_t root[SHA256_LENGTH];

    for (size_t i = 0; i < walk->heads->count; i++) {
        Head *head = &walk->heads->heads[i];

        if (!is_of_log(walk, head) || head->size > last || (head->size <= first && !(head->size == 0 && first == 0)))
            continue;
        root_at(walk, head->size, root);
        compare_root(walk, head, root);
    }
}

static void compare_event(Walk *walk, uint64_t seq, const uint8_t hash[SHA256_LENGTH])
{
    const uint8_t *archived = walk->audit ? audit_hash_of(walk->audit, walk->division, seq) : NULL;

    if (!archived)
        return;
    walk->events++;
    if (memcmp(archived, hash, SHA256_LENGTH) != 0 && may_tell(walk))
        report_add(walk->report, FINDING_BAD, "archive", "event %llu of the archive is not the one in the log", (unsigned long long)seq);
}

/* Entries become leaves of the open tile; false when they cannot be had. */
static bool read_entries(Walk *walk, uint64_t n, unsigned width)
{
    Level *level = &walk->levels[0];
    char path[80];
    Input input;
    bool good = read_tile(walk, &input, "entries", n, width, ENTRY_LENGTH, path);

    for (unsigned i = 0; good && i < width; i++) {
        const uint8_t *entry = (const uint8_t *)input.bytes.data + i * ENTRY_LENGTH;

        if (entry[0] != 0 || entry[1] != SHA256_LENGTH) {
            report_add(walk->report, FINDING_BAD, "entries", "entry %u of %s is not the hash of an event", i, path);
            good = false;
            break;
        }
        merkle_leaf_hash(entry + 2, SHA256_LENGTH, level->hashes[i]);
        compare_event(walk, n * TILE_WIDTH + i, entry + 2);
    }
    level->width = good ? width : 0;
    input_free(&input);
    return good;
}

/* False when it had to stop before the end. */
static bool walk_log(Walk *walk)
{
    uint64_t size = walk->signed_->checkpoint.size;

    if (size == 0)
        compare_heads(walk);
    for (uint64_t n = 0; n * TILE_WIDTH < size; n++) {
        uint64_t left = size - n * TILE_WIDTH;

        if (!read_entries(walk, n, left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH))
            return false;
        compare_heads(walk);
        close_tile(walk);
        if (walk->faults > FAULTS_SHOWN)
            return false;
    }
    return true;
}

/* What remains on the right: partial tiles, and the root. */
static void finish(Walk *walk)
{
    const Checkpoint *checkpoint = &walk->signed_->checkpoint;
    uint8_t root[SHA256_LENGTH];

    for (int number = 0; number < LEVELS; number++) {
        if (walk->levels[number].width > 0)
            compare_tile(walk, number, &walk->levels[number]);
    }
    root_at(walk, checkpoint->size, root);
    if (memcmp(root, checkpoint->root, SHA256_LENGTH) != 0)
        report_add(walk->report, FINDING_BAD, "tree", "the entries do not give the checkpoint's root");
    else
        report_add(walk->report, FINDING_OK, "tree", "%llu entries give the checkpoint's root", (unsigned long long)checkpoint->size);
    if (walk->faults == 0)
        report_add(walk->report, FINDING_OK, "tiles", "%llu compared: what the entries give", (unsigned long long)walk->tiles);
}

static void tell_what_was_not_compared(Walk *walk)
{
    uint64_t size = walk->signed_->checkpoint.size, beyond;

    for (size_t i = 0; i < walk->heads->count; i++) {
        Head *head = &walk->heads->heads[i];

        if (!is_of_log(walk, head) || head->size <= size)
            continue;
        head->compared = true;
        report_add(walk->report, head->noted ? FINDING_BAD : FINDING_UNCHECKED, head->noted ? "noted" : "heads",
                   "the log had %llu events by %s, and has %llu here: its end was cut off, or this is older",
                   (unsigned long long)head->size, head->label, (unsigned long long)size);
    }
    beyond = walk->audit ? audit_events_from(walk->audit, walk->division, size) : 0;
    if (walk->events > 0 && walk->faults == 0)
        report_add(walk->report, FINDING_OK, "archive", "%llu events of the archive are the ones in the log",
                   (unsigned long long)walk->events);
    if (beyond > 0)
        report_add(walk->report, FINDING_NOTE, "archive", "%llu events of the archive lie behind the checkpoint",
                   (unsigned long long)beyond);
}

static void check_tree(Walk *walk)
{
    Bytes division = log_division(&walk->signed_->checkpoint.origin);

    walk->division = strndup(division.data, division.length);
    merkle_range_init(&walk->range);
    if (walk->division && walk_log(walk))
        finish(walk);
    if (walk->division)
        tell_what_was_not_compared(walk);
    if (!walk->division || (report_verdict(walk->report) == VERDICT_VERIFIED
                            && !heads_remember(walk->heads, walk->location, &walk->signed_->checkpoint)))
        report_add(walk->report, FINDING_UNCHECKED, "log", "out of memory");
    free(walk->division);
}

void verify_log(Report *report, const LogTrust *trust, Heads *heads, const Audit *audit, const char *location)
{
    Walk *walk = calloc(1, sizeof(*walk));
    SignedCheckpoint *signed_ = calloc(1, sizeof(*signed_));
    ByteBuffer error;
    Input input;

    buffer_init(&error, NULL, NULL);
    if (!walk || !signed_) {
        report_add(report, FINDING_UNCHECKED, "log", "out of memory");
    } else if (!read_below(&input, location, "checkpoint", NOTE_BYTES_MOST, &error)) {
        report_add(report, FINDING_UNCHECKED, "checkpoint", "%.*s", (int)error.length, error.data);
        input_free(&input);
    } else {
        bool read = log_read_checkpoint(trust, report, input.bytes.data, input.bytes.length, KEY_TIME_BEGIN, signed_);

        report->events = signed_->checkpoint.size;
        if (read && report_verdict(report) != VERDICT_REFUSED) {
            *walk = (Walk){.report = report, .heads = heads, .audit = audit, .location = location, .signed_ = signed_};
            check_tree(walk);
        }
        input_free(&input);
    }
    buffer_free(&error);
    free(signed_);
    free(walk);
}
