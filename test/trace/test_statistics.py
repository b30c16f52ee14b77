"""Traces are counted by engine, size and time, for all sessions."""

import random

import pytest

import graphs
from adjacency_cache import random_graph, vacuum
from graph_database import build_cache, connect

COLUMNS = "engine, nodes, traces, seconds, within"


def counted(db):
    return {(engine, nodes): (traces, seconds, within) for engine, nodes, traces, seconds, within in db.execute(f"SELECT {COLUMNS} FROM reason.trace_statistics()")}


def rise(before, after):
    """By how much each count of traces is larger."""
    return {key: after[key][0] - before[key][0] for key in after if after[key][0] != before[key][0]}


@pytest.fixture
def graph(own):
    with connect(own) as db:
        drawn = random_graph(random.Random(5), 2000)
        graphs.store(db, [drawn])
        yield db, drawn


def test_sizes_are_of_what_was_found(graph):
    db, drawn = graph
    db.execute("SET reason.adjacency_cache = off")
    sizes = [1, 101, 1001]
    for start in drawn.nodes[:40]:
        size = db.execute("SELECT nodes FROM reason.trace_size(%s)", [start.id]).fetchone()[0]
        before = counted(db)
        db.execute("SELECT count(*) FROM reason.trace(%s)", [start.id])
        bound = next((bound for bound in (100, 1000, 10000, 100000) if size <= bound), None)
        # others trace beside, on the same server
        assert rise(before, counted(db)).get(("indexes", bound), 0) >= 1
        sizes.append(size)
    assert len({bound for bound in (100, 1000) if any(size <= bound for size in sizes)}) == 2


def test_what_runs_in_the_cache_is_counted_there(graph):
    db, drawn = graph
    vacuum(db)
    build_cache(db)
    db.execute("SET reason.adjacency_cache = always")
    before = counted(db)
    for start in drawn.nodes[:50]:
        db.execute("SELECT count(*) FROM reason.trace(%s)", [start.id])
    risen = rise(before, counted(db))
    assert sum(count for (engine, _), count in risen.items() if engine == "cache") >= 50


def test_times_add_up(graph):
    db, drawn = graph
    before = counted(db)
    for start in drawn.nodes[:20]:
        db.execute("SELECT count(*) FROM reason.trace(%s)", [start.id])
    after = counted(db)
    assert sum(seconds for _, seconds, _ in after.values()) > sum(seconds for _, seconds, _ in before.values())
    for traces, _, within in after.values():
        assert len(within) == 10 and within == sorted(within) and within[-1] <= traces


def test_the_counts_are_of_all_sessions_and_only_for_those_who_run_it(graph, own):
    db, drawn = graph
    before = counted(db)
    with connect(own) as other:
        other.execute("SELECT count(*) FROM reason.trace(%s)", [drawn.nodes[0].id])
    assert sum(rise(before, counted(db)).values()) >= 1
    for role, may in [("reason_reader", False), ("reason_writer", False), ("reason_auditor", False), ("reason_admin", True), ("reason_sidecar", True)]:
        assert db.execute("SELECT has_function_privilege(%s, 'reason.trace_statistics()', 'EXECUTE')", [role]).fetchone()[0] == may
