"""Our own log, as it is published by a sidecar over a database, read by programs that others wrote: tiles, entries,
checkpoints, proofs; cosigned by omniwitness and by our own witness. Whatever is altered, they refuse.
"""
import base64
import binascii
import contextlib
import functools
import http.server
import random
import shutil
import subprocess

import pytest

import postgres
from http_service import Handler, Service
from paths import VERIFY
from reason_witness import Witness
from tlog_others import Omniwitness
from tlog_reference import Tree, base64_of, check_consistency, check_inclusion, checkpoint_text, leaf_hash, parse_checkpoint, proof_text, signatures, tile_name
from witnessed_log import WitnessedLog

EVENTS = 1500


@pytest.fixture(scope="module")
def server():
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="module")
def world(server, witness_programs, tmp_path_factory):
    """A log of some 1,500 events, in several checkpoints, with two witnesses that both must cosign."""
    folder = tmp_path_factory.mktemp("ours")
    log = WitnessedLog(server, folder / "log", quorum=2)
    log.witnesses = [Omniwitness(witness_programs / "witness", folder / "omniwitness", log.vkeys()),
                     Witness(folder / "witness", dict(enumerate(log.vkeys())))]
    for witness in log.witnesses:
        witness.start()
    log.start(log.witnesses)
    log.sizes = [log.grow(count) for count in (1, 254, 500, EVENTS - 755)]
    yield log
    log.stop()
    for witness in log.witnesses:
        witness.stop()


@pytest.fixture(scope="module")
def tree(world):
    """The reference's, over the chain."""
    return Tree(bytes(row[0]) for row in world.database.rows("SELECT hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq"))


@pytest.fixture(scope="module")
def over_http(world):
    with Service(functools.partial(Files, directory=str(world.base()))) as serving:
        yield serving.url


class Files(Handler, http.server.SimpleHTTPRequestHandler):
    pass


def policy_of(world):
    names = "".join(f"witness w{number} {witness.vkey}\n" for number, witness in enumerate(world.witnesses))
    return f"log {world.vkey()}\n{names}group all all w0 w1\nquorum all\n"


def test_the_checkpoint(libraries, sigstore, world, tree):
    note = world.note()
    origin, size, root, *_ = parse_checkpoint(note)
    assert (origin, size, root) == (f"{world.prefix}/default", world.sizes[-1], tree.root(size))
    assert len(signatures(note, world.vkey())) == 1 and all(len(signatures(note, witness.vkey)) == 1 for witness in world.witnesses)
    asked = {"log": world.vkey(), "witnesses": [witness.vkey for witness in world.witnesses]}
    assert libraries(do="note", note=note, **asked) == {"sumdb": "", "formats": "", "torchwood": ""}
    assert sigstore(do="note", note=note, **asked) == {"sigstore": ""}
    assert libraries(do="policy", note=note, policy=policy_of(world)) == {"torchwood": ""}
    for size in world.sizes:
        earlier = (world.base() / "checkpoints" / str(size)).read_text()
        assert libraries(do="note", note=earlier, log=world.vkey(), witnesses=[]) == {"sumdb": "", "formats": "", "torchwood": ""}
        assert parse_checkpoint(earlier)[2] == tree.root(size)


@pytest.mark.parametrize("where", ("folder", "http"))
def test_all_tiles(libraries, world, tree, over_http, where):
    asked = {"base": str(world.base()) if where == "folder" else over_http, "log": world.vkey()}
    assert libraries(do="tiles", **asked) == {"sumdb": "", "size": world.sizes[-1]}
    entries = libraries(do="entries", **asked)
    assert entries == {"torchwood": "", "entries": [base64_of(entry) for entry in tree.leaves[:world.sizes[-1]]]}
    assert libraries(do="fsck", seconds=30, **asked) == {"tessera": ""}


def test_division_system_too(libraries, world):
    asked = {"base": str(world.base("system")), "log": world.vkey("system")}
    assert libraries(do="fsck", seconds=30, **asked) == {"tessera": ""}


def test_roots(libraries, world, tree):
    """Of every size, by two libraries from the leaves, and by SQL."""
    answer = libraries(do="roots", leaves=[base64_of(leaf) for leaf in tree.leaves])
    ours = [base64_of(row[0]) for row in
            world.database.rows("SELECT reason.tree_root('default', size) FROM generate_series(1, %s) size ORDER BY size", len(tree))]
    assert answer == {"error": "", "sumdb": ours, "merkle": ours}


