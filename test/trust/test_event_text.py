"""An event that is made from the row of its record has the bytes that were hashed, or says which row does not give them."""
import hashlib
import json

import psycopg
import pytest


@pytest.fixture(autouse=True)
def made_from_rows(db):
    db("SET reason.keep_event_text = off")


WHOLE = "SELECT e.event_type, e.payload::text, reason.event_payload(e)::text FROM reason.audit_event e WHERE e.no = %s"


def write(db, division="default"):
    """A node, an edge and an annotation with everything that they can have; their numbers."""
    first = db.one("SELECT reason.add_node('score', '{\"n\": 1e-7}', 'Zoë', division => %s, metadata => %s::jsonb, ts => '2026-01-02 03:04:05.000001Z',"
                   " version => '1.50', manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\", \"size\": 12}')",
                   division, json.dumps({"tags": ["é", "\u2028", "\"\\\n"], "confidence": 0.1, "large": 1e21, "small": -1.5e-9, "deep": [[{"\ud83d\ude00": None}]]}))
    second = db.one("SELECT reason.add_node('action', 'null', 'b', division => %s)", division)
    edge = db.one("SELECT reason.add_edge(%s, %s, 'causal', 0.1, '{\"why\": 1}', division => %s)", first, second, division)
    note = db.one("SELECT reason.annotate(%s, 'seen', metadata => '{\"a\": 1}', division => %s)", first, division)
    return {"node": db.one("SELECT no FROM reason.node WHERE id = %s", first), "edge": db.one("SELECT no FROM reason.edge WHERE id = %s", edge),
            "annotation": db.one("SELECT no FROM reason.annotation WHERE id = %s", note)}


def test_what_the_row_says_is_not_stored_twice(db):
    for kind, no in write(db).items():
        event_type, stored, whole = db.row(WHOLE, no)
        assert event_type == f"{kind}.created" and stored == '{"request":{"role":"postgres"}}'
        event = json.loads(whole)
        assert sorted(event) == sorted([kind, "division", "eventType", "id", "request", "ts"]) and event["request"] == {"role": "postgres"}
        assert db.one("SELECT reason.canonical_json(%s::json) = %s", whole, whole)
        assert db.one(f"SELECT digest FROM reason.{kind} WHERE no = %s", no) == hashlib.sha256(
            db.one("SELECT reason.canonical_json(%s::json)", json.dumps(event[kind])).encode()).digest()


def test_whole_events_have_the_same_form(db):
    db("SET reason.keep_event_text = on")
    kept = write(db)
    db("SET reason.keep_event_text = off")
    for (kind, no), made in zip(kept.items(), write(db).values()):
        _, stored, whole = db.row(WHOLE, no)
        assert stored == whole
        kept_event, made_event = json.loads(whole), json.loads(db.row(WHOLE, made)[2])
        for event in (kept_event, made_event):
            for member in ("id", "createdAt", "payloadHash", "from", "fromDigest", "to", "toDigest", "target", "targetDigest"):
                event[kind].pop(member, None)
            event.pop("id"), event.pop("ts")
        assert kept_event == made_event
    db.settle()
    assert db.verify()["ok"]


def test_a_policy_is_stored_with_the_event(db):
    policy = '{"decision":"allow","policyId":"p"}'
    for request, stored in (('{"client":"c"}', '{"policy":%s,"request":{"client":"c"}}' % policy), (None, '{"policy":%s}' % policy)):
        no = db.one("SELECT no FROM reason.insert_nodes(%s, true, '{*}', %s, %s)", '{"type": "score", "author": "a", "payload": 1}', request, policy)
        _, kept, whole = db.row(WHOLE, no)
        assert kept == stored and json.loads(whole)["policy"] == json.loads(policy) and json.loads(whole).get("request") == json.loads(request or "null")
    db.settle()
    assert db.verify()["ok"]


def test_it_is_the_same_whatever_the_session_sets(db):
    no = write(db)["node"]
    whole = db.row(WHOLE, no)[2]
    for setting in ("reason.max_canonical_depth = 1", "TimeZone = 'Asia/Kathmandu'", "extra_float_digits = -15", "DateStyle = 'German'"):
        db(f"SET {setting}")
        assert db.row(WHOLE, no)[2] == whole, setting
        db(f"RESET {setting.split()[0]}")


