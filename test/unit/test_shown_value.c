/*
 * test_shown_value.c
 *		What the redaction of a value can have made: by hand, against a plain reference on random objects, and in how many steps.
 */
#include "check.h"

#include "core/json_reader.h"
#include "core/shown_value.h"

static const JsonLimits limits = {.max_depth = 64};

static bool
read_text(JsonDocument *document, const char *text)
{
	JsonError	error;

	json_document_init(document, NULL, NULL);
	return json_read(document, text, strlen(text), &limits, &error);
}

/* The texts lie in memory of their own length, so that a byte behind them is found. */
static void
check_value(const char *shown, const char *whole, bool expected)
{
	JsonDocument documents[2];
	char	   *texts[2] = {strdup(shown), strdup(whole)};
	ShownWork	work;

	shown_work_init(&work, 1000, NULL, NULL, NULL);
	if (CHECK(read_text(&documents[0], texts[0]) && read_text(&documents[1], texts[1])) &&
		!CHECK(shown_value_is_of(&work, &documents[0], json_root(&documents[0]), &documents[1], json_root(&documents[1])) == expected))
		fprintf(stderr, "  %s of %s\n", shown, whole);
	for (int i = 0; i < 2; i++)
	{
		json_document_free(&documents[i]);
		free(texts[i]);
	}
	shown_work_free(&work);
}

static void
check_values(void)
{
	static const char *const shown[][2] = {
		{"1", "1"}, {"\"a\"", "\"a\""}, {"\"[redacted:a]\"", "\"\""}, {"\"[redacted:a]\"", "\"x@y.z\""}, {"\"to [redacted:a].\"", "\"to x@y.z.\""},
		{"\"[redacted:a] and [redacted:b_2]\"", "\"x and y\""}, {"\"[redacted:[redacted:a]]\"", "\"[redacted:x@y.z]\""}, {"\"[redacted:a]b\"", "\"bbb\""},
		{"\"[redacted:a]b[redacted:a]b\"", "\"xbxb\""}, {"\"[redacted:a]\"", "4111"}, {"\"[redacted:a]\"", "{\"b\":1}"}, {"\"[redacted:a]\"", "[]"},
		{"{\"[redacted:a]\":1}", "{\"x\":1}"}, {"{\"[redacted:a] #2\":2,\"[redacted:a]\":1}", "{\"x\":1,\"y\":2}"}, {"{\"[redacted:a]\":2}", "{\"[redacted:a]\":1,\"x\":2}"},
		{"{\"a\":[1,\"[redacted:b]\"]}", "{\"a\":[1,2]}"}, {"\"[redacted:a]\\n\"", "\"x\\n\""}, {"\"[redacted:a] [redacted: b]\"", "\"x [redacted: b]\""}
	};
	static const char *const altered[][2] = {
		{"1", "2"}, {"\"a\"", "\"b\""}, {"\"\"", "\"a\""}, {"\"a\"", "\"\""}, {"\"[redacted]\"", "\"a\""}, {"\"[redacted:]\"", "\"a\""}, {"\"[redacted:A]\"", "\"a\""},
		{"\"[redacted:a\"", "\"x\""}, {"\"to [redacted:a]!\"", "\"to x.\""}, {"\"for [redacted:a]\"", "\"to x\""}, {"\"[redacted:a] b [redacted:a]\"", "\"x y\""},
		{"\"a[redacted:a]a\"", "\"a\""}, {"\"[redacted:a]b[redacted:a]b\"", "\"xb\""}, {"\"[redacted:a]\"", "null"}, {"\"[redacted:a]\"", "true"}, {"\"x [redacted:a]\"", "1"},
		{"{}", "{\"a\":1}"}, {"{\"a\":1}", "{}"}, {"{\"a\":1,\"b\":2}", "{\"a\":1}"}, {"{\"[redacted:a]\":2}", "{\"x\":1}"},
		{"[]", "[1]"}, {"[1,2]", "[1]"}, {"[1]", "{\"a\":1}"}, {"null", "1"}, {"[2,\"[redacted:a]\"]", "[1,2]"}
	};

	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		check_value(shown[i][0], shown[i][1], true);
	for (size_t i = 0; i < sizeof(altered) / sizeof(*altered); i++)
		check_value(altered[i][0], altered[i][1], false);
}

