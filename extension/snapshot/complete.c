/*
 * complete.c
 *		Whether a snapshot's document holds what was known when it was frozen: all of it, and nothing else.
 *
 * The walk goes over the records that the document holds and, besides, over
 * those that freezing must have seen.  It comes to exactly the document if
 * freezing walked over any set of records between these two: everything in the
 * document was seen, and whatever else was seen led to nothing outside the
 * document.
 */
#include "postgres.h"

#include "snapshot/complete.h"

#include "graph/graph.h"
#include "snapshot/subgraph.h"

#include "miscadmin.h"

#define NUMBERS 1024

typedef struct Comparison
{
	DocumentRecords *records;
	RecordedChain *chain;
	AuditChecker *checker;
	Subgraph	subgraph;
	NumberSet	led_on;			/* nodes of the last level from which what was seen led on */
	NumberSet	perhaps_led_on; /* the same of what may have been seen */
	int64		annotations;	/* of the document, met on the walk */
} Comparison;

void
document_records_init(DocumentRecords *records)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
		number_set_init(&records->kinds[kind]);
	number_set_init(&records->frontier);
}

/* "node "…": what" */
static bool
record_fault(Comparison *comparison, RecordKind kind, int64 no, const char *what)
{
	StoredRecord stored;

	if (!record_read_by_no(comparison->checker->reader, kind, no, &stored))
		return audit_fault(comparison->checker, "%s with no " INT64_FORMAT ": its row is missing", record_kind_names[kind], no);
	return audit_fault(comparison->checker, "%s \"%s\": %s", record_kind_names[kind], audit_uuid_text(&stored.record.id), what);
}

/* ---------------------------------------------------------------- what the document adds */

static bool
could_be_seen(Comparison *comparison, RecordKind kind, int64 no)
{
	switch (recorded_when(comparison->chain, no))
	{
		case RECORDED_NEVER:
			return record_fault(comparison, kind, no, "the document adds it: no event recorded it");
		case RECORDED_AFTER:
			return record_fault(comparison, kind, no, "the document adds it: it was recorded after the snapshot was complete");
		case RECORDED_HELD:
			return record_fault(comparison, kind, no, "the document adds it: it was in quarantine when the snapshot was frozen");
		default:
			return true;
	}
}

static bool
all_could_be_seen(Comparison *comparison)
{
	int64		numbers[NUMBERS];
	int			count;

	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		number_set_rewind(&comparison->records->kinds[kind]);
		while ((count = number_set_next(&comparison->records->kinds[kind], numbers, NUMBERS)) > 0)
		{
			CHECK_FOR_INTERRUPTS();
			for (int i = 0; i < count; i++)
			{
				if (!could_be_seen(comparison, kind, numbers[i]))
					return false;
			}
		}
	}
	return true;
}

/* ---------------------------------------------------------------- the walk */

static bool
is_in_document(Comparison *comparison, int64 no)
{
	return number_set_contains(&comparison->records->kinds[RECORD_NODE], no) ||
		number_set_contains(&comparison->records->kinds[RECORD_EDGE], no);
}

static bool
was_not_seen(void *argument, int64 no)
{
	Comparison *comparison = argument;

	return !is_in_document(comparison, no) && recorded_when(comparison->chain, no) != RECORDED_BEFORE;
}

/* Members of a that are not in b: the first is named. */
static bool
none_but(Comparison *comparison, RecordKind kind, NumberSet *a, NumberSet *b, const char *otherwise)
{
	int64		numbers[NUMBERS];
	int			count;

	number_set_rewind(a);
	while ((count = number_set_next(a, numbers, NUMBERS)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			if (!number_set_contains(b, numbers[i]))
				return record_fault(comparison, kind, numbers[i], otherwise);
		}
	}
	return true;
}

static bool
same_records(Comparison *comparison, RecordKind kind, NumberSet *walked)
{
	NumberSet  *held = &comparison->records->kinds[kind];

	return none_but(comparison, kind, walked, held, "the document leaves it out") &&
		none_but(comparison, kind, held, walked, "the document adds it: the walk from its roots does not come to it");
}

