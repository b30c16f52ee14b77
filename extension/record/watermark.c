/*
 * watermark.c
 *		Which record numbers had been drawn when: noting it, keeping some of it.
 */
#include "postgres.h"

#include "record/watermark.h"

#include "record/shared_memory.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "utils/rel.h"

/* Numbers after which whoever draws one notes a watermark. */
#define DISTANCE 256
/* Gaps are then a third of their age over a hundred million numbers, half of it over some billions. */
#define KEPT 64
/* In more databases than that, those whose watermarks were noted last keep them. */
#define DATABASES 64

/* What one database has. */
typedef struct Watermarks
{
	Oid			database;		/* invalid: none */
	Oid			sequence;
	Oid			file;			/* the sequence's, another one after ALTER SEQUENCE RESTART */
	int			count;
	uint64		used_at;		/* by turns */
	pg_atomic_uint64 newest_no; /* of the last one; may be read without the lock */
	Watermark	watermarks[KEPT];	/* ascending by both */
} Watermarks;

typedef struct Control
{
	uint64		turn;
	Watermarks	databases[DATABASES];
} Control;

static Control *control;		/* NULL: not preloaded */
static LWLock *lock;
static Watermarks of_session;
static Watermarks *known;			/* this database's, unless another took its place */

/* ---------------------------------------------------------------- at the server's start */

static void
set_up_memory(void *memory, bool is_new, LWLock *own_lock)
{
	control = memory;
	lock = own_lock;
	for (int i = 0; is_new && i < DATABASES; i++)
		pg_atomic_init_u64(&control->databases[i].newest_no, 0);
}

void
watermarks_define(void)
{
	pg_atomic_init_u64(&of_session.newest_no, 0);
	shared_memory_define("reasoning_graph_moments", sizeof(Control), set_up_memory);
}

/* ---------------------------------------------------------------- whose */

static void
acquire(LWLockMode mode)
{
	if (control)
		LWLockAcquire(lock, mode);
}

static void
release(void)
{
	if (control)
		LWLockRelease(lock);
}

static void
forget(Watermarks *watermarks)
{
	watermarks->count = 0;
	pg_atomic_write_u64(&watermarks->newest_no, 0);
}

/* Under the exclusive lock: this database's place, or that of the one that has noted nothing for longest. */
static Watermarks *
place_in_memory(void)
{
	Watermarks *longest = &control->databases[0];

	for (int i = 0; i < DATABASES; i++)
	{
		Watermarks *watermarks = &control->databases[i];

		if (watermarks->database == MyDatabaseId)
			return watermarks;
		if (watermarks->used_at < longest->used_at)
			longest = watermarks;
	}
	forget(longest);
	longest->database = MyDatabaseId;
	longest->sequence = InvalidOid;
	longest->used_at = ++control->turn;
	return longest;
}

static inline bool
is_own(const Watermarks *watermarks)
{
	return watermarks != NULL && watermarks->database == MyDatabaseId;
}

static Watermarks *
own_watermarks(void)
{
	if (is_own(known))
		return known;
	acquire(LW_EXCLUSIVE);
	if (control)
		known = place_in_memory();
	else
	{
		known = &of_session;
		known->database = MyDatabaseId;
	}
	release();
	return known;
}

/* Under the lock: whether they are those of this sequence of this database. */
static bool
are_of(const Watermarks *watermarks, Relation sequence)
{
	return is_own(watermarks) && watermarks->sequence == RelationGetRelid(sequence) &&
		watermarks->file == sequence->rd_rel->relfilenode;
}

/* ---------------------------------------------------------------- noting */

static int64
last_value(Relation sequence)
{
	Buffer		buffer = ReadBuffer(sequence, 0);
	Page		page;
	HeapTupleHeader tuple;
	Form_pg_sequence_data data;
	int64		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	data = (Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff);
	result = data->is_called ? data->last_value : data->last_value - 1;
	UnlockReleaseBuffer(buffer);
	return result;
}

Watermark
watermark_now(Relation sequence)
{
	Watermark	now;

	/* In this order: whoever drew a number up to this one had an xid by then. */
	now.no = last_value(sequence);
	now.next = ReadNextFullTransactionId();
	return now;
}

/* Gives up the watermark whose absence leaves the smallest gap for its age. */
static void
thin_out(Watermarks *watermarks, int64 now_no)
{
	const Watermark *all = watermarks->watermarks;
	int			least = 1;
	double		least_gap = INFINITY;

	for (int i = 1; i < watermarks->count - 1; i++)
	{
		double		gap = (double) (all[i + 1].no - all[i - 1].no) / (now_no - all[i - 1].no);

		if (gap < least_gap)
		{
			least = i;
			least_gap = gap;
		}
	}
	watermarks->count--;
	memmove(&watermarks->watermarks[least], &watermarks->watermarks[least + 1], (watermarks->count - least) * sizeof(Watermark));
}

static void
append(Watermarks *watermarks, Watermark now)
{
	/* Another session was faster. */
	if (watermarks->count > 0 && now.no <= watermarks->watermarks[watermarks->count - 1].no)
		return;
	/* Those that say less about the same transactions. */
	while (watermarks->count > 0 && FullTransactionIdFollowsOrEquals(watermarks->watermarks[watermarks->count - 1].next, now.next))
		watermarks->count--;
	if (watermarks->count == KEPT)
		thin_out(watermarks, now.no);
	watermarks->watermarks[watermarks->count++] = now;
	pg_atomic_write_u64(&watermarks->newest_no, now.no);
	if (control)
		watermarks->used_at = ++control->turn;
}

Watermark
watermarks_note(Relation sequence)
{
	Watermarks *watermarks = own_watermarks();
	/* Before the sequence is read, which cannot be behind that unless it was set back. */
	int64		newest_no = pg_atomic_read_u64(&watermarks->newest_no);
	Watermark	now = watermark_now(sequence);

	acquire(LW_EXCLUSIVE);
	if (is_own(watermarks))
	{
		if (!are_of(watermarks, sequence) || now.no < newest_no)
			forget(watermarks);
		watermarks->sequence = RelationGetRelid(sequence);
		watermarks->file = sequence->rd_rel->relfilenode;
		append(watermarks, now);
	}
	release();
	return now;
}

void
watermarks_drawn(Oid sequence, int64 no)
{
	Relation	relation;

	if (is_own(known))
	{
		int64		newest_no = pg_atomic_read_u64(&known->newest_no);

		/* One that is not beyond the newest watermark was drawn at the same time, or the sequence was set back. */
		if (no > newest_no && no - newest_no < DISTANCE)
			return;
	}
	relation = relation_open(sequence, AccessShareLock);
	(void) watermarks_note(relation);
	relation_close(relation, AccessShareLock);
}

/* ---------------------------------------------------------------- asking */

int64
watermarks_decided(Relation sequence, FullTransactionId xmin)
{
	Watermarks *watermarks = own_watermarks();
	int64		no = 0;

	acquire(LW_SHARED);
	if (are_of(watermarks, sequence))
	{
		for (int i = watermarks->count - 1; i >= 0 && no == 0; i--)
		{
			if (FullTransactionIdFollowsOrEquals(xmin, watermarks->watermarks[i].next))
				no = watermarks->watermarks[i].no;
		}
	}
	release();
	return no;
}
