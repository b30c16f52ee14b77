"""PostgreSQL under Patroni, configured as docs/for-operators/failover.md has it, with an etcd."""

import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import urllib.request

import psycopg
import yaml

from paths import PG_BIN, ROOT
from ports import free_port
from postgres import as_postgres
from program import Program
from wait import wait_for

PAGE = (ROOT / "docs/for-operators/failover.md").read_text()


class Node(Program):
    """One Patroni with its PostgreSQL."""

    def __init__(self, directory, name, etcd):
        self.directory = directory / name
        self.directory.mkdir()
        super().__init__(self.directory / "log")
        self.name, self.prefix = name, as_postgres(directory, self.directory)
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

    def start(self):
        self.launch("/usr/bin/patroni", self.path, directory=self.directory)

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


class Cluster:
    """Two of them, and an etcd."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reason-test."))
        client, peer = free_port(), free_port()
        self.etcd = Program(self.directory / "etcd.log")
        self.etcd.launch("etcd", "--name", "one", "--data-dir", self.directory / "etcd", "--listen-client-urls", f"http://127.0.0.1:{client}",
                         "--advertise-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                         "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"one=http://127.0.0.1:{peer}")
        self.nodes = [Node(self.directory, name, client) for name in ("db-1", "db-2")]
        self.nodes[0].start()
        self.nodes[0].wait_until(self.nodes[0].leads, 120)
        self.nodes[1].start()
        self.nodes[1].wait_until(self.nodes[1].streams, 120)

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
            node.end()
        self.etcd.end()
        shutil.rmtree(self.directory, ignore_errors=True)
