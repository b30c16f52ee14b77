"""What is erased is gone wherever the database had it, and everything that was proved stays proved."""
import base64
import json
import threading

import psycopg
import pytest

from sealing import Database

GONE = psycopg.errors.NoDataFound
CONFLICT = psycopg.errors.ObjectNotInPrerequisiteState
SECRET = "Ada Lovelace, 10 December 1815"


def add(db, payload):
    return db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada')", json.dumps(payload))


@pytest.fixture
def graph(db):
    """A secret, what it led to, and a note on that which is a secret too."""
    cause, effect = add(db, {"name": SECRET}), add(db, {"n": 2})
    db("SELECT reason.add_edge(%s, %s, 'causal')", cause, effect)
    note = db.one("SELECT reason.annotate(%s, %s)", effect, SECRET)
    return {"cause": cause, "effect": effect, "note": note}


def freeze(db, root, **arguments):
    return db.one("SELECT reason.create_snapshot(%s, include_annotations => %s)", [root], arguments.get("annotations", False))


def test_a_snapshot_holds_an_annotation_that_was_just_erased(db):
    node = add(db, 1)
    erased = db.one("SELECT reason.annotate(%s, 'a note')", node)
    db("SELECT reason.erase_annotation(%s, 'asked for')", erased)
    document = json.loads(db.one("SELECT reason.snapshot_document(%s)", freeze(db, node, annotations=True)))
    note, = document["payload"]["annotations"]
    assert note["id"] == str(erased) and note["payload"] is None and note["erased"]["reason"] == "asked for"


def places(db, text):
    """Tables of schema reason in which a value holds the text, as it is or as bytes."""
    tables = db("SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'reason'::regnamespace AND relkind = 'r'")
    return {table for table, in tables
            if db.one(f"SELECT EXISTS (SELECT FROM {table} t WHERE position(%s IN t::text) > 0 OR position(%s IN t::text) > 0)",
                      text, text.encode().hex())}


def event_of(db, record):
    return db.one("SELECT payload -> 'erased' FROM reason.audit_event WHERE event_type = 'payload.erased' AND payload #>> '{erased,id}' = %s", str(record))


def test_nothing_of_it_is_left_in_any_table(db, graph):
    before = freeze(db, graph["effect"], annotations=True)
    db.complete(before)
    assert places(db, SECRET) == {"reason.node", "reason.annotation", "reason.snapshot_chunk"}
    other = freeze(db, add(db, {"n": 3}))
    db.complete(other)
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    db("SELECT reason.erase_annotation(%s, 'asked for')", graph["note"])
    assert places(db, SECRET) == set()
    # The event says which documents went; the second found none left. Others stay.
    assert event_of(db, graph["cause"])["snapshots"].keys() == {str(before)}
    assert "snapshots" not in event_of(db, graph["note"])
    assert db.verify_snapshot(other)["hash_ok"]
    db.settle()
    assert db.verify()["ok"]


def test_hash_and_signature_of_an_erased_document_stand(db, graph):
    snapshot = freeze(db, graph["effect"])
    db.complete(snapshot)
    document, envelope = db.one("SELECT reason.snapshot_document(%s)", snapshot), db.one("SELECT reason.snapshot_envelope(%s)", snapshot)
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    v = db.verify_snapshot(snapshot)
    assert (v["ok"], v["hash_ok"], v["signature_ok"], v["graph_ok"], v["computed_hash"]) == (True, None, True, None, None)
    assert v["stored_hash"] == base64.b64decode(envelope["snapshot_bytes_canonical_hash"]).hex()
    assert "was erased" in v["detail"] and "asked for" in v["detail"] and "file:///" in v["detail"]
    # Whoever kept the bytes can prove them.
    assert db.row("SELECT ok, hash_ok, signature_ok, graph_ok FROM reason.verify_snapshot(%s, %s, %s)",
                  snapshot, document, envelope["signature"]) == (True, True, True, True)
    for query in ("SELECT reason.snapshot_document(%s)", "SELECT reason.snapshot_envelope(%s)", "SELECT reason.snapshot_diff(%s, gen_random_uuid())"):
        with pytest.raises(GONE, match="was erased at .*: asked for"):
            db(query, snapshot)
    assert db.one("SELECT reason.snapshot_chunk(%s, 0)", snapshot) is None
    # Complete it stays, and nothing else of it can be changed.
    assert db.one("SELECT status FROM reason.snapshot WHERE id = %s", snapshot) == "complete"
    for change in ("erased_event_id = NULL", "erased_event_id = gen_random_uuid()", "hash = hash || ''", "status = 'failed'"):
        with pytest.raises(CONFLICT):
            db(f"UPDATE reason.snapshot SET {change} WHERE id = %s", snapshot)


@pytest.mark.parametrize("status", ["pending", "signed", "failed"])
def test_a_snapshot_that_is_not_stored_yet_fails_for_good(db, graph, status):
    snapshot = freeze(db, graph["effect"])
    token = db.token("snapshot")
    if status == "signed":
        digest = bytes.fromhex(db.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot))
        db("SELECT reason.record_snapshot_signature(%s, %s, 'key-1', %s)", token, snapshot, db.signer.sign(digest))
    elif status == "failed":
        db("SELECT reason.record_snapshot_failure(%s, %s, 'no store', true)", token, snapshot)
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    assert db.row("SELECT status, failure FROM reason.snapshot WHERE id = %s", snapshot) == (
        "failed", "no store" if status == "failed" else f'the content of node "{graph["cause"]}" was erased before it was stored')
    assert db.one("SELECT count(*) FROM reason.audit_event WHERE event_type = 'snapshot.failed' AND payload #>> '{snapshot,id}' = %s", str(snapshot)) == 1
    assert not db("SELECT FROM reason.claim_snapshots(%s, 100) WHERE id = %s", token, snapshot)
    with pytest.raises(GONE, match="was erased"):
        db("SELECT reason.retry_snapshot(%s)", snapshot)
    with pytest.raises(CONFLICT):
        db("SELECT reason.record_snapshot_stored(%s, %s, 'file:///late', NULL)", token, snapshot)
    db.settle()
    assert db.verify()["ok"]


