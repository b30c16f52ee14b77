/*
 * columns.h
 *		The columns of node, edge and annotation, for whoever reads or writes whole rows.
 */
#ifndef REASON_RECORD_COLUMNS_H
#define REASON_RECORD_COLUMNS_H

#include "postgres.h"

#include "record/record.h"

#define RECORD_MAX_COLUMNS 16

/* Places in lists of columns; those that all three tables have come first. */
enum
{
	COLUMN_NO,
	COLUMN_ID,
	COLUMN_DIVISION,
	COLUMN_TYPE,
	COLUMN_METADATA,
	COLUMN_CREATED_AT,
	COLUMN_DIGEST,
	COLUMN_AUDIT_EVENT_ID,
	COLUMN_COMMON,

	/* Nodes and annotations. */
	COLUMN_AUTHOR = COLUMN_COMMON,
	COLUMN_PAYLOAD,
	COLUMN_SALT,
	COLUMN_PAYLOAD_HASH,
	COLUMN_CONTENT,

	NODE_COLUMN_OCCURRED_AT = COLUMN_CONTENT,
	NODE_COLUMN_VERSION,
	NODE_COLUMN_MANIFEST_SIGNATURE_ID,
	NODE_COLUMN_PAYLOAD_REF,

	ANNOTATION_COLUMN_TARGET_NO = COLUMN_CONTENT,

	EDGE_COLUMN_FROM_NO = COLUMN_COMMON,
	EDGE_COLUMN_TO_NO,
	EDGE_COLUMN_WEIGHT
};

/* Names by place; NULL behind the last. */
extern const char *const record_column_names[RECORD_KINDS][RECORD_MAX_COLUMNS + 1];

/* Whether a record may be without this; else its column is NOT NULL. */
extern bool record_column_is_optional(RecordKind kind, int place);

#endif							/* REASON_RECORD_COLUMNS_H */
