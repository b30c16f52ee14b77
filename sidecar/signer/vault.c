/*
 * vault.c: HashiCorp Vault's or OpenBao's transit engine, a key of type ed25519.
 *
 * POST /v1/{mount}/sign/{key} {"input": base64} → data.signature "vault:v<version>:<base64>": pure Ed25519 over the
 * input; the engine ignores or refuses prehashed for this type, so it is not sent.
 * GET /v1/{mount}/keys/{key} → data.keys.<version>.public_key (base64 of the 32 bytes), data.latest_version.
 * The version is that of the configuration, or the latest when the signer is opened; a rotation does not change it.
 */
#include "signer/remote.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vault_signer {
    struct remote_signer remote;
    long version;
};

static json_t *call(struct remote_signer *remote, const char *method, const char *what, const char *body)
{
    char url[2048], token[4096];
    struct http_header headers[] = {{"X-Vault-Token", token}, {"X-Vault-Request", "true"}, {"Content-Type", "application/json"}};
    struct http_request request = {.method = method, .url = url, .headers = headers, .header_count = 3, .timeout_ms = remote->timeout_ms};
    json_t *answer;

    snprintf(url, sizeof(url), "%s/v1/%s/%s/%s", remote->url, remote->mount, what, remote->key);
    if (!plain_file_read_secret(remote->token_file, token, sizeof(token)))
        return NULL;
    request.body = body;
    request.body_size = body ? strlen(body) : 0;
    answer = remote_call(remote, &request);
    sodium_memzero(token, sizeof(token));
    return answer;
}

static bool sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    struct remote_signer *remote = (struct remote_signer *)signer;
    char base64[REMOTE_MESSAGE_ROOM], body[REMOTE_MESSAGE_ROOM + 64], prefix[32];
    const char *signed_;
    json_t *answer;
    bool ok = false;

    remote_message(message, length, base64);
    snprintf(body, sizeof(body), "{\"input\":\"%s\",\"key_version\":%ld}", base64, ((struct vault_signer *)signer)->version);
    snprintf(prefix, sizeof(prefix), "vault:v%ld:", ((struct vault_signer *)signer)->version);
    answer = call(remote, "POST", "sign", body);
    if (!answer)
        return false;
    signed_ = remote_text(json_object_get(answer, "data"), "signature");
    if (!signed_ || strncmp(signed_, prefix, strlen(prefix)) != 0)
        log_error("%s answered without a signature of version %ld", remote->what, ((struct vault_signer *)signer)->version);
    else
        ok = remote_signature(remote, signed_ + strlen(prefix), message, length, signature);
    json_decref(answer);
    return ok;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_message(signer, digest, DIGEST_LENGTH, signature);
}

static bool learn_key(struct vault_signer *vault)
{
    char version[24];
    json_t *answer = call(&vault->remote, "GET", "keys", NULL), *data;
    const char *type, *key;
    bool ok;

    if (!answer)
        return false;
    data = json_object_get(answer, "data");
    if (!vault->version)
        vault->version = (long)json_integer_value(json_object_get(data, "latest_version"));
    snprintf(version, sizeof(version), "%ld", vault->version);
    type = remote_text(data, "type");
    key = remote_text(json_object_get(json_object_get(data, "keys"), version), "public_key");
    ok = type && !strcmp(type, "ed25519") && key && signer_parse_public_key(key, vault->remote.signer.public_key);
    if (!ok)
        log_error("%s: key \"%s\" has no version %ld, or is not of type ed25519", vault->remote.what, vault->remote.key, vault->version);
    json_decref(answer);
    return ok;
}

struct signer *signer_vault_open(const struct signer_config *config)
{
    struct remote_signer *remote = remote_new(config, "Vault"), *larger;

    if (!remote)
        return NULL;
    larger = realloc(remote, sizeof(struct vault_signer));
    if (larger) {
        remote = larger;
        remote->signer.sign = sign;
        remote->signer.sign_message = sign_message;
        ((struct vault_signer *)remote)->version = config->key_version;
        if (!remote->url[0] || !remote->key[0] || !remote->token_file[0])
            log_error("signer.type vault needs url, key_id and token_file");
        else if (remote_hides_token(remote) && learn_key((struct vault_signer *)remote))
            return &remote->signer;
    }
    remote_close(&remote->signer);
    return NULL;
}
