"""Spans of the sidecar's work, as children of the requests that caused it."""

import os
import secrets
import signal
import time

import pytest

from otlp import Collector, Receiver, traced_request
from wait import wait_for

PARENT = "b7ad6b7169203331"


class Request:
    """A traced request, as the gateway passes it to the database."""

    def __init__(self, database, flags="01"):
        self.database = database
        self.trace_id = secrets.token_hex(16)
        self.traceparent = f"00-{self.trace_id}-{PARENT}-{flags}"
        database.value("SELECT reason.set_client('tracer', 'admin', '{*}', true)")

    def _call(self, function, body, **more):
        return traced_request(self.database, function, self.traceparent, body, **more)

    def node(self):
        return self._call("http_post_node", {"type": "observation", "payload": {"text": "it rains"}, "author": "tester"})["nodeId"]

    def nodes(self, count):
        self._call("http_post_nodes", {"nodes": [{"type": "observation", "payload": {"n": n}, "author": "tester"} for n in range(count)]})

    def snapshot(self, *roots):
        return self._call("http_post_snapshot", {"rootNodeIds": roots}, prefer="wait=0")["snapshotId"]


@pytest.fixture
def receiver():
    made = []

    def make(**how):
        made.append(Receiver(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    """The real one where it is asked for (make check-jaeger), because building it takes minutes; else the receiver, which reads as strictly."""
    if os.environ.get("REASON_TEST_COLLECTOR"):
        running = Collector(tmp_path_factory.mktemp("otelcol"))
        yield running
        running.stop()
    else:
        running = Receiver()
        running.spans = running.understood
        yield running
        running.close()


def traced(settings, endpoint, **more):
    return {**settings, "tracing": {"endpoint": endpoint, **more}}


def by_name(spans):
    return {(span["name"], "snapshot" if "reason.snapshot.id" in span["attributes"] else span["attributes"]["reason.event.seq"]): span
            for span in spans}


def test_a_snapshots_steps_are_children_of_the_request(database, sidecars, settings, collector):
    one = sidecars(traced(settings, collector.url, service_name="reason-test")).start()
    node = database.node()
    database.settled()
    request = Request(database)
    before = time.time_ns() // 1000
    snapshot = request.snapshot(str(node))
    after = time.time_ns() // 1000
    database.completed(snapshot)
    database.settled()
    seq = database.value("SELECT seq FROM reason.audit_events WHERE event_type = 'snapshot.completed'")
    wait_for(lambda: len(collector.spans(request.trace_id)) >= 7, 10, "seven spans")
    spans = by_name(collector.spans(request.trace_id))
    assert set(spans) == {*((name, "snapshot") for name in ("traversal", "canonicalise", "hash", "sign", "upload")), ("hash", seq), ("sign", seq)}
    assert {span["parent"] for span in spans.values()} == {PARENT}
    assert len({span["id"] for span in spans.values()}) == 7
    assert {span["status"] for span in spans.values()} == {"Unset"}
    walk, canonicalise, hashing, sign, upload = (spans[name, "snapshot"] for name in ("traversal", "canonicalise", "hash", "sign", "upload"))
    # what the database did, by its own clock, within the request; then one after the other
    assert before <= walk["began"] <= walk["ended"] <= canonicalise["began"] <= canonicalise["ended"] <= hashing["ended"] <= after
    assert canonicalise["began"] < hashing["began"]
    assert hashing["ended"] <= sign["began"] < sign["ended"] <= upload["began"] < upload["ended"] <= spans["hash", seq]["began"]
    assert 0 <= canonicalise["attributes"]["reason.worked_us"] <= canonicalise["ended"] - canonicalise["began"] + 1
    assert 0 <= hashing["attributes"]["reason.worked_us"] <= hashing["ended"] - hashing["began"] + 1
    assert walk["attributes"]["reason.nodes"] == 1
    assert {span["attributes"]["reason.division"] for span in spans.values()} == {"default"}
    assert upload["attributes"]["reason.snapshot.id"] == snapshot
    assert upload["attributes"]["reason.object.key"] == f"snapshots/default/{snapshot}.json"
    assert (sign["kind"], upload["kind"], hashing["kind"]) == ("Client", "Client", "Internal")
    assert sign["attributes"]["reason.signer.id"] == "test-signer"
    assert upload["resource"]["service.name"] == "reason-test" and upload["resource"]["service.version"].startswith("0.")
    wait_for(lambda: one.metric("reason_sidecar_spans_exported_total") >= 7, 5)
    assert one.metric("reason_sidecar_spans_dropped_total") == 0
    # the completing event names the request, so whoever reads it can find the trace
    assert database.value("SELECT metadata ->> 'traceparent' FROM reason.audit_events WHERE event_type = 'snapshot.completed'") == request.traceparent


def test_a_large_document_is_canonicalised_and_hashed_by_turns(database):
    """The two overlap, and what each worked adds up to less than the pass took, which stores the chunks too."""
    root = database.node()
    for number in range(60):
        child = database.value("SELECT reason.add_node('observation', jsonb_build_object('text', repeat(md5(%s::text), 6000)), 'tester')", str(number))
        database.value("SELECT reason.add_edge(%s, %s, 'causal')", child, root)
    request = Request(database)
    snapshot = request.snapshot(str(root))
    traceparent, began, canonicalised, worked, hash_began, hash_ended, hashed, walked, nodes = \
        database.rows("SELECT * FROM reason.snapshot_spans(%s)", snapshot)[0]
    assert traceparent == request.traceparent
    assert walked <= began < hash_began < canonicalised <= hash_ended and nodes == 61
    assert 0 < hashed and 0 < worked and worked + hashed < hash_ended - began


def test_the_event_of_a_write_is_traced_through_its_chain(database, sidecars, settings, collector):
    sidecars(traced(settings, collector.url)).start()
    request = Request(database)
    request.node()
    database.nodes(5)
    database.settled()
    wait_for(lambda: len(collector.spans(request.trace_id)) >= 2, 10, "two spans")
    hashing, sign = sorted(collector.spans(request.trace_id), key=lambda span: span["name"])
    assert (hashing["name"], sign["name"]) == ("hash", "sign")
    assert hashing["parent"] == sign["parent"] == PARENT
    seq = database.value("SELECT seq FROM reason.audit_events WHERE metadata ->> 'traceparent' = %s", request.traceparent)
    assert hashing["attributes"]["reason.event.seq"] == sign["attributes"]["reason.event.seq"] == seq
    assert hashing["attributes"]["reason.batch.size"] >= 1
    assert hashing["began"] < hashing["ended"] <= sign["began"] < sign["ended"]


@pytest.mark.parametrize("flags, sampler, expected", [
    ("01", None, True), ("00", None, False), ("00", "always_on", True), ("01", "always_off", False),
    ("01", "parentbased_always_off", True), ("00", "parentbased_traceidratio", False), ("01", "no_such_sampler", True)])
def test_the_callers_choice_and_the_configured_sampler_decide(database, sidecars, settings, receiver, flags, sampler, expected):
    taker = receiver()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": taker.url + "/", "OTEL_SERVICE_NAME": "by-environment",
                   **({"OTEL_TRACES_SAMPLER": sampler} if sampler else {})}
    one = sidecars(settings, environment).start()
    Request(database, flags).node()
    database.settled()
    if expected:
        wait_for(lambda: len(taker.spans()) == 2, 10, "two spans")
        _, path, _, request = taker.requests[0]
        assert path == "/v1/traces"
        assert {"key": "service.name", "value": {"stringValue": "by-environment"}} in request["resourceSpans"][0]["resource"]["attributes"]
    one.stop()
    assert bool(taker.spans()) == expected
    assert ("OTEL_TRACES_SAMPLER is ignored" in one.log()) == (sampler == "no_such_sampler")


def test_work_of_untraced_requests_makes_no_span(database, sidecars, settings, receiver):
    taker = receiver()
    one = sidecars(traced(settings, taker.url, sampler="always_on")).start()
    database.completed(database.snapshot(database.node()))
    broken = Request(database)
    broken.traceparent = "00-not-a-trace-01"
    broken.node()
    database.settled()
    one.stop()
    assert taker.requests == []


def test_headers_come_from_the_configuration_and_from_a_file_that_may_change(database, sidecars, settings, receiver, tmp_path):
    taker = receiver()
    secret = tmp_path / "headers"
    secret.write_text("authorization=Bearer%20first\n")
    one = sidecars(traced(settings, taker.url, headers_file=secret), {"OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%2Cb, x-more = c"}).start()
    Request(database).node()
    wait_for(lambda: len(taker.spans()) == 2, 10, "two spans")
    headers = {name.lower(): value for name, value in taker.requests[0][2].items()}
    assert headers["content-type"] == "application/json"
    assert (headers["x-tenant"], headers["x-more"], headers["authorization"]) == ("a,b", "c", "Bearer first")
    secret.write_text("authorization=Bearer%20second\n")
    Request(database).node()
    wait_for(lambda: len(taker.spans()) == 4, 10, "four spans")
    assert taker.requests[-1][2]["authorization"] == "Bearer second"
    assert "first" not in one.log() and "second" not in one.log()


def test_a_busy_collector_is_asked_again_and_a_refusing_one_is_not(database, sidecars, settings, receiver):
    taker = receiver(statuses=[503, 429])
    one = sidecars(traced(settings, taker.url)).start()
    Request(database).node()
    wait_for(lambda: one.metric("reason_sidecar_spans_exported_total") == 2, 15, "the third attempt")
    assert taker.requests[2][0] - taker.requests[0][0] > 2.5
    taker.statuses.append(400)
    Request(database).node()
    wait_for(lambda: one.metric("reason_sidecar_spans_dropped_total") > 0, 10, "the loss")
    time.sleep(1.5)
    assert len(taker.requests) == 4


def test_a_collector_that_hangs_holds_nothing_up(database, sidecars, settings, receiver):
    """The queue fills, spans are dropped and counted; sealing, signing and the end of the process do not wait."""
    taker = receiver(delay=60)
    one = sidecars(traced(settings, taker.url)).start()
    request = Request(database)
    for _ in range(6):
        request.nodes(500)
    database.settled(20)
    database.completed(request.snapshot(str(database.node())), 10)
    assert one.metric("reason_sidecar_spans_dropped_total") > 0
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - began < 9
    assert database.verified()


def test_a_failed_upload_is_an_error_span(database, sidecars, settings, receiver, tmp_path):
    taker = receiver()
    snapshot = Request(database).snapshot(str(database.node()))
    occupied = tmp_path / "store" / "snapshots" / "default"
    occupied.mkdir(parents=True)
    (occupied / f"{snapshot}.json").write_text("something else")
    sidecars(traced(settings, taker.url)).start()
    wait_for(lambda: database.status(snapshot) == "failed", 10)
    upload, = wait_for(lambda: [span for span in taker.spans() if span["name"] == "upload"], 10, "the span")
    assert upload["status"]["code"] == 2 and "other bytes" in upload["status"]["message"]


def test_spans_that_wait_are_sent_at_the_end(database, sidecars, settings, receiver):
    taker = receiver()
    one = sidecars(traced(settings, taker.url)).start()
    Request(database).node()
    database.settled()
    one.signal(signal.SIGTERM)
    assert one.process.wait(10) == 0
    assert len(taker.spans()) == 2
