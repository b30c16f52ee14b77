/*
 * iban.c
 *		International bank account numbers: ISO 13616 (length of the country, check by ISO 7064 mod 97-10).
 */
#include "postgres.h"

#include "redact/internal.h"

/* Countries of the IBAN registry, with the whole length of their numbers. */
static const struct
{
	char		country[3];
	uint8		length;
}			countries[] = {
	{"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22}, {"BI", 27},
	{"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28},
	{"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23},
	{"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
	{"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25},
	{"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18},
	{"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33},
	{"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
	{"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}
};

#define LONGEST 34

/* The remainder of the rearranged number by 97. */
static int
remainder_of(const char *number, int length)
{
	int			remainder = 0;

	for (int i = 0; i < length; i++)
	{
		char		c = number[(i + 4) % length];

		remainder = is_digit(c) ? (10 * remainder + c - '0') % 97 : (100 * remainder + c - 'A' + 10) % 97;
	}
	return remainder;
}

int
redact_iban(const char *data, int length, int place)
{
	char		number[LONGEST];
	int			wanted = 0;
	int			count = 0;

	if (place + 4 > length || !is_letter(data[place]) || !is_letter(data[place + 1]) ||
		!is_digit(data[place + 2]) || !is_digit(data[place + 3]))
		return 0;
	for (int i = 0; i < lengthof(countries) && wanted == 0; i++)
	{
		if (ascii_upper(data[place]) == countries[i].country[0] && ascii_upper(data[place + 1]) == countries[i].country[1])
			wanted = countries[i].length;
	}
	while (count < wanted && place < length)
	{
		int			bytes;
		int			separator;

		if (is_alnum(data[place]))
		{
			number[count++] = ascii_upper(data[place++]);
			continue;
		}
		/* in fours, as on paper */
		separator = separator_at(data, length, place, &bytes);
		if ((separator != SEPARATOR_SPACE && separator != SEPARATOR_HYPHEN && separator != SEPARATOR_DOT) || count % 4 != 0)
			return 0;
		place += bytes;
	}
	/* Check digits are 02 to 98. */
	if (wanted == 0 || count < wanted || memcmp(number + 2, "02", 2) < 0 || memcmp(number + 2, "98", 2) > 0 || (place < length && is_alnum(data[place])))
		return 0;
	return remainder_of(number, count) == 1 ? place : 0;
}
