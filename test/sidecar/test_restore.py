"""A database that was restored has forgotten events that are known outside: no chain is forked, and everything comes back."""

import json
import os
import re
import shutil
import uuid

import psycopg
import pytest

import postgres
from database import Database
from restored import RestorableServer, SAFE_MODE, chain, mark_target, settle
from signer import Signer
from verifier import verify
from wait import wait_for


@pytest.fixture
def server():
    with postgres.server("max_connections = 60", RestorableServer) as running:
        yield running


@pytest.fixture
def database(server, keys):
    made = Database(server, "restored", keys[1])
    yield made
    made.connection.close()


@pytest.fixture
def s3(tmp_path):
    s3_server = pytest.importorskip("s3_server")
    (tmp_path / "s3").mkdir()
    running = s3_server.S3(tmp_path / "s3")
    yield running
    running.close()


@pytest.fixture
def in_s3(settings, s3, tmp_path):
    s3_server = pytest.importorskip("s3_server")
    credentials = tmp_path / "credentials"
    credentials.write_text(f"aws_access_key_id = {s3_server.ACCESS}\naws_secret_access_key = {s3_server.SECRET}\n")
    bucket = f"s3://{s3_server.BUCKET}"
    return {**settings, "store": {"url": f"{bucket}/snapshots", "endpoint": s3.endpoint, "region": s3_server.REGION, "path_style": "yes",
                                  "credentials_file": credentials},
            "archive": {"url": f"{bucket}/archive", "lock_mode": "governance", "lock_days": 1, "interval_s": 1}}


@pytest.fixture
def in_kafka(archiving, tmp_path):
    """The archive has only the older ones, in segments of seven."""
    kafka_broker = pytest.importorskip("kafka_broker")
    (tmp_path / "kafka").mkdir()
    broker = kafka_broker.Broker(tmp_path / "kafka")
    topic = f"audit-{uuid.uuid4().hex[:8]}"
    broker.make_topic(topic)
    yield {**archiving, "archive": {**archiving["archive"], "interval_s": 3600, "events": 7},
           "kafka": {"brokers": broker.address, "topic": topic, "timeout_ms": 5000}}
    broker.kill()


def in_safe_mode(sidecar, value):
    return f"\n{SAFE_MODE} {value}\n" in sidecar.get("/metrics")[1]


def recover(sidecar):
    return sidecar.run("--recover", seconds=600)


def reconnect(database):
    database.connection.close()
    database.connection = database.connect()


def live_a_little(database, sidecars, settings):
    """Before the point of the restore, and after it. Returns the sidecar, stopped, and what must come back."""
    one = sidecars(settings).start()
    database.nodes(30)
    database.nodes(10, "other")
    early = database.node("early")
    database.completed(database.snapshot(early))
    settle(database, settings)
    database.server.back_up()
    database.nodes(5)
    settle(database, settings)
    one.stop()
    # The restored database has these, unsealed and pending.
    late = database.node("late")
    pending = database.snapshot(late)
    erased_from = database.snapshot(early)
    mark_target(database)
    one.start()
    database.completed(pending)
    database.completed(erased_from)
    after = database.node("after")
    database.value("SELECT reason.add_edge(%s, %s, 'causal')", late, after)
    database.value("SELECT reason.annotate(%s, 'a remark')", late)
    database.nodes(20)
    forgotten = database.snapshot(after)
    database.completed(forgotten)
    database.value("SELECT reason.add_signer('next', %s)", Signer("next", b"next").public.raw.hex())
    database.value("SELECT reason.erase_payload(%s, 'asked for')", early)
    settle(database, settings)
    assert one.stop() == 0
    return one, {"chain": chain(database), "nodes": database.rows("SELECT id, type, author, payload, digest FROM reason.node ORDER BY id"),
                 "snapshots": database.rows("SELECT id, status, hash, signature, object_uri, completed_at FROM reason.snapshot ORDER BY id")}


