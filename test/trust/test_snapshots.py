"""Snapshots: the document, its way to completion, and its proof."""
import base64
import hashlib
import json

import psycopg
import pytest

from sealing import Database
from signer import Signer

CONFLICT = psycopg.errors.ObjectNotInPrerequisiteState


def add(db, value="1", **arguments):
    names = "".join(f", {n} => %s" for n in arguments)
    return db.one(f"SELECT reason.add_node('observation', %s::jsonb, 'ada'{names})", value, *arguments.values())


def link(db, cause, effect):
    return db.one("SELECT reason.add_edge(%s, %s, 'causal', 0.5)", cause, effect)


@pytest.fixture(scope="module")
def path(db):
    """A chain of causes, 0 → 1 → … → 14, with a loop from 3 back to 2 and an edge outside the walk."""
    nodes = [add(db, json.dumps({"n": n, "email": f"n{n}@example.com"}), metadata='{"confidence": 0.5}') for n in range(15)]
    for cause, effect in zip(nodes, nodes[1:]):
        link(db, cause, effect)
    link(db, nodes[3], nodes[2])
    link(db, nodes[3], add(db))
    db("SELECT reason.annotate(%s, 'fine')", nodes[4])
    return nodes


def document(db, snapshot):
    return db.one("SELECT reason.snapshot_document(%s)", snapshot)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def numbers(db, snapshot):
    return sorted(n["payload"]["n"] for n in json.loads(document(db, snapshot))["payload"]["nodes"])


def test_the_document_is_what_the_contract_says(db, path):
    snapshot = db.one("SELECT reason.create_snapshot(%s, 3, description => 'why', include_annotations => true, manifest_signature_id => 'm',"
                      " audience => 'regulator')", [path[5], path[4], path[5]])
    text = document(db, snapshot)
    content = json.loads(text)
    assert text == canonical(content)
    assert hashlib.sha256(text.encode()).hexdigest() == db.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot)
    assert set(content) == {"id", "root_ids", "created_at", "reasoning_graph_version", "manifest_signature_id", "payload"}
    assert content["root_ids"] == sorted(str(path[n]) for n in (4, 5))
    payload = content["payload"]
    assert payload.pop("log") == db.one("SELECT reason.frozen_log('default')") == db.one("SELECT log FROM reason.snapshot WHERE id = %s", snapshot)
    assert {k: v for k, v in payload.items() if not isinstance(v, list)} == {
        "audience": "regulator", "depth": 3, "description": "why", "direction": "ancestors", "pii_included": True}
    assert payload["frontier"] == [str(path[1])]
    assert sorted(n["payload"]["n"] for n in payload["nodes"]) == [1, 2, 3, 4, 5]
    for records in ("nodes", "edges", "annotations"):
        ids = [r["id"] for r in payload[records]]
        assert ids == sorted(ids)
    # edges with both ends inside: the path, and the loop
    assert len(payload["edges"]) == 5
    digests = {n["id"]: n["digest"] for n in payload["nodes"]}
    for edge in payload["edges"]:
        assert (edge["fromDigest"], edge["toDigest"]) == (digests[edge["from"]], digests[edge["to"]])
    for record in payload["nodes"] + payload["annotations"]:
        salted = base64.b64decode(record["salt"]) + canonical(record["payload"]).encode()
        assert hashlib.sha256(salted).hexdigest() == record["payloadHash"]
    for record in payload["nodes"] + payload["edges"] + payload["annotations"]:
        hashed = {k: v for k, v in record.items() if k not in ("digest", "payload", "salt", "erased")}
        assert hashlib.sha256(canonical(hashed).encode()).hexdigest() == record["digest"]


@pytest.mark.parametrize("arguments, expected", [
    ("NULL", list(range(1, 12))), ("0", [11]), ("2", [9, 10, 11]), ("10000", list(range(12)))])
def test_depth_and_its_default(db, path, arguments, expected):
    assert numbers(db, db.one(f"SELECT reason.create_snapshot(%s, {arguments})", [path[11]])) == expected


def test_descendants(db, path):
    assert numbers(db, db.one("SELECT reason.create_snapshot(%s, 3, 'descendants')", [path[10]])) == [10, 11, 12, 13]


