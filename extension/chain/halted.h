/*
 * halted.h
 *		Chains that have halted: the rows of table halted_chain.  SPI must be connected.
 */
#ifndef REASON_CHAIN_HALTED_H
#define REASON_CHAIN_HALTED_H

#include "postgres.h"

#include "chain/event_form.h"
#include "nodes/pg_list.h"

typedef struct HaltedChain
{
	text	   *division;
	int64		event_no;
	bool		waits;			/* a broken page was tried a moment ago, and is left alone for now */
} HaltedChain;

/* A list of HaltedChain *, in the current memory context. */
extern List *halted_chains(void);

/*
 * Notes that a chain halts at an event, and why, and warns.  hidden: a page
 * cannot be read; the event's id and type are absent when it stands there itself.
 */
extern void halted_chain_note(const EventRow *row, int64 event_no, const char *fault, bool hidden);

/* The broken page still cannot be read: it is not tried again for some seconds. */
extern void halted_chain_wait(text *division);

/* The chain went on, up to done_no; PG_INT64_MAX: to its end. */
extern void halted_chain_resume(text *division, int64 done_no);

#endif							/* REASON_CHAIN_HALTED_H */
