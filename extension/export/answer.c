/*
 * answer.c
 *		Which answers there are, and what their entries tell.
 */
#include "postgres.h"

#include "export/answer.h"

#include "derived/human_source.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- what is told of an entry */

#define MOST_OF_TITLE 600

/* What every entry tells of a node. */
#define NODE_COLUMNS \
	{"type", "type", "type", NULL, ANSWER_TYPE}, \
	{"note", "what", "note", NULL, ANSWER_NOTE}, \
	{"author", "author", "author", NULL, ANSWER_AUTHOR}, \
	{"confidence", "confidence", "confidence", "metadata.confidence", ANSWER_NUMBER}, \
	{"recorded_at", "recorded", "createdAt", NULL, ANSWER_TEXT}, \
	{"occurred_at", "occurred", "ts", NULL, ANSWER_TEXT}, \
	{"annotations", "annotations", NULL, NULL, ANSWER_ANNOTATIONS}

#define CORRECTED_COLUMNS \
	{"corrected", "CORRECTED", "corrected", NULL, ANSWER_FLAG}, \
	{"corrected_by", "by", "correctedBy", NULL, ANSWER_LIST}

static const AnswerColumn impact_columns[] = {
	{"id", "id", "nodeId", NULL, ANSWER_ID},
	NODE_COLUMNS,
	{"depth", "steps away", "depth", NULL, ANSWER_NUMBER},
	{"strength", "weakest link", "support.strength", NULL, ANSWER_NUMBER},
	{"other_support", "has other support", "support.other", NULL, ANSWER_FLAG},
	{"stands", "stands without it", "stands", NULL, ANSWER_FLAG},
	CORRECTED_COLUMNS,
	{"earlier", "recorded before it and linked afterwards", "earlier", NULL, ANSWER_FLAG},
	{"walk_stopped", "the walk stopped here", NULL, NULL, ANSWER_STOPPED},
	{"erased", "erased", "erased", NULL, ANSWER_FLAG},
	{"quarantined", "in quarantine", "quarantined", NULL, ANSWER_FLAG},
};

static const AnswerColumn diff_columns[] = {
	{"kind", "kind", "kind", NULL, ANSWER_TEXT},
	{"id", "id", "nodeId", "edgeId", ANSWER_ID},
	NODE_COLUMNS,
	{"from", "from", "from", NULL, ANSWER_TEXT},
	{"to", "to", "to", NULL, ANSWER_TEXT},
	{"weight", "weight", "weight", NULL, ANSWER_NUMBER},
	{"weight_a", "weight in a", "changes.weight.a", NULL, ANSWER_NUMBER},
	{"weight_b", "weight in b", "changes.weight.b", NULL, ANSWER_NUMBER},
	{"confidence_a", "confidence in a", "changes.confidence.a", NULL, ANSWER_NUMBER},
	{"confidence_b", "confidence in b", "changes.confidence.b", NULL, ANSWER_NUMBER},
	{"edge_a", "edge in a", "changes.edgeId.a", NULL, ANSWER_TEXT},
	{"digest_a", "digest in a", "changes.digest.a", NULL, ANSWER_TEXT},
	{"digest_b", "digest in b", "changes.digest.b", NULL, ANSWER_TEXT},
	{"corrected_a", "CORRECTED in a", "changes.corrected.a", NULL, ANSWER_FLAG},
	{"corrected_b", "CORRECTED in b", "changes.corrected.b", NULL, ANSWER_FLAG},
	{"erased_a", "erased in a", "changes.erased.a", NULL, ANSWER_FLAG},
	{"erased_b", "erased in b", "changes.erased.b", NULL, ANSWER_FLAG},
	{"erased", "erased", "erased", NULL, ANSWER_FLAG},
};

static const AnswerColumn explain_columns[] = {
	{"id", "id", "nodeId", NULL, ANSWER_ID},
	NODE_COLUMNS,
	{"depth", "steps away", "depth", NULL, ANSWER_NUMBER},
	{"relation", "relation", "relation", NULL, ANSWER_TEXT},
	{"weight", "weight", "weight", NULL, ANSWER_NUMBER},
	{"linked_at", "linked", "linkedAt", NULL, ANSWER_TEXT},
	{"edge", "edge", "edgeId", NULL, ANSWER_TEXT},
	CORRECTED_COLUMNS,
	{"corrects", "corrects", "corrects", "correctedNodeId", ANSWER_LIST},
	{"afterwards", "after the node was recorded", "afterwards", NULL, ANSWER_FLAG},
	{"erased", "erased", "erased", NULL, ANSWER_FLAG},
};

