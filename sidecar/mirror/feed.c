/*
 * feed.c: brings a mirror on.
 *
 * Marks are read from the mirror once, and again after anything that went otherwise than it should: until then they are where the
 * last transaction has put them, for nobody else moves them, and if somebody does, nothing is written.
 */
#include "mirror/feed.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "base/metrics.h"
#include "mirror/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a mirror that has everything is asked whether its mark is still there: somebody may have it rebuilt. */
#define LOOK_MS 5000

/* What the feed knows of a division. */
struct division {
    char *name;
    long head;                  /* last signed event */
    long told;                  /* where the database thinks that the mirror is */
    bool known;                 /* the mark */
    struct mirror_mark mark;
    int most;                   /* events in the next batch: fewer while something is refused */
    long looked_ms;             /* when the mark was read last */
    bool faulty;                /* it must be rebuilt; logged */
};

struct feed {
    struct mirror *mirror;
    char *wanted;               /* divisions, an array literal */
    struct division *divisions;
    size_t count;
};

struct feed *feed_open(const struct mirror_config *config)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (!feed)
        return NULL;
    feed->mirror = mirror_open(config);
    feed->wanted = mirror_divisions(config);
    if (!feed->mirror || !feed->wanted) {
        feed_close(feed);
        return NULL;
    }
    return feed;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->count; i++)
        free(feed->divisions[i].name);
    free(feed->divisions);
    free(feed->wanted);
    mirror_close(feed->mirror);
    free(feed);
}

static const char *name_of(const struct feed *feed)
{
    return feed->mirror->config->name;
}

static struct division *division_of(struct feed *feed, const char *name)
{
    struct division *larger;

    for (size_t i = 0; i < feed->count; i++)
        if (!strcmp(feed->divisions[i].name, name))
            return &feed->divisions[i];
    larger = realloc(feed->divisions, (feed->count + 1) * sizeof(*larger));
    if (!larger)
        return NULL;
    feed->divisions = larger;
    larger += feed->count;
    *larger = (struct division){.name = strdup(name), .most = feed->mirror->config->batch_size};
    if (!larger->name)
        return NULL;
    feed->count++;
    return larger;
}

/* Which divisions there are, and how far each has grown. */
static bool look(struct feed *feed, struct db *db, const char *token)
{
    const char *parameters[] = {token, name_of(feed), feed->wanted};
    PGresult *result = db_call(db, "SELECT division, head_seq, seq FROM reason.mirror_marks($1, $2, $3)", "tii", 3, parameters, NULL);

    for (int i = 0; result && i < PQntuples(result); i++) {
        struct division *division = division_of(feed, PQgetvalue(result, i, 0));

        if (division) {
            division->head = atol(PQgetvalue(result, i, 1));
            division->told = atol(PQgetvalue(result, i, 2));
        }
    }
    PQclear(result);
    return result != NULL;
}

/* Tells the database where the mirror is. */
static bool tell(struct feed *feed, struct db *db, const char *token, struct division *division)
{
    char seq[24];
    const char *parameters[] = {token, name_of(feed), division->name, seq};
    PGresult *result;

    snprintf(seq, sizeof(seq), "%ld", division->mark.seq);
    result = db_call(db, "SELECT reason.record_mirrored($1, $2, $3, $4)", NULL, 4, parameters, NULL);
    PQclear(result);
    return result != NULL;
}

/* The division must be rebuilt. */
static enum feed_result give_up(struct feed *feed, struct division *division, const char *why)
{
    if (!division->faulty)
        log_error("mirror \"%s\", division \"%s\": %s; it is not fed until it was rebuilt (reason-sidecar --mirror-rebuild %s)", name_of(feed), division->name,
                  why, name_of(feed));
    division->faulty = true;
    /* somebody may be rebuilding it */
    division->known = false;
    metrics_add(METRIC_MIRROR_DIVERGED, 1);
    return FEED_FAILED;
}

static enum feed_result away(struct feed *feed, struct division *division)
{
    log_warning("mirror \"%s\": %s", name_of(feed), feed->mirror->error);
    metrics_add(METRIC_MIRROR_FAILURES, 1);
    division->known = false;
    feed->mirror->prepared = false;
    return FEED_FAILED;
}

