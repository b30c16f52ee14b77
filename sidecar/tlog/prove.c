/* prove.c: the database compared with what was signed and published. */
#include "tlog/prove.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "tlog/reread.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE 32
/* A proof gives way to signing for so long */
#define PASS_MS 1000
/* So long a proof may wait for the database, and a little for each answer, unless refusals last for longer before they are a fault. */
#define PROOF_MS 10000
/* Signatures that are verified at once, while others wait for the lock. */
#define TAKE_MOST 8192

/* What the database has of a division. */
struct present {
    uint64_t sealed, signed_;   /* events */
    bool more;                  /* are signed than signed_, which are taken over next */
    uint64_t vouched;           /* so many a checkpoint of ours covers, which they extend */
    MerkleRange range;          /* of those that are signed there */
};

#define BREAK(kind, ...) (log_memory_break(proving->memory, METRIC_LOG_STOPS_##kind, __VA_ARGS__), LOG_BROKEN)

/* ---------------------------------------------------------------- hashes */

/* Adds events from the range's size on. False: they are not there, or tree->failed. */
static bool add_seals(struct proving *proving, struct tree *tree, uint64_t size, MerkleRange *range)
{
    while (range->size < size) {
        size_t wanted = size - range->size < PROVE_BLOCK ? (size_t)(size - range->size) : PROVE_BLOCK;
        MerkleHash leaf;

        if (tree_seals(tree, range->size, wanted, proving->block) != (long)wanted)
            return false;
        for (size_t i = 0; i < wanted; i++) {
            merkle_leaf_hash(proving->block[i], MERKLE_HASH_LENGTH, leaf);
            if (!merkle_range_append(range, leaf))
                return false;
        }
    }
    return true;
}

/* The tree of so many events: blocks by their roots, the last by its events. */
static bool read_range(struct proving *proving, struct tree *tree, uint64_t size, MerkleRange *range)
{
    return tree_range(tree, size / PROVE_BLOCK * PROVE_BLOCK, range) && add_seals(proving, tree, size, range);
}

static bool same_root(const MerkleRange *a, const MerkleRange *b)
{
    MerkleHash root_a, root_b;

    merkle_range_root(a, root_a);
    merkle_range_root(b, root_b);
    return a->size == b->size && !memcmp(root_a, root_b, sizeof(root_a));
}

static enum log_verdict prove_hashes(struct proving *proving, struct tree *tree, const struct log_division *division)
{
    MerkleRange there;

    if (read_range(proving, tree, division->signed_range.size, &there) && same_root(&there, &division->signed_range))
        return LOG_EXTENDS;
    if (tree->failed)
        return LOG_NOT_KNOWN;
    return BREAK(REWRITTEN, "the first %" PRIu64 " events of division \"%s\" are others than were signed", division->signed_range.size, division->name);
}

/* ---------------------------------------------------------------- signatures */

/* The last signature that was recorded, exactly; and some that are drawn at random. */
static enum log_verdict prove_signatures(struct proving *proving, const struct log_division *division, const struct present *present)
{
    uint64_t size = division->signed_range.size, most = present->signed_ < size ? present->signed_ : size, seqs[SAMPLE + 1];
    size_t count = 0;
    PGresult *result;
    enum log_verdict verdict = LOG_EXTENDS;

