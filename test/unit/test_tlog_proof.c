/*
 * test_tlog_proof.c
 *		Proofs that an entry is in a log: read, written, and what is none.
 */
#include "check.h"

#include "core/tlog_proof.h"

#define HASH "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="
#define NOTE "example.com/fancylog\n109482\n" HASH "\n\n\xE2\x80\x94 example.com/fancylog AAAAAAA=\n"

static const char whole[] = "c2sp.org/tlog-proof@v1\nextra Zm9vYmFy\nindex 73894\n" HASH "\n" HASH "\n\n" NOTE;

static void
test_good(void)
{
	static TlogProof proof;
	ByteBuffer	bytes;

	CHECK(tlog_proof_parse(&proof, whole, strlen(whole)) == NULL);
	CHECK(proof.index == 73894 && proof.hash_count == 2 && proof.checkpoint.size == 109482);
	CHECK(memcmp(proof.hashes[1], proof.checkpoint.root, SHA256_LENGTH) == 0);
	CHECK_TEXT(proof.note.data, proof.note.length, NOTE);
	buffer_init(&bytes, NULL, NULL);
	CHECK(tlog_proof_extra(&bytes, &proof));
	CHECK_TEXT(bytes.data, bytes.length, "foobar");
	bytes.length = 0;
	tlog_proof_write(&bytes, "foobar", 6, proof.index, proof.hashes, proof.hash_count, proof.note.data, proof.note.length);
	CHECK_TEXT(bytes.data, bytes.length, whole);
	bytes.length = 0;

	/* No extra data, no hashes: the only leaf of a tree. */
	CHECK(tlog_proof_parse(&proof, "c2sp.org/tlog-proof@v1\nindex 0\n\n" NOTE, strlen(NOTE) + 32) == NULL);
	CHECK(!proof.has_extra && proof.hash_count == 0 && tlog_proof_extra(&bytes, &proof) && bytes.length == 0);
	tlog_proof_write(&bytes, NULL, 0, 0, NULL, 0, NOTE, strlen(NOTE));
	CHECK_TEXT(bytes.data, bytes.length, "c2sp.org/tlog-proof@v1\nindex 0\n\n" NOTE);
	/* Extra data of no bytes are not none. */
	bytes.length = 0;
	tlog_proof_write(&bytes, "", 0, 0, NULL, 0, NOTE, strlen(NOTE));
	CHECK(tlog_proof_parse(&proof, bytes.data, bytes.length) == NULL && proof.has_extra && proof.extra.length == 0);
	buffer_free(&bytes);

	/* Cut off anywhere, it is none. */
	for (size_t length = 0; length < strlen(whole); length++)
	{
		char	   *part = malloc(length + 1);

		memcpy(part, whole, length);
		CHECK(tlog_proof_parse(&proof, part, length) != NULL);
		free(part);
	}
}

static void
test_wrong(void)
{
	static TlogProof proof;
	static const char *const wrong[] = {
		"c2sp.org/tlog-proof@v2\nindex 0\n\n" NOTE, "c2sp.org/tlog-proof@v1\r\nindex 0\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex 00\n\n" NOTE, "c2sp.org/tlog-proof@v1\nindex -1\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex\n\n" NOTE, "c2sp.org/tlog-proof@v1\nindex 1\textra\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex 0\nextra Zm9v\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nextra Zm9v\nextra Zm9v\nindex 0\n\n" NOTE, "c2sp.org/tlog-proof@v1\nextra Zm9\nindex 0\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex 109482\n\n" NOTE, "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex 0\n" HASH " \n\n" NOTE, "c2sp.org/tlog-proof@v1\nindex 0\n\n\n" NOTE,
		"c2sp.org/tlog-proof@v1\nindex 0\n" NOTE, "c2sp.org/tlog-proof@v1\nindex 0\n\n" NOTE "\n"
	};
	ByteBuffer	bytes;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
	{
		if (!CHECK(tlog_proof_parse(&proof, wrong[i], strlen(wrong[i])) != NULL))
			fprintf(stderr, "  case %zu\n", i);
	}
	/* No tree is higher than 63. */
	buffer_init(&bytes, NULL, NULL);
	buffer_append_literal(&bytes, "c2sp.org/tlog-proof@v1\nindex 0\n");
	for (int i = 0; i < TLOG_PROOF_HASHES_MOST; i++)
		buffer_append_literal(&bytes, HASH "\n");
	buffer_append_literal(&bytes, "\n" NOTE);
	CHECK(tlog_proof_parse(&proof, bytes.data, bytes.length) == NULL);
	bytes.length -= strlen("\n" NOTE);
	buffer_append_literal(&bytes, HASH "\n\n" NOTE);
	CHECK(tlog_proof_parse(&proof, bytes.data, bytes.length) != NULL);
	buffer_free(&bytes);
}

int
main(void)
{
	test_good();
	test_wrong();
	return check_summary("tlog_proof");
}
