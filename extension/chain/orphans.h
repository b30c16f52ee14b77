/*
 * orphans.h
 *		Rows that have no place in the chain.
 */
#ifndef REASON_CHAIN_ORPHANS_H
#define REASON_CHAIN_ORPHANS_H

#include "postgres.h"

#include "chain/verify.h"

/*
 * What the walk along the chain cannot see: rows of the division that no event
 * records, and events that the sealer has left behind without a place.  In parts
 * that may be checked in any order, by several processes.
 */
#define AUDIT_STRAY_PARTS (RECORD_KINDS + 2)

extern bool audit_check_strays(Verifier *verifier, int part);

#endif							/* REASON_CHAIN_ORPHANS_H */
