/*
 * answer.h
 *		The answers of reads that are lists: what rests on a node, what differs, an explanation, what a search found.
 *
 * An answer is the JSON text that the caller is shown; a form of it tells the
 * same entries, and what was cut.
 */
#ifndef REASON_EXPORT_ANSWER_H
#define REASON_EXPORT_ANSWER_H

#include "postgres.h"

#include "core/buffer.h"
#include "record/record.h"
#include "trace/shown.h"

typedef enum AnswerColumnKind
{
	ANSWER_TEXT,
	ANSWER_NUMBER,
	ANSWER_FLAG,				/* none is false */
	ANSWER_LIST,				/* its elements, with blanks between them */
	ANSWER_ID,
	ANSWER_TYPE,
	ANSWER_AUTHOR,
	ANSWER_NOTE,				/* what a record says of itself */
	ANSWER_STOPPED,				/* whether the walk stopped at this node */
	ANSWER_ANNOTATIONS			/* how many there are of this node */
} AnswerColumnKind;

typedef struct AnswerColumn
{
	const char *name;			/* in a table of values */
	const char *label;			/* for people; of a flag what it means if it is set */
	const char *path;			/* member of the entry, with a dot before one inside it; NULL: by kind alone */
	const char *otherwise;		/* the same, where that is not there; or NULL */
	AnswerColumnKind kind;
} AnswerColumn;

typedef struct AnswerList
{
	const char *name;			/* member of the answer */
	const char *word;			/* what an entry of it is called */
	const char *title;
} AnswerList;

#define ANSWER_MOST_LISTS 5

typedef struct AnswerKind
{
	const char *read;
	const char *title;
	const char *inner;			/* the member in which lists, counts and frontier stand; NULL: the answer itself */
	const char *subjects[2];	/* paths of the ids that it is about, or NULL */
	const char *words;			/* path of what is said of it in a sentence, or NULL */
	const char *frontiers[2];	/* paths of how often the walk stopped for its depth, or NULL */
	AnswerList	lists[ANSWER_MOST_LISTS];
	int			list_count;
	const AnswerColumn *columns;
	int			column_count;
} AnswerKind;

/* An id and what is known of it. */
typedef struct AnswerItem
{
	ShownText	id;
	ShownText	value;
} AnswerItem;

typedef struct Answer
{
	const AnswerKind *kind;
	ShownText	whole;
	ShownText	inner;
	ShownText	facts;			/* an object: what was asked for, by its label */
	AnswerItem *annotations;	/* how many each node has, by id */
	size_t		annotation_count;
	AnswerItem *stopped;		/* nodes at which the walk stopped, by id */
	size_t		stopped_count;
} Answer;

typedef void (*AnswerForm) (ByteBuffer *out, const Answer *answer);

/* Raise 22023 for what they do not know. */
extern const AnswerKind *answer_kind(RecordText name);
extern AnswerForm answer_form(RecordText name);

/* annotations: an object, by the ids of nodes. */
extern void answer_begin(Answer *answer, const AnswerKind *kind, ShownText whole, ShownText facts, ShownText annotations);

/* The value of a column; of an ANSWER_FLAG, ANSWER_STOPPED "true" or none. */
extern ShownText answer_value(const Answer *answer, const AnswerColumn *column, ShownText entry);

/* At the member that a path leads to; none: data is NULL. */
extern ShownText answer_member(ShownText object, const char *path);

extern bool answer_is_cut(const Answer *answer);

/* "What rests on …", and what it is about in its own words */
extern void answer_write_title(ByteBuffer *out, const Answer *answer);

/* What this lacks, in sentences; nothing, if it is whole. */
extern void answer_write_cut(ByteBuffer *out, const Answer *answer);

/* Each writes the page. */
extern void answer_write_text(ByteBuffer *out, const Answer *answer);
extern void answer_write_markdown(ByteBuffer *out, const Answer *answer);
extern void answer_write_csv(ByteBuffer *out, const Answer *answer);

#endif							/* REASON_EXPORT_ANSWER_H */
