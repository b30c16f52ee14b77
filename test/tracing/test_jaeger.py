"""Spans of gateway and sidecar in a real Jaeger: one trace from the request to what the sidecar did because of it."""

import json
import os
import secrets
import shutil

import pytest

from jaeger_server import Jaeger
from kafka_broker import Broker
from paths import ROOT
from stack import new_stack
from wait import wait_for

CALLER = "b7ad6b7169203331"
SECRET = "what-no-span-may-hold"


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory):
    if not (shutil.which("go") or list((ROOT / ".build/jaeger").glob("jaeger-v*"))):
        pytest.skip("building Jaeger needs go")
    running = Jaeger(tmp_path_factory.mktemp("jaeger"))
    yield running
    running.end()


@pytest.fixture(scope="module")
def stack(jaeger, tmp_path_factory):
    directory = tmp_path_factory.mktemp("kafka")
    broker = Broker(directory / "data")
    broker.make_topic("audit-events")
    more = directory / "more.conf"
    more.write_text(f"[kafka]\nbrokers = {broker.address}\ntopic = audit-events\n")
    for path in (directory, *directory.parents[:2]):
        os.chmod(path, 0o755)
    os.chmod(more, 0o644)
    with new_stack(TRACING=f"127.0.0.1:{jaeger.port}", SIDECAR_MORE=str(more)) as running:
        yield running
    broker.kill()


def traced(client, method, path, body, trace_id, **headers):
    return client.call(method, path, body, {"traceparent": f"00-{trace_id}-{CALLER}-01", **headers})


def test_a_request_and_what_comes_of_it_are_one_trace(stack, jaeger):
    trace_id, client = secrets.token_hex(16), stack.client()
    node = traced(client, "POST", "/reason/node", {"type": "decision", "author": "tester", "payload": {"text": SECRET}}, trace_id, **{"Idempotency-Key": SECRET})["nodeId"]
    traced(client, "POST", "/reason/snapshot", {"rootNodeIds": [node], "description": SECRET}, trace_id)
    traced(client, "GET", f"/reason/trace/{node}?types=decision", None, trace_id)
    expected = {"request", "queue", "database", "traversal", "canonicalise", "hash", "sign", "upload", "emit"}

    def whole():
        spans = jaeger.spans(trace_id)
        emitted = [span for span in spans if span["name"] == "emit"]
        return spans if {span["name"] for span in spans} == expected and len(emitted) == 2 else None
    spans = wait_for(whole, 60, lambda: f"a whole trace: {sorted(span['name'] for span in jaeger.spans(trace_id))}")
    requests = {span["tags"]["reason.function"]: span for span in spans if span["name"] == "request"}
    assert set(requests) == {"http_post_node", "http_post_snapshot", "http_get_trace"}
    assert len({span["id"] for span in spans}) == len(spans)
    for span in spans:
        gateway = span["name"] in ("request", "queue", "database")
        assert span["service"] == ("reason-gateway" if gateway else "reason-sidecar")
        if span["name"] == "request":
            assert span["parents"] == [CALLER]
            assert (span["tags"]["span.kind"], span["tags"]["http.response.status_code"]) == ("server", 200 if span["tags"]["http.request.method"] == "GET" else 201)
            continue
        # each is the child of the request that caused it, and lies in it where the gateway did it
        parent, = (request for request in requests.values() if [request["id"]] == span["parents"])
        if gateway:
            # the request began when nginx last looked at its clock
            assert parent["began"] - 20000 <= span["began"] and span["began"] + span["took"] <= parent["began"] + parent["took"] + 20000
        elif "reason.snapshot.id" in span["tags"]:
            assert parent is requests["http_post_snapshot"]
    for request in requests.values():
        assert {"queue", "database"} <= {span["name"] for span in spans if span["parents"] == [request["id"]]}
    assert all("error" not in span["tags"] for span in spans)
    assert SECRET not in json.dumps(spans)


def test_what_no_caller_records_leaves_no_span(stack, jaeger):
    trace_id, client = secrets.token_hex(16), stack.client()
    body = {"type": "decision", "author": "tester", "payload": 1}
    client.call("POST", "/reason/node", body, {"traceparent": f"00-{trace_id}-{CALLER}-00"})
    after = secrets.token_hex(16)
    traced(client, "POST", "/reason/node", body, after)
    wait_for(lambda: {"request", "sign"} <= {span["name"] for span in jaeger.spans(after)}, 30, "the spans of the next one")
    assert jaeger.spans(trace_id) == []


def test_a_request_that_fails_is_an_error(stack, jaeger):
    trace_id, client = secrets.token_hex(16), stack.client()
    with stack.database() as database:
        database.execute("ALTER DATABASE reason CONNECTION LIMIT 0")
        try:
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")
            with pytest.raises(Exception, match="503"):
                traced(client, "GET", "/reason/divisions", None, trace_id)
        finally:
            database.execute("ALTER DATABASE reason CONNECTION LIMIT -1")
    spans = wait_for(lambda: jaeger.spans(trace_id), 30, "the spans")
    assert {(span["name"], span["tags"].get("error")) for span in spans} >= {("request", True), ("queue", True)}
