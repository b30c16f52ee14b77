"""The gateway alone: real nginx, TLS and PostgreSQL, with SQL functions of the tests' own behind it."""

import pathlib
import shutil
import tempfile

import pytest

from reason_gateway import Gateway


@pytest.fixture(scope="session")
def stack():
    run = pathlib.Path(tempfile.mkdtemp(prefix="reason-gateway."))
    running = Gateway(run, pathlib.Path(__file__).parent)
    yield running
    running.down()
    shutil.rmtree(run)
