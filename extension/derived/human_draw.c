/*
 * human_draw.c
 *		Draws a graph as a tree of lines.
 *
 * A node stands below the first node that leads to it; every other edge is a
 * line of its own at the node above.  What is deeper than a line is wide goes
 * on in a tree of its own.
 */
#include "postgres.h"

#include "derived/human_draw.h"

#include "derived/human_tree.h"

#include "miscadmin.h"

/* Levels in one tree: an indentation of three columns each. */
#define TREE_DEPTH 24
#define NOTE_CHARACTERS 200
/* A line names so many corrections. */
#define NAMED_CORRECTIONS 3

typedef struct Drawing
{
	const HumanGraph *graph;
	const HumanTree *tree;
	ByteBuffer *out;
	uint32	   *next_edge;		/* by depth: where the children of the node there go on */
	uint32	   *path;			/* by depth: the node */
	bool	   *is_last;		/* by depth: nothing follows below the node above */
	uint32	   *later;			/* roots of further trees */
	uint32		later_count;
	bool		clipped;		/* the node has children in a tree of their own */
} Drawing;

/* ---------------------------------------------------------------- words */

static void
append_text(ByteBuffer *out, const char *words)
{
	buffer_append(out, words, strlen(words));
}

static void
append_unquoted(ByteBuffer *out, const char *before, ShownText value)
{
	if (value.data == NULL)
		return;
	append_text(out, before);
	shown_write_plain(out, value, 255);
}

/* [supports, weight 0.9, confidence 0.8] */
static void
append_edge(ByteBuffer *out, const HumanEdge *edge)
{
	append_unquoted(out, "[", edge->type);
	append_unquoted(out, ", weight ", edge->weight);
	append_unquoted(out, ", confidence ", edge->confidence);
	buffer_append_char(out, ']');
}

/* What the payload says of itself, or else its beginning. */
static void
append_note(ByteBuffer *out, const ShownRecord *record)
{
	ShownText	note = shown_note(record);

	if (record->erased.data)
		append_text(out, ": (payload erased)");
	else if (note.data || record->payload.data)
	{
		append_text(out, ": ");
		shown_write_plain(out, note.data ? note : record->payload, NOTE_CHARACTERS);
	}
}

/* Names the nodes at the other ends of corrections among the edges. */
static void
append_corrections(Drawing *drawing, const char *words, const uint32 *edges, uint32 count, bool of_cause)
{
	int			named = 0;

	for (uint32 k = 0; k < count && named < NAMED_CORRECTIONS; k++)
	{
		const HumanEdge *edge = &drawing->graph->edges[edges[k]];

		CHECK_FOR_INTERRUPTS();
		if (!edge->corrects)
			continue;
		append_text(drawing->out, named++ == 0 ? words : ", ");
		append_unquoted(drawing->out, "", of_cause ? edge->from_text : edge->to_text);
	}
}

/* Returns how its content was erased, if it was. */
static ShownText
append_node(Drawing *drawing, uint32 number)
{
	const HumanTree *tree = drawing->tree;
	ByteBuffer *out = drawing->out;
	ShownText	shown = drawing->graph->nodes[number].record;
	ShownRecord node = shown_record(shown.data, shown.length);
	const uint32 *above = tree->at_above + tree->above_start[number];
	uint32		above_count = tree->above_start[number + 1] - tree->above_start[number];
	const uint32 *below = tree->at_below + tree->below_start[number];
	uint32		below_count = tree->below_start[number + 1] - tree->below_start[number];
	bool		upwards = drawing->graph->upwards;

	append_unquoted(out, "", node.type);
	append_note(out, &node);
	append_unquoted(out, ", by ", node.author);
	append_unquoted(out, ", confidence ", node.confidence);
	append_unquoted(out, ", recorded ", node.created_at);
	append_unquoted(out, ", occurred ", node.ts);
	if (node.quarantined.data)
		append_text(out, ", in quarantine");
	if (drawing->graph->nodes[number].circle != HUMAN_NONE)
		append_text(out, ", in a circle");
	append_corrections(drawing, ", CORRECTED by ", upwards ? above : below, upwards ? above_count : below_count, true);
	append_corrections(drawing, ", corrects ", upwards ? below : above, upwards ? below_count : above_count, false);
	append_unquoted(out, ", id ", node.id);
	buffer_append_char(out, '\n');
	return node.erased;
}

