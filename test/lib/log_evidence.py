"""Transparency logs made from scratch, with Python's hashlib and OpenSSL's signatures, by the text of RFC 6962 and C2SP."""

import base64
import hashlib
import json

from evidence import World, canonical, make_event
from signer import Key

ORIGIN = "log.example/reason/default"
ED25519, COSIGNATURE = 1, 4
WITNESSED_AT = 1795000000


def base64_of(data):
    return base64.b64encode(data).decode()


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def split_point(size):
    return 1 << (size - 1).bit_length() - 1


def root_of(leaves):
    """MTH (RFC 6962, 2.1), of leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split_point(len(leaves))
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def path_of(index, leaves):
    """PATH (2.1.1)"""
    if len(leaves) == 1:
        return []
    k = split_point(len(leaves))
    if index < k:
        return path_of(index, leaves[:k]) + [root_of(leaves[k:])]
    return path_of(index - k, leaves[k:]) + [root_of(leaves[:k])]


def consistency_of(old, leaves, whole=True):
    """PROOF (2.1.2)"""
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split_point(len(leaves))
    if old <= k:
        return consistency_of(old, leaves[:k], whole) + [root_of(leaves[k:])]
    return consistency_of(old - k, leaves[k:], False) + [root_of(leaves[:k])]


class NoteKey(Key):
    """A key with a name of notes."""

    def __init__(self, directory, file_name, name, kind=ED25519):
        super().__init__(directory, file_name)
        self.name, self.kind, self.raw = name, kind, self.spki[-32:]

    def key_id(self, name=None):
        return hashlib.sha256((name or self.name).encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def vkey(self, name=None):
        return f"{name or self.name}+{self.key_id(name).hex()}+{base64_of(bytes([self.kind]) + self.raw)}"

    def entry(self, purpose, signer_id=None, **changes):
        return {"signerId": signer_id or self.name, "algorithm": "ed25519", "publicKey": base64_of(self.spki), "status": "active",
                "purpose": purpose, "validFrom": "2026-01-01T00:00:00.000000Z", "validTo": None, **changes}

    def line(self, text, at=WITNESSED_AT, name=None):
        message, head = text.encode(), b""
        if self.kind == COSIGNATURE:
            message, head = f"cosignature/v1\ntime {at}\n{text}".encode(), at.to_bytes(8, "big")
        return f"\u2014 {name or self.name} {base64_of(self.key_id(name) + head + self.sign(message))}\n"


def checkpoint_text(size, root, origin=ORIGIN):
    return f"{origin}\n{size}\n{base64_of(root)}\n"


def tile_path(level, n, width=256):
    digits = f"{n:03}"
    digits = digits.rjust((len(digits) + 2) // 3 * 3, "0")
    groups = [digits[i:i + 3] for i in range(0, len(digits), 3)]
    return f"tile/{level}/" + "/".join(["x" + g for g in groups[:-1]] + groups[-1:]) + (f".p/{width}" if width < 256 else "")


class Log:
    """A log of 32-byte entries, and its signers."""

    def __init__(self, entries, key, witnesses=(), origin=ORIGIN):
        self.entries, self.key, self.witnesses, self.origin = list(entries), key, list(witnesses), origin
        self.leaves = [leaf_hash(e) for e in self.entries]

    def root(self, size=None):
        return root_of(self.leaves[:len(self.leaves) if size is None else size])

    def text(self, size=None):
        size = len(self.entries) if size is None else size
        return checkpoint_text(size, self.root(size), self.origin)

    def checkpoint(self, size=None, signers=None):
        text = self.text(size)
        return text + "\n" + "".join(s.line(text, name=self.origin if s is self.key else None) for s in (signers or [self.key, *self.witnesses]))

    def proof(self, index, extra, size=None, **changes):
        size = len(self.entries) if size is None else size
        lines = ["c2sp.org/tlog-proof@v1"]
        if extra is not None:
            lines.append("extra " + base64_of(extra))
        lines += [f"index {index}", *(base64_of(h) for h in path_of(index, self.leaves[:size]))]
        return "\n".join(lines) + "\n\n" + self.checkpoint(size, **changes)

    def consistency(self, old, size=None):
        return consistency_of(old, self.leaves[:len(self.leaves) if size is None else size])

    def write(self, directory, size=None, partial=True):
        """The layout of tlog-tiles."""
        size = len(self.entries) if size is None else size
        level, hashes = 0, self.leaves[:size]
        while hashes:
            for n in range(0, (len(hashes) + 255) // 256):
                piece = hashes[n * 256:n * 256 + 256]
                files = [(tile_path(level, n, len(piece)), b"".join(piece))]
                if level == 0:
                    entries = self.entries[n * 256:n * 256 + len(piece)]
                    files.append((tile_path("entries", n, len(piece)), b"".join(len(e).to_bytes(2, "big") + e for e in entries)))
                for name, data in files:
                    if len(piece) == 256 or partial:
                        path = directory / name
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(data)
            hashes = [root_of(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
            level += 1
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "checkpoint").write_text(self.checkpoint(size))
        return directory


class LogWorld(World):
    """A world with a log over a chain of events, and a registry that knows its key."""

    def __init__(self, directory, events=7):
        super().__init__(directory)
        self.log_key = NoteKey(directory, "log-1", "log-1")
        self.witness = NoteKey(directory, "witness-1", "witness.example/w1", COSIGNATURE)
        self.registry_of_log()
        self.chain = []
        for number in range(events):
            make_event(self.signer, self.chain, {"eventType": "test.event", "number": number})
        self.log = Log([bytes.fromhex(e["hash"]) for e in self.chain], self.log_key)

    def registry_of_log(self, *more, log=None):
        self.registry(self.signer.entry(), self.other.entry(), log or self.log_key.entry("checkpoints"), *more)

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def proof(self, index, size=None, **changes):
        return self.write(f"{index}.tlog-proof", self.log.proof(index, canonical(self.chain[index]), size, **changes))

    def reports(self, *arguments):
        ended = self.run("--json", *arguments)
        return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr
