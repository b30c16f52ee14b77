/*
 * s3.h: what the files s3*.c share.
 *
 * An answer counts when it is what S3 answers: its root element, our own checksum, or the bytes read back. A status of 200
 * alone is also what a proxy, a portal or another server says.
 */
#ifndef SIDECAR_S3_H
#define SIDECAR_S3_H

#include "store/s3_request.h"
#include "store/store.h"
#include "store/xml.h"

/* S3: version ids have at most 1,024 bytes. */
#define S3_VERSION_SIZE sizeof(((struct stored *)0)->version)
#define S3_UPLOAD_SIZE 512

/* What is known of an object after a request to put it that did not clearly succeed. */
enum presence {
    PRESENCE_NO,
    PRESENCE_MAYBE,
    PRESENCE_YES,               /* the store refused to put another */
    PRESENCE_TOLD               /* the store says that it was put, and not by which checksum */
};

/* After a request that would have made the object. */
enum presence s3_presence(const struct http_answer *answer);
/* The version id of an answer, or "". */
void s3_take_version(const struct http_answer *answer, struct stored *stored);
/* Whether the store says that a version is under the lock with which it was put; stored->reason: why not. */
bool s3_is_locked(struct s3_store *s3, const struct object *object, struct stored *stored);
enum store_result s3_protect(struct store *store, const char *key, const char *version, const struct protection *protection,
                             struct stored *stored);
bool s3_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context);
bool s3_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context);
/*
 * Reads an object; a version "" is the newest, and gets the id of the one that was read, if it has one. Every range must
 * be the whole of what was asked for, of one version and one size. False: answer says why not; some may have been taken.
 * The caller frees answer in either case.
 */
bool s3_read_ranges(struct s3_store *s3, const char *key, char version[S3_VERSION_SIZE], piece_taker *take, void *context, struct http_answer *answer);
/* The ids of uploads in parts that were begun for an object and not ended. False after logging why they are not known. */
bool s3_list_uploads(struct s3_store *s3, const char *key, char (*ids)[S3_UPLOAD_SIZE], size_t most, size_t *count);
/* Puts an object in parts. */
enum store_result s3_put_parts(struct s3_store *s3, const struct object *object, struct stored *stored, enum presence *presence);

#endif
