/*
 * aws_kms.c: AWS KMS, a key of spec ECC_NIST_EDWARDS25519 and usage SIGN_VERIFY.
 *
 * Sign with SigningAlgorithm ED25519_SHA_512 and MessageType RAW is pure Ed25519 over the message, at most 4,096
 * bytes; DIGEST belongs to ED25519_PH_SHA_512 and is another signature. JSON 1.1 over POST, signed with SigV4.
 * https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
 */
#include "signer/remote.h"

#include "base/log.h"
#include "net/credentials.h"
#include "net/sigv4.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *call(struct remote_signer *remote, const char *target, json_t *ask)
{
    struct sigv4_credentials credentials;
    char date[17], authorization[2048], url[1024], hash[65], *body = json_dumps(ask, JSON_COMPACT);
    unsigned char digest[32];
    const char *host = strstr(remote->url, "://");
    struct http_header headers[8] = {
        {"content-type", "application/x-amz-json-1.1"}, {"host", host ? host + 3 : ""}, {"x-amz-date", date}, {"x-amz-target", target}
    };
    struct sigv4_request to_sign = {.method = "POST", .path = "/", .query = "", .headers = headers, .header_count = 4, .payload_hash = hash,
                                    .region = remote->region, .service = "kms", .at = time(NULL)};
    struct http_request request = {.method = "POST", .url = url, .headers = headers, .body = body, .timeout_ms = remote->timeout_ms};
    json_t *answer = NULL;

    if (body && sigv4_load_credentials(remote->credentials_file, &credentials)) {
        EVP_Digest(body, strlen(body), digest, NULL, EVP_sha256(), NULL);
        sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
        sigv4_date(to_sign.at, date);
        if (credentials.session_token[0])
            headers[to_sign.header_count++] = (struct http_header){"x-amz-security-token", credentials.session_token};
        if (sigv4_authorization(&to_sign, &credentials, authorization, sizeof(authorization))) {
            request.header_count = to_sign.header_count;
            headers[request.header_count++] = (struct http_header){"authorization", authorization};
            request.body_size = strlen(body);
            snprintf(url, sizeof(url), "%s/", remote->url);
            answer = remote_call(remote, &request);
        }
        sodium_memzero(&credentials, sizeof(credentials));
    }
    free(body);
    return answer;
}

static bool sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    struct remote_signer *remote = (struct remote_signer *)signer;
    char base64[REMOTE_MESSAGE_ROOM];
    json_t *ask, *answer;
    bool ok;

    remote_message(message, length, base64);
    ask = json_pack("{s:s, s:s, s:s, s:s}", "KeyId", remote->key, "Message", base64, "MessageType", "RAW", "SigningAlgorithm", "ED25519_SHA_512");
    answer = call(remote, "TrentService.Sign", ask);
    ok = answer && remote_signature(remote, remote_text(answer, "Signature"), message, length, signature);
    json_decref(answer);
    json_decref(ask);
    return ok;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_message(signer, digest, DIGEST_LENGTH, signature);
}

static bool learn_key(struct remote_signer *remote)
{
    json_t *ask = json_pack("{s:s}", "KeyId", remote->key);
    json_t *answer = call(remote, "TrentService.GetPublicKey", ask);
    const char *key = answer ? remote_text(answer, "PublicKey") : NULL;
    bool ok = key && signer_parse_public_key(key, remote->signer.public_key);

    if (answer && !ok)
        log_error("%s: key \"%s\" is no Ed25519 key", remote->what, remote->key);
    json_decref(answer);
    json_decref(ask);
    return ok;
}

struct signer *signer_aws_kms_open(const struct signer_config *config)
{
    struct remote_signer *remote = remote_new(config, "AWS KMS");

    if (!remote)
        return NULL;
    remote->signer.sign = sign;
    remote->signer.sign_message = sign_message;
    if (!remote->url[0]) {
        free(remote->url);
        if (asprintf(&remote->url, "https://kms.%s.amazonaws.com", remote->region) < 0)
            remote->url = NULL;
    }
    if (!remote->url || !remote->key[0])
        log_error("signer.type aws-kms needs key_id");
    else if (learn_key(remote))
        return &remote->signer;
    remote_close(&remote->signer);
    return NULL;
}
