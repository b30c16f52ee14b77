"""Who wakes a sidecar that sleeps, and who cannot keep it from sleeping."""

import psycopg
import pytest

from wait import wait_for

# Nothing but a ring wakes it within the time that a test waits.
SLEEPS_LONG = {"sidecar": {"poll_idle_ms": 60000}}
ASLEEP = ("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND mode = 'ExclusiveLock' AND granted "
          "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
NODE = "SELECT reason.add_node('observation', '{\"text\": \"prepared\"}', 'tester')"


@pytest.fixture(scope="module", autouse=True)
def prepared_transactions(server):
    with psycopg.connect(server.conninfo("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_prepared_transactions = 8")
    server.stop()
    server.start()


@pytest.fixture
def sleeping(database, sidecars, settings):
    """A sidecar that sleeps, and a function that waits until it does so again."""
    sidecars({**settings, **SLEEPS_LONG}).start()
    database.settled()

    def asleep():
        wait_for(lambda: database.value(ASLEEP), 10, "the sidecar's sleep")
    asleep()
    return asleep


def test_a_transaction_prepared_while_the_sidecar_sleeps_is_sealed_when_it_is_committed(database, sleeping):
    connection = database.connect()
    for name in ("one", "two"):
        connection.execute("BEGIN")
        connection.execute(NODE)
        connection.execute("SAVEPOINT s")
        connection.execute(NODE)
        connection.execute("ROLLBACK TO s")
        connection.execute(f"PREPARE TRANSACTION '{name}'")
    # the writer's session has gone, and the sidecar sleeps on
    connection.close()
    assert database.value(ASLEEP)
    for name in ("one", "two"):
        sleeping()
        database.connection.execute(f"COMMIT PREPARED '{name}'")
        database.settled(20)
    sleeping()
    assert database.value("SELECT count(*) FROM reason.node") == 2
    assert database.verified()


def test_a_prepared_transaction_lets_the_sidecar_sleep_and_seal_what_others_write(database, sleeping):
    connection = database.connect()
    connection.execute("BEGIN")
    connection.execute(NODE)
    connection.execute("PREPARE TRANSACTION 'left'")
    database.node()
    database.settled()
    sleeping()
    connection.execute("ROLLBACK PREPARED 'left'")
    database.node()
    database.settled()


def test_a_writer_that_waits_to_commit_lets_the_sidecar_sleep(database, sleeping):
    """It rings when it commits, not before."""
    connection = database.connect()
    connection.execute("BEGIN")
    connection.execute(NODE)
    database.node()
    wait_for(lambda: database.value("SELECT count(*) FROM reason.audit_signature WHERE division = 'default'") == 1, 10, "sealing")
    sleeping()
    connection.execute("COMMIT")
    database.settled(20)


GUESSED = """
    SELECT pg_advisory_lock(key) FROM (
        SELECT DISTINCT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks WHERE classid IS NOT NULL AND objid IS NOT NULL
        UNION SELECT hashtextextended(k, 0) FROM unnest(ARRAY['doorbell', 'quarantine', 'replay', 'reason quarantine', 'reason replay',
            'reason snapshot postgres r', jsonb_build_array('snapshot', 'postgres', 'r')::text]) k
        UNION SELECT 5928239467352) keys"""
GUESSED_PAIRS = """
    SELECT pg_advisory_lock(a, b) FROM (
        SELECT DISTINCT classid::bigint::bit(32)::int AS a, objid::bigint::bit(32)::int AS b FROM pg_locks
        WHERE classid IS NOT NULL AND objid IS NOT NULL) pairs"""


def test_nobody_slows_the_service_with_advisory_locks(database, sleeping):
    """A login without any right holds every key that it sees in pg_locks while the product works, and those it knows."""
    database.connection.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stranger') THEN CREATE ROLE stranger LOGIN; END IF; END $$")
    root = database.node()
    with psycopg.connect(database.server.conninfo(database.name, "stranger"), autocommit=True) as stranger, database.connect() as busy:
        busy.execute("BEGIN")
        busy.execute("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], request_id => 'r')", (root,))
        sleeping()
        stranger.execute(GUESSED)
        stranger.execute(GUESSED_PAIRS)
        busy.execute("COMMIT")
        assert stranger.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()").fetchone()[0] > 8

        database.connection.execute("SET lock_timeout = '5s'")
        database.node()
        snapshot = database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], request_id => 'r')", root)
        database.completed(snapshot)
        database.settled()
        # not awake, looking again and again
        sleeping()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stranger.execute("SELECT reason.lock_until_commit('doorbell')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stranger.execute("SELECT reason.lock_doorbell()")
