"""The key of checkpoints: what is published is read with it, whatever the database says of it; and another takes its place."""

import contextlib
import shutil

import psycopg

import postgres
from attacked_log import STOPPED, begin, covered, has_stopped
from attacks import superuser
from database import Database
from signer import make_keys
from wait import wait_for


def test_what_is_published_is_read_whatever_the_registry_says(server, database, sidecars, remembering, tmp_path):
    """A copy of the database goes on, in which the key of checkpoints is registered no more: it signs none, and still finds what the other published."""
    one = sidecars(remembering)
    begin(database, one)
    with postgres.servers() as make:
        copy = Database.__new__(Database)
        copy.name, copy.server = database.name, make("copy", primary=server)
        copy.server.run("pg_ctl", "-D", copy.server.data, "-w", "promote")
        copy.connection = copy.connect()
        with superuser(copy) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE reason.signer SET public_key = decode(repeat('ab', 32), 'hex') WHERE signer_id = 'log-signer'")
        shutil.copytree(tmp_path / "state", tmp_path / "state2")
        database.nodes(30)
        database.settled()
        covered(database, one)
        one.stop()
        two = sidecars({**remembering, "database": {"conninfo": copy.server.conninfo(copy.name, "sidecar")},
                        "checkpoint": {**remembering["checkpoint"], "state_file": tmp_path / "state2" / "log"}})
        two.start(ready=False)
        with contextlib.suppress(psycopg.Error):
            copy.nodes(5)
        wait_for(lambda: has_stopped(two), 20, lambda: f"a stop: {two.log()[-3000:]}")
        assert "the store holds a checkpoint of 630 events" in two.log()
        copy.connection.close()
        two.stop()


def test_another_key_takes_the_place_of_the_one_before(database, sidecars, remembering, tmp_path):
    """The operator exchanges it: the log goes on, and what the first one signed stays where it was published."""
    one = sidecars(remembering)
    begin(database, one, 300)
    one.stop()
    (tmp_path / "next").mkdir()
    following = make_keys(tmp_path / "next")
    database.value("SELECT reason.add_signer('log-signer-2', %s, purpose => 'checkpoints')", following[1])
    two = sidecars({**remembering, "checkpoint": {**remembering["checkpoint"], "signer": "log-signer-2", "key_file": following[0]}}).start()
    database.nodes(30)
    database.settled(30)
    covered(database, two)
    assert two.metric(STOPPED) == 0 and "nothing is signed:" not in two.log()
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 0
