/*
 * area.h
 *		The memory that the adjacency cache lies in, in huge pages where they are to be had.
 *
 * A trace jumps about in it, and with pages of 4 kB the processor waits for the tables that say where those
 * pages are, too.
 */
#ifndef REASON_CACHE_AREA_H
#define REASON_CACHE_AREA_H

#include "postgres.h"

/*
 * In the postmaster: maps so many bytes, which all its children share.  The system gives them memory as
 * they are first written, unless they are of the kernel's pool of huge pages (huge_pages, vm.nr_hugepages).
 */
extern char *graph_cache_map_area(Size size);

/* Has the system move what was written there into huge pages, as far as it has some. */
extern void graph_cache_collapse(char *area, Size area_size, char *begin, Size size);

#endif							/* REASON_CACHE_AREA_H */
