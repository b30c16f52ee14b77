/*
 * text.c
 *		Reading text arguments.
 */
#include "postgres.h"

#include "record/text.h"

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
