"""Quick calls that share a connection (four connections, four calls on each): they mix nothing up and hold nobody up."""

import json
import re
import socket
import subprocess
import threading
import time

import pytest

from wait import wait_for


class Client:
    """A connection that is open already, so that requests of several are sent within a millisecond."""

    def __init__(self, stack, buffer=None):
        self.connection = stack.connect()
        self.connection.connect()
        if buffer:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

    def send(self, path):
        self.connection.request("GET", path)
        return self

    def answer(self):
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def leave(self):
        if self.connection.sock is not None:
            self.connection.sock.close()
            self.connection.close()


def held_up(stack):
    return stack.metric("reason_gateway_failures_total", '{kind="held_up"}')


def quick(stack):
    """All are idle, and calls have been quick of late: one that was slow keeps others from going behind its kind."""
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 4)
    client = Client(stack)
    for path in ("/look?key=w", "/quick/rows?rows=1&size=1"):
        for _ in range(60):
            client.send(path).connection.getresponse().read()
    client.leave()


def behind(stack, first, count, leave=None):
    """`first` and, behind it on its connection, others (one may leave); they may come too late for that: until they did not."""
    for _ in range(10):
        quick(stack)
        clients = [Client(stack) for _ in range(count + 1)]
        before = held_up(stack)
        clients[0].send(first)
        for n, client in enumerate(clients[1:]):
            client.send(f"/look?key=behind{n}")
        if leave is not None:
            clients[leave].leave()
        yield clients
        shared = held_up(stack) - before >= count - (leave is not None)
        for client in clients:
            client.leave()
        if shared:
            return
    raise AssertionError("they never shared a connection")


def test_more_calls_than_connections_and_places_to_wait_are_all_answered(stack):
    for _ in range(10):
        quick(stack)
        clients = [Client(stack) for _ in range(20)]
        for n, client in enumerate(clients):
            client.send(f"/look?key={n}")
        answers = [client.answer() for client in clients]
        for n, (status, answer) in enumerate(answers):
            assert (status, answer.get("key")) == (200, str(n)) or status == 503
        for client in clients:
            client.leave()
        # four connections and eight that wait make twelve
        if all(status == 200 for status, _ in answers):
            return
    raise AssertionError("twenty at once were too many")


