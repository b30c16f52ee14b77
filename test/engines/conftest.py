"""A private PostgreSQL, real sidecars, and a real graph store that they feed."""

import pytest

from sidecar_fixtures import database, keys, server, settings, sidecars  # noqa: F401


@pytest.fixture(scope="session")
def neo4j(tmp_path_factory):
    from neo4j_server import Neo4j
    running = Neo4j(tmp_path_factory.mktemp("neo4j"))
    yield running
    running.end()


@pytest.fixture
def graph(neo4j):
    neo4j.wipe()
    return neo4j


@pytest.fixture(scope="session")
def janusgraph(tmp_path_factory):
    from janusgraph_server import JanusGraph
    running = JanusGraph(tmp_path_factory.mktemp("janusgraph"))
    yield running
    running.end()
