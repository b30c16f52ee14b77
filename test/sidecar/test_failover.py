"""Several sidecars, death, pauses, and keys that do not count."""

import os
import random
import signal
import subprocess
import time

import psycopg
import pytest

from database import SIGNER_ID
from wait import wait_for

# A longer storm: REASON_SIDECAR_KILLS=500
KILLS = int(os.environ.get("REASON_SIDECAR_KILLS", "30"))


def leader(database, duty="seal"):
    return database.value("SELECT holder FROM reason.lease WHERE duty = %s AND expires_at > clock_timestamp()", duty)


def pid_of(holder):
    return int(holder.split("/")[1]) if holder else None


def test_another_sidecar_takes_over_within_five_seconds_of_a_death(database, sidecars, settings):
    pair = [sidecars(settings).start(), sidecars(settings).start()]
    dead = wait_for(lambda: next((one for one in pair if one.process.pid == pid_of(leader(database))), None), 5)
    heir = pair[1 - pair.index(dead)]
    dead.kill()
    died = time.monotonic()
    database.node()
    wait_for(lambda: database.waiting() == 0, 5, "taking over")
    assert time.monotonic() - died < 5
    assert pid_of(leader(database)) == heir.process.pid
    database.completed(database.snapshot(database.node()), 5)
    assert database.verified()


def test_a_leader_that_was_paused_beyond_its_lease_can_do_nothing(database, sidecars, settings):
    old = sidecars(settings).start()
    wait_for(lambda: pid_of(leader(database)) == old.process.pid, 5)
    token = database.value("SELECT token FROM reason.lease WHERE duty = 'seal'")
    old.signal(signal.SIGSTOP)
    new = sidecars(settings).start()
    wait_for(lambda: pid_of(leader(database)) == new.process.pid, 6, "taking over")
    database.nodes(200)
    old.signal(signal.SIGCONT)
    database.nodes(200)
    database.settled()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        database.value("SELECT reason.seal_events(%s, 10)", token)
    assert pid_of(leader(database)) == new.process.pid
    assert wait_for(lambda: old.metric('reason_sidecar_leading{duty="seal"}') == 0, 5)
    assert database.verified()


DUTIES = ("seal", "snapshot", "emit", "archive")


@pytest.fixture
def all_duties(settings, tmp_path):
    """A broker is not needed to lead."""
    (tmp_path / "archive").mkdir()
    return {**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1}, "kafka": {"brokers": "127.0.0.1:1", "timeout_ms": 1000}}


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_each_duty_has_another_leader_within_five_seconds(database, sidecars, all_duties, fate):
    old = sidecars(all_duties).start()
    wait_for(lambda: all(pid_of(leader(database, duty)) == old.process.pid for duty in DUTIES), 5)
    new = sidecars(all_duties).start()
    tokens = dict(database.rows("SELECT duty, token FROM reason.lease"))
    old.signal(fate)
    began = time.monotonic()
    wait_for(lambda: all(pid_of(leader(database, duty)) == new.process.pid for duty in DUTIES), 5, "taking over")
    snapshot = database.snapshot(database.node())
    database.completed(snapshot, 5)
    assert time.monotonic() - began < 10
    if fate == signal.SIGSTOP:
        old.signal(signal.SIGCONT)
        database.nodes(100)
        for duty in DUTIES:
            wait_for(lambda duty=duty: old.metric(f'reason_sidecar_leading{{duty="{duty}"}}') == 0, 5)
            assert pid_of(leader(database, duty)) == new.process.pid
    database.settled()
    assert all(token > tokens[duty] for duty, token in database.rows("SELECT duty, token FROM reason.lease"))
    assert database.verified()


def test_no_change_is_made_with_a_token_that_has_passed_to_another(database):
    """Every function that takes a token, whatever else it is given."""
    functions = database.rows("SELECT p.oid::regprocedure::text, p.proargnames, p.pronargs FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace "
                              "AND p.proargnames[1] = 'lease_token' ORDER BY 1")
    assert len(functions) >= 16
    for signature, _, count in functions:
        name = signature.split("(")[0]
        types = signature[len(name) + 1:-1].split(",")
        values = ", ".join(["-1::bigint", *(f"{'1000' if kind == 'integer' else 'NULL'}::{kind}" for kind in types[1:count])])
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has passed to another"):
            database.rows(f"SELECT {name}({values})")


def test_a_lease_that_ran_out_gets_a_new_token_even_for_the_same_holder(database):
    first = database.value("SELECT reason.acquire_lease('seal', 'me', '100 ms')")
    assert database.value("SELECT reason.acquire_lease('seal', 'me', '100 ms')") == first
    assert database.value("SELECT reason.acquire_lease('seal', 'you', '100 ms')") is None
    time.sleep(0.15)
    assert database.value("SELECT reason.acquire_lease('seal', 'me', '10 s')") == first + 1
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        database.value("SELECT reason.check_lease('seal', %s)", first)


def test_nobody_takes_over_in_the_middle_of_a_change(database):
    token = database.value("SELECT reason.acquire_lease('seal', 'me', '200 ms')")
    with database.connect() as changing:
        changing.autocommit = False
        changing.execute("SELECT reason.check_lease('seal', %s)", (token,))
        time.sleep(0.3)
        # it ran out, but the change is still being made
        assert database.value("SELECT reason.acquire_lease('seal', 'you', '10 s')") is None
        changing.rollback()
    assert database.value("SELECT reason.acquire_lease('seal', 'you', '10 s')") == token + 1


def test_kills_at_random_moments_lose_and_double_nothing(server, database, sidecars, settings):
    """SIGKILLs while events and snapshots are made, and now and then PostgreSQL is stopped at once, too."""
    random.seed(20261123)
    one = sidecars(settings)
    snapshots = []
    for turn in range(KILLS):
        one.start(ready=False)
        database.nodes(random.randint(1, 60))
        snapshots.append(database.snapshot(database.node()))
        time.sleep(random.uniform(0.0, 0.25))
        if turn % 10 == 9:
            database.connection.close()
            server.stop("immediate")
            server.start()
            database.connection = database.connect()
        one.kill()
    # what a killed sidecar leaves behind runs out by itself
    one.start(ready=False)
    database.settled(30 + KILLS / 4)
    for snapshot in snapshots:
        database.completed(snapshot, 30)
    assert database.verified()
    events = database.rows("SELECT payload -> 'snapshot' ->> 'id', count(*) FROM reason.audit_event "
                           "WHERE event_type = 'snapshot.completed' GROUP BY 1")
    assert sorted(events) == sorted((str(snapshot), 1) for snapshot in snapshots)
    assert all(database.value("SELECT ok FROM reason.verify_snapshot(%s)", snapshot) for snapshot in snapshots)


def test_a_key_that_is_not_the_registered_one_signs_nothing(database, sidecars, settings, tmp_path):
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True)
    other.chmod(0o600)
    one = sidecars({**settings, "signer": {"id": SIGNER_ID, "key_file": other}}).start(ready=False)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "registered with another key" in one.log(), 10)
    wait_for(lambda: database.value("SELECT count(*) FROM reason.audit_seal") > 0, 10, "sealing, which needs no key")
    time.sleep(1)
    assert database.value("SELECT count(*) FROM reason.audit_signature") == 0
    assert database.status(snapshot) == "pending"
    assert one.get("/ready")[0] == 503
    assert one.metric('reason_sidecar_failures_total{kind="signature_refused"}') > 0


def test_a_key_that_is_revoked_while_running_completes_nothing_more(database, sidecar):
    database.completed(database.snapshot(database.node()))
    database.value("SELECT reason.revoke_signer(%s, 'stolen')", SIGNER_ID)
    signed = database.value("SELECT count(*) FROM reason.audit_signature")
    snapshot = database.snapshot(database.node())
    wait_for(lambda: sidecar.metric('reason_sidecar_failures_total{kind="signature_refused"}') > 0, 10)
    time.sleep(0.5)
    assert database.status(snapshot) == "pending"
    assert database.value("SELECT count(*) FROM reason.audit_signature") == signed


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o700])
def test_a_key_file_that_others_may_read_is_refused(sidecars, settings, keys, tmp_path, mode):
    loose = tmp_path / "loose.pem"
    loose.write_bytes(keys[0].read_bytes())
    loose.chmod(mode)
    one = sidecars({**settings, "signer": {"id": SIGNER_ID, "key_file": loose}}).start(ready=False)
    assert one.process.wait(5) == 1
    assert "must be a file of mode 0600 or 0400" in one.log()


def test_an_object_with_other_bytes_is_never_overwritten(database, sidecars, settings, tmp_path):
    one = sidecars(settings)
    snapshot = database.snapshot(database.node())
    path = tmp_path / "store" / "snapshots" / "default" / f"{snapshot}.json"
    path.parent.mkdir(parents=True)
    path.write_text("something else")
    one.start()
    wait_for(lambda: database.status(snapshot) == "failed", 10)
    assert "exists with other bytes" in database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot)
    assert path.read_text() == "something else"
    path.unlink()
    database.value("SELECT reason.retry_snapshot(%s)", snapshot)
    database.completed(snapshot)


def test_one_snapshot_that_cannot_be_stored_holds_up_no_other(database, sidecars, settings, tmp_path):
    one = sidecars(settings)
    blocked = database.snapshot(database.node(division="blocked"))
    (tmp_path / "store" / "snapshots").mkdir()
    (tmp_path / "store" / "snapshots" / "blocked").write_text("a file where the directory should be")
    one.start()
    database.completed(database.snapshot(database.node()))
    wait_for(lambda: database.value("SELECT attempts FROM reason.snapshot WHERE id = %s", blocked) > 0, 10)
    assert database.status(blocked) == "signed"
    (tmp_path / "store" / "snapshots" / "blocked").unlink()
    database.completed(blocked, 20)
