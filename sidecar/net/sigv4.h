/*
 * sigv4.h: AWS Signature Version 4.
 *
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and, for S3's
 * own cases, https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
#ifndef SIDECAR_NET_SIGV4_H
#define SIDECAR_NET_SIGV4_H

#include "net/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct sigv4_credentials {
    char access_key[256];
    char secret_key[256];
    char session_token[4096];   /* "": none */
};

struct sigv4_request {
    const char *method;
    const char *path;           /* encoded as sent, beginning with / */
    const char *query;          /* encoded and sorted, each parameter with its =; "" for none */
    const struct http_header *headers; /* all are signed; names in lower case, host among them */
    size_t header_count;
    const char *payload_hash;   /* SHA-256 of the body, hex */
    const char *region, *service;
    time_t at;
};

#define SIGV4_HEADERS_MOST 32

/* The value of the Authorization header; false when it does not fit. */
bool sigv4_authorization(const struct sigv4_request *request, const struct sigv4_credentials *credentials, char *authorization, size_t size);
/* The value of x-amz-date. */
void sigv4_date(time_t at, char date[17]);
/* Percent-encodes what is not unreserved (RFC 3986), and / unless it is kept. False when it does not fit. */
bool sigv4_encode(const char *text, bool keep_slash, char *encoded, size_t size);

#endif
