/*
 * human_circles.h
 *		The circles of a graph that is to be drawn for a person.
 */
#ifndef REASON_DERIVED_HUMAN_CIRCLES_H
#define REASON_DERIVED_HUMAN_CIRCLES_H

#include "postgres.h"

#include "core/buffer.h"
#include "derived/human.h"
#include "trace/result.h"

/* Those of a whole trace, whose nodes from `begin` on are the graph's. */
extern void human_circles_of_trace(HumanGraph *graph, const Trace *trace, uint32 begin);

/* Those of a graph whose nodes and edges are complete. */
extern void human_circles_of_graph(HumanGraph *graph);

/* By circle: whether a node of the graph lies on it, or on other pages alone. */
extern bool *human_circles_here(const HumanGraph *graph);

/* "3 nodes lead to each other: …, …, …", or "1 node leads to itself: …" */
extern void human_write_circle(ByteBuffer *out, const HumanGraph *graph, uint32 circle);

#endif							/* REASON_DERIVED_HUMAN_CIRCLES_H */
