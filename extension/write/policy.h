/*
 * policy.h
 *		Whether any policy rule is about a kind of record.
 */
#ifndef REASON_WRITE_POLICY_H
#define REASON_WRITE_POLICY_H

#include "postgres.h"

#include "record/record.h"

/* kind: node, edge, annotation.  Asks with the active snapshot. */
extern bool policy_applies(RecordText kind);

#endif							/* REASON_WRITE_POLICY_H */
