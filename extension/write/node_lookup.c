/*
 * node_lookup.c
 *		Finds nodes by id.
 *
 * One scan serves a batch: each id costs the descent of the index alone.
 */
#include "postgres.h"

#include "write/node_lookup.h"

#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

void
node_lookup_begin(NodeLookup *lookup)
{
	row_scan_open(&lookup->scan, "node", "node_id_key", 1, GetActiveSnapshot());
	lookup->no_column = row_scan_column(lookup->scan.heap, "no");
	lookup->division_column = row_scan_column(lookup->scan.heap, "division");
	lookup->digest_column = row_scan_column(lookup->scan.heap, "digest");
}

void
node_lookup_end(NodeLookup *lookup)
{
	row_scan_close(&lookup->scan);
}

static const char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

static bool
is_default(RecordText division)
{
	return division.length == strlen("default") && memcmp(division.data, "default", division.length) == 0;
}

void
node_lookup(NodeLookup *lookup, WriteInput *input, const JsonNode *value, const char *hint, RecordText *division,
			NodeReference *reference)
{
	RowScan    *scan = &lookup->scan;
	RecordText	found = {NULL, 0};
	bool		is_ambiguous = false;

	row_scan_uuid(scan, 0, BTEqualStrategyNumber, &reference->id);
	row_scan_start(scan);
	while (row_scan_next(scan))
	{
		RecordText	candidate = row_scan_text_value(scan->slot, lookup->division_column);
		bytea	   *digest;

		if (division->data ?
			division->length != candidate.length || memcmp(division->data, candidate.data, candidate.length) != 0 :
			!write_division_granted(input, candidate.data, candidate.length))
			continue;
		if (found.data)
		{
			is_ambiguous = true;
			if (!is_default(candidate))
				continue;
		}
		reference->no = DatumGetInt64(row_scan_value(scan->slot, lookup->no_column));
		found.data = pnstrdup(candidate.data, candidate.length);
		found.length = candidate.length;
		digest = DatumGetByteaPP(row_scan_value(scan->slot, lookup->digest_column));
		memcpy(reference->digest, VARDATA_ANY(digest), REASON_DIGEST_LENGTH);
	}
	/* As for reads: a node of the default division is never ambiguous. */
	if (is_ambiguous && !is_default(found))
		write_refuse(input, value, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "Name the division.",
					 "node \"%s\" exists in several divisions", uuid_text(&reference->id));
	if (found.data == NULL)
		write_refuse(input, value, ERRCODE_NO_DATA_FOUND, hint, "node \"%s\" does not exist", uuid_text(&reference->id));
	*division = found;
}
