"""The chain: order, hashes, signatures, and that two sealers cannot make two of it."""
import base64
import hashlib
import json
import threading

import psycopg
import pytest

from sealing import Database
from signer import Signer
from wait import wait_for


@pytest.fixture(scope="module")
def token(db):
    return db.token("seal")


def add(db, division="default", value="1"):
    return db.one("SELECT reason.add_node('score', %s::jsonb, 'ada', division => %s)", value, division)


def chain(db, division):
    return db("SELECT seq, payload::text, prev_hash, hash, signature, signer_id, ts, created_at, id FROM reason.audit_events"
              " WHERE division = %s ORDER BY seq", division)


def test_every_division_has_a_chain_of_its_own(db):
    for _ in range(3):
        for division in ("north", "south"):
            add(db, division)
    db.settle()
    for division in ("north", "south"):
        previous, before = None, None
        events = chain(db, division)
        assert [e[0] for e in events] == [0, 1, 2]
        for _seq, payload, prev_hash, hashed, signature, signer_id, ts, created_at, event_id in events:
            assert prev_hash == previous
            assert hashed == hashlib.sha256(payload.encode() + bytes.fromhex(prev_hash or "")).hexdigest()
            assert base64.b64decode(signature) == db.signer.sign(bytes.fromhex(hashed))
            assert signer_id == db.signer.name
            assert created_at == ts if before is None else created_at > before
            assert json.loads(payload)["id"] == str(event_id)
            previous, before = hashed, created_at
        assert db.verify(division)["head_hash"] == previous


def test_the_hash_before_is_not_stored_and_where_it_once_was_it_must_be_the_same(db):
    for _ in range(3):
        add(db, "before")
    db.settle()
    assert db("SELECT DISTINCT prev_hash FROM reason.audit_seal") == [(None,)]
    shown = chain(db, "before")
    with db.tampering():
        # As a database from before has it.
        db("UPDATE reason.audit_seal s SET prev_hash = p.hash FROM reason.audit_seal p WHERE p.division = s.division AND p.seq = s.seq - 1")
        assert chain(db, "before") == shown and db.verify("before")["ok"]
        db("UPDATE reason.audit_seal SET prev_hash = sha256(hash) WHERE division = 'before' AND seq = 2")
        fault = db.verify("before")
        assert (fault["ok"], fault["first_bad_seq"]) == (False, 2) and "column prev_hash" in fault["detail"]
    assert db.verify("before")["ok"]


def test_the_view_shows_what_is_signed_only(db, token):
    add(db, "west")
    assert chain(db, "west") == []
    db.seal()
    assert chain(db, "west") == []
    assert "await their signature" in db.verify("west")["detail"]
    db.sign()
    event, = chain(db, "west")
    content = db.one("SELECT content FROM reason.audit_events WHERE division = 'west'")
    record = json.loads(event[1])["node"]
    assert hashlib.sha256(base64.b64decode(content["salt"]) + json.dumps(content["payload"]).encode()).hexdigest() == record["payloadHash"]


def test_a_transaction_that_commits_late_is_not_skipped(db):
    db.settle()
    late = Database(db.name)
    late("BEGIN")
    add(late, "late")
    for _ in range(5):
        add(db, "late")
    first = db.seal()
    for _ in range(3):
        db.seal()
    late("COMMIT")
    late.close()
    assert (first, db.seal()) == (5, 1)
    db.settle()
    assert db.verify("late")["checked"] == 6
    # Whatever runs elsewhere in the cluster holds that up.
    wait_for(lambda: db.seal() == 0 and db.one("SELECT decided_no FROM reason.sealer_state") == db.one("SELECT last_value FROM reason.record_no"))


def test_a_transaction_that_rolls_back_leaves_no_gap(db):
    db("BEGIN")
    add(db, "gap")
    db("ROLLBACK")
    add(db, "gap")
    db.settle()
    assert [e[0] for e in chain(db, "gap")] == [0]


