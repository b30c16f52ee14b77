/*
 * quota.c
 *		Whether a client has a quota.
 */
#include "postgres.h"

#include "write/quota.h"

#include "record/row_scan.h"
#include "record/schema.h"

#include "access/table.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

bool
quota_is_set(text *client)
{
	Relation	table = schema_open_table("quota", AccessShareLock);
	/* A serializable transaction reads the table all the same, for the predicate lock. */
	bool		result = IsolationIsSerializable() || RelationGetNumberOfBlocks(table) > 0;

	if (result)
	{
		RowScan		scan;

		row_scan_open(&scan, "quota", "quota_pkey", 1, GetActiveSnapshot());
		row_scan_text(&scan, 0, client);
		result = row_scan_find(&scan);
		row_scan_close(&scan);
	}
	table_close(table, AccessShareLock);
	return result;
}
