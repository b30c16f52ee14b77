/* proving.c: signatures of events, and who is to have made them. */
#include "tlog/proving.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct log_division *proving_division_from(const struct log_state *state, const char *name)
{
    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->divisions[i]->name, name) >= 0)
            return state->divisions[i];
    return NULL;
}

PGresult *proving_signatures(struct proving *proving, const char *division, const uint64_t *seqs, size_t count)
{
    struct array array = {0};
    const char *parameters[] = {division, NULL};
    char seq[24];
    PGresult *result = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        snprintf(seq, sizeof(seq), "%" PRIu64, seqs[i]);
        ok = array_add(&array, seq);
    }
    parameters[1] = array_end(&array);
    if (ok && parameters[1])
        result = db_call(proving->db, "SELECT seq, encode(hash, 'hex'), signer_id, encode(signature, 'hex') FROM reason.log_signatures($1, $2::bigint[]) ORDER BY seq", "NTTT", 2,
                         parameters, NULL);
    array_free(&array);
    return result;
}

bool proving_take_hex(PGresult *result, int row, int column, uint8_t *bytes, size_t length)
{
    size_t got;

    return !PQgetisnull(result, row, column)
           && sodium_hex2bin(bytes, length, PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column), NULL, &got, NULL) == 0
           && got == length;
}

bool proving_is_of_its_signer(struct proving *proving, const struct log_division *division, PGresult *result, int row)
{
    uint64_t seq;
    const struct log_key *key = db_number(result, row, PROVING_SEQ, &seq) ? log_division_key_of(division, seq) : NULL;
    const char *signer = PQgetvalue(result, row, PROVING_SIGNER);
    uint8_t signature[LOG_SIGNATURE_LENGTH];
    MerkleHash hash;

    if (!proving_take_hex(result, row, PROVING_HASH, hash, sizeof(hash)) || !proving_take_hex(result, row, PROVING_SIGNATURE, signature, sizeof(signature)))
        return false;
    if (key && key->signer[0])
        return !strcmp(signer, key->signer) && crypto_sign_verify_detached(signature, hash, sizeof(hash), key->public_key) == 0;
    if (!proving->signer && !log_signers_know(proving->signers, signer))
        return true;
    return log_signers_who(proving->signers, signer, hash, signature) != NULL;
}