def test_a_mark_from_another_cluster_is_not_believed(db, token):
    with db.tampering():
        db("UPDATE reason.sealer_state SET seen_no = 1000000000, seen_xmax = '99999999999', decided_no = decided_no + 1000000000")
        add(db, "restored")
        assert db.one("SELECT reason.seal_events(%s, 10)", token) == 1
        decided, seen = db.row("SELECT decided_no, seen_no FROM reason.sealer_state")
        assert decided < 1000000000 and seen < 1000000000


def test_losing_the_mark_costs_a_rescan_only(db, token):
    head = db.verify("north")["head_hash"]
    db("DELETE FROM reason.sealer_state")
    add(db, "north")
    assert db.seal() == 1
    db.settle()
    assert db.verify("north")["ok"] and db.verify("north", 0, 2)["head_hash"] == head


def test_a_small_batch_goes_on_where_it_stopped(db, token):
    for _ in range(10):
        add(db, "batch")
    assert [db.one("SELECT reason.seal_events(%s, 4)", token) for _ in range(4)] == [4, 4, 2, 0]
    db.settle()
    assert db.verify("batch")["checked"] == 10


def test_two_sealers_make_one_chain(db, token):
    writers = [Database(db.name) for _ in range(3)]
    sealers = [Database(db.name) for _ in range(3)]
    stop = threading.Event()
    errors = []

    def write(connection):
        for _ in range(200):
            add(connection, "contended")

    def seal(connection):
        while not stop.is_set():
            try:
                connection("SELECT reason.seal_events(%s, 50)", token)
            except psycopg.Error as error:
                errors.append(error)
    threads = [threading.Thread(target=write, args=(w,)) for w in writers]
    sealing = [threading.Thread(target=seal, args=(s,)) for s in sealers]
    for thread in threads + sealing:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in sealing:
        thread.join()
    for connection in writers + sealers:
        connection.close()
    db.settle()
    assert errors == []
    assert db.verify("contended")["checked"] == 600


def test_a_stale_lease_changes_nothing(db, token):
    for statement in ("reason.seal_events(%s, 1)", "reason.record_seal_signatures(%s, 'key-1', '{}', '{}', '{}')"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            db(f"SELECT {statement}", token - 1)


def record(db, token, signer, seals):
    return db.one("SELECT reason.record_seal_signatures(%s, %s, %s, %s, %s)", token, signer.name, [s[0] for s in seals],
                  [s[1] for s in seals], [signer.sign(s[2]) for s in seals])


def test_only_good_signatures_are_recorded(db, token):
    for _ in range(3):
        add(db, "signing")
    db.seal()
    seals = [s for s in db("SELECT division, seq, hash FROM reason.unsigned_seals(10)") if s[0] == "signing"]
    assert len(seals) == 3
    wrong = Signer(db.signer.name, b"another seed")
    with pytest.raises(psycopg.errors.DataException, match="not that of signer"):
        record(db, token, wrong, seals)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not registered"):
        record(db, token, Signer("nobody"), seals)
    with pytest.raises(psycopg.errors.DataException, match="no seal"):
        record(db, token, db.signer, [("signing", 99, b"x" * 32)])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="before the one before it"):
        record(db, token, db.signer, seals[1:])
    assert chain(db, "signing") == []
    assert record(db, token, db.signer, seals) == 3
    assert record(db, token, db.signer, seals) == 0
    assert db.verify("signing")["ok"]


def test_a_key_that_is_retired_or_revoked_signs_no_more(db, token):
    for name in ("old", "lost"):
        db("SELECT reason.add_signer(%s, %s)", name, Signer(name, name.encode()).public.raw.hex())
    old, lost = Signer("old", b"old"), Signer("lost", b"lost")
    add(db, "keys")
    db.seal()
    db.sign(old)
    add(db, "keys")
    db.seal()
    db.sign(lost)
    db("SELECT reason.retire_signer('old')")
    db("SELECT reason.revoke_signer('lost', 'laptop stolen')")
    add(db, "keys")
    db.seal()
    seals = db("SELECT division, seq, hash FROM reason.unsigned_seals(10)")
    for signer in (old, lost):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="may not sign"):
            record(db, token, signer, seals)
    db.settle()
    found = db.verify("keys")
    assert found["ok"] and '"lost", revoked as of' in found["detail"]


