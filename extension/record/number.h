/*
 * number.h
 *		The numbers and times that records are given.
 */
#ifndef REASON_RECORD_NUMBER_H
#define REASON_RECORD_NUMBER_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* The next number of reason.record_no, drawn by a transaction that has its xid. */
extern int64 next_record_no(void);

/* Now, but later than `previous` by a microsecond at least. */
extern TimestampTz next_record_time(TimestampTz previous);

#endif							/* REASON_RECORD_NUMBER_H */
