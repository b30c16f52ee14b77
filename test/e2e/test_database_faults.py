"""PostgreSQL killed, restarted and paused under load: every request is answered, and what was acknowledged is there once."""

import http.client
import os
import signal
import threading
import time
import uuid

import psycopg
import pytest

from client import Refused
from stack import processes, running_backends
from wait import wait_for

WRITERS = 8
# query_timeout of the gateway's configuration, and a little
DEADLINE_S = 40


class Writers:
    """Clients that write nodes one after another, each under a key of its own, and repeat until they are told that it was written."""

    def __init__(self, stack, run):
        self.stack, self.run = stack, run
        self.acknowledged = []
        self.slowest = 0.0
        self.failures = []
        self.refusals = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        try:
            client = self.stack.client()
            count = 0
            while not self.stopping.is_set():
                key = f"{self.run}-{number}-{count}"
                client = self.write(client, key)
                self.acknowledged.append(key)
                count += 1
        except BaseException as error:  # noqa: B902: whatever it was, the test must fail
            self.failures.append(error)

    def write(self, client, key):
        while True:
            began = time.monotonic()
            try:
                client.post("/reason/node", {"type": "score", "author": "load", "payload": {"key": key}}, Idempotency_Key=key)
                return client
            except Refused as refusal:
                assert refusal.status in (502, 503, 504), refusal
                self.refusals += 1
                time.sleep(0.05)
            except (OSError, http.client.HTTPException):
                # The gateway is never restarted here: it owes an answer.
                self.failures.append(AssertionError("a connection was closed without an answer"))
                client = self.stack.client()
            finally:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE_S + 10)


def backend_is_killed(stack):
    """PostgreSQL ends all others, recovers, and takes connections again by itself."""
    with stack.database() as database:
        victim = database.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' LIMIT 1").fetchone()[0]
    os.kill(victim, signal.SIGKILL)


def postmaster_is_killed(stack):
    os.kill(stack.pid("pg/postmaster.pid"), signal.SIGKILL)
    wait_for(lambda: not running_backends(stack))
    stack.up()


def server_is_restarted(stack):
    os.kill(stack.pid("pg/postmaster.pid"), signal.SIGINT)
    wait_for(lambda: not running_backends(stack))
    stack.up()


def server_is_paused(stack):
    stopped = processes(stack)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def accepts_connections(stack):
    try:
        with psycopg.connect(stack.env["REASON_DSN"], connect_timeout=1) as database:
            database.execute("SELECT 1")
            return True
    except psycopg.OperationalError:
        return False


def seconds_until_answered(stack):
    """From when the database takes connections again until the gateway's next answer from it."""
    wait_for(lambda: accepts_connections(stack), 30)
    began = time.monotonic()
    while True:
        try:
            stack.client().get("/reason/signers")
            return time.monotonic() - began
        except Refused:
            time.sleep(0.05)


@pytest.mark.parametrize("fault", [backend_is_killed, postmaster_is_killed, server_is_restarted, server_is_paused],
                         ids=lambda fault: fault.__name__)
def test_nothing_is_lost_or_done_twice(stack, fault):
    run = uuid.uuid4().hex
    writers = Writers(stack, run)
    try:
        wait_for(lambda: len(writers.acknowledged) > 50)
        fault(stack)
        recovery = seconds_until_answered(stack)
        before = len(writers.acknowledged)
        wait_for(lambda: len(writers.acknowledged) > before + 50)
    finally:
        writers.stop()
    print(f"{fault.__name__}: {len(writers.acknowledged)} written, {writers.refusals} refused, slowest answer {writers.slowest:.2f} s, "
          f"answering again after {recovery:.2f} s")
    assert writers.failures == []
    assert writers.slowest < DEADLINE_S
    # Two seconds, and what a busy machine of two cores adds
    assert recovery < 4
    with stack.database() as database:
        stored = dict(database.execute("SELECT payload ->> 'key', count(*) FROM reason.node WHERE payload ->> 'key' LIKE %s GROUP BY 1",
                                       [f"{run}-%"]).fetchall())
        assert set(stored.values()) == {1}
        assert set(writers.acknowledged) <= set(stored)
        # What was being written when the test ended was written too, or not: one a writer at most.
        assert len(stored) - len(writers.acknowledged) <= WRITERS
        assert database.execute("SELECT ok FROM reason.verify_audit('default')").fetchone() == (True,)
