/*
 * json_reader.h
 *		Strict reader of JSON text: what is accepted is I-JSON (RFC 7493), or nothing.
 *
 * A text is read once, without recursion, into a flat array of nodes in document
 * order (a container, then everything within it).  Nodes hold offsets into the
 * text, which must stay where it is as long as the document is used; only
 * strings with escapes are copied.  What the canonical writer needs is found out
 * on the way: the order of members, and which parts of the text are canonical
 * already and can be copied as they stand.
 *
 * Refused, with the place: anything outside the grammar of RFC 8259, invalid
 * UTF-8 (overlong forms and surrogates included), a byte order mark, lone
 * surrogates in escapes, U+0000, duplicate names (compared after unescaping),
 * numbers beyond the range of a double, too much depth, too much text.
 *
 * Errors are returned, never raised; memory comes from the hook of core/buffer.h,
 * which may raise: the document holds nothing else that would leak.
 */
#ifndef REASON_CORE_JSON_READER_H
#define REASON_CORE_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json_document.h"

/*
 * Reads exactly one JSON text of `length` bytes, which need not be terminated.
 * False: *error says what and where, and the document has no nodes.  A document
 * may be read into again; what it held is forgotten and its memory used again.
 */
extern bool json_read(JsonDocument *document, const char *text, size_t length,
					  const JsonLimits *limits, JsonError *error);

#endif							/* REASON_CORE_JSON_READER_H */
