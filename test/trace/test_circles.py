"""Exports for people name circles: what lies on one rests on itself."""

import random
import re

import pytest

import graphs
from graph_database import connect

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SENTENCE = re.compile(r"^(?:CIRCLE: |- )(?:(\d+) nodes lead to each other|1 node leads to itself): (.*?)(?: and (\d+) more)?\.?$", re.MULTILINE)
NAMED = 20


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("circles")
    found = [graphs.make(rng, shape) for _ in range(12) for shape in ("cyclic", "parallel", "path", "clique", "dag")]
    with connect(database) as db:
        graphs.store(db, found, rng)
    return found


def circles_of(rows, inside):
    """Sets of ids that lead to each other, by who can be reached from whom."""
    ids = {str(row[2]) for row in rows}
    to = {i: {str(e.target.id) for e in inside if str(e.source.id) == i} for i in ids}
    reached = {}
    for begin in ids:
        reached[begin], left = set(), list(to[begin])
        while left:
            node = left.pop()
            if node not in reached[begin]:
                reached[begin].add(node)
                left += to[node]
    return {frozenset(other for other in ids if other in reached[i] and i in reached[other]) for i in ids if i in reached[i]}


def pages(db, node, form, limit):
    bodies, cursor = [], None
    while True:
        body, cursor, _ = db.execute("SELECT * FROM reason.export_trace(%s, %s, max_nodes => %s, cursor => %s)", [node, form, limit, cursor]).fetchone()
        bodies.append(body)
        if cursor is None:
            return bodies


def marked(tree):
    """Nodes whose line says that they lie on a circle, and all nodes."""
    lines = [line for line in tree.splitlines() if re.search(rf", id {UUID}$", line)]
    return {line[-36:] for line in lines if ", in a circle" in line}, {line[-36:] for line in lines}


@pytest.mark.parametrize("form", ["human", "markdown"])
@pytest.mark.parametrize("limit", [None, 4])
def test_circles_of_random_graphs_are_named_on_every_page_that_has_a_part_of_them(db, stored, form, limit):
    rng = random.Random(3)
    several = 0
    for graph in stored:
        start = rng.choice(graph.nodes)
        expected = circles_of(*graphs.reference(graph, start, "ancestors", graphs.Filter()))
        for body in pages(db, start.id, form, limit):
            on_circle, here = marked(body)
            assert on_circle == here & set().union(*expected)
            told = SENTENCE.findall(body)
            touched = [circle for circle in expected if circle & here]
            assert sorted(len(circle) for circle in touched) == sorted(int(count or 1) for count, _, _ in told)
            assert {frozenset(ids.split(", ")) for _, ids, _ in told} == {circle for circle in touched if len(circle) <= NAMED} | {frozenset(ids.split(", ")) for _, ids, more in told if more}
            assert all(any(set(ids.split(", ")) <= circle and len(circle) == NAMED + int(more) for circle in touched) for _, ids, more in told if more)
            several += len(touched) > 1
    assert several > 0


def test_a_graph_without_circles_says_nothing_of_them(db):
    ids = graphs.stored_in_order(db, 5, [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)])
    for form in ("human", "markdown", "svg", "dot", "mermaid"):
        assert "circle" not in pages(db, ids[4], form, None)[0].lower()


def ring(db):
    """A circle of three that leads to a decision, with something beside it."""
    ids = [db.execute("SELECT reason.add_node('hypothesis', %s, 'loop')", [f'"link {i}"']).fetchone()[0] for i in range(3)]
    decision, beside = (db.execute("SELECT reason.add_node(%s, %s, 'loop')", pair).fetchone()[0] for pair in (("decision", '"decided"'), ("observation", '"beside"')))
    for cause, effect in ((ids[0], ids[1]), (ids[1], ids[2]), (ids[2], ids[0]), (ids[2], decision), (beside, decision)):
        db.execute("SELECT reason.add_edge(%s, %s, 'supports')", [cause, effect])
    return [str(i) for i in ids], decision, str(beside)


@pytest.mark.parametrize("form", ["svg", "dot", "mermaid"])
def test_pictures_mark_what_lies_on_a_circle(db, form):
    on_circle, decision, beside = ring(db)
    body = pages(db, decision, form, None)[0]
    assert body.count("in a circle") == 3
    if form == "svg":
        assert len(re.findall(r">[^<]* CIRCLE[^<]*</text>", body)) == 3
    for node in re.findall(r"<title>[^<]*</title>", body):
        assert not ("in a circle" in node and beside in node)


@pytest.mark.parametrize("form", ["human", "markdown"])
@pytest.mark.parametrize("limit", [None, 2])
def test_a_snapshot_names_its_circles(db, form, limit):
    on_circle, decision, beside = ring(db)
    snapshot = db.execute("SELECT reason.create_snapshot(ARRAY[%s::uuid])", [decision]).fetchone()[0]
    cursor, told, named = None, set(), set()
    while True:
        body, cursor, _ = db.execute("SELECT * FROM reason.export_snapshot(%s, %s, max_nodes => %s, cursor => %s)", [snapshot, form, limit, cursor]).fetchone()
        told |= marked(body)[0]
        named |= {frozenset(ids.split(", ")) for _, ids, _ in SENTENCE.findall(body)}
        if cursor is None:
            break
    assert told == set(on_circle) and named == {frozenset(on_circle)}


def test_the_edge_that_closes_a_circle_says_so(db):
    on_circle, decision, _ = ring(db)
    text = pages(db, decision, "human", None)[0]
    assert f"from {on_circle[2]}, which stands elsewhere in the same circle" in text
    db.execute("SELECT reason.add_edge(%s, %s, 'influencedBy')", [decision, decision])
    text = pages(db, decision, "human", None)[0]
    assert f"CIRCLE: 1 node leads to itself: {decision}." in text


def test_many_nodes_on_a_circle_are_counted(db):
    ids = graphs.stored_in_order(db, 30, [(i, (i + 1) % 30) for i in range(30)])
    for form in ("human", "markdown"):
        (count, named, more), = SENTENCE.findall(pages(db, ids[0], form, None)[0])
        assert (count, len(named.split(", ")), more) == ("30", NAMED, "10")
