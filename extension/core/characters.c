/*
 * characters.c
 *		Characters of UTF-8 text, and which of them cannot be seen.
 */
#include "core/characters.h"

typedef uint32_t Range[2];		/* first and last */

/* Ascending. */
static const Range hidden[] = {
	{0x00, 0x1F}, {0x7F, 0x9F}, {0xAD, 0xAD}, {0x34F, 0x34F}, {0x600, 0x605}, {0x61C, 0x61C}, {0x6DD, 0x6DD},
	{0x70F, 0x70F}, {0x890, 0x891}, {0x8E2, 0x8E2}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
	{0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
	{0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1343F},
	{0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static const Range spaces[] = {
	{0x20, 0x20}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

static bool
is_among(uint32_t character, const Range *ranges, size_t count)
{
	for (size_t i = 0; i < count && ranges[i][0] <= character; i++)
	{
		if (character <= ranges[i][1])
			return true;
	}
	return false;
}

bool
character_is_hidden(uint32_t character)
{
	return is_among(character, hidden, sizeof(hidden) / sizeof(*hidden));
}

bool
character_is_space(uint32_t character)
{
	return is_among(character, spaces, sizeof(spaces) / sizeof(*spaces));
}

size_t
character_read(const char *text, const char *text_end, uint32_t *character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *) text;
	size_t		length = *p < 0x80 ? 1 : *p >= 0xF0 && *p <= 0xF4 ? 4 : *p >= 0xE0 && *p < 0xF0 ? 3 : *p >= 0xC2 && *p < 0xE0 ? 2 : 0;

	if (length == 0 || (size_t) (text_end - text) < length)
		return 0;
	*character = length == 1 ? *p : *p & (0xFFu >> (length + 1));
	for (size_t i = 1; i < length; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		*character = *character << 6 | (p[i] & 0x3F);
	}
	if (*character < smallest[length] || *character > 0x10FFFF || (*character >= 0xD800 && *character <= 0xDFFF))
		return 0;
	return length;
}
