/*
 * area.c
 *		The memory that the adjacency cache lies in, in huge pages where they are to be had.
 *
 * It is a mapping of its own, because the system makes huge pages only of memory that is aligned to them,
 * and PostgreSQL's own shared memory may begin anywhere.  Since Linux 6.1 a process may ask for it once the
 * memory has been written, whatever the settings for huge pages on demand are: those for shared memory are
 * off by default.
 */
#include "postgres.h"

#include "cache/area.h"
#include "port/huge_pages.h"

#include "miscadmin.h"
#include "storage/pg_shmem.h"

/* include/uapi/asm-generic/mman-common.h; glibc has it since 2.37. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#ifdef EXEC_BACKEND
#error "the adjacency cache needs processes that are made by fork()"
#endif

#define COLLAPSE_AT_ONCE (8 * HUGE_PAGE)

static void *
map_shared(void *at, Size size, int more_flags)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | more_flags, -1, 0);
}

/* MAP_FAILED: there are not enough, or they are not wanted. */
static void *
map_pool(Size size)
{
	Size		page = 0;
	int			flags = 0;

	if (huge_pages == HUGE_PAGES_OFF)
		return MAP_FAILED;
	GetHugePageSize(&page, &flags);
	return page == 0 ? MAP_FAILED : map_shared(NULL, TYPEALIGN(page, size), flags);
}

/* Into a range of addresses that was taken before, as the system aligns nothing by itself. */
static void *
map_aligned(Size size)
{
	char	   *range = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		return MAP_FAILED;
	return map_shared((char *) TYPEALIGN(HUGE_PAGE, range), size, MAP_FIXED);
}

char *
graph_cache_map_area(Size size)
{
	void	   *area = map_pool(size);

	if (area == MAP_FAILED)
		area = map_aligned(size);
	if (area == MAP_FAILED)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("cannot map %zu bytes of shared memory for the adjacency cache: %m", size),
				 errhint("Lower reason.adjacency_cache_size.")));
	return area;
}

void
graph_cache_collapse(char *area, Size area_size, char *begin, Size size)
{
	char	   *from = (char *) TYPEALIGN_DOWN(HUGE_PAGE, begin);
	char	   *until = (char *) TYPEALIGN(HUGE_PAGE, begin + size);
	char	   *last = (char *) TYPEALIGN_DOWN(HUGE_PAGE, area + area_size);

	if (size < 2 * HUGE_PAGE)
		return;
	/* The first and the last page may hold memory of others, which does no harm. */
	from = Max(from, (char *) TYPEALIGN(HUGE_PAGE, area));
	until = Min(until, last);
	for (; from < until; from += COLLAPSE_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		(void) madvise(from, Min(until - from, COLLAPSE_AT_ONCE), MADV_COLLAPSE);
	}
}
