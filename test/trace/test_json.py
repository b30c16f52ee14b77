"""Traces as JSON: pages, cursors, what an edge list holds."""

import base64
import json
import random

import psycopg
import pytest

import graphs
from graph_database import connect
from trace_pages import Started, add_edge, add_node, ids, page, pages


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("json")
    made = [graphs.make(rng, shape) for _ in range(60) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


def stopped(graph, rows, direction, f):
    """Ids of the nodes from which the walk would have gone on, had it been deeper."""
    inside = {row[2] for row in rows}
    last = {row[2] for row in rows if row[1] == f.max_depth}
    ends = [graphs.ends(e, direction) for e in graph.edges if f.edge(e)]
    return sorted(str(i) for i in {a.id for a, b in ends if a.id in last and b.id not in inside and f.node(b)})


def test_steps_and_edges_equal_the_reference(db, stored):
    rng = random.Random(5)
    for graph in stored:
        start = rng.choice(graph.nodes)
        direction = rng.choice(["ancestors", "descendants"])
        f = graphs.random_filter(rng)
        f.max_nodes = None
        if f.as_of is not None and start.created_at > f.as_of:
            f.as_of = start.created_at
        rows, inside = graphs.reference(graph, start, direction, f)
        answer = page(db, start, direction, f=f)
        assert answer["startNodeId"] == str(start.id) and answer["direction"] == direction
        assert answer["depth"] == f.max_depth and "nextCursor" not in answer
        assert answer["frontier"] == stopped(graph, rows, direction, f) and answer["truncated"] == bool(answer["frontier"])
        nodes = {str(n.id): n for n in graph.nodes}
        for step, row in zip(answer["steps"], rows, strict=True):
            assert (step["node"]["id"], step["depth"], step["cycleDetected"]) == (str(row[2]), row[1], row[5])
            node = nodes[step["node"]["id"]]
            assert step["node"]["type"] == node.type and step["node"]["payload"] == {"n": 1}
            for name, end in [("incoming", "target"), ("outgoing", "source")]:
                wanted = sorted((e for e in inside if getattr(e, end) is node), key=lambda e: (e.created_at, e.id))
                assert [e["id"] for e in step[name]] == [str(e.id) for e in wanted]
        wanted = sorted(inside, key=lambda e: (e.created_at, e.id))
        assert [(e["id"], e["from"], e["to"], e["type"], e["weight"]) for e in answer["edges"]] == [
            (str(e.id), str(e.source.id), str(e.target.id), e.type, e.weight) for e in wanted
        ]


def test_the_whole_text_is_canonical(db, stored):
    for graph in stored[::40]:
        text, canonical = db.execute("SELECT t, reason.canonical_json(t::json) FROM reason.trace_json(%s, \"limit\" => 2, divisions => '{*}') t",
                                     [graph.nodes[0].id]).fetchone()
        assert text == canonical


def test_pages_of_every_size_make_up_the_whole(db, stored):
    rng = random.Random(6)
    for graph in stored[::5]:
        start = rng.choice(graph.nodes)
        whole = page(db, start)
        for limit in range(1, min(len(whole["steps"]), 12) + 1):
            parts = list(pages(db, start, limit))
            assert [s for p in parts for s in p["steps"]] == whole["steps"]
            assert sorted(e["id"] for p in parts for e in p["edges"]) == sorted(e["id"] for e in whole["edges"])
            assert all(len(p["steps"]) == limit for p in parts[:-1])
            assert [p["truncated"] for p in parts] == [True] * (len(parts) - 1) + [False]
            known = set()
            for p in parts:
                known |= {s["node"]["id"] for s in p["steps"]}
                assert all(e["from"] in known and e["to"] in known for e in p["edges"])


def test_later_writes_change_no_page(db):
    star = Started(db)
    whole = page(db, star)
    first = page(db, star, limit=2)
    add_edge(db, add_node(db), star.id)
    add_edge(db, whole["steps"][1]["node"]["id"], whole["steps"][2]["node"]["id"])
    rest = page(db, star, cursor=first["nextCursor"])
    assert ids([first, rest]) == ids([whole])
    assert len(page(db, star)["steps"]) == len(whole["steps"]) + 1


@pytest.mark.parametrize("vacuum", [False, True])
def test_what_was_in_flight_at_the_first_page_stays_out(db, database, vacuum):
    star = Started(db)
    whole = page(db, star)
    with connect(database) as writer:
        with writer.transaction():
            add_edge(writer, add_node(writer), star.id)
            with writer.transaction():
                add_edge(writer, add_node(writer), star.id)
            first = page(db, star, limit=2)
        if vacuum:
            db.execute("VACUUM FREEZE reason.node, reason.edge")
        rest = page(db, star, cursor=first["nextCursor"])
        assert ids([first, rest]) == ids([whole])


def test_the_sealer_having_passed_changes_nothing(db, database):
    star = Started(db)
    last = db.execute("SELECT last_value FROM reason.record_no").fetchone()[0]
    db.execute("INSERT INTO reason.sealer_state (decided_no) VALUES (%s) ON CONFLICT (only_row) DO UPDATE SET decided_no = %s", [last, last])
    whole = page(db, star)
    with connect(database) as writer, writer.transaction():
        add_edge(writer, add_node(writer), star.id)
        first = page(db, star, limit=2)
    rest = page(db, star, cursor=first["nextCursor"])
    assert ids([first, rest]) == ids([whole])


def test_own_uncommitted_rows_stay_in(db, database):
    with db.transaction():
        star = Started(db)
        with db.transaction():
            add_edge(db, add_node(db), star.id)
        whole = page(db, star)
        first = page(db, star, limit=2)
        with db.transaction():
            add_edge(db, add_node(db), star.id)
        assert ids([first, page(db, star, cursor=first["nextCursor"])]) == ids([whole])
    with connect(database) as other:
        assert ids([first, page(other, star, cursor=first["nextCursor"])]) == ids([whole])


def test_erasing_a_payload_between_pages_loses_no_node(db):
    star = Started(db)
    whole = page(db, star)
    first = page(db, star, limit=2)
    db.execute("SELECT reason.erase_payload(%s, 'asked for')", [whole["steps"][-1]["node"]["id"]])
    rest = page(db, star, cursor=first["nextCursor"])
    assert ids([first, rest]) == ids([whole])
    assert rest["steps"][-1]["node"]["payload"] is None and rest["steps"][-1]["node"]["erased"] is True


def refused(db, message, *args, **options):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        page(db, *args, **options)


def test_a_tampered_cursor_is_refused(db):
    star = Started(db)
    cursor = page(db, star, limit=2)["nextCursor"]
    refused(db, "not valid", star, cursor="")
    refused(db, "not valid", star, cursor="abc")
    refused(db, "not valid", star, cursor=cursor[:-1])
    refused(db, "not valid", star, cursor=cursor + "A")
    refused(db, "not valid", star, cursor=cursor + "é")
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for i in range(len(raw)):
        changed = raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]
        refused(db, "not valid", star, cursor=base64.urlsafe_b64encode(changed).decode().rstrip("="))


