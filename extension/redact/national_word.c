/*
 * national_word.c
 *		Numbers that a state gives to persons, those with letters in them, by their form and their check.
 */
#include "postgres.h"

#include "redact/internal.h"

#define WORD_LENGTH 18

/* Up to most letters and digits from a place on, single spaces or hyphens left out; their end, or 0 when there are fewer. */
static int
read_word(const char *data, int length, int place, char *word, int wanted, bool spaced)
{
	int			count = 0;

	while (count < wanted && place < length)
	{
		if (is_alnum(data[place]))
			word[count++] = data[place++];
		else if (spaced && count > 0 && (data[place] == ' ' || data[place] == '-'))
			place++;
		else
			return 0;
	}
	if (count < wanted || (place < length && (is_alnum(data[place]) || data[place] == '_')))
		return 0;
	if (place + 1 < length && data[place] == '-' && is_alnum(data[place + 1]))
		return 0;
	return place;
}

/* A: capital letter, 9: digit, ?: either */
static bool
has_form(const char *word, const char *form)
{
	for (; *form; word++, form++)
	{
		bool		letter = *word >= 'A' && *word <= 'Z';

		if (*form == 'A' ? !letter : *form == '9' ? !is_digit(*word) : !letter && !is_digit(*word))
			return false;
	}
	return true;
}

#define AFTER(n) (1u << (n))

/* Dividers stand where they do on paper alone, and are all of one kind; "SP 800-140C" is a standard, no number of a Briton. */
static bool
divided(const char *data, int place, int end, uint32 places)
{
	char		divider = '\0';
	int			count = 0;

	for (; place < end; place++)
	{
		if (is_alnum(data[place]))
		{
			count++;
			continue;
		}
		if (!(places & AFTER(count)) || (divider && divider != data[place]))
			return false;
		divider = data[place];
	}
	return true;
}

/* United Kingdom, NINO: QQ 12 34 56 C; which letters may begin it: HMRC, NIM39110. */
static bool
is_british(const char *word)
{
	static const char *const never[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};

	if (!has_form(word, "AA999999A") || strchr("DFIQUV", word[0]) || strchr("DFIOQUV", word[1]) || word[8] > 'D')
		return false;
	for (int i = 0; i < lengthof(never); i++)
	{
		if (memcmp(word, never[i], 2) == 0)
			return false;
	}
	return true;
}

