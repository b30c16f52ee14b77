"""Divisions in two cells behind one gateway: requests go to the cell of their division, and nowhere else."""

import http.client
import json
import re
import threading
import time
import uuid

import pytest

from cells import away_for_now, stalled, two_cells
from client import Refused
from ports import free_port
from wait import wait_for

NODE = {"type": "observation", "author": "probe", "payload": {"x": 1}}


@pytest.fixture(scope="module")
def cells():
    with two_cells() as both:
        for cell in both:
            with cell.database() as database:
                database.execute("SELECT reason.set_client('narrow', 'writer', '{acme}'), reason.set_client('stranger', 'writer', '{other}')")
        for name in ("narrow", "stranger"):
            both[0].certificate(name)
        yield both


@pytest.fixture
def kernel(cells):
    return cells[0].client("kernel")


def divisions_of(cell, node):
    with cell.database() as database:
        return [row[0] for row in database.execute("SELECT division FROM reason.node WHERE id = %s", (node,))]


def refusal(client, method, path, body=None, **headers):
    with pytest.raises(Refused) as caught:
        client.call(method, path, body, headers)
    return caught.value.status, caught.value.body


def raw(stack, method, path, body=None, headers=None, name="kernel"):
    client = stack.client(name)
    client.connection.request(method, path, body, headers or {})
    response = client.connection.getresponse()
    return response.status, response.headers, response.read()


def test_the_path_says_where_a_node_goes_and_is_found(cells, kernel):
    home, away = cells
    written = kernel.post("/d/acme/reason/node", NODE)
    assert divisions_of(away, written["nodeId"]) == ["acme"] and divisions_of(home, written["nodeId"]) == []
    assert kernel.get(f"/d/acme/reason/node/{written['nodeId']}")["node"]["division"] == "acme"
    assert refusal(kernel, "GET", f"/reason/node/{written['nodeId']}")[0] == 404
    at_home = kernel.post("/d/beta/reason/node", NODE)
    assert divisions_of(home, at_home["nodeId"]) == ["beta"] and divisions_of(away, at_home["nodeId"]) == []
    assert divisions_of(home, kernel.post("/reason/node", NODE)["nodeId"]) == ["default"]