@pytest.mark.parametrize("kind", ("node", "edge", "annotation"))
def test_a_record_that_was_damaged_before_it_was_sealed_halts_its_chain(db, kind):
    division = f"unsealed-{kind}"
    no = write(db, division)[kind]
    digest = db.one(f"SELECT digest FROM reason.{kind} WHERE no = %s", no)
    db("SET session_replication_role = replica")
    db(f"UPDATE reason.{kind} SET type = 'decision' WHERE no = %s" if kind == "node" else f"UPDATE reason.{kind} SET metadata = '{{}}' WHERE no = %s", no)
    try:
        db.settle()
        event, fault = db.row("SELECT event_no, fault FROM reason.halted_chain WHERE division = %s", division)
        assert event == no and f"with no {no}: its columns do not give its digest" in fault and kind in fault
        # As it was: the digest was taken when it was written.
        db(f"UPDATE reason.{kind} SET type = 'score' WHERE no = %s" if kind == "node" else
           f"UPDATE reason.{kind} SET metadata = '{{\"{'why' if kind == 'edge' else 'a'}\": 1}}' WHERE no = %s", no)
    finally:
        db("RESET session_replication_role")
    db.settle()
    assert db.verify(division)["ok"] and db.one(f"SELECT digest FROM reason.{kind} WHERE no = %s", no) == digest


def test_a_row_that_was_altered_is_named_by_whatever_asks_for_its_event(db):
    no = write(db)["edge"]
    db.settle()
    event = db.one("SELECT id FROM reason.audit_event WHERE no = %s", no)
    for change, told in (("UPDATE reason.edge SET weight = 0.2 WHERE no = %s", f"with no {no}: its columns do not give its digest"),
                         ("UPDATE reason.edge SET from_no = to_no WHERE no = %s", f"with no {no}: its columns do not give its digest"),
                         ("DELETE FROM reason.edge WHERE no = %s", f'edge of audit_event "{event}": its row (no {no}) is missing')):
        with db.tampering():
            db(change, no)
            fault = db.verify()
            assert not fault["ok"] and told in fault["detail"]
            assert fault["first_bad_seq"] == db.one("SELECT seq FROM reason.audit_seal WHERE event_no = %s", no)
            for question in ("SELECT payload FROM reason.audit_events WHERE id = %s", "SELECT reason.event_payload(e) FROM reason.audit_event e WHERE id = %s"):
                db("SAVEPOINT asked")
                with pytest.raises(psycopg.errors.DataCorrupted, match="its columns do not give|is missing"):
                    db(question, event)
                db("ROLLBACK TO asked")


def test_erasing_a_content_leaves_its_event(db):
    no = write(db)["node"]
    db.settle()
    before = db.row(WHOLE, no)
    db("SELECT reason.erase_payload(id, 'asked for') FROM reason.node WHERE no = %s", no)
    db.settle()
    assert db.row(WHOLE, no) == before and db.verify()["ok"]


def test_a_row_that_somebody_makes_up_shows_no_other_division(db):
    no = write(db, "secret")["node"]
    made_up = db.one("SELECT format('(%%s,%%s,secret,node.created,%%s,{})', e.no, e.id, to_json(e.ts)) FROM reason.audit_event e WHERE no = %s", no)
    ask = "SELECT reason.event_payload(%s::reason.audit_event)"
    assert json.loads(json.dumps(db.one(ask, made_up)))["node"]["division"] == "secret"
    with db.connection.transaction(force_rollback=True):
        db("SET LOCAL ROLE reason_auditor")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="secret"):
            db(ask, made_up)
    with db.connection.transaction(force_rollback=True):
        db("SET LOCAL ROLE reason_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="event_payload"):
            db(ask, made_up)
    with db.connection.transaction(force_rollback=True):
        db("SET LOCAL ROLE reason_auditor")
        assert db.one("SELECT count(payload) FROM reason.audit_events WHERE division = 'default'") > 0


def test_a_sessions_own_setting_is_the_administrators(db):
    with db.connection.transaction(force_rollback=True):
        db("SET LOCAL ROLE reason_writer")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db("SET reason.keep_event_text = on")
