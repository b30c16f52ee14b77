/*
 * prov.c
 *		PROV-JSON, https://www.w3.org/submissions/prov-json/.
 *
 * A node is an entity, attributed to its author, an agent, and generated when it
 * was recorded.  What one rests on it was derived from; what contradicts or
 * influenced it, influenced it; a correction is a revision of what it corrects.
 * An annotation is an entity that the node it speaks of influenced.
 */
#include "postgres.h"

#include "export/forms.h"
#include "export/writer.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "core/sha256.h"

#include "miscadmin.h"

/* Hex digits of the hash of an author's name that name the agent. */
#define AGENT_DIGITS 32

static void
escape(ByteBuffer *out, const char *bytes, size_t length)
{
	ByteBuffer	quoted;

	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	canonical_write_string(&quoted, bytes, length);
	buffer_append(out, quoted.data + 1, quoted.length - 2);
	pfree(quoted.data);
}

typedef struct Prov
{
	ExportWriter writer;
	bool		is_first;		/* of the members of the object that is open */
} Prov;

static void
put(Prov *prov, const char *syntax)
{
	export_put(&prov->writer, syntax);
}

/* {"node:…": and the like; the id stands in quotes. */
static void
begin_member(Prov *prov, const char *prefix, ShownText id)
{
	put(prov, prov->is_first ? "\"" : ",\n\"");
	prov->is_first = false;
	put(prov, prefix);
	export_say_text(&prov->writer, "", id, EXPORT_TEXT_CHARACTERS);
	put(prov, "\":{");
}

static void
begin_section(Prov *prov, const char *name)
{
	put(prov, ",\n\"");
	put(prov, name);
	put(prov, "\":{\n");
	prov->is_first = true;
}

static void
end_section(Prov *prov)
{
	put(prov, "}");
}

/* "prov:entity":"node:…" */
static void
put_reference(Prov *prov, const char *name, const char *prefix, ShownText id)
{
	put(prov, name);
	put(prov, prefix);
	export_say_text(&prov->writer, "", id, EXPORT_TEXT_CHARACTERS);
	put(prov, "\"");
}

/* A type of ours as a qualified name. */
static void
put_type(Prov *prov, ShownText type)
{
	put(prov, "\"prov:type\":{\"$\":\"reason:");
	export_say_text(&prov->writer, "", type, EXPORT_TEXT_CHARACTERS);
	put(prov, "\",\"type\":\"prov:QUALIFIED_NAME\"}");
}

static void
put_time(Prov *prov, const char *name, ShownText time)
{
	if (time.data == NULL)
		return;
	put(prov, name);
	put(prov, "{\"$\":");
	buffer_append(prov->writer.out, time.data, time.length);
	put(prov, ",\"type\":\"xsd:dateTime\"}");
}

/* A number that is stated, as it stands. */
static void
put_number(Prov *prov, const char *name, ShownText number)
{
	if (number.data == NULL || strspn(number.data, "0123456789+-.eE") < number.length)
		return;
	put(prov, name);
	buffer_append(prov->writer.out, number.data, number.length);
}

/* JSON as a string that holds it. */
static void
put_json(Prov *prov, const char *name, ShownText json)
{
	if (json.data == NULL)
		return;
	put(prov, name);
	canonical_write_string(prov->writer.out, json.data, json.length);
}

static void
put_erasure(Prov *prov, ShownText erased)
{
	if (erased.data == NULL)
		return;
	put(prov, ",\"reason:erased\":\"");
	export_say_erasure(&prov->writer, erased);
	put(prov, "\"");
}

static void
put_label(Prov *prov, const ShownRecord *record)
{
	put(prov, ",\"prov:label\":\"");
	export_say_text(&prov->writer, "", record->type, EXPORT_TEXT_CHARACTERS);
	export_say(&prov->writer, ": ");
	export_say_note(&prov->writer, record, EXPORT_NOTE_CHARACTERS);
	put(prov, "\"");
}

/* ---------------------------------------------------------------- entities */

