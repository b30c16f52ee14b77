"""What rests on a node, in random graphs and in stories, against a plain reference."""

import datetime
import json
import math
import random

import pytest

import graphs
from graph_database import build_cache, connect
from graphs import CARRYING, strength_of


@pytest.fixture(scope="module", params=["indexes", "cache"])
def stored(request, database):
    rng = random.Random(request.param)
    made = [graphs.make(rng, shape) for _ in range(50) for shape in graphs.SHAPES]
    for graph in made:
        for node in graph.nodes:
            node.type = rng.choice(["decision", "observation", "score"])
        for edge in graph.edges:
            edge.weight = rng.choice([0.0, 0.25, 0.5, 1.0, 2.0, -1.5])
            edge.confidence = rng.choice([None, None, 0.3, 0.7])
            if edge.confidence is not None:
                edge.metadata = json.dumps({"confidence": edge.confidence})
    with connect(database) as db:
        graphs.store(db, made, rng)
        if request.param == "cache":
            db.execute("VACUUM ANALYZE reason.node, reason.edge")
            build_cache(db)
    return made


def answer(db, node, **options):
    given = "".join(f', "{name}" => %s' for name in options)
    return json.loads(db.execute(f"SELECT reason.impact_json(%s, '{{*}}', false{given})", [node, *options.values()]).fetchone()[0])


# ---------------------------------------------------------------- the reference

def closure(start, links, without=None):
    found, waiting = {start}, [start]
    while waiting:
        for other in links.get(waiting.pop(), ()):
            if other not in found and other != without:
                found.add(other)
                waiting.append(other)
    return found


def reference(graph, start, most=None, as_of=None):
    """Rows of impact(), by hand: (node, type, depth, strength, other_support, corrected_by, stands, earlier, leads_on)."""
    nodes = [n for n in graph.nodes if as_of is None or n.created_at <= as_of]
    there = {n.id for n in nodes}
    edges = [e for e in graph.edges if (as_of is None or e.created_at <= as_of) and e.source.id in there and e.target.id in there]
    carrying = [e for e in edges if e.type in CARRYING]
    effects, causes = {}, {}
    for e in carrying:
        effects.setdefault(e.source.id, []).append(e.target.id)
        causes.setdefault(e.target.id, []).append(e.source.id)
    limit = graphs.Filter(max_depth=most, edge_types=sorted(CARRYING), as_of=as_of)
    rows, inside = graphs.reference(graph, start, "descendants", limit)
    depth = {row[2]: row[1] for row in rows}
    strength = dict.fromkeys(depth, -math.inf)
    strength[start.id] = math.inf
    for _ in depth:
        for e in inside:
            strength[e.target.id] = max(strength[e.target.id], min(strength[e.source.id], strength_of(e)))
    supported = set()
    for n in nodes:
        if n.id != start.id and n.id not in causes:
            supported |= closure(n.id, effects, start.id)
    by_id = {n.id: n for n in nodes}
    told = []
    for row in sorted(rows[1:], key=lambda row: (by_id[row[2]].type != "decision", row[0])):
        node = by_id[row[2]]
        corrected = sorted({e.source.id for e in edges if e.type == "corrects" and e.target.id == node.id})
        told.append((node.id, node.type, depth[node.id], strength[node.id], node.id in supported, corrected, node.id in supported and not corrected,
                     node.created_at < start.created_at,
                     depth[node.id] == most and any(e not in depth for e in effects.get(node.id, ()))))
    return told


def ask(rng, graph):
    start = rng.choice(graph.nodes)
    as_of = rng.choice([None, None, graphs.EPOCH + datetime.timedelta(seconds=rng.randrange(3, 8))])
    if as_of is not None and start.created_at > as_of:
        as_of = None
    return start, rng.choice([None, None, 1, 2, 4]), as_of


def test_random_graphs_equal_the_reference(db, stored):
    rng = random.Random(3)
    seen = {"support": set(), "strength": set(), "corrected": 0, "leads_on": 0, "earlier": 0}
    for graph in stored:
        start, most, as_of = ask(rng, graph)
        rows = db.execute("SELECT node_id, type, depth, strength, other_support, corrected_by, stands, earlier, leads_on, corrected, step"
                          " FROM reason.impact(%s, %s, %s)", [start.id, most, as_of]).fetchall()
        expected = reference(graph, start, most, as_of)
        assert [row[:9] for row in rows] == expected, (start.id, most, as_of)
        assert all(row[9] == bool(row[5]) for row in rows) and [row[10] for row in rows] == list(range(len(rows)))
        for row in expected:
            seen["support"].add(row[4])
            seen["strength"].add(row[3])
            seen["corrected"] += bool(row[5])
            seen["leads_on"] += row[8]
            seen["earlier"] += row[7]
    # The graphs held what the reference is about.
    assert seen["support"] == {True, False} and len(seen["strength"]) > 15 and min(seen["corrected"], seen["leads_on"], seen["earlier"]) > 20


