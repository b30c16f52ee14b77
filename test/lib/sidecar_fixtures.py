"""Fixtures of the suites that run real sidecars: a PostgreSQL, a database in it, and sidecars that work on it. A conftest.py imports them."""

import uuid

import pytest

import postgres
from database import Database, SIGNER_ID
from fresh_database import drop_database
from reason_sidecar import Sidecar
from signer import make_keys


@pytest.fixture(scope="session")
def server():
    with postgres.server("max_connections = 60") as running:
        yield running


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A signing key and its public half."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def database(server, keys):
    made = Database(server, f"t{uuid.uuid4().hex[:12]}", keys[1])
    yield made
    made.connection.close()
    drop_database(server.conninfo, made.name)


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
        one.end()