def test_the_parameter_says_it_where_the_path_does_not(kernel):
    written = kernel.post("/d/acme/reason/node", NODE)["nodeId"]
    for parameter in ("division=acme", "limit=1&division=acme", "division=%61c%6De", "%64ivision=acme"):
        assert kernel.get(f"/reason/node/{written}?{parameter}")["node"]["id"] == written
    assert kernel.get(f"/d/acme/reason/node/{written}?division=acme")["node"]["id"] == written
    for other in ("beta", "Acme", "acme+", "", "acme%2F"):
        status, body = refusal(kernel, "GET", f"/d/acme/reason/node/{written}?division={other}")
        assert (status, body["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST") and "two divisions" in body["error"]
    assert refusal(kernel, "GET", f"/reason/node/{written}?division=acme&division=acme")[0] == 400


def test_the_only_division_of_a_client_says_it_where_nothing_else_does(cells):
    home = cells[0]
    clients = home.run_dir / "gateway/cells/clients.conf"
    narrow = home.client("narrow")
    found = narrow.post("/d/acme/reason/node", NODE)["nodeId"]
    assert refusal(narrow, "GET", f"/reason/node/{found}")[0] == 404
    try:
        clients.write_text('"~ narrow$" acme;\n')
        home.reload()
        assert home.client("narrow").get(f"/reason/node/{found}")["node"]["id"] == found
        assert refusal(home.client("kernel"), "GET", f"/reason/node/{found}")[0] == 404
    finally:
        clients.unlink()
        home.reload()


def test_the_path_narrows_what_a_client_has(cells):
    home = cells[0]
    kernel = home.client("kernel")
    beta, gamma = (kernel.post(f"/d/{division}/reason/node", NODE)["nodeId"] for division in ("beta", "gamma"))
    assert kernel.get(f"/reason/node/{gamma}")["node"]["id"] == gamma
    assert refusal(kernel, "GET", f"/d/beta/reason/node/{gamma}")[0] == 404
    assert kernel.post("/d/beta/nodes", {"nodes": [NODE, {**NODE, "division": "beta"}]})["count"] == 2
    status, body = refusal(kernel, "POST", "/d/beta/nodes", {"nodes": [NODE, {**NODE, "division": "gamma"}]})
    assert status == 403 and "index" in body["details"]
    assert refusal(kernel, "POST", "/d/beta/reason/edge", {"from": beta, "to": gamma, "type": "causal"})[0] in (403, 404)
    assert refusal(kernel, "POST", f"/d/beta/reason/annotate/{gamma}", {"note": "n"})[0] == 404
    assert kernel.post(f"/d/gamma/reason/annotate/{gamma}", {"note": "n"})["annotationId"]
    found = kernel.post("/d/beta/reason/query", {"filters": {}})["nodes"]
    assert {node["division"] for node in found} == {"beta"}
    assert kernel.post("/d/beta/reason/query", {"filters": {"division": "gamma"}})["nodes"] == []
    listed = kernel.get("/d/beta/reason/divisions")["divisions"]
    assert [(one["division"], one["default"]) for one in listed] == [("beta", True)]


def test_who_has_not_the_division_learns_nothing_of_it(cells):
    home = cells[0]
    home.client("kernel").post("/d/gamma/reason/node", NODE)
    stranger = home.client("stranger")
    answers = []
    for division in ("gamma", "nosuch", "acme"):
        for method, path, body in (("GET", f"/d/{division}/reason/node/{uuid.uuid4()}", None), ("POST", f"/d/{division}/reason/node", NODE),
                                   ("GET", f"/d/{division}/reason/divisions", None), ("POST", f"/d/{division}/reason/query", {"filters": {}})):
            status, answer = refusal(stranger, method, path, body)
            answers.append((method, path.split("/")[4], status, answer["error"].replace(division, "X"), answer["code"]))
    assert len(set(answers)) == 4 and {answer[2] for answer in answers} == {403}


@pytest.mark.parametrize("path, status", [
    ("/d/%61cme/reason/divisions", 200), ("/d/acme%2Freason/divisions", 200), ("//d//acme//reason/divisions", 200), ("/d/x/../acme/reason/divisions", 200),
    ("/d/acme/../../metrics", 404), ("/d/acme/d/beta/reason/divisions", 404), ("/d/acme/d/acme/nodes", 404), ("/d/acme/ui/", 404),
    ("/d/acme/health", 404), ("/d/acme/ready", 404), ("/d/acme/metrics", 404), ("/d/acme/reason_error", 404), ("/d/acme/reason_sentinelnet", 404),
    ("/d/acme/", 404), ("/d/acme", 404), ("/d/", 404), ("/d//reason/divisions", 404), ("/d/acme/reason/", 404), ("/d/acme/nodes/", 404),
    ("/d/a%2Fb/reason/divisions", 404), ("/d/%00/reason/divisions", 400), ("/d/%0A/reason/divisions", 403), ("/d/*/reason/divisions", 403), ("/d/%2A/reason/divisions", 403),
    ("/d/%FF/reason/divisions", 400), ("/d/..%2e/reason/divisions", 403), ("/d/" + "a" * 64 + "/reason/divisions", 403), ("/d/" + "a" * 63 + "/reason/divisions", 200),
    ("/d/default/reason/divisions", 200), ("/d/acme%3Flimit=1/reason/divisions", 403), ("/d/$reason_cell/reason/divisions", 403), ("/d/%27;--/reason/divisions", 403),
])
def test_odd_paths(cells, path, status):
    """The kernel has all divisions; what can be none is refused as one that it has not."""
    answer, headers, body = raw(cells[0], "GET", path)
    assert answer == status, body
    assert headers["X-Request-Id"] and (status == 200 or set(json.loads(body)) == {"error", "code", "requestId", "details"})


def test_names_that_differ_in_case_live_in_one_cell_and_are_not_one(cells, kernel):
    home, away = cells
    upper = kernel.post("/d/ACME/reason/node", NODE)["nodeId"]
    assert divisions_of(away, upper) == ["ACME"]
    assert refusal(kernel, "GET", f"/d/acme/reason/node/{upper}")[0] == 404
    home.place(**{"acme": "cell_b", "~^Acme$": "reason"})
    try:
        assert divisions_of(home, home.client().post("/d/Acme/reason/node", NODE)["nodeId"]) == []
    finally:
        home.place(acme="cell_b")


def test_other_methods_are_answered_as_without_the_division(cells):
    home = cells[0]
    node = home.client().post("/d/acme/reason/node", NODE)["nodeId"]
    assert raw(home, "HEAD", f"/d/acme/reason/node/{node}")[0] == 200
    status, headers, _ = raw(home, "OPTIONS", "/d/acme/reason/node")
    assert (status, headers["Allow"]) == (204, "POST, OPTIONS")
    assert raw(home, "DELETE", f"/d/acme/reason/node/{node}")[0] == 405
    assert raw(home, "POST", "/d/acme/reason/node", b"x", {"Content-Type": "text/plain"})[0] == 415
    assert raw(home, "GET", "/d/acme/reason/openapi.json")[0] == 200
    assert raw(home, "GET", f"/d/acme/reason/node/{node}?nonsense=1")[0] == 400


def test_a_long_body_is_asked_about_and_written_where_it_belongs(cells):
    home, away = cells
    batch = {"nodes": [{**NODE, "payload": {"text": "x" * 1000}} for _ in range(600)]}
    assert home.client().post("/d/acme/nodes", batch)["count"] == 600
    status, _, answer = raw(home, "POST", "/d/acme/nodes", json.dumps(batch).encode(), {"Content-Type": "application/json"}, "stranger")
    assert status == 403, answer
    with away.database() as database:
        assert database.execute("SELECT count(*) FROM reason.node WHERE payload->>'text' IS NOT NULL AND division = 'acme'").fetchone()[0] >= 600


def test_a_key_holds_within_a_division(cells, kernel):
    key = {"Idempotency_Key": str(uuid.uuid4())}
    first = kernel.post("/d/acme/reason/node", NODE, **key)
    assert kernel.post("/d/acme/reason/node", NODE, **key) == first
    key = {"Idempotency_Key": str(uuid.uuid4())}
    assert kernel.post("/d/beta/reason/node", NODE, **key)
    assert refusal(kernel, "POST", "/d/gamma/reason/node", NODE, **{"Idempotency-Key": key["Idempotency_Key"]})[0] == 409


def test_what_was_made_is_found_where_location_says(cells, kernel):
    home = cells[0]
    kernel.connection.request("POST", "/d/acme/reason/node", json.dumps(NODE), {"Content-Type": "application/json"})
    response = kernel.connection.getresponse()
    node = json.loads(response.read())["nodeId"]
    assert response.headers["Location"] == f"/d/acme/reason/node/{node}" and kernel.get(response.headers["Location"])["node"]["id"] == node
    status, headers, body = raw(home, "POST", "/d/acme/reason/snapshot", json.dumps({"rootNodeIds": [node]}), {"Content-Type": "application/json", "Prefer": "wait=20"})
    assert status == 201, body
    assert headers["Location"] == f"/d/acme/reason/snapshot/{json.loads(body)['snapshotId']}"
    assert kernel.get(headers["Location"] + "/verify")["ok"]


def test_policy_checks_hold_in_the_cell(cells):
    """Under a rule that nobody answers for, and that allows no write then."""
    home, away = cells
    with away.database() as database:
        database.execute("SELECT reason.set_policy_rule('acme', '{node.create}', on_silence => 'deny', division_pattern => 'acme')")
        try:
            status, body = refusal(home.client(), "POST", "/d/acme/reason/node", NODE)
            assert (status, body["code"]) == (503, "REASONING_GRAPH_DEPENDENCY") and "policy" in body["error"]
            assert home.client().post("/d/beta/reason/node", NODE)
        finally:
            database.execute("SELECT reason.set_policy_rule('acme', '{node.create}', on_silence => 'deny', division_pattern => 'acme', enabled => false)")


def test_metrics_and_logs_tell_cells_and_paths_apart(cells, kernel):
    home = cells[0]
    kernel.post("/d/acme/reason/node", NODE)
    _, text = home.operations("/metrics")
    for metric in ("connections", "connections_idle", "queue_depth"):
        for cell in ("reason", "cell_b"):
            assert f'reason_gateway_upstream_{metric}{{upstream="{cell}"}}' in text
    assert 'reason_gateway_upstream_failures_total{upstream="cell_b",kind="queue_full"} 0' in text
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)), "each series once"
    wait_for(lambda: '"path":"/d/acme/reason/node"' in (home.run_dir / "log/access.log").read_text())


