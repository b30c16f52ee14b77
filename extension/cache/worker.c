/*
 * worker.c
 *		Building generations of the adjacency cache: in the background, and by hand.
 *
 * There is no standing worker.  A trace that would gain from a cache, or from a newer one, asks
 * for it, at most so often as graph_cache_is_due() grants; a background worker builds it
 * and goes.
 */
#include "postgres.h"

#include "cache/worker.h"

#include "cache/build.h"
#include "cache/shared.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PGDLLEXPORT void reason_adjacency_cache_main(Datum argument);

PG_FUNCTION_INFO_V1(reason_build_adjacency_cache);
PG_FUNCTION_INFO_V1(reason_adjacency_cache_status);

void
graph_cache_request(void)
{
	BackgroundWorker worker = {0};

	if (reason_adjacency_cache == GRAPH_CACHE_OFF || !graph_cache_is_due())
		return;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	strlcpy(worker.bgw_library_name, "reasoning_graph", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "reason_adjacency_cache_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "reasoning graph cache of database %u", MyDatabaseId);
	strlcpy(worker.bgw_type, "reasoning graph cache", BGW_MAXLEN);
	/* With max_worker_processes exhausted there is none this time. */
	(void) RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* ---------------------------------------------------------------- one build */

/* After an error, with code 0, and when the process is told to end. */
static void
give_up_reservation(int code, Datum argument)
{
	GraphCacheOutcome outcome = GRAPH_CACHE_FAILED;

	if (code == 0 && geterrcode() == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED)
		outcome = GRAPH_CACHE_TOO_SMALL;
	else if (code == 0 && geterrcode() == ERRCODE_DATA_CORRUPTED)
		outcome = GRAPH_CACHE_IRREGULAR;
	graph_cache_abandon((GraphCacheReservation *) DatumGetPointer(argument), outcome);
}

/* False: somebody else is building, or there is no room. */
static bool
build(void)
{
	GraphCacheReservation reservation;

	if (!graph_cache_reserve(&reservation))
		return false;
	PG_ENSURE_ERROR_CLEANUP(give_up_reservation, PointerGetDatum(&reservation));
	{
		graph_cache_build(&reservation);
	}
	PG_END_ENSURE_ERROR_CLEANUP(give_up_reservation, PointerGetDatum(&reservation));
	return true;
}

void
reason_adjacency_cache_main(Datum argument)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "building the adjacency cache");
	(void) build();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* build_adjacency_cache() */
Datum
reason_build_adjacency_cache(PG_FUNCTION_ARGS)
{
	if (!graph_cache_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no adjacency cache"),
				 errhint("Add reasoning_graph to shared_preload_libraries, set reason.adjacency_cache_size, and restart the server.")));
	PG_RETURN_BOOL(build());
}

static const char *const outcomes[] = {
	[GRAPH_CACHE_BUILT] = "built",
	[GRAPH_CACHE_FAILED] = "failed",
	[GRAPH_CACHE_TOO_SMALL] = "too small",
	[GRAPH_CACHE_IRREGULAR] = "irregular"
};

#define STATUS_COLUMNS 10

/* adjacency_cache_status() */
Datum
reason_adjacency_cache_status(PG_FUNCTION_ARGS)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {false, true, true, true, true, true, true, true, true, true};
	GraphCacheStatus status;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum("none");
	if (graph_cache_exists())
	{
		LWLockAcquire(graph_cache_lock(), LW_SHARED);
		graph_cache_read_status(&status);
		if (status.generation)
		{
			values[1] = Int64GetDatum(status.generation->node_count);
			values[2] = Int64GetDatum(status.generation->edge_count);
		}
		LWLockRelease(graph_cache_lock());
		values[0] = CStringGetTextDatum(status.generation ? "ready" : status.is_building ? "building" : "empty");
		values[3] = Int64GetDatum(status.size);
		values[4] = TimestampTzGetDatum(status.built_at);
		values[5] = Int32GetDatum(status.build_ms);
		values[6] = Int32GetDatum(status.pins);
		for (int i = 1; i <= 6; i++)
			nulls[i] = status.generation == NULL;
		values[7] = Int64GetDatum(status.free);
		nulls[7] = false;
		values[8] = TimestampTzGetDatum(status.tried_at);
		nulls[8] = status.tried_at == 0;
		nulls[9] = status.outcome == GRAPH_CACHE_NEVER;
		if (!nulls[9])
			values[9] = CStringGetTextDatum(outcomes[status.outcome]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
