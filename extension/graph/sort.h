/*
 * sort.h
 *		The order of records, and sorting record numbers together with what belongs to them.
 */
#ifndef REASON_GRAPH_SORT_H
#define REASON_GRAPH_SORT_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct GraphKey
{
	int64		no;
	uint32		index;
} GraphKey;

/*
 * Sorts by number, not necessarily keeping the order of equal ones.  `scratch`
 * has room for as many keys.  The result is in `keys`.
 */
extern void graph_sort_keys(GraphKey *keys, GraphKey *scratch, uint32 count);

/* The order in which records are listed: by (created_at, id). */
static inline int
graph_compare_records(TimestampTz a_time, const pg_uuid_t *a_id, TimestampTz b_time, const pg_uuid_t *b_id)
{
	if (a_time != b_time)
		return a_time < b_time ? -1 : 1;
	return memcmp(a_id, b_id, UUID_LEN);
}

#endif							/* REASON_GRAPH_SORT_H */
