/*
 * quota.h
 *		Whether a client has a quota: most have none, and then nothing is counted.
 */
#ifndef REASON_WRITE_QUOTA_H
#define REASON_WRITE_QUOTA_H

#include "postgres.h"

/* Whether any limit is set for the client.  Asks with the active snapshot. */
extern bool quota_is_set(text *client);

#endif							/* REASON_WRITE_QUOTA_H */
