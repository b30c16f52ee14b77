/*
 * text.h
 *		Texts that callers give.
 */
#ifndef REASON_RECORD_TEXT_H
#define REASON_RECORD_TEXT_H

#include "postgres.h"

#include "fmgr.h"

#include "record/record.h"

/* The bytes of a text or json argument; absent when it is NULL. */
extern RecordText record_text_argument(FunctionCallInfo fcinfo, int argument);

/* Raises 22004 when the argument is NULL: for functions of which only some may be. */
extern void record_require_argument(FunctionCallInfo fcinfo, int argument);

#endif							/* REASON_RECORD_TEXT_H */