static const AnswerColumn query_columns[] = {
	{"id", "id", "id", NULL, ANSWER_ID},
	{"division", "division", "division", NULL, ANSWER_TEXT},
	NODE_COLUMNS,
	{"payload", "payload", "payload", NULL, ANSWER_TEXT},
	{"metadata", "metadata", "metadata", NULL, ANSWER_TEXT},
	{"quarantined", "in quarantine", "quarantined", NULL, ANSWER_FLAG},
	{"erased", "erased", "erased", NULL, ANSWER_FLAG},
	{"erased_at", "erased at", "erased.at", NULL, ANSWER_TEXT},
	{"erased_by", "erased by", "erased.by", NULL, ANSWER_TEXT},
	{"erased_reason", "erased because", "erased.reason", NULL, ANSWER_TEXT},
};

static const AnswerKind kinds[] = {
	{"impact", "What rests on ", NULL, {"node.nodeId"}, "node.note", {"counts.frontier"},
	 {{"nodes", "node", "What rests on it"}}, 1,
	 impact_columns, lengthof(impact_columns)},
	{"diff", "What differs between ", NULL, {"a.id", "b.id"}, NULL, {"a.frontier", "b.frontier"},
	 {{"added", "added", "Added"}, {"removed", "removed", "Removed"}, {"changed", "changed", "Changed"}}, 3,
	 diff_columns, lengthof(diff_columns)},
	{"explanation", "What was the reason for ", "explain", {"explain.node.nodeId"}, "explain.summary", {"explain.counts.frontier"},
	 {{"components", "component", "What led to it directly"}, {"evidence", "evidence", "Evidence"}, {"corrections", "correction", "Corrections"},
	  {"after", "after", "Recorded after it"}, {"frontier", "node", "Where the walk stopped"}}, 5,
	 explain_columns, lengthof(explain_columns)},
	{"query", "Nodes that were found", NULL, {NULL}, NULL, {NULL},
	 {{"nodes", "node", "Nodes"}}, 1,
	 query_columns, lengthof(query_columns)},
};

static const struct
{
	const char *name;
	AnswerForm	form;
}			forms[] = {{"human", answer_write_text}, {"markdown", answer_write_markdown}, {"csv", answer_write_csv}};

static bool
is_named(RecordText given, const char *name)
{
	return given.data && given.length == strlen(name) && memcmp(given.data, name, given.length) == 0;
}

const AnswerKind *
answer_kind(RecordText name)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (is_named(name, kinds[i].read))
			return &kinds[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown read \"%.*s\"", (int) Min(name.length, 63), name.data ? name.data : ""),
			 errhint("Reads are impact, diff, explanation and query.")));
}

AnswerForm
answer_form(RecordText name)
{
	for (int i = 0; i < lengthof(forms); i++)
	{
		if (is_named(name, forms[i].name))
			return forms[i].form;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown form of a list \"%.*s\"", (int) Min(name.length, 63), name.data ? name.data : ""),
			 errhint("Forms are json, human, markdown and csv.")));
}

/* ---------------------------------------------------------------- items by id */

static int
compare_items(const void *a, const void *b)
{
	const AnswerItem *first = a;
	const AnswerItem *second = b;
	int			order = memcmp(first->id.data, second->id.data, Min(first->id.length, second->id.length));

	return order != 0 ? order : (first->id.length > second->id.length) - (first->id.length < second->id.length);
}

/* Members of an object by their name, or elements of an array; sorted by id. */
static AnswerItem *
items_of(ShownText container, size_t *count)
{
	AnswerItem *items = human_room(human_count(container), sizeof(AnswerItem));
	const char *at = NULL;
	ShownText	name;
	ShownText	value;

	*count = 0;
	while (container.data && shown_next(container, &at, &name, &value))
	{
		CHECK_FOR_INTERRUPTS();
		/* With the quotes that an id has as a value. */
		if (*container.data == '{')
			items[(*count)++] = (AnswerItem) {{name.data - 1, name.length + 2}, value};
		else if (*value.data == '"')
			items[(*count)++] = (AnswerItem) {value, value};
	}
	qsort(items, *count, sizeof(AnswerItem), compare_items);
	return items;
}

static ShownText
item_find(const AnswerItem *items, size_t count, ShownText id)
{
	AnswerItem	wanted = {id, {NULL, 0}};
	AnswerItem *found = id.data ? bsearch(&wanted, items, count, sizeof(AnswerItem), compare_items) : NULL;

	return found ? found->value : (ShownText) {NULL, 0};
}

/* ---------------------------------------------------------------- values */

