/*
 * verify.h
 *		The parts of verify_audit().
 */
#ifndef REASON_CHAIN_VERIFY_H
#define REASON_CHAIN_VERIFY_H

#include "postgres.h"

#include "chain/check.h"
#include "chain/ed25519.h"
#include "core/sha256.h"
#include "core/key_validity.h"
#include "record/event_text.h"

#include "utils/hsearch.h"

#define MAX_SIGNER_BYTES 256

typedef struct Signer
{
	char		id[MAX_SIGNER_BYTES];	/* key, terminated */
	int			number;			/* from 0, in the order of ids: the same in every process of one snapshot */
	uint8		key[ED25519_KEY_LENGTH];
	KeyTimes	times;
	char		purpose[16];	/* terminated */
	int64		signed_before_revocation;
} Signer;

/* One process's means of checking a chain, and how far it got. */
typedef struct Verifier
{
	text	   *division;
	Snapshot	snapshot;
	RowScan		seals;			/* in the order of the chain */
	RowScan		events;			/* by no */
	RowScan		signatures;		/* in the order of the chain, beside the seals */
	bool		at_signature;	/* signatures.slot holds a row */
	AttrNumber	seal_seq,
				seal_event_no,
				seal_prev_hash,
				seal_hash,
				seal_created_at;
	AttrNumber	event_id,
				event_event_type,
				event_ts,
				event_payload;
	AttrNumber	signature_seq,
				signature_signer_id,
				signature_signature;
	HTAB	   *signers;		/* of Signer */
	RecordReader reader;
	EventTexts	texts;
	AuditChecker checker;
	MemoryContext event_context;	/* reset after each event */

	/* the last good event */
	int64		seq;			/* -1: none */
	uint8		hash[SHA256_LENGTH];
	TimestampTz created_at;

	bool		signed_any;		/* an event had a signature since this was reset */
	int64		unsigned_count; /* at the end of the chain */
	int64		unsigned_first;

	bool		stray;			/* the fault is a row that has no place in the chain */
} Verifier;

/*
 * With the active snapshot; SPI must be connected.  whole: each event of the chain
 * will be checked, so that an edge need not recompute the nodes that it refers to.
 */
extern void audit_verifier_open(Verifier *verifier, text *division, bool whole);
extern void audit_verifier_close(Verifier *verifier);

/*
 * Checks the events from one seq to another, which must be there (PG_INT64_MAX:
 * to the end, wherever it is), and that the first one continues the seal before
 * it.  False, with checker.fault, at the first that is not good; seq, hash and
 * created_at are those of the event before.  Unsigned events are counted on:
 * after one of them, here or in what was checked before, none may be signed.
 */
extern bool audit_verify_range(Verifier *verifier, int64 from_seq, int64 to_seq);

/* Seq of the last seal, -1 without any. */
extern int64 audit_last_sealed(Verifier *verifier);

#endif							/* REASON_CHAIN_VERIFY_H */
