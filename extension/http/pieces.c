/*
 * pieces.c
 *		A long text, handed out piece by piece.
 *
 * A row goes to a client of libpq as one message, which it must hold whole;
 * the gateway would hold as many of them as it has slow clients.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(reason_http_pieces);

/* A piece has no more.  What the gateway gathers before it sends is more. */
#define PIECE_BYTES 65536

/* One row at least: a body that is NULL stays NULL. */
Datum
reason_http_pieces(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	text	   *body;
	const char *rest;
	int			left;
	int			length;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		/* a copy only of what is compressed or out of line: the argument outlives the calls */
		call->user_fctx = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
		call->max_calls = 0;	/* bytes handed out */
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	body = call->user_fctx;
	if (body == NULL || VARSIZE_ANY_EXHDR(body) == 0)
	{
		if (call->call_cntr > 0)
			SRF_RETURN_DONE(call);
		if (body == NULL)
			SRF_RETURN_NEXT_NULL(call);
		SRF_RETURN_NEXT(call, PointerGetDatum(body));
	}

	left = VARSIZE_ANY_EXHDR(body) - (int) call->max_calls;
	if (left == 0)
		SRF_RETURN_DONE(call);
	rest = VARDATA_ANY(body) + call->max_calls;
	length = left <= PIECE_BYTES ? left : pg_mbcliplen(rest, left, PIECE_BYTES);
	call->max_calls += length;
	SRF_RETURN_NEXT(call, PointerGetDatum(cstring_to_text_with_len(rest, length)));
}
