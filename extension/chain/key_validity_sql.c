/*
 * key_validity_sql.c
 *		The rule of core/key_validity.h as a function of SQL: key_validity().
 */
#include "postgres.h"

#include "core/key_validity.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_key_validity);

/* What key_validity() of SQL gives, by KeyValidity. */
static const char *const names[] = {"counts", "counted then", "not valid yet", "no longer valid", "revoked",
									"other purpose"};

/*
 * key_validity(valid_from, valid_to, revoked, revoked_at, earliest, latest, vouched, other_purpose) → text
 *
 * PostgreSQL's infinities are the ends of the clock here, too.
 */
Datum
reason_key_validity(PG_FUNCTION_ARGS)
{
	KeyTimes	key = {
		.valid_from = PG_ARGISNULL(0) ? KEY_TIME_BEGIN : PG_GETARG_TIMESTAMPTZ(0),
		.valid_to = PG_ARGISNULL(1) ? KEY_TIME_END : PG_GETARG_TIMESTAMPTZ(1),
		.revoked = PG_ARGISNULL(2) || PG_GETARG_BOOL(2),
		.revoked_at = PG_ARGISNULL(3) ? KEY_TIME_BEGIN : PG_GETARG_TIMESTAMPTZ(3),
		.other_purpose = PG_ARGISNULL(7) || PG_GETARG_BOOL(7)
	};
	int64		earliest = PG_ARGISNULL(4) ? KEY_TIME_BEGIN : PG_GETARG_TIMESTAMPTZ(4);
	int64		latest = PG_ARGISNULL(5) ? KEY_TIME_END : PG_GETARG_TIMESTAMPTZ(5);
	/* A time that is not given is not vouched for. */
	bool		vouched = !PG_ARGISNULL(4) && !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);

	StaticAssertStmt(DT_NOBEGIN == KEY_TIME_BEGIN && DT_NOEND == KEY_TIME_END, "infinities differ");
	PG_RETURN_TEXT_P(cstring_to_text(names[key_validity(&key, earliest, latest, vouched)]));
}
