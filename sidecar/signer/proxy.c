/*
 * proxy.c: a signing proxy over HTTPS, with a client certificate or a bearer token.
 *
 * POST {base}/sign {signerId, algorithm, digest} → {signature, signerId}; GET {base}/publicKeys/{signerId}. A message
 * that is no hash goes as `message` in place of `digest`, so that the proxy can tell what its keys are asked to sign.
 */
#include "signer/remote.h"

#include "base/log.h"
#include "base/plain_file.h"
#include "net/sigv4.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds the bearer token, if there is one, read anew so that it may be replaced. */
static bool authorise(struct remote_signer *remote, struct http_request *request, struct http_header headers[2], char *bearer, size_t size)
{
    headers[request->header_count++] = (struct http_header){"Content-Type", "application/json"};
    request->headers = headers;
    if (!remote->token_file[0])
        return true;
    memcpy(bearer, "Bearer ", 7);
    if (!plain_file_read_secret(remote->token_file, bearer + 7, size - 7))
        return false;
    headers[request->header_count++] = (struct http_header){"Authorization", bearer};
    return true;
}

/* The member's name says what the bytes are. */
static bool sign_as(struct signer *signer, const char *member, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    struct remote_signer *remote = (struct remote_signer *)signer;
    char url[2048], bearer[4096], base64[REMOTE_MESSAGE_ROOM], *body;
    struct http_header headers[2];
    struct http_request request = {.method = "POST", .url = url, .timeout_ms = remote->timeout_ms};
    json_t *ask, *answer = NULL;
    bool ok = false;

    remote_message(message, length, base64);
    snprintf(url, sizeof(url), "%s/sign", remote->url);
    ask = json_pack("{s:s, s:s, s:s}", "signerId", remote->signer_id, "algorithm", "ed25519", member, base64);
    body = ask ? json_dumps(ask, JSON_COMPACT) : NULL;
    if (body && authorise(remote, &request, headers, bearer, sizeof(bearer))) {
        request.body = body;
        request.body_size = strlen(body);
        answer = remote_call(remote, &request);
    }
    if (answer) {
        const char *signer_id = remote_text(answer, "signerId");

        if (signer_id && strcmp(signer_id, remote->signer_id) != 0)
            log_error("%s signed as \"%.100s\", not as \"%s\"", remote->what, signer_id, remote->signer_id);
        else
            ok = remote_signature(remote, remote_text(answer, "signature"), message, length, signature);
    }
    json_decref(answer);
    json_decref(ask);
    free(body);
    sodium_memzero(bearer, sizeof(bearer));
    return ok;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_as(signer, "digest", digest, DIGEST_LENGTH, signature);
}

static bool sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_as(signer, "message", message, length, signature);
}

static bool learn_key(struct remote_signer *remote)
{
    char url[2048], id[700], bearer[4096];
    struct http_header headers[2];
    struct http_request request = {.method = "GET", .url = url, .timeout_ms = remote->timeout_ms};
    json_t *answer = NULL;
    const char *key;
    bool ok;

    if (!sigv4_encode(remote->signer_id, false, id, sizeof(id)))
        return false;
    snprintf(url, sizeof(url), "%s/publicKeys/%s", remote->url, id);
    if (authorise(remote, &request, headers, bearer, sizeof(bearer)))
        answer = remote_call(remote, &request);
    sodium_memzero(bearer, sizeof(bearer));
    if (!answer)
        return false;
    key = remote_text(answer, "publicKey");
    ok = key && signer_parse_public_key(key, remote->signer.public_key);
    if (!ok)
        log_error("%s gives no Ed25519 public key for \"%s\"", remote->what, remote->signer_id);
    json_decref(answer);
    return ok;
}

struct signer *signer_proxy_open(const struct signer_config *config)
{
    struct remote_signer *remote = remote_new(config, "the signing proxy");

    if (!remote)
        return NULL;
    remote->signer.sign = sign;
    remote->signer.sign_message = sign_message;
    if (!remote->url[0]) {
        log_error("signer.type proxy needs url");
    } else if (remote_hides_token(remote) && learn_key(remote)) {
        return &remote->signer;
    }
    remote_close(&remote->signer);
    return NULL;
}
