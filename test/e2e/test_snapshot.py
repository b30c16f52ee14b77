"""Snapshots over HTTPS: freeze, sign, store, verify, tamper."""

import base64
import hashlib
import json
import pathlib
import subprocess

import pytest

from paths import VERIFY
from stack import stored_file


@pytest.fixture
def decision(new_node, new_edge):
    cause, effect = new_node("observation", payload={"text": "it rains"}), new_node("decision", payload={"note": "take an umbrella"})
    new_edge(cause, effect)
    return cause, effect


@pytest.fixture
def snapshot(kernel, decision):
    return kernel.post("/reason/snapshot", {"rootNodeIds": [decision[1]], "description": "weather"}, Prefer="wait=20")


def verify(stack, *arguments):
    return subprocess.run([VERIFY, "--registry", stack.env["REASON_SIGNERS"], *arguments], capture_output=True, text=True, check=False)


def test_a_snapshot_is_complete_signed_and_stored(stack, kernel, database, decision, snapshot):
    assert snapshot["status"] == "complete"
    assert len(base64.b64decode(snapshot["signature"])) == 64
    document = stored_file(stack, snapshot).read_bytes()
    assert hashlib.sha256(document).hexdigest() == snapshot["hash"]
    content = json.loads(document)
    assert content["id"] == snapshot["snapshotId"]
    assert content["root_ids"] == [decision[1]]
    assert sorted(n["id"] for n in content["payload"]["nodes"]) == sorted(decision)
    assert len(content["payload"]["edges"]) == 1
    status, signer = database.execute("SELECT status, signer_id FROM reason.snapshot WHERE id = %s", (snapshot["snapshotId"],)).fetchone()
    assert (status, signer) == ("complete", snapshot["signerId"])
    assert database.execute("SELECT count(*) FROM reason.audit_event WHERE event_type = 'snapshot.completed'"
                            " AND payload::text LIKE %s", (f"%{snapshot['snapshotId']}%",)).fetchone() == (1,)


def test_the_completing_event_names_the_request_that_asked(kernel, database, decision):
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    made = kernel.call("POST", "/reason/snapshot", {"rootNodeIds": [decision[1]]},
                       {"X-Request-Id": "req-43", "traceparent": traceparent, "Prefer": "wait=20"})
    request, = database.execute("SELECT payload -> 'request' FROM reason.audit_event WHERE event_type = 'snapshot.completed'"
                                " AND payload #>> '{snapshot,id}' = %s", (made["snapshotId"],)).fetchone()
    assert request == {"client": "kernel", "requestId": "req-43", "traceparent": traceparent}
    assert database.execute("SELECT traceparent FROM reason.snapshot_spans(%s)", (made["snapshotId"],)).fetchone() == (traceparent,)


def test_formats_of_a_snapshot(kernel, stack, snapshot):
    path = f"/reason/snapshot/{snapshot['snapshotId']}"
    metadata = kernel.get(path)
    assert (metadata["status"], metadata["hash"]) == ("complete", snapshot["hash"])
    envelope = kernel.get(path + "?format=envelope")
    assert envelope["signature"] == snapshot["signature"]
    assert envelope["signer_kid"] == snapshot["signerId"]
    assert base64.b64decode(envelope["snapshot_bytes_canonical_hash"]).hex() == snapshot["hash"]
    kernel.connection.request("GET", path + "?format=canonical")
    response = kernel.connection.getresponse()
    assert response.read() == stored_file(stack, snapshot).read_bytes()
    assert response.headers["Cache-Control"] == "private, no-cache, must-revalidate"
    etag = response.headers["ETag"]
    kernel.connection.request("GET", path + "?format=canonical", headers={"If-None-Match": etag})
    response = kernel.connection.getresponse()
    assert (response.status, response.read()) == (304, b"")
    kernel.connection.request("GET", path + "?format=human")
    response = kernel.connection.getresponse()
    assert b"umbrella" in response.read() and response.headers["Content-Type"].startswith("text/plain")


def test_verification_over_https_and_in_sql(kernel, database, snapshot):
    answer = kernel.get(f"/reason/snapshot/{snapshot['snapshotId']}/verify")
    assert answer["ok"] is True and answer["hash_ok"] is True and answer["signature_ok"] is True and answer["graph_ok"] is True
    assert database.execute("SELECT ok, stored_hash = computed_hash FROM reason.verify_snapshot(%s)", (snapshot["snapshotId"],)).fetchone() == (True, True)


def test_the_stored_file_verifies_alone_and_one_altered_byte_is_refused(stack, snapshot, tmp_path):
    stored = stored_file(stack, snapshot)
    assert verify(stack, str(stored)).returncode == 0
    copy = tmp_path / stored.name
    (tmp_path / f"{stored.name}.meta.json").write_bytes((stored.parent / f"{stored.name}.meta.json").read_bytes())
    copy.write_bytes(stored.read_bytes().replace(b"umbrella", b"Umbrella"))
    refusal = verify(stack, str(copy))
    assert refusal.returncode == 1, refusal.stdout
    assert verify(stack, str(tmp_path / "absent.json")).returncode == 2


