/*
 * snapshot.c: pending → signed → stored → complete, one snapshot after another.
 *
 * Each step is recorded before the next begins, and each may be done again: the signature is the same, and the store
 * takes the same bytes under the same name for success.
 */
#include "../log.h"
#include "../sidecar.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* columns of claim_snapshots() */
enum { ID, DIVISION, STATUS, HASH, SIZE, CHUNKS, SIGNER, SIGNATURE, KEY, TS };

struct chunks {
    struct db *db;
    const char *id;
    long next, count;
    PGresult *result;
    unsigned char *bytes;
};

static bool next_chunk(void *context, const void **bytes, size_t *length)
{
    struct chunks *chunks = context;
    char number[24];
    const char *parameters[] = {chunks->id, number};

    PQfreemem(chunks->bytes);
    chunks->bytes = NULL;
    *length = 0;
    if (chunks->next == chunks->count)
        return true;
    snprintf(number, sizeof(number), "%ld", chunks->next++);
    chunks->result = db_call(chunks->db, "SELECT reason.snapshot_chunk($1, $2)", 2, parameters, NULL);
    if (!chunks->result)
        return false;
    if (PQntuples(chunks->result) == 1 && !PQgetisnull(chunks->result, 0, 0))
        chunks->bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(chunks->result, 0, 0), length);
    PQclear(chunks->result);
    *bytes = chunks->bytes;
    return chunks->bytes && *length > 0;
}

static void give_up(struct sidecar *sidecar, const char *token, const char *id, const char *reason, bool for_good)
{
    const char *parameters[] = {token, id, reason, for_good ? "true" : "false"};

    log_error("snapshot %s: %s", id, reason);
    if (for_good)
        metrics_add(METRIC_SNAPSHOTS_FAILED, 1);
    PQclear(db_call(&sidecar->db, "SELECT reason.record_snapshot_failure($1, $2, $3, $4)", 4, parameters, NULL));
}

/* Makes and records the signature; hex of it in `signature`. */
static bool sign(struct sidecar *sidecar, const char *token, const char *id, const char *hash, char signature[2 * SIGNATURE_LENGTH + 3])
{
    uint8_t digest[DIGEST_LENGTH], bytes[SIGNATURE_LENGTH];
    size_t length;
    PGresult *result;
    const char *parameters[] = {token, id, sidecar->config.signer_id, signature};

    if (sodium_hex2bin(digest, sizeof(digest), hash, strlen(hash), NULL, &length, NULL) != 0 || length != DIGEST_LENGTH
        || !sidecar->signer->sign(sidecar->signer, digest, bytes)) {
        metrics_add(METRIC_SIGNING_FAILURES, 1);
        give_up(sidecar, token, id, "the signer could not sign", false);
        return false;
    }
    strcpy(signature, "\\x");
    sodium_bin2hex(signature + 2, 2 * SIGNATURE_LENGTH + 1, bytes, sizeof(bytes));
    result = db_call(&sidecar->db, "SELECT reason.record_snapshot_signature($1, $2, $3, $4::bytea)", 4, parameters, NULL);
    if (!result) {
        metrics_add(METRIC_SIGNING_FAILURES, 1);
        give_up(sidecar, token, id, "the registry refused the signature", false);
        return false;
    }
    PQclear(result);
    metrics_add(METRIC_SNAPSHOTS_SIGNED, 1);
    return true;
}

static bool finish(struct sidecar *sidecar, const char *token, PGresult *claimed, int row)
{
    const char *id = PQgetvalue(claimed, row, ID);
    const char *hash = PQgetvalue(claimed, row, HASH);
    char signature[2 * SIGNATURE_LENGTH + 3], base64[128], metadata[2048], reason[512] = "";
    const char *signer_id = sidecar->config.signer_id;
    uint8_t bytes[SIGNATURE_LENGTH];
    struct chunks chunks = {.db = &sidecar->db, .id = id, .count = atol(PQgetvalue(claimed, row, CHUNKS))};
    struct object object = {.key = PQgetvalue(claimed, row, KEY), .metadata = metadata, .hash = hash, .next = next_chunk, .context = &chunks};
    char *uri = NULL, *version = NULL;
    enum store_result stored;
    PGresult *result;

    if (!strcmp(PQgetvalue(claimed, row, STATUS), "pending")) {
        if (!sign(sidecar, token, id, hash, signature))
            return false;
    } else {
        snprintf(signature, sizeof(signature), "%s", PQgetvalue(claimed, row, SIGNATURE));
        signer_id = PQgetvalue(claimed, row, SIGNER);
    }
    if (sodium_hex2bin(bytes, sizeof(bytes), signature + 2, strlen(signature + 2), NULL, NULL, NULL) != 0)
        return false;
    sodium_bin2base64(base64, sizeof(base64), bytes, sizeof(bytes), sodium_base64_VARIANT_ORIGINAL);
    /* no value here needs escaping: ids, hex, base64, a time, and a signer id of a limited alphabet */
    snprintf(metadata, sizeof(metadata), "{\"hash\":\"%s\",\"signature\":\"%s\",\"signer-id\":\"%s\",\"snapshot-id\":\"%s\",\"ts\":\"%s\"}\n", hash,
             base64, signer_id, id, PQgetvalue(claimed, row, TS));

    stored = sidecar->store->put(sidecar->store, &object, &uri, &version, reason, sizeof(reason));
    PQfreemem(chunks.bytes);
    if (stored != STORE_DONE) {
        metrics_add(METRIC_STORE_FAILURES, 1);
        give_up(sidecar, token, id, reason, stored == STORE_REFUSED);
        return false;
    }
    {
        const char *parameters[] = {token, id, uri, version};

        result = db_call(&sidecar->db, "SELECT reason.record_snapshot_stored($1, $2, $3, $4)", 4, parameters, NULL);
    }
    free(uri);
    free(version);
    if (!result)
        return false;
    PQclear(result);
    metrics_add(METRIC_SNAPSHOTS_STORED, 1);
    log_info("snapshot %s is complete", id);
    return true;
}

enum progress stage_snapshot(struct sidecar *sidecar, const char *token)
{
    const char *parameters[] = {token, "8"};
    enum progress progress = PROGRESS_NONE;
    PGresult *claimed = db_call(&sidecar->db,
                                "SELECT id, division, status, hash, size_bytes, chunks, signer_id, signature, object_key, ts"
                                " FROM reason.claim_snapshots($1, $2)",
                                2, parameters, NULL);

    if (!claimed)
        return PROGRESS_FAILED;
    for (int i = 0; i < PQntuples(claimed); i++)
        progress = finish(sidecar, token, claimed, i) ? PROGRESS_SOME : PROGRESS_FAILED;
    PQclear(claimed);
    return progress;
}
