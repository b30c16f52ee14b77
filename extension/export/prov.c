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
	size_t		at = out->length;

	canonical_write_string(out, bytes, length);
	/* Without its quotes. */
	out->length -= 2;
	memmove(out->data + at, out->data + at + 1, out->length - at);
}

typedef struct Agent
{
	ShownText	author;
	char		name[AGENT_DIGITS];
} Agent;

/* A node or an annotation. */
typedef struct Source
{
	ShownText	shown;
	ShownRecord record;
	const char *prefix;			/* of its id */
	const Agent *agent;
} Source;

typedef struct Prov
{
	ExportWriter writer;
	bool		is_first;		/* of the members of the object that is open */
	Source	   *sources;		/* nodes, then annotations */
	size_t		source_count;
	Agent	   *agents;			/* by the bytes of their names */
	size_t		agent_count;
} Prov;

static void
put(Prov *prov, const char *syntax)
{
	export_put(&prov->writer, syntax);
}

/* A JSON string of ours without its quotes, or what never had any: an id, a type, a digest. */
static void
put_inside(Prov *prov, ShownText value)
{
	bool		is_quoted = value.length > 0 && *value.data == '"';

	buffer_append(prov->writer.out, value.data + is_quoted, value.length - 2 * is_quoted);
}

/* {"node:…": and the like; the id stands in quotes. */
static void
begin_member(Prov *prov, const char *prefix, ShownText id)
{
	put(prov, prov->is_first ? "\"" : ",\n\"");
	prov->is_first = false;
	put(prov, prefix);
	put_inside(prov, id);
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
	put_inside(prov, id);
	put(prov, "\"");
}