def test_no_more_than_one_mvcc_snapshot_is_seen(db, path):
    writer = Database(db.name)
    writer("BEGIN")
    link(writer, add(writer, '{"n": 99}'), path[12])
    before = numbers(db, db.one("SELECT reason.create_snapshot(%s, 1)", [path[12]]))
    writer("COMMIT")
    writer.close()
    after = numbers(db, db.one("SELECT reason.create_snapshot(%s, 1)", [path[12]]))
    assert (before, after) == ([11, 12], [11, 12, 99])


def test_what_is_refused(db, path):
    for statement, error in (
            ("'{}'", psycopg.errors.InvalidParameterValue), ("NULL", psycopg.errors.InvalidParameterValue),
            ("ARRAY[NULL]::uuid[]", psycopg.errors.InvalidParameterValue),
            ("ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 33))", psycopg.errors.InvalidParameterValue),
            ("ARRAY[gen_random_uuid()]", psycopg.errors.NoDataFound),
            (f"'{{{path[0]}}}', -1", psycopg.errors.InvalidParameterValue), (f"'{{{path[0]}}}', 10001", psycopg.errors.InvalidParameterValue),
            (f"'{{{path[0]}}}', 1, 'sideways'", psycopg.errors.InvalidParameterValue)):
        with pytest.raises(error):
            db(f"SELECT reason.create_snapshot({statement})")
    elsewhere = add(db, division="elsewhere")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="different divisions"):
        db("SELECT reason.create_snapshot(%s)", [path[0], elsewhere])


def test_a_repeated_request_gives_the_same_snapshot(db, path):
    first = db.one("SELECT reason.create_snapshot(%s, request_id => 'r1')", [path[2]])
    assert db.one("SELECT reason.create_snapshot(%s, request_id => 'r1')", [path[2]]) == first
    with pytest.raises(psycopg.errors.UniqueViolation):
        db("SELECT reason.create_snapshot(%s, request_id => 'r1')", [path[3]])
    assert db.one("SELECT reason.create_snapshot(%s, request_id => 'r2')", [path[2]]) != first


def payload_bytes(db, snapshot):
    text = document(db, snapshot)
    return text[text.index(',"payload":'):text.index('},"reasoning_graph_version"')]


def test_the_same_subgraph_gives_the_same_bytes(db, path):
    first = payload_bytes(db, db.one("SELECT reason.create_snapshot(%s)", [path[9]]))
    with psycopg.connect(f"{db.dsn} options='-c timezone=Asia/Kolkata -c datestyle=german -c extra_float_digits=-5 -c work_mem=64kB'",
                         autocommit=True) as other:
        snapshot, = other.execute("SELECT reason.create_snapshot(%s)", ([path[9]],)).fetchone()
    assert payload_bytes(db, snapshot) == first


def test_without_the_right_to_personal_data(db, path):
    snapshot = db.one("SELECT reason.create_snapshot(%s, 0, include_pii => false)", [path[0]])
    node, = json.loads(document(db, snapshot))["payload"]["nodes"]
    assert node["payload"] == {"n": 0, "email": "[redacted:email]"} and "salt" not in node
    assert json.loads(document(db, snapshot))["payload"]["pii_included"] is False
    db.complete(snapshot)
    assert db.verify_snapshot(snapshot)["ok"]


def test_the_way_to_completion(db, path):
    token = db.token("snapshot")
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[6]])
    claimed = {r[0]: r for r in db("SELECT * FROM reason.claim_snapshots(%s, 100)", token)}[snapshot]
    _id, division, status, hashed, size, chunks, signer, signature, key, _ts = claimed
    assert (division, status, signer, signature, key) == ("default", "pending", None, None, f"snapshots/default/{snapshot}.json")
    pieces = [db.one("SELECT reason.snapshot_chunk(%s, %s)", snapshot, n) for n in range(chunks)]
    assert len(b"".join(pieces)) == size and hashlib.sha256(b"".join(pieces)).hexdigest() == hashed
    assert db.one("SELECT reason.snapshot_chunk(%s, %s)", snapshot, chunks) is None
    found = db.verify_snapshot(snapshot)
    assert (found["ok"], found["hash_ok"], found["signature_ok"], found["graph_ok"]) == (False, True, False, True)
    assert "is pending, not signed" in found["detail"]

    stored = "SELECT reason.record_snapshot_stored(%s, %s, 'file:///x', NULL)"
    signed = "SELECT reason.record_snapshot_signature(%s, %s, %s, %s)"
    good = db.signer.sign(bytes.fromhex(hashed))
    with pytest.raises(CONFLICT, match="not signed"):
        db(stored, token, snapshot)
    with pytest.raises(psycopg.errors.DataException, match="not that of signer"):
        db(signed, token, snapshot, db.signer.name, bytes(64))
    with pytest.raises(CONFLICT, match="not registered"):
        db(signed, token, snapshot, "nobody", good)
    with pytest.raises(CONFLICT, match="passed to another"):
        db(signed, token + 1, snapshot, db.signer.name, good)
    db(signed, token, snapshot, db.signer.name, good)
    db(signed, token, snapshot, db.signer.name, good)
    db(stored, token, snapshot)
    db(stored, token, snapshot)
    assert db.verify_snapshot(snapshot) == {
        "ok": True, "hash_ok": True, "signature_ok": True, "signer_id": "key-1", "signer_status": "active", "graph_ok": True,
        "stored_hash": hashed, "computed_hash": hashed, "detail": None}
    assert db.one("SELECT count(*) FROM reason.audit_event WHERE event_type = 'snapshot.completed'"
                  " AND payload #>> '{snapshot,id}' = %s", str(snapshot)) == 1


