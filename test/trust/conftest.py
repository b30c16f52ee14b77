"""A database of its own for each test file, a signer, and the sidecar's part played by hand.

    REASON_TEST_PORT=5432 /usr/bin/python3 -m pytest test/trust

The server must have the extension installed and let the user postgres in over 127.0.0.1.
"""
import ctypes
import ctypes.util
import os
import pathlib

import psycopg
import pytest

PORT = int(os.environ.get("REASON_TEST_PORT", "5432"))
SERVER = f"host=127.0.0.1 port={PORT} user=postgres"

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
assert sodium.sodium_init() >= 0


class Signer:
    """An Ed25519 key made from a seed, so that tests can be repeated."""

    def __init__(self, name, seed=b"0"):
        self.name = name
        self.public = ctypes.create_string_buffer(32)
        self.secret = ctypes.create_string_buffer(64)
        sodium.crypto_sign_seed_keypair(self.public, self.secret, seed.ljust(32, b"."))

    def sign(self, message):
        signature = ctypes.create_string_buffer(64)
        sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), self.secret)
        return signature.raw


class Database:
    """A connection, and what the sidecar does around it."""

    def __init__(self, name, server=SERVER):
        self.name = name
        self.dsn = f"{server} dbname={name}"
        self.connection = psycopg.connect(self.dsn, autocommit=True)
        self.signer = Signer("key-1")

    def __call__(self, query, *parameters):
        """All rows."""
        cursor = self.connection.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def row(self, query, *parameters):
        rows = self(query, *parameters)
        assert len(rows) == 1, rows
        return rows[0]

    def one(self, query, *parameters):
        """The single value of the single row."""
        value, = self.row(query, *parameters)
        return value

    def token(self, duty):
        return self.one("SELECT reason.acquire_lease(%s, 'test', '1 hour')", duty)

    def seal(self):
        token = self.token("seal")
        sealed = 0
        while True:
            batch = self.one("SELECT reason.seal_events(%s, 1000)", token)
            sealed += batch
            if batch == 0:
                return sealed

    def sign(self, signer=None):
        signer = signer or self.signer
        token = self.token("seal")
        signed = 0
        while True:
            seals = self("SELECT division, seq, hash FROM reason.unsigned_seals(1000)")
            if not seals:
                return signed
            signed += self.one("SELECT reason.record_seal_signatures(%s, %s, %s, %s, %s)", token, signer.name,
                               [s[0] for s in seals], [s[1] for s in seals], [signer.sign(s[2]) for s in seals])

    def settle(self):
        """Everything recorded so far is in the chain, signed, and decided."""
        for _ in range(3):
            self.seal()
        self.sign()

    def complete(self, snapshot):
        """Signs and stores a snapshot."""
        token = self.token("snapshot")
        hashed = self.one("SELECT hash FROM reason.snapshot WHERE id = %s", snapshot)
        self("SELECT reason.record_snapshot_signature(%s, %s, %s, %s)", token, snapshot, self.signer.name,
             self.signer.sign(bytes.fromhex(hashed)))
        self("SELECT reason.record_snapshot_stored(%s, %s, %s, %s)", token, snapshot, f"file:///{snapshot}", "v1")

    def verify(self, division="default", *bounds):
        """The row of verify_audit() as a dictionary."""
        cursor = self.connection.execute(
            f"SELECT * FROM reason.verify_audit(%s{''.join(', %s' for _ in bounds)})", (division, *bounds))
        return dict(zip((c.name for c in cursor.description), cursor.fetchone()))

    def verify_snapshot(self, snapshot):
        cursor = self.connection.execute("SELECT * FROM reason.verify_snapshot(%s)", (snapshot,))
        return dict(zip((c.name for c in cursor.description), cursor.fetchone()))

    def tampering(self):
        return Tampering(self)

    def close(self):
        self.connection.close()


class Tampering:
    """What is done within is done behind the triggers' back, and undone at the end."""

    def __init__(self, database):
        self.database = database

    def __enter__(self):
        self.database("BEGIN")
        self.database("SET LOCAL session_replication_role = replica")
        return self.database

    def __exit__(self, *error):
        self.database("ROLLBACK")


def create_database(name, extension=True, options=""):
    with psycopg.connect(f"{SERVER} dbname=postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}" {options}')
    database = Database(name)
    if extension:
        database("SET client_min_messages = warning")
        database("CREATE EXTENSION reasoning_graph")
    return database


def drop_database(database):
    database.close()
    with psycopg.connect(f"{SERVER} dbname=postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')


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
