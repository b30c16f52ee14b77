"""Each form of export holds what the trace holds, says what it lacks, and shows hostile text as text.

Forms are read by others' programs: Graphviz, cmark, expat, Python's csv, and the library prov.
"""

import collections
import csv
import html.parser
import io
import json
import random
import re
import shutil
import subprocess
import xml.etree.ElementTree

import psycopg
import pytest

import graphs
from graph_database import connect
from svg_picture import BOX_HEIGHT, BOX_WIDTH, SVG, UUID, read_picture

FORMS = [("markdown", None), ("svg", None), ("dot", None), ("mermaid", None), ("prov", None), ("csv", "nodes"), ("csv", "edges"), ("csv", "annotations")]
DIRECTIONS = ["ancestors", "descendants"]
LAYOUT_NODES, LAYOUT_LEVELS = 400, 100


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("export")
    made = [graphs.make(rng, shape) for _ in range(12) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


def export(db, node, form, part=None, **options):
    given = "".join(f", {name} => %s" for name in options)
    return db.execute(f"SELECT * FROM reason.export_trace(%s, %s, %s{given})", [node, form, part, *options.values()]).fetchone()


def pages(db, node, form, part=None, **options):
    cursor, bodies = None, []
    while True:
        body, cursor, truncated = export(db, node, form, part, cursor=cursor, **options)
        bodies.append(body)
        assert truncated == ("CUT" in body)
        if cursor is None:
            return bodies


# ---------------------------------------------------------------- what is in a form

def csv_rows(text):
    """Rows by column; the table is rectangular, its lines end as RFC 4180 wants."""
    assert text.endswith("\r\n") and not re.search(r'[^\r]\n(?:node|edge|"node"|"edge")', text)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    return [dict(zip(rows[0], row)) for row in rows[1:] if row[0] != "cut"]


def dot_graph(text):
    return json.loads(subprocess.run(["dot", "-Tdot_json"], input=text, check=True, capture_output=True, text=True).stdout)


def read_dot(text):
    read = dot_graph(text)
    names = [o["name"] for o in read.get("objects", [])]
    drawn = [o["name"] for o in read.get("objects", []) if "label" in o and o["label"] != "\\N"]
    return drawn, [(names[e["tail"]], names[e["head"]]) for e in read.get("edges", [])]


def read_mermaid(text):
    ids = {name: re.search(UUID, unmermaid(label))[0] for name, label in re.findall(r'^ {4}([ne]\d+)\(?\[(".*?")\]\)?$', text, re.M)}
    edges = re.findall(r'^ {4}([ne]\d+) (?:-->|--x|-\.->)\|".*?"\| ([ne]\d+)$', text, re.M)
    for arrow, kind in re.findall(r'^ {4}[ne]\d+ (\S+?)\|"(\w+).*?"\| ', text, re.M):
        assert arrow == {"contradicts": "--x", "corrects": "-.->"}.get(kind, "-->"), kind
    return [ids[n] for n in ids if n[0] == "n"], [(ids[a], ids[b]) for a, b in edges]


def unmermaid(text):
    return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), text.replace("<wbr/>", ""))


def read_svg(text):
    root = xml.etree.ElementTree.fromstring(text)
    nodes = [re.findall(UUID, g.find(f"{SVG}title").text.split(", id ")[-1])[0] for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("node")]
    edges = [tuple(re.findall(UUID, p.find(f"{SVG}title").text)) for p in root.iter(f"{SVG}path") if p.find(f"{SVG}title") is not None]
    return nodes, edges


