/*
 * log_policy.c
 *		Which logs are known, and which witnesses must have seen a checkpoint.
 */
#include "core/log_policy.h"

#include "core/decimal.h"

typedef struct PolicyReader
{
	LogPolicy  *policy;
	const char *at;				/* in the line, behind what was read */
	const char *end;			/* of the line */
	bool		has_quorum;
} PolicyReader;

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next item of the line; false at its end. */
static bool
next_item(PolicyReader *reader, NoteText *item)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
	item->data = reader->at;
	while (reader->at < reader->end && !is_blank(*reader->at))
		reader->at++;
	item->length = (size_t) (reader->at - item->data);
	return item->length > 0;
}

static bool
is_word(const NoteText *item, const char *word)
{
	return item->length == strlen(word) && memcmp(item->data, word, item->length) == 0;
}

static bool
is_same(const NoteText *a, const NoteText *b)
{
	return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

/* The place of a witness or group that was defined before; -1: there is none. */
static int
find_entry(const LogPolicy *policy, const NoteText *name)
{
	for (size_t i = 0; i < policy->entry_count; i++)
	{
		if (is_same(&policy->entries[i].name, name))
			return (int) i;
	}
	return -1;
}

/* [<url>], and nothing behind it. */
static const char *
read_url(PolicyReader *reader, NoteText *url)
{
	NoteText	more;

	if (!next_item(reader, url))
		url->data = NULL;
	return next_item(reader, &more) ? "there is more on the line than belongs there" : NULL;
}

static const char *
read_log(PolicyReader *reader)
{
	LogPolicy  *policy = reader->policy;
	PolicyLog  *log = &policy->logs[policy->log_count];
	NoteText	vkey;
	const char *error;

	if (policy->log_count == POLICY_LOGS_MOST)
		return "the policy has more than 64 logs";
	if (!next_item(reader, &vkey))
		return "a log needs a verifier key";
	error = note_key_parse(&log->key, vkey.data, vkey.length);
	if (error)
		return error;
	for (size_t i = 0; i < policy->log_count; i++)
	{
		if (memcmp(policy->logs[i].key.fingerprint, log->key.fingerprint, SHA256_LENGTH) == 0)
			return "the log's key is that of another log";
	}
	policy->log_count++;
	return read_url(reader, &log->url);
}

/* Makes room for a witness or a group of this name. */
static const char *
new_entry(PolicyReader *reader, PolicyEntry **entry)
{
	LogPolicy  *policy = reader->policy;
	NoteText	name;

	if (policy->entry_count == POLICY_ENTRIES_MOST)
		return "the policy has more than 256 witnesses and groups";
	if (!next_item(reader, &name))
		return "a witness or a group needs a name";
	if (is_word(&name, "none"))
		return "the name \"none\" is taken";
	if (find_entry(policy, &name) >= 0)
		return "the name is that of another witness or group";
	*entry = &policy->entries[policy->entry_count];
	memset(*entry, 0, sizeof(**entry));
	(*entry)->name = name;
	(*entry)->group = -1;
	return NULL;
}

static const char *
read_witness(PolicyReader *reader)
{
	LogPolicy  *policy = reader->policy;
	PolicyEntry *witness;
	NoteText	vkey;
	const char *error = new_entry(reader, &witness);

	if (error)
		return error;
	if (!next_item(reader, &vkey))
		return "a witness needs a verifier key";
	error = note_key_parse(&witness->key, vkey.data, vkey.length);
	if (error)
		return error;
	if (witness->key.type != NOTE_TYPE_COSIGNATURE && witness->key.type != NOTE_TYPE_COSIGNATURE_ML_DSA)
		return "the key of a witness is not of a type that cosigns";
	for (size_t i = 0; i < policy->entry_count; i++)
	{
		if (!policy->entries[i].is_group &&
			memcmp(policy->entries[i].key.fingerprint, witness->key.fingerprint, SHA256_LENGTH) == 0)
			return "the witness's key is that of another witness";
	}
	policy->entry_count++;
	return read_url(reader, &witness->url);
}

static const char *
read_group(PolicyReader *reader)
{
	LogPolicy  *policy = reader->policy;
	PolicyEntry *group;
	NoteText	threshold;
	NoteText	member;
	uint64_t	least = 1;
	size_t		members = 0;
	const char *error = new_entry(reader, &group);

	if (error)
		return error;
	if (!next_item(reader, &threshold))
		return "a group needs a threshold: all, any, or a number";
	if (!is_word(&threshold, "all") && !is_word(&threshold, "any") &&
		!decimal_read(threshold.data, threshold.length, &least))
		return "a group's threshold is none of all, any, and a number";
	while (next_item(reader, &member))
	{
		int			place = find_entry(policy, &member);

		if (place < 0)
			return "a member of the group is defined on no line before";
		if (policy->entries[place].group >= 0)
			return "a member of the group is one of a group already";
		policy->entries[place].group = (int) policy->entry_count;
		members++;
	}
	if (members == 0)
		return "a group needs a member";
	if (is_word(&threshold, "all"))
		least = members;
	if (least < 1 || least > members)
		return "a group's threshold is not from 1 to the number of its members";
	group->is_group = true;
	group->least = (size_t) least;
	policy->entry_count++;
	return NULL;
}

static const char *
read_quorum(PolicyReader *reader)
{
	NoteText	name;
	NoteText	more;

	if (reader->has_quorum)
		return "the policy has two quorum lines";
	if (!next_item(reader, &name))
		return "a quorum needs a name";
	reader->policy->quorum = find_entry(reader->policy, &name);
	if (reader->policy->quorum < 0 && !is_word(&name, "none"))
		return "the quorum is defined on no line before";
	reader->has_quorum = true;
	return next_item(reader, &more) ? "there is more on the line than belongs there" : NULL;
}

static const char *
read_line(PolicyReader *reader)
{
	NoteText	word;

	for (const char *p = reader->at; p < reader->end; p++)
	{
		if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7F)
			return "the line has a control character";
	}
	if (!next_item(reader, &word) || word.data[0] == '#')
		return NULL;
	if (is_word(&word, "log"))
		return read_log(reader);
	if (is_word(&word, "witness"))
		return read_witness(reader);
	if (is_word(&word, "group"))
		return read_group(reader);
	if (is_word(&word, "quorum"))
		return read_quorum(reader);
	return "the line begins with none of log, witness, group, quorum";
}

