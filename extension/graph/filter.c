/*
 * filter.c
 *		Which nodes and edges a trace follows.
 */
#include "postgres.h"

#include "graph/filter.h"

#include "graph/columns.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

void
graph_filter_init(GraphFilter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->max_depth = -1;
	filter->max_nodes = -1;
	filter->type_count = -1;
	filter->edge_type_count = -1;
}

bool
graph_filter_needs_edge_rows(const GraphFilter *filter)
{
	return filter->edge_type_count >= 0 || filter->has_min_weight || filter->has_as_of || filter->has_as_of_seq;
}

bool
graph_filter_needs_node_rows(const GraphFilter *filter)
{
	return filter->type_count >= 0 || filter->has_min_confidence;
}

bool
graph_filter_accepts_name(RecordText name, int count, const RecordText *names)
{
	for (int i = 0; i < count; i++)
	{
		if (names[i].length == name.length && memcmp(names[i].data, name.data, name.length) == 0)
			return true;
	}
	return false;
}

static bool
is_among(Datum value, int count, const RecordText *names)
{
	text	   *name = DatumGetTextPP(value);

	return graph_filter_accepts_name((RecordText) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)}, count, names);
}

/* Where the column after one of variable length begins; it is of 8 bytes. */
static inline const void *
after(const char *column)
{
	return (const void *) MAXALIGN((uintptr_t) column + VARSIZE_ANY(column));
}

/*
 * None of an edge's columns up to created_at is ever NULL, so they stand one behind the other: found in one pass,
 * where heap_getattr() would walk there from the first for each.
 */
bool
graph_filter_accepts_edge(const GraphFilter *filter, HeapTuple tuple)
{
	const char *no = (const char *) tuple->t_data + tuple->t_data->t_hoff;
	const char *division = no + sizeof(int64) + UUID_LEN;
	const int64 *from_no = after(division);
	const char *type = (const char *) (from_no + 2);
	const double *weight = after(type);
	const char *metadata = (const char *) (weight + 1);

	if (filter->edge_type_count >= 0 &&
		!is_among(PointerGetDatum(type), filter->edge_type_count, filter->edge_types))
		return false;
	if (filter->has_min_weight && !(*weight >= filter->min_weight))
		return false;
	if (filter->has_as_of && !(*(const TimestampTz *) after(metadata) <= filter->as_of))
		return false;
	return !filter->sealed || graph_sealed_shows(filter->sealed, *(const int64 *) no);
}

bool
graph_confidence(Datum metadata, double *confidence)
{
	Jsonb	   *jsonb = DatumGetJsonbP(metadata);
	JsonbValue	buffer;
	JsonbValue *value = NULL;
	bool		result;

	if (JB_ROOT_IS_OBJECT(jsonb))
		value = getKeyJsonValueFromContainer(&jsonb->root, "confidence", strlen("confidence"), &buffer);
	result = value && value->type == jbvNumeric;
	if (result)
		*confidence = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	if ((Pointer) jsonb != DatumGetPointer(metadata))
		pfree(jsonb);
	return result;
}

/* A node that states none passes no limit. */
static bool
is_confident(Datum metadata, double least)
{
	double		confidence;

	return graph_confidence(metadata, &confidence) && confidence >= least;
}

bool
graph_filter_accepts_node(const GraphFilter *filter, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	if (filter->type_count >= 0 &&
		!is_among(heap_getattr(tuple, NODE_TYPE, desc, &isnull), filter->type_count, filter->types))
		return false;
	if (filter->has_min_confidence &&
		!is_confident(heap_getattr(tuple, NODE_METADATA, desc, &isnull), filter->min_confidence))
		return false;
	return true;
}
