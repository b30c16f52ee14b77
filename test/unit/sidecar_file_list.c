/*
 * sidecar_file_list.c
 *		What a directory store lists: the same as a look at every key, in their order, and a directory of very
 *		many folders is read once, not once for each of them.
 */
#include "check.h"

#include "store/file.h"
#include "tlog/published.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MOST 3000
#define KEY_SIZE 64

static char root[] = "/tmp/file-list-XXXXXX";
static char keys[KEYS_MOST][KEY_SIZE];
static size_t key_count;
static int	scans;

int			__real_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
						   int (*compare)(const struct dirent **, const struct dirent **));
int			__wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
						   int (*compare)(const struct dirent **, const struct dirent **));

int
__wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
			   int (*compare)(const struct dirent **, const struct dirent **))
{
	size_t		length = strlen(path);

	scans += length > 6 && strcmp(path + length - 6, "/tlog/") == 0;
	return __real_scandir(path, entries, filter, compare);
}

/* No object here is a note. */
bool
store_read_text(struct store *store, const char *key, const char *version, size_t most, char **bytes)
{
	*bytes = NULL;
	return true;
}

static void
make_object(const char *key)
{
	char		path[256];

	for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/'))
	{
		snprintf(path, sizeof(path), "%s/%.*s", root, (int) (slash - key), key);
		mkdir(path, 0700);
	}
	snprintf(path, sizeof(path), "%s/%s", root, key);
	close(open(path, O_WRONLY | O_CREAT, 0600));
}

/* As if nothing had been changed for a while. */
static void
settle(const char *directory)
{
	char		path[256];
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

	snprintf(path, sizeof(path), "%s/%s", root, directory);
	utimensat(AT_FDCWD, path, times, 0);
}

static void
add_key(const char *key)
{
	struct stat status;
	char		path[256];

	make_object(key);
	snprintf(path, sizeof(path), "%s/%s", root, key);
	if (key_count < KEYS_MOST && stat(path, &status) == 0 && S_ISREG(status.st_mode))
		strcpy(keys[key_count++], key);
}

static void
random_text(char *text, size_t most)
{
	static const char letters[] = "aabb-;0./";
	size_t		length = (size_t) (rand() % (int) most);

	for (size_t i = 0; i < length; i++)
		text[i] = letters[rand() % (int) (sizeof(letters) - 1)];
	text[length] = '\0';
}

/* A name that an object can have here: no part of it is empty or hidden. */
static bool
is_plain(const char *key)
{
	for (const char *part = key; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (*part == '\0' || *part == '/' || *part == '.')
			return false;
	return true;
}

static size_t found_count;
static bool found_wrong;
static char found_last[KEY_SIZE];

static bool
is_asked_for(const char *key, const char *prefix, const char *after)
{
	return strncmp(key, prefix, strlen(prefix)) == 0 && (after == NULL || strcmp(key, after) > 0);
}

static const char *asked_prefix, *asked_after;

static bool
take(void *context, const char *key, const char *version)
{
	found_wrong = found_wrong || !is_asked_for(key, asked_prefix, asked_after) || strcmp(key, found_last) <= 0;
	snprintf(found_last, sizeof(found_last), "%s", key);
	found_count++;
	return true;
}

static void
check_listing(struct store *store, const char *prefix, const char *after)
{
	size_t		expected = 0;
	char		last[KEY_SIZE] = "";

	for (size_t i = 0; i < key_count; i++)
	{
		if (is_asked_for(keys[i], prefix, after) && strcmp(keys[i], last) != 0)
			expected++;
		strcpy(last, keys[i]);
	}
	asked_prefix = prefix;
	asked_after = after;
	found_count = 0;
	found_wrong = false;
	found_last[0] = '\0';
	if (!CHECK(file_list(store, prefix, after, take, NULL) && found_count == expected && !found_wrong))
		fprintf(stderr, "  prefix \"%s\" after \"%s\": %zu in place of %zu\n", prefix, after ? after : "(none)", found_count, expected);
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
check_random_ones(struct store *store)
{
	char		text[16], after[KEY_SIZE], prefix[KEY_SIZE];

	while (key_count < 400)
	{
		random_text(text, 10);
		snprintf(after, sizeof(after), "%s%s", rand() % 2 ? "tlog/" : "", text);
		if (is_plain(after))
			add_key(after);
	}
	qsort(keys, key_count, sizeof(*keys), compare_keys);
	for (int round = 0; round < 5000; round++)
	{
		random_text(text, 4);
		snprintf(prefix, sizeof(prefix), "%s%s", rand() % 2 ? "tlog/" : "", text);
		random_text(text, 8);
		snprintf(after, sizeof(after), "%s%s", rand() % 2 ? "tlog/" : "", text);
		if (round % 50 == 0)
			settle("tlog");
		check_listing(store, prefix, rand() % 3 ? after : NULL);
	}
	/* what is new is there at once */
	settle("tlog");
	check_listing(store, "tlog/", NULL);
	add_key("tlog/new/one");
	qsort(keys, key_count, sizeof(*keys), compare_keys);
	check_listing(store, "tlog/", NULL);
}

static bool
count_name(void *context, const char *division)
{
	++*(int *) context;
	return true;
}

static void
check_many_folders(struct store *store)
{
	struct published_keys published = {.prefix = "log.example"};
	struct published found;
	int			count = 0;
	char		key[KEY_SIZE];

	for (int i = 0; i < 2000; i++)
	{
		snprintf(key, sizeof(key), "tlog/junk%d/x", i);
		make_object(key);
	}
	settle("tlog");
	scans = 0;
	CHECK(published_divisions(store, count_name, &count) && count >= 2000);
	for (int i = 0; i < 100; i++)
	{
		snprintf(key, sizeof(key), "junk%d", i);
		CHECK(published_newest(store, &published, key, 0, &found) && found.size == 0);
	}
	if (!CHECK(scans == 1))
		fprintf(stderr, "  the directory was read %d times\n", scans);
}

int
main(void)
{
	struct file_store files = {.directory = root};
	char		command[64];

	files.store.list = file_list;
	files.store.read = file_read;
	if (!CHECK(mkdtemp(root) != NULL))
		return check_summary("listings of directories");
	srand(17);
	check_random_ones(&files.store);
	check_many_folders(&files.store);
	file_names_free(&files.names);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	CHECK(system(command) == 0);
	return check_summary("listings of directories");
}
