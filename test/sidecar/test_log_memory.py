"""What remembers outside the database is lost, set back or changed: nothing is taken over in its place that speaks against it."""

import fcntl
import json
import os
import shutil
import time

import pytest

from attacked_log import STOPPED, accept_a_restore, age, begin, covered, has_stopped, signed, stops
from attacks import remove, superuser
from database import SIGNER_ID
from signer import make_keys
from wait import wait_for


def test_a_state_that_is_removed_while_it_is_needed(database, sidecars, remembering, tmp_path):
    """Nothing is taken over in its place, whatever the database has by then; once it is back, all goes on."""
    one = sidecars({**remembering, "checkpoint": {"state_file": tmp_path / "state" / "log", "interval_s": 1}}).start()
    database.nodes(20)
    database.settled()
    before = signed(database)
    (tmp_path / "state" / "log").rename(tmp_path / "away")
    stops(database, one, before, "memory", "which holds what was signed, is gone")
    assert "is remembered from here on" not in one.log().split("nothing is signed", 1)[1]
    assert not (tmp_path / "state" / "log").exists()
    (tmp_path / "away").rename(tmp_path / "state" / "log")
    wait_for(lambda: one.metric(STOPPED) == 0 and database.waiting() == 0, 30, f"an end: {one.log()[-2000:]}")
    wait_for(lambda: one.metric("reason_sidecar_safe_mode") == 0, 10, "the end of safe mode")


@pytest.mark.parametrize("how", ["emptied", "set back"])
def test_a_store_that_forgets(database, sidecars, remembering, tmp_path, how):
    """While the state is there: it is told, and all is published again, from the first tile on."""
    one = sidecars(remembering)
    log = tmp_path / "store" / "tlog"
    one.start()
    database.nodes(300)
    database.settled()
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    shutil.copytree(log, tmp_path / "older")
    database.nodes(300)
    database.settled()
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    last = max(int(path.name) for path in (log / "default" / "checkpoints").iterdir() if path.name.isdigit())
    log.rename(tmp_path / "away")
    if how == "set back":
        (tmp_path / "older").rename(log)
    wait_for(lambda: one.metric("reason_sidecar_store_forgotten_total") > 0, 20, f"that it is told: {one.log()[-2000:]}")
    assert 'the store no longer holds the checkpoint of' in one.log()
    wait_for(lambda: (log / "default" / "checkpoints" / str(last)).exists(), 20, f"that it is published: {one.log()[-2000:]}")
    assert (log / "default" / "tile" / "0" / "000").exists()
    assert one.metric(STOPPED) == 0
    told = one.metric("reason_sidecar_store_forgotten_total")
    database.nodes(3)
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    assert one.metric("reason_sidecar_store_forgotten_total") == told


def test_a_clock_that_was_ahead(database, sidecars, remembering, tmp_path):
    """What it noted lies in the future: that is dropped, and what is signed now is noted."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    assert age(tmp_path / "state" / "log", -86400) > 0
    one.start()
    database.nodes(3)
    database.settled()
    covered(database, one)
    one.stop()
    marks = [line.split() for line in (tmp_path / "state" / "log").read_text().splitlines() if line.startswith("mark ")]
    assert marks and all(int(seconds) <= time.time() for _, _, seconds in marks)


def test_a_folder_with_a_high_number(database, sidecars, remembering, tmp_path):
    """Whoever can write to the store makes one: those that exist are looked at, not all that there could be."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    for number in ("999999", "7", "0000", "x"):
        (tmp_path / "store" / "tlog" / f"default;{number}").mkdir()
        (tmp_path / "store" / "tlog" / f"default;{number}" / "checkpoint").write_text("nothing of ours\n")
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    began = time.monotonic()
    one.start()
    database.nodes(3)
    covered(database, one)
    assert time.monotonic() - began < 15
    assert 'division "default" is remembered from here on: 20 events' in one.log()


