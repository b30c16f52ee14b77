/*
 * test_schema_version.c
 *		Which versions of the schema a program works with.
 */
#include "check.h"

#include "core/schema_version.h"

static const struct
{
	const char *schema,
			   *program;
	enum schema_fit fit;
}			cases[] = {
	{"0.1.0", "0.1.0", SCHEMA_FITS}, {"0.1", "0.1.7", SCHEMA_FITS}, {"0.1.9", "0.1.0", SCHEMA_FITS}, {"0.2.0", "0.1.0", SCHEMA_FITS},
	{"1.10.0", "1.9.0", SCHEMA_FITS}, {"0.3.0", "0.1.0", SCHEMA_TOO_NEW}, {"1.0.0", "0.9.0", SCHEMA_TOO_NEW}, {"1.11.0", "1.9.0", SCHEMA_TOO_NEW},
	{"999999.0.0", "0.1.0", SCHEMA_TOO_NEW}, {"0.0.9", "0.1.0", SCHEMA_TOO_OLD}, {"0.9.0", "1.0.0", SCHEMA_TOO_OLD}, {"1.9.0", "1.10.0", SCHEMA_TOO_OLD},
	{"", "0.1.0", SCHEMA_UNREADABLE}, {"1", "0.1.0", SCHEMA_UNREADABLE}, {"0.", "0.1.0", SCHEMA_UNREADABLE}, {"0.1x", "0.1.0", SCHEMA_UNREADABLE},
	{"-1.2", "0.1.0", SCHEMA_UNREADABLE}, {" 0.1.0", "0.1.0", SCHEMA_UNREADABLE}, {"0.1234567", "0.1.0", SCHEMA_UNREADABLE},
	{"4294967296.1", "0.1.0", SCHEMA_UNREADABLE}, {"next", "0.1.0", SCHEMA_UNREADABLE}, {"0.1.0", "dev", SCHEMA_UNREADABLE},
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		if (!CHECK(schema_fit(cases[i].schema, cases[i].program) == cases[i].fit))
			fprintf(stderr, "  schema \"%s\", program \"%s\"\n", cases[i].schema, cases[i].program);
	}
	return check_summary("versions of the schema");
}