/* ---------------------------------------------------------------- against a plain reference */

#define MEMBERS_MOST 7
#define NAME_MOST 64
#define TOKEN "[redacted:a]"

typedef struct
{
	char		name[NAME_MOST];
	int			value;
} Member;

typedef struct
{
	Member		list[MEMBERS_MOST];
	int			count;
} Object;

static uint64_t seed = 1;

static unsigned
random_below(unsigned end)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned) (seed >> 33) % end;
}

/* Each token for any bytes: every way is tried. */
static bool
text_matches(const char *shown, const char *whole)
{
	size_t		token = strlen(TOKEN);

	if (strncmp(shown, TOKEN, token) == 0)
	{
		for (;; whole++)
		{
			if (text_matches(shown + token, whole))
				return true;
			if (!*whole)
				return false;
		}
	}
	return *shown == *whole && (!*shown || text_matches(shown + 1, whole + 1));
}

static bool
name_matches(const char *shown, const char *whole)
{
	char		cut[NAME_MOST];
	size_t		length = strlen(shown);

	if (text_matches(shown, whole))
		return true;
	while (length > 0 && shown[length - 1] >= '0' && shown[length - 1] <= '9')
		length--;
	if (!strstr(shown, TOKEN) || length == strlen(shown) || length < 3 || memcmp(shown + length - 2, " #", 2) != 0)
		return false;
	snprintf(cut, sizeof(cut), "%.*s", (int) length - 2, shown);
	return text_matches(cut, whole);
}

static const Member *
find_member(const Object *object, const char *name)
{
	for (int i = 0; i < object->count; i++)
	{
		if (strcmp(object->list[i].name, name) == 0)
			return &object->list[i];
	}
	return NULL;
}

static bool
object_matches(const Object *shown, const Object *whole)
{
	for (int i = 0; i < shown->count; i++)
	{
		bool		found = false;

		for (int k = 0; k < whole->count && !found; k++)
			found = shown->list[i].value == whole->list[k].value && name_matches(shown->list[i].name, whole->list[k].name);
		if (!found)
			return false;
	}
	for (int k = 0; k < whole->count; k++)
	{
		bool		found = find_member(shown, whole->list[k].name) != NULL;

		for (int i = 0; i < shown->count && !found; i++)
			found = strstr(shown->list[i].name, TOKEN) && name_matches(shown->list[i].name, whole->list[k].name);
		if (!found)
			return false;
	}
	return true;
}

static void
write_object(const Object *object, char *out)
{
	out += sprintf(out, "{");
	for (int i = 0; i < object->count; i++)
		out += sprintf(out, "%s\"%s\":%d", i ? "," : "", object->list[i].name, object->list[i].value);
	sprintf(out, "}");
}

/* Where two members have one name, the last is left. */
static void
put_member(Object *object, const char *name, int value)
{
	Member	   *known = (Member *) (uintptr_t) find_member(object, name);

	if (known == NULL)
	{
		known = &object->list[object->count++];
		snprintf(known->name, sizeof(known->name), "%s", name);
	}
	known->value = value;
}

static int
by_length(const void *a, const void *b)
{
	const char *one = ((const Member *) a)->name;
	const char *other = ((const Member *) b)->name;

	return strlen(one) != strlen(other) ? (strlen(one) < strlen(other) ? -1 : 1) : strcmp(one, other);
}

/* As redact/redact.c does it: "@" and what stands around it in a name is personal, in the order of jsonb. */
static int
redact_object(const Object *whole, Object *shown)
{
	Object		sorted = *whole;
	int			redacted = 0;

	shown->count = 0;
	qsort(sorted.list, (size_t) sorted.count, sizeof(Member), by_length);
	for (int i = 0; i < sorted.count; i++)
	{
		const Member *member = &sorted.list[i];
		const char *at = strchr(member->name, '@');
		char		name[2 * NAME_MOST] = "";

		if (at)
		{
			int			before = (int) (at - member->name);

			snprintf(name, sizeof(name), "%.*s" TOKEN "%s", before > 0 ? before - 1 : 0, member->name, at[1] ? at + 2 : at + 1);
			if (++redacted > 1)
				sprintf(name + strlen(name), " #%d", redacted);
		}
		put_member(shown, at ? name : member->name, member->value);
	}
	return redacted;
}