def test_signatures_after_a_compromise_do_not_count(db):
    moved = Signer("moved", b"moved")
    db("SELECT reason.add_signer('moved', %s)", moved.public.raw.hex())
    add(db, "compromised")
    db.seal()
    db.sign(moved)
    db("SELECT reason.revoke_signer('moved', 'leaked', (SELECT min(ts) FROM reason.audit_event WHERE division = 'compromised'))")
    found = db.verify("compromised")
    assert (found["ok"], found["first_bad_seq"]) == (False, 0) and "was revoked by then" in found["detail"]


def test_a_range_must_exist(db):
    """What goes beyond the end is no tampering, and not ok either."""
    assert db.verify("north", 1, 2)["checked"] == 2
    last = db.verify("north")["head_seq"]
    for bounds in ((0, last + 1), (0, 99), (last + 1, last + 2), (99,)):
        found = db.verify("north", *bounds)
        assert (found["ok"], found["first_bad_seq"]) == (False, None)
        assert found["detail"] == f"the chain ends at event {last}, and the range goes beyond it"
    assert db.verify("north", last, last)["ok"] and db.verify("north", last + 1)["ok"]


def test_a_division_without_a_chain_is_not_ok(db):
    for bounds in ((), (0, 5), (3,)):
        assert db.verify("nowhere", *bounds) == {"ok": False, "checked": 0, "head_seq": None, "head_hash": None, "first_bad_seq": None,
                                                 "detail": 'division "nowhere" has no chain'}


def test_events_that_nobody_seals_are_told(db):
    node = db.one("SELECT reason.add_node('score', '1', 'ada', division => 'unsealed')")
    found = db.verify("unsealed")
    assert (found["ok"], found["checked"]) == (False, 0) and "no event of division \"unsealed\" is sealed: 1 wait" in found["detail"]
    db.settle()
    assert db.verify("unsealed") == {**db.verify("unsealed"), "ok": True, "detail": None}
    db("SELECT reason.annotate(%s, 'a moment ago')", node)
    found = db.verify("unsealed")
    assert found["ok"] and "1 events wait for their place" in found["detail"]
    with db.tampering():
        db("UPDATE reason.audit_event e SET ts = ts - interval '2 minutes' WHERE division = 'unsealed'"
           " AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = e.no)")
        found = db.verify("unsealed")
        assert (found["ok"], found["first_bad_seq"]) == (False, None) and "nobody seals them" in found["detail"]
    db.settle()


def test_a_division_that_vanished_is_told(db):
    """By what is left of it: its records, or the index of the archive."""
    db("SELECT reason.add_node('score', '1', 'ada', division => 'vanishing')")
    db.settle()
    for left in ("INSERT INTO reason.archive_segment (target, division, first_seq, last_seq, object_prefix, object_uri, archived_at)"
                 " VALUES ('file:///a', 'vanishing', 0, 0, 'x', 'y', now())",
                 "INSERT INTO reason.emission (target, division, seq) VALUES ('topic', 'vanishing', 0)"):
        with db.tampering():
            db(left)
            for table in ("node", "audit_event", "audit_seal", "audit_signature"):
                db(f"DELETE FROM reason.{table} WHERE division = 'vanishing'")
            assert "the chain is gone" in db.verify("vanishing")["detail"]
            assert [ok for ok, in db("SELECT ok FROM reason.verify_all() WHERE what = 'division \"vanishing\"'")] == [False]
    with db.tampering():
        for table in ("audit_event", "audit_seal", "audit_signature"):
            db(f"DELETE FROM reason.{table} WHERE division = 'vanishing'")
        assert [ok for ok, in db("SELECT ok FROM reason.verify_all() WHERE what = 'division \"vanishing\"'")] == [False]
