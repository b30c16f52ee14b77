"""One client at its worst takes its own share of the gateway, and nothing of the others'."""

import contextlib
import hashlib
import json
import pathlib
import re
import shutil
import socket
import ssl
import tempfile
import threading
import time

import pytest

from reason_gateway import Gateway
from wait import wait_for

CONNECTIONS = 6
LIMITS = {"connections 8;": f"connections {CONNECTIONS};", "queue 1024;": "queue 64;", "connect_timeout 5s;": "connect_timeout 20s;",
          "query_timeout 35s;": "query_timeout 35s;", "client_max_body_size 32m;": "client_max_body_size 32m;",
          "reserve_service 1;": "reserve_service 1;", "reserve_write 1;": "reserve_write 1;",
          "client_connections 4;": "client_connections 3;", "client_heavy 1;": "client_heavy 2;", "client_queue 256;": "client_queue 8;",
          "memory 256m;": "memory 96m;", "client_memory 128m;": "client_memory 48m;", "client_disk 1g;": "client_disk 256m;",
          "hold_timeout 5s;": "hold_timeout 500ms;"}


@pytest.fixture(scope="module")
def shares():
    run = pathlib.Path(tempfile.mkdtemp(prefix="reason-gateway."))
    running = Gateway(run, pathlib.Path(__file__).parent, LIMITS, ("kernel", "reader"))
    yield running
    running.down()
    shutil.rmtree(run)


@pytest.fixture(autouse=True)
def at_rest(shares):
    yield
    wait_for(lambda: shares.metric("reason_gateway_connections_idle") == CONNECTIONS, 30)
    assert shares.metric("reason_gateway_queue_depth") == 0


class Hog:
    """Requests of one client, none of which reads its answer before it is told to."""

    def __init__(self, stack, count, method, path, client="reader", receive_buffer=None):
        self.connections = []
        for _ in range(count):
            connection = stack.connect(timeout=60, client=client)
            connection.connect()
            if receive_buffer:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.request(method, path)
            self.connections.append(connection)

    def answers(self):
        found = []
        for connection in self.connections:
            response = connection.getresponse()
            found.append((response.status, response.read()))
            connection.close()
        return found

    def leave(self):
        for connection in self.connections:
            connection.sock.close()
            connection.close()


def asleep(stack):
    with stack.database() as database:
        return database.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchone()[0]


def others_go_on(stack):
    for _ in range(10):
        assert stack.call("GET", "/echo/x")[0] == 200
        assert stack.call("POST", "/echo/x", "{}")[0] == 200
        assert stack.call("GET", "/look?key=x")[0] == 200
        assert stack.call("GET", "/health", client="reader")[0] == 200
        assert stack.call("GET", "/ready")[0] == 200
        assert stack.healthy()


