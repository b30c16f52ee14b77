/*
 * shared.c
 *		The shared memory of the adjacency cache: which database has which part of it.
 *
 * One area of reason.adjacency_cache_size, taken when the server starts (cache/area.c).  It is
 * divided into extents, each a generation of one database.  Readers pin an extent; a replaced
 * one is retired, and free once nobody has it pinned.
 */
#include "postgres.h"

#include "cache/shared.h"

#include "cache/area.h"
#include "cache/layout.h"
#include "record/shared_memory.h"

#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define EXTENTS 32
#define DATABASES 32
#define WAIT_FOR_READERS_MS 60000
/* A build may take a twentieth of the time, and is tried again at once only when the last one was long ago. */
#define REST_FACTOR 20
#define REST_LEAST_MS 1000
#define REST_AFTER_FAILURE_MS 60000
#define REST_AFTER_TOO_SMALL_MS 600000

typedef enum ExtentState
{
	EXTENT_FREE,
	EXTENT_BUILDING,
	EXTENT_READY,
	EXTENT_RETIRED				/* free once the pins are gone */
} ExtentState;

typedef struct Extent
{
	ExtentState state;
	Oid			database;
	Size		begin;
	Size		size;
	pg_atomic_uint32 pins;
	TimestampTz built_at;
	int			build_ms;
} Extent;

typedef struct DatabaseState
{
	Oid			database;
	TimestampTz tried_at;
	int			rest_ms;		/* no other attempt before that */
	GraphCacheOutcome outcome;
} DatabaseState;

typedef struct Control
{
	Extent		extents[EXTENTS];
	DatabaseState databases[DATABASES];
} Control;

int			reason_adjacency_cache = GRAPH_CACHE_ON;
static int	cache_size_mb = 256;

static const struct config_enum_entry uses[] = {
	{"off", GRAPH_CACHE_OFF, false},
	{"on", GRAPH_CACHE_ON, false},
	{"always", GRAPH_CACHE_ALWAYS, false},
	{NULL, 0, false}
};

static Control *control;
static char *area;
static LWLock *lock;

/* ---------------------------------------------------------------- at the server's start */

static Size
area_size(void)
{
	return (Size) cache_size_mb * 1024 * 1024;
}

static void
set_up_memory(void *memory, bool is_new, LWLock *own_lock)
{
	control = memory;
	lock = own_lock;
	/* After a crash of a backend the postmaster has it still. */
	if (!area)
		area = graph_cache_map_area(area_size());
	for (int i = 0; is_new && i < EXTENTS; i++)
		pg_atomic_init_u32(&control->extents[i].pins, 0);
}