def test_an_attempt_fails_and_is_tried_again_later(db, path):
    token = db.token("snapshot")
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[7]])
    delays = []
    for _ in range(4):
        db("SELECT reason.record_snapshot_failure(%s, %s, 'the store is away', false)", token, snapshot)
        delays.append(db.one("SELECT round(extract(epoch FROM next_attempt_at - clock_timestamp())) FROM reason.snapshot WHERE id = %s", snapshot))
    assert delays == [1, 2, 4, 8]
    assert snapshot not in [r[0] for r in db("SELECT id FROM reason.claim_snapshots(%s, 100)", token)]
    db("SELECT reason.record_snapshot_failure(%s, %s, 'no more', true)", token, snapshot)
    assert db.row("SELECT status, failure, attempts, next_attempt_at FROM reason.snapshot WHERE id = %s", snapshot) == ("failed", "no more", 5, None)
    assert db.one("SELECT payload #>> '{snapshot,failure}' FROM reason.audit_event WHERE event_type = 'snapshot.failed'"
                  " AND payload #>> '{snapshot,id}' = %s", str(snapshot)) == "no more"
    db("SELECT reason.retry_snapshot(%s)", snapshot)
    assert db.row("SELECT status, failure, attempts FROM reason.snapshot WHERE id = %s", snapshot) == ("pending", None, 0)
    db.complete(snapshot)
    assert db.verify_snapshot(snapshot)["ok"]
    with pytest.raises(CONFLICT, match="is complete"):
        db("SELECT reason.retry_snapshot(%s)", snapshot)


def test_a_revoked_key_cannot_complete_a_snapshot(db, path):
    token = db.token("snapshot")
    leaked = Signer("leaked", b"leaked")
    db("SELECT reason.add_signer('leaked', %s)", leaked.public.raw.hex())
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[8]])
    hashed = db.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot)
    db("SELECT reason.record_snapshot_signature(%s, %s, 'leaked', %s)", token, snapshot, leaked.sign(bytes.fromhex(hashed)))
    db("SELECT reason.revoke_signer('leaked', 'leaked', (SELECT valid_from FROM reason.signer WHERE signer_id = 'leaked'))")
    with pytest.raises(CONFLICT, match="is revoked"):
        db("SELECT reason.record_snapshot_stored(%s, %s, 'file:///x', NULL)", token, snapshot)
    found = db.verify_snapshot(snapshot)
    assert not found["ok"] and not found["signature_ok"] and "before it signed: leaked" in found["detail"]
    db("SELECT reason.retry_snapshot(%s)", snapshot)
    db.complete(snapshot)
    assert db.verify_snapshot(snapshot)["ok"]


def test_old_snapshots_after_rotation_and_revocation(db, path):
    database, db.signer = db, Signer("first", b"first")
    database("SELECT reason.add_signer('first', %s)", db.signer.public.raw.hex())
    snapshot = database.one("SELECT reason.create_snapshot(%s)", [path[1]])
    database.complete(snapshot)
    db.signer = Signer("key-1")
    database("SELECT reason.retire_signer('first')")
    assert (database.verify_snapshot(snapshot)["ok"], database.verify_snapshot(snapshot)["signer_status"]) == (True, "retired")
    database("SELECT reason.revoke_signer('first', 'found on a train')")
    found = database.verify_snapshot(snapshot)
    assert (found["ok"], found["signer_status"]) == (True, "revoked") and "found on a train" in found["detail"]


