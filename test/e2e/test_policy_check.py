"""A real HTTPS service is asked about writes that a policy rule names, and its answer is what happens."""

import json
import pathlib
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from ports import free_port
from sentinelnet import ANSWER, SentinelNet

DEADLINE_S = 2  # reason_policy_check in gateway/sentinelnet/location.conf.in
DIVISION = "policy-tests"


def workers(master):
    """The worker processes that are not on their way out."""
    found = set()
    for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split():
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if "worker process" in command and "shutting down" not in command:
            found.add(pid)
    return found


def reload_gateway(stack, address):
    """Writes the gateway's configuration anew, with or without a policy service, and has it read."""
    stack.shell.update(SENTINELNET=address, SENTINELNET_NAME="localhost")
    stack.up()
    master = stack.pid("gateway/nginx.pid")
    before = workers(master)
    subprocess.run(["kill", "-HUP", str(master)], check=True)
    deadline = time.monotonic() + 20
    while not workers(master) or workers(master) & before:
        assert time.monotonic() < deadline, "the gateway did not reload"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def port(stack):
    number = free_port()
    with stack.database() as database:
        database.execute("SELECT reason.set_policy_rule('tests', '{node.create,edge.create,annotation.create}', division_pattern => %s,"
                         " path => '$ ? (!(@.metadata.unchecked == true))')", (DIVISION,))
        database.execute("SELECT reason.set_policy_rule('tests that go on', '{node.create}', '{score}', %s, on_silence => 'allow')",
                         (f"{DIVISION}-open",))
    reload_gateway(stack, f"127.0.0.1:{number}")
    yield number
    with stack.database() as database:
        for rule in ("tests", "tests that go on"):
            database.execute("SELECT reason.set_policy_rule(%s, '{node.create}', enabled => false)", (rule,))
    reload_gateway(stack, "")


@pytest.fixture
def make_service(stack, port):
    def make(certificate="server"):
        tls = stack.run_dir / "tls"
        return SentinelNet(port, tls / "ca.crt", tls / f"{certificate}.crt", tls / f"{certificate}.key")

    return make


@pytest.fixture
def service(make_service):
    with make_service() as running:
        yield running


def node(**members):
    return {"type": "action", "author": "planner", "division": DIVISION, "payload": {"amount": 5}, **members}


def policy_of(database, event):
    return database.execute("SELECT payload -> 'policy' FROM reason.audit_event WHERE id = %s", (event,)).fetchone()[0]


# ---------------------------------------------------------------- the question, and allow


