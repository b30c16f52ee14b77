"""What the adjacency cache says of itself, and its answers beside those of the indexes and of a plain query."""

import uuid

import psycopg

import graphs
from wait import wait_for

# The node comes first: see nodes_of.
TRACED = "SELECT node_id, depth, edge_id, parent_id, cycle FROM reason.trace(%s, %s) ORDER BY step"
SIZE = "SELECT nodes, edges FROM reason.trace_size(%s, %s)"
PLAIN = """
    WITH RECURSIVE reached (no, id, division) AS (
        SELECT no, id, division FROM reason.node WHERE id = %%(id)s
        UNION
        SELECT n.no, n.id, n.division FROM reached r JOIN reason.edge e ON e.%s = r.no
        JOIN reason.node n ON n.no = e.%s AND n.division = r.division
    )
    SELECT id FROM reached
"""
JSON = "SELECT reason.trace_json(%s, %s, depth => NULL, \"limit\" => NULL, divisions => '{*}')"
FILTERS = [
    "types => '{observation,decision,action}'", "edge_types => '{causal,supports,corrects}'", "min_weight => 0.5",
    "min_confidence => 0.5", "as_of => %(at)s",
    "types => '{score,hypothesis,decision,action}', edge_types => '{causal,supports,derivedFrom,corrects}', as_of => %(at)s",
    "max_depth => 3, min_weight => 0.25, min_confidence => 0.1",
]


def random_graph(rng, size, edges=3):
    """Large enough for many blocks; times collide."""
    nodes = [graphs.Node(uuid.UUID(int=rng.getrandbits(128)), graphs.EPOCH.replace(microsecond=rng.randrange(1000)),
                         rng.choice(graphs.NODE_TYPES), rng.choice([None, 0.1, 0.5, 0.9]))
             for _ in range(size)]
    return graphs.Graph(nodes, random_edges(rng, nodes, size * edges))


def random_edges(rng, nodes, count):
    return [graphs.Edge(uuid.UUID(int=rng.getrandbits(128)), rng.choice(nodes), rng.choice(nodes),
                        graphs.EPOCH.replace(microsecond=rng.randrange(1000)), rng.choice(graphs.EDGE_TYPES),
                        rng.choice([0.0, 0.25, 0.5, 1.0])) for _ in range(count)]


def vacuum(db):
    """Until all pages are all-visible: a snapshot of autovacuum's ANALYZE or a page that is being written keeps VACUUM from some."""
    def all_visible():
        db.execute("VACUUM reason.node, reason.edge")
        return db.execute("SELECT bool_and(relallvisible = relpages) FROM pg_class WHERE oid IN ('reason.node'::regclass, 'reason.edge'::regclass)").fetchone()[0]
    wait_for(all_visible, 60, "pages that all see")


def status(db):
    cursor = db.execute("SELECT * FROM reason.adjacency_cache_status()")
    return dict(zip([column.name for column in cursor.description], cursor.fetchone()))


def uses_cache(db, conditions="max_depth => NULL"):
    """Whether a trace now runs in the cache."""
    said = []
    handler = lambda diagnostic: said.append(diagnostic.message_primary)  # noqa: E731: to be removed again
    db.add_notice_handler(handler)
    db.execute("SET client_min_messages = debug1")
    db.execute(f"SELECT reason.trace_size(id, {conditions}) FROM reason.node ORDER BY created_at LIMIT 1")
    db.execute("RESET client_min_messages")
    db.remove_notice_handler(handler)
    return any("ran in the adjacency cache" in message for message in said)


def text_of(db, query, arguments):
    """The lines of all rows, as COPY writes them: to compare long answers byte by byte, without making objects of them."""
    statement = psycopg.ClientCursor(db).mogrify(query, arguments)
    with db.cursor().copy(f"COPY ({statement}) TO STDOUT") as lines:
        return b"".join(lines).decode()


def rows_of(db, query, arguments):
    return db.execute(query, arguments).fetchall()


def both_ways(db, query, arguments, answer=rows_of):
    """The answer, which must be the same with and without the cache."""
    cached = answer(db, query, arguments)
    db.execute("SET reason.adjacency_cache = off")
    walked = answer(db, query, arguments)
    db.execute("SET reason.adjacency_cache = always")
    assert cached == walked
    return cached


def nodes_of(text):
    """The ids that rows begin with."""
    return {line.partition("\t")[0] for line in text.splitlines()}


def compare(db, nodes, rng, count=6):
    """With the cache, without, and with what a plain query reaches."""
    for node in rng.sample(nodes, min(count, len(nodes))):
        for direction in ["ancestors", "descendants"]:
            traced = both_ways(db, TRACED, [node.id, direction], text_of)
            both_ways(db, SIZE, [node.id, direction])
            both_ways(db, JSON, [node.id, direction])
            plain = text_of(db, PLAIN % (("to_no", "from_no") if direction == "ancestors" else ("from_no", "to_no")), {"id": node.id})
            assert nodes_of(traced) == nodes_of(plain)
            compare_filters(db, node, direction)


def compare_filters(db, node, direction):
    arguments = {"node": node.id, "direction": direction, "at": node.created_at}
    for conditions in FILTERS:
        both_ways(db, f"SELECT * FROM reason.trace(%(node)s, %(direction)s, {conditions})", arguments, text_of)
        both_ways(db, f"SELECT * FROM reason.trace_size(%(node)s, %(direction)s, {conditions})", arguments)