def test_each_gets_its_own_answer_or_its_own_error(stack):
    quick(stack)
    wrong = []

    def client(name):
        mine = Client(stack)
        for n in range(60):
            key = f"{name}-{n}"
            fails = (n + len(name)) % 3 == 0
            status, answer = mine.send(f"/look?key={key}" + ("&sqlstate=22023" if fails else "")).answer()
            if (status, answer.get("error" if fails else "key")) != (400 if fails else 200, key):
                wrong.append((key, status, answer))
        mine.leave()
    threads = [threading.Thread(target=client, args=("c" * n,)) for n in range(1, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert stack.metric("reason_gateway_connections") == 4


def test_an_error_in_front_ends_none_behind_it(stack):
    quick(stack)
    clients = [Client(stack) for _ in range(4)]
    for n, client in enumerate(clients):
        client.send(f"/look?key={n}" + ("&seconds=0.01&sqlstate=P0002" if n < 2 else ""))
    assert [client.answer()[0] for client in clients] == [404, 404, 200, 200]


def test_a_slow_one_in_front_holds_up_none_behind_it(stack):
    for clients in behind(stack, "/look?key=slow&seconds=1.5", 3):
        began = time.monotonic()
        for n, client in enumerate(clients[1:]):
            status, answer = client.answer()
            assert (status, answer["key"]) == (200, f"behind{n}")
        assert time.monotonic() - began < 0.8
        assert clients[0].answer()[1]["key"] == "slow"
        assert time.monotonic() - began > 1.2


def test_one_that_has_been_held_up_is_answered_once(stack):
    for clients in behind(stack, "/look?key=slow&seconds=0.3", 2):
        for n, client in enumerate(clients[1:]):
            assert client.answer()[1]["key"] == f"behind{n}"
        clients[0].answer()
        # what the first connection answers to them goes to nobody, even when they ask again
        for n, client in enumerate(clients):
            assert client.send(f"/look?key=again{n}").answer()[1]["key"] == f"again{n}"


def test_after_slow_calls_none_goes_behind_their_kind(stack):
    quick(stack)
    for _ in range(16):
        assert stack.call("GET", "/look?seconds=0.1")[0] == 200
    before = held_up(stack)
    clients = [Client(stack).send(f"/look?key={n}&seconds=0.1") for n in range(4)]
    assert len({client.answer()[1]["pid"] for client in clients}) == 4
    assert held_up(stack) == before


def test_a_client_that_leaves_takes_no_other_along(stack):
    backends = stack.backends()
    for clients in behind(stack, "/look?key=first&seconds=0.4", 3, leave=2):
        assert clients[1].answer()[1]["key"] == "behind0"
        assert clients[3].answer()[1]["key"] == "behind2"
        assert clients[0].answer()[1]["key"] == "first"
        assert sorted(stack.backends()) == sorted(backends)


def test_a_slow_call_whose_client_has_left_is_cancelled(stack):
    def active():
        with stack.database() as database:
            return database.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reason-gateway' AND state = 'active'").fetchall()
    for clients in behind(stack, "/look?key=left&seconds=60", 2):
        clients[0].leave()
        assert [client.answer()[0] for client in clients[1:]] == [200, 200]
        wait_for(lambda: not active(), 4)
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 4)


def test_a_deadline_is_of_one_call_alone(stack):
    for clients in behind(stack, "/look?key=late&seconds=30", 2):
        began = time.monotonic()
        assert [client.answer()[0] for client in clients[1:]] == [200, 200]
        assert time.monotonic() - began < 1
        assert clients[0].answer()[0] == 504
        assert 2.5 < time.monotonic() - began < 4


def test_behind_a_connection_that_breaks_all_are_answered(stack):
    for clients in behind(stack, "/look?key=dying&seconds=0.01&die=yes", 3):
        assert clients[0].answer()[0] == 503
        for n, client in enumerate(clients[1:]):
            status, answer = client.answer()
            assert (status, answer["key"]) == (200, f"behind{n}")
    wait_for(lambda: len(stack.backends()) == 4)


def test_a_backend_that_is_told_to_end_costs_a_read_nothing(stack):
    quick(stack)
    client = Client(stack).send("/look?key=ended&seconds=0.5")

    def end():
        with stack.database() as database:
            return database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reason-gateway' AND state = 'active'").fetchall()
    wait_for(end)
    status, answer = client.answer()
    assert (status, answer["key"]) == (200, "ended")


def test_behind_a_client_that_reads_slowly_all_are_answered(stack):
    quick(stack)
    slow = Client(stack, buffer=65536).send("/quick/rows?rows=400&size=65536")
    others = [Client(stack).send(f"/look?key={n}") for n in range(3)]
    hurry, body = threading.Event(), []

    def read():
        response = slow.connection.getresponse()
        while piece := response.read(65536):
            body.append(piece)
            hurry.wait(0.01)
    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()
    for n, client in enumerate(others):
        assert client.answer()[1]["key"] == str(n)
    for n, client in enumerate(others):
        assert client.send(f"/look?key=again{n}").answer()[1]["key"] == f"again{n}"
    assert time.monotonic() - began < 1
    hurry.set()
    reader.join()
    assert b"".join(body) == b"".join(bytes([97 + n % 26]) * 65536 for n in range(400))


def test_a_call_that_cannot_share_gets_its_turn(stack):
    quick(stack)
    over = threading.Event()

    def client():
        mine = Client(stack)
        while not over.is_set():
            # 503: the machine paused for a moment, and more had to wait than may
            assert mine.send("/look?key=x&seconds=0.004").answer()[0] in (200, 503)
        mine.leave()
    # enough that no connection is ever without a call
    threads = [threading.Thread(target=client) for _ in range(18)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            wait_for(lambda: stack.call("GET", "/echo/x")[0] == 200, 1)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_what_writes_may_not_share(stack, tmp_path):
    configuration = (stack.run / "gateway/nginx.conf").read_text()
    routes = stack.run / "gateway/conf.d/wrong.conf"
    routes.write_text("location = /wrong { reason_methods POST; reason_call refuse $reason_body; reason_pipeline on; }\n")
    wrong = stack.run / "gateway/wrong.conf"
    wrong.write_text(configuration.replace("conf.d/routes.conf", "conf.d/wrong.conf"))
    result = stack.tested(wrong, tmp_path)
    assert result.returncode != 0 and "only what reads may be done twice" in result.stderr


def test_http2_streams_of_one_client_share_too(stack):
    quick(stack)
    tls = stack.run / "tls"
    urls = [f"https://localhost:{stack.port}/look?key={n}" for n in range(12)]
    text = subprocess.run(["curl", "-sS", "-Z", "--http2", "--cacert", tls / "ca.crt", "--cert", tls / "kernel.crt", "--key", tls / "kernel.key",
                           *urls], capture_output=True, text=True, check=True).stdout
    assert sorted(int(key) for key in re.findall(r'"key" : "(\d+)"', text)) == list(range(12))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(stack):
    yield
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 4)
    assert stack.metric("reason_gateway_queue_depth") == 0
