"""Whether a signature counts is the same in SQL, in verify_audit(), in replay() and in reason-verify.

Keys of every status, with and without their times, and signatures from before, at and after each of them. What is
expected is written here once more, from the text of docs/for-auditors/auditing.md.
"""
import base64
import datetime
import itertools
import json
import subprocess

import psycopg
import pytest

from evidence import canonical, make_document, sha256
from paths import VERIFY

TICK = datetime.timedelta(microseconds=1)
NOON = datetime.datetime(2026, 11, 23, 16, 15, 31, tzinfo=datetime.timezone.utc)
# Around the time of the signature, far from it, and not given
NEAR = [None, NOON - datetime.timedelta(days=9), NOON - TICK, NOON, NOON + TICK, NOON + datetime.timedelta(days=2)]


def expected(valid_from, valid_to, revoked, revoked_at, earliest, latest, vouched):
    if revoked:
        if revoked_at is None or (vouched and earliest is not None and earliest >= revoked_at):
            return "revoked"
        if (not vouched or earliest is None) and (latest is None or latest >= revoked_at):
            return "revoked"
    if valid_from and latest and latest < valid_from:
        return "not valid yet"
    if valid_to and earliest and earliest > valid_to:
        return "no longer valid"
    return "counted then" if revoked else "counts"


def keys():
    """valid_from, valid_to, status, revoked_at as the table may hold them."""
    for valid_from, valid_to in itertools.product([NEAR[1], NEAR[3], NEAR[4]], NEAR):
        if valid_to and valid_to < valid_from:
            continue
        yield valid_from, valid_to, "active", None
        yield valid_from, valid_to, "retired", None
        for revoked_at in NEAR[1:]:
            yield valid_from, valid_to, "revoked", revoked_at


def rfc3339(time):
    return time and time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_function_says_what_the_rule_says(db):
    cases = [(vf, vt, revoked, at, earliest, latest, vouched)
             for vf, vt, revoked, at in itertools.product(NEAR, NEAR, [False, True], NEAR)
             for earliest, latest in [(NOON, NOON), (NOON - TICK, NOON + TICK), (NOON, None), (None, NOON), (None, None)]
             for vouched in (True, False)]
    said = db("SELECT reason.key_validity(c.a, c.b, c.c, c.d, c.e, c.f, c.g) FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::bool[],"
              " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bool[]) WITH ORDINALITY c (a, b, c, d, e, f, g, n) ORDER BY n",
              *[list(column) for column in zip(*cases)])
    assert len(said) == len(cases) > 4000
    for case, (answer,) in zip(cases, said):
        assert answer == expected(*case), case
    assert {answer for answer, in said} == {"counts", "counted then", "not valid yet", "no longer valid", "revoked"}
    # Whatever its times
    assert db("SELECT DISTINCT reason.key_validity(NULL, NULL, r, %s, %s, %s, true, p) FROM unnest('{f,t}'::bool[]) r, unnest('{t,NULL}'::bool[]) p",
              NOON, NOON, NOON) == [("other purpose",)]


@pytest.fixture
def altered(db):
    """Sets the signer's times behind the extension's back, and takes that back."""
    with psycopg.connect(db.dsn) as connection:
        connection.execute("SET session_replication_role = replica")

        def alter(valid_from, valid_to, status, revoked_at):
            connection.execute("UPDATE reason.signer SET valid_from = %s, valid_to = %s, status = %s, revoked_at = %s, revocation_reason = %s"
                               " WHERE signer_id = %s", (valid_from, valid_to, status, revoked_at, revoked_at and "lost", db.signer.name))
            return connection
        yield alter
        connection.rollback()


