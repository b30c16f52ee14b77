"""A database of the shared server in which the sidecar's part is played by hand: seals, signatures, completions."""

import psycopg

import fresh_database
from shared_server import conninfo
from signer import Signer


class Database:
    """A connection, and what the sidecar does around it."""

    def __init__(self, name, server=None):
        self.name = name
        self.dsn = (server.conninfo if server else conninfo)(name)
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
    """With options of its own, the extension is installed anew; else a database that has it is copied."""
    fresh_database.drop_database(conninfo, name)
    if extension and not options:
        fresh_database.create_database(conninfo, name)
    else:
        with psycopg.connect(conninfo(), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY {options}')
    database = Database(name)
    if extension:
        database("SET client_min_messages = warning")
    if extension and options:
        database("CREATE EXTENSION reasoning_graph")
    return database


def drop_database(database):
    database.close()
    fresh_database.drop_database(conninfo, database.name)
