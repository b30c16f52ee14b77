"""A sidecar and all its counterparts, reached through proxies, and a writer who never stops: the faults of a storm strike them."""

import os
import random
import subprocess
import threading
import time

import psycopg

from hsm import MODULE
from s3_server import ACCESS, BUCKET, REGION, SECRET

DIVISIONS = ("default", "other")


class Disk:
    """A small file system of its own, which can be full. Needs root; without, it is a directory that never is."""

    ROOMY = "1g"

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.mounted = os.getuid() == 0
        if self.mounted:
            self.mount("size=" + self.ROOMY)
            # size=0 would be no limit, for ever
            (directory / "ballast").write_bytes(bytes(4096))

    def mount(self, options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "reason-storm", self.directory], check=True, capture_output=True)

    def fill(self):
        """Leaves no room; it may be that something is just being written."""
        for _ in range(50):
            used = os.statvfs(self.directory)
            try:
                self.mount(f"remount,size={(used.f_blocks - used.f_bfree) * used.f_frsize}")
                return
            except subprocess.CalledProcessError:
                time.sleep(0.01)
        raise AssertionError("the disk could not be made full")

    def empty(self):
        self.mount("remount,size=" + self.ROOMY)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.directory], check=True)


class Writer(threading.Thread):
    """Writes nodes and asks for snapshots; remembers what was accepted, which is what PostgreSQL said was committed."""

    def __init__(self, database, seed):
        super().__init__(daemon=True)
        self.database = database
        self.random = random.Random(seed)
        self.nodes, self.snapshots = [], []
        self.refused = []
        self.ended = threading.Event()

    def work(self, connection):
        division = self.random.choice(DIVISIONS)
        # now and then one that fills several packets
        size = self.random.choice((10, 100, 1000, 200000)) if self.random.random() < 0.1 else 20
        made = connection.execute("SELECT reason.add_node('observation', jsonb_build_object('n', n, 'text', repeat('x', %s)), 'storm', %s) "
                                  "FROM generate_series(1, %s) n", (size, division, self.random.randint(1, 15))).fetchall()
        self.nodes += [row[0] for row in made]
        if self.random.random() < 0.4:
            self.snapshots.append(connection.execute("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], audience => 'internal')", made[0]).fetchone()[0])

    def run(self):
        connection = None
        while not self.ended.wait(self.random.uniform(0.02, 0.15)):
            try:
                connection = connection or self.database.connect()
                self.work(connection)
            except psycopg.OperationalError:
                # what was being committed may be there or not: nobody was told
                connection = None
            except psycopg.Error as refusal:
                self.refused.append(repr(refusal))
        if connection:
            connection.close()

    def end(self):
        self.ended.set()
        self.join(30)
        assert not self.is_alive()
        assert self.refused == []


class World:
    def __init__(self, database, s3, broker, topic, token, proxies, disk):
        self.database = database
        self.s3, self.broker, self.topic, self.token, self.proxies, self.disk = s3, broker, topic, token, proxies, disk
        self.sidecar = None

    def settings(self, directory, snapshots_in_s3):
        """Of a sidecar with deadlines short enough for a storm. One of snapshots and archive is in S3, the other on the disk."""
        credentials = directory / "credentials"
        credentials.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
        urls = [f"s3://{BUCKET}/{directory.name}", f"file://{self.disk.directory}"]
        if not snapshots_in_s3:
            urls.reverse()
        server = self.database.server
        conninfo = server.conninfo(self.database.name, "sidecar").replace(f"port={server.port}", f"port={self.proxies['database'].port}")
        return {
            "database": {"conninfo": conninfo, "timeout_ms": 2000},
            "signer": {"id": "hsm-1", "type": "pkcs11", "module": MODULE, "token": "reason", "key_label": "audit",
                       "pin_file": self.token.pin_file, "timeout_ms": 2000},
            "store": {"url": urls[0], "endpoint": f"http://127.0.0.1:{self.proxies['store'].port}", "region": REGION, "path_style": "yes",
                      "credentials_file": credentials, "timeout_ms": 2000,
                      "lock_mode": "governance" if snapshots_in_s3 else "none", "lock_days": 1},
            "kafka": {"brokers": f"127.0.0.1:{self.proxies['broker'].port}", "topic": self.topic, "timeout_ms": 3000,
                      "reconnect.backoff.max.ms": 1000},
            "archive": {"url": urls[1], "interval_s": 1, "events": 200},
            "sidecar": {"lease_ms": 1500, "poll_idle_ms": 1000},
        }

    def reconnect(self):
        self.database.connection.close()
        self.database.connection = self.database.connect()