void
graph_cache_define_parameters(void)
{
	DefineCustomEnumVariable("reason.adjacency_cache",
							 "Lets traces use the adjacency cache: off, on, or always, even where walking the indexes is faster.",
							 "Changes how long a trace takes, never what it gives.",
							 &reason_adjacency_cache, GRAPH_CACHE_ON, uses, PGC_USERSET, 0, NULL, NULL, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("reason.adjacency_cache_size",
							"Sets the shared memory for the adjacency cache; 0 does without.",
							"About 50 bytes an edge and 85 a node; twice that keeps a cache in use while the next one is built.",
							&cache_size_mb, 256, 0, INT_MAX / 2, PGC_POSTMASTER, GUC_UNIT_MB, NULL, NULL, NULL);
	if (cache_size_mb > 0)
		shared_memory_define("reasoning_graph_cache", sizeof(Control), set_up_memory);
}

bool
graph_cache_exists(void)
{
	return control != NULL;
}

LWLock *
graph_cache_lock(void)
{
	return lock;
}

/* ---------------------------------------------------------------- readers */

static Extent *
ready_extent(Oid database)
{
	for (int i = 0; i < EXTENTS; i++)
	{
		if (control->extents[i].state == EXTENT_READY && control->extents[i].database == database)
			return &control->extents[i];
	}
	return NULL;
}

/* This session's part of the extents' pins. */
static uint32 own_pins[EXTENTS];

static void
unpin(void *argument)
{
	int			number = (Extent *) argument - control->extents;

	/* A session that ends has given all back already. */
	if (own_pins[number] == 0)
		return;
	own_pins[number]--;
	pg_atomic_fetch_sub_u32(&control->extents[number].pins, 1);
}

/* Not all memory is given back when a session ends: the planner's is not, whose functions may read. */
static void
unpin_all(int code, Datum argument)
{
	for (int i = 0; i < EXTENTS; i++)
	{
		if (own_pins[i] > 0)
			pg_atomic_fetch_sub_u32(&control->extents[i].pins, own_pins[i]);
		own_pins[i] = 0;
	}
}

GraphCacheGeneration *
graph_cache_pin(MemoryContext owner)
{
	static bool registered = false;
	MemoryContextCallback *callback;
	Extent	   *extent;

	if (!control)
		return NULL;
	/* First what may fail, then the pin. */
	if (!registered)
		before_shmem_exit(unpin_all, (Datum) 0);
	registered = true;
	callback = MemoryContextAlloc(owner, sizeof(MemoryContextCallback));
	LWLockAcquire(lock, LW_SHARED);
	extent = ready_extent(MyDatabaseId);
	if (extent)
	{
		pg_atomic_fetch_add_u32(&extent->pins, 1);
		own_pins[extent - control->extents]++;
	}
	LWLockRelease(lock);
	if (!extent)
	{
		pfree(callback);
		return NULL;
	}
	callback->func = unpin;
	callback->arg = extent;
	MemoryContextRegisterResetCallback(owner, callback);
	return (GraphCacheGeneration *) (area + extent->begin);
}

/* ---------------------------------------------------------------- builders: room */

/* Under the exclusive lock: frees what nobody needs any more. */
static void
reclaim(void)
{
	for (int i = 0; i < EXTENTS; i++)
	{
		Extent	   *extent = &control->extents[i];

		if (extent->state == EXTENT_RETIRED && pg_atomic_read_u32(&extent->pins) == 0)
			extent->state = EXTENT_FREE;
	}
}

/* The largest gap between extents in use. */
static void
largest_gap(Size *begin, Size *size)
{
	*begin = *size = 0;
	/* A gap begins where the area does, or where an extent ends. */
	for (int i = -1; i < EXTENTS; i++)
	{
		Size		from = 0;
		Size		to = area_size();

		if (i >= 0)
		{
			if (control->extents[i].state == EXTENT_FREE)
				continue;
			from = control->extents[i].begin + control->extents[i].size;
		}
		for (int j = 0; j < EXTENTS; j++)
		{
			const Extent *other = &control->extents[j];

			if (other->state != EXTENT_FREE && other->begin + other->size > from)
				to = Min(to, Max(other->begin, from));
		}
		if (to > from && to - from > *size)
		{
			*begin = from;
			*size = to - from;
		}
	}
}

static int
free_extent(void)
{
	for (int i = 0; i < EXTENTS; i++)
	{
		if (control->extents[i].state == EXTENT_FREE)
			return i;
	}
	return -1;
}

static bool
somebody_builds(void)
{
	for (int i = 0; i < EXTENTS; i++)
	{
		if (control->extents[i].state == EXTENT_BUILDING)
			return true;
	}
	return false;
}

/* Databases that were dropped leave their generations behind. */
static void
retire_dropped_databases(void)
{
	Oid			databases[EXTENTS];

	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < EXTENTS; i++)
		databases[i] = control->extents[i].state == EXTENT_READY ? control->extents[i].database : InvalidOid;
	LWLockRelease(lock);
	for (int i = 0; i < EXTENTS; i++)
	{
		if (!OidIsValid(databases[i]) || SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(databases[i])))
			continue;
		LWLockAcquire(lock, LW_EXCLUSIVE);
		if (control->extents[i].state == EXTENT_READY && control->extents[i].database == databases[i])
			control->extents[i].state = EXTENT_RETIRED;
		LWLockRelease(lock);
	}
}

static void
retire_own(void)
{
	Extent	   *own = ready_extent(MyDatabaseId);

	if (own)
		own->state = EXTENT_RETIRED;
}

/* Room that a retired generation of this database will leave, were its readers gone; 0: there is none. */
static Size
retired_size(void)
{
	Size		size = 0;

	for (int i = 0; i < EXTENTS; i++)
	{
		if (control->extents[i].state == EXTENT_RETIRED && control->extents[i].database == MyDatabaseId)
			size = Max(size, control->extents[i].size);
	}
	return size;
}

/* The next generation is a bit larger than the last. */
static bool
fits_next(Size room, Size last)
{
	return room >= last + last / 4;
}

