"""Times in what is verified are times of the calendar, and not of the future."""
import datetime

import pytest

from evidence import EDGE_MEMBERS, NODE_MEMBERS, REFUSED, VERIFIED, make_chain, make_document, make_event, with_digest, write_lines, wrong

NO_TIMES = ["2026-02-31T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
            "2026-01-01T12:00:60Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00", "2026-01-01", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "-026-01-01T00:00:00Z",
            "infinity", ""]
TIMES = ["2024-02-29T00:00:00Z", "2000-02-29T23:59:59.999999Z", "2016-12-31T23:59:60Z", "2017-01-01T01:59:60+02:00", "2026-01-31 00:00:00.5z"]


def ahead(**more):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**more)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_day_that_never_was_is_no_time(world, text):
    report = world.check(REFUSED, world.snapshot(make_document(), ts=text))
    assert wrong(report) <= {"metadata", "document"} and wrong(report)
    document = make_document()
    document["created_at"] = text
    assert "document" in wrong(world.check(REFUSED, world.snapshot(document)))
    document = make_document()
    document["payload"]["edges"][0]["createdAt"] = text
    with_digest(document["payload"]["edges"][0], EDGE_MEMBERS)
    assert wrong(world.check(REFUSED, world.snapshot(document))) <= {"edges", "document"}


@pytest.mark.parametrize("text", TIMES)
def test_every_day_of_the_calendar_is_a_time(world, text):
    world.registry(world.signer.entry(validFrom=text, validTo=None))
    report = world.check(REFUSED, world.snapshot(make_document(), ts=text))
    # It lies before the document; that it could be read shows in what is said of it
    assert [c["detail"][:31] for c in report["checks"] if c["result"] == "wrong"] == [f"says it was signed at {text}"[:31]]


@pytest.mark.parametrize("more", [{"hours": 1}, {"days": 400}, {"minutes": 1}])
def test_what_was_signed_in_the_future_is_refused(world, more):
    report = world.check(REFUSED, world.snapshot(make_document(), ts=ahead(**more)))
    assert wrong(report) == {"metadata"}
    assert "in the future" in [c["detail"] for c in report["checks"] if c["result"] == "wrong"][0]


@pytest.mark.parametrize("kind, members", [("nodes", NODE_MEMBERS), ("edges", EDGE_MEMBERS)])
def test_what_was_recorded_in_the_future_is_refused(world, kind, members):
    document = make_document()
    record = document["payload"][kind][-1]
    record["createdAt"] = ahead(hours=1)
    with_digest(record, members)
    for edge in document["payload"]["edges"]:
        if edge["to"] == record["id"]:
            edge["toDigest"] = record["digest"]
            with_digest(edge, EDGE_MEMBERS)
    # the document is older than it, too
    assert wrong(world.check(REFUSED, world.snapshot(document))) == {kind, "document"}


def test_a_document_from_the_future_is_refused(world):
    document = make_document()
    document["created_at"] = ahead(hours=1)
    assert wrong(world.check(REFUSED, world.snapshot(document, ts=ahead(hours=1)))) == {"document", "metadata"}
    assert wrong(world.check(REFUSED, world.envelope(document))) == {"document"}


def test_an_event_from_the_future_is_refused(world):
    chain, _ = make_chain(world.signer)
    make_event(world.signer, chain, {"eventType": "policy.denied", "ts": ahead(hours=1)})
    assert wrong(world.check(REFUSED, write_lines(world.directory / "0-7.jsonl", chain))) == {"payload", "events"}


def test_clocks_may_differ_a_little(world):
    world.check(VERIFIED, world.snapshot(make_document(), ts=ahead(milliseconds=0)))
