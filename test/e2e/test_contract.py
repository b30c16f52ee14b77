"""Fields, forms and defaults that other systems rely on over HTTP, and that no other test here looks at."""

import base64
import hashlib
import json
import pathlib
import re
import subprocess
import urllib.error
import urllib.request
import uuid

import pytest

from raw_https import raw
from stack import stored_file
from wait import wait_for

MICROSECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
TIMES = {"ts", "createdAt", "timestamp", "time", "completedAt", "created_at", "validFrom", "validTo"}
NODE_TYPES = ["observation", "recommendation", "decision", "action", "hypothesis", "policyCheck", "score", "correction", "annotation"]
EDGE_TYPES = ["causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects"]


def times_in(value):
    if isinstance(value, dict):
        for name, member in value.items():
            if name in TIMES and isinstance(member, str):
                yield name, member
            elif name != "payload":
                yield from times_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from times_in(member)


@pytest.fixture
def pair(new_node, new_edge):
    cause, effect = new_node(metadata={"confidence": 0.9}), new_node("decision", ts="2024-02-29T12:00:00Z")
    return cause, effect, new_edge(cause, effect, weight=0.5)


def test_every_time_is_utc_with_microseconds(kernel, pair):
    cause, effect, _ = pair
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [effect]}, Prefer="wait=20")["snapshotId"]
    kernel.post(f"/reason/annotate/{effect}", {"note": "n"})
    seen = []
    for path in (f"/reason/node/{effect}", f"/reason/trace/{effect}", f"/reason/traces/{effect}", f"/reason/{effect}", f"/reason/node/{effect}/explain",
                 f"/reason/node/{effect}/impact", f"/reason/snapshot/{snapshot}", f"/reason/snapshot/{snapshot}?format=canonical", f"/reason/snapshot/{snapshot}?format=envelope",
                 f"/reason/export/{effect}", "/reason/signers", "/health", "/ready"):
        found = list(times_in(kernel.get(path)))
        assert found, path
        seen += [(path, *entry) for entry in found]
    assert [entry for entry in seen if not MICROSECONDS.match(entry[2])] == []
    assert ("/reason/node/" + effect, "ts", "2024-02-29T12:00:00.000000Z") in seen


def test_every_answer_carries_the_request_id(stack, kernel):
    for request in (b"GET /no/such/path HTTP/1.1\r\n", b"OPTIONS /nodes HTTP/1.1\r\n", b"PUT /nodes HTTP/1.1\r\n", b"GET /reason/openapi.json HTTP/1.1\r\n",
                    b"DELETE /reason/openapi.json HTTP/1.1\r\n", b"POST /nodes HTTP/1.1\r\nContent-Length: 1\r\n", b"HEAD /reason/signers HTTP/1.1\r\n",
                    b"GET /health HTTP/1.1\r\n"):
        answer = raw(stack, request + b"Host: localhost\r\nX-Request-Id: mine-7\r\nConnection: close\r\n\r\n")
        assert b"\r\nX-Request-Id: mine-7\r\n" in answer, (request, answer)
    for path in ("/health", "/metrics", "/no/such"):
        try:
            answer = urllib.request.urlopen(urllib.request.Request(stack.env["REASON_OPS_URL"] + path, headers={"X-Request-Id": "mine-8"}), timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        assert answer.headers["X-Request-Id"] == "mine-8", path


def test_metrics_are_on_the_operations_port_alone(stack, kernel, refused):
    assert refused(kernel.get, "/metrics")[0] == 404
    with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + "/metrics", timeout=10) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
    for path in ("/reason/signers", "/nodes"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(stack.env["REASON_OPS_URL"] + path, timeout=10)
        assert error.value.code == 404


def test_health_and_ready_tell_of_their_parts(stack):
    for path, names in (("/health", {"ok", "db", "time"}), ("/ready", {"ok", "db", "signer", "objectStore", "auditLagSeconds", "haltedChains", "safeMode", "sidecarReportSeconds", "time"})):
        with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + path, timeout=10) as response:
            body = json.load(response)
        assert names <= set(body) and (body["ok"], body["db"]) == (True, "up")


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_every_type_is_taken_in_any_case(kernel, spelling):
    nodes = kernel.post("/nodes", {"nodes": [{"type": spelling(name), "actor": "eval", "ts": "2024-01-01T00:00:00Z", "payload": {}, "metadata": {}} for name in NODE_TYPES]})["nodes"]
    ids = [node["nodeId"] for node in nodes]
    assert [kernel.get(f"/reason/node/{identifier}")["node"]["type"] for identifier in ids] == NODE_TYPES
    kernel.post("/edges", {"edges": [{"from": ids[0], "to": ids[i + 1], "type": spelling(name)} for i, name in enumerate(EDGE_TYPES)]})
    assert sorted(edge["type"] for edge in kernel.get(f"/reason/node/{ids[0]}")["outgoing"]) == sorted(EDGE_TYPES)