def test_database_and_verifier_agree_about_snapshots(db, altered, tmp_path):
    document = make_document()
    document["created_at"] = rfc3339(NOON)
    body = canonical(document)
    signature = base64.b64encode(db.signer.sign(sha256(body))).decode()
    path = tmp_path / "snapshot.json"
    path.write_bytes(body)
    path.with_name("snapshot.json.meta.json").write_text(json.dumps({"signature": signature, "signer-id": db.signer.name, "ts": rfc3339(NOON)}))
    registry = tmp_path / "signers.json"
    outcomes = set()
    for key in keys():
        connection = altered(*key)
        rule = expected(key[0], key[1], key[2] == "revoked", key[3], NOON, NOON, True)
        fault, remark = connection.execute("SELECT fault, remark FROM reason.signature_fault(%s, decode(%s, 'base64'), %s, %s, %s, true)",
                                           (db.signer.name, signature, sha256(body).hex(), NOON, NOON)).fetchone()
        assert ((fault is None), (remark is not None)) == (rule in ("counts", "counted then"), rule == "counted then"), key
        registry.write_text(json.dumps(connection.execute("SELECT reason.signer_registry()").fetchone()[0]))
        ended = subprocess.run([VERIFY, "--json", "--registry", registry, path], capture_output=True, text=True, check=False)
        report = json.loads(ended.stdout or "{}")
        checks = {(c["check"], c["result"]) for c in report.get("checks", ())}
        assert report.get("verified") == (fault is None), (key, fault, ended.stdout, ended.stderr)
        assert (("signer", "note") in checks) == (rule == "counted then"), key
        ended = subprocess.run([VERIFY, "--refuse-revoked", "--registry", registry, path], capture_output=True, text=True, check=False)
        assert (ended.returncode == 0) == (rule == "counts"), key
        # Brought along, of a snapshot that is not known: nobody vouches for its time, and now is long after the revocation
        ok, = connection.execute("SELECT ok FROM reason.verify_snapshot_document(%s, %s, %s)", (body.decode(), signature, db.signer.name)).fetchone()
        now = datetime.datetime.now(datetime.timezone.utc)
        assert ok == (expected(key[0], key[1], key[2] == "revoked", key[3], NOON, now, False) in ("counts", "counted then")), key
        outcomes.add(rule)
    assert outcomes == {"counts", "counted then", "not valid yet", "no longer valid", "revoked"}


def test_chain_replay_and_verifier_agree_about_events(db, altered, tmp_path):
    db("SELECT reason.append_event('default', 'test.event', '{}')")
    db.settle()
    sealed_at, = db.row("SELECT created_at FROM reason.audit_seal WHERE division = 'default' ORDER BY seq LIMIT 1")
    event = db.one("SELECT reason.audit_event_json(e) FROM reason.audit_events e WHERE division = 'default' AND seq = 0")
    event = event if isinstance(event, dict) else json.loads(event)
    happened_at = datetime.datetime.fromisoformat(event["payload"]["ts"].replace("Z", "+00:00"))
    segment, registry = tmp_path / "0-0.jsonl", tmp_path / "signers.json"
    segment.write_bytes(canonical(event) + b"\n")
    for key in keys():
        moved = [m if not isinstance(m, datetime.datetime) else m - NOON + sealed_at for m in key]
        connection = altered(*moved)
        rule = expected(moved[0], moved[1], moved[2] == "revoked", moved[3], sealed_at, None, True)
        ok, detail = connection.execute("SELECT ok, detail FROM reason.verify_audit('default')").fetchone()
        assert ok == (rule in ("counts", "counted then")), (key, detail)
        assert ("revoked as of" in (detail or "")) == (rule == "counted then") or not ok, detail
        # Outside the database the event's own time stands for that of its seal
        moved = [m if not isinstance(m, datetime.datetime) else m - NOON + happened_at for m in key]
        connection = altered(*moved)
        rule = expected(moved[0], moved[1], moved[2] == "revoked", moved[3], happened_at, None, True)
        text = json.dumps(connection.execute("SELECT reason.signer_registry()").fetchone()[0])
        registry.write_text(text)
        with connection.transaction(force_rollback=True):
            try:
                connection.execute("SELECT reason.replay_key(%s, %s)", (json.dumps(event), text))
                replayed = True
            except psycopg.errors.DataError as error:
                replayed = False
                assert "signed by" in str(error)
        # Keys that become valid only in the future are a matter of their own: now is the latest that a verifier knows of
        ended = subprocess.run([VERIFY, "--json", "--registry", registry, segment], capture_output=True, text=True, check=False)
        now = datetime.datetime.now(datetime.timezone.utc)
        assert replayed == (rule in ("counts", "counted then")), key
        assert (ended.returncode == 0) == (replayed and moved[0] <= now + datetime.timedelta(seconds=2)), (key, ended.stdout)
