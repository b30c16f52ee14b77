/*
 * phone_word.c
 *		Words before a number that say it is a telephone's, in some languages.
 */
#include "postgres.h"

#include "redact/internal.h"

typedef struct PhoneWord
{
	const char *word;
	PhoneEvidence evidence;		/* INTRODUCES_PHONE: a full stop behind it ends no sentence */
} PhoneWord;

static const PhoneWord phone_words[] = {
	{"tel", INTRODUCES_PHONE}, {"t\xC3\xA9l", INTRODUCES_PHONE}, {"ph", INTRODUCES_PHONE}, {"mob", INTRODUCES_PHONE},
	{"tlf", INTRODUCES_PHONE}, {"tfn", INTRODUCES_PHONE}, {"puh", INTRODUCES_PHONE}, {"\xD1\x82\xD0\xB5\xD0\xBB", INTRODUCES_PHONE},
	{"\xD0\xA2\xD0\xB5\xD0\xBB", INTRODUCES_PHONE}, /* тел, Тел */
	{"\xCF\x84\xCE\xB7\xCE\xBB", INTRODUCES_PHONE},
	{"\xCE\xA4\xCE\xB7\xCE\xBB", INTRODUCES_PHONE}, /* τηλ, Τηλ */
	{"telephone", NAMES_PHONE}, {"phone", NAMES_PHONE}, {"phones", NAMES_PHONE}, {"mobile", NAMES_PHONE}, {"cell", NAMES_PHONE},
	{"cellphone", NAMES_PHONE}, {"fax", NAMES_PHONE}, {"fon", NAMES_PHONE}, {"whatsapp", NAMES_PHONE}, {"sms", NAMES_PHONE},
	{"landline", NAMES_PHONE}, {"hotline", NAMES_PHONE}, {"msisdn", NAMES_PHONE}, {"telefon", NAMES_PHONE},
	{"telefonnummer", NAMES_PHONE}, {"rufnummer", NAMES_PHONE}, {"handy", NAMES_PHONE}, {"handynummer", NAMES_PHONE},
	{"mobil", NAMES_PHONE}, {"mobilnummer", NAMES_PHONE}, {"mobiltelefon", NAMES_PHONE}, {"telefono", NAMES_PHONE},
	{"tel\xC3\xA9" "fono", NAMES_PHONE}, {"t\xC3\xA9l\xC3\xA9phone", NAMES_PHONE}, {"telefoon", NAMES_PHONE},
	{"m\xC3\xB3vil", NAMES_PHONE}, {"celular", NAMES_PHONE}, {"cellulare", NAMES_PHONE}, {"portable", NAMES_PHONE},
	{"telefone", NAMES_PHONE}, {"telem\xC3\xB3vel", NAMES_PHONE}, {"telemovel", NAMES_PHONE}, {"telefonu", NAMES_PHONE},
	{"telefonsz\xC3\xA1m", NAMES_PHONE}, {"telefonszama", NAMES_PHONE}, {"mobilsz\xC3\xA1m", NAMES_PHONE}, {"puhelin", NAMES_PHONE},
	{"puhelinnumero", NAMES_PHONE}, {"gsm", NAMES_PHONE},
	{"\xD1\x82\xD0\xB5\xD0\xBB\xD0\xB5\xD1\x84\xD0\xBE\xD0\xBD", NAMES_PHONE},	/* телефон */
	{"\xD0\xA2\xD0\xB5\xD0\xBB\xD0\xB5\xD1\x84\xD0\xBE\xD0\xBD", NAMES_PHONE},	/* Телефон */
	{"\xCF\x84\xCE\xB7\xCE\xBB\xCE\xAD\xCF\x86\xCF\x89\xCE\xBD\xCE\xBF", NAMES_PHONE},	/* τηλέφωνο */
	{"\xCE\xBA\xCE\xB9\xCE\xBD\xCE\xB7\xCF\x84\xCF\x8C", NAMES_PHONE},	/* κινητό */
	{"contact", HINTS_AT_PHONE}, {"kontakt", HINTS_AT_PHONE}, {"call", HINTS_AT_PHONE}, {"called", HINTS_AT_PHONE},
	{"ring", HINTS_AT_PHONE}, {"dial", HINTS_AT_PHONE}, {"text", HINTS_AT_PHONE}, {"reach", HINTS_AT_PHONE},
	{"callback", HINTS_AT_PHONE}
};

