/* target.h: one request to a mirror over HTTP, JSON in and out, with the credentials of the moment. */
#ifndef SIDECAR_MIRROR_TARGET_H
#define SIDECAR_MIRROR_TARGET_H

#include "mirror/mirror.h"

/* Keeps what is wrong in mirror->error, without characters that control. Returns the outcome. */
enum mirror_outcome target_says(struct mirror *mirror, enum mirror_outcome outcome, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * POSTs a JSON document, which is released, to a path below the URL; the answer's, an object, into *answer, which the caller releases.
 * *status, if not NULL, gets the status, and any is then an answer; else any but 200 is MIRROR_AWAY.
 */
enum mirror_outcome target_post(struct mirror *mirror, const char *path, json_t *body, long *status, json_t **answer);
/* The same for a text of another type. */
enum mirror_outcome target_post_text(struct mirror *mirror, const char *path, const char *type, const char *text, long *status, json_t **answer);

#endif
