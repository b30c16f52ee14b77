"""A database with something of everything in it, and what must be the same in each copy of it."""

import base64
import json

TABLES = ("node", "edge", "annotation", "audit_event", "audit_seal", "audit_signature", "snapshot", "snapshot_chunk", "signer", "client",
          "division_grant", "division_grant_withdrawn", "pii_rule", "lease", "idempotency_key", "policy_rule", "quarantine", "quarantine_release")


def contents(db):
    """A digest of every row of every table, and where the sequence stands."""
    found = {t: db.one(f"SELECT coalesce(encode(sha256(string_agg(md5(r::text), '' ORDER BY md5(r::text))::bytea), 'hex'), '') FROM reason.{t} r")
             for t in TABLES}
    found["record_no"] = db.row("SELECT last_value, is_called FROM reason.record_no")
    return found


def fill(db):
    """Something of everything."""
    nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada', metadata => '{\"big\": 1e300, \"ü\": [0.1, -0]}')",
                    f'{{"n": {n}, "text": "{"x" * 3000}"}}') for n in range(20)]
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.1)", cause, effect)
    # Events that are made from the rows of their records.
    db("SET reason.keep_event_text = off")
    db("SELECT reason.add_edge(%s, %s, 'supports', 0.1)", nodes[0], nodes[-1])
    db("SELECT reason.annotate(%s, 'note')", nodes[0])
    db("SELECT reason.add_node('score', '1', 'bob', division => 'tenant-a')")
    db("RESET reason.keep_event_text")
    db("SELECT reason.set_client('kernel', 'writer', '{*}')")
    db("SELECT reason.set_policy_rule('edges', '{edge.create}', path => '$.metadata.x ? (@ > 1)')")
    held = base64.b64encode(b'{"decision": "quarantine", "reason": "r", "rationale": "because", "policy_id": "p", "policy_version": "1"}').decode()
    for author in ("released", "held"):
        db("SELECT * FROM reason.http_post_node('kernel', NULL, NULL, 'r', NULL, %s, NULL, '200', %s)",
           json.dumps({"type": "action", "author": author, "payload": 1}), held)
    db("SELECT reason.release_quarantine((SELECT id FROM reason.node WHERE author = 'released'), 'looked at')")
    db("SELECT reason.grant_division('reason_reader', 'tenant-a')")
    db("SELECT reason.revoke_division('reason_writer', 'default')")
    db("SELECT reason.set_quota('kernel', 'default', 1000)")
    db("SELECT reason.set_archive_rule('default', 30)")
    db("SELECT reason.set_pii_rule('staff', 'staff', pattern => 'S-1')")
    make = "SELECT reason.create_snapshot(%s, 100, include_annotations => true)"
    db.without_document = db.one(make, [nodes[-1]])
    db.complete(db.without_document)
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[5])
    db.snapshot = db.one(make, [nodes[-1]])
    db.complete(db.snapshot)
    db.settle()


def proofs(db, source, timezone="UTC"):
    """What a copy of source must show as the source does; its documents are named by source."""
    db(f"SET timezone = '{timezone}'")
    found = [db.verify(division) for division in ("default", "tenant-a", "system")]
    found.append(db.verify_snapshot(source.snapshot))
    assert all(f["ok"] for f in found), found
    assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    found.append(db.verify_snapshot(source.without_document))
    found.append(db.one("SELECT reason.snapshot_document(%s)", source.snapshot))
    db("SET timezone = 'UTC'")
    return found + [contents(db)]


def goes_on(copy):
    """The copy is a database to work with, and its chain continues."""
    head = copy.verify()["head_seq"]
    copy("SELECT reason.add_node('score', '2', 'ada')")
    copy.settle()
    found = copy.verify()
    assert found["ok"] and found["head_seq"] == head + 1
