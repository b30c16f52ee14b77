/*
 * test_log_policy.c
 *		Policies of logs and witnesses: what is read, what is refused, and who makes a quorum.
 */
#include "check.h"

#include <sodium.h>

#include "core/log_policy.h"

#define WITNESSES 6
#define ORIGIN "log.example/reason/default"

static const char *const names[WITNESSES] = {"X1", "X2", "X3", "Y1", "Y2", "Y3"};
static const char text[] = ORIGIN "\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
static uint8_t secrets[WITNESSES + 1][64];
static char vkeys[WITNESSES + 1][200];	/* the last is the log's */

static LogPolicy policy;
static SignedNote note;
static Checkpoint checkpoint;
static PolicyVerdict verdict;

static bool
verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
	return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

static const char *
witness_name(int i)
{
	static char name[40];

	snprintf(name, sizeof(name), "witness.example/%d", i);
	return i < WITNESSES ? name : ORIGIN;
}

static void
make_keys(void)
{
	for (int i = 0; i <= WITNESSES; i++)
	{
		const uint8_t seed[32] = {(uint8_t) i};
		uint8_t		public_key[32];
		ByteBuffer	vkey;

		crypto_sign_seed_keypair(public_key, secrets[i], seed);
		buffer_init(&vkey, NULL, NULL);
		note_key_write(&vkey, witness_name(i), strlen(witness_name(i)), i < WITNESSES ? NOTE_TYPE_COSIGNATURE : NOTE_TYPE_ED25519,
					   public_key);
		snprintf(vkeys[i], sizeof(vkeys[i]), "%.*s", (int) vkey.length, vkey.data);
		buffer_free(&vkey);
	}
}

static void
append_signature(ByteBuffer *out, int i)
{
	uint8_t		signature[64];
	uint8_t		cosignature[COSIGNATURE_LENGTH];
	uint8_t		key_id[NOTE_KEY_ID_LENGTH];
	ByteBuffer	message;

	buffer_init(&message, NULL, NULL);
	if (i < WITNESSES)
		cosignature_message(&message, 1700000000 + (uint64_t) i, text, strlen(text));
	else
		buffer_append(&message, text, strlen(text));
	crypto_sign_detached(signature, NULL, (const uint8_t *) message.data, message.length, secrets[i]);
	cosignature_write(cosignature, 1700000000 + (uint64_t) i, signature);
	note_key_id(key_id, witness_name(i), strlen(witness_name(i)), i < WITNESSES ? NOTE_TYPE_COSIGNATURE : NOTE_TYPE_ED25519,
				secrets[i] + 32, 32);
	note_append_signature(out, witness_name(i), strlen(witness_name(i)), key_id, i < WITNESSES ? cosignature : signature,
						  i < WITNESSES ? sizeof(cosignature) : sizeof(signature));
	buffer_free(&message);
}

/* The checkpoint with signatures of the witnesses whose bits are set, and perhaps the log's. */
static void
judge(unsigned who, bool log)
{
	static ByteBuffer bytes;	/* what was parsed points into it */

	free(bytes.data);
	buffer_init(&bytes, NULL, NULL);
	note_begin(&bytes, text, strlen(text));
	if (log)
		append_signature(&bytes, WITNESSES);
	for (int i = 0; i < WITNESSES; i++)
	{
		if (who >> i & 1)
			append_signature(&bytes, i);
	}
	if (!log && who == 0)
		buffer_append_literal(&bytes, "\xE2\x80\x94 somebody AAAAAAA=\n");
	CHECK(note_parse(&note, bytes.data, bytes.length) == NULL);
	CHECK(checkpoint_parse(&checkpoint, note.text.data, note.text.length) == NULL);
	log_policy_judge(&policy, &note, &checkpoint, verify, &verdict);
}

static char policy_text[8000];

static const char *
parse(const char *form)
{
	size_t		line;

	snprintf(policy_text, sizeof(policy_text), "%s", form);
	return log_policy_parse(&policy, policy_text, strlen(policy_text), &line);
}

/* The example of the specification: two of X1 to X3, and one of Y1 to Y3. */
static void
test_quorum(void)
{
	char		form[4000];
	size_t		length;

	length = (size_t) snprintf(form, sizeof(form), "# a policy\n\n  log %s https://log.example/\n", vkeys[WITNESSES]);
	for (int i = 0; i < WITNESSES; i++)
		length += (size_t) snprintf(form + length, sizeof(form) - length, "witness\t%s %s \n", names[i], vkeys[i]);
	snprintf(form + length, sizeof(form) - length, "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n"
			 "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n");
	CHECK(parse(form) == NULL);
	CHECK(policy.log_count == 1 && policy.entry_count == WITNESSES + 3 && policy.quorum == WITNESSES + 2);
	CHECK_TEXT(policy.logs[0].url.data, policy.logs[0].url.length, "https://log.example/");
	for (unsigned who = 0; who < 1 << WITNESSES; who++)
	{
		judge(who, who % 2 == 0);
		CHECK((verdict.log != NULL) == (who % 2 == 0));
		CHECK(verdict.quorum == (__builtin_popcount(who & 7) >= 2 && (who >> 3) != 0));
		CHECK(verdict.witness_count == (size_t) __builtin_popcount(who));
		for (int i = 0; i < WITNESSES; i++)
			CHECK(verdict.timestamps[i] == ((who >> i & 1) ? 1700000000 + (uint64_t) i : 0));
	}

	/* A known key's line that does not verify spoils all of it, a log's or a witness's. */
	judge(0x3F, true);
	CHECK(verdict.log && verdict.quorum && !verdict.forged.data);
	note.signatures[0].bytes[3] ^= 1;
	log_policy_judge(&policy, &note, &checkpoint, verify, &verdict);
	CHECK_TEXT(verdict.forged.data, verdict.forged.length, ORIGIN);
	CHECK(!verdict.log && !verdict.quorum);
	note.signatures[0].bytes[3] ^= 1;
	note.signatures[3].bytes[30] ^= 1;
	log_policy_judge(&policy, &note, &checkpoint, verify, &verdict);
	CHECK_TEXT(verdict.forged.data, verdict.forged.length, "witness.example/2");
	CHECK(!verdict.log && !verdict.quorum);

	/* The log's name is the origin: the same key under another name signs nothing. */
	note.signatures[3].bytes[30] ^= 1;
	checkpoint.origin.length--;
	log_policy_judge(&policy, &note, &checkpoint, verify, &verdict);
	CHECK(!verdict.log && verdict.quorum);
}

