/*
 * forms.c
 *		Which form a name means.
 */
#include "postgres.h"

#include "export/forms.h"

static const struct
{
	const char *name;
	const char *table;			/* NULL: it has none */
	ExportForm	form;
}			forms[] = {
	{"markdown", NULL, export_markdown},
	{"svg", NULL, export_svg},
	{"dot", NULL, export_dot},
	{"mermaid", NULL, export_mermaid},
	{"prov", NULL, export_prov},
	{"csv", "nodes", export_csv_nodes},
	{"csv", "edges", export_csv_edges},
	{"csv", "annotations", export_csv_annotations},
};

static bool
is_named(RecordText given, const char *name)
{
	return given.data && given.length == strlen(name) && memcmp(given.data, name, given.length) == 0;
}

ExportForm
export_form(RecordText name, RecordText table)
{
	bool		is_known = false;

	for (int i = 0; i < lengthof(forms); i++)
	{
		if (!is_named(name, forms[i].name))
			continue;
		is_known = true;
		if (forms[i].table ? is_named(table, forms[i].table) : table.data == NULL)
			return forms[i].form;
	}
	if (!is_known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown form of export \"%.*s\"", (int) Min(name.length, 63), name.data ? name.data : ""),
				 errhint("Forms are markdown, svg, dot, mermaid, prov and csv.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("part must be nodes, edges or annotations with csv, and goes with no other form")));
}
