/*
 * columns.c
 *		The columns of node, edge and annotation, for whoever reads or writes whole rows.
 */
#include "postgres.h"

#include "record/columns.h"

const char *const record_column_names[RECORD_KINDS][RECORD_MAX_COLUMNS + 1] = {
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "author", "payload", "salt", "payload_hash", "occurred_at", "version", "manifest_signature_id", "payload_ref"},
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "from_no", "to_no", "weight"},
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "author", "payload", "salt", "payload_hash", "target_no"}
};

bool
record_column_is_optional(RecordKind kind, int place)
{
	if (kind == RECORD_EDGE)
		return false;
	return place == COLUMN_PAYLOAD || place == COLUMN_SALT || (kind == RECORD_NODE && place >= NODE_COLUMN_OCCURRED_AT);
}
