"""A database with the extension in which things are written, while a real sidecar works on it."""

import uuid

import psycopg

from fresh_database import create_database
from wait import wait_for

SIGNER_ID = "test-signer"


class Database:
    """A database with the extension, a signer that is registered, and a login role for the sidecar."""

    def __init__(self, server, name, public_key):
        self.server = server
        self.name = name
        create_database(server.conninfo, name)
        self.connection = self.connect()
        self.connection.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sidecar') THEN "
                                "CREATE ROLE sidecar LOGIN IN ROLE reason_sidecar; END IF; END $$")
        self.connection.execute("SELECT reason.add_signer(%s, %s)", (SIGNER_ID, public_key))

    def connect(self):
        return psycopg.connect(self.server.conninfo(self.name, "postgres"), autocommit=True)

    def value(self, query, *parameters):
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def rows(self, query, *parameters):
        return self.connection.execute(query, parameters).fetchall()

    def node(self, text="a thought", division="default"):
        return self.value("SELECT reason.add_node('observation', jsonb_build_object('text', %s::text), 'tester', %s)", text, division)

    def nodes(self, count, division="default"):
        self.value("SELECT count(reason.add_node('observation', jsonb_build_object('n', n), 'tester', %s)) "
                   "FROM generate_series(1, %s) n", division, count)

    def large_snapshot(self, megabytes):
        """Of a chain of nodes as large as they may be; a little more than so many MiB."""
        root = self.value("SELECT reason.add_node('observation', jsonb_build_object('text', repeat('it rains ', 28000)), 'tester')")
        for _ in range(megabytes * 1024 // 243 + 1):
            child = self.value("SELECT reason.add_node('observation', jsonb_build_object('text', repeat(%s, 7800)), 'tester')", uuid.uuid4().hex)
            self.value("SELECT reason.add_edge(%s, %s, 'causal')", root, child)
            root = child
        snapshot = self.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], depth => 10000, audience => 'internal')", root)
        assert self.value("SELECT size_bytes FROM reason.snapshot WHERE id = %s", snapshot) > megabytes * 1024 * 1024
        return snapshot

    def snapshot(self, *roots):
        return self.value("SELECT reason.create_snapshot(%s::uuid[])", [str(root) for root in roots])

    def waiting(self):
        """Events without a signature."""
        return self.value("SELECT (SELECT count(*) FROM reason.audit_event) - (SELECT count(*) FROM reason.audit_signature)")

    def settled(self, seconds=15):
        wait_for(lambda: self.waiting() == 0, seconds, "sealing and signing")

    def status(self, snapshot):
        return self.value("SELECT status FROM reason.snapshot WHERE id = %s", snapshot)

    def completed(self, snapshot, seconds=15):
        wait_for(lambda: self.status(snapshot) == "complete", seconds, f"completion of snapshot {snapshot}")

    def verified(self, division="default"):
        ok, detail = self.rows("SELECT ok, detail FROM reason.verify_audit(%s)", division)[0]
        assert ok, detail
        return True
