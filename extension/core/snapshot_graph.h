/*
 * snapshot_graph.h
 *		Whether the records of a snapshot's document are the graph that the document says it is.
 *
 * The rule, for whoever verifies, inside and outside the database:
 *
 *	- every root is among the nodes, and roots are there once, in order;
 *	- every edge has both its ends, and every annotation its target, among the nodes;
 *	- every node is a root, or is led to from one by at most `depth` edges of the
 *	  document, against their direction for ancestors, along it for descendants;
 *	- every node of the frontier is `depth` edges away from the roots, and no nearer:
 *	  the walk stopped nowhere else;
 *	- the log that it was frozen against is named by origin, size and root, or not
 *	  at all, as before there were logs;
 *	- no record is redacted, unless the document says that personal data are left
 *	  out: the digest of a redacted one cannot be computed; nor is then a payload
 *	  there without its salt; and each is shown as core/shown_record.h says;
 *	- no record was recorded more than SNAPSHOT_CLOCK_SECONDS after the document says
 *	  that it was made: with an earlier time less need be there.
 *
 * A signer can sign anything: without this rule a document could carry nodes
 * that have nothing to do with its roots, or hide that it leaves some out.
 *
 * Records may be given in any order; of each kind in the order of the document.
 * Memory: 16 bytes a node and 32 an edge while they are given, 8 a node and 4 an
 * edge more for the check.
 */
#ifndef REASON_CORE_SNAPSHOT_GRAPH_H
#define REASON_CORE_SNAPSHOT_GRAPH_H

#include "core/json_document.h"

/* The database's clock may have been set back by so much between a record and the document. */
#define SNAPSHOT_CLOCK_SECONDS 600

typedef struct SnapshotGraph
{
	ByteBuffer	nodes;			/* ids, ascending */
	ByteBuffer	links;			/* of each edge the ids of both ends, from and to */
	ByteBuffer	targets;		/* of each annotation */
	ByteBuffer	roots;
	ByteBuffer	frontier;		/* ids, ascending, where the header has it */
	ByteBuffer	work;
	bool		ancestors;
	uint32_t	depth;
	bool		has_annotations;	/* those of its nodes were asked for */
	bool		has_log;
	int64_t		log_size;
	bool		has_header;
	bool		redacted;		/* a record is */
	bool		unproved;		/* a payload is there without its salt */
	bool		may_redact;
	int64_t		made_at;		/* in seconds since 1970 */
	int64_t		latest;			/* when the last of its records was recorded */
	/* What is wrong first, "" while nothing is; and in which part: "document", "roots", "nodes", "edges", "annotations", "frontier". */
	char		fault[200];
	const char *part;
} SnapshotGraph;

/* realloc == NULL: the C library's, to be freed with snapshot_graph_free(). */
extern void snapshot_graph_init(SnapshotGraph *graph, BufferRealloc realloc, void *context);
extern void snapshot_graph_free(SnapshotGraph *graph);

/* Id, time, root ids, direction, depth, log and frontier; `root` is the document, its records are not looked at. */
extern void snapshot_graph_header(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *root);

extern void snapshot_graph_node(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record);
extern void snapshot_graph_edge(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record);
extern void snapshot_graph_annotation(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record);

/*
 * Once, after header and records: true when the rule holds, else see `fault`.
 * `pause`, if there is one, is called now and then, and may raise an error.
 */
extern bool snapshot_graph_check(SnapshotGraph *graph, void (*pause)(void));

#endif							/* REASON_CORE_SNAPSHOT_GRAPH_H */
