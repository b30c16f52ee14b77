/*
 * part.h
 *		What is exported: a page of a trace, or a part of the document of a snapshot.
 */
#ifndef REASON_EXPORT_PART_H
#define REASON_EXPORT_PART_H

#include "postgres.h"

#include "utils/uuid.h"

#include "core/buffer.h"
#include "derived/human.h"
#include "derived/human_tree.h"
#include "trace/shown.h"

typedef struct ExportPart
{
	const HumanGraph *graph;	/* nodes in the order in which they were walked */
	const HumanTree *tree;
	ShownText	id;				/* of the node that was traced, or of the snapshot */
	ShownText	snapshot;		/* what is known of it, an object; none: a trace */
	ShownText	as_of;			/* none: now */
	int			depth;			/* -1: no limit */
	uint64		node_total;		/* of all parts together */
	uint64		edge_total;
	uint64		begin;			/* nodes on the parts before */
	bool		goes_on;
	bool	   *leads_on;		/* by node: the walk stopped there for its depth */
	uint32		frontier_count; /* of all parts together */
} ExportPart;

/* Nodes that the others are drawn from: those at the beginning that nothing on the part leads to. */
extern void export_part_begin(ExportPart *part, const HumanGraph *graph, uint32 roots);

/* Sets leads_on for the nodes of these ids, ascending. */
extern void export_part_mark(ExportPart *part, const pg_uuid_t *ids, uint32 count);

/* "What led to …, as of …", or "Snapshot …". */
extern void export_write_title(ByteBuffer *out, const ExportPart *part);

/* "What led to: …", in words of the record that it is about, or of the snapshot's description; the title, where there are none here. */
extern void export_write_heading(ByteBuffer *out, const ExportPart *part);

/* "decision by …, recorded …", and "id …, as of …": what the heading leaves out; nothing, where it is the title. */
extern void export_write_subject(ByteBuffer *out, const ExportPart *part);
extern void export_write_identity(ByteBuffer *out, const ExportPart *part);

/* "12 nodes, 14 edges; here from node 1 to 10". */
extern void export_write_extent(ByteBuffer *out, const ExportPart *part);

/* What this lacks, in sentences; nothing, if it is whole. */
extern void export_write_cut(ByteBuffer *out, const ExportPart *part);

static inline bool
export_is_cut(const ExportPart *part)
{
	return part->goes_on || part->frontier_count > 0;
}

/* Nothing led to it, as far as is known here, and it is more than a correction.  A walk to effects knows of none. */
extern bool export_is_evidence(const ExportPart *part, uint32 node);

/* Edges of type corrects that lead to the node, or from it: calls for each with the id at the other end. */
typedef void (*ExportCorrection) (void *argument, ShownText id);
extern uint32 export_corrections(const ExportPart *part, uint32 node, bool of_cause, ExportCorrection each, void *argument);

/* Edges between the node and what stands on other parts. */
extern uint32 export_edges_elsewhere(const ExportPart *part, uint32 node);

#endif							/* REASON_EXPORT_PART_H */