def test_a_cursor_is_good_for_its_own_trace_only(db):
    star, other = Started(db), Started(db)
    cursor = page(db, star, limit=2)["nextCursor"]
    refused(db, "other parameters", other, cursor=cursor)
    refused(db, "other parameters", star, direction="descendants", cursor=cursor)
    refused(db, "other parameters", star, f=graphs.Filter(max_depth=3), cursor=cursor)
    refused(db, "other parameters", star, f=graphs.Filter(types=["score"]), cursor=cursor)
    refused(db, "other parameters", star, f=graphs.Filter(min_weight=0.5), cursor=cursor)


def test_a_cursor_expires(db):
    star = Started(db)
    db.execute("SET reason.cursor_lifetime = '1s'")
    cursor = page(db, star, limit=2)["nextCursor"]
    db.execute("SELECT pg_sleep(1.1)")
    refused(db, "expired", star, cursor=cursor)


def test_node_json_names_its_edges(db, stored):
    rng = random.Random(7)
    for graph in stored[::3]:
        node = rng.choice(graph.nodes)
        answer = json.loads(db.execute("SELECT reason.node_json(%s, '{*}', false)", [node.id]).fetchone()[0])
        assert answer["node"]["id"] == str(node.id)
        for name, end in [("incoming", "target"), ("outgoing", "source")]:
            wanted = sorted((e for e in graph.edges if getattr(e, end) is node), key=lambda e: (e.created_at, e.id))
            assert [(e["id"], e["from"], e["to"]) for e in answer[name]] == [
                (str(e.id), str(e.source.id), str(e.target.id)) for e in wanted
            ]
