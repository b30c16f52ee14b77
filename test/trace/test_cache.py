"""The adjacency cache notices every change, may vanish at any time, and is never wrong."""

import json
import random
import time
import uuid

import psycopg
import pytest

import graphs
from adjacency_cache import FILTERS, JSON, TRACED, both_ways, compare, random_edges, random_graph, status, uses_cache, vacuum
from graph_database import build_cache, connect


@pytest.fixture
def db(own):
    with connect(own) as connection:
        yield connection


@pytest.fixture
def graph(db):
    rng = random.Random(1)
    made = random_graph(rng, 1500)
    graphs.store(db, [made], rng)
    vacuum(db)
    build_cache(db)
    return made


def superuser(db):
    db.execute("SET session_replication_role = replica")


def test_it_holds_the_whole_graph(db, graph):
    found = status(db)
    assert (found["state"], found["nodes"], found["edges"]) == ("ready", len(graph.nodes), len(graph.edges))
    assert found["last_outcome"] == "built" and found["readers"] == 0
    assert uses_cache(db)
    compare(db, graph.nodes, random.Random(2))


def test_filters_are_answered_by_the_cache(db, graph):
    db.execute("SET reason.adjacency_cache = on")
    for conditions in FILTERS:
        assert uses_cache(db, conditions.replace("%(at)s", "now()"))
    # Edges that lie in no order of time would have to be looked at one by one, which the indexes do faster.
    assert not uses_cache(db, "as_of => '2026-01-01 00:00:00.0005+00'")


def test_where_a_trace_stopped_is_the_same_as_along_the_indexes(db, graph):
    """Also where it came to edges that the cache does not hold yet."""
    rng = random.Random(13)
    stopped = "SELECT reason.trace_json(%(node)s, %(direction)s, depth => {}, \"limit\" => NULL, divisions => '{{*}}'{})"
    for later in range(2):
        found = 0
        for conditions in ["", *(f", {c}" for c in FILTERS if "max_depth" not in c)]:
            for node in rng.sample(graph.nodes, 8):
                query = stopped.format(rng.randrange(1, 4), conditions)
                (text,), = both_ways(db, query, {"node": node.id, "direction": rng.choice(["ancestors", "descendants"]), "at": node.created_at})
                found += len(json.loads(text)["frontier"])
        assert found > 100
        graphs.store(db, [graphs.Graph([], random_edges(rng, graph.nodes, 200))], rng)


def test_a_time_is_a_bound_among_edges(db, graph):
    """Of edges in the order of time, as they are written, only those of a block or two have to be looked at."""
    rng = random.Random(12)
    later = random_edges(rng, graph.nodes, 4000)
    for edge in later:
        edge.created_at = edge.created_at.replace(day=3)
    graphs.store(db, [graphs.Graph([], later)], rng)
    vacuum(db)
    build_cache(db)
    counts = []
    for day in ["2026-01-01", "2026-01-02", "2026-01-04"]:
        size = f"SELECT nodes, edges FROM reason.trace_size(%s, %s, as_of => '{day} 01:00+00')"
        db.execute("SET reason.adjacency_cache = on")
        assert uses_cache(db, f"as_of => '{day} 01:00+00'")
        counts.append(both_ways(db, size, [graph.nodes[0].id, "ancestors"])[0])
    assert counts[0] == counts[1] and counts[1][1] + 3000 < counts[2][1]


def test_of_too_many_weights_and_types_rows_are_asked(db, own, graph):
    rng = random.Random(13)
    superuser(db)
    db.execute("ALTER TABLE reason.edge DROP CONSTRAINT edge_type_check; ALTER TABLE reason.node DROP CONSTRAINT node_type_check")
    db.execute("UPDATE reason.edge SET weight = no % 600 / 600.0, type = CASE WHEN no % 3 = 0 THEN type ELSE 'type' || no % 400 END")
    db.execute("UPDATE reason.node SET metadata = jsonb_build_object('confidence', no % 500 / 500.0, 'note', repeat('x', CASE WHEN no % 7 = 0"
               " THEN 9000 ELSE 1 END)), type = CASE WHEN no % 3 <> 0 THEN type ELSE 'type' || no % 400 END")
    vacuum(db)
    build_cache(db)
    compare(db, graph.nodes, rng)
    for conditions in ["types => '{observation,decision}'", "edge_types => '{causal,supports,corrects}'"]:
        for node in rng.sample(graph.nodes, 5):
            both_ways(db, f"SELECT * FROM reason.trace(%s, {conditions})", [node.id])
    with connect(own, options="-c reason.adjacency_cache=on") as second:
        assert uses_cache(second) and not any(uses_cache(second, f) for f in ["min_weight => 0.5", "min_confidence => 0.5"])


