/* remote.c: what signers behind an HTTP API share. */
#include "signer/remote.h"

#include "base/log.h"
#include "base/metrics.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct remote_signer *remote_new(const struct signer_config *config, const char *what)
{
    const struct http_tls tls = {config->ca_file, config->cert_file, config->cert_key_file};
    struct remote_signer *remote = calloc(1, sizeof(*remote));

    if (!remote)
        return NULL;
    remote->what = what;
    remote->signer.close = remote_close;
    remote->http = http_new(&tls);
    remote->url = strdup(config->url);
    remote->signer_id = strdup(config->id);
    remote->key = strdup(config->key_id);
    remote->token_file = strdup(config->token_file);
    remote->mount = strdup(config->mount);
    remote->region = strdup(config->region);
    remote->credentials_file = strdup(config->credentials_file);
    remote->plaintext = config->plaintext;
    remote->timeout_ms = config->timeout_ms;
    if (!remote->http || !remote->url || !remote->signer_id || !remote->key || !remote->token_file || !remote->mount || !remote->region
        || !remote->credentials_file) {
        remote_close(&remote->signer);
        return NULL;
    }
    if (remote->url[0] && remote->url[strlen(remote->url) - 1] == '/')
        remote->url[strlen(remote->url) - 1] = '\0';
    return remote;
}

void remote_close(struct signer *signer)
{
    struct remote_signer *remote = (struct remote_signer *)signer;

    http_free(remote->http);
    free(remote->url);
    free(remote->signer_id);
    free(remote->key);
    free(remote->token_file);
    free(remote->mount);
    free(remote->region);
    free(remote->credentials_file);
    free(remote);
}

bool remote_hides_token(const struct remote_signer *remote)
{
    if (remote->plaintext || !remote->token_file[0] || !strncasecmp(remote->url, "https://", 8)
        || http_is_loopback(remote->url))
        return true;
    log_error("%s at \"%s\" would get its token unencrypted: use https://, or set signer.plaintext = yes", remote->what, remote->url);
    return false;
}

json_t *remote_call(struct remote_signer *remote, const struct http_request *request)
{
    struct http_answer answer;
    json_t *json = NULL;

    if (!http_call(remote->http, request, &answer)) {
        log_error("%s does not answer: %s", remote->what, answer.error);
    } else if (answer.status != 200) {
        log_error("%s answered with status %ld", remote->what, answer.status);
    } else {
        json = json_loadb(answer.body ? answer.body : "", answer.body_length, 0, NULL);
        if (!json_is_object(json)) {
            log_error("%s answered with something other than a JSON object", remote->what);
            json_decref(json);
            json = NULL;
        }
    }
    http_answer_free(&answer);
    return json;
}

const char *remote_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool remote_signature(struct remote_signer *remote, const char *base64, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    uint8_t answered[SIGNATURE_LENGTH];
    size_t decoded = 0;

    if (!base64 || sodium_base642bin(answered, sizeof(answered), base64, strlen(base64), NULL, &decoded, NULL, sodium_base64_VARIANT_ORIGINAL) != 0
        || decoded != SIGNATURE_LENGTH) {
        log_error("%s answered without a signature of 64 bytes", remote->what);
        return false;
    }
    if (crypto_sign_verify_detached(answered, message, length, remote->signer.public_key) != 0) {
        log_error("%s answered with a signature that is not of its key, or of something else", remote->what);
        metrics_add(METRIC_SIGNATURES_REFUSED, 1);
        return false;
    }
    memcpy(signature, answered, sizeof(answered));
    return true;
}

void remote_message(const uint8_t *message, size_t length, char base64[REMOTE_MESSAGE_ROOM])
{
    sodium_bin2base64(base64, REMOTE_MESSAGE_ROOM, message, length, sodium_base64_VARIANT_ORIGINAL);
}
