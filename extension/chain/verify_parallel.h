/*
 * verify_parallel.h
 *		Verifying a chain whole, by one process or several.
 */
#ifndef REASON_CHAIN_VERIFY_PARALLEL_H
#define REASON_CHAIN_VERIFY_PARALLEL_H

#include "postgres.h"

#include "chain/verify.h"

/*
 * The same as audit_verify_range() and, if whole, audit_check_strays() of all
 * parts, in this process, ...
 */
extern bool audit_verify_alone(Verifier *verifier, int64 from_seq, int64 to_seq, bool whole);

/*
 * ... or with the help of parallel workers, as far as settings allow and the
 * chain is worth it.  Result, fault and counts are the same.
 */
extern bool audit_verify_together(Verifier *verifier, int64 from_seq, int64 to_seq, bool whole);

#endif							/* REASON_CHAIN_VERIFY_PARALLEL_H */
