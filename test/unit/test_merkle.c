/*
 * test_merkle.c
 *		Roots and proofs against the recursive definitions of RFC 6962, section 2.1,
 *		and the cases that transparency-dev/merkle publishes.
 */
#include "check.h"

#include <openssl/evp.h>

#include "core/json_reader.h"
#include "core/merkle.h"

#define MOST_LEAVES 1100

static MerkleHash leaves[MOST_LEAVES];

/* ---------------------------------------------------------------- the definitions, word by word */

static uint64_t
k_of(uint64_t n)
{
	uint64_t	k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH(D[from:to]) */
static void
mth(uint64_t from, uint64_t to, uint8_t *out)
{
	uint64_t	k;
	uint8_t		bytes[65] = {0x01};

	if (to == from)
		sha256_of(out, NULL, 0);
	else if (to - from == 1)
		memcpy(out, leaves[from], MERKLE_HASH_LENGTH);
	else
	{
		k = k_of(to - from);
		mth(from, from + k, bytes + 1);
		mth(from + k, to, bytes + 33);
		sha256_of(out, bytes, sizeof(bytes));
	}
}

/* PATH(m, D[from:to]) */
static int
path(uint64_t m, uint64_t from, uint64_t to, MerkleHash *out)
{
	uint64_t	k;
	int			n;

	if (to - from == 1)
		return 0;
	k = k_of(to - from);
	if (m < k)
	{
		n = path(m, from, from + k, out);
		mth(from + k, to, out[n]);
	}
	else
	{
		n = path(m - k, from + k, to, out);
		mth(from, from + k, out[n]);
	}
	return n + 1;
}

/* SUBPROOF(m, D[from:to], known) */
static int
subproof(uint64_t m, uint64_t from, uint64_t to, bool known, MerkleHash *out)
{
	uint64_t	k;
	int			n;

	if (m == to - from)
	{
		if (known)
			return 0;
		mth(from, to, out[0]);
		return 1;
	}
	k = k_of(to - from);
	if (m <= k)
	{
		n = subproof(m, from, from + k, known, out);
		mth(from + k, to, out[n]);
	}
	else
	{
		n = subproof(m - k, from + k, to, false, out);
		mth(from, from + k, out[n]);
	}
	return n + 1;
}

/* ---------------------------------------------------------------- against ours */

/* Complete subtrees only, inside the tree: anything else was asked for wrongly. */
static bool
read_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH])
{
	uint64_t	size = *(uint64_t *) context;

	if (!CHECK(level >= 0 && level < 62 && ((index + 1) << level) <= size))
		return false;
	mth(index << level, (index + 1) << level, out);
	return true;
}

static bool
no_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH])
{
	return false;
}

static bool
same_hashes(MerkleHash *got, int got_count, MerkleHash *expected, int expected_count)
{
	return got_count == expected_count && memcmp(got, expected, (size_t) got_count * MERKLE_HASH_LENGTH) == 0;
}

static void
check_inclusion(uint64_t size, uint64_t index, const uint8_t *root)
{
	MerkleHash	proof[MERKLE_MAX_HASHES];
	MerkleHash	expected[MERKLE_MAX_HASHES];
	int			count;

	CHECK(merkle_inclusion_proof(size, index, read_node, &size, proof, &count));
	CHECK(same_hashes(proof, count, expected, path(index, 0, size, expected)));
	CHECK(merkle_verify_inclusion(index, size, leaves[index], proof, count, root));

	/* Not with another leaf, place, size or root, a hash less or more, nor one altered. */
	CHECK(!merkle_verify_inclusion(index, size, leaves[index == 0 ? 1 : 0], proof, count, root));
	CHECK(!merkle_verify_inclusion(index + 1, size, leaves[index], proof, count, root));
	CHECK(!merkle_verify_inclusion(index, index, leaves[index], proof, count, root));
	CHECK(!merkle_verify_inclusion(index, size, leaves[index], proof, count, leaves[MOST_LEAVES - 1]));
	CHECK(count == 0 || !merkle_verify_inclusion(index, size, leaves[index], proof, count - 1, root));
	memcpy(proof[count], root, MERKLE_HASH_LENGTH);
	CHECK(!merkle_verify_inclusion(index, size, leaves[index], proof, count + 1, root));
	for (int i = 0; i < count; i++)
	{
		proof[i][i % MERKLE_HASH_LENGTH] ^= 1;
		CHECK(!merkle_verify_inclusion(index, size, leaves[index], proof, count, root));
		proof[i][i % MERKLE_HASH_LENGTH] ^= 1;
	}
	CHECK(count == 0 || !merkle_inclusion_proof(size, index, no_node, NULL, proof, &count));
}