static void
put_node(Prov *prov, uint32 node)
{
	const ExportPart *part = prov->writer.part;
	ShownText	shown = part->graph->nodes[node].record;
	ShownRecord record = shown_record(shown.data, shown.length);

	begin_member(prov, "node:", record.id);
	put_type(prov, record.type);
	put_label(prov, &record);
	put_time(prov, ",\"reason:recordedAt\":", record.created_at);
	put_time(prov, ",\"reason:occurredAt\":", record.ts);
	put_number(prov, ",\"reason:confidence\":", record.confidence);
	if (record.erased.data == NULL)
		put_json(prov, ",\"reason:payload\":", record.payload);
	put_json(prov, ",\"reason:metadata\":", record.metadata);
	put_reference(prov, ",\"reason:digest\":\"", "", shown_member(shown, "digest"));
	put_erasure(prov, record.erased);
	if (record.quarantined.data)
		put(prov, ",\"reason:quarantined\":true");
	if (part->leads_on[node])
		put(prov, ",\"reason:walkStopped\":true");
	put(prov, "}");
}

static void
put_annotation(Prov *prov, ShownText shown)
{
	ShownRecord record = shown_record(shown.data, shown.length);

	begin_member(prov, "annotation:", record.id);
	put(prov, "\"prov:type\":{\"$\":\"reason:annotation\",\"type\":\"prov:QUALIFIED_NAME\"}");
	put_label(prov, &record);
	put_time(prov, ",\"reason:recordedAt\":", record.created_at);
	if (record.erased.data == NULL)
		put_json(prov, ",\"reason:payload\":", record.payload);
	put_erasure(prov, record.erased);
	put(prov, "}");
}

/* The export itself: what it holds and what it lacks. */
static void
put_export(Prov *prov)
{
	put(prov, "\"reason:export\":{\"prov:label\":\"");
	export_say_by(&prov->writer, export_write_title);
	export_say(&prov->writer, ": ");
	export_say_by(&prov->writer, export_write_extent);
	put(prov, "\",\"reason:truncated\":");
	put(prov, export_is_cut(prov->writer.part) ? "true" : "false");
	if (export_is_cut(prov->writer.part))
	{
		put(prov, ",\"reason:cut\":\"");
		export_say_by(&prov->writer, export_write_cut);
		put(prov, "\"");
	}
	put(prov, "}");
}

/* ---------------------------------------------------------------- agents */

typedef struct Agent
{
	char		name[AGENT_DIGITS];
	ShownText	author;
} Agent;

static inline int
compare_agents(const Agent *a, const Agent *b)
{
	return memcmp(a->name, b->name, AGENT_DIGITS);
}

#define ST_SORT sort_agents
#define ST_ELEMENT_TYPE Agent
#define ST_COMPARE(a, b) compare_agents(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static Agent
agent_of(ShownText author)
{
	Agent		agent = {.author = author};
	uint8		digest[SHA256_LENGTH];

	sha256_of(digest, author.data ? author.data : "", author.length);
	for (int i = 0; i < AGENT_DIGITS; i++)
		agent.name[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	return agent;
}

static void
put_agents(Prov *prov)
{
	const HumanGraph *graph = prov->writer.part->graph;
	size_t		count = (size_t) graph->node_count + graph->note_count;
	Agent	   *agents = human_room(count, sizeof(Agent));

	for (uint32 i = 0; i < graph->node_count; i++)
		agents[i] = agent_of(shown_member(graph->nodes[i].record, "author"));
	for (uint32 i = 0; i < graph->note_count; i++)
		agents[graph->node_count + i] = agent_of(shown_member(graph->notes[i].record, "author"));
	sort_agents(agents, count);
	begin_section(prov, "agent");
	for (size_t i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0 && compare_agents(&agents[i - 1], &agents[i]) == 0)
			continue;
		begin_member(prov, "agent:", (ShownText) {agents[i].name, AGENT_DIGITS});
		put(prov, "\"prov:label\":");
		shown_append(prov->writer.out, agents[i].author);
		put(prov, "}");
	}
	end_section(prov);
	pfree(agents);
}

static void
put_attribution(Prov *prov, const char *prefix, ShownText record)
{
	ShownText	id = shown_member(record, "id");
	Agent		agent = agent_of(shown_member(record, "author"));

	begin_member(prov, "_:author-", id);
	put_reference(prov, "\"prov:entity\":\"", prefix, id);
	put_reference(prov, ",\"prov:agent\":\"", "agent:", (ShownText) {agent.name, AGENT_DIGITS});
	put(prov, "}");
}

static void
put_generation(Prov *prov, const char *prefix, ShownText record)
{
	ShownText	id = shown_member(record, "id");
	ShownText	created_at = shown_member(record, "createdAt");

	begin_member(prov, "_:recorded-", id);
	put_reference(prov, "\"prov:entity\":\"", prefix, id);
	put(prov, ",\"prov:time\":");
	shown_append(prov->writer.out, created_at);
	put(prov, "}");
}

