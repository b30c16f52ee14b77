/*
 * nodes.h
 *		Nodes, from JSON text.
 */
#ifndef REASON_WRITE_NODES_H
#define REASON_WRITE_NODES_H

#include "postgres.h"

#include "write/input.h"
#include "write/rows.h"

/* One node (single), or {"nodes": […]}.  The sink is told of each record, in order. */
extern void nodes_write(WriteInput *input, bool single, WriteSink sink, void *sink_argument);

#endif							/* REASON_WRITE_NODES_H */