def test_inclusion_proofs(libraries, sigstore, world, tree):
    rng = random.Random(11)
    for size in (1, 2, 256, 257, *world.sizes, *(rng.randrange(1, len(tree)) for _ in range(10))):
        root = bytes(world.database.value("SELECT reason.tree_root('default', %s)", size))
        for index in {0, size - 1, rng.randrange(size), rng.randrange(size)}:
            hashes = [bytes(node) for node in world.database.value("SELECT reason.inclusion_proof('default', %s, %s)", index, size)]
            assert check_inclusion(index, size, leaf_hash(tree.leaves[index]), hashes, root)
            asked = {"do": "inclusion", "index": index, "size": size, "leaf": base64_of(tree.leaves[index]), "root": base64_of(root)}
            proof = [base64_of(node) for node in hashes]
            assert {**libraries(hashes=proof, **asked), **sigstore(hashes=proof, **asked)} == {"sumdb": "", "merkle": "", "sigstore": ""}
            if hashes:
                at = rng.randrange(len(hashes))
                wrong = [*proof[:at], base64_of(bytes([hashes[at][0] ^ 1]) + hashes[at][1:]), *proof[at + 1:]]
                assert all({**libraries(hashes=wrong, **asked), **sigstore(hashes=wrong, **asked)}.values())


def test_consistency_proofs(libraries, world, tree):
    rng = random.Random(12)
    sizes = (1, 255, 256, 257, *world.sizes, *(rng.randrange(1, len(tree)) for _ in range(5)))
    for size in sizes:
        for old in {1, size, *(rng.randrange(1, size + 1) for _ in range(4))}:
            hashes = [bytes(node) for node in world.database.value("SELECT reason.consistency_proof('default', %s, %s)", old, size)]
            assert check_consistency(old, size, tree.root(old), tree.root(size), hashes)
            asked = {"do": "consistency", "old": old, "size": size, "old_root": base64_of(tree.root(old)), "root": base64_of(tree.root(size)),
                     "hashes": [base64_of(node) for node in hashes]}
            assert libraries(**asked) == {"sumdb": "", "merkle": ""}, (old, size)


def test_every_altered_byte_of_a_checkpoint(libraries, world):
    """One bit of each byte of text and of the log's own signature."""
    note = world.note()
    asked = {"do": "note", "log": world.vkey(), "witnesses": [witness.vkey for witness in world.witnesses]}
    text = parse_checkpoint(note)[3]
    rng = random.Random(13)
    data = note.encode()
    end = data.index(b"\n", len(text.encode()) + 1)
    for place in range(end):
        altered = data[:place] + bytes([data[place] ^ 1 << rng.randrange(7)]) + data[place + 1:]
        with contextlib.suppress(UnicodeDecodeError):
            refused = libraries(note=altered.decode(), **asked)
            # the last characters of base64 hold bits that these libraries do not look at
            assert all(refused.values()) or place >= end - 4, (place, refused)


