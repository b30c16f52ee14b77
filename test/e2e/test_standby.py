"""A primary and a streaming standby: reads go to the standby, writes to the primary, and either may go away.

The tests follow one another: the last ones promote the standby.
"""

import os
import re
import signal
import subprocess
import threading
import time
import uuid

import psycopg
import pytest

from client import Refused
from paths import ROOT
from ports import free_port
from stack import Stack, new_stack
from wait import wait_for


class Pair(Stack):
    """A stack of its own, whose gateway knows the standby."""

    def __init__(self, run_dir):
        super().__init__(run_dir)
        self.standby_port = free_port()
        self.shell["STANDBY_PORT"] = str(self.standby_port)
        self.start_standby()
        self.shell["STANDBY"] = f"127.0.0.1:{self.standby_port}"
        # The sidecar too reads where its database may be when it starts.
        os.kill(self.pid("sidecar.pid"), signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{self.pid('sidecar.pid')}"))
        self.up()
        # Reads come back to a standby within two seconds instead of a minute.
        reads = run_dir / "gateway/reads/upstream.conf"
        reads.write_text(re.sub("lifetime .*;", "lifetime 2s;", reads.read_text()))
        workers = self.workers()
        os.kill(self.pid("gateway/nginx.pid"), signal.SIGHUP)
        wait_for(lambda: not set(workers) & set(self.workers()))

    def workers(self):
        master = self.pid("gateway/nginx.pid")
        with open(f"/proc/{master}/task/{master}/children") as children:
            return children.read().split()

    def start_standby(self):
        subprocess.run([ROOT / "test/stack/standby.sh"], env=self.shell, check=True, timeout=60)

    def stop(self, directory, how=signal.SIGINT):
        pid = self.pid(f"{directory}/postmaster.pid")
        os.kill(pid, how)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"))

    def standby(self):
        return psycopg.connect(f"host=127.0.0.1 port={self.standby_port} user=postgres dbname=reason", autocommit=True)

    def wait_for_replay(self):
        with self.database() as primary, self.standby() as standby:
            lsn, = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
            wait_for(lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s", (lsn,)).fetchone()[0])


@pytest.fixture(scope="module")
def pair():
    with new_stack(Pair) as running:
        yield running


def write(client, **members):
    return client.post("/reason/node", {"type": "observation", "author": "test", "payload": {"n": 1}, **members})["nodeId"]


def served_by_standby(pair):
    """What the primary has and the standby does not know yet is not there: the standby answered."""
    client = pair.client()
    with pair.standby() as standby:
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            wait_for(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state() = 'paused'").fetchone()[0])
            node = write(client)
            try:
                client.get(f"/reason/node/{node}")
                return False
            except Refused as refusal:
                assert (refusal.status, refusal.body["code"]) == (404, "REASONING_GRAPH_NOT_FOUND")
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
    wait_for(lambda: found(client, node))
    return True


def found(client, node):
    try:
        return client.get(f"/reason/node/{node}")["node"]["id"] == node
    except Refused as refusal:
        assert refusal.status == 404
        return False


def read_everything(client, cause, effect, snapshot):
    """Every route that reads, each with an answer that shows it was read."""
    assert client.get(f"/reason/node/{effect}")["incoming"][0]["from"] == cause
    first = client.get(f"/reason/trace/{effect}?limit=1")
    assert client.get(f"/reason/trace/{effect}?limit=1&cursor={first['nextCursor']}")["steps"][0]["node"]["id"] == cause
    assert client.get(f"/reason/traces/{effect}")["metadata"]["length"] >= 3
    assert len(client.get(f"/reason/{effect}")["trace"]) >= 2
    assert client.get(f"/reason/node/{effect}/explain")["explain"]["evidence"][0]["nodeId"] == cause
    assert client.post("/reason/query", {"filters": {"types": ["decision"]}})["nodes"][0]["id"] == effect
    assert client.get("/reason/signers")["signers"]
    assert client.get("/health")["db"] == "up"
    assert client.get(f"/reason/snapshot/{snapshot}")["status"] == "complete"
    assert client.get(f"/reason/snapshot/{snapshot}?format=canonical")["id"] == snapshot
    assert client.get(f"/reason/snapshot/{snapshot}?format=envelope")["signer_kid"]
    assert client.get(f"/reason/snapshot/{snapshot}/verify")["ok"] is True
    for identifier in (effect, snapshot):
        for form in ("json", "canonical"):
            assert client.get(f"/reason/export/{identifier}?format={form}")
    for path in (f"/reason/snapshot/{snapshot}?format=human", f"/reason/export/{effect}?format=human"):
        client.connection.request("GET", path)
        response = client.connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True)


@pytest.fixture(scope="module")
def graph(pair):
    client = pair.client()
    cause, effect = write(client), write(client, type="decision")
    client.post("/reason/edge", {"from": cause, "to": effect, "type": "causal"})
    snapshot = client.post("/reason/snapshot", {"rootNodeIds": [effect]}, Prefer="wait=20")
    assert snapshot["status"] == "complete"
    pair.wait_for_replay()
    return cause, effect, snapshot["snapshotId"]


def test_reads_go_to_the_standby_and_writes_to_the_primary(pair):
    assert served_by_standby(pair)


def test_a_page_waits_for_a_standby_that_is_behind_the_first(pair, graph):
    client = pair.client()
    with pair.database() as primary, pair.standby() as standby:
        # As if the first page had come from the primary.
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            wait_for(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state() = 'paused'").fetchone()[0])
            write(client)
            first, = primary.execute("SELECT body::json FROM reason.http_get_trace('kernel', NULL, NULL, NULL, NULL, %s, '{\"limit\":\"1\"}')",
                                     (graph[1],)).fetchone()
            with pytest.raises(Refused) as refusal:
                client.get(f"/reason/trace/{graph[1]}?limit=1&cursor={first['nextCursor']}")
            assert (refusal.value.status, refusal.value.body["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
    pair.wait_for_replay()
    assert client.get(f"/reason/trace/{graph[1]}?limit=1&cursor={first['nextCursor']}")["steps"][0]["node"]["id"] == graph[0]


def test_a_page_waits_for_a_transaction_that_ended_out_of_turn(pair, graph):
    """The standby has replayed the end of a later transaction, and not yet that of an earlier one, which the first page saw."""
    client = pair.client()
    # It would write meanwhile, and then the standby is known to be behind from the bounds alone.
    sidecar = pair.pid("sidecar.pid")
    os.kill(sidecar, signal.SIGSTOP)
    with pair.database() as early, pair.database() as later, pair.standby() as standby:
        with early.transaction():
            node, = early.execute("SELECT reason.add_node(type => 'observation', author => 'test', payload => '1')").fetchone()
            early.execute("SELECT reason.add_edge(%s, %s, 'causal')", (node, graph[1]))
            later.execute("SELECT reason.add_node(type => 'observation', author => 'test', payload => '2')")
            pair.wait_for_replay()
            standby.execute("SELECT pg_wal_replay_pause()")
            wait_for(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state() = 'paused'").fetchone()[0])
        try:
            first, = later.execute("SELECT body::json FROM reason.http_get_trace('kernel', NULL, NULL, NULL, NULL, %s, '{\"limit\":\"1\"}')",
                                   (graph[1],)).fetchone()
            with pytest.raises(Refused) as refusal:
                client.get(f"/reason/trace/{graph[1]}?limit=1&cursor={first['nextCursor']}")
            assert refusal.value.status == 503
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
            os.kill(sidecar, signal.SIGCONT)
    pair.wait_for_replay()
    second = client.get(f"/reason/trace/{graph[1]}?limit=10&cursor={first['nextCursor']}")
    assert {step["node"]["id"] for step in second["steps"]} == {graph[0], str(node)}


def test_reads_go_on_without_the_primary(pair, graph):
    pair.stop("pg")
    try:
        for name in ("kernel", "reader"):
            client = pair.client(name)
            assert client.get(f"/reason/node/{graph[1]}")["node"]["type"] == "decision"
        read_everything(pair.client(), *graph)
        with pytest.raises(Refused) as refusal:
            write(pair.client())
        assert refusal.value.status == 503
    finally:
        pair.up()
    assert write(pair.client())


def test_reads_go_on_at_the_primary_without_the_standby(pair, graph):
    client = pair.client()
    failures, answers, stopping = [], [], threading.Event()

    def read():
        while not stopping.is_set():
            try:
                client.get(f"/reason/node/{graph[1]}")
                answers.append(time.monotonic())
            except Refused as refusal:
                failures.append(refusal)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        pair.stop("standby")
        stopped = time.monotonic()
        wait_for(lambda: answers and answers[-1] > stopped + 1)
    finally:
        stopping.set()
        reader.join()
    # Only calls that reached a backend of the standby while it ended may have failed.
    assert all(failure.status == 503 for failure in failures) and len(failures) <= 4, failures
    assert max(b - a for a, b in zip(answers, answers[1:])) < 1
    node = write(client)
    assert client.get(f"/reason/node/{node}")["node"]["id"] == node
    pair.start_standby()
    wait_for(lambda: served_by_standby(pair))


def test_writes_go_on_when_the_primary_takes_none_and_the_standby_is_promoted(pair, graph):
    """The primary lives, its connections stay open, and answer 25006: nobody needs to see that."""
    client = pair.client()
    written = [write(client)]
    with pair.database() as primary, pair.standby() as standby:
        primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        primary.execute("SELECT pg_reload_conf()")
        wait_for(lambda: primary.execute("SHOW default_transaction_read_only").fetchone() == ("on",))
        pair.wait_for_replay()
        standby.execute("SELECT pg_promote()")
        promoted = time.monotonic()
        for _ in range(20):
            written.append(write(client, id=str(uuid.uuid4())))
        print(f"20 writes {time.monotonic() - promoted:.2f} s after the promotion")
        assert time.monotonic() - promoted < 2
        there = {str(row[0]) for row in standby.execute("SELECT id FROM reason.node WHERE id = ANY (%s::uuid[])", (written,))}
        assert there == set(written)
        # A connection each to the primary may be left that no write has met yet; none is left after many at once.
        assert primary.execute("SELECT count(*) FROM reason.node WHERE id = ANY (%s::uuid[])", (written[1:],)).fetchone() == (0,)
    pair.stop("pg")
    read_everything(pair.client(), *graph)
    snapshot = pair.client().post("/reason/snapshot", {"rootNodeIds": [graph[1]]}, Prefer="wait=20")
    assert snapshot["status"] == "complete", "the sidecar has found the new primary too"