/* The mirror has taken an event that it had refused; seq NULL: it is made anew. */
static bool unpark(struct feed *feed, struct db *db, const char *token, const struct division *division, const char *seq)
{
    const char *parameters[] = {token, name_of(feed), division->name, seq};
    PGresult *result = db_call(db, "SELECT reason.unpark_mirrored($1, $2, $3, $4)", NULL, 4, parameters, NULL);
    bool ok = result != NULL;

    PQclear(result);
    return ok;
}

/* Reads the mark, and whether events may follow it. */
static enum feed_result find_mark(struct feed *feed, struct db *db, const char *token, struct division *division)
{
    struct mirror_batch batch;
    enum batch_result read;

    if (feed->mirror->engine->read_mark(feed->mirror, division->name, &division->mark) != MIRROR_DONE)
        return away(feed, division);
    if (division->mark.there && division->mark.schema != MIRROR_SCHEMA)
        return give_up(feed, division, "it was made by another version");
    if (!division->mark.there && division->told >= 0)
        return give_up(feed, division, "its mark has vanished");
    division->known = true;
    division->looked_ms = clock_ms();
    if (division->mark.rebuilding)
        return FEED_NOTHING;
    if (division->mark.seq > division->head)
        return give_up(feed, division, "it has events that the database has not");
    /* asked where nothing follows too: a history of the same length may be another */
    read = batch_read(db, feed->mirror->config, division->name, &division->mark, 1, &batch);
    batch_free(&batch);
    if (read == BATCH_DIVERGED)
        return give_up(feed, division, "it was fed from another history than the database's");
    if (read == BATCH_FAILED)
        return FEED_FAILED;
    if (division->faulty)
        log_info("mirror \"%s\", division \"%s\": fed again, from event %ld on", name_of(feed), division->name, division->mark.seq + 1);
    division->faulty = false;
    /* emptied: what it refused it is given anew */
    if (division->mark.seq < 0 && !unpark(feed, db, token, division, NULL))
        return FEED_FAILED;
    if (division->mark.seq != division->told && !tell(feed, db, token, division))
        return FEED_FAILED;
    return FEED_SOME;
}

static bool park(struct feed *feed, struct db *db, const char *token, const struct division *division, long seq)
{
    char number[24];
    const char *parameters[] = {token, name_of(feed), division->name, number, feed->mirror->error};
    PGresult *result;

    snprintf(number, sizeof(number), "%ld", seq);
    log_error("mirror \"%s\": event %s of division \"%s\" is parked: %s", name_of(feed), number, division->name, feed->mirror->error);
    metrics_add(METRIC_MIRROR_REFUSED, 1);
    result = db_call(db, "SELECT reason.park_mirrored($1, $2, $3, $4, $5)", NULL, 5, parameters, NULL);
    PQclear(result);
    return result != NULL;
}

/* What comes of a batch. */
static enum feed_result judge(struct feed *feed, struct db *db, const char *token, struct division *division, struct mirror_batch *batch,
                              enum mirror_outcome outcome)
{
    int whole = feed->mirror->config->batch_size;

    /* one event alone is refused: without it, the mark can go on */
    if (outcome == MIRROR_REFUSED && batch->events == 1) {
        if (!park(feed, db, token, division, batch->after.seq))
            return FEED_FAILED;
        outcome = feed->mirror->engine->apply(feed->mirror, division->name, &division->mark, &batch->after, NULL);
    }
    switch (outcome) {
    case MIRROR_DONE:
        division->mark = batch->after;
        division->most = division->most > whole / 2 ? whole : division->most * 2;
        metrics_add(METRIC_EVENTS_MIRRORED, batch->events);
        return tell(feed, db, token, division) ? FEED_SOME : FEED_FAILED;
    case MIRROR_REFUSED:
        division->most = (int)(batch->events / 2) > 0 ? (int)(batch->events / 2) : 1;
        log_info("mirror \"%s\": %s; smaller batches say which event it is", name_of(feed), feed->mirror->error);
        return FEED_SOME;
    case MIRROR_MOVED:
        log_info("mirror \"%s\": %s", name_of(feed), feed->mirror->error);
        division->known = false;
        return FEED_SOME;
    case MIRROR_AWAY:
        break;
    }
    return away(feed, division);
}

static enum feed_result take(struct feed *feed, struct db *db, const char *token, struct division *division, struct mirror_batch *batch)
{
    struct mirror *mirror = feed->mirror;

