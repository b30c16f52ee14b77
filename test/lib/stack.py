"""The whole stack over HTTPS, as test/stack/up.sh starts it: real PostgreSQL, nginx, sidecar."""

import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import psycopg

from client import Client
from paths import ROOT
from ports import free_port


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

    def __init__(self, run_dir, **settings):
        self.run_dir = run_dir
        self.shell = {**os.environ, "RUN_DIR": str(run_dir), "PORT_BASE": str(free_port(4)), "QUIET": "yes", **settings}
        self.up()
        self.env = read_env(run_dir / "env")

    def up(self):
        subprocess.run([ROOT / "test" / "stack" / "up.sh"], env=self.shell, check=True, timeout=120)

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


@contextlib.contextmanager
def new_stack(kind=Stack, **settings):
    """A stack of its own, of which only the logs stay: in .build/check. settings: for test/stack/up.sh."""
    parent = ROOT / ".build" / "check"
    parent.mkdir(parents=True, exist_ok=True)
    run_dir = pathlib.Path(tempfile.mkdtemp(prefix="stack-", dir=parent))
    run_dir.chmod(0o755)
    try:
        yield kind(run_dir, **settings)
    finally:
        subprocess.run([ROOT / "test" / "stack" / "down.sh"], env={**os.environ, "RUN_DIR": str(run_dir), "QUIET": "yes"}, check=True, timeout=60)
        logs = parent / f"{kind.__name__.lower()}-logs"
        shutil.rmtree(logs, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(run_dir / "log", logs)
        shutil.rmtree(run_dir)


def processes(stack):
    """The postmaster and all its children."""
    postmaster = stack.pid("pg/postmaster.pid")
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def running_backends(stack):
    """Backends of a killed postmaster notice its death and leave; a new one must not start before."""
    try:
        with psycopg.connect(stack.env["REASON_DSN"], connect_timeout=1):
            return True
    except psycopg.OperationalError:
        return False


def stored_file(stack, snapshot, division="default"):
    return pathlib.Path(stack.env["REASON_STORE"].removeprefix("file://")) / "snapshots" / division / f"{snapshot['snapshotId']}.json"