static void
test_small(void)
{
	char		form[1000];

	/* No witnesses asked for; no logs, which are known from elsewhere; no newline at the end. */
	CHECK(parse("quorum none") == NULL && policy.log_count == 0 && policy.quorum == -1);
	judge(0, true);
	CHECK(!verdict.log && verdict.quorum);
	snprintf(form, sizeof(form), "witness w %s\nquorum w\n", vkeys[0]);
	CHECK(parse(form) == NULL);
	judge(0, true);
	CHECK(!verdict.quorum);
	judge(1, true);
	CHECK(verdict.quorum);
	/* Names are octets: these two differ. */
	snprintf(form, sizeof(form), "witness K %s\nwitness \xE2\x84\xAA %s\nwitness \xFF %s\nquorum \xE2\x84\xAA\n", vkeys[0], vkeys[1], vkeys[2]);
	CHECK(parse(form) == NULL && policy.quorum == 1);
	/* A witness by ML-DSA-44 can be named; nobody here verifies what it says. */
	CHECK(parse("witness w w.example+00000000+BgAA\nquorum w\n") == NULL);
	judge(1, true);
	CHECK(!verdict.quorum && !verdict.forged.data);
}

static void
test_refused(void)
{
	/* %s: a witness's key, another's, the log's */
	static const char *const wrong[] = {
		"", "# nothing\n", "quorum\n", "quorum w\n", "quorum none none\n", "quorum none\nquorum none\n", "witness w\nquorum none\n",
		"witness w %s\nwitness w %s\nquorum w\n", "witness v %s\nwitness w %1$s\nquorum w\n", "witness none %s\nquorum none\n",
		"witness w %3$s\nquorum w\n", "log %3$s\nlog %3$s\nquorum none\n", "log\nquorum none\n", "log x\nquorum none\n",
		"log %3$s https://a b\nquorum none\n", "witness w %s https://a b\nquorum none\n", "quorum w\nwitness w %s\n",
		"group g any w\nwitness w %s\nquorum g\n", "witness w %s\ngroup g any w w\nquorum g\n", "witness w %s\ngroup g 0 w\nquorum g\n",
		"witness w %s\ngroup g 2 w\nquorum g\n", "witness w %s\ngroup g 01 w\nquorum g\n", "witness w %s\ngroup g -1 w\nquorum g\n",
		"witness w %s\ngroup g any\nquorum g\n", "witness w %s\ngroup g\nquorum g\n", "witness w %s\ngroup g some w\nquorum g\n",
		"witness w %s\ngroup g any w\ngroup h any w\nquorum g\n", "witness w %s\ngroup g any g\nquorum g\n",
		"witness w %s\ngroup w any w\nquorum w\n", "witness w %s\ngroup g any none\nquorum g\n", "witness w %s\ngroup none any w\nquorum w\n",
		"Log %3$s\nquorum none\n", "logs\nquorum none\n", "quorum none\r\n", "quorum none\x0c\n", "quorum none\x7f\n", "quorum\xc2\xa0none\n",
		"# \x01\nquorum none\n"
	};
	char		form[2000];
	size_t		line;
	ByteBuffer	many;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		int			at = 0;

		/* each form with the keys that it names */
		form[0] = '\0';
		for (const char *p = wrong[i], *q; *p; p = q)
		{
			int			which = strncmp(p, "%1$s", 4) == 0 ? 0 : strncmp(p, "%3$s", 4) == 0 ? WITNESSES : at;

			q = p + 1;
			if (*p != '%')
			{
				strncat(form, p, 1);
				continue;
			}
			q = strchr(p, 's') + 1;
			strcat(form, vkeys[which]);
			at++;
		}
		if (!CHECK(parse(form) != NULL))
			fprintf(stderr, "  case %zu: %s\n", i, form);
	}
	CHECK(log_policy_parse(&policy, "quorum\0none\n", 12, &line) != NULL && line == 1);
	CHECK(log_policy_parse(&policy, "\n\nquorum x\n", 11, &line) != NULL && line == 3);

	/* As many as may be, and one more. */
	buffer_init(&many, NULL, NULL);
	for (int i = 0; i <= POLICY_ENTRIES_MOST; i++)
	{
		if (i == POLICY_ENTRIES_MOST)
		{
			buffer_append_literal(&many, "quorum none\n");
			CHECK(log_policy_parse(&policy, many.data, many.length, &line) == NULL);
		}
		if (i == 0)
			snprintf(form, sizeof(form), "witness g0 %s\n", vkeys[0]);
		else
			snprintf(form, sizeof(form), "group g%d any g%d\n", i, i - 1);
		buffer_append(&many, form, strlen(form));
	}
	CHECK(log_policy_parse(&policy, many.data, many.length, &line) != NULL);
	buffer_free(&many);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 2;
	make_keys();
	test_quorum();
	test_small();
	test_refused();
	return check_summary("log_policy");
}
