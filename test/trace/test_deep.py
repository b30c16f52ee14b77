"""Traces that come back to the same leaf pages of the indexes level after level, which are copied after some visits."""

import pytest

from graph_database import connect, new_database

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


# ---------------------------------------------------------------- entries that go on from one copied page to the next

WIDE = 60
FAR = 35
HUBS = 20


@pytest.fixture(scope="module")
def spread():
    """
    Strands again, but with numbers in no order, so that a leaf has nodes of most levels and is copied long before the
    trace comes to the last ones. There, on either side, are nodes with causes, or effects, that nothing else leads to; the indexes
    are packed, so that the entries of most of them begin on one leaf and end on the next.
    """
    with new_database() as name, connect(name) as db:
        db.execute("SELECT setseed(0.5)")
        db.execute(f"""
            CREATE TEMP TABLE place AS SELECT s, l, 100 + row_number() OVER (ORDER BY random()) AS no
            FROM generate_series(0, {WIDE - 1}) s, generate_series(0, {LEVELS - 1}) l;
            CREATE TEMP TABLE link AS
            SELECT cause.no AS from_no, effect.no AS to_no
            FROM place effect, generate_series(0, 2) k, place cause WHERE cause.s = (effect.s + k) %% {WIDE} AND cause.l = effect.l + 1
            UNION ALL SELECT no, 1 FROM place WHERE l = 0
            UNION ALL SELECT 2, no FROM place WHERE l = {LEVELS - 1}
            UNION ALL SELECT 10000 + s * 1000 + k, no FROM place, generate_series(1, 100 + 15 * s) k WHERE l = {FAR} AND s < {HUBS}
            UNION ALL SELECT no, 50000 + s * 1000 + k FROM place, generate_series(1, 100 + 15 * s) k
                WHERE l = {LEVELS - 1 - FAR} AND s < {HUBS};
            INSERT INTO reason.node (no, id, division, type, author, created_at, payload_hash, digest, audit_event_id)
            SELECT no, gen_random_uuid(), 'default', 'observation', 'test', '2026-01-01', sha256(''), sha256(''), gen_random_uuid()
            FROM (SELECT from_no FROM link UNION SELECT to_no FROM link) n (no);
            INSERT INTO reason.edge (no, id, division, from_no, to_no, type, created_at, digest, audit_event_id)
            SELECT 100000 + row_number() OVER (), gen_random_uuid(), 'default', from_no, to_no, 'causal', '2026-01-01',
                sha256(''), gen_random_uuid() FROM link""".replace("%%", "%"))
        db.execute("REINDEX TABLE reason.edge")
        db.execute("VACUUM ANALYZE reason.node, reason.edge")
        yield name


def add_ends(db, near, far, hub, first, count):
    """More causes, or effects, of a node."""
    db.execute(f"""
        WITH made AS (
            INSERT INTO reason.node (no, id, division, type, author, created_at, payload_hash, digest, audit_event_id)
            SELECT i, gen_random_uuid(), 'default', 'observation', 'test', '2026-01-01', sha256(''), sha256(''), gen_random_uuid()
            FROM generate_series({first}, {first + count - 1}) i RETURNING no)
        INSERT INTO reason.edge (no, id, division, {far}, {near}, type, created_at, digest, audit_event_id)
        SELECT 2000000 + no, gen_random_uuid(), 'default', no, {hub}, 'causal', '2026-01-01', sha256(''), gen_random_uuid() FROM made""")


@pytest.mark.parametrize("direction", ["ancestors", "descendants"])
def test_entries_on_both_sides_of_the_boundary_of_copied_pages_are_found(spread, direction):
    near, far, start = ("to_no", "from_no", 1) if direction == "ancestors" else ("from_no", "to_no", 2)
    with connect(spread, options="-c reason.adjacency_cache=off") as db, connect(spread) as other:
        id_, = db.execute("SELECT id FROM reason.node WHERE no = %s", [start]).fetchone()

        def all_are_found(times):
            nodes = db.execute(f"""
                WITH RECURSIVE reached (no) AS (
                    SELECT {start}::bigint UNION SELECT e.{far} FROM reached r JOIN reason.edge e ON e.{near} = r.no)
                SELECT array_agg(no ORDER BY no) FROM reached""").fetchone()
            for _ in range(times):
                assert db.execute("SELECT array_agg(n.no ORDER BY n.no) FROM reason.trace(%s, %s) t JOIN reason.node n ON n.id = t.node_id",
                                  [id_, direction]).fetchone() == nodes

        all_are_found(12)
        # A page that the backend has a hint for is divided.
        hubs = db.execute(f"SELECT {near} FROM reason.edge WHERE {near} >= 100 GROUP BY 1 HAVING count(*) >= 100").fetchall()
        assert len(hubs) == HUBS
        for i, (hub,) in enumerate(hubs):
            add_ends(other, near, far, hub, start * 1000000 + i * 1000, 60)
            all_are_found(2)
