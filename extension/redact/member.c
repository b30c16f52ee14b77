/*
 * member.c
 *		Names of members that tell what their value is: userEmail, phone_no, card-number.
 *
 * A name is read as words, whichever way they are joined, and its last words
 * decide: "customer_email_address" is an address, "email_template" is none.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "redact/internal.h"

#define WORDS 8
#define WORD_BYTES 32

typedef struct MemberWords
{
	int			count;
	char		words[WORDS][WORD_BYTES];
} MemberWords;

/* The last words of a name, in small letters; trailing digits do not count ("phone2", "phone_2", "phone[2]"). */
static void
split(const char *name, int length, MemberWords *words)
{
	int			place = 0;

	words->count = 0;
	while (place < length)
	{
		char		word[WORD_BYTES];
		int			count = 0;
		int			start;

		while (place < length && !is_alnum(name[place]) && !((uint8) name[place] & 0x80))
			place++;
		start = place;
		while (place < length && (is_alnum(name[place]) || ((uint8) name[place] & 0x80)))
		{
			char		c = name[place];

			/* userEmail, and the last of HTMLEmail */
			if (place > start && c >= 'A' && c <= 'Z' &&
				(!(name[place - 1] >= 'A' && name[place - 1] <= 'Z') ||
				 (place + 1 < length && name[place + 1] >= 'a' && name[place + 1] <= 'z')))
				break;
			if (count < WORD_BYTES - 1)
				word[count++] = ascii_lower(c);
			place++;
		}
		while (count > (words->count == 0 ? 1 : 0) && is_digit(word[count - 1]))
			count--;
		if (count == 0)
			continue;
		word[count] = '\0';
		if (words->count == WORDS)
		{
			memmove(words->words[0], words->words[1], (WORDS - 1) * WORD_BYTES);
			words->count--;
		}
		memcpy(words->words[words->count++], word, WORD_BYTES);
	}
}

static bool
is_among(const char *word, const char *const *names)
{
	for (; *names; names++)
	{
		if (strcmp(word, *names) == 0)
			return true;
	}
	return false;
}

/* A thing that a name may mean; its words are joined, so that "e_mail", "eMail" and "email" are one. */
typedef struct MemberThing
{
	const char *joined;
	RedactMatcher matcher;
	bool		vague;			/* only if it is the whole name, and the value has digits enough */
} MemberThing;

