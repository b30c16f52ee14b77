"""The log of each chain: it grows, its heads are signed and published, and what was signed is remembered outside the database."""

import json
import shutil
import signal
import threading
import time

import pytest

import postgres
from attacks import cut, superuser
from database import Database, SIGNER_ID
from log_reader import PublishedLog
from restored import RestorableServer, mark_target, settle
from wait import wait_for

STOPPED = "reason_sidecar_log_stopped"


def published(directory, database, folder="default", division="default"):
    """The log in the store, once it has all that is signed."""
    wait_for(lambda: PublishedLog(directory / "store", folder).size == database.value("SELECT reason.tree_size(%s)", division), 20, "a checkpoint")
    return PublishedLog(directory / "store", folder)


def hashes_of(database, division="default"):
    return [row[0] for row in database.rows("SELECT hash FROM reason.audit_seal WHERE division = %s ORDER BY seq", division)]


def test_what_lies_in_the_store_is_the_chain(database, sidecars, remembering, tmp_path):
    """Read by other code than made it: tiles, entries, and the root of every size that was signed."""
    one = sidecars(remembering).start()
    for count in (1, 300, 700):
        database.nodes(count)
        database.settled()
        one.signal(signal.SIGUSR1)
        log = published(tmp_path, database)
    hashes = hashes_of(database)
    assert log.entries() == hashes
    assert log.root == log.root_of(hashes) and log.tiles_are_whole()
    assert len(log.sizes()) >= 3
    for size in log.sizes():
        origin, root = log.checkpoint(size)
        assert origin == "localhost/reason/default" and root == log.root_of(hashes[:size])
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 10)
    assert one.metric("reason_sidecar_checkpoint_timestamp_seconds") > time.time() - 60
    # what the database serves is what lies in the store
    assert database.value("SELECT note FROM reason.last_checkpoint('default')") == (log.path / "checkpoint").read_text()
    assert database.value("SELECT bool_and(ok) FROM reason.verify_all()")


def counts(database):
    return [row[0] for row in database.rows("SELECT payload -> 'heads' FROM reason.audit_event WHERE event_type = 'log.heads' ORDER BY no")]


def heads_of(directory, divisions):
    """What an event log.heads says of logs that are published as they are: the tree of RFC 6962 over their texts, in order."""
    lines = sorted(b"\n".join((log.path / "checkpoint").read_bytes().split(b"\n")[:3]) + b"\n" for log in (PublishedLog(directory / "store", name) for name in divisions))
    return {"count": len(lines), "root": PublishedLog.root_of(lines).hex()}


def test_the_log_of_system_vouches_for_all_others(database, sidecars, remembering, tmp_path):
    """Who witnesses that one alone sees every other grow, and none that grows makes it grow for ever."""
    one = sidecars(remembering).start()
    database.nodes(10)
    database.settled()
    wait_for(lambda: len(counts(database)) == 1, 10, f"heads: {one.log()[-1500:]}")
    published(tmp_path, database)
    published(tmp_path, database, "system", "system")
    assert counts(database) == [heads_of(tmp_path, ["default"])]
    # another division is counted once an hour; or before division system gets a checkpoint for an event of its own
    database.nodes(5, "other")
    database.settled()
    published(tmp_path, database, "other", "other")
    time.sleep(3)
    assert len(counts(database)) == 1
    database.value("SELECT reason.set_client('somebody', 'reader', '{default}')")
    wait_for(lambda: len(counts(database)) == 2, 10, f"heads: {one.log()[-1500:]}")
    place = database.value("SELECT s.seq FROM reason.audit_event e JOIN reason.audit_seal s ON s.event_no = e.no WHERE e.event_type = 'client.changed'")
    wait_for(lambda: PublishedLog(tmp_path / "store", "system").size > place + 1, 10, "a checkpoint of system")
    assert counts(database)[1] == heads_of(tmp_path, ["default", "other"])
    # the checkpoint that covers the event covers what the others were by then
    assert [size for size in PublishedLog(tmp_path / "store", "system").sizes() if size == place + 1] == []
    size = PublishedLog(tmp_path / "store", "system").size
    time.sleep(4)
    assert len(counts(database)) == 2 and PublishedLog(tmp_path / "store", "system").size == size
    # on demand
    database.nodes(5, "other")
    database.settled()
    one.signal(signal.SIGUSR1)
    wait_for(lambda: len(counts(database)) == 3, 10, f"heads: {one.log()[-1500:]}")
    published(tmp_path, database, "system", "system")
    published(tmp_path, database, "other", "other")
    assert counts(database)[2] == heads_of(tmp_path, ["default", "other"])
    assert database.value("SELECT bool_and(ok) FROM reason.verify_all()")


