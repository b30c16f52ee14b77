/*
 * descend.c
 *		From the root of an index to the leaf of a key.
 */
#include "postgres.h"

#include "graph/descend.h"
#include "graph/page.h"
#include "graph/search.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

static Buffer
step_right(Relation index, Buffer buffer, BlockNumber next)
{
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	CHECK_FOR_INTERRUPTS();
	buffer = ReleaseAndReadBuffer(buffer, index, next);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	_bt_checkpage(index, buffer);
	return buffer;
}

Buffer
graph_move_right(Relation index, Buffer buffer, int64 key, int64 *low)
{
	for (;;)
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);

		if (!P_IGNORE(opaque))
		{
			int64		high;

			if (P_RIGHTMOST(opaque))
				return buffer;
			high = graph_key_at(page, P_HIKEY);
			if (key <= high)
				return buffer;
			*low = high;
		}
		else if (P_RIGHTMOST(opaque))
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("fell off the end of index \"%s\"", RelationGetRelationName(index))));
		buffer = step_right(index, buffer, opaque->btpo_next);
	}
}

/* The last child of an internal page whose lower fence is less than the key. */
static OffsetNumber
child_for(Page page, BTPageOpaque opaque, int64 key)
{
	/* The first item stands for minus infinity and has no key. */
	OffsetNumber low = P_FIRSTDATAKEY(opaque);
	OffsetNumber high = PageGetMaxOffsetNumber(page);

	while (low < high)
	{
		OffsetNumber middle = low + (high - low + 1) / 2;

		if (graph_key_at(page, middle) < key)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void
copy_fences(GraphFences *fences, Page page, BTPageOpaque opaque, int64 low)
{
	OffsetNumber first = P_FIRSTDATAKEY(opaque);
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	fences->count = 0;
	for (OffsetNumber offset = first; offset <= last; offset++)
	{
		IndexTuple	tuple = graph_tuple_at(page, offset);

		fences->key[fences->count] = offset == first ? low : graph_key_of(tuple);
		fences->child[fences->count] = BTreeTupleGetDownLink(tuple);
		fences->count++;
	}
	fences->low = low;
	fences->high = P_RIGHTMOST(opaque) ? PG_INT64_MAX : graph_key_at(page, P_HIKEY);
	fences->hint = 0;
}

Buffer
graph_descend(Graph *graph, Relation index, GraphFences *fences, int64 key, int64 *low)
{
	Buffer		buffer;

	if (fences->count > 0 && key > fences->low && key <= fences->high)
	{
		uint32		fence = fences->hint = graph_last_fence(fences->key, fences->count, fences->hint, key);

		*low = fences->key[fence];
		buffer = ReadBuffer(index, fences->child[fence]);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		_bt_checkpage(index, buffer);
		return graph_move_right(index, buffer, key, low);
	}

#if PG_VERSION_NUM >= 160000
	buffer = _bt_getroot(index, NULL, BT_READ);
#else
	buffer = _bt_getroot(index, BT_READ);
#endif
	if (!BufferIsValid(buffer))
	{
		if (graph->serializable)
			PredicateLockRelation(index, graph->snapshot);
		return InvalidBuffer;
	}
	*low = PG_INT64_MIN;
	for (;;)
	{
		Page		page;
		BTPageOpaque opaque;
		OffsetNumber child;
		IndexTuple	tuple;
		int64		page_low;

		buffer = graph_move_right(index, buffer, key, low);
		page = BufferGetPage(buffer);
		opaque = BTPageGetOpaque(page);
		if (P_ISLEAF(opaque))
			return buffer;
		child = child_for(page, opaque, key);
		tuple = graph_tuple_at(page, child);
		page_low = *low;
		if (child > P_FIRSTDATAKEY(opaque))
			*low = graph_key_of(tuple);
		if (opaque->btpo_level == 1)
		{
			copy_fences(fences, page, opaque, page_low);
			fences->hint = child - P_FIRSTDATAKEY(opaque);
		}
		buffer = step_right(index, buffer, BTreeTupleGetDownLink(tuple));
	}
}