    if (present->signed_ < division->recorded)
        return BREAK(CUT, "%" PRIu64 " signatures of division \"%s\" were recorded, and %" PRIu64 " are here", division->recorded, division->name,
                     present->signed_);
    if (most == 0)
        return LOG_EXTENDS;
    seqs[count++] = most - 1;
    while (count < SAMPLE + 1 && count < most)
        seqs[count++] = ((uint64_t)randombytes_random() << 32 | randombytes_random()) % most;
    result = proving_signatures(proving, division->name, seqs, count);
    if (!result)
        return LOG_NOT_KNOWN;
    for (int row = 0; verdict == LOG_EXTENDS && row < PQntuples(result); row++) {
        uint64_t seq;
        bool is_seq = db_number(result, row, PROVING_SEQ, &seq), is_head = is_seq && seq == size - 1 && division->head_signer[0];
        uint8_t signature[LOG_SIGNATURE_LENGTH];
        MerkleHash hash;

        if (!is_seq || !proving_is_of_its_signer(proving, division, result, row)
            || (is_head && (strcmp(PQgetvalue(result, row, PROVING_SIGNER), division->head_signer) != 0
                            || !proving_take_hex(result, row, PROVING_HASH, hash, sizeof(hash)) || memcmp(hash, division->head_hash, sizeof(hash)) != 0
                            || !proving_take_hex(result, row, PROVING_SIGNATURE, signature, sizeof(signature))
                            || memcmp(signature, division->head_signature, sizeof(signature)) != 0)))
            verdict = BREAK(RESIGNED, "the signature of event %s of division \"%s\" is not the one that was made", PQgetvalue(result, row, PROVING_SEQ),
                            division->name);
    }
    if (verdict == LOG_EXTENDS && PQntuples(result) != (int)count)
        verdict = BREAK(RESIGNED, "signatures of division \"%s\" cannot be had", division->name);
    PQclear(result);
    return verdict;
}

/* ---------------------------------------------------------------- what is published */

/* The tree of size events, of which `range` holds a later one, against a checkpoint. */
static enum log_verdict prove_published(struct proving *proving, struct tree *tree, struct log_division *division, struct present *present,
                                        const struct published *published)
{
    MerkleHash root;
    unsigned epoch = division->origin[0] ? published_epoch(proving->outside->prefix, division->name, division->origin) : 0;

    /* whoever emptied it, or put something older there, takes away what would speak against the database */
    if (published->missed > 0 && published->missed == division->published) {
        log_error("the store no longer holds the checkpoint of %" PRIu64 " events of \"%s\" that was published there: it is published again",
                  division->published, division->origin);
        metrics_add(METRIC_LOG_FORGOTTEN, 1);
        division->published = 0;
        proving->changed = true;
    }
    if (published->size == 0 || published->epoch < epoch)
        return LOG_EXTENDS;
    if (epoch > 0 && published->epoch > epoch)
        return BREAK(PUBLISHED, "the store holds a checkpoint of \"%s\", which begins anew after \"%s\": somebody else has accepted a restore",
                     published->origin, division->origin);
    if (published->size > present->range.size)
        return BREAK(PUBLISHED, "the store holds a checkpoint of %" PRIu64 " events of division \"%s\", and %" PRIu64 " are signed here", published->size,
                     division->name, present->range.size);
    merkle_range_root(&present->range, root);
    /* what is remembered as signed was compared with it then */
    if (!(published->size <= division->signed_range.size && division->checkpoint_size == published->size
          && !memcmp(division->checkpoint_root, published->root, sizeof(root)))
        && !tree_extends(tree, published->size, published->root, present->range.size, root))
        return tree->failed ? LOG_NOT_KNOWN
                            : BREAK(PUBLISHED, "the store holds another checkpoint of %" PRIu64 " events of division \"%s\" than the events here give",
                                    published->size, division->name);
    if (published->size > present->vouched)
        present->vouched = published->size;
    if (published->size >= division->checkpoint_size) {
        proving->changed = proving->changed || published->size > division->checkpoint_size || !division->origin[0];
        division->checkpoint_size = published->size;
        memcpy(division->checkpoint_root, published->root, sizeof(root));
        strcpy(division->origin, published->origin);
    }
    return LOG_EXTENDS;
}

/* ---------------------------------------------------------------- taking over */

#define UNKNOWN "event %" PRIu64 " of division \"%s\" is signed by \"%.100s\", by no key of that name that is known outside the database (archive.registry_file)"