def test_a_division_without_a_cell_goes_nowhere(cells, kernel):
    home = cells[0]
    home.place(acme="cell_b", lost="cell_x")
    try:
        status, body = refusal(home.client(), "POST", "/d/lost/reason/node", NODE)
        assert (status, body["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
        assert 'gives "cell_x", which is no reason_upstream' in (home.run_dir / "log/gateway.log").read_text()
        assert home.client().post("/d/acme/reason/node", NODE)
    finally:
        home.place(acme="cell_b")


def test_a_reload_moves_what_comes_next(cells):
    home, away = cells
    home.place(acme="cell_b", delta="cell_b")
    assert divisions_of(away, home.client().post("/d/delta/reason/node", NODE)["nodeId"]) == ["delta"]
    home.place(acme="cell_b")
    assert divisions_of(home, home.client().post("/d/delta/reason/node", NODE)["nodeId"]) == ["delta"]


def test_reads_of_a_cell_may_go_to_standbys_of_its_own(cells):
    """As docs/for-operators/cells.md has it: first nobody answers there, so that it shows which requests come; then the same PostgreSQL does."""
    home = cells[0]
    conf = home.run_dir / "gateway/cells/cells.conf"
    before = conf.read_text()
    written = home.client().post("/d/acme/reason/node", NODE)["nodeId"]
    block = re.search(r"^reason_upstream cell_b \{\n.*?^\}\n", before, re.M | re.S)[0]
    reads = block.replace("cell_b {", "cell_b_reads {").replace("target_session_attrs=read-write ", "")
    line = before.replace("    default $reason_cell;\n", "    default $reason_cell;\n    cell_b cell_b_reads;\n")
    assert line != before
    try:
        conf.write_text(line + re.sub(r"port=\d+", f"port={free_port()}", reads))
        home.reload()
        assert refusal(home.client(), "GET", f"/d/acme/reason/node/{written}")[0] == 503
        assert home.client().post("/d/acme/reason/node", NODE)
        assert "acme" in {one["division"] for one in home.client().get("/reason/divisions")["divisions"]}
        conf.write_text(line + reads)
        home.reload()
        wait_for(lambda: 'reason_gateway_upstream_connections{upstream="cell_b_reads"} 0' not in home.operations("/metrics")[1])
        assert home.client().get(f"/d/acme/reason/node/{written}")["node"]["id"] == written
    finally:
        conf.write_text(before)
        home.reload()


def test_a_cell_that_is_down_takes_its_divisions_alone(cells):
    home, away = cells
    assert json.loads(home.operations("/health")[1]).get("degraded") is None
    with away_for_now(away):
        began = time.monotonic()
        for _ in range(20):
            assert home.client().post("/d/beta/reason/node", NODE)
        assert time.monotonic() - began < 10
        status, body = refusal(home.client(), "POST", "/d/acme/reason/node", NODE)
        assert (status, body["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
        began = time.monotonic()
        status, answer = home.operations("/health")
        assert (status, json.loads(answer)["degraded"], json.loads(answer)["ok"]) == (200, ["cell_b"], True)
        status, answer = home.operations("/ready")
        assert (status, json.loads(answer)["degraded"]) == (200, ["cell_b"])
        assert "degraded" not in home.client().get("/health")
        assert time.monotonic() - began < 4
        assert 'reason_gateway_upstream_connections{upstream="cell_b"} 0' in home.operations("/metrics")[1]
        lost = 'reason_gateway_upstream_failures_total{upstream="%s",kind="connection_lost"} 0'
        assert lost % "cell_b" not in home.operations("/metrics")[1] and lost % "reason" in home.operations("/metrics")[1]
    wait_for(lambda: json.loads(home.operations("/health")[1]).get("degraded") is None)
    wait_for(lambda: "ok" in home.client().get("/ready"))
    assert home.client().post("/d/acme/reason/node", NODE)


def test_a_cell_that_stalls_delays_health_a_little(cells):
    home, away = cells
    with stalled(away):
        began = time.monotonic()
        status, answer = home.operations("/health")
        assert (status, json.loads(answer)["degraded"]) == (200, ["cell_b"])
        assert 0.9 < time.monotonic() - began < 4
    wait_for(lambda: json.loads(home.operations("/health")[1]).get("degraded") is None)


def test_a_reload_under_load_loses_no_request(cells):
    home = cells[0]
    stop, failures, done = threading.Event(), [], [0]

    def write(division):
        client = home.client()
        while not stop.is_set():
            try:
                client.post(f"/d/{division}/reason/node", NODE)
                done[0] += 1
            except (http.client.HTTPException, OSError):
                client = home.client()  # an idle connection that a reload has closed
            except Refused as refused:
                failures.append(str(refused))

    threads = [threading.Thread(target=write, args=(division,)) for division in ("acme", "beta")]
    for thread in threads:
        thread.start()
    for _ in range(3):
        home.place(acme="cell_b")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and done[0] > 0
