/*
 * event_read.c
 *		Reading rows of audit_event that may be damaged.
 */
#include "postgres.h"

#include "chain/event_read.h"

#include "record/attempt.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

void
event_columns_find(EventColumns *columns, Relation table)
{
	columns->no = row_scan_column(table, "no");
	columns->id = row_scan_column(table, "id");
	columns->ts = row_scan_column(table, "ts");
	columns->event_type = row_scan_column(table, "event_type");
	columns->division = row_scan_column(table, "division");
	columns->payload = row_scan_column(table, "payload");
}

/* A value that is compressed or stored out of line, and what it is when that can be read. */
typedef struct Stored
{
	struct varlena *value;
	text	   *result;
} Stored;

static void
fetch(void *argument)
{
	Stored	   *stored = argument;

	stored->result = (text *) pg_detoast_datum_packed(stored->value);
}

void
event_read_name(TupleTableSlot *slot, const EventColumns *columns, EventRow *row)
{
	if (slot_attisnull(slot, columns->id))
		memset(&row->id, 0, UUID_LEN);
	else
		row->id = *DatumGetUUIDP(row_scan_value(slot, columns->id));
	row->event_type = row_scan_text_value(slot, columns->event_type);
}

/* A column that every event has and this row does not; NULL: none. */
static const char *
absent_column(TupleTableSlot *slot, const EventColumns *columns)
{
	return slot_attisnull(slot, columns->id) ? "id" :
		slot_attisnull(slot, columns->ts) ? "ts" :
		slot_attisnull(slot, columns->event_type) ? "event_type" :
		slot_attisnull(slot, columns->division) ? "division" :
		slot_attisnull(slot, columns->payload) ? "payload" : NULL;
}

bool
event_read(TupleTableSlot *slot, const EventColumns *columns, EventRow *row, char **fault)
{
	const char *absent = absent_column(slot, columns);
	struct varlena *value;
	Stored		stored;
	char	   *unreadable = NULL;

	event_read_name(slot, columns, row);
	if (absent)
	{
		*fault = psprintf("audit_event: column %s is NULL", absent);
		return false;
	}
	value = (struct varlena *) DatumGetPointer(row_scan_value(slot, columns->payload));
	stored = (Stored) {value, (text *) value};
	row->no = DatumGetInt64(row_scan_value(slot, columns->no));
	row->ts = DatumGetTimestampTz(row_scan_value(slot, columns->ts));
	row->division = row_scan_text_value(slot, columns->division);
	/* Most events are short: they lie in the row as they are. */
	if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
		unreadable = attempt(fetch, &stored);
	if (unreadable)
	{
		*fault = psprintf("audit_event: column payload cannot be read: %s", unreadable);
		return false;
	}
	row->payload.data = VARDATA_ANY(stored.result);
	row->payload.length = VARSIZE_ANY_EXHDR(stored.result);
	return true;
}