def resident_mib(pid, which="VmRSS"):
    return int(re.search(rf"{which}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def peak_starts_again(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.parametrize(("path", "connections"), [("/sleep", 3), ("/heavy", 2)])
def test_slow_calls_take_their_clients_share_of_connections(shares, path, connections):
    hog = Hog(shares, 11, "GET", f"{path}?seconds=1.5")
    wait_for(lambda: asleep(shares) == connections)
    assert shares.metric("reason_gateway_queue_depth") == 8
    others_go_on(shares)
    # its own write does not wait for its reads
    assert shares.call("POST", "/echo/x", "{}", client="reader")[0] == 200
    assert asleep(shares) <= connections
    hog.leave()


def test_a_client_that_fills_its_places_in_the_queue_is_refused_more(shares):
    refused = shares.metric("reason_gateway_failures_total", '{kind="client_share"}')
    hog = Hog(shares, 20, "GET", "/sleep?seconds=2")
    others_go_on(shares)
    answers = hog.answers()
    assert sorted(status for status, _ in answers) == [200] * 11 + [429] * 9
    assert {json.loads(body)["code"] for status, body in answers if status == 429} == {"REASONING_GRAPH_QUOTA"}
    assert shares.metric("reason_gateway_failures_total", '{kind="client_share"}') == refused + 9


def test_who_has_least_is_next(shares):
    """All connections for reads are in use, and the first to come is the last in the queue who has none."""
    first = Hog(shares, 11, "GET", "/sleep?seconds=1", client="reader")
    wait_for(lambda: asleep(shares) == 3)
    second = Hog(shares, 3, "GET", "/sleep?seconds=1", client="kernel")
    wait_for(lambda: asleep(shares) == 4)       # of six one is left to writes, one to health
    assert [status for status, _ in second.answers()] == [200] * 3
    assert shares.metric("reason_gateway_queue_depth") > 0
    first.leave()


def test_who_asks_and_leaves_has_no_more_backends_than_who_stays(shares):
    for _ in range(8):
        hog = Hog(shares, 3, "GET", "/sleep?seconds=20")
        assert asleep(shares) <= 3
        hog.leave()
        assert asleep(shares) <= 3
    others_go_on(shares)
    wait_for(lambda: asleep(shares) == 0)


def test_clients_that_read_nothing_hold_no_connection(shares):
    hog = Hog(shares, 8, "GET", "/rows?rows=160&size=65536", receive_buffer=65536)
    wait_for(lambda: shares.metric("reason_gateway_connections_idle") == CONNECTIONS, 30)
    others_go_on(shares)
    expected = hashlib.md5(b"".join(bytes([97 + n % 26]) * 65536 for n in range(160))).hexdigest()
    assert [(status, hashlib.md5(body).hexdigest()) for status, body in hog.answers()] == [(200, expected)] * 8


def test_a_client_that_fills_its_disk_is_left_after_a_while(shares):
    slow = shares.metric("reason_gateway_failures_total", '{kind="client_slow"}')
    hog = Hog(shares, 6, "GET", "/rows?rows=1600&size=65536", receive_buffer=65536)
    wait_for(lambda: shares.metric("reason_gateway_failures_total", '{kind="client_slow"}') > slow, 30)
    others_go_on(shares)
    wait_for(lambda: shares.metric("reason_gateway_connections_idle") == CONNECTIONS, 30)
    hog.leave()


def test_slow_readers_of_one_long_row_cost_no_memory(shares):
    worker = shares.worker()
    before = resident_mib(worker)
    peak_starts_again(worker)
    hog = Hog(shares, 10, "GET", "/rows?rows=1&size=12000000", receive_buffer=65536)
    wait_for(lambda: shares.metric("reason_gateway_connections_idle") == CONNECTIONS, 30)
    others_go_on(shares)
    assert resident_mib(worker) - before < 16
    # a row is read whole: libpq's buffer of twice its size, and the row, for each of the client's connections
    assert resident_mib(worker, "VmHWM") - before < 3 * 3 * 12 + 16
    assert [(status, len(body)) for status, body in hog.answers()] == [(200, 12_000_000)] * 10


def test_a_body_is_not_read_from_who_may_not_send_it(shares):
    connections = []
    for _ in range(12):
        connection = shares.connect(client="reader")
        connection.putrequest("POST", "/measure")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(30 * 1024 * 1024))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        connections.append(connection)
    for connection in connections:
        # not 100: nothing of the body was asked for
        line = connection.sock.recv(4096).split(b"\r\n")[0]
        assert line == b"HTTP/1.1 403 Forbidden"
        connection.close()


# What is refused, and how it is answered: the role, the path, the method, the type, the length, the certificate.
UNWANTED = {
    "role": ("POST", "/measure", "application/json", 30, "reader", 403),
    "path": ("POST", "/nowhere", "application/json", 30, "reader", 404),
    "method": ("PUT", "/measure", "application/json", 30, "reader", 405),
    "type": ("POST", "/measure", "text/plain", 30, "reader", 415),
    "length": ("POST", "/measure", "application/json", 4000, "reader", 413),
    "certificate": ("POST", "/measure", "application/json", 30, None, 401),
}


def sent_within(connections, seconds, until):
    """How much of endless bodies the server took in the last so many seconds before `until`."""
    piece, taken = b"x" * 65536, 0
    for connection in connections:
        connection.sock.setblocking(False)
    while time.monotonic() < until:
        for connection in connections:
            with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError, OSError):
                size = connection.sock.send(piece)
                taken += size if time.monotonic() > until - seconds else 0
    return taken


