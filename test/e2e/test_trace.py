"""Traces over HTTPS."""

import pathlib
import uuid

import pytest


@pytest.fixture
def diamond(new_node, new_edge):
    """root ← left, right ← origin: two ways to the same cause."""
    origin, left, right, root = new_node(), new_node("score"), new_node("hypothesis"), new_node("decision")
    new_edge(origin, left)
    new_edge(origin, right)
    new_edge(left, root, "supports", weight=0.5)
    new_edge(right, root, "contradicts", weight=0.1)
    return origin, left, right, root


def test_each_node_once_at_its_smallest_depth(kernel, diamond):
    origin, left, right, root = diamond
    trace = kernel.get(f"/reason/trace/{root}")
    assert trace["startNodeId"] == root
    assert trace["direction"] == "ancestors"
    assert trace["truncated"] is False
    assert "nextCursor" not in trace
    assert [(s["node"]["id"], s["depth"], s["cycleDetected"]) for s in trace["steps"]] == [
        (root, 0, False), (left, 1, False), (right, 1, False), (origin, 2, False)]
    assert len(trace["edges"]) == 4
    assert {e["from"] for e in trace["steps"][0]["incoming"]} == {left, right}
    assert {e["to"] for e in trace["steps"][3]["outgoing"]} == {left, right}


def test_descendants_walk_the_other_way(kernel, diamond):
    origin, left, right, root = diamond
    trace = kernel.get(f"/reason/trace/{origin}?direction=descendants")
    assert [s["node"]["id"] for s in trace["steps"]] == [origin, left, right, root]


def test_depth_limits_the_walk(kernel, diamond):
    _, left, right, root = diamond
    trace = kernel.get(f"/reason/trace/{root}?depth=1")
    assert [s["node"]["id"] for s in trace["steps"]] == [root, left, right]
    assert [s["node"]["id"] for s in kernel.get(f"/reason/trace/{root}?depth=0")["steps"]] == [root]


def test_filters(kernel, diamond):
    origin, left, _, root = diamond
    by_weight = kernel.get(f"/reason/trace/{root}?minWeight=0.3")
    assert [s["node"]["id"] for s in by_weight["steps"]] == [root, left, origin]
    by_edge = kernel.get(f"/reason/trace/{root}?edgeTypes=supports")
    assert [s["node"]["id"] for s in by_edge["steps"]] == [root, left]


