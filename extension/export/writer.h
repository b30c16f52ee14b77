/*
 * writer.h
 *		Writing text that others gave into a form, escaped as the form wants it.
 */
#ifndef REASON_EXPORT_WRITER_H
#define REASON_EXPORT_WRITER_H

#include "postgres.h"

#include "core/buffer.h"
#include "export/part.h"
#include "trace/shown.h"

/* How many characters of a note, and of other texts, are shown. */
#define EXPORT_NOTE_CHARACTERS 200
#define EXPORT_TEXT_CHARACTERS 255

/* Appends bytes of UTF-8 so that the form shows them as they are. */
typedef void (*ExportEscape) (ByteBuffer *out, const char *bytes, size_t length);

/* Helps to write such a function: each byte of ASCII that has a code is written as that code. */
extern void export_replace(ByteBuffer *out, const char *bytes, size_t length, const char *const codes[128]);

/* Markdown: a backslash before whatever would mean something inside a line. */
extern void export_escape_markdown(ByteBuffer *out, const char *bytes, size_t length);

typedef struct ExportWriter
{
	ByteBuffer *out;
	const ExportPart *part;
	ExportEscape escape;
	ByteBuffer	scratch;
} ExportWriter;

/* In CurrentMemoryContext. */
extern void export_writer_begin(ExportWriter *writer, ByteBuffer *out, const ExportPart *part, ExportEscape escape);

/* Syntax, as it stands. */
extern void export_put(ExportWriter *writer, const char *syntax);
extern void export_put_number(ExportWriter *writer, int64 number);

/* Words of ours, escaped. */
extern void export_say(ExportWriter *writer, const char *words);
/* `before`, and at most so many characters of a value, on one line.  Without a value: nothing. */
extern void export_say_text(ExportWriter *writer, const char *before, ShownText value, int most);
/* What a function like export_write_title() writes, escaped. */
extern void export_say_by(ExportWriter *writer, void (*write)(ByteBuffer *out, const ExportPart *part));

/* What the record says of itself: its note, or else the beginning of its payload, or that it was erased. */
extern void export_say_note(ExportWriter *writer, const ShownRecord *record, int most);

/* Title and extent, and what was cut if something was, with the separator between. */
extern void export_say_head(ExportWriter *writer, const char *separator);

/* Each annotation of the node, with the separator before it: "comment by …, recorded …: …" */
extern void export_say_annotations(ExportWriter *writer, uint32 node, const char *separator);

/* Whether the value is this string, which needs no escape. */
extern bool export_is_word(ShownText value, const char *word);

/* "supports, weight 0.9, confidence 0.8" */
extern void export_say_edge(ExportWriter *writer, const HumanEdge *edge);

/* "erased 2026-…, by …: …", as far as is known. */
extern void export_say_erasure(ExportWriter *writer, ShownText erased);

/*
 * ", CORRECTED by …, corrects …, in quarantine, 2 annotations, 3 edges elsewhere, the walk stopped here", each where it is so,
 * with the separator before each.
 */
extern void export_say_state(ExportWriter *writer, uint32 node, const ShownRecord *record, const char *separator);

#endif							/* REASON_EXPORT_WRITER_H */
