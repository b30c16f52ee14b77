/*
 * check.h
 *		What an event says, against the rows that it is about.
 */
#ifndef REASON_CHAIN_CHECK_H
#define REASON_CHAIN_CHECK_H

#include "postgres.h"

#include "record/read.h"
#include "core/buffer.h"
#include "core/json_reader.h"
#include "lib/stringinfo.h"

typedef struct AuditChecker
{
	RecordReader *reader;
	JsonDocument event;			/* the payload of the present event */
	JsonDocument recorded;		/* a record, and the one made from a row, ... */
	JsonDocument row;			/* ... when it must be told what differs */
	ByteBuffer	record;			/* scratch */
	ByteBuffer	content;		/* scratch */
	bool		check_ends;		/* recompute the nodes that an edge or annotation refers to, too */
	StringInfo	fault;			/* what is wrong; empty when nothing is */
} AuditChecker;

extern void audit_checker_init(AuditChecker *checker, RecordReader *reader);

/*
 * Raises 42501 unless the current role may see the division: what reads tables
 * without row security asks here first.  SPI must be connected.
 */
extern void audit_require_division(text *division);

/* Appends to checker->fault and returns false: `return audit_fault(…)`. */
extern bool audit_fault(AuditChecker *checker, const char *format, ...) pg_attribute_printf(2, 3);

/* Text that a string member holds; absent when there is no such member. */
extern RecordText audit_member_text(const JsonDocument *document, const JsonNode *object, const char *name);

/* A row against the canonical record that it must have been made from, and the digest of that. */
extern bool audit_check_record(AuditChecker *checker, const StoredRecord *stored, RecordText record, const uint8 *digest);

/* The row's own digest and content, without a record to compare with. */
extern bool audit_check_stored(AuditChecker *checker, const StoredRecord *stored);

/*
 * checker->event holds the payload of event `no` with id `event_id`: checks the
 * rows it is about.  Events of other kinds pass.
 */
extern bool audit_check_subject(AuditChecker *checker, RecordText event_type, int64 no, const pg_uuid_t *event_id);

/* Lower-case text of a UUID, in the current memory context. */
extern char *audit_uuid_text(const pg_uuid_t *id);

#endif							/* REASON_CHAIN_CHECK_H */
