/* s3.h: what the files s3*.c share. */
#ifndef SIDECAR_S3_H
#define SIDECAR_S3_H

#include "sigv4.h"
#include "store.h"

#define S3_METADATA_MOST 12
/* S3: version ids have at most 1,024 bytes. */
#define S3_VERSION_SIZE sizeof(((struct stored *)0)->version)
#define S3_UPLOAD_SIZE 512

struct s3_store {
    struct store store;
    struct http *http;
    char bucket[64], prefix[512], region[64];
    char host[400], base_url[512], path_prefix[80];
    char *credentials_file;
    char lock_mode[16];         /* "": no object lock */
    int lock_days;
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

/* Whether there is an object of that name now, when it was not put. */
enum presence { PRESENCE_NO, PRESENCE_MAYBE, PRESENCE_YES };

/* Headers that an object gets when it is made, with what they point to. */
struct s3_object_headers {
    struct http_header headers[S3_METADATA_MOST + 8];
    char names[S3_METADATA_MOST][64];
    char until[32];
};

/* Signs and sends; true when there was an answer. */
bool s3_call(struct s3_store *s3, struct s3_request *request, struct http_answer *answer);
/* After a request that would have made the object. */
enum presence s3_presence(const struct http_answer *answer);
/* STORE_RETRY, with the reason. */
enum store_result s3_fault(const struct http_answer *answer, const char *what, struct stored *stored);
/* How many headers were made; there is room for four more. */
size_t s3_object_headers(const struct s3_store *s3, const struct object *object, struct s3_object_headers *made);
void s3_base64_of_hex(const char *hex, char base64[64]);
/* RFC 3339, to the second. */
void s3_time(time_t time, char text[32]);
enum store_result s3_protect(struct store *store, const char *key, const char *version, const struct protection *protection,
                             struct stored *stored);
bool s3_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context);
bool s3_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context);
/*
 * Reads an object; a version "" is the newest, and gets the id of the one that was read, if it has one. False: answer
 * says why not; some may have been taken. The caller frees answer in either case.
 */
bool s3_read_ranges(struct s3_store *s3, const char *key, char version[S3_VERSION_SIZE], piece_taker *take, void *context, struct http_answer *answer);
/* The ids of uploads in parts that were begun for an object and not ended. False after logging why they are not known. */
bool s3_list_uploads(struct s3_store *s3, const char *key, char (*ids)[S3_UPLOAD_SIZE], size_t most, size_t *count);
/* Puts an object in parts. */
enum store_result s3_put_parts(struct s3_store *s3, const struct object *object, struct stored *stored, enum presence *presence);

#endif
