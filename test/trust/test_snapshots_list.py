"""The list of snapshots holds what its caller may see, newest first, and tells of each what asking for it alone tells."""
import json
import uuid

import psycopg
import pytest


def call(db, function, client, *arguments):
    status, body = db.row(f"SELECT status, body FROM reason.{function}(%s, NULL, NULL, 'r-1', NULL{', %s' * len(arguments)})", client, *arguments)
    assert status == 200
    return json.loads(body)


def page(db, client, **query):
    return call(db, "http_get_snapshots", client, json.dumps(query))


def all_pages(db, client, limit):
    found, cursor = [], None
    while True:
        answer = page(db, client, limit=str(limit), **({"cursor": cursor} if cursor else {}))
        assert len(answer["snapshots"]) <= limit and answer["truncated"] == ("nextCursor" in answer)
        found += answer["snapshots"]
        cursor = answer.get("nextCursor")
        if cursor is None:
            return found


@pytest.fixture(scope="module")
def source(db):
    db("SELECT reason.set_client('reader', 'reader', '{default,red}'), reason.set_client('auditor', 'auditor', '{*}', true), reason.set_client('nobody', 'reader', '{green}')")
    db.made = []
    for i in range(12):
        division = ("default", "red", "blue")[i % 3]
        node = db.one("SELECT reason.add_node('decision', %s::jsonb, 'ada', division => %s)", json.dumps({"note": f"decision {i}"}), division)
        db.made.append((str(db.one("SELECT reason.create_snapshot(ARRAY[%s::uuid], description => %s, audience => %s, division => %s)",
                                   node, f"number {i}, ask ada@example.org", "auditor" if i % 4 == 0 else "internal", division)), division))
    return db


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_each_snapshot_is_listed_once_newest_first(source, limit):
    for client, divisions in (("auditor", "default red blue"), ("reader", "default red"), ("nobody", "green")):
        wanted = [made for made, division in reversed(source.made) if division in divisions.split()]
        assert [one["snapshotId"] for one in all_pages(source, client, limit)] == wanted, client


def test_the_list_tells_what_each_alone_tells(source):
    for client in ("auditor", "reader"):
        listed = all_pages(source, client, 5)
        assert listed == [call(source, "http_get_snapshot", client, one["snapshotId"], None, None) for one in listed]
    hidden = [one for one in all_pages(source, "reader", 100) if one["piiIncluded"]]
    assert hidden and not any("sizeBytes" in one or "ada@" in one["description"] for one in hidden)


def test_a_division_that_is_not_the_callers_is_as_empty_as_one_that_is_not_there(source):
    assert {one["division"] for one in page(source, "reader", division="red")["snapshots"]} == {"red"}
    assert page(source, "reader", division="blue") == page(source, "reader", division="nowhere") == {"snapshots": [], "truncated": False}
    narrowed = call(source, "http_get_snapshots", "auditor", "{}", "blue")
    assert {one["division"] for one in narrowed["snapshots"]} == {"blue"}


def test_a_cursor_opens_nothing_that_its_caller_does_not_see(source):
    theirs = page(source, "auditor", limit="1", division="blue")["nextCursor"]
    for bad in (theirs, "5", "zz", theirs[:33], uuid.uuid4().hex + b"red".hex()):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="no cursor"):
            page(source, "reader", cursor=bad)


def test_what_moved_away_is_left_out_and_refused_alone(source):
    source("SELECT reason.freeze_division('red', 'a test')")
    for made, division in source.made:
        if division == "red":
            source.complete(made)
    source.settle()
    source("SELECT reason.move_division('red', 'elsewhere', h.head_seq, h.head_hash) FROM reason.division_head('red') h")
    assert {one["division"] for one in all_pages(source, "reader", 2)} == {"default"}
    assert {one["division"] for one in all_pages(source, "auditor", 2)} == {"default", "blue"}
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        page(source, "reader", division="red")
