/* signer.c: which signer is configured, and what may be signed. */
#include "signer/signer.h"

#include "base/log.h"

#include <string.h>

struct signer *signer_open(const struct signer_config *config)
{
    static const struct {
        const char *type;
        struct signer *(*open)(const struct signer_config *config);
    } types[] = {
        {"local", signer_local_open}, {"pkcs11", signer_pkcs11_open}, {"proxy", signer_proxy_open},
        {"vault", signer_vault_open}, {"aws-kms", signer_aws_kms_open},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(types[i].type, config->type))
            return types[i].open(config);
    return NULL;
}

bool signer_sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    if (length <= DIGEST_LENGTH || length > SIGNER_MESSAGE_MOST) {
        log_error("a message of %zu bytes is not signed: it must have more than %d and at most %d", length, DIGEST_LENGTH, SIGNER_MESSAGE_MOST);
        return false;
    }
    return signer->sign_message(signer, message, length, signature);
}
