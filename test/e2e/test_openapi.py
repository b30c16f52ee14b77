"""The OpenAPI document against the running service."""

import json

import pytest

from log_client import checkpoint
from openapi import check, resolve


@pytest.fixture
def document(kernel):
    return kernel.get("/reason/openapi.json")


@pytest.fixture
def call(kernel, document):
    """Calls an operation and checks status and body against what the document says of it."""

    def checked(method, template, path=None, body=None, headers=None):
        operation = document["paths"][template][method]
        sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
        kernel.connection.request(method.upper(), path or template, None if body is None else json.dumps(body), sent)
        response = kernel.connection.getresponse()
        answer = response.read()
        assert str(response.status) in operation["responses"], (template, response.status, answer)
        described = resolve(document, operation["responses"][str(response.status)])
        kind = response.headers["Content-Type"].split(";")[0]
        assert kind in described["content"], (template, kind)
        if kind == "application/json":
            answer = json.loads(answer)
            check(document, described["content"][kind]["schema"], answer)
        return response.status, answer

    return checked


def test_every_operation_answers_as_described(call, document, random_id, stack):
    called = set()

    def ok(method, template, expected, **keywords):
        called.add((method, template))
        status, answer = call(method, template, **keywords)
        assert status == expected, (template, answer)
        return answer

    cause = ok("post", "/reason/node", 201, body={"type": "observation", "author": "a", "payload": {"x": [1]}, "metadata": {"confidence": 0.5}})["nodeId"]
    effect, = [n["nodeId"] for n in ok("post", "/nodes", 201, body={"nodes": [{"type": "DECISION", "actor": "a", "payload": None}]})["nodes"]]
    ok("post", "/reason/edge", 201, body={"from": cause, "to": effect, "type": "causal"})
    ok("post", "/edges", 201, body={"edges": [{"from": cause, "to": effect, "type": "supports", "weight": 0.5}]})
    ok("post", "/reason/annotate/{id}", 201, path=f"/reason/annotate/{effect}", body={"note": "n"})
    ok("get", "/reason/node/{id}", 200, path=f"/reason/node/{effect}")
    ok("get", "/reason/node/{id}/explain", 200, path=f"/reason/node/{effect}/explain")
    ok("get", "/reason/node/{id}/impact", 200, path=f"/reason/node/{cause}/impact?depth=1&limit=1")
    ok("get", "/reason/trace/{id}", 200, path=f"/reason/trace/{effect}?limit=1")
    ok("get", "/reason/traces/{id}", 200, path=f"/reason/traces/{effect}")
    ok("get", "/reason/{id}", 200, path=f"/reason/{effect}")
    ok("post", "/reason/query", 200, body={"filters": {"types": ["decision"]}, "limit": 2})
    snapshot = ok("post", "/reason/snapshot", 201, body={"rootNodeIds": [effect]}, headers={"Prefer": "wait=20"})["snapshotId"]
    for form in ("metadata", "canonical", "envelope", "human"):
        ok("get", "/reason/snapshot/{id}", 200, path=f"/reason/snapshot/{snapshot}?format={form}")
    ok("get", "/reason/snapshots", 200, path="/reason/snapshots?limit=1")
    ok("get", "/reason/snapshot/{id}/verify", 200, path=f"/reason/snapshot/{snapshot}/verify")
    for form in ("human", "json", "canonical", "markdown", "svg", "dot", "mermaid", "prov", "csv", "csv&part=edges"):
        ok("get", "/reason/export/{id}", 200, path=f"/reason/export/{effect}?format={form}")
        ok("get", "/reason/export/{id}", 200, path=f"/reason/export/{snapshot}?format={form}")
    ok("get", "/reason/diff", 200, path=f"/reason/diff?a={snapshot}&b={effect}&limit=1")
    ok("get", "/reason/signers", 200)
    ok("get", "/reason/divisions", 200)
    with stack.database() as database:
        checkpoint(database)
    event = ok("get", "/reason/node/{id}", 200, path=f"/reason/node/{effect}")["node"]["auditEventId"]
    ok("get", "/reason/event/{id}/proof", 200, path=f"/reason/event/{event}/proof")
    for form in ("proof", "bundle"):
        ok("get", "/reason/node/{id}/proof", 200, path=f"/reason/node/{effect}/proof?format={form}")
    ok("get", "/reason/log/{log}/checkpoint", 200, path="/reason/log/default/checkpoint")
    ok("get", "/reason/log/{log}/tile/{path}", 200, path="/reason/log/default/tile/0/000.p/1")
    ok("get", "/reason/log/{log}/consistency", 200, path="/reason/log/default/consistency?from=1")
    ok("get", "/health", 200)
    ok("get", "/ready", 200)
    assert called == {(method, path) for path, operations in document["paths"].items() for method in operations}


def test_every_error_is_described(call, document, random_id):
    for path, operations in document["paths"].items():
        for method in operations:
            if "{log}" in path:
                assert call(method, path, path=path.replace("{log}", "nowhere").replace("{path}", "0/000") + "?from=1" * path.endswith("consistency"))[0] == 404, path
                assert call(method, path, path=path.replace("{log}", "default").replace("{path}", "0/000") + "?colour=red")[0] == 400, path
            elif "{id}" in path:
                body = {"note": "n"} if method == "post" else None
                assert call(method, path, path=path.replace("{id}", random_id()), body=body)[0] == 404, path
                assert call(method, path, path=path.replace("{id}", "none"), body=body)[0] == 400, path
            elif method == "post":
                assert call(method, path, body=[])[0] == 400, path
                assert call(method, path, body={"colour": "red"})[0] == 400, path
                assert call(method, path, body={}, headers={"Content-Type": "text/plain"})[0] == 415, path
