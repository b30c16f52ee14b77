/*
 * text.c
 *		Reading text arguments.
 */
#include "postgres.h"

#include "record/text.h"

#include "utils/lsyscache.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

RecordText
record_text_argument(FunctionCallInfo fcinfo, int argument)
{
	RecordText	result = {NULL, 0};

	if (!PG_ARGISNULL(argument))
	{
		text	   *value = PG_GETARG_TEXT_PP(argument);

		result.data = VARDATA_ANY(value);
		result.length = VARSIZE_ANY_EXHDR(value);
	}
	return result;
}

void
record_require_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument %d of %s() must not be null", argument + 1, get_func_name(fcinfo->flinfo->fn_oid))));
}
