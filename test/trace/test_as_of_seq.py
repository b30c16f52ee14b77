"""A trace as of an event of the chain is the same whenever it is asked for, whatever commits in between.

Several sessions write random graphs in transactions that overlap and commit late, or never, and a sealer passes by. As of each
event that was the last one once, traces are asked for at once and again at the end, through the indexes and through the cache, and
compared with the plain reference: the graph of what has its place up to there.
"""

import contextlib
import json
import os
import random

import psycopg
import pytest

import graphs
from graph_database import build_cache, connect

STEPS = int(os.environ.get("REASON_AS_OF_STEPS", "400"))
DIVISION = "late"


class Writer:
    """Adds nodes and edges of its own and of what was committed; in a transaction that ends at random."""

    def __init__(self, db, rng, committed):
        self.db, self.rng, self.committed = db, rng, committed
        self.open, self.nodes = False, []

    def step(self):
        if not self.open:
            self.db.execute("BEGIN")
            self.open = True
        known = self.committed + self.nodes
        if len(known) < 2 or self.rng.random() < 0.4:
            self.nodes.append(self.db.execute("SELECT reason.add_node(%s, '1', 'ada', division => %s)",
                                              [self.rng.choice(graphs.NODE_TYPES), DIVISION]).fetchone()[0])
        else:
            source, target = self.rng.choice(known), self.rng.choice(known[-8:])
            self.db.execute("SELECT reason.add_edge(%s, %s, %s, %s, division => %s)",
                            [source, target, self.rng.choice(graphs.EDGE_TYPES), self.rng.choice([0.25, 0.5, 1.0]), DIVISION])

    def end(self):
        if self.open:
            how = self.rng.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
            self.db.execute(how)
            if how == "COMMIT":
                self.committed += self.nodes
            self.open, self.nodes = False, []


def sealed_graph(db):
    """seq → the graph of all that has its place up to there."""
    nodes, edges = {}, []
    for seq, no, kind, payload in db.execute("SELECT s.seq, e.no, e.event_type, reason.event_payload(e) FROM reason.audit_seal s JOIN reason.audit_event e"
                                             " ON e.no = s.event_no WHERE s.division = %s ORDER BY s.seq", [DIVISION]).fetchall():
        if kind == "node.created":
            row = db.execute("SELECT id, created_at, type FROM reason.node WHERE no = %s", [no]).fetchone()
            nodes[row[0]] = (seq, graphs.Node(*row, no=no))
        elif kind == "edge.created":
            edges.append((seq, db.execute("SELECT e.id, f.id, t.id, e.created_at, e.type, e.weight FROM reason.edge e JOIN reason.node f ON f.no = e.from_no"
                                          " JOIN reason.node t ON t.no = e.to_no WHERE e.no = %s", [no]).fetchone()))

    def at(last):
        there = {i: n for i, (seq, n) in nodes.items() if seq <= last}
        return graphs.Graph(list(there.values()), [graphs.Edge(i, there[f], there[t], *rest) for seq, (i, f, t, *rest) in edges
                                                   if seq <= last and f in there and t in there])
    return at


def trace(db, start, direction, f, seq):
    return db.execute("SELECT * FROM reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s, as_of_seq => %s)",
                      [start, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of, f.max_nodes, seq]).fetchall()


@pytest.fixture(scope="module")
def history(database):
    """(a function that gives the graph as of an event, [(seq, start, direction, filter, the rows at the time)])"""
    rng = random.Random(os.environ.get("REASON_SEED", "11"))
    asked = []
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(connect(database))
        committed = []
        writers = [Writer(stack.enter_context(connect(database)), rng, committed) for _ in range(5)]
        token = db.execute("SELECT reason.acquire_lease('seal', 'test', '1 hour')").fetchone()[0]
        for step in range(STEPS):
            writer = rng.choice(writers)
            if rng.random() < 0.7:
                writer.step()
            elif writer is not writers[0] or rng.random() < 0.05:
                writer.end()
            if rng.random() < 0.15:
                db.execute("SELECT reason.seal_events(%s, %s)", [token, rng.choice([1, 7, 1000])])
                head = db.execute("SELECT max(seq) FROM reason.audit_seal WHERE division = %s", [DIVISION]).fetchone()[0]
                if head is None:
                    continue
                for _ in range(3):
                    start, = db.execute("SELECT n.id FROM reason.node n JOIN reason.audit_seal s ON s.event_no = n.no WHERE s.division = %s"
                                        " ORDER BY md5(n.id::text || %s) LIMIT 1", [DIVISION, str(rng.random())]).fetchone()
                    f = graphs.random_filter(rng)
                    f.as_of = None
                    direction = rng.choice(["ancestors", "descendants"])
                    asked.append((head, start, direction, f, trace(db, start, direction, f, head)))
            if step == STEPS * 2 // 3:
                db.execute("VACUUM reason.node, reason.edge")
                build_cache(db)
        for writer in writers:
            writer.end()
        while db.execute("SELECT reason.seal_events(%s, 1000)", [token]).fetchone()[0]:
            pass
        return sealed_graph(db), asked