/* The next few events behind the range, each with its signature. */
static enum log_verdict take_some(struct proving *proving, struct tree *tree, struct log_division *division, const struct present *present, MerkleRange *range)
{
    uint64_t first = range->size, seqs[PROVE_SIGNATURES], seq;
    size_t count = present->signed_ - first < PROVE_SIGNATURES ? (size_t)(present->signed_ - first) : PROVE_SIGNATURES;
    PGresult *result;
    enum log_verdict verdict = LOG_EXTENDS;

    for (size_t i = 0; i < count; i++)
        seqs[i] = first + i;
    if (!add_seals(proving, tree, first + count, range))
        return tree->failed ? LOG_NOT_KNOWN : BREAK(CUT, "events of division \"%s\" cannot be had", division->name);
    result = proving_signatures(proving, division->name, seqs, count);
    if (!result)
        return LOG_NOT_KNOWN;
    if (PQntuples(result) != (int)count)
        verdict = BREAK(RESIGNED, "signatures of division \"%s\" cannot be had", division->name);
    for (size_t row = 0; verdict == LOG_EXTENDS && row < count; row++) {
        const char *signer = PQgetvalue(result, (int)row, PROVING_SIGNER);
        const struct log_key *key = NULL;

        if (db_number(result, (int)row, PROVING_SEQ, &seq) && seq == seqs[row]
            && proving_take_hex(result, (int)row, PROVING_HASH, division->head_hash, MERKLE_HASH_LENGTH)
            && !memcmp(division->head_hash, proving->block[row], MERKLE_HASH_LENGTH)
            && proving_take_hex(result, (int)row, PROVING_SIGNATURE, division->head_signature, LOG_SIGNATURE_LENGTH))
            key = log_signers_who(proving->signers, signer, division->head_hash, division->head_signature);
        if (!key)
            verdict = BREAK(RESIGNED, UNKNOWN, seqs[row], division->name, signer);
        else if (!log_division_key(division, seqs[row], key->signer, key->public_key))
            verdict = LOG_NOT_KNOWN;
        else
            strcpy(division->head_signer, key->signer);
    }
    PQclear(result);
    return verdict;
}

/* From the first event on that no checkpoint of ours covers; the last in any case, whose hash stands before the next. */
static enum log_verdict take_signatures(struct proving *proving, struct tree *tree, struct log_division *division, const struct present *present)
{
    static const uint8_t unknown[32];
    uint64_t before = division->signed_range.size, first = present->vouched > before ? present->vouched : before;
    enum log_verdict verdict = LOG_EXTENDS;
    MerkleRange range;

    if (first >= present->signed_)
        first = present->signed_ - 1;
    if (first > before && !log_division_key(division, before, "", unknown))
        return LOG_NOT_KNOWN;
    if (!tree_range(tree, first, &range))
        return tree->failed ? LOG_NOT_KNOWN : BREAK(CUT, "events of division \"%s\" cannot be had", division->name);
    while (verdict == LOG_EXTENDS && range.size < present->signed_)
        verdict = doorbell_stopped() ? LOG_NOT_KNOWN : take_some(proving, tree, division, present, &range);
    if (verdict == LOG_EXTENDS && !same_root(&range, &present->range))
        verdict = BREAK(REWRITTEN, "the events of division \"%s\" that were signed are not those of its tree", division->name);
    return verdict;
}

/* Remembers what the database has, as the others that led have signed it. */
static enum log_verdict take_over(struct proving *proving, struct tree *tree, struct log_division *division, const struct present *present)
{
    struct log_division old = *division;
    uint64_t before = division->signed_range.size;
    enum log_verdict verdict = take_signatures(proving, tree, division, present);