    return judge(feed, db, token, division, batch, mirror->engine->apply(mirror, division->name, &division->mark, &batch->after, &batch->changes));
}

static enum feed_result feed_division(struct feed *feed, struct db *db, const char *token, struct division *division)
{
    struct mirror_batch batch;
    enum feed_result result;

    if (!division->known || division->mark.rebuilding || (division->mark.seq == division->head && clock_ms() - division->looked_ms >= LOOK_MS)) {
        result = find_mark(feed, db, token, division);
        if (result != FEED_SOME)
            return result;
    }
    if (division->mark.seq == division->head)
        return FEED_NOTHING;
    switch (batch_read(db, feed->mirror->config, division->name, &division->mark, division->most, &batch)) {
    case BATCH_READ:
        result = batch.events > 0 ? take(feed, db, token, division, &batch) : FEED_NOTHING;
        break;
    case BATCH_DIVERGED:
        result = give_up(feed, division, "it was fed from another history than the database's");
        break;
    default:
        result = FEED_FAILED;
    }
    batch_free(&batch);
    return result;
}

/* Gives the mirror once more an event that it had refused; its mark stays where it is. */
static enum feed_result retry(struct feed *feed, struct db *db, const char *token, struct division *division, const char *seq)
{
    const struct mirror_mark before = {.seq = atol(seq) - 1};
    struct mirror_batch batch;
    enum mirror_outcome outcome;
    bool ok = batch_read(db, feed->mirror->config, division->name, &before, 1, &batch) == BATCH_READ && batch.events == 1;

    if (ok) {
        batch.changes.again = true;
        outcome = feed->mirror->engine->apply(feed->mirror, division->name, &division->mark, &division->mark, &batch.changes);
        if (outcome == MIRROR_DONE)
            ok = unpark(feed, db, token, division, seq);
        else if (outcome == MIRROR_REFUSED)
            ok = park(feed, db, token, division, batch.after.seq);
        else
            ok = away(feed, division) != FEED_FAILED;
    }
    batch_free(&batch);
    return ok ? FEED_SOME : FEED_FAILED;
}

static enum feed_result retry_parked(struct feed *feed, struct db *db, const char *token)
{
    const char *parameters[] = {name_of(feed)};
    PGresult *parked = db_call(db, "SELECT division, seq FROM reason.mirror_retries($1)", "tn", 1, parameters, NULL);
    enum feed_result worst = parked ? FEED_NOTHING : FEED_FAILED;

    for (int i = 0; parked && i < PQntuples(parked) && worst != FEED_FAILED && !doorbell_stopped(); i++) {
        struct division *division = division_of(feed, PQgetvalue(parked, i, 0));

        if (division && division->known && !division->mark.rebuilding && !division->faulty)
            worst = retry(feed, db, token, division, PQgetvalue(parked, i, 1));
    }
    PQclear(parked);
    return worst;
}

enum feed_result feed_turn(struct feed *feed, struct db *db, const char *token)
{
    enum feed_result result = FEED_NOTHING;
    bool failed = false;

    if (!look(feed, db, token))
        return FEED_FAILED;
    if (!feed->mirror->prepared) {
        if (feed->mirror->engine->prepare(feed->mirror) != MIRROR_DONE) {
            log_warning("mirror \"%s\": %s", name_of(feed), feed->mirror->error);
            metrics_add(METRIC_MIRROR_FAILURES, 1);
            return FEED_FAILED;
        }
        feed->mirror->prepared = true;
    }
    for (size_t i = 0; i < feed->count && !doorbell_stopped() && db->connection; i++)
        switch (feed_division(feed, db, token, &feed->divisions[i])) {
        case FEED_NOTHING: break;
        case FEED_SOME: result = FEED_SOME; break;
        case FEED_FAILED:
            failed = true;
            /* a mirror that is away is away for all divisions */
            if (!feed->mirror->prepared)
                return FEED_FAILED;
        }
    switch (retry_parked(feed, db, token)) {
    case FEED_NOTHING: break;
    case FEED_SOME: result = FEED_SOME; break;
    case FEED_FAILED: failed = true;
    }
    return result == FEED_SOME ? FEED_SOME : failed ? FEED_FAILED : FEED_NOTHING;
}
