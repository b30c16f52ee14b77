"""Indexes that are rebuilt while they are used: REINDEX CONCURRENTLY gives the name of one to another.

    REASON_REINDEX_ROUNDS=3    how often all indexes are rebuilt under load, the chain growing meanwhile; 1 unless given
"""
import json
import os
import threading
import time

import pytest

from sealing import Database

ROUNDS = int(os.environ.get("REASON_REINDEX_ROUNDS", "1"))
DEPTH = 60


def add_chain(db, length):
    nodes = [node for node, in db("SELECT reason.add_nodes(%s::json)", json.dumps(
        {"nodes": [{"type": "observation", "author": "ada", "payload": n} for n in range(length)]}))]
    db("SELECT reason.add_edges(%s::json)", json.dumps(
        {"edges": [{"from": str(cause), "to": str(effect), "type": "causal"} for cause, effect in zip(nodes, nodes[1:])]}))
    return nodes


@pytest.fixture(scope="module")
def chain(db):
    return add_chain(db, DEPTH)


def indexes(db):
    return [name for name, in db("SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indrelid"
                                 " WHERE relnamespace = 'reason'::regnamespace AND relkind = 'r' ORDER BY 1")]


def wait_for_lock(db, session):
    deadline = time.monotonic() + 60
    while not db.one("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", session.connection.info.backend_pid):
        assert time.monotonic() < deadline, "nobody waits for the index"
        time.sleep(0.01)


USES = {
    "node_pkey": "SELECT count(*) FROM reason.trace(%s)",
    "edge_pkey": "SELECT count(edge_id) FROM reason.trace(%s)",
    "edge_to_idx": "SELECT count(*) FROM reason.trace(%s)",
    "edge_from_idx": "SELECT count(*) FROM reason.trace(%s, 'descendants')",
    "node_id_key": "SELECT count(*) FROM reason.trace(%s)",
}


@pytest.mark.parametrize("index", USES)
def test_an_index_that_loses_its_name_while_it_is_waited_for_is_looked_up_again(db, chain, index):
    """What REINDEX CONCURRENTLY does at its end, at the worst moment: the old index is no longer valid, the new one has its name."""
    definition = db.one("SELECT pg_get_indexdef(%s::regclass)", f"reason.{index}")
    db(definition.replace(f"INDEX {index} ", "INDEX spare "))
    user = Database(db.name)
    user("SET reason.adjacency_cache = off")
    answer = []
    thread = threading.Thread(target=lambda: answer.append(user.one(USES[index], chain[DEPTH // 2])))
    try:
        with db.connection.transaction():
            db(f"REINDEX INDEX reason.{index}")
            thread.start()
            with Database(db.name).connection as other:
                watcher = Database.__new__(Database)
                watcher.connection = other
                wait_for_lock(watcher, user)
            db(f"ALTER INDEX reason.{index} RENAME TO worn")
            db(f"ALTER INDEX reason.spare RENAME TO {index}")
            db("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'reason.worn'::regclass")
        thread.join(60)
        assert answer and answer[0] >= DEPTH // 2 - 1
    finally:
        user.close()
        db("UPDATE pg_index SET indisvalid = true WHERE indexrelid = to_regclass('reason.worn')")
        db(f"ALTER INDEX reason.{index} RENAME TO spare")
        db(f"ALTER INDEX reason.worn RENAME TO {index}")
        db("DROP INDEX reason.spare")


def test_an_index_that_is_not_valid_is_not_used(db, chain):
    """CREATE INDEX CONCURRENTLY that failed leaves one that lacks rows."""
    for index, use in (("node_id_key", "SELECT reason.annotate(%s, 'note')"), ("edge_to_idx", "SELECT count(*) FROM reason.trace(%s)")):
        with db.connection.transaction(force_rollback=True):
            db("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", f"reason.{index}")
            db("SET LOCAL reason.adjacency_cache = off")
            with pytest.raises(Exception, match=f"index reason.{index} is not valid"):
                db(use, chain[-1])


class Load:
    """Sessions that do something over and over until told to stop; what fails is kept."""

    def __init__(self, name):
        self.name = name
        self.done = threading.Event()
        self.faults = []
        self.threads = []

    def run(self, action):
        database = Database(self.name)
        times = 0
        try:
            database("SET reason.adjacency_cache = off")
            while not self.done.is_set() or times == 0:
                action(database)
                times += 1
        except Exception as error:
            self.faults.append(error)
        finally:
            database.close()

    def start(self, *actions):
        for action in actions:
            self.threads.append(threading.Thread(target=self.run, args=(action,)))
            self.threads[-1].start()

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()


def test_everything_goes_on_while_all_indexes_are_rebuilt(db, chain):
    def trace(session):
        assert len(session("SELECT * FROM reason.trace(%s)", chain[-1])) == DEPTH
        assert len(session("SELECT * FROM reason.ordered_trace(%s)", chain[-1])) == 2 * DEPTH - 1

    def write(session):
        nodes = add_chain(session, 20)
        session("SELECT reason.annotate(%s, 'seen')", nodes[0])
        session("SELECT reason.erase_payload(%s, 'asked for')", nodes[1])

    def freeze(session):
        snapshot = session.one("SELECT reason.create_snapshot(%s)", [chain[-1]])
        assert session.verify_snapshot(snapshot)["graph_ok"]

    def settle(session):
        session.settle()
        assert session.verify()["ok"], session.verify()

    load = Load(db.name)
    load.start(trace, trace, write, freeze, settle)
    try:
        for _ in range(ROUNDS):
            for index in indexes(db):
                if not load.faults:
                    db(f"REINDEX INDEX CONCURRENTLY {index}")
    finally:
        load.stop()
    assert load.faults == []
    db.settle()
    assert db.verify()["ok"]