bool
graph_cache_reserve(GraphCacheReservation *reservation)
{
	TimestampTz began = GetCurrentTimestamp();

	if (!control)
		return false;
	retire_dropped_databases();
	for (;;)
	{
		Extent	   *own;
		Size		begin;
		Size		size;
		bool		wait;

		LWLockAcquire(lock, LW_EXCLUSIVE);
		reclaim();
		if (somebody_builds())
		{
			LWLockRelease(lock);
			return false;
		}
		own = ready_extent(MyDatabaseId);
		reservation->extent = free_extent();
		largest_gap(&begin, &size);
		if (own && !fits_next(size, own->size))
		{
			retire_own();
			reclaim();
			largest_gap(&begin, &size);
		}
		/* A cursor may read a retired one for as long as its transaction lasts. */
		wait = (reservation->extent < 0 || !fits_next(size, retired_size())) &&
			!TimestampDifferenceExceeds(began, GetCurrentTimestamp(), WAIT_FOR_READERS_MS);
		if (!wait && reservation->extent >= 0 && size > 0)
		{
			Extent	   *extent = &control->extents[reservation->extent];

			extent->state = EXTENT_BUILDING;
			extent->database = MyDatabaseId;
			extent->begin = begin;
			extent->size = size;
			reservation->begin = area + begin;
			reservation->size = size;
			LWLockRelease(lock);
			return true;
		}
		LWLockRelease(lock);
		if (!wait)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---------------------------------------------------------------- builders: outcome */

/* Under the exclusive lock; NULL when there are too many databases. */
static DatabaseState *
state_of_database(void)
{
	DatabaseState *unused = NULL;

	for (int i = 0; i < DATABASES; i++)
	{
		if (control->databases[i].database == MyDatabaseId)
			return &control->databases[i];
		if (!unused || control->databases[i].tried_at < unused->tried_at)
			unused = &control->databases[i];
	}
	/* The one that was left alone longest makes room. */
	unused->database = MyDatabaseId;
	unused->tried_at = 0;
	unused->rest_ms = 0;
	unused->outcome = GRAPH_CACHE_NEVER;
	return unused;
}

static void
record_outcome(GraphCacheOutcome outcome, int rest_ms)
{
	DatabaseState *state = state_of_database();

	state->tried_at = GetCurrentTimestamp();
	state->outcome = outcome;
	state->rest_ms = rest_ms;
}

void
graph_cache_publish(const GraphCacheReservation *reservation, Size used, int build_ms)
{
	Extent	   *extent = &control->extents[reservation->extent];

	graph_cache_collapse(area, area_size(), reservation->begin, used);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	retire_own();
	/* So that the next begins with a line of the processor's caches. */
	extent->size = TYPEALIGN(PG_CACHE_LINE_SIZE, used);
	extent->built_at = GetCurrentTimestamp();
	extent->build_ms = build_ms;
	extent->state = EXTENT_READY;
	record_outcome(GRAPH_CACHE_BUILT, Max(REST_LEAST_MS, build_ms * REST_FACTOR));
	LWLockRelease(lock);
}

void
graph_cache_abandon(const GraphCacheReservation *reservation, GraphCacheOutcome outcome)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	control->extents[reservation->extent].state = EXTENT_FREE;
	/* Given the memory of the stale generation it may fit, and a stale one is of no use. */
	if (outcome == GRAPH_CACHE_TOO_SMALL && ready_extent(MyDatabaseId))
	{
		retire_own();
		record_outcome(outcome, REST_LEAST_MS);
	}
	else
		record_outcome(outcome, outcome == GRAPH_CACHE_TOO_SMALL ? REST_AFTER_TOO_SMALL_MS : REST_AFTER_FAILURE_MS);
	LWLockRelease(lock);
}

bool
graph_cache_is_due(void)
{
	DatabaseState *state;
	bool		due;

	if (!control)
		return false;
	/* Asked often, granted seldom. */
	LWLockAcquire(lock, LW_SHARED);
	due = !somebody_builds();
	for (int i = 0; due && i < DATABASES; i++)
	{
		if (control->databases[i].database == MyDatabaseId)
			due = TimestampDifferenceExceeds(control->databases[i].tried_at, GetCurrentTimestamp(), control->databases[i].rest_ms);
	}
	LWLockRelease(lock);
	if (!due)
		return false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	state = state_of_database();
	due = TimestampDifferenceExceeds(state->tried_at, GetCurrentTimestamp(), state->rest_ms);
	if (due)
	{
		/* A session that was told to have a generation built has this long to begin. */
		state->tried_at = GetCurrentTimestamp();
		state->rest_ms = REST_AFTER_FAILURE_MS / 6;
	}
	LWLockRelease(lock);
	return due;
}

/* ---------------------------------------------------------------- looking at it */

void
graph_cache_read_status(GraphCacheStatus *status)
{
	Extent	   *extent = ready_extent(MyDatabaseId);
	Size		begin;

	memset(status, 0, sizeof(*status));
	for (int i = 0; i < EXTENTS; i++)
	{
		if (control->extents[i].state == EXTENT_BUILDING && control->extents[i].database == MyDatabaseId)
			status->is_building = true;
	}
	if (extent)
	{
		status->generation = (GraphCacheGeneration *) (area + extent->begin);
		status->size = extent->size;
		status->built_at = extent->built_at;
		status->build_ms = extent->build_ms;
		status->pins = pg_atomic_read_u32(&extent->pins);
	}
	largest_gap(&begin, &status->free);
	for (int i = 0; i < DATABASES; i++)
	{
		if (control->databases[i].database == MyDatabaseId)
		{
			status->tried_at = control->databases[i].tried_at;
			status->outcome = control->databases[i].outcome;
		}
	}
}