@pytest.mark.parametrize("world", ["archiving", "in_s3", "in_kafka"])
def test_nothing_is_sealed_until_what_was_forgotten_is_back(request, server, database, sidecars, tmp_path, world):
    settings = request.getfixturevalue(world)
    one, known = live_a_little(database, sidecars, settings)
    if world == "in_s3":
        # Delete markers hide objects, and remove nothing.
        for uri, in database.rows("SELECT object_uri FROM reason.snapshot UNION SELECT object_uri FROM reason.archive_segment"):
            request.getfixturevalue("s3").call("DELETE", "/" + uri.removeprefix("s3://"))
    server.restore(database)
    reconnect(database)
    sealed = database.value("SELECT count(*) FROM reason.audit_seal")
    assert len(known["chain"]) > sealed + 20
    # The database refuses by itself, before any sidecar has looked.
    token = database.value("SELECT reason.acquire_lease('seal', 'somebody', '1 millisecond')")
    with pytest.raises(psycopg.errors.CannotConnectNow, match="restored or promoted"):
        database.value("SELECT reason.seal_events(%s)", token)

    one.start(ready=False)
    wait_for(lambda: in_safe_mode(one, 1), 15, f"safe mode: {one.log()[-1000:]}")
    reason = database.value("SELECT reason FROM reason.safe_mode WHERE since IS NOT NULL")
    assert "the archive holds events" in reason
    with pytest.raises(psycopg.errors.CannotConnectNow, match="nothing is written in safe mode"):
        database.node("too early")
    with pytest.raises(psycopg.errors.CannotConnectNow, match="safe mode"):
        database.snapshot(known["nodes"][0][0])
    assert database.value("SELECT count(*) FROM reason.audit_seal") == sealed
    assert database.value("SELECT count(*) FROM reason.snapshot WHERE status = 'pending'") == 2

    done = recover(one)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: in_safe_mode(one, 0), 30, f"the end of safe mode: {one.log()[-1000:]}")
    database.node("it goes on")
    settle(database, settings)
    now = chain(database)
    assert {place: now.get(place) for place in known["chain"]} == known["chain"]
    new = [json.loads(now[place])["eventType"] for place in sorted(set(now) - set(known["chain"]))]
    assert sorted(new) == ["node.created", "safemode.entered", "safemode.left"]
    assert [row for row in database.rows("SELECT id, type, author, payload, digest FROM reason.node ORDER BY id")
            if row[0] in {node[0] for node in known["nodes"]}] == known["nodes"]
    assert database.rows("SELECT id, status, hash, signature, object_uri, completed_at FROM reason.snapshot ORDER BY id") == known["snapshots"]
    for division in ("default", "other", "system"):
        assert database.verified(division)
    for snapshot in known["snapshots"]:
        assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", snapshot[0])[0][0]
    if world == "archiving":
        uris = database.rows("SELECT object_uri, contents_uri FROM reason.archive_segment ORDER BY division = 'default' DESC, division, first_seq")
        verdict = verify(database, tmp_path, *[row[0] for row in uris], *[row[1] for row in uris if row[1]])
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert len(uris) == len([path for path in (tmp_path / "archive").rglob("*.jsonl") if not path.name.endswith(".contents.jsonl")])


@pytest.mark.parametrize("world", ["archiving", "in_s3"])
def test_a_snapshot_of_many_pieces_comes_back(request, server, database, sidecars, world):
    """From S3 in ranges of 16 MiB. REASON_RECOVERED_MB=1100 takes one that is larger than any value in PostgreSQL."""
    megabytes = int(os.environ.get("REASON_RECOVERED_MB", "17"))
    settings = request.getfixturevalue(world)
    one = sidecars(settings).start()
    database.node()
    settle(database, settings)
    server.back_up()
    mark_target(database)
    snapshot = database.large_snapshot(megabytes)
    database.completed(snapshot, 15 + megabytes / 4)
    settle(database, settings, 30 + megabytes / 4)
    query = "SELECT s.*::text, (SELECT count(*) FROM reason.snapshot_chunk c WHERE c.snapshot_no = s.no) FROM reason.snapshot s"
    known = database.rows(query)
    assert one.stop() == 0
    server.restore(database)
    reconnect(database)
    one.start(ready=False)
    wait_for(lambda: in_safe_mode(one, 1), 15, f"safe mode: {one.log()[-1000:]}")
    assert database.value("SELECT count(*) FROM reason.snapshot") == 0
    done = recover(one)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "snapshots ok: 1" in done.stdout
    assert database.rows(query) == known
    assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", snapshot) == [(True, None)]
    wait_for(lambda: in_safe_mode(one, 0), 30, "the end of safe mode")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="in safe mode only"):
        database.value("SELECT reason.restore_snapshot(audit_event_id, division) FROM reason.snapshot")


