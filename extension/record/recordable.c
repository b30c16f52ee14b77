/*
 * recordable.c
 *		Which values can be recorded, for SQL.
 */
#include "postgres.h"

#include "record/record.h"

#include "canonical/backend.h"
#include "core/division_name.h"
#include "record/text.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_recordable_time);
PG_FUNCTION_INFO_V1(reason_check_division);

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

/* check_division(division text): raises 22023 for what no record can be written in; "*" stands for all */
Datum
reason_check_division(PG_FUNCTION_ARGS)
{
	RecordText	division = record_text_argument(fcinfo, 0);
	bool		is_all = division.length == 1 && division.data[0] == '*';

	if (!is_all && !division_name_is_valid(division.data, division.length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%.*s\" is no name of a division", pg_mbcliplen(division.data, (int) division.length, 100), division.data),
				 errhint("Names have " DIVISION_NAME_RULE ".")));
	PG_RETURN_VOID();
}
