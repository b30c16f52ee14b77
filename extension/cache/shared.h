/*
 * shared.h
 *		The generations of the adjacency cache in shared memory: who reads and who builds them.
 */
#ifndef REASON_CACHE_SHARED_H
#define REASON_CACHE_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

#include "cache/layout.h"

/* reason.adjacency_cache: whether this session uses it. */
typedef enum GraphCacheUse
{
	GRAPH_CACHE_OFF,
	GRAPH_CACHE_ON,				/* where it is faster */
	GRAPH_CACHE_ALWAYS			/* wherever it can be: for tests */
} GraphCacheUse;

extern int	reason_adjacency_cache;

/* Called by _PG_init(). */
extern void graph_cache_define_parameters(void);

/* Whether there is shared memory for it. */
extern bool graph_cache_exists(void);

/* Guards everything shared but the generations; held shortly. */
extern LWLock *graph_cache_lock(void);

/* The generation of this database, kept until the memory context goes; NULL: there is none. */
extern GraphCacheGeneration *graph_cache_pin(MemoryContext owner);

typedef enum GraphCacheOutcome
{
	GRAPH_CACHE_NEVER,			/* not tried yet */
	GRAPH_CACHE_BUILT,
	GRAPH_CACHE_FAILED,			/* the server's log has the error */
	GRAPH_CACHE_TOO_SMALL,		/* reason.adjacency_cache_size is */
	GRAPH_CACHE_IRREGULAR		/* the graph breaks a rule that the cache relies on */
} GraphCacheOutcome;

/* Memory reserved for a generation that is being built. */
typedef struct GraphCacheReservation
{
	int			extent;
	char	   *begin;
	Size		size;
} GraphCacheReservation;

/*
 * Reserves the largest free piece of memory.  Where two generations would not fit it gives
 * up the old one, and waits for its readers, a minute at most.  False: another process is
 * building.
 */
extern bool graph_cache_reserve(GraphCacheReservation *reservation);

/* What was reserved becomes the generation of this database; the one before goes when its last reader has. */
extern void graph_cache_publish(const GraphCacheReservation *reservation, Size used, int build_ms);

extern void graph_cache_abandon(const GraphCacheReservation *reservation, GraphCacheOutcome outcome);

typedef struct GraphCacheStatus
{
	bool		is_building;
	GraphCacheGeneration *generation;	/* NULL: none; only for its size to be read under graph_cache_lock() */
	Size		size;
	TimestampTz built_at;
	int			build_ms;
	uint32		pins;
	Size		free;
	TimestampTz tried_at;
	GraphCacheOutcome outcome;
} GraphCacheStatus;

/* Under graph_cache_lock(), for this database. */
extern void graph_cache_read_status(GraphCacheStatus *status);

/* Whether a generation is to be asked for: true once for each attempt that is due. */
extern bool graph_cache_is_due(void);

#endif							/* REASON_CACHE_SHARED_H */