def test_bytes_that_an_auditor_brings(db, path):
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[10]])
    db.complete(snapshot)
    text = document(db, snapshot)
    signature = db.one("SELECT translate(encode(signature, 'base64'), E'\\n', '') FROM reason.snapshot WHERE id = %s", snapshot)
    check = "SELECT ok, hash_ok, signature_ok, graph_ok, detail FROM reason.verify_snapshot_document(%s, %s, %s)"
    assert db.row(check, text, signature, "key-1") == (True, True, True, True, None)
    for altered in (text.replace('"n":5', '"n":6'), text + " ", "{}", "", "[]", "nonsense"):
        ok, _hash_ok, signature_ok, _graph_ok, detail = db.row(check, altered, signature, "key-1")
        assert (ok, signature_ok) == (False, False) and detail
    assert not db.row(check, text, "!", "key-1")[0]
    assert not db.row(check, text, signature, "nobody")[0]
    # Signed by a good key, but not a snapshot, or not consistent in itself.
    for forged in ('{"eventType":"node.created","payload":{}}', text.replace('"n":5', '"n":6'), text.replace('"nodes":[', '"nodes":[1,'),
                   text.replace(',"salt"', ',"sa1t"')):
        forged_signature = base64.b64encode(db.signer.sign(hashlib.sha256(forged.encode()).digest())).decode()
        ok, _hash_ok, signature_ok, _graph_ok, detail = db.row(check, forged, forged_signature, "key-1")
        assert (ok, signature_ok) == (False, True) and detail.startswith("document:")
    assert db.row("SELECT ok, detail FROM reason.verify_snapshot(%s, %s, %s)", snapshot, text, signature) == (True, None)
    other = db.one("SELECT reason.create_snapshot(%s)", [path[10]])
    assert not db.one("SELECT ok FROM reason.verify_snapshot(%s, %s, %s)", other, text, signature)


def test_the_envelope(db, path):
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[10]])
    with pytest.raises(CONFLICT, match="not signed yet"):
        db("SELECT reason.snapshot_envelope(%s)", snapshot)
    db.complete(snapshot)
    envelope = db.one("SELECT reason.snapshot_envelope(%s)", snapshot)
    hashed = base64.b64decode(envelope.pop("snapshot_bytes_canonical_hash"))
    assert (envelope.pop("signer_kid"), base64.b64decode(envelope.pop("signature"))) == ("key-1", db.signer.sign(hashed))
    assert envelope == json.loads(document(db, snapshot))


def test_what_is_erased_is_shown_as_erased(db):
    cause, effect = add(db, '{"n": 1, "name": "Ada"}'), add(db, '{"n": 2}')
    link(db, cause, effect)
    db("SELECT reason.erase_payload(%s, 'asked for')", cause)
    after = db.one("SELECT reason.create_snapshot(%s)", [effect])
    db.complete(after)
    nodes = {n["id"]: n for n in json.loads(document(db, after))["payload"]["nodes"]}
    erased = nodes[str(cause)]
    assert erased["payload"] is None and "salt" not in erased
    assert (erased["erased"]["by"], erased["erased"]["reason"]) == ("postgres", "asked for") and erased["erased"]["at"].endswith("Z")
    assert "erased" not in nodes[str(effect)]
    assert db.verify_snapshot(after)["ok"]


def test_differences(db):
    nodes = [add(db, f'{{"n": {n}}}') for n in range(3)]
    first, second = link(db, nodes[0], nodes[1]), link(db, nodes[1], nodes[2])
    a = db.one("SELECT reason.create_snapshot(%s)", [nodes[1]])
    b = db.one("SELECT reason.create_snapshot(%s, 1)", [nodes[2]])
    assert sorted((kind, identifier, change) for kind, identifier, change, _, _ in db("SELECT * FROM reason.snapshot_diff(%s, %s)", a, b)) == sorted([
        ("node", nodes[0], "missing"), ("edge", first, "missing"), ("node", nodes[2], "added"), ("edge", second, "added")])
    assert db("SELECT * FROM reason.snapshot_diff(%s, %s)", a, a) == []