@pytest.mark.parametrize("change", [
    "DELETE FROM reason.edge WHERE no % 7 = 0",
    "DELETE FROM reason.node WHERE no % 11 = 0",
    "UPDATE reason.edge SET from_no = to_no, to_no = from_no WHERE no % 5 = 0",
    "UPDATE reason.node SET created_at = created_at - interval '1 hour' WHERE no % 13 = 0",
    "UPDATE reason.node SET type = 'score', metadata = '{\"confidence\": 0.9}' WHERE no % 13 = 0",
    "UPDATE reason.edge SET type = 'corrects', weight = 0.3, created_at = created_at + interval '1 hour' WHERE no % 5 = 0",
    "UPDATE reason.edge SET division = 'other' WHERE no % 400 = 0 AND from_no = -1",
    "INSERT INTO reason.edge (id, division, from_no, to_no, type, created_at, digest, audit_event_id)"
    " SELECT gen_random_uuid(), division, from_no, to_no, type, created_at, digest, audit_event_id FROM reason.edge",
])
@pytest.mark.parametrize("afterwards", ["nothing", "vacuumed", "rebuilt"])
def test_what_a_superuser_does_shows_at_once(db, graph, change, afterwards):
    superuser(db)
    db.execute(change)
    if afterwards != "nothing":
        vacuum(db)
    if afterwards == "rebuilt":
        build_cache(db)
    left = {row[0] for row in db.execute("SELECT id FROM reason.node").fetchall()}
    # What nodes are named by is not expected to change: while that is so, and known, there is no cache.
    assert uses_cache(db) or ("reason.node" in change and afterwards != "rebuilt")
    compare(db, [node for node in graph.nodes if node.id in left], random.Random(3))


def test_an_erased_payload_changes_nothing_but_the_payload(db, graph):
    """Erasing writes a new version of the row; once a block is full, in another."""
    together = sorted(graph.nodes, key=lambda node: node.no)[:80]
    with db.transaction():  # so that no version can be pruned before the next needs room
        for node in together:
            db.execute("SELECT reason.erase_payload(%s, 'asked for')", [node.id])
    last = db.execute("SELECT max((ctid::text::point)[0]) FROM reason.node WHERE payload IS NULL").fetchone()[0]
    assert last > 10
    compare(db, graph.nodes, random.Random(4))
    text = db.execute(JSON, [together[0].id, "ancestors"]).fetchone()[0]
    assert '"erased":true' in text
    vacuum(db)
    compare(db, graph.nodes, random.Random(4))


def test_an_edge_between_divisions_is_left_to_the_indexes(db, graph):
    superuser(db)
    db.execute("UPDATE reason.node SET division = 'elsewhere' WHERE no % 50 = 0")
    vacuum(db)
    build_cache(db)
    left = {row[0] for row in db.execute("SELECT id FROM reason.node WHERE division = 'default'").fetchall()}
    compare(db, [node for node in graph.nodes if node.id in left], random.Random(5))


def test_nodes_of_one_number_make_the_graph_irregular(db, graph):
    superuser(db)
    db.execute("UPDATE reason.node SET no = (SELECT min(no) FROM reason.node), division = 'other' WHERE no = (SELECT max(no) FROM reason.node)")
    vacuum(db)
    with pytest.raises(psycopg.errors.DataCorrupted, match="same number"):
        build_cache(db)
    assert status(db)["last_outcome"] == "irregular"
    compare(db, [n for n in graph.nodes if n.no != max(m.no for m in graph.nodes)], random.Random(6))


