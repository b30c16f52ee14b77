"""The server of the SQL functions that are compared."""

import pytest

import shared_server


@pytest.fixture(scope="session")
def on_shared_server():
    with shared_server.shared_server():
        yield
