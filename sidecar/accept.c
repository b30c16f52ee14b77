/*
 * accept.c: goes on with a database that was restored, where what it has forgotten cannot be recovered.
 *
 * Nothing that the database says alone ends a fault: else whoever cut its chains would also say that they were to be cut.
 * The database begins its logs under other names (reason.leave_safe_mode()); here, outside of it, the state is told. What
 * was signed of the old names stays noted in it, and published in the store, where it goes on to speak against anybody who
 * shows the new as the old.
 */
#include "accept.h"

#include "base/log.h"
#include "core/checkpoint.h"
#include "tlog/prove.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The epoch of the names that the database gives its logs now; 0 after logging why it is not known. */
static unsigned epoch_of(struct sidecar *sidecar, struct db *db)
{
    PGresult *result = db_call(db, "SELECT reason.current_origin('system')", "1t", 0, NULL, NULL);
    unsigned epoch = result ? published_epoch(sidecar->config.checkpoint_origin, "system", PQgetvalue(result, 0, 0)) : 0;

    if (result && epoch == 0)
        log_error("the database names a log \"%s\", and checkpoint.origin is \"%s\"", PQgetvalue(result, 0, 0), sidecar->config.checkpoint_origin);
    PQclear(result);
    return epoch;
}

static bool remember_name(void *context, const char *division)
{
    return log_state_add(context, division) != NULL;
}

/* Those of the database, and of the store if checkpoints are published there, besides those of the state. */
static bool collect_divisions(struct sidecar *sidecar, struct db *db)
{
    struct log_state *state = &sidecar->log.state;
    PGresult *sizes = db_call(db, "SELECT division FROM reason.log_sizes() WHERE signed > 0", "t", 0, NULL, NULL);
    bool ok = sizes != NULL;

    for (int row = 0; ok && row < PQntuples(sizes); row++)
        ok = log_state_add(state, PQgetvalue(sizes, row, 0)) != NULL;
    PQclear(sizes);
    if (ok && sidecar->config.checkpoint_signer.id[0])
        ok = sidecar_open_store(sidecar) && published_divisions(sidecar->store, remember_name, state);
    return ok;
}

/* Whether some log has a name that the database has not left behind. */
static bool names_are_new(const struct sidecar *sidecar, unsigned epoch)
{
    const struct log_state *state = &sidecar->log.state;

    for (size_t i = 0; i < state->count; i++) {
        const struct log_division *division = state->divisions[i];

        if (division->origin[0] && published_epoch(sidecar->config.checkpoint_origin, division->name, division->origin) >= epoch) {
            log_error("the log of division \"%s\" is still \"%s\": reason.leave_safe_mode() in the database comes first", division->name, division->origin);
            return false;
        }
    }
    return true;
}

static bool accept_division(struct sidecar *sidecar, struct db *db, const struct log_signer *signer, const struct log_signers *signers,
                            struct log_division *division, unsigned epoch, FILE *out)
{
    MerkleHash root;
    uint64_t before = division->signed_range.size;
    char hex[2 * MERKLE_HASH_LENGTH + 1];
    ByteBuffer origin;
    bool ok;

    merkle_range_root(&division->signed_range, root);
    sodium_bin2hex(hex, sizeof(hex), root, sizeof(root));
    buffer_init(&origin, NULL, NULL);
    checkpoint_origin(&origin, sidecar->config.checkpoint_origin, division->name, strlen(division->name), epoch);
    ok = !origin.failed && origin.length < sizeof(division->origin) && (before == 0 || log_division_close(division))
         && log_adopt(&sidecar->log, db, signer, signers, division);
    if (ok) {
        snprintf(division->origin, sizeof(division->origin), "%.*s", (int)origin.length, origin.data);
        fprintf(out, "division %s: %" PRIu64 " events were signed, root %s; it goes on with %" PRIu64 " as \"%s\"\n", division->name, before, before ? hex : "-",
                division->signed_range.size, division->origin);
    }
    buffer_free(&origin);
    return ok;
}

/* All of it once; what is given up is written to `out`. */
static bool accept_all(struct sidecar *sidecar, struct db *db, FILE *out)
{
    struct log_memory *memory = &sidecar->log;
    struct log_signer signer = {.id = sidecar->config.signer.id};
    struct log_signers signers = {0};
    unsigned epoch = log_memory_refresh(memory) ? epoch_of(sidecar, db) : 0;
    bool ok = false;

    if (epoch > 0) {
        memcpy(signer.public_key, sidecar->signer->public_key, sizeof(signer.public_key));
        ok = names_are_new(sidecar, epoch) && log_signers_add(&signers, signer.id, signer.public_key) && log_signers_add_state(&signers, &memory->state)
             && log_signers_add_file(&signers, sidecar->config.archive_registry_file, "events") && collect_divisions(sidecar, db);
    }
    for (size_t i = 0; ok && i < memory->state.count; i++)
        ok = accept_division(sidecar, db, &signer, &signers, memory->state.divisions[i], epoch, out);
    ok = ok && log_state_save(&memory->state);
    log_signers_free(&signers);
    return ok;
}

/* A sidecar that runs signs meanwhile what was written since safe mode ended, and keeps that in the state. */
#define TRIES_MOST 20

bool accept_restore(struct sidecar *sidecar)
{
    struct db db = {.conninfo = sidecar->config.conninfo, .name = "accept", .timeout_ms = sidecar->config.database_timeout_ms};
    bool can = false, ok = false;

    if (!sidecar->config.checkpoint_state_file[0])
        log_error("there is no checkpoint.state_file to keep it in");
    else
        can = log_memory_refresh(&sidecar->log) && db_connect(&db) && sidecar_open_signer(sidecar, &db);
    for (int tries = 0; can && !ok && tries < TRIES_MOST; tries++) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);

        ok = out && accept_all(sidecar, &db, out);
        can = out && fclose(out) == 0 && !log_state_is_current(&sidecar->log.state);
        if (ok && text)
            fputs(text, stdout);
        free(text);
    }
    if (!ok)
        printf("nothing was accepted\n");
    db_close(&db);
    return ok;
}