static const MemberThing things[] = {
	{"email", REDACT_EMAIL_MEMBER}, {"emails", REDACT_EMAIL_MEMBER}, {"mail", REDACT_EMAIL_MEMBER}, {"usermail", REDACT_EMAIL_MEMBER},
	{"emailaddress", REDACT_EMAIL_MEMBER}, {"emailaddresses", REDACT_EMAIL_MEMBER}, {"emailaddr", REDACT_EMAIL_MEMBER},
	{"mailaddress", REDACT_EMAIL_MEMBER}, {"mailaddr", REDACT_EMAIL_MEMBER}, {"emailid", REDACT_EMAIL_MEMBER},
	{"emailadresse", REDACT_EMAIL_MEMBER}, {"mailadresse", REDACT_EMAIL_MEMBER}, {"courriel", REDACT_EMAIL_MEMBER},
	{"correoelectronico", REDACT_EMAIL_MEMBER}, {"useremail", REDACT_EMAIL_MEMBER}, {"contactemail", REDACT_EMAIL_MEMBER},
	{"customeremail", REDACT_EMAIL_MEMBER}, {"mailto", REDACT_EMAIL_MEMBER},

	{"phone", REDACT_PHONE_MEMBER}, {"phones", REDACT_PHONE_MEMBER}, {"telephone", REDACT_PHONE_MEMBER}, {"tel", REDACT_PHONE_MEMBER},
	{"mobile", REDACT_PHONE_MEMBER, true}, {"fax", REDACT_PHONE_MEMBER}, {"phonemobile", REDACT_PHONE_MEMBER}, {"contactnumber", REDACT_PHONE_MEMBER},
	{"usermobile", REDACT_PHONE_MEMBER}, {"customermobile", REDACT_PHONE_MEMBER}, {"contactmobile", REDACT_PHONE_MEMBER}, {"hometel", REDACT_PHONE_MEMBER},
	{"worktel", REDACT_PHONE_MEMBER}, {"usertel", REDACT_PHONE_MEMBER}, {"contacttel", REDACT_PHONE_MEMBER}, {"cellphone", REDACT_PHONE_MEMBER}, {"cell", REDACT_PHONE_MEMBER, true},
	{"mobilephone", REDACT_PHONE_MEMBER}, {"homephone", REDACT_PHONE_MEMBER}, {"workphone", REDACT_PHONE_MEMBER},
	{"userphone", REDACT_PHONE_MEMBER}, {"contactphone", REDACT_PHONE_MEMBER}, {"customerphone", REDACT_PHONE_MEMBER},
	{"cellnumber", REDACT_PHONE_MEMBER}, {"faxnumber", REDACT_PHONE_MEMBER}, {"mobilenumber", REDACT_PHONE_MEMBER},
	{"phonenumber", REDACT_PHONE_MEMBER}, {"telephonenumber", REDACT_PHONE_MEMBER}, {"telnumber", REDACT_PHONE_MEMBER},
	{"telefon", REDACT_PHONE_MEMBER}, {"telefonnummer", REDACT_PHONE_MEMBER}, {"rufnummer", REDACT_PHONE_MEMBER},
	{"handynummer", REDACT_PHONE_MEMBER}, {"mobilnummer", REDACT_PHONE_MEMBER}, {"telefono", REDACT_PHONE_MEMBER},
	{"tel\xC3\xA9" "fono", REDACT_PHONE_MEMBER}, {"t\xC3\xA9l\xC3\xA9phone", REDACT_PHONE_MEMBER}, {"msisdn", REDACT_PHONE_MEMBER},
	{"whatsapp", REDACT_PHONE_MEMBER}, {"whatsappnumber", REDACT_PHONE_MEMBER}, {"smsnumber", REDACT_PHONE_MEMBER},
	{"callernumber", REDACT_PHONE_MEMBER},

	{"card", REDACT_CARD_MEMBER, true}, {"creditcard", REDACT_CARD_MEMBER}, {"debitcard", REDACT_CARD_MEMBER},
	{"paymentcard", REDACT_CARD_MEMBER}, {"bankcard", REDACT_CARD_MEMBER}, {"pan", REDACT_CARD_MEMBER, true}, {"cardpan", REDACT_CARD_MEMBER},
	{"cardnumber", REDACT_CARD_MEMBER}, {"creditcardnumber", REDACT_CARD_MEMBER}, {"ccnumber", REDACT_CARD_MEMBER},
	{"primaryaccountnumber", REDACT_CARD_MEMBER}, {"pannumber", REDACT_CARD_MEMBER}, {"cvv", REDACT_CARD_MEMBER},
	{"cvc", REDACT_CARD_MEMBER}, {"cardsecuritycode", REDACT_CARD_MEMBER}, {"kreditkarte", REDACT_CARD_MEMBER},
	{"kreditkartennummer", REDACT_CARD_MEMBER}, {"kartennummer", REDACT_CARD_MEMBER},

	{"iban", REDACT_IBAN_MEMBER}, {"ibannumber", REDACT_IBAN_MEMBER}, {"bankaccount", REDACT_IBAN_MEMBER},
	{"bankaccountnumber", REDACT_IBAN_MEMBER},

	{"ssn", REDACT_NATIONAL_ID_MEMBER}, {"ssnnumber", REDACT_NATIONAL_ID_MEMBER}, {"socialsecurity", REDACT_NATIONAL_ID_MEMBER},
	{"socialsecuritynumber", REDACT_NATIONAL_ID_MEMBER}, {"socialinsurancenumber", REDACT_NATIONAL_ID_MEMBER},
	{"nationalid", REDACT_NATIONAL_ID_MEMBER}, {"nationalidnumber", REDACT_NATIONAL_ID_MEMBER},
	{"nationalidentitynumber", REDACT_NATIONAL_ID_MEMBER}, {"nationalinsurance", REDACT_NATIONAL_ID_MEMBER},
	{"nationalinsurancenumber", REDACT_NATIONAL_ID_MEMBER}, {"nino", REDACT_NATIONAL_ID_MEMBER}, {"itin", REDACT_NATIONAL_ID_MEMBER},
	{"passport", REDACT_NATIONAL_ID_MEMBER}, {"passportnumber", REDACT_NATIONAL_ID_MEMBER}, {"passportid", REDACT_NATIONAL_ID_MEMBER},
	{"taxid", REDACT_NATIONAL_ID_MEMBER}, {"taxnumber", REDACT_NATIONAL_ID_MEMBER}, {"taxidnumber", REDACT_NATIONAL_ID_MEMBER},
	{"taxpayerid", REDACT_NATIONAL_ID_MEMBER}, {"taxpayernumber", REDACT_NATIONAL_ID_MEMBER},
	{"taxidentificationnumber", REDACT_NATIONAL_ID_MEMBER}, {"taxpayeridentificationnumber", REDACT_NATIONAL_ID_MEMBER},
	{"identitycard", REDACT_NATIONAL_ID_MEMBER}, {"identitycardnumber", REDACT_NATIONAL_ID_MEMBER},
	{"idcardnumber", REDACT_NATIONAL_ID_MEMBER}, {"identitynumber", REDACT_NATIONAL_ID_MEMBER}, {"personalnumber", REDACT_NATIONAL_ID_MEMBER},
	{"personalidnumber", REDACT_NATIONAL_ID_MEMBER}, {"driverslicense", REDACT_NATIONAL_ID_MEMBER},
	{"driverlicense", REDACT_NATIONAL_ID_MEMBER}, {"driverslicensenumber", REDACT_NATIONAL_ID_MEMBER},
	{"driverlicensenumber", REDACT_NATIONAL_ID_MEMBER}, {"drivinglicence", REDACT_NATIONAL_ID_MEMBER},
	{"drivinglicencenumber", REDACT_NATIONAL_ID_MEMBER}, {"driverlicencenumber", REDACT_NATIONAL_ID_MEMBER},
	{"personnummer", REDACT_NATIONAL_ID_MEMBER}, {"cpf", REDACT_NATIONAL_ID_MEMBER}, {"dni", REDACT_NATIONAL_ID_MEMBER},
	{"curp", REDACT_NATIONAL_ID_MEMBER}, {"aadhaar", REDACT_NATIONAL_ID_MEMBER}, {"aadhaarnumber", REDACT_NATIONAL_ID_MEMBER},
	{"bsn", REDACT_NATIONAL_ID_MEMBER}, {"pesel", REDACT_NATIONAL_ID_MEMBER}, {"codicefiscale", REDACT_NATIONAL_ID_MEMBER},
	{"steuerid", REDACT_NATIONAL_ID_MEMBER}, {"steuernummer", REDACT_NATIONAL_ID_MEMBER}, {"henkilotunnus", REDACT_NATIONAL_ID_MEMBER},
	{"hetu", REDACT_NATIONAL_ID_MEMBER}, {"sozialversicherungsnummer", REDACT_NATIONAL_ID_MEMBER}, {"ahvnummer", REDACT_NATIONAL_ID_MEMBER},
	{"sin", REDACT_NATIONAL_ID_MEMBER, true}, {"sinnumber", REDACT_NATIONAL_ID_MEMBER}, {"tin", REDACT_NATIONAL_ID_MEMBER, true},
	{"tinnumber", REDACT_NATIONAL_ID_MEMBER}, {"ninumber", REDACT_NATIONAL_ID_MEMBER}, {"nhsnumber", REDACT_NATIONAL_ID_MEMBER},
	{"medicarenumber", REDACT_NATIONAL_ID_MEMBER}, {"dlnumber", REDACT_NATIONAL_ID_MEMBER}, {"nif", REDACT_NATIONAL_ID_MEMBER, true},
	{"cnp", REDACT_NATIONAL_ID_MEMBER, true}, {"rrn", REDACT_NATIONAL_ID_MEMBER, true}, {"nric", REDACT_NATIONAL_ID_MEMBER},
	{"rut", REDACT_NATIONAL_ID_MEMBER, true}, {"egn", REDACT_NATIONAL_ID_MEMBER, true},
	{"jmbg", REDACT_NATIONAL_ID_MEMBER}, {"oib", REDACT_NATIONAL_ID_MEMBER}, {"amka", REDACT_NATIONAL_ID_MEMBER},
	{"rodnecislo", REDACT_NATIONAL_ID_MEMBER}, {"snils", REDACT_NATIONAL_ID_MEMBER}, {"fodselsnummer", REDACT_NATIONAL_ID_MEMBER},
	{"burgerservicenummer", REDACT_NATIONAL_ID_MEMBER}
};

