/*
 * key_validity.h
 *		Whether a signature counts, by when its key was valid and when it was revoked.
 *
 * The one place of this rule: reason.key_validity() is this function for SQL,
 * and verify_audit() and reason-verify call it.
 *
 * A signature holds no time.  What is known is that it was made between two
 * times: `earliest`, when what is signed came to be, and `latest`, when the
 * signature was there.
 *
 *	- A key signs one kind of thing: events and snapshots, checkpoints of the
 *	  log, or cosignatures as a witness.  What it signs of another kind never counts.
 *	- It was not made before valid_from, if it can have been made after it.
 *	- It was not made after valid_to, if what is signed was there by then.
 *	- A revoked key's counts if it was made before the revocation.  Somebody else
 *	  may have the key, who writes what times he likes: so whoever asks says
 *	  whether `earliest` is vouched for, by a chain, or by a store that keeps
 *	  times.  If nobody does, the signature may be as late as `latest`.
 *
 * Times are microseconds of one clock, whichever its zero.
 */
#ifndef REASON_CORE_KEY_VALIDITY_H
#define REASON_CORE_KEY_VALIDITY_H

#include <stdbool.h>
#include <stdint.h>

#define KEY_TIME_BEGIN INT64_MIN
#define KEY_TIME_END INT64_MAX

typedef struct KeyTimes
{
	int64_t		valid_from;		/* KEY_TIME_BEGIN: since ever */
	int64_t		valid_to;		/* inclusive; KEY_TIME_END: open */
	bool		revoked;
	int64_t		revoked_at;		/* from then on; KEY_TIME_BEGIN if revoked at an unknown time */
	bool		other_purpose;	/* registered for something else than what it signed here */
} KeyTimes;

typedef enum KeyValidity
{
	KEY_COUNTS,
	KEY_COUNTED_THEN,			/* it counts, and the key was revoked since */
	KEY_NOT_VALID_YET,
	KEY_NO_LONGER_VALID,
	KEY_REVOKED,
	KEY_OTHER_PURPOSE
} KeyValidity;

extern KeyValidity key_validity(const KeyTimes *key, int64_t earliest, int64_t latest, bool vouched);

#endif							/* REASON_CORE_KEY_VALIDITY_H */