def test_no_document_goes_without_an_event(db, graph):
    snapshot = freeze(db, graph["effect"])
    db.complete(snapshot)
    with pytest.raises(CONFLICT, match="never changed"):
        db("DELETE FROM reason.snapshot_chunk WHERE snapshot_no = (SELECT no FROM reason.snapshot WHERE id = %s)", snapshot)
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    event = db.one("SELECT erased_event_id FROM reason.snapshot WHERE id = %s", snapshot)
    other = freeze(db, add(db, {"n": 4}))
    db.complete(other)
    with pytest.raises(CONFLICT):
        db("UPDATE reason.snapshot SET erased_event_id = %s WHERE id = %s", event, other)
    db.settle()

    def tampered(*statements):
        """As a superuser, triggers off; what the proofs say then."""
        with db.connection.transaction(force_rollback=True):
            db("SET LOCAL session_replication_role = replica")
            for statement in statements:
                db(statement)
            return db.verify_snapshot(snapshot), db.verify_snapshot(other), db.verify()

    row = f"UPDATE reason.snapshot SET erased_event_id = %s WHERE id = '{snapshot}'"
    v, _, audit = tampered(row % "NULL")
    assert v["ok"] is False and not audit["ok"] and str(snapshot) in audit["detail"] and "erased_event_id" in audit["detail"]
    v, _, audit = tampered(row % "gen_random_uuid()")
    assert v["ok"] is False and "erased_event_id" in v["detail"] and not audit["ok"]
    v, _, audit = tampered(f"INSERT INTO reason.snapshot_chunk (snapshot_no, division, chunk, bytes) SELECT no, division, 0, 'x' FROM reason.snapshot WHERE id = '{snapshot}'")
    assert v["ok"] is False and "is back" in v["detail"] and not audit["ok"] and "is back" in audit["detail"]
    _, v, _ = tampered(f"DELETE FROM reason.snapshot_chunk WHERE snapshot_no = (SELECT no FROM reason.snapshot WHERE id = '{other}')",
                       f"UPDATE reason.snapshot SET erased_event_id = '{event}' WHERE id = '{other}'")
    assert v["ok"] is False and "erased_event_id" in v["detail"]


def begun(db, *statements):
    """A second session in a transaction."""
    session = Database(db.name)
    for statement in statements:
        session(statement)
    return session


def waits(session, query, *parameters):
    """Runs a query in a thread; gives the thread and what came of it."""
    outcome = {}

    def run():
        try:
            outcome["rows"] = session(query, *parameters)
        except psycopg.Error as error:
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), outcome
    return thread, outcome


def test_a_snapshot_waits_for_an_erasure(db, graph):
    eraser = begun(db, "BEGIN")
    eraser("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    freezer = Database(db.name)
    thread, outcome = waits(freezer, "SELECT reason.create_snapshot(%s)", [graph["effect"]])
    eraser("COMMIT")
    thread.join(10)
    assert SECRET not in db.one("SELECT reason.snapshot_document(%s)", outcome["rows"][0][0])
    for session in (eraser, freezer):
        session.close()


def test_an_erasure_waits_for_a_snapshot(db, graph):
    freezer = begun(db, "BEGIN")
    snapshot = freezer.one("SELECT reason.create_snapshot(%s)", [graph["effect"]])
    eraser = Database(db.name)
    thread, outcome = waits(eraser, "SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    freezer("COMMIT")
    thread.join(10)
    assert "rows" in outcome
    assert places(db, SECRET) == {"reason.annotation"} and event_of(db, graph["cause"])["snapshots"].keys() == {str(snapshot)}
    db("SELECT reason.erase_annotation(%s, 'asked for')", graph["note"])
    for session in (eraser, freezer):
        session.close()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_old_transaction_freezes_nothing_that_was_erased(db, graph, level):
    db("SELECT reason.create_snapshot(%s)", [add(db, {"n": 5})])
    freezer = begun(db, f"BEGIN ISOLATION LEVEL {level}", "SELECT 1")
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    with pytest.raises(psycopg.errors.SerializationFailure):
        freezer("SELECT reason.create_snapshot(%s)", [graph["effect"]])
    freezer("ROLLBACK")
    freezer.close()
    eraser = begun(db, f"BEGIN ISOLATION LEVEL {level}")
    with pytest.raises(psycopg.errors.InvalidTransactionState, match="cannot erase"):
        eraser("SELECT reason.erase_annotation(%s, 'asked for')", graph["note"])
    eraser("ROLLBACK")
    eraser.close()
    db("SELECT reason.erase_annotation(%s, 'asked for')", graph["note"])


def test_an_auditor_is_told(db, graph):
    snapshot = freeze(db, graph["effect"])
    db.complete(snapshot)
    db("SELECT reason.erase_payload(%s, 'asked for')", graph["cause"])
    db.settle()
    db("CREATE ROLE erasure_auditor; GRANT reason_auditor TO erasure_auditor; SET ROLE erasure_auditor")
    try:
        assert db.verify_snapshot(snapshot)["ok"] and db.verify()["ok"]
        with pytest.raises(GONE, match="was erased"):
            db("SELECT reason.snapshot_document(%s)", snapshot)
    finally:
        db("RESET ROLE; DROP ROLE erasure_auditor")
