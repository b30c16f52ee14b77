/*
 * start.h
 *		Where a walk starts: a node among the divisions that a caller sees.
 */
#ifndef REASON_GRAPH_START_H
#define REASON_GRAPH_START_H

#include "postgres.h"

#include "utils/uuid.h"

#include "graph/types.h"

/* "ancestors" or "descendants"; anything else raises 22023. */
extern GraphDirection graph_direction_of(const char *name);

/* Divisions that a caller may see. */
typedef struct GraphDivisions
{
	bool		all;
	int			count;
	RecordText *names;
	RecordText	own;			/* the caller's own, if he does not see "default" */
} GraphDivisions;

/* Those of the current user, as reason.visible_divisions() has them. */
extern GraphDivisions graph_divisions_of_user(Graph *graph);
/* Those that a text[] names; '*' stands for all. */
extern GraphDivisions graph_divisions_of_array(Datum array);

/*
 * The node of that id among the divisions; NULL when there is none.  Where
 * several hold it, `division` names the one that is meant; without it that of
 * division "default" is, or else that of the caller's own.  Otherwise raises
 * 55000 and lists them, but for those whose node the caller may not see.
 */
extern GraphNode *graph_find_node(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division);

/* Raises P0002. */
extern void graph_report_no_node(const pg_uuid_t *id);

#endif							/* REASON_GRAPH_START_H */