static void
check_consistency(uint64_t old_size, uint64_t size, const uint8_t *root)
{
	MerkleHash	old_root;
	MerkleHash	proof[MERKLE_MAX_HASHES + 1];
	MerkleHash	expected[MERKLE_MAX_HASHES];
	int			count;

	mth(0, old_size, old_root);
	CHECK(merkle_consistency_proof(old_size, size, read_node, &size, proof, &count));
	CHECK(same_hashes(proof, count, expected, old_size == 0 ? 0 : subproof(old_size, 0, size, true, expected)));
	/* About the empty tree nothing is proved. */
	CHECK(merkle_verify_consistency(old_size, size, old_root, root, proof, count) == (old_size > 0));
	if (old_size == 0)
		return;
	CHECK(!merkle_verify_consistency(old_size, size, leaves[MOST_LEAVES - 1], root, proof, count));
	CHECK(!merkle_verify_consistency(old_size, size, old_root, leaves[MOST_LEAVES - 1], proof, count));
	CHECK(old_size == size || !merkle_verify_consistency(size, old_size, root, old_root, proof, count));
	CHECK(count == 0 || !merkle_verify_consistency(old_size, size, old_root, root, proof, count - 1));
	memcpy(proof[count], root, MERKLE_HASH_LENGTH);
	CHECK(!merkle_verify_consistency(old_size, size, old_root, root, proof, count + 1));
	for (int i = 0; i < count; i++)
	{
		proof[i][i % MERKLE_HASH_LENGTH] ^= 1;
		CHECK(!merkle_verify_consistency(old_size, size, old_root, root, proof, count));
		proof[i][i % MERKLE_HASH_LENGTH] ^= 1;
	}
}

static void
check_size(uint64_t size, bool every_place)
{
	MerkleHash	root;
	MerkleHash	got;
	MerkleRange range;

	mth(0, size, root);
	CHECK(merkle_range_load(&range, size, read_node, &size));
	CHECK(range.size == size);
	merkle_range_root(&range, got);
	CHECK(memcmp(got, root, MERKLE_HASH_LENGTH) == 0);
	for (uint64_t i = 0; i < size; i += every_place ? 1 : 1 + (uint64_t) random() % (size / 4))
		check_inclusion(size, i, root);
	for (uint64_t i = 0; i <= size; i += every_place ? 1 : 1 + (uint64_t) random() % (size / 4))
		check_consistency(i, size, root);
}

static void
test_definitions(void)
{
	for (uint64_t size = 0; size <= 40; size++)
		check_size(size, true);
	for (int i = 0; i < 12; i++)
		check_size(41 + (uint64_t) random() % (MOST_LEAVES - 42), false);
	check_size(255, false);
	check_size(256, false);
	check_size(257, false);
	check_size(1024, false);
}

