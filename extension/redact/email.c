/*
 * email.c
 *		Addresses of mail: RFC 5322, and RFC 6531 for those beyond ASCII.
 *
 * "@" also stands in versions of packages, in addresses of repositories and in
 * remote logins; what is one of these is not taken.
 */
#include "postgres.h"

#include "redact/internal.h"

/* RFC 5321: 64 octets before "@", 255 behind; each may be written as %XX. */
#define LOCAL_BYTES 192
#define DOMAIN_BYTES 765

int
redact_at_sign(const char *data, int length, int place)
{
	if (place >= length)
		return 0;
	switch (data[place])
	{
		case '@':
			return 1;
		case '%':
			return bytes_at(data, length, place, "%40", 3) ? 3 : bytes_at(data, length, place, "%2540", 5) ? 5 : 0;
		case '&':
			return bytes_at(data, length, place, "&#64;", 5) ? 5 : bytes_at(data, length, place, "&#x40;", 6) ||
				bytes_at(data, length, place, "&#X40;", 6) ? 6 : bytes_at(data, length, place, "&commat;", 8) ? 8 : 0;
		case '\xEF':
			/* full-width and small @: U+FF20, U+FE6B */
			return bytes_at(data, length, place, "\xEF\xBC\xA0", 3) || bytes_at(data, length, place, "\xEF\xB9\xAB", 3) ? 3 : 0;
		default:
			return 0;
	}
}

/* Bytes of a character beyond ASCII that is a letter or a mark at a place, 0 for spaces and punctuation. */
static int
wide_letter(const char *data, int length, int place)
{
	const uint8 *c = (const uint8 *) data + place;
	int			bytes = c[0] >= 0xF0 ? 4 : c[0] >= 0xE0 ? 3 : 2;
	uint32		code;

	if (c[0] < 0xC2 || place + bytes > length)
		return 0;
	if (bytes == 2)
		return c[0] == 0xC2 && c[1] <= 0xBF && c[1] != 0xAA && c[1] != 0xB5 && c[1] != 0xBA ? 0 : 2;
	code = ((c[0] & (bytes == 3 ? 0x0F : 0x07)) << 12) | ((c[1] & 0x3F) << 6) | (c[2] & 0x3F);
	if (bytes == 3 && ((code >= 0x2000 && code <= 0x206F && code != 0x200C && code != 0x200D) ||
					   (code >= 0x2190 && code <= 0x2BFF) || (code >= 0x3000 && code <= 0x303F) ||
					   (code >= 0xFE10 && code <= 0xFE6F) ||
					   (code >= 0xFF00 && code <= 0xFF0F) || (code >= 0xFF1A && code <= 0xFF20) || code >= 0xFFE0 ||
					   (code >= 0xFF3B && code <= 0xFF40) || (code >= 0xFF5B && code <= 0xFF65)))
		return 0;
	return bytes;
}

static bool
is_continuation(char c)
{
	return ((uint8) c & 0xC0) == 0x80;
}

/* RFC 5322 atext, and the dot between atoms. */
static bool
is_local_byte(char c)
{
	return is_alnum(c) || (c != '\0' && strchr(".!#$%'*+-^_`{|}~=", c) != NULL);
}

/* Where the part before "@" begins; `place` itself when there is none. */
static int
local_start(const char *data, int length, int floor, int place)
{
	int			start = place;
	int			least = Max(floor, place - LOCAL_BYTES);

	if (place - 2 > least && data[place - 1] == '"')
	{
		for (start = place - 2; start > least && data[start] != '"' && data[start] != '\n'; start--)
			;
		return data[start] == '"' ? start : place;
	}
	while (start > least)
	{
		char		c = data[start - 1];

		if (is_continuation(c))
		{
			int			lead = start - 1;

			while (lead > least && is_continuation(data[lead]))
				lead--;
			if (wide_letter(data, length, lead) != start - lead)
				break;
			start = lead;
		}
		else if (start - 3 >= least && data[start - 3] == '%' && hex_value(data[start - 2]) >= 0 && hex_value(c) >= 0)
		{
			int			decoded = 16 * hex_value(data[start - 2]) + hex_value(c);

			/* A character of its own, not of the address: space, quote, "=" and so on */
			if (decoded < 0x80 && (!is_local_byte((char) decoded) || decoded == '='))
				break;
			start -= 3;
		}
		else if (is_local_byte(c))
			start--;
		else
			break;
	}
	/* a parameter's name goes with what follows it */
	for (int i = start; i < place; i++)
	{
		if (data[i] == '=')
			start = i + 1;
		else if (!is_letter(data[i]) && data[i] != '_' && data[i] != '-')
			break;
	}
	/* Quotes and marks of text, unless there is nothing else. */
	for (int i = start; i < place; i++)
	{
		if (!strchr(".'`*|~{}#!$^%=", data[i]))
			return i;
	}
	return start;
}