def test_an_edge_keeps_what_it_was_given(kernel, new_node):
    cause, effect, edge, event = new_node(), new_node(), str(uuid.uuid4()), str(uuid.uuid4())
    written = kernel.post("/reason/edge", {"id": edge, "from": cause, "to": effect, "type": "supports", "weight": 0.25, "metadata": {"k": [1]}, "auditEventId": event})
    assert (written["edgeId"], written["auditEventId"]) == (edge, event) and MICROSECONDS.match(written["createdAt"])
    shown, = kernel.get(f"/reason/node/{cause}")["outgoing"]
    assert (shown["weight"], shown["metadata"]) == (0.25, {"k": [1]})


def test_a_trace_is_filtered_by_each_of_its_parameters(kernel, new_node, new_edge):
    root = new_node("decision")
    sure, unsure, other = new_node(metadata={"confidence": 0.9}), new_node(metadata={"confidence": 0.1}), new_node("score")
    new_edge(sure, root, weight=0.9)
    new_edge(unsure, root, "supports", weight=0.9)
    new_edge(other, root, weight=0.1)
    later = kernel.get("/health")["time"]
    new_edge(new_node(metadata={"confidence": 0.9}), root)

    def causes(query):
        answer = kernel.get(f"/reason/trace/{root}?{query}")
        assert (answer["startNodeId"], answer["direction"], answer["truncated"]) == (root, "ancestors", False)
        return {step["node"]["id"] for step in answer["steps"]} - {root} & {sure, unsure, other}

    assert causes("") == {sure, unsure, other}
    assert causes("types=score") == {other}
    assert causes("edgeTypes=supports") == {unsure}
    assert causes("minWeight=0.5") == {sure, unsure}
    assert causes("minConfidence=0.5") >= {sure} and unsure not in causes("minConfidence=0.5")
    assert len(kernel.get(f"/reason/trace/{root}?asOf={later}")["steps"]) == 4
    assert len(kernel.get(f"/reason/trace/{root}?depth=0")["steps"]) == 1
    assert {step["node"]["id"] for step in kernel.get(f"/reason/trace/{sure}?direction=descendants")["steps"]} == {sure, root}


def test_reads_as_of_an_event_stay_the_same(kernel, database, refused, new_node, new_edge):
    # An explanation counts what was recorded before.
    early, late, root = new_node(), new_node(), new_node("decision")

    def seq(edge):
        return wait_for(lambda: database.execute("SELECT s.seq FROM reason.audit_seal s JOIN reason.edge e ON e.no = s.event_no WHERE e.id = %s",
                                                 (edge,)).fetchone())[0]
    first = seq(new_edge(early, root))
    second = seq(new_edge(late, root))
    for path, ids in ((f"/reason/trace/{root}", lambda answer: {step["node"]["id"] for step in answer["steps"]}),
                      (f"/reason/traces/{root}", lambda answer: {e["id"] for e in answer["ordered_path"] if e["type"] == "node"}),
                      (f"/reason/node/{root}/explain", lambda answer: {root} | {c["nodeId"] for c in answer["explain"]["components"]})):
        assert ids(kernel.get(f"{path}?asOfSeq={first}")) == {root, early}, path
        assert ids(kernel.get(f"{path}?asOfSeq={second}")) == {root, early, late}, path
        assert refused(kernel.get, f"{path}?asOfSeq=999999999999")[0] == 404
    assert len(kernel.get(f"/reason/{root}?asOfSeq={first}")["trace"]) == 2


