/*
 * table_checks.h
 *		Check constraints of a table, read and planned once a session.
 *
 * PostgreSQL reads their text and plans them for each statement, which takes a
 * fifth of what it takes to insert one row.
 */
#ifndef REASON_RECORD_TABLE_CHECKS_H
#define REASON_RECORD_TABLE_CHECKS_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* Gives ExecConstraints() the expressions that it would make itself; they live as long as the executor's state. */
extern void table_checks_provide(ResultRelInfo *result, EState *estate);

#endif							/* REASON_RECORD_TABLE_CHECKS_H */
