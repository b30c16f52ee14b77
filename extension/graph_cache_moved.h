/*
 * graph_cache_moved.h
 *		Nodes of the adjacency cache whose rows may have changed since.
 */
#ifndef REASON_GRAPH_CACHE_MOVED_H
#define REASON_GRAPH_CACHE_MOVED_H

#include "postgres.h"

#include "graph_cache_view.h"

/*
 * Looks the nodes of lost blocks up, and sets view->moved.  Erasing a payload changes a row, but of what
 * is kept here only its place; false: something else did change.
 */
extern bool graph_cache_recheck_nodes(GraphCacheView *view);

#endif							/* REASON_GRAPH_CACHE_MOVED_H */
