/*
 * human_source.h
 *		Where graphs to be drawn come from: a page of a trace, or the document of a snapshot.
 *
 * Their texts are those of the page or document, which must stay.
 */
#ifndef REASON_DERIVED_HUMAN_SOURCE_H
#define REASON_DERIVED_HUMAN_SOURCE_H

#include "postgres.h"

#include "derived/human.h"
#include "trace/page.h"

/* The page with its annotations. */
extern HumanGraph *human_of_page(const TracePage *page, const TraceRequest *request);

/* Nodes, the roots first, and edges. */
extern HumanGraph *human_of_document(ShownText document, uint32 *root_count);

/* Nodes of the walk from `begin` to `end`, with what the document has of them. */
extern HumanGraph *human_part(const HumanGraph *whole, const uint32 *order, uint32 begin, uint32 end, ShownText annotations);

/* How many elements an array has; none: 0. */
extern size_t human_count(ShownText array);

#endif							/* REASON_DERIVED_HUMAN_SOURCE_H */
