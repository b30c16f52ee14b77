/*
 * What the parts of reason-verify share: findings, the signer registry, times and bytes.
 *
 * Nothing is trusted but the registry file: every hash, digest and signature is computed
 * anew from the bytes at hand, with the code that the database extension uses to write them.
 */
#ifndef REASON_VERIFY_H
#define REASON_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/buffer.h"
#include "core/json_reader.h"
#include "core/key_validity.h"
#include "core/sha256.h"

/* Exit status of the program; a worse one wins when several objects are checked. */
typedef enum {
    VERDICT_VERIFIED = 0,
    VERDICT_REFUSED = 1,
    VERDICT_UNCHECKED = 2
} Verdict;

typedef enum { FINDING_OK, FINDING_NOTE, FINDING_BAD, FINDING_UNCHECKED } FindingKind;

typedef struct {
    FindingKind kind;
    const char *check; /* stable name, for machines */
    char *text;
} Finding;

/* What was found out about one object. */
typedef struct {
    const char *name; /* file or URL as given */
    const char *kind; /* "snapshot", "envelope", "audit" */
    char id[40];      /* of a snapshot */
    char hash[SHA256_LENGTH * 2 + 1];
    char *signer_id;
    const char *signer_status;
    uint64_t events; /* of an audit segment, or a log */
    /* of a log, a checkpoint or a proof */
    char *origin;
    uint64_t tree_size;
    char root[SHA256_LENGTH * 2]; /* in Base 64 */
    bool has_index;
    uint64_t index; /* of the entry that is proved */
    Finding *findings;
    size_t count;
    size_t capacity;
} Report;

void report_init(Report *report, const char *name, const char *kind);
void report_free(Report *report);
void report_add(Report *report, FindingKind kind, const char *check, const char *format, ...)
__attribute__((format(printf, 4, 5)));
Verdict report_verdict(const Report *report);
void report_print(const Report *report, bool quiet);
/* One object of JSON in valid UTF-8, whatever the texts in it are. */
void report_write_json(ByteBuffer *out, const Report *report);

/* ---------------------------------------------------------------- printing */

/* Appends what a terminal may be given: what would steer it, cannot be seen or is not UTF-8 becomes an escape. */
void safe_text_for_person(ByteBuffer *out, const char *text, size_t length);
/* The same as a string of JSON, quoted; a byte that is not UTF-8 becomes U+FFFD. */
void safe_text_for_machine(ByteBuffer *out, const char *text, size_t length);
/* For a person. */
void safe_text_print(FILE *file, const char *text);

/* ---------------------------------------------------------------- bytes and times */

typedef struct {
    const char *data;
    size_t length;
} Bytes;

/* RFC 3339 in microseconds since 1970; false if it is not a time in UTC or with an offset, or of no day of the calendar. */
bool parse_time(Bytes text, int64_t *time);
/* The latest time that cannot be called the future: the clock's, and some tolerance for another machine's. */
int64_t latest_present(void);
/* Clocks of two machines may differ by so much (microseconds). */
#define CLOCK_TOLERANCE INT64_C(1000000)
/* Base64 of exactly `size` bytes. */
bool decode_base64(Bytes text, uint8_t *out, size_t size);
/* Hexadecimal of exactly `size` bytes. */
bool decode_hex(Bytes text, uint8_t *out, size_t size);
void encode_hex(char *out, const uint8_t *bytes, size_t size);

/* A string member's bytes; data is NULL when there is none. */
Bytes member_text(const JsonDocument *document, const JsonNode *object, const char *name);

/* ---------------------------------------------------------------- signers */

#define PUBLIC_KEY_LENGTH 32
#define SIGNATURE_LENGTH 64

typedef struct {
    char *id;
    const char *status; /* "active", "retired", "revoked" */
    const char *purpose; /* "events", "checkpoints", "witness", or "unknown": one to come, whose signatures count for nothing here */
    uint8_t public_key[PUBLIC_KEY_LENGTH];
    KeyTimes times;
} Signer;

typedef struct {
    Signer *signers;
    size_t count;
    bool refuse_revoked; /* signatures of a revoked key never count, whenever they were made */
} Registry;

/* False, with the reason in `error`, when the file is no registry. */
bool registry_read(Registry *registry, const char *text, size_t length, ByteBuffer *error);
void registry_free(Registry *registry);

/*
 * Checks an Ed25519 signature over `size` bytes, and that the signer was entitled to make it
 * between the times `earliest` (when what is signed came to be) and `latest` (when the
 * signature is known to have been there). That the times stated are true is believed, unless
 * the registry is to refuse revoked keys. Adds findings; true when all is well.
 */
bool registry_check(const Registry *registry, Report *report, Bytes signer_id, const uint8_t *signature,
                    const uint8_t *message, size_t size, int64_t earliest, int64_t latest);

/* The same without findings, for one of many: NULL, or what is wrong. */
const char *registry_refusal(const Registry *registry, Bytes signer_id, const uint8_t *signature,
                             const uint8_t *message, size_t size, int64_t earliest, int64_t latest);

const Signer *registry_find(const Registry *registry, Bytes signer_id);

