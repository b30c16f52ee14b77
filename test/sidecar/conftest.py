"""A private PostgreSQL, and real sidecars with a configuration of the test's own."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import uuid

import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PG_ROOT = pathlib.Path(os.environ.get("REASON_PG_ROOT", ROOT / ".build" / "pg"))
PG_BIN = PG_ROOT / "lib" / "postgresql" / "15" / "bin"
SIDECAR = pathlib.Path(os.environ.get("REASON_SIDECAR", ROOT / "sidecar" / "reason-sidecar"))
VERIFY = pathlib.Path(os.environ.get("REASON_VERIFY", ROOT / "sidecar" / "verify" / "reason-verify"))
SIGNER_ID = "test-signer"


def free_port(count=1):
    """The first of so many that are free, one after the other."""
    while True:
        with contextlib.ExitStack() as listeners:
            first = 0
            try:
                for number in range(count):
                    listener = listeners.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", first + number if first else 0))
                    first = first or listener.getsockname()[1]
                return first
            except (OSError, OverflowError):
                continue


def wait_for(condition, seconds=10, what="what was waited for"):
    """The first true value of condition(); fails when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


class Server:
    """PostgreSQL in a directory of its own; root may not run it, so it becomes postgres."""

    def __init__(self, durable=False, settings_more=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reason-sidecar-test."))
        self.port = free_port()
        self.user = {}
        if os.getuid() == 0:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.directory, postgres.pw_uid, postgres.pw_gid)
            self.user = {"prefix": ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                                    "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]}
        self.run("initdb", "-D", self.directory / "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                 "--locale=C.UTF-8", "--no-sync")
        with open(self.directory / "data" / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.directory}'\n"
                           f"shared_preload_libraries = 'reasoning_graph'\nfsync = {'on' if durable else 'off'}\nmax_connections = 60\n{settings_more}")
        self.start()

    def run(self, program, *arguments):
        command = [*self.user.get("prefix", []), str(PG_BIN / program), *map(str, arguments)]
        subprocess.run(command, check=True, timeout=60, cwd=self.directory, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.run("pg_ctl", "-D", self.directory / "data", "-l", self.directory / "log", "-w", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.directory / "data", "-m", mode, "-w", "stop")

    def conninfo(self, database, user):
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"


class Database:
    """A database with the extension, a signer that is registered, and a login role for the sidecar."""

    def __init__(self, server, name, public_key):
        self.server = server
        self.name = name
        with psycopg.connect(server.conninfo("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        self.connection = self.connect()
        self.connection.execute("CREATE EXTENSION reasoning_graph")
        self.connection.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sidecar') THEN "
                                "CREATE ROLE sidecar LOGIN IN ROLE reason_sidecar; END IF; END $$")
        self.connection.execute("SELECT reason.add_signer(%s, %s)", (SIGNER_ID, public_key))

    def connect(self):
        return psycopg.connect(self.server.conninfo(self.name, "postgres"), autocommit=True)

    def value(self, query, *parameters):
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def rows(self, query, *parameters):
        return self.connection.execute(query, parameters).fetchall()

    def node(self, text="a thought", division="default"):
        return self.value("SELECT reason.add_node('observation', jsonb_build_object('text', %s::text), 'tester', %s)", text, division)

    def nodes(self, count, division="default"):
        self.value("SELECT count(reason.add_node('observation', jsonb_build_object('n', n), 'tester', %s)) "
                   "FROM generate_series(1, %s) n", division, count)

    def large_snapshot(self, megabytes):
        """Of a chain of nodes as large as they may be; a little more than so many MiB."""
        root = self.value("SELECT reason.add_node('observation', jsonb_build_object('text', repeat('it rains ', 28000)), 'tester')")
        for _ in range(megabytes * 1024 // 243 + 1):
            child = self.value("SELECT reason.add_node('observation', jsonb_build_object('text', repeat(%s, 7800)), 'tester')", uuid.uuid4().hex)
            self.value("SELECT reason.add_edge(%s, %s, 'causal')", root, child)
            root = child
        snapshot = self.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], depth => 10000, audience => 'internal')", root)
        assert self.value("SELECT size_bytes FROM reason.snapshot WHERE id = %s", snapshot) > megabytes * 1024 * 1024
        return snapshot

    def snapshot(self, *roots):
        return self.value("SELECT reason.create_snapshot(%s::uuid[])", [str(root) for root in roots])

    def waiting(self):
        """Events without a signature."""
        return self.value("SELECT (SELECT count(*) FROM reason.audit_event) - (SELECT count(*) FROM reason.audit_signature)")

    def settled(self, seconds=15):
        wait_for(lambda: self.waiting() == 0, seconds, "sealing and signing")

    def status(self, snapshot):
        return self.value("SELECT status FROM reason.snapshot WHERE id = %s", snapshot)

    def completed(self, snapshot, seconds=15):
        wait_for(lambda: self.status(snapshot) == "complete", seconds, f"completion of snapshot {snapshot}")

    def verified(self, division="default"):
        ok, detail = self.rows("SELECT ok, detail FROM reason.verify_audit(%s)", division)[0]
        assert ok, detail
        return True


class Sidecar:
    """A running reason-sidecar."""

    def __init__(self, directory, settings, environment=None):
        self.port = free_port()
        self.path = directory / f"sidecar-{uuid.uuid4().hex[:8]}.conf"
        self.log_path = self.path.with_suffix(".log")
        self.environment = {**os.environ, **(environment or {})}
        settings = {**settings, "metrics": {"port": self.port, **settings.get("metrics", {})}}
        self.path.write_text("\n".join(f"[{section}]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items())
                                       for section, keys in settings.items()) + "\n")
        self.process = None
        self.prefix = []            # of the command

    def start(self, ready=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, SIDECAR, self.path], stdout=log, stderr=log, env=self.environment)
        if ready:
            wait_for(lambda: self.get("/ready")[0] == 200, 15, f"readiness of the sidecar: {self.log()[-2000:]}")
        return self

    def check(self):
        return subprocess.run([SIDECAR, "--check", self.path], env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            return self.process.wait(20)
        return None


@pytest.fixture(scope="session")
def server():
    running = Server()
    yield running
    running.stop("immediate")
    shutil.rmtree(running.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A signing key and its public half."""
    directory = tmp_path_factory.mktemp("keys")
    private = directory / "signer.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    private.chmod(0o600)
    public = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], check=True, capture_output=True, text=True).stdout
    return private, public


@pytest.fixture
def database(server, keys):
    made = Database(server, f"t{uuid.uuid4().hex[:12]}", keys[1])
    yield made
    made.connection.close()
    with psycopg.connect(server.conninfo("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{made.name}" WITH (FORCE)')


@pytest.fixture
def settings(database, keys, tmp_path):
    """The configuration of a sidecar that signs with a key file and stores in a directory."""
    store = tmp_path / "store"
    store.mkdir()
    return {
        "database": {"conninfo": database.server.conninfo(database.name, "sidecar")},
        "signer": {"id": SIGNER_ID, "key_file": keys[0]},
        "store": {"url": f"file://{store}"},
    }


@pytest.fixture
def sidecars(tmp_path):
    """Makes sidecars, and ends them all."""
    made = []

    def make(settings, environment=None):
        made.append(Sidecar(tmp_path, settings, environment))
        return made[-1]

    yield make
    for one in made:
        try:
            one.stop()
        except subprocess.TimeoutExpired:
            one.kill()


@pytest.fixture
def sidecar(sidecars, settings):
    return sidecars(settings).start()
