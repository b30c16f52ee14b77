"""Writes to nodes whose index entries are worn: many of them dead, left by erasures, updates and transactions that failed.

A scan that comes upon dead entries remembers them until it moves on, so this is what batches meet in a database that is not new.

    REASON_WORN_STEPS=150    steps of each session of the storm; 4 unless given
    REASON_WORN_SEED=7       of its random numbers
"""
import json
import os
import random
import threading

import pytest

from sealing import Database

STEPS = int(os.environ.get("REASON_WORN_STEPS", "4"))
SEED = int(os.environ.get("REASON_WORN_SEED", "20261129"))
SESSIONS = 4

SIZES = (1, 65, 200)


def add_nodes(db, count, **more):
    records = [{"type": "observation", "author": "ada", "payload": {"n": n, "text": "x" * (n % 90)}, **more} for n in range(count)]
    return [node for node, in db("SELECT reason.add_nodes(%s::json)", json.dumps({"nodes": records}))]


def add_edges(db, pairs):
    records = [{"from": str(cause), "to": str(effect), "type": "causal", "metadata": {"why": "y" * (n % 50)}} for n, (cause, effect) in enumerate(pairs)]
    return [edge for edge, in db("SELECT reason.add_edges(%s::json)", json.dumps({"edges": records}))]


def worn_nodes(db, count):
    """Nodes with two index entries each, one of them dead: their rows lie in full pages, so that other versions lie elsewhere."""
    nodes = add_nodes(db, count)
    for erased, failing in (nodes[::2], False), (nodes[1::2], True):
        with db.connection.transaction(force_rollback=failing):
            db("SELECT reason.erase_payload(node, 'asked for') FROM unnest(%s::uuid[]) node", erased)
    return nodes


def unreadable(db):
    """Events that are not the canonical JSON of what they say they record."""
    return db("""SELECT no, event_type FROM (SELECT no, id, event_type, reason.event_payload(a) AS payload FROM reason.audit_event a) e
                 WHERE payload::text IS DISTINCT FROM reason.canonical_json(payload)
                    OR payload::jsonb ->> 'eventType' IS DISTINCT FROM event_type OR payload::jsonb ->> 'id' IS DISTINCT FROM id::text""")


def events(db):
    return [event for event, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq")]


def check_everything(db, make_database, name):
    assert unreadable(db) == []
    db.settle()
    verified = db.verify()
    assert verified["ok"], verified
    copy = make_database(name)
    with copy.connection.transaction():
        assert all(copy.one("SELECT reason.replay(%s::json)", event) for event in events(db))
    assert copy.verify() == verified


@pytest.fixture
def worn(make_database):
    """A database of its own, whose dead entries nobody clears away behind the test's back."""
    database = make_database("trust_worn")
    database("SELECT reason.add_signer(%s, %s)", database.signer.name, database.signer.public.raw.hex())
    for table in ("node", "edge", "annotation", "audit_event"):
        database(f"ALTER TABLE reason.{table} SET (autovacuum_enabled = off)")
    return database


def test_batches_that_name_worn_nodes_are_recorded_whole(worn, make_database):
    written = 0
    for size in SIZES:
        # Enough that dead entries are met all through the batch.
        causes, effects = worn_nodes(worn, size), worn_nodes(worn, size)
        assert len(set(add_edges(worn, list(zip(causes, effects))))) == size
        assert len(set(add_edges(worn, list(zip(effects, causes))))) == size
        for node in worn_nodes(worn, 8):
            worn("SELECT reason.annotate(%s, 'seen')", node)
        written += 2 * size
    assert worn.one("SELECT count(*) FROM reason.edge e JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no") == written
    check_everything(worn, make_database, "trust_worn_copy")


class Writer:
    """A session that writes, erases, fails and vacuums by turns; only what it wrote itself is erased by it."""

    def __init__(self, name, shared, number):
        self.db = Database(name)
        self.shared = shared
        self.own = []
        self.random = random.Random(SEED * SESSIONS + number)
        self.name = f"worn-{number}"

    def some(self, nodes, most):
        return self.random.choices(nodes, k=self.random.randint(1, most))

    def write(self):
        """Nodes, edges between any, and notes; returns the nodes."""
        nodes = add_nodes(self.db, self.random.choice((1, 2, 63, 64, 65, 100)))
        ends = self.shared + self.own + nodes
        add_edges(self.db, list(zip(self.some(ends, 1) * 130, self.random.choices(ends, k=self.random.choice((1, 64, 129))))))
        for node in self.some(ends, 4):
            self.db("SELECT reason.annotate(%s, 'seen')", node)
        return nodes

    def commit(self):
        nodes = self.write()
        self.own += nodes[::2]
        self.shared += nodes[1::2]

    def fail(self):
        with self.db.connection.transaction(force_rollback=True):
            self.write()

    def erase(self, failing=False):
        with self.db.connection.transaction(force_rollback=failing):
            self.db("SELECT reason.erase_payload(node, 'asked for') FROM unnest(%s::uuid[]) node", list(set(self.some(self.own, 60))))

    def erase_in_vain(self):
        self.erase(failing=True)

    def go_back_in_part(self):
        with self.db.connection.transaction():
            kept = self.write()
            with self.db.connection.transaction(force_rollback=True):
                self.write()
                self.erase()
            self.write()
        self.own += kept

    def prepare(self):
        for outcome in ("COMMIT", "ROLLBACK"):
            self.db("BEGIN")
            self.write()
            self.db(f"PREPARE TRANSACTION '{self.name}'")
            add_nodes(self.db, 3)
            self.db(f"{outcome} PREPARED '{self.name}'")

    def vacuum(self):
        self.db(f"VACUUM (INDEX_CLEANUP ON) reason.{self.random.choice(('node', 'edge', 'annotation', 'audit_event'))}")

    def run(self, faults):
        try:
            self.commit()
            for _ in range(STEPS):
                self.random.choice((self.commit, self.fail, self.erase, self.erase_in_vain, self.go_back_in_part, self.prepare, self.vacuum))()
        except Exception as error:
            faults.append(error)
        finally:
            self.db.close()


def test_a_storm_of_sessions_on_worn_tables_leaves_everything_whole(worn, make_database):
    faults = []
    shared = worn_nodes(worn, 100)
    writers = [Writer(worn.name, shared, number) for number in range(SESSIONS)]
    threads = [threading.Thread(target=writer.run, args=(faults,)) for writer in writers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        worn.settle()
        if not worn.verify()["ok"]:
            break
    for thread in threads:
        thread.join()
    assert faults == []
    check_everything(worn, make_database, "trust_worn_storm_copy")