def test_pages_join_to_the_whole(kernel, new_node, new_edge):
    root = new_node()
    for _ in range(7):
        new_edge(new_node(), root)
    whole = [s["node"]["id"] for s in kernel.get(f"/reason/trace/{root}")["steps"]]
    pages, cursor = [], None
    while True:
        page = kernel.get(f"/reason/trace/{root}?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["steps"]) <= 3
        pages += [s["node"]["id"] for s in page["steps"]]
        # Written in between: no page shows it.
        new_edge(new_node(), root)
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert pages == whole


def test_a_cycle_is_flagged_where_it_closes(kernel, new_node, new_edge):
    a, b, c = new_node(), new_node(), new_node()
    new_edge(a, b)
    new_edge(b, c)
    new_edge(c, a)
    steps = kernel.get(f"/reason/trace/{c}")["steps"]
    assert [(s["node"]["id"], s["cycleDetected"]) for s in steps] == [(c, False), (b, False), (a, True)]


def test_the_ordered_path_has_causes_first(kernel, diamond):
    origin, left, right, root = diamond
    ordered = kernel.get(f"/reason/traces/{root}")
    path = ordered["ordered_path"]
    position = {entry["id"]: entry["causalIndex"] for entry in path}
    assert [entry["causalIndex"] for entry in path] == list(range(len(path)))
    assert position[origin] < position[left] < position[root] and position[right] < position[root]
    for entry in path:
        if entry["type"] == "edge":
            assert position[entry["from"]] < entry["causalIndex"] < position[entry["to"]]
    assert ordered["metadata"]["length"] == len(path) == 8
    assert ordered["metadata"]["cycleDetected"] is False


def test_an_ordered_path_with_a_cycle_leaves_nothing_out(kernel, new_node, new_edge):
    first, a, b = new_node(), new_node(), new_node()
    new_edge(first, a)
    new_edge(a, b)
    new_edge(b, a)
    ordered = kernel.get(f"/reason/traces/{b}")
    assert ordered["metadata"]["cycleDetected"] is True
    assert {e["id"] for e in ordered["ordered_path"] if e["type"] == "node"} == {first, a, b}
    assert ordered["ordered_path"][0]["id"] == first


def test_the_kernels_form(kernel, diamond):
    _, _, _, root = diamond
    answer = kernel.get(f"/reason/{root}")
    assert answer["node"] == answer["record"]["id"] == root
    assert [entry["step"] for entry in answer["trace"]] == [0, 1, 2, 3]
    assert all({"step", "ts", "note", "data"} == set(entry) for entry in answer["trace"])


@pytest.mark.parametrize("path", ["/reason/trace/{}", "/reason/traces/{}", "/reason/{}", "/reason/node/{}/explain", "/reason/export/{}"])
def test_every_read_of_a_trace_has_pages_and_says_when_it_was_cut(kernel, refused, new_node, new_edge, path):
    ids = [new_node() for _ in range(15)]
    for cause, effect in zip(ids, ids[1:]):
        new_edge(cause, effect)
    path = path.format(ids[-1])

    def frontier(answer):
        return answer.get("frontier", answer.get("explain", {}).get("frontier"))

    def get(query):
        answer = kernel.get(f"{path}?{query}")
        return {**answer, **answer.get("metadata", {})}

    cut = get("depth=10")
    assert cut["truncated"] is True and frontier(cut) == [ids[4]] and "nextCursor" not in cut
    whole = get("depth=20")
    assert whole["truncated"] is False and frontier(whole) == []
    first = get("depth=20&limit=1")
    assert first["truncated"] is True and get(f"depth=20&limit=1&cursor={first['nextCursor']}") != first
    middle = kernel.get(f"/reason/node/{ids[9]}")["node"]["createdAt"]
    assert refused(kernel.get, f"{path}?asOf={middle}")[0] == 404
    for bad in ("limit=0", "depth=10001", "cursor=x", "asOf=noon", "colour=red"):
        assert refused(kernel.get, f"{path}?{bad}")[0] == 400


def test_the_edges_at_a_node_come_in_pages(kernel, new_node, new_edge):
    node = new_node()
    edges = [new_edge(new_node(), node) for _ in range(3)] + [new_edge(node, new_node()) for _ in range(3)]
    found, cursor = [], ""
    while cursor is not None:
        page = kernel.get(f"/reason/node/{node}?limit=2{cursor}")
        assert page["node"]["id"] == node and page["truncated"] == ("nextCursor" in page)
        found += [e["id"] for e in page["incoming"] + page["outgoing"]]
        cursor = f"&cursor={page['nextCursor']}" if "nextCursor" in page else None
    assert found == edges


def test_the_ordered_path_tells_who_when_and_how_much(kernel, new_node, new_edge):
    cause, effect = new_node(author="ada", ts="2001-01-01T00:00:00Z"), new_node()
    new_edge(cause, effect, weight=0.25)
    first, edge, _ = kernel.get(f"/reason/traces/{effect}")["ordered_path"]
    assert (first["author"], first["ts"]) == ("ada", "2001-01-01T00:00:00.000000Z") and first["timestamp"] > first["ts"]
    assert (edge["type"], edge["weight"]) == ("edge", 0.25)


def test_explain_names_direct_causes_and_evidence(kernel, diamond):
    origin, left, right, root = diamond
    explain = kernel.get(f"/reason/node/{root}/explain")["explain"]
    assert [c["nodeId"] for c in explain["components"]] == [left, right]
    assert [e["nodeId"] for e in explain["evidence"]] == [origin]
    assert "decision" in explain["summary"]


@pytest.mark.parametrize("query", ["direction=sideways", "depth=-1", "depth=x", "limit=0", "limit=10001", "depth=10001", "minWeight=a",
                                   "asOf=yesterday", "asOfSeq=-1", "asOfSeq=now", "asOfSeq=12345678901234567890", "cursor=abc", "colour=red", "types=guess"])
def test_bad_parameters_are_refused(kernel, refused, new_node, query):
    status, error = refused(kernel.get, f"/reason/trace/{new_node()}?{query}")
    assert (status, error["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


def test_an_unknown_node_is_not_found(kernel, refused, random_id):
    for path in ("/reason/trace/", "/reason/traces/", "/reason/node/", "/reason/"):
        status, error = refused(kernel.get, path + random_id())
        assert (status, error["code"]) == (404, "REASONING_GRAPH_NOT_FOUND"), path


def test_query_pages_through_what_matches(kernel, new_node):
    tag = "query-" + new_node()
    ids = [new_node("hypothesis", metadata={"tags": [tag], "confidence": i / 10}) for i in range(5)]
    filters = {"types": ["hypothesis"], "tags": [tag], "minConfidence": 0.1}
    first = kernel.post("/reason/query", {"filters": filters, "limit": 3})
    assert [n["id"] for n in first["nodes"]] == ids[:1:-1]
    rest = kernel.post("/reason/query", {"filters": filters, "limit": 3, "cursor": first["nextCursor"]})
    assert [n["id"] for n in rest["nodes"]] == [ids[1]]
    assert "nextCursor" not in rest


@pytest.mark.parametrize("body", [b"", b"{", b'{"filters":{},"filters":{}}', {"filters": {}, "limit": "5"}, {"filters": {}, "cursor": 0}, {"filters": {}, "colour": "red"}, {"filters": None}, {"filters": []},
                                  {"colour": "red"}, {"filters": {"types": "decision"}}, {"filters": {}, "limit": 0}, {"filters": {}, "cursor": "x"}])
def test_a_query_is_read_strictly(kernel, refused, body):
    status, error = refused(kernel.post, "/reason/query", body)
    assert (status, error["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


def test_the_gateways_sessions_keep_memory_for_the_next_trace(kernel, database):
    """Else the system hands out hundreds of pages anew for each (reason.kept_memory)."""
    ids = [str(uuid.uuid4()) for _ in range(400)]
    kernel.post("/nodes", {"nodes": [{"id": i, "type": "score", "actor": "test", "payload": {"x": "x" * 1000}} for i in ids]})
    kernel.post("/edges", {"edges": [{"from": i, "to": ids[0], "type": "causal"} for i in ids[1:]]})
    backends = [pid for pid, in database.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reason-gateway'")]

    def faults():
        return sum(int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7]) for pid in backends)

    def traces(count):
        for _ in range(count):
            assert len(kernel.get(f"/reason/trace/{ids[0]}")["steps"]) == 400
    traces(4 * len(backends))
    before = faults()
    traces(20)
    assert (faults() - before) / 20 < 100
