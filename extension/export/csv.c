/*
 * csv.c
 *		Comma-separated values: a table of nodes, one of edges, one of annotations.
 */
#include "postgres.h"

#include "export/csv_table.h"
#include "export/forms.h"
#include "export/writer.h"

#include "core/canonical.h"

#include "miscadmin.h"

typedef struct Table
{
	const ExportPart *part;
	CsvTable	csv;
} Table;

static void
begin_table(Table *table, ByteBuffer *out, const ExportPart *part, const char *names)
{
	table->part = part;
	csv_begin(&table->csv, out);
	buffer_append(out, names, strlen(names));
	csv_end_row(&table->csv);
}

/* A last row says what was cut, in the column of ids; the others are empty. */
static void
end_table(Table *table, int columns)
{
	if (!export_is_cut(table->part))
		return;
	csv_put_words(&table->csv, "cut");
	table->csv.field.length = 0;
	export_write_cut(&table->csv.field, table->part);
	csv_put_bytes(&table->csv, table->csv.field.data, table->csv.field.length);
	while (table->csv.columns < columns)
		csv_begin_field(&table->csv);
	csv_end_row(&table->csv);
}

/* Ids of what corrects the node, with blanks between them. */
static void
add_id(void *argument, ShownText id)
{
	ByteBuffer *field = argument;

	if (field->length > 0)
		buffer_append_char(field, ' ');
	shown_write_plain(field, id, EXPORT_TEXT_CHARACTERS);
}

static void
put_erasure(Table *table, ShownText erased)
{
	ShownText	none = {NULL, 0};
	bool		is_told = erased.data && *erased.data == '{';

	csv_put_flag(&table->csv, erased.data != NULL);
	csv_put_text(&table->csv, is_told ? shown_member(erased, "at") : none);
	csv_put_text(&table->csv, is_told ? shown_member(erased, "by") : none);
	csv_put_text(&table->csv, is_told ? shown_member(erased, "reason") : none);
}

#define NODE_COLUMNS_NAMED "record,id,type,author,confidence,recorded_at,occurred_at,payload,metadata,corrected_by,evidence,quarantined," \
	"walk_stopped,annotations,erased,erased_at,erased_by,erased_reason"

void
export_csv_nodes(ByteBuffer *out, const ExportPart *part)
{
	Table		table;

	begin_table(&table, out, part, NODE_COLUMNS_NAMED);
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		ShownText	shown = part->graph->nodes[i].record;
		ShownRecord node = shown_record(shown.data, shown.length);
		int64		notes = 0;

		CHECK_FOR_INTERRUPTS();
		csv_put_words(&table.csv, "node");
		csv_put_text(&table.csv, node.id);
		csv_put_text(&table.csv, node.type);
		csv_put_text(&table.csv, node.author);
		csv_put_bare(&table.csv, node.confidence);
		csv_put_text(&table.csv, node.created_at);
		csv_put_text(&table.csv, node.ts);
		csv_put_text(&table.csv, node.erased.data ? (ShownText) {NULL, 0} : node.payload);
		csv_put_text(&table.csv, node.metadata);
		table.csv.field.length = 0;
		export_corrections(part, i, true, add_id, &table.csv.field);
		csv_put_bytes(&table.csv, table.csv.field.data, table.csv.field.length);
		csv_put_flag(&table.csv, export_is_evidence(part, i));
		csv_put_flag(&table.csv, node.quarantined.data != NULL);
		csv_put_flag(&table.csv, part->leads_on[i]);
		for (uint32 k = part->graph->nodes[i].first_note; k != HUMAN_NONE; k = part->graph->notes[k].next)
			notes++;
		csv_begin_field(&table.csv);
		canonical_write_integer(out, notes);
		put_erasure(&table, node.erased);
		csv_end_row(&table.csv);
	}
	end_table(&table, 18);
}

void
export_csv_edges(ByteBuffer *out, const ExportPart *part)
{
	Table		table;

	begin_table(&table, out, part, "record,id,from,to,type,weight,confidence,recorded_at,metadata");
	for (uint32 i = 0; i < part->graph->edge_count; i++)
	{
		const HumanEdge *edge = &part->graph->edges[i];
		ShownRecord record = shown_record(edge->record.data, edge->record.length);

		CHECK_FOR_INTERRUPTS();
		/* Each edge is in one of several parts. */
		if (!edge->is_given)
			continue;
		csv_put_words(&table.csv, "edge");
		csv_put_text(&table.csv, record.id);
		csv_put_text(&table.csv, record.from);
		csv_put_text(&table.csv, record.to);
		csv_put_text(&table.csv, record.type);
		csv_put_bare(&table.csv, record.weight);
		csv_put_bare(&table.csv, record.confidence);
		csv_put_text(&table.csv, record.created_at);
		csv_put_text(&table.csv, record.metadata);
		csv_end_row(&table.csv);
	}
	end_table(&table, 9);
}

void
export_csv_annotations(ByteBuffer *out, const ExportPart *part)
{
	Table		table;

	begin_table(&table, out, part, "record,id,node,type,author,recorded_at,text,metadata,erased,erased_at,erased_by,erased_reason");
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		for (uint32 k = part->graph->nodes[i].first_note; k != HUMAN_NONE; k = part->graph->notes[k].next)
		{
			ShownText	shown = part->graph->notes[k].record;
			ShownRecord note = shown_record(shown.data, shown.length);

			CHECK_FOR_INTERRUPTS();
			csv_put_words(&table.csv, "annotation");
			csv_put_text(&table.csv, note.id);
			csv_put_text(&table.csv, shown_member(part->graph->nodes[i].record, "id"));
			csv_put_text(&table.csv, note.type);
			csv_put_text(&table.csv, note.author);
			csv_put_text(&table.csv, note.created_at);
			csv_put_text(&table.csv, note.erased.data ? (ShownText) {NULL, 0} : note.payload);
			csv_put_text(&table.csv, note.metadata);
			put_erasure(&table, note.erased);
			csv_end_row(&table.csv);
		}
	}
	end_table(&table, 12);
}
