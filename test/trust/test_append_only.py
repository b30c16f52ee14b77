"""What is recorded is never changed: not by the owner, not by a superuser who leaves the triggers on."""
import psycopg
import pytest

from signer import Signer

TABLES = ("node", "edge", "annotation", "audit_event", "audit_seal", "audit_signature", "snapshot", "snapshot_chunk", "signer")
REFUSED = psycopg.errors.ObjectNotInPrerequisiteState


@pytest.fixture(scope="module")
def graph(db):
    nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada')", f'{{"n": {n}}}') for n in range(3)]
    db("SELECT reason.add_edge(%s, %s, 'causal')", nodes[0], nodes[1])
    note = db.one("SELECT reason.annotate(%s, 'a name')", nodes[0])
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[1]])
    db.complete(snapshot)
    db.settle()
    return {"nodes": nodes, "note": note, "snapshot": snapshot}


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_neither_updated_nor_removed(db, graph, table):
    assert db.one(f"SELECT count(*) FROM reason.{table}") > 0
    for column, in db("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", f"reason.{table}"):
        for value in (column, "NULL"):
            with pytest.raises(REFUSED, match="never changed|cannot be changed"):
                db(f"UPDATE reason.{table} SET {column} = {value}")
    for statement in (f"DELETE FROM reason.{table}", f"TRUNCATE reason.{table}", f"TRUNCATE reason.{table} CASCADE"):
        with pytest.raises(REFUSED, match="never changed"):
            db(statement)


def test_the_refusal_says_what_to_do_instead(db, graph):
    with pytest.raises(REFUSED) as refusal:
        db("UPDATE reason.node SET author = 'eve'")
    assert "corrects" in refusal.value.diag.message_hint


def test_a_payload_does_not_go_without_its_event(db, graph):
    with pytest.raises(REFUSED):
        db("UPDATE reason.node SET payload = NULL, salt = NULL WHERE id = %s", graph["nodes"][2])


def test_an_erasure_leaves_everything_else_provable(db, graph):
    node = graph["nodes"][0]
    before = db.row("SELECT digest, payload_hash FROM reason.node WHERE id = %s", node)
    event = db.one("SELECT reason.erase_payload(%s, 'asked for')", node)
    assert db.one("SELECT reason.erase_payload(%s, 'asked again')", node) == event
    assert db.row("SELECT payload, salt FROM reason.node WHERE id = %s", node) == (None, None)
    assert db.row("SELECT digest, payload_hash FROM reason.node WHERE id = %s", node) == before
    erased = db.one("SELECT payload -> 'erased' FROM reason.audit_event WHERE id = %s", event)
    frozen = erased.pop("snapshots", {})
    assert erased == {"kind": "node", "id": str(node), "by": "postgres", "reason": "asked for"}
    assert all(len(digest) == 64 for digest in frozen.values())
    db.settle()
    assert db.verify()["ok"]
    assert db.one("SELECT count(*) FROM reason.audit_events WHERE event_type = 'node.created' AND content IS NULL") == 1
    # An erased node stays as it is, too.
    with pytest.raises(REFUSED):
        db("UPDATE reason.node SET payload = '1', salt = 'x' WHERE id = %s", node)
    with pytest.raises(REFUSED):
        db("UPDATE reason.node SET author = 'eve' WHERE id = %s", node)
    assert not any(b"\"n\":0" in c[0] for c in db("SELECT payload::text::bytea FROM reason.audit_event"))


def test_annotations_are_erased_alike(db, graph):
    db("SELECT reason.erase_annotation(%s, 'asked for')", graph["note"])
    assert db.one("SELECT payload IS NULL AND salt IS NULL FROM reason.annotation WHERE id = %s", graph["note"])
    db.settle()
    assert db.verify()["ok"]


def test_an_erasure_needs_a_node_and_a_reason(db, graph):
    with pytest.raises(psycopg.errors.NoDataFound):
        db("SELECT reason.erase_payload(gen_random_uuid(), 'x')")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        db("SELECT reason.erase_payload(%s, '')", graph["nodes"][1])


def test_a_content_that_came_back_is_found(db, graph):
    with db.tampering():
        db("UPDATE reason.node SET payload = '{\"n\": 0}', salt = '\\x00' WHERE id = %s", graph["nodes"][0])
        assert not db.verify()["ok"]
        db("UPDATE reason.node SET payload_hash = sha256(salt || convert_to('{\"n\":0}', 'UTF8')) WHERE id = %s", graph["nodes"][0])
        assert not db.verify()["ok"]


def test_a_complete_snapshot_stays_as_it_is(db, graph):
    for change in ("status = 'failed'", "failure = 'x'", "object_version = 'v2'", "description = 'x'"):
        with pytest.raises(REFUSED, match="is complete"):
            db(f"UPDATE reason.snapshot SET {change} WHERE id = %s", graph["snapshot"])


def test_a_pending_snapshot_moves_forward_only(db, graph):
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [graph["nodes"][2]])
    for change in ("description = 'x'", "hash = repeat('0', 64)", "root_ids = '{}'",
                   "status = 'complete', signer_id = 'k', signature = decode(repeat('00', 64), 'hex'), object_uri = 'x',"
                   " completed_at = now(), audit_event_id = gen_random_uuid()"):
        with pytest.raises(REFUSED, match="cannot be changed this way"):
            db(f"UPDATE reason.snapshot SET {change} WHERE id = %s", snapshot)


def test_a_signer_never_becomes_good_again(db, graph):
    db("SELECT reason.add_signer('gone', %s)", Signer("gone", b"gone").public.raw.hex())
    db("SELECT reason.revoke_signer('gone', 'lost')")
    for change in ("status = 'active', revoked_at = NULL", "public_key = decode(repeat('00', 32), 'hex')", "valid_from = now()"):
        with pytest.raises(REFUSED, match="cannot be changed this way"):
            db(f"UPDATE reason.signer SET {change} WHERE signer_id = 'gone'")
