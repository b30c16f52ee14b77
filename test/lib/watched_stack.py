"""A stack with everything outside that it can have, all of which can be taken away: Watched."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse

from client import Client, Refused
from dgraph_facts import DgraphFacts
from hostile import Hostile
from kafka_broker import Broker
from ports import free_port
from reason_witness import Witness
from sentinelnet import SentinelNet
from stack import Stack
from wait import wait_for
from witnessed_log import public_key, vkey_of

DIVISION_OF_POLICIES = "asked-about"
MIRRORED = "mirrored"       # the mirror's double is slow, so little comes to it
STORE_MB = 200


class Watched(Stack):
    """Kafka, a mirror, a witness, a policy service; the store on a disk of its own. close() ends them."""

    def __init__(self, run_dir, **settings):
        self.outside = contextlib.ExitStack()
        try:
            self.begin(run_dir, settings)
        except BaseException:
            self.outside.close()
            raise

    def begin(self, run_dir, settings):
        store = run_dir / "store"
        store.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_MB}m,mode=755", "tmpfs", store], check=True)
        self.outside.callback(subprocess.run, ["umount", "-l", store], check=True)
        self.broker = Broker(run_dir / "kafka")
        self.outside.callback(self.broker.kill)
        self.broker.make_topic("audit-events")
        self.facts = DgraphFacts(token="a-token")
        self.mirror = self.outside.enter_context(contextlib.closing(Hostile(self.facts)))
        policies = free_port()
        super().__init__(run_dir, SENTINELNET=f"127.0.0.1:{policies}", SENTINELNET_NAME="localhost", **settings)
        tls = run_dir / "tls"
        self.policies = SentinelNet(policies, tls / "ca.crt", tls / "server.crt", tls / "server.key")
        self.policies.__enter__()
        self.outside.callback(lambda: self.policies.__exit__(None, None, None))
        with self.database() as database:
            database.execute("SELECT reason.set_policy_rule('asked', '{node.create}', division_pattern => %s)", [DIVISION_OF_POLICIES])
        origin = "localhost/reason/default"
        (run_dir / "witness").mkdir()
        self.witness = Witness(run_dir / "witness", {origin: vkey_of(public_key(run_dir / "keys/log.pem"), origin)}).start()
        self.outside.callback(self.witness.end)
        self.more = run_dir / "more.conf"
        self.token = run_dir / "dgraph"
        self.token.write_text("token = a-token\n")
        self.configure()

    def configure(self, **sidecar):
        """The sidecar anew; sidecar: what stands in section [sidecar]."""
        sections = {"kafka": {"brokers": self.broker.address, "topic": "audit-events", "timeout_ms": 3000},
                    "mirror graph": {"type": "dgraph", "url": self.mirror.url, "divisions": MIRRORED, "credentials_file": self.token, "timeout_ms": 20000},
                    "witness near": {"url": self.witness.url, "vkey": self.witness.vkey, "divisions": "default", "timeout_ms": 1000},
                    "checkpoint": {"interval_s": 2}, "archive": {"interval_s": 1}, "sidecar": sidecar}
        self.more.write_text("\n".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for section, keys in sections.items()))
        for path in (self.more, self.token):
            path.chmod(0o600)
            shutil.chown(path, *(("postgres", "postgres") if os.getuid() == 0 else (os.getuid(), os.getgid())))
        self.shell["SIDECAR_MORE"] = str(self.more)
        self.end("sidecar.pid", signal.SIGTERM)
        self.up()

    def end(self, file, number):
        """Of the process in a file of process ids; waits for it to be gone."""
        pid = self.pid(file)
        os.kill(pid, number)
        wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 30, f"the end of {file}")

    def close(self):
        self.outside.close()


class Traffic:
    """Writes, traces and snapshots of one client, a few a second, whatever becomes of them; pace: seconds between snapshots."""

    def __init__(self, stack):
        self.stack = stack
        self.pace = 5
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in (self.write, self.snapshot, self.ask, self.mirror)]
        for thread in self.threads:
            thread.start()

    def close(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, work):
        client = None
        while not self.over.is_set():
            try:
                client = client or self.client()
                work(client)
            except Refused:
                pass
            except (OSError, ValueError):
                client = None
            # the same number of requests a second, however long they take
            self.over.wait(0.3)

    def client(self):
        tls = self.stack.run_dir / "tls"
        return Client(self.stack.env["REASON_URL"], self.stack.env["REASON_CA"], tls / "kernel.crt", tls / "kernel.key", timeout_s=10)

    def write(self, client):
        before = client.post("/reason/node", {"type": "observation", "author": "traffic", "payload": {"at": time.time()}})["nodeId"]
        after = client.post("/reason/node", {"type": "decision", "author": "traffic", "payload": {"at": time.time()}})["nodeId"]
        client.post("/reason/edge", {"from": before, "to": after, "type": "causal"})
        client.get(f"/reason/trace/{after}")

    def snapshot(self, client):
        made = client.post("/reason/node", {"type": "decision", "author": "traffic", "payload": {"at": time.time()}})["nodeId"]
        client.post("/reason/snapshot", {"rootNodeIds": [made]}, Prefer="wait=0")
        self.over.wait(self.pace)

    def ask(self, client):
        client.post("/reason/node", {"type": "action", "author": "traffic", "division": DIVISION_OF_POLICIES, "payload": {"at": time.time()}})

    def mirror(self, client):
        client.post("/reason/node", {"type": "observation", "author": "traffic", "division": MIRRORED, "payload": {"at": time.time()}})
        self.over.wait(2)


def address(url):
    """Host and port."""
    return urllib.parse.urlsplit(url).netloc