def test_heads_of_all_logs_are_counted_as_often_as_asked_for(database, sidecars, remembering):
    one = sidecars({**remembering, "checkpoint": {**remembering["checkpoint"], "heads_interval_s": 2}}).start()
    began = time.monotonic()
    while len(counts(database)) < 4:
        database.nodes(1)
        time.sleep(0.1)
        assert time.monotonic() - began < 40, one.log()[-1500:]
    times = [row[0] for row in database.rows("SELECT ts FROM reason.audit_event WHERE event_type = 'log.heads' ORDER BY no")]
    assert all((later - earlier).total_seconds() >= 2 for earlier, later in zip(times, times[1:]))


def test_a_signal_demands_a_checkpoint_before_its_time(database, sidecars, remembering, tmp_path):
    one = sidecars({**remembering, "checkpoint": {**remembering["checkpoint"], "interval_s": 3600}}).start()
    database.nodes(5)
    database.settled()
    # those that there were none of before
    published(tmp_path, database)
    wait_for(lambda: len(counts(database)) == 1, 15)
    published(tmp_path, database, "system", "system")
    for size in (5, 10):
        database.nodes(5)
        database.settled()
        time.sleep(2)
        assert PublishedLog(tmp_path / "store", "default").size == size
        one.signal(signal.SIGUSR1)
        assert published(tmp_path, database).size == size + 5


def test_without_a_memory_it_says_so(database, sidecars, settings, remembering, tmp_path):
    one = sidecars(settings).start()
    assert json.loads(one.get("/ready")[1]) == {"ok": True, "memory": "none"}
    assert "nothing outside the database remembers what was signed" in one.log()
    database.nodes(3)
    database.settled()
    one.stop()
    for where, without in (("file and store", ()), ("file", ("signer", "key_file")), ("store", ("state_file",))):
        checkpoint = {key: value for key, value in remembering["checkpoint"].items() if key not in without}
        two = sidecars({**remembering, "checkpoint": checkpoint}).start()
        assert json.loads(two.get("/ready")[1])["memory"] == where
        database.nodes(3)
        database.settled()
        two.stop()
    # as systemd names it, where the unit has a StateDirectory
    (tmp_path / "directory").mkdir()
    three = sidecars(settings, {"STATE_DIRECTORY": f"{tmp_path}/directory:/nowhere"}).start()
    database.nodes(3)
    database.settled()
    assert json.loads(three.get("/ready")[1])["memory"] == "file"
    assert (tmp_path / "directory" / "log-state").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["a bit", "torn", "mode", "folder"])
def test_nothing_is_signed_while_the_state_cannot_be_read(database, sidecars, remembering, tmp_path, damage):
    one = sidecars(remembering).start()
    database.nodes(30)
    database.settled()
    published(tmp_path, database)
    one.stop()
    path = tmp_path / "state" / "log"
    whole = path.read_bytes()
    if damage == "mode":
        path.chmod(0o644)
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(whole.replace(b"signed 30", b"signed 31") if damage == "a bit" else whole[:-10])
    one.start(ready=False)
    database.nodes(3)
    wait_for(lambda: str(path) in one.log(), 10, "a complaint")
    time.sleep(1)
    assert database.waiting() == 3
    if damage == "folder":
        path.rmdir()
    path.write_bytes(whole)
    path.chmod(0o600)
    database.settled(20)


def test_a_state_that_another_wrote_is_read_before_anything_is_signed(database, sidecars, remembering, tmp_path):
    """Two on one machine with one file, by mistake: neither overwrites what the other knows."""
    one, two = sidecars(remembering).start(), sidecars(remembering).start()
    for _ in range(4):
        database.nodes(20)
        database.settled()
        leader = one if one.metric('reason_sidecar_leading{duty="seal"}') else two
        leader.kill()
        database.nodes(20)
        database.settled(20)
        leader.start()
    assert one.metric(STOPPED) == two.metric(STOPPED) == 0
    assert published(tmp_path, database).entries() == hashes_of(database)


