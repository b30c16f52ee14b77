"""Shapes that break traversals: they cost what their size says, stop when told, and leak nothing.

All with the indexes walked, and in the adjacency cache.
"""

import os
import threading
import time
import uuid

import psycopg
import pytest

from conftest import build_cache, connect

SIZE = int(os.environ.get("REASON_HOSTILE_SIZE", "200000"))


@pytest.fixture(scope="module", params=["off", "always"], ids=["walked", "cached"])
def use(request):
    return request.param


def connect_using(use, database):
    return connect(database, options=f"-c reason.adjacency_cache={use}")


@pytest.fixture
def db(database, use):
    with connect_using(use, database) as connection:
        yield connection


@pytest.fixture(scope="module")
def shapes(database):
    """A path, a star, a clique and a bundle of parallel edges; the id of the node to start from."""
    starts = {}
    with connect(database) as db:

        def make(name, nodes, edges):
            first = db.execute("SELECT nextval('reason.record_no')").fetchone()[0]
            db.execute(
                f"""
                INSERT INTO reason.node (no, id, division, type, author, created_at, payload_hash, digest, audit_event_id)
                SELECT {first} + i, gen_random_uuid(), 'default', 'observation', 'test', '2026-01-01',
                       sha256(''), sha256(''), gen_random_uuid() FROM generate_series(0, {nodes - 1}) i"""
            )
            db.execute(f"SELECT setval('reason.record_no', {first} + {nodes})")
            db.execute(
                f"""
                INSERT INTO reason.edge (id, division, from_no, to_no, type, created_at, digest, audit_event_id)
                SELECT gen_random_uuid(), 'default', {first} + a, {first} + b, 'causal', '2026-01-01',
                       sha256(''), gen_random_uuid() FROM ({edges}) e (a, b)"""
            )
            starts[name] = db.execute("SELECT id FROM reason.node WHERE no = %s", [first]).fetchone()[0]

        make("path", SIZE, f"SELECT i + 1, i FROM generate_series(0, {SIZE - 2}) i")
        make("star", SIZE, f"SELECT i, 0 FROM generate_series(1, {SIZE - 1}) i")
        make("clique", 400, "SELECT i, j FROM generate_series(0, 399) i, generate_series(0, 399) j WHERE i <> j")
        make("bundle", 2, f"SELECT 1, 0 FROM generate_series(1, {SIZE}) i")
        make("ring", SIZE, f"SELECT (i + 1) % {SIZE}, i FROM generate_series(0, {SIZE - 1}) i")
        db.execute("VACUUM ANALYZE reason.node, reason.edge")
        build_cache(db)
    return starts


SIZES = {
    "path": (SIZE, SIZE - 1), "star": (SIZE, SIZE - 1), "clique": (400, 400 * 399), "bundle": (2, SIZE), "ring": (SIZE, SIZE),
}


@pytest.mark.parametrize("shape", SIZES)
def test_sizes_are_exact(db, shapes, shape):
    assert db.execute("SELECT * FROM reason.trace_size(%s)", [shapes[shape]]).fetchone() == SIZES[shape]
    rows, deepest, cycles = db.execute(
        "SELECT count(*), max(depth), count(*) FILTER (WHERE cycle) FROM reason.trace(%s)", [shapes[shape]]
    ).fetchone()
    assert rows == SIZES[shape][0]
    assert deepest == {"path": SIZE - 1, "ring": SIZE - 1}.get(shape, 1)
    # In a ring only the last node leads back to its ancestor; in the clique all but the start do.
    assert cycles == {"ring": 1, "clique": 399}.get(shape, 0)


def test_time_grows_with_size_only(db, shapes):
    """A path a step a node is the worst case of a search by levels."""
    began = time.monotonic()
    db.execute("SELECT count(*) FROM reason.trace(%s)", [shapes["path"]])
    assert time.monotonic() - began < 10


