/*
 * test_reader.c
 *		What the strict reader accepts, what it refuses, and where it says so.
 */
#include "check.h"

#include "core/canonical.h"
#include "core/json_pointer.h"
#include "core/json_reader.h"

static const JsonLimits generous = {.max_depth = 1000};
static JsonDocument document;

static void
check_refused(const char *text, size_t length, const JsonLimits *limits, JsonErrorCode code,
			  size_t offset, const char *pointer, const char *message)
{
	JsonError	error;

	if (CHECK(!json_read(&document, text, length, limits, &error)) &&
		(!CHECK(error.code == code) | !CHECK(error.offset == offset)))
		fprintf(stderr, "  %.80s: code %d at %zu: %s\n", text, error.code, error.offset, error.message);
	CHECK_TEXT(error.pointer, strlen(error.pointer), pointer);
	CHECK_TEXT(error.message, strlen(error.message), message);
	CHECK(document.nodes == NULL);
}

#define REFUSED(text, code, offset, pointer, message) \
	check_refused((text), sizeof(text) - 1, &generous, (code), (offset), (pointer), (message))

static const JsonNode *
accepted(const char *text)
{
	JsonError	error;

	if (!CHECK(json_read(&document, text, strlen(text), &generous, &error)))
	{
		fprintf(stderr, "  %s: %s\n", text, error.message);
		exit(1);
	}
	return json_root(&document);
}