const char *
log_policy_parse(LogPolicy *policy, const char *text, size_t length, size_t *line)
{
	PolicyReader reader = {.policy = policy, .at = text};
	const char *end;
	const char *error;

	policy->log_count = 0;
	policy->entry_count = 0;
	policy->quorum = -1;
	*line = 0;
	if (length > POLICY_BYTES_MOST)
		return "the policy is larger than one megabyte";
	if (length == 0)
		return "the policy is empty";
	end = text + length;
	while (reader.at < end)
	{
		const char *newline = memchr(reader.at, '\n', (size_t) (end - reader.at));

		(*line)++;
		reader.end = newline ? newline : end;
		error = read_line(&reader);
		if (error)
			return error;
		reader.at = reader.end + (newline ? 1 : 0);
	}
	return reader.has_quorum ? NULL : "the policy has no quorum line";
}

void
log_policy_judge(const LogPolicy *policy, const SignedNote *note, const Checkpoint *checkpoint,
				 Ed25519Verify verify, PolicyVerdict *verdict)
{
	size_t		counted[POLICY_ENTRIES_MOST] = {0};

	memset(verdict, 0, sizeof(*verdict));
	for (size_t i = 0; i < policy->log_count; i++)
	{
		const PolicyLog *log = &policy->logs[i];
		NoteVerdict said;

		if (!is_same(&log->key.name, &checkpoint->origin))
			continue;
		said = note_verify(note, &log->key, verify, NULL);
		if (said == NOTE_FORGED)
			verdict->forged = log->key.name;
		if (said == NOTE_VERIFIED && !verdict->log)
			verdict->log = log;
	}
	/* A group stands after its members, so that each is complete when it is looked at. */
	for (size_t i = 0; i < policy->entry_count; i++)
	{
		const PolicyEntry *entry = &policy->entries[i];

		if (entry->is_group)
			verdict->witnessed[i] = counted[i] >= entry->least;
		else
		{
			NoteVerdict said = note_verify(note, &entry->key, verify, &verdict->timestamps[i]);

			if (said == NOTE_FORGED)
				verdict->forged = entry->key.name;
			verdict->witnessed[i] = said == NOTE_VERIFIED;
			verdict->witness_count += said == NOTE_VERIFIED;
		}
		if (verdict->witnessed[i] && entry->group >= 0)
			counted[entry->group]++;
	}
	verdict->quorum = policy->quorum < 0 || verdict->witnessed[policy->quorum];
	if (verdict->forged.data)
	{
		verdict->log = NULL;
		verdict->quorum = false;
	}
}
