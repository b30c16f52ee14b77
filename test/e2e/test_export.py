"""Exports over HTTPS: their types and names, what they say they lack, and how they are continued."""

import csv
import http.client
import io
import json
import xml.etree.ElementTree

import pytest

from paths import ROOT
from raw_https import context, port

TYPES = {"markdown": ("text/markdown; charset=utf-8", "inline", "md"), "svg": ("image/svg+xml", "inline", "svg"), "dot": ("text/vnd.graphviz; charset=utf-8", "attachment", "gv"),
         "mermaid": ("text/plain; charset=utf-8", "attachment", "mmd"), "prov": ("application/json", "attachment", "prov.json"),
         "csv": ("text/csv; charset=utf-8; header=present", "attachment", "nodes.csv")}


@pytest.fixture
def get(stack):
    def call(path):
        connection = http.client.HTTPSConnection("localhost", port(stack), context=context(stack), timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()
    return call


@pytest.fixture
def chain(new_node, new_edge):
    ids = [new_node() for _ in range(7)]
    for cause, effect in zip(ids, ids[1:]):
        new_edge(cause, effect)
    return ids


@pytest.mark.parametrize("form", TYPES)
def test_every_form_says_what_it_is_and_goes_on_by_its_cursor(get, chain, form):
    kind, disposition, suffix = TYPES[form]
    told, cursor, parts = set(), "", 0
    while True:
        status, headers, body = get(f"/reason/export/{chain[-1]}?format={form}&limit=3{cursor}")
        parts += 1
        assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (200, kind, "nosniff")
        assert headers["Content-Disposition"] == f'{disposition}; filename="reasoning-{chain[-1]}.{suffix}"'
        assert ("default-src 'none'" in headers.get("Content-Security-Policy", "")) == (form == "svg")
        told |= {i for i in chain if i in body or i.replace("-", "#45;") in body}
        assert headers["X-Truncated"] == ("true" if "X-Next-Cursor" in headers else "false") and ("CUT" in body) == ("X-Next-Cursor" in headers)
        if "X-Next-Cursor" not in headers:
            break
        cursor = "&cursor=" + headers["X-Next-Cursor"]
    assert told == set(chain) and parts == 3


def test_a_snapshot_is_exported_in_every_form(get, kernel, chain):
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [chain[-1]]}, Prefer="wait=20")
    for form in TYPES:
        status, headers, body = get(f"/reason/export/{snapshot['snapshotId']}?format={form}")
        assert status == 200 and headers["X-Truncated"] == "false"
        assert all(i in body or i.replace("-", "#45;") in body for i in chain)
        if form in ("markdown", "svg"):
            assert snapshot["hash"] in body
        if form == "svg":
            xml.etree.ElementTree.fromstring(body)
        if form == "prov":
            json.loads(body)
    status, headers, body = get(f"/reason/export/{snapshot['snapshotId']}?format=csv&part=edges&limit=4")
    assert len(list(csv.reader(io.StringIO(body, newline="")))) == 5 and headers["X-Next-Cursor"] == "4"
    for query in ("format=svg&depth=2", "format=svg&cursor=x", "format=svg&part=nodes", "format=csv&part=rows", "format=png", "format=json&limit=1"):
        assert get(f"/reason/export/{snapshot['snapshotId']}?{query}")[0] == 400, query


def test_what_rests_on_a_node_and_what_differs(kernel, refused, chain, new_node, new_edge):
    found = kernel.get(f"/reason/node/{chain[0]}/impact?limit=4")
    assert [n["nodeId"] for n in found["nodes"]] == chain[1:5] and found["counts"]["nodes"] == 6 and found["truncated"]
    assert kernel.get(f"/reason/node/{chain[0]}/impact?limit=4&cursor={found['nextCursor']}")["nodes"][-1]["nodeId"] == chain[-1]
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [chain[-1]]}, Prefer="wait=20")["snapshotId"]
    late = new_node()
    edge = new_edge(late, chain[-1])
    later = kernel.get(f"/reason/diff?a={snapshot}&b={chain[-1]}")
    assert [e.get("nodeId", e.get("edgeId")) for e in later["added"]] == [late, edge] and later["counts"] == {
        "added": 2, "removed": 0, "changed": 0, "sameNodes": 7, "sameEdges": 6}
    # When it was recorded nothing led to it yet.
    then = kernel.get(f"/reason/node/{chain[-1]}")["node"]["createdAt"]
    assert {e["nodeId"] for e in kernel.get(f"/reason/diff?node={chain[-1]}&asOfA={then}")["added"] if e["kind"] == "node"} == {*chain[:-1], late}
    for query in (f"a={snapshot}", f"node={late}&a={late}&b={late}", f"a={snapshot}&b={late}&asOfA={then}", "", "a=x&b=y"):
        assert refused(kernel.get, f"/reason/diff?{query}")[0] == 400, query


