"""trace() as a plan node: the rows of the function, in every query that it serves."""

import itertools
import os
import random
import uuid

import psycopg
import pytest

import graphs
from graph_database import build_cache, connect

ROUNDS = max(4, int(os.environ.get("REASON_TRACE_ROUNDS", "120")) // 10)
COLUMNS = ["step", "depth", "node_id", "edge_id", "parent_id", "cycle"]
CALL = "reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random(7)
    made = [graphs.make(rng, shape) for _ in range(ROUNDS) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
        db.execute("VACUUM (ANALYZE) reason.node, reason.edge")
        build_cache(db)
    return made


@pytest.fixture(scope="module")
def largest(stored):
    return max(stored, key=lambda graph: len(graph.nodes))


@pytest.fixture(params=["off", "always"], ids=["walked", "cached"])
def db(database, request):
    with connect(database, options=f"-c reason.adjacency_cache={request.param}") as connection:
        yield connection


def plan(db, query, arguments=()):
    return "\n".join(line for line, in db.execute("EXPLAIN (VERBOSE, COSTS OFF) " + query, arguments))


def by_function(db, query, arguments=()):
    """The same by a function scan."""
    with db.transaction():
        db.execute("SET LOCAL reason.enable_tracescan = off")
        assert "TraceScan" not in plan(db, query, arguments)
        return db.execute(query, arguments).fetchall()


def same(db, query, arguments=()):
    assert "Custom Scan (TraceScan)" in plan(db, query, arguments), query
    rows = db.execute(query, arguments).fetchall()
    assert rows == by_function(db, query, arguments), query
    return rows


def far(graph, direction="ancestors"):
    """The node from which most can be reached."""
    return max(graph.nodes, key=lambda n: len(graphs.reference(graph, n, direction, graphs.Filter())[0]))


def test_every_choice_of_columns_equals_the_reference(db, stored):
    rng = random.Random(8)
    choices = [c for n in range(1, 7) for c in itertools.combinations(range(6), n)]
    for graph in stored:
        for direction in ["ancestors", "descendants"]:
            start, f = rng.choice(graph.nodes), graphs.random_filter(rng)
            if f.as_of is not None and start.created_at > f.as_of:
                f.as_of = start.created_at
            expected, _ = graphs.reference(graph, start, direction, f)
            for choice in rng.sample(choices, 6):
                rows = db.execute(
                    f"SELECT {', '.join(COLUMNS[i] for i in choice)} FROM {CALL}",
                    [start.id, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of, f.max_nodes],
                ).fetchall()
                assert rows == [tuple(row[i] for i in choice) for row in expected], (choice, direction, f)


def test_conditions_and_expressions(db, largest):
    start = far(largest).id
    assert len(same(db, "SELECT * FROM reason.trace(%s)", [start])) > 5
    same(db, "SELECT count(*) FROM reason.trace(%s)", [start])
    same(db, "SELECT FROM reason.trace(%s)", [start])
    same(db, "SELECT depth + 1, upper(node_id::text) FROM reason.trace(%s) WHERE step %% 2 = 1 AND NOT cycle", [start])
    same(db, "SELECT t.node_id FROM reason.trace(%s) t WHERE t.parent_id IS NULL OR t.edge_id > t.parent_id", [start])
    same(db, "SELECT depth, count(*), bool_or(cycle) FROM reason.trace(%s) GROUP BY depth ORDER BY depth", [start])
    same(db, "SELECT * FROM reason.trace(%s) LIMIT 3", [start])
    same(db, "SELECT * FROM reason.trace(NULL)")


def test_joins(db, largest):
    start = far(largest).id
    same(db, "SELECT t.step, n.type FROM reason.trace(%s) t JOIN reason.node n ON n.id = t.node_id ORDER BY t.step", [start])
    same(db, "SELECT a.step, b.step FROM reason.trace(%s) a JOIN reason.trace(%s, 'descendants') b USING (node_id) ORDER BY 1",
         [start, start])
    same(db, "SELECT a.step, b.step FROM reason.trace(%s) a LEFT JOIN reason.trace(%s, max_depth => 1) b ON b.step = a.step + 1"
         " ORDER BY 1, 2", [start, start])
    same(db, "WITH t AS MATERIALIZED (SELECT * FROM reason.trace(%s)) SELECT a.step FROM t a, t b WHERE a.node_id = b.parent_id"
         " ORDER BY 1", [start])


def test_a_start_for_each_row(db, largest):
    ids = [node.id for node in largest.nodes]
    lateral = ("SELECT i, t.* FROM unnest(%s::uuid[]) WITH ORDINALITY u (id, i), LATERAL reason.trace(u.id, max_depth => (i %% 3)::int) t"
               " ORDER BY i, step")
    assert len(same(db, lateral, [ids])) >= len(ids)
    same(db, "SELECT i, t.step FROM unnest(%s::uuid[]) WITH ORDINALITY u (id, i)"
         " LEFT JOIN LATERAL reason.trace(u.id) t ON t.depth > i ORDER BY 1, 2", [ids])
    # A correlated condition runs the scan again, but not the trace; a correlated argument both.
    same(db, "SELECT i, (SELECT count(*) FROM reason.trace(%s) t WHERE t.depth = i) FROM generate_series(0, 5) i", [ids[0]])
    same(db, "SELECT i, (SELECT count(*) FROM reason.trace((SELECT u[i])) t) FROM (SELECT %s::uuid[] AS u) s,"
         " generate_series(1, %s) i", [ids, len(ids)])
    same(db, "SELECT * FROM reason.trace((SELECT id FROM reason.node WHERE id = %s), max_depth => (SELECT 2))", [ids[0]])


def test_the_order_of_steps_needs_no_sort(db, largest):
    start = far(largest).id
    query = "SELECT node_id FROM reason.trace(%s) ORDER BY step"
    assert "Sort" not in plan(db, query, [start])
    same(db, query, [start])
    assert "Sort" in plan(db, "SELECT node_id FROM reason.trace(%s) ORDER BY step DESC", [start])
    same(db, "SELECT node_id FROM reason.trace(%s) ORDER BY step DESC", [start])


def test_a_cursor_goes_both_ways(db, largest):
    start = far(largest).id
    rows = db.execute("SELECT * FROM reason.trace(%s)", [start]).fetchall()
    with db.transaction():
        db.execute("DECLARE c SCROLL CURSOR FOR SELECT * FROM reason.trace('%s')" % start)
        assert db.execute("FETCH 3 FROM c").fetchall() == rows[:3]
        assert db.execute("FETCH BACKWARD 1 FROM c").fetchall() == [rows[1]]
        assert db.execute("FETCH FORWARD ALL FROM c").fetchall() == rows[2:]
        assert db.execute("FETCH FORWARD 1 FROM c").fetchall() == []
        assert db.execute("FETCH BACKWARD ALL FROM c").fetchall() == rows[::-1]
        assert db.execute("FETCH BACKWARD 1 FROM c").fetchall() == []
        assert db.execute("FETCH ABSOLUTE 5 FROM c").fetchall() == [rows[4]]
        assert db.execute("FETCH LAST FROM c").fetchall() == [rows[-1]]
    with db.transaction():
        db.execute("DECLARE h CURSOR WITH HOLD FOR SELECT * FROM reason.trace('%s')" % start)
        assert db.execute("FETCH 1 FROM h").fetchall() == rows[:1]
    assert db.execute("FETCH ALL FROM h").fetchall() == rows[1:]
    db.execute("CLOSE h")


def test_open_cursors_do_not_disturb_each_other(db, largest, stored):
    """One has the memory that a backend keeps, the others do not; an error takes none away."""
    starts = [far(graph).id for graph in stored[-6:]] + [far(largest).id]
    expected = [db.execute("SELECT * FROM reason.trace(%s)", [start]).fetchall() for start in starts]
    with db.transaction():
        for i, start in enumerate(starts):
            db.execute(f"DECLARE c{i} CURSOR FOR SELECT * FROM reason.trace('{start}')")
            assert db.execute(f"FETCH 1 FROM c{i}").fetchall() == expected[i][:1]
            with pytest.raises(psycopg.errors.NoDataFound), db.transaction():
                db.execute("SELECT * FROM reason.trace(gen_random_uuid())")
        for i, rows in enumerate(expected):
            assert db.execute(f"FETCH ALL FROM c{i}").fetchall() == rows[1:]
            assert db.execute("SELECT * FROM reason.trace(%s)", [starts[i]]).fetchall() == rows


def test_a_cursor_outlives_the_generation_it_reads(database, largest):
    start = far(largest).id
    with connect(database) as reader, connect(database) as builder:
        rows = reader.execute("SELECT * FROM reason.trace(%s)", [start]).fetchall()
        with reader.transaction():
            reader.execute("DECLARE c CURSOR FOR SELECT * FROM reason.trace('%s')" % start)
            assert reader.execute("FETCH 1 FROM c").fetchall() == rows[:1]
            build_cache(builder)
            build_cache(builder)
            assert reader.execute("FETCH ALL FROM c").fetchall() == rows[1:]


def test_tables_are_not_held_while_rows_are_read(db, largest):
    with db.transaction():
        db.execute("DECLARE c CURSOR FOR SELECT * FROM reason.trace('%s')" % far(largest).id)
        db.execute("FETCH 1 FROM c")
        # DDL of one's own is refused while anything has the table open.
        with db.transaction(force_rollback=True):
            db.execute("ALTER TABLE reason.edge ADD COLUMN extra int")
        assert len(db.execute("FETCH ALL FROM c").fetchall()) > 1


def test_a_prepared_plan_with_parameters(db, stored):
    db.execute("SET plan_cache_mode = force_generic_plan")
    db.execute("PREPARE p (uuid, text, int) AS SELECT * FROM reason.trace($1, $2, $3)")
    assert "TraceScan" in plan(db, "EXECUTE p (NULL, NULL, NULL)")
    for graph in stored[::7]:
        start = graph.nodes[0]
        for direction, depth in [("ancestors", None), ("descendants", 2)]:
            expected, _ = graphs.reference(graph, start, direction, graphs.Filter(max_depth=depth))
            depth_text = "NULL" if depth is None else depth
            assert db.execute(f"EXECUTE p ('{start.id}', '{direction}', {depth_text})").fetchall() == expected


def test_in_a_parallel_worker(db, largest):
    start = far(largest).id
    name = "debug_parallel_query" if db.info.server_version >= 160000 else "force_parallel_mode"
    expected = db.execute("SELECT * FROM reason.trace(%s)", [start]).fetchall()
    db.execute(f"SET {name} = on")
    assert "Workers Planned: 1" in plan(db, "SELECT * FROM reason.trace(%s)", [start])
    assert db.execute("SELECT * FROM reason.trace(%s)", [start]).fetchall() == expected


@pytest.mark.parametrize("query", [
    "SELECT t FROM reason.trace(%s) t",
    "SELECT * FROM reason.trace(%s) WITH ORDINALITY",
    "SELECT * FROM ROWS FROM (reason.trace(%s), generate_series(1, 3)) t",
    "SELECT (reason.trace(%s)).*",
    "SELECT count(*) FROM reason.trace(%s) t WHERE t IS NOT NULL",
])
def test_what_it_does_not_serve_goes_through_the_function(db, largest, query):
    arguments = [far(largest).id]
    assert "TraceScan" not in plan(db, query, arguments)
    assert db.execute(query, arguments).fetchall() != []


def test_errors_are_those_of_the_function(db):
    for query, error in [
        ("SELECT * FROM reason.trace(gen_random_uuid())", psycopg.errors.NoDataFound),
        ("SELECT * FROM reason.trace(gen_random_uuid(), 'sideways')", psycopg.errors.InvalidParameterValue),
        ("SELECT * FROM reason.trace(NULL, 'sideways')", psycopg.errors.InvalidParameterValue),
        ("SELECT * FROM reason.trace(gen_random_uuid(), max_depth => -1)", psycopg.errors.InvalidParameterValue),
    ]:
        assert "TraceScan" in plan(db, query)
        with pytest.raises(error):
            db.execute(query)


def test_who_may_not_execute_the_function_may_not_scan(db, largest):
    start = far(largest).id
    db.execute("CREATE ROLE stranger; GRANT USAGE ON SCHEMA reason TO stranger; SET ROLE stranger")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for function trace"):
            db.execute("SELECT * FROM reason.trace(%s)", [start])
    finally:
        db.execute("RESET ROLE; REVOKE ALL ON SCHEMA reason FROM stranger; DROP ROLE stranger")


def test_a_function_that_was_altered_is_called(db, largest):
    """Settings of a function are applied by calling it."""
    signature = "reason.trace(uuid, text, int, text[], text[], float8, float8, timestamptz, int, text, bigint)"
    with db.transaction(force_rollback=True):
        db.execute(f"ALTER FUNCTION {signature} SET work_mem = '1MB'")
        assert "TraceScan" not in plan(db, "SELECT * FROM reason.trace(%s)", [far(largest).id])


def test_explain_tells_how(database, largest):
    start = far(largest)
    for use, engine in [("off", "covering indexes"), ("always", "adjacency cache")]:
        with connect(database, options=f"-c reason.adjacency_cache={use}") as db:
            explained = db.execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM reason.trace(%s)", [start.id]).fetchone()[0][0]["Plan"]
            assert explained["Engine"] == engine
            assert explained["Actual Rows"] == len(graphs.reference(largest, start, "ancestors", graphs.Filter())[0])
            assert explained["Memory"] > 0
            assert explained["Function Call"] == f"reason.trace('{start.id}'::uuid, 'ancestors'::text)"


def test_rows_are_estimated_by_depth_and_limit(db, largest):
    def estimate(arguments):
        return db.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM reason.trace('{largest.nodes[0].id}'{arguments})"
                          ).fetchone()[0][0]["Plan"]["Plan Rows"]

    nodes, edges = db.execute(
        "SELECT (SELECT reltuples FROM pg_class WHERE oid = 'reason.node'::regclass),"
        " (SELECT reltuples FROM pg_class WHERE oid = 'reason.edge'::regclass)").fetchone()
    assert estimate("") == min(100, nodes)
    assert estimate(", max_depth => 0") == 1
    assert estimate(", max_depth => 2") == round(1 + edges / nodes + (edges / nodes) ** 2)
    assert estimate(", max_depth => 10000") <= nodes
    assert estimate(", max_nodes => 7") == 7


def test_an_edge_to_a_node_that_is_gone_leads_nowhere(database):
    """Only a superuser's hand can do that; walks that look nodes up late then do it early."""
    rng = random.Random(9)
    for shape in ["path", "dag", "cyclic", "parallel"]:
        graph = max((graphs.make(rng, shape) for _ in range(12)), key=lambda g: len(g.nodes))
        start = far(graph)
        gone = next(n for n in graph.nodes if n is not start)
        with connect(database, options="-c reason.adjacency_cache=off") as db:
            graphs.store(db, [graph], rng)
            db.execute("SET session_replication_role = replica")
            db.execute("DELETE FROM reason.node WHERE no = %s", [gone.no])
            left = graphs.Graph([n for n in graph.nodes if n is not gone],
                                [e for e in graph.edges if gone not in (e.source, e.target)])
            for f in [graphs.Filter(), graphs.Filter(max_depth=2), graphs.Filter(max_nodes=3)]:
                expected, inside = graphs.reference(left, start, "ancestors", f)
                assert db.execute("SELECT * FROM reason.trace(%s, max_depth => %s, max_nodes => %s)",
                                  [start.id, f.max_depth, f.max_nodes]).fetchall() == expected
                if f.max_nodes is None:
                    assert db.execute("SELECT * FROM reason.trace_size(%s, max_depth => %s)", [start.id, f.max_depth]
                                      ).fetchone() == (len(expected), len(inside))


def test_rows_of_edges_that_make_no_difference_are_not_looked_up(database):
    """All but the first few lead to nodes that were reached before, whatever their type."""
    rng = random.Random(10)
    nodes = [graphs.Node(uuid.UUID(int=rng.getrandbits(128)), graphs.EPOCH) for _ in range(60)]
    clique = graphs.Graph(nodes, [graphs.Edge(uuid.UUID(int=rng.getrandbits(128)), a, b, graphs.EPOCH) for a in nodes for b in nodes])
    with connect(database, options="-c reason.adjacency_cache=off") as db:
        before = db.execute("SELECT pg_relation_size('reason.edge') / 8192").fetchone()[0]
        graphs.store(db, [clique], rng)
        db.execute("VACUUM reason.node, reason.edge")
        blocks = db.execute("SELECT pg_relation_size('reason.edge') / 8192").fetchone()[0] - before

        def buffers(query):
            explained = db.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", [nodes[0].id]).fetchone()[0][0]["Plan"]
            return explained["Shared Hit Blocks"] + explained["Shared Read Blocks"]

        # Their ends are reached at depth 1; only counting the edges asks all for their type.
        call = "reason.trace{}(%s, edge_types => '{{causal}}')"
        buffers("SELECT node_id FROM " + call.format(""))
        some, all_of_them = buffers("SELECT node_id FROM " + call.format("")), buffers("SELECT * FROM " + call.format("_size"))
        assert blocks > 50 and some + blocks / 2 < all_of_them, (blocks, some, all_of_them)
