"""A network between the sidecar and PostgreSQL that takes everything and brings nothing back."""

import signal
import time

import pytest

from proxy import Proxy
from wait import wait_for

IDLE_MS = 1000


@pytest.fixture
def proxy(server):
    running = Proxy(server.port)
    yield running
    running.close()


@pytest.fixture
def behind(database, settings, proxy):
    """Settings of a sidecar that reaches its database through the proxy."""
    conninfo = database.server.conninfo(database.name, "sidecar").replace(f"port={database.server.port}", f"port={proxy.port}")
    return {**settings, "database": {"conninfo": conninfo, "timeout_ms": 1000}, "sidecar": {"lease_ms": 1000, "poll_idle_ms": IDLE_MS}}


def sessions(database):
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'sidecar' AND datname = current_database()")


def test_a_database_that_falls_silent_is_given_up_and_found_again(database, sidecars, behind, proxy):
    one = sidecars(behind).start()
    database.node()
    database.settled()
    proxy.set("silent")
    database.node()
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "the database does not answer" in one.log(), 10, "giving the database up")
    wait_for(lambda: one.get("/ready")[0] == 503, 10, "saying so")
    # new connections are taken, and never answered
    wait_for(lambda: "cannot connect to the database: it does not answer" in one.log(), 20, "giving up to connect")
    assert database.waiting() > 0
    proxy.set("pass")
    database.settled(20)
    database.completed(snapshot, 20)
    assert database.verified()


def test_sigterm_ends_a_sidecar_whose_database_is_silent(database, sidecars, behind, proxy):
    one = sidecars({**behind, "database": {**behind["database"], "timeout_ms": 60000}, "sidecar": {}}).start()
    database.node()
    database.settled()
    proxy.set("silent")
    # each thread has asked for something, and waits
    time.sleep(3)
    began = time.monotonic()
    one.signal(signal.SIGTERM)
    assert one.process.wait(20) == 0
    assert time.monotonic() - began < 15


def test_the_server_ends_a_session_that_sleeps_for_ever_at_the_doorbell(database, sidecars, behind, proxy):
    """Its lock would make every writer ring, for nobody."""
    one = sidecars(behind).start()
    database.node()
    database.settled()
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND mode = 'ExclusiveLock' AND granted AND database = " \
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
    wait_for(lambda: database.value(locks) == 1, 5, "the sidecar's sleep")
    proxy.set("silent")
    one.kill()
    # the server hears nothing of that death
    time.sleep(1)
    assert sessions(database) > 0 and database.value(locks) == 1
    wait_for(lambda: database.value(locks) == 0, IDLE_MS / 1000 + 15, "the end of the session")


def test_a_database_that_refuses_is_asked_seldom(database, sidecars, behind, proxy):
    one = sidecars(behind).start()
    database.node()
    database.settled()
    time.sleep(0.5)
    proxy.set("reset")
    time.sleep(3)
    # 100 ms at first, and twice as long each time
    assert 0 < one.log().count("seal: cannot connect") < 15
    proxy.set("pass")
    database.settled()