READ = {"dot": read_dot, "mermaid": read_mermaid, "svg": read_svg}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("form", READ)
def test_pictures_hold_all_nodes_and_edges_of_random_graphs(db, stored, form, direction):
    if form == "dot" and not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    rng = random.Random(1)
    for graph in stored[::3]:
        start = rng.choice(graph.nodes)
        rows, inside = graphs.reference(graph, start, direction, graphs.Filter())
        body, cursor, truncated = export(db, start.id, form, direction=direction)
        nodes, edges = READ[form](body)
        assert (cursor, truncated) == (None, False)
        assert sorted(nodes) == sorted(str(row[2]) for row in rows)
        expected = sorted((str(e.source.id), str(e.target.id)) for e in inside)
        if form == "svg":
            # More than four between the same two are drawn together.
            assert set(e for e in edges if e) <= set(expected)
            expected = {pair: min(count, 4) for pair, count in collections.Counter(expected).items()}
            drawn = collections.Counter(e for e in edges if e)
            assert all(drawn[pair] in (count, count - 1) for pair, count in expected.items())
        else:
            assert sorted(edges) == expected


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("limit", [None, 3])
def test_tables_and_prov_hold_each_node_and_edge_once_over_all_pages(db, stored, limit, direction):
    prov = pytest.importorskip("prov.model")
    rng = random.Random(2)
    for graph in stored[::4]:
        start = rng.choice(graph.nodes)
        rows, inside = graphs.reference(graph, start, direction, graphs.Filter())
        nodes = [r["id"] for body in pages(db, start.id, "csv", "nodes", max_nodes=limit, direction=direction) for r in csv_rows(body)]
        edges = [(r["id"], r["from"], r["to"], r["type"], float(r["weight"])) for body in pages(db, start.id, "csv", "edges", max_nodes=limit, direction=direction) for r in csv_rows(body)]
        assert sorted(nodes) == sorted(str(row[2]) for row in rows)
        assert sorted(edges) == sorted((str(e.id), str(e.source.id), str(e.target.id), e.type, e.weight) for e in inside)
        entities, relations = [], []
        for body in pages(db, start.id, "prov", max_nodes=limit, direction=direction):
            document = prov.ProvDocument.deserialize(content=body, format="json")
            again = prov.ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
            assert document == again
            entities += [str(e.identifier.uri) for e in document.get_records(prov.ProvEntity) if e.identifier.uri.startswith("urn:uuid:")]
            relations += [r for kind in (prov.ProvDerivation, prov.ProvInfluence) for r in document.get_records(kind) if r.identifier]
        assert sorted(entities) == sorted(f"urn:uuid:{row[2]}" for row in rows)
        assert sorted(r.identifier.uri.split(":")[-1] for r in relations) == sorted(str(e.id) for e in inside)
        for relation in relations:
            edge, = [e for e in inside if str(e.id) == relation.identifier.uri.split(":")[-1]]
            later, earlier = [value.localpart for _, value in relation.formal_attributes if value is not None][:2]
            ends = [str(edge.target.id), str(edge.source.id)]
            assert [later, earlier] == (ends[::-1] if edge.type == "corrects" else ends)


@pytest.mark.parametrize("form, part", FORMS)
def test_the_same_page_gives_the_same_bytes(database, stored, form, part):
    graph = next(g for g in stored if len(g.nodes) > 10)
    with connect(database) as one, connect(database, options="-c reason.adjacency_cache=off -c timezone=Asia/Kathmandu -c extra_float_digits=0") as other:
        for options in ({}, {"max_nodes": 2}):
            first, second = (export(db, graph.nodes[0].id, form, part, **options) for db in (one, other))
            assert first[0] == second[0] and first[2] == second[2]


@pytest.mark.parametrize("form, part", [*FORMS, ("human", None)])
def test_every_form_says_where_it_was_cut(db, form, part):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    body, cursor, truncated = export(db, ids[-1], form, part, max_depth=10)
    assert truncated and cursor is None and "CUT: the walk stopped" in unmermaid(body.replace("\\", ""))
    body, cursor, truncated = export(db, ids[-1], form, part, max_nodes=5)
    assert truncated and cursor and "CUT" in body
    body, cursor, truncated = export(db, ids[-1], form, part)
    assert (truncated, cursor) == (False, None) and "CUT" not in body


def test_what_came_of_a_node_is_called_so_and_is_no_evidence(db):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    for form, part in [*FORMS, ("human", None)]:
        body, cursor, truncated = export(db, ids[0], form, part, max_depth=10, direction="descendants")
        told = unmermaid(body.replace("\\", ""))
        assert truncated and cursor is None and "CUT: the walk stopped" in told
        assert part or form == "prov" or "What came of" in told and ids[0] in told, form
        assert "Evidence" not in told and "further causes" not in told
    assert {row["evidence"] for row in csv_rows(export(db, ids[0], "csv", "nodes", direction="descendants")[0])} == {"false"}
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        export(db, ids[0], "markdown", direction="sideways")


