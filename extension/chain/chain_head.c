/*
 * chain_head.c
 *		The last seals of chains, which the next continue.
 */
#include "postgres.h"

#include "chain/chain_head.h"

#include "record/attempt.h"
#include "record/row_scan.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

void
chain_head_read(ChainHead *head, RecordText division, Snapshot snapshot)
{
	text	   *name = cstring_to_text_with_len(division.data, division.length);
	RowScan		seals;

	row_scan_open(&seals, "audit_seal", "audit_seal_pkey", 1, snapshot);
	row_scan_text(&seals, 0, name);
	head->seq = -1;
	if (row_scan_find_last(&seals))
	{
		Datum		hash = row_scan_value(seals.slot, row_scan_column(seals.heap, "hash"));

		head->seq = DatumGetInt64(row_scan_value(seals.slot, row_scan_column(seals.heap, "seq")));
		memcpy(head->hash, VARDATA_ANY(DatumGetByteaPP(hash)), SHA256_LENGTH);
		head->created_at = DatumGetTimestampTz(row_scan_value(seals.slot, row_scan_column(seals.heap, "created_at")));
	}
	row_scan_close(&seals);
	pfree(name);
}

/* ---------------------------------------------------------------- those of a pass */

ChainHeads *
chain_heads_create(Snapshot snapshot, bool careful)
{
	HASHCTL		control = {.keysize = SHA256_LENGTH, .entrysize = sizeof(ChainHead), .hcxt = CurrentMemoryContext};
	ChainHeads *heads = palloc(sizeof(ChainHeads));

	heads->table = hash_create("chain heads", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	heads->snapshot = snapshot;
	heads->careful = careful;
	heads->context = CurrentMemoryContext;
	return heads;
}

void
chain_heads_destroy(ChainHeads *heads)
{
	hash_destroy(heads->table);
	pfree(heads);
}

typedef struct Reading
{
	ChainHead  *head;
	RecordText	division;
	Snapshot	snapshot;
} Reading;

static void
read_head(void *argument)
{
	Reading    *reading = argument;

	chain_head_read(reading->head, reading->division, reading->snapshot);
}

ChainHead *
chain_heads_find(ChainHeads *heads, RecordText division)
{
	ChainHead	read = {.seq = -1};
	Reading		reading = {&read, division, heads->snapshot};
	ChainHead  *head;
	MemoryContext old_context;

	sha256_of(read.key, division.data, division.length);
	head = hash_search(heads->table, read.key, HASH_FIND, NULL);
	if (head)
		return head;
	old_context = MemoryContextSwitchTo(heads->context);
	if (heads->careful)
		read.fault = attempt(read_head, &reading);
	else
		read_head(&reading);
	MemoryContextSwitchTo(old_context);
	head = hash_search(heads->table, read.key, HASH_ENTER, NULL);
	*head = read;
	return head;
}

void
chain_heads_halt(ChainHeads *heads, RecordText division)
{
	ChainHead	halted = {.halted = true, .seq = -1};

	sha256_of(halted.key, division.data, division.length);
	*(ChainHead *) hash_search(heads->table, halted.key, HASH_ENTER, NULL) = halted;
}