def test_an_allowed_write_is_made_and_its_event_keeps_the_decision(service, kernel, database):
    written = kernel.call("POST", "/reason/node", node(metadata={"confidence": 0.5}),
                          {"X-Request-Id": "req-7", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    assert [q["path"] for q in service.questions] == ["/sentinelnet/check"]
    assert service.questions[0]["body"] == {
        "requestId": "req-7", "action": "node.create", "actor": "kernel",
        "resource": {"kind": "node", "type": "action", "division": DIVISION, "author": "planner", "payload": {"amount": 5},
                     "metadata": {"confidence": 0.5}},
        "context": {"role": "writer", "rules": ["tests"], "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
    headers = {name.lower(): value for name, value in service.questions[0]["headers"].items()}
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"] == "req-7"
    assert headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c")
    assert headers["host"] == "localhost"
    assert set(headers) <= {"host", "content-type", "content-length", "x-request-id", "traceparent"}
    assert policy_of(database, written["auditEventId"]) == {"decision": "allow", "reason": "fine", "policyId": "limits", "policyVersion": "3"}
    assert kernel.get(f"/reason/node/{written['nodeId']}")["node"]["payload"] == {"amount": 5}


def test_what_no_rule_names_is_not_asked_about(service, kernel, database):
    for body in (node(division="default"), node(metadata={"unchecked": True})):
        written = kernel.post("/reason/node", body)
        assert policy_of(database, written["auditEventId"]) is None
    assert service.questions == []


def test_the_gateway_shows_its_certificate_and_keeps_its_connections(service, stack, kernel):
    for _ in range(30):
        kernel.post("/reason/node", node())
    assert len(service.questions) == 30
    assert service.clients == {"gateway"}
    # One for each worker at most.
    assert service.connections <= len(workers(stack.pid("gateway/nginx.pid")))


def test_a_connection_that_was_closed_meanwhile_is_no_silence(service, kernel):
    service.behave = service.closing_between()
    for _ in range(10):
        kernel.post("/reason/node", node())


def test_an_answer_may_come_in_chunks(service, kernel):
    service.behave = service.chunked()
    for _ in range(3):
        assert kernel.post("/reason/node", node())["nodeId"]


def test_the_service_does_not_command_nginx(service, kernel):
    def behave(handler, question):
        handler.send_response(200)
        for name, value in {"X-Accel-Redirect": "/health", "X-Accel-Buffering": "no", "Content-Length": len(json.dumps(ANSWER))}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(json.dumps(ANSWER).encode())

    service.behave = behave
    assert kernel.post("/reason/node", node())["nodeId"]


def test_many_are_asked_about_at_the_same_time(service, stack):
    service.behave = service.sleeping(0.5)
    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: stack.client().post("/reason/node", node(payload=i)), range(20)))
    assert len({answer["nodeId"] for answer in answers}) == 20
    assert time.monotonic() - began < 5, "one waits for the other"
    assert sorted(q["body"]["resource"]["payload"] for q in service.questions) == list(range(20))


def test_a_batch_is_one_question(service, kernel, database):
    answer = kernel.post("/nodes", {"nodes": [node(payload=n, metadata={"unchecked": n == 1}) for n in range(3)]})
    assert answer["count"] == 3
    assert [[r["payload"] for r in q["body"]["resource"]["records"]] for q in service.questions] == [[0, 2]]
    assert all(policy_of(database, n["auditEventId"])["decision"] == "allow" for n in answer["nodes"])


def test_a_large_question_arrives_whole(service, kernel):
    nodes = [node(payload="x" * 200_000) for _ in range(15)]
    kernel.post("/nodes", {"nodes": nodes})
    assert [r["payload"] for r in service.questions[0]["body"]["resource"]["records"]] == [n["payload"] for n in nodes]


def test_an_invalid_write_is_refused_unasked(service, kernel, refused, counts):
    before = counts()
    assert refused(kernel.post, "/reason/node", node(type="guess"))[0] == 400
    assert refused(kernel.post, "/reason/edge", {"from": "00000000-0000-4000-8000-000000000001", "to": "00000000-0000-4000-8000-000000000001",
                                                 "type": "causal", "division": DIVISION})[0] == 404
    assert service.questions == []
    assert counts() == before


# ---------------------------------------------------------------- deny


def test_a_denied_write_leaves_a_policy_check_and_nothing_else(service, kernel, refused, database, counts):
    service.behave = service.answering(decision="deny", reason="over the limit", rationale={"limit": 4})
    before = counts()
    status, error = refused(kernel.call, "POST", "/reason/node", node(), {"X-Request-Id": "req-8"})
    assert (status, error["code"], error["requestId"]) == (403, "REASONING_GRAPH_POLICY_DENIED", "req-8")
    assert error["details"] == {"policyCheckId": error["details"]["policyCheckId"], "reason": "over the limit", "policyId": "limits", "policyVersion": "3"}
    after = counts()
    assert (after[0] - before[0], after[1] - before[1], after[3] - before[3]) == (1, 0, 2)  # a node, its event and policy.denied
    shown = kernel.get(f"/reason/node/{error['details']['policyCheckId']}")
    assert shown["node"]["type"] == "policyCheck"
    assert shown["node"]["division"] == DIVISION
    assert shown["node"]["payload"]["rationale"] == {"limit": 4}
    assert database.execute("SELECT payload -> 'policy' ->> 'decision' FROM reason.audit_event WHERE event_type = 'policy.denied'"
                            " AND payload #>> '{policy,policyCheckId}' = %s", (error["details"]["policyCheckId"],)).fetchone() == ("deny",)


def test_a_denied_edge_or_annotation_is_linked_to_what_it_was_about(service, kernel, refused):
    cause, effect = [kernel.post("/reason/node", node(metadata={"unchecked": True}))["nodeId"] for _ in range(2)]
    service.behave = service.answering(decision="deny", rationale="no")
    _, error = refused(kernel.post, "/reason/edge", {"from": cause, "to": effect, "type": "causal"})
    assert service.questions[0]["body"]["resource"]["from"] == cause
    incoming = kernel.get(f"/reason/node/{error['details']['policyCheckId']}")["incoming"]
    assert sorted(e["from"] for e in incoming) == sorted([cause, effect])
    _, error = refused(kernel.post, f"/reason/annotate/{cause}", {"note": "hm"})
    assert service.questions[1]["body"]["action"] == "annotation.create"
    assert [e["from"] for e in kernel.get(f"/reason/node/{error['details']['policyCheckId']}")["incoming"]] == [cause]
    assert kernel.get(f"/reason/node/{effect}")["incoming"] == []


def test_a_repeated_request_gets_the_first_answer_and_nobody_is_asked_again(service, kernel, refused, counts, random_id):
    keys = [random_id(), random_id()]
    first = kernel.post("/reason/node", node(), Idempotency_Key=keys[0])
    service.behave = service.answering(decision="deny", rationale="no")
    denied = refused(kernel.post, "/reason/node", node(), Idempotency_Key=keys[1])
    after = counts()
    service.behave = service.answering(decision="quarantine", rationale="no")
    assert kernel.post("/reason/node", node(), Idempotency_Key=keys[0]) == first
    assert refused(kernel.post, "/reason/node", node(), Idempotency_Key=keys[1]) == denied
    assert refused(kernel.post, "/reason/node", node(payload=6), Idempotency_Key=keys[0])[0] == 409
    assert len(service.questions) == 2
    assert counts() == after


# ---------------------------------------------------------------- quarantine


@pytest.fixture
def auditor(stack, database):
    stack.certificate("auditor")
    database.execute("SELECT reason.set_client('auditor', 'auditor', '{*}', pii => true)")
    return stack.client("auditor")


def shown(client, node_id):
    """Every way to come across a node: its ids and payload must be in none of the answers, or in all."""
    return {
        "node": client.get(f"/reason/node/{node_id}"),
        "trace": client.get(f"/reason/trace/{node_id}"),
        "traces": client.get(f"/reason/traces/{node_id}"),
        "reason": client.get(f"/reason/{node_id}"),
        "explain": client.get(f"/reason/node/{node_id}/explain"),
        "export": client.get(f"/reason/export/{node_id}?format=canonical"),
    }


def test_a_quarantined_write_is_hidden_until_it_is_released(service, kernel, auditor, refused, database, random_id):
    effect = kernel.post("/reason/node", node(metadata={"unchecked": True}))["nodeId"]
    service.behave = service.answering(decision="quarantine", rationale="strange")
    tag = random_id()
    written = kernel.post("/reason/node", node(payload={"secret": tag}))
    held = written["nodeId"]
    assert written["quarantined"] is True
    assert database.execute("SELECT kind, record_id::text FROM reason.quarantine WHERE policy_check_id = %s ORDER BY record_no",
                            (written["policyCheckId"],)).fetchall() == [("node", held), ("node", written["policyCheckId"])]
    service.behave = service.answering()
    kernel.post("/reason/edge", {"from": held, "to": effect, "type": "causal"})
    kernel.post(f"/reason/annotate/{held}", {"note": tag})

    for path in (f"/reason/node/{held}", f"/reason/trace/{held}", f"/reason/traces/{held}", f"/reason/{held}", f"/reason/node/{held}/explain", f"/reason/node/{held}/impact",
                 f"/reason/export/{held}", f"/reason/node/{written['policyCheckId']}"):
        assert refused(kernel.get, path)[0] == 404, path
    assert refused(kernel.post, "/reason/snapshot", {"rootNodeIds": [held]})[0] == 404
    query = {"filters": {"text": tag}}
    for what, answer in {**shown(kernel, effect), "query": kernel.post("/reason/query", query)}.items():
        assert held not in json.dumps(answer) and tag not in json.dumps(answer), what
    for what, answer in {**shown(auditor, effect), "query": auditor.post("/reason/query", query)}.items():
        assert held in json.dumps(answer), what
    assert auditor.get(f"/reason/node/{held}")["node"]["quarantined"] is True
    snapshot = auditor.post("/reason/snapshot", {"rootNodeIds": [effect]}, Prefer="wait=20")["snapshotId"]
    assert held not in json.dumps(auditor.get(f"/reason/snapshot/{snapshot}?format=canonical"))

    assert database.execute("SELECT reason.release_quarantine(%s, 'looked at')", (written["policyCheckId"],)).fetchone() == (2,)
    for what, answer in {**shown(kernel, effect), "query": kernel.post("/reason/query", query)}.items():
        assert held in json.dumps(answer), what
    assert "quarantined" not in kernel.get(f"/reason/node/{held}")["node"]
    assert kernel.get(f"/reason/node/{written['policyCheckId']}")["node"]["payload"]["rationale"] == "strange"
    assert auditor.get(f"/reason/snapshot/{snapshot}/verify")["ok"] is True


def test_a_quarantined_edge_or_annotation_is_hidden_alone(service, kernel, auditor):
    cause, effect = [kernel.post("/reason/node", node(metadata={"unchecked": True}))["nodeId"] for _ in range(2)]
    service.behave = service.answering(decision="quarantine", rationale="strange")
    edge = kernel.post("/reason/edge", {"from": cause, "to": effect, "type": "causal"})
    note = kernel.post(f"/reason/annotate/{effect}", {"note": "n"})
    assert edge["quarantined"] and note["quarantined"]
    assert kernel.get(f"/reason/node/{effect}")["incoming"] == []
    assert len(kernel.get(f"/reason/trace/{effect}")["steps"]) == 1
    assert [e["annotations"] for e in kernel.get(f"/reason/traces/{effect}")["ordered_path"]] == [[]]
    assert [e["id"] for e in auditor.get(f"/reason/node/{effect}")["incoming"]] == [edge["edgeId"]]
    assert [a["id"] for e in auditor.get(f"/reason/traces/{effect}")["ordered_path"] for a in e["annotations"]] == [note["annotationId"]]


# ---------------------------------------------------------------- no valid answer


LIES = {
    "a decision that is none": {**ANSWER, "decision": "permit"},
    "a decision in other letters": {**ANSWER, "decision": "ALLOW"},
    "a decision that is true": {**ANSWER, "decision": True},
    "a decision without a policy": {name: ANSWER[name] for name in ("decision", "reason", "rationale")},
    "a denial without a rationale": {**ANSWER, "decision": "deny"},
    "an answer to somebody else": {**ANSWER, "requestId": "another"},
    "a list": [ANSWER],
    "not JSON": b"allow",
    "JSON cut off": b'{"decision": "allow"',
    "two decisions": b'{"decision": "deny", "decision": "allow", "reason": "", "rationale": "", "policy_id": "p", "policy_version": "1"}',
    "no text": b"\x80\x00\xff",
    "nothing": b"",
    "too much": {**ANSWER, "rationale": "x" * 70_000},
    "far too much": {**ANSWER, "rationale": "x" * 5_000_000},
}
BEHAVIOURS = {
    **{what: SentinelNet.saying(body) for what, body in LIES.items()},
    "an error of its own": SentinelNet.saying(ANSWER, 500),
    "another status": SentinelNet.saying(ANSWER, 202),
    "a redirection": SentinelNet.saying(ANSWER, 302),
    "a refusal": SentinelNet.saying({"error": "who are you"}, 401),
    "an answer that breaks off": SentinelNet.breaking_off(),
    "chunks that break off": SentinelNet.chunked(last=False),
    "an answer of unknown length": SentinelNet.without_length(),
    "a closed connection": SentinelNet.hanging_up(),
}


@pytest.mark.parametrize("what", BEHAVIOURS)
def test_whatever_is_no_decision_is_no_answer(service, kernel, refused, counts, random_id, what):
    service.behave = BEHAVIOURS[what]
    before = counts()
    key = random_id()
    status, error = refused(kernel.post, "/reason/node", node(), Idempotency_Key=key)
    assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
    assert error["details"]["reason"].startswith("the ")
    assert error["details"]["rules"] == ["tests"]
    assert counts() == before
    # The key is not used up.
    service.behave = service.answering()
    assert kernel.post("/reason/node", node(), Idempotency_Key=key)["nodeId"]


@pytest.mark.parametrize("behaviour", [SentinelNet.sleeping(DEADLINE_S + 2), SentinelNet.trickling(0.2)], ids=["slow", "trickling"])
def test_nobody_waits_longer_than_the_deadline(service, kernel, refused, counts, behaviour):
    service.behave = behaviour
    before = counts()
    began = time.monotonic()
    status, error = refused(kernel.post, "/reason/node", node())
    assert DEADLINE_S - 0.2 < time.monotonic() - began < DEADLINE_S + 1.5
    assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
    assert counts() == before
    # The connection to the client is as good as before, and so is the service once it answers.
    service.behave = service.answering()
    assert kernel.post("/reason/node", node())["nodeId"]


def test_an_absent_service_denies_or_allows_as_the_rule_says(port, kernel, refused, counts, database):
    before = counts()
    status, error = refused(kernel.post, "/reason/node", node())
    assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
    assert counts() == before
    written = kernel.post("/reason/node", node(type="score", division=f"{DIVISION}-open"))
    assert policy_of(database, written["auditEventId"])["decision"] == "unanswered"


def test_it_is_found_again_when_it_is_back(make_service, kernel, refused):
    assert refused(kernel.post, "/reason/node", node())[0] == 503
    with make_service():
        assert kernel.post("/reason/node", node())["nodeId"]


def test_a_service_with_another_certificate_is_not_asked(make_service, stack, kernel, refused, tmp_path):
    """Of another authority, and of the right one for another name."""
    subprocess.run([pathlib.Path(__file__).parents[1] / "stack" / "certificates.sh", tmp_path], check=True, timeout=30)
    impostor = make_service()
    impostor.context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    for running in (impostor, make_service("kernel")):
        with running:
            assert refused(kernel.post, "/reason/node", node())[0] == 503
            assert running.questions == []


def test_a_client_that_goes_away_leaves_nothing_behind(service, stack, counts):
    service.behave = service.sleeping(0.5)
    before = counts()
    impatient = stack.client()
    impatient.connection.timeout = 0.2
    with pytest.raises(TimeoutError):
        impatient.post("/reason/node", node())
    impatient.connection.close()
    time.sleep(1)
    assert counts() == before
    assert stack.client().post("/reason/node", node())["nodeId"]


def curl(stack, count, body, *options):
    """So many requests at a time on one HTTP/2 connection; their statuses."""
    env = stack.env
    answers = subprocess.run(
        ["curl", "-sS", "--http2", "--parallel", "--parallel-max", str(count), *options, "--cacert", env["REASON_CA"], "--cert", env["REASON_KERNEL_CERT"],
         "--key", env["REASON_KERNEL_KEY"], "-H", "Content-Type: application/json", "-d", json.dumps(body), "-w", "%{http_version} %{http_code}\n",
         *(word for _ in range(count) for word in ("-o", "/dev/null", env["REASON_URL"] + "/reason/node"))],
        capture_output=True, text=True, timeout=60, check=False)
    return answers.stdout.splitlines()


def test_streams_of_http2_wait_each_for_itself(service, stack):
    calls = []

    def behave(handler, question):
        calls.append(question)
        time.sleep(3 if len(calls) % 5 == 0 else 0.1)
        service.send(handler, ANSWER)

    service.behave = behave
    answers = curl(stack, 20, node())
    assert sorted(set(answers)) == ["2 201", "2 503"]
    assert answers.count("2 503") == len(service.questions) // 5


def test_the_workers_outlive_clients_and_services_that_do_not_behave(service, stack, kernel):
    before = workers(stack.pid("gateway/nginx.pid"))
    behaviours = [service.sleeping(0.3), service.trickling(0.05), service.breaking_off(), service.hanging_up(), service.answering()]
    service.behave = lambda handler, question: behaviours[len(service.questions) % len(behaviours)](handler, question)
    for _ in range(5):
        curl(stack, 20, node(), "--max-time", "0.25")
    service.behave = service.answering()
    assert kernel.post("/reason/node", node())["nodeId"]
    assert workers(stack.pid("gateway/nginx.pid")) == before


def test_what_went_unanswered_is_counted(port, stack, kernel, refused):
    def unanswered():
        with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + "/metrics", timeout=10) as response:
            return next(int(line.split()[1]) for line in response.read().decode().splitlines() if 'kind="policy_unanswered"' in line)

    before = unanswered()
    refused(kernel.post, "/reason/node", node())
    assert unanswered() == before + 1
