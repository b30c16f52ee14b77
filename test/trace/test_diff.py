"""What differs between two traces or snapshots, in random graphs and in stories, against a plain reference."""

import datetime
import json
import random

import psycopg
import pytest

import graphs
from graph_database import connect


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("diff")
    made = [graphs.make(rng, shape) for _ in range(40) for shape in graphs.SHAPES] + [graphs.make(rng, "parallel") for _ in range(150)]
    for graph in made:
        for edge in graph.edges:
            edge.type = rng.choice(["causal", "causal", "corrects"])
            edge.confidence = rng.choice([None, None, 0.5])
            if edge.confidence is not None:
                edge.metadata = json.dumps({"confidence": edge.confidence})
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


# ---------------------------------------------------------------- the reference

def side_of(graph, start, direction, most, as_of):
    rows, inside = graphs.reference(graph, start, direction, graphs.Filter(max_depth=most, as_of=as_of))
    return {row[2] for row in rows}, {e.id: e for e in inside}


def link(edge):
    return edge.source.id, edge.target.id, edge.type


def newest(edges):
    found = {}
    for edge in sorted(edges, key=lambda e: (e.created_at, e.id)):
        found[link(edge)] = edge
    return found


def strength(edge):
    return edge.weight, getattr(edge, "confidence", None)


def difference(a, b):
    """{(change, kind, id): facets} of two sides."""
    (nodes_a, edges_a), (nodes_b, edges_b) = a, b
    corrected_a, corrected_b = ({e.target.id for e in edges.values() if e.type == "corrects"} for edges in (edges_a, edges_b))
    told = {("added", "node", str(i)): None for i in nodes_b - nodes_a} | {("removed", "node", str(i)): None for i in nodes_a - nodes_b}
    told |= {("changed", "node", str(i)): ["corrected"] for i in nodes_a & nodes_b if (i in corrected_a) != (i in corrected_b)}
    newest_a, newest_b = newest(edges_a.values()), newest(edges_b.values())
    replaced = set()
    for key, edge in newest_b.items():
        before = newest_a.get(key)
        if before and edge.id not in edges_a and strength(before) != strength(edge):
            told["changed", "edge", str(edge.id)] = sorted(name for name, x, y in zip(("weight", "confidence"), strength(before), strength(edge)) if x != y)
            replaced.add(before.id)
    for i in set(edges_b) - set(edges_a):
        if ("changed", "edge", str(i)) not in told:
            told["added", "edge", str(i)] = None
    told |= {("removed", "edge", str(i)): None for i in set(edges_a) - set(edges_b) - replaced}
    return told


def rows(db, a, b=None, **options):
    given = "".join(f", {name} => %s" for name in options)
    found = db.execute(f"SELECT change, kind, id::text, facets FROM reason.trace_diff(%s, %s{given})", [a, b, *options.values()]).fetchall()
    assert len({row[:3] for row in found}) == len(found)
    return {row[:3]: row[3] for row in found}


def sample(rng, graph):
    """Two nodes or one, direction, depth and times, as they may be asked for."""
    start = rng.choice(graph.nodes)
    other = rng.choice([start, start, rng.choice(graph.nodes)])
    times = [rng.choice([None, graphs.EPOCH + datetime.timedelta(seconds=rng.randrange(8))]) for _ in range(2)]
    times = [None if t is not None and n.created_at > t else t for n, t in zip((start, other), times)]
    return start, other, rng.choice(["ancestors", "descendants"]), rng.choice([None, None, 1, 2]), times


def test_random_graphs_equal_the_reference(db, stored):
    rng = random.Random(1)
    seen = {}
    for graph in stored * 2:
        start, other, direction, most, (as_of_a, as_of_b) = sample(rng, graph)
        expected = difference(side_of(graph, start, direction, most, as_of_a), side_of(graph, other, direction, most, as_of_b))
        assert rows(db, start.id, other.id, direction=direction, max_depth=most, as_of_a=as_of_a, as_of_b=as_of_b) == expected
        for change, kind, _ in expected:
            seen[change, kind] = seen.get((change, kind), 0) + 1
    assert len(seen) == 6 and min(seen.values()) > 5, seen


def compare(db, a, b, limit=None, cursor=None, **times):
    return json.loads(db.execute(
        "SELECT reason.compare_json(%s, NULL, %s, NULL, '{*}', false, true, NULL, 'ancestors', %s, %s, %s, %s, %s, NULL, NULL)",
        [a, b, times.get("depth"), limit, cursor, times.get("as_of_a"), times.get("as_of_b")]).fetchone()[0])


LISTS = ("added", "removed", "changed")


def test_pages_join_to_the_whole_and_counts_are_those_of_it(db, stored):
    rng = random.Random(2)
    for graph in stored[::2]:
        a, b, _, _, (as_of_a, as_of_b) = sample(rng, graph)
        whole = compare(db, a.id, b.id, as_of_a=as_of_a, as_of_b=as_of_b)
        (nodes_a, edges_a), (nodes_b, edges_b) = (side_of(graph, n, "ancestors", None, t) for n, t in ((a, as_of_a), (b, as_of_b)))
        assert whole["counts"]["sameEdges"] == len(set(edges_a) & set(edges_b))
        assert (whole["a"]["nodes"], whole["b"]["nodes"], whole["a"]["edges"], whole["b"]["edges"]) == (len(nodes_a), len(nodes_b), len(edges_a), len(edges_b))
        assert whole["counts"]["sameNodes"] + sum(e["kind"] == "node" for e in whole["changed"]) == len(nodes_a & nodes_b)
        assert whole["truncated"] is False and all(whole["counts"][name] == len(whole[name]) for name in LISTS)
        joined, cursor = {name: [] for name in LISTS}, None
        while True:
            page = compare(db, a.id, b.id, 3, cursor, as_of_a=as_of_a, as_of_b=as_of_b)
            assert sum(len(page[name]) for name in LISTS) <= 3 and page["counts"] == whole["counts"]
            for name in LISTS:
                joined[name] += page[name]
            cursor = page.get("nextCursor")
            assert page["truncated"] == (cursor is not None)
            if cursor is None:
                break
        assert joined == {name: whole[name] for name in LISTS}


