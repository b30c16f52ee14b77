"""The Job before a release brings the extension to the chart's version, waits for the primary, and sets nothing back."""

import threading
import time

import psycopg
import pytest

from chart import merged, one
from cluster import OUTSIDE
from image import run
from paths import PG_BIN

EXTENSION = PG_BIN.parents[3] / "share/postgresql/15/extension"
OWN, NEXT = "0.1.0", "0.2.0"


@pytest.fixture(scope="module")
def next_version(tmp_path_factory):
    """The server has the files of the next version too, with a function that this one has not. The mount is this process's own."""
    above = tmp_path_factory.mktemp("next")
    (above / f"reasoning_graph--{OWN}--{NEXT}.sql").write_text("CREATE FUNCTION reason.of_the_next() RETURNS int LANGUAGE sql RETURN 2;\n")
    run("chmod", "-R", "a+rX", above.parent)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={above}:{EXTENSION}", EXTENSION)
    yield
    run("umount", "-l", EXTENSION)


@pytest.fixture
def empty(database):
    """A database without the extension, and a superuser who may come from a pod."""
    with database.connect() as admin:
        admin.execute("DROP DATABASE IF EXISTS migrated WITH (FORCE)")
        admin.execute("CREATE DATABASE migrated")
        admin.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'owner') THEN CREATE ROLE owner SUPERUSER LOGIN PASSWORD 'owner-secret'; END IF; END $$")
    return lambda: psycopg.connect(host="127.0.0.1", port=database.port, user="postgres", dbname="migrated", autocommit=True)


@pytest.fixture
def migrate(helm, values, cluster, empty):
    """Runs the Job of a chart of some version: its exit code and what it said."""
    cluster.secrets["reason-owner-db"] = {"username": "owner", "password": "owner-secret"}
    mine = merged(values, {"migration": {"enabled": True, "secret": "reason-owner-db", "waitSeconds": 60},
                           "database": {"conninfo": values["database"]["conninfo"].replace("dbname=reason", "dbname=migrated")}})
    assert OUTSIDE in mine["database"]["conninfo"]

    def job(version=OWN, seconds=60):
        cluster.objects = helm(mine)
        command = one(cluster.objects, "Job", "reason-migration")["spec"]["template"]["spec"]["containers"][0]["command"]
        assert command[:5] == ["reason-migrate", "--to", OWN, "--wait", "60"]
        command[2], command[4] = version, str(seconds)
        return cluster.run("Job", "reason-migration")
    job.database = empty
    return job


def version_of(connect):
    with connect() as connection:
        row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'reasoning_graph'").fetchone()
        return row and row[0]


def test_it_creates_updates_and_sets_nothing_back(migrate, next_version):
    assert migrate() == (0, f"reason-migrate: done: the extension was created in version {OWN}\n")
    assert version_of(migrate.database) == OWN
    assert migrate() == (0, f"reason-migrate: done: the extension has version {OWN} already\n")
    assert migrate(NEXT) == (0, f"reason-migrate: done: the extension was updated from version {OWN} to {NEXT}\n")
    with migrate.database() as connection:
        assert connection.execute("SELECT reason.of_the_next()").fetchone() == (2,)
    code, said = migrate(OWN)
    assert code == 3 and f"refused: the extension has version {NEXT}, newer than {OWN}: a schema is never set back" in said
    assert version_of(migrate.database) == NEXT


def test_it_refuses_what_the_server_has_no_files_of(migrate):
    code, said = migrate("7.0.0")
    assert code == 3 and "the server has no extension reasoning_graph of version 7.0.0" in said and version_of(migrate.database) is None
    assert migrate()[0] == 0
    code, said = migrate("7.0.0")
    assert code == 3 and f"the server has no way from version {OWN} to 7.0.0" in said and version_of(migrate.database) == OWN


def test_two_at_a_time_do_it_once(migrate, next_version):
    migrate()
    said = []
    with migrate.database() as connection:
        # Both wait here, and the one that comes first does it.
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE pg_extension IN SHARE MODE")
        threads = [threading.Thread(target=lambda: said.append(migrate(NEXT))) for _ in range(2)]
        for thread in threads:
            thread.start()
            time.sleep(2)
        connection.execute("ROLLBACK")
        for thread in threads:
            thread.join(60)
    assert sorted(said) == [(0, f"reason-migrate: done: the extension has version {NEXT} already\n"),
                            (0, f"reason-migrate: done: the extension was updated from version {OWN} to {NEXT}\n")]


def test_it_waits_for_the_primary(migrate, database):
    database.stop()
    starter = threading.Timer(5, database.start)
    starter.start()
    code, said = migrate()
    starter.join()
    assert code == 0 and "not yet: " in said and said.endswith(f"done: the extension was created in version {OWN}\n")


def test_it_gives_up_in_time(migrate, database):
    with database.connect() as admin:
        admin.execute("ALTER DATABASE migrated SET default_transaction_read_only = on")     # as a standby would answer
    began = time.monotonic()
    code, said = migrate(seconds=3)
    assert code == 1 and "session is read-only" in said and "given up after 3 s" in said and time.monotonic() - began < 30
