/* signer_config.h: the configuration keys that describe a signer. They are the same in every section, but for the one of its id. */
#ifndef SIDECAR_BASE_SIGNER_CONFIG_H
#define SIDECAR_BASE_SIGNER_CONFIG_H

#include "base/config_file.h"

struct signer_config {
    char *id;                   /* as registered; of [checkpoint] it is the key "signer" */
    char *type;                 /* local, pkcs11, proxy, vault, aws-kms */
    char *key_file;             /* local */
    char *module;               /* pkcs11: the library */
    char *token;                /* pkcs11: label of the token */
    char *key_label;            /* pkcs11 */
    char *key_id;               /* pkcs11: CKA_ID in hexadecimal; aws-kms: key id or ARN; vault: name of the key */
    int key_version;            /* vault; 0: the latest when it is opened */
    char *pin_file;             /* pkcs11 */
    char *url;                  /* proxy, vault, aws-kms (endpoint) */
    bool plaintext;             /* proxy, vault: the token may travel unencrypted to another machine */
    char *mount;                /* vault */
    char *region;               /* aws-kms */
    char *token_file;           /* proxy: bearer token; vault: token */
    char *ca_file;
    char *cert_file;            /* client certificate */
    char *cert_key_file;
    char *credentials_file;
    int timeout_ms;
};

/* Rows of a table of keys, for the member of a type that is a struct signer_config. */
#define SIGNER_KEYS(section, owner, member, id_key, id_default) \
    {section, id_key, CONFIG_TEXT, offsetof(owner, member.id), id_default, 0, 0, NULL}, \
    {section, "type", CONFIG_TEXT, offsetof(owner, member.type), "local", 0, 0, "|local|pkcs11|proxy|vault|aws-kms|"}, \
    {section, "key_file", CONFIG_TEXT, offsetof(owner, member.key_file), "", 0, 0, NULL}, \
    {section, "module", CONFIG_TEXT, offsetof(owner, member.module), "", 0, 0, NULL}, \
    {section, "token", CONFIG_TEXT, offsetof(owner, member.token), "", 0, 0, NULL}, \
    {section, "key_label", CONFIG_TEXT, offsetof(owner, member.key_label), "", 0, 0, NULL}, \
    {section, "key_id", CONFIG_TEXT, offsetof(owner, member.key_id), "", 0, 0, NULL}, \
    {section, "pin_file", CONFIG_TEXT, offsetof(owner, member.pin_file), "", 0, 0, NULL}, \
    {section, "key_version", CONFIG_NUMBER, offsetof(owner, member.key_version), "0", 0, 1000000, NULL}, \
    {section, "url", CONFIG_TEXT, offsetof(owner, member.url), "", 0, 0, NULL}, \
    {section, "plaintext", CONFIG_FLAG, offsetof(owner, member.plaintext), "no", 0, 0, NULL}, \
    {section, "mount", CONFIG_TEXT, offsetof(owner, member.mount), "transit", 0, 0, NULL}, \
    {section, "region", CONFIG_TEXT, offsetof(owner, member.region), "us-east-1", 0, 0, NULL}, \
    {section, "token_file", CONFIG_TEXT, offsetof(owner, member.token_file), "", 0, 0, NULL}, \
    {section, "ca_file", CONFIG_TEXT, offsetof(owner, member.ca_file), "", 0, 0, NULL}, \
    {section, "cert_file", CONFIG_TEXT, offsetof(owner, member.cert_file), "", 0, 0, NULL}, \
    {section, "cert_key_file", CONFIG_TEXT, offsetof(owner, member.cert_key_file), "", 0, 0, NULL}, \
    {section, "credentials_file", CONFIG_TEXT, offsetof(owner, member.credentials_file), "", 0, 0, NULL}, \
    {section, "timeout_ms", CONFIG_NUMBER, offsetof(owner, member.timeout_ms), "5000", 100, 60000, NULL}

#endif
