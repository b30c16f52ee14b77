/*
 * event_read.c
 *		Reading rows of audit_event that may be damaged.
 */
#include "postgres.h"

#include "chain/event_read.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

void
event_columns_find(EventColumns *columns, Relation table)
{
	columns->id = row_scan_column(table, "id");
	columns->ts = row_scan_column(table, "ts");
	columns->event_type = row_scan_column(table, "event_type");
	columns->division = row_scan_column(table, "division");
	columns->payload = row_scan_column(table, "payload");
}

/* Whether the error says something of the statement or the server, and nothing of the value. */
static bool
is_circumstance(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_OPERATOR_INTERVENTION || category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_TRANSACTION_ROLLBACK;
}

/*
 * A value that is compressed or stored out of line, or NULL with *fault.  What
 * an error leaves open (buffers, the toast table) is closed with a subtransaction.
 */
static text *
fetch(struct varlena *stored, char **fault)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	text	   *volatile result = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = (text *) pg_detoast_datum_packed(stored);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (is_circumstance(error))
			ReThrowError(error);
		*fault = psprintf("audit_event: column payload cannot be read: %s", error->message);
		FreeErrorData(error);
		result = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

bool
event_read(TupleTableSlot *slot, const EventColumns *columns, EventRow *row, char **fault)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(row_scan_value(slot, columns->payload));
	text	   *payload = (text *) stored;

	row->id = *DatumGetUUIDP(row_scan_value(slot, columns->id));
	row->ts = DatumGetTimestampTz(row_scan_value(slot, columns->ts));
	row->event_type = row_scan_text_value(slot, columns->event_type);
	row->division = row_scan_text_value(slot, columns->division);
	/* Most events are short: they lie in the row as they are. */
	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		payload = fetch(stored, fault);
	if (payload == NULL)
		return false;
	row->payload.data = VARDATA_ANY(payload);
	row->payload.length = VARSIZE_ANY_EXHDR(payload);
	return true;
}
