"""The database refuses what a proof asks, answers without an end, or not at all: nothing is signed meanwhile, and what does not pass is a stop by name.

With checkpoints every second a refusal is a fault after three seconds, and one of a kind that usually passes after fifteen.
"""

import time

import pytest

from attacked_log import STOPPED, begin, has_stopped
from attacks import superuser
from wait import wait_for

ANSWERS = {"log_hashes": ("division text, level integer, first bigint, count integer", "bytea"),
           "log_sizes": ("division text DEFAULT NULL", "TABLE (division text, sealed bigint, signed bigint)")}


def replace(database, body, function="log_hashes", language="plpgsql"):
    """Another function in its place, which may call the true one, <name>_away."""
    arguments, returns = ANSWERS[function]
    with superuser(database) as connection:
        connection.execute(f"ALTER FUNCTION reason.{function} RENAME TO {function}_away")
        connection.execute(f"CREATE FUNCTION reason.{function}({arguments}) RETURNS {returns} LANGUAGE {language} SECURITY DEFINER AS $$ {body} $$")


def put_back(database, function="log_hashes"):
    with superuser(database) as connection:
        connection.execute(f"DROP FUNCTION reason.{function}; ALTER FUNCTION reason.{function}_away RENAME TO {function}")


def raises(sqlstate, where="true"):
    return f"BEGIN IF {where} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END IF; RETURN reason.log_hashes_away($1, $2, $3, $4); END"


def mark_the_logs_session(database):
    """The trees grow in the session of the log's thread alone."""
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.grow_tree RENAME TO grow_tree_away")
        connection.execute("CREATE FUNCTION reason.grow_tree(lease_token bigint, division text DEFAULT NULL, max integer DEFAULT 100000) RETURNS bigint LANGUAGE sql"
                           " AS $$ SELECT set_config('its.log', 'yes', false); SELECT reason.grow_tree_away($1, $2, $3) $$")


IN_THE_LOGS_SESSION = "current_setting('its.log', true) = 'yes'"


def signs_nothing(database, seconds):
    count = database.value("SELECT count(*) FROM reason.audit_signature")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert database.value("SELECT count(*) FROM reason.audit_signature") == count
        time.sleep(0.2)


def ends(database, one):
    wait_for(lambda: one.metric(STOPPED) == 0 and database.value("SELECT reason.safe_mode_fault()") is None, 30, f"that all goes on: {one.log()[-2000:]}")
    database.nodes(3)
    database.settled(30)


@pytest.mark.parametrize("sqlstate", ["53200", "58030", "XX000", "26000"])
def test_what_passes_is_no_stop(database, sidecars, remembering, sqlstate):
    """Out of memory, an error of the disk, something within the server, a statement that was prepared and is gone: for a few seconds nothing is signed."""
    one = sidecars(remembering)
    begin(database, one, 20)
    replace(database, raises(sqlstate))
    # by the second the first has been taken for one, whatever was tried again meanwhile
    wait_for(lambda: one.log().count("not now") > 1, 20, "two refusals")
    database.nodes(3)
    signs_nothing(database, 6)
    put_back(database)
    database.settled(30)
    assert "nothing is signed:" not in one.log() and one.metric(STOPPED) == 0
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 0


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_what_usually_passes_and_does_not_is_a_stop(database, sidecars, remembering, how):
    """Whoever rules the database chooses what it raises, or gives no answer at all."""
    one = sidecars({**remembering, "database": {**remembering["database"], "timeout_ms": 1000}})
    begin(database, one, 20)
    replace(database, raises("53200") if how == "raises" else "BEGIN PERFORM pg_sleep(3600); END")
    wait_for(lambda: "reason.log_hashes" in one.log(), 20, "a refusal")
    database.nodes(3)
    signs_nothing(database, 3)
    wait_for(lambda: has_stopped(one), 60, f"a stop: {one.log()[-2000:]}")
    wait_for(lambda: "the log cannot be read: reason.log_hashes: " in (database.value("SELECT reason.safe_mode_fault()") or ""), 20, f"safe mode: {one.log()[-2000:]}")
    assert one.metric('reason_sidecar_log_stops_total{reason="unreadable"}') == 1
    put_back(database)
    ends(database, one)


@pytest.mark.parametrize("sqlstate", ["55000", "53200"])
def test_what_one_session_is_refused_stops_all(database, sidecars, remembering, sqlstate):
    """The one that reads old hashes again, while the one that signs is told all it asks: its proofs do not end the other's stop."""
    mark_the_logs_session(database)
    one = sidecars(remembering)
    begin(database, one, 20)
    replace(database, raises(sqlstate, IN_THE_LOGS_SESSION))
    wait_for(lambda: "not now" in one.log(), 10, "a refusal")
    database.nodes(3)
    signs_nothing(database, 2)
    wait_for(lambda: has_stopped(one), 60, f"a stop: {one.log()[-2000:]}")
    for _ in range(50):
        assert has_stopped(one)
        time.sleep(0.1)
    assert one.log().count("nothing is signed:") == 1 and "signing goes on" not in one.log()
    put_back(database)
    ends(database, one)


def test_one_old_block_that_cannot_be_read(database, sidecars, remembering):
    """Old hashes are read again in turn: what is refused is not passed over for what comes next."""
    one = sidecars(remembering)
    begin(database, one, 9000)
    # subtrees above say nothing of it, and what is proved each time lies behind it
    replace(database, raises("55000", "$1 = 'default' AND $2 = 0 AND $3 = 0 AND $4 >= 4096"))
    with superuser(database) as connection:
        connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = 500")
    wait_for(lambda: has_stopped(one), 30, f"a stop: {one.log()[-2000:]}")
    assert "the log cannot be read: reason.log_hashes: not now (55000)" in one.log()
    # what it was not to see
    put_back(database)
    wait_for(lambda: 'events 0 to 4095 of division "default" are others than were signed' in (database.value("SELECT reason.safe_mode_fault()") or ""), 30, f"another fault: {one.log()[-2000:]}")


@pytest.mark.parametrize("answer", ["'\\x00'::bytea", "decode(repeat('00', 32 * ($4 + 1)), 'hex')", "repeat('x', 3000000)::bytea"])
def test_hashes_that_are_none(database, sidecars, remembering, answer):
    """Not whole ones, more than were asked for, or so many bytes that they are not read."""
    one = sidecars(remembering)
    begin(database, one, 20)
    replace(database, f"SELECT {answer}", language="sql")
    wait_for(lambda: has_stopped(one), 20, f"a stop: {one.log()[-2000:]}")
    assert "the log cannot be read: reason.log_hashes: the database answers with " in one.log()
    put_back(database)
    ends(database, one)


def test_an_answer_that_has_no_end(database, sidecars, remembering):
    """What comes is counted, and not kept beyond a measure: forty rows of 8 MB are no list of divisions."""
    one = sidecars(remembering)
    begin(database, one, 20)
    replace(database, "SELECT repeat('x', 8000000) || n, 1::bigint, 1::bigint FROM generate_series(1, 40) n", "log_sizes", "sql")
    wait_for(lambda: has_stopped(one), 120, f"a stop: {one.log()[-2000:]}")
    assert "the log cannot be read: reason.log_sizes: the database answers with more than 268435456 bytes" in one.log()
    put_back(database, "log_sizes")
    ends(database, one)