/* ---------------------------------------------------------------- lines */

static void
append_indent(Drawing *drawing, uint32 depth)
{
	for (uint32 i = 1; i <= depth; i++)
		append_text(drawing->out, drawing->is_last[i] ? "   " : "│  ");
}

static void
begin_remark(Drawing *drawing, uint32 depth, bool has_children)
{
	append_indent(drawing, depth);
	append_text(drawing->out, has_children ? "│  · " : "   · ");
}

/* The next edge on which a node hangs below this one, from k on; above_start[node + 1] if there is none. */
static uint32
next_child(const Drawing *drawing, uint32 node, uint32 k)
{
	const HumanTree *tree = drawing->tree;

	while (k < tree->above_start[node + 1])
	{
		uint32		edge = tree->at_above[k];

		CHECK_FOR_INTERRUPTS();
		if (tree->below[edge] != HUMAN_NONE && tree->edge[tree->below[edge]] == edge)
			break;
		k++;
	}
	return k;
}

/* Why and when content was erased, if the record says. */
static void
append_erasure(Drawing *drawing, ShownText erased, uint32 depth, bool has_children)
{
	if (erased.data == NULL || *erased.data != '{')
		return;
	begin_remark(drawing, depth, has_children);
	append_unquoted(drawing->out, "erased ", shown_member(erased, "at"));
	append_unquoted(drawing->out, ", by ", shown_member(erased, "by"));
	append_unquoted(drawing->out, ": ", shown_member(erased, "reason"));
	buffer_append_char(drawing->out, '\n');
}

static void
append_annotations(Drawing *drawing, uint32 node, uint32 depth, bool has_children)
{
	for (uint32 i = drawing->graph->nodes[node].first_note; i != HUMAN_NONE; i = drawing->graph->notes[i].next)
	{
		ShownText	shown = drawing->graph->notes[i].record;
		ShownRecord note = shown_record(shown.data, shown.length);

		CHECK_FOR_INTERRUPTS();
		begin_remark(drawing, depth, has_children);
		append_unquoted(drawing->out, "", note.type);
		append_unquoted(drawing->out, " by ", note.author);
		append_unquoted(drawing->out, ", recorded ", note.created_at);
		append_note(drawing->out, &note);
		buffer_append_char(drawing->out, '\n');
		append_erasure(drawing, note.erased, depth, has_children);
	}
}

/* Edges at the node on which nothing hangs: to nodes drawn elsewhere, and from nodes that are not on this page. */
static void
append_other_edges(Drawing *drawing, uint32 node, uint32 depth, bool has_children)
{
	const HumanGraph *graph = drawing->graph;
	const HumanTree *tree = drawing->tree;

	for (uint32 k = tree->above_start[node]; k < tree->above_start[node + 1]; k++)
	{
		uint32		edge = tree->at_above[k];
		uint32		other = tree->below[edge];

		CHECK_FOR_INTERRUPTS();
		if (other != HUMAN_NONE && tree->edge[other] == edge)
			continue;
		begin_remark(drawing, depth, has_children);
		append_edge(drawing->out, &graph->edges[edge]);
		append_text(drawing->out, graph->upwards ? " from " : " to ");
		append_unquoted(drawing->out, "", graph->upwards ? graph->edges[edge].from_text : graph->edges[edge].to_text);
		append_text(drawing->out, other == HUMAN_NONE ? ", on another page\n" : other == node ? ", itself\n" :
					graph->nodes[node].circle != HUMAN_NONE && graph->nodes[node].circle == graph->nodes[other].circle ?
					", which stands elsewhere in the same circle\n" : ", which stands elsewhere\n");
	}
	for (uint32 k = tree->below_start[node]; k < tree->below_start[node + 1]; k++)
	{
		uint32		edge = tree->at_below[k];

		CHECK_FOR_INTERRUPTS();
		if (tree->above[edge] != HUMAN_NONE)
			continue;
		begin_remark(drawing, depth, has_children);
		append_edge(drawing->out, &graph->edges[edge]);
		append_text(drawing->out, graph->upwards ? " to " : " from ");
		append_unquoted(drawing->out, "", graph->upwards ? graph->edges[edge].to_text : graph->edges[edge].from_text);
		append_text(drawing->out, ", on another page\n");
	}
}

