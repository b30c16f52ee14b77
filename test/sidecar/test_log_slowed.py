"""A database that answers everything, and slowly: no proof is put off by it, and one that does not come to its end is a stop by name."""

import time

import pytest

from attacked_log import STOPPED, begin, has_stopped
from attacks import superuser
from wait import wait_for


def test_trees_that_grow_slowly_put_off_no_proof(database, sidecars, remembering):
    """The thread that reads old hashes again is kept busy with what grows, as it says, and never ends."""
    one = sidecars(remembering)
    begin(database, one, 9000)
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.grow_tree RENAME TO grow_tree_away")
        connection.execute("CREATE FUNCTION reason.grow_tree(lease_token bigint, division text DEFAULT NULL, max integer DEFAULT 100000) RETURNS bigint LANGUAGE sql"
                           " AS $$ SELECT pg_sleep(2); SELECT 1::bigint $$")
        # it is under way when the next comes
        connection.execute("SELECT pg_sleep(3)")
        # subtrees above say nothing of it, and what is proved each time lies behind it
        connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = 500")
    wait_for(lambda: has_stopped(one), 60, f"a stop: {one.log()[-2000:]}")
    assert 'events 0 to 4095 of division "default" are others than were signed' in one.log()


def test_answers_that_come_slowly(database, sidecars, remembering):
    """Each within its time: a proof of some logs would take minutes, and one of many hours, and what is signed meanwhile no proof covers."""
    one = sidecars(remembering)
    begin(database, one, 20)
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.log_hashes RENAME TO log_hashes_away")
        connection.execute("CREATE FUNCTION reason.log_hashes(division text, level integer, first bigint, count integer) RETURNS bytea LANGUAGE sql SECURITY DEFINER"
                           " AS $$ SELECT pg_sleep(8); SELECT reason.log_hashes_away($1, $2, $3, $4) $$")
    wait_for(lambda: has_stopped(one), 400, f"a stop: {one.log()[-2000:]}")
    assert "the log cannot be read: reason.log" in one.log() and "which is too long" in one.log()
    count = database.value("SELECT count(*) FROM reason.audit_signature")
    with superuser(database) as connection:
        connection.execute("DROP FUNCTION reason.log_hashes; ALTER FUNCTION reason.log_hashes_away RENAME TO log_hashes")
    assert database.value("SELECT count(*) FROM reason.audit_signature") == count
    wait_for(lambda: one.metric(STOPPED) == 0 and database.value("SELECT reason.safe_mode_fault()") is None, 60, f"that all goes on: {one.log()[-2000:]}")
    database.nodes(3)
    database.settled(30)


def test_a_thread_that_is_kept_from_connecting(database, sidecars, remembering):
    """The threads that prove are thrown out and find no place any more, and the one that seals stays: it proves and reads again itself."""
    one = sidecars(remembering)
    begin(database, one, 9000)
    try:
        database.connection.execute("ALTER ROLE sidecar CONNECTION LIMIT 2")

        def two_are_left():
            database.connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sidecar'"
                                        " AND query ~ 'checkpoints_due|claim_snapshots|grow_tree|last_checkpoint|log_heads'")
            return database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sidecar'") == 2
        wait_for(two_are_left, 20, "that others are thrown out")
        with superuser(database) as connection:
            connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = 500")
        wait_for(lambda: has_stopped(one), 120, f"a stop: {one.log()[-2000:]}")
        assert 'events 0 to 4095 of division "default" are others than were signed' in one.log()
    finally:
        database.connection.execute("ALTER ROLE sidecar CONNECTION LIMIT -1")


@pytest.mark.parametrize("what", ["checkpoint", "tile"])
def test_something_lies_where_a_log_is_to_be_published(database, sidecars, remembering, tmp_path, what):
    """Whoever may write to the store puts it there: that log is not published until it is gone, all others are, and nobody stops signing."""
    one = sidecars(remembering)
    begin(database, one, 20)
    log = tmp_path / "store" / "tlog" / "default"
    if what == "tile":
        (log / "tile" / "0").mkdir(parents=True, exist_ok=True)
        (log / "tile" / "0" / "000").write_bytes(b"nothing of ours")
    else:
        for size in range(300, 400):
            (log / "checkpoints" / str(size)).write_text("nothing of ours\n")
    database.nodes(300)
    database.settled(30)
    wait_for(lambda: one.log().count('cannot publish the checkpoint of') >= 3, 60, f"that it is told: {one.log()[-2000:]}")
    database.nodes(5, "system-like")
    database.settled(30)
    wait_for(lambda: list((tmp_path / "store" / "tlog" / "system-like" / "checkpoints").glob("5")), 30, f"the checkpoint of another log: {one.log()[-2000:]}")
    assert one.metric(STOPPED) == 0 and "nothing is signed:" not in one.log()
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 0
    began = time.time()
    for path in [log / "tile" / "0" / "000"] if what == "tile" else [log / "checkpoints" / str(size) for size in range(300, 400)]:
        path.unlink()
    wait_for(lambda: (log / "checkpoint").stat().st_mtime > began and b"\n320\n" in (log / "checkpoint").read_bytes(), 60, f"that it is published: {one.log()[-2000:]}")
