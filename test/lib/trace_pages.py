"""Traces as JSON, page by page."""

import json

import graphs


def page(db, node, direction="ancestors", depth=None, limit=None, cursor=None, f=None):
    f = f or graphs.Filter()
    text = db.execute(
        "SELECT reason.trace_json(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false, '{*}')",
        [node.id, direction, f.max_depth, limit, cursor, f.types, f.edge_types, f.min_weight, f.min_confidence, f.as_of],
    ).fetchone()[0]
    return json.loads(text)


def pages(db, node, limit, **options):
    answer = page(db, node, limit=limit, **options)
    yield answer
    while "nextCursor" in answer:
        answer = page(db, node, limit=limit, cursor=answer["nextCursor"], **options)
        yield answer


def add_node(db):
    return db.execute("SELECT reason.add_node('observation', '{}', 'me')").fetchone()[0]


def add_edge(db, a, b):
    return db.execute("SELECT reason.add_edge(%s, %s, 'causal')", [a, b]).fetchone()[0]


class Started:
    """A star with pages of two, and a way to ask for the pages of the trace."""

    def __init__(self, db, leaves=5):
        self.id = add_node(db)
        for _ in range(leaves):
            add_edge(db, add_node(db), self.id)


def ids(parts):
    return [s["node"]["id"] for p in parts for s in p["steps"]], sorted(e["id"] for p in parts for e in p["edges"])