# ---------------------------------------------------------------- hostile text

NASTY = ["</text><script>alert(1)</script>", "]]><b>&lt;&#65;&amp;", "\"];\n\\N\\G\\l\\", "```\n# head\n- [x](javascript:alert(1)) <img src=x> | cell |\n", "%%{init: {}}%%\nclick n0 call alert(1)",
         "=1+1", "@SUM(A1)", "-2+3", "\t=1", "＝1+1", "a\u202eb\u2066c\u0007d\u001b[31m\ufffe\uffff", "x" * 100_000, "字" * 500, "www.example.org http://example.org a@example.org", "$$x$$ `y` ~~z~~ fa:fa-car #35; end"]


def author_of(text):
    """As much of a text as the name of an author may have: nothing that controls or cannot be seen."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])


@pytest.fixture(scope="module")
def nasty(database):
    """A decision in whose record, and those below, every text is hostile; all of the texts, and ids."""
    with connect(database) as db:
        def add(query, *parameters):
            return str(db.execute(f"SELECT reason.{query}", parameters).fetchone()[0])
        decision = add("add_node('decision', %s, %s)", json.dumps({"note": NASTY[0]}), NASTY[1])
        ids = [decision]
        for i, text in enumerate(NASTY):
            ids.append(add("add_node('observation', %s, %s, metadata => %s)", json.dumps({"note": text} if i % 2 else text), author_of(text), json.dumps({"tags": [text[:1000]]})))
            add("add_edge(%s, %s, 'supports', 0.5, %s)", ids[-1], decision, json.dumps({text[:100]: text[:100]}))
            add("annotate(%s, %s, author => %s)", ids[-1], text, author_of(text))
        erased = add("add_node('score', '\"gone\"', 'x')")
        add("add_edge(%s, %s, 'causal')", erased, decision)
        snapshot = add("create_snapshot(ARRAY[%s::uuid], include_annotations => true, description => %s)", decision, NASTY[0])
        return {"trace": decision, "snapshot": snapshot, "ids": [*ids, erased]}


def nasty_export(db, nasty, what, form, part=None):
    return db.execute(f"SELECT body FROM reason.export_{what}(%s, %s, %s)", [nasty[what], form, part]).fetchone()[0]


@pytest.fixture(params=["trace", "snapshot"])
def what(request):
    return request.param


def test_svg_shows_hostile_text_as_text(db, nasty, what):
    body = nasty_export(db, nasty, what, "svg")
    root = xml.etree.ElementTree.fromstring(body)
    tags = {e.tag.removeprefix(SVG) for e in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text"}
    assert not any(name.lower().startswith("on") or "href" in name.lower() for e in root.iter() for name in e.keys())
    assert "prefers-color-scheme" in body and root.get("aria-labelledby") == "title description"
    told = " ".join(t.text or "" for t in root.iter(f"{SVG}title"))
    assert "</text><script>alert(1)</script>" in told and "a\\u202eb\\u2066c" in told and "\\ufffe\\uffff" in told
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ufffe\uffff\x00-\x08\x0e-\x1f]", body)
    # What stands in a box keeps within it.
    assert max(len(t.text or "") for t in root.iter(f"{SVG}text") if t.get("class") == "note") <= 33


def test_graphviz_reads_hostile_text_as_text(db, nasty, what):
    if not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    body = nasty_export(db, nasty, what, "dot")
    read = dot_graph(body)
    assert {o["name"] for o in read["objects"]} == set(nasty["ids"])
    labels = " ".join(o["label"] for o in read["objects"])
    # As Graphviz keeps it: escapes of its own, and entities, are for those who draw.
    assert "</text><script>" in labels and "\\\\N\\\\G\\\\l" in labels and "&amp;lt;&amp;#65;" in labels
    drawn = subprocess.run(["dot", "-Tsvg"], input=body, check=True, capture_output=True, text=True).stdout
    told = " ".join("".join(t.itertext()) for t in xml.etree.ElementTree.fromstring(drawn).iter(f"{SVG}text"))
    assert "</text><script>alert(1)</script>" in told and "]]><b>&lt;&#65;&amp;" in told and "\\N\\G\\l\\" in told


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.links = set(), [], set()
        self.feed(text)
        self.cells = [cell.strip() for cell in self.cells]

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links |= {value for name, value in attributes if name == "href"}
        if tag in ("td", "code"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


def test_markdown_shows_hostile_text_as_text(db, nasty, what):
    if not shutil.which("cmark-gfm"):
        pytest.skip("cmark-gfm is not installed")
    body = nasty_export(db, nasty, what, "markdown")
    made = subprocess.run(["cmark-gfm", "-e", "table", "-e", "autolink", "-e", "strikethrough", "--unsafe"], input=body, check=True, capture_output=True, text=True).stdout
    page = Page(made)
    assert page.tags <= {"h1", "h2", "ul", "li", "p", "em", "pre", "code", "table", "thead", "tbody", "tr", "th", "td", "a"}, page.tags
    # cmark-gfm finds addresses of mail whatever is before their @.
    assert page.links == {"mailto:a@example.org"}
    assert sum(cell in nasty["ids"] for cell in page.cells) >= 2 * len(NASTY)
    for text in NASTY[:2]:
        assert text in page.cells
    assert "www.example.org http://example.org a@example.org" in page.cells and "$$x$$ `y` ~~z~~ fa:fa-car #35; end" in page.cells
    assert any("| cell |" in cell for cell in page.cells)


def test_mermaid_has_no_syntax_from_hostile_text(db, nasty, what):
    body = nasty_export(db, nasty, what, "mermaid")
    for line in body.splitlines()[1:]:
        assert re.fullmatch(r'    (title\["[^"]*"\]|style title fill:none,stroke:none|[ne]\d+\(?\["[^"]*"\]\)?|[ne]\d+ (?:-->|--x|-\.->)\|"[^"]*"\| [ne]\d+)', line), line
        for label in re.findall(r'"([^"]*)"', line):
            assert re.fullmatch(r"(?:[A-Za-z0-9 ,\u0080-\U0010ffff]|#\d+;|<w?br/>)*", label), label
    told = unmermaid(body)
    assert "</text><script>alert(1)</script>" in told and "%%{init: {}}%%" in told


def test_csv_holds_hostile_text_and_no_formula(db, nasty, what):
    nodes = csv_rows(nasty_export(db, nasty, what, "csv", "nodes"))
    notes = csv_rows(nasty_export(db, nasty, what, "csv", "annotations"))
    for row in nodes + notes:
        for name, value in row.items():
            assert not value or value[0] not in "=+-@\t\r\n＝＋－＠" or name in ("weight", "confidence"), (name, value)
    texts = {note["text"] for note in notes}
    assert {"'=1+1", "'@SUM(A1)", "'-2+3", "'\t=1", "'＝1+1"} <= texts
    # Whole, with its lines; what would obey a terminal or turn the direction of writing is told by its number.
    assert NASTY[3] in texts and NASTY[11] in texts and any("a\\u202eb\\u2066c\\u0007d\\u001b[31m" in text for text in texts)


def test_prov_holds_hostile_text(db, nasty, what):
    prov = pytest.importorskip("prov.model")
    document = prov.ProvDocument.deserialize(content=nasty_export(db, nasty, what, "prov"), format="json")
    assert document == prov.ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    payloads = [json.loads(value) for e in document.get_records(prov.ProvEntity) for name, value in e.attributes if name.localpart == "payload"]
    assert {p["note"] if isinstance(p, dict) else p for p in payloads} >= set(NASTY)
    assert {str(value) for a in document.get_records(prov.ProvAgent) for _, value in a.attributes} >= {author_of(text) for text in NASTY}


# ---------------------------------------------------------------- what an auditor must see

@pytest.fixture(scope="module")
def story(database):
    """A decision on a score that was back-dated and corrected, and a check whose content was erased; annotated, one erased."""
    with connect(database) as db:
        def add(query, *parameters):
            return str(db.execute(f"SELECT reason.{query}", parameters).fetchone()[0])
        score = add("add_node('score', '{\"note\": \"low\"}', 'model', ts => '2005-01-01Z', metadata => '{\"confidence\": 0.9}')")
        check = add("add_node('policyCheck', '\"two approvals\"', 'checker')")
        decision = add("add_node('decision', '{\"note\": \"approve\"}', 'manager')")
        add("add_edge(%s, %s, 'supports', 0.5, '{\"confidence\": 0.7}')", score, decision)
        add("add_edge(%s, %s, 'causal')", check, decision)
        correction = add("add_node('correction', '\"the score was wrong\"', 'auditor')")
        add("add_edge(%s, %s, 'corrects')", correction, score)
        add("annotate(%s, 'seen in the meeting', author => 'clerk')", decision)
        gone = add("annotate(%s, 'a name', author => 'clerk')", check)
        add("erase_payload(%s, 'asked for')", check)
        add("erase_annotation(%s, 'likewise')", gone)
        return {"trace": decision, "snapshot": add("create_snapshot(ARRAY[%s::uuid], include_annotations => true)", decision), "score": score, "correction": correction,
                "decision": decision}


@pytest.mark.parametrize("form, part", FORMS[:5])
def test_times_corrections_erasures_and_annotations_are_there(db, story, what, form, part):
    text = unmermaid(db.execute(f"SELECT body FROM reason.export_{what}(%s, %s, %s)", [story[what], form, part]).fetchone()[0].replace("\\", ""))
    assert "2005-01-01T00:00:00.000000Z" in text and re.search("occurred", text) and re.search("recorded", text)
    assert "seen in the meeting" in text and "clerk" in text
    assert "two approvals" not in text and "a name" not in text and "rased" in text
    assert "prov:Revision" in text if form == "prov" else f"CORRECTED by {story['correction']}" in text
    if what == "snapshot":
        assert "asked for" in text
        assert "likewise" in text or form not in ("markdown", "prov")


def test_tables_tell_times_corrections_erasures_and_annotations(db, story, what):
    def rows(part):
        return csv_rows(db.execute(f"SELECT body FROM reason.export_{what}(%s, 'csv', %s)", [story[what], part]).fetchone()[0])
    nodes = {row["type"]: row for row in rows("nodes")}
    assert nodes["score"]["occurred_at"] == "2005-01-01T00:00:00.000000Z" and nodes["score"]["recorded_at"] > "2020"
    assert nodes["score"]["corrected_by"] == story["correction"] and nodes["score"]["confidence"] == "0.9"
    assert [kind for kind, row in nodes.items() if row["evidence"] == "true"] == ["score", "policyCheck"]
    assert nodes["policyCheck"]["erased"] == "true" and nodes["policyCheck"]["payload"] == ""
    assert {(r["type"], r["weight"], r["confidence"]) for r in rows("edges")} == {("supports", "0.5", "0.7"), ("causal", "1", ""), ("corrects", "1", "")}
    notes = {row["node"]: row for row in rows("annotations")}
    assert notes[story["decision"]]["text"] == "seen in the meeting" and [r["erased"] for r in notes.values()].count("true") == 1
    if what == "snapshot":
        assert nodes["policyCheck"]["erased_reason"] == "asked for"


def test_parts_of_a_snapshot_join_to_the_whole(db):
    ids = graphs.stored_in_order(db, 0, [])
    ids = [db.execute("SELECT reason.add_node('observation', %s, 'a')", [str(i)]).fetchone()[0] for i in range(9)]
    for a, b in [*zip(ids, ids[1:]), (ids[0], ids[8]), (ids[2], ids[7])]:
        db.execute("SELECT reason.add_edge(%s, %s, 'causal')", [a, b])
    snapshot = db.execute("SELECT reason.create_snapshot(ARRAY[%s::uuid])", [ids[8]]).fetchone()[0]
    for part, count in (("nodes", 9), ("edges", 10)):
        cursor, found = None, []
        while True:
            body, cursor, truncated = db.execute("SELECT * FROM reason.export_snapshot(%s, 'csv', %s, 4, %s)", [snapshot, part, cursor]).fetchone()
            found += [row["id"] for row in csv_rows(body)]
            assert truncated == (cursor is not None)
            if cursor is None:
                break
        assert len(found) == len(set(found)) == count
    for form, part in FORMS:
        body, cursor, truncated = db.execute("SELECT * FROM reason.export_snapshot(%s, %s, %s, 4, '99')", [snapshot, form, part]).fetchone()
        assert (cursor, truncated) == (None, False) and body


# ---------------------------------------------------------------- pictures of many

@pytest.mark.parametrize("shape", ["tree", "star", "chain", "bush"])
def test_a_picture_of_many_nodes_folds_and_says_so(db, shape):
    count = 3000
    rng = random.Random(shape)
    above = {"tree": lambda i: (i - 1) // 3, "star": lambda i: 0, "chain": lambda i: i - 1, "bush": lambda i: rng.randrange(i)}[shape]
    ids = graphs.stored_in_order(db, count, [(i, above(i)) for i in range(1, count)])
    body = export(db, ids[0], "svg")[0]
    picture = read_picture(body)
    own = sum(box.kind.startswith("node") for box in picture.boxes)
    folded = sum(int(re.match(r"\d+", box.text)[0]) for box in picture.boxes if box.kind == "many")
    assert own + folded == count and own <= LAYOUT_NODES + LAYOUT_LEVELS and len(picture.boxes) <= LAYOUT_NODES + 2 * LAYOUT_LEVELS
    assert f"FOLDED: {folded} nodes" in body
    places = sorted((box.left, box.top) for box in picture.boxes)
    assert len(places) == len(set(places)) and min(min(p) for p in places) >= 0
    assert max(box.right for box in picture.boxes) <= picture.width and max(box.bottom for box in picture.boxes) <= picture.height
    assert not any(abs(a[0] - b[0]) < BOX_WIDTH and abs(a[1] - b[1]) < BOX_HEIGHT for a, b in zip(places, places[1:]))
    assert picture.hidden() == []


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_picture_of_a_wide_level_fits_a_page_and_no_line_crosses_a_box(db, direction):
    ids = graphs.stored_in_order(db, 301, [(i, 300) if direction == "ancestors" else (300, i) for i in range(300)])
    body = export(db, ids[300], "svg", direction=direction)[0]
    picture = read_picture(body)
    assert len(picture.boxes) == 301 and picture.width < 1600 and picture.height < 6500
    assert all(0 < x < picture.width for line in picture.lines for x, _ in line) and picture.hidden() == []
    assert body == export(db, ids[300], "svg", direction=direction)[0]


def test_what_is_joined_to_itself_or_upwards_stays_in_the_picture(db):
    ids = graphs.stored_in_order(db, 4, [(0, 3), (1, 3), (2, 3), (2, 2), (3, 2)])
    picture = read_picture(export(db, ids[3], "svg")[0])
    assert len(picture.lines) == 5 and all(0 < x < picture.width and 0 < y < picture.height for line in picture.lines for x, y in line)


def test_the_title_of_a_picture_says_what_it_is_about(db):
    cause, end = (db.execute("SELECT reason.add_node('decision', %s, 'a')", [json.dumps({"note": note})]).fetchone()[0] for note in ("of a cause", "grant <the> \u201cloan\u201d"))
    db.execute("SELECT reason.add_edge(%s, %s, 'causal')", [cause, end])
    title = xml.etree.ElementTree.fromstring(export(db, end, "svg")[0]).find(f"{SVG}title").text
    assert title == f"What led to {end}: grant <the> \u201cloan\u201d"
    # A later part begins with some other node.
    _, cursor, _ = export(db, end, "svg", max_nodes=1)
    title = xml.etree.ElementTree.fromstring(export(db, end, "svg", max_nodes=1, cursor=cursor)[0]).find(f"{SVG}title").text
    assert title == f"What led to {end}"
    snapshot = db.execute("SELECT reason.create_snapshot(ARRAY[%s::uuid], description => 'why it was granted')", [end]).fetchone()[0]
    body = db.execute("SELECT body FROM reason.export_snapshot(%s, 'svg')", [snapshot]).fetchone()[0]
    assert xml.etree.ElementTree.fromstring(body).find(f"{SVG}title").text == f"Snapshot {snapshot}: why it was granted"


def test_heads_name_what_they_are_about_before_its_id(db):
    cause, end = (db.execute("SELECT reason.add_node('decision', %s, 'loan office')", [json.dumps({"note": note})]).fetchone()[0] for note in ("of a cause", "grant the loan"))
    db.execute("SELECT reason.add_edge(%s, %s, 'causal')", [cause, end])
    described, bare = (db.execute("SELECT reason.create_snapshot(ARRAY[%s::uuid], description => %s)", [end, words]).fetchone()[0] for words in ("why it was granted", None))

    def heads(body):
        if body.startswith("<svg"):
            return [t.text for t in xml.etree.ElementTree.fromstring(body).iter(f"{SVG}text")][:3]
        lines = body.replace("\\", "").splitlines()
        return [lines[0].removeprefix("# "), *(line.removeprefix("- ") for line in lines[2:4])]

    for form in ("svg", "markdown"):
        head, subject, identity = heads(export(db, end, form)[0])
        assert (head, identity) == ("What led to: grant the loan", f"id {end}") and re.fullmatch(r"decision by loan office, recorded 2\d\d\d-[-0-9T:.]+Z", subject), form
        assert heads(export(db, cause, form, direction="descendants")[0])[0] == "What came of: of a cause"
        assert heads(export(db, end, form, as_of="2100-01-01Z")[0])[2] == f"id {end}, as of 2100-01-01T00:00:00.000000Z"
        _, cursor, _ = export(db, end, form, max_nodes=1)
        assert heads(export(db, end, form, max_nodes=1, cursor=cursor)[0])[0] == f"What led to {end}"
        assert heads(db.execute("SELECT body FROM reason.export_snapshot(%s, %s)", [described, form]).fetchone()[0])[:2] == ["Snapshot: why it was granted", f"id {described}"]
        assert heads(db.execute("SELECT body FROM reason.export_snapshot(%s, %s)", [bare, form]).fetchone()[0])[0] == f"Snapshot {bare}"


def test_a_picture_of_two_hundred_nodes_shows_each(db):
    rng = random.Random(200)
    ids = graphs.stored_in_order(db, 200, [(i, rng.randrange(i)) for i in range(1, 200)])
    body, _, _ = export(db, ids[0], "svg")
    picture = read_picture(body)
    assert len(picture.boxes) == 200 and "FOLDED" not in body and picture.width < 4000 and picture.height < 5000
    # Causes above effects.
    assert all(line[0][1] < line[-1][1] for line in picture.lines)


# ---------------------------------------------------------------- who may ask for what

def test_a_reader_gets_it_redacted_and_an_auditor_whole(database):
    with connect(database) as db:
        node = db.execute("SELECT reason.add_node('decision', '{\"note\": \"mail ada@example.org\"}', 'bob@example.org')").fetchone()[0]
        db.execute("SELECT reason.annotate(%s, 'ask carol@example.org')", [node])
        snapshot = db.execute("SELECT reason.create_snapshot(ARRAY[%s::uuid], include_annotations => true)", [node]).fetchone()[0]
        for form, part in [*FORMS, ("human", None), ("json", None), ("canonical", None)]:
            db.execute("SET ROLE reason_reader")
            assert "@example.org" not in unmermaid(export(db, node, form, part)[0].replace("\\", "")), form
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute("SELECT reason.export_snapshot(%s, %s, %s)", [snapshot, form, part])
            db.execute("SET ROLE reason_auditor")
            told = [export(db, node, form, part)[0], db.execute("SELECT body FROM reason.export_snapshot(%s, %s, %s)", [snapshot, form, part]).fetchone()[0]]
            if part != "edges":
                assert all("@example.org" in unmermaid(text.replace("\\", "")) for text in told), form
            db.execute("RESET ROLE")


@pytest.mark.parametrize("form, part", [("png", None), (None, None), ("csv", None), ("csv", "rows"), ("svg", "nodes"), ("human", "nodes"), ("json", "nodes")])
def test_what_is_no_form_is_refused(db, form, part):
    node, = graphs.stored_in_order(db, 1, [])
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        export(db, node, form, part)