static bool
collect(Comparison *comparison, const SnapshotGraph *document, Graph *graph)
{
	size_t		root_count = document->roots.length / UUID_LEN;
	int64	   *roots = palloc(root_count * sizeof(int64));

	for (size_t i = 0; i < root_count; i++)
	{
		StoredRecord stored;
		pg_uuid_t	id;

		memcpy(id.data, document->roots.data + i * UUID_LEN, UUID_LEN);
		if (!record_read_by_id(comparison->checker->reader, RECORD_NODE, &id, &stored))
			return audit_fault(comparison->checker, "node \"%s\": its row is missing", audit_uuid_text(&id));
		roots[i] = stored.no;
	}
	subgraph_collect(&comparison->subgraph, graph, roots, (int) root_count, (int) Min(document->depth, INT_MAX),
					 document->ancestors ? GRAPH_ANCESTORS : GRAPH_DESCENDANTS, was_not_seen, comparison);
	return true;
}

/* ---------------------------------------------------------------- annotations, frontier */

static void
take_annotation(void *argument, RowScan *scan)
{
	Comparison *comparison = argument;
	int64		no = DatumGetInt64(row_scan_value(scan->slot, row_scan_column(scan->heap, "no")));

	if (number_set_contains(&comparison->records->kinds[RECORD_ANNOTATION], no))
		comparison->annotations++;
	else if (comparison->checker->fault->len == 0 && recorded_when(comparison->chain, no) == RECORDED_BEFORE)
		(void) record_fault(comparison, RECORD_ANNOTATION, no, "the document leaves it out");
}

static bool
same_annotations(Comparison *comparison, const SnapshotGraph *document)
{
	if (!document->has_annotations)
		return true;
	subgraph_annotations(&comparison->subgraph, take_annotation, comparison);
	if (comparison->checker->fault->len > 0)
		return false;
	if (comparison->annotations != comparison->records->kinds[RECORD_ANNOTATION].count)
		return audit_fault(comparison->checker, "the document adds an annotation of a node that is not in it");
	return true;
}

static void
take_onward(void *argument, const GraphEntry *entries, int count)
{
	Comparison *comparison = argument;

	for (int i = 0; i < count; i++)
	{
		int64		key = comparison->subgraph.keys[entries[i].position];
		RecordedWhen edge;
		RecordedWhen node;

		if (number_set_contains(&comparison->subgraph.nodes, entries[i].link.other_no))
			continue;
		edge = recorded_when(comparison->chain, entries[i].link.edge_no);
		node = recorded_when(comparison->chain, entries[i].link.other_no);
		if (edge >= RECORDED_PERHAPS && node >= RECORDED_PERHAPS)
			number_set_add(&comparison->perhaps_led_on, key);
		if (edge == RECORDED_BEFORE && node == RECORDED_BEFORE)
			number_set_add(&comparison->led_on, key);
	}
}

static bool
same_frontier(Comparison *comparison)
{
	Subgraph   *subgraph = &comparison->subgraph;

	subgraph_walk(subgraph, &subgraph->last_level, subgraph->onward, take_onward, comparison);
	return none_but(comparison, RECORD_NODE, &comparison->led_on, &comparison->records->frontier,
					"the frontier leaves it out, though the walk stopped at it") &&
		none_but(comparison, RECORD_NODE, &comparison->records->frontier, &comparison->perhaps_led_on,
				 "the frontier adds it, though the walk did not stop at it");
}

bool
document_is_complete(DocumentRecords *records, const SnapshotGraph *document, RecordedChain *chain, AuditChecker *checker)
{
	Comparison	comparison = {.records = records, .chain = chain, .checker = checker};
	Graph	   *graph = graph_open();
	bool		result;

	number_set_init(&comparison.led_on);
	number_set_init(&comparison.perhaps_led_on);
	result = all_could_be_seen(&comparison) &&
		collect(&comparison, document, graph) &&
		same_records(&comparison, RECORD_NODE, &comparison.subgraph.nodes) &&
		same_records(&comparison, RECORD_EDGE, &comparison.subgraph.edges) &&
		same_annotations(&comparison, document) &&
		same_frontier(&comparison);
	graph_close(graph);
	return result;
}