def test_uncommitted_and_aborted_changes(db, own, graph):
    with connect(own) as other:
        rng = random.Random(7)
        for end in ["ROLLBACK", "COMMIT"]:
            db.execute("BEGIN")
            superuser(db)
            db.execute("DELETE FROM reason.edge WHERE no % 3 = 0")
            graphs.store(db, [graphs.Graph([], random_edges(rng, graph.nodes, 300))], rng)
            compare(db, graph.nodes, rng, 3)
            compare(other, graph.nodes, rng, 3)
            db.execute(end)
            compare(db, graph.nodes, rng, 3)
            compare(other, graph.nodes, rng, 3)


def test_pages_of_a_trace_stay_those_of_the_first(db, own, graph):
    """The first page walked or cached, those after it the other way, and a cache that knows more than the first page saw."""
    rng = random.Random(8)
    page = ("SELECT reason.trace_json(%s, 'descendants', depth => NULL, \"limit\" => 400, cursor => %s, divisions => '{*}')::json")

    def pages(first, later, between):
        found, cursor = [], None
        for _ in range(100):
            db.execute(f"SET reason.adjacency_cache = {first if cursor is None else later}")
            answer = db.execute(page, [start.id, cursor]).fetchone()[0]
            found += [step["node"]["id"] for step in answer["steps"]]
            if cursor is None:
                between()
            cursor = answer.get("nextCursor")
            if not cursor:
                return found
        raise AssertionError("pages do not end")

    def write():
        graphs.store(db, [random_graph(rng, 50), graphs.Graph([], random_edges(rng, graph.nodes, 200))], rng)

    def write_and_build():
        write()
        vacuum(db)
        build_cache(db)

    start = graph.nodes[0]
    for first, later in [("always", "always"), ("off", "always"), ("always", "off")]:
        for between in [write, write_and_build]:
            db.execute("SET reason.adjacency_cache = off")
            expected = [str(row[0]) for row in db.execute(TRACED, [start.id, "descendants"]).fetchall()]
            assert pages(first, later, between) == expected


def test_a_large_trace_has_it_built_in_the_background(own):
    with connect(own, options="-c reason.adjacency_cache=on") as db:
        rng = random.Random(9)
        made = random_graph(rng, 3000)
        graphs.store(db, [made], rng)
        vacuum(db)
        assert status(db)["state"] == "empty"
        deadline = time.monotonic() + 30
        while status(db)["state"] != "ready":
            assert time.monotonic() < deadline
            db.execute("SELECT reason.trace_size(%s)", [rng.choice(made.nodes).id])
            time.sleep(0.1)
        assert status(db)["nodes"] == 3000


def test_it_is_built_anew_once_much_is_new(own):
    with connect(own, options="-c reason.adjacency_cache=on") as db:
        rng = random.Random(10)
        made = random_graph(rng, 1500)
        graphs.store(db, [made], rng)
        vacuum(db)
        build_cache(db)
        more = random_graph(rng, 6000)
        graphs.store(db, [more], rng)
        deadline = time.monotonic() + 30
        while status(db)["nodes"] != 7500:
            assert time.monotonic() < deadline
            vacuum(db)  # again, if what autovacuum analyzes kept the last one from calling pages all-visible
            db.execute("SELECT reason.trace_size(%s)", [rng.choice(more.nodes).id])
            time.sleep(0.2)


def test_a_reader_may_not_build_or_look(db, graph):
    db.execute("SET ROLE reason_reader")
    for call in ["build_adjacency_cache", "adjacency_cache_status"]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(f"SELECT reason.{call}()")


def test_databases_have_their_own(db, own, graph):
    with connect("postgres") as admin:
        other = f"cache_{uuid.uuid4().hex[:12]}"
        admin.execute(f"CREATE DATABASE {other} TEMPLATE template0")
    try:
        with connect(other) as second:
            second.execute("CREATE EXTENSION reasoning_graph")
            rng = random.Random(11)
            made = random_graph(rng, 100)
            graphs.store(second, [made], rng)
            vacuum(second)
            build_cache(second)
            assert status(second)["nodes"] == 100
            assert status(db)["nodes"] == 1500
            compare(second, made.nodes, rng)
            compare(db, graph.nodes, rng)
    finally:
        with connect("postgres") as admin:
            admin.execute(f"DROP DATABASE {other} WITH (FORCE)")
