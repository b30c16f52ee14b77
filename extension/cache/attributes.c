/*
 * attributes.c
 *		Building what filters ask of nodes and edges into a generation of the adjacency cache.
 */
#include "postgres.h"

#include "cache/attributes.h"

#include "graph/columns.h"
#include "graph/filter.h"
#include "graph/memory.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* ---------------------------------------------------------------- names */

uint32
graph_cache_place_of_name(Graph *graph, GraphCacheNames *names, Datum name, uint32 most)
{
	const char *data = VARDATA_ANY(DatumGetPointer(name));
	size_t		length;
	RecordText *added;

	if (VARATT_IS_EXTENDED(DatumGetPointer(name)) && !VARATT_IS_SHORT(DatumGetPointer(name)))
		return most;
	length = VARSIZE_ANY_EXHDR(DatumGetPointer(name));
	for (uint32 i = 0; i < names->count; i++)
	{
		uint32		place = (names->last + i) % names->count;

		if (names->names[place].length == length && memcmp(names->names[place].data, data, length) == 0)
		{
			names->last = place;
			return place;
		}
	}
	if (names->count >= most)
		return most;
	graph_reserve(graph, names->names, names->count, names->capacity);
	added = &names->names[names->count];
	added->data = memcpy(MemoryContextAlloc(graph->context, length + 1), data, length);
	added->length = length;
	names->last = names->count;
	return names->count++;
}

Size
graph_cache_names_size(const GraphCacheNames *names)
{
	Size		size = 0;

	for (uint32 i = 0; i < names->count; i++)
		size += MAXALIGN(sizeof(uint32) + names->names[i].length);
	return size;
}

void
graph_cache_write_names(const GraphCacheNames *names, char *to)
{
	for (uint32 i = 0; i < names->count; i++)
	{
		uint32		length = names->names[i].length;

		memcpy(to, &length, sizeof(uint32));
		memcpy(to + sizeof(uint32), names->names[i].data, length);
		to += MAXALIGN(sizeof(uint32) + length);
	}
}

/* ---------------------------------------------------------------- attributes */

static uint8
place_of_type(Graph *graph, GraphCacheAttributeSet *set, Datum type)
{
	uint32		place = graph_cache_place_of_name(graph, &set->types, type, GRAPH_CACHE_OTHER);

	set->other_types += place == GRAPH_CACHE_OTHER;
	return (uint8) place;
}

/* Values are the same if their bytes are. */
static uint8
place_of_value(GraphCacheAttributeSet *set, double value)
{
	for (uint32 i = 0; i < set->value_count; i++)
	{
		uint32		place = (set->last_value + i) % set->value_count;

		if (memcmp(&set->values[place], &value, sizeof(double)) == 0)
		{
			set->last_value = place;
			return (uint8) place;
		}
	}
	if (set->value_count == GRAPH_CACHE_ATTRIBUTE_VALUES)
	{
		set->other_numbers++;
		return GRAPH_CACHE_OTHER;
	}
	set->values[set->value_count] = value;
	set->last_value = set->value_count;
	return (uint8) set->value_count++;
}

GraphCacheAttribute
graph_cache_attribute_of_node(Graph *graph, GraphCacheAttributeSet *set, const Datum *values)
{
	Datum		metadata = values[NODE_METADATA - 1];
	GraphCacheAttribute attribute = {.type = place_of_type(graph, set, values[NODE_TYPE - 1])};
	double		confidence;

	/* Compressed, or not in the row */
	if (VARATT_IS_EXTENDED(DatumGetPointer(metadata)) && !VARATT_IS_SHORT(DatumGetPointer(metadata)))
	{
		set->other_numbers++;
		attribute.number = GRAPH_CACHE_OTHER;
	}
	else
		attribute.number = graph_confidence(metadata, &confidence) ? place_of_value(set, confidence) : GRAPH_CACHE_NO_NUMBER;
	return attribute;
}

GraphCacheAttribute
graph_cache_attribute_of_edge(Graph *graph, GraphCacheAttributeSet *set, const Datum *values)
{
	GraphCacheAttribute attribute = {
		.type = place_of_type(graph, set, values[EDGE_TYPE - 1]),
		.number = place_of_value(set, DatumGetFloat8(values[EDGE_WEIGHT - 1]))
	};

	return attribute;
}

#define ST_SORT sort_placed
#define ST_ELEMENT_TYPE GraphCachePlacedAttribute
#define ST_COMPARE(a, b) ItemPointerCompare((ItemPointer) &(a)->tid, (ItemPointer) &(b)->tid)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
graph_cache_place_attributes(GraphCachePlacedAttribute *placed, uint32 count, const uint32 *by_tid, GraphCacheAttribute *attributes)
{
	/* They are in order already, but for versions of rows within a block. */
	sort_placed(placed, count);
	for (uint32 i = 0; i < count; i++)
		attributes[by_tid[i]] = placed[i].attribute;
}
