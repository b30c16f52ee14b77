/* sigv4.c: AWS Signature Version 4. */
#include "net/sigv4.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_LENGTH 32

void sigv4_date(time_t at, char date[17])
{
    struct tm utc;

    gmtime_r(&at, &utc);
    strftime(date, 17, "%Y%m%dT%H%M%SZ", &utc);
}

bool sigv4_encode(const char *text, bool keep_slash, char *encoded, size_t size)
{
    size_t length = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p < 0x80 && isalnum(*p)) || strchr("-._~", *p) || (keep_slash && *p == '/');

        if (length + (plain ? 1 : 3) >= size)
            return false;
        length += (size_t)sprintf(encoded + length, plain ? "%c" : "%%%02X", *p);
    }
    if (length >= size)
        return false;
    encoded[length] = '\0';
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct http_header *)a)->name, ((const struct http_header *)b)->name);
}

static void hmac(const void *key, size_t key_length, const char *message, uint8_t mac[SHA256_LENGTH])
{
    unsigned length = SHA256_LENGTH;

    HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)message, strlen(message), mac, &length);
}

/* The header's value with surrounding white space gone and runs of it made one space. */
static void put_value(FILE *out, const char *value)
{
    bool begun = false, space = false;

    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space && begun)
            putc(' ', out);
        putc(*value, out);
        begun = true;
        space = false;
    }
}

/* SHA-256 of the canonical request, hex, and the names of the headers signed. */
static bool canonical_request(const struct sigv4_request *request, char hash[2 * SHA256_LENGTH + 1], char *names, size_t names_size)
{
    struct http_header sorted[SIGV4_HEADERS_MOST];
    char *text = NULL;
    size_t length = 0, names_length = 0;
    uint8_t digest[SHA256_LENGTH];
    FILE *out;

    if (request->header_count > SIGV4_HEADERS_MOST || !(out = open_memstream(&text, &length)))
        return false;
    memcpy(sorted, request->headers, request->header_count * sizeof(sorted[0]));
    qsort(sorted, request->header_count, sizeof(sorted[0]), by_name);
    fprintf(out, "%s\n%s\n%s\n", request->method, request->path, request->query);
    for (size_t i = 0; i < request->header_count; i++) {
        fprintf(out, "%s:", sorted[i].name);
        put_value(out, sorted[i].value);
        putc('\n', out);
        names_length += (size_t)snprintf(names + names_length, names_length < names_size ? names_size - names_length : 0, "%s%s", i ? ";" : "",
                                         sorted[i].name);
        if (names_length >= names_size) {
            fclose(out);
            free(text);
            return false;
        }
    }
    fprintf(out, "\n%s\n%s", names, request->payload_hash);
    if (fclose(out) != 0) {
        free(text);
        return false;
    }
    EVP_Digest(text, length, digest, NULL, EVP_sha256(), NULL);
    free(text);
    sodium_bin2hex(hash, 2 * SHA256_LENGTH + 1, digest, sizeof(digest));
    return true;
}

bool sigv4_authorization(const struct sigv4_request *request, const struct sigv4_credentials *credentials, char *authorization, size_t size)
{
    char date[17], scope[256], to_sign[512], names[1024] = "", hash[2 * SHA256_LENGTH + 1], secret[300];
    uint8_t key[SHA256_LENGTH], next[SHA256_LENGTH];
    int length;

    if (!canonical_request(request, hash, names, sizeof(names)))
        return false;
    sigv4_date(request->at, date);
    snprintf(scope, sizeof(scope), "%.8s/%s/%s/aws4_request", date, request->region, request->service);
    snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);

    length = snprintf(secret, sizeof(secret), "AWS4%s", credentials->secret_key);
    {
        char day[9];

        snprintf(day, sizeof(day), "%.8s", date);
        hmac(secret, (size_t)length, day, key);
    }
    hmac(key, sizeof(key), request->region, next);
    hmac(next, sizeof(next), request->service, key);
    hmac(key, sizeof(key), "aws4_request", next);
    hmac(next, sizeof(next), to_sign, key);
    sodium_memzero(secret, sizeof(secret));
    sodium_bin2hex(hash, sizeof(hash), key, sizeof(key));
    length = snprintf(authorization, size, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", credentials->access_key, scope, names,
                      hash);
    return length > 0 && (size_t)length < size;
}