def test_a_document_that_is_not_what_was_signed_does_not_come_back(server, database, sidecars, archiving, tmp_path):
    one = sidecars(archiving).start()
    database.node()
    settle(database, archiving)
    server.back_up()
    mark_target(database)
    snapshot = database.large_snapshot(2)
    database.completed(snapshot)
    settle(database, archiving)
    one.stop()
    server.restore(database)
    reconnect(database)
    path = next((tmp_path / "store").rglob(f"{snapshot}.json"))
    whole = path.read_bytes()
    one.start(ready=False)
    wait_for(lambda: in_safe_mode(one, 1), 15, f"safe mode: {one.log()[-1000:]}")
    for bytes_ in (whole.replace(b"a", b"b", 1), whole[:-1], whole + b" ", whole[:1024 * 1024]):
        path.chmod(0o644)
        path.write_bytes(bytes_)
        done = recover(one)
        assert done.returncode == 1 and "is not what its event recorded" in done.stdout + done.stderr
        assert database.value("SELECT (SELECT count(*) FROM reason.snapshot) + (SELECT count(*) FROM reason.snapshot_chunk)") == 0
    path.write_bytes(whole)
    assert recover(one).returncode == 0
    assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", snapshot) == [(True, None)]


def test_a_volume_that_was_put_back_is_found_out_too(server, database, sidecars, archiving):
    """Same system, same timeline: only the archive tells."""
    one = sidecars(archiving).start()
    database.nodes(5)
    settle(database, archiving)
    one.stop()
    server.copy_files()
    reconnect(database)
    one.start()
    database.nodes(5)
    settle(database, archiving)
    known = chain(database)
    server.put_back_files()
    reconnect(database)
    wait_for(lambda: in_safe_mode(one, 1), 15, f"safe mode: {one.log()[-1000:]}")
    assert recover(one).returncode == 0
    wait_for(lambda: in_safe_mode(one, 0), 30, "the end of safe mode")
    database.settled()
    now = chain(database)
    assert {place: now.get(place) for place in known} == known
    assert database.verified() and database.verified("system")


def test_a_restored_database_waits_for_a_witness_that_is_away(server, database, sidecars, archiving, tmp_path):
    one, _ = live_a_little(database, sidecars, archiving)
    (tmp_path / "archive").rename(tmp_path / "away")
    server.restore(database)
    reconnect(database)
    one.start(ready=False)
    wait_for(lambda: database.value("SELECT reason FROM reason.safe_mode WHERE since IS NOT NULL"), 15, "safe mode")
    assert "cannot be asked: the archive" in database.value("SELECT reason FROM reason.safe_mode")
    (tmp_path / "away").rename(tmp_path / "archive")
    wait_for(lambda: "the archive holds events" in database.value("SELECT reason FROM reason.safe_mode"), 30, "the archive's word")


def test_a_promotion_that_lost_nothing_needs_nobody(server, database, sidecars, archiving):
    """A failover: another timeline, and everything that is known outside is there."""
    one = sidecars(archiving).start()
    server.back_up()
    database.nodes(5)
    settle(database, archiving)
    mark_target(database)
    server.restore(database)
    reconnect(database)
    database.node("not sealed before the comparison")
    database.settled(30)
    assert database.value("SELECT reason.sealing_fault()") is None
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE starts_with(event_type, 'safemode')") == 0
    assert one.metric(SAFE_MODE) == 0


