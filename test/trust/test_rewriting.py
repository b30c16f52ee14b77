"""What a superuser can make the database say, and what still tells him from an honest one: kept copies, kept keys.

The rows of the table in docs/for-auditors/verifying.md about whoever owns the tables.
"""
import json
import subprocess

import psycopg

from evidence import REFUSED, VERIFIED, canonical
from paths import VERIFY
from signer import Signer


def segment(db, path, first, last):
    """Events of division default as the archive has them."""
    events = [event for event, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e WHERE division = 'default'"
                                     " AND seq BETWEEN %s AND %s ORDER BY seq", first, last)]
    path.write_bytes(b"".join(canonical(e if isinstance(e, dict) else json.loads(e)) + b"\n" for e in events))
    return path


def registry(db, path):
    path.write_text(json.dumps(db.one("SELECT reason.signer_registry()")))
    return path


def verify(keys, *paths):
    return subprocess.run([VERIFY, "--registry", keys, *paths], capture_output=True, text=True, check=False)


def test_who_rewrites_a_chain_is_told_by_the_archive_alone(db, tmp_path):
    for n in range(6):
        db("SELECT reason.append_event('default', 'test.event', %s)", json.dumps({"n": n}))
    db.settle()
    keys = registry(db, tmp_path / "signers.json")
    kept = segment(db, tmp_path / "0-5.jsonl", 0, 5)
    assert verify(keys, kept).returncode == VERIFIED
    with psycopg.connect(db.dsn) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("DELETE FROM reason.audit_signature WHERE division = 'default' AND seq >= 3")
        superuser.execute("DELETE FROM reason.audit_event WHERE no IN (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = 4)")
        superuser.execute("DELETE FROM reason.audit_seal WHERE division = 'default' AND seq >= 3")
        superuser.execute("DELETE FROM reason.sealer_state")
    # The sidecar goes on: it seals and signs what it finds
    db("SELECT reason.append_event('default', 'test.event', '{\"n\": 6}')")
    db("SELECT reason.append_event('default', 'test.event', '{\"n\": 7}')")
    db.settle()
    assert db.verify("default")["ok"]
    later = segment(db, tmp_path / "6-6.jsonl", 6, 6)
    assert later.read_bytes() and verify(keys, later).returncode == VERIFIED
    ended = verify(keys, kept, later)
    assert ended.returncode == REFUSED and "does not name the hash of the event before" in ended.stdout


def test_a_key_that_a_superuser_registers_is_not_in_a_kept_registry(db, tmp_path):
    keys = registry(db, tmp_path / "signers.json")
    own = Signer("own", b"somebody else")
    db("SELECT reason.add_signer('own', %s)", own.public.raw.hex())
    node = db.one("SELECT reason.add_node('observation', '{}', 'ada')")
    for _ in range(3):
        db.seal()
    db.sign(own)
    assert db.verify("default")["ok"]
    last = db.one("SELECT max(seq) FROM reason.audit_events WHERE division = 'default'")
    forged = segment(db, tmp_path / f"{last}-{last}.jsonl", last, last)
    assert node and verify(registry(db, tmp_path / "theirs.json"), forged).returncode == VERIFIED
    ended = verify(keys, forged)
    assert ended.returncode == REFUSED and "the signer is not in the registry" in ended.stdout
