/*
 * page.c
 *		Gives SQL the pieces of the auditor's page, between which it puts a snapshot.
 */
#include "postgres.h"

#include "core/page_template.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(reason_page_piece);

Datum
reason_page_piece(PG_FUNCTION_ARGS)
{
	int32		part = PG_GETARG_INT32(0);
	size_t		length;
	const char *piece;

	if (part < 0 || part > PAGE_PARTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the page has no piece %d", part)));
	piece = page_piece((PagePart) part, &length);
	if (piece == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("this build of the extension has no page to put a snapshot into"),
				 errhint("It is built where Node and npm are; \"reason-verify --page\" of another build makes the same page.")));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(piece, (int) length));
}
