"""What a session remembers of index pages must never show: pages split, tables are emptied and rebuilt under it."""

import random
import uuid

import pytest

import graphs
from graph_database import build_cache, connect


def chain(db, rng, length):
    """A path of new nodes, and traces from all along it: enough for the session to remember pages."""
    nodes = [graphs.Node(uuid.UUID(int=rng.getrandbits(128)), graphs.EPOCH) for _ in range(length)]
    edges = [graphs.Edge(uuid.UUID(int=rng.getrandbits(128)), a, b, graphs.EPOCH) for a, b in zip(nodes, nodes[1:])]
    graphs.store(db, [graphs.Graph(nodes, edges)], rng)
    return nodes


def check(db, nodes, rng, count=30):
    for i in [0, len(nodes) - 1] + [rng.randrange(len(nodes)) for _ in range(count)]:
        assert db.execute("SELECT nodes FROM reason.trace_size(%s)", [nodes[i].id]).fetchone()[0] == i + 1
        ids = db.execute("SELECT node_id FROM reason.trace(%s)", [nodes[i].id]).fetchall()
        assert [row[0] for row in ids] == [n.id for n in reversed(nodes[: i + 1])]


def test_pages_split_under_a_session(db, database):
    rng = random.Random(1)
    known = chain(db, rng, 2000)
    check(db, known, rng)
    with connect(database) as writer:
        for _ in range(5):
            fresh = chain(writer, rng, 3000)
            check(db, known, rng, 5)
            check(db, fresh, rng, 5)


@pytest.mark.parametrize("change", ["TRUNCATE reason.node, reason.edge, reason.audit_event", "REINDEX TABLE reason.edge",
                                    "VACUUM FULL reason.edge", "CLUSTER reason.node USING node_id_key"])
@pytest.mark.parametrize("cached", [False, True], ids=["walked", "cached"])
def test_tables_are_rebuilt_under_a_session(database, change, cached):
    rng = random.Random(change)
    with connect(database) as db, connect(database) as other:
        nodes = chain(db, rng, 3000)
        check(db, nodes, rng)
        if cached:
            db.execute("VACUUM reason.node, reason.edge")
            build_cache(db)
            check(db, nodes, rng)
        other.execute("SET session_replication_role = replica")
        other.execute(change)
        if change.startswith("TRUNCATE"):
            assert db.execute("SELECT count(*) FROM reason.node").fetchone()[0] == 0
            nodes = chain(db, rng, 50)
        check(db, nodes, rng)


def test_a_table_as_young_as_the_transaction_is_emptied_in_place():
    name = f"trace_{uuid.uuid4().hex[:12]}"
    with connect("postgres") as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        rng = random.Random(2)
        with connect(name) as db, db.transaction():
            db.execute("CREATE EXTENSION reasoning_graph")
            check(db, chain(db, rng, 3000), rng)
            db.execute("SET LOCAL session_replication_role = replica")
            db.execute("TRUNCATE reason.node, reason.edge")
            check(db, chain(db, rng, 40), rng)
    finally:
        with connect("postgres") as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
