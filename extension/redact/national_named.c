/*
 * national_named.c
 *		Numbers of persons that only the word before them tells: "BSN 123456782", "PESEL: 44051401359", "passport no. C01X00T47".
 */
#include "postgres.h"

#include "redact/internal.h"

typedef struct NumberName
{
	const char *name;			/* in small letters */
	uint8		length;
	uint8		least;			/* digits */
	uint8		most;
} NumberName;

#define NAME(name, least, most) {name, sizeof(name) - 1, least, most}

static const NumberName names[] = {
	NAME("ssn", 9, 9), NAME("social security number", 9, 9), NAME("social security", 9, 9), NAME("itin", 9, 9), NAME("taxpayer id", 9, 12),
	NAME("sin", 9, 9), NAME("social insurance number", 9, 9), NAME("social insurance", 9, 9), NAME("nhs", 10, 10), NAME("national id", 7, 15), NAME("tax id", 8, 14),
	NAME("tax file number", 8, 9), NAME("tfn", 8, 9), NAME("medicare", 10, 11), NAME("ird", 8, 9), NAME("aadhaar", 12, 12), NAME("aadhar", 12, 12), NAME("uidai", 12, 12),
	NAME("bsn", 8, 9), NAME("burgerservicenummer", 8, 9), NAME("pesel", 11, 11), NAME("cnp", 13, 13), NAME("cpf", 11, 11), NAME("egn", 10, 10),
	NAME("jmbg", 13, 13), NAME("emso", 13, 13), NAME("em\xC5\xA1o", 13, 13), NAME("oib", 11, 11), NAME("amka", 11, 11), NAME("afm", 9, 9),
	NAME("rodn\xC3\xA9 \xC4\x8D\xC3\xADslo", 9, 10), NAME("rodne cislo", 9, 10), NAME("personnummer", 10, 12), NAME("fodselsnummer", 11, 11),
	NAME("f\xC3\xB8" "dselsnummer", 11, 11), NAME("cpr", 10, 10), NAME("cpr-nr", 10, 10), NAME("kennitala", 10, 10), NAME("isikukood", 11, 11), NAME("asmens kodas", 11, 11),
	NAME("steuer-id", 11, 11), NAME("steueridentifikationsnummer", 11, 11), NAME("identifikationsnummer", 11, 11), NAME("idnr", 11, 11), NAME("svnr", 10, 10),
	NAME("sozialversicherungsnummer", 10, 12), NAME("ahv-nr", 13, 13), NAME("nir", 13, 15), NAME("num\xC3\xA9ro de s\xC3\xA9" "curit\xC3\xA9 sociale", 13, 15),
	NAME("s\xC3\xA9" "curit\xC3\xA9 sociale", 13, 15), NAME("nif", 8, 9), NAME("dni", 7, 8), NAME("niss", 11, 11), NAME("rut", 8, 9), NAME("rijksregisternummer", 11, 11),
	NAME("c\xC3\xA9" "dula", 7, 11), NAME("cedula", 7, 11), NAME("taj", 9, 9), NAME("kimlik", 11, 11), NAME("tckn", 11, 11), NAME("teudat zehut", 8, 9), NAME("nik", 16, 16), NAME("cuil", 11, 11),
	NAME("\xD0\xB8\xD0\xBD\xD0\xBD", 12, 12), NAME("\xD1\x81\xD0\xBD\xD0\xB8\xD0\xBB\xD1\x81", 11, 11), NAME("inn", 12, 12), NAME("snils", 11, 11),
	NAME("\xD0\x98\xD0\x9D\xD0\x9D", 12, 12), NAME("\xD0\xA1\xD0\x9D\xD0\x98\xD0\x9B\xD0\xA1", 11, 11),
	NAME("my number", 12, 12), NAME("\xE3\x83\x9E\xE3\x82\xA4\xE3\x83\x8A\xE3\x83\xB3\xE3\x83\x90\xE3\x83\xBC", 12, 12),
	NAME("\xEC\xA3\xBC\xEB\xAF\xBC\xEB\x93\xB1\xEB\xA1\x9D\xEB\xB2\x88\xED\x98\xB8", 13, 13),
	NAME("\xE8\xBA\xAB\xE4\xBB\xBD\xE8\xAF\x81", 15, 18), NAME("rrn", 13, 13), NAME("mykad", 12, 12), NAME("id number", 13, 13),
	NAME("passport", 7, 9), NAME("reisepass", 7, 9), NAME("passeport", 7, 9), NAME("pasaporte", 7, 9), NAME("driver's license", 7, 12), NAME("driver license", 7, 12),
	NAME("driving licence", 7, 12), NAME("drivers license", 7, 12)
};

