/*
 * attempt.h
 *		Running what may meet damaged data, so that the transaction goes on when it does.
 */
#ifndef REASON_RECORD_ATTEMPT_H
#define REASON_RECORD_ATTEMPT_H

#include "postgres.h"

/*
 * Calls work(argument) in a subtransaction.  NULL when that has ended; else the
 * message of its error, in the current memory context, and nothing of it is
 * left but memory.  Errors that say something of the statement or the server
 * (canceled, no memory left, deadlock), and nothing of the data, are raised on.
 * What holds a buffer must be opened and closed within the call.
 */
extern char *attempt(void (*work)(void *argument), void *argument);

#endif							/* REASON_RECORD_ATTEMPT_H */
