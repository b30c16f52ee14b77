/*
 * huge_pages.h
 *		Large memory in large pages, where the system has them for those who ask.
 */
#ifndef REASON_PORT_HUGE_PAGES_H
#define REASON_PORT_HUGE_PAGES_H

#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((Size) 2 * 1024 * 1024)

/*
 * To fetch memory page by page is slow, and so is giving it back: 0.1 s for a gigabyte, in one
 * call of the system that nothing can interrupt.  Does nothing for less than two huge pages.
 *
 * The pages that the memory begins and ends in are meant whole, for that is what malloc() maps
 * for it: a mapping with only a part so marked could not be moved, and realloc() would copy.
 */
static inline void
prefer_huge_pages(void *bytes, Size size)
{
#ifdef MADV_HUGEPAGE
	if (size >= 2 * HUGE_PAGE)
	{
		Size		page = getpagesize();
		char	   *begin = (char *) TYPEALIGN_DOWN(page, bytes);
		char	   *end = (char *) TYPEALIGN(page, (char *) bytes + size);

		(void) madvise(begin, end - begin, MADV_HUGEPAGE);
	}
#endif
}

#endif							/* REASON_PORT_HUGE_PAGES_H */
