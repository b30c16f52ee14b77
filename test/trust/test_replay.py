"""The chain alone holds all that is needed to rebuild the graph."""
import json

import psycopg
import pytest

DIGESTS = {
    "node": "id, division, type, author, payload, metadata, created_at, occurred_at, version, manifest_signature_id, payload_ref, salt,"
            " payload_hash, digest, audit_event_id",
    "edge": "id, division, type, weight, metadata, created_at, digest, audit_event_id,"
            " (SELECT f.id FROM reason.node f WHERE f.no = from_no), (SELECT t.id FROM reason.node t WHERE t.no = to_no)",
    "annotation": "id, division, type, author, payload, metadata, created_at, salt, payload_hash, digest, audit_event_id,"
                  " (SELECT t.id FROM reason.node t WHERE t.no = target_no)",
    "audit_event": "id, division, event_type, ts, payload::text",
    "audit_seal": "division, seq, prev_hash, hash, created_at, (SELECT e.id FROM reason.audit_event e WHERE e.no = event_no)",
    "audit_signature": "division, seq, signer_id, signature",
    "signer": "signer_id, algorithm, public_key, status, valid_from, valid_to, revoked_at, revocation_reason",
    "client": "name, issuer, san_uri, role, divisions, pii, enabled",
}


def contents(db):
    return {t: sorted(map(repr, db(f"SELECT {columns} FROM reason.{t}"))) for t, columns in DIGESTS.items()}


@pytest.fixture(scope="module")
def source(db):
    nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada', metadata => '{\"x\": 1e-7}', ts => '2026-01-02', version => '2',"
                    " manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\"}')", json.dumps({"n": n, "é": "\u2028"})) for n in range(10)]
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.1)", cause, effect)
    note = db.one("SELECT reason.annotate(%s, 'note')", nodes[0])
    db("SELECT reason.annotate(%s, 'another')", nodes[0])
    db("SELECT reason.add_node('score', 'null', 'bob', division => 'tenant-a')")
    db("SELECT reason.set_client('kernel', 'writer', '{*}')")
    db("SELECT reason.set_client('kernel', 'reader')")
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[4])
    db("SELECT reason.erase_annotation(%s, 'asked for')", note)
    db("SELECT reason.add_signer('old', %s)", db.signer.public.raw.hex())
    db("SELECT reason.retire_signer('old')")
    db("SELECT reason.revoke_signer('old', 'lost')")
    db.settle()
    return db


def events(db):
    return [json.loads(line) for line, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division, seq")]


def test_a_rebuilt_database_is_equal(source, make_database):
    copy = make_database("trust_rebuilt")
    copy("SET timezone = 'America/St_Johns'")
    for event in events(source):
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(event))
    source("SET timezone = 'UTC'")
    copy("SET timezone = 'UTC'")
    assert contents(copy) == contents(source)
    for division in ("default", "tenant-a", "system"):
        assert copy.verify(division) == source.verify(division)
        assert copy.verify(division)["ok"]
    # Given again, nothing happens; what follows continues the chain.
    assert not any(copy.one("SELECT reason.replay(%s::json)", json.dumps(event)) for event in events(source))
    head = copy.verify()["head_seq"]
    copy("SELECT reason.add_node('score', '1', 'ada')")
    copy.settle()
    assert copy.verify()["ok"] and copy.verify()["head_seq"] == head + 1


def test_contents_may_be_missing(source, make_database):
    """Erased from the archive under its own retention: the graph comes back without them."""
    copy = make_database("trust_contentless")
    for event in events(source):
        if event["division"] == "default" and event["eventType"] == "annotation.created":
            event["content"] = None
        copy("SELECT reason.replay(%s::json)", json.dumps(event))
    assert copy.one("SELECT count(*) FROM reason.annotation WHERE payload IS NULL") == 2


def test_what_does_not_hold_together_is_refused(source, make_database):
    copy = make_database("trust_refused")
    first, second, *_ = [e for e in events(source) if e["division"] == "default"]
    replay = "SELECT reason.replay(%s::json)"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not follow"):
        copy(replay, json.dumps(second))
    for change in ({"division": "other"}, {"id": second["id"]}, {"hash": second["hash"]}, {"eventType": "x"}, {"ts": second["ts"]},
                   {"payload": dict(first["payload"], eventType="edge.created")}):
        with pytest.raises(psycopg.errors.DataException, match="does not hold together"):
            copy(replay, json.dumps(dict(first, **change)))
    with pytest.raises(psycopg.errors.DataException, match="not what its payloadHash says"):
        copy(replay, json.dumps(dict(first, content={"salt": first["content"]["salt"], "payload": {"n": 99}})))
    assert copy.one("SELECT count(*) FROM reason.audit_event") == 0
