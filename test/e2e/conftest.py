"""A private stack for the end-to-end tests: real PostgreSQL, nginx, sidecar, over HTTPS."""

import json
import uuid

import pytest

from client import Refused
from stack import new_stack


@pytest.fixture(scope="session")
def stack():
    with new_stack() as running:
        yield running


@pytest.fixture
def kernel(stack):
    return stack.client("kernel")


@pytest.fixture
def reader(stack):
    return stack.client("reader")


@pytest.fixture
def database(stack):
    with stack.database() as connection:
        yield connection


@pytest.fixture
def counts(database):
    """A function that counts the rows a refused request must not have added. The sidecar adds events of its own meanwhile."""

    def count():
        return database.execute(
            "SELECT (SELECT count(*) FROM reason.node), (SELECT count(*) FROM reason.edge),"
            " (SELECT count(*) FROM reason.annotation), (SELECT count(*) FROM reason.audit_event WHERE event_type NOT IN ('log.heads', 'snapshot.completed'))").fetchone()

    return count


@pytest.fixture
def refused():
    """Calls, expects an error, checks the form of its body, and returns (status, body)."""

    def call(function, *arguments, **keywords):
        with pytest.raises(Refused) as caught:
            function(*arguments, **keywords)
        body = caught.value.body
        assert set(body) == {"error", "code", "requestId", "details"}, json.dumps(body)
        assert body["code"].startswith("REASONING_GRAPH_")
        assert isinstance(body["error"], str) and body["error"]
        assert isinstance(body["details"], dict)
        return caught.value.status, body

    return call


@pytest.fixture
def new_node(kernel):
    """Writes a node and returns its id."""

    def write(node_type="observation", **members):
        body = {"type": node_type, "author": "test", "payload": {"n": 1}, **members}
        return kernel.post("/reason/node", body)["nodeId"]

    return write


@pytest.fixture
def new_edge(kernel):
    def write(cause, effect, edge_type="causal", **members):
        return kernel.post("/reason/edge", {"from": cause, "to": effect, "type": edge_type, **members})["edgeId"]

    return write


@pytest.fixture
def random_id():
    return lambda: str(uuid.uuid4())
