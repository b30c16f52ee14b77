/*
 * The auditor's page: one HTML file with a snapshot, what is claimed of it, and whose keys count, which it verifies by
 * itself in a browser. Whatever the verdict: the page computes its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base64.h"
#include "core/canonical.h"
#include "core/page_template.h"
#include "verify.h"

/* A piece of this many bytes at a time: a multiple of three, so that the texts of all join to one. */
#define STRIDE 49152

static bool write_base64(FILE *file, Bytes bytes)
{
    ByteBuffer out;
    bool ok = true;

    buffer_init(&out, NULL, NULL);
    for (size_t at = 0; ok && at < bytes.length; at += STRIDE) {
        out.length = 0;
        base64_append(&out, bytes.data + at, bytes.length - at < STRIDE ? bytes.length - at : STRIDE);
        ok = !out.failed && fwrite(out.data, 1, out.length, file) == out.length;
    }
    buffer_free(&out);
    return ok;
}

static void append_claim(ByteBuffer *out, const char *name, Bytes claim)
{
    if (!claim.data)
        return;
    if (out->length > 1)
        buffer_append_char(out, ',');
    canonical_write_string(out, name, strlen(name));
    buffer_append_char(out, ':');
    canonical_write_string(out, claim.data, claim.length);
}

static void append_claims(ByteBuffer *out, const Claims *claims)
{
    buffer_append_char(out, '{');
    append_claim(out, "snapshotId", claims->snapshot_id);
    append_claim(out, "hash", claims->hash);
    append_claim(out, "signature", claims->signature);
    append_claim(out, "signerId", claims->signer_id);
    append_claim(out, "signedAt", claims->ts);
    buffer_append_char(out, '}');
}

bool page_write(const char *path, Bytes document, const Claims *claims, Bytes registry, Bytes proof, Bytes policy, ByteBuffer *error)
{
    char *temporary = NULL;
    FILE *file;
    ByteBuffer metadata;
    size_t length;
    bool ok;

    if (!page_piece(PAGE_DOCUMENT, &length)) {
        buffer_append_literal(error, "this build has no page: it is built where Node and npm are");
        return false;
    }
    /* Readers find the whole new page, or the old one. */
    if (asprintf(&temporary, "%s.new", path) < 0 || !(file = fopen(temporary, "w"))) {
        buffer_append(error, strerror(errno), strlen(strerror(errno)));
        free(temporary);
        return false;
    }
    buffer_init(&metadata, NULL, NULL);
    append_claims(&metadata, claims);
    ok = !metadata.failed;
    for (int part = 0; ok && part <= PAGE_PARTS; part++) {
        const Bytes parts[PAGE_PARTS + 1] = {document, {metadata.data, metadata.length}, registry, proof, policy, {NULL, 0}};
        const char *piece = page_piece((PagePart)part, &length);

        ok = piece && fwrite(piece, 1, length, file) == length && write_base64(file, parts[part]);
    }
    ok = fflush(file) == 0 && fsync(fileno(file)) == 0 && ok;
    ok = fclose(file) == 0 && ok && rename(temporary, path) == 0;
    if (!ok) {
        buffer_append(error, strerror(errno), strlen(strerror(errno)));
        unlink(temporary);
    }
    buffer_free(&metadata);
    free(temporary);
    return ok;
}
