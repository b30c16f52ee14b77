"""Writing nodes, edges and annotations over HTTPS."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


def test_a_node_comes_back_as_it_was_written(kernel):
    written = kernel.post("/reason/node", {
        "type": "decision", "author": "planner", "payload": {"b": [1, 2.5, None], "a": "ü€𝄞"},
        "metadata": {"confidence": 0.75, "tags": ["x"]}, "version": "v1", "manifestSignatureId": "m-1",
        "payloadRef": {"uri": "s3://bucket/key", "sha256": "0" * 64, "size": 12}})
    assert uuid.UUID(written["nodeId"]).version == 7
    assert RFC3339.match(written["createdAt"])
    node = kernel.get(f"/reason/node/{written['nodeId']}")["node"]
    assert node["type"] == "decision"
    assert node["author"] == "planner"
    assert node["division"] == "default"
    assert node["payload"] == {"b": [1, 2.5, None], "a": "ü€𝄞"}
    assert node["metadata"] == {"confidence": 0.75, "tags": ["x"]}
    assert node["version"] == "v1"
    assert node["manifestSignatureId"] == "m-1"
    assert node["payloadRef"] == {"uri": "s3://bucket/key", "sha256": "0" * 64, "size": 12}
    assert node["createdAt"] == written["createdAt"]
    assert node["auditEventId"] == written["auditEventId"]


def test_a_client_may_bring_its_own_ids(kernel, random_id, database):
    node, event = random_id(), random_id()
    written = kernel.post("/reason/node", {"id": node, "auditEventId": event, "type": "score", "author": "a", "payload": 1})
    assert (written["nodeId"], written["auditEventId"]) == (node, event)
    assert database.execute("SELECT count(*) FROM reason.audit_event WHERE id = %s", (event,)).fetchone() == (1,)


def test_an_edge_links_cause_and_effect(kernel, new_node):
    cause, effect = new_node(), new_node("decision")
    edge = kernel.post("/reason/edge", {"from": cause, "to": effect, "type": "supports", "weight": 0.5})
    shown = kernel.get(f"/reason/node/{effect}")
    assert [(e["id"], e["from"], e["to"], e["type"], e["weight"]) for e in shown["incoming"]] == [
        (edge["edgeId"], cause, effect, "supports", 0.5)]
    assert shown["outgoing"] == []
    assert [e["id"] for e in kernel.get(f"/reason/node/{cause}")["outgoing"]] == [edge["edgeId"]]


def test_a_batch_keeps_its_order_and_matches_types_without_regard_to_case(kernel, random_id):
    ids = [random_id() for _ in range(3)]
    answer = kernel.post("/nodes", {"nodes": [
        {"id": ids[0], "type": "OBSERVATION", "actor": "eval", "ts": "2024-02-29T12:00:00Z", "payload": {"i": 0}, "metadata": {}},
        {"id": ids[1], "type": "PolicyCheck", "actor": "eval", "ts": "2024-02-29T12:00:00.5+02:00", "payload": {"i": 1}},
        {"id": ids[2], "type": "score", "actor": "eval", "payload": {"i": 2}}]})
    assert [node["nodeId"] for node in answer["nodes"]] == ids
    second = kernel.get(f"/reason/node/{ids[1]}")["node"]
    assert (second["type"], second["author"], second["ts"]) == ("policyCheck", "eval", "2024-02-29T10:00:00.500000Z")
    edges = kernel.post("/edges", {"edges": [{"from": ids[0], "to": ids[1], "type": "CAUSAL"},
                                             {"from": ids[1], "to": ids[2], "type": "derivedfrom"}]})
    assert edges["count"] == 2
    assert [e["type"] for e in kernel.get(f"/reason/node/{ids[1]}")["outgoing"]] == ["derivedFrom"]


@pytest.mark.parametrize("path,body,index", [
    ("/nodes", {"nodes": [{"type": "score", "actor": "a", "payload": 1}, {"type": "guess", "actor": "a", "payload": 1}]}, 1),
    ("/nodes", {"nodes": [{"type": "score", "actor": "a", "payload": 1}] * 3 + [{"type": "score", "payload": 1}]}, 3),
    ("/edges", {"edges": [{"from": "00000000-0000-7000-8000-000000000001", "to": "00000000-0000-7000-8000-000000000002", "type": "causal"}]}, 0),
])
def test_a_batch_with_one_bad_record_writes_nothing_and_names_it(kernel, refused, counts, path, body, index):
    before = counts()
    status, error = refused(kernel.post, path, body)
    assert 400 <= status < 500
    assert error["details"]["index"] == index
    assert f"[{index}]" in error["error"]
    assert counts() == before


def test_a_batch_with_an_id_that_exists_names_it_and_writes_nothing(kernel, refused, counts, new_node, random_id):
    taken = new_node()
    before = counts()
    status, error = refused(kernel.post, "/nodes", {"nodes": [
        {"id": random_id(), "type": "score", "actor": "a", "payload": 1}, {"id": taken, "type": "score", "actor": "a", "payload": 1}]})
    assert (status, error["code"], error["details"]["index"]) == (409, "REASONING_GRAPH_CONFLICT", 1)
    same = random_id()
    status, error = refused(kernel.post, "/nodes", {"nodes": [
        {"id": same, "type": "score", "actor": "a", "payload": 1}, {"id": same, "type": "score", "actor": "a", "payload": 2}]})
    assert (status, error["details"]["index"]) == (409, 1)
    assert counts() == before


def test_a_node_is_never_overwritten(kernel, refused, new_node):
    node = new_node(payload={"first": True})
    status, error = refused(kernel.post, "/reason/node", {"id": node, "type": "score", "author": "a", "payload": {"first": False}})
    assert (status, error["code"]) == (409, "REASONING_GRAPH_CONFLICT")
    assert kernel.get(f"/reason/node/{node}")["node"]["payload"] == {"first": True}


@pytest.mark.parametrize("body,word", [
    (b"{", "JSON"),
    (b"[]", "object"),
    (b"", ""),
    (b'{"type":"score","author":"a","payload":1,"payload":2}', "twice"),
    (b'{"type":"score","author":"a","payload":"\\ud800"}', ""),
    (b'{"type":"score","author":"a","payload":"\\u0000"}', ""),
    (b'{"type":"score","author":"a","payload":9007199254740993}', ""),
    (b'{"type":"score","author":"a","payload":1e400}', ""),
    (b'{"type":"score","author":"a","payload":"\xff"}', ""),
    (b'{"type":"guess","author":"a","payload":1}', "type"),
    (b'{"author":"a","payload":1}', "type"),
    (b'{"type":"score","payload":1}', "author"),
    (b'{"type":"score","author":"a"}', "payload"),
    (b'{"type":"score","author":"a","payload":1,"colour":"red"}', "colour"),
    (b'{"type":"score","author":"a","payload":1,"id":"not-a-uuid"}', "id"),
    (b'{"type":"score","author":"a","payload":1,"metadata":[]}', "metadata"),
    (b'{"type":"score","author":"a","payload":1,"metadata":{"confidence":"high"}}', "confidence"),
    (b'{"type":"score","author":"a","payload":' + b"[" * 100 + b"]" * 100 + b"}", "deep"),
    (b'{"type":"score","author":"a","payload":1,"ts":"yesterday"}', "ts"),
    (b'{"type":"score","author":"a","payload":1,"division":"system"}', "division"),
])
def test_bad_input_is_refused_and_writes_nothing(kernel, refused, counts, body, word):
    before = counts()
    status, error = refused(kernel.post, "/reason/node", body)
    assert status == (403 if word == "division" else 400), error
    assert word in error["error"]
    assert counts() == before


def test_an_edge_to_a_missing_node_is_refused(kernel, refused, counts, new_node, random_id):
    node = new_node()
    before = counts()
    status, error = refused(kernel.post, "/reason/edge", {"from": node, "to": random_id(), "type": "causal"})
    assert (status, error["code"]) == (404, "REASONING_GRAPH_NOT_FOUND")
    assert counts() == before


def test_a_payload_beyond_the_limit_is_too_large(kernel, refused, counts):
    before = counts()
    status, error = refused(kernel.post, "/reason/node", {"type": "score", "author": "a", "payload": "x" * (256 * 1024)})
    assert (status, error["code"]) == (413, "REASONING_GRAPH_TOO_LARGE")
    assert "payloadRef" in error["details"]["hint"]
    assert counts() == before
    kernel.post("/reason/node", {"type": "score", "author": "a", "payload": "x" * (256 * 1024 - 2)})


def test_writes_take_json_only(kernel, refused, counts):
    before = counts()
    status, error = refused(kernel.call, "POST", "/reason/node", None, {"Content-Type": "text/plain", "Content-Length": "0"})
    assert (status, error["code"]) == (415, "REASONING_GRAPH_UNSUPPORTED")
    assert counts() == before


def test_annotations_take_a_note_a_text_or_a_payload(kernel, refused, database, new_node, random_id):
    node = new_node()
    for body in ({"note": "looks right"}, {"text": "looks right"}, {"payload": {"rating": 5}, "author": "auditor", "type": "review"}):
        answer = kernel.post(f"/reason/annotate/{node}", body)
        assert uuid.UUID(answer["annotationId"]) and uuid.UUID(answer["auditEventId"]) and RFC3339.match(answer["createdAt"])
    assert database.execute(
        "SELECT a.author, a.type, a.payload FROM reason.annotation a JOIN reason.node n ON n.no = a.target_no"
        " WHERE n.id = %s ORDER BY a.created_at", (node,)).fetchall() == [
            ("kernel", "note", "looks right"), ("kernel", "note", "looks right"), ("auditor", "review", {"rating": 5})]
    assert refused(kernel.post, f"/reason/annotate/{node}", {})[0] == 400
    assert refused(kernel.post, f"/reason/annotate/{random_id()}", {"note": "x"})[0] == 404


def test_a_repeated_request_gives_the_first_answer(kernel, refused, counts, random_id):
    key = random_id()
    body = {"type": "score", "author": "a", "payload": 1}
    first = kernel.post("/reason/node", body, Idempotency_Key=key)
    after = counts()
    assert kernel.post("/reason/node", body, Idempotency_Key=key) == first
    assert counts() == after
    status, error = refused(kernel.post, "/reason/node", {**body, "payload": 2}, Idempotency_Key=key)
    assert (status, error["code"]) == (409, "REASONING_GRAPH_CONFLICT")
    assert counts() == after


def test_requests_repeated_at_the_same_time_write_once(stack, counts, random_id):
    key = random_id()
    body = {"type": "score", "author": "a", "payload": 1}
    before = counts()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stack.client().post("/reason/node", body, Idempotency_Key=key), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert counts()[0] == before[0] + 1
    assert counts()[3] == before[3] + 1


def test_every_write_has_its_event_with_the_request_that_caused_it(kernel, database):
    written = kernel.call("POST", "/reason/node", {"type": "score", "author": "a", "payload": 1},
                          {"X-Request-Id": "req-42", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    payload, = database.execute("SELECT reason.event_payload(e) FROM reason.audit_event e WHERE id = %s", (written["auditEventId"],)).fetchone()
    assert payload["eventType"] == "node.created"
    assert payload["node"]["id"] == written["nodeId"]
    assert payload["request"] == {"client": "kernel", "requestId": "req-42",
                                  "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    assert "payload" not in payload["node"]
