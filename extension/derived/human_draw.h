/*
 * human_draw.h
 *		A graph as text for a person: a tree, each node once, every edge with its type and weight.
 */
#ifndef REASON_DERIVED_HUMAN_DRAW_H
#define REASON_DERIVED_HUMAN_DRAW_H

#include "postgres.h"

#include "core/buffer.h"
#include "derived/human.h"

/* Draws all nodes, from the first. */
extern void human_draw(ByteBuffer *out, const HumanGraph *graph);

#endif							/* REASON_DERIVED_HUMAN_DRAW_H */