/* Words of languages that write none apart: such a word stands within so many bytes before the number. */
static const char *const joined_words[] = {
	"\xE9\x9B\xBB\xE8\xA9\xB1", "\xE7\x94\xB5\xE8\xAF\x9D", /* 電話, 电话 */
	"\xE6\x89\x8B\xE6\x9C\xBA", "\xE6\x89\x8B\xE6\xA9\x9F", /* 手机, 手機 */
	"\xE6\x90\xBA\xE5\xB8\xAF", "\xEC\xA0\x84\xED\x99\x94", /* 携帯, 전화 */
	"\xED\x9C\xB4\xEB\x8C\x80\xED\x8F\xB0", "\xEC\x97\xB0\xEB\x9D\xBD\xEC\xB2\x98"	/* 휴대폰, 연락처 */
};

#define JOINED_BYTES 24

/* What may stand between such a word and its number. */
static const char *const fillers[] = {
	"number", "no", "nr", "num", "nummer", "is", "ist", "at", "on", "me", "my", "us", "him", "her", "them", "ext", "office", "home", "work",
	"to", "est", "szama", "numer", "numero", "n\xC3\xBAmero", "\xC3\xA8", "\xC3\xA9", NULL
};

#define WORDS_BACK 4
#define WORD_BYTES 20

static bool
is_the_word(const char *data, int start, int end, const char *word)
{
	int			same;

	for (same = 0; word[same]; same++)
	{
		if (start + same == end || ascii_lower(data[start + same]) != word[same])
			return false;
	}
	return start + same == end;
}

/* Whether one of the words that stand joined to others lies before the place, with no digit between. */
static bool
joined_word_before(const char *data, int place)
{
	int			start = place;
	bool		wide = false;

	while (start > 0 && place - start < JOINED_BYTES && !is_digit(data[start - 1]) && data[start - 1] != '\n')
		wide |= (uint8) data[--start] >= 0xE6;
	for (int from = start; wide && from < place; from++)
	{
		for (int i = 0; i < lengthof(joined_words) && (uint8) data[from] >= 0xE6; i++)
		{
			if (bytes_at(data, place, from, joined_words[i], strlen(joined_words[i])))
				return true;
		}
	}
	return false;
}

PhoneEvidence
redact_phone_evidence(const char *data, int place)
{
	bool		colon = false;
	bool		stop = false;

	if (place > 0 && joined_word_before(data, place))
		return NAMES_PHONE;
	for (int words = 0; words < WORDS_BACK; words++)
	{
		int			end;
		int			start;
		bool		passes = false;

		stop = false;
		for (end = place; end > 0 && !is_letter(data[end - 1]) && !((uint8) data[end - 1] & 0x80); end--)
		{
			char		c = data[end - 1];

			if (is_digit(c) || c == '\n' || c == ';' || c == '!' || c == '?' || place - end > 6)
				return SAYS_NOTHING;
			colon |= c == ':';
			stop |= c == '.';
		}
		for (start = end; start > 0 && end - start <= WORD_BYTES &&
			 (is_letter(data[start - 1]) || ((uint8) data[start - 1] & 0x80)); start--)
			;
		if (start == end)
			return SAYS_NOTHING;
		for (int i = 0; i < lengthof(phone_words); i++)
		{
			PhoneEvidence evidence = phone_words[i].evidence;

			if (!is_the_word(data, start, end, phone_words[i].word))
				continue;
			if (evidence == INTRODUCES_PHONE || (evidence == NAMES_PHONE && colon))
				return colon || stop ? INTRODUCES_PHONE : NAMES_PHONE;
			return evidence;
		}
		for (int i = 0; fillers[i] && !passes; i++)
			passes = is_the_word(data, start, end, fillers[i]);
		if (!passes)
			return SAYS_NOTHING;
		place = start;
	}
	return SAYS_NOTHING;
}
