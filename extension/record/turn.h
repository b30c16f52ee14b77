/*
 * turn.h
 *		How many transactions of one client work at a time, on what takes long.
 *
 * The gateway's workers do not know of each other's calls; here they meet, and
 * here are the processors.  A client that asks for much at once waits for
 * itself, and leaves processors to others.
 */
#ifndef REASON_RECORD_TURN_H
#define REASON_RECORD_TURN_H

#include "postgres.h"

extern void turn_define(void);

/*
 * Between two parts of what may take long: waits for the transaction's turn, if
 * SQL has called turn_when_long() in it and that was a while ago.
 */
extern void turn_if_long(void);

#endif							/* REASON_RECORD_TURN_H */
