/*
 * edges.h
 *		Edges, from JSON text.
 */
#ifndef REASON_WRITE_EDGES_H
#define REASON_WRITE_EDGES_H

#include "postgres.h"

#include "write/input.h"
#include "write/rows.h"

/* One edge (single), or {"edges": […]}.  The sink is told of each record, in order. */
extern void edges_write(WriteInput *input, bool single, WriteSink sink, void *sink_argument);

#endif							/* REASON_WRITE_EDGES_H */
