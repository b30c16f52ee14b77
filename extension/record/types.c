/*
 * types.c
 *		The types that nodes and edges may have.
 *
 * Whoever writes one or asks for one comes here, so that all understand the
 * same: case does not matter, and what is no type is refused.
 */
#include "postgres.h"

#include "record/types.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_known_types);

static const char *const node_types[] = {
	"observation", "recommendation", "decision", "action", "hypothesis", "policyCheck", "score", "correction",
	"annotation", NULL
};

static const char *const edge_types[] = {
	"causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects", NULL
};

static const char *const *
types_of(RecordKind kind)
{
	return kind == RECORD_NODE ? node_types : edge_types;
}

RecordText
record_type_of(RecordKind kind, const char *name, size_t length)
{
	const char *const *types = types_of(kind);

	for (int i = 0; types[i]; i++)
	{
		RecordText	type = {types[i], strlen(types[i])};

		if (type.length == length && pg_strncasecmp(type.data, name, length) == 0)
			return type;
	}
	return (RecordText) {NULL, 0};
}

char *
record_types_hint(RecordKind kind)
{
	const char *const *types = types_of(kind);
	StringInfoData hint;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "Types are ");
	for (int i = 0; types[i]; i++)
		appendStringInfo(&hint, "%s%s", i == 0 ? "" : types[i + 1] ? ", " : " and ", types[i]);
	appendStringInfoChar(&hint, '.');
	return hint.data;
}

RecordText
record_type_asked(RecordKind kind, const char *name, size_t length)
{
	RecordText	type = record_type_of(kind, name, length);

	if (type.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown %s type \"%.*s\"", record_kind_names[kind], pg_mbcliplen(name, (int) length, 100), name),
				 errhint("%s", record_types_hint(kind))));
	return type;
}

/* known_types(asked text[], kind text) → text[]: as they are recorded */
Datum
reason_known_types(PG_FUNCTION_ARGS)
{
	char	   *kind_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		any = strcmp(kind_name, "any") == 0;
	RecordKind	kind = strcmp(kind_name, "edge") == 0 ? RECORD_EDGE : RECORD_NODE;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			known = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		text	   *name;
		RecordText	type;

		if (nulls[i])
			continue;
		name = DatumGetTextPP(elements[i]);
		type.data = NULL;
		if (any)
			type = record_type_of(RECORD_EDGE, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		if (type.data == NULL)
			type = record_type_asked(kind, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		elements[known++] = PointerGetDatum(cstring_to_text_with_len(type.data, type.length));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, known, TEXTOID, -1, false, TYPALIGN_INT));
}
