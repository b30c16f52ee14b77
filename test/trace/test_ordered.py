"""The ordered causal path of random graphs against a plain reference."""

import json
import random

import pytest

import graphs
from graph_database import connect


@pytest.fixture(scope="module")
def stored(database):

    rng = random.Random("ordered")
    made = [graphs.make(rng, shape) for _ in range(120) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


def reaches(graph, a, b):
    """Whether a chain of at least one edge leads from a to b."""
    seen, todo = set(), [a]
    while todo:
        node = todo.pop()
        for e in graph.edges:
            if e.source is node and e.target.id not in seen:
                seen.add(e.target.id)
                todo.append(e.target)
    return b.id in seen


def reference(graph, start):
    closure, inside = graphs.reference(graph, start, "ancestors", graphs.Filter())
    nodes = {row[2] for row in closure}
    entries = [("node", n) for n in graph.nodes if n.id in nodes] + [("edge", e) for e in inside]

    def key(entry):
        return (entry[1].created_at, entry[1].id, entry[0] == "edge")

    def causes(entry):
        kind, item = entry
        return [item.source.id] if kind == "edge" else [e.id for e in inside if e.target is item]

    out, done, waiting = [], set(), sorted(entries, key=key)
    while True:
        following = next((w for w in waiting if all(c in done for c in causes(w))), None)
        if following is None:
            break
        waiting.remove(following)
        out.append(following)
        done.add(following[1].id)
    on_cycle = {n.id for n in graph.nodes if n.id in nodes and reaches(graph, n, n)}

    def in_cycle(entry):
        kind, item = entry
        return item.id in on_cycle if kind == "node" else reaches(graph, item.target, item.source) or item.source is item.target

    rows = []
    for i, (kind, item) in enumerate(out + waiting):
        if kind == "node":
            into = sorted((e for e in inside if e.target is item), key=lambda e: (e.created_at, e.id))
            parents = list(dict.fromkeys(e.source.id for e in into))
            rows.append((i, kind, item.id, item.type, item.created_at, parents, None, None, in_cycle((kind, item))))
        else:
            rows.append((i, kind, item.id, item.type, item.created_at, [item.source.id], item.source.id, item.target.id,
                         in_cycle((kind, item))))
    return rows


def test_ordered_trace_equals_the_reference(db, stored):
    rng = random.Random(3)
    for graph in stored:
        start = rng.choice(graph.nodes)
        rows = db.execute("SELECT * FROM reason.ordered_trace(%s)", [start.id]).fetchall()
        assert rows == reference(graph, start)


def test_json_says_the_same(db, stored):
    rng = random.Random(4)
    for graph in stored[::4]:
        start = rng.choice(graph.nodes)
        rows = reference(graph, start)
        text = db.execute("SELECT reason.ordered_trace_json(%s, '{*}', false)", [start.id]).fetchone()[0]
        answer = json.loads(text)
        assert answer["trace_id"] == answer["metadata"]["traceId"] == str(start.id)
        assert answer["metadata"]["length"] == len(rows)
        assert answer["metadata"]["cycleDetected"] == any(row[8] for row in rows)
        on_cycles = {i for c in answer["metadata"]["cycleDetails"] for i in c["nodeIds"] + c["edgeIds"]}
        assert all(c["nodeIds"] and c["edgeIds"] for c in answer["metadata"]["cycleDetails"])
        assert on_cycles == {str(row[2]) for row in rows if row[8]}
        for entry, row in zip(answer["ordered_path"], rows, strict=True):
            assert (entry["causalIndex"], entry["type"], entry["id"], entry["entityType"]) == (row[0], row[1], str(row[2]), row[3])
            assert entry["timestamp"] == row[4].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            assert entry["parentIds"] == [str(p) for p in row[5]]
            if row[1] == "edge":
                assert (entry["from"], entry["to"]) == (str(row[6]), str(row[7]))
                assert "payload" not in entry
            else:
                assert entry["payload"] == {"n": 1} and entry["annotations"] == []
            assert entry["auditRef"]["hash"] is None


def test_annotations_and_seals_are_shown(db):
    node = db.execute("SELECT reason.add_node('decision', '{\"a\": 1}', 'me')").fetchone()[0]
    db.execute("SELECT reason.annotate(%s, 'first'), reason.annotate(%s, 'second')", [node, node])
    no = db.execute("SELECT no FROM reason.node WHERE id = %s", [node]).fetchone()[0]
    db.execute("INSERT INTO reason.audit_seal VALUES ('default', 0, %s, NULL, %s, now())", [no, b"h" * 32])
    entry = json.loads(db.execute("SELECT reason.ordered_trace_json(%s, '{default}')", [node]).fetchone()[0])["ordered_path"][0]
    assert [a["payload"] for a in entry["annotations"]] == ["first", "second"]
    assert entry["auditRef"]["hash"] == (b"h" * 32).hex() and entry["auditRef"]["prevHash"] is None
