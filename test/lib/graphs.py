"""Random graphs, the way into the tables, and a plain reference for what a trace must be."""

import dataclasses
import datetime
import random
import uuid

NODE_TYPES = ["observation", "recommendation", "decision", "action", "hypothesis", "score"]
EDGE_TYPES = ["causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects"]
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


@dataclasses.dataclass
class Node:
    id: uuid.UUID
    created_at: datetime.datetime
    type: str = "observation"
    confidence: float | None = None
    no: int = 0


@dataclasses.dataclass
class Edge:
    id: uuid.UUID
    source: Node  # the cause
    target: Node  # the effect
    created_at: datetime.datetime
    type: str = "causal"
    weight: float = 1.0
    no: int = 0
    metadata: str = "{}"


@dataclasses.dataclass
class Graph:
    nodes: list
    edges: list


def some_metadata(seed):
    """Of every length that decides how it is stored, and so where the columns after it lie: some compressed, some out of line."""
    note = {0: "x" * 3000, 1: f"{random.Random(seed).getrandbits(12000):x}"}.get(seed % 50, "n" * (seed % 200))
    return '{"note": "%s"}' % note if note else "{}"


def make(rng, shape):
    """A graph of a named shape; times collide on purpose, numbers come in random order."""
    size = rng.choice([1, 2, 3, 5, 8, 13, 21, 34])
    nodes = [
        Node(
            uuid.UUID(int=rng.getrandbits(128)),
            EPOCH + datetime.timedelta(seconds=rng.randrange(8)),
            rng.choice(NODE_TYPES),
            rng.choice([None, 0.1, 0.5, 0.9]),
        )
        for _ in range(size)
    ]
    pairs = []
    if shape == "dag":
        pairs = [(i, j) for j in range(size) for i in range(j) if rng.random() < min(1.0, 3 / max(j, 1))]
    elif shape == "cyclic":
        pairs = [(rng.randrange(size), rng.randrange(size)) for _ in range(size * 2)]
    elif shape == "parallel":
        pairs = [(rng.randrange(size), rng.randrange(size)) for _ in range(size)] * rng.choice([2, 3])
    elif shape == "path":
        pairs = [(i, i + 1) for i in range(size - 1)]
        if rng.random() < 0.5:
            pairs.append((size - 1, rng.randrange(size)))
    elif shape == "star":
        pairs = [(i, 0) if rng.random() < 0.5 else (0, i) for i in range(1, size)]
    elif shape == "clique":
        size = min(size, 8)
        nodes = nodes[:size]
        pairs = [(i, j) for i in range(size) for j in range(size) if i != j or rng.random() < 0.3]
    rng.shuffle(pairs)
    edges = [
        Edge(
            uuid.UUID(int=rng.getrandbits(128)),
            nodes[i],
            nodes[j],
            EPOCH + datetime.timedelta(seconds=rng.randrange(8)),
            rng.choice(EDGE_TYPES),
            rng.choice([0.0, 0.25, 0.5, 1.0]),
        )
        for i, j in pairs
    ]
    for edge in edges:
        edge.metadata = some_metadata(edge.id.int % 1000)
    return Graph(nodes, edges)


SHAPES = ["dag", "cyclic", "parallel", "path", "star", "clique"]


def store(db, graphs, rng=None, division="default"):
    """Writes rows as a superuser; the write functions would give every row a new time."""
    rng = rng or random.Random(0)
    nodes = [n for g in graphs for n in g.nodes]
    edges = [e for g in graphs for e in g.edges]
    rng.shuffle(nodes)
    rng.shuffle(edges)
    count = len(nodes) + len(edges)
    first = db.execute(
        "SELECT setval('reason.record_no', nextval('reason.record_no') + %s) - %s", [count, count]
    ).fetchone()[0]
    numbers = list(range(first, first + count))
    for no, node in zip(numbers, nodes):
        node.no = no
    for no, edge in zip(numbers[len(nodes):], edges):
        edge.no = no
    with db.cursor() as cursor:
        with cursor.copy(
            "COPY reason.node (no, id, division, type, author, payload, metadata, created_at, salt, payload_hash, digest,"
            " audit_event_id) FROM STDIN"
        ) as copy:
            for n in nodes:
                metadata = "{}" if n.confidence is None else '{"confidence": %s}' % n.confidence
                copy.write_row([n.no, n.id, division, n.type, "test", '{"n": 1}', metadata, n.created_at,
                                b"s" * 16, b"p" * 32, b"d" * 32, n.id])
        with cursor.copy(
            "COPY reason.edge (no, id, division, from_no, to_no, type, weight, metadata, created_at, digest, audit_event_id)"
            " FROM STDIN"
        ) as copy:
            for e in edges:
                copy.write_row([e.no, e.id, division, e.source.no, e.target.no, e.type, e.weight, e.metadata, e.created_at,
                                b"d" * 32, e.id])