void
answer_begin(Answer *answer, const AnswerKind *kind, ShownText whole, ShownText facts, ShownText annotations)
{
	answer->kind = kind;
	answer->whole = whole;
	answer->inner = kind->inner ? shown_member(whole, kind->inner) : whole;
	answer->facts = facts;
	answer->annotations = items_of(annotations, &answer->annotation_count);
	answer->stopped = items_of(shown_member(answer->inner, "frontier"), &answer->stopped_count);
}

ShownText
answer_member(ShownText object, const char *path)
{
	char		name[32];

	while (object.data && *object.data == '{')
	{
		size_t		length = strcspn(path, ".");

		memcpy(name, path, length);
		name[length] = '\0';
		object = shown_member(object, name);
		if (path[length] == '\0')
			return object;
		path += length + 1;
	}
	return (ShownText) {NULL, 0};
}

static bool
is_word(ShownText value, const char *word)
{
	return value.data && value.length == strlen(word) && memcmp(value.data, word, value.length) == 0;
}

static ShownText
id_of(ShownText entry)
{
	ShownText	id = shown_member(entry, "nodeId");

	return id.data ? id : shown_member(entry, "id");
}

ShownText
answer_value(const Answer *answer, const AnswerColumn *column, ShownText entry)
{
	static const ShownText none = {NULL, 0};
	static const ShownText yes = {"true", 4};
	ShownText	value = none;
	ShownRecord record;

	/* Some entries are nothing but an id. */
	if (*entry.data == '"')
		return column->kind == ANSWER_ID ? entry : none;
	if (column->path)
		value = answer_member(entry, column->path);
	if (value.data == NULL && column->otherwise)
		value = answer_member(entry, column->otherwise);
	switch (column->kind)
	{
		case ANSWER_TEXT:
		case ANSWER_ID:
		case ANSWER_TYPE:
		case ANSWER_AUTHOR:
		case ANSWER_NUMBER:
		case ANSWER_LIST:
			return is_word(value, "null") ? none : value;
		case ANSWER_FLAG:
			return value.data && !is_word(value, "false") && !is_word(value, "null") ? yes : none;
		case ANSWER_NOTE:
			if (value.data)
				return value;
			record = shown_record(entry.data, entry.length);
			value = shown_note(&record);
			return value.data || record.erased.data ? value : record.payload;
		case ANSWER_STOPPED:
			return item_find(answer->stopped, answer->stopped_count, id_of(entry)).data ? yes : none;
		case ANSWER_ANNOTATIONS:
			return item_find(answer->annotations, answer->annotation_count, id_of(entry));
	}
	pg_unreachable();
}

/* ---------------------------------------------------------------- words */

static bool
goes_on(const Answer *answer)
{
	return shown_member(answer->whole, "nextCursor").data != NULL;
}

/* For its depth. */
static bool
stopped(const Answer *answer)
{
	for (int i = 0; i < lengthof(answer->kind->frontiers) && answer->kind->frontiers[i]; i++)
	{
		if (!is_word(answer_member(answer->whole, answer->kind->frontiers[i]), "0"))
			return true;
	}
	return false;
}

bool
answer_is_cut(const Answer *answer)
{
	return goes_on(answer) || stopped(answer);
}

static void
say(ByteBuffer *out, const char *words)
{
	buffer_append(out, words, strlen(words));
}

/* What became of the node itself that was asked about. */
static void
write_states(ByteBuffer *out, const Answer *answer)
{
	static const struct
	{
		const char *member;
		const char *words;
	}			states[] = {{"node.corrected", ", CORRECTED"}, {"node.erased", ", erased"}, {"node.quarantined", ", in quarantine"}};

	for (int i = 0; i < lengthof(states); i++)
	{
		ShownText	state = answer_member(answer->whole, states[i].member);

		if (state.data && state.length == strlen("true") && memcmp(state.data, "true", state.length) == 0)
			say(out, states[i].words);
	}
}

void
answer_write_title(ByteBuffer *out, const Answer *answer)
{
	say(out, answer->kind->title);
	for (int i = 0; i < lengthof(answer->kind->subjects) && answer->kind->subjects[i]; i++)
	{
		if (i > 0)
			say(out, " and ");
		shown_write_plain(out, answer_member(answer->whole, answer->kind->subjects[i]), 36);
	}
	if (answer->kind->words)
	{
		say(out, ": ");
		shown_write_plain(out, answer_member(answer->whole, answer->kind->words), MOST_OF_TITLE);
	}
	write_states(out, answer);
}

void
answer_write_cut(ByteBuffer *out, const Answer *answer)
{
	if (stopped(answer))
		say(out, "CUT: the walk stopped for its depth. Ask for more depth.");
	if (goes_on(answer))
	{
		say(out, stopped(answer) ? " " : "");
		say(out, "CUT: this is a part. The cursor that came with it leads to the next.");
	}
}
