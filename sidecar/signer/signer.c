/* signer.c: which signer is configured. */
#include "signer/signer.h"

#include <string.h>

struct signer *signer_open(const struct config *config)
{
    static const struct {
        const char *type;
        struct signer *(*open)(const struct config *config);
    } types[] = {
        {"local", signer_local_open}, {"pkcs11", signer_pkcs11_open}, {"proxy", signer_proxy_open},
        {"vault", signer_vault_open}, {"aws-kms", signer_aws_kms_open},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(types[i].type, config->signer_type))
            return types[i].open(config);
    return NULL;
}
