"""Reads that give lists (what rests on a node, what differs, an explanation) in every form: each tells what its JSON tells, says
what it lacks, and shows hostile text as text. Every read that is exported is in READS: the catalog says which there are."""

import csv
import io
import json
import random
import re
import shutil
import subprocess

import psycopg
import pytest

import graphs
from graph_database import connect

# How each export is called for a node, and the lists in its JSON; the others are tested in test_export.py.
READS = {"export_impact": ("node => %(id)s", ["nodes"]),
         "export_diff": ("a => %(id)s, as_of_a => %(then)s", ["added", "removed", "changed"]),
         "export_explanation": ("node => %(id)s", ["components", "evidence", "corrections", "after", "frontier"])}
OF_GRAPHS = {"export_trace", "export_snapshot"}
PAGE = {"export_impact": "max_nodes", "export_diff": "max_entries", "export_explanation": "max_entries"}
FORMS = ["human", "markdown", "csv"]
LONG_AGO = "2000-01-01Z"
# A node that was there, and nothing else.
THEN = "SELECT created_at FROM reason.node WHERE id = %s"


def export(db, read, form, node, then=None, **options):
    given = "".join(f", {name} => %({name})s" for name in options)
    return db.execute(f"SELECT * FROM reason.{read}({READS[read][0]}, format => %(form)s{given})", {"id": node, "then": then, "form": form, **options}).fetchone()


