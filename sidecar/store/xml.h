/*
 * xml.h: reads the small XML documents that S3 answers with.
 *
 * Elements and their texts are what counts; attributes and the prefixes of names are passed over. A document is whole
 * or it is none: a root of the expected name, every element closed, nothing after it. DTDs are refused.
 */
#ifndef SIDECAR_XML_H
#define SIDECAR_XML_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Takes an element at its end: its path below the root ("Version/Key", names without prefixes) and its text, which
 * means nothing if it has other elements within.
 */
typedef void xml_taker(void *context, const char *path, const char *text);

/* False: it is no document of that root. Elements before the fault may have been taken. take NULL: only asks. */
bool xml_read(const char *bytes, size_t length, const char *root, xml_taker *take, void *context);

/* The text of the element of that path; false: the document is none of that root, or the text is not there or too long. */
bool xml_text(const char *bytes, size_t length, const char *root, const char *path, char *text, size_t size);

#endif