def test_entries_of_an_ordered_path_have_all_their_members(kernel, database, pair):
    cause, effect, edge = pair
    annotation = kernel.post(f"/reason/annotate/{effect}", {"note": "seen"})["annotationId"]
    event, = database.execute("SELECT audit_event_id FROM reason.node WHERE id = %s", (effect,)).fetchone()
    sealed = wait_for(lambda: database.execute("SELECT hash, prev_hash FROM reason.audit_events WHERE id = %s", (event,)).fetchone())
    ordered = kernel.get(f"/reason/traces/{effect}")
    assert ordered["trace_id"] == ordered["metadata"]["traceId"] and MICROSECONDS.match(ordered["metadata"]["createdAt"])
    assert {"length", "cycleDetected"} <= set(ordered["metadata"])
    first, link, last = ordered["ordered_path"]
    assert [(e["id"], e["type"], e["entityType"], e["causalIndex"]) for e in (first, link, last)] == [
        (cause, "node", "observation", 0), (edge, "edge", "causal", 1), (effect, "node", "decision", 2)]
    assert (link["from"], link["to"]) == (cause, effect) and last["payload"] == {"n": 1}
    assert first["parentIds"] == [] and cause in last["parentIds"] + link["parentIds"]
    assert annotation in json.dumps(last["annotations"])
    assert (last["auditRef"]["eventId"], last["auditRef"]["hash"], last["auditRef"]["prevHash"]) == (str(event), *sealed)


def test_a_cycle_is_told_in_detail(kernel, new_node, new_edge):
    a, b = new_node(), new_node()
    new_edge(a, b)
    new_edge(b, a)
    metadata = kernel.get(f"/reason/traces/{a}")["metadata"]
    assert metadata["cycleDetected"] is True and a in json.dumps(metadata["cycleDetails"])


def test_a_snapshot_that_is_not_awaited_is_found_at_its_location(kernel, pair):
    kernel.connection.request("POST", "/reason/snapshot", json.dumps({"rootNodeIds": [pair[1]]}), {"Content-Type": "application/json", "Prefer": "wait=0"})
    response = kernel.connection.getresponse()
    body = json.loads(response.read())
    assert (response.status, body["status"], response.headers["Location"]) == (202, "pending", f"/reason/snapshot/{body['snapshotId']}")
    assert wait_for(lambda: (seen := kernel.get(response.headers["Location"]))["status"] == "complete" and seen)["hash"]


def test_a_snapshot_is_what_was_asked_for(stack, kernel, pair, new_node):
    cause, effect, _ = pair
    kernel.post(f"/reason/annotate/{cause}", {"note": "kept"})
    other = new_node()
    made = kernel.post("/reason/snapshot", {"rootNodeIds": [other, cause], "description": "d", "depth": 1, "direction": "descendants", "audience": "auditor",
                                            "includeAnnotations": True}, Prefer="wait=20")
    assert {"snapshotId", "hash", "signature", "signerId", "createdAt", "status"} <= set(made)
    document = json.loads(stored_file(stack, made).read_bytes())
    payload = document["payload"]
    assert document["root_ids"] == sorted([other, cause])
    assert (payload["audience"], payload["depth"], payload["description"], payload["direction"], payload["pii_included"]) == ("auditor", 1, "d", "descendants", True)
    assert [node["id"] for node in payload["nodes"]] == sorted([other, cause, effect]) and all(node["digest"] for node in payload["nodes"])
    assert len(payload["edges"]) == 1 and "kept" in json.dumps(payload["annotations"])
    verified = kernel.get(f"/reason/snapshot/{made['snapshotId']}/verify")
    assert {"ok", "hash_ok", "signature_ok", "signer_id", "signer_status", "graph_ok", "stored_hash", "computed_hash", "detail"} <= set(verified)