def test_a_document_of_many_chunks(db):
    nodes = [add(db, json.dumps({"n": n, "text": chr(0x10000 + n) * 20000 + '\\"]}'})) for n in range(60)]
    for node in nodes[1:]:
        link(db, node, nodes[0])
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[0]])
    assert db.one("SELECT count(*) FROM reason.snapshot s JOIN reason.snapshot_chunk c ON c.snapshot_no = s.no WHERE s.id = %s", snapshot) > 4
    db.complete(snapshot)
    assert db.verify_snapshot(snapshot)["ok"]
    assert len(json.loads(document(db, snapshot))["payload"]["nodes"]) == 60
    assert len(db("SELECT * FROM reason.snapshot_diff(%s, %s)", snapshot, db.one("SELECT reason.create_snapshot(%s, 0)", [nodes[0]]))) == 59 * 2


def test_who_may_do_what(db, path):
    db("DROP ROLE IF EXISTS trust_auditor")
    db("DROP ROLE IF EXISTS trust_sidecar")
    db("CREATE ROLE trust_auditor IN ROLE reason_auditor")
    db("CREATE ROLE trust_sidecar IN ROLE reason_sidecar")
    hidden = db.one("SELECT reason.create_snapshot(%s)", [add(db, division="hidden")])
    token = db.token("snapshot")
    db.settle()
    try:
        db("SET ROLE trust_auditor")
        snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[1]])
        assert db.row("SELECT hash_ok, graph_ok FROM reason.verify_snapshot(%s)", snapshot) == (True, True)
        assert document(db, snapshot) and db.one("SELECT reason.snapshot_chunk(%s, 0)", snapshot)
        assert db.verify()["ok"] and db.verify("system")["ok"]
        for statement in ("snapshot_document", "verify_snapshot", "snapshot_envelope"):
            with pytest.raises(psycopg.errors.NoDataFound):
                db(f"SELECT reason.{statement}(%s)", hidden)
        assert db.one("SELECT reason.snapshot_chunk(%s, 0)", hidden) is None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.verify("hidden")
        for statement in ("SELECT reason.check_document(1, 'hidden', NULL, NULL)", "SELECT reason.snapshot_records(1, 'hidden')",
                          "SELECT reason.claim_snapshots(1, 1)", "SELECT reason.add_signer('x', 'y')",
                          "SELECT reason.erase_payload(gen_random_uuid(), 'x')", "SELECT reason.seal_events(1, 1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db(statement)
        db("SET ROLE trust_sidecar")
        assert db("SELECT * FROM reason.claim_snapshots(%s, 1)", token)
        assert db.one("SELECT reason.snapshot_chunk(%s, 0)", hidden)
        for statement in ("SELECT reason.snapshot_document(gen_random_uuid())", "SELECT reason.create_snapshot('{}')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db(statement)
    finally:
        db("RESET ROLE")
        db("DROP ROLE trust_auditor")
        db("DROP ROLE trust_sidecar")


def test_the_chain_after_all_this(db):
    db.settle()
    for division in ("default", "system", "hidden", "elsewhere"):
        assert db.verify(division)["ok"]


# ---------------------------------------------------------------- what was cut, and what is not complete

@pytest.mark.parametrize("direction, root, cut", [("ancestors", 14, 4), ("descendants", 0, 10)])
def test_where_the_walk_stopped_is_signed(db, path, direction, root, cut):
    content = json.loads(document(db, db.one("SELECT reason.create_snapshot(%s, 10, direction => %s)", [path[root]], direction)))
    assert content["payload"]["frontier"] == [str(path[cut])]
    whole = json.loads(document(db, db.one("SELECT reason.create_snapshot(%s, 14, direction => %s)", [path[root]], direction)))
    assert whole["payload"]["frontier"] == []


def test_a_wide_frontier_is_sorted_and_verified(db):
    roots = [str(n) for n, in db("SELECT reason.add_node('score', to_jsonb(n), 'a') FROM generate_series(1, 30000) n")]
    start = add(db)
    for causes, effects in ((roots[:15000], [str(start)] * 15000), (roots[15000:], roots[:15000])):
        db("SELECT count(*) FROM reason.add_edges((SELECT json_build_object('edges', json_agg(json_build_object("
           "'from', c, 'to', e, 'type', 'causal'))) FROM unnest(%s::uuid[], %s::uuid[]) u(c, e)))", causes, effects)
    snapshot = db.one("SELECT reason.create_snapshot(%s, 1)", [start])
    payload = json.loads(document(db, snapshot))["payload"]
    assert payload["frontier"] == sorted(roots[:15000])
    db.complete(snapshot)
    assert db.verify_snapshot(snapshot)["ok"]


def with_frontier(text, frontier):
    content = json.loads(text)
    content["payload"]["frontier"] = frontier(content["payload"]["frontier"])
    return canonical(content)


@pytest.mark.parametrize("frontier", [lambda f: f[::-1], lambda f: f * 2, lambda f: f + ["ffffffff-ffff-4fff-8fff-ffffffffffff"], lambda f: [1],
                                      lambda f: [f], lambda f: [{}], lambda f: ["x"]])
def test_a_frontier_of_others_is_refused(db, path, frontier):
    late = add(db)
    for effect in (path[5], path[7]):
        link(db, effect, late)
    snapshot = db.one("SELECT reason.create_snapshot(%s, 1)", [late])
    text = document(db, snapshot)
    assert len(json.loads(text)["payload"]["frontier"]) == 2
    altered = with_frontier(text, frontier)
    signature = base64.b64encode(db.signer.sign(hashlib.sha256(altered.encode()).digest())).decode()
    found = db.row("SELECT ok, detail FROM reason.verify_snapshot_document(%s, %s, %s)", altered, signature, db.signer.name)
    assert found[0] is False and "document" in found[1]


@pytest.mark.parametrize("state", ["pending", "signed", "failed"])
def test_what_is_not_complete_is_never_ok(db, path, state):
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[3]])
    token = db.token("snapshot")
    if state != "pending":
        hashed = db.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot)
        db("SELECT reason.record_snapshot_signature(%s, %s, %s, %s)", token, snapshot, db.signer.name, db.signer.sign(bytes.fromhex(hashed)))
    if state == "failed":
        db("UPDATE reason.snapshot SET status = 'failed', failure = 'no room' WHERE id = %s", snapshot)
    found = db.verify_snapshot(snapshot)
    assert found["ok"] is False and found["hash_ok"] and found["graph_ok"]
    assert f"is {state}, not" in found["detail"]