def test_who_takes_over_proves_what_the_other_signed(database, sidecars, remembering, tmp_path):
    """Each with a state of its own, which the other's events have left behind."""
    (tmp_path / "state2").mkdir()
    one = sidecars(remembering).start()
    database.nodes(300)
    database.settled()
    two = sidecars({**remembering, "checkpoint": {**remembering["checkpoint"], "state_file": tmp_path / "state2" / "log"}}).start()
    for number in range(4):
        leader, other = (one, two) if number % 2 == 0 else (two, one)
        leader.kill()
        database.nodes(300)
        snapshot = database.snapshot(database.node("seen"))
        database.completed(snapshot, 30)
        database.settled(30)
        published(tmp_path, database)
        assert other.metric(STOPPED) == 0
        leader.start()
        wait_for(lambda: leader.get("/ready")[0] == 200, 15)
    assert PublishedLog(tmp_path / "store", "default").entries() == hashes_of(database)
    assert "another sidecar has signed events" in two.log()


def test_killed_anywhere_it_signs_the_same_again(database, sidecars, remembering, tmp_path):
    """Between signing and keeping, keeping and recording, recording and publishing."""
    one = sidecars({**remembering, "sidecar": {"lease_ms": 500}}).start()
    for number in range(12):
        database.nodes(50)
        time.sleep(0.05 * (number % 5))
        one.kill()
        one.start(ready=False)
    database.settled(30)
    published(tmp_path, database)
    assert one.metric(STOPPED) == 0
    assert database.verified()


def make_server(tmp_path, keys, log_keys, archive):
    server_context = postgres.server("max_connections = 60", RestorableServer)
    server = server_context.__enter__()
    database = Database(server, "remembered", keys[1])
    database.value("SELECT reason.add_signer('log-signer', %s, purpose => 'checkpoints')", log_keys[1])
    for name in ("store", "state", "archive"):
        (tmp_path / name).mkdir()
    settings = {"database": {"conninfo": server.conninfo("remembered", "sidecar")}, "signer": {"id": SIGNER_ID, "key_file": keys[0]},
                "store": {"url": f"file://{tmp_path}/store"},
                "checkpoint": {"signer": "log-signer", "key_file": log_keys[0], "state_file": tmp_path / "state" / "log", "interval_s": 1}}
    if archive:
        settings["archive"] = {"url": f"file://{tmp_path}/archive", "interval_s": 1}
    return server_context, server, database, settings


@pytest.fixture
def restorable(request, tmp_path, keys, log_keys):
    """With an archive, or without."""
    context, server, database, settings = make_server(tmp_path, keys, log_keys, request.param)
    yield server, database, settings
    database.connection.close()
    context.__exit__(None, None, None)


def reconnect(database):
    database.connection.close()
    database.connection = database.connect()


@pytest.mark.parametrize("restorable", [True], indirect=True)
def test_a_restored_database_goes_on_once_what_it_forgot_is_back(restorable, sidecars, tmp_path):
    """Recovered from the archive, it extends what was signed: the log goes on under its name."""
    server, database, settings = restorable
    one = sidecars(settings).start()
    database.nodes(30)
    settle(database, settings)
    server.back_up()
    mark_target(database)
    database.nodes(300)
    settle(database, settings)
    before = published(tmp_path, database)
    server.restore(database)
    reconnect(database)
    wait_for(lambda: one.metric(STOPPED) == 1, 20, f"a stop: {one.log()[-1500:]}")
    wait_for(lambda: database.value("SELECT reason.safe_mode_fault()"), 20, "safe mode")
    assert "330 events of division \"default\" were signed, and 30 are here" in one.log()
    done = one.run("--recover")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: one.metric(STOPPED) == 0 and database.value("SELECT reason.safe_mode_fault()") is None, 30, f"the end of it: {one.log()[-1500:]}")
    database.nodes(3)
    database.settled(30)
    after = published(tmp_path, database)
    assert after.origin == before.origin and after.entries()[:before.size] == before.entries()
    assert database.value("SELECT bool_and(ok) FROM reason.verify_all()")


