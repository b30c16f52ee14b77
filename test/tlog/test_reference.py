"""The reference in test/lib/tlog_reference.py and the libraries of others hold each other: what it makes they take, and
nothing else. So what our programs make may be measured by it.
"""
import base64
import binascii
import json
import pathlib
import random
import subprocess

import pytest

from tlog_others import Omniwitness
from tlog_reference import (COSIGNATURE, Log, NoteKey, base64_of, check_consistency, check_inclusion, leaf_hash, proof_text, random_entries,
                            signatures)

ENTRIES = 70_000                    # 273 full tiles of leaves, and three levels
SIZES = (1, 2, 3, 255, 256, 257, 511, 65_535, 65_536, 65_537, ENTRIES)


@pytest.fixture(scope="module")
def log():
    return Log(entries=random_entries(ENTRIES))


@pytest.fixture(scope="module")
def witnesses():
    return [NoteKey(f"witness{number}.example", f"witness {number}".encode(), COSIGNATURE) for number in range(3)]


def altered(data, rng, count):
    """The same bytes with one bit of one of them turned, so many times: each where it is."""
    for _ in range(count):
        place = rng.randrange(len(data))
        yield place, data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1:]


def decoded(text):
    """Lines with what their last word says in base64, if it does."""
    for line in text.splitlines():
        try:
            yield line.rpartition(" ")[0], base64.b64decode(line.rpartition(" ")[2], validate=True)
        except binascii.Error:
            yield line


def altered_texts(text, seed, count):
    """The same text with one bit turned, so many times: where it is still a text, and says something else. (The libraries
    take base64 whose last, unused bits are not zero.)"""
    for place, data in altered(text.encode(), random.Random(seed), count):
        try:
            wrong = data.decode()
        except UnicodeDecodeError:
            continue
        if list(decoded(wrong)) != list(decoded(text)):
            yield place, wrong


def test_every_root(libraries, log):
    leaves = log.tree.leaves[:1100]
    answer = libraries(do="roots", leaves=[base64_of(leaf) for leaf in leaves])
    assert answer["error"] == ""
    ours = [base64_of(log.tree.root(size)) for size in range(1, len(leaves) + 1)]
    assert answer["sumdb"] == ours and answer["merkle"] == ours


def test_inclusion_proofs(libraries, sigstore, log):
    rng = random.Random(1)
    for size in SIZES:
        for index in {0, size - 1, rng.randrange(size), rng.randrange(size)}:
            proof, leaf, root = log.tree.inclusion(index, size), log.tree.leaves[index], log.tree.root(size)
            assert check_inclusion(index, size, leaf_hash(leaf), proof, root)
            asked = {"do": "inclusion", "index": index, "size": size, "leaf": base64_of(leaf), "root": base64_of(root),
                     "hashes": [base64_of(node) for node in proof]}
            assert libraries(**asked) == {"sumdb": "", "merkle": ""}
            assert sigstore(**asked) == {"sigstore": ""}
            for wrong in ({"leaf": base64_of(b"x" * 32)}, {"root": base64_of(b"x" * 32)}, {"index": size},
                          {"hashes": asked["hashes"] + [base64_of(b"x" * 32)]}):
                refused = {**libraries(**{**asked, **wrong}), **sigstore(**{**asked, **wrong})}
                assert all(refused.values()), (wrong, refused)


def test_consistency_proofs(libraries, log):
    rng = random.Random(2)
    for size in SIZES:
        for old in {1, size, (size + 1) // 2, rng.randrange(1, size + 1), rng.randrange(1, size + 1)}:
            proof = log.tree.consistency(old, size)
            assert check_consistency(old, size, log.tree.root(old), log.tree.root(size), proof)
            asked = {"do": "consistency", "old": old, "size": size, "old_root": base64_of(log.tree.root(old)), "root": base64_of(log.tree.root(size)),
                     "hashes": [base64_of(node) for node in proof]}
            assert libraries(**asked) == {"sumdb": "", "merkle": ""}, (old, size)
            for wrong in ({"old_root": base64_of(b"x" * 32)}, {"root": base64_of(b"x" * 32)}, {"hashes": asked["hashes"] + [base64_of(b"x" * 32)]}):
                refused = libraries(**{**asked, **wrong})
                assert all(refused.values()), (wrong, refused)


def vectors(directory, kind):
    """What transparency-dev/merkle publishes beside its code."""
    module = subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", "github.com/transparency-dev/merkle"], cwd=directory, check=True,
                            capture_output=True, text=True).stdout.strip()
    return [json.loads(path.read_text()) for path in sorted(pathlib.Path(module, "testdata", kind).rglob("*.json"))]


