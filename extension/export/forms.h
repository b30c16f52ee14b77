/*
 * forms.h
 *		The forms of export, by name.
 */
#ifndef REASON_EXPORT_FORMS_H
#define REASON_EXPORT_FORMS_H

#include "postgres.h"

#include "core/buffer.h"
#include "export/part.h"
#include "record/record.h"

typedef void (*ExportForm) (ByteBuffer *out, const ExportPart *part);

/*
 * "markdown", "svg", "dot", "mermaid", "prov", or "csv" with the name of a table; raises 22023 for
 * anything else.
 */
extern ExportForm export_form(RecordText name, RecordText table);

/* Each writes all of the part. */
extern void export_markdown(ByteBuffer *out, const ExportPart *part);
extern void export_svg(ByteBuffer *out, const ExportPart *part);
extern void export_dot(ByteBuffer *out, const ExportPart *part);
extern void export_mermaid(ByteBuffer *out, const ExportPart *part);
extern void export_prov(ByteBuffer *out, const ExportPart *part);
extern void export_csv_nodes(ByteBuffer *out, const ExportPart *part);
extern void export_csv_edges(ByteBuffer *out, const ExportPart *part);
extern void export_csv_annotations(ByteBuffer *out, const ExportPart *part);

#endif							/* REASON_EXPORT_FORMS_H */
