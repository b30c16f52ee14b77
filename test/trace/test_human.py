"""Exports for a person show each node once and every edge, under the node that it leads to, and where they were cut."""

import random
import re

import pytest

import graphs
from graph_database import connect

LINE = re.compile(r"^((?:│  |   )*)(?:(?:├─|└─) (\[.*?\]) )?([A-Za-z]+): .*?, by test,.* recorded ([^ ,]+).*, id ([0-9a-f-]{36})$")
REMARK = re.compile(r"^((?:│  |   )+)· \[(\w+), weight ([^],]+)[^]]*\] (from|to) ([0-9a-f-]{36})(.*)$")
CURSOR = re.compile(r'"nextCursor":"([^"]*)"')


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("human")
    found = [graphs.make(rng, shape) for _ in range(20) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, found, rng)
    return found


def export(db, node, **options):
    given = "".join(f', "{name}" => %s' for name in options)
    return db.execute(f"SELECT reason.trace_human(%s, '{{*}}', false{given})", [node, *options.values()]).fetchone()[0]


def read(text, direction="ancestors"):
    """Nodes in order, and edges (type, weight, from, to) as they are drawn: below a node stand its causes, or its effects."""
    nodes, edges, above, below = [], [], {}, None
    for line in text.splitlines():
        continued = re.match(r"^Below ([0-9a-f-]{36}):$", line)
        if continued:
            above = {0: continued[1]}
            continue
        node = LINE.match(line)
        if node:
            depth = len(node[1]) // 3 + (node[2] is not None)
            above[depth] = below = node[5]
            nodes.append(node[5])
            if node[2]:
                kind, weight = re.match(r"\[(\w+), weight ([^],]+)", node[2]).groups()
                ends = (node[5], above[depth - 1])
                edges.append((kind, float(weight), *(ends if direction == "ancestors" else ends[::-1])))
            continue
        remark = REMARK.match(line)
        if remark:
            ends = (remark[5], below) if remark[4] == "from" else (below, remark[5])
            edges.append((remark[2], float(remark[3]), *ends))
    return nodes, edges


@pytest.mark.parametrize("direction", ["ancestors", "descendants"])
def test_random_graphs_are_drawn_whole(db, stored, direction):
    rng = random.Random(7)
    for graph in stored:
        start = rng.choice(graph.nodes)
        rows, inside = graphs.reference(graph, start, direction, graphs.Filter())
        nodes, edges = read(export(db, start.id, direction=direction), direction)
        assert sorted(nodes) == sorted(str(row[2]) for row in rows) and nodes[0] == str(start.id)
        assert sorted(edges) == sorted((e.type, e.weight, str(e.source.id), str(e.target.id)) for e in inside)


def test_pages_hold_every_node_once_and_every_edge(db, stored):
    rng = random.Random(8)
    for graph in stored[::4]:
        start = rng.choice(graph.nodes)
        rows, inside = graphs.reference(graph, start, "ancestors", graphs.Filter())
        nodes, edges, cursor = [], set(), None
        while True:
            text = export(db, start.id, limit=3, cursor=cursor)
            page_nodes, page_edges = read(text)
            assert len(page_nodes) <= 3
            nodes += page_nodes
            edges |= set(page_edges)
            found = CURSOR.search(text)
            if found is None:
                break
            assert "CUT" in text
            cursor = found[1]
        assert sorted(nodes) == sorted(str(row[2]) for row in rows)
        assert edges == {(e.type, e.weight, str(e.source.id), str(e.target.id)) for e in inside}


@pytest.mark.parametrize("length", [15, 2000])
def test_a_deep_chain_is_drawn_to_its_beginning(db, length):
    ids = graphs.stored_in_order(db, length, [(i, i + 1) for i in range(length - 1)])
    text = export(db, ids[-1])
    nodes, edges = read(text)
    assert nodes == ids[::-1] and len(edges) == length - 1 and "CUT" not in text
    assert len(text) < 500 * length


def test_where_the_walk_stopped_is_said(db):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    text = export(db, ids[-1], depth=10)
    assert f"CUT: the walk stopped at depth 10, where 1 node has further causes: {ids[4]}." in text


@pytest.fixture(scope="module")
def story(database):
    """A decision with a score that was back-dated and corrected, a check whose content was erased, and an annotation."""
    with connect(database) as db:
        def add(query, *parameters):
            return db.execute(f"SELECT reason.{query}", parameters).fetchone()[0]
        score = add("add_node('score', %s, 'model', ts => '2005-01-01Z', metadata => '{\"confidence\": 0.9}')", '{"note": "risk \\u202e\\u001b[1m low"}')
        check = add("add_node('policyCheck', '\"two approvals\"', 'checker')")
        decision = add("add_node('decision', '{\"note\": \"approve\"}', 'manager')")
        add("add_edge(%s, %s, 'supports', 0.5, '{\"confidence\": 0.7}')", score, decision)
        add("add_edge(%s, %s, 'causal')", check, decision)
        correction = add("add_node('correction', '\"the score was wrong\"', 'auditor')")
        add("add_edge(%s, %s, 'corrects')", correction, score)
        add("annotate(%s, 'seen in the meeting')", decision)
        add("erase_payload(%s, 'asked for')", check)
        snapshot = add("create_snapshot(ARRAY[%s::uuid], include_annotations => true)", decision)
        document = add("document_human(reason.snapshot_document(%s), 100, 0)", snapshot)
        return {"trace": export(db, decision), "snapshot": document, "score": score, "correction": correction}


@pytest.mark.parametrize("form", ["trace", "snapshot"])
def test_what_an_auditor_must_see_is_there(story, form):
    text = story[form]
    score, = [line for line in text.splitlines() if " score: " in line]
    assert "[supports, weight 0.5, confidence 0.7]" in score and "confidence 0.9" in score
    assert re.search(r"recorded 20[2-9]\d-.*, occurred 2005-01-01T00:00:00.000000Z", score)
    assert f"CORRECTED by {story['correction']}" in score
    assert f"corrects {story['score']}" in text
    assert "policyCheck: (payload erased), by checker" in text
    assert "seen in the meeting" in text
    if form == "snapshot":
        assert ": asked for" in text


@pytest.mark.parametrize("form", ["trace", "snapshot"])
def test_no_payload_writes_to_the_terminal(story, form):
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", story[form])
    assert "risk \\u202e\\u001b[1m low" in story[form]
