/* public_key.c: the forms of public keys that signers answer with. */
#include "signer/signer.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

bool signer_parse_public_key(const char *text, uint8_t key[PUBLIC_KEY_LENGTH])
{
    /* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING }: RFC 8410, section 4 */
    static const uint8_t spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t bytes[sizeof(spki) + PUBLIC_KEY_LENGTH];
    const char *begin = strstr(text, "-----BEGIN PUBLIC KEY-----"), *end;
    size_t length;

    if (begin)
        text = begin + strlen("-----BEGIN PUBLIC KEY-----");
    while (isspace((unsigned char)*text))
        text++;
    end = strstr(text, "-----END");
    if (!end)
        end = text + strlen(text);
    if (sodium_base642bin(bytes, sizeof(bytes), text, (size_t)(end - text), " \r\n", &length, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    if (length == sizeof(bytes) && !memcmp(bytes, spki, sizeof(spki)))
        memcpy(key, bytes + sizeof(spki), PUBLIC_KEY_LENGTH);
    else if (length == PUBLIC_KEY_LENGTH)
        memcpy(key, bytes, PUBLIC_KEY_LENGTH);
    else
        return false;
    return true;
}
