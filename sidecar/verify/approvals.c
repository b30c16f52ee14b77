/*
 * Approvals of changes that decide whom to trust, demanded offline.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "approvals.h"
#include "core/canonical.h"

/* SubjectPublicKeyInfo of an Ed25519 key is this, then the 32 bytes (RFC 8410, section 4). */
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

/* guarded_changes() of sql/approval.sql */
typedef struct {
    const char *kind;
    const char *change;     /* the function that makes it */
    const char *event_type;
    const char *member;     /* of the event, which records it */
    const char *moment;     /* what of it is the time of the change, unless an argument says another */
} Change;

static const Change changes[] = {
    {"approval", "add_approver", "approver.changed", "approver", "validFrom"},
    {"approval", "retire_approver", "approver.changed", "approver", "validTo"},
    {"approval", "set_approval_threshold", "approvalRule.changed", "approvalRule", NULL},
    {"signer", "add_signer", "signer.added", "signer", "validFrom"},
    {"signer", "retire_signer", "signer.retired", "signer", NULL},
    {"revocation", "revoke_signer", "signer.revoked", "signer", "revokedAt"},
    {"client", "set_client", "client.changed", "client", NULL},
    {"policy", "set_policy_rule", "policy.changed", "rule", NULL},
    {"retention", "set_archive_rule", "archiveRule.changed", "archiveRule", NULL},
    {"placement", "move_division", "division.changed", "placement", NULL},
    {"safe_mode", "leave_safe_mode", "safemode.accepted", "safeMode", NULL},
};

/* Arguments that are recorded under another name than their own. */
static const struct {
    const char *change, *argument, *member;
} renamed[] = {{"revoke_signer", "reason", "revocationReason"}, {"revoke_signer", "at", "revokedAt"}};

#define CHANGES (sizeof(changes) / sizeof(*changes))

typedef struct {
    char *id;
    uint8_t public_key[PUBLIC_KEY_LENGTH];
    int64_t valid_from, valid_to;
    const void *counted_by; /* the approval that counted it last */
} Approver;

typedef struct {
    char *division;
    double retain_days;
    bool legal_hold;
} Retention;

struct Approvals {
    Approver *approvers;
    size_t approver_count;
    Retention *retentions;
    size_t retention_count;
    char **executed; /* proposals, by id */
    size_t executed_count;
    double thresholds[CHANGES]; /* of the kind of each change */
    size_t counted;
    int64_t begun; /* time of the chain's first event */
    ByteBuffer scratch, other;
    char fault[400];
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("reason-verify: out of memory\n", stderr);
        exit(VERDICT_UNCHECKED);
    }
    return memory;
}

Approvals *approvals_new(void)
{
    Approvals *approvals = must(calloc(1, sizeof(*approvals)));

    buffer_init(&approvals->scratch, NULL, NULL);
    buffer_init(&approvals->other, NULL, NULL);
    return approvals;
}

void approvals_free(Approvals *approvals)
{
    for (size_t i = 0; i < approvals->approver_count; i++)
        free(approvals->approvers[i].id);
    for (size_t i = 0; i < approvals->retention_count; i++)
        free(approvals->retentions[i].division);
    for (size_t i = 0; i < approvals->executed_count; i++)
        free(approvals->executed[i]);
    free(approvals->approvers);
    free(approvals->retentions);
    free(approvals->executed);
    buffer_free(&approvals->scratch);
    buffer_free(&approvals->other);
    free(approvals);
}

size_t approvals_counted(const Approvals *approvals)
{
    return approvals->counted;
}

