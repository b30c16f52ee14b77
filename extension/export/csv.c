/*
 * csv.c
 *		Comma-separated values, RFC 4180: a table of nodes, one of edges, one of annotations.
 *
 * Lines end with CR LF, the first names the columns, and a field that needs it
 * is quoted.  Spreadsheets take a field for a formula that begins with =, +, -,
 * @ (or the full-width forms of them), a tab or the end of a line, even a quoted
 * one: before text that does so stands an apostrophe, which they do not show
 * (https://owasp.org/www-community/attacks/CSV_Injection).  Numbers stay as they are.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/writer.h"

#include "canonical/backend.h"
#include "core/canonical.h"

#include "miscadmin.h"

typedef struct Table
{
	ByteBuffer *out;
	const ExportPart *part;
	ByteBuffer	field;
	int			columns;		/* of the row, so far */
} Table;

static bool
is_taken_for_formula(const char *bytes, size_t length)
{
	static const char *const full_width[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};

	if (length > 0 && memchr("=+-@\t\r\n", bytes[0], 7))
		return true;
	for (int i = 0; i < lengthof(full_width); i++)
	{
		if (length >= 3 && memcmp(bytes, full_width[i], 3) == 0)
			return true;
	}
	return false;
}

static void
begin_field(Table *table)
{
	if (table->columns++ > 0)
		buffer_append_char(table->out, ',');
}

static void
put_bytes(Table *table, const char *bytes, size_t length)
{
	begin_field(table);
	buffer_append_char(table->out, '"');
	if (is_taken_for_formula(bytes, length))
		buffer_append_char(table->out, '\'');
	while (length > 0)
	{
		const char *quote = memchr(bytes, '"', length);
		size_t		run = quote ? quote + 1 - bytes : length;

		buffer_append(table->out, bytes, run);
		if (quote)
			buffer_append_char(table->out, '"');
		bytes += run;
		length -= run;
	}
	buffer_append_char(table->out, '"');
}

/* A number, or whatever else needs no quotes; none: an empty field. */
static void
put_bare(Table *table, ShownText value)
{
	begin_field(table);
	if (value.data && strspn(value.data, "0123456789+-.eE") >= value.length)
		buffer_append(table->out, value.data, value.length);
}

/* A string is told without its quotes and escapes, whole; whatever else is JSON. */
static void
put_text(Table *table, ShownText value)
{
	if (value.data == NULL)
	{
		begin_field(table);
		return;
	}
	table->field.length = 0;
	shown_write_lines(&table->field, value);
	put_bytes(table, table->field.data, table->field.length);
}

static void
put_words(Table *table, const char *words)
{
	put_bytes(table, words, strlen(words));
}

static void
put_flag(Table *table, bool flag)
{
	begin_field(table);
	buffer_append(table->out, flag ? "true" : "false", flag ? 4 : 5);
}

static void
end_row(Table *table)
{
	buffer_append_literal(table->out, "\r\n");
	table->columns = 0;
}

static void
begin_table(Table *table, ByteBuffer *out, const ExportPart *part, const char *names)
{
	memset(table, 0, sizeof(*table));
	table->out = out;
	table->part = part;
	buffer_init(&table->field, canonical_realloc, CurrentMemoryContext);
	buffer_append(out, names, strlen(names));
	end_row(table);
}

/* A last row says what was cut, in the column of ids; the others are empty. */
static void
end_table(Table *table, int columns)
{
	if (!export_is_cut(table->part))
		return;
	put_words(table, "cut");
	table->field.length = 0;
	export_write_cut(&table->field, table->part);
	put_bytes(table, table->field.data, table->field.length);
	while (table->columns < columns)
		begin_field(table);
	end_row(table);
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

	put_flag(table, erased.data != NULL);
	put_text(table, is_told ? shown_member(erased, "at") : none);
	put_text(table, is_told ? shown_member(erased, "by") : none);
	put_text(table, is_told ? shown_member(erased, "reason") : none);
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
		put_words(&table, "node");
		put_text(&table, node.id);
		put_text(&table, node.type);
		put_text(&table, node.author);
		put_bare(&table, node.confidence);
		put_text(&table, node.created_at);
		put_text(&table, node.ts);
		put_text(&table, node.erased.data ? (ShownText) {NULL, 0} : node.payload);
		put_text(&table, node.metadata);
		table.field.length = 0;
		export_corrections(part, i, true, add_id, &table.field);
		put_bytes(&table, table.field.data, table.field.length);
		put_flag(&table, export_is_evidence(part, i));
		put_flag(&table, node.quarantined.data != NULL);
		put_flag(&table, part->leads_on[i]);
		for (uint32 k = part->graph->nodes[i].first_note; k != HUMAN_NONE; k = part->graph->notes[k].next)
			notes++;
		begin_field(&table);
		canonical_write_integer(out, notes);
		put_erasure(&table, node.erased);
		end_row(&table);
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
		put_words(&table, "edge");
		put_text(&table, record.id);
		put_text(&table, record.from);
		put_text(&table, record.to);
		put_text(&table, record.type);
		put_bare(&table, record.weight);
		put_bare(&table, record.confidence);
		put_text(&table, record.created_at);
		put_text(&table, record.metadata);
		end_row(&table);
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
			put_words(&table, "annotation");
			put_text(&table, note.id);
			put_text(&table, shown_member(part->graph->nodes[i].record, "id"));
			put_text(&table, note.type);
			put_text(&table, note.author);
			put_text(&table, note.created_at);
			put_text(&table, note.erased.data ? (ShownText) {NULL, 0} : note.payload);
			put_text(&table, note.metadata);
			put_erasure(&table, note.erased);
			end_row(&table);
		}
	}
	end_table(&table, 12);
}