/* The least that a name asks for: most numbers in a text have fewer, and need no look at the words before them. */
#define LEAST_DIGITS 7

/* What may stand between the name and its number. */
static const char *const fillers[] = {"number", "num", "no", "nr", "nummer", "id", "is", "ist", "es", "est", "card", NULL};

#define WORDS_BACK 3

/* Whether what ends before a place is that name, and no part of a longer word. */
static bool
ends_with(const char *data, int end, const char *name, int length)
{
	int			start = end - length;

	/* A script without spaces has no beginnings of words. */
	return start >= 0 && ascii_lower(data[end - 1]) == name[length - 1] && pg_strncasecmp(data + start, name, length) == 0 &&
		(start == 0 || (uint8) name[0] >= 0xE0 ||
		 (!is_alnum(data[start - 1]) && !((uint8) data[start - 1] & 0x80) && data[start - 1] != '_'));
}

/* The name before a place, NULL when there is none. */
static const NumberName *
name_before(const char *data, int place)
{
	for (int words = 0; words < WORDS_BACK; words++)
	{
		int			end = place;
		bool		passes = false;

		while (end > 0 && place - end < 4 && data[end - 1] != '\0' && strchr(" :#=.,\"'\t", data[end - 1]))
			end--;
		if (end == 0 || !(is_letter(data[end - 1]) || ((uint8) data[end - 1] & 0x80)) || (end == place && is_letter(data[end - 1])))
			return NULL;
		for (int i = 0; i < lengthof(names); i++)
		{
			if (ends_with(data, end, names[i].name, names[i].length))
				return &names[i];
		}
		for (int i = 0; fillers[i] && !passes; i++)
		{
			passes = ends_with(data, end, fillers[i], strlen(fillers[i]));
			if (passes)
				place = end - (int) strlen(fillers[i]);
		}
		if (!passes)
			return NULL;
	}
	return NULL;
}

int
redact_named_number(const DigitRun *run, int first)
{
	const NumberName *name;
	int			count = 0;
	int			best = -1;

	for (int i = 0; i < run->count && count < LEAST_DIGITS; i++)
		count += run->groups[i].count;
	if (first > 0 || run->plus || run->open || count < LEAST_DIGITS || (name = name_before(run->data, run->groups[0].start)) == NULL)
		return -1;
	count = 0;
	for (int last = 0; last < run->count; last++)
	{
		const DigitGroup *group = &run->groups[last];

		if (last > 0 && (group->before & (SEPARATOR_OPEN | SEPARATOR_CLOSE)))
			break;
		count += group->count;
		if (count > name->most)
			break;
		if (count >= name->least)
			best = last;
	}
	return best;
}

/* Letters and digits mixed: passports and driving licences. */
int
redact_named_word(const char *data, int length, int place)
{
	const NumberName *name;
	int			end = place;
	int			digits = 0;

	while (end < length && is_alnum(data[end]))
		digits += is_digit(data[end++]);
	if (end - place < 6 || end - place > 18 || digits < 4 || (end < length && data[end] == '_') ||
		(name = name_before(data, place)) == NULL)
		return 0;
	return strncmp(name->name, "pass", 4) == 0 || strncmp(name->name, "reisepass", 9) == 0 || strncmp(name->name, "pasaporte", 9) == 0 ||
		strncmp(name->name, "driv", 4) == 0 ? end : 0;
}
