/* pkcs11_key.c: EC_PARAMS and EC_POINT of an Ed25519 key, as tokens write them. */
#include "signer/pkcs11_key.h"

#include <string.h>

bool pkcs11_is_ed25519(const uint8_t *parameters, size_t length)
{
    static const uint8_t oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    static const uint8_t old_oid[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01};
    static const char name[] = "\x13\x0c" "edwards25519";

    return (length == sizeof(oid) && !memcmp(parameters, oid, length)) || (length == sizeof(old_oid) && !memcmp(parameters, old_oid, length))
           || (length == sizeof(name) - 1 && !memcmp(parameters, name, length));
}

bool pkcs11_public_point(const uint8_t *point, size_t length, uint8_t key[32])
{
    if (length == 34 && point[0] == 0x04 && point[1] == 32)
        point += 2;
    else if (length == 35 && point[0] == 0x03 && point[1] == 33 && point[2] == 0)
        point += 3;
    else if (length != 32)
        return false;
    memcpy(key, point, 32);
    return true;
}
