"""Every trace is compared with the reference in the same snapshot, while all else that can happen to the tables happens.

Writers commit, abort, roll back to savepoints and leave transactions prepared; payloads are erased; a superuser deletes
and changes edges; VACUUM and autovacuum run; the adjacency cache is built anew. Readers and the writers themselves trace with
the cache used wherever it can be, and without. REASON_SOAK_SECONDS makes it long.
"""

import collections
import os
import random
import threading
import time
import uuid

import psycopg
import pytest

import graphs
from graph_database import build_cache, connect

SECONDS = float(os.environ.get("REASON_SOAK_SECONDS", "10"))
# Nodes of a graph; then another is begun, as the reference is slow.
LARGEST = 40

NODES = "SELECT no, id, type, metadata, created_at FROM reason.node WHERE author = %s"
EDGES = """
    SELECT e.no, e.id, e.from_no, e.to_no, e.type, e.weight, e.created_at FROM reason.edge e
    JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no WHERE f.author = %s
"""


class World:
    """What the threads share."""

    def __init__(self, database):
        self.database = database
        self.ends = 0
        self.failures = []
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.names = [f"graph {i}" for i in range(4)]
        self.next_name = len(self.names)
        self.old = []  # graphs that nobody writes to any more, but the superuser

    def goes_on(self):
        return not self.failures and time.monotonic() < self.ends

    def count(self, what, many=1):
        with self.lock:
            self.counts[what] += many

    def replace(self, name):
        with self.lock:
            if name in self.names:
                self.names[self.names.index(name)] = f"graph {self.next_name}"
                self.next_name += 1
                self.old.append(name)

    def choose(self, rng):
        """Old rows are all-visible, and in the cache; new ones are neither yet."""
        return rng.choice(rng.choice([self.names, self.old]))


def read_graph(db, name):
    """By plain queries."""
    nodes = {no: graphs.Node(id_, created_at, type_, metadata.get("confidence"), no)
             for no, id_, type_, metadata, created_at in db.execute(NODES, [name])}
    return graphs.Graph(list(nodes.values()), [
        graphs.Edge(id_, nodes[from_no], nodes[to_no], created_at, type_, weight, no)
        for no, id_, from_no, to_no, type_, weight, created_at in db.execute(EDGES, [name])])