    if (verdict != LOG_EXTENDS) {
        memcpy(division->head_hash, old.head_hash, sizeof(old.head_hash));
        memcpy(division->head_signature, old.head_signature, sizeof(old.head_signature));
        strcpy(division->head_signer, old.head_signer);
        division->key_count = old.key_count;
        return verdict;
    }
    division->signed_range = present->range;
    division->recorded = present->signed_;
    proving->changed = true;
    if (before == 0)
        log_info("division \"%s\" is remembered from here on: %" PRIu64 " events", division->name, present->signed_);
    else
        log_info("another sidecar has signed events %" PRIu64 " to %" PRIu64 " of division \"%s\"", before, present->signed_ - 1, division->name);
    return LOG_EXTENDS;
}

/* ---------------------------------------------------------------- a division */

/* The first that was found published of this division; those that follow may be of it as well. */
static const struct published *first_found(const struct log_outside *outside, const char *division)
{
    size_t low = 0, high = outside->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(outside->list[middle].division, division) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return outside->list + low;
}

static bool is_found(const struct log_outside *outside, const struct published *found, const char *division)
{
    return found < outside->list + outside->count && !strcmp(found->division, division);
}

static enum log_verdict prove_presence(struct proving *proving, const struct log_division *division, const struct present *present)
{
    if (present->sealed == 0 && division->signed_range.size > 0)
        return BREAK(VANISHED, "division \"%s\", of which %" PRIu64 " events were signed, is gone", division->name, division->signed_range.size);
    if (present->sealed < division->signed_range.size)
        return BREAK(CUT, "%" PRIu64 " events of division \"%s\" were signed, and %" PRIu64 " are here", division->signed_range.size, division->name,
                     present->sealed);
    return LOG_EXTENDS;
}

/* Not more than is verified in a while; what the store holds a checkpoint of in any case. */
static void limit(const struct proving *proving, const struct log_division *division, struct present *present)
{
    uint64_t least = division->signed_range.size > division->checkpoint_size ? division->signed_range.size : division->checkpoint_size;

    for (const struct published *found = first_found(proving->outside, division->name); is_found(proving->outside, found, division->name); found++)
        if (found->size > least)
            least = found->size;
    present->more = present->signed_ > least && present->signed_ - least > TAKE_MOST;
    if (present->more)
        present->signed_ = least + TAKE_MOST;
}

/* A checkpoint that was found before what it covers could be taken over. */
static enum log_verdict prove_found(struct proving *proving, struct tree *tree, struct log_division *division, struct present *present)
{
    struct published found = {.size = division->checkpoint_size};

    if (found.size <= division->signed_range.size)
        return LOG_EXTENDS;
    strcpy(found.division, division->name);
    strcpy(found.origin, division->origin);
    found.epoch = published_epoch(proving->outside->prefix, division->name, division->origin);
    memcpy(found.root, division->checkpoint_root, sizeof(found.root));
    return prove_published(proving, tree, division, present, &found);
}

static enum log_verdict prove_division(struct proving *proving, struct log_division *division, struct present *present)
{
    struct tree tree = {.db = proving->db, .division = division->name};
    bool grown = present->signed_ > division->signed_range.size;
    enum log_verdict verdict = prove_presence(proving, division, present);
    MerkleHash old_root, new_root;

    limit(proving, division, present);
    if (verdict == LOG_EXTENDS)
        verdict = prove_hashes(proving, &tree, division);
    if (verdict == LOG_EXTENDS)
        verdict = prove_signatures(proving, division, present);
    if (verdict != LOG_EXTENDS)
        return verdict;
    present->range = division->signed_range;
    if (grown) {
        if (!read_range(proving, &tree, present->signed_, &present->range))
            return LOG_NOT_KNOWN;
        merkle_range_root(&division->signed_range, old_root);
        merkle_range_root(&present->range, new_root);
        if (!tree_extends(&tree, division->signed_range.size, old_root, present->range.size, new_root))
            return tree.failed ? LOG_NOT_KNOWN
                               : BREAK(REWRITTEN, "the events of division \"%s\" do not extend the %" PRIu64 " that were signed", division->name,
                                       division->signed_range.size);
    }
    verdict = prove_found(proving, &tree, division, present);
    for (const struct published *found = first_found(proving->outside, division->name);
         verdict == LOG_EXTENDS && is_found(proving->outside, found, division->name); found++)
        verdict = prove_published(proving, &tree, division, present, found);
    if (verdict == LOG_EXTENDS && grown && proving->signer)
        verdict = take_over(proving, &tree, division, present);
    if (verdict == LOG_EXTENDS && grown && proving->signer)
        verdict = prove_signatures(proving, division, present);
    if (verdict == LOG_EXTENDS && log_division_mark(division, time(NULL)))
        proving->changed = true;
    return verdict;
}