def test_pages_of_json_tell_the_same(db, stored):
    rng = random.Random(4)
    for graph in stored[::2]:
        start, most, as_of = ask(rng, graph)
        expected = reference(graph, start, most, as_of)
        limit, cursor, told, frontier = rng.choice([1, 3, 100]), None, [], []
        while True:
            page = answer(db, start.id, depth=most, as_of=as_of, limit=limit, cursor=cursor)
            assert len(page["nodes"]) <= limit and page["node"]["nodeId"] == str(start.id)
            assert page["counts"] == {
                "nodes": len(expected), "decisions": sum(row[1] == "decision" for row in expected), "corrected": sum(bool(row[5]) for row in expected),
                "standing": sum(row[6] for row in expected), "frontier": sum(row[8] for row in expected)}
            told += page["nodes"]
            frontier += page["frontier"]
            cursor = page.get("nextCursor")
            assert page["truncated"] == (cursor is not None or page["counts"]["frontier"] > 0)
            if cursor is None:
                break
        assert frontier == [str(row[0]) for row in expected if row[8]]
        assert [(n["nodeId"], n["type"], n["depth"], n["support"]["strength"], n["support"]["other"], n.get("correctedBy", []), n["stands"], n.get("earlier", False))
                for n in told] == [(str(row[0]), *row[1:5], [str(c) for c in row[5]], *row[6:8]) for row in expected]


# ---------------------------------------------------------------- stories

def impact(db, node, **options):
    given = "".join(f", {name} => %s" for name in options)
    return {str(row[0]): row[1:] for row in db.execute(
        f"SELECT node_id, other_support, corrected, stands, strength FROM reason.impact(%s{given})", [node, *options.values()])}


def test_a_decision_with_other_evidence_stands_and_one_without_falls(db):
    wrong, other, both, alone = graphs.stored_in_order(db, 4, [(0, 2, "supports"), (1, 2, "supports"), (0, 3, "supports")])
    assert impact(db, wrong) == {both: (True, False, True, 1.0), alone: (False, False, False, 1.0)}


def test_support_that_comes_round_from_the_node_is_none(db):
    wrong, middle, decision = graphs.stored_in_order(db, 3, [(0, 1), (1, 2), (0, 2), (2, 1)])
    assert impact(db, wrong) == {middle: (False, False, False, 1.0), decision: (False, False, False, 1.0)}


def test_a_circle_without_evidence_supports_nothing(db):
    wrong, a, b, decision = graphs.stored_in_order(db, 4, [(1, 2), (2, 1), (2, 3), (0, 3)])
    assert impact(db, wrong) == {decision: (False, False, False, 1.0)}


def test_what_contradicts_or_corrects_carries_nothing(db):
    node, against, corrected = graphs.stored_in_order(db, 3, [(0, 1, "contradicts"), (0, 2, "corrects")])
    assert impact(db, node) == {}
    assert answer(db, corrected)["node"]["correctedBy"] == [node]


def test_a_corrected_consequence_does_not_stand(db):
    cause, other, effect, correction = graphs.stored_in_order(db, 4, [(0, 2), (1, 2), (3, 2, "corrects")])
    assert impact(db, cause) == {effect: (True, True, False, 1.0)}


def test_the_strongest_of_paths_counts_by_its_weakest_edge(db):
    start, weak, strong, end = graphs.stored_in_order(db, 4, [(0, 1, "causal", 0.9), (1, 3, "causal", 0.2), (0, 2, "causal", 0.5), (2, 3, "causal", 0.6)])
    assert {k: v[3] for k, v in impact(db, start).items()} == {weak: 0.9, strong: 0.5, end: 0.5}


@pytest.mark.parametrize("length", [20_000])
def test_a_long_chain_is_followed_to_its_end(db, length):
    ids = graphs.stored_in_order(db, length, [(i, i + 1) for i in range(length - 1)])
    page = answer(db, ids[0], limit=10)
    assert page["counts"]["nodes"] == length - 1 and page["truncated"] and len(page["nodes"]) == 10
    assert page["counts"]["standing"] == 0


def test_a_depth_of_nothing_is_refused(db):
    node, = graphs.stored_in_order(db, 1, [])
    with pytest.raises(Exception, match="at least 1"):
        db.execute("SELECT * FROM reason.impact(%s, 0)", [node])


def test_memory_is_bounded(db):
    ids = graphs.stored_in_order(db, 20_000, [(i, i + 1) for i in range(19_999)])
    db.execute("SET reason.trace_memory_limit = '2MB'")
    try:
        with pytest.raises(Exception, match="memory") as raised:
            db.execute("SELECT * FROM reason.impact(%s)", [ids[0]])
        assert raised.value.sqlstate == "54000"
    finally:
        db.execute("RESET reason.trace_memory_limit")
