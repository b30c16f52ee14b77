"""PostgreSQL servers that a test starts, stops and copies: servers(), or server() for one."""

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import psycopg

from paths import PG_BIN, ROOT
from ports import free_port
from wait import wait_for


def as_postgres(*folders):
    """Words before a command that runs PostgreSQL: root may not, so it becomes postgres, who then owns these folders."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    for folder in folders:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


class Server:
    """PostgreSQL in a directory of its own."""

    def __init__(self, parent, name, settings="", primary=None, programs=PG_BIN, initdb=()):
        self.programs = pathlib.Path(programs)
        self.directory = parent / name
        self.data = self.directory / "data"
        self.directory.mkdir()
        self.port = free_port()
        self.prefix = as_postgres(parent, self.directory)
        if primary:
            self.run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1",
                     "-p", primary.port, "-U", "postgres")
        elif programs == PG_BIN and not initdb:
            subprocess.run([ROOT / "test/stack/cluster.sh", self.data], check=True, timeout=120)
        else:
            self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", *initdb)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.directory}'\n"
                       f"shared_preload_libraries = 'reasoning_graph'\nfsync = off\n{settings}\n")
        self.start()

    def command(self, *words):
        """Output goes to a file, as a server that it starts would hold a pipe open."""
        with open(self.directory / "output", "wb+") as output:
            try:
                subprocess.run([*self.prefix, *map(str, words)], check=True, timeout=120,
                               cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            except subprocess.CalledProcessError as error:
                output.seek(0)
                raise AssertionError(f"{words[0]} ended with {error.returncode}: {output.read().decode()}") from error

    def run(self, program, *arguments):
        """One of PostgreSQL's own programs."""
        self.command(self.programs / program, *arguments)

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-l", self.directory / "log", "-w", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def conninfo(self, database="postgres", user="postgres"):
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"

    def connect(self):
        """Once a cache was built, such a session uses it wherever it can, be it slower."""
        return psycopg.connect(self.conninfo(), autocommit=True, options="-c reason.adjacency_cache=always")


@contextlib.contextmanager
def servers():
    """A function that makes servers; all of them end, and leave nothing."""
    parent = pathlib.Path(tempfile.mkdtemp(prefix="reason-test."))
    running = []

    def make(name, settings="", kind=Server, **more):
        running.append(kind(parent, name, settings, **more))
        return running[-1]

    try:
        yield make
    finally:
        for one in running:
            with contextlib.suppress(AssertionError):
                one.stop("immediate")
        shutil.rmtree(parent, ignore_errors=True)


@contextlib.contextmanager
def server(settings="", kind=Server, **more):
    with servers() as make:
        yield make("server", settings, kind, **more)


def caught_up(standby, primary):
    with primary.connect() as db:
        target = db.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    with standby.connect() as db:
        wait_for(lambda: db.execute("SELECT pg_last_wal_replay_lsn() >= %s", [target]).fetchone()[0], 30, "the standby's replay")
