"""A private PostgreSQL, and real sidecars with a configuration of the test's own."""

import subprocess
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


@pytest.fixture(scope="session")
def log_keys(tmp_path_factory):
    """The key of checkpoints, and its public half."""
    return make_keys(tmp_path_factory.mktemp("log-keys"))


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
        try:
            one.stop()
        except subprocess.TimeoutExpired:
            one.kill()


@pytest.fixture
def sidecar(sidecars, settings):
    return sidecars(settings).start()


@pytest.fixture
def archiving(settings, tmp_path):
    (tmp_path / "archive").mkdir()
    return {**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1}}


@pytest.fixture
def remembering(settings, database, log_keys, tmp_path):
    """A sidecar that remembers what it signed, and publishes checkpoints every second."""
    database.value("SELECT reason.add_signer('log-signer', %s, purpose => 'checkpoints')", log_keys[1])
    (tmp_path / "state").mkdir()
    return {**settings, "checkpoint": {"signer": "log-signer", "key_file": log_keys[0], "state_file": tmp_path / "state" / "log", "interval_s": 1}}
