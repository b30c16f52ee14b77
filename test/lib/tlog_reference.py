"""A transparency log by the letter of its specifications, and by nothing of ours: RFC 6962 section 2.1, c2sp.org/signed-note,
tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof, tlog-witness.

Slow and plain: what is made here, other libraries and our programs must take; what they make, this must take.
"""
import base64
import ctypes
import hashlib
import threading
import time

from signer import Signer, sodium

WIDTH = 256
ED25519, COSIGNATURE = b"\x01", b"\x04"
NEWLINE = b"\n"


def sha256(data):
    return hashlib.sha256(data).digest()


def base64_of(data):
    return base64.b64encode(data).decode()


# ---------------------------------------------------------------- tree: RFC 6962 section 2.1

def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def split(count):
    """The largest power of two below count."""
    return 1 << (count - 1).bit_length() - 1


class Tree:
    """Of the data of leaves, in order."""

    def __init__(self, leaves):
        self.leaves = list(leaves)
        self.known = {}

    def __len__(self):
        return len(self.leaves)

    def hash(self, first, end):
        """MTH(D[first:end]); what is complete is remembered."""
        count = end - first
        if count == 0:
            return sha256(b"")
        if count == 1:
            return leaf_hash(self.leaves[first])
        if (first, end) not in self.known:
            middle = first + split(count)
            self.known[first, end] = node_hash(self.hash(first, middle), self.hash(middle, end))
        return self.known[first, end]

    def root(self, size=None):
        return self.hash(0, len(self.leaves) if size is None else size)

    def inclusion(self, index, size):
        """PATH(index, D[0:size])"""
        return self._path(index, 0, size)

    def _path(self, index, first, end):
        if end - first == 1:
            return []
        middle = first + split(end - first)
        if index < middle:
            return self._path(index, first, middle) + [self.hash(middle, end)]
        return self._path(index, middle, end) + [self.hash(first, middle)]

    def consistency(self, old, size):
        """PROOF(old, D[0:size]); none for an old tree without leaves"""
        return self._subproof(old, 0, size, True) if 0 < old < size else []

    def _subproof(self, old, first, end, whole):
        if old == end - first:
            return [] if whole else [self.hash(first, end)]
        middle = first + split(end - first)
        if old <= middle - first:
            return self._subproof(old, first, middle, whole) + [self.hash(middle, end)]
        return self._subproof(old - (middle - first), middle, end, False) + [self.hash(first, middle)]


def check_inclusion(index, size, leaf, proof, root):
    """RFC 9162 section 2.1.3.2, which is for the same tree."""
    if index >= size or any(len(value) != 32 for value in [leaf, root, *proof]):
        return False
    at, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


def check_consistency(old, size, old_root, root, proof):
    """RFC 9162 section 2.1.4.2. Of the tree without leaves nothing can be proved, for each extends it."""
    if old == 0:
        return False
    if old == size:
        return not proof and old_root == root
    if any(len(value) != 32 for value in [old_root, root, *proof]):
        return False
    if old > size or not proof:
        return False
    if old & (old - 1) == 0:
        proof = [old_root, *proof]
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


# ---------------------------------------------------------------- notes: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature

class NoteKey:
    """A key that signs notes, as a log (type 1) or as a witness (type 4)."""

    def __init__(self, name, seed, kind=ED25519):
        self.name, self.kind = name, kind
        self.signer = Signer(name, seed)
        self.public = self.signer.public.raw
        self.id = sha256(name.encode() + NEWLINE + kind + self.public)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64_of(kind + self.public)}"

    def line(self, signature):
        return f"\N{EM DASH} {self.name} {base64_of(self.id + signature)}\n"

    def sign(self, text):
        """A signature line for this text of a note."""
        return self.line(self.signer.sign(text.encode()))

    def cosign(self, text, moment=None):
        moment = int(time.time()) if moment is None else moment
        return self.line(moment.to_bytes(8, "big") + self.signer.sign(f"cosignature/v1\ntime {moment}\n{text}".encode()))

    @property
    def skey(self):
        """The private key as golang.org/x/mod/sumdb/note writes it."""
        return f"PRIVATE+KEY+{self.name}+{sha256(self.name.encode() + NEWLINE + ED25519 + self.public)[:4].hex()}+" \
            + base64_of(ED25519 + self.signer.secret.raw[:32])


def parse_vkey(vkey):
    """Name, key id, type and public key."""
    name, key_id, rest = vkey.split("+", 2)
    key = base64.b64decode(rest, validate=True)
    assert bytes.fromhex(key_id) == sha256(name.encode() + b"\n" + key)[:4], vkey
    return name, bytes.fromhex(key_id), key[:1], key[1:]


def verifies(public, message, signature):
    return sodium.crypto_sign_verify_detached(signature, message, ctypes.c_ulonglong(len(message)), public) == 0


def checkpoint_text(origin, size, root):
    return f"{origin}\n{size}\n{base64_of(root)}\n"


