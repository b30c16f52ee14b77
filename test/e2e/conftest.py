"""A private stack for the end-to-end tests: real PostgreSQL, nginx, sidecar, over HTTPS."""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import uuid

import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "demo"))

from client import Client, Refused  # noqa: E402  pylint: disable=wrong-import-position


def read_env(path):
    """The variables of a shell file of plain assignments."""
    variables = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if value and not name.startswith("export"):
            variables[name] = shlex.split(value)[0]
    return variables


class Stack:
    """A running stack and ways to talk to it."""

    def __init__(self, run_dir, port_base):
        self.run_dir = run_dir
        self.shell = {**os.environ, "RUN_DIR": str(run_dir), "PORT_BASE": str(port_base), "QUIET": "yes"}
        self.up()
        self.env = read_env(run_dir / "env")

    def up(self):
        subprocess.run([ROOT / "test" / "stack" / "up.sh"], env=self.shell, check=True, timeout=120)

    def down(self):
        subprocess.run([ROOT / "test" / "stack" / "down.sh"], env=self.shell, check=True, timeout=60)

    def client(self, name="kernel"):
        tls = self.run_dir / "tls"
        return Client(self.env["REASON_URL"], self.env["REASON_CA"], tls / f"{name}.crt", tls / f"{name}.key")

    def certificate(self, name):
        """Issues one more client certificate by the stack's authority."""
        subprocess.run([ROOT / "test" / "stack" / "certificates.sh", self.run_dir / "tls", name], check=True, timeout=30)

    def database(self, **options):
        return psycopg.connect(self.env["REASON_DSN"], autocommit=True, **options)

    def pid(self, path):
        return int((self.run_dir / path).read_text().split()[0])


@pytest.fixture(scope="session")
def stack():
    run_dir = ROOT / ".build" / "check" / "e2e-stack"
    port_base = int(os.environ.get("E2E_PORT_BASE", "15900"))
    # What an interrupted run left goes first, while its process ids can still be read.
    subprocess.run([ROOT / "test" / "stack" / "down.sh"], env={**os.environ, "RUN_DIR": str(run_dir)}, check=True, timeout=60)
    subprocess.run(["rm", "-rf", str(run_dir)], check=True)
    run_dir.mkdir(parents=True)
    running = Stack(run_dir, port_base)
    yield running
    running.down()


@pytest.fixture
def kernel(stack):
    return stack.client("kernel")


@pytest.fixture
def reader(stack):
    return stack.client("reader")


@pytest.fixture
def database(stack):
    with stack.database() as connection:
        yield connection


@pytest.fixture
def counts(database):
    """A function that counts the rows a refused request must not have added."""

    def count():
        return database.execute(
            "SELECT (SELECT count(*) FROM reason.node), (SELECT count(*) FROM reason.edge),"
            " (SELECT count(*) FROM reason.annotation), (SELECT count(*) FROM reason.audit_event)").fetchone()

    return count


@pytest.fixture
def refused():
    """Calls, expects an error, checks the form of its body, and returns (status, body)."""

    def call(function, *arguments, **keywords):
        with pytest.raises(Refused) as caught:
            function(*arguments, **keywords)
        body = caught.value.body
        assert set(body) == {"error", "code", "requestId", "details"}, json.dumps(body)
        assert body["code"].startswith("REASONING_GRAPH_")
        assert isinstance(body["error"], str) and body["error"]
        assert isinstance(body["details"], dict)
        return caught.value.status, body

    return call


@pytest.fixture
def new_node(kernel):
    """Writes a node and returns its id."""

    def write(node_type="observation", **members):
        body = {"type": node_type, "author": "test", "payload": {"n": 1}, **members}
        return kernel.post("/reason/node", body)["nodeId"]

    return write


@pytest.fixture
def new_edge(kernel):
    def write(cause, effect, edge_type="causal", **members):
        return kernel.post("/reason/edge", {"from": cause, "to": effect, "type": edge_type, **members})["edgeId"]

    return write


@pytest.fixture
def random_id():
    return lambda: str(uuid.uuid4())
