/* remote.h: what signers behind an HTTP API share: JSON there, JSON back, a signature in base64. */
#ifndef SIDECAR_REMOTE_H
#define SIDECAR_REMOTE_H

#include "signer/signer.h"

#include "net/http.h"

#include <jansson.h>

struct remote_signer {
    struct signer signer;
    const char *what;           /* for the log */
    struct http *http;
    char *url;                  /* without a slash at the end */
    char *signer_id;
    char *key;
    char *token_file;
    char *mount;
    char *region;
    char *credentials_file;
    bool plaintext;             /* the token may travel unencrypted */
    int timeout_ms;
};

/* Keeps what of the configuration the signers need; NULL after logging why not. */
struct remote_signer *remote_new(const struct signer_config *config, const char *what);
void remote_close(struct signer *signer);

/* Whether the token travels encrypted, or stays on this machine, or need not be hidden; logged when not. */
bool remote_hides_token(const struct remote_signer *remote);
/* Sends the request, and gives the JSON object of a 200 answer; NULL otherwise, logged with the answer's status, never its body. */
json_t *remote_call(struct remote_signer *remote, const struct http_request *request);
/* The text of a member, or NULL. */
const char *remote_text(const json_t *object, const char *name);
/* Whether it is a signature of the message by the signer's public key; logged when not. */
bool remote_signature(struct remote_signer *remote, const char *base64, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH]);
/* Room for a message in base64, with its end. */
#define REMOTE_MESSAGE_ROOM ((SIGNER_MESSAGE_MOST + 2) / 3 * 4 + 1)
/* At most SIGNER_MESSAGE_MOST bytes, base64. */
void remote_message(const uint8_t *message, size_t length, char base64[REMOTE_MESSAGE_ROOM]);

#endif
