"""PostgreSQL under Patroni, configured as the page for operators has it, and its leader killed while clients write."""

import os
import shutil
import signal
import threading
import time

import psycopg
import pytest

from database import Database, SIGNER_ID
from measures import measured
from patroni_cluster import Cluster
from reason_sidecar import Sidecar
from restored import outside
from wait import wait_for

if not all(map(shutil.which, ("patroni", "etcd"))):
    pytest.skip("there is no patroni, or no etcd: test/stack/packages-operators", allow_module_level=True)


@pytest.fixture(scope="module")
def cluster():
    running = Cluster()
    yield running
    running.close()


@pytest.fixture(scope="module")
def database(cluster, keys):
    made = Database(cluster, "reason", keys[1])
    yield made
    made.connection.close()


@pytest.fixture(scope="module")
def settings(cluster, keys, tmp_path_factory):
    directory = tmp_path_factory.mktemp("failover")
    for name in ("archive", "store"):
        (directory / name).mkdir()
    return {"database": {"conninfo": cluster.conninfo("reason", "sidecar")}, "signer": {"id": SIGNER_ID, "type": "local", "key_file": keys[0]},
            "store": {"url": f"file://{directory}/store"}, "archive": {"url": f"file://{directory}/archive", "interval_s": 1}}


@pytest.fixture(scope="module")
def sidecar(database, settings, tmp_path_factory):
    one = Sidecar(tmp_path_factory.mktemp("sidecar"), settings)
    one.start()
    yield one
    one.stop()


class Writers:
    """Clients that write without a pause, connect again when they must, and remember what was acknowledged."""

    def __init__(self, conninfo, division, count=3):
        self.conninfo, self.division = conninfo, division
        self.acknowledged, self.over = [], threading.Event()
        self.threads = [threading.Thread(target=self.loop, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def loop(self, number):
        place = 0
        while not self.over.is_set():
            try:
                with psycopg.connect(self.conninfo, autocommit=True) as session:
                    while not self.over.is_set():
                        place += 1
                        key = f"{number}/{place}"
                        session.execute("SELECT reason.add_node('observation', to_jsonb(%s::text), 'writer', %s)", [key, self.division])
                        self.acknowledged.append((key, time.monotonic()))
            except psycopg.Error:
                time.sleep(0.1)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def connect_again(database):
    database.connection.close()
    database.connection = wait_for(lambda: attempt(database), 60, "a leader that takes writes")


def attempt(database):
    try:
        return database.connect()
    except psycopg.OperationalError:
        return None


def keys_of(database, division):
    return {key for key, in database.rows("SELECT payload #>> '{}' FROM reason.node WHERE division = %s", division)}


def test_the_leader_is_killed_under_load_and_nothing_acknowledged_is_lost(cluster, database, settings, sidecar):
    wait_for(cluster.synchronous, 60, "a synchronous standby")
    former = cluster.leader()
    writers = Writers(cluster.conninfo("reason", "postgres"), "synchronous")
    wait_for(lambda: len(writers.acknowledged) > 200, 60, "writes")
    former.kill()
    killed = time.monotonic()
    before = len(writers.acknowledged)
    wait_for(lambda: cluster.leader() not in (None, former), 90, "another leader")
    wait_for(lambda: len(writers.acknowledged) > before + 200, 90, "writes to the other leader")
    writers.stop()
    first = next(at for _, at in writers.acknowledged if at > killed + 0.5)
    connect_again(database)
    lost = {key for key, _ in writers.acknowledged} - keys_of(database, "synchronous")
    measured("without a leader, to the first acknowledged write", round(first - killed, 1), "s")
    measured("acknowledged writes lost with synchronous replication", len(lost), f"of {len(writers.acknowledged)}")
    assert not lost
    # Nothing is missing that is known outside: the sidecar has compared, and goes on.
    wait_for(lambda: database.value("SELECT reason.compared()") == "here", 60, f"a comparison: {sidecar.log()[-1500:]}")
    database.settled(60)
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 0
    assert database.rows("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    former.start()
    wait_for(former.streams, 120, f"the former leader as a standby: {former.log()}")


def test_an_asynchronous_standby_that_lags_takes_over_and_safe_mode_brings_back_what_it_lacks(cluster, database, settings, sidecar):
    cluster.change(synchronous_mode=False, maximum_lag_on_failover=1 << 30)
    wait_for(lambda: not cluster.synchronous(), 60, "an asynchronous standby")
    leader, standby = cluster.leader(), cluster.standby()
    sender, = database.rows("SELECT pid FROM pg_stat_replication")[0]
    # What is written from here on never leaves the machine. The process ends with the others.
    os.kill(sender, signal.SIGSTOP)
    acknowledged = {str(number) for number in range(50)}
    for key in sorted(acknowledged):
        database.value("SELECT reason.add_node('observation', to_jsonb(%s::text), 'writer', 'asynchronous')", key)
    database.settled(30)
    wait_for(lambda: outside(database, settings), 20, "archiving")
    leader.kill()
    wait_for(standby.leads, 120, f"another leader: {standby.log()}")
    connect_again(database)
    lost = acknowledged - keys_of(database, "asynchronous")
    measured("acknowledged writes that an asynchronous standby lacked", len(lost), f"of {len(acknowledged)}")
    assert lost
    wait_for(lambda: database.value("SELECT reason.compared()") == "safe mode", 60, f"safe mode: {sidecar.log()[-1500:]}")
    with pytest.raises(psycopg.errors.CannotConnectNow):
        database.node("too early")
    sidecar.run("--recover").check_returncode()
    wait_for(lambda: database.value("SELECT reason.compared()") == "here", 60, f"the end of safe mode: {sidecar.log()[-1500:]}")
    assert acknowledged <= keys_of(database, "asynchronous")
    database.node("it goes on")
    database.settled(60)
    assert database.rows("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