/* "number" in short, and words that change nothing. */
static const char *const numbers[] = {"number", "numbers", "num", "no", "nr", "nbr", "nummer", "numero", NULL};
static const char *const qualifiers[] = {
	"value", "text", "raw", "string", "str", "home", "work", "office", "private", "personal", "business", "primary", "secondary", "alternate", NULL
};

/* What begins with one of these is something to do, or whether it was done. */
static const char *const verbs[] = {
	"is", "has", "send", "sent", "verify", "validate", "use", "uses", "enable", "enabled", "allow", "allows", "require", "requires",
	"voice", "junk", "spam", "snail", "web", "should", "can", "skip", "via", "by", "get", "set", "update", "find", "lookup", "no", "not", "without", "notify", "per", NULL
};

int
redact_member_of(const char *name, int length, bool *vague)
{
	MemberWords words;
	char		joined[WORDS * WORD_BYTES];
	int			last;

	*vague = false;
	/* Long names are sentences, ids or paths. */
	if (length > 128 || length < 2)
		return -1;
	split(name, length, &words);
	last = words.count;
	while (last > 1 && is_among(words.words[last - 1], qualifiers))
		last--;
	if (last == 0 || (last > 1 && is_among(words.words[0], verbs)))
		return -1;
	for (int first = 0; first < last; first++)
	{
		int			bytes = 0;

		joined[0] = '\0';
		for (int i = first; i < last; i++)
		{
			const char *word = i > first && i == last - 1 && is_among(words.words[i], numbers) ? "number" : words.words[i];
			int			word_length = strlen(word);

			memcpy(joined + bytes, word, word_length + 1);
			bytes += word_length;
		}
		for (int i = 0; i < lengthof(things); i++)
		{
			if (joined[0] == things[i].joined[0] && strcmp(joined, things[i].joined) == 0 && (!things[i].vague || first == 0))
			{
				*vague = things[i].vague;
				return things[i].matcher;
			}
		}
	}
	/* phoneno, ccnum: written as one word */
	if (last == 1)
	{
		static const char *const endings[] = {"number", "num", "no", "nr", NULL};
		int			whole = strlen(words.words[0]);

		for (int e = 0; endings[e]; e++)
		{
			int			stem = whole - (int) strlen(endings[e]);

			if (stem < 2 || strcmp(words.words[0] + stem, endings[e]) != 0)
				continue;
			snprintf(joined, sizeof(joined), "%.*snumber", stem, words.words[0]);
			for (int i = 0; i < lengthof(things); i++)
			{
				if (strcmp(joined, things[i].joined) == 0)
					return things[i].matcher;
			}
		}
	}
	return -1;
}

bool
redact_member_counts(const char *name, int length)
{
	static const char *const measures[] = {
		"id", "ids", "ts", "time", "times", "timestamp", "timestamps", "at", "date", "epoch", "ns", "us", "ms", "s", "sec", "secs", "seconds",
		"millis", "micros", "nanos", "milliseconds", "microseconds", "nanoseconds", "start", "end", "begin", "started", "ended", "created",
		"updated", "expires", "duration", "elapsed", "latency", "price", "prices", "amount", "total", "sum", "cost", "size",
		"bytes", "count", "offset", "position", "seq", "sequence", "version", "revision", "serial", "hash", "checksum", "crc", "seed",
		"height", "width", "index", "lsn", "xid", "tokens", "usage", "memory", "isbn", "ean", "gtin", "upc",
		"barcode", "sku", "unix", "nano", "milli", "micro", NULL
	};
	MemberWords words;

	if (length > 128)
		return false;
	split(name, length, &words);
	/* start_time_unix_nano, us, traceId */
	return words.count > 0 && is_among(words.words[words.count - 1], measures);
}
