/*
 * human.h
 *		A graph that is to be drawn for a person: nodes, edges and annotations as JSON text.
 *
 * The text is that of a trace, or of the document of a snapshot.
 */
#ifndef REASON_DERIVED_HUMAN_H
#define REASON_DERIVED_HUMAN_H

#include "postgres.h"

#include "utils/uuid.h"

#include "core/buffer.h"
#include "trace/shown.h"

#define HUMAN_NONE PG_UINT32_MAX

typedef struct HumanNode
{
	pg_uuid_t	id;
	ShownText	record;
	uint32		first_note;		/* annotations; HUMAN_NONE */
	uint32		last_note;
	uint32		circle;			/* that it lies on, of the graph's; HUMAN_NONE */
} HumanNode;

typedef struct HumanEdge
{
	pg_uuid_t	from;
	pg_uuid_t	to;
	ShownText	from_text;
	ShownText	to_text;
	ShownText	type;
	ShownText	weight;
	ShownText	confidence;
	ShownText	record;
	bool		corrects;
	bool		is_given;		/* on this page; of all pages, one */
} HumanEdge;

typedef struct HumanNote
{
	ShownText	record;
	uint32		next;
} HumanNote;

/* Nodes that lead to each other, of all pages: those of circle i are ids[start[i]] to ids[start[i + 1]]. */
typedef struct HumanCircles
{
	uint32		count;
	uint32	   *start;
	pg_uuid_t  *ids;
} HumanCircles;

typedef struct HumanGraph
{
	bool		upwards;		/* below a node stand its causes; else what came of it */
	HumanNode  *nodes;			/* roots come first */
	uint32		node_count;
	HumanEdge  *edges;
	uint32		edge_count;
	HumanNote  *notes;
	uint32		note_count;
	HumanCircles circles;
} HumanGraph;

/* Huge if need be, and at least one. */
extern void *human_room(size_t count, size_t size);

/* The id that a text gives, in the form in which we write it; all zeros where there is none. */
extern pg_uuid_t human_uuid(ShownText id);

/* Room for so many of each, in CurrentMemoryContext. */
extern HumanGraph *human_graph(bool upwards, size_t nodes, size_t edges, size_t notes);

/* The text of a record must stay where it is. Edges may lead to nodes that are not there. */
extern void human_add_node(HumanGraph *graph, ShownText record, pg_uuid_t id);
/* Between the nodes of these ids; NULL: those that the record names. */
extern void human_add_edge(HumanGraph *graph, ShownText record, const pg_uuid_t *from, const pg_uuid_t *to);
/* To the node that was added as the nth. */
extern void human_add_note(HumanGraph *graph, uint32 node, ShownText record);

/* The node of that id, or HUMAN_NONE; by an index that is made once nodes are complete. */
typedef struct HumanIndex HumanIndex;
extern HumanIndex *human_index(const HumanGraph *graph);
extern uint32 human_find(const HumanIndex *index, const pg_uuid_t *id);

#endif							/* REASON_DERIVED_HUMAN_H */
