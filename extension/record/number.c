/*
 * number.c
 *		Drawing numbers and times for records.
 */
#include "postgres.h"

#include "record/number.h"

#include "record/schema.h"
#include "record/watermark.h"

#include "access/xact.h"
#include "commands/sequence.h"
#include "utils/timestamp.h"

int64
next_record_no(void)
{
	Oid			sequence = schema_relation_oid("record_no");
	int64		no;

	/*
	 * The sealer concludes from a snapshot which numbers are decided; that
	 * holds only if a number is never drawn before its transaction shows up
	 * among the running ones.
	 */
	(void) GetTopTransactionId();
	no = nextval_internal(sequence, false);
	watermarks_drawn(sequence, no);
	return no;
}

TimestampTz
next_record_time(TimestampTz previous)
{
	TimestampTz now = GetCurrentTimestamp();

	return now > previous ? now : previous + 1;
}
