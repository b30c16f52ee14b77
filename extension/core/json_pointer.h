/*
 * json_pointer.h
 *		JSON Pointers (RFC 6901) to values of a document.
 */
#ifndef REASON_CORE_JSON_POINTER_H
#define REASON_CORE_JSON_POINTER_H

#include "core/json_document.h"

/*
 * Writes the JSON Pointer of a value (or of the member whose name this is).
 * Takes time in proportion to the siblings on the way: for errors, not for loops.
 */
extern void json_write_pointer(ByteBuffer *out, const JsonDocument *document, const JsonNode *node);

/* One step of a JSON Pointer. */
extern void json_write_pointer_index(ByteBuffer *out, uint32_t index);
extern void json_write_pointer_name(ByteBuffer *out, const char *name, size_t length);

#endif							/* REASON_CORE_JSON_POINTER_H */
