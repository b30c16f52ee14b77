/*
 * decimal.c
 *		Numbers of logs in text: decimals without leading zeros.
 */
#include "core/decimal.h"

bool
decimal_read(const char *text, size_t length, uint64_t *number)
{
	uint64_t	value = 0;

	if (length == 0 || length > 19 || (text[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t) (text[i] - '0');
	}
	if (value > INT64_MAX)
		return false;
	*number = value;
	return true;
}

void
decimal_append(ByteBuffer *out, uint64_t number)
{
	char		digits[20];
	size_t		first = sizeof(digits);

	do
	{
		digits[--first] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buffer_append(out, digits + first, sizeof(digits) - first);
}
