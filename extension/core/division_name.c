/*
 * division_name.c
 *		Which names divisions may have.
 */
#include "core/division_name.h"

bool
division_name_is_valid(const char *name, size_t length)
{
	if (length == 0 || length > DIVISION_NAME_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = name[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (i == 0 || (c != '-' && c != '_' && c != '.') || (c == '.' && name[i - 1] == '.'))
			return false;
	}
	return true;
}
