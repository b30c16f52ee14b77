/*
 * fuzz_log.c
 *		A good log of tiles, or a good proof, altered: what is verified says what it
 *		said before.
 *
 * The input is a program of alterations: which file, what is done to it, where and
 * with which bytes.  The log's files are in memory, in place of what the verifier
 * reads from folders and servers.
 */
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "core/canonical.h"
#include "core/tlog_proof.h"
#include "log.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ORIGIN "log.example/reason/default"
#define LEAVES 300
#define PROVED 277
#define FILES_MOST 8
#define ALTERATIONS_MOST 6

typedef struct
{
	const char *path;
	ByteBuffer	good;
	ByteBuffer	now;
	bool		gone;
} File;

static File files[FILES_MOST];
static size_t file_count;
static File proof_file = {.path = "proof"};
static Registry registry;
static uint8_t leaves[LEAVES][SHA256_LENGTH];

/* ---------------------------------------------------------------- what is good */

static File *
add_file(const char *path)
{
	MUST(file_count < FILES_MOST);
	files[file_count].path = path;
	buffer_init(&files[file_count].good, NULL, NULL);
	return &files[file_count++];
}

static bool
node(void *context, int level, uint64_t index, uint8_t out[SHA256_LENGTH])
{
	MerkleRange range;

	(void) context;
	merkle_range_init(&range);
	for (uint64_t i = 0; i < UINT64_C(1) << level; i++)
		merkle_range_append(&range, leaves[(index << level) + i]);
	merkle_range_root(&range, out);
	return true;
}

static void
sign_note(ByteBuffer *out, const uint8_t root[SHA256_LENGTH], const uint8_t public_key[32], const uint8_t secret_key[64])
{
	ByteBuffer	text;
	uint8_t		signature[64];
	uint8_t		key_id[NOTE_KEY_ID_LENGTH];

	buffer_init(&text, NULL, NULL);
	checkpoint_text(&text, ORIGIN, strlen(ORIGIN), LEAVES, root);
	crypto_sign_detached(signature, NULL, (const uint8_t *) text.data, text.length, secret_key);
	note_key_id(key_id, ORIGIN, strlen(ORIGIN), NOTE_TYPE_ED25519, public_key, 32);
	note_begin(out, text.data, text.length);
	note_append_signature(out, ORIGIN, strlen(ORIGIN), key_id, signature, sizeof(signature));
	buffer_free(&text);
}

/* The event that is proved, in canonical JSON, and its hash. */
static void
make_event(ByteBuffer *out, uint8_t hash[SHA256_LENGTH], const uint8_t secret_key[64])
{
	static const char payload[] = "{\"division\":\"default\",\"eventType\":\"test.event\",\"id\":\"a\",\"ts\":\"2026-11-23T16:15:27.000000Z\"}";
	static const uint8_t previous[SHA256_LENGTH] = {1};
	char		text[2000],
				hex[2][SHA256_LENGTH * 2 + 1],
				base64[100];
	uint8_t		signature[64];
	int			length;

	sha256_of_two(hash, payload, sizeof(payload) - 1, previous, sizeof(previous));
	crypto_sign_detached(signature, NULL, hash, SHA256_LENGTH, secret_key);
	encode_hex(hex[0], hash, SHA256_LENGTH);
	encode_hex(hex[1], previous, SHA256_LENGTH);
	sodium_bin2base64(base64, sizeof(base64), signature, sizeof(signature), sodium_base64_VARIANT_ORIGINAL);
	length = snprintf(text, sizeof(text), "{\"division\":\"default\",\"eventType\":\"test.event\",\"hash\":\"%s\",\"id\":\"a\",\"payload\":%s,"
					  "\"prevHash\":\"%s\",\"seq\":%d,\"signature\":\"%s\",\"signerId\":\"events\",\"ts\":\"2026-11-23T16:15:27.000000Z\"}",
					  hex[0], payload, hex[1], PROVED, base64);
	MUST(length > 0 && length < (int) sizeof(text));
	buffer_append(out, text, (size_t) length);
}