def test_what_another_key_signed_is_taken_over_by_the_registry_that_the_operator_keeps(database, sidecars, remembering, keys, tmp_path):
    """A key from before, of which no state tells: its signatures are verified by the registry outside, or nothing is signed."""
    first = sidecars(remembering).start()
    database.nodes(20)
    database.settled()
    first.stop()
    registry = tmp_path / "signers.json"
    registry.write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    (tmp_path / "next").mkdir()
    following = make_keys(tmp_path / "next")
    database.value("SELECT reason.add_signer('next', %s)", following[1])
    database.connection.execute("SELECT pg_sleep(0.1)")
    rotated = {**remembering, "signer": {"id": "next", "key_file": following[0]}}
    rotated["checkpoint"] = {"state_file": tmp_path / "state" / "log", "interval_s": 1}
    one = sidecars(rotated).start(ready=False)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-2000:]}")
    assert f'is signed by "{SIGNER_ID}", by no key of that name that is known outside the database' in one.log()
    one.stop()
    one = sidecars({**rotated, "archive": {"registry_file": registry}}).start()
    wait_for(lambda: database.value("SELECT reason.safe_mode_fault()") is None, 15, f"that all goes on: {one.log()[-2000:]}")
    database.nodes(3)
    wait_for(lambda: database.value("SELECT count(*) FROM reason.audit_signature WHERE signer_id = 'next'") > 0, 15, f"signatures: {one.log()[-2000:]}")
    assert one.metric(STOPPED) == 0
    # from here on the state remembers both
    one.stop()
    one = sidecars(rotated).start()
    database.node("one more")
    database.settled()
    assert one.metric(STOPPED) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave a file to somebody else")
def test_a_command_of_root_leaves_the_state_to_its_owner(database, sidecars, remembering, tmp_path):
    """As the runbook has it: the sidecar that runs as somebody else is to read it afterwards."""
    one = sidecars(remembering)
    begin(database, one, 20)
    os.chown(tmp_path / "state", 65534, 65534)
    os.chown(tmp_path / "state" / "log", 65534, 65534)
    (tmp_path / "state" / "log.lock").unlink()
    accept_a_restore(database, one)
    for name in ("log", "log.lock"):
        assert (tmp_path / "state" / name).stat().st_uid == 65534


def test_a_state_that_another_holds(database, sidecars, remembering, tmp_path):
    """It is told, nothing is signed meanwhile, and the sidecar ends when it is told to."""
    one = sidecars(remembering)
    begin(database, one, 20)
    with open(tmp_path / "state" / "log.lock", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        count = database.value("SELECT count(*) FROM reason.audit_signature")
        database.nodes(3)
        wait_for(lambda: "cannot write" in one.log(), 40, f"that it is told: {one.log()[-2000:]}")
        assert database.value("SELECT count(*) FROM reason.audit_signature") == count
        assert one.stop() == 0
    one.start()
    database.settled(30)
    assert one.metric(STOPPED) == 0


def test_a_division_of_which_an_old_state_knows_nothing(database, sidecars, remembering, tmp_path):
    """State and database are both of before, as when a whole machine is set back: a log that was begun since is asked for in the store, before a place of it is signed again."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    shutil.copytree(tmp_path / "state", tmp_path / "older")
    one.start()
    database.nodes(10, "later")
    database.settled()
    wait_for(lambda: (tmp_path / "store" / "tlog" / "later" / "checkpoints" / "10").exists(), 20, "its checkpoint")
    one.stop()
    remove(database, "later")
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "older").rename(tmp_path / "state")
    with superuser(database) as connection:
        connection.execute("DELETE FROM reason.sealer_state")
    database.nodes(5, "later")
    one.start(ready=False)
    wait_for(lambda: has_stopped(one), 20, f"a stop: {one.log()[-2000:]}")
    assert 'the store holds a checkpoint of 10 events of division "later", and 0 are signed here' in one.log()
    assert database.value("SELECT count(*) FROM reason.audit_signature WHERE division = 'later'") == 0
