/*
 * statistics.h
 *		How many traces ran, how large they were and how long they took, by engine: counted by all sessions in shared memory.
 */
#ifndef REASON_TRACE_STATISTICS_H
#define REASON_TRACE_STATISTICS_H

#include "postgres.h"

#include "portability/instr_time.h"

typedef enum TraceEngine
{
	TRACE_ALONG_INDEXES,
	TRACE_IN_CACHE,
	TRACE_ENGINES
} TraceEngine;

/* Asks for the memory, at the server's start.  Where the library is not preloaded, nothing is counted. */
extern void trace_statistics_define(void);

/* A trace has ended that began then. */
extern void trace_statistics_count(TraceEngine engine, uint32 nodes, instr_time began);

#endif							/* REASON_TRACE_STATISTICS_H */
