/*
 * snapshot_graph.c
 *		Whether the records of a snapshot's document are the graph that the document says it is.
 *
 * Nodes stand in the order of their ids, so that ids are found by halving: no
 * hash table that whoever chooses ids could make slow.
 */
#include "core/snapshot_graph.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/recorded_time.h"
#include "core/shown_record.h"
#include "core/uuid_text.h"

#define LINK_BYTES (2 * UUID_BYTES)
#define NOWHERE UINT32_MAX
/* Steps between two calls of pause(). */
#define STRIDE 65536

/* Only the first fault counts. */
static void fault(SnapshotGraph *graph, const char *part, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
fault(SnapshotGraph *graph, const char *part, const char *format, ...)
{
	va_list		arguments;

	if (graph->part)
		return;
	graph->part = part;
	va_start(arguments, format);
	vsnprintf(graph->fault, sizeof(graph->fault), format, arguments);
	va_end(arguments);
}

void
snapshot_graph_init(SnapshotGraph *graph, BufferRealloc realloc, void *context)
{
	memset(graph, 0, sizeof(*graph));
	graph->latest = INT64_MIN;
	buffer_init(&graph->nodes, realloc, context);
	buffer_init(&graph->links, realloc, context);
	buffer_init(&graph->targets, realloc, context);
	buffer_init(&graph->roots, realloc, context);
	buffer_init(&graph->frontier, realloc, context);
	buffer_init(&graph->work, realloc, context);
}

void
snapshot_graph_free(SnapshotGraph *graph)
{
	buffer_free(&graph->nodes);
	buffer_free(&graph->links);
	buffer_free(&graph->targets);
	buffer_free(&graph->roots);
	buffer_free(&graph->frontier);
	buffer_free(&graph->work);
}

static size_t
id_count(const ByteBuffer *ids)
{
	return ids->length / UUID_BYTES;
}

static const uint8_t *
id_at(const ByteBuffer *ids, size_t i)
{
	return (const uint8_t *) ids->data + i * UUID_BYTES;
}

static bool
read_id(const JsonDocument *document, const JsonNode *value, uint8_t id[UUID_BYTES])
{
	return value && value->kind == JSON_STRING && uuid_read_text(json_string(document, value), value->length, id);
}

/* Appends to a list that ascends. */
static bool
append_ascending(ByteBuffer *ids, const uint8_t id[UUID_BYTES])
{
	if (ids->length > 0 && memcmp(id_at(ids, id_count(ids) - 1), id, UUID_BYTES) >= 0)
		return false;
	buffer_append(ids, id, UUID_BYTES);
	return true;
}

/* {"origin": text, "root": Base 64 of a hash, "size": number}, and nothing else. */
static void
read_log(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *log)
{
	const JsonNode *origin = log->kind == JSON_OBJECT ? json_member_literal(document, log, "origin") : NULL;
	const JsonNode *root = origin ? json_member_literal(document, log, "root") : NULL;
	const JsonNode *size = root ? json_member_literal(document, log, "size") : NULL;
	uint8_t		hash[SHA256_LENGTH];
	size_t		decoded;

	graph->has_log = true;
	if (size == NULL || log->length != 3 || origin->kind != JSON_STRING || origin->length == 0 ||
		origin->length > CHECKPOINT_ORIGIN_MOST || root->kind != JSON_STRING ||
		!base64_decoded_length(json_string(document, root), root->length, &decoded) || decoded != SHA256_LENGTH ||
		!base64_decode(json_string(document, root), root->length, hash, sizeof(hash)) ||
		size->kind != JSON_NUMBER || !(size->u.number >= 0 && size->u.number <= (double) (INT64_C(1) << 53)) ||
		size->u.number != (double) (int64_t) size->u.number)
		fault(graph, "document", "its log is no origin, size and root");
	else
		graph->log_size = (int64_t) size->u.number;
}

/* A list of UUIDs in order; what it is called, for people. */
static void
read_ids(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *list, ByteBuffer *ids,
		 const char *part, const char *one, const char *all)
{
	uint8_t		id[UUID_BYTES];

	for (const JsonNode *value = json_first(document, list); value; value = json_next(document, list, value))
	{
		if (!read_id(document, value, id))
			fault(graph, part, "%s is not named by a UUID", one);
		else if (!append_ascending(ids, id))
			fault(graph, part, "%s are not in order, or there twice", all);
	}
}

static bool
read_time(const JsonDocument *document, const JsonNode *value, int64_t *seconds)
{
	return value && value->kind == JSON_STRING && recorded_time_read(json_string(document, value), value->length, seconds);
}

void
snapshot_graph_header(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *root)
{
	const JsonNode *root_ids = json_member_literal(document, root, "root_ids");
	const JsonNode *payload = json_member_literal(document, root, "payload");
	const JsonNode *direction;
	const JsonNode *depth;
	const JsonNode *pii;
	const JsonNode *frontier;
	uint8_t		id[UUID_BYTES];

	graph->has_header = true;
	if (root_ids == NULL || root_ids->kind != JSON_ARRAY || root_ids->length == 0 || payload == NULL || payload->kind != JSON_OBJECT)
	{
		fault(graph, "document", "it has no root_ids, or no payload");
		return;
	}
	if (!read_id(document, json_member_literal(document, root, "id"), id))
		fault(graph, "document", "its id is no UUID");
	if (!read_time(document, json_member_literal(document, root, "created_at"), &graph->made_at))
		fault(graph, "document", "its created_at is no time in UTC with microseconds");
	direction = json_member_literal(document, payload, "direction");
	depth = json_member_literal(document, payload, "depth");
	pii = json_member_literal(document, payload, "pii_included");
	graph->has_annotations = json_member_literal(document, payload, "annotations") != NULL;
	if (json_member_literal(document, payload, "log"))
		read_log(graph, document, json_member_literal(document, payload, "log"));
	graph->may_redact = pii && pii->kind == JSON_FALSE;
	graph->ancestors = direction && json_string_is(document, direction, "ancestors", 9);
	if (!graph->ancestors && !(direction && json_string_is(document, direction, "descendants", 11)))
		fault(graph, "document", "its direction is neither ancestors nor descendants");
	if (depth == NULL || depth->kind != JSON_NUMBER || !(depth->u.number >= 0 && depth->u.number < NOWHERE) ||
		depth->u.number != (double) (uint32_t) depth->u.number)
		fault(graph, "document", "its depth is no number of edges");
	else
		graph->depth = (uint32_t) depth->u.number;
	read_ids(graph, document, root_ids, &graph->roots, "roots", "a root", "the root nodes");
	frontier = json_member_literal(document, payload, "frontier");
	if (frontier && frontier->kind == JSON_ARRAY)
		read_ids(graph, document, frontier, &graph->frontier, "frontier", "a node of the frontier", "the nodes of the frontier");
	else if (frontier)
		fault(graph, "document", "its frontier is no list");
}

/* What a record must be, whatever it records. */
static void
look_at_record(SnapshotGraph *graph, const char *part, const char *one, size_t number, const JsonDocument *document, const JsonNode *record)
{
	const char *wrong = shown_record_fault(document, record);
	int64_t		recorded_at;

	if (wrong)
		fault(graph, part, "%s number %zu %s", one, number, wrong);
	graph->redacted |= json_member_literal(document, record, "redacted") != NULL;
	graph->unproved |= shown_payload_is_unproved(document, record);
	if (!read_time(document, json_member_literal(document, record, "createdAt"), &recorded_at))
		fault(graph, part, "%s number %zu has a createdAt that is no time in UTC with microseconds", one, number);
	else if (recorded_at > graph->latest)
		graph->latest = recorded_at;
}

void
snapshot_graph_node(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record)
{
	uint8_t		id[UUID_BYTES];

	look_at_record(graph, "nodes", "node", id_count(&graph->nodes) + 1, document, record);
	if (!read_id(document, json_member_literal(document, record, "id"), id))
		fault(graph, "nodes", "node number %zu has no id that is a UUID", id_count(&graph->nodes) + 1);
	else if (!append_ascending(&graph->nodes, id))
		fault(graph, "nodes", "node number %zu is out of order, or there twice", id_count(&graph->nodes) + 1);
}

void
snapshot_graph_edge(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record)
{
	uint8_t		ends[LINK_BYTES];

	look_at_record(graph, "edges", "edge", graph->links.length / LINK_BYTES + 1, document, record);
	if (read_id(document, json_member_literal(document, record, "from"), ends) &&
		read_id(document, json_member_literal(document, record, "to"), ends + UUID_BYTES))
		buffer_append(&graph->links, ends, LINK_BYTES);
	else
		fault(graph, "edges", "edge number %zu does not name two nodes", graph->links.length / LINK_BYTES + 1);
}

void
snapshot_graph_annotation(SnapshotGraph *graph, const JsonDocument *document, const JsonNode *record)
{
	uint8_t		id[UUID_BYTES];

	look_at_record(graph, "annotations", "annotation", id_count(&graph->targets) + 1, document, record);
	if (read_id(document, json_member_literal(document, record, "target"), id))
		buffer_append(&graph->targets, id, UUID_BYTES);
	else
		fault(graph, "annotations", "annotation number %zu names no node", id_count(&graph->targets) + 1);
}

/* The place among the nodes, or NOWHERE. */
static uint32_t
find_node(const SnapshotGraph *graph, const uint8_t id[UUID_BYTES])
{
	size_t		low = 0;
	size_t		high = id_count(&graph->nodes);

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		int			order = memcmp(id_at(&graph->nodes, middle), id, UUID_BYTES);

		if (order == 0)
			return (uint32_t) middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NOWHERE;
}

static void
tick(size_t step, void (*pause)(void))
{
	if (pause && step % STRIDE == 0)
		pause();
}

/* Every id of the list is that of a node. */
static bool
all_there(SnapshotGraph *graph, const ByteBuffer *ids, const char *part, const char *what, void (*pause)(void))
{
	char		text[UUID_TEXT_LENGTH + 1];

	for (size_t i = 0; i < id_count(ids); i++)
	{
		tick(i, pause);
		if (find_node(graph, id_at(ids, i)) == NOWHERE)
		{
			uuid_write_text(text, id_at(ids, i));
			fault(graph, part, "%s number %zu: node %s is not in the document", what, i + 1, text);
			return false;
		}
	}
	return true;
}

/* Links become places of nodes: where an edge is taken from, and where it leads to in the document's direction. */
static bool
place_links(SnapshotGraph *graph, size_t edge_count, void (*pause)(void))
{
	uint32_t   *places = (uint32_t *) graph->links.data;
	char		text[UUID_TEXT_LENGTH + 1];

	for (size_t i = 0; i < edge_count; i++)
	{
		/* Places overwrite links that were read before. */
		const uint8_t *ends = (const uint8_t *) graph->links.data + i * LINK_BYTES;
		uint32_t	from = find_node(graph, ends);
		uint32_t	to = find_node(graph, ends + UUID_BYTES);

		tick(i, pause);
		if (from == NOWHERE || to == NOWHERE)
		{
			uuid_write_text(text, from == NOWHERE ? ends : ends + UUID_BYTES);
			fault(graph, "edges", "edge number %zu ends at node %s, which is not in the document", i + 1, text);
			return false;
		}
		places[2 * i] = graph->ancestors ? to : from;
		places[2 * i + 1] = graph->ancestors ? from : to;
	}
	return true;
}

/* `last` are the places of the nodes that are as far from the roots as the document goes. */
static bool
frontier_is_last(SnapshotGraph *graph, const uint32_t *last, size_t count, uint8_t *reached, void (*pause)(void))
{
	char		text[UUID_TEXT_LENGTH + 1];

	for (size_t i = 0; i < count; i++)
		reached[last[i]] = 2;
	for (size_t i = 0; i < id_count(&graph->frontier); i++)
	{
		uint32_t	place = find_node(graph, id_at(&graph->frontier, i));

		tick(i, pause);
		if (place == NOWHERE || reached[place] != 2)
		{
			uuid_write_text(text, id_at(&graph->frontier, i));
			fault(graph, "frontier", "it holds node %s, which is not %u edges away from the roots", text, graph->depth);
			return false;
		}
	}
	return true;
}

/* Breadth first from the roots; every node must have been come to. */
static bool
all_reached(SnapshotGraph *graph, size_t node_count, size_t edge_count, void (*pause)(void))
{
	const uint32_t *places = (const uint32_t *) graph->links.data;
	char		text[UUID_TEXT_LENGTH + 1];
	uint32_t   *first;			/* of each node, its first in next; one more for the end */
	uint32_t   *next;			/* where edges lead to, by the node they are taken from */
	uint32_t   *queue;
	uint8_t    *reached;
	size_t		queued = 0;
	size_t		done = 0;

	if (!buffer_reserve(&graph->work, (2 * node_count + 1 + edge_count) * sizeof(uint32_t) + node_count))
	{
		fault(graph, "document", "out of memory");
		return false;
	}
	first = (uint32_t *) graph->work.data;
	next = first + node_count + 1;
	queue = next + edge_count;
	reached = (uint8_t *) (queue + node_count);
	memset(first, 0, (node_count + 1) * sizeof(uint32_t));
	memset(reached, 0, node_count);

	for (size_t i = 0; i < edge_count; i++)
		first[places[2 * i]]++;
	for (size_t i = 0; i < node_count; i++)
		first[i + 1] += first[i];
	for (size_t i = 0; i < edge_count; i++)
	{
		tick(i, pause);
		next[--first[places[2 * i]]] = places[2 * i + 1];
	}
	for (size_t i = 0; i < id_count(&graph->roots); i++)
	{
		uint32_t	root = find_node(graph, id_at(&graph->roots, i));

		reached[root] = 1;
		queue[queued++] = root;
	}
	for (uint32_t depth = 0; depth < graph->depth && done < queued; depth++)
	{
		for (size_t level_end = queued; done < level_end; done++)
		{
			tick(done, pause);
			for (uint32_t i = first[queue[done]]; i < first[queue[done] + 1]; i++)
			{
				if (!reached[next[i]])
				{
					reached[next[i]] = 1;
					queue[queued++] = next[i];
				}
			}
		}
	}
	if (queued == node_count)
		return frontier_is_last(graph, queue + done, queued - done, reached, pause);
	for (size_t i = 0; i < node_count; i++)
	{
		if (!reached[i])
		{
			uuid_write_text(text, id_at(&graph->nodes, i));
			fault(graph, "nodes", "%zu of %zu nodes are not within %u edges of a root, the first is %s", node_count - queued, node_count,
				  graph->depth, text);
			break;
		}
	}
	return false;
}

bool
snapshot_graph_check(SnapshotGraph *graph, void (*pause)(void))
{
	size_t		node_count = id_count(&graph->nodes);
	size_t		edge_count = graph->links.length / LINK_BYTES;

	if (!graph->has_header)
		fault(graph, "document", "it has no root_ids, or no payload");
	if (graph->nodes.failed || graph->links.failed || graph->targets.failed || graph->roots.failed || graph->frontier.failed ||
		node_count >= NOWHERE || edge_count >= NOWHERE)
		fault(graph, "document", "it is too large for the memory there is");
	if (graph->redacted && !graph->may_redact)
		fault(graph, "document", "a record is redacted, and it does not say that personal data are left out");
	if (graph->unproved && !graph->may_redact)
		fault(graph, "document", "a payload has no salt to prove it, and it does not say that personal data are left out");
	if (graph->latest > graph->made_at && graph->latest - graph->made_at > SNAPSHOT_CLOCK_SECONDS)
		fault(graph, "document", "it says that it was made more than %d seconds before a record that it holds", SNAPSHOT_CLOCK_SECONDS);
	return graph->part == NULL &&
		all_there(graph, &graph->roots, "roots", "root", pause) &&
		all_there(graph, &graph->targets, "annotations", "annotation", pause) &&
		place_links(graph, edge_count, pause) &&
		all_reached(graph, node_count, edge_count, pause);
}
