/*
 * page_template.h
 *		The auditor's page: one HTML file that shows a snapshot and verifies it in a
 *		browser, asking nobody.
 *
 * gateway/ui makes the file, with places for the bytes of the document, its
 * metadata, the registry of signers, a proof of the log and a policy, each in Base 64.
 * It is part of the program, so that nothing has to be found when a page is
 * wanted; a build without Node has none.
 */
#ifndef REASON_CORE_PAGE_TEMPLATE_H
#define REASON_CORE_PAGE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

/* What goes between the pieces, in this order. */
typedef enum PagePart
{
	PAGE_DOCUMENT,
	PAGE_METADATA,
	PAGE_REGISTRY,
	PAGE_PROOF,
	PAGE_POLICY,
	PAGE_PARTS
} PagePart;

/* What stands before a part, or after the last one (PAGE_PARTS).  NULL: this build has no page. */
extern const char *page_piece(PagePart part, size_t *length);

#endif							/* REASON_CORE_PAGE_TEMPLATE_H */