LISTS = {"human": ("text/plain; charset=utf-8", "inline", "txt"), "markdown": ("text/markdown; charset=utf-8", "inline", "md"),
         "csv": ("text/csv; charset=utf-8; header=present", "attachment", "csv")}


def test_every_read_that_has_forms_is_tested():
    described = json.loads((ROOT / "gateway/openapi.json").read_text())
    listed = {path for path, methods in described["paths"].items() for operation in methods.values() if {"$ref": "#/components/parameters/ListFormat"} in operation.get("parameters", [])}
    assert listed == {"/reason/node/{id}/impact", "/reason/node/{id}/explain", "/reason/diff"}
    assert described["components"]["parameters"]["ListFormat"]["schema"]["enum"] == ["json", *LISTS]


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("read", ["impact", "explanation", "diff"])
def test_lists_have_forms_that_go_on_by_their_cursor(get, chain, read, form):
    kind, disposition, suffix = LISTS[form]
    path, about = {"impact": (f"/reason/node/{chain[0]}/impact?", chain[0]), "explanation": (f"/reason/node/{chain[-1]}/explain?", chain[-1]),
                   "diff": (f"/reason/diff?a={chain[0]}&b={chain[-1]}&", chain[-1])}[read]
    whole = json.loads(get(path)[2])
    expected = {entry.get("nodeId", entry.get("edgeId")) for name in ("nodes", "components", "evidence", "added", "removed", "changed") for entry in whole.get("explain", whole).get(name, [])}
    told, cursor, parts = "", "", 0
    while True:
        status, headers, body = get(f"{path}format={form}&limit=1{cursor}")
        parts += 1
        assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (200, kind, "nosniff")
        assert headers["Content-Disposition"] == f'{disposition}; filename="reasoning-{about}.{read}.{suffix}"'
        assert headers["X-Truncated"] == ("true" if "X-Next-Cursor" in headers else "false") and ("CUT" in body) == ("X-Next-Cursor" in headers)
        told += body
        if "X-Next-Cursor" not in headers:
            break
        cursor = "&cursor=" + headers["X-Next-Cursor"]
    assert len(expected) > 1 and all(i in told for i in expected) and parts > 1
    assert get(f"{path}format=svg")[0] == 400


def test_a_search_is_had_as_a_table(kernel, refused, new_node, stack):
    ids = [new_node(author="lister", payload={"text": f"=SUM({i})"}) for i in range(3)]
    connection = http.client.HTTPSConnection("localhost", port(stack), context=context(stack), timeout=60)
    found, cursor = [], None
    while True:
        connection.request("POST", "/reason/query", json.dumps({"filters": {"authors": ["lister"]}, "limit": 2, "format": "csv", "cursor": cursor}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read().decode()
        assert (response.status, response.headers["Content-Type"]) == (200, LISTS["csv"][0])
        rows = list(csv.DictReader(io.StringIO(body, newline="")))
        found += [row for row in rows if row["record"] == "node"]
        cursor = response.headers.get("X-Next-Cursor")
        assert (rows[-1]["record"] == "cut") == (cursor is not None) == (response.headers["X-Truncated"] == "true")
        if cursor is None:
            break
    connection.close()
    assert [row["id"] for row in found] == ids[::-1] and found[0]["note"] == "'=SUM(2)" and found[0]["recorded_at"]
    assert refused(kernel.post, "/reason/query", {"filters": {}, "format": "png"})[0] == 400
