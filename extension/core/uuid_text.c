/*
 * uuid_text.c
 *		UUIDs in the one text form that records hold.
 */
#include "core/uuid_text.h"

#include <string.h>

#include "core/hex.h"

/* Groups of digits, by where they begin in the text and among the digits. */
static const struct
{
	uint8_t		in_text;
	uint8_t		in_digits;
	uint8_t		length;
}			groups[] = {{0, 0, 8}, {9, 8, 4}, {14, 12, 4}, {19, 16, 4}, {24, 20, 12}};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

bool
uuid_read_text(const char *text, size_t length, uint8_t id[UUID_BYTES])
{
	char		digits[2 * UUID_BYTES];

	if (text == NULL || length != UUID_TEXT_LENGTH || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
		return false;
	for (size_t i = 0; i < GROUPS; i++)
		memcpy(digits + groups[i].in_digits, text + groups[i].in_text, groups[i].length);
	return hex_read(id, digits, UUID_BYTES);
}

void
uuid_write_text(char text[UUID_TEXT_LENGTH + 1], const uint8_t id[UUID_BYTES])
{
	char		digits[2 * UUID_BYTES];

	hex_write(digits, id, UUID_BYTES);
	text[8] = text[13] = text[18] = text[23] = '-';
	for (size_t i = 0; i < GROUPS; i++)
		memcpy(text + groups[i].in_text, digits + groups[i].in_digits, groups[i].length);
	text[UUID_TEXT_LENGTH] = '\0';
}
