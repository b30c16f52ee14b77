/*
 * entry.h
 *		What an item of a covering index says: a link, or a record's columns.  Key and included columns lie in the
 *		order of the index's definition (sql/tables.sql).
 */
#ifndef REASON_GRAPH_ENTRY_H
#define REASON_GRAPH_ENTRY_H

#include "postgres.h"

#include "access/itup.h"
#include "access/nbtree.h"
#include "utils/rel.h"

#include "graph/index.h"
#include "graph/types.h"

static inline bool
graph_read_link(IndexTuple tuple, GraphEntry *entry)
{
	const int64 *columns = (const int64 *) ((const char *) tuple + MAXALIGN(sizeof(IndexTupleData)));

	entry->link.other_no = columns[1];
	entry->link.edge_no = columns[2];
	return true;
}

/* Key, division, id and created_at.  False for a record of another division. */
static inline bool
graph_read_record(const Graph *graph, IndexTuple tuple, GraphEntry *entry)
{
	const char *start = (const char *) tuple + MAXALIGN(sizeof(IndexTupleData));
	uintptr_t	offset = sizeof(int64);
	const char *division;

	offset = att_align_pointer(offset, TYPALIGN_INT, -1, start + offset);
	division = start + offset;
	if (VARATT_IS_COMPRESSED(division) ? false :
		VARSIZE_ANY_EXHDR(division) != graph->division.length ||
		memcmp(VARDATA_ANY(division), graph->division.data, graph->division.length) != 0)
		return false;
	offset += VARSIZE_ANY(division);
	memcpy(&entry->record.id, start + offset, UUID_LEN);
	offset += UUID_LEN;
	offset = TYPEALIGN(ALIGNOF_DOUBLE, offset);
	entry->record.created_at = *(const TimestampTz *) (start + offset);
	return true;
}

/* All of *entry but its position and visibility; as graph_read_record(). */
static pg_attribute_always_inline bool
graph_read_entry(const Graph *graph, const GraphIndex *index, IndexTuple tuple, GraphEntry *entry)
{
	if (unlikely(BTreeTupleIsPosting(tuple)))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has a posting list, although it has included columns",
						RelationGetRelationName(index->index))));
	if (!(graph_index_has_links(index) ? graph_read_link(tuple, entry) : graph_read_record(graph, tuple, entry)))
		return false;
	entry->tid = tuple->t_tid;
	return true;
}

#endif							/* REASON_GRAPH_ENTRY_H */
