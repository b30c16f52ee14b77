"""The service's pictures and the explorer's have the same levels, and no line of a picture leads behind a box.

The explorer's own code lays out the same graphs (explorer_levels.mjs); it needs what npm installed for it.
"""

import json
import random
import subprocess
import threading
import time

import psycopg
import pytest

import graphs
from graph_database import connect
from paths import ROOT
from svg_picture import BOX_HEIGHT, BOX_WIDTH, read_picture

UI = ROOT / "gateway/ui"
DIRECTIONS = ["ancestors", "descendants"]


def deep(rng):
    """A chain whose nodes lead far down too."""
    size = rng.randrange(30, 60)
    return size, [(i, i + 1) for i in range(size - 1)] + [tuple(sorted(rng.sample(range(size), 2))) for _ in range(size // 2)]


def wide(rng):
    """Levels of many, and edges that pass some; what is last is what it is about."""
    levels, first = [], 0
    for count in (rng.randrange(15, 45), rng.randrange(1, 30), rng.randrange(2, 12), rng.randrange(1, 4), 1):
        levels.append(range(first, first + count))
        first += count
    pairs = [(i, rng.choice(levels[k + 1])) for k, level in enumerate(levels[:-1]) for i in level]
    return first, pairs + [(rng.choice(levels[k]), rng.choice(levels[rng.randrange(k + 1, 5)])) for k in (0, 0, 0, 1, 1, 2) for _ in range(4)]


def circles(rng):
    """Edges on, edges back, and edges of a node to itself, some of them several times."""
    size = rng.randrange(5, 40)
    pairs = [(i, min(size - 1, i + rng.randrange(1, 4))) for i in range(size - 1)] + [tuple(rng.sample(range(size), 2)) for _ in range(size // 3)]
    return size, pairs + rng.sample(pairs, 3) * 2 + [(i, i) for i in rng.sample(range(size), 3)]


def several(rng):
    """Two reasonings that share causes, and one apart."""
    size = 30
    return size, [(i, rng.randrange(i + 1, min(size, i + 8))) for i in range(24)] + [(25, 26), (26, 27)]


MADE = {"deep": deep, "wide": wide, "circles": circles, "several": several}


@pytest.fixture(scope="module")
def stored(database):
    """Graphs by name, and the ids in them of what pictures are drawn of."""
    rng, found = random.Random("layout"), []
    with connect(database) as db:
        for shape in graphs.SHAPES:
            made = [graphs.make(rng, shape) for _ in range(8)]
            graphs.store(db, made, rng)
            found += [(shape, [str(node.id) for node in graph.nodes]) for graph in made]
        for name, make in MADE.items():
            for _ in range(6):
                size, pairs = make(rng)
                found.append((name, graphs.stored_in_order(db, size, pairs)))
    return found


@pytest.fixture(scope="module")
def drawn(database, stored):
    """Each picture, with its name and what the explorer would lay out."""
    found = []
    with connect(database) as db:
        for name, ids in stored:
            for direction, start in zip(DIRECTIONS, (ids[-1], ids[0])):
                body, trace = (db.execute("SELECT body FROM reason.export_trace(%s, %s, direction => %s)", [start, form, direction]).fetchone()[0] for form in ("svg", "json"))
                trace = json.loads(trace)
                given = {"nodes": [step["node"]["id"] for step in trace["steps"]], "edges": [{"from": e["from"], "to": e["to"]} for e in trace["edges"]], "about": start, "ancestors": direction == "ancestors"}
                found.append((f"{name}, {direction} of {start}", read_picture(body), given))
        for _, ids in (one for one in stored if one[0] == "several"):
            for direction, roots in zip(DIRECTIONS, ([ids[29], ids[24], ids[27]], [ids[0], ids[1], ids[25]])):
                snapshot = db.execute("SELECT reason.create_snapshot(%s::uuid[], direction => %s)", [roots, direction]).fetchone()[0]
                body, document = (db.execute("SELECT body FROM reason.export_snapshot(%s, %s)", [snapshot, form]).fetchone()[0] for form in ("svg", "canonical"))
                document = json.loads(document)
                nodes = sorted((node["id"] for node in document["payload"]["nodes"]), key=lambda node: node not in roots)
                given = {"nodes": nodes, "edges": [{"from": e["from"], "to": e["to"]} for e in document["payload"]["edges"]], "about": nodes[0], "ancestors": direction == "ancestors"}
                found.append((f"snapshot, {direction} of {roots}", read_picture(body), given))
    return found


def explorer_levels(given):
    if not (UI / "node_modules/esbuild").exists():
        pytest.skip("what the explorer is built with is not installed: make -C gateway ui")
    ended = subprocess.run(["node", ROOT / "test/trace/explorer_levels.mjs", UI], input=json.dumps(given), check=True, capture_output=True, text=True, timeout=120)
    return json.loads(ended.stdout)


def test_the_explorer_and_the_service_lay_the_same_graph_out_in_the_same_levels(drawn):
    pictures = [(name, picture, given) for name, picture, given in drawn if len(picture.boxes) > 1]
    compared = explorer_levels([given for _, _, given in pictures])
    assert max(len(levels) for levels in compared) > 30 and max(len(level) for levels in compared for level in levels) > 15
    for (name, picture, _), levels in zip(pictures, compared):
        assert [sorted(level) for level in picture.levels()] == [sorted(level) for level in levels], name


def test_no_line_of_a_picture_leads_behind_a_box(drawn):
    passing = 0
    for name, picture, _ in drawn:
        assert picture.hidden() == [], name
        passing += sum(len({y // (BOX_HEIGHT + 40) for _, y in line}) > 3 for line in picture.lines)
    assert passing > 100


def test_boxes_and_labels_of_a_picture_stand_apart_and_inside(drawn):
    for name, picture, _ in drawn:
        for i, a in enumerate(picture.boxes):
            assert 0 < a.left and a.right < picture.width and 0 <= a.top and a.bottom < picture.height, name
            assert all(a.right < b.left or b.right < a.left or a.bottom < b.top or b.bottom < a.top for b in picture.boxes[i + 1:]), name
        assert all(0 < x < picture.width and 0 < y < picture.height for line in picture.lines for x, y in line), name
        spans = [(x - 3 * len(text), x + 3 * len(text), y) for text, x, y in picture.labels]
        for i, (left, right, y) in enumerate(spans):
            assert 0 <= left and right <= picture.width, (name, picture.labels[i])
            assert all(right <= other[0] or other[1] <= left or abs(y - other[2]) >= 12 for other in spans[i + 1:]), (name, picture.labels[i])
            assert all(right <= box.left or box.right <= left or y + 3 <= box.top or box.bottom <= y - 10 for box in picture.boxes), (name, picture.labels[i])


def test_edges_that_lead_back_in_a_circle_lead_beside_the_boxes(db):
    ids = graphs.stored_in_order(db, 6, [(i, i + 1) for i in range(5)] + [(4, 0)])
    body = db.execute("SELECT body FROM reason.export_trace(%s, 'svg')", [ids[5]]).fetchone()[0]
    picture = read_picture(body)
    assert picture.levels() == [[i] for i in ids]
    back, = [line for line in picture.lines if line[-1][1] < line[0][1]]
    assert max(x for x, _ in back) > max(box.right for box in picture.boxes)


def test_a_picture_of_ten_thousand_dense_records_is_bounded_and_can_be_ended(db):
    rng = random.Random(10000)
    count = 10000
    pairs = {(i, min(count - 1, i + rng.choice((1, 2, 5, 40, 400)))) for i in range(count - 1) for _ in range(6)}
    pairs |= {(rng.randrange(count), rng.randrange(count)) for _ in range(2000)}
    ids = graphs.stored_in_order(db, count, sorted(pairs))
    begun = time.monotonic()
    body = db.execute("SELECT body FROM reason.export_trace(%s, 'svg')", [ids[-1]]).fetchone()[0]
    taken = time.monotonic() - begun
    picture = read_picture(body)
    assert picture.hidden() == [] and len(body) < 16 << 20 and len(picture.boxes) <= 600 and picture.width < 2400 + BOX_WIDTH
    threading.Timer(taken / 2, db.cancel).start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        for _ in range(20):
            db.execute("SELECT body FROM reason.export_trace(%s, 'svg')", [ids[-1]])
