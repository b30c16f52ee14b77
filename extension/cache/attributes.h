/*
 * attributes.h
 *		What filters ask of nodes and edges, in the adjacency cache.
 *
 * Type, and confidence of a node or weight of an edge, are a byte each: the place among all names, or all
 * values, that the generation has come across.  Where there are more than fit, or a value cannot be had
 * without reading another table, the row has to be looked at.
 */
#ifndef REASON_CACHE_ATTRIBUTES_H
#define REASON_CACHE_ATTRIBUTES_H

#include "postgres.h"

#include "cache/layout.h"
#include "graph/types.h"
#include "record/record.h"

/* ---------------------------------------------------------------- building */

/* Names in order of appearance. */
typedef struct GraphCacheNames
{
	RecordText *names;
	uint32		count;
	uint32		capacity;
	uint32		last;			/* the place asked for last: rows of one name mostly lie together */
} GraphCacheNames;

/*
 * Gives the place of a name, adding it if it is new.  Gives `most` when there are that many already,
 * and for a name that is compressed or stored outside the row.
 */
extern uint32 graph_cache_place_of_name(Graph *graph, GraphCacheNames *names, Datum name, uint32 most);

/* Each a uint32 length and as many bytes. */
extern Size graph_cache_names_size(const GraphCacheNames *names);
extern void graph_cache_write_names(const GraphCacheNames *names, char *to);

typedef struct GraphCacheAttributeSet
{
	GraphCacheNames types;
	double		values[GRAPH_CACHE_ATTRIBUTE_VALUES];
	uint32		value_count;
	uint32		last_value;
	uint32		other_types;	/* records whose type, or number, has to be looked at */
	uint32		other_numbers;
} GraphCacheAttributeSet;

extern GraphCacheAttribute graph_cache_attribute_of_node(Graph *graph, GraphCacheAttributeSet *set, const Datum *values);
extern GraphCacheAttribute graph_cache_attribute_of_edge(Graph *graph, GraphCacheAttributeSet *set, const Datum *values);

/* The attribute of a node whose place among the others is not known yet. */
typedef struct GraphCachePlacedAttribute
{
	ItemPointerData tid;
	GraphCacheAttribute attribute;
} GraphCachePlacedAttribute;

/* Gives each node its attribute; by_tid: nodes by place in the heap. Sorts what it is given. */
extern void graph_cache_place_attributes(GraphCachePlacedAttribute *placed, uint32 count, const uint32 *by_tid,
										 GraphCacheAttribute *attributes);

/* ---------------------------------------------------------------- reading */

/* The name at a place in a generation, which is moved to the next. */
static inline RecordText
graph_cache_next_name(const GraphCacheGeneration *generation, Size *place)
{
	RecordText	name;

	name.length = *graph_cache_at(generation, uint32, *place);
	name.data = graph_cache_at(generation, char, *place + sizeof(uint32));
	*place += MAXALIGN(sizeof(uint32) + name.length);
	return name;
}

#endif							/* REASON_CACHE_ATTRIBUTES_H */
