"""PostgreSQL servers that a test starts, stops and copies: servers().

Their programs are those of REASON_PG_BIN, or of .build/pg.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import psycopg

PROGRAMS = os.environ.get("REASON_PG_BIN", pathlib.Path(__file__).resolve().parents[2] / ".build/pg/lib/postgresql/15/bin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """PostgreSQL in a directory of its own; root may not run it, so it becomes postgres."""

    def __init__(self, parent, name, settings="", primary=None, programs=PROGRAMS, initdb=()):
        self.programs = pathlib.Path(programs)
        self.directory = parent / name
        self.data = self.directory / "data"
        self.directory.mkdir()
        self.port = free_port()
        self.prefix = []
        if os.getuid() == 0:
            postgres = pwd.getpwnam("postgres")
            for path in (parent, self.directory):
                os.chown(path, postgres.pw_uid, postgres.pw_gid)
            self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                           "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        if primary:
            self.run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1",
                     "-p", primary.port, "-U", "postgres")
        else:
            self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", *initdb)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.directory}'\n"
                       f"shared_preload_libraries = 'reasoning_graph'\nfsync = off\n{settings}\n")
        self.start()

    def run(self, program, *arguments):
        """Output goes to a file, as a server that it starts would hold a pipe open."""
        with open(self.directory / "output", "wb+") as output:
            try:
                subprocess.run([*self.prefix, str(self.programs / program), *map(str, arguments)], check=True, timeout=120,
                               cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            except subprocess.CalledProcessError as error:
                output.seek(0)
                raise AssertionError(f"{program} ended with {error.returncode}: {output.read().decode()}") from error

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-l", self.directory / "log", "-w", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def connect(self):
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True,
                               options="-c reason.adjacency_cache=always")


@contextlib.contextmanager
def servers():
    parent = pathlib.Path(tempfile.mkdtemp(prefix="reason-test."))
    running = []

    def make(name, settings="", primary=None, programs=PROGRAMS, initdb=()):
        running.append(Server(parent, name, settings, primary, programs, initdb))
        return running[-1]

    try:
        yield make
    finally:
        for server in running:
            with contextlib.suppress(AssertionError):
                server.stop("immediate")
        shutil.rmtree(parent)


def caught_up(standby, primary):
    with primary.connect() as db:
        target = db.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    deadline = time.monotonic() + 30
    while True:
        with standby.connect() as db:
            if db.execute("SELECT pg_last_wal_replay_lsn() >= %s", [target]).fetchone()[0]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)
