/*
 * key_validity.c
 *		Whether a signature counts, by when its key was valid and when it was revoked.
 */
#include "core/key_validity.h"

KeyValidity
key_validity(const KeyTimes *key, int64_t earliest, int64_t latest, bool vouched)
{
	if (key->other_purpose)
		return KEY_OTHER_PURPOSE;
	if (key->revoked && (vouched ? earliest : latest) >= key->revoked_at)
		return KEY_REVOKED;
	if (latest < key->valid_from)
		return KEY_NOT_VALID_YET;
	if (earliest > key->valid_to)
		return KEY_NO_LONGER_VALID;
	return key->revoked ? KEY_COUNTED_THEN : KEY_COUNTS;
}
