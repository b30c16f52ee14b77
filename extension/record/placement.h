/*
 * placement.h
 *		Where a division lives: here, as almost all do; or its writes rest while it moves, or it lives in another cell.
 *
 * The table division_placement (sql/placement.sql) is small and hardly ever changes, so a session keeps it and looks again
 * when it has changed.  A change is noticed when a lock on a table is taken: ask once the tables of a write are locked,
 * and await_frozen() waits for those who had theirs before.
 */
#ifndef REASON_RECORD_PLACEMENT_H
#define REASON_RECORD_PLACEMENT_H

#include "postgres.h"

#include "record/record.h"

/*
 * For whoever has written events of a division, or is about to, with its tables locked: raises 57P03 while its writes rest,
 * 55000 if it lives in another cell.
 */
extern void placement_require_open(RecordText division);

/* For whoever reads it: raises 55000 if it lives in another cell, and says in which. */
extern void placement_require_here(RecordText division);

#endif							/* REASON_RECORD_PLACEMENT_H */