/* Bytes of what divides labels at a place: ".", its ideographic forms (RFC 3490, section 3.1), %2E. */
static int
label_dot(const char *data, int length, int place)
{
	if (place >= length)
		return 0;
	if (data[place] == '.')
		return 1;
	if (bytes_at(data, length, place, "%2E", 3) || bytes_at(data, length, place, "%2e", 3) ||
		bytes_at(data, length, place, "\xE3\x80\x82", 3) || bytes_at(data, length, place, "\xEF\xBC\x8E", 3) ||
		bytes_at(data, length, place, "\xEF\xBD\xA1", 3))
		return 3;
	return 0;
}

typedef struct Label
{
	int			start;
	int			end;
	bool		digits;			/* nothing but digits */
	bool		letters;		/* letters only, of any script, or an A-label */
} Label;

static int
read_label(const char *data, int length, int place, Label *label)
{
	label->start = place;
	label->digits = label->letters = true;
	while (place < length)
	{
		char		c = data[place];
		int			bytes = 1;

		if ((uint8) c & 0x80)
		{
			if (label_dot(data, length, place) || (bytes = wide_letter(data, length, place)) == 0)
				break;
			label->digits = false;
		}
		else if (is_digit(c))
			label->letters = false;
		else if (is_letter(c))
			label->digits = false;
		else if (c == '-')
			label->digits = label->letters = false;
		else if (c == '%' && place + 2 < length && hex_value(data[place + 1]) >= 8 && hex_value(data[place + 2]) >= 0)
		{
			/* a byte beyond ASCII */
			bytes = 3;
			label->digits = false;
		}
		else
			break;
		place += bytes;
	}
	while (place > label->start && data[place - 1] == '-')
		place--;
	label->end = place;
	if (place - label->start > 4 && pg_strncasecmp(data + label->start, "xn--", 4) == 0)
		label->letters = true;
	return place;
}

static bool
label_is_among(const char *data, const Label *label, const char *const *names)
{
	for (; *names; names++)
	{
		if (strlen(*names) == label->end - label->start && pg_strncasecmp(data + label->start, *names, label->end - label->start) == 0)
			return true;
	}
	return false;
}

/* Last labels that name no domain: files, units of a system, names within a network. */
static const char *const no_domains[] = {
	"png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "bmp", "tiff", "css", "scss", "less", "json", "jsonl", "yaml", "yml", "xml", "html", "toml",
	"ini", "conf", "cfg", "txt", "log", "csv", "tsv", "md5", "lock", "exe", "dll", "jar", "war", "tar", "tgz", "gz", "bz", "xz", "zst",
	"pdf", "heic", "ico", "mp3", "mp4", "wav", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "woff", "ttf", "otf", "map", "vue", "cpp", "hpp",
	"class", "swift", "php", "bat", "sql", "db", "sqlite", "bak", "tmp", "pyc", "dylib", "bin", "iso", "img", "dmg", "apk", "ipa", "msi", "parquet",
	"avro", "proto", "graphql", "hcl", "patch", "diff", "pem", "crt", "key", "csr",
	"whl", "gem", "deb", "rpm", "tsx", "jsx", "js", "mjs", "cjs", "ts", "git", "service", "socket", "timer", "target", "slice", "scope",
	"mount", "device", "path", NULL
};

/*
 * Names within a network: they are machines, unless the part before "@" is written like a person's
 * name.
 */
static const char *const inner_domains[] = {"local", "localhost", "localdomain", "internal", "lan", "intranet", "home", NULL};

/* What follows a number in a version. */
static const char *const version_tags[] = {
	"alpine", "slim", "bullseye", "bookworm", "buster", "jammy", "focal", "noble", "lts", "beta", "alpha", "rc", "next", "dev", "latest", "canary",
	"final", "release", "snapshot", "stable", "nightly", "edge", "pre", NULL
};

/* "10.33.0", "v4.1.0-rc.next", "20.x.latest", "18.alpine": what follows the name of a package; last: there are but these two. */
static bool
is_version(const char *data, const Label *first, const Label *second, bool last)
{
	int			start = first->start;

	if (start < first->end && ascii_lower(data[start]) == 'v')
		start++;
	if (start == first->end)
		return false;
	for (int i = start; i < first->end; i++)
	{
		if (!is_digit(data[i]))
			return false;
	}
	return is_digit(data[second->start]) || (second->end - second->start == 1 && ascii_lower(data[second->start]) == 'x') ||
		(last && label_is_among(data, second, version_tags));
}