@pytest.mark.parametrize("state, status, said", [("pending", 202, "pending"), ("signed", 202, "pending"), ("failed", 502, "failed"),
                                                 ("complete", 201, "complete")])
def test_each_state_has_its_answer(db, path, state, status, said):
    db("SELECT reason.set_client('writer', 'writer', '{default}')")
    body = json.dumps({"rootNodeIds": [str(path[2])]})
    call = "SELECT status, headers, body FROM reason.http_post_snapshot('writer', NULL, NULL, 'r-1', NULL, %s, 'wait=5', %s)"
    first = db.row(call, body, f"key-{state}")
    snapshot = json.loads(first[2])["snapshotId"]
    assert first[0] == 202 and "X-Reason-Await" in first[1]
    if state in ("signed", "failed"):
        hashed = db.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot)
        db("SELECT reason.record_snapshot_signature(%s, %s, %s, %s)", db.token("snapshot"), snapshot, db.signer.name,
           db.signer.sign(bytes.fromhex(hashed)))
    if state == "failed":
        db("UPDATE reason.snapshot SET status = 'failed', failure = 'no room' WHERE id = %s", snapshot)
    if state == "complete":
        db.complete(snapshot)
    for answer in (db.row("SELECT * FROM reason.http_await_snapshot(%s)", snapshot), db.row(call, body, f"key-{state}")):
        found = json.loads(answer[2])
        assert answer[0] == status and found.get("status", found.get("details", {}).get("status")) == said
        if state == "failed":
            assert found["code"] == "REASONING_GRAPH_DEPENDENCY" and found["requestId"] == "r-1" and "no room" in found["error"]
            assert found["details"]["snapshotId"] == snapshot
            # It does not wait for what will not come.
            assert "X-Reason-Await" not in (answer[1] or "")


def test_what_may_be_erased_is_not_kept_unasked(db, path):
    db("SELECT reason.set_client('owner', 'auditor', '{default}', true)")
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [path[2]])
    db.complete(snapshot)
    for form in ("metadata", "canonical", "envelope", "human"):
        call = "SELECT status, headers FROM reason.http_get_snapshot('owner', NULL, NULL, 'r-1', NULL, %s, %s, %s)"
        status, headers = db.row(call, str(snapshot), json.dumps({"format": form}), None)
        told = dict(line.split(": ", 1) for line in headers.splitlines())
        assert status == 200 and told["Cache-Control"] == "private, no-cache, must-revalidate"
        assert db.row(call, str(snapshot), json.dumps({"format": form}), told["ETag"])[0] == 304
