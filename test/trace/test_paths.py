"""The strongest paths between two nodes, against all paths that there are."""

import json
import math
import random
import time

import psycopg
import pytest

import graphs
import processor_time
from graph_database import build_cache, connect
from graphs import CARRYING, hold, strength_of

PATHS = "SELECT path, step, node_id, edge_id, edge_strength, strength FROM reason.strongest_paths(%s, %s, %s, %s, %s) ORDER BY path, step"
# Beyond so many, a graph is no example.
MOST = 5000
READER = "paths_reader"


def small(rng):
    shape = rng.choice(graphs.SHAPES)
    while True:
        graph = graphs.make(rng, shape)
        if 2 <= len(graph.nodes) <= 13:
            return graph


@pytest.fixture(scope="module", params=["indexes", "cache"])
def stored(request, database):
    rng = random.Random(request.param)
    made = [small(rng) for _ in range(250)]
    for graph in made:
        for edge in graph.edges:
            edge.weight = rng.choice([0.0, 0.25, 0.5, 1.0, 2.0, -1.5])
            edge.confidence = rng.choice([None, None, 0.3, 0.7])
            if edge.confidence is not None:
                edge.metadata = json.dumps({"confidence": edge.confidence})
            if rng.random() < 0.5:
                edge.type = rng.choice(sorted(CARRYING))
    with connect(database) as db:
        db.execute(f"DO $$ BEGIN CREATE ROLE {READER} IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        graphs.store(db, made, rng)
        if request.param == "cache":
            db.execute("VACUUM ANALYZE reason.node, reason.edge")
            build_cache(db)
    return made


def all_paths(graph, cause, effect, types=None, as_of=None, hidden=()):
    """Every path without a node twice, the strongest first; None: there are too many."""
    leaving = {}
    for e in graph.edges:
        if e.type in (types or CARRYING) and all(as_of is None or r.created_at <= as_of for r in (e, e.source, e.target)) and not (
                {e.id, e.source.id, e.target.id} & set(hidden)):
            leaving.setdefault(e.source.id, []).append(e)
    found, waiting = [], [((), frozenset([cause.id]), cause.id)]
    while waiting:
        edges, visited, node = waiting.pop()
        if node == effect.id:
            found.append(edges)
            continue
        if len(found) > MOST or len(waiting) > MOST:
            return None
        waiting += [((*edges, e), visited | {e.target.id}, e.target.id) for e in leaving.get(node, ()) if e.target.id not in visited]
    return sorted(found, key=lambda edges: (-min((strength_of(e) for e in edges), default=math.inf), len(edges), [e.no for e in edges]))


def rows_of(paths, cause):
    rows = []
    for number, edges in enumerate(paths, 1):
        strength = min((strength_of(e) for e in edges), default=None)
        rows.append((number, 0, cause.id, None, None, strength))
        rows += [(number, step, e.target.id, e.id, strength_of(e), strength) for step, e in enumerate(edges, 1)]
    return rows


def test_they_are_the_strongest_of_all_paths(db, stored):
    rng = random.Random(7)
    seen = {"some": 0, "several": 0, "cut": 0, "of two strengths": 0}
    for graph in stored:
        for _ in range(3):
            cause, effect = rng.choice(graph.nodes), rng.choice(graph.nodes)
            types = rng.choice([None, None, ["causal", "contradicts", "corrects"], graphs.EDGE_TYPES])
            as_of = rng.choice([None, None, graphs.EPOCH.replace(second=6)])
            if as_of is not None and max(cause.created_at, effect.created_at) > as_of:
                as_of = None
            k = rng.choice([1, 2, 5, 1000])
            paths = all_paths(graph, cause, effect, types, as_of)
            if paths is None:
                continue
            rows = db.execute(PATHS, [cause.id, effect.id, k, types, as_of]).fetchall()
            assert rows == rows_of(paths[:k], cause), (cause.id, effect.id, k, types, as_of)
            seen["some"] += bool(paths)
            seen["several"] += len(paths) > 1
            seen["cut"] += len(paths) > k
            seen["of two strengths"] += len({row[5] for row in rows}) > 1
    assert min(seen.values()) > 20, seen


def test_none_leads_through_what_is_in_quarantine(own):
    with connect(own) as db:
        rng = random.Random(8)
        made = [small(rng) for _ in range(60)]
        graphs.store(db, made, rng)
        for graph in made:
            graph.hidden = rng.sample(graph.nodes, len(graph.nodes) // 4)
            hold(db, "node", graph.hidden)
            graph.hidden_edges = rng.sample(graph.edges, len(graph.edges) // 8)
            hold(db, "edge", graph.hidden_edges)
        db.execute(f"DO $$ BEGIN CREATE ROLE {READER} IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        db.execute(f"SET ROLE {READER}")
        for graph in made:
            cause, effect = rng.choice(graph.nodes), rng.choice(graph.nodes)
            if graph.hidden and {cause.id, effect.id} & {n.id for n in graph.hidden}:
                with pytest.raises(psycopg.errors.NoDataFound):
                    db.execute(PATHS, [cause.id, effect.id, 9, None, None])
                continue
            paths = all_paths(graph, cause, effect, hidden=[r.id for r in graph.hidden + graph.hidden_edges])
            if paths is not None:
                assert db.execute(PATHS, [cause.id, effect.id, 9, None, None]).fetchall() == rows_of(paths[:9], cause)


def test_none_leads_into_another_division(own):
    with connect(own) as db:
        here, there = (graphs.make(random.Random(i), "path") for i in (1, 2))
        graphs.store(db, [here])
        graphs.store(db, [there], division="elsewhere")
        ends = [here.nodes[0].id, there.nodes[0].id]
        assert db.execute(PATHS, [*ends, 1, None, None]).fetchall() == []
        db.execute(f"DO $$ BEGIN CREATE ROLE {READER} IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        db.execute(f"SET ROLE {READER}")
        with pytest.raises(psycopg.errors.NoDataFound):
            db.execute(PATHS, [*ends, 1, None, None])


def test_as_of_an_event_it_is_what_was_sealed_then(own):
    with connect(own) as db:
        def node():
            return db.execute("SELECT reason.add_node('observation', '1', 'test')").fetchone()[0]

        def edge(cause, effect, weight):
            db.execute("SELECT reason.add_edge(%s, %s, 'causal', %s)", [cause, effect, weight])

        def seal():
            db.execute("SELECT reason.seal_events(reason.acquire_lease('seal', 'test', '1 minute'), 1000)")
            return db.execute("SELECT max(seq) FROM reason.audit_seal WHERE division = 'default'").fetchone()[0]

        a, b, c = node(), node(), node()
        edge(a, b, 0.5)
        edge(b, c, 0.5)
        before = seal()
        edge(a, c, 0.9)
        seal()
        query = "SELECT DISTINCT path, strength FROM reason.strongest_paths(%s, %s, 9, as_of_seq => %s) ORDER BY path"
        assert db.execute(query, [a, c, None]).fetchall() == [(1, 0.9), (2, 0.5)]
        assert db.execute(query, [a, c, before]).fetchall() == [(1, 0.5)]


def ladder(db, rungs, wide):
    """A graph with wide ** rungs paths from its first node to its last."""
    count = rungs * (wide + 1) + 1
    edges = []
    for i in range(rungs):
        base = i * (wide + 1)
        edges += [(base, base + 1 + j, "causal") for j in range(wide)]
        edges += [(base + 1 + j, base + wide + 1, "causal") for j in range(wide)]
    nodes = graphs.stored_in_order(db, count, edges)
    return nodes[0], nodes[-1]


def test_many_are_found_without_all_being_looked_at(own):
    with connect(own) as db:
        first, last = ladder(db, 30, 4)         # 4 ** 30
        rows = db.execute(PATHS, [first, last, 500, None, None]).fetchall()
        assert len(rows) == 500 * 61
        assert len({tuple(row[3] for row in rows[i * 61:(i + 1) * 61]) for i in range(500)}) == 500


def test_where_nothing_else_leads_on_nothing_is_looked_for(own):
    """A chain: each of its edges could be left out, and none can be gone around. Sets for all of them would not go into memory."""
    with connect(own) as db:
        nodes = graphs.stored_in_order(db, 20000, [(i, i + 1, "causal") for i in range(19999)])
        ask = [nodes[0], nodes[-1]]
        db.execute("SET statement_timeout = '60s'")
        spent = {}
        for k in (1, 2, 1000):
            began = processor_time.seconds(db.info.backend_pid)
            assert db.execute("SELECT count(DISTINCT path), count(*) FROM reason.strongest_paths(%s, %s, %s)", [*ask, k]).fetchone() == (1, 20000)
            spent[k] = processor_time.seconds(db.info.backend_pid) - began
        assert max(spent[2], spent[1000]) < 3 * spent[1] + 0.2, spent


def test_they_are_found_from_the_smaller_side(own):
    """An effect with more causes than the search begins with, and a cause with few consequences."""
    with connect(own) as db:
        nodes = graphs.stored_in_order(db, 6003, [(i, 6002, "causal") for i in range(6000)] +
                                       [(6000, 6001, "supports"), (6001, 6002, "causal"), (6000, 6002, "causal"), (6000, 6001, "causal")])
        ids = [str(row[2]) for row in db.execute(PATHS, [nodes[6000], nodes[6002], 9, None, None])]
        a, b, c = nodes[6000], nodes[6001], nodes[6002]
        assert ids == [a, c, a, b, c, a, b, c]
        # The same by way of many causes and many consequences.
        db.execute("SELECT count(reason.add_edge(%s, n.id, 'causal')) FROM (SELECT id FROM reason.node WHERE id <> ALL (%s::uuid[]) LIMIT 5000) n",
                   [a, [a, b, c]])
        rows = db.execute("SELECT count(DISTINCT path), count(*) FROM reason.strongest_paths(%s, %s, 900)", [a, c]).fetchone()
        assert rows == (900, 2 + 899 * 3)


def test_a_search_can_be_canceled_and_is_bounded(own):
    with connect(own) as db:
        first, last = ladder(db, 3000, 4)
        db.execute("SET statement_timeout = '200ms'")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            db.execute(PATHS, [first, last, 1000, None, None])
        assert time.monotonic() - began < 20
        db.execute("RESET statement_timeout")
        db.execute("SET reason.trace_memory_limit = '3MB'")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="memory"):
            db.execute(PATHS, [first, last, 1000, None, None])
        db.execute("RESET reason.trace_memory_limit")
        assert len(db.execute(PATHS, [first, last, 2, None, None]).fetchall()) == 2 * 6001


def test_what_is_asked_must_make_sense(db, stored):
    node = stored[0].nodes[0].id
    for k in (0, -1, 1001):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="k must be"):
            db.execute(PATHS, [node, node, k, None, None])
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        db.execute(PATHS, [node, node, 1, ["causes"], None])
    assert db.execute(PATHS, [node, None, 1, None, None]).fetchall() == []
    assert db.execute(PATHS, [node, node, 5, None, None]).fetchall() == [(1, 0, node, None, None, None)]
