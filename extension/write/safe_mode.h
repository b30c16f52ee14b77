/*
 * safe_mode.h
 *		Whether the database has forgotten events that are known outside.
 */
#ifndef REASON_WRITE_SAFE_MODE_H
#define REASON_WRITE_SAFE_MODE_H

/* Raises 57P03 in safe mode.  Costs a comparison once a session has found that there is none. */
extern void refuse_write_in_safe_mode(void);

#endif
