/* answer.h: requests to a gateway, and whether an answer says what it must. */
#ifndef SIDECAR_CANARY_ANSWER_H
#define SIDECAR_CANARY_ANSWER_H

#include "canary/canary.h"

struct question {
    const struct gateway *gateway;
    const char *method, *path;
    const json_t *body;         /* NULL: none */
    const char *key;            /* Idempotency-Key; NULL: none */
    const char *prefer;         /* NULL: none */
    long status, or_status;     /* that the answer may have; or_status 0: no other */
};

/* The answer's JSON, which the caller releases; NULL after canary_fail(). */
json_t *answer_to(struct canary *canary, const struct question *question);
/* As answer_to() with GET, for a path in printf's format. */
json_t *answer_from(struct canary *canary, const struct gateway *gateway, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The bytes of an answer of the gateway on trial as they are, terminated, which the caller frees; NULL after canary_fail(). */
char *answer_bytes(struct canary *canary, const char *path, size_t *length);
/*
 * Whether every member of expected is in the answer with the same value, at every depth; arrays must be as long. False after
 * canary_fail(), which names the place.
 */
bool answer_says(struct canary *canary, const char *what, const json_t *answer, const json_t *expected);
/* A text of the answer; "" after canary_fail(). */
const char *answer_text(struct canary *canary, const char *what, const json_t *answer, const char *member);

#endif