def test_ordered_trace_of_every_shape(db, shapes):
    for shape, (nodes, edges) in SIZES.items():
        count, cyclic = db.execute(
            "SELECT count(*), count(*) FILTER (WHERE in_cycle) FROM reason.ordered_trace(%s)", [shapes[shape]]
        ).fetchone()
        assert count == nodes + edges
        assert cyclic == (count if shape in ("clique", "ring") else 0)


def test_memory_is_bounded(db, shapes):
    db.execute("SET reason.trace_memory_limit = '2MB'")
    for query in ["SELECT count(*) FROM reason.trace(%s)", "SELECT count(*) FROM reason.ordered_trace(%s)",
                  "SELECT reason.trace_json(%s, depth => NULL, divisions => '{*}')"]:
        for shape in ["path", "star", "ring"]:
            with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="trace_memory_limit") as caught:
                db.execute(query, [shapes[shape]])
            assert "max_depth" in caught.value.diag.message_hint
    assert db.execute("SELECT count(*) FROM reason.trace(%s, max_depth => 5)", [shapes["path"]]).fetchone()[0] == 6


@pytest.mark.parametrize("call", [
    "SELECT count(*) FROM reason.trace(%s)", "SELECT reason.trace_size(%s)", "SELECT count(*) FROM reason.ordered_trace(%s)",
    "SELECT length(reason.trace_json(%s, depth => NULL, \"limit\" => NULL, divisions => '{*}'))",
    "SELECT length(reason.ordered_trace_json(%s, '{*}'))",
])
@pytest.mark.parametrize("shape", ["path", "star", "clique"])
def test_a_cancel_ends_it_at_once(database, use, shapes, shape, call):
    cancel_ends_it(database, use, shapes[shape], call)


def test_a_cancel_ends_a_node_with_many_edges_at_once(database, use, shapes):
    cancel_ends_it(database, use, shapes["star"], "SELECT length(reason.node_json(%s, '{*}'))")


def processor_seconds(pid):
    """What other work on the machine takes does not count."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def cancel_ends_it(database, use, start, call):
    with connect_using(use, database) as db, connect(database) as watcher:
        for delay in [0.01, 0.05]:
            canceled = []
            done = threading.Event()

            def cancel():
                # Again if it came between two calls.
                while not done.wait(delay if not canceled else 0.3):
                    canceled.append((processor_seconds(db.info.backend_pid), time.monotonic()))
                    db.cancel()

            thread = threading.Thread(target=cancel)
            thread.start()
            try:
                while True:
                    db.execute(call, [start])
            except psycopg.errors.QueryCanceled:
                used, took = processor_seconds(db.info.backend_pid) - canceled[-1][0], time.monotonic() - canceled[-1][1]
            finally:
                done.set()
                thread.join()
            assert used < 0.1, used
            assert took < 1, took
            pinned = watcher.execute("SELECT count(*) FROM pg_locks WHERE pid = %s AND relation IS NOT NULL", [db.info.backend_pid])
            assert pinned.fetchone()[0] == 0


def test_a_size_takes_next_to_no_memory_in_the_cache(database, shapes):
    with connect_using("always", database) as db:
        db.execute("SET reason.trace_memory_limit = '3MB'")
        assert db.execute("SELECT * FROM reason.trace_size(%s)", [shapes["star"]]).fetchone() == SIZES["star"]


def test_repeated_calls_leak_nothing(db, shapes):
    def used():
        return db.execute("SELECT sum(total_bytes) FROM pg_backend_memory_contexts").fetchone()[0]

    for _ in range(3):
        db.execute("SELECT count(*) FROM reason.trace(%s)", [shapes["clique"]])
    before = used()
    for _ in range(20):
        db.execute("SELECT count(*) FROM reason.trace(%s)", [shapes["clique"]])
        with pytest.raises(psycopg.errors.NoDataFound):
            db.execute("SELECT count(*) FROM reason.trace(%s)", [uuid.uuid4()])
    assert used() <= before + 1024 * 1024