def test_a_complete_snapshot_is_kept_only_as_long_as_it_is_there(kernel, pair):
    made = kernel.post("/reason/snapshot", {"rootNodeIds": [pair[1]]}, Prefer="wait=20")
    etags = set()
    for form in ("metadata", "canonical", "envelope", "human"):
        path = f"/reason/snapshot/{made['snapshotId']}?format={form}"
        kernel.connection.request("GET", path)
        response = kernel.connection.getresponse()
        text = response.read()
        assert response.headers["Cache-Control"] == "private, no-cache, must-revalidate", form
        etags.add(etag := response.headers["ETag"])
        kernel.connection.request("GET", path, headers={"If-None-Match": f'"another", {etag}'})
        response = kernel.connection.getresponse()
        assert (response.status, response.read(), response.headers["ETag"]) == (304, b"", etag), form
        kernel.connection.request("HEAD", path)
        response = kernel.connection.getresponse()
        assert (response.status, response.read(), response.headers["Content-Length"]) == (200, b"", str(len(text))), form
        if form == "canonical":
            assert hashlib.sha256(text).hexdigest() == made["hash"]
    assert len(etags) == 4


def test_exports_are_the_trace_or_the_document(kernel, pair):
    made = kernel.post("/reason/snapshot", {"rootNodeIds": [pair[1]]}, Prefer="wait=20")["snapshotId"]

    def export(identifier, form):
        kernel.connection.request("GET", f"/reason/export/{identifier}?format={form}")
        response = kernel.connection.getresponse()
        return response.headers["Content-Type"], response.read()

    for identifier in (pair[1], made):
        kind, canonical = export(identifier, "canonical")
        assert kind == "application/json" and json.loads(canonical) == json.loads(export(identifier, "json")[1])
        assert canonical == json.dumps(json.loads(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        kind, text = export(identifier, "human")
        assert kind == "text/plain; charset=utf-8" and pair[0].encode() in text


def test_a_query_takes_each_filter_in_both_spellings(kernel, new_node):
    author = f"author-{uuid.uuid4()}"
    before = kernel.get("/health")["time"]
    wanted = new_node("hypothesis", author=author, payload={"text": "Needle"}, ts="2024-05-06T07:08:09Z", metadata={"confidence": 0.5, "tags": ["a", "b"]})
    after = kernel.get("/health")["time"]

    def found(**filters):
        return [node["id"] for node in kernel.post("/reason/query", {"filters": {"authors": [author], **filters}})["nodes"]]

    for filters in ({"types": ["hypothesis"]}, {"tags": ["b"]}, {"createdFrom": before, "createdTo": after}, {"created": {"from": before, "to": after}},
                    {"occurredFrom": "2024-05-06T07:08:09Z", "occurredTo": "2024-05-06T07:08:10Z"}, {"occurred": {"from": "2024-05-06T00:00:00Z"}},
                    {"minConfidence": 0.5, "maxConfidence": 0.5}, {"confidence": {"min": 0.4, "max": 0.6}}, {"division": "default"}, {"text": "needle"}):
        assert found(**filters) == [wanted], filters
    for filters in ({"types": ["score"]}, {"tags": ["c"]}, {"created": {"to": before}}, {"occurredTo": "2024-05-06T07:08:09Z"}, {"occurred": {"from": "2024-05-07T00:00:00Z"}}, {"minConfidence": 0.6}, {"division": "tenant-a"}, {"text": "haystack"}):
        assert found(**filters) == [], filters


def test_the_kernels_form_and_explanations_have_their_members(kernel, pair):
    answer = kernel.get(f"/reason/{pair[1]}")
    assert set(answer) == {"node", "record", "trace", "metadata"} and all(set(step) == {"step", "ts", "note", "data"} for step in answer["trace"])
    assert {"summary", "components", "evidence"} <= set(kernel.get(f"/reason/node/{pair[1]}/explain")["explain"])


def test_the_envelope_holds_the_document_and_its_proof(kernel, pair):
    made = kernel.post("/reason/snapshot", {"rootNodeIds": [pair[1]]}, Prefer="wait=20")
    document = kernel.get(f"/reason/snapshot/{made['snapshotId']}?format=canonical")
    envelope = kernel.get(f"/reason/snapshot/{made['snapshotId']}?format=envelope")
    assert {name: envelope[name] for name in document} == document
    assert set(envelope) - set(document) == {"snapshot_bytes_canonical_hash", "signer_kid", "signature"}
    assert base64.b64decode(envelope["snapshot_bytes_canonical_hash"]).hex() == made["hash"]


@pytest.mark.parametrize(("version", "spoken"), [("1.1", "1.1"), ("2", "2")])
def test_both_versions_of_http_take_writes(stack, version, spoken):
    env = stack.env
    done = subprocess.run(["curl", "-sS", f"--http{version}", "-w", "\n%{http_version} %{http_code}", "--cacert", env["REASON_CA"], "--cert", env["REASON_KERNEL_CERT"],
                           "--key", env["REASON_KERNEL_KEY"], "-H", "Content-Type: application/json; charset=utf-8", "-d", '{"type":"score","author":"a","payload":"' + "x" * 100000 + '"}',
                           env["REASON_URL"] + "/reason/node"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{spoken} 201"


def test_a_batch_keeps_time_actor_and_metadata(kernel):
    written, = kernel.post("/nodes", {"nodes": [{"id": str(uuid.uuid4()), "type": "SCORE", "actor": "eval", "ts": "2024-05-06T07:08:09.123456+02:00", "payload": {"s": 1},
                                                 "metadata": {"confidence": 1}}]})["nodes"]
    node = kernel.get(f"/reason/node/{written['nodeId']}")["node"]
    assert (node["author"], node["ts"], node["payload"], node["metadata"], node["division"]) == (
        "eval", "2024-05-06T05:08:09.123456Z", {"s": 1}, {"confidence": 1}, "default")


def test_what_is_signed_is_archived_beside_the_snapshots(stack, kernel, database, pair):
    """One canonical event a line, under the numbers of the first and the last."""
    event = kernel.get(f"/reason/node/{pair[0]}")["node"]["auditEventId"]
    archive = pathlib.Path(stack.env["REASON_STORE"].removeprefix("file://")) / "audit" / "default"

    def lines():
        return {json.loads(line)["id"]: (file, line) for file in archive.glob("*/*/*/*[0-9].jsonl") for line in file.read_text(encoding="utf-8").splitlines()}
    file, line = wait_for(lambda: lines().get(event), 60, "the event in the archive")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\d+-\d+\.jsonl", str(file.relative_to(archive)))
    first, last = map(int, file.stem.split("-"))
    assert [json.loads(each)["seq"] for each in file.read_text(encoding="utf-8").splitlines()] == list(range(first, last + 1))
    assert database.execute("SELECT reason.canonical_json(%s::json)", [line]).fetchone() == (line,)
    assert set(json.loads(line)) == {"id", "eventType", "payload", "prevHash", "hash", "signature", "signerId", "ts", "division", "seq", "metadata"}


@pytest.mark.parametrize("member, most", [("division", 63), ("author", 1024), ("version", 255), ("manifestSignatureId", 255)])
def test_a_name_that_is_too_long_is_no_name(kernel, refused, member, most):
    node = {"type": "score", "author": "a", "payload": 1}
    kernel.post("/reason/node", node | {member: "x" * most})
    status, error = refused(kernel.post, "/reason/node", node | {member: "x" * (most + 1)})
    assert (status, error["code"], error["details"]["pointer"]) == (400, "REASONING_GRAPH_BAD_REQUEST", "/" + member)


@pytest.mark.parametrize("member", ["note", "text", "payload"])
def test_an_annotation_that_is_too_long_is_too_large(kernel, refused, pair, member):
    status, error = refused(kernel.post, f"/reason/annotate/{pair[0]}", {member: "x" * (256 * 1024)})
    assert (status, error["code"]) == (413, "REASONING_GRAPH_TOO_LARGE")
