/*
 * uuid_text.c
 *		UUIDs in the one text form that records hold.
 */
#include "core/uuid_text.h"

static bool
is_dash_place(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
uuid_read_text(const char *text, size_t length, uint8_t id[UUID_BYTES])
{
	int			digit = 0;

	if (text == NULL || length != UUID_TEXT_LENGTH)
		return false;
	for (int i = 0; i < UUID_TEXT_LENGTH; i++)
	{
		char		c = text[i];

		if (is_dash_place(i))
		{
			if (c != '-')
				return false;
			continue;
		}
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		id[digit / 2] = (uint8_t) ((digit % 2 ? id[digit / 2] << 4 : 0) | (c <= '9' ? c - '0' : c - 'a' + 10));
		digit++;
	}
	return true;
}

void
uuid_write_text(char text[UUID_TEXT_LENGTH + 1], const uint8_t id[UUID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	int			digit = 0;

	for (int i = 0; i < UUID_TEXT_LENGTH; i++)
	{
		if (is_dash_place(i))
			text[i] = '-';
		else
		{
			text[i] = digits[(id[digit / 2] >> (digit % 2 ? 0 : 4)) & 0xF];
			digit++;
		}
	}
	text[UUID_TEXT_LENGTH] = '\0';
}