static void
compare_objects(const Object *shown, const Object *whole, bool expected)
{
	char		texts[2][MEMBERS_MOST * (NAME_MOST + 20)];
	JsonDocument documents[2];
	ShownWork	work;

	write_object(shown, texts[0]);
	write_object(whole, texts[1]);
	shown_work_init(&work, 100000, NULL, NULL, NULL);
	if (CHECK(read_text(&documents[0], texts[0]) && read_text(&documents[1], texts[1])) &&
		!CHECK(shown_value_is_of(&work, &documents[0], json_root(&documents[0]), &documents[1], json_root(&documents[1])) == expected))
		fprintf(stderr, "  %s of %s\n", texts[0], texts[1]);
	json_document_free(&documents[0]);
	json_document_free(&documents[1]);
	shown_work_free(&work);
}

/* Names are few and short, and some hold tokens and numbers themselves, so that they collide. */
static void
check_random_objects(void)
{
	static const char *const pieces[] = {"a", "b", "x@y", "@", TOKEN, " #2", " #1", "c"};

	for (int round = 0; round < 5000; round++)
	{
		Object		whole = {.count = 0};
		Object		shown;
		int			count = (int) random_below(MEMBERS_MOST) + 1;

		for (int i = 0; i < count; i++)
		{
			char		name[NAME_MOST] = "";

			for (unsigned pieces_left = random_below(3) + 1; pieces_left > 0; pieces_left--)
				strcat(name, pieces[random_below(sizeof(pieces) / sizeof(*pieces))]);
			put_member(&whole, name, (int) random_below(3));
		}
		redact_object(&whole, &shown);
		compare_objects(&shown, &whole, true);
		shown.list[random_below((unsigned) shown.count)].value = (int) random_below(3);
		compare_objects(&shown, &whole, object_matches(&shown, &whole));
		shown.count -= shown.count > 1;
		compare_objects(&shown, &whole, object_matches(&shown, &whole));
	}
}

/* ---------------------------------------------------------------- in how many steps */

static bool
stop(void)
{
	return false;
}

/* Shown are `count` names, numbered from `first` on; `extra` stands among the names of the whole, and is shown as it is. */
static bool
compare_many(int count, const char *extra, uint64_t most, bool (*go_on)(void), uint64_t *left)
{
	char	   *shown = malloc((size_t) count * 40 + 100);
	char	   *whole = malloc((size_t) count * 40 + 100);
	size_t		shown_length = (size_t) sprintf(shown, "{%s", extra);
	size_t		whole_length = (size_t) sprintf(whole, "{%s", extra);
	JsonDocument documents[2];
	ShownWork	work;
	bool		is_of;

	for (int i = 0; i < count; i++)
	{
		whole_length += (size_t) sprintf(whole + whole_length, "%s\"a%d@b.co\":%d", i || *extra ? "," : "", i, i);
		shown_length += (size_t) sprintf(shown + shown_length, i ? ",\"[redacted:email] #%d\":%d" : *extra ? ",\"[redacted:email]\":%.0d%d" : "\"[redacted:email]\":%.0d%d",
										 i ? i + 1 : 0, i);
	}
	strcpy(whole + whole_length, "}");
	strcpy(shown + shown_length, "}");
	shown_work_init(&work, most, go_on, NULL, NULL);
	is_of = CHECK(read_text(&documents[0], shown) && read_text(&documents[1], whole)) &&
		shown_value_is_of(&work, &documents[0], json_root(&documents[0]), &documents[1], json_root(&documents[1]));
	*left = work.left;
	json_document_free(&documents[0]);
	json_document_free(&documents[1]);
	shown_work_free(&work);
	free(shown);
	free(whole);
	return is_of;
}

static void
check_steps(void)
{
	uint64_t	left;

	/* one look each, whatever the order of the text */
	CHECK(compare_many(20000, "", 30000, NULL, &left) && left >= 30000 - 20001);
	/* more than may be: given up, which is told apart from another value */
	CHECK(!compare_many(20000, "", 10000, NULL, &left) && left == 0);
	CHECK(!compare_many(20000, "", 100000, stop, &left) && left == 0);
	CHECK(compare_many(100, "\"[redacted:email] #7 \":1", 30000, NULL, &left) && left > 0);
}

int
main(void)
{
	check_values();
	check_random_objects();
	check_steps();
	return check_summary("shown values");
}