static void
test_grammar(void)
{
	static const char *const good[] = {
		"null", "true", "false", "0", "-0", "1.5e+3", "\"\"", "[]", "{}", " [ ] ", "\t{\n}\r",
		"[1,2,[3,{\"a\":null}]]", "{\"\":{\"\":\"\"}}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
		"\"\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF\x7F\"", "\"\\uD83D\\uDE00\"",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		accepted(good[i]);

	REFUSED("", JSON_ERROR_SYNTAX, 0, "", "expected a value, but the text ends");
	REFUSED("  ", JSON_ERROR_SYNTAX, 2, "", "expected a value, but the text ends");
	REFUSED("nul", JSON_ERROR_SYNTAX, 0, "", "expected a value, found \"n\"");
	REFUSED("nullx", JSON_ERROR_SYNTAX, 4, "", "expected the end of the text, found \"x\"");
	REFUSED("[1] []", JSON_ERROR_SYNTAX, 4, "", "expected the end of the text, found \"[\"");
	REFUSED("[1,]", JSON_ERROR_SYNTAX, 3, "/1", "expected a value, found \"]\"");
	REFUSED("[1 2]", JSON_ERROR_SYNTAX, 3, "/0", "expected \",\" or \"]\", found \"2\"");
	REFUSED("[1}", JSON_ERROR_SYNTAX, 2, "/0", "expected \",\" or \"]\", found \"}\"");
	REFUSED("[", JSON_ERROR_SYNTAX, 1, "/0", "expected a value, but the text ends");
	REFUSED("{\"a\"}", JSON_ERROR_SYNTAX, 4, "/a", "expected \":\", found \"}\"");
	REFUSED("{\"a\":}", JSON_ERROR_SYNTAX, 5, "/a", "expected a value, found \"}\"");
	REFUSED("{\"a\":1,}", JSON_ERROR_SYNTAX, 7, "", "expected a name in double quotes, found \"}\"");
	REFUSED("{\"x\":{a:1}}", JSON_ERROR_SYNTAX, 6, "/x", "expected a name in double quotes, found \"a\"");
	REFUSED("{\"a\":1]", JSON_ERROR_SYNTAX, 6, "/a", "expected \",\" or \"}\", found \"]\"");
	REFUSED("{1:2}", JSON_ERROR_SYNTAX, 1, "", "expected a name in double quotes, found \"1\"");
	REFUSED("[01]", JSON_ERROR_SYNTAX, 2, "/0", "expected no digit after a leading 0, found \"1\"");
	REFUSED("[1.]", JSON_ERROR_SYNTAX, 3, "/0", "expected a digit, found \"]\"");
	REFUSED("[-]", JSON_ERROR_SYNTAX, 2, "/0", "expected a digit, found \"]\"");
	REFUSED("[NaN]", JSON_ERROR_SYNTAX, 1, "/0", "expected a value, found \"N\"");
	REFUSED("[\v1]", JSON_ERROR_SYNTAX, 1, "/0", "expected a value, found byte 0x0b");
	REFUSED("'a'", JSON_ERROR_SYNTAX, 0, "", "expected a value, found \"'\"");
	REFUSED("\"a", JSON_ERROR_SYNTAX, 2, "", "expected the end of the string, but the text ends");
	REFUSED("\"\\x\"", JSON_ERROR_SYNTAX, 2, "",
			"expected one of \"\\/bfnrtu after a backslash, found \"x\"");
	REFUSED("\"\\u12G4\"", JSON_ERROR_SYNTAX, 1, "", "\\u must be followed by four hexadecimal digits");
	REFUSED("\"\\u12", JSON_ERROR_SYNTAX, 1, "", "\\u must be followed by four hexadecimal digits");
	REFUSED("\"\\", JSON_ERROR_SYNTAX, 2, "", "expected an escape, but the text ends");
	REFUSED("[\"a\nb\"]", JSON_ERROR_SYNTAX, 3, "/0",
			"control character 0x0a must be escaped in a string");
	REFUSED("/* */1", JSON_ERROR_SYNTAX, 0, "", "expected a value, found \"/\"");
	REFUSED("\xEF\xBB\xBF{}", JSON_ERROR_SYNTAX, 0, "", "expected a value, found byte 0xef");
	REFUSED("[\0]", JSON_ERROR_SYNTAX, 1, "/0", "expected a value, found byte 0x00");
}

static void
test_strings(void)
{
	static const char *const broken[] = {
		"\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xE2(\xA1",
		"\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
		"\xF0\x9F\x98",
	};
	const JsonNode *root;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
	{
		/* behind enough plain text to have been skipped in wide steps */
		char		text[80];
		char		message[80];

		snprintf(text, sizeof(text), "{\"k\":\"plain text of more than sixteen bytes%s\"}", broken[i]);
		snprintf(message, sizeof(message), "byte 0x%02x is not valid UTF-8 here", (unsigned char) broken[i][0]);
		check_refused(text, strlen(text), &generous, JSON_ERROR_ENCODING, 43, "/k", message);
	}
	REFUSED("\"\\u0000\"", JSON_ERROR_NUL, 1, "", "U+0000 cannot be stored");
	REFUSED("{\"\\u0000\":1}", JSON_ERROR_NUL, 2, "", "U+0000 cannot be stored");
	REFUSED("[\"\\uD83D\"]", JSON_ERROR_SURROGATE, 2, "/0", "surrogate U+D83D stands alone");
	REFUSED("\"\\uDE00\\uD83D\"", JSON_ERROR_SURROGATE, 1, "", "surrogate U+DE00 stands alone");
	REFUSED("\"\\uD83D\\uD83D\"", JSON_ERROR_SURROGATE, 1, "", "surrogate U+D83D stands alone");
	REFUSED("\"\\uD83Dx\\uDE00\"", JSON_ERROR_SURROGATE, 1, "", "surrogate U+D83D stands alone");
	REFUSED("\"\\uD83D\\uDE0\"", JSON_ERROR_SURROGATE, 1, "", "surrogate U+D83D stands alone");

	root = accepted("\"a\\u00e9\\u20AC\\uD83D\\uDE00\\n\\/z\"");
	CHECK_TEXT(json_string(&document, root), root->length, "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n/z");
	CHECK(root->flags == JSON_ESCAPED);
	root = accepted("\"line\\nbreak \\\"quoted\\\" \\u001f\"");
	CHECK(root->flags == (JSON_ESCAPED | JSON_CANONICAL));
	root = accepted("\"\\u001F\"");
	CHECK(root->flags == JSON_ESCAPED);
	root = accepted("\"\\u000a\"");
	CHECK(root->flags == JSON_ESCAPED);
}

static void
test_duplicates(void)
{
	char		text[400];

	REFUSED("{\"a\":1,\"b\":2,\"a\":3}", JSON_ERROR_DUPLICATE, 13, "/a", "name appears twice in one object");
	REFUSED("{\"x\":[{\"a~/\":1,\"\\u0061~/\":2}]}", JSON_ERROR_DUPLICATE, 15, "/x/0/a~0~1",
			"name appears twice in one object");
	REFUSED("{\"\":1,\"\":2}", JSON_ERROR_DUPLICATE, 6, "/", "name appears twice in one object");
	REFUSED("{\"long name one\":1,\"long name two\":2,\"long name one\":3}", JSON_ERROR_DUPLICATE, 37,
			"/long name one", "name appears twice in one object");
	/* the first that repeats, not the first in canonical order */
	REFUSED("{\"b\":1,\"b\":2,\"a\":3,\"a\":4}", JSON_ERROR_DUPLICATE, 7, "/b", "name appears twice in one object");
	accepted("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}");

	/* more names than are sorted by insertion */
	strcpy(text, "{");
	for (int i = 40; i > 0; i--)
		sprintf(text + strlen(text), "\"n%d\":0,", i);
	strcat(text, "\"n17\":0}");
	check_refused(text, strlen(text), &generous, JSON_ERROR_DUPLICATE, strlen(text) - 8, "/n17",
				  "name appears twice in one object");
}

static void
test_limits(void)
{
	const JsonLimits depth_two = {.max_depth = 2};
	const JsonLimits ten_bytes = {.max_depth = 2, .max_bytes = 10};
	const JsonLimits exact = {.max_depth = 2, .refuse_inexact_numbers = true};
	const JsonLimits very_deep = {.max_depth = UINT32_MAX};
	const size_t levels = 1000000;
	char	   *deep = malloc(levels * 2);
	JsonError	error;

	CHECK(json_read(&document, "[[1]]", 5, &depth_two, &error));
	check_refused("[[[]]]", 6, &depth_two, JSON_ERROR_DEPTH, 2, "/0/0", "nested deeper than 2 levels");
	check_refused("{\"a\":[{}]}", 10, &depth_two, JSON_ERROR_DEPTH, 6, "/a/0", "nested deeper than 2 levels");
	CHECK(json_read(&document, "[12345678]", 10, &ten_bytes, &error));
	check_refused("[123456789]", 11, &ten_bytes, JSON_ERROR_SIZE, 0, "", "text is longer than 10 bytes");
	check_refused("[1,9007199254740993]", 20, &exact, JSON_ERROR_NUMBER_INEXACT, 3, "/1",
				  "number cannot be held by a double without changing its value");
	CHECK(json_read(&document, "[0.1,1e21,1.50]", 15, &exact, &error));
	REFUSED("{\"a\":[0,1e400]}", JSON_ERROR_NUMBER_RANGE, 8, "/a/1", "number is beyond the range of a double");
	CHECK(accepted("9007199254740993")->flags & JSON_INEXACT);

	/* No stack is used up by depth. */
	memset(deep, '[', levels);
	memset(deep + levels, ']', levels);
	CHECK(json_read(&document, deep, levels * 2, &very_deep, &error));
	CHECK(json_root(&document)->flags & JSON_CANONICAL);
	CHECK(!json_read(&document, deep, levels, &very_deep, &error));
	CHECK(error.code == JSON_ERROR_SYNTAX && error.offset == levels);
	CHECK_TEXT(error.pointer + strlen(error.pointer) - 5, 5, "/0...");
	free(deep);
}

static void
test_walking(void)
{
	static const char text[] = "{\"nodes\":[{\"id\":\"x\",\"deep\":{\"k\":[true,null]}},{\"id\":\"\\u0079\",\"w\":0.25}],\"\\u0065nd\":-7}";
	const JsonNode *root = accepted(text);
	const JsonNode *nodes = json_member_literal(&document, root, "nodes");
	const JsonNode *element;
	const JsonNode *value;
	ByteBuffer	out;
	unsigned	seen = 0;

	CHECK(root->kind == JSON_OBJECT && root->length == 2);
	CHECK(nodes && nodes->kind == JSON_ARRAY && nodes->length == 2);
	buffer_init(&out, NULL, NULL);
	for (element = json_first(&document, nodes); element; element = json_next(&document, nodes, element))
	{
		value = json_member_literal(&document, element, "id");
		CHECK(json_string_is(&document, value, seen ? "y" : "x", 1));
		seen++;
	}
	CHECK(seen == 2);
	element = json_first(&document, nodes);
	CHECK_TEXT(json_raw(&document, element), json_raw_length(element), "{\"id\":\"x\",\"deep\":{\"k\":[true,null]}}");
	element = json_next(&document, nodes, element);
	value = json_member_literal(&document, element, "w");
	CHECK(value->u.number == 0.25 && value->flags == JSON_CANONICAL);
	json_write_pointer(&out, &document, value);
	CHECK_TEXT(out.data, out.length, "/nodes/1/w");
	out.length = 0;
	json_write_pointer(&out, &document, value - 1);
	CHECK_TEXT(out.data, out.length, "/nodes/1/w");
	out.length = 0;
	json_write_pointer(&out, &document, root);
	CHECK(out.length == 0);
	value = json_member_literal(&document, root, "end");
	CHECK(value && value->u.number == -7);
	CHECK_TEXT(json_raw(&document, value), json_raw_length(value), "-7");
	CHECK(json_member_literal(&document, root, "node") == NULL);
	CHECK(json_member_literal(&document, nodes, "id") == NULL);
	CHECK(json_first(&document, accepted("[]")) == NULL);
	buffer_free(&out);
}

/* Memory that runs out at any one of its requests. */
static unsigned requests_left;

static void *
failing_realloc(void *context, void *old, size_t size)
{
	(void) context;
	if (requests_left == 0)
		return NULL;
	requests_left--;
	return realloc(old, size);
}

static void
test_memory(void)
{
	static const char text[] = "{\"b\":\"\\u0065 0123456789\",\"a\":[[[1,2,3,4,5,6,7,8,9,10,11,12]]]}";
	bool		complete = false;

	for (unsigned allowed = 0; !complete; allowed++)
	{
		JsonDocument scarce;
		JsonError	error;

		requests_left = allowed;
		json_document_init(&scarce, failing_realloc, NULL);
		complete = json_read(&scarce, text, sizeof(text) - 1, &generous, &error);
		CHECK(complete || error.code == JSON_ERROR_MEMORY);
		free(scarce.node_memory.data);
		free(scarce.decoded_memory.data);
		free(scarce.order_memory.data);
		free(scarce.scratch_memory.data);
	}
}

int
main(void)
{
	json_document_init(&document, NULL, NULL);
	test_grammar();
	test_strings();
	test_duplicates();
	test_limits();
	test_walking();
	test_memory();
	json_document_free(&document);
	return check_summary("reader");
}
