"""What is in quarantine is as if it were not there, but for those who see it; and pages of a trace stay as they began."""

import json
import random
import uuid

import psycopg
import pytest

import graphs
from graph_database import build_cache, connect
from graphs import arguments, hold

ROUNDS = 60
READER = "trace_reader"
AUDITOR = "trace_auditor"


@pytest.fixture(scope="module")
def roles(database):

    with connect(database) as db:
        for role, group in ((READER, "reason_reader"), (AUDITOR, "reason_auditor")):
            db.execute(f"DO $$ BEGIN CREATE ROLE {role} IN ROLE {group}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")


def release(db, record):
    """As release_quarantine() does it: the event's number comes from the same sequence, in the same transaction."""
    with db.transaction():
        db.execute("INSERT INTO reason.quarantine_release SELECT 'default', %s, nextval('reason.record_no')"
                   " FROM (SELECT pg_current_xact_id()) x", [record.no])
        db.execute("UPDATE reason.quarantine SET released = true WHERE record_no = %s", [record.no])


@pytest.fixture(scope="module", params=["walked", "cached"])
def stored(request, database, roles):

    rng = random.Random(request.param)
    made = [graphs.make(rng, shape) for _ in range(ROUNDS) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
        db.execute("VACUUM reason.node, reason.edge")
        if request.param == "cached":
            build_cache(db)
        for graph in made:
            graph.hidden_nodes = [n for n in graph.nodes if rng.random() < 0.2]
            graph.hidden_edges = [e for e in graph.edges if rng.random() < 0.1]
            hold(db, "node", graph.hidden_nodes)
            hold(db, "edge", graph.hidden_edges)
            # Some were released since.
            for hidden in (graph.hidden_nodes, graph.hidden_edges):
                for record in [r for r in hidden if rng.random() < 0.3]:
                    release(db, record)
                    hidden.remove(record)
    return made


def visible(graph):
    hidden = {n.id for n in graph.hidden_nodes}
    return graphs.Graph([n for n in graph.nodes if n.id not in hidden],
                        [e for e in graph.edges if e not in graph.hidden_edges and not {e.source.id, e.target.id} & hidden])


def test_a_trace_is_that_of_the_graph_without_what_is_hidden(db, stored):
    rng = random.Random(1)
    db.execute(f"SET ROLE {READER}")
    for graph in stored:
        seen = visible(graph)
        for direction in ["ancestors", "descendants"]:
            start = rng.choice(graph.nodes)
            f = graphs.random_filter(rng)
            if f.as_of is not None and start.created_at > f.as_of:
                f.as_of = start.created_at
            call = "SELECT * FROM reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s)", arguments(start, direction, f)
            if start not in seen.nodes:
                with pytest.raises(psycopg.errors.NoDataFound, match="does not exist"):
                    db.execute(*call)
                continue
            expected, inside = graphs.reference(seen, start, direction, f)
            assert db.execute(*call).fetchall() == expected, (direction, f)
            if f.max_nodes is None:
                size = db.execute("SELECT * FROM reason.trace_size(%s, %s, %s, %s, %s, %s, %s, %s)", arguments(start, direction, f)[:-1]).fetchone()
                assert size == (len(expected), len(inside)), (direction, f)


def test_an_auditor_sees_it_all(db, stored):
    rng = random.Random(2)
    db.execute(f"SET ROLE {AUDITOR}")
    for graph in stored[::3]:
        start = rng.choice(graph.nodes)
        expected, _ = graphs.reference(graph, start, "ancestors", graphs.Filter())
        assert db.execute("SELECT * FROM reason.trace(%s)", [start.id]).fetchall() == expected


def test_nothing_hidden_is_in_any_json(database, stored):
    """These functions are the HTTP API's: called by the owner, for somebody."""

    rng = random.Random(3)
    with connect(database) as db:
        for graph in stored[::2]:
            seen = visible(graph)
            hidden = {str(r.id) for r in graph.nodes + graph.edges} - {str(r.id) for r in seen.nodes + seen.edges}
            for start in rng.sample(graph.nodes, min(3, len(graph.nodes))):
                calls = ["reason.trace_json(%s, depth => NULL, divisions => '{*}', quarantined => false)",
                         "reason.trace_json(%s, 'descendants', depth => NULL, divisions => '{*}', quarantined => false)",
                         "reason.ordered_trace_json(%s, '{*}', true, false)", "reason.node_json(%s, '{*}', true, false)",
                         "reason.impact_json(%s, '{*}', true, false)"]
                for call in calls:
                    if start not in seen.nodes:
                        with pytest.raises(psycopg.errors.NoDataFound):
                            db.execute("SELECT " + call, [start.id])
                        continue
                    text = db.execute("SELECT " + call, [start.id]).fetchone()[0]
                    assert not [i for i in hidden if i in text], call
                    assert '"quarantined"' not in text


def test_who_sees_it_is_told_what_it_is(db, stored):
    graph = next(g for g in stored if g.hidden_nodes)
    held = graph.hidden_nodes[0]
    node = json.loads(db.execute("SELECT reason.node_json(%s, '{*}', true, true)", [held.id]).fetchone()[0])["node"]
    assert node["quarantined"] is True
    plain = visible(graph).nodes
    if plain:
        assert "quarantined" not in json.loads(db.execute("SELECT reason.node_json(%s, '{*}')", [plain[0].id]).fetchone()[0])["node"]


def test_causal_paths_and_orders_go_around(db, roles):
    rng = random.Random(4)
    a, b, c, d = nodes = [graphs.Node(uuid.UUID(int=rng.getrandbits(128)), graphs.EPOCH) for _ in range(4)]
    pairs = [(a, b), (b, d), (a, c), (c, d)]
    edges = [graphs.Edge(uuid.UUID(int=rng.getrandbits(128)), x, y, graphs.EPOCH) for x, y in pairs]
    graphs.store(db, [graphs.Graph(nodes, edges)])
    hold(db, "node", [b])
    db.execute(f"SET ROLE {READER}")
    path = "SELECT node_id FROM reason.causal_path(%s, %s)"
    assert [n for n, in db.execute(path, [a.id, d.id])] == [a.id, c.id, d.id]
    assert {n for n, in db.execute("SELECT id FROM reason.ordered_trace(%s)", [d.id])} == {a.id, c.id, d.id, edges[2].id, edges[3].id}
    db.execute("RESET ROLE")
    hold(db, "edge", [edges[3]])
    db.execute(f"SET ROLE {READER}")
    assert db.execute(path, [a.id, d.id]).fetchall() == []
    assert db.execute(path, [a.id, c.id]).fetchall() != []
    with pytest.raises(psycopg.errors.NoDataFound):
        db.execute(path, [b.id, d.id])


RNG = random.Random(5)


def star(db, leaves):
    centre, *nodes = [graphs.Node(uuid.UUID(int=RNG.getrandbits(128)), graphs.EPOCH) for _ in range(leaves + 1)]
    edges = [graphs.Edge(uuid.UUID(int=RNG.getrandbits(128)), n, centre, graphs.EPOCH) for n in nodes]
    graphs.store(db, [graphs.Graph([centre, *nodes], edges)])
    return centre, nodes


@pytest.mark.parametrize("sealed", [False, True], ids=["undecided", "decided"])
def test_pages_stay_as_they_began_when_something_is_released(database, roles, sealed):

    with connect(database) as db, connect(database) as admin:
        centre, leaves = star(db, 20)
        held = sorted(leaves, key=lambda n: n.id)[::4]
        hold(db, "node", held)
        release(db, held[0])
        if sealed:
            db.execute("UPDATE reason.sealer_state SET decided_no = (SELECT last_value FROM reason.record_no)")

        def page(cursor=None, quarantined=False):
            return json.loads(db.execute("SELECT reason.trace_json(%s, \"limit\" => 5, cursor => %s, divisions => '{*}', quarantined => %s)",
                                         [centre.id, cursor, quarantined]).fetchone()[0])

        def rest(first):
            pages = [first]
            while "nextCursor" in pages[-1]:
                pages.append(page(pages[-1]["nextCursor"]))
            return [step["node"]["id"] for p in pages for step in p["steps"]]

        # A release that had begun and was not committed when the first page was read counts as later.
        admin.execute("BEGIN")
        release(admin, held[1])
        first = page()
        before = rest(first)
        assert len(before) == 21 - len(held) + 1
        admin.execute("COMMIT")
        assert rest(first) == before
        release(db, held[2])
        assert rest(first) == before
        assert set(rest(page())) - set(before) == {str(held[1].id), str(held[2].id)}
        # A cursor of one who sees more is none of one who sees less.
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="other parameters"):
            page(page(quarantined=True)["nextCursor"])
        db.execute("UPDATE reason.sealer_state SET decided_no = 0")
        for record in held[3:]:
            release(db, record)