/* The end of the domain that begins at a place; 0 when none does. */
static int
domain_end(const char *data, int length, int place, bool person)
{
	Label		labels[2];
	Label		label;
	Label		ends[2];		/* the last two that could end it */
	int			count = 0;
	int			valid_end = 0;

	length = Min(length, place + DOMAIN_BYTES);
	if (place < length && data[place] == '[')
	{
		/* RFC 5321, 4.1.3: the literal of an address */
		int			end = place + 1;

		while (end < length && end - place < 60 && (is_alnum(data[end]) || data[end] == '.' || data[end] == ':' || data[end] == '-'))
			end++;
		return end < length && data[end] == ']' && end - place > 7 &&
			(is_digit(data[place + 1]) || pg_strncasecmp(data + place + 1, "ipv6:", 5) == 0) ? end + 1 : 0;
	}
	for (;;)
	{
		int			dot;

		place = read_label(data, length, place, &label);
		if (label.end == label.start || label.end - label.start > 3 * 63)
			break;
		if (count < 2)
			labels[count] = label;
		ends[count % 2] = label;
		count++;
		dot = label_dot(data, length, place);
		if (dot == 0 || place + dot >= length)
			break;
		place += dot;
	}
	if (count < 2 || is_version(data, &labels[0], &labels[1], count == 2))
		return 0;
	label = ends[(count - 1) % 2];
	if (label.letters && label.end - label.start >= 2 && !label_is_among(data, &label, no_domains) &&
		(person || !label_is_among(data, &label, inner_domains)))
		valid_end = label.end;
	return valid_end;
}

static bool
is_word(const char *data, int start, int end, const char *const *words)
{
	Label		word = {.start = start, .end = end};

	return label_is_among(data, &word, words);
}

/* "ssh -p 22 deploy@host": a login, as the command before it says. */
static bool
follows_remote_command(const char *data, int floor, int place)
{
	static const char *const commands[] = {"ssh", "scp", "sftp", "rsync", "mosh", "autossh", "sshfs", "ssh-copy-id", NULL};

	for (int words = 0; words < 6; words++)
	{
		int			end = place;
		int			start;
		bool		passes = false;

		while (end > floor && data[end - 1] == ' ' && place - end < 4)
			end--;
		for (start = end; start > floor && data[start - 1] > ' ' && end - start < 64; start--)
			passes |= data[start - 1] == '/' || data[start - 1] == '.' || data[start - 1] == '-' || is_digit(data[start - 1]);
		if (start == end || end == place)
			return false;
		while (start < end - 1 && !is_alnum(data[start]) && data[start] != '-')
			start++;
		if (is_word(data, start, end, commands))
			return true;
		if (!passes)
			return false;
		place = start;
	}
	return false;
}

/* "host:path" and "host:22", as scp and ssh take them; behind a mail address a colon ends a word. */
static bool
leads_to_path(const char *data, int length, int place)
{
	int			end = place + 1;
	bool		path = false;
	bool		number = true;

	if (place >= length || data[place] != ':')
		return false;
	while (end < length && data[end] > ' ' && end - place < 128 && data[end] != '"' && data[end] != '\'' && data[end] != ',' && data[end] != ')')
	{
		path |= data[end] == '/' || data[end] == '~' || (data[end] == '.' && end + 1 < length && is_letter(data[end + 1]));
		number &= is_digit(data[end]) || (data[end] == '.' && number);
		end++;
	}
	return end > place + 1 && (path || number);
}

bool
redact_email(const char *data, int length, int floor, int place, int at_bytes, int *start, int *end)
{
	static const char *const services[] = {"git", "hg", "svn", "root", "ubuntu", "ec2-user", "centos", "debian", "vagrant", NULL};

	*start = local_start(data, length, floor, place);
	if (*start == place)
		return false;
	*end = domain_end(data, length, place + at_bytes, memchr(data + *start, '.', place - *start) != NULL);
	if (*end == 0 || is_word(data, *start, place, services) || leads_to_path(data, length, *end))
		return false;
	/* "@scope/name@x" and the part of a URL that says who connects */
	if (bytes_at(data, length, *start - 3, "://", 3))
		return false;
	for (int i = *start - 1; i > floor && *start - i < 64 && data[i] != ' ' && data[i] != '/' && data[i] != '@'; i--)
	{
		if (data[i] == ':' && *start - i <= 1)
		{
			int			user = i;

			while (user > floor && i - user < 64 && (is_alnum(data[user - 1]) || strchr("._~-", data[user - 1] ? data[user - 1] : ' ')))
				user--;
			if (bytes_at(data, length, user - 3, "://", 3))
				return false;
		}
	}
	if (*start >= 1 && data[*start - 1] == '/')
	{
		int			scope = *start - 1;

		while (scope > floor && *start - scope < 64 && (is_alnum(data[scope - 1]) || data[scope - 1] == '-' || data[scope - 1] == '_'))
			scope--;
		if (scope > floor && data[scope - 1] == '@')
			return false;
	}
	return !follows_remote_command(data, floor, *start);
}