def rows_of(text):
    """Rows of a table that is rectangular, without the one that says what was cut."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert text.endswith("\r\n") and {len(row) for row in rows} == {len(rows[0])}
    return [dict(zip(rows[0], row)) for row in rows[1:] if row[0] != "cut"]


def entries_of(read, text):
    answer = json.loads(text)
    return [(name, entry) for name in READS[read][1] for entry in answer.get("explain", answer)[name]]


def id_of(entry):
    return entry.get("nodeId") or entry["edgeId"]


def plain(markdown):
    return re.sub(r"\\(.)", r"\1", markdown)


def test_every_export_of_the_catalog_is_tested(db):
    found = {name for name, in db.execute("SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace AND p.proname LIKE 'export\\_%' "
                                          "AND has_function_privilege('reason_auditor', p.oid, 'EXECUTE')")}
    assert found == OF_GRAPHS | set(READS)


@pytest.fixture(scope="module")
def stored(database):
    rng = random.Random("lists")
    made = [graphs.make(rng, shape) for _ in range(4) for shape in graphs.SHAPES]
    with connect(database) as db:
        graphs.store(db, made, rng)
    return made


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", READS)
def test_each_entry_is_in_each_form_once_over_all_pages(db, stored, read, form):
    rng = random.Random(3)
    for graph in stored[::2]:
        node = rng.choice(graph.nodes).id
        then, = db.execute(THEN, [node]).fetchone()
        for limit in (None, 3):
            cursor, told, whole = None, [], []
            while True:
                # A cursor is never the same text twice.
                options = {PAGE[read]: limit, "cursor": cursor}
                text, next_, truncated = export(db, read, "json", node, then, **options)
                whole += [(name, id_of(entry)) for name, entry in entries_of(read, text)]
                body, cursor, cut = export(db, read, form, node, then, **options)
                assert (cursor is None, cut) == (next_ is None, truncated) and ("CUT" in body) == truncated
                if form == "csv":
                    told += [row["id"] for row in rows_of(body)]
                else:
                    lines = [line for line in body.splitlines() if line.startswith(("- ", "| ")[form == "markdown"])]
                    told += [found[0] for line in lines if (found := re.findall(r"(?:^\| |, id |^\| \w+ \| )([0-9a-f-]{36})", line))]
                if cursor is None:
                    break
            assert sorted(told) == sorted(i for _, i in whole), (read, form, limit)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", READS)
def test_the_same_page_gives_the_same_bytes(database, stored, read, form):
    node = next(g for g in stored if len(g.nodes) > 10).nodes[0].id
    with connect(database) as one, connect(database, options="-c reason.adjacency_cache=off -c timezone=Asia/Kathmandu -c extra_float_digits=0 -c datestyle=german") as other:
        then = one.execute(THEN, [node]).fetchone()[0]
        assert export(one, read, form, node, then)[0] == export(other, read, form, node, then)[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", READS)
def test_what_was_cut_is_said(db, read, form):
    ids = graphs.stored_in_order(db, 15, [(i, i + 1) for i in range(14)])
    node = ids[0] if read == "export_impact" else ids[-1]
    then, = db.execute(THEN, [node]).fetchone()
    body, cursor, truncated = export(db, read, form, node, then, max_depth=10)
    assert truncated and cursor is None and "CUT: the walk stopped for its depth" in plain(body)
    if read == "export_impact":
        assert form != "csv" or [row["id"] for row in rows_of(body) if row["walk_stopped"] == "true"] == [str(ids[10])]
        assert form == "csv" or "the walk stopped here" in plain(body)
    if read == "export_explanation":
        assert str(ids[4]) in body.split("Where the walk stopped")[-1]
    limit = {PAGE[read]: 1}
    if read != "export_explanation":
        body, cursor, truncated = export(db, read, form, node, then, **limit)
        assert truncated and cursor and "CUT: this is a part" in plain(body)
    body, cursor, truncated = export(db, read, form, node, then)
    assert (cursor, truncated) == (None, False) and "CUT" not in body


@pytest.fixture(scope="module")
def story(database):
    """A score that is back-dated, corrected, annotated twice (once in quarantine) and leads to a decision; and a check whose content was erased."""
    with connect(database) as db:
        def add(query, *parameters):
            return str(db.execute(f"SELECT reason.{query}", parameters).fetchone()[0])
        source = add("add_node('observation', '\"the source\"', 'sensor')")
        score = add("add_node('score', '{\"note\": \"low\"}', 'model', ts => '2005-01-01Z', metadata => '{\"confidence\": 0.9}')")
        check = add("add_node('policyCheck', '\"two approvals\"', 'checker')")
        decision = add("add_node('decision', '{\"note\": \"approve\"}', 'manager')")
        then = db.execute(THEN, [source]).fetchone()[0]
        for cause, effect, weight in ((source, score, 0.8), (source, check, 0.4), (score, decision, 0.5), (check, decision, 1)):
            add("add_edge(%s, %s, 'supports', %s)", cause, effect, weight)
        correction = add("add_node('correction', '\"the score was wrong\"', 'auditor')")
        add("add_edge(%s, %s, 'corrects')", correction, score)
        add("annotate(%s, 'seen in the meeting', author => 'clerk')", score)
        held = add("annotate(%s, 'held back', author => 'clerk')", score)
        by = add("add_node('policyCheck', '\"strange\"', 'sentinelnet')")
        db.execute("SELECT reason.quarantine_records('annotation', ARRAY[(SELECT no FROM reason.annotation WHERE id = %s)], %s)", [held, by])
        add("erase_payload(%s, 'asked for')", check)
        return {"source": source, "score": score, "check": check, "decision": decision, "correction": correction, "then": then}


def about(read, story):
    return story["source"] if read == "export_impact" else story["decision"]


@pytest.mark.parametrize("read", READS)
def test_times_corrections_erasures_and_annotations_are_there(db, story, read):
    before = LONG_AGO if read == "export_explanation" else db.execute(THEN, [about(read, story)]).fetchone()[0]
    tables = {form: plain(export(db, read, form, about(read, story), before)[0]) for form in FORMS}
    rows = {row["id"]: row for row in rows_of(tables["csv"])}
    score, check = rows[story["score"]], rows[story["check"]]
    assert (score["occurred_at"], score["confidence"], score["author"], score["type"]) == ("2005-01-01T00:00:00.000000Z", "0.9", "model", "score")
    assert score["recorded_at"] > "2020" and "low" in score["note"]
    # The owner sees what is in quarantine.
    assert score["annotations"] == "2" and check["annotations"] == "0" and check["erased"] == "true" and "two approvals" not in str(check)
    if read != "export_diff":
        assert score["corrected"] == "true" and score["corrected_by"] == story["correction"]
    for form in ("human", "markdown"):
        text = tables[form]
        assert "2005-01-01T00:00:00.000000Z" in text and "occurred" in text and "recorded" in text and "annotations" in text
        assert "two approvals" not in text and "erased" in text
        assert read == "export_diff" or ("CORRECTED" in text and story["correction"] in text)
    db.execute("SET ROLE reason_reader")
    seen = {row["id"]: row for row in rows_of(export(db, read, "csv", about(read, story), before)[0])}
    db.execute("RESET ROLE")
    assert seen[story["score"]]["annotations"] == "1"


def test_what_rests_on_a_node_says_what_became_of_the_node_itself_and_what_is_held_back(own):
    with connect(own) as db:
        def add(query, *parameters):
            return db.execute(f"SELECT reason.{query}", parameters).fetchone()[0]
        wrong, held, by = (add("add_node(%s, %s, 'test')", kind, json.dumps(text)) for kind, text in (
            ("observation", "it was wrong"), ("score", "made of it"), ("policyCheck", "strange")))
        add("add_edge(%s, %s, 'derivedFrom')", wrong, held)
        assert "CORRECTED" not in export(db, "export_impact", "human", wrong)[0]
        add("add_edge(%s, %s, 'corrects')", add("add_node('correction', '1', 'test')"), wrong)
        db.execute("SELECT reason.quarantine_records('node', ARRAY[(SELECT no FROM reason.node WHERE id = %s)], %s)", [held, by])
        for form in ("human", "markdown"):
            title, *lines = plain(export(db, "export_impact", form, wrong)[0]).splitlines()
            assert title.endswith("it was wrong, CORRECTED"), title
            assert "in quarantine" in "\n".join(lines), lines
        row, = rows_of(export(db, "export_impact", "csv", wrong)[0])
        assert row["quarantined"] == "true"
        assert json.loads(export(db, "export_impact", "json", wrong)[0])["nodes"][0]["quarantined"] is True


def test_a_table_of_what_rests_on_a_node_says_what_impact_says(db, story):
    rows = {row["id"]: row for row in rows_of(export(db, "export_impact", "csv", story["source"])[0])}
    for node, type_, depth, strength, other, corrected, by, stands in db.execute(
            "SELECT node_id::text, type, depth, strength, other_support, corrected, corrected_by, stands FROM reason.impact(%s)", [story["source"]]):
        row = rows.pop(node)
        assert (row["type"], int(row["depth"]), float(row["strength"])) == (type_, depth, strength)
        assert [row[name] == "true" for name in ("other_support", "corrected", "stands")] == [other, corrected, stands]
        assert row["corrected_by"].split() == [str(i) for i in by or []]
    assert rows == {}


def test_a_table_of_what_differs_says_what_trace_diff_says(db, story):
    weighed = db.execute("SELECT reason.add_edge(%s, %s, 'supports', 0.75)", [story["check"], story["decision"]]).fetchone()[0]
    for then in (story["then"], db.execute("SELECT max(created_at) FROM reason.edge WHERE id <> %s", [weighed]).fetchone()[0]):
        body = export(db, "export_diff", "csv", story["decision"] if then != story["then"] else story["source"], then)[0]
        node = story["decision"] if then != story["then"] else story["source"]
        expected = db.execute("SELECT change, kind, id::text, type, facets, weight_a, weight_b FROM reason.trace_diff(%s, as_of_a => %s)", [node, then]).fetchall()
        rows = rows_of(body)
        assert [(r["record"], r["kind"], r["id"], r["type"]) for r in rows] == [row[:4] for row in expected]
        for row, (change, kind, _, _, facets, before, after) in zip(rows, expected):
            if kind == "edge":
                assert float(row["weight"] or "nan") == (before if change == "removed" else after)
            if change == "changed" and kind == "edge":
                assert (float(row["weight_a"]), float(row["weight_b"])) == (before, after)
    # Weighed anew; and a content was erased meanwhile.
    assert [(r["record"], r["kind"]) for r in rows] == [("changed", "node"), ("changed", "edge")]
    assert (rows[0]["id"], rows[0]["erased_a"], rows[0]["erased_b"]) == (story["check"], "false", "true")


NASTY = ["</td><script>alert(1)</script>", "| cell | [link](javascript:1) `code` *b*", "=1+1", "@SUM(A1)", "a\u202eb\u2066c\u0007d\u001b[31m", "line\r\nbreak\n# head"]


@pytest.fixture(scope="module")
def nasty(database):
    with connect(database) as db:
        first = db.execute("SELECT reason.add_node('observation', '\"first\"', 'x')").fetchone()[0]
        last = db.execute("SELECT reason.add_node('decision', '\"last\"', 'x')").fetchone()[0]
        for text in NASTY:
            node = db.execute("SELECT reason.add_node('score', %s, %s)", [json.dumps({"note": text}), "".join(c for c in text if c.isprintable())]).fetchone()[0]
            for cause, effect in ((first, node), (node, last)):
                db.execute("SELECT reason.add_edge(%s, %s, 'supports')", [cause, effect])
        return {"export_impact": first, "export_diff": last, "export_explanation": last}


@pytest.mark.parametrize("read", READS)
def test_hostile_text_is_text(db, nasty, read):
    then, = db.execute(THEN, [nasty[read]]).fetchone()
    told = {form: export(db, read, form, nasty[read], then)[0] for form in FORMS}
    for row in rows_of(told["csv"]):
        assert not any(value and value[0] in "=+-@\t\r\n" for value in row.values()), row
    for form in FORMS:
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f]", told[form]) and "\\u202e" in told[form].replace("\\\\", "\\"), form
    # A line is one entry's, whatever is in it.
    assert "\n# head" not in told["human"] and "\n# head" not in told["markdown"]
    if shutil.which("cmark-gfm"):
        made = subprocess.run(["cmark-gfm", "-e", "table", "--unsafe"], input=told["markdown"], check=True, capture_output=True, text=True).stdout
        assert set(re.findall(r"<(\w+)", made)) <= {"h1", "h2", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "p"}, made
        assert "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in made and "| cell | [link](javascript:1) `code` *b*" in made


@pytest.mark.parametrize("form", ["json", *FORMS])
@pytest.mark.parametrize("read", READS)
def test_a_reader_gets_it_redacted_and_an_auditor_whole(database, read, form):
    with connect(database) as db:
        add = lambda query, *parameters: db.execute(f"SELECT reason.{query}", parameters).fetchone()[0]
        ids = [add("add_node('decision', %s, 'bob@example.org')", json.dumps({"note": f"mail ada{i}@example.org"})) for i in range(2)]
        then, = db.execute(THEN, [ids[1]]).fetchone()
        add("add_edge(%s, %s, 'causal')", *ids)
        node = ids[0] if read == "export_impact" else ids[1]
        db.execute("SET ROLE reason_reader")
        assert "@example.org" not in plain(export(db, read, form, node, then)[0])
        db.execute("SET ROLE reason_auditor")
        assert "@example.org" in plain(export(db, read, form, node, then)[0])


@pytest.mark.parametrize("read", READS)
def test_what_is_no_form_is_refused(db, read):
    node, = graphs.stored_in_order(db, 1, [])
    for form in ("png", "svg", "", None):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            export(db, read, form, node, LONG_AGO if read != "export_diff" else db.execute(THEN, [node]).fetchone()[0])
