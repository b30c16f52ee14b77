"""Spans of traced requests go to a collector, whatever it does; nobody waits for it."""

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from otlp import Receiver
from ports import free_port
from reason_gateway import configured
from wait import wait_for

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
EXPORTED, DROPPED = "reason_gateway_spans_exported_total", "reason_gateway_spans_dropped_total"


@contextlib.contextmanager
def sent_to(stack, url):
    """The gateway with such a collector."""
    with configured(stack, "server_tokens off;", f"server_tokens off;\n    reason_tracing {url};"):
        wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
        yield


@pytest.fixture
def receiver():
    made = []

    def make(**how):
        made.append(Receiver(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_request_its_wait_and_its_call_are_spans(stack, receiver):
    taker = receiver()
    with sent_to(stack, f"{taker.url}/base/ some-gateway"):
        before = time.time_ns()
        _, answer = stack.json("POST", "/echo/x", "{}", {**TRACED, "X-Request-Id": "r-1"})
        after = time.time_ns()
        wait_for(lambda: len(taker.spans()) == 3, 10, "three spans")
        wait_for(lambda: stack.metric(EXPORTED) >= 3)
    _, path, headers, body = taker.requests[0]
    assert (path, headers["Content-Type"]) == ("/base/v1/traces", "application/json")
    assert {"key": "service.name", "value": {"stringValue": "some-gateway"}} in body["resourceSpans"][0]["resource"]["attributes"]
    spans = {span["name"]: span for span in taker.spans()}
    request, queue, database = (spans[name] for name in ("request", "queue", "database"))
    assert {span["traceId"] for span in spans.values()} == {TRACE} and len({span["spanId"] for span in spans.values()}) == 3
    assert request["parentSpanId"] == CALLER and queue["parentSpanId"] == database["parentSpanId"] == request["spanId"]
    assert [span["kind"] for span in (request, queue, database)] == [2, 1, 3]
    assert attributes(request) == {"http.request.method": "POST", "http.response.status_code": "200", "reason.function": "echo", "reason.request.id": "r-1"}
    assert attributes(database) == {"db.system.name": "postgresql", "reason.function": "echo"}
    # what the database and whoever comes after it are told is the request's own span
    assert answer["traceparent"] == f"00-{TRACE}-{request['spanId']}-01"
    began, ended = (int(request[name]) for name in ("startTimeUnixNano", "endTimeUnixNano"))
    assert before - 10 ** 9 < began <= int(queue["startTimeUnixNano"]) <= int(queue["endTimeUnixNano"]) <= int(database["startTimeUnixNano"])
    assert int(database["startTimeUnixNano"]) < int(database["endTimeUnixNano"]) <= ended <= after + 10 ** 9
    assert all("status" not in span for span in spans.values())


@pytest.mark.parametrize("header", [{}, {"traceparent": f"00-{TRACE}-{CALLER}-00"}, {"traceparent": "00-not-a-trace-01"}])
def test_what_no_caller_records_makes_no_span(stack, receiver, header):
    taker = receiver()
    with sent_to(stack, taker.url):
        _, answer = stack.json("GET", "/echo/x", headers=header)
        assert answer["traceparent"] == (header.get("traceparent") if header.get("traceparent", "").endswith("-00") else None)
        stack.json("GET", "/echo/x", headers=TRACED)
        wait_for(lambda: len(taker.spans()) == 3, 10, "the spans of the next request")
        time.sleep(1.2)
    assert len(taker.spans()) == 3


def test_an_error_of_the_database_is_one_of_its_span(stack, receiver):
    taker = receiver()
    with sent_to(stack, taker.url):
        assert stack.call("POST", "/refuse", '{"sqlstate": "XX000"}', TRACED)[0] == 500
        wait_for(lambda: len(taker.spans()) == 3, 10, "three spans")
    assert {span["name"]: span.get("status") for span in taker.spans()} == {"request": {"code": 2}, "queue": None, "database": {"code": 2}}


@pytest.mark.parametrize("method, path, headers, body, status, function", [
    ("POST", "/echo/x", {"Transfer-Encoding": "chunked"}, (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17, 413, "echo"),
    ("POST", "/echo/x", {"Content-Length": str(2 << 20)}, b"", 413, None),
    ("POST", "/echo/x", {"Content-Length": "2", "Content-Type": "text/plain"}, b"{}", 415, "echo"),
    ("PUT", "/echo/x", {"Content-Length": "0"}, b"", 405, "echo"),
    ("GET", "/no/such/path", {}, b"", 404, None),
], ids=["too long while it is read", "too long as it says", "of another type", "of another method", "of no path"])
def test_what_is_refused_is_a_span_too(stack, receiver, method, path, headers, body, status, function):
    """Whoever refuses it, and wherever nginx goes then for the error body."""
    taker = receiver()
    with sent_to(stack, taker.url):
        connection = stack.connect()
        connection.putrequest(method, path)
        for name, value in {"Content-Type": "application/json", **headers, **TRACED, "X-Request-Id": "r-2"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(OSError):
            connection.send(body)
        answer = connection.getresponse()
        assert answer.status == status and answer.read()
        connection.close()
        wait_for(lambda: taker.spans(), 10, "the span of the request")
    span, = taker.spans()
    assert (span["name"], span["traceId"], span["parentSpanId"], span["kind"]) == ("request", TRACE, CALLER, 2)
    told = {"http.request.method": method, "http.response.status_code": str(status), "reason.request.id": "r-2"}
    assert attributes(span) == (told if function is None else {**told, "reason.function": function})


def test_a_collector_that_never_ends_its_answer_keeps_no_worker(stack):
    """It says that it took them, and more and more."""
    with contextlib.closing(silent()) as listener, sent_to(stack, f"http://127.0.0.1:{listener.getsockname()[1]}"):
        before = stack.metric(EXPORTED)
        stack.json("GET", "/echo/x", headers=TRACED)
        connection, _ = listener.accept()
        stop = threading.Event()

        def talk():
            with contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not stop.is_set():
                    connection.sendall(b"x" * (1 << 20))

        talker = threading.Thread(target=talk)
        try:
            connection.recv(100000)
            talker.start()
            time.sleep(0.5)
            for _ in range(5):
                began = time.monotonic()
                assert stack.json("GET", "/echo/x")[0] == 200
                assert time.monotonic() - began < 1
            wait_for(lambda: stack.metric(EXPORTED) >= before + 3, 3, "the spans to be counted as taken")
        finally:
            stop.set()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            talker.join(10)


def silent():
    """Listens, and says nothing."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.mark.parametrize("how", ["away", "silent", "refusing", "no collector"])
def test_a_collector_that_takes_nothing_holds_nothing_up(stack, receiver, how):
    """Spans are dropped and counted, for as long as it is so."""
    with contextlib.ExitStack() as running:
        if how == "away":
            url = f"http://127.0.0.1:{free_port()}"
        elif how == "refusing":
            url = receiver(statuses=[503] * 100).url
        else:
            listener = running.enter_context(contextlib.closing(silent()))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.enter_context(sent_to(stack, url))
        before, exported = stack.metric(DROPPED), stack.metric(EXPORTED)
        for _ in range(20):
            began = time.monotonic()
            assert stack.call("GET", "/echo/x", headers=TRACED)[0] == 200
            assert time.monotonic() - began < 2
        if how == "no collector":
            connection, _ = listener.accept()
            connection.recv(100000)
            connection.sendall(b"SSH-2.0-whoever\r\n")
            connection.close()
        wait_for(lambda: stack.metric(DROPPED) >= before + 60 or (how == "no collector" and stack.metric(DROPPED) > before), 20, "spans to be dropped")
        assert stack.metric(EXPORTED) == exported


def test_more_than_there_is_room_for_is_dropped(stack, receiver):
    """And what found room is sent, each span once."""
    taker = receiver(delay=2)
    with sent_to(stack, taker.url):
        before = stack.metric(DROPPED) + stack.metric(EXPORTED)
        connection = stack.connect()
        for _ in range(1500):
            connection.request("GET", "/echo/x", headers=TRACED)
            assert connection.getresponse().read()
        connection.close()
        wait_for(lambda: stack.metric(DROPPED) + stack.metric(EXPORTED) == before + 4500, 30, "an end of all spans")
    ids = [span["spanId"] for span in taker.spans()]
    assert len(ids) == len(set(ids)) and 0 < len(ids) < 4500
    assert stack.call("GET", "/echo/x", headers=TRACED)[0] == 200


def test_a_worker_that_ends_sends_what_waits(stack, receiver):
    taker = receiver()
    with sent_to(stack, taker.url):
        stack.json("GET", "/echo/x", headers=TRACED)
        os.kill(stack.master(), signal.SIGHUP)
        wait_for(lambda: len(taker.spans()) == 3, 10, "the spans of the worker that ended")


@pytest.mark.parametrize("url", ["https://127.0.0.1:4318", "127.0.0.1:4318", "http://", "http://127.0.0.1:4318 'a\"b'", "http://no.such.host.invalid:1"])
def test_an_address_that_is_none_is_refused(stack, url, tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_text((stack.run / "gateway/nginx.conf").read_text().replace("server_tokens off;", f"server_tokens off;\n    reason_tracing {url};"))
    done = stack.tested(path, tmp_path)
    assert done.returncode != 0 and "reason_tracing" in done.stderr
