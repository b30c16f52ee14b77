/*
 * sidecar_published.c
 *		Which divisions' logs lie in a store, whatever else lies there: in a store that lists a list of keys.
 */
#include "check.h"

#include "tlog/published.h"

#define KEYS_MOST 10100
#define NAMES_SIZE 1000

static const char *keys[KEYS_MOST];
static size_t key_count, listings;

static bool
list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context)
{
	listings++;
	for (size_t i = 0; i < key_count; i++)
	{
		if (strncmp(keys[i], prefix, strlen(prefix)) == 0 && (after == NULL || strcmp(keys[i], after) > 0) && !take(context, keys[i], ""))
			break;
	}
	return true;
}

static bool
add_name(void *context, const char *division)
{
	if (strlen(context) + strlen(division) + 2 < NAMES_SIZE)
		strcat(strcat(context, " "), division);
	return true;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
check_store_with(const char *more, const char *expected)
{
	struct store store = {.list = list};
	char		names[NAMES_SIZE] = "";

	key_count = 0;
	keys[key_count++] = "tlog/default/checkpoint";
	keys[key_count++] = "tlog/default/checkpoints/8";
	keys[key_count++] = "tlog/system;2/checkpoint";
	if (more)
		keys[key_count++] = more;
	qsort(keys, key_count, sizeof(*keys), compare_keys);
	if (!CHECK(published_divisions(&store, add_name, names) && strcmp(names, expected) == 0))
		fprintf(stderr, "  with %.60s:%s\n", more ? more : "nothing more", names);
}

/* Whoever can write there puts objects in no folder, and in folders that no log can have: they cost no listing each. */
static void
check_many_odd_ones(void)
{
	static char odd[10000][40];
	struct store store = {.list = list};
	char		names[NAMES_SIZE] = "";

	key_count = 0;
	for (int i = 0; i < 10000; i++)
	{
		snprintf(odd[i], sizeof(odd[i]), i % 3 == 0 ? "tlog/d%05d" : i % 3 == 1 ? "tlog/d %05d/x" : "tlog/default;x%05d/y", i);
		keys[key_count++] = odd[i];
	}
	keys[key_count++] = "tlog/default/checkpoint";
	keys[key_count++] = "tlog/e/checkpoint";
	keys[key_count++] = "tlog/system;2/checkpoint";
	keys[key_count++] = "tlog/z z/x";
	qsort(keys, key_count, sizeof(*keys), compare_keys);
	listings = 0;
	if (!CHECK(published_divisions(&store, add_name, names) && strcmp(names, " default e system") == 0 && listings < 20))
		fprintf(stderr, "  %zu listings:%s\n", listings, names);
}

/* Nothing is read. */
bool
store_read_text(struct store *store, const char *key, const char *version, size_t most, char **bytes)
{
	return false;
}

int
main(void)
{
	static char longest[1025];

	memset(longest, 'z', sizeof(longest) - 1);
	memcpy(longest, "tlog/", 5);
	memcpy(longest + sizeof(longest) - 3, "/x", 2);
	check_store_with(NULL, " default system");
	/* as consoles of stores mark a folder */
	check_store_with("tlog/", " default system");
	check_store_with("tlog//x", " default system");
	check_store_with(longest, " default system");
	memcpy(longest + 5, "aaaa", 4);
	check_store_with(longest, " default system");
	check_store_with("tlog/d/", " d default system");
	check_many_odd_ones();
	return check_summary("published logs");
}
