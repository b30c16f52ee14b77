"""Archive segments: files that prove the chain without any database."""

import json
import pathlib

import pytest

from verifier import verify
from wait import wait_for


@pytest.fixture
def archive_settings(settings, tmp_path):
    (tmp_path / "archive").mkdir()
    return {**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1, "events": 100}}


def archived(database, division="default"):
    return database.value("SELECT coalesce(max(last_seq), -1) = (SELECT max(seq) FROM reason.audit_signature WHERE division = %s) "
                          "FROM reason.archive_segment WHERE division = %s AND archived_at IS NOT NULL", division, division)


def segments(database, division="default"):
    return database.rows("SELECT first_seq, last_seq, object_uri, contents_uri FROM reason.archive_segment "
                         "WHERE division = %s ORDER BY first_seq", division)


def test_segments_follow_each_other_and_are_verified_alone(database, sidecars, archive_settings, tmp_path):
    sidecars(archive_settings).start()
    database.nodes(250)
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving")
    parts = segments(database)
    assert [part[0] for part in parts] == [0] + [part[1] + 1 for part in parts[:-1]]
    assert max(last - first + 1 for first, last, _, _ in parts) <= 100
    path = pathlib.Path(parts[0][2].removeprefix("file://"))
    day = database.value("SELECT to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY/MM/DD') FROM reason.audit_seal WHERE division = 'default'")
    assert path == tmp_path / "archive" / "audit" / "default" / day / f"0-{parts[0][1]}.jsonl"
    verdict = verify(database, tmp_path, *[part[2] for part in parts], *[part[3] for part in parts])
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_a_line_is_the_event_without_its_content_and_the_index_finds_it(database, sidecars, archive_settings):
    sidecars(archive_settings).start()
    database.node("remember me")
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving")
    seq = database.value("SELECT max(seq) FROM reason.audit_events WHERE division = 'default'")
    uri, _, line, contents, _ = database.rows("SELECT * FROM reason.archived_event('default', %s)", seq)[0]
    text = pathlib.Path(uri.removeprefix("file://")).read_text().splitlines()[line - 1]
    event = json.loads(text)
    assert (event["seq"], event["division"], event["eventType"]) == (seq, "default", "node.created")
    assert "remember me" not in text
    assert text == database.value("SELECT reason.canonical_json(%s::json)", text)
    assert "remember me" in pathlib.Path(contents.removeprefix("file://")).read_text()


def test_a_changed_line_is_found(database, sidecars, archive_settings, tmp_path):
    sidecars(archive_settings).start()
    database.nodes(5)
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving")
    forged = tmp_path / "forged.jsonl"
    original = pathlib.Path(segments(database)[0][2].removeprefix("file://")).read_text()
    forged.write_text(original.replace("tester", "nobody", 1))
    assert forged.read_text() != original
    assert verify(database, tmp_path, f"file://{forged}").returncode == 1


def test_a_planned_segment_keeps_its_bounds_over_crashes(database, sidecars, archive_settings, tmp_path):
    one = sidecars(archive_settings).start()
    for _ in range(15):
        database.nodes(40)
        one.kill()
        one.start(ready=False)
    database.settled(30)
    wait_for(lambda: archived(database), 30, "archiving")
    listed = {part[2].removeprefix("file://") for part in segments(database)}
    stored = {str(path) for path in (tmp_path / "archive" / "audit" / "default").rglob("*.jsonl") if ".contents." not in path.name}
    assert listed == stored
    assert verify(database, tmp_path, *[part[2] for part in segments(database)]).returncode == 0


def test_erasing_a_payload_leaves_the_archive_of_the_chain_valid(database, sidecars, archive_settings, tmp_path):
    sidecars(archive_settings).start()
    node = database.node("forget me")
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving")
    database.value("SELECT reason.erase_payload(%s, 'asked for')", node)
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving")
    for _, _, _, contents in segments(database):
        if contents:
            pathlib.Path(contents.removeprefix("file://")).unlink()
    assert verify(database, tmp_path, *[part[2] for part in segments(database)]).returncode == 0


def test_a_segment_that_cannot_be_stored_is_parked_and_holds_up_no_other(database, sidecars, archive_settings, tmp_path):
    one = sidecars({**archive_settings, "archive": {**archive_settings["archive"], "attempts": 2, "events": 5}})
    (tmp_path / "archive" / "audit").mkdir()
    (tmp_path / "archive" / "audit" / "blocked").write_text("a file where the directory should be")
    one.start()
    database.nodes(5, "blocked")
    database.nodes(5)
    database.settled()
    wait_for(lambda: archived(database), 15, "archiving the others")
    duty, target, division, item, reason, retry = wait_for(lambda: database.rows("SELECT * FROM reason.parked"), 20, "parking")[0]
    assert (duty, target, division, item) == ("archive", archive_settings["archive"]["url"], "blocked", "0-4")
    assert "cannot make the directory" in reason
    # The counter follows the row.
    wait_for(lambda: one.metric('reason_sidecar_failures_total{kind="archive_parked"}') == 1, 10)
    assert one.metric('reason_sidecar_failures_total{kind="archive"}') == 2
    assert wait_for(lambda: one.metric('reason_sidecar_queue_depth{duty="archive"}') == 5, 10)
    (tmp_path / "archive" / "audit" / "blocked").unlink()
    database.connection.execute(retry)
    wait_for(lambda: archived(database, "blocked"), 15, "archiving")
    assert database.rows("SELECT * FROM reason.parked") == []


def test_a_segment_whose_name_is_taken_is_parked_at_once(database, sidecars, archive_settings, tmp_path):
    one = sidecars({**archive_settings, "archive": {**archive_settings["archive"], "events": 5, "interval_s": 3600}})
    day = database.value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY/MM/DD')")
    taken = tmp_path / "archive" / "audit" / "default" / day / "5-9.jsonl"
    one.start()
    database.nodes(5)
    wait_for(lambda: len(segments(database)) == 1 and segments(database)[0][2], 15, "the first segment")
    taken.write_text("something else")
    database.nodes(10)
    reason = wait_for(lambda: database.value("SELECT reason FROM reason.parked"), 15, "parking")
    assert "exists with other bytes" in reason and taken.read_text() == "something else"
    wait_for(lambda: [part[0] for part in segments(database) if part[2]] == [0, 10], 15, "the segment behind it")