static void
make_registry(const uint8_t events[32], const uint8_t log[32])
{
	static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	char		text[1000],
				keys[2][100];
	ByteBuffer	error;

	for (int i = 0; i < 2; i++)
	{
		uint8_t		spki[sizeof(prefix) + 32];

		memcpy(spki, prefix, sizeof(prefix));
		memcpy(spki + sizeof(prefix), i ? log : events, 32);
		sodium_bin2base64(keys[i], sizeof(keys[i]), spki, sizeof(spki), sodium_base64_VARIANT_ORIGINAL);
	}
	snprintf(text, sizeof(text), "{\"signers\":[{\"signerId\":\"events\",\"algorithm\":\"ed25519\",\"status\":\"active\",\"publicKey\":\"%s\"},"
			 "{\"signerId\":\"log\",\"algorithm\":\"ed25519\",\"status\":\"active\",\"purpose\":\"checkpoints\",\"publicKey\":\"%s\"}]}", keys[0], keys[1]);
	buffer_init(&error, NULL, NULL);
	MUST(registry_read(&registry, text, strlen(text), &error));
}

static void
make_good(void)
{
	const uint8_t seeds[2][32] = {{1}, {2}};
	uint8_t		public_key[2][32],
				secret_key[2][64],
				hash[SHA256_LENGTH],
				entry[SHA256_LENGTH],
				root[SHA256_LENGTH];
	File	   *bundles[2],
			   *tiles[2],
			   *upper,
			   *checkpoint;
	ByteBuffer	event;
	MerkleHash	path[MERKLE_MAX_HASHES];
	int			count;

	MUST(sodium_init() >= 0);
	for (int i = 0; i < 2; i++)
		crypto_sign_seed_keypair(public_key[i], secret_key[i], seeds[i]);
	make_registry(public_key[0], public_key[1]);
	buffer_init(&event, NULL, NULL);
	make_event(&event, hash, secret_key[0]);
	checkpoint = add_file("checkpoint");
	bundles[0] = add_file("tile/entries/000");
	bundles[1] = add_file("tile/entries/001.p/44");
	tiles[0] = add_file("tile/0/000");
	tiles[1] = add_file("tile/0/001.p/44");
	upper = add_file("tile/1/000.p/1");
	for (int i = 0; i < LEAVES; i++)
	{
		memset(entry, i, sizeof(entry));
		if (i == PROVED)
			memcpy(entry, hash, sizeof(entry));
		merkle_leaf_hash(entry, sizeof(entry), leaves[i]);
		buffer_append(&bundles[i / 256]->good, "\0\x20", 2);
		buffer_append(&bundles[i / 256]->good, entry, sizeof(entry));
		buffer_append(&tiles[i / 256]->good, leaves[i], SHA256_LENGTH);
	}
	node(NULL, 8, 0, root);
	buffer_append(&upper->good, root, SHA256_LENGTH);
	MUST(merkle_inclusion_proof(LEAVES, PROVED, node, NULL, path, &count));
	{
		MerkleRange range;

		merkle_range_init(&range);
		for (int i = 0; i < LEAVES; i++)
			merkle_range_append(&range, leaves[i]);
		merkle_range_root(&range, root);
	}
	sign_note(&checkpoint->good, root, public_key[1], secret_key[1]);
	buffer_init(&proof_file.good, NULL, NULL);
	tlog_proof_write(&proof_file.good, event.data, event.length, PROVED, (const uint8_t(*)[SHA256_LENGTH])path, (size_t) count,
					 checkpoint->good.data, checkpoint->good.length);
	buffer_free(&event);
}

/* ---------------------------------------------------------------- in place of folders and servers */

bool
input_is_remote(const char *location)
{
	(void) location;
	return true;
}

bool
input_read_limited(Input *input, const char *location, size_t most, ByteBuffer *error)
{
	memset(input, 0, sizeof(*input));
	buffer_init(&input->bytes, NULL, NULL);
	MUST(strncmp(location, "log/", 4) == 0);
	for (size_t i = 0; i < file_count; i++)
	{
		if (strcmp(files[i].path, location + 4) == 0 && !files[i].gone && files[i].now.length <= most)
		{
			buffer_append(&input->bytes, files[i].now.data, files[i].now.length);
			return true;
		}
	}
	buffer_append_literal(error, "no such file");
	return false;
}

void
input_free(Input *input)
{
	buffer_free(&input->bytes);
}

/* ---------------------------------------------------------------- altering */

typedef struct
{
	const uint8_t *at;
	const uint8_t *end;
} Program;

static unsigned
next_byte(Program *program)
{
	return program->at < program->end ? *program->at++ : 0;
}

