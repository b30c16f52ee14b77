"""A private PostgreSQL, real sidecars, and a real graph store that they feed."""

import subprocess
import uuid

import pytest

import postgres
from database import SIGNER_ID, Database
from fresh_database import drop_database
from reason_sidecar import Sidecar
from signer import make_keys


@pytest.fixture(scope="session")
def server():
    with postgres.server("max_connections = 60") as running:
        yield running


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def database(server, keys):
    made = Database(server, f"t{uuid.uuid4().hex[:12]}", keys[1])
    yield made
    made.connection.close()
    drop_database(server.conninfo, made.name)


@pytest.fixture
def settings(database, keys, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    return {"database": {"conninfo": database.server.conninfo(database.name, "sidecar")}, "signer": {"id": SIGNER_ID, "key_file": keys[0]},
            "store": {"url": f"file://{store}"}}


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


@pytest.fixture(scope="session")
def neo4j(tmp_path_factory):
    from neo4j_server import Neo4j
    running = Neo4j(tmp_path_factory.mktemp("neo4j"))
    yield running
    running.stop()


@pytest.fixture
def graph(neo4j):
    neo4j.wipe()
    return neo4j


@pytest.fixture(scope="session")
def janusgraph(tmp_path_factory):
    from janusgraph_server import JanusGraph
    running = JanusGraph(tmp_path_factory.mktemp("janusgraph"))
    yield running
    running.stop()