/* A type of ours as a qualified name. */
static void
put_type(Prov *prov, ShownText type)
{
	put(prov, "\"prov:type\":{\"$\":\"reason:");
	put_inside(prov, type);
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

/* What nodes and annotations have alike; its type stands before. */
static void
put_entity(Prov *prov, const ShownRecord *record)
{
	put_label(prov, record);
	put_time(prov, ",\"reason:recordedAt\":", record->created_at);
	if (record->erased.data == NULL)
		put_json(prov, ",\"reason:payload\":", record->payload);
	put_erasure(prov, record->erased);
}

static void
put_node(Prov *prov, uint32 node)
{
	const ExportPart *part = prov->writer.part;
	const Source *source = &prov->sources[node];
	const ShownRecord *record = &source->record;

	begin_member(prov, source->prefix, record->id);
	put_type(prov, record->type);
	put_entity(prov, record);
	put_time(prov, ",\"reason:occurredAt\":", record->ts);
	put_number(prov, ",\"reason:confidence\":", record->confidence);
	put_json(prov, ",\"reason:metadata\":", record->metadata);
	put_reference(prov, ",\"reason:digest\":\"", "", shown_member(source->shown, "digest"));
	if (record->quarantined.data)
		put(prov, ",\"reason:quarantined\":true");
	if (part->leads_on[node])
		put(prov, ",\"reason:walkStopped\":true");
	put(prov, "}");
}

static void
put_annotation(Prov *prov, const Source *source)
{
	begin_member(prov, source->prefix, source->record.id);
	put_type(prov, (ShownText) {"annotation", strlen("annotation")});
	put_entity(prov, &source->record);
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

typedef struct SourceOrder
{
	Source	   *source;
} SourceOrder;

static inline int
compare_authors(const Source *a, const Source *b)
{
	size_t		shorter = Min(a->record.author.length, b->record.author.length);
	int			order = shorter > 0 ? memcmp(a->record.author.data, b->record.author.data, shorter) : 0;

	return order != 0 ? order : (a->record.author.length > b->record.author.length) - (a->record.author.length < b->record.author.length);
}

#define ST_SORT sort_by_author
#define ST_ELEMENT_TYPE SourceOrder
#define ST_COMPARE(a, b) compare_authors((a)->source, (b)->source)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
name_agent(Agent *agent, ShownText author)
{
	uint8		digest[SHA256_LENGTH];

	agent->author = author;
	sha256_of(digest, author.data ? author.data : "", author.length);
	for (int i = 0; i < AGENT_DIGITS; i++)
		agent->name[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
}

/* Each author is named once, however much is his. */
static void
find_agents(Prov *prov)
{
	SourceOrder *sorted = human_room(prov->source_count, sizeof(SourceOrder));

	for (size_t i = 0; i < prov->source_count; i++)
		sorted[i].source = &prov->sources[i];
	sort_by_author(sorted, prov->source_count);
	prov->agents = human_room(prov->source_count, sizeof(Agent));
	for (size_t i = 0; i < prov->source_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == 0 || compare_authors(sorted[i - 1].source, sorted[i].source) != 0)
			name_agent(&prov->agents[prov->agent_count++], sorted[i].source->record.author);
		sorted[i].source->agent = &prov->agents[prov->agent_count - 1];
	}
	pfree(sorted);
}

static void
add_source(Prov *prov, ShownText shown, const char *prefix)
{
	Source	   *source = &prov->sources[prov->source_count++];

	CHECK_FOR_INTERRUPTS();
	source->shown = shown;
	source->record = shown_record(shown.data, shown.length);
	source->prefix = prefix;
}

static void
find_sources(Prov *prov)
{
	const HumanGraph *graph = prov->writer.part->graph;

	prov->sources = human_room((size_t) graph->node_count + graph->note_count, sizeof(Source));
	for (uint32 i = 0; i < graph->node_count; i++)
		add_source(prov, graph->nodes[i].record, "node:");
	for (uint32 i = 0; i < graph->note_count; i++)
		add_source(prov, graph->notes[i].record, "annotation:");
	find_agents(prov);
}

static void
put_agents(Prov *prov)
{
	begin_section(prov, "agent");
	for (size_t i = 0; i < prov->agent_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		begin_member(prov, "agent:", (ShownText) {prov->agents[i].name, AGENT_DIGITS});
		put(prov, "\"prov:label\":");
		shown_append(prov->writer.out, prov->agents[i].author);
		put(prov, "}");
	}
	end_section(prov);
}

static void
put_attributions(Prov *prov)
{
	begin_section(prov, "wasAttributedTo");
	for (size_t i = 0; i < prov->source_count; i++)
	{
		const Source *source = &prov->sources[i];

		CHECK_FOR_INTERRUPTS();
		begin_member(prov, "_:author-", source->record.id);
		put_reference(prov, "\"prov:entity\":\"", source->prefix, source->record.id);
		put_reference(prov, ",\"prov:agent\":\"", "agent:", (ShownText) {source->agent->name, AGENT_DIGITS});
		put(prov, "}");
	}
	end_section(prov);
}

static void
put_generations(Prov *prov)
{
	begin_section(prov, "wasGeneratedBy");
	for (size_t i = 0; i < prov->source_count; i++)
	{
		const Source *source = &prov->sources[i];

		CHECK_FOR_INTERRUPTS();
		begin_member(prov, "_:recorded-", source->record.id);
		put_reference(prov, "\"prov:entity\":\"", source->prefix, source->record.id);
		put(prov, ",\"prov:time\":");
		shown_append(prov->writer.out, source->record.created_at);
		put(prov, "}");
	}
	end_section(prov);
}

/* ---------------------------------------------------------------- edges */

static bool
is_influence(const HumanEdge *edge)
{
	return export_is_word(edge->type, "influencedBy") || export_is_word(edge->type, "contradicts");
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
			ShownText	id = prov->sources[graph->node_count + k].record.id;

			CHECK_FOR_INTERRUPTS();
			begin_member(prov, "_:about-", id);
			put_reference(prov, "\"prov:influencee\":\"", "annotation:", id);
			put_reference(prov, ",\"prov:influencer\":\"", "node:", prov->sources[i].record.id);
			put(prov, "}");
		}
	}
}

void
export_prov(ByteBuffer *out, const ExportPart *part)
{
	Prov		prov = {.is_first = false};

	export_writer_begin(&prov.writer, out, part, escape);
	find_sources(&prov);
	put(&prov, "{\"prefix\":{\"reason\":\"urn:reasoning-graph:\",\"node\":\"urn:uuid:\",\"edge\":\"urn:reasoning-graph:edge:\","
		"\"annotation\":\"urn:reasoning-graph:annotation:\",\"agent\":\"urn:reasoning-graph:agent:\"},\n\"entity\":{\n");
	put_export(&prov);
	for (uint32 i = 0; i < part->graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_node(&prov, i);
	}
	for (size_t i = part->graph->node_count; i < prov.source_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_annotation(&prov, &prov.sources[i]);
	}
	end_section(&prov);
	put_agents(&prov);
	put_attributions(&prov);
	put_generations(&prov);
	begin_section(&prov, "wasDerivedFrom");
	put_edges(&prov, false);
	end_section(&prov);
	begin_section(&prov, "wasInfluencedBy");
	put_edges(&prov, true);
	put_note_influences(&prov);
	end_section(&prov);
	put(&prov, "}\n");
}
