"""PostgreSQL under Patroni, configured as the page for operators has it, and its leader killed while clients write."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import psycopg
import pytest
import yaml

from database import Database, SIGNER_ID
from measures import measured
from paths import PG_BIN, ROOT
from ports import free_port
from reason_sidecar import Sidecar
from restored import outside
from wait import wait_for

if not all(map(shutil.which, ("patroni", "etcd"))):
    pytest.skip("there is no patroni, or no etcd: test/stack/packages-operators", allow_module_level=True)

PAGE = (ROOT / "docs/for-operators/failover.md").read_text()


class Node:
    """One Patroni with its PostgreSQL."""

    def __init__(self, directory, name, etcd, prefix):
        self.directory = directory / name
        self.directory.mkdir()
        self.name, self.prefix = name, prefix
        self.port, self.api = free_port(), free_port()
        configuration = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1))
        configuration |= {"name": name, "etcd3": {"hosts": f"127.0.0.1:{etcd}"}}
        configuration["restapi"] = dict.fromkeys(("listen", "connect_address"), f"127.0.0.1:{self.api}")
        configuration["bootstrap"]["dcs"] |= {"ttl": 20, "loop_wait": 2, "retry_timeout": 8}
        configuration["postgresql"] |= {"listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}", "data_dir": str(self.directory / "data"),
                                        "bin_dir": str(PG_BIN), "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust", "local all all trust"],
                                        "parameters": {"unix_socket_directories": str(self.directory)}}
        self.path = self.directory / "config.yml"
        self.path.write_text(yaml.safe_dump(configuration))
        self.path.chmod(0o644)
        if prefix:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.directory, postgres.pw_uid, postgres.pw_gid)
        self.process = None

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([*self.prefix, "/usr/bin/patroni", self.path], cwd=self.directory, stdout=log, stderr=log)

    def log(self):
        return (self.directory / "log").read_text()[-2000:]

    def state(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/patroni", timeout=2) as answer:
                return json.load(answer)
        except OSError as refusal:
            return json.load(refusal) if hasattr(refusal, "read") else {}

    def leads(self):
        return self.state().get("role") == "master" and self.state().get("state") == "running"

    def streams(self):
        try:
            with psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres", connect_timeout=2) as session:
                return session.execute("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'").fetchone()[0] == 1
        except psycopg.OperationalError:
            return False

    def postgres(self):
        """Its processes: the postmaster, and its children."""
        postmaster = int((self.directory / "data/postmaster.pid").read_text().split()[0])
        children = []
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(status.read_text().rsplit(")", 1)[1].split()[1]) == postmaster:
                    children.append(int(status.parent.name))
            except (OSError, ValueError, IndexError):
                continue
        return postmaster, *children

    def kill(self):
        """As when the machine loses its power."""
        self.process.kill()
        for pid in self.postgres():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


class Cluster:
    """Two of them, and an etcd."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reason-test."))
        prefix = []
        if os.getuid() == 0:
            prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--securebits=+no_setuid_fixup",
                      "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            postgres = pwd.getpwnam("postgres")
            os.chown(self.directory, postgres.pw_uid, postgres.pw_gid)
        client, peer = free_port(), free_port()
        with open(self.directory / "etcd.log", "wb") as log:
            self.etcd = subprocess.Popen(["etcd", "--name", "one", "--data-dir", self.directory / "etcd", "--listen-client-urls", f"http://127.0.0.1:{client}",
                                          "--advertise-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                                          "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"one=http://127.0.0.1:{peer}"],
                                         stdout=log, stderr=log)
        self.nodes = [Node(self.directory, name, client, prefix) for name in ("db-1", "db-2")]
        self.nodes[0].start()
        wait_for(self.nodes[0].leads, 120, f"the first leader: {self.nodes[0].log()}")
        self.nodes[1].start()
        wait_for(self.nodes[1].streams, 120, f"the standby: {self.nodes[1].log()}")

    def conninfo(self, database="postgres", user="postgres"):
        return (f"host=127.0.0.1,127.0.0.1 port={','.join(str(node.port) for node in self.nodes)} dbname={database} user={user}"
                " target_session_attrs=read-write connect_timeout=2")

    def leader(self):
        return next((node for node in self.nodes if node.leads()), None)

    def standby(self):
        leader = wait_for(self.leader, 60, "a leader")
        return next(node for node in self.nodes if node is not leader)

    def synchronous(self):
        """Whether the leader waits for the other."""
        leader = self.leader()
        if not leader:
            return False
        with psycopg.connect(f"host=127.0.0.1 port={leader.port} user=postgres dbname=postgres") as session:
            return session.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()[0] == 1

    def change(self, **settings):
        request = urllib.request.Request(f"http://127.0.0.1:{self.leader().api}/config", json.dumps(settings).encode(), {"Content-Type": "application/json"}, method="PATCH")
        urllib.request.urlopen(request, timeout=10).close()

    def close(self):
        for node in self.nodes:
            node.stop()
        self.etcd.terminate()
        self.etcd.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)


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