@dataclasses.dataclass
class Filter:
    max_depth: int | None = None
    types: list | None = None
    edge_types: list | None = None
    min_weight: float | None = None
    min_confidence: float | None = None
    as_of: datetime.datetime | None = None
    max_nodes: int | None = None

    def node(self, n):
        return (
            (self.types is None or n.type in self.types)
            and (self.min_confidence is None or (n.confidence is not None and n.confidence >= self.min_confidence))
            and (self.as_of is None or n.created_at <= self.as_of)
        )

    def edge(self, e):
        return (
            (self.edge_types is None or e.type in self.edge_types)
            and (self.min_weight is None or e.weight >= self.min_weight)
            and (self.as_of is None or e.created_at <= self.as_of)
        )


def random_filter(rng):
    f = Filter()
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        kind = rng.randrange(7)
        if kind == 0:
            f.max_depth = rng.randrange(5)
        elif kind == 1:
            f.types = rng.sample(NODE_TYPES, rng.randrange(6))
        elif kind == 2:
            f.edge_types = rng.sample(EDGE_TYPES, rng.randrange(6))
        elif kind == 3:
            f.min_weight = rng.choice([0.0, 0.25, 0.5])
        elif kind == 4:
            f.min_confidence = rng.choice([0.1, 0.5])
        elif kind == 5:
            f.as_of = EPOCH + datetime.timedelta(seconds=rng.randrange(3, 9))
        else:
            f.max_nodes = rng.randrange(1, 10)
    return f


def ends(edge, direction):
    return (edge.target, edge.source) if direction == "ancestors" else (edge.source, edge.target)


def reference(graph, start, direction, f):
    """Rows (step, depth, node, edge, parent, cycle) and the edges inside, the slow and plain way; from one node, or from a list of them."""
    leaving = {}
    for e in sorted(graph.edges, key=lambda e: (e.created_at, e.id)):
        if f.edge(e):
            leaving.setdefault(ends(e, direction)[0].id, []).append(e)
    order = list({n.id: n for n in (start if isinstance(start, list) else [start])}.values())
    depth = dict.fromkeys((n.id for n in order), 0)
    parent = dict.fromkeys(depth)
    tree_edge = dict.fromkeys(depth)
    level = order
    while level:
        following = []
        for node in level:
            children = []
            if f.max_depth is not None and depth[node.id] >= f.max_depth:
                continue
            for e in leaving.get(node.id, []):
                other = ends(e, direction)[1]
                if other.id in depth or not f.node(other):
                    continue
                depth[other.id] = depth[node.id] + 1
                parent[other.id] = node.id
                tree_edge[other.id] = e.id
                children.append(other)
            following += sorted(children, key=lambda n: (n.created_at, n.id))
        order = order + following
        level = following
    if f.max_nodes is not None:
        order = order[: f.max_nodes]
    kept = {n.id for n in order}
    inside = [e for node in order for e in leaving.get(node.id, []) if ends(e, direction)[1].id in kept]

    def on_path(ancestor, node):
        while node is not None:
            if node == ancestor:
                return True
            node = parent[node]
        return False

    cycle = {ends(e, direction)[0].id for e in inside if on_path(ends(e, direction)[1].id, ends(e, direction)[0].id)}
    rows = [(i, depth[n.id], n.id, tree_edge[n.id], parent[n.id], n.id in cycle) for i, n in enumerate(order)]
    return rows, inside


def arguments(node, direction, f):
    return [node.id, direction, f.max_depth, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of, f.max_nodes]


def stored_in_order(db, count, edges, node_type="observation"):
    """Nodes a second apart, in order, and edges between them: (cause, effect[, type])."""
    nodes = [Node(uuid.uuid4(), EPOCH + datetime.timedelta(seconds=i), node_type) for i in range(count)]
    late = EPOCH + datetime.timedelta(seconds=count)
    graph = Graph(nodes, [Edge(uuid.uuid4(), nodes[e[0]], nodes[e[1]], late, *e[2:]) for e in edges])
    store(db, [graph])
    return [str(n.id) for n in nodes]


# The types of edges that carry support.
CARRYING = {"causal", "supports", "derivedFrom", "influencedBy"}


def strength_of(edge):
    return edge.weight * (1 if getattr(edge, "confidence", None) is None else edge.confidence) * (
        1 if edge.source.confidence is None else edge.source.confidence)


def hold(db, kind, records):
    """Puts records of division default into quarantine."""
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO reason.quarantine VALUES ('default', %s, %s, %s, %s)",
                           [(r.no, kind, r.id, uuid.uuid4()) for r in records])
