"""Explanations of random graphs, and of deep, wide, corrected and cyclic ones, against a plain reference."""

import datetime
import json
import random

import pytest

import graphs
from graph_database import connect

KINDS = ["components", "evidence", "corrections", "after", "frontier"]


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("explain")
    made = [graphs.make(rng, shape) for _ in range(60) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


def explain(db, node, **options):
    given = "".join(f', "{name}" => %s' for name in options)
    text = db.execute(f"SELECT reason.explain_json(%s, '{{*}}', false{given})", [node, *options.values()]).fetchone()[0]
    return json.loads(text)


def pages(db, node, limit, **options):
    """All pages of an explanation, joined."""
    whole, cursor = None, None
    while True:
        answer = explain(db, node, limit=limit, cursor=cursor, **options)
        part = answer["explain"]
        assert sum(len(part[kind]) for kind in KINDS) <= limit
        if whole is None:
            whole = part
        else:
            assert part["counts"] == whole["counts"] and part["summary"] == whole["summary"]
            for kind in KINDS:
                whole[kind] += part[kind]
        cursor = answer.get("nextCursor")
        if cursor is None:
            return whole
        assert answer["truncated"] is True


# ---------------------------------------------------------------- the reference

def walk(start, follow):
    """Breadth first: depth by node."""
    depth, level = {start.id: 0}, [start]
    while level:
        level = [(node, cause) for node in level for cause in follow(node)]
        following = []
        for node, cause in level:
            if cause.id not in depth:
                depth[cause.id] = depth[node.id] + 1
                following.append(cause)
        level = following
    return depth


def reference(graph, start, most=None, as_of=None):
    edges = [e for e in graph.edges if as_of is None or (e.created_at <= as_of and e.source.created_at <= as_of and e.target.created_at <= as_of)]
    into = {}
    for e in edges:
        into.setdefault(e.target.id, []).append(e)
    nodes = {n.id: n for n in graph.nodes}

    def carries(e):
        return e.type != "corrects" and e.source.created_at <= start.created_at

    reached = walk(start, lambda n: [e.source for e in into.get(n.id, [])])
    depth = walk(start, lambda n: [e.source for e in into.get(n.id, []) if carries(e)])
    counted = {i for i, d in depth.items() if most is None or d <= most}
    within = {i for i, d in reached.items() if most is None or d <= most}
    carrying = {i: [e for e in into.get(i, []) if carries(e)] for i in counted}
    return {
        "components": sorted(str(e.id) for e in carrying[start.id] if e.source.id != start.id and e.source.id in counted),
        "evidence": sorted(str(i) for i in counted if i != start.id and not carrying[i]),
        "corrections": sorted((str(e.source.id), str(e.target.id)) for i in counted for e in into.get(i, []) if e.type == "corrects"),
        "after": sorted(str(i) for i in within if nodes[i].created_at > start.created_at),
        "frontier": sorted(str(i) for i in counted if any(e.source.id not in counted for e in carrying[i])),
        "nodes": len(counted) - 1,
        "causes": len({e.source.id for e in carrying[start.id] if e.source.id in counted} - {start.id}),
    }


def told(part):
    return {
        "components": sorted(c["edgeId"] for c in part["components"]),
        "evidence": sorted(e["nodeId"] for e in part["evidence"]),
        "corrections": sorted((c["nodeId"], c["correctedNodeId"]) for c in part["corrections"]),
        "after": sorted(a["nodeId"] for a in part["after"]),
        "frontier": sorted(part["frontier"]),
        "nodes": part["counts"]["nodes"],
        "causes": part["counts"]["causes"],
    }


def test_random_graphs_equal_the_reference(db, stored):
    rng = random.Random(5)
    for graph in stored:
        start = rng.choice(graph.nodes)
        depth = rng.choice([None, None, 0, 1, 2, 5])
        as_of = rng.choice([None, graphs.EPOCH + datetime.timedelta(seconds=rng.randrange(8))])
        if as_of is not None and start.created_at > as_of:
            as_of = None
        answer = explain(db, start.id, depth=depth, as_of=as_of)
        expected = reference(graph, start, depth, as_of)
        part = answer["explain"]
        assert told(part) == expected, (start.id, depth, as_of)
        assert answer["truncated"] == bool(expected["frontier"]) and "nextCursor" not in answer
        for kind in KINDS:
            assert part["counts"][kind] == len(part[kind])
        weights = [c["weight"] for c in part["components"]]
        assert weights == sorted(weights, reverse=True)
        marked = {c["correctedNodeId"] for c in part["corrections"]}
        for entry in part["components"] + part["evidence"]:
            assert ("correctedBy" in entry) == (entry["nodeId"] in marked) == entry.get("corrected", False)


def test_pages_join_to_the_whole(db, stored):
    rng = random.Random(6)
    for graph in stored[::3]:
        start = rng.choice(graph.nodes)
        assert told(pages(db, start.id, rng.choice([1, 2, 7]))) == reference(graph, start)


# ---------------------------------------------------------------- shapes that were explained wrongly

@pytest.mark.parametrize("length", [15, 1500])
def test_a_chain_is_followed_to_its_beginning(db, length):
    ids = graphs.stored_in_order(db, length, [(i, i + 1) for i in range(length - 1)])
    answer = explain(db, ids[-1], limit=1000)
    assert [e["nodeId"] for e in answer["explain"]["evidence"]] == [ids[0]]
    assert answer["explain"]["evidence"][0]["depth"] == length - 1
    assert answer["explain"]["counts"]["nodes"] == length - 1 and answer["truncated"] is False
    assert f"{length - 1} nodes of reasoning" in answer["explain"]["summary"]


def test_a_depth_that_cuts_is_shown_and_makes_no_evidence(db):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    answer = explain(db, ids[-1], depth=10)
    assert answer["truncated"] is True and answer["explain"]["frontier"] == [ids[4]] and answer["explain"]["evidence"] == []
    assert "cut by depth" in answer["explain"]["summary"]


def test_causes_are_counted_beyond_a_page(db):
    count = 10_050
    ids = graphs.stored_in_order(db, count + 1, [(i, count) for i in range(count)])
    answer = explain(db, ids[-1], limit=1000)
    assert answer["explain"]["counts"]["causes"] == answer["explain"]["counts"]["evidence"] == count
    assert len(answer["explain"]["components"]) == 1000 and answer["truncated"] is True
    assert f"{count} direct causes" in answer["explain"]["summary"]
    assert {e["nodeId"] for e in pages(db, ids[-1], 10_000)["evidence"]} == set(ids[:-1])


def test_what_was_wrong_stays_and_its_correction_is_no_evidence(db):
    wrong, decision, source, correction = ids = graphs.stored_in_order(db, 4, [(0, 1, "supports"), (2, 3), (3, 0, "corrects")])
    part = explain(db, decision)["explain"]
    assert [e["nodeId"] for e in part["evidence"]] == [c["nodeId"] for c in part["components"]] == [wrong]
    assert all(e["corrected"] and e["correctedBy"] == [correction] for e in part["evidence"] + part["components"])
    assert [(c["nodeId"], c["correctedNodeId"], c["afterwards"], c["corrects"]) for c in part["corrections"]] == [(correction, wrong, True, [wrong])]
    assert {a["nodeId"] for a in part["after"]} == {source, correction}
    assert "1 correction" in part["summary"] and "2 nodes were recorded after it" in part["summary"]
    assert explain(db, correction)["explain"]["node"]["corrects"] == [wrong]
    assert explain(db, wrong)["explain"]["node"]["correctedBy"] == [correction]
    assert ids[3] not in {e["nodeId"] for e in explain(db, wrong)["explain"]["evidence"]}


def test_a_decision_on_the_correction_names_what_was_corrected(db):
    wrong, correction, decision = graphs.stored_in_order(db, 3, [(1, 0, "corrects"), (1, 2, "supports")])
    part = explain(db, decision)["explain"]
    assert [(e["nodeId"], e["corrects"]) for e in part["evidence"]] == [(correction, [wrong])]


def test_evidence_recorded_after_the_decision_does_not_count(db):
    early, decision, late, behind = graphs.stored_in_order(db, 4, [(0, 1), (2, 1), (3, 2)])
    part = explain(db, decision)["explain"]
    assert [e["nodeId"] for e in part["evidence"]] == [c["nodeId"] for c in part["components"]] == [early]
    assert {a["nodeId"] for a in part["after"]} == {late, behind}
    before = graphs.EPOCH + datetime.timedelta(seconds=1)
    assert explain(db, decision, as_of=before)["explain"]["after"] == []


def test_a_circle_has_no_beginning_and_says_so(db):
    a, b, decision = graphs.stored_in_order(db, 3, [(0, 1), (1, 0), (1, 2)])
    part = explain(db, decision)["explain"]
    assert part["cycleDetected"] is True and part["evidence"] == [] and part["counts"]["nodes"] == 2
    assert "circle" in part["summary"]
    assert {a, b} >= {c["nodeId"] for c in part["components"]}


def test_a_long_note_is_cut_between_characters(own):
    with connect(own) as db:
        note = "\u00e9\"\\\n" * 100
        node = db.execute("SELECT reason.add_node('decision', %s, 'me')", [json.dumps({"note": note})]).fetchone()[0]
        assert explain(db, node)["explain"]["node"]["note"] == "decision by me: " + note[:200] + "\u2026"
