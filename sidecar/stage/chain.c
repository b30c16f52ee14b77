/*
 * chain.c: seal events, then sign the seals.
 *
 * Order and hash are durable (seal_events commits) before anything is signed; a crash in between leaves seals without
 * a signature, which the next turn signs: Ed25519 gives the same signature again.
 */
#include "../log.h"
#include "../sidecar.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An array literal in the making: {"a","b"} */
struct array {
    char *text;
    size_t length, capacity;
};

static bool array_add(struct array *array, const char *element)
{
    size_t needed = array->length + 2 * strlen(element) + 8;

    if (needed > array->capacity) {
        size_t capacity = needed * 2;
        char *text = realloc(array->text, capacity);

        if (!text)
            return false;
        array->text = text;
        array->capacity = capacity;
    }
    array->text[array->length] = array->length ? ',' : '{';
    array->length++;
    array->text[array->length++] = '"';
    for (const char *p = element; *p; p++) {
        if (*p == '"' || *p == '\\')
            array->text[array->length++] = '\\';
        array->text[array->length++] = *p;
    }
    array->text[array->length++] = '"';
    array->text[array->length] = '\0';
    return true;
}

static bool array_end(struct array *array)
{
    if (!array->text)
        return false;
    strcpy(array->text + array->length, "}");
    return true;
}

static enum progress seal(struct sidecar *sidecar, const char *token, const char *batch)
{
    const char *parameters[] = {token, batch};
    PGresult *result = db_call(&sidecar->db, "SELECT reason.seal_events($1, $2)", 2, parameters, NULL);
    long sealed;

    if (!result)
        return PROGRESS_FAILED;
    sealed = atol(PQgetvalue(result, 0, 0));
    PQclear(result);
    metrics_add(METRIC_EVENTS_SEALED, sealed);
    return sealed > 0 ? PROGRESS_SOME : PROGRESS_NONE;
}

static enum progress sign(struct sidecar *sidecar, const char *token, const char *batch)
{
    const char *parameters[] = {batch};
    struct array divisions = {0}, seqs = {0}, signatures = {0};
    enum progress progress = PROGRESS_FAILED;
    char sqlstate[6];
    int rows;
    PGresult *result = db_call(&sidecar->db, "SELECT division, seq, encode(hash, 'hex') FROM reason.unsigned_seals($1)", 1, parameters, NULL);

    if (!result)
        return PROGRESS_FAILED;
    rows = PQntuples(result);
    if (rows == 0) {
        PQclear(result);
        return PROGRESS_NONE;
    }
    for (int i = 0; i < rows; i++) {
        uint8_t digest[DIGEST_LENGTH], signature[SIGNATURE_LENGTH];
        char hex[2 * SIGNATURE_LENGTH + 3] = "\\x";
        size_t length;

        if (sodium_hex2bin(digest, sizeof(digest), PQgetvalue(result, i, 2), (size_t)PQgetlength(result, i, 2), NULL, &length, NULL) != 0
            || length != DIGEST_LENGTH || !sidecar->signer->sign(sidecar->signer, digest, signature)) {
            log_error("cannot sign seal %s of division \"%s\"", PQgetvalue(result, i, 1), PQgetvalue(result, i, 0));
            metrics_add(METRIC_SIGNING_FAILURES, 1);
            goto done;
        }
        sodium_bin2hex(hex + 2, sizeof(hex) - 2, signature, sizeof(signature));
        if (!array_add(&divisions, PQgetvalue(result, i, 0)) || !array_add(&seqs, PQgetvalue(result, i, 1)) || !array_add(&signatures, hex))
            goto done;
    }
    if (array_end(&divisions) && array_end(&seqs) && array_end(&signatures)) {
        const char *record[] = {token, sidecar->config.signer_id, divisions.text, seqs.text, signatures.text};
        PGresult *recorded = db_call(&sidecar->db, "SELECT reason.record_seal_signatures($1, $2, $3::text[], $4::bigint[], $5::bytea[])", 5, record, sqlstate);

        if (recorded) {
            metrics_add(METRIC_EVENTS_SIGNED, atol(PQgetvalue(recorded, 0, 0)));
            progress = PROGRESS_SOME;
            PQclear(recorded);
        } else if (sqlstate[0] == '2') {
            /* class 22 and 28: refused by the registry */
            metrics_add(METRIC_SIGNING_FAILURES, 1);
        }
    }
done:
    free(divisions.text);
    free(seqs.text);
    free(signatures.text);
    PQclear(result);
    return progress;
}

enum progress stage_chain(struct sidecar *sidecar, const char *token)
{
    char batch[16];
    enum progress sealed, signed_;

    snprintf(batch, sizeof(batch), "%d", sidecar->config.batch_size);
    sealed = seal(sidecar, token, batch);
    signed_ = sealed == PROGRESS_FAILED ? PROGRESS_FAILED : sign(sidecar, token, batch);
    if (sealed == PROGRESS_FAILED || signed_ == PROGRESS_FAILED)
        return PROGRESS_FAILED;
    return sealed == PROGRESS_SOME || signed_ == PROGRESS_SOME ? PROGRESS_SOME : PROGRESS_NONE;
}
