/*
 * national_named.c
 *		Numbers of persons that only the word before them tells: "BSN 123456782", "PESEL: 44051401359", "passport no. C01X00T47".
 */
#include "postgres.h"

#include "redact/internal.h"

typedef struct NumberName
{
	const char *name;			/* in small letters */
	uint8		least;			/* digits */
	uint8		most;
} NumberName;

static const NumberName names[] = {
	{"ssn", 9, 9}, {"social security number", 9, 9}, {"social security", 9, 9}, {"itin", 9, 9}, {"taxpayer id", 9, 12},
	{"sin", 9, 9}, {"social insurance number", 9, 9}, {"social insurance", 9, 9}, {"nhs", 10, 10}, {"national id", 6, 15}, {"tax id", 8, 14},
	{"tax file number", 8, 9}, {"tfn", 8, 9}, {"medicare", 10, 11}, {"ird", 8, 9}, {"aadhaar", 12, 12}, {"aadhar", 12, 12}, {"uidai", 12, 12},
	{"bsn", 8, 9}, {"burgerservicenummer", 8, 9}, {"pesel", 11, 11}, {"cnp", 13, 13}, {"cpf", 11, 11}, {"egn", 10, 10},
	{"jmbg", 13, 13}, {"emso", 13, 13}, {"em\xC5\xA1o", 13, 13}, {"oib", 11, 11}, {"amka", 11, 11}, {"afm", 9, 9},
	{"rodn\xC3\xA9 \xC4\x8D\xC3\xADslo", 9, 10}, {"rodne cislo", 9, 10}, {"personnummer", 10, 12}, {"fodselsnummer", 11, 11},
	{"f\xC3\xB8" "dselsnummer", 11, 11}, {"cpr", 10, 10}, {"cpr-nr", 10, 10}, {"kennitala", 10, 10}, {"isikukood", 11, 11}, {"asmens kodas", 11, 11},
	{"steuer-id", 11, 11}, {"steueridentifikationsnummer", 11, 11}, {"identifikationsnummer", 11, 11}, {"idnr", 11, 11}, {"svnr", 10, 10},
	{"sozialversicherungsnummer", 10, 12}, {"ahv-nr", 13, 13}, {"nir", 13, 15}, {"num\xC3\xA9ro de s\xC3\xA9" "curit\xC3\xA9 sociale", 13, 15},
	{"s\xC3\xA9" "curit\xC3\xA9 sociale", 13, 15}, {"nif", 8, 9}, {"dni", 7, 8}, {"niss", 11, 11}, {"rut", 8, 9}, {"rijksregisternummer", 11, 11},
	{"c\xC3\xA9" "dula", 6, 11}, {"cedula", 6, 11}, {"taj", 9, 9}, {"kimlik", 11, 11}, {"tckn", 11, 11}, {"teudat zehut", 8, 9}, {"nik", 16, 16}, {"cuil", 11, 11},
	{"\xD0\xB8\xD0\xBD\xD0\xBD", 12, 12}, {"\xD1\x81\xD0\xBD\xD0\xB8\xD0\xBB\xD1\x81", 11, 11}, {"inn", 12, 12}, {"snils", 11, 11},
	{"\xD0\x98\xD0\x9D\xD0\x9D", 12, 12}, {"\xD0\xA1\xD0\x9D\xD0\x98\xD0\x9B\xD0\xA1", 11, 11},
	{"my number", 12, 12}, {"\xE3\x83\x9E\xE3\x82\xA4\xE3\x83\x8A\xE3\x83\xB3\xE3\x83\x90\xE3\x83\xBC", 12, 12},
	{"\xEC\xA3\xBC\xEB\xAF\xBC\xEB\x93\xB1\xEB\xA1\x9D\xEB\xB2\x88\xED\x98\xB8", 13, 13},
	{"\xE8\xBA\xAB\xE4\xBB\xBD\xE8\xAF\x81", 15, 18}, {"rrn", 13, 13}, {"mykad", 12, 12}, {"id number", 13, 13},
	{"passport", 7, 9}, {"reisepass", 7, 9}, {"passeport", 7, 9}, {"pasaporte", 7, 9}, {"driver's license", 7, 12}, {"driver license", 7, 12},
	{"driving licence", 7, 12}, {"drivers license", 7, 12}
};

/* What may stand between the name and its number. */
static const char *const fillers[] = {"number", "num", "no", "nr", "nummer", "id", "is", "ist", "es", "est", "card", NULL};

#define WORDS_BACK 3

/* Whether what ends before a place is that name, and no part of a longer word. */
static bool
ends_with(const char *data, int end, const char *name)
{
	int			length = strlen(name);

	/* A script without spaces has no beginnings of words. */
	return end >= length && pg_strncasecmp(data + end - length, name, length) == 0 &&
		(end == length || (uint8) name[0] >= 0xE0 ||
		 (!is_alnum(data[end - length - 1]) && !((uint8) data[end - length - 1] & 0x80) && data[end - length - 1] != '_'));
}

/* The name before a place, NULL when there is none that such a number may follow. */
static const NumberName *
name_before(const char *data, int place, int count, const char *only)
{
	for (int words = 0; words < WORDS_BACK; words++)
	{
		int			end = place;
		bool		passes = false;

		while (end > 0 && place - end < 4 && strchr(" :#=.,\"'\t", data[end - 1]) && data[end - 1] != '\0')
			end--;
		if (words == 0 && end == place && !((uint8) data[Max(end - 1, 0)] & 0x80))
			return NULL;
		for (int i = 0; i < lengthof(names); i++)
		{
			if (count >= names[i].least && count <= names[i].most && (!only || strstr(names[i].name, only)) &&
				ends_with(data, end, names[i].name))
				return &names[i];
		}
		for (int i = 0; fillers[i] && !passes; i++)
		{
			passes = ends_with(data, end, fillers[i]);
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
	int			count = 0;
	int			best = -1;

	if (first > 0 || run->plus || run->open)
		return -1;
	for (int last = 0; last < Min(run->count, 7); last++)
	{
		const DigitGroup *group = &run->groups[last];

		if (last > 0 && (group->before & (SEPARATOR_OPEN | SEPARATOR_CLOSE)))
			break;
		count += group->count;
		if (count > 18)
			break;
		if (count >= 6 && name_before(run->data, run->groups[0].start, count, NULL))
			best = last;
	}
	return best;
}

/* Letters and digits mixed: passports and driving licences. */
int
redact_named_word(const char *data, int length, int place)
{
	int			end = place;
	int			digits = 0;

	while (end < length && is_alnum(data[end]))
		digits += is_digit(data[end++]);
	if (end - place < 6 || end - place > 18 || digits < 4 || (end < length && data[end] == '_'))
		return 0;
	return name_before(data, place, Min(Max(digits, 7), 9), "pass") || name_before(data, place, Min(Max(digits, 7), 12), "driv") ? end : 0;
}
