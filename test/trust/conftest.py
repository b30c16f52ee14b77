"""A database of its own for each test file, a signer, and the sidecar's part played by hand.

The server is that of REASON_TEST_PORT, which must let the user postgres in over 127.0.0.1, or one of this run's own.
"""
import pathlib

import pytest

import shared_server
from sealing import create_database, drop_database


@pytest.fixture(scope="session", autouse=True)
def on_shared_server():
    with shared_server.shared_server():
        yield


@pytest.fixture(scope="module")
def db(request):
    database = create_database("trust_" + pathlib.Path(request.node.name).stem)
    database("SELECT reason.add_signer(%s, %s)", database.signer.name, database.signer.public.raw.hex())
    yield database
    drop_database(database)


@pytest.fixture(scope="module")
def make_database():
    made = []

    def make(name, extension=True):
        made.append(create_database(name, extension))
        return made[-1]
    yield make
    for database in made:
        drop_database(database)