def parse_checkpoint(note):
    """Origin, size, root, text and signature lines of a note; nothing is verified."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True), text, lines.splitlines(keepends=True)


def signatures(note, vkey):
    """Signatures of a note by this key that verify, with their times (None of a log's own)."""
    name, key_id, kind, public = parse_vkey(vkey)
    *_, text, lines = parse_checkpoint(note)
    found = []
    for line in lines:
        dash, signed_by, encoded = line.rstrip("\n").split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "\N{EM DASH}" or signed_by != name or raw[:4] != key_id:
            continue
        moment, signature = None, raw[4:]
        message = text.encode()
        if kind == COSIGNATURE:
            moment, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = f"cosignature/v1\ntime {moment}\n{text}".encode()
        if len(signature) == 64 and verifies(public, message, signature):
            found.append(moment)
    return found


# ---------------------------------------------------------------- tiles: c2sp.org/tlog-tiles

def tile_name(level, number, width=WIDTH):
    """The path of a tile below its log's prefix; level "entries" for those of entries."""
    digits = f"{number:03d}"
    digits = "0" * (-len(digits) % 3) + digits
    groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < WIDTH else "")


def tiles(tree, size):
    """Path and bytes of every tile that a checkpoint of this size needs, entries too."""
    for number in range((size + WIDTH - 1) // WIDTH):
        entries = tree.leaves[number * WIDTH:min((number + 1) * WIDTH, size)]
        yield tile_name("entries", number, len(entries)), b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    level, span = 0, 1
    while size // span:
        count = size // span
        for number in range((count + WIDTH - 1) // WIDTH):
            nodes = range(number * WIDTH, min((number + 1) * WIDTH, count))
            yield tile_name(level, number, len(nodes)), b"".join(tree.hash(at * span, (at + 1) * span) for at in nodes)
        level, span = level + 1, span * WIDTH


# ---------------------------------------------------------------- proofs: c2sp.org/tlog-proof

def proof_text(tree, index, note, extra=None):
    size = parse_checkpoint(note)[1]
    lines = ["c2sp.org/tlog-proof@v1"]
    if extra is not None:
        lines.append(f"extra {base64_of(extra)}")
    lines.append(f"index {index}")
    lines += [base64_of(node) for node in tree.inclusion(index, size)]
    return "\n".join(lines) + "\n\n" + note


# ---------------------------------------------------------------- a log and a witness

class Log:
    """A log of entries under a key of its own."""

    def __init__(self, origin="example.org/reference", seed=b"log", entries=()):
        self.key = NoteKey(origin, seed)
        self.tree = Tree(entries)

    @property
    def origin(self):
        return self.key.name

    def checkpoint(self, size=None, cosigners=(), moment=None):
        size = len(self.tree) if size is None else size
        text = checkpoint_text(self.origin, size, self.tree.root(size))
        return text + "\n" + self.key.sign(text) + "".join(witness.cosign(text, moment) for witness in cosigners)

    def publish(self, folder, size=None, cosigners=()):
        """Writes everything that is served into a folder."""
        size = len(self.tree) if size is None else size
        for name, data in tiles(self.tree, size):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        note = self.checkpoint(size, cosigners)
        (folder / "checkpoint").write_text(note)
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "checkpoints" / str(size)).write_text(note)
        return note


def add_checkpoint(old, proof, note):
    """The body of a request to a witness."""
    lines = "".join(f"{base64_of(node)}\n" for node in proof)
    return f"old {old}\n{lines}\n{note}"


class Witness:
    """c2sp.org/tlog-witness as a function of method, path, headers and body: what test/lib's Hostile stands in front of."""

    def __init__(self, name="witness.example/reference", seed=b"witness", logs=()):
        self.key = NoteKey(name, seed, COSIGNATURE)
        self.logs = {parse_vkey(vkey)[0]: vkey for vkey in logs}
        self.state = {}             # origin: size, root
        self.lock = threading.Lock()
        self.asked = 0

    def __call__(self, method, path, headers, body):
        with self.lock:
            self.asked += 1
            if method != "POST" or not path.endswith("/add-checkpoint"):
                return 404, [], b""
            status, content, answer = self.answer(body.decode())
        return status, [("Content-Type", content)], answer.encode()

    def answer(self, body):
        head, _, note = body.partition("\n\n")
        old, *lines = head.split("\n")
        old = int(old.removeprefix("old "))
        proof = [base64.b64decode(line, validate=True) for line in lines]
        origin, size, root, text, _ = parse_checkpoint(note)
        known, known_root = self.state.get(origin, (0, sha256(b"")))
        if origin not in self.logs:
            return 404, "text/plain", "unknown log\n"
        if not signatures(note, self.logs[origin]):
            return 403, "text/plain", "not signed by the log\n"
        if old > size:
            return 400, "text/plain", "old size is beyond the checkpoint\n"
        if old != known:
            return 409, "text/x.tlog.size", f"{known}\n"
        if old == size > 0 and not proof and root != known_root:
            return 409, "text/plain", "another tree of this size\n"
        if proof if old == 0 else not check_consistency(old, size, known_root, root, proof):
            return 422, "text/plain", "not consistent\n"
        self.state[origin] = size, root
        return 200, "text/plain", self.key.cosign(text)


def random_entries(count, seed=0):
    """Hashes, as the audit chain's entries are."""
    return [sha256(f"{seed} {index}".encode()) for index in range(count)]
