/* s3_request.h: one request to the S3 API, and what requests and answers are made of. */
#ifndef SIDECAR_S3_REQUEST_H
#define SIDECAR_S3_REQUEST_H

#include "net/http.h"
#include "net/sigv4.h"
#include "store/store.h"

#include <time.h>

#define S3_METADATA_MOST 12

struct s3_store {
    struct store store;
    struct http *http;
    char bucket[64], prefix[512], region[64];
    char host[400], base_url[512], path_prefix[80];
    char *credentials_file;
    char lock_mode[16];         /* "": no object lock */
    int lock_days;
    long lock_seen_ms;          /* when the store last said that what was put is locked, by the steady clock; 0: not yet */
    bool if_none_match;
    int timeout_ms;
    long long multipart_bytes;
};

struct s3_request {
    const char *method;
    const char *key;            /* NULL: the bucket */
    const char *query;
    const char *payload_hash;   /* NULL: no body */
    const struct http_header *headers;
    size_t header_count;
    struct http_request http;   /* the body, and who takes the answer's */
};

/* Headers that an object gets when it is made, with what they point to. */
struct s3_object_headers {
    struct http_header headers[S3_METADATA_MOST + 9];
    char names[S3_METADATA_MOST][64];
    char until[32];
};

/* Signs and sends; true when there was an answer. */
bool s3_call(struct s3_store *s3, struct s3_request *request, struct http_answer *answer);
/* The code of an answer that is an <Error>, else "". */
void s3_error_code(const struct http_answer *answer, char *code, size_t size);
/* STORE_RETRY, with the reason. An answer of status 2xx is one that was not what S3 says. */
enum store_result s3_fault(const struct http_answer *answer, const char *what, struct stored *stored);
/* How many headers were made; there is room for four more. */
size_t s3_object_headers(const struct s3_store *s3, const struct object *object, struct s3_object_headers *made);
void s3_base64_of_hex(const char *hex, char base64[64]);
/* RFC 3339, to the second. */
void s3_time(time_t time, char text[32]);

#endif
