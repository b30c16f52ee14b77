/*
 * check_log.c: the whole of what is remembered, at once.
 *
 * A running sidecar reads old hashes and signatures again as time allows. This does it to the end, beside it: it keeps a
 * memory of its own, from the state's file, which it does not write.
 */
#include "check_log.h"

#include "stage/stage.h"

#include "base/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

static void print_division(const struct log_division *division)
{
    char hex[2 * MERKLE_HASH_LENGTH + 1];
    MerkleHash root;

    merkle_range_root(&division->signed_range, root);
    printf("division %s: %" PRIu64 " events were signed, root %s; its checkpoint has %" PRIu64 ", of which %" PRIu64 " are published\n", division->name,
           division->signed_range.size, sodium_bin2hex(hex, sizeof(hex), root, sizeof(root)), division->checkpoint_size, division->published);
}

bool check_log(struct sidecar *sidecar)
{
    struct log_memory *memory = &sidecar->log;
    struct worker worker = {.sidecar = sidecar, .duty = DUTY_SEAL, .job = JOB_LOG,
                            .db = {.conninfo = sidecar->config.conninfo, .name = "check", .timeout_ms = sidecar->config.database_timeout_ms}};
    enum log_verdict verdict = LOG_NOT_KNOWN;

    if (!memory->on)
        log_error("nothing outside the database remembers what was signed: there is nothing to compare it with");
    else if (log_memory_refresh(memory) && db_connect(&worker.db)) {
        /* from here on it is kept nowhere but here */
        memory->state.path = "";
        verdict = stage_checks_log(&worker);
        for (size_t i = 0; i < memory->state.count; i++)
            print_division(memory->state.divisions[i]);
    }
    db_close(&worker.db);
    puts(verdict == LOG_EXTENDS ? "ok: the database extends all of it, and every hash and signature is what it was"
                                : verdict == LOG_BROKEN ? "failed: the database does not extend it" : "failed: it could not be compared");
    if (verdict == LOG_BROKEN)
        printf("%s\n", memory->fault);
    return verdict == LOG_EXTENDS;
}