static void
append_remarks(Drawing *drawing, uint32 node, ShownText erased, uint32 depth, bool has_children)
{
	append_erasure(drawing, erased, depth, has_children);
	append_annotations(drawing, node, depth, has_children);
	append_other_edges(drawing, node, depth, has_children);
	if (drawing->clipped)
	{
		begin_remark(drawing, depth, has_children);
		append_text(drawing->out, "goes on in a tree of its own, below\n");
	}
}

/* A node with what is said of it; its children, if they are drawn in this tree, are next. */
static void
visit(Drawing *drawing, uint32 node, uint32 depth)
{
	uint32		child = next_child(drawing, node, drawing->tree->above_start[node]);
	uint32		end = drawing->tree->above_start[node + 1];
	ShownText	erased = append_node(drawing, node);

	drawing->clipped = depth == TREE_DEPTH && child < end;
	if (drawing->clipped)
	{
		drawing->later[drawing->later_count++] = node;
		child = end;
	}
	append_remarks(drawing, node, erased, depth, child < end);
	drawing->path[depth] = node;
	drawing->next_edge[depth] = child;
}

static void
draw_tree(Drawing *drawing, uint32 root, bool is_continued)
{
	const HumanTree *tree = drawing->tree;
	uint32		depth = 0;

	if (is_continued)
	{
		append_unquoted(drawing->out, "\nBelow ", shown_member(drawing->graph->nodes[root].record, "id"));
		append_text(drawing->out, ":\n");
		drawing->path[0] = root;
		drawing->next_edge[0] = next_child(drawing, root, tree->above_start[root]);
	}
	else
		visit(drawing, root, 0);
	for (;;)
	{
		uint32		node = drawing->path[depth];
		uint32		k = drawing->next_edge[depth];
		uint32		edge;

		CHECK_FOR_INTERRUPTS();
		if (k >= tree->above_start[node + 1])
		{
			if (depth == 0)
				return;
			depth--;
			continue;
		}
		edge = tree->at_above[k];
		drawing->next_edge[depth] = next_child(drawing, node, k + 1);
		append_indent(drawing, depth);
		depth++;
		drawing->is_last[depth] = drawing->next_edge[depth - 1] >= tree->above_start[node + 1];
		append_text(drawing->out, drawing->is_last[depth] ? "└─ " : "├─ ");
		append_edge(drawing->out, &drawing->graph->edges[edge]);
		buffer_append_char(drawing->out, ' ');
		visit(drawing, tree->below[edge], depth);
	}
}

void
human_draw(ByteBuffer *out, const HumanGraph *graph)
{
	Drawing		drawing = {.graph = graph, .tree = human_tree(graph, 0), .out = out};
	uint32		next_edge[TREE_DEPTH + 2];
	uint32		path[TREE_DEPTH + 2];
	bool		is_last[TREE_DEPTH + 2] = {false};

	drawing.next_edge = next_edge;
	drawing.path = path;
	drawing.is_last = is_last;
	drawing.later = palloc_extended(Max((Size) graph->node_count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < graph->node_count; i++)
	{
		uint32		node = drawing.tree->order[i];

		if (drawing.tree->edge[node] == HUMAN_NONE)
			draw_tree(&drawing, node, false);
	}
	for (uint32 i = 0; i < drawing.later_count; i++)
		draw_tree(&drawing, drawing.later[i], true);
}
