/*
 * Whether changes that decide whom to trust have the approvals that they need, from the chain of division system alone.
 *
 * The rules are those of sql/approval.sql: a change of a kind needs as many approvals as the chain had set for that kind by then,
 * from approvers that it had named by then, over a proposal that says what the event records.
 */
#ifndef REASON_VERIFY_APPROVALS_H
#define REASON_VERIFY_APPROVALS_H

#include "verify.h"

typedef struct Approvals Approvals;

Approvals *approvals_new(void);
void approvals_free(Approvals *approvals);

/*
 * Takes the next event of division system, from its first one on. `hashes` are those of all events before it, `seq` of them.
 * NULL, or what the event lacks, which holds until the next call.
 */
const char *approvals_take(Approvals *approvals, const JsonDocument *document, const JsonNode *payload,
                           const uint8_t (*hashes)[SHA256_LENGTH], uint64_t seq);

/* Whether an event is of a type that may need approvals. */
bool approvals_concern(const JsonDocument *document, const JsonNode *payload);

/* How many events needed approvals so far, and had them. */
size_t approvals_counted(const Approvals *approvals);

#endif
