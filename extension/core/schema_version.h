/*
 * schema_version.h: which versions of the schema a program works with.
 *
 * Those of its own MAJOR.MINOR, and of the next MINOR: so a database is updated first, and the programs before it go on until
 * they have been replaced. What a release adds to the schema therefore takes nothing away that the release before calls.
 */
#ifndef CORE_SCHEMA_VERSION_H
#define CORE_SCHEMA_VERSION_H

#include <stdbool.h>

enum schema_fit {
	SCHEMA_FITS,
	SCHEMA_TOO_OLD,
	SCHEMA_TOO_NEW,
	SCHEMA_UNREADABLE		/* no version: it does not begin with MAJOR.MINOR */
};

/* A number of at most six digits; false: there is none. */
static inline bool
schema_version_number(const char **text, unsigned *value)
{
	const char *begin = *text;

	for (*value = 0; **text >= '0' && **text <= '9' && *text - begin < 6; (*text)++)
		*value = *value * 10 + (unsigned) (**text - '0');
	return *text > begin;
}

/* MAJOR.MINOR, and nothing behind it or a dot. */
static inline bool
schema_version_read(const char *text, unsigned *major, unsigned *minor)
{
	return schema_version_number(&text, major) && *text++ == '.' && schema_version_number(&text, minor) && (*text == '\0' || *text == '.');
}

/* Whether a program of one version works with a schema of another; each is MAJOR.MINOR.PATCH or MAJOR.MINOR. */
static inline enum schema_fit
schema_fit(const char *schema, const char *program)
{
	unsigned	schema_major, schema_minor, major, minor;

	if (!schema_version_read(schema, &schema_major, &schema_minor) || !schema_version_read(program, &major, &minor))
		return SCHEMA_UNREADABLE;
	if (schema_major != major)
		return schema_major < major ? SCHEMA_TOO_OLD : SCHEMA_TOO_NEW;
	if (schema_minor < minor)
		return SCHEMA_TOO_OLD;
	return schema_minor > minor + 1 ? SCHEMA_TOO_NEW : SCHEMA_FITS;
}

#endif
