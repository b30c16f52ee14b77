"""A database with the extension, on the server of REASON_TEST_PORT or on one of this run's own."""

import pytest

import shared_server
from graph_database import connect, new_database


@pytest.fixture(scope="session", autouse=True)
def on_shared_server():
    with shared_server.shared_server():
        yield


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
