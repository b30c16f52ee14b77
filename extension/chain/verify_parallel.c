/*
 * verify_parallel.c
 *		A chain checked by several processes: who checks which part, and what
 *		comes out of it.
 *
 * The chain is cut into ranges that follow each other, each continuing the seal
 * before it; the search for stray rows comes after them, in parts.  Every process
 * takes the next task until there is none, or one before it was bad.  Workers say
 * only which tasks were good.  The leader puts that together in the order of the
 * chain and checks the first task that was not good once more itself: what it
 * names is then what it would have named alone.
 */
#include "postgres.h"

#include "chain/verify_parallel.h"

#include "chain/orphans.h"
#include "chain/verify.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "port/atomics.h"
#include "utils/builtins.h"

/* Ranges hold no fewer events, which is about 60 ms of work, ... */
#define RANGE_EVENTS 1000
/* ... and are no more than these, however long the chain is. */
#define MAX_RANGES 4096

#define KEY_WORK 1
#define KEY_DIVISION 2
#define KEY_REVOKED 3

/* What the leader must know of a range or part. */
typedef struct TaskResult
{
	bool		good;
	bool		signed_any;
	int64		unsigned_count;
	int64		unsigned_first;
} TaskResult;

typedef struct SharedWork
{
	bool		whole;
	int64		from_seq;
	int64		to_seq;
	uint64		range_events;
	uint32		ranges;
	uint32		tasks;			/* ranges, and parts of the search for stray rows */
	pg_atomic_uint32 next_task;
	pg_atomic_uint32 first_bad; /* no task behind it is of interest */
	int64		head_seq;		/* the end of what was checked, from whoever came to it */
	uint8		head_hash[SHA256_LENGTH];
	TaskResult	results[FLEXIBLE_ARRAY_MEMBER];
} SharedWork;

PGDLLEXPORT void reason_verify_audit_worker(dsm_segment *segment, shm_toc *toc);

/* ---------------------------------------------------------------- one process */

static void
range_bounds(const SharedWork *work, uint32 range, int64 *from_seq, int64 *to_seq)
{
	*from_seq = work->from_seq + (int64) (range * work->range_events);
	*to_seq = range + 1 < work->ranges ? *from_seq + (int64) work->range_events - 1 : work->to_seq;
}

static bool
run_task(Verifier *verifier, const SharedWork *work, uint32 task)
{
	int64		from_seq;
	int64		to_seq;

	if (task >= work->ranges)
		return audit_check_strays(verifier, (int) (task - work->ranges));
	range_bounds(work, task, &from_seq, &to_seq);
	return audit_verify_range(verifier, from_seq, to_seq);
}

static void
note_bad(SharedWork *work, uint32 task)
{
	uint32		known = pg_atomic_read_u32(&work->first_bad);

	while (task < known && !pg_atomic_compare_exchange_u32(&work->first_bad, &known, task))
		;
}

/* Tasks as long as there are any; adds what remarks need to `revoked`. */
static void
run_tasks(Verifier *verifier, SharedWork *work, pg_atomic_uint64 *revoked)
{
	HASH_SEQ_STATUS status;
	Signer	   *signer;

	for (;;)
	{
		uint32		task = pg_atomic_fetch_add_u32(&work->next_task, 1);
		TaskResult *result;

		if (task >= work->tasks || task > pg_atomic_read_u32(&work->first_bad))
			break;
		result = &work->results[task];
		verifier->signed_any = false;
		verifier->unsigned_count = 0;
		if (!run_task(verifier, work, task))
		{
			note_bad(work, task);
			break;
		}
		if (task + 1 == work->ranges)
		{
			work->head_seq = verifier->seq;
			memcpy(work->head_hash, verifier->hash, SHA256_LENGTH);
		}
		result->signed_any = verifier->signed_any;
		result->unsigned_count = verifier->unsigned_count;
		result->unsigned_first = verifier->unsigned_first;
		result->good = true;
	}
	hash_seq_init(&status, verifier->signers);
	while ((signer = hash_seq_search(&status)) != NULL)
		pg_atomic_fetch_add_u64(&revoked[signer->number], signer->signed_before_revocation);
}

void
reason_verify_audit_worker(dsm_segment *segment, shm_toc *toc)
{
	SharedWork *work = shm_toc_lookup(toc, KEY_WORK, false);
	Verifier	verifier;

	SPI_connect();
	audit_verifier_open(&verifier, cstring_to_text(shm_toc_lookup(toc, KEY_DIVISION, false)), work->whole);
	run_tasks(&verifier, work, shm_toc_lookup(toc, KEY_REVOKED, false));
	audit_verifier_close(&verifier);
	SPI_finish();
}

bool
audit_verify_alone(Verifier *verifier, int64 from_seq, int64 to_seq, bool whole)
{
	bool		good = audit_verify_range(verifier, from_seq, to_seq);

	for (int part = 0; good && whole && part < AUDIT_STRAY_PARTS; part++)
		good = audit_check_strays(verifier, part);
	return good;
}