/* How many events there are now. False: the database did not answer. */
static bool read_sizes(struct proving *proving, const char *division, struct present *present)
{
    const char *parameters[] = {division};
    PGresult *sizes = db_call(proving->db, "SELECT sealed, signed FROM reason.log_sizes($1)", "?TT", 1, parameters, NULL);
    bool ok = sizes != NULL;

    *present = (struct present){0};
    if (sizes && PQntuples(sizes) == 1) {
        /* what is no number is none: then what was signed is gone */
        if (!db_number(sizes, 0, 0, &present->sealed) || !db_number(sizes, 0, 1, &present->signed_))
            *present = (struct present){0};
    }
    PQclear(sizes);
    return ok;
}

/* The division of this name, or the first after it; the name is then that of the next to be proved. */
static enum log_verdict prove_from(struct proving *proving, char name[DIVISION_NAME_LENGTH + 2], bool *found)
{
    struct log_memory *memory = proving->memory;
    struct log_division *division;
    struct present present;
    enum log_verdict verdict = LOG_NOT_KNOWN;

    *found = false;
    if (!log_memory_refresh(memory))
        return LOG_NOT_KNOWN;
    division = proving_division_from(&memory->state, name);
    if (!division)
        return LOG_EXTENDS;
    *found = true;
    strcpy(name, division->name);
    proving->changed = false;
    if (read_sizes(proving, division->name, &present))
        verdict = prove_division(proving, division, &present);
    if (verdict == LOG_EXTENDS && proving->changed && !log_state_save(&memory->state))
        verdict = LOG_NOT_KNOWN;
    if (verdict != LOG_EXTENDS || !present.more || !proving->signer)
        strcat(name, " ");
    return verdict;
}

