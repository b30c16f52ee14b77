/*
 * test_names.c
 *		Which names divisions, signers and people may have, and whose types of events are.
 */
#include "check.h"

#include "core/names.h"

static void
check_ascii(bool (*is_valid)(const char *, size_t), size_t most)
{
	static const char *const refused[] = {"", "-a", "_a", ".a", ":a", "/a", "@a", " a", "a ", "a b", "a\n", "a\tb", "a\"b", "a\\b", "a%b", "a*", "*",
										  "\xC3\xA9", "a\xC3\xA9", "a\xE2\x80\xAE", "a\x7F", "a\xFF", NULL};
	char		long_name[300];

	memset(long_name, 'a', sizeof(long_name));
	CHECK(is_valid(long_name, 1));
	CHECK(is_valid(long_name, most));
	CHECK(!is_valid(long_name, most + 1));
	CHECK(!is_valid("a\0b", 3));
	CHECK(is_valid("Az09-_.x", 8));
	for (const char *const *name = refused; *name; name++)
	{
		if (!CHECK(!is_valid(*name, strlen(*name))))
			fprintf(stderr, "  \"%s\"\n", *name);
	}
}

static void
check_divisions(void)
{
	static const char *const refused[] = {"a..b", "a..", "..", ".", "a/b", "a:b", "a@b", NULL};

	check_ascii(division_name_is_valid, DIVISION_NAME_LENGTH);
	CHECK(division_name_is_valid("a.b.c.", 6));
	for (const char *const *name = refused; *name; name++)
	{
		if (!CHECK(!division_name_is_valid(*name, strlen(*name))))
			fprintf(stderr, "  \"%s\"\n", *name);
	}
}

static void
check_signers(void)
{
	static const char *const taken[] = {"arn:aws:kms:eu-central-1:1234:key/0a1b", "audit@example.com", "a..b", "2026", NULL};

	check_ascii(signer_id_is_valid, SIGNER_ID_LENGTH);
	for (const char *const *id = taken; *id; id++)
		CHECK(signer_id_is_valid(*id, strlen(*id)));
}

static void
check_event_types(void)
{
	static const char *const system[] = {"client.changed", ".changed", "signer.added", "signer.", "change.approved", "safemode.entered", "event.mended", NULL};
	static const char *const others[] = {"", "changed", "client.changed.", "signer", "asigner.added", "event.mended2", "event.mende", "node.created", NULL};

	for (const char *const *type = system; *type; type++)
		CHECK(event_type_is_of_system(*type, strlen(*type)));
	for (const char *const *type = others; *type; type++)
		CHECK(!event_type_is_of_system(*type, strlen(*type)));
}

static void
check_labels(void)
{
	static const struct
	{
		const char *name;
		const char *fault;		/* a part of it; NULL: none */
	}			cases[] = {
		{"ada", NULL},
		{"Ada Lovelace", NULL},
		{"Zo\xC3\xAB", NULL},
		{"\xD8\xB9\xD9\x84\xDB\x8C\xE2\x80\x8C\xD8\xB1\xD8\xB6\xD8\xA7", NULL}, /* with a zero width non-joiner */
		{"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", NULL}, /* an emoji of two, joined */
		{"", "is empty"},
		{" ", "begins with white space"},
		{" ada", "begins with white space"},
		{"\xE2\x80\x8D" "ada", "begins with white space"},
		{"ada ", "ends with white space"},
		{"ada\xC2\xA0", "ends with white space"},
		{"ada\xE3\x80\x80", "ends with white space"},
		{"ada\xE2\x80\x8C", "ends with white space"},
		{"a\nb", "cannot be seen"},
		{"a\tb", "cannot be seen"},
		{"a\x1B[2J", "cannot be seen"},
		{"a\x7F", "cannot be seen"},
		{"a\xC2\x85", "cannot be seen"},	/* NEL */
		{"a\xC2\xAD" "b", "cannot be seen"},	/* soft hyphen */
		{"a\xE2\x80\x8B" "b", "cannot be seen"},	/* zero width space */
		{"a\xE2\x80\xAE" "b", "cannot be seen"},	/* right-to-left override */
		{"a\xE2\x81\xA6" "b", "cannot be seen"},	/* left-to-right isolate */
		{"a\xE2\x80\xA8" "b", "cannot be seen"},	/* line separator */
		{"\xEF\xBB\xBF" "a", "cannot be seen"}, /* byte order mark */
		{"a\xF3\xA0\x81\x81", "cannot be seen"},	/* tag */
		{"a\xFF", "is not UTF-8"},
		{"a\xC3", "is not UTF-8"},
		{"a\xED\xA0\x80", "is not UTF-8"},	/* surrogate */
		{"a\xC0\x80", "is not UTF-8"},	/* overlong */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
	{
		const char *fault = label_fault(cases[i].name, strlen(cases[i].name));

		if (!CHECK(cases[i].fault ? fault && strstr(fault, cases[i].fault) : !fault))
			fprintf(stderr, "  case %zu: %s\n", i, fault ? fault : "no fault");
	}
	CHECK(label_fault("a\0b", 3) != NULL);
}

int
main(void)
{
	check_divisions();
	check_signers();
	check_event_types();
	check_labels();
	return check_summary("names");
}