@pytest.mark.parametrize("world, after", [("archiving", 5), ("in_kafka", 5), ("in_kafka", 0)])
def test_what_was_sealed_and_not_signed_yet_has_its_signature_afterwards(request, server, database, sidecars, world, after):
    """The restore ends between the two; what lies behind must leave no gap, which nobody would find again."""
    settings = request.getfixturevalue(world)
    if world == "in_kafka":
        settings = {**settings, "archive": {}}
    one = sidecars(settings).start()
    database.nodes(3)
    settle(database, settings)
    server.back_up()
    assert one.stop() == 0
    database.nodes(2)
    token = database.value("SELECT reason.acquire_lease('seal', 'somebody', '1 second')")
    wait_for(lambda: database.value("SELECT reason.seal_events(%s)", token) == 0, 10, "sealing")
    waiting = "SELECT division, seq FROM reason.unsigned_seals(10)"
    assert database.rows(waiting) == [("default", 3), ("default", 4)]
    mark_target(database)
    one.start()
    database.nodes(after)
    settle(database, settings)
    assert one.stop() == 0
    known = chain(database)
    server.restore(database)
    reconnect(database)
    assert database.rows(waiting) == [("default", 3), ("default", 4)]

    one.start(ready=False)
    # Kafka's last event is here, if without its signature: the sidecar signs it as it did.
    forgotten = after > 0
    wait_for(lambda: database.value("SELECT reason.compared()") == ("safe mode" if forgotten else "here"), 30, f"a comparison: {one.log()[-1000:]}")
    if forgotten:
        done = recover(one)
        assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: database.value("SELECT reason.sealing_fault()") is None, 30, f"the end of safe mode: {one.log()[-1000:]}")
    database.node("it goes on")
    settle(database, settings)
    now = chain(database)
    assert {place: now.get(place) for place in known} == known
    assert database.verified() and database.verified("system")
    if forgotten:
        assert f"{'kafka' if world == 'in_kafka' else 'archive'} ok: {2 + after} events" in done.stdout, done.stdout


def test_where_the_witness_is_lost_an_administrator_decides(server, database, sidecars, archiving, tmp_path):
    one, _ = live_a_little(database, sidecars, archiving)
    shutil.rmtree(tmp_path / "archive")
    server.restore(database)
    reconnect(database)
    one.start(ready=False)
    wait_for(lambda: in_safe_mode(one, 1), 20, "safe mode")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="needs a reason"):
        database.value("SELECT reason.leave_safe_mode('')")
    database.value("SELECT reason.leave_safe_mode('the archive burnt down')")
    wait_for(lambda: in_safe_mode(one, 0), 20, "the end of safe mode")
    database.node()
    database.settled()
    assert database.verified() and database.verified("system")
    assert [row[0] for row in database.rows("SELECT event_type FROM reason.audit_events WHERE starts_with(event_type, 'safemode') ORDER BY seq")] == [
        "safemode.entered", "safemode.accepted", "safemode.left"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="there is no safe mode"):
        database.value("SELECT reason.leave_safe_mode('again')")


def test_a_database_that_began_anew_does_not_continue_under_an_old_topic(server, database, sidecars, in_kafka, keys):
    one = sidecars(in_kafka).start()
    database.nodes(5)
    settle(database, {"kafka": True})
    one.stop()
    other = Database(server, "another", keys[1])
    other.nodes(9)
    two = sidecars({**in_kafka, "database": {"conninfo": server.conninfo("another", "sidecar")}}).start(ready=False)
    wait_for(lambda: in_safe_mode(two, 1), 15, "safe mode")
    assert re.search("Kafka|the archive holds events", other.value("SELECT reason FROM reason.safe_mode"))
    assert other.value("SELECT count(*) FROM reason.audit_seal") == 0
    other.connection.close()


