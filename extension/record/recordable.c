/*
 * recordable.c
 *		Which values can be recorded, for SQL.
 */
#include "postgres.h"

#include "record/record.h"

#include "canonical/backend.h"
#include "core/names.h"
#include "record/text.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_rfc3339);
PG_FUNCTION_INFO_V1(reason_recordable_time);
PG_FUNCTION_INFO_V1(reason_check_division);
PG_FUNCTION_INFO_V1(reason_check_signer_id);
PG_FUNCTION_INFO_V1(reason_check_label);

void
record_check_time(TimestampTz ts, RecordText name)
{
	if (!record_time_fits(ts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%.*s\" cannot be recorded", (int) name.length, name.data),
				 errdetail("Events have times from year 1 to 9999 of UTC; infinity is none."),
				 errhint("Leave it out if there is none.")));
}

static text *
time_text(TimestampTz ts)
{
	ByteBuffer	quoted;

	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	record_write_timestamp(&quoted, ts);
	/* without the quotation marks */
	return cstring_to_text_with_len(quoted.data + 1, quoted.length - 2);
}

/* rfc3339(ts timestamptz) → text; what RFC 3339 has no form for comes in that of to_char(), and infinity as NULL */
Datum
reason_rfc3339(PG_FUNCTION_ARGS)
{
	TimestampTz ts = PG_GETARG_TIMESTAMPTZ(0);

	if (TIMESTAMP_NOT_FINITE(ts))
		PG_RETURN_NULL();
	if (record_time_fits(ts))
		PG_RETURN_TEXT_P(time_text(ts));
	return DirectFunctionCall2Coll(timestamp_to_char, DEFAULT_COLLATION_OID, TimestampGetDatum(ts),
								   CStringGetTextDatum("YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\""));
}

/* recordable_time(ts timestamptz, name text) → text */
Datum
reason_recordable_time(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	record_check_time(PG_GETARG_TIMESTAMPTZ(0), record_text_argument(fcinfo, 1));
	PG_RETURN_TEXT_P(time_text(PG_GETARG_TIMESTAMPTZ(0)));
}

static REASON_NORETURN void
refuse_name(RecordText name, const char *what, const char *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%.*s\" is no %s", pg_mbcliplen(name.data, (int) name.length, 100), name.data, what),
			 errhint("%s", rule)));
}

/* check_division(division text): raises 22023 for what no record can be written in; "*" stands for all */
Datum
reason_check_division(PG_FUNCTION_ARGS)
{
	RecordText	division = record_text_argument(fcinfo, 0);
	bool		is_all = division.length == 1 && division.data[0] == '*';

	if (!is_all && !division_name_is_valid(division.data, division.length))
		refuse_name(division, "name of a division", "Names have " DIVISION_NAME_RULE ".");
	PG_RETURN_VOID();
}

/* check_signer_id(signer_id text): raises 22023 for what can be no signer's */
Datum
reason_check_signer_id(PG_FUNCTION_ARGS)
{
	RecordText	id = record_text_argument(fcinfo, 0);

	if (!signer_id_is_valid(id.data, id.length))
		refuse_name(id, "id of a signer", "Ids have " SIGNER_ID_RULE ".");
	PG_RETURN_VOID();
}

/* check_label(name text, what text, most int): raises 22023 for what may not stand as a name before people */
Datum
reason_check_label(PG_FUNCTION_ARGS)
{
	RecordText	name = record_text_argument(fcinfo, 0);
	RecordText	what = record_text_argument(fcinfo, 1);
	int			most = PG_GETARG_INT32(2);
	const char *fault = label_fault(name.data, name.length);

	if (fault || name.length > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 fault ? errmsg("%.*s %s", (int) what.length, what.data, fault) :
				 errmsg("%.*s is longer than %d bytes", (int) what.length, what.data, most)));
	PG_RETURN_VOID();
}
