"""The gateway calls no functions of a schema that it does not know, and says why."""

import os
import signal

import pytest

from schema_versions import KNOWN, OWN, TOO_NEW, TOO_OLD, say_version
from wait import wait_for


@pytest.fixture
def schema(stack):
    """Lets the database be of a version, and has the gateway connect anew."""
    def be(version):
        with stack.database() as database:
            say_version(database, version)
        backends = stack.backends()
        for backend in backends:
            os.kill(backend, signal.SIGTERM)
        wait_for(lambda: not any(os.path.exists(f"/proc/{backend}") for backend in backends))
    yield be
    be(None)
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)


def log(stack, begin):
    return (stack.run / "log/gateway.log").read_text()[begin:]


@pytest.mark.parametrize("version", KNOWN)
def test_a_schema_of_its_own_version_or_the_next_is_served(stack, schema, version):
    schema(version)
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
    assert stack.call("GET", "/echo/x")[0] == 200


@pytest.mark.parametrize("version, says, remedy", [(version, "too new", "install a later gateway") for version in TOO_NEW]
                         + [(version, "too old", "run ALTER EXTENSION reasoning_graph UPDATE") for version in TOO_OLD])
def test_another_is_refused_and_said_to_be(stack, schema, version, says, remedy):
    stack.reload()      # what it last complained of is a minute ago
    begin = (stack.run / "log/gateway.log").stat().st_size
    schema(version)
    wait_for(lambda: f"the schema in the database has version {version}, {says} for this gateway of version {OWN}: {remedy}" in log(stack, begin))
    assert stack.call("GET", "/echo/x")[0] == 503
    assert not stack.healthy()
    # and when it has been updated, no restart is needed
    schema(OWN)
    wait_for(stack.healthy)
    assert stack.call("GET", "/echo/x")[0] == 200