static void
test_growing(void)
{
	MerkleRange by_leaf;
	MerkleRange by_subtree;
	MerkleHash	root;
	MerkleHash	got;
	MerkleHash	node;

	merkle_range_init(&by_leaf);
	merkle_range_init(&by_subtree);
	for (uint64_t size = 0;; size++)
	{
		mth(0, size, root);
		merkle_range_root(&by_leaf, got);
		CHECK(memcmp(got, root, MERKLE_HASH_LENGTH) == 0);
		CHECK(merkle_range_count(&by_leaf) == __builtin_popcountll(size));
		if (size == 300)
			break;
		CHECK(merkle_range_append(&by_leaf, leaves[size]));
		/* The other in pieces of 4: the same wherever both stand. */
		if (size % 4 == 3)
		{
			mth(size - 3, size + 1, node);
			CHECK(merkle_range_append_subtree(&by_subtree, 2, node));
			CHECK(by_leaf.size == by_subtree.size &&
				  memcmp(by_leaf.hashes, by_subtree.hashes, (size_t) merkle_range_count(&by_leaf) * MERKLE_HASH_LENGTH) == 0);
		}
	}
	CHECK(!merkle_range_append_subtree(&by_leaf, 3, node)); /* 300 is no multiple of 8 */
	CHECK(!merkle_range_append_subtree(&by_leaf, -1, node));
	CHECK(!merkle_range_append_subtree(&by_leaf, 63, node));
	CHECK(by_leaf.size == 300);
}

/* ---------------------------------------------------------------- trees that fill no memory */

static MerkleHash equal_nodes[63];

/* Proofs of a tree whose leaves are all the same. */
static bool
read_equal(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH])
{
	uint64_t	size = *(uint64_t *) context;

	if (!CHECK(level >= 0 && level < 63 && index < (size >> level)))
		return false;
	memcpy(out, equal_nodes[level], MERKLE_HASH_LENGTH);
	return true;
}

static void
test_huge(void)
{
	static const uint64_t sizes[] = {MERKLE_MAX_SIZE, MERKLE_MAX_SIZE - 1, UINT64_C(1) << 62, (UINT64_C(1) << 62) + 1, 10000000};
	MerkleHash	proof[MERKLE_MAX_HASHES];
	int			count;

	merkle_leaf_hash("leaf", 4, equal_nodes[0]);
	for (int level = 1; level < 63; level++)
		merkle_node_hash(equal_nodes[level - 1], equal_nodes[level - 1], equal_nodes[level]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		uint64_t	size = sizes[i];
		MerkleRange range;
		MerkleHash	root;

		CHECK(merkle_range_load(&range, size, read_equal, &size));
		merkle_range_root(&range, root);
		CHECK(merkle_range_append(&range, equal_nodes[0]) == (size < MERKLE_MAX_SIZE));
		for (int place = 0; place < 100; place++)
		{
			uint64_t	index = place == 0 ? size - 1 : (((uint64_t) random() << 32) ^ (uint64_t) random()) % size;
			uint64_t	old_size = index + 1;
			MerkleHash	old_root;

			CHECK(merkle_inclusion_proof(size, index, read_equal, &size, proof, &count));
			CHECK(merkle_verify_inclusion(index, size, equal_nodes[0], proof, count, root));
			CHECK(merkle_range_load(&range, old_size, read_equal, &old_size));
			merkle_range_root(&range, old_root);
			CHECK(merkle_consistency_proof(old_size, size, read_equal, &size, proof, &count));
			CHECK(merkle_verify_consistency(old_size, size, old_root, root, proof, count));
		}
	}
	CHECK(!merkle_inclusion_proof(MERKLE_MAX_SIZE + 1, 0, read_equal, NULL, proof, &count));
	CHECK(!merkle_consistency_proof(1, MERKLE_MAX_SIZE + 1, read_equal, NULL, proof, &count));
	CHECK(!merkle_inclusion_proof(0, 0, read_equal, NULL, proof, &count));
	CHECK(!merkle_consistency_proof(2, 1, read_equal, NULL, proof, &count));
}

/* ---------------------------------------------------------------- published cases */

