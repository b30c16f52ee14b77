"""Writes to nodes whose index entries are worn: many of them dead, left by erasures, updates and transactions that failed.

A scan that comes upon dead entries remembers them until it moves on, so this is what batches meet in a database that is not new.
"""
import json

import pytest

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
    return db("""SELECT no, event_type FROM reason.audit_event e
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