@pytest.mark.parametrize("why", UNWANTED)
def test_the_rest_of_a_body_that_is_refused_is_read_slowly_and_the_answer_arrives(shares, why):
    method, path, kind, mib, client, status = UNWANTED[why]
    connections = []
    for _ in range(6):
        connection = shares.connect(timeout=20, client=client)
        connection.putrequest(method, path)
        connection.putheader("Content-Type", kind)
        connection.putheader("Content-Length", str(mib * 1024 * 1024))
        connection.endheaders()
        connections.append(connection)
    # 10 MiB/s of a worker, and what the sockets hold; it would be as fast as both can encrypt
    assert sent_within(connections, 1, time.monotonic() + 2.5) < 20 * 1024 * 1024
    others_go_on(shares)
    for connection in connections:
        connection.sock.settimeout(20)
        response = connection.getresponse()
        assert (response.status, response.headers["Connection"]) == (status, "close")
        assert json.loads(response.read())["code"]
        connection.close()


@pytest.mark.parametrize("size", [1000, 200_000])
def test_a_short_body_that_is_refused_leaves_its_connection_open(shares, size):
    connection = shares.connect(client="reader")
    for _ in range(3):
        connection.request("PUT", "/measure", b"x" * size, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert (response.status, response.headers["Connection"]) == (405, "keep-alive")
        response.read()
    connection.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_long_bodies_wait_for_memory_and_arrive_whole(shares, chunked):
    size, count = 16 * 1024 * 1024, 8
    body = b'"' + b"x" * (size - 2) + b'"'
    worker, answers = shares.worker(), []
    before = resident_mib(worker)
    peak_starts_again(worker)

    def send():
        connection = shares.connect(timeout=120)
        parts = (body[at:at + 1_000_000] for at in range(0, size, 1_000_000))
        connection.request("POST", "/measure", parts if chunked else body, {"Content-Type": "application/json"}, encode_chunked=chunked)
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read())))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    others_go_on(shares)
    for thread in threads:
        thread.join()
    assert answers == [(200, {"length": size, "md5": hashlib.md5(body).hexdigest()})] * count
    # 48 MiB of one client's bodies at a time, and once more while libpq's buffer grows
    assert resident_mib(worker, "VmHWM") - before < 2 * 48 + 16
    wait_for(lambda: resident_mib(worker) - before < 16)


def test_a_client_that_sends_more_than_its_disk_holds_is_refused(shares):
    connections = []
    for _ in range(10):
        connection = shares.connect()
        connection.putrequest("POST", "/measure")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(31 * 1024 * 1024))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        connections.append(connection)
    lines = [connection.sock.recv(4096).split(b"\r\n")[0] for connection in connections]
    assert sorted(lines) == [b"HTTP/1.1 100 Continue"] * 8 + [b"HTTP/1.1 429 Too Many Requests"] * 2
    others_go_on(shares)
    for connection in connections:
        connection.close()


def test_reads_that_take_long_are_heavy_whatever_their_path(shares):
    slow = Hog(shares, 3, "GET", "/sleep?seconds=1")
    kept = Hog(shares, 8, "GET", "/sleep?seconds=1")    # its share is remembered while anything of it is there
    assert [status for status, _ in slow.answers()] == [200] * 3
    wait_for(lambda: 0 < asleep(shares) <= 2)
    others_go_on(shares)
    assert asleep(shares) <= 2
    kept.leave()
