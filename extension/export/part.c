/*
 * part.c
 *		What is known of a part beside its records, in words.
 */
#include "postgres.h"

#include "export/part.h"

#include "core/canonical.h"

#include "miscadmin.h"

#define HEADING_CHARACTERS 120
#define SUBJECT_CHARACTERS 40

void
export_part_begin(ExportPart *part, const HumanGraph *graph, uint32 roots)
{
	part->graph = graph;
	part->tree = human_tree(graph, roots);
	part->leads_on = human_room(graph->node_count, sizeof(bool));
	memset(part->leads_on, 0, (size_t) graph->node_count * sizeof(bool));
}

void
export_part_mark(ExportPart *part, const pg_uuid_t *ids, uint32 count)
{
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		uint32		low = 0;
		uint32		high = count;

		CHECK_FOR_INTERRUPTS();
		while (low < high)
		{
			uint32		middle = low + (high - low) / 2;

			if (memcmp(&ids[middle], &part->graph->nodes[i].id, UUID_LEN) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		part->leads_on[i] = low < count && memcmp(&ids[low], &part->graph->nodes[i].id, UUID_LEN) == 0;
	}
}

/* ---------------------------------------------------------------- words */

static void
say(ByteBuffer *out, const char *words)
{
	buffer_append(out, words, strlen(words));
}

static void
say_count(ByteBuffer *out, uint64 count, const char *one, const char *many)
{
	canonical_write_integer(out, (int64) count);
	buffer_append_char(out, ' ');
	say(out, count == 1 ? one : many);
}

void
export_write_title(ByteBuffer *out, const ExportPart *part)
{
	say(out, part->snapshot.data ? "Snapshot " : part->graph->upwards ? "What led to " : "What came of ");
	shown_write_plain(out, part->id, 36);
	if (part->as_of.data)
	{
		say(out, ", as of ");
		shown_write_plain(out, part->as_of, 40);
	}
}

/* What the record that was traced says of itself, which later parts do not begin with; of a snapshot, its description. */
static ShownText
subject_words(const ExportPart *part)
{
	ShownRecord record;
	ShownText	note;

	if (part->snapshot.data)
		return shown_member(part->snapshot, "description");
	if (part->begin > 0 || part->graph->node_count == 0)
		return (ShownText) {NULL, 0};
	record = shown_record(part->graph->nodes[0].record.data, part->graph->nodes[0].record.length);
	note = shown_note(&record);
	return record.erased.data ? (ShownText) {NULL, 0} : note.data ? note : record.payload;
}

void
export_write_heading(ByteBuffer *out, const ExportPart *part)
{
	ShownText	words = subject_words(part);

	if (words.data == NULL)
	{
		export_write_title(out, part);
		return;
	}
	say(out, part->snapshot.data ? "Snapshot: " : part->graph->upwards ? "What led to: " : "What came of: ");
	shown_write_plain(out, words, HEADING_CHARACTERS);
}

static void
say_value(ByteBuffer *out, const char *before, ShownText value)
{
	if (value.data == NULL)
		return;
	say(out, before);
	shown_write_plain(out, value, SUBJECT_CHARACTERS);
}

void
export_write_subject(ByteBuffer *out, const ExportPart *part)
{
	ShownRecord record;

	if (subject_words(part).data == NULL || part->snapshot.data)
		return;
	record = shown_record(part->graph->nodes[0].record.data, part->graph->nodes[0].record.length);
	say_value(out, "", record.type);
	say_value(out, " by ", record.author);
	say_value(out, ", recorded ", record.created_at);
}

void
export_write_identity(ByteBuffer *out, const ExportPart *part)
{
	if (subject_words(part).data == NULL)
		return;
	say_value(out, "id ", part->id);
	say_value(out, ", as of ", part->as_of);
}

void
export_write_extent(ByteBuffer *out, const ExportPart *part)
{
	say_count(out, part->node_total, "node", "nodes");
	say(out, ", ");
	say_count(out, part->edge_total, "edge", "edges");
	if (part->begin > 0 || part->goes_on)
	{
		say(out, "; here from node ");
		canonical_write_integer(out, (int64) part->begin + 1);
		say(out, " to ");
		canonical_write_integer(out, (int64) (part->begin + part->graph->node_count));
	}
}

void
export_write_cut(ByteBuffer *out, const ExportPart *part)
{
	if (part->frontier_count > 0)
	{
		say(out, "CUT: the walk stopped for its depth");
		if (part->depth >= 0)
		{
			say(out, " at ");
			canonical_write_integer(out, part->depth);
		}
		say(out, ", where ");
		say_count(out, part->frontier_count, "node has", "nodes have");
		say(out, " further edges; such nodes say so. Ask for more depth.");
	}
	if (part->goes_on)
	{
		say(out, part->frontier_count > 0 ? " " : "");
		say(out, "CUT: this is a part, it ends at node ");
		canonical_write_integer(out, (int64) (part->begin + part->graph->node_count));
		say(out, " of ");
		canonical_write_integer(out, (int64) part->node_total);
		say(out, ". The cursor that came with it leads to the next.");
	}
}

/* ---------------------------------------------------------------- nodes */

/* Edges that lead to the node, or from it: of type corrects, and of others. */
static void
count_edges(const ExportPart *part, uint32 node, bool of_effect, uint32 *corrections, uint32 *others)
{
	const HumanTree *tree = part->tree;
	bool		above = part->graph->upwards == of_effect;
	const uint32 *start = above ? tree->above_start : tree->below_start;
	const uint32 *edges = above ? tree->at_above : tree->at_below;

	*corrections = *others = 0;
	for (uint32 k = start[node]; k < start[node + 1]; k++)
	{
		CHECK_FOR_INTERRUPTS();
		if (part->graph->edges[edges[k]].corrects)
			(*corrections)++;
		else
			(*others)++;
	}
}

bool
export_is_evidence(const ExportPart *part, uint32 node)
{
	uint32		corrections;
	uint32		others;

	/*
	 * A correction is no cause of what it corrects, and a node that only corrects is no evidence.
	 */
	count_edges(part, node, true, &corrections, &others);
	if (others > 0 || part->leads_on[node] || !part->graph->upwards)
		return false;
	count_edges(part, node, false, &corrections, &others);
	return corrections == 0 || others > 0;
}

uint32
export_corrections(const ExportPart *part, uint32 node, bool of_cause, ExportCorrection each, void *argument)
{
	const HumanTree *tree = part->tree;
	bool		above = part->graph->upwards == of_cause;
	const uint32 *start = above ? tree->above_start : tree->below_start;
	const uint32 *edges = above ? tree->at_above : tree->at_below;
	uint32		count = 0;

	for (uint32 k = start[node]; k < start[node + 1]; k++)
	{
		const HumanEdge *edge = &part->graph->edges[edges[k]];

		CHECK_FOR_INTERRUPTS();
		if (!edge->corrects)
			continue;
		count++;
		if (each)
			each(argument, of_cause ? edge->from_text : edge->to_text);
	}
	return count;
}

uint32
export_edges_elsewhere(const ExportPart *part, uint32 node)
{
	const HumanTree *tree = part->tree;
	uint32		count = 0;

	for (uint32 k = tree->above_start[node]; k < tree->above_start[node + 1]; k++)
	{
		CHECK_FOR_INTERRUPTS();
		count += tree->below[tree->at_above[k]] == HUMAN_NONE;
	}
	for (uint32 k = tree->below_start[node]; k < tree->below_start[node + 1]; k++)
	{
		CHECK_FOR_INTERRUPTS();
		count += tree->above[tree->at_below[k]] == HUMAN_NONE;
	}
	return count;
}