/* Spain, DNI and NIE: eight digits, or X, Y, Z and seven, and a letter by 23. */
static bool
is_spanish(const char *word)
{
	char		digits[9] = {0};

	memcpy(digits, word, 8);
	if (word[0] >= 'X' && word[0] <= 'Z')
		digits[0] = word[0] - 'X' + '0';
	return has_form(digits, "99999999") && word[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[atoi(digits) % 23];
}

/* Italy, codice fiscale: sixteen places, the last a check by 26. */
static bool
is_italian(const char *word)
{
	static const uint8 odd[26] = {1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
	static const uint8 numbers[7] = {6, 7, 9, 10, 12, 13, 14};
	int			sum = 0;
	int			digits = 0;

	if (!has_form(word, "AAAAAA??A??A???A") || !strchr("ABCDEHLMPRST", word[8]))
		return false;
	/* Two persons of one code: letters take the place of digits, from the last on. */
	for (int i = 0; i < lengthof(numbers); i++)
	{
		if (is_digit(word[numbers[i]]))
			digits++;
		else if (!strchr("LMNPQRSTUV", word[numbers[i]]))
			return false;
	}
	if (digits < 4)
		return false;
	for (int i = 0; i < 15; i++)
	{
		int			value = is_digit(word[i]) ? word[i] - '0' : word[i] - 'A';

		sum += i % 2 == 0 ? odd[value] : value;
	}
	return word[15] == 'A' + sum % 26;
}

/* Finland, henkilötunnus: date, sign of the century, order and a check by 31. */
static bool
is_finnish(const char *data, int length, int place)
{
	char		digits[10] = {0};
	int			i;

	if (place + 11 > length || !strchr("-+ABCDEFYXWVU", data[place + 6]))
		return false;
	for (i = 0; i < 6; i++)
		digits[i] = data[place + i];
	for (i = 0; i < 3; i++)
		digits[6 + i] = data[place + 7 + i];
	return has_form(digits, "999999999") && redact_is_date(10 * (digits[2] - '0') + digits[3] - '0', 10 * (digits[0] - '0') + digits[1] - '0') &&
		data[place + 10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[atoi(digits) % 31] &&
		(place + 11 == length || !is_alnum(data[place + 11]));
}

/* Mexico, CURP: four letters, date of birth, sex, state, three letters, a place and a check digit. */
static bool
is_mexican(const char *word)
{
	return has_form(word, "AAAA999999AAAAAA?9") && strchr("HMX", word[10]) &&
		redact_is_date(10 * (word[6] - '0') + word[7] - '0', 10 * (word[8] - '0') + word[9] - '0');
}

/* Taiwan: a letter of the place of birth, the sex, and eight digits, the last a check by 10. */
static bool
is_taiwanese(const char *word)
{
	static const uint8 places[26] = {
		10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33
	};
	int			sum;

	if (!has_form(word, "A999999999") || word[1] < '1' || word[1] > '2')
		return false;
	sum = places[word[0] - 'A'] / 10 + 9 * (places[word[0] - 'A'] % 10);
	for (int i = 1; i < 9; i++)
		sum += (word[i] - '0') * (9 - i);
	return (sum + word[9] - '0') % 10 == 0;
}

/* Singapore, NRIC and FIN: a letter of the century or of foreigners, seven digits and a letter by 11. */
static bool
is_singaporean(const char *word)
{
	static const uint8 weights[7] = {2, 7, 6, 5, 4, 3, 2};
	int			sum = word[0] == 'T' || word[0] == 'G' ? 4 : 0;

	if (!has_form(word, "A9999999A") || !strchr("STFG", word[0]))
		return false;
	for (int i = 0; i < 7; i++)
		sum += (word[1 + i] - '0') * weights[i];
	return word[8] == (word[0] == 'S' || word[0] == 'T' ? "JZIHGFEDCBA" : "XWUTRQPNMLK")[sum % 11];
}

int
redact_national_word(const char *data, int length, int place)
{
	char		word[WORD_LENGTH + 1] = {0};
	int			end;

	if (is_letter(data[place]))
	{
		if ((end = read_word(data, length, place, word, 9, true)) != 0 && is_british(word) &&
			divided(data, place, end, AFTER(2) | AFTER(4) | AFTER(6) | AFTER(8)))
			return end;
		if (data[place] >= 'X' && data[place] <= 'Z' && end != 0 && is_spanish(word) && divided(data, place, end, AFTER(1) | AFTER(8)))
			return end;
		if ((end = read_word(data, length, place, word, 9, false)) != 0 && is_singaporean(word))
			return end;
		if ((end = read_word(data, length, place, word, 16, true)) != 0)
		{
			for (int i = 0; i < 16; i++)
				word[i] = ascii_upper(word[i]);
			if (is_italian(word) && divided(data, place, end, AFTER(3) | AFTER(6) | AFTER(11)))
				return end;
		}
		/* India, PAN: five letters, the fourth the kind of holder, four digits and a letter */
		if ((end = read_word(data, length, place, word, 10, false)) != 0 && has_form(word, "AAAAA9999A") && strchr("ABCFGHLJPT", word[3]))
			return end;
		if (end != 0 && is_taiwanese(word))
			return end;
		if ((end = read_word(data, length, place, word, 18, false)) != 0 && is_mexican(word))
			return end;
		return redact_named_word(data, length, place);
	}
	if ((end = read_word(data, length, place, word, 9, true)) != 0 && has_form(word, "99999999A") && is_spanish(word) &&
		divided(data, place, end, AFTER(8)))
		return end;
	if (is_finnish(data, length, place))
		return place + 11;
	if ((end = read_word(data, length, place, word, 18, false)) != 0 && has_form(word, "99999999999999999A") && word[17] == 'X')
	{
		static const uint8 weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
		int			sum = 0;

		for (int i = 0; i < 17; i++)
			sum += (word[i] - '0') * weights[i];
		if (sum % 11 == 2 && (memcmp(word + 6, "19", 2) == 0 || memcmp(word + 6, "20", 2) == 0))
			return end;
	}
	return redact_named_word(data, length, place);
}