/* ---------------------------------------------------------------- the leader */

/* Whether all tasks were good; verifier is left as it would be after one pass. */
static bool
put_together(Verifier *verifier, const SharedWork *work, pg_atomic_uint64 *revoked)
{
	HASH_SEQ_STATUS status;
	Signer	   *signer;

	resetStringInfo(verifier->checker.fault);
	verifier->stray = false;
	verifier->unsigned_count = 0;
	for (uint32 task = 0; task < work->tasks; task++)
	{
		const TaskResult *result = &work->results[task];

		/* A signature after an unsigned event is for audit_verify_range() to name, too. */
		if (!result->good || (result->signed_any && verifier->unsigned_count > 0))
		{
			if (!run_task(verifier, work, task))
				return false;
			continue;
		}
		if (result->unsigned_count > 0 && verifier->unsigned_count == 0)
			verifier->unsigned_first = result->unsigned_first;
		verifier->unsigned_count += result->unsigned_count;
		if (task + 1 == work->ranges)
		{
			verifier->seq = work->head_seq;
			memcpy(verifier->hash, work->head_hash, SHA256_LENGTH);
		}
	}
	hash_seq_init(&status, verifier->signers);
	while ((signer = hash_seq_search(&status)) != NULL)
		signer->signed_before_revocation = (int64) pg_atomic_read_u64(&revoked[signer->number]);
	return true;
}

static SharedWork *
share_work(shm_toc *toc, Size size, int64 from_seq, int64 to_seq, uint64 range_events, uint32 ranges, bool whole)
{
	SharedWork *work = shm_toc_allocate(toc, size);

	memset(work, 0, size);
	work->whole = whole;
	work->from_seq = from_seq;
	work->to_seq = to_seq;
	work->ranges = ranges;
	work->range_events = range_events;
	work->tasks = ranges + (whole ? AUDIT_STRAY_PARTS : 0);
	pg_atomic_init_u32(&work->next_task, 0);
	pg_atomic_init_u32(&work->first_bad, work->tasks);
	shm_toc_insert(toc, KEY_WORK, work);
	return work;
}

static bool
verify_with_workers(Verifier *verifier, int64 from_seq, int64 to_seq, bool whole, uint64 range_events, uint32 ranges, int workers)
{
	char	   *division = text_to_cstring(verifier->division);
	long		signers = hash_get_num_entries(verifier->signers);
	Size		work_size = offsetof(SharedWork, results) + (ranges + AUDIT_STRAY_PARTS) * sizeof(TaskResult);
	Size		revoked_size = Max(signers, 1) * sizeof(pg_atomic_uint64);
	ParallelContext *context;
	SharedWork *work;
	pg_atomic_uint64 *revoked;
	char	   *shared_division;
	bool		good;

	EnterParallelMode();
	context = CreateParallelContext("reasoning_graph", "reason_verify_audit_worker", workers);
	shm_toc_estimate_chunk(&context->estimator, work_size);
	shm_toc_estimate_chunk(&context->estimator, revoked_size);
	shm_toc_estimate_chunk(&context->estimator, strlen(division) + 1);
	shm_toc_estimate_keys(&context->estimator, 3);
	InitializeParallelDSM(context);
	work = share_work(context->toc, work_size, from_seq, to_seq, range_events, ranges, whole);
	revoked = shm_toc_allocate(context->toc, revoked_size);
	for (long i = 0; i < signers; i++)
		pg_atomic_init_u64(&revoked[i], 0);
	shm_toc_insert(context->toc, KEY_REVOKED, revoked);
	shared_division = shm_toc_allocate(context->toc, strlen(division) + 1);
	strcpy(shared_division, division);
	shm_toc_insert(context->toc, KEY_DIVISION, shared_division);

	LaunchParallelWorkers(context);
	if (parallel_leader_participation || context->nworkers_launched == 0)
		run_tasks(verifier, work, revoked);
	WaitForParallelWorkersToFinish(context);
	good = put_together(verifier, work, revoked);
	DestroyParallelContext(context);
	ExitParallelMode();
	return good;
}

bool
audit_verify_together(Verifier *verifier, int64 from_seq, int64 to_seq, bool whole)
{
	int			workers = Min(max_parallel_workers_per_gather, max_parallel_workers);
	int64		last = workers > 0 && !IsInParallelMode() ? Min(audit_last_sealed(verifier), to_seq) : -1;
	uint64		events = last >= from_seq ? (uint64) last - (uint64) from_seq + 1 : 0;
	uint64		range_events = Max(RANGE_EVENTS, (events + MAX_RANGES - 1) / MAX_RANGES);
	uint32		ranges = (uint32) ((events + range_events - 1) / range_events);

	/* Too short for two processes to gain by it. */
	if (ranges < 4)
		return audit_verify_alone(verifier, from_seq, to_seq, whole);
	return verify_with_workers(verifier, from_seq, to_seq, whole, range_events, ranges, Min(workers, (int) ranges - 1));
}
