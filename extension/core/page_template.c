/*
 * page_template.c
 *		The auditor's page, as the build found it.
 */
#include "core/page_template.h"

#include <string.h>

#ifdef REASON_PAGE_FILE

__asm__ (".section .rodata\n"
		 "reason_page_begin:\n"
		 "	.incbin \""REASON_PAGE_FILE"\"\n"
		 "reason_page_end:\n"
		 "	.byte 0\n"
		 ".previous\n");

extern const char reason_page_begin[] __attribute__((visibility("hidden")));
extern const char reason_page_end[] __attribute__((visibility("hidden")));

static const char *const places[PAGE_PARTS] = {"@DOCUMENT@", "@METADATA@", "@REGISTRY@", "@PROOF@", "@POLICY@"};

const char *
page_piece(PagePart part, size_t *length)
{
	const char *begin = reason_page_begin;

	for (int i = 0;; i++)
	{
		size_t		rest = (size_t) (reason_page_end - begin);
		const char *end = i < PAGE_PARTS ? memmem(begin, rest, places[i], strlen(places[i])) : reason_page_end;

		if (end == NULL)
			return NULL;
		if (i == (int) part)
		{
			*length = (size_t) (end - begin);
			return begin;
		}
		begin = end + strlen(places[i]);
	}
}

#else

const char *
page_piece(PagePart part, size_t *length)
{
	(void) part;
	*length = 0;
	return NULL;
}

#endif
