/*
 * statistics.c
 *		How many traces ran, how large they were and how long they took, by engine: trace_statistics().
 *
 * The counts are the server's, of all its databases, since it started.  A trace
 * that was canceled is not among them.
 */
#include "postgres.h"

#include "trace/statistics.h"

#include "record/shared_memory.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "port/atomics.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(reason_trace_statistics);

/* Upper bounds; the last size has none. */
static const uint32 sizes[] = {100, 1000, 10000, 100000};
/* In microseconds.  The comments of trace_statistics() and of the sidecar's metric name them. */
static const uint64 bounds[] = {100, 1000, 10000, 50000, 100000, 200000, 500000, 1000000, 5000000, 30000000};
static const char *const engines[TRACE_ENGINES] = {"indexes", "cache"};

#define SIZES (lengthof(sizes) + 1)
#define BOUNDS lengthof(bounds)

typedef struct Count
{
	pg_atomic_uint64 traces;
	pg_atomic_uint64 microseconds;
	pg_atomic_uint64 within[BOUNDS];	/* how many took no longer than this bound, and longer than the one before */
} Count;

typedef struct Counts
{
	Count		counts[TRACE_ENGINES][SIZES];
} Counts;

static Counts *shared;			/* NULL: not preloaded */

static void
set_up_memory(void *memory, bool is_new, LWLock *lock)
{
	shared = memory;
	if (!is_new)
		return;
	for (int engine = 0; engine < TRACE_ENGINES; engine++)
	{
		for (int size = 0; size < SIZES; size++)
		{
			Count	   *count = &shared->counts[engine][size];

			pg_atomic_init_u64(&count->traces, 0);
			pg_atomic_init_u64(&count->microseconds, 0);
			for (int bound = 0; bound < BOUNDS; bound++)
				pg_atomic_init_u64(&count->within[bound], 0);
		}
	}
}

void
trace_statistics_define(void)
{
	shared_memory_define("reasoning_graph_traces", sizeof(Counts), set_up_memory);
}

void
trace_statistics_count(TraceEngine engine, uint32 nodes, instr_time began)
{
	instr_time	took;
	uint64		microseconds;
	int			size = 0;
	int			bound = 0;
	Count	   *count;

	if (shared == NULL)
		return;
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	microseconds = INSTR_TIME_GET_MICROSEC(took);
	while (size < lengthof(sizes) && nodes > sizes[size])
		size++;
	while (bound < BOUNDS && microseconds > bounds[bound])
		bound++;
	count = &shared->counts[engine][size];
	pg_atomic_fetch_add_u64(&count->traces, 1);
	pg_atomic_fetch_add_u64(&count->microseconds, (int64) microseconds);
	if (bound < BOUNDS)
		pg_atomic_fetch_add_u64(&count->within[bound], 1);
}

static Datum
within_array(Count *count)
{
	Datum		within[BOUNDS];
	int64		sum = 0;

	for (int bound = 0; bound < BOUNDS; bound++)
	{
		sum += (int64) pg_atomic_read_u64(&count->within[bound]);
		within[bound] = Int64GetDatum(sum);
	}
	return PointerGetDatum(construct_array(within, BOUNDS, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* trace_statistics() → engine, nodes, traces, seconds, within */
Datum
reason_trace_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int engine = 0; shared && engine < TRACE_ENGINES; engine++)
	{
		for (int size = 0; size < SIZES; size++)
		{
			Count	   *count = &shared->counts[engine][size];
			bool		largest = size == lengthof(sizes);
			/* The parts are read first: the whole is then never less than one of them. */
			Datum		within = within_array(count);
			Datum		values[] = {
				CStringGetTextDatum(engines[engine]), Int64GetDatum(largest ? 0 : sizes[size]),
				Int64GetDatum((int64) pg_atomic_read_u64(&count->traces)),
				Float8GetDatum(pg_atomic_read_u64(&count->microseconds) / 1e6), within
			};
			bool		nulls[] = {false, largest, false, false, false};

			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