static bool is_text(Bytes text, const char *expected)
{
    return text.data && text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

/* NULL unless it is an object. */
static const JsonNode *member_object(const JsonDocument *document, const JsonNode *object, const char *name)
{
    const JsonNode *value = object ? json_member(document, object, name, strlen(name)) : NULL;

    return value && value->kind == JSON_OBJECT ? value : NULL;
}

static bool member_true(const JsonDocument *document, const JsonNode *object, const char *name)
{
    const JsonNode *value = json_member(document, object, name, strlen(name));

    return value && value->kind == JSON_TRUE;
}

static double member_number(const JsonDocument *document, const JsonNode *object, const char *name, double otherwise)
{
    const JsonNode *value = json_member(document, object, name, strlen(name));

    return value && value->kind == JSON_NUMBER ? value->u.number : otherwise;
}

/* The first change that leaves such an event; several of one kind may. */
static const Change *change_of_event(const JsonDocument *document, const JsonNode *payload)
{
    Bytes type = member_text(document, payload, "eventType");

    for (size_t i = 0; i < CHANGES; i++) {
        if (is_text(type, changes[i].event_type) && member_object(document, payload, changes[i].member))
            return &changes[i];
    }
    return NULL;
}

bool approvals_concern(const JsonDocument *document, const JsonNode *payload)
{
    return change_of_event(document, payload) != NULL;
}

static Retention *find_retention(const Approvals *approvals, Bytes division)
{
    for (size_t i = 0; i < approvals->retention_count; i++) {
        if (is_text(division, approvals->retentions[i].division))
            return &approvals->retentions[i];
    }
    return NULL;
}

static Approver *find_approver(const Approvals *approvals, Bytes id)
{
    for (size_t i = 0; i < approvals->approver_count; i++) {
        if (is_text(id, approvals->approvers[i].id))
            return &approvals->approvers[i];
    }
    return NULL;
}

/* Divisions by their names, without the one that stands for all. */
static bool names_divisions(const JsonDocument *document, const JsonNode *client)
{
    const JsonNode *divisions = json_member_literal(document, client, "divisions");

    if (!divisions || divisions->kind != JSON_ARRAY)
        return false;
    for (const JsonNode *d = json_first(document, divisions); d; d = json_next(document, divisions, d)) {
        if (d->kind != JSON_STRING || json_string_is(document, d, "*", 1))
            return false;
    }
    return true;
}

static bool member_false(const JsonDocument *document, const JsonNode *object, const char *name)
{
    const JsonNode *value = json_member(document, object, name, strlen(name));

    return value && value->kind == JSON_FALSE;
}

/* change_kind() of sql/approval.sql: whether the event decides whom to trust.  What is not of its form passes for nothing harmless. */
static bool decides(const Approvals *approvals, const Change *change, const JsonDocument *document, const JsonNode *recorded)
{
    if (strcmp(change->kind, "client") == 0) {
        Bytes role = member_text(document, recorded, "role");

        return !member_false(document, recorded, "enabled") && !is_text(role, "reader") && !is_text(role, "auditor")
               && !(is_text(role, "writer") && names_divisions(document, recorded));
    }
    if (strcmp(change->kind, "placement") == 0) {
        Bytes state = member_text(document, recorded, "state");

        return !is_text(state, "frozen") && !is_text(state, "here");
    }
    if (strcmp(change->kind, "retention") == 0) {
        const Retention *earlier = find_retention(approvals, member_text(document, recorded, "division"));

        return !earlier || !(member_number(document, recorded, "retainDays", -INFINITY) >= earlier->retain_days)
               || !(member_true(document, recorded, "legalHold")
                    || (member_false(document, recorded, "legalHold") && !earlier->legal_hold));
    }
    return true;
}

/* ---------------------------------------------------------------- the proposal and the event */

static void recorded_name(char *out, size_t size, const Change *change, Bytes argument)
{
    size_t length = 0;
    bool upper = false;

    for (size_t i = 0; i < sizeof(renamed) / sizeof(*renamed); i++) {
        if (strcmp(renamed[i].change, change->change) == 0 && is_text(argument, renamed[i].argument)) {
            snprintf(out, size, "%s", renamed[i].member);
            return;
        }
    }
    for (size_t i = 0; i < argument.length && length + 1 < size; i++) {
        char c = argument.data[i];

        if (c == '_') {
            upper = true;
            continue;
        }
        out[length++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        upper = false;
    }
    out[length] = '\0';
}

static void write_canonical(ByteBuffer *out, const JsonDocument *document, const JsonNode *value)
{
    out->length = 0;
    if (value)
        canonical_write_value(out, document, value);
    else
        buffer_append_literal(out, "null");
}

static bool time_between(const JsonDocument *document, const JsonNode *object, const char *name, int64_t earliest, int64_t latest)
{
    int64_t time;

    return parse_time(member_text(document, object, name), &time) && time >= earliest && time <= latest;
}

static bool same_member(const JsonDocument *document, const JsonNode *object, const char *one, const char *other)
{
    Bytes a = member_text(document, object, one), b = member_text(document, object, other);

    return a.data && b.data && a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* The change that was approved, if the event records just that; else NULL with the fault. */
static const Change *approved_change(Approvals *approvals, const JsonDocument *document, const JsonNode *payload,
                                     const JsonNode *proposal, int64_t proposed_at, int64_t ts)
{
    const JsonNode *arguments = member_object(document, proposal, "arguments"), *recorded = NULL;
    const Change *change = NULL;
    bool moment_given = false;

    for (size_t i = 0; i < CHANGES; i++) {
        if (is_text(member_text(document, proposal, "change"), changes[i].change))
            change = &changes[i];
    }
    if (change && is_text(member_text(document, payload, "eventType"), change->event_type))
        recorded = member_object(document, payload, change->member);
    if (!recorded || !arguments) {
        snprintf(approvals->fault, sizeof(approvals->fault), "is not the change that was approved");
        return NULL;
    }
    for (const JsonNode *n = json_first(document, arguments); n; n = json_next(document, arguments, json_value(n))) {
        char name[100];

        recorded_name(name, sizeof(name), change, (Bytes){json_string(document, n), n->length});
        if (change->moment && strcmp(name, change->moment) == 0) {
            if (json_value(n)->kind == JSON_NULL)
                continue;
            moment_given = true;
        }
        write_canonical(&approvals->scratch, document, json_value(n));
        write_canonical(&approvals->other, document, json_member(document, recorded, name, strlen(name)));
        if (approvals->scratch.length != approvals->other.length
            || memcmp(approvals->scratch.data, approvals->other.data, approvals->scratch.length) != 0) {
            snprintf(approvals->fault, sizeof(approvals->fault), "records another %s than was approved", name);
            return NULL;
        }
    }
    /* Whose time has yet to come ends when it would begin. */
    if (change->moment && strcmp(change->moment, "validTo") == 0 && same_member(document, recorded, "validTo", "validFrom")
        && time_between(document, recorded, "validTo", ts, INT64_MAX))
        return change;
    if (change->moment && !moment_given && !time_between(document, recorded, change->moment, proposed_at, ts)) {
        snprintf(approvals->fault, sizeof(approvals->fault), "records a %s that is not the time of the change", change->moment);
        return NULL;
    }
    return change;
}

static size_t count_approvals(Approvals *approvals, const JsonDocument *document, const JsonNode *list, const JsonNode *proposal,
                              int64_t ts)
{
    size_t count = 0;

    write_canonical(&approvals->scratch, document, proposal);
    for (size_t i = 0; i < approvals->approver_count; i++)
        approvals->approvers[i].counted_by = NULL;
    for (const JsonNode *a = json_first(document, list); a; a = json_next(document, list, a)) {
        Approver *approver = a->kind == JSON_OBJECT ? find_approver(approvals, member_text(document, a, "approverId")) : NULL;
        uint8_t signature[SIGNATURE_LENGTH];

        if (!approver || approver->counted_by || ts < approver->valid_from || ts > approver->valid_to
            || !decode_base64(member_text(document, a, "signature"), signature, sizeof(signature))
            || !ed25519_verify(signature, (const uint8_t *)approvals->scratch.data, approvals->scratch.length, approver->public_key))
            continue;
        approver->counted_by = a;
        count++;
    }
    return count;
}

/* The chain that the proposal was made on is this one. A proposal names no place of it only where it is older than the chain. */
static bool head_is_here(const Approvals *approvals, const JsonDocument *document, const JsonNode *proposal, int64_t proposed_at,
                         const uint8_t (*hashes)[SHA256_LENGTH], uint64_t seq)
{
    const JsonNode *head = member_object(document, proposal, "head");
    double at = head ? member_number(document, head, "seq", 0) : 0;
    uint8_t hash[SHA256_LENGTH];

    if (!head)
        return proposed_at < approvals->begun;
    return at >= 0 && at < (double)seq && decode_hex(member_text(document, head, "hash"), hash, sizeof(hash))
           && memcmp(hashes[(uint64_t)at], hash, sizeof(hash)) == 0;
}

static bool was_executed(const Approvals *approvals, Bytes id)
{
    for (size_t i = 0; i < approvals->executed_count; i++) {
        if (is_text(id, approvals->executed[i]))
            return true;
    }
    return false;
}

static const char *check(Approvals *approvals, const JsonDocument *document, const JsonNode *payload, const Change *change,
                         size_t needed, const uint8_t (*hashes)[SHA256_LENGTH], uint64_t seq)
{
    const JsonNode *approved = json_member_literal(document, payload, "approved");
    const JsonNode *proposal, *list;
    int64_t ts, proposed_at, expires_at;
    size_t count;
    Bytes id;

    if (!approved) {
        snprintf(approvals->fault, sizeof(approvals->fault), "is a change of kind \"%s\" that needs %zu approvals, and has none", change->kind, needed);
        return needed > 0 ? approvals->fault : NULL;
    }
    proposal = approved->kind == JSON_OBJECT ? member_object(document, approved, "proposal") : NULL;
    list = approved->kind == JSON_OBJECT ? json_member_literal(document, approved, "approvals") : NULL;
    id = member_text(document, proposal, "id");
    if (!proposal || !list || list->kind != JSON_ARRAY || !is_text(member_text(document, proposal, "type"), "reasoning-graph/proposal/v1")
        || !id.length || !parse_time(member_text(document, proposal, "proposedAt"), &proposed_at)
        || !parse_time(member_text(document, proposal, "expiresAt"), &expires_at) || !parse_time(member_text(document, payload, "ts"), &ts))
        return "was approved by what is no proposal with approvals";
    if (!approved_change(approvals, document, payload, proposal, proposed_at, ts))
        return approvals->fault;
    if (ts < proposed_at || ts > expires_at)
        return "was made at a time at which its proposal could not be executed";
    count = count_approvals(approvals, document, list, proposal, ts);
    if (count < needed) {
        snprintf(approvals->fault, sizeof(approvals->fault), "is a change of kind \"%s\" that needs %zu approvals, and has %zu that count",
                 change->kind, needed, count);
        return approvals->fault;
    }
    if (!head_is_here(approvals, document, proposal, proposed_at, hashes, seq))
        return "was approved for another chain than this one";
    if (was_executed(approvals, id))
        return "executes a proposal that was executed before";
    approvals->executed = must(realloc(approvals->executed, (approvals->executed_count + 1) * sizeof(*approvals->executed)));
    approvals->executed[approvals->executed_count++] = must(strndup(id.data, id.length));
    return NULL;
}

/* ---------------------------------------------------------------- what comes of an event */

/* False: an approver of this id had another key. */
static bool take_approver(Approvals *approvals, const JsonDocument *document, const JsonNode *recorded)
{
    Bytes id = member_text(document, recorded, "approverId");
    uint8_t spki[sizeof(spki_prefix) + PUBLIC_KEY_LENGTH];
    Approver *approver = find_approver(approvals, id);
    bool same = true;

    if (!id.length || !decode_base64(member_text(document, recorded, "publicKey"), spki, sizeof(spki))
        || memcmp(spki, spki_prefix, sizeof(spki_prefix)) != 0)
        return false;
    if (!approver) {
        approvals->approvers = must(realloc(approvals->approvers, (approvals->approver_count + 1) * sizeof(Approver)));
        approver = &approvals->approvers[approvals->approver_count++];
        approver->id = must(strndup(id.data, id.length));
    } else
        same = memcmp(approver->public_key, spki + sizeof(spki_prefix), PUBLIC_KEY_LENGTH) == 0;
    memcpy(approver->public_key, spki + sizeof(spki_prefix), PUBLIC_KEY_LENGTH);
    if (!parse_time(member_text(document, recorded, "validFrom"), &approver->valid_from))
        approver->valid_from = KEY_TIME_END;
    if (!parse_time(member_text(document, recorded, "validTo"), &approver->valid_to))
        approver->valid_to = KEY_TIME_END;
    return same;
}

static void take_threshold(Approvals *approvals, const JsonDocument *document, const JsonNode *recorded)
{
    double threshold = member_number(document, recorded, "threshold", 1000);

    for (size_t i = 0; i < CHANGES; i++) {
        if (is_text(member_text(document, recorded, "kind"), changes[i].kind))
            approvals->thresholds[i] = threshold >= 0 && threshold <= 1000 && threshold == floor(threshold) ? threshold : 1000;
    }
}

static void take_retention(Approvals *approvals, const JsonDocument *document, const JsonNode *recorded)
{
    Bytes division = member_text(document, recorded, "division");
    Retention *retention = find_retention(approvals, division);

    if (!division.length)
        return;
    if (!retention) {
        approvals->retentions = must(realloc(approvals->retentions, (approvals->retention_count + 1) * sizeof(Retention)));
        retention = &approvals->retentions[approvals->retention_count++];
        retention->division = must(strndup(division.data, division.length));
    }
    retention->retain_days = member_number(document, recorded, "retainDays", INFINITY);
    retention->legal_hold = !member_false(document, recorded, "legalHold");
}

const char *approvals_take(Approvals *approvals, const JsonDocument *document, const JsonNode *payload,
                           const uint8_t (*hashes)[SHA256_LENGTH], uint64_t seq)
{
    const Change *change = change_of_event(document, payload);
    const JsonNode *recorded;
    const char *fault;
    size_t needed = 0;

    if (seq == 0 && !parse_time(member_text(document, payload, "ts"), &approvals->begun))
        approvals->begun = INT64_MIN;
    if (!change)
        return NULL;
    recorded = member_object(document, payload, change->member);
    if (decides(approvals, change, document, recorded))
        needed = (size_t)approvals->thresholds[change - changes];
    fault = check(approvals, document, payload, change, needed, hashes, seq);
    approvals->counted += !fault && needed > 0;
    if (strcmp(change->member, "approver") == 0) {
        if (!take_approver(approvals, document, recorded) && !fault)
            fault = "names an approver with another key than before, or with none";
    } else if (strcmp(change->member, "approvalRule") == 0)
        take_threshold(approvals, document, recorded);
    else if (strcmp(change->member, "archiveRule") == 0)
        take_retention(approvals, document, recorded);
    return fault;
}
