/*
 * names.c
 *		Which names divisions, signers and people may have.
 */
#include "core/names.h"

#include "core/characters.h"

#include <string.h>

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits, and after the first character those of `others`. */
static bool
is_ascii_name(const char *name, size_t length, size_t most, const char *others)
{
	if (length == 0 || length > most)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (!is_letter_or_digit(name[i]) && (i == 0 || name[i] == '\0' || !strchr(others, name[i])))
			return false;
	}
	return true;
}

bool
division_name_is_valid(const char *name, size_t length)
{
	if (!is_ascii_name(name, length, DIVISION_NAME_LENGTH, "-_."))
		return false;
	for (size_t i = 1; i < length; i++)
	{
		if (name[i] == '.' && name[i - 1] == '.')
			return false;
	}
	return true;
}

static bool
begins_with(const char *text, size_t length, const char *beginning)
{
	return length >= strlen(beginning) && memcmp(text, beginning, strlen(beginning)) == 0;
}

bool
event_type_is_of_system(const char *type, size_t length)
{
	static const char changed[] = ".changed";
	size_t		end = sizeof(changed) - 1;

	return (length >= end && memcmp(type + length - end, changed, end) == 0) || begins_with(type, length, "signer.") ||
		begins_with(type, length, "change.") || begins_with(type, length, "safemode.") ||
		(length == strlen("event.mended") && begins_with(type, length, "event.mended"));
}

bool
signer_id_is_valid(const char *id, size_t length)
{
	return is_ascii_name(id, length, SIGNER_ID_LENGTH, "-_.:/@");
}

#define ZERO_WIDTH_NON_JOINER 0x200C
#define ZERO_WIDTH_JOINER 0x200D

const char *
label_fault(const char *name, size_t length)
{
	const char *end = name + length;
	bool		seen_last = false;

	for (const char *p = name; p < end;)
	{
		uint32_t	character;
		size_t		size = character_read(p, end, &character);
		bool		joins;

		if (size == 0)
			return "is not UTF-8";
		joins = character == ZERO_WIDTH_NON_JOINER || character == ZERO_WIDTH_JOINER;
		if (character_is_hidden(character) && !joins)
			return "holds a character that controls or cannot be seen";
		seen_last = !joins && !character_is_space(character);
		if (p == name && !seen_last)
			return "begins with white space";
		p += size;
	}
	if (!seen_last)
		return length == 0 ? "is empty" : "ends with white space";
	return NULL;
}