def test_published_vectors(witness_programs):
    """Its checks judge the vectors of transparency-dev/merkle as they say."""
    decoded = base64.b64decode
    inclusions, consistencies = vectors(witness_programs, "inclusion"), vectors(witness_programs, "consistency")
    assert len(inclusions) == 98 and len(consistencies) == 98
    for one in inclusions:
        taken = check_inclusion(one["leafIdx"], one["treeSize"], decoded(one["leafHash"]), [decoded(node) for node in one["proof"] or []], decoded(one["root"]))
        assert taken is not one["wantErr"], one["desc"]
    for one in consistencies:
        taken = check_consistency(one["size1"], one["size2"], decoded(one["root1"]), decoded(one["root2"]), [decoded(node) for node in one["proof"] or []])
        assert taken is not one["wantErr"], one["desc"]


def test_checkpoints(libraries, sigstore, log, witnesses):
    note = log.checkpoint(cosigners=witnesses)
    asked = {"do": "note", "log": log.key.vkey, "witnesses": [witness.vkey for witness in witnesses]}
    assert libraries(note=note, **asked) == {"sumdb": "", "formats": "", "torchwood": ""}
    assert sigstore(note=note, **asked) == {"sigstore": ""}
    assert all(len(signatures(note, key.vkey)) == 1 for key in [log.key, *witnesses])
    for place, wrong in altered_texts(note, 3, 150):
        refused = libraries(note=wrong, **asked)
        assert refused["torchwood"] and refused["formats"], (place, refused)


def test_proofs_and_policies(libraries, log, witnesses):
    names = [f"witness w{number} {witness.vkey}\n" for number, witness in enumerate(witnesses)]
    policy = f"log {log.key.vkey}\n" + "".join(names) + "group two 2 w0 w1 w2\nquorum two\n"
    leaf = base64_of(log.tree.leaves[4711])
    asked = {"do": "proof", "policy": policy, "leaf": leaf}
    proof = proof_text(log.tree, 4711, log.checkpoint(cosigners=witnesses[:2]), b"what is proved")
    assert libraries(proof=proof, **asked) == {"torchwood": ""}
    assert libraries(proof=proof_text(log.tree, 4711, log.checkpoint(cosigners=witnesses[2:])), **asked)["torchwood"]
    extra = proof.encode().index(b"extra "), proof.encode().index(b"index ")
    for place, wrong in altered_texts(proof, 4, 150):
        if not extra[0] <= place < extra[1]:
            assert libraries(proof=wrong, **asked)["torchwood"], place


@pytest.fixture
def published(log, witnesses, tmp_path):
    log.publish(tmp_path, 1000, witnesses)
    return tmp_path


@pytest.mark.parametrize("size", (1, 256, 257, 1000))
def test_tiles(libraries, log, tmp_path, size):
    log.publish(tmp_path, size)
    asked = {"base": str(tmp_path), "log": log.key.vkey}
    assert libraries(do="tiles", **asked) == {"sumdb": "", "size": size}
    entries = libraries(do="entries", **asked)
    assert entries == {"torchwood": "", "entries": [base64_of(entry) for entry in log.tree.leaves[:size]]}
    assert libraries(do="fsck", seconds=20, **asked) == {"tessera": ""}


def test_altered_tiles(libraries, log, published):
    asked = {"base": str(published), "log": log.key.vkey}
    files = sorted(path for path in (published / "tile").rglob("*") if path.is_file())
    rng = random.Random(5)
    for path in files:
        whole = path.read_bytes()
        for place, wrong in altered(whole, rng, 2):
            path.write_bytes(wrong)
            refused = {**libraries(do="tiles", **asked), **libraries(do="fsck", seconds=2, **asked)}
            assert refused["sumdb"] and refused["tessera"], (path, place, refused)
        path.write_bytes(whole)
    assert libraries(do="fsck", seconds=20, **asked) == {"tessera": ""}


def test_omniwitness(witness_programs, feed, libraries, log, tmp_path):
    """The witness of others cosigns the reference's log, and no other."""
    witness = Omniwitness(witness_programs / "witness", tmp_path, [log.key.vkey]).start()
    old, note = 0, ""
    for size in (5, 1000, ENTRIES):
        note = log.checkpoint(size)
        answer = feed(url=witness.url, old=old, note=note, hashes=[base64_of(node) for node in log.tree.consistency(old, size)])
        assert answer["error"] == "", answer
        note += answer["cosignatures"]
        assert signatures(note, witness.vkey)
        old = size
    assert libraries(do="note", log=log.key.vkey, witnesses=[witness.vkey], note=note) == {"sumdb": "", "formats": "", "torchwood": ""}
    other = Log(log.origin, b"log", [b"x" * 32] * 2 + log.tree.leaves)
    assert feed(url=witness.url, old=old, note=other.checkpoint(), hashes=[base64_of(node) for node in other.tree.consistency(old, ENTRIES + 2)])["error"]
    witness.stop()
