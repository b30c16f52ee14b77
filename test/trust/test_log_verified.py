"""What the database says of its log, reason-verify verifies with nothing but files: tiles, checkpoint, proofs, archive."""
import json
import subprocess

import pytest

from checkpoints import LOG_KEY, grow, register_log_key, sign_checkpoints, write
from log_evidence import base64_of, tile_path
from paths import VERIFY

ORIGIN = "localhost/reason/default"
SIZE = 700


@pytest.fixture(scope="module")
def log(db):
    register_log_key(db)
    write(db, SIZE)
    db.settle()
    grow(db)
    sign_checkpoints(db)
    return db


@pytest.fixture
def folder(log, tmp_path):
    """The log as it is published, from the functions of SQL; and the registry."""
    size, note = log.row("SELECT size, note FROM reason.last_checkpoint('default')")
    assert size >= SIZE
    for level in range(3):
        count = size // 256 ** level
        for n in range((count + 255) // 256):
            width = min(256, count - n * 256)
            files = {tile_path(level, n, width): log.one("SELECT reason.tile('default', %s, %s, %s)", level, n, width)}
            if level == 0:
                files[tile_path("entries", n, width)] = log.one("SELECT reason.tile_entries('default', %s, %s)", n, width)
            for name, data in files.items():
                path = tmp_path / "log" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    (tmp_path / "log/checkpoint").write_text(note)
    (tmp_path / "signers.json").write_text(json.dumps(log.one("SELECT reason.signer_registry()")))
    return tmp_path


def verify(folder, *arguments):
    ended = subprocess.run([VERIFY, "--json", "-r", folder / "signers.json", *arguments], capture_output=True, text=True, check=False)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def event_line(log, seq):
    event = log.one("SELECT (reason.audit_event_json(e)::jsonb - 'content')::text FROM reason.audit_events e WHERE division = 'default' AND seq = %s", seq)
    return log.one("SELECT reason.canonical_json(%s::jsonb)", event).encode()


def proof(log, seq):
    size, note = log.row("SELECT size, note FROM reason.last_checkpoint('default')")
    path = log.one("SELECT reason.inclusion_proof('default', %s, %s)", seq, size)
    return "\n".join(["c2sp.org/tlog-proof@v1", "extra " + base64_of(event_line(log, seq)), f"index {seq}", *map(base64_of, path)]) + "\n\n" + note


def test_the_log_and_the_archive_are_verified(log, folder):
    archive = folder / "0-699.jsonl"
    archive.write_bytes(b"".join(event_line(log, seq) + b"\n" for seq in range(SIZE)))
    code, reports = verify(folder, archive, folder / "log")
    assert code == 0, reports
    details = {c["check"]: c["detail"] for c in reports[-1]["checks"]}
    assert reports[-1]["origin"] == ORIGIN and details["archive"] == f"{SIZE} events of the archive are the ones in the log"


@pytest.mark.parametrize("seq", [0, 255, 256, 511, 512, 699])
def test_an_event_is_proved(log, folder, seq):
    path = folder / "event.tlog-proof"
    path.write_text(proof(log, seq))
    code, reports = verify(folder, path, folder / "log")
    assert code == 0, reports
    assert [r["kind"] for r in reports] == ["proof", "log"]


@pytest.mark.parametrize("old", [1, 255, 256, 257, 600])
def test_what_was_noted_is_extended(log, folder, old):
    path, hashes = folder / "event.tlog-proof", folder / "hashes"
    path.write_text(proof(log, 3))
    size = log.one("SELECT size FROM reason.last_checkpoint('default')")
    hashes.write_text("".join(base64_of(h) + "\n" for h in log.one("SELECT reason.consistency_proof('default', %s, %s)", old, size)))
    noted = ["--checkpoint", ORIGIN, str(old), base64_of(log.one("SELECT reason.tree_root('default', %s)", old))]
    assert verify(folder, *noted, "--consistency", hashes, path)[0] == 0
    assert verify(folder, *noted, folder / "log")[0] == 0
    noted[3] = base64_of(log.one("SELECT reason.tree_root('default', %s)", old + 1))
    assert verify(folder, *noted, "--consistency", hashes, path)[0] == 1
    assert verify(folder, *noted, folder / "log")[0] == 1


def test_the_key_is_registered_for_checkpoints(log, folder):
    registry = json.loads((folder / "signers.json").read_text())
    entry, = (s for s in registry["signers"] if s["signerId"] == LOG_KEY.name)
    assert entry["purpose"] == "checkpoints"
    entry["purpose"] = "events"
    (folder / "signers.json").write_text(json.dumps(registry))
    assert verify(folder, folder / "log")[0] == 1