def test_altered_tiles(libraries, world, tmp_path):
    """One bit of each tile and each bundle of entries."""
    copy = tmp_path / "copy"
    shutil.copytree(world.base(), copy)
    asked = {"base": str(copy), "log": world.vkey()}
    rng = random.Random(14)
    size = world.sizes[-1]
    needed = [tile_name("entries", number, min(256, size - 256 * number)) for number in range((size + 255) // 256)]
    needed += [name.replace("entries", "0") for name in needed] + [tile_name(1, 0, size // 256)]
    for name in needed:
        whole = (copy / name).read_bytes()
        place = rng.randrange(len(whole))
        (copy / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1:])
        refused = {**libraries(do="tiles", **asked), **libraries(do="fsck", seconds=2, **asked)}
        assert refused["sumdb"] and refused["tessera"], (name, place, refused)
        (copy / name).write_bytes(whole)
    assert libraries(do="fsck", seconds=20, **asked) == {"tessera": ""}


def test_proofs_under_a_policy(libraries, world, tree):
    """A tlog-proof of an event, made from what SQL gives and the published checkpoint."""
    note = world.note()
    for index in (0, 255, 256, world.sizes[-1] - 1):
        hashes = [bytes(node) for node in world.database.value("SELECT reason.inclusion_proof('default', %s, %s)", index, world.sizes[-1])]
        assert hashes == tree.inclusion(index, world.sizes[-1])
        asked = {"do": "proof", "policy": policy_of(world), "proof": proof_text(tree, index, note, b"extra")}
        assert libraries(leaf=base64_of(tree.leaves[index]), **asked) == {"torchwood": ""}
        assert libraries(leaf=base64_of(tree.leaves[index - 1]), **asked)["torchwood"]


def test_the_real_witness_refuses_another_history(world, feed):
    """What a superuser would need: a log signed with the right key, whose past is another."""
    forged = Tree([b"x" * 32, *[bytes(row[0]) for row in world.database.rows("SELECT hash FROM reason.audit_seal WHERE division = 'default' AND seq > 0 ORDER BY seq")]])
    text = checkpoint_text(f"{world.prefix}/default", len(forged), forged.root())
    scratch = world.folder / "message"
    scratch.write_text(text)
    raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", world.folder / "checkpoints.pem", "-in", scratch], check=True, capture_output=True).stdout
    key_id = bytes.fromhex(world.vkey().split("+")[1])
    note = f"{text}\n\N{EM DASH} {world.prefix}/default {base64_of(key_id + raw)}\n"
    for witness in world.witnesses:
        # signed by the very key: the witness is the only one who knows better
        answer = feed(url=witness.url, old=world.sizes[-1], note=note, hashes=[])
        # 409 with the size that was given: it has another root of that size
        assert not answer["cosignatures"] and (answer["error"] in ("consistency proof invalid", "roots do not match") or answer["size"] == world.sizes[-1]), answer


# ---------------------------------------------------------------- the same by our own verifier

@pytest.fixture(scope="module")
def verify(world):
    """reason-verify with the registry of the world and its policy."""
    registry, policy = world.folder / "registry.json", world.folder / "policy"
    registry.write_text(world.database.value("SELECT reason.signer_registry()::text"))
    policy.write_text(policy_of(world))

    def run(*arguments):
        return subprocess.run([VERIFY, "--registry", registry, "--policy", policy, *arguments], capture_output=True, text=True, timeout=60, check=False)

    return run


def event_proof(world, index):
    """Id, proof and hash of an event."""
    event, hashed = world.database.rows("SELECT a.id, a.hash FROM reason.audit_events a WHERE a.division = 'default' AND a.seq = %s", index)[0]
    return world.database.value("SELECT reason.event_proof(%s)", event), bytes.fromhex(hashed)


def test_event_proofs(libraries, world, verify, tmp_path):
    """What SQL gives for an event, as others and as our own verifier take it."""
    path = tmp_path / "event.tlog-proof"
    for index in (0, 1, 255, 256, 700, world.sizes[-1] - 1):
        proof, hashed = event_proof(world, index)
        path.write_text(proof)
        assert libraries(do="proof", policy=policy_of(world), leaf=base64_of(hashed), proof=proof) == {"torchwood": ""}
        said = verify("--type", "proof", path)
        assert said.returncode == 0, said.stdout + said.stderr


def test_every_altered_byte_of_a_proof(libraries, world, verify, tmp_path):
    """Refused by torchwood and by reason-verify; the latter looks into the event that the proof carries, too."""
    proof, hashed = event_proof(world, 700)
    path = tmp_path / "event.tlog-proof"
    data = proof.encode()
    extra = data.index(b"extra ") + len(b"extra "), data.index(b"\nindex ")
    event = base64.b64decode(data[slice(*extra)], validate=True)
    rng = random.Random(15)
    for place in sorted({*range(0, extra[0]), *range(extra[1], len(data), 2)}):
        altered = data[:place] + bytes([data[place] ^ 1 << rng.randrange(7)]) + data[place + 1:]
        path.write_bytes(altered)
        assert verify("--type", "proof", path).returncode in (1, 2), (place, altered[max(0, place - 20):place + 20])
        with contextlib.suppress(UnicodeDecodeError):
            if list(words(altered.decode())) != list(words(proof)):
                assert libraries(do="proof", policy=policy_of(world), leaf=base64_of(hashed), proof=altered.decode())["torchwood"], place
    # what its hash is of; metadata lies outside
    for place in rng.sample(range(event.index(b'"payload":') + 10, event.index(b',"prevHash":')), 60):
        altered = event[:place] + bytes([event[place] ^ 1 << rng.randrange(7)]) + event[place + 1:]
        path.write_bytes(data[:extra[0]] + base64.b64encode(altered) + data[extra[1]:])
        assert verify("--type", "proof", path).returncode in (1, 2), (place, altered[max(0, place - 20):place + 20])


def words(text):
    """Lines with what their last word says in base64, if it does: some libraries take it with other unused bits."""
    for line in text.splitlines():
        try:
            yield line.rpartition(" ")[0], base64.b64decode(line.rpartition(" ")[2], validate=True)
        except (binascii.Error, ValueError):
            yield line


def test_the_log_by_our_verifier(world, verify, tmp_path):
    """The folder as it lies, an earlier checkpoint that it extends; each altered tile it refuses as others do."""
    earlier = world.base() / "checkpoints" / str(world.sizes[1])
    said = verify("--type", "log", "--checkpoint", earlier, world.base())
    assert said.returncode == 0, said.stdout + said.stderr
    copy = tmp_path / "copy"
    shutil.copytree(world.base(), copy)
    rng = random.Random(16)
    size = world.sizes[-1]
    needed = [tile_name("entries", number, min(256, size - 256 * number)) for number in range((size + 255) // 256)]
    needed += [name.replace("entries", "0") for name in needed] + [tile_name(1, 0, size // 256), "checkpoint"]
    for name in needed:
        whole = (copy / name).read_bytes()
        place = rng.randrange(len(whole))
        (copy / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(7)]) + whole[place + 1:])
        said = verify("--type", "log", f"{copy}/")
        assert said.returncode in (1, 2), (name, place, said.stdout)
        (copy / name).write_bytes(whole)
    assert verify("--type", "log", f"{copy}/").returncode == 0