static void
alter(File *file, Program *program)
{
	unsigned	what = next_byte(program) % 6;
	size_t		place = next_byte(program) | next_byte(program) << 8;
	size_t		count = next_byte(program);
	const char *from = file->now.data ? file->now.data : "";
	ByteBuffer	made;

	place = file->now.length ? place % (file->now.length + 1) : 0;
	count = count < file->now.length - place ? count : file->now.length - place;
	buffer_init(&made, NULL, NULL);
	switch (what)
	{
		case 0:					/* a bit or more of a byte */
			if (place < file->now.length)
				file->now.data[place] = (char) (file->now.data[place] ^ next_byte(program));
			return;
		case 1:
			file->now.length = place;
			return;
		case 2:
			file->gone = true;
			return;
		case 3:					/* bytes put in, out of the program */
			buffer_append(&made, from, place);
			for (size_t i = 0; i < 1 + count % 120; i++)
				buffer_append_char(&made, (char) next_byte(program));
			buffer_append(&made, from + place, file->now.length - place);
			break;
		case 4:					/* bytes taken out */
			buffer_append(&made, from, place);
			buffer_append(&made, from + place + count, file->now.length - place - count);
			break;
		default:				/* bytes twice */
			buffer_append(&made, from, place + count);
			buffer_append(&made, from + place, file->now.length - place);
	}
	buffer_free(&file->now);
	file->now = made;
}

static bool
is_as_before(const File *file)
{
	return !file->gone && file->now.length == file->good.length &&
		(file->now.length == 0 || memcmp(file->now.data, file->good.data, file->now.length) == 0);
}

/* The same but for signatures of strangers, which nobody looks at. */
static bool
has_same_text(const char *note, size_t length)
{
	static SignedNote now;
	static SignedNote good;

	return note_parse(&now, note, length) == NULL && note_parse(&good, files[0].good.data, files[0].good.length) == NULL &&
		now.text.length == good.text.length && memcmp(now.text.data, good.text.data, good.text.length) == 0;
}

static Verdict
end_report(Report *report)
{
	Verdict		verdict = report_verdict(report);
	ByteBuffer	json;

	MUST(report->count > 0);
	buffer_init(&json, NULL, NULL);
	report_write_json(&json, report);
	buffer_free(&json);
	report_free(report);
	return verdict;
}

static void
try_log(void)
{
	const LogTrust trust = {.registry = &registry};
	Heads		heads = {0};
	Report		report;
	bool		same = true;

	report_init(&report, "log/", "log");
	verify_log(&report, &trust, &heads, NULL, "log/");
	heads_free(&heads);
	for (size_t i = 1; i < file_count; i++)
		same = same && is_as_before(&files[i]);
	same = same && !files[0].gone && has_same_text(files[0].now.data, files[0].now.length);
	if (end_report(&report) == VERDICT_VERIFIED)
		MUST(same);
	else
		MUST(!same || !is_as_before(&files[0]));
}

static void
try_proof(void)
{
	const LogTrust trust = {.registry = &registry};
	static TlogProof now;
	static TlogProof good;
	Heads		heads = {0};
	Report		report;

	report_init(&report, "proof", "proof");
	verify_proof(&report, &trust, &heads, proof_file.now.data ? proof_file.now.data : "", proof_file.now.length);
	heads_free(&heads);
	if (end_report(&report) != VERDICT_VERIFIED)
	{
		MUST(!is_as_before(&proof_file));
		return;
	}
	MUST(tlog_proof_parse(&now, proof_file.now.data, proof_file.now.length) == NULL);
	MUST(tlog_proof_parse(&good, proof_file.good.data, proof_file.good.length) == NULL);
	MUST(now.index == good.index && has_same_text(now.note.data, now.note.length));
	MUST(now.hash_count == good.hash_count && memcmp(now.hashes, good.hashes, sizeof(now.hashes)) == 0);
}

static void
restore(File *file)
{
	buffer_free(&file->now);
	buffer_init(&file->now, NULL, NULL);
	buffer_append(&file->now, file->good.data, file->good.length);
	file->gone = false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Program		program = {data, data + size};
	bool		log_altered = size == 0;
	bool		proof_altered = size == 0;

	if (file_count == 0)
		make_good();
	restore(&proof_file);
	for (size_t i = 0; i < file_count; i++)
		restore(&files[i]);
	for (int i = 0; i < ALTERATIONS_MOST && program.at < program.end; i++)
	{
		unsigned	which = next_byte(&program) % (unsigned) (file_count + 1);

		alter(which < file_count ? &files[which] : &proof_file, &program);
		log_altered = log_altered || which < file_count;
		proof_altered = proof_altered || which == file_count;
	}
	if (log_altered)
		try_log();
	if (proof_altered && !proof_file.gone)
		try_proof();
	return 0;
}
