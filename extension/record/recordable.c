/*
 * recordable.c
 *		Which values can be recorded, for SQL.
 */
#include "postgres.h"

#include "record/record.h"

#include "canonical/backend.h"
#include "record/text.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_recordable_time);

/* recordable_time(ts timestamptz, name text) → text */
Datum
reason_recordable_time(PG_FUNCTION_ARGS)
{
	RecordText	name = record_text_argument(fcinfo, 1);
	ByteBuffer	quoted;
	TimestampTz ts;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	ts = PG_GETARG_TIMESTAMPTZ(0);
	if (!record_time_fits(ts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%.*s\" cannot be recorded", (int) name.length, name.data),
				 errdetail("Events have times from year 1 to 9999 of UTC; infinity is none."),
				 errhint("Leave it out if there is none.")));
	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	record_write_timestamp(&quoted, ts);
	/* without the quotation marks */
	PG_RETURN_TEXT_P(cstring_to_text_with_len(quoted.data + 1, quoted.length - 2));
}