/* 32 bytes of base64; false for whatever is no hash. */
static bool
hash_of(const JsonDocument *document, const JsonNode *node, uint8_t out[MERKLE_HASH_LENGTH])
{
	uint8_t		decoded[48];

	if (node == NULL || node->kind != JSON_STRING || node->length != 44 ||
		EVP_DecodeBlock(decoded, (const unsigned char *) json_string(document, node), 44) != 33)
		return false;
	memcpy(out, decoded, MERKLE_HASH_LENGTH);
	return true;
}

/* From the text: a double does not hold what some of them are. */
static uint64_t
number_of(const JsonDocument *document, const JsonNode *object, const char *name)
{
	const JsonNode *node = json_member(document, object, name, strlen(name));

	return strtoull(json_raw(document, node), NULL, 10);
}

static bool
accepts(const JsonDocument *document, const JsonNode *one, bool inclusion)
{
	const JsonNode *hashes = json_member_literal(document, one, "proof");
	MerkleHash	proof[MERKLE_MAX_HASHES];
	size_t		count = 0;
	MerkleHash	a;
	MerkleHash	b;

	if (hashes->kind == JSON_ARRAY)
		for (const JsonNode *h = json_first(document, hashes); h; h = json_next(document, hashes, h))
			if (count == MERKLE_MAX_HASHES || !hash_of(document, h, proof[count++]))
				return false;
	if (inclusion)
		return hash_of(document, json_member_literal(document, one, "leafHash"), a) &&
			hash_of(document, json_member_literal(document, one, "root"), b) &&
			merkle_verify_inclusion(number_of(document, one, "leafIdx"), number_of(document, one, "treeSize"), a, proof, count, b);
	return hash_of(document, json_member_literal(document, one, "root1"), a) &&
		hash_of(document, json_member_literal(document, one, "root2"), b) &&
		merkle_verify_consistency(number_of(document, one, "size1"), number_of(document, one, "size2"), a, b, proof, count);
}

static void
test_published(const char *path_of_cases, bool inclusion)
{
	const JsonLimits limits = {.max_depth = 10};
	size_t		length;
	char	   *text = check_read_file(path_of_cases, &length);
	JsonDocument document;
	JsonError	error;
	unsigned	refused = 0;
	unsigned	no_hash = 0;

	json_document_init(&document, NULL, NULL);
	if (!json_read(&document, text, length, &limits, &error))
	{
		fprintf(stderr, "%s: %s at %zu\n", path_of_cases, error.message, error.offset);
		exit(2);
	}
	CHECK(json_root(&document)->length == 98);
	for (const JsonNode *one = json_first(&document, json_root(&document)); one; one = json_next(&document, json_root(&document), one))
	{
		const JsonNode *name = json_member_literal(&document, one, "file");
		bool		want_error = json_member_literal(&document, one, "wantErr")->kind == JSON_TRUE;
		const JsonNode *root = inclusion ? json_member_literal(&document, one, "root") : json_member_literal(&document, one, "root2");
		MerkleHash	unused;

		/* There equal sizes pass with any equal roots: ours are of 32 bytes always. */
		if (!want_error && !hash_of(&document, root, unused))
		{
			no_hash++;
			continue;
		}
		refused += want_error;
		if (!CHECK(accepts(&document, one, inclusion) == !want_error))
			fprintf(stderr, "  case %.*s\n", (int) name->length, json_string(&document, name));
	}
	CHECK(refused > 50 && refused < 98);
	CHECK(no_hash == (inclusion ? 0 : 1));
	json_document_free(&document);
	free(text);
}

int
main(void)
{
	srandom(6962);
	for (int i = 0; i < MOST_LEAVES; i++)
		merkle_leaf_hash(&i, sizeof(i), leaves[i]);
	test_definitions();
	test_growing();
	test_huge();
	test_published(VECTORS "/merkle/inclusion.json", true);
	test_published(VECTORS "/merkle/consistency.json", false);
	return check_summary("merkle");
}
