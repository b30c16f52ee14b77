"""Traces of random graphs against the plain reference: every shape, every filter."""

import os
import random

import pytest

import graphs
from adjacency_cache import vacuum
from graph_database import build_cache, connect
from graphs import arguments

ROUNDS = int(os.environ.get("REASON_TRACE_ROUNDS", "120"))


def split(graph, rng):
    """What comes first, and what is added later: nodes, and edges between old, new and both."""
    early = [node for node in graph.nodes if rng.random() < 0.6]
    ids = {node.id for node in early}
    edges = [e for e in graph.edges if e.source.id in ids and e.target.id in ids and rng.random() < 0.6]
    kept = {e.id for e in edges}
    return (graphs.Graph(early, edges),
            graphs.Graph([n for n in graph.nodes if n.id not in ids], [e for e in graph.edges if e.id not in kept]))


DIVISIONS = ["default", "d", "of a long name, which is stored in another way: " * 3]


def store(db, made, rng):
    for i, division in enumerate(DIVISIONS):
        graphs.store(db, made[i::len(DIVISIONS)], rng, division)


@pytest.fixture(scope="module", params=["fresh", "changed", "vacuumed", "cached", "cached and changed", "cached, changed and vacuumed"])
def stored(request, database):
    """Graphs side by side in one database, so that walks pass by each other's entries."""
    rng = random.Random(request.param)
    made = [graphs.make(rng, shape) for _ in range(ROUNDS) for shape in graphs.SHAPES]
    with connect(database) as db:
        if request.param in ("fresh", "vacuumed", "cached"):
            store(db, made, rng)
        else:
            parts = [split(graph, rng) for graph in made]
            store(db, [early for early, _ in parts], rng)
            vacuum(db)
            if "cached" in request.param:
                build_cache(db)
            store(db, [late for _, late in parts], rng)
        if request.param in ("vacuumed", "cached", "cached, changed and vacuumed"):
            vacuum(db)
        if request.param == "cached":
            build_cache(db)
    return made


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