@pytest.mark.parametrize("restorable", [False], indirect=True)
def test_what_is_lost_for_good_is_given_up_by_the_operators_word_alone(restorable, sidecars, tmp_path):
    server, database, settings = restorable
    one = sidecars(settings).start()
    database.nodes(30)
    database.settled()
    published(tmp_path, database)
    server.copy_files()
    reconnect(database)
    database.nodes(300)
    database.settled(30)
    published(tmp_path, database)
    server.put_back_files()
    reconnect(database)
    wait_for(lambda: one.metric(STOPPED) == 1 and database.value("SELECT reason.safe_mode_fault()"), 20, "a stop")

    def accept():
        return one.run("--accept-restore")
    refused = accept()
    assert refused.returncode == 1 and "leave_safe_mode() in the database comes first" in refused.stdout + refused.stderr
    database.value("SELECT reason.leave_safe_mode('the volume burnt down')")
    database.nodes(3)
    time.sleep(3)
    # the database says that all is well: that is not enough
    assert one.metric(STOPPED) == 1 and database.value("SELECT count(*) FROM reason.audit_signature WHERE division = 'default'") == 30
    accepted = accept()
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert 'division default: 330 events were signed, root ' in accepted.stdout and 'it goes on with 30 as "localhost/reason/default;2"' in accepted.stdout
    wait_for(lambda: one.metric(STOPPED) == 0, 20, f"the end of it: {one.log()[-1500:]}")
    database.settled(30)
    log = published(tmp_path, database, "default;2")
    assert log.entries() == hashes_of(database) and log.origin == "localhost/reason/default;2"
    assert PublishedLog(tmp_path / "store", "default").size == 330
    # one that remembers nothing but the store finds the latest name
    one.stop()
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    one.start()
    database.nodes(3)
    database.settled(30)
    published(tmp_path, database, "default;2")
    # what is lost from here on is another fault than the one that was accepted
    cut(database, 20)
    wait_for(lambda: "are here" in (database.value("SELECT reason.safe_mode_fault()") or ""), 20, f"another stop: {one.log()[-1500:]}")
    assert one.metric(STOPPED) == 1


@pytest.mark.parametrize("restorable", [True], indirect=True)
def test_what_was_accepted_stands_when_another_fault_is_mended(restorable, sidecars, tmp_path):
    """The archive holds what was given up, and would stop an honest database for it as soon as safe mode ends."""
    server, database, settings = restorable
    one = sidecars(settings).start()
    database.nodes(30)
    settle(database, settings)
    published(tmp_path, database)
    server.copy_files()
    reconnect(database)
    database.nodes(300)
    settle(database, settings)
    server.put_back_files()
    reconnect(database)
    wait_for(lambda: one.metric(STOPPED) == 1 and database.value("SELECT reason.safe_mode_fault()"), 20, "a stop")
    database.value("SELECT reason.leave_safe_mode('it was a bad day')")
    accepted = one.run("--accept-restore")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    wait_for(lambda: one.metric(STOPPED) == 0, 20, f"the end of it: {one.log()[-1500:]}")
    database.settled(30)
    for _ in range(2):
        with superuser(database) as connection:
            kept = connection.execute("SELECT signature FROM reason.audit_signature WHERE division = 'default' AND seq = 29").fetchone()[0]
            connection.execute("UPDATE reason.audit_signature SET signature = sha512('another') WHERE division = 'default' AND seq = 29")
        wait_for(lambda: one.metric(STOPPED) == 1 and "is not the one that was made" in (database.value("SELECT reason.safe_mode_fault()") or ""), 30, f"another stop: {one.log()[-1500:]}")
        with superuser(database) as connection:
            connection.execute("UPDATE reason.audit_signature SET signature = %s WHERE division = 'default' AND seq = 29", (kept,))
        wait_for(lambda: one.metric(STOPPED) == 0 and database.value("SELECT reason.safe_mode_fault()") is None, 30, f"the end of it: {one.log()[-1500:]}")
        assert database.value("SELECT reason.compared()") == "accepted"
        database.nodes(3)
        database.settled(30)


@pytest.mark.parametrize("call", ["report_log_fault({token}, 'the same again')", "compare_chains({token}, '', '{{}}', '{{}}', '{{}}', '{{}}', '')"])
def test_whoever_ends_safe_mode_is_not_overruled_by_a_sidecar_that_waits_for_him(database, call):
    """It has looked before the end of safe mode was there to be seen, and goes on once that is committed."""
    token = database.value("SELECT reason.acquire_lease('seal', 'a test', '1 hour')")
    database.value("SELECT reason.change_safe_mode('a test')")
    with database.connect() as admin, database.connect() as sidecar:
        admin.execute("BEGIN")
        admin.execute("SELECT reason.leave_safe_mode('it was found to be well')")
        reporting = threading.Thread(target=sidecar.execute, args=[f"SELECT reason.{call.format(token=token)}"])
        reporting.start()
        wait_for(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", sidecar.info.backend_pid) == 1, 10, "that it waits")
        admin.execute("COMMIT")
        reporting.join(10)
        assert not reporting.is_alive()
    assert database.value("SELECT reason.safe_mode_fault()") is None
    assert database.value("SELECT reason.compared()") == "accepted"
