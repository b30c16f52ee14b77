"""A trace sees what a plain query in the same place would see."""

import random

import psycopg
import pytest

from graph_database import build_cache, connect

CLOSURE = """
    WITH RECURSIVE closure (no) AS (
        SELECT no FROM reason.node WHERE id = %(id)s
        UNION
        SELECT e.from_no FROM closure c JOIN reason.edge e ON e.to_no = c.no
    )
    SELECT n.id FROM closure c JOIN reason.node n USING (no) ORDER BY n.id
"""
TRACED = "SELECT node_id FROM reason.trace(%(id)s) ORDER BY node_id"
ALL_MEET = "types => '{observation}', edge_types => '{causal}', min_weight => 0.5, as_of => 'infinity'"
FILTERED = f"SELECT node_id FROM reason.trace(%(id)s, {ALL_MEET}) ORDER BY node_id"
ORDERED = "SELECT id FROM reason.ordered_trace(%(id)s) WHERE entity_type = 'node' ORDER BY id"


def node(db):
    return db.execute("SELECT reason.add_node('observation', '{}', 'me')").fetchone()[0]


def edge(db, a, b):
    db.execute("SELECT reason.add_edge(%s, %s, 'causal')", [a, b])


def traced(db, start):
    found = db.execute(TRACED, {"id": start}).fetchall()
    assert found == db.execute(CLOSURE, {"id": start}).fetchall()
    assert found == db.execute(ORDERED, {"id": start}).fetchall()
    assert db.execute("SELECT nodes FROM reason.trace_size(%s)", [start]).fetchone()[0] == len(found)
    # Conditions that all meet, and one that no edge does.
    assert found == db.execute(FILTERED, {"id": start}).fetchall()
    assert db.execute("SELECT nodes, edges FROM reason.trace_size(%s, edge_types => '{supports}')", [start]).fetchone() == (1, 0)
    return len(found)


@pytest.fixture
def other(database):
    with connect(database) as connection:
        yield connection


@pytest.fixture(params=["fresh", "all-visible", "cached", "cached and off"])
def start(request, db, other):
    effect = node(db)
    edge(db, node(db), effect)
    if request.param != "fresh":
        db.execute("VACUUM reason.node, reason.edge")
    if request.param.startswith("cached"):
        build_cache(db)
    if request.param.endswith("off"):
        for connection in (db, other):
            connection.execute("SET reason.adjacency_cache = off")
    return effect


def test_own_uncommitted_rows_are_seen_by_oneself_only(db, other, start):
    with db.transaction():
        edge(db, node(db), start)
        assert traced(db, start) == 3
        assert traced(other, start) == 2
    assert traced(other, start) == 3


def test_aborted_rows_are_never_seen(db, other, start):
    with db.transaction(force_rollback=True):
        edge(db, node(db), start)
        assert traced(db, start) == 3
    assert traced(db, start) == traced(other, start) == 2


def test_savepoints(db, other, start):
    with db.transaction():
        with db.transaction(force_rollback=True):
            edge(db, node(db), start)
            assert traced(db, start) == 3
        assert traced(db, start) == 2
        with db.transaction():
            edge(db, node(db), start)
        assert traced(db, start) == 3
        assert traced(other, start) == 2
    assert traced(other, start) == 3


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_old_snapshot_stays(db, other, start, level):
    other.execute(f"BEGIN ISOLATION LEVEL {level}")
    assert traced(other, start) == 2
    edge(db, node(db), start)
    db.execute("VACUUM reason.node, reason.edge")
    assert traced(other, start) == 2
    other.execute("COMMIT")
    assert traced(other, start) == 3


def test_a_prepared_transaction_is_seen_once_committed(db, other, start):
    name = f"prepared_{random.getrandbits(40)}"
    db.execute("BEGIN")
    edge(db, node(db), start)
    db.execute(f"PREPARE TRANSACTION '{name}'")
    assert traced(db, start) == traced(other, start) == 2
    other.execute(f"COMMIT PREPARED '{name}'")
    assert traced(db, start) == traced(other, start) == 3


def test_a_cursor_keeps_its_snapshot(db, other, start):
    with db.transaction():
        db.execute("DECLARE kept CURSOR FOR SELECT count(*) FROM reason.trace(%s)" % f"'{start}'")
        edge(other, node(other), start)
        assert db.execute("FETCH kept").fetchone()[0] == 2
        assert traced(db, start) == 3


def test_write_skew_through_traces_is_refused(db, other, start):
    """Each adds a cause to the other's node after seeing that it has none: one must fail."""
    a, b = node(db), node(db)
    cause = node(db)
    for connection in (db, other):
        connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    assert db.execute("SELECT count(*) FROM reason.trace(%s)", [b]).fetchone()[0] == 1
    assert other.execute("SELECT count(*) FROM reason.trace(%s)", [a]).fetchone()[0] == 1
    with pytest.raises(psycopg.errors.SerializationFailure):
        edge(db, cause, a)
        edge(other, cause, b)
        db.execute("COMMIT")
        other.execute("COMMIT")
    for connection in (db, other):
        connection.execute("ROLLBACK")


def test_erased_nodes_stay_in_the_trace(db, start):
    db.execute("SELECT reason.erase_payload(%s, 'asked for')", [start])
    assert traced(db, start) == 2
    text = db.execute("SELECT reason.node_json(%s, '{*}', false)", [start]).fetchone()[0]
    assert '"erased":true' in text and '"payload":null' in text


def test_erased_nodes_are_found_where_vacuum_left_them(db, start):
    """The place that the index knows leads to that of the new version."""
    for id, in db.execute(TRACED, {"id": start}).fetchall():
        db.execute("SELECT reason.erase_payload(%s, 'asked for')", [id])
    db.execute("VACUUM reason.node, reason.edge")
    assert traced(db, start) == 2