def test_later_pages_see_what_the_first_saw(own):
    with connect(own) as db:
        ids = graphs.stored_in_order(db, 8, [(i, 7) for i in range(7)])
        first = compare(db, ids[0], ids[7], 2)
        db.execute("SELECT reason.add_edge(reason.add_node('score', '1', 'a'), %s, 'causal')", [ids[7]])
        assert compare(db, ids[0], ids[7], 100, first["nextCursor"])["counts"] == first["counts"]
        assert compare(db, ids[0], ids[7])["counts"]["added"] == first["counts"]["added"] + 2
        for a, b, options in ((ids[1], ids[7], {}), (ids[7], ids[0], {}), (ids[0], ids[7], {"as_of_b": graphs.EPOCH + datetime.timedelta(days=1)}), (ids[0], ids[7], {"depth": 1})):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="other parameters"):
                compare(db, a, b, 100, first["nextCursor"], **options)


# ---------------------------------------------------------------- stories

@pytest.fixture
def add(db):
    return lambda query, *parameters: str(db.execute(f"SELECT reason.{query}", parameters).fetchone()[0])


def now(db):
    return db.execute("SELECT clock_timestamp()").fetchone()[0]


def test_then_and_now(db, add):
    score, decision = add("add_node('score', '1', 'a')"), add("add_node('decision', '2', 'b')")
    first = add("add_edge(%s, %s, 'supports', 0.9)", score, decision)
    then = now(db)
    second = add("add_edge(%s, %s, 'supports', 0.2)", score, decision)
    correction = add("add_node('correction', '3', 'c')")
    fix = add("add_edge(%s, %s, 'corrects')", correction, score)
    late = add("add_node('observation', '4', 'd')")
    edge = add("add_edge(%s, %s, 'causal')", late, decision)
    before_erasure = now(db)
    add("erase_payload(%s, 'asked for')", score)
    assert rows(db, decision, as_of_a=then) == {
        ("added", "node", correction): None, ("added", "node", late): None, ("added", "edge", fix): None, ("added", "edge", edge): None,
        ("changed", "node", score): ["corrected", "erased"], ("changed", "edge", second): ["weight"]}
    assert rows(db, decision, as_of_a=before_erasure) == {("changed", "node", score): ["erased"]}
    assert rows(db, decision) == {}
    changed, = db.execute("SELECT weight_a, weight_b, from_id::text, to_id::text, type FROM reason.trace_diff(%s, as_of_a => %s) WHERE id = %s", [decision, then, second])
    assert changed == (0.9, 0.2, score, decision, "supports")
    entry, = [e for e in compare(db, decision, decision, as_of_a=then)["changed"] if e["kind"] == "edge"]
    assert entry["changes"]["edgeId"] == {"a": first, "b": second}


def test_two_snapshots_and_a_snapshot_and_now(db, add):
    score, decision = add("add_node('score', '1', 'a')"), add("add_node('decision', '2', 'b')")
    add("add_edge(%s, %s, 'supports', 0.9)", score, decision)
    one = add("create_snapshot(ARRAY[%s::uuid])", decision)
    late = add("add_node('observation', '4', 'd')")
    edge = add("add_edge(%s, %s, 'causal')", late, decision)
    add("erase_payload(%s, 'asked for')", late)
    two = add("create_snapshot(ARRAY[%s::uuid])", decision)
    expected = {("added", "node", late): None, ("added", "edge", edge): None}
    assert rows(db, one, two) == rows(db, one, decision) == expected
    assert rows(db, two, one) == {("removed", *key[1:]): None for key in expected}
    assert rows(db, two, decision) == rows(db, one, one) == {}
    add("erase_payload(%s, 'asked for')", decision)
    with pytest.raises(psycopg.errors.NoDataFound):
        rows(db, one, two)
    three = add("create_snapshot(ARRAY[%s::uuid])", decision)
    assert rows(db, three, decision) == {}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no other time"):
        rows(db, three, decision, as_of_a=now(db))
    db.execute("SET ROLE reason_reader")
    try:
        assert rows(db, decision) == {}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(db, three, decision)
    finally:
        db.execute("RESET ROLE")


def test_a_depth_that_cuts_is_said(db):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    found = compare(db, ids[-1], ids[-2], depth=3)
    assert found["truncated"] is True and (found["a"]["frontier"], found["b"]["frontier"]) == (1, 1)


def test_memory_is_bounded(db):
    ids = graphs.stored_in_order(db, 20_000, [(i, i + 1) for i in range(19_999)])
    db.execute("SET reason.trace_memory_limit = '2MB'")
    try:
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            rows(db, ids[-1])
    finally:
        db.execute("RESET reason.trace_memory_limit")
