"""Pages of a trace are bounded in edges and bytes too, and together hold everything once."""
import json

import pytest


def pages(db, node, limit=1000, **options):
    """All pages of a trace."""
    given = "".join(f", {name} => %s" for name in options)
    cursor, found = None, []
    while True:
        text = db.one(f"SELECT reason.trace_json(%s, \"limit\" => {limit}, cursor => %s, divisions => '{{*}}', redact => false{given})",
                      node, cursor, *options.values())
        page = json.loads(text)
        found.append((len(text), page))
        assert page["truncated"] == ("nextCursor" in page)
        if "nextCursor" not in page:
            return found
        assert len(found) < 200
        cursor = page["nextCursor"]


def together(found):
    steps = [step["node"]["id"] for _, page in found for step in page["steps"]]
    edges = [edge["id"] for _, page in found for edge in page["edges"]]
    assert len(set(steps)) == len(steps) and len(set(edges)) == len(edges)
    return steps, set(edges)


@pytest.fixture
def node(db):
    return lambda payload=1: db.one("SELECT reason.add_node('score', %s::jsonb, 'a')", json.dumps(payload))


def link(db, causes, effects, metadata=None):
    db("SELECT count(*) FROM reason.add_edges((SELECT json_build_object('edges', json_agg(json_build_object("
       "'from', c, 'to', e, 'type', 'causal', 'metadata', %s::json))) FROM unnest(%s::uuid[], %s::uuid[]) u(c, e)))",
       json.dumps(metadata or {}), causes, effects)


@pytest.mark.parametrize("direction", ["ancestors", "descendants"])
def test_parallel_edges_come_over_several_pages(db, node, direction):
    cause, effect, last = node(), node(), node()
    link(db, [cause] * 25000 + [effect], [effect] * 25000 + [last])
    start = {"ancestors": last, "descendants": cause}[direction]
    found = pages(db, start, limit=10, direction=direction)
    steps, edges = together(found)
    assert len(steps) == 3 and len(edges) == 25001
    assert max(size for size, _ in found) < 20_000_000
    assert all(len(page["edges"]) <= 10000 for _, page in found)
    cut = [step for _, page in found for step in page["steps"] if step.get("truncated")]
    assert {step["node"]["id"] for step in cut} == {str(cause), str(effect)}
    assert all(len(step["incoming"]) + len(step["outgoing"]) == 10000 for step in cut)


def test_a_hub_does_not_swell_the_pages_of_its_neighbours(db, node):
    hub = node()
    leaves = [str(n) for n, in db("SELECT reason.add_node('score', to_jsonb(n), 'a') FROM generate_series(1, 12000) n")]
    link(db, leaves, [hub] * len(leaves))
    link(db, leaves[:-1], leaves[1:])
    found = pages(db, hub, limit=10000)
    steps, edges = together(found)
    assert set(steps) == {str(hub), *leaves} and len(edges) == 2 * 12000 - 1
    assert max(size for size, _ in found) < 25_000_000
    assert sum(len(page["steps"]) for _, page in found[:1]) == 1


def test_a_page_ends_at_its_bytes(db, node):
    wide = "x" * 200_000
    root = node(wide)
    causes = [str(node(wide)) for _ in range(180)]
    link(db, causes, [root] * len(causes))
    found = pages(db, root, limit=10000)
    steps, edges = together(found)
    assert len(steps) == 181 and len(edges) == 180
    assert len(found) == 2 and max(size for size, _ in found) < 34 * 1024 * 1024 + 1_000_000


def test_edges_that_carry_much_come_in_smaller_pages(db, node):
    cause, effect = node(), node()
    link(db, [cause] * 650, [effect] * 650, {"why": "y" * 60_000})
    found = pages(db, effect, limit=10)
    steps, edges = together(found)
    assert len(steps) == 2 and len(edges) == 650
    assert max(size for size, _ in found) < 70 * 1024 * 1024


def test_without_a_limit_a_trace_is_whole(db, node):
    cause, effect = node(), node()
    link(db, [cause] * 10001, [effect] * 10001)
    text = db.one("SELECT reason.trace_json(%s, \"limit\" => NULL, divisions => '{*}')", effect)
    page = json.loads(text)
    assert page["truncated"] is False and len(page["edges"]) == 10001
    assert all(len(step["incoming"]) + len(step["outgoing"]) == 10001 and "truncated" not in step for step in page["steps"])


def test_a_cursor_does_not_tell_how_much_others_write(db, node):
    """Its bytes are as good as random: two for the same page share next to none."""
    import base64
    effect = node()
    link(db, [node() for _ in range(3)], [effect] * 3)

    def cursor():
        text = json.loads(db.one("SELECT reason.trace_json(%s, \"limit\" => 1, divisions => '{*}')", effect))["nextCursor"]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    first, second = cursor(), cursor()
    assert len(first) == len(second)
    assert sum(a == b for a, b in zip(first, second)) < len(first) / 4
