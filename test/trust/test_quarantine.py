"""The chain tells what is in quarantine: tampering is found, and a rebuilt database hides the same."""
import base64
import json

import psycopg
import pytest

STATE = {
    "quarantine": "division, kind, record_id, policy_check_id, released,"
                  " (SELECT e.id FROM reason.audit_event e WHERE e.no = record_no)",
    "quarantine_release": "division, (SELECT q.record_id FROM reason.quarantine q WHERE q.record_no = quarantine_release.record_no),"
                          " (SELECT e.id FROM reason.audit_event e WHERE e.no = event_no)",
    "policy_rule": "name, actions, types, division_pattern, path::text, on_silence, enabled",
}


def contents(db):
    return {table: sorted(map(repr, db(f"SELECT {columns} FROM reason.{table}"))) for table, columns in STATE.items()}


def write(db, route, body, decision):
    answer = {"decision": decision, "reason": "r", "rationale": "because", "policy_id": "p", "policy_version": 1}
    status, body = db.row(f"SELECT status, body::json FROM reason.http_post_{route}('kernel', NULL, NULL, 'r-1', NULL, %s, NULL, '200', %s)",
                          json.dumps(body), base64.b64encode(json.dumps(answer).encode()).decode())
    assert status == (403 if decision == "deny" else 201)
    return body


@pytest.fixture(scope="module")
def source(db):
    db("SELECT reason.set_client('kernel', 'writer', '{*}')")
    db("SELECT reason.set_policy_rule('all', '{node.create,edge.create,annotation.create}', types => '{action,causal}', division_pattern => 'd.*',"
       " path => '$.payload')")
    db("SELECT reason.set_policy_rule('all', '{node.create,edge.create}', on_silence => 'allow')")
    plain = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada')", str(n)) for n in range(2)]
    held = write(db, "nodes", {"nodes": [{"type": "action", "author": "a", "payload": n} for n in range(3)]}, "quarantine")
    db.held = [node["nodeId"] for node in held["nodes"]]
    write(db, "edge", {"from": str(plain[0]), "to": str(plain[1]), "type": "causal"}, "quarantine")
    write(db, "node", {"type": "action", "author": "a", "payload": 1}, "deny")
    write(db, "node", {"type": "action", "author": "a", "payload": 1}, "allow")
    assert db.one("SELECT reason.release_quarantine(%s, 'looked at')", db.held[0]) == 1
    db.settle()
    return db


def test_a_chain_with_quarantine_verifies(source):
    assert source.verify()["ok"], source.verify()
    assert source.one("SELECT count(*) FROM reason.quarantine") == 3 + 1 + 1 + 1 + 2  # nodes, check, edge, its check, the check's links


def test_a_rebuilt_database_hides_the_same(source, make_database):
    copy = make_database("trust_quarantine_rebuilt")
    for line, in source("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq"):
        copy("SELECT reason.replay(%s::json)", line)
    assert contents(copy) == contents(source)
    assert copy.verify() == source.verify()
    assert copy.verify()["ok"]
    assert copy.one("SELECT count(*) FROM reason.quarantined_numbers()") == source.one("SELECT count(*) FROM reason.quarantined_numbers()") == 7


@pytest.mark.parametrize("statement, word", [
    ("DELETE FROM reason.quarantine WHERE record_id = %(held)s", "is missing"),
    ("UPDATE reason.quarantine SET kind = 'annotation' WHERE record_id = %(held)s", "not as recorded"),
    ("UPDATE reason.quarantine SET record_no = record_no + 1000000 WHERE record_id = %(held)s", "not as recorded"),
    ("UPDATE reason.quarantine SET record_id = gen_random_uuid() WHERE record_id = %(held)s", "not as recorded"),
    ("UPDATE reason.quarantine SET policy_check_id = gen_random_uuid() WHERE record_id = %(held)s", "not as recorded"),
    ("UPDATE reason.quarantine SET division = 'other' WHERE record_id = %(held)s", "not as recorded"),
    ("INSERT INTO reason.quarantine SELECT division, no, 'node', id, id FROM reason.node WHERE type = 'observation'", "no event puts"),
    ("UPDATE reason.quarantine SET released = true WHERE record_id = %(held)s", "not as recorded"),
    ("UPDATE reason.quarantine SET released = false WHERE released", "not as recorded"),
    ("INSERT INTO reason.quarantine_release SELECT division, record_no, record_no FROM reason.quarantine WHERE record_id = %(held)s", "not as recorded"),
    ("WITH mark AS (UPDATE reason.quarantine SET released = true WHERE record_id = %(held)s RETURNING division, record_no)"
     " INSERT INTO reason.quarantine_release SELECT division, record_no, record_no FROM mark", "no event releases"),
    ("WITH mark AS (UPDATE reason.quarantine SET released = true WHERE record_id = %(held)s RETURNING division, record_no)"
     " INSERT INTO reason.quarantine_release SELECT m.division, m.record_no, r.event_no FROM mark m, reason.quarantine_release r", "no event releases"),
    ("DELETE FROM reason.quarantine_release", "is missing"),
    ("UPDATE reason.quarantine_release SET event_no = event_no - 1", "not as recorded"),
    ("UPDATE reason.quarantine_release SET record_no = (SELECT record_no FROM reason.quarantine WHERE record_id = %(held)s)", "not as recorded"),
])
def test_tampering_with_the_quarantine_is_found(source, statement, word):
    with source.tampering() as db:
        cursor = db.connection.execute(statement, {"held": source.held[1]})
        assert cursor.rowcount > 0
        found = source.verify()
    assert not found["ok"] and word in found["detail"], found


def test_rows_are_neither_updated_nor_removed(source):
    for table in ("quarantine", "quarantine_release"):
        for statement in (f"DELETE FROM reason.{table}", f"UPDATE reason.{table} SET division = division", f"TRUNCATE reason.{table}"):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="never changed"):
                source(statement)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="never changed"):
        source("UPDATE reason.quarantine SET released = true")
