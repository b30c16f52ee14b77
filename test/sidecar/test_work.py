"""Sealing, signing, storing: what a healthy sidecar does, and how fast."""

import hashlib
import json
import os
import pathlib
import random
import signal
import socket
import stat
import statistics
import subprocess
import time

import pytest

from database import SIGNER_ID
from paths import SIDECAR, VERIFY
from wait import wait_for


def test_events_are_sealed_and_signed_in_order(database, sidecar):
    database.nodes(2500)
    database.settled()
    assert database.verified()
    # the latest reads are right too: seq from 0 without gaps
    assert database.value("SELECT max(seq) + 1 = count(*) FROM reason.audit_events WHERE division = 'default'")
    assert sidecar.metric("reason_sidecar_events_signed_total") >= 2500
    assert sidecar.metric('reason_sidecar_leading{duty="seal"}') == 1


def test_a_snapshot_becomes_complete_with_exactly_its_signed_bytes(database, sidecar, settings):
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    uri, digest = database.rows("SELECT object_uri, hash FROM reason.snapshot WHERE id = %s", snapshot)[0]
    path = uri.removeprefix("file://")
    assert path == f"{settings['store']['url'].removeprefix('file://')}/snapshots/default/{snapshot}.json"
    with open(path, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    with open(path + ".meta.json", encoding="utf-8") as file:
        metadata = json.load(file)
    assert set(metadata) == {"snapshot-id", "hash", "signature", "signer-id", "ts"}
    assert (metadata["snapshot-id"], metadata["hash"]) == (str(snapshot), digest)
    assert database.value("SELECT ok FROM reason.verify_snapshot(%s)", snapshot)
    database.settled()
    assert database.verified()


def test_a_death_while_storing_leaves_nothing_in_the_store_but_objects(database, sidecars, settings):
    one = sidecars({**settings, "sidecar": {"lease_ms": 500}})
    store = pathlib.Path(settings["store"]["url"].removeprefix("file://"))
    # of 7 MB, which takes a while to write
    roots = [database.node(f"{number}" + "x" * 240000) for number in range(30)]
    for _ in range(6):
        snapshot = database.value("SELECT reason.create_snapshot(%s::uuid[], audience => 'internal')", [str(root) for root in roots])
        one.start(ready=False)
        wait_for(lambda: database.status(snapshot) != "pending", 10)
        time.sleep(random.uniform(0, 0.03))
        one.kill()
    one.start()
    wait_for(lambda: database.value("SELECT count(*) FROM reason.snapshot WHERE status <> 'complete'") == 0, 30, "completing snapshots")
    known = {uri.removeprefix("file://") for uri, in database.rows("SELECT object_uri FROM reason.snapshot")}
    assert {str(path).removesuffix(".meta.json") for path in store.rglob("*") if path.is_file()} == known


@pytest.mark.skipif(os.getuid() != 0, reason="hiding /proc needs root")
def test_a_file_that_cannot_be_without_a_name_gets_a_temporary_one(database, sidecars, settings):
    """As on NFS; here because there is no /proc to link it by."""
    one = sidecars(settings)
    one.prefix = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"']
    one.start()
    snapshots = [database.snapshot(database.node()) for _ in range(3)]
    for snapshot in snapshots:
        database.completed(snapshot)
        assert database.value("SELECT ok FROM reason.verify_snapshot(%s)", snapshot)
    store = pathlib.Path(settings["store"]["url"].removeprefix("file://"))
    assert sorted(path.name for path in store.rglob("*") if path.is_file()) == sorted(
        name for snapshot in snapshots for name in (f"{snapshot}.json", f"{snapshot}.json.meta.json"))


def test_an_idle_sidecar_answers_within_milliseconds(database, sidecar):
    seal, complete = [], []
    for _ in range(15):
        time.sleep(0.15)
        began = time.monotonic()
        node = database.node()
        while database.waiting():
            time.sleep(0.001)
        seal.append(time.monotonic() - began)
        time.sleep(0.15)
        began = time.monotonic()
        snapshot = database.snapshot(node)
        while database.status(snapshot) != "complete":
            time.sleep(0.001)
        complete.append(time.monotonic() - began)
        database.settled()
    assert statistics.median(seal) < 0.05, seal
    assert statistics.median(complete) < 0.1, complete


def test_events_that_come_one_by_one_are_sealed_together(database, sidecar):
    """Each turn of the sealer costs something: it begins one every 50 ms, and one more when it was about to sleep."""
    def turns():
        return sidecar.metric('reason_sidecar_stage_duration_seconds_count{stage="seal"}')
    database.node()
    database.settled()
    before, began = turns(), time.monotonic()
    for _ in range(200):
        database.node()
    database.settled()
    assert turns() - before <= 2 * (time.monotonic() - began) / 0.05 + 2


def test_a_function_may_come_to_return_other_columns(database, sidecar):
    """As after an upgrade, under a session in which calls of it are prepared."""
    for _ in range(3):
        database.node()
        database.settled()
    with database.connect() as owner:
        owner.execute("ALTER FUNCTION reason.unsigned_seals(integer) RENAME TO unsigned_seals_kept")
        owner.execute("CREATE FUNCTION reason.unsigned_seals(max integer) RETURNS TABLE (division text, seq numeric, hash bytea) LANGUAGE sql"
                      " SECURITY DEFINER AS 'SELECT u.division, u.seq::numeric, u.hash FROM reason.unsigned_seals_kept($1) u'")
        owner.execute("GRANT EXECUTE ON FUNCTION reason.unsigned_seals(integer) TO reason_sidecar")
        try:
            database.node()
            database.settled()
        finally:
            owner.execute("DROP FUNCTION reason.unsigned_seals(integer)")
            owner.execute("ALTER FUNCTION reason.unsigned_seals_kept(integer) RENAME TO unsigned_seals")
    database.node()
    database.settled()


def test_a_writer_notifies_only_while_the_sidecar_sleeps(database, sidecar):
    """The doorbell's lock is held while asleep, so writers ring; without a sidecar nobody does."""
    def asleep():
        return database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND mode = 'ExclusiveLock' AND granted "
                              "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
    listener = database.connect()
    listener.execute("LISTEN reason_work")

    def notified():
        listener.pgconn.consume_input()
        return listener.pgconn.notifies()

    def rung():
        """It also wakes by itself, and nobody rings for one who is awake."""
        wait_for(asleep, 5, "the sidecar's sleep")
        database.node()
        time.sleep(0.1)
        return notified()
    assert wait_for(rung, 10, "the ring").relname == b"reason_work"
    database.settled()
    sidecar.stop()
    assert asleep() == 0
    database.node()
    time.sleep(0.2)
    assert notified() is None
    listener.close()


def test_a_ring_that_comes_with_the_answer_to_a_question_is_heard(database, sidecar):
    """A writer rings after the sidecar has looked for events, and before it sleeps: while it asks what is unsigned, slowly here."""
    database.connection.execute("ALTER FUNCTION reason.unsigned_seals(integer) RENAME TO unsigned_seals_at_once")
    database.connection.execute("CREATE FUNCTION reason.unsigned_seals(max integer) RETURNS TABLE (division text, seq bigint, hash bytea) "
                                "LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM pg_sleep(0.5); "
                                "RETURN QUERY SELECT * FROM reason.unsigned_seals_at_once(max); END $$")
    database.connection.execute("GRANT EXECUTE ON FUNCTION reason.unsigned_seals(integer) TO reason_sidecar")
    asks_before_sleep = ("SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'userlock' "
                         "AND l.mode = 'ExclusiveLock' WHERE a.datname = current_database() AND a.state = 'active' "
                         "AND a.query LIKE '%%unsigned_seals%%' AND clock_timestamp() < a.query_start + interval '0.2 s'")
    for _ in range(3):
        database.node()
        wait_for(lambda: database.connection.execute(asks_before_sleep, ()).fetchone()[0], 15, "the last question before sleep")
        database.node()
        began = time.monotonic()
        database.settled(10)
        assert time.monotonic() - began < 3


def test_sigterm_gives_the_leases_up_and_ends_with_success(database, sidecar):
    wait_for(lambda: database.value("SELECT count(*) FROM reason.lease WHERE expires_at > clock_timestamp()") == 2, 5, "two leases")
    assert sidecar.stop() == 0
    assert database.value("SELECT count(*) FROM reason.lease WHERE expires_at > clock_timestamp()") == 0


def test_systemd_is_told_when_it_is_there_and_when_it_ends(sidecars, settings, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        one = sidecars(settings, {"NOTIFY_SOCKET": str(tmp_path / "notify")}).start(ready=False)
        assert systemd.recv(100) == b"READY=1"
        assert one.stop() == 0
        assert systemd.recv(100) == b"STOPPING=1"


def test_it_goes_on_after_a_restart_of_postgresql(server, database, sidecar):
    database.node()
    database.settled()
    database.connection.close()
    server.stop("immediate")
    server.start()
    database.connection = database.connect()
    database.node()
    database.settled(20)
    assert database.verified()
    assert sidecar.process.poll() is None


def test_check_reaches_every_counterpart(sidecars, settings, tmp_path):
    one = sidecars(settings)
    answer = one.check()
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "database ok\nsigner ok\nstore ok\n"
    broken = sidecars({**settings, "store": {"url": f"file://{tmp_path}/missing"}}).check()
    assert broken.returncode == 1
    assert "store failed" in broken.stdout


@pytest.mark.parametrize("counterpart, change", [
    ("database", {"database": {"conninfo": "host=127.0.0.1 port=1 dbname=x user=x"}}),
    ("signer", {"signer": {"id": SIGNER_ID, "key_file": "/nowhere/key.pem"}}),
    ("signer", {"signer": {"id": "never-registered"}}),
    ("store", {"store": {"url": "file:///nowhere"}}),
    ("store", {"store": {"url": "s3://bucket", "endpoint": "http://127.0.0.1:1", "timeout_ms": 1000}}),
    ("archive", {"archive": {"url": "file:///nowhere"}}),
    ("kafka", {"kafka": {"brokers": "127.0.0.1:1", "timeout_ms": 1000}}),
    ("kubernetes", {"kubernetes": {"lease": "reason", "url": "http://127.0.0.1:1", "namespace": "x", "token_file": "/dev/null"}})])
def test_check_says_which_counterpart_is_not_reached(sidecars, settings, counterpart, change):
    section, = change
    answer = sidecars({**settings, section: {**settings.get(section, {}), **change[section]}}).check()
    lines = dict(line.split() for line in answer.stdout.splitlines())
    assert answer.returncode == 1 and answer.stderr
    # without a database the registry cannot be asked
    others = {name: state for name, state in lines.items() if name != counterpart}
    assert lines[counterpart] == "failed" and set(others.values()) == {"ok"}, answer.stdout


def test_the_environment_overrides_the_file(sidecars, settings):
    answer = sidecars(settings, {"REASON_SIDECAR_STORE_URL": "ftp://nowhere"}).check()
    assert answer.returncode == 1
    assert "neither file:///directory nor s3://bucket" in answer.stderr


def test_an_unknown_setting_is_named_with_its_line(sidecars, settings):
    answer = sidecars({**settings, "sidecar": {"batchsize": 5}}).check()
    assert answer.returncode == 1
    assert 'unknown setting "batchsize" in section [sidecar]' in answer.stderr


def test_help_and_version():
    assert "Usage: reason-sidecar" in subprocess.run([SIDECAR, "--help"], check=True, capture_output=True, text=True).stdout
    assert subprocess.run([SIDECAR, "--version"], check=True, capture_output=True, text=True).stdout.startswith("reason-sidecar 0.")


def test_the_log_can_be_json_and_a_reload_changes_its_level(database, sidecars, settings):
    one = sidecars({**settings, "sidecar": {"log_format": "json"}}).start()
    for line in one.log().splitlines():
        assert set(json.loads(line)) == {"ts", "level", "message"}
    one.path.write_text(one.path.read_text().replace("log_format = json", "log_format = text"))
    one.signal(signal.SIGHUP)
    wait_for(lambda: "info reloaded" in one.log(), 5, "the reload")
    database.completed(database.snapshot(database.node()))


def test_the_key_file_is_read_again_after_sighup_and_another_key_signs_nothing(database, sidecars, settings, keys, tmp_path):
    key = tmp_path / "signer.pem"
    key.write_bytes(keys[0].read_bytes())
    key.chmod(0o600)
    one = sidecars({**settings, "signer": {**settings["signer"], "key_file": key}}).start()
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    database.completed(database.snapshot(database.node()))
    one.signal(signal.SIGHUP)
    wait_for(lambda: "registered with another key" in one.log(), 10)
    snapshot = database.snapshot(database.node())
    time.sleep(1)
    assert database.status(snapshot) == "pending"
    key.write_bytes(keys[0].read_bytes())
    one.signal(signal.SIGHUP)
    database.completed(snapshot, 30)
    database.settled()


def test_the_verifier_accepts_what_was_stored(database, sidecar, tmp_path):
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    registry = tmp_path / "signers.json"
    registry.write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    path = database.value("SELECT object_uri FROM reason.snapshot WHERE id = %s", snapshot).removeprefix("file://")
    verdict = subprocess.run([VERIFY, path], env={**os.environ, "REASON_SIGNERS": str(registry)}, capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