def compare(world, db, name, rng, in_cache):
    """Every function, from some nodes, both ways, in the snapshot of the transaction that is open."""
    graph = read_graph(db, name)
    for start in rng.sample(graph.nodes, min(3, len(graph.nodes))):
        direction = rng.choice(["ancestors", "descendants"])
        f = graphs.random_filter(rng)
        if f.as_of is not None:
            f.as_of = rng.choice([node for node in graph.nodes if node.created_at >= start.created_at]).created_at
        expected, inside = graphs.reference(graph, start, direction, f)
        arguments = [start.id, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of]
        for use in ("always", "off"):
            db.execute(f"SET LOCAL reason.adjacency_cache = {use}")
            rows = db.execute("SELECT * FROM reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s)", [*arguments, f.max_nodes]).fetchall()
            assert rows == expected, (use, direction, f)
            depths = db.execute("SELECT node_id, depth FROM reason.trace(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                                [*arguments, f.max_nodes]).fetchall()
            assert depths == [(row[2], row[1]) for row in expected], (use, direction, f)
            if f.max_nodes is None:
                size = db.execute("SELECT * FROM reason.trace_size(%s, %s, %s, %s, %s, %s, %s, %s)", arguments).fetchone()
                assert size == (len(expected), len(inside)), (use, direction, f)
                ids = db.execute(
                    "SELECT array(SELECT (step -> 'node' ->> 'id')::uuid FROM json_array_elements(answer -> 'steps') step),"
                    " array(SELECT (edge ->> 'id')::uuid FROM json_array_elements(answer -> 'edges') edge) FROM (SELECT reason.trace_json("
                    "%s, %s, %s, NULL, NULL, %s, %s, %s, %s, %s, false, '{*}')::json) t (answer)", arguments).fetchone()
                assert ids == ([row[2] for row in expected],
                               [e.id for e in sorted(inside, key=lambda e: (e.created_at, e.id))]), (use, direction, f)
            ordered = db.execute("SELECT id FROM reason.ordered_trace(%s) ORDER BY id", [start.id]).fetchall()
            closure, edges = graphs.reference(graph, start, "ancestors", graphs.Filter())
            assert [row[0] for row in ordered] == sorted([row[2] for row in closure] + [e.id for e in edges]), use
            world.count("traces", 5 if f.max_nodes is None else 3)
    if in_cache.pop("now", None):
        world.count("graphs in which a trace ran in the cache")
    return graph


def connect_watching(world, options):
    """Notes in the dictionary whether traces ran in the cache."""
    db = connect(world.database, options=options + " -c client_min_messages=debug1")
    in_cache = {}
    db.add_notice_handler(lambda said: "ran in the adjacency cache" in said.message_primary and in_cache.update(now=True))
    return db, in_cache


# ---------------------------------------------------------------- what the threads do


def read(world, rng):
    db, in_cache = connect_watching(world, "")
    with db:
        while world.goes_on():
            db.execute(f"BEGIN ISOLATION LEVEL {rng.choice(['REPEATABLE READ', 'REPEATABLE READ', 'SERIALIZABLE'])}")
            try:
                # An old snapshot meets pages that were vacuumed and caches that were built behind its back.
                for _ in range(rng.randrange(1, 6)):
                    compare(world, db, world.choose(rng), rng, in_cache)
                    time.sleep(rng.random() * 0.1)
                db.execute("COMMIT")
            except psycopg.errors.SerializationFailure:
                db.execute("ROLLBACK")
            world.count("snapshots")


def write_some(db, name, rng):
    nodes = [row[0] for row in db.execute("SELECT id FROM reason.node WHERE author = %s", [name])]
    for _ in range(rng.randrange(1, 4)):
        metadata = rng.choice(['{}', '{"confidence": 0.1}', '{"confidence": 0.5}', '{"confidence": 0.9}'])
        nodes.append(db.execute("SELECT reason.add_node(%s, '{}', %s, metadata => %s)",
                                [rng.choice(graphs.NODE_TYPES), name, metadata]).fetchone()[0])
    for _ in range(rng.randrange(1, 8)):
        db.execute("SELECT reason.add_edge(%s, %s, %s, weight => %s)",
                   [rng.choice(nodes), rng.choice(nodes), rng.choice(graphs.EDGE_TYPES), rng.choice([0.0, 0.25, 0.5, 1.0])])
    return len(nodes)


def write(world, rng):
    db, in_cache = connect_watching(world, "")
    with db:
        while world.goes_on():
            name = rng.choice(world.names)
            db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            size = write_some(db, name, rng)
            if rng.random() < 0.4:
                db.execute("SAVEPOINT s")
                write_some(db, name, rng)
                db.execute(rng.choice(["ROLLBACK TO s", "RELEASE s"]))
            if rng.random() < 0.3:
                compare(world, db, name, rng, in_cache)
            if rng.random() < 0.2:
                prepared = f"soak {uuid.uuid4()}"
                db.execute(f"PREPARE TRANSACTION '{prepared}'")
                time.sleep(rng.random() * 0.2)
                db.execute(rng.choice(["COMMIT PREPARED", "COMMIT PREPARED", "ROLLBACK PREPARED"]) + f" '{prepared}'")
                world.count("transactions prepared")
            else:
                end = rng.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
                db.execute(end)
                world.count("transactions aborted" if end == "ROLLBACK" else "transactions committed")
            if size > LARGEST:
                world.replace(name)


def meddle(world, rng):
    """As only a superuser can."""
    with connect(world.database) as db:
        db.execute("SET session_replication_role = replica")
        while world.goes_on():
            name = world.choose(rng)
            nodes = [row[0] for row in db.execute("SELECT no FROM reason.node WHERE author = %s", [name])]
            if rng.random() < 0.5:
                db.execute("UPDATE reason.edge SET weight = 1 - weight WHERE no IN"
                           " (SELECT no FROM reason.edge WHERE from_no = ANY (%s) ORDER BY random() LIMIT 2)", [nodes])
            else:
                db.execute("DELETE FROM reason.edge WHERE no IN"
                           " (SELECT no FROM reason.edge WHERE from_no = ANY (%s) ORDER BY random() LIMIT 1)", [nodes])
            if rng.random() < 0.5 and nodes:
                db.execute("UPDATE reason.node SET payload = NULL, salt = NULL WHERE no = %s", [rng.choice(nodes)])
            world.count("changes by a superuser")
            time.sleep(0.02)


def vacuum(world, rng):
    with connect(world.database) as db:
        while world.goes_on():
            db.execute(rng.choice(["VACUUM", "VACUUM", "VACUUM (FREEZE)"]) + " " +
                       rng.choice(["reason.node", "reason.edge", "reason.node, reason.edge"]))
            world.count("vacuums")
            time.sleep(rng.random() * 0.4)


def build(world, rng):
    with connect(world.database) as db:
        while world.goes_on():
            build_cache(db)
            world.count("caches built")
            time.sleep(rng.random() * 0.6)


@pytest.fixture
def eager_autovacuum(database):
    with connect(database) as db:
        for table in ("node", "edge"):
            db.execute(f"ALTER TABLE reason.{table} SET (autovacuum_vacuum_insert_threshold = 50, autovacuum_vacuum_threshold = 20)")
        db.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        db.execute("SELECT pg_reload_conf()")
        yield
        db.execute("ALTER SYSTEM RESET autovacuum_naptime")
        db.execute("SELECT pg_reload_conf()")


def test_every_trace_equals_the_reference_in_its_snapshot(database, eager_autovacuum):
    world = World(database)
    with connect(database) as db:
        for i in range(40):
            world.old.append(f"old {i}")
            with db.transaction():
                for _ in range(4):
                    write_some(db, world.old[-1], random.Random(i))
        db.execute("VACUUM reason.node, reason.edge")
        build_cache(db)
    world.ends = time.monotonic() + SECONDS

    def guarded(work, seed):
        try:
            work(world, random.Random(seed))
        except BaseException as error:  # noqa: B902: whatever it was, the test must fail
            world.failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work, seed))
               for seed, work in enumerate([write, write, write, read, read, read, meddle, vacuum, build])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(database) as db:
        world.count("autovacuums", db.execute(
            "SELECT sum(autovacuum_count)::int FROM pg_stat_user_tables WHERE schemaname = 'reason'").fetchone()[0])
    print(dict(world.counts))
    if world.failures:
        raise world.failures[0]
    for what in ("traces", "graphs in which a trace ran in the cache", "transactions aborted", "transactions prepared", "vacuums", "caches built"):
        assert world.counts[what] > 0, what