def write_behind(settings, kind):
    """Others write to each partition of the topic as well, more than the guard reads of its end whatever it is."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    in_transaction = {"transactional.id": "others"} if kind == "markers" else {}
    producer = confluent_kafka.Producer({"bootstrap.servers": settings["kafka"]["brokers"], **in_transaction})
    if in_transaction:
        producer.init_transactions(20)
    key, value = {"markers": (b"elsewhere", b"{}"), "other keys": (b"not a division's", b"\xff\x00"), "other names": (b"elsewhere", b"[]")}[kind]
    for _ in range(30):
        if in_transaction:
            producer.begin_transaction()
        for partition in range(3):
            for _ in range(10):
                producer.produce(settings["kafka"]["topic"], value, key, partition=partition)
        if in_transaction:
            producer.commit_transaction(20)
    assert producer.flush(20) == 0


@pytest.mark.parametrize("restored", ["recovered to a point", "files put back"])
@pytest.mark.parametrize("kind", ["other keys", "other names", "markers"])
def test_what_others_write_to_the_topic_hides_nothing(server, database, sidecars, in_kafka, kind, restored):
    settings = {**in_kafka, "kafka": {**in_kafka["kafka"], "batch_size": 10}}
    one = sidecars(settings).start()
    database.nodes(3, "quiet")
    database.nodes(3)
    settle(database, settings)
    one.stop()
    if restored == "files put back":
        server.copy_files()
    else:
        server.back_up()
        mark_target(database)
    reconnect(database)
    one.start()
    # Known to the topic alone: the archive's segments are larger.
    database.nodes(1, "quiet")
    settle(database, settings)
    one.stop()
    write_behind(settings, kind)
    if restored == "files put back":
        server.put_back_files()
    else:
        server.restore(database)
    reconnect(database)
    # Where nothing points to a restore, brokers that are slow to answer are not waited for, which the log says; then there is a next time.
    said = len(one.log())
    one.start(ready=False)
    while wait_for(lambda: in_safe_mode(one, 1) or "did not answer" in one.log()[said:], 60, "an answer") and not in_safe_mode(one, 1):
        assert restored == "files put back"
        one.stop()
        server.put_back_files()
        reconnect(database)
        said = len(one.log())
        one.start(ready=False)
    assert 'division "quiet"' in database.value("SELECT reason FROM reason.safe_mode")
    assert database.value("SELECT count(*) FROM reason.audit_seal WHERE division = 'quiet'") == 3
    done = recover(one)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: in_safe_mode(one, 0), 30, f"the end of safe mode: {one.log()[-1000:]}")
    assert database.verified("quiet")
    assert database.value("SELECT count(*) FROM reason.audit_seal WHERE division = 'quiet'") == 4


def test_segments_of_the_same_names_and_other_events_are_a_fork(server, database, sidecars, archiving):
    """Restored, and gone on from there as many events as were forgotten: names and bounds are those of before."""
    one = sidecars(archiving).start()
    database.nodes(5)
    settle(database, archiving)
    one.stop()
    server.copy_files()
    reconnect(database)
    one.start()
    database.nodes(5)
    settle(database, archiving)
    one.stop()
    server.put_back_files()
    reconnect(database)
    # as somebody without an archive would have it go on
    two = sidecars({**archiving, "archive": {}}).start()
    database.nodes(5)
    database.settled()
    two.stop()
    database.connection.execute("SET session_replication_role = replica")
    database.connection.execute("INSERT INTO reason.archive_segment (target, division, first_seq, last_seq, object_prefix, object_uri, archived_at) "
                                "SELECT a.target, 'default', 5, 9, regexp_replace(a.object_prefix, '[^/]*$', '5-9'), 'file:///x', clock_timestamp() "
                                "FROM reason.archive_segment a WHERE a.division = 'default' LIMIT 1")
    one.start(ready=False)
    wait_for(lambda: in_safe_mode(one, 1), 15, f"safe mode: {one.log()[-1000:]}")
    assert "is another one here than in archive or Kafka: the chain has forked" in database.value("SELECT reason FROM reason.safe_mode")
