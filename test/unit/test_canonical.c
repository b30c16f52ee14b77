/*
 * test_canonical.c
 *		Canonical form: the published vectors, and what they do not reach.
 */
#include "check.h"

#include <math.h>

#include "core/canonical.h"
#include "core/json_reader.h"
#include "core/name_order.h"

static const JsonLimits generous = {.max_depth = 1000000};
static JsonDocument document;
static ByteBuffer out;

static bool
canonicalize(const char *text, size_t length)
{
	JsonError	error;

	if (!json_read(&document, text, length, &generous, &error))
	{
		fprintf(stderr, "%.80s: %s at %zu\n", text, error.message, error.offset);
		return false;
	}
	out.length = 0;
	canonical_write_value(&out, &document, json_root(&document));
	return true;
}

static void
check_canonical(const char *text, const char *expected)
{
	if (!CHECK(canonicalize(text, strlen(text))) ||
		!CHECK_TEXT(out.data, out.length, expected))
		return;
	/* canonical text is its own canonical form, and known to be */
	CHECK(canonicalize(expected, strlen(expected)));
	CHECK_TEXT(out.data, out.length, expected);
}

static void
test_vectors(void)
{
	static const char *const names[] = {"arrays", "french", "structures", "unicode", "values", "weird"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
	{
		char		path[200];
		char	   *input,
				   *output;
		size_t		input_length,
					output_length;

		snprintf(path, sizeof(path), VECTORS "/jcs/input/%s.json", names[i]);
		input = check_read_file(path, &input_length);
		snprintf(path, sizeof(path), VECTORS "/jcs/output/%s.json", names[i]);
		output = check_read_file(path, &output_length);
		CHECK(canonicalize(input, input_length));
		CHECK_BYTES(out.data, out.length, output, output_length);
		CHECK(canonicalize(output, output_length));
		CHECK_BYTES(out.data, out.length, output, output_length);
		CHECK(json_root(&document)->flags & JSON_CANONICAL);
		free(input);
		free(output);
	}
}

static void
test_forms(void)
{
	check_canonical(" [ 1 , 2 ] ", "[1,2]");
	check_canonical("{\"b\":{\"y\":1,\"x\":2},\"a\":3}", "{\"a\":3,\"b\":{\"x\":2,\"y\":1}}");
	/* an unordered object within an ordered one, and the other way round */
	check_canonical("{\"a\":{\"y\":1,\"x\":2},\"b\":3}", "{\"a\":{\"x\":2,\"y\":1},\"b\":3}");
	check_canonical("{\"b\":{\"x\":1,\"y\":2},\"a\":[{},[]]}", "{\"a\":[{},[]],\"b\":{\"x\":1,\"y\":2}}");
	check_canonical("[1.0,-0,-0.0,1E2,1e-7,0.0000001,100000000000000000000000,0.10]",
					"[1,0,0,100,1e-7,1e-7,1e+23,0.1]");
	check_canonical("[9007199254740993,1e-400,0.1000000000000000055511151231257827]", "[9007199254740992,0,0.1]");
	check_canonical("[999999999999999999999,1000000000000000000000,123456789012345680000]",
					"[1e+21,1e+21,123456789012345680000]");
	check_canonical("\"\\/\\u0061\\u001f\\u007f\\u0008\\u2028\"", "\"/a\\u001f\x7F\\b\xE2\x80\xA8\"");
	check_canonical("{\"\\u0062\":1,\"a\":2}", "{\"a\":2,\"b\":1}");
	check_canonical("[true, false, null]", "[true,false,null]");
	check_canonical("\t\"x\"", "\"x\"");
	/* a prefix comes first, and so does the empty name */
	check_canonical("{\"aa\":1,\"a\":2,\"\":3,\"aaaaaaaaa\":4,\"aaaaaaaa\":5}",
					"{\"\":3,\"a\":2,\"aa\":1,\"aaaaaaaa\":5,\"aaaaaaaaa\":4}");
	/* U+FB33 (EF AC B3) is FB33, U+1F600 (F0 9F 98 80) is D83D DE00: the code units decide */
	check_canonical("{\"\xEF\xAC\xB3\":1,\"\xF0\x9F\x98\x80\":2,\"\xE2\x82\xAC\":3,\"\xEE\x80\x80\":4}",
					"{\"\xE2\x82\xAC\":3,\"\xF0\x9F\x98\x80\":2,\"\xEE\x80\x80\":4,\"\xEF\xAC\xB3\":1}");
	/* the same where the names differ only behind their first eight bytes */
	check_canonical("{\"12345678\xEF\xAC\xB3\":1,\"12345678\xF0\x9F\x98\x80\":2}",
					"{\"12345678\xF0\x9F\x98\x80\":2,\"12345678\xEF\xAC\xB3\":1}");
}

/* Code units of UTF-16, most significant byte first, compared as bytes: the definition. */
static size_t
to_utf16(const char *text, size_t length, uint8_t *units)
{
	size_t		count = 0;

	for (size_t i = 0; i < length;)
	{
		unsigned char lead = (unsigned char) text[i];
		int			more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
		uint32_t	c = more == 0 ? lead : lead & (0x3Fu >> more);

		for (int k = 1; k <= more; k++)
			c = c << 6 | ((unsigned char) text[i + (size_t) k] & 0x3F);
		i += (size_t) more + 1;
		if (c >= 0x10000)
		{
			units[count++] = (uint8_t) ((0xD800 + ((c - 0x10000) >> 10)) >> 8);
			units[count++] = (uint8_t) ((c - 0x10000) >> 10);
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		units[count++] = (uint8_t) (c >> 8);
		units[count++] = (uint8_t) c;
	}
	return count;
}

static size_t
random_name(char *name, uint64_t *random)
{
	/* one of each kind that could be put in the wrong place */
	static const char *const letters[] = {
		"a", "b", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
		"\xEF\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xF0\x9F\x98\x80", "\x01",
	};
	size_t		length = 0;
	unsigned	count;

	*random = *random * 6364136223846793005u + 1442695040888963407u;
	count = (unsigned) (*random >> 60) % 6;
	while (count-- > 0)
	{
		const char *letter;

		*random = *random * 6364136223846793005u + 1442695040888963407u;
		letter = letters[(*random >> 33) % (sizeof(letters) / sizeof(*letters))];
		memcpy(name + length, letter, strlen(letter));
		length += strlen(letter);
	}
	return length;
}

static int
sign(int value)
{
	return (value > 0) - (value < 0);
}

static void
test_order(void)
{
	uint64_t	random = 7;
	unsigned	wrong = 0;

	for (int i = 0; i < 200000; i++)
	{
		char		a[32],
					b[32];
		uint8_t		a_units[64],
					b_units[64];
		size_t		a_length = random_name(a, &random);
		size_t		b_length = random_name(b, &random);
		size_t		a_count = to_utf16(a, a_length, a_units);
		size_t		b_count = to_utf16(b, b_length, b_units);
		int			expected = memcmp(a_units, b_units, a_count < b_count ? a_count : b_count);
		OrderedName x,
					y;

		if (expected == 0)
			expected = (a_count > b_count) - (a_count < b_count);
		order_name(&x, a, (uint32_t) a_length, 0);
		order_name(&y, b, (uint32_t) b_length, 0);
		wrong += sign(canonical_compare_names(a, a_length, b, b_length)) != sign(expected);
		wrong += sign(order_compare(&x, &y)) != sign(expected);
	}
	CHECK(wrong == 0);
}

static void
test_large(void)
{
	enum {MEMBERS = 10000, LEVELS = 100000};
	ByteBuffer	text;
	char		name[32];
	unsigned	out_of_order = 0;
	const char *previous = NULL;
	uint32_t	n = 0;

	/* many members, in no order */
	buffer_init(&text, NULL, NULL);
	buffer_append_char(&text, '{');
	for (unsigned i = 0; i < MEMBERS; i++)
	{
		int			length = snprintf(name, sizeof(name), "%s\"%08x\":%u", i ? "," : "", i * 2654435761u, i);

		buffer_append(&text, name, (size_t) length);
	}
	buffer_append_char(&text, '}');
	CHECK(canonicalize(text.data, text.length));
	CHECK(out.length == text.length);
	text.length = 0;
	buffer_append(&text, out.data, out.length);
	CHECK(canonicalize(text.data, text.length));
	CHECK(json_root(&document)->flags & JSON_CANONICAL);
	for (const JsonNode *member = json_first(&document, json_root(&document)); member;
		 member = json_next(&document, json_root(&document), json_value(member)))
	{
		const char *current = json_string(&document, member);

		out_of_order += previous && memcmp(previous, current, 8) >= 0;
		previous = current;
		n++;
	}
	CHECK(out_of_order == 0 && n == MEMBERS);

	/* deep, and not canonical at any level, so that the writer has to walk it */
	text.length = 0;
	for (unsigned i = 0; i < LEVELS; i++)
		buffer_append_literal(&text, "{\"b\":1,\"a\":[ ");
	for (unsigned i = 0; i < LEVELS; i++)
		buffer_append_literal(&text, "]}");
	CHECK(canonicalize(text.data, text.length));
	CHECK(out.length == LEVELS * (strlen("{\"b\":1,\"a\":[ ]}") - 1));
	CHECK(memcmp(out.data, "{\"a\":[{\"a\":[", 12) == 0);
	CHECK(memcmp(out.data + out.length - 16, "],\"b\":1}],\"b\":1}", 16) == 0);
	buffer_free(&text);
}

static void
test_scalars(void)
{
	out.length = 0;
	canonical_write_integer(&out, INT64_C(9007199254740993));
	buffer_append_char(&out, ' ');
	canonical_write_integer(&out, INT64_MIN);
	buffer_append_char(&out, ' ');
	canonical_write_integer(&out, -42);
	buffer_append_char(&out, ' ');
	canonical_write_boolean(&out, true);
	canonical_write_boolean(&out, false);
	canonical_write_string(&out, "\0\x1f\"\\", 4);
	canonical_write_number(&out, -1e-9);
	CHECK_TEXT(out.data, out.length,
			   "9007199254740992 -9223372036854776000 -42 truefalse\"\\u0000\\u001f\\\"\\\\\"-1e-9");
}

/* RFC 8785, section 3.2.2.2, character by character. */
static size_t
escape_plainly(char *to, const char *from, size_t length)
{
	static const char named[] = "\b\t\n\f\r\"\\";
	static const char letters[] = "btnfr\"\\";
	size_t		n = 0;

	to[n++] = '"';
	for (size_t i = 0; i < length; i++)
	{
		const char *found = from[i] ? strchr(named, from[i]) : NULL;

		if (found)
		{
			to[n++] = '\\';
			to[n++] = letters[found - named];
		}
		else if ((unsigned char) from[i] < 0x20)
			n += (size_t) sprintf(to + n, "\\u%04x", (unsigned) from[i]);
		else
			to[n++] = from[i];
	}
	to[n++] = '"';
	return n;
}

/* Strings are copied and looked through many bytes at a time: every length, every place, every byte. */
static void
test_every_place(void)
{
	static const char fill[] = "abcdefghij klmnopqrstuvwxyz!#[]^_{}~\x7F 0123456789";
	unsigned	wrong = 0;

	for (size_t length = 1; length < sizeof(fill); length++)
	{
		for (size_t place = 0; place < length; place++)
		{
			for (int c = 1; c < 0x80; c++)
			{
				char	   *text = malloc(length);	/* of its exact size, for the sanitizer */
				char		expected[400];
				size_t		expected_length;

				memcpy(text, fill, length);
				text[place] = (char) c;
				expected_length = escape_plainly(expected, text, length);
				out.length = 0;
				canonical_write_string(&out, text, length);
				wrong += out.length != expected_length || memcmp(out.data, expected, expected_length) != 0;
				/* and the reader gives the string back */
				wrong += !canonicalize(expected, expected_length) ||
					!json_string_is(&document, json_root(&document), text, length) ||
					!(json_root(&document)->flags & JSON_CANONICAL);
				free(text);
			}
		}
	}
	CHECK(wrong == 0);
}

int
main(void)
{
	json_document_init(&document, NULL, NULL);
	buffer_init(&out, NULL, NULL);
	test_vectors();
	test_forms();
	test_order();
	test_large();
	test_scalars();
	test_every_place();
	json_document_free(&document);
	buffer_free(&out);
	return check_summary("canonical");
}
