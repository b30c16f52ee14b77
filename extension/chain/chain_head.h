/*
 * chain_head.h
 *		The last seals of chains, which the next continue.
 */
#ifndef REASON_CHAIN_CHAIN_HEAD_H
#define REASON_CHAIN_CHAIN_HEAD_H

#include "postgres.h"

#include "core/sha256.h"
#include "datatype/timestamp.h"
#include "record/record.h"
#include "utils/hsearch.h"
#include "utils/snapshot.h"

typedef struct ChainHead
{
	uint8		key[SHA256_LENGTH]; /* of the division's name */
	bool		halted;			/* at an event that cannot be sealed: what follows was not read */
	char	   *fault;			/* why the seal cannot be read; NULL: it is here */
	int64		seq;			/* -1: the chain is empty */
	uint8		hash[SHA256_LENGTH];
	TimestampTz created_at;
} ChainHead;

/* Those that a pass of the sealer has asked for. */
typedef struct ChainHeads
{
	HTAB	   *table;
	Snapshot	snapshot;
	bool		careful;		/* a head that cannot be read gets a fault, instead of an error */
	MemoryContext context;
} ChainHeads;

/* Raises what is raised when a page cannot be read; fills in seq, hash and created_at. */
extern void chain_head_read(ChainHead *head, RecordText division, Snapshot snapshot);

/* In the current memory context. */
extern ChainHeads *chain_heads_create(Snapshot snapshot, bool careful);
extern void chain_heads_destroy(ChainHeads *heads);
extern ChainHead *chain_heads_find(ChainHeads *heads, RecordText division);

/* The chain takes nothing more in this pass; its head is not looked for. */
extern void chain_heads_halt(ChainHeads *heads, RecordText division);

#endif							/* REASON_CHAIN_CHAIN_HEAD_H */