/* Calls for each node and annotation. */
static void
for_each_record(Prov *prov, void (*each)(Prov *prov, const char *prefix, ShownText record))
{
	const HumanGraph *graph = prov->writer.part->graph;

	for (uint32 i = 0; i < graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		each(prov, "node:", graph->nodes[i].record);
	}
	for (uint32 i = 0; i < graph->note_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		each(prov, "annotation:", graph->notes[i].record);
	}
}

/* ---------------------------------------------------------------- edges */

static bool
is_type(const HumanEdge *edge, const char *quoted)
{
	return edge->type.length == strlen(quoted) && memcmp(edge->type.data, quoted, edge->type.length) == 0;
}

static bool
is_influence(const HumanEdge *edge)
{
	return is_type(edge, "\"influencedBy\"") || is_type(edge, "\"contradicts\"");
}

static void
put_edge(Prov *prov, const HumanEdge *edge)
{
	ShownText	later = edge->corrects ? edge->from_text : edge->to_text;
	ShownText	earlier = edge->corrects ? edge->to_text : edge->from_text;

	begin_member(prov, "edge:", shown_member(edge->record, "id"));
	put_reference(prov, is_influence(edge) ? "\"prov:influencee\":\"" : "\"prov:generatedEntity\":\"", "node:", later);
	put_reference(prov, is_influence(edge) ? ",\"prov:influencer\":\"" : ",\"prov:usedEntity\":\"", "node:", earlier);
	put(prov, ",");
	if (edge->corrects)
		put(prov, "\"prov:type\":{\"$\":\"prov:Revision\",\"type\":\"prov:QUALIFIED_NAME\"}");
	else
		put_type(prov, edge->type);
	put_number(prov, ",\"reason:weight\":", edge->weight);
	put_number(prov, ",\"reason:confidence\":", edge->confidence);
	put_time(prov, ",\"reason:recordedAt\":", shown_member(edge->record, "createdAt"));
	put(prov, "}");
}

static void
put_edges(Prov *prov, bool influences)
{
	const HumanGraph *graph = prov->writer.part->graph;

	for (uint32 i = 0; i < graph->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* Each edge is in one of several parts. */
		if (graph->edges[i].is_given && is_influence(&graph->edges[i]) == influences)
			put_edge(prov, &graph->edges[i]);
	}
}

static void
put_note_influences(Prov *prov)
{
	const HumanGraph *graph = prov->writer.part->graph;

	for (uint32 i = 0; i < graph->node_count; i++)
	{
		for (uint32 k = graph->nodes[i].first_note; k != HUMAN_NONE; k = graph->notes[k].next)
		{
			ShownText	id = shown_member(graph->notes[k].record, "id");

			CHECK_FOR_INTERRUPTS();
			begin_member(prov, "_:about-", id);
			put_reference(prov, "\"prov:influencee\":\"", "annotation:", id);
			put_reference(prov, ",\"prov:influencer\":\"", "node:", shown_member(graph->nodes[i].record, "id"));
			put(prov, "}");
		}
	}
}

void
export_prov(ByteBuffer *out, const ExportPart *part)
{
	Prov		prov = {.is_first = false};

	export_writer_begin(&prov.writer, out, part, escape);
	put(&prov, "{\"prefix\":{\"reason\":\"urn:reasoning-graph:\",\"node\":\"urn:uuid:\",\"edge\":\"urn:reasoning-graph:edge:\","
		"\"annotation\":\"urn:reasoning-graph:annotation:\",\"agent\":\"urn:reasoning-graph:agent:\"},\n\"entity\":{\n");
	put_export(&prov);
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_node(&prov, i);
	}
	for (uint32 i = 0; i < part->graph->note_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_annotation(&prov, part->graph->notes[i].record);
	}
	end_section(&prov);
	put_agents(&prov);
	begin_section(&prov, "wasAttributedTo");
	for_each_record(&prov, put_attribution);
	end_section(&prov);
	begin_section(&prov, "wasGeneratedBy");
	for_each_record(&prov, put_generation);
	end_section(&prov);
	begin_section(&prov, "wasDerivedFrom");
	put_edges(&prov, false);
	end_section(&prov);
	begin_section(&prov, "wasInfluencedBy");
	put_edges(&prov, true);
	put_note_influences(&prov);
	end_section(&prov);
	put(&prov, "}\n");
}
