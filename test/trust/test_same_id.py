"""Ids are unique in a division. What another division holds under the same id spoils nothing."""
import json
import re

import psycopg
import pytest

from paths import ROOT

ROUTES = re.findall(r"reason_call (http_get_\w+) \$id( \$reason_query)?", (ROOT / "gateway" / "conf.d" / "routes.conf.in").read_text())


def get(db, client, function, node, **query):
    """Status and body of a route that takes the id of a node."""
    row = db("SELECT * FROM reason." + function + "(%s, NULL, NULL, 'r-1', NULL, %s, %s)", client, str(node), json.dumps(query))
    return "".join(body for _, _, body in row)


NODE_ROUTES = [name for name, _ in ROUTES if "snapshot" not in name and "event" not in name]


@pytest.fixture(scope="module")
def source(db):
    """One id in three divisions, each with a cause of its own; and an id in two that are nobody's default."""
    db("SELECT reason.set_client('all', 'auditor', '{*}', true)")
    db("SELECT reason.set_client('both', 'reader', '{default,b}', true)")
    db("SELECT reason.set_client('c', 'reader', '{c,b}', true)")
    db("SELECT reason.set_client('elsewhere', 'reader', '{d,b,c}', true)")
    db("SELECT reason.set_client('writer', 'writer', '{default,b,c}')")
    db.node = db.one("SELECT reason.add_node('decision', '\"default\"', 'ada')")
    for division in "bc":
        db("SELECT reason.add_node('decision', %s::jsonb, 'ada', division => %s, id => %s)", f'"{division}"', division, db.node)
    for division in ("default", "b", "c"):
        cause = db.one("SELECT reason.add_node('score', %s::jsonb, 'ada', division => %s)", f'"cause in {division}"', division)
        db("SELECT reason.add_edge(%s, %s, 'causal', division => %s)", cause, db.node, division)
    return db


def test_every_read_of_an_id_takes_a_division():
    assert len(ROUTES) >= 8
    assert all(query for _, query in ROUTES), ROUTES


@pytest.mark.parametrize("route", NODE_ROUTES)
def test_the_default_division_wins_for_reads(source, route):
    for client in ("all", "both"):
        assert get(source, client, route, source.node) == get(source, client, route, source.node, division="default")


@pytest.mark.parametrize("route", NODE_ROUTES)
def test_without_it_the_first_of_a_clients_own_wins(source, route):
    assert get(source, "c", route, source.node) == get(source, "c", route, source.node, division="c")


@pytest.mark.parametrize("route", NODE_ROUTES)
def test_a_division_can_be_named(source, route):
    bodies = {division: get(source, "all", route, source.node, division=division) for division in ("default", "b", "c")}
    assert len(set(bodies.values())) == 3
    with pytest.raises(psycopg.errors.NoDataFound):
        get(source, "both", route, source.node, division="c")


@pytest.mark.parametrize("route", NODE_ROUTES)
def test_else_the_candidates_are_listed_but_not_what_is_hidden(source, route):
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
        get(source, "elsewhere", route, source.node)
    assert json.loads(caught.value.diag.message_detail) == {"divisions": ["b", "c"]}


def test_a_query_shows_all_of_them(source):
    body = source.one("SELECT body FROM reason.http_post_query('all', NULL, NULL, 'r-1', NULL, '{\"filters\": {\"types\": [\"decision\"]}}')")
    assert sorted(n["division"] for n in json.loads(body)["nodes"] if n["id"] == str(source.node)) == ["b", "c", "default"]


def test_sql_takes_a_division_too(source):
    nodes = {d: source("SELECT n.id FROM reason.node n JOIN reason.edge e ON e.from_no = n.no WHERE e.division = %s", d)[0][0]
             for d in ("default", "b", "c")}
    for named, found in [(None, "default"), ("default", "default"), ("b", "b"), ("c", "c")]:
        assert source("SELECT node_id FROM reason.trace(%s, division => %s) OFFSET 1", source.node, named) == [(nodes[found],)]
        assert source("SELECT id FROM reason.ordered_trace(%s, %s) LIMIT 1", source.node, named) == [(nodes[found],)]
        assert source("SELECT node_id FROM reason.causal_path(%s, %s, division => %s) LIMIT 1", nodes[found], source.node, named) == [(nodes[found],)]
        assert source.one("SELECT nodes FROM reason.trace_size(%s, division => %s)", source.node, named) == 2


def test_writes_begin_at_the_default_division_too(source):
    effect = source.one("SELECT reason.add_node('action', '1', 'ada')")
    assert source.one("SELECT reason.add_edge(%s, %s, 'causal')", source.node, effect)
    for named, found in [(None, "default"), ("b", "b")]:
        note = source.one("SELECT reason.annotate(%s, 'a note', division => %s)", source.node, named)
        assert source.one("SELECT division FROM reason.annotation WHERE id = %s", note) == found


def test_a_snapshot_is_of_the_default_division_or_of_the_one_named(source):
    for named, found in [(None, "default"), ("c", "c")]:
        snapshot = source.one("SELECT reason.create_snapshot(%s, division => %s)", [source.node], named)
        assert source.one("SELECT division FROM reason.snapshot WHERE id = %s", snapshot) == found
    other = source.one("SELECT reason.add_node('score', '1', 'a', division => 'b')")
    source("SELECT reason.add_node('score', '1', 'a', division => 'c', id => %s)", other)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        source("SELECT reason.create_snapshot(%s)", [other])


def test_what_is_in_quarantine_makes_nothing_ambiguous(source):
    """Nor does it win: who does not see it reads the other."""
    node = source.one("SELECT reason.add_node('score', '\"seen\"', 'a', division => 'b')")
    held = source.one("SELECT reason.add_node('score', '\"held\"', 'a', id => %s)", node)
    source("SELECT reason.quarantine_records('node', ARRAY[(SELECT no FROM reason.node WHERE id = %s AND division = 'default')], gen_random_uuid())", held)
    assert json.loads(get(source, "both", "http_get_node", node))["node"]["payload"] == "seen"
    assert json.loads(get(source, "all", "http_get_node", node))["node"]["payload"] == "held"