@pytest.mark.parametrize("use", ["off", "on", "always", "built anew"])
def test_it_is_the_same_again_and_what_the_chain_says(database, history, use):
    at, asked = history
    assert len(asked) > 50
    with connect(database, options=f"-c reason.adjacency_cache={'always' if use == 'built anew' else use}") as db:
        if use == "built anew":
            db.execute("VACUUM reason.node, reason.edge")
            build_cache(db)
        for seq, start, direction, f, before in asked:
            graph = at(seq)
            node = next(n for n in graph.nodes if n.id == start)
            expected, inside = graphs.reference(graph, node, direction, f)
            rows = trace(db, start, direction, f, seq)
            assert rows == before == expected, (seq, direction, f)
            if f.max_nodes is None:
                assert db.execute("SELECT * FROM reason.trace_size(%s, %s, %s, %s, %s, %s, %s, as_of_seq => %s)",
                                  [start, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, seq]).fetchone() == (
                                      len(expected), len(inside))


def test_pages_of_it_go_on(database, history):
    _, asked = history
    with connect(database) as db:
        for seq, start, direction, f, rows in asked[-10:]:
            steps, cursor = [], None
            while True:
                page = json.loads(db.execute(
                    "SELECT reason.trace_json(%s, %s, %s, 3, %s, %s, %s, %s, %s, as_of_seq => %s)",
                    [start, direction, f.max_depth, cursor, f.types, f.edge_types, f.min_weight, f.min_confidence, seq]).fetchone()[0])
                steps += [step["node"]["id"] for step in page["steps"]]
                cursor = page.get("nextCursor")
                if cursor is None:
                    break
                with pytest.raises(psycopg.Error):
                    db.execute("SELECT reason.trace_json(%s, %s, %s, 3, %s, as_of_seq => %s)", [start, direction, f.max_depth, cursor, seq - 1])
            if f.max_nodes is None:
                assert steps == [str(row[2]) for row in rows]


def test_ordered_traces_and_paths_hold_too(database, history):
    at, asked = history
    with connect(database) as db:
        for seq, start, *_ in asked[::5]:
            expected, inside = graphs.reference(at(seq), next(n for n in at(seq).nodes if n.id == start), "ancestors", graphs.Filter())
            ids = {row[2] for row in expected} | {e.id for e in inside}
            assert {i for i, in db.execute("SELECT id FROM reason.ordered_trace(%s, as_of_seq => %s)", [start, seq])} == ids
            found = json.loads(db.execute("SELECT reason.ordered_trace_json(%s, as_of_seq => %s)", [start, seq]).fetchone()[0])
            assert {entry["id"] for entry in found["ordered_path"]} == {str(i) for i in ids}
            for cause in expected[-1:]:
                path = db.execute("SELECT node_id FROM reason.causal_path(%s, %s, as_of_seq => %s)", [cause[2], start, seq]).fetchall()
                assert path[0][0] == cause[2] and len(path) == cause[1] + 1


def test_annotations_are_of_that_event_as_well(own):
    with connect(own) as db:
        node = db.execute("SELECT reason.add_node('score', '1', 'ada')").fetchone()[0]
        db.execute("SELECT reason.annotate(%s, 'early')", [node])
        token = db.execute("SELECT reason.acquire_lease('seal', 'test', '1 hour')").fetchone()[0]
        db.execute("SELECT reason.seal_events(%s)", [token])
        db.execute("SELECT reason.annotate(%s, 'late')", [node])
        db.execute("SELECT reason.seal_events(%s)", [token])
        for seq, count in ((0, 0), (1, 1), (2, 2)):
            found = json.loads(db.execute("SELECT reason.ordered_trace_json(%s, as_of_seq => %s)", [node, seq]).fetchone()[0])
            assert len(found["ordered_path"][0]["annotations"]) == count


@pytest.mark.parametrize("seq", [-1, 2, 2**62])
def test_an_event_that_the_chain_has_not_is_refused(own, seq):
    with connect(own) as db:
        first, second = (db.execute("SELECT reason.add_node('score', '1', 'ada')").fetchone()[0] for _ in range(2))
        token = db.execute("SELECT reason.acquire_lease('seal', 'test', '1 hour')").fetchone()[0]
        db.execute("SELECT reason.seal_events(%s)", [token])
        with pytest.raises(psycopg.errors.NoDataFound, match=f'has no event {seq}'):
            db.execute("SELECT * FROM reason.trace(%s, as_of_seq => %s)", [first, seq])
        with pytest.raises(psycopg.errors.NoDataFound, match="was not sealed yet at event 0"):
            db.execute("SELECT * FROM reason.trace(%s, as_of_seq => 0)", [second])
        assert len(db.execute("SELECT * FROM reason.trace(%s, as_of_seq => 0)", [first]).fetchall()) == 1