def test_a_tampered_node_is_found_from_snapshot_and_chain(stack, kernel, database, new_node, new_edge):
    cause, effect = new_node(), new_node()
    new_edge(cause, effect)
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [effect]}, Prefer="wait=20")
    database.execute("SELECT set_config('session_replication_role', 'replica', false)")
    try:
        before, = database.execute("SELECT author FROM reason.node WHERE id = %s", (cause,)).fetchone()
        database.execute("UPDATE reason.node SET author = 'somebody else' WHERE id = %s", (cause,))
        ok, graph_ok, detail = database.execute("SELECT ok, graph_ok, detail FROM reason.verify_snapshot(%s)", (snapshot["snapshotId"],)).fetchone()
        assert (ok, graph_ok) == (False, False)
        assert cause in detail
    finally:
        database.execute("UPDATE reason.node SET author = %s WHERE id = %s", (before, cause))
        database.execute("SELECT set_config('session_replication_role', 'origin', false)")


def test_bad_snapshot_requests_are_refused(kernel, refused, new_node, random_id):
    for body, status in (({"rootNodeIds": []}, 400), ({}, 400), ({"rootNodeIds": [random_id() for _ in range(33)]}, 400),
                         ({"rootNodeIds": ["x"]}, 400), ({"rootNodeIds": [random_id()]}, 404),
                         ({"rootNodeIds": [new_node()], "direction": "sideways"}, 400), ({"rootNodeIds": [new_node()], "colour": 1}, 400)):
        assert refused(kernel.post, "/reason/snapshot", body)[0] == status, body


def test_a_repeated_request_gives_the_same_snapshot(kernel, decision, random_id):
    key = random_id()
    body = {"rootNodeIds": [decision[1]]}
    first = kernel.post("/reason/snapshot", body, Idempotency_Key=key, Prefer="wait=20")
    again = kernel.post("/reason/snapshot", body, Idempotency_Key=key, Prefer="wait=20")
    assert again["snapshotId"] == first["snapshotId"]


def test_another_divisions_snapshot_does_not_exist(kernel, reader, refused, new_node):
    node = new_node(division="tenant-a")
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [node]}, Prefer="wait=20")
    assert snapshot["status"] == "complete"
    for path in ("", "/verify"):
        assert refused(reader.get, f"/reason/snapshot/{snapshot['snapshotId']}{path}")[0] == 404


def test_signers_are_the_registry_that_auditors_get(kernel, stack):
    registry = kernel.get("/reason/signers")
    given = json.loads(pathlib.Path(stack.env["REASON_SIGNERS"]).read_text())["signers"]
    # Other tests register keys of their own.
    assert [signer for signer in registry["signers"] if signer["signerId"] in {s["signerId"] for s in given}] == given
    assert {signer["purpose"] for signer in registry["signers"]} == {"checkpoints", "events"}
    for signer in registry["signers"]:
        assert (signer["algorithm"], signer["status"]) == ("ed25519", "active")
        assert base64.b64decode(signer["publicKey"])[:12] == bytes.fromhex("302a300506032b6570032100")


def test_exports(kernel, decision, snapshot):
    for identifier in (decision[1], snapshot["snapshotId"]):
        as_json = kernel.get(f"/reason/export/{identifier}?format=json")
        assert decision[0] in json.dumps(as_json)
        kernel.connection.request("GET", f"/reason/export/{identifier}?format=human")
        assert b"umbrella" in kernel.connection.getresponse().read()


def test_a_document_that_was_erased_is_not_served(stack, kernel, database, refused, decision, snapshot):
    path = f"/reason/snapshot/{snapshot['snapshotId']}"
    kernel.connection.request("GET", path + "?format=canonical")
    kept = kernel.connection.getresponse()
    etag, document = kept.headers["ETag"], kept.read()
    database.execute("SELECT reason.erase_payload(%s, 'asked for')", (decision[0],))
    for query in ("?format=canonical", "?format=envelope", "?format=human"):
        status, body = refused(kernel.call, "GET", path + query, None, {"If-None-Match": etag})
        assert (status, body["code"]) == (404, "REASONING_GRAPH_NOT_FOUND") and "was erased" in body["error"]
    assert refused(kernel.get, f"/reason/export/{snapshot['snapshotId']}?format=json")[0] == 404
    metadata = kernel.get(path)
    assert (metadata["status"], metadata["hash"]) == ("complete", snapshot["hash"]) and metadata["documentErasedAt"].endswith("Z")
    assert (metadata["documentErasedBy"], metadata["documentErasedReason"]) == ("postgres", "asked for")
    verified = kernel.get(path + "/verify")
    assert (verified["ok"], verified["hash_ok"], verified["signature_ok"]) == (True, None, True) and "was erased" in verified["detail"]
    # The object stays in the store, as long as it is kept there.
    assert stored_file(stack, snapshot).read_bytes() == document
