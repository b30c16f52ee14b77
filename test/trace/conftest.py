"""A database with the extension, on the server that REASON_TEST_PORT names."""

import contextlib
import os
import time
import uuid

import psycopg
import pytest

HOST = os.environ.get("REASON_TEST_HOST", "127.0.0.1")
PORT = int(os.environ.get("REASON_TEST_PORT", "15690"))


def connect(dbname, **options):
    """Once a cache was built, such a session uses it wherever it can, be it slower."""
    options.setdefault("options", "-c reason.adjacency_cache=always")
    return psycopg.connect(host=HOST, port=PORT, user="postgres", dbname=dbname, autocommit=True, **options)


def build_cache(db):
    """Of what is all-visible."""
    deadline = time.monotonic() + 30
    while not db.execute("SELECT reason.build_adjacency_cache()").fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def new_database():
    name = f"trace_{uuid.uuid4().hex[:12]}"
    with connect("postgres") as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with connect(name) as connection:
        connection.execute("CREATE EXTENSION reasoning_graph")
    yield name
    with connect("postgres") as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def database():
    with new_database() as name:
        yield name


@pytest.fixture
def own():
    """A database of the test's own."""
    with new_database() as name:
        yield name


@pytest.fixture
def db(database):
    with connect(database) as connection:
        yield connection