/* A lock that is taken again at once is seldom got by another. */
static void let_signers_pass(struct log_memory *memory)
{
    for (int i = 0; atomic_load(&memory->signers_waiting) > 0 && i < PASS_MS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static enum log_verdict prove_divisions(struct proving *proving)
{
    char name[DIVISION_NAME_LENGTH + 2] = "";
    enum log_verdict verdict = LOG_EXTENDS;
    bool found = true;

    while (found && verdict == LOG_EXTENDS) {
        if (doorbell_stopped())
            return LOG_NOT_KNOWN;
        pthread_mutex_lock(&proving->memory->lock);
        verdict = prove_from(proving, name, &found);
        pthread_mutex_unlock(&proving->memory->lock);
        let_signers_pass(proving->memory);
    }
    return verdict;
}

/*
 * What no division's proof may have asked for can be read as well, what is to be signed and the roots of subtrees: where it
 * cannot, nothing is signed or published, and that is told like any other stop.
 */
static enum log_verdict prove_readable(struct proving *proving)
{
    struct tree tree = {.db = proving->db, .division = "system"};
    MerkleHash root;
    PGresult *claimed = db_call(proving->db, "SELECT division, seq, encode(hash, 'hex'), payload FROM reason.unsigned_seals_with_events(1)", "tntT", 0, NULL, NULL);

    PQclear(claimed);
    return claimed && tree_subtrees(&tree, 0, 1, &root) >= 0 ? LOG_EXTENDS : LOG_NOT_KNOWN;
}

/* Divisions that the database has and that were published, beside those that are remembered. */
static bool collect_divisions(struct proving *proving)
{
    struct log_memory *memory = proving->memory;
    PGresult *sizes = db_call(proving->db, "SELECT division FROM reason.log_sizes() WHERE signed > 0", "t", 0, NULL, NULL);
    bool ok = sizes != NULL;

    pthread_mutex_lock(&memory->lock);
    ok = ok && log_memory_refresh(memory);
    for (int row = 0; ok && row < PQntuples(sizes); row++)
        ok = log_state_add(&memory->state, PQgetvalue(sizes, row, 0)) != NULL;
    for (size_t i = 0; ok && i < proving->outside->count; i++)
        ok = proving->outside->list[i].size == 0 || log_state_add(&memory->state, proving->outside->list[i].division) != NULL;
    pthread_mutex_unlock(&memory->lock);
    PQclear(sizes);
    return ok;
}

static bool collect_signers(const struct proving *proving, struct log_signers *signers)
{
    struct log_memory *memory = proving->memory;
    bool ok = log_signers_add_file(signers, proving->outside->registry_file, "events")
              && (!proving->signer || log_signers_add(signers, proving->signer->id, proving->signer->public_key));

    pthread_mutex_lock(&memory->lock);
    ok = ok && log_signers_add_state(signers, &memory->state);
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

enum log_verdict log_prove(struct log_memory *memory, struct db *db, const struct log_signer *signer, const struct log_outside *outside)
{
    struct log_signers signers = {0};
    struct proving proving = {.memory = memory, .db = db, .signer = signer, .signers = &signers, .outside = outside};
    enum log_verdict verdict = LOG_NOT_KNOWN;

    db->refusal[0] = '\0';
    db_begin_budget(db, memory->refusals.lasting_ms > PROOF_MS ? memory->refusals.lasting_ms : PROOF_MS);
    proving.block = malloc(PROVE_BLOCK * sizeof(*proving.block));
    if (proving.block && collect_divisions(&proving) && collect_signers(&proving, &signers))
        verdict = prove_divisions(&proving);
    if (verdict == LOG_EXTENDS)
        verdict = prove_readable(&proving);
    db_end_budget(db);
    if (verdict == LOG_EXTENDS)
        verdict = proving_suspects(&proving);
    if (verdict == LOG_EXTENDS && (outside->reread_ms > 0 || outside->whole))
        verdict = proving_reread(&proving);
    pthread_mutex_lock(&memory->lock);
    if (verdict == LOG_EXTENDS) {
        atomic_store(&memory->proved_ms, clock_ms());
        log_memory_mend(memory, db->name);
        log_memory_tell(memory);
        if (memory->fault[0])
            verdict = LOG_BROKEN;
    } else if (verdict == LOG_NOT_KNOWN && db->refusal[0] && log_memory_refused(memory, db)) {
        verdict = LOG_BROKEN;
    }
    pthread_mutex_unlock(&memory->lock);
    free(proving.block);
    log_signers_free(&signers);
    return verdict;
}

bool log_adopt(struct log_memory *memory, struct db *db, const struct log_signer *signer, const struct log_signers *signers, struct log_division *division)
{
    const struct log_outside nobody = {0};
    struct proving proving = {.memory = memory, .db = db, .signer = signer, .signers = signers, .outside = &nobody};
    struct tree tree = {.db = db, .division = division->name};
    struct present present;
    bool ok;

    proving.block = malloc(PROVE_BLOCK * sizeof(*proving.block));
    ok = proving.block && read_sizes(&proving, division->name, &present)
         && (present.signed_ == 0
             || (read_range(&proving, &tree, present.signed_, &present.range) && take_over(&proving, &tree, division, &present) == LOG_EXTENDS));
    free(proving.block);
    return ok;
}
