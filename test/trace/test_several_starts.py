"""Traces from several nodes at once, and their sizes, against the plain reference."""

import random

import psycopg
import pytest

import graphs
from adjacency_cache import vacuum
from graph_database import build_cache, connect
from graphs import hold

ROUNDS = 60
FROM = "SELECT * FROM reason.trace_from(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
NODES = "SELECT nodes FROM reason.trace_size(%s, %s, %s, %s, %s, %s, %s, %s)"
READER = "starts_reader"


@pytest.fixture(scope="module", params=["walked", "cached", "cached and changed"])
def stored(request, database):
    rng = random.Random(request.param)
    made = [graphs.make(rng, shape) for _ in range(ROUNDS) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made[::2], rng)
        vacuum(db)
        if request.param == "cached and changed":
            build_cache(db)
        graphs.store(db, made[1::2], rng)
        if request.param != "cached and changed":
            vacuum(db)
        if request.param == "cached":
            build_cache(db)
        db.execute(f"DO $$ BEGIN CREATE ROLE {READER} IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    return made


def ask(rng, graph):
    starts = [rng.choice(graph.nodes) for _ in range(rng.choice([1, 2, 3, 5]))]
    f = graphs.random_filter(rng)
    if f.as_of is not None:
        f.as_of = max(f.as_of, *(n.created_at for n in starts), graphs.EPOCH)
    return starts, rng.choice(["ancestors", "descendants"]), f


def arguments(starts, direction, f):
    return [[n.id for n in starts], *graphs.arguments(starts[0], direction, f)[1:]]


def test_a_trace_from_several_nodes_equals_the_reference(db, stored):
    rng = random.Random(5)
    seen = {"cycle": 0, "reached from a second": 0}
    for graph in stored:
        starts, direction, f = ask(rng, graph)
        expected, _ = graphs.reference(graph, starts, direction, f)
        for scan in ("on", "off"):
            db.execute(f"SET reason.enable_tracescan = {scan}")
            assert db.execute(FROM, arguments(starts, direction, f)).fetchall() == expected, (starts, direction, f)
        alone, _ = graphs.reference(graph, starts[0], direction, f)
        seen["cycle"] += any(row[5] for row in expected)
        seen["reached from a second"] += len(expected) > len(alone) + 1
    assert min(seen.values()) > 20
    db.execute("RESET reason.enable_tracescan")


def test_a_size_without_its_edges_counts_the_same_nodes(db, stored):
    rng = random.Random(6)
    for graph in stored:
        (start, *_), direction, f = ask(rng, graph)
        f.max_nodes = None
        expected, _ = graphs.reference(graph, start, direction, f)
        assert db.execute(NODES, graphs.arguments(start, direction, f)[:-1]).fetchone() == (len(expected),), (direction, f)


def test_a_size_without_its_edges_leaves_the_last_level_alone(db, stored):
    """What its name says in EXPLAIN: a plan node that knows what is asked for."""
    node = stored[0].nodes[0].id

    def plan(columns):
        return "\n".join(row[0] for row in db.execute(f"EXPLAIN (COSTS OFF) SELECT {columns} FROM reason.trace_size('{node}', max_depth => 2)"))

    assert "TraceSizeScan" in plan("nodes") and "TraceSizeScan" in plan("edges, nodes")
    assert db.execute("SELECT s FROM reason.trace_size(%s) s", [node]).fetchone()
    assert db.execute("SELECT nodes FROM reason.trace_size(NULL)").fetchall() == [(None,)]
    asked = db.execute("SELECT i, s.nodes FROM generate_series(0, 3) i, LATERAL reason.trace_size(%s, max_depth => i) s ORDER BY i", [node]).fetchall()
    assert asked == [(i, db.execute("SELECT count(*) FROM reason.trace(%s, max_depth => %s)", [node, i]).fetchone()[0]) for i in range(4)]


def test_what_is_in_quarantine_is_no_start_and_not_reached(own):
    with connect(own) as db:
        graph = graphs.make(random.Random(9), "dag")
        while len(graph.nodes) < 13:
            graph = graphs.make(random.Random(len(graph.edges) + 10), "dag")
        graphs.store(db, [graph])
        hidden = graph.nodes[3]
        hold(db, "node", [hidden])
        db.execute(f"DO $$ BEGIN CREATE ROLE {READER} IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        db.execute(f"SET ROLE {READER}")
        rest = graphs.Graph([n for n in graph.nodes if n is not hidden], [e for e in graph.edges if hidden not in (e.source, e.target)])
        starts = [rest.nodes[-1], rest.nodes[-2]]
        expected, _ = graphs.reference(rest, starts, "ancestors", graphs.Filter())
        assert db.execute(FROM, arguments(starts, "ancestors", graphs.Filter())).fetchall() == expected
        with pytest.raises(psycopg.errors.NoDataFound):
            db.execute(FROM, arguments([starts[0], hidden], "ancestors", graphs.Filter()))


def test_the_nodes_must_be_there_and_of_one_division(own):
    with connect(own) as db:
        here, there = (graphs.Graph([graphs.make(random.Random(i), "path").nodes[0]], []) for i in (1, 2))
        graphs.store(db, [here], division="default")
        graphs.store(db, [there], division="elsewhere")
        both = [here.nodes[0].id, there.nodes[0].id]
        assert len(db.execute("SELECT FROM reason.trace_from(%s)", [both[:1]]).fetchall()) == 1
        assert len(db.execute("SELECT FROM reason.trace_from(%s, division => 'elsewhere')", [both[1:]]).fetchall()) == 1
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="one division"):
            db.execute("SELECT FROM reason.trace_from(%s)", [both])
        with pytest.raises(psycopg.errors.NoDataFound):
            db.execute("SELECT FROM reason.trace_from(%s, division => 'elsewhere')", [both])
        with pytest.raises(psycopg.errors.NullValueNotAllowed):
            db.execute("SELECT FROM reason.trace_from(ARRAY[%s, NULL]::uuid[])", [both[0]])
        # Whom row security keeps from a division it keeps from this as well.
        db.execute(f"SET ROLE {READER}")
        with pytest.raises(psycopg.errors.NoDataFound):
            db.execute("SELECT FROM reason.trace_from(%s)", [both])
        assert db.execute("SELECT FROM reason.trace_from('{}')").fetchall() == []
        assert db.execute("SELECT FROM reason.trace_from(NULL)").fetchall() == []