def test_a_snapshot_leaves_it_out_whoever_asks(db, roles):
    centre, leaves = star(db, 4)
    annotations = [db.execute("SELECT reason.annotate(%s, %s)", [leaves[1].id, text]).fetchone()[0] for text in ("seen", "held")]
    hold(db, "node", [leaves[0]])
    db.execute("INSERT INTO reason.quarantine SELECT division, no, 'annotation', id, id FROM reason.annotation WHERE id = %s", [annotations[1]])

    def frozen():
        snapshot = db.execute("SELECT reason.create_snapshot(%s, include_annotations => true)", [[centre.id]]).fetchone()[0]
        document = json.loads(db.execute("SELECT reason.snapshot_document(%s)", [snapshot]).fetchone()[0])
        return [{r["id"] for r in document["payload"][kind]} for kind in ("nodes", "edges", "annotations")]

    nodes, edges, notes = frozen()
    assert nodes == {str(n.id) for n in [centre, *leaves[1:]]}
    assert len(edges) == 3
    assert notes == {str(annotations[0])}
    with pytest.raises(psycopg.errors.NoDataFound, match="does not exist"):
        db.execute("SELECT reason.create_snapshot(%s)", [[leaves[0].id]])
    release(db, leaves[0])
    nodes, edges, notes = frozen()
    assert len(nodes) == 5 and len(edges) == 4 and len(notes) == 1


def test_annotations_in_quarantine_are_not_in_an_ordered_trace(db, roles):
    centre, leaves = star(db, 1)
    kept, held, after = [db.execute("SELECT reason.annotate(%s, %s)", [leaves[0].id, text]).fetchone()[0] for text in ("a", "b", "c")]
    db.execute("INSERT INTO reason.quarantine SELECT division, no, 'annotation', id, id FROM reason.annotation WHERE id = %s", [held])

    def shown(quarantined):
        trace = json.loads(db.execute("SELECT reason.ordered_trace_json(%s, '{*}', false, %s)", [centre.id, quarantined]).fetchone()[0])
        return [a["id"] for a in trace["ordered_path"][0]["annotations"]]

    assert shown(False) == [str(kept), str(after)]
    assert shown(True) == [str(kept), str(held), str(after)]
