"""Snapshots and chains made from scratch, with Python's json and OpenSSL's signatures: nothing is checked by the code that wrote it."""

import base64
import hashlib
import json
import subprocess

from paths import VERIFY
from signer import Key

VERIFIED, REFUSED, UNCHECKED = 0, 1, 2


def canonical(value):
    """Enough of RFC 8785 for the values used here: ASCII names, no fractions that differ."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).digest()


class Signer(Key):
    """A key with its entry in the registry."""

    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.name = name

    def entry(self, **changes):
        entry = {"signerId": self.name, "algorithm": "ed25519", "publicKey": base64.b64encode(self.spki).decode(),
                 "status": "active", "validFrom": "2026-01-01T00:00:00.000000Z", "validTo": None}
        entry.update(changes)
        return entry


NODE_MEMBERS = ("author", "createdAt", "division", "id", "manifestSignatureId", "metadata", "payloadHash",
                "payloadRef", "ts", "type", "version")
EDGE_MEMBERS = ("createdAt", "division", "from", "fromDigest", "id", "metadata", "to", "toDigest", "type", "weight")
ANNOTATION_MEMBERS = ("author", "createdAt", "division", "id", "metadata", "payloadHash", "target", "targetDigest",
                      "type")


def with_digest(record, members):
    record["digest"] = sha256(canonical({m: record[m] for m in members if m in record})).hex()
    return record


def with_content(record, payload, salt):
    record["payloadHash"] = sha256(salt + canonical(payload)).hex()
    record["payload"] = payload
    record["salt"] = base64.b64encode(salt).decode()
    return record


def make_node(number, payload, **more):
    node = {"author": "kernel", "createdAt": f"2026-11-23T16:15:27.{number:06d}Z", "division": "default",
            "id": f"00000000-0000-7000-8000-{number:012d}", "metadata": {"confidence": 0.5, "tags": ["a", "ü"]},
            "type": "observation"}
    node.update(more)
    return with_digest(with_content(node, payload, bytes([number] * 16)), NODE_MEMBERS)


def make_edge(number, cause, effect):
    return with_digest(
        {"createdAt": "2026-11-23T16:15:28.000000Z", "division": "default", "from": cause["id"],
         "fromDigest": cause["digest"], "id": f"10000000-0000-7000-8000-{number:012d}", "metadata": {},
         "to": effect["id"], "toDigest": effect["digest"], "type": "causal", "weight": 1}, EDGE_MEMBERS)


def make_annotation(number, target):
    annotation = {"author": "auditor", "createdAt": "2026-11-23T16:15:29.000000Z", "division": "default",
                  "id": f"20000000-0000-7000-8000-{number:012d}", "metadata": {}, "target": target["id"],
                  "targetDigest": target["digest"], "type": "note"}
    return with_digest(with_content(annotation, {"note": "seen"}, b"s" * 16), ANNOTATION_MEMBERS)


def make_document():
    nodes = [make_node(1, {"reading": 20.5}), make_node(2, "text\n", version="2", ts="2026-11-23T16:00:00.000000Z"),
             make_node(3, [1, {"b": None, "a": True}])]
    return {"id": "30000000-0000-7000-8000-000000000001", "root_ids": [nodes[2]["id"]],
            "created_at": "2026-11-23T16:15:30.000000Z", "reasoning_graph_version": "0.1.0",
            "payload": {"audience": "internal", "depth": 10, "description": None, "direction": "ancestors",
                        "pii_included": True, "nodes": nodes,
                        "edges": [make_edge(1, nodes[0], nodes[1]), make_edge(2, nodes[1], nodes[2])],
                        "annotations": [make_annotation(1, nodes[0])]}}


def make_event(signer, chain, body, content=None, **more):
    """Appends an event to a chain, a list of events of one division."""
    number = len(chain)
    payload = {"id": f"50000000-0000-7000-8000-{number:012d}", "division": "default",
               "ts": f"2026-11-23T16:15:27.{number:06d}Z", **body}
    previous = chain[-1]["hash"] if chain else None
    digest = sha256(canonical(payload) + (bytes.fromhex(previous) if previous else b""))
    event = {"id": payload["id"], "eventType": payload["eventType"], "payload": payload, "prevHash": previous,
             "hash": digest.hex(), "signature": base64.b64encode(signer.sign(digest)).decode(),
             "signerId": signer.name, "ts": payload["ts"], "division": payload["division"], "seq": number, **more}
    if content is not None:
        event["content"] = content
    chain.append(event)
    return event


def record_of(thing, members):
    return {m: thing[m] for m in members if m in thing}


def make_chain(signer, with_contents=True):
    document = make_document()
    chain, contents = [], []

    def append(kind, thing, members):
        content = {m: thing[m] for m in ("salt", "payload") if m in thing} or None
        event = make_event(signer, chain, {"eventType": f"{kind}.created", kind: record_of(thing, members)},
                           content if with_contents else None)
        if content:
            contents.append({"id": event["id"], "content": content})

    for node in document["payload"]["nodes"]:
        append("node", node, NODE_MEMBERS)
    for edge in document["payload"]["edges"]:
        append("edge", edge, EDGE_MEMBERS)
    for annotation in document["payload"]["annotations"]:
        append("annotation", annotation, ANNOTATION_MEMBERS)
    make_event(signer, chain, {"eventType": "snapshot.completed", "snapshot": {"id": document["id"]}})
    return chain, contents


def write_lines(path, lines):
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))
    return path


def wrong(report):
    """Which checks of a report say that something is wrong."""
    return {c["check"] for c in report["checks"] if c["result"] == "wrong"}


class World:
    """A directory with a registry, and objects to check."""

    def __init__(self, directory):
        self.directory = directory
        self.signer = Signer(directory, "kernel-1")
        self.other = Signer(directory, "other")
        self.registry(self.signer.entry(), self.other.entry())

    def registry(self, *entries):
        (self.directory / "signers.json").write_text(json.dumps({"signers": list(entries)}))

    def snapshot(self, document, signer=None, **changes):
        """Writes the canonical file and its metadata."""
        body = canonical(document)
        digest = sha256(body)
        metadata = {"snapshot-id": document["id"], "hash": digest.hex(),
                    "signature": base64.b64encode((signer or self.signer).sign(digest)).decode(),
                    "signer-id": (signer or self.signer).name, "ts": "2026-11-23T16:15:31.000000Z"}
        metadata.update(changes)
        path = self.directory / "snapshot.json"
        path.write_bytes(body)
        (self.directory / "snapshot.json.meta.json").write_text(json.dumps(metadata))
        return path

    def envelope(self, document, **changes):
        digest = sha256(canonical(document))
        envelope = dict(document, snapshot_bytes_canonical_hash=base64.b64encode(digest).decode(),
                        signer_kid=self.signer.name,
                        signature=base64.b64encode(self.signer.sign(digest)).decode())
        envelope.update(changes)
        path = self.directory / "envelope.json"
        path.write_text(json.dumps(envelope, indent=2))
        return path

    def run(self, *arguments):
        return subprocess.run([VERIFY, "--registry", self.directory / "signers.json", *arguments],
                              capture_output=True, text=True)

    def check(self, expected, *arguments):
        result = self.run("--json", *arguments)
        assert result.returncode == expected, result.stdout + result.stderr
        return json.loads(result.stdout)


def wrong(report):
    return {c["check"] for c in report["checks"] if c["result"] == "wrong"}
