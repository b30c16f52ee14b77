"""Traces of random graphs against the plain reference: every shape, every filter."""

import random

import pytest

import graphs

ROUNDS = 250


@pytest.fixture(scope="module", params=["fresh", "vacuumed"])
def stored(request, database):
    """Graphs side by side in one database, so that walks pass by each other's entries."""
    from conftest import connect

    rng = random.Random(request.param)
    made = [graphs.make(rng, shape) for _ in range(ROUNDS) for shape in graphs.SHAPES]
    with connect(database) as db:
        for i in range(0, len(made), 300):
            graphs.store(db, made[i:i + 300], rng)
        if request.param == "vacuumed":
            db.execute("VACUUM reason.node, reason.edge")
    return made


def arguments(node, direction, f):
    return [node.id, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of, f.max_nodes]


def test_trace_equals_the_reference(db, stored):
    rng = random.Random(1)
    for graph in stored:
        for direction in ["ancestors", "descendants"]:
            start = rng.choice(graph.nodes)
            f = graphs.random_filter(rng)
            if f.as_of is not None and start.created_at > f.as_of:
                f.as_of = start.created_at
            expected, inside = graphs.reference(graph, start, direction, f)
            rows = db.execute(
                "SELECT * FROM reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s)", arguments(start, direction, f)
            ).fetchall()
            assert rows == expected, (direction, f)
            if f.max_nodes is None:
                size = db.execute(
                    "SELECT * FROM reason.trace_size(%s, %s, %s, %s, %s, %s, %s, %s)", arguments(start, direction, f)[:-1]
                ).fetchone()
                assert size == (len(expected), len(inside)), (direction, f)


def test_causal_path_is_a_shortest_chain(db, stored):
    rng = random.Random(2)
    for graph in stored[::2]:
        cause, effect = rng.choice(graph.nodes), rng.choice(graph.nodes)
        rows, _ = graphs.reference(graph, effect, "ancestors", graphs.Filter())
        depth = {row[2]: row[1] for row in rows}
        path = db.execute("SELECT * FROM reason.causal_path(%s, %s)", [cause.id, effect.id]).fetchall()
        if cause.id not in depth:
            assert path == []
            continue
        assert [row[0] for row in path] == list(range(depth[cause.id] + 1))
        assert path[0][1:] == (cause.id, None)
        assert path[-1][1] == effect.id
        edges = {e.id: e for e in graph.edges}
        for before, after in zip(path, path[1:]):
            assert edges[after[2]].source.id == before[1] and edges[after[2]].target.id == after[1]