/* Why a checkpoint of a log does not count, if the signer made it between these times; NULL: it does. */
const char *registry_checkpoint_refusal(const Registry *registry, const Signer *signer, int64_t earliest, int64_t latest);

/* Bare verification (RFC 8032), as the Wycheproof cases test it. */
bool ed25519_verify(const uint8_t *signature, const uint8_t *message, size_t size, const uint8_t *public_key);

/* ---------------------------------------------------------------- input */

/* A file or object, read whole. */
typedef struct {
    ByteBuffer bytes;
    /* Object metadata that came with it (S3), as text of a JSON object; empty if none. */
    ByteBuffer metadata;
    /* The version of the object that was asked for, if one was, and the one that the store says it gave. */
    bool version_asked;
    ByteBuffer version;
    size_t most;         /* more bytes are refused */
    bool may_compress;   /* on the way */
} Input;

/* False, with the reason in `error`. */
bool input_read(Input *input, const char *location, ByteBuffer *error);
/* The same for what is no larger than `most` bytes; a file must be one. A server may send it compressed. */
bool input_read_limited(Input *input, const char *location, size_t most, ByteBuffer *error);
bool input_read_http(Input *input, const char *location, ByteBuffer *error);
/* The client for https: files of its certificate and key, and of the authorities that servers' certificates
 * must come from. NULL: none, or libcurl's default. */
void input_identify(const char *certificate, const char *key, const char *authorities);
/* Ends connections that are kept open. */
void input_close(void);
/* http, https or s3 */
bool input_is_remote(const char *location);
void input_free(Input *input);

/* ---------------------------------------------------------------- what is verified */

/* What is claimed about a snapshot's bytes: by its metadata, or by options. */
typedef struct {
    Bytes snapshot_id;
    Bytes hash; /* hexadecimal */
    Bytes signature; /* base64 */
    Bytes signer_id;
    Bytes ts; /* when it was signed */
} Claims;

/* Fills claims that are still open from metadata, with the names that object stores, files and the HTTP API use. */
void claims_take(Claims *claims, const JsonDocument *metadata);

void verify_snapshot(Report *report, const Registry *registry, const char *text, size_t length, const Claims *claims);
void verify_envelope(Report *report, const Registry *registry, const char *text, size_t length);

/*
 * Writes the auditor's page of a snapshot's document to a file: one HTML file that verifies in a browser what it shows.
 * `proof` is a tlog-proof of the event that completed the snapshot, `policy` says whose checkpoints count; each may be empty. False with
 * the reason in `error`.
 */
bool page_write(const char *path, Bytes document, const Claims *claims, Bytes registry, Bytes proof, Bytes policy, ByteBuffer *error);

/*
 * Audit segments, one event a line: chains of divisions go on from one object to the next, and
 * contents may come in a segment of their own after the events.
 */
typedef struct Audit Audit;
Audit *audit_new(const Registry *registry);
void audit_free(Audit *audit);
/* Whether the text begins with an audit event, or the content of one. */
bool audit_recognises(const char *text, size_t length);
void audit_verify(Audit *audit, Report *report, const char *text, size_t length);

/* One event by itself, in canonical JSON. */
typedef struct {
    char *division;
    char *event_type;
    uint64_t seq;
    uint8_t hash[SHA256_LENGTH];
    int64_t ts; /* when it happened; KEY_TIME_BEGIN if it does not say */
} AuditEvent;

/*
 * All that audit_verify() checks of an event but that it continues a chain; without a registry not its signature. False,
 * with a finding, when it is none; what is wrong with one is a finding, too.
 */
bool audit_check_event(const Registry *registry, Report *report, const char *text, size_t length, AuditEvent *out);
void audit_event_free(AuditEvent *event);

/* From now on hashes are kept, 32 bytes an event, for a log that they are compared with. */
void audit_keep_hashes(Audit *audit);
/* NULL: the event was not read. */
const uint8_t *audit_hash_of(const Audit *audit, const char *division, uint64_t seq);
/* How many events of the division were read from this one on. */
uint64_t audit_events_from(const Audit *audit, const char *division, uint64_t seq);

/* Nodes by id, for edges and annotations that name their digests. */
typedef struct NodeIndex NodeIndex;
NodeIndex *node_index_new(void);
void node_index_free(NodeIndex *index);
/* False when the id is known already. */
bool node_index_add(NodeIndex *index, Bytes id, const uint8_t digest[SHA256_LENGTH]);
/* NULL when it is not known. */
const uint8_t *node_index_find(const NodeIndex *index, Bytes id);

/* The parts of a snapshot's payload. */
void verify_records(Report *report, const JsonDocument *document, const JsonNode *payload);

/* SHA-256(salt || canonical(payload)) against the record's payloadHash; false if they differ or the salt is no salt. */
bool content_matches(const JsonDocument *document, const JsonNode *salt, const JsonNode *payload, Bytes payload_hash);

/* Digest of the record members among the object's. */
typedef enum { RECORD_NODE, RECORD_EDGE, RECORD_ANNOTATION } RecordKind;
void record_digest(uint8_t digest[SHA256_LENGTH], const JsonDocument *document, const JsonNode *object,
                   RecordKind kind);

#endif
