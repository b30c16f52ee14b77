"""Traces that come back to the same leaf pages of the indexes level after level, which are copied after some visits."""

import pytest

from conftest import connect

STRANDS = 300
LEVELS = 40


@pytest.fixture(scope="module")
def ends(database):
    """
    Strands side by side, each node with three causes a level further, some with hundreds, and some that are the cause of
    hundreds. Numbers go along the strands, so that a level has nodes on every leaf; the entries of some go on from one
    leaf to the next.
    """
    with connect(database) as db:
        db.execute(f"""
            INSERT INTO reason.node (no, id, division, type, author, created_at, payload_hash, digest, audit_event_id)
            SELECT i, gen_random_uuid(), 'default', 'observation', 'test', '2026-01-01', sha256(''), sha256(''), gen_random_uuid()
            FROM generate_series(0, {STRANDS * LEVELS + 1}) i;
            INSERT INTO reason.edge (no, id, division, from_no, to_no, type, created_at, digest, audit_event_id)
            SELECT 1000000 + row_number() OVER (ORDER BY random()), gen_random_uuid(), 'default', from_no, to_no, 'causal',
                '2026-01-01', sha256(''), gen_random_uuid()
            FROM (SELECT 1 + (s + k) %% {STRANDS} * {LEVELS} + l + 1, 1 + s * {LEVELS} + l
                  FROM generate_series(0, {STRANDS - 1}) s, generate_series(0, {LEVELS - 2}) l, generate_series(0, 2) k
                  UNION ALL SELECT 1 + (s + k) %% {STRANDS} * {LEVELS} + 31, 1 + s * {LEVELS} + 30
                  FROM generate_series(0, {STRANDS - 1}, 20) s, generate_series(1, 100 + 2 * s) k
                  UNION ALL SELECT 1 + s * {LEVELS} + 10, 1 + (s + k) %% {STRANDS} * {LEVELS} + 9
                  FROM generate_series(0, {STRANDS - 1}, 20) s, generate_series(1, 100 + 2 * s) k
                  UNION ALL SELECT 1 + s * {LEVELS}, 0 FROM generate_series(0, {STRANDS - 1}) s
                  UNION ALL SELECT {STRANDS * LEVELS + 1}, 1 + s * {LEVELS} + {LEVELS - 1} FROM generate_series(0, {STRANDS - 1}) s
            ) e (from_no, to_no)""".replace("%%", "%"))
        return {direction: db.execute("SELECT id FROM reason.node WHERE no = %s", [no]).fetchone()[0]
                for direction, no in [("ancestors", 0), ("descendants", STRANDS * LEVELS + 1)]}


def plain(db, direction, depth):
    """Numbers and depths, and how many edges lie between them; levels do not overlap here."""
    near, far = ("to_no", "from_no") if direction == "ancestors" else ("from_no", "to_no")
    start = 0 if direction == "ancestors" else STRANDS * LEVELS + 1
    return db.execute(f"""
        WITH RECURSIVE reached (no, depth) AS (
            SELECT {start}::bigint, 0 UNION
            SELECT e.{far}, r.depth + 1 FROM reached r JOIN reason.edge e ON e.{near} = r.no WHERE r.depth < {depth})
        SELECT array_agg((no, depth)::text ORDER BY no),
            (SELECT count(*) FROM reason.edge WHERE from_no IN (SELECT no FROM reached) AND to_no IN (SELECT no FROM reached))
        FROM reached""").fetchone()


@pytest.mark.parametrize("vacuumed", [False, True])
@pytest.mark.parametrize("direction", ["ancestors", "descendants"])
@pytest.mark.parametrize("depth", [LEVELS // 2, LEVELS + 5])
def test_nothing_is_lost_on_a_page_that_was_copied(database, ends, direction, depth, vacuumed):
    with connect(database, options="-c reason.adjacency_cache=off") as db:
        if vacuumed:
            db.execute("VACUUM reason.node, reason.edge")
        nodes, edges = plain(db, direction, depth)
        for _ in range(12):  # by then the backend has hints where the leaves are
            rows = db.execute("SELECT array_agg((n.no, t.depth)::text ORDER BY n.no), bool_or(t.cycle), count(DISTINCT t.edge_id)"
                              " FROM reason.trace(%s, %s, %s) t JOIN reason.node n ON n.id = t.node_id",
                              [ends[direction], direction, depth]).fetchone()
            assert rows == (nodes, False, len(nodes) - 1)
            assert db.execute("SELECT * FROM reason.trace_size(%s, %s, %s)", [ends[direction], direction, depth]).fetchone() == (len(nodes), edges)
