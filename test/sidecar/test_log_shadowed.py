"""What a superuser changes around the log, not in it: settings of roles and databases, functions and operators of the server, sequences, triggers, notifications.

Either everything goes on, and what is signed is what was recorded, or nothing is signed and the reason is told.
"""

import contextlib
import os
import time

import psycopg
import pytest

from attacked_log import STOPPED, begin, covered, has_stopped, signed
from attacks import rewrite, superuser
from log_reader import PublishedLog
from wait import wait_for

SETTINGS = {"client_encoding": "'LATIN1'", "bytea_output": "'escape'", "search_path": "evil, pg_catalog, public", "datestyle": "'German, DMY'", "intervalstyle": "'sql_standard'",
            "timezone": "'Pacific/Chatham'", "extra_float_digits": "-15", "standard_conforming_strings": "off", "array_nulls": "off", "transform_null_equals": "on",
            "default_transaction_isolation": "'serializable'", "statement_timeout": "1", "lock_timeout": "1", "row_security": "off", "session_replication_role": "'replica'",
            "enable_indexscan": "off", "enable_seqscan": "off", "jit": "on", "work_mem": "'64kB'", "client_min_messages": "'debug5'", "backslash_quote": "off", "escape_string_warning": "on",
            "quote_all_identifiers": "on", "xmloption": "'document'", "plan_cache_mode": "'force_generic_plan'", "constraint_exclusion": "on", "force_parallel_mode": "on", "geqo_threshold": "2",
            "from_collapse_limit": "1", "idle_session_timeout": "1000", "lc_messages": "'C'", "default_text_search_config": "'simple'", "debug_print_plan": "off", "synchronous_commit": "off"}
# Calls and operators without their schema are other ones, where it stands before pg_catalog.
EVIL = """
    CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT $2 $$;
    CREATE FUNCTION evil.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT repeat('00', 32) $$;
    CREATE FUNCTION evil.text_is_not(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.text_is_not);
    CREATE FUNCTION evil.int_is_not(bigint, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
    CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = evil.int_is_not);
"""


def sealed(database, most=1 << 40):
    return [row[0] for row in database.rows("SELECT hash FROM reason.audit_seal WHERE division = 'default' AND seq < %s ORDER BY seq", most)]


def goes_on(database, one, folder):
    node = database.value("SELECT reason.add_node('observation', jsonb_build_object('text', 'größer als \u20ac 5'), 'tester')")
    database.nodes(3)
    database.settled(30)
    snapshot = database.snapshot(node)
    database.completed(snapshot, 30)
    covered(database, one)
    assert one.metric(STOPPED) == 0 and "nothing is signed:" not in one.log()
    wait_for(lambda: PublishedLog(folder / "store", "default").entries() == sealed(database), 20, f"all of it published: {one.log()[-2000:]}")
    assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", snapshot) == [(True, None)]


@pytest.mark.parametrize("given", [dict([pair]) for pair in SETTINGS.items() if pair[0] in ("client_encoding", "bytea_output", "search_path", "session_replication_role")] + [SETTINGS],
                         ids=lambda given: next(iter(given)) if len(given) == 1 else "all")
@pytest.mark.parametrize("whose", ["ROLE sidecar", "DATABASE"])
def test_whatever_is_set_for_the_sidecars_sessions(database, sidecars, remembering, tmp_path, whose, given):
    """It goes on, and what it reads and writes stays the same."""
    database.connection.execute(EVIL)
    whose = f'{whose} IN DATABASE "{database.name}"' if whose.startswith("ROLE") else f'{whose} "{database.name}"'
    for name, value in given.items():
        database.connection.execute(f"ALTER {whose} SET {name} = {value}")
    one = sidecars(remembering)
    try:
        begin(database, one, 20)
        goes_on(database, one, tmp_path)
    finally:
        database.connection.execute(f"ALTER {whose} RESET ALL")


def catalog(connection, statement):
    connection.execute(f"SET LOCAL allow_system_table_mods = on; {statement}")


# Each while the middle of the chain is rewritten: whatever lies, the root that was signed is not had any more.
SHADOWS = {
    "encode()": "CREATE OR REPLACE FUNCTION pg_catalog.encode(bytea, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT repeat('00', length($1)) $$",
    "octet_length()": "CREATE OR REPLACE FUNCTION pg_catalog.octet_length(bytea) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT 32 $$",
    "sha256()": "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT decode(repeat('00', 32), 'hex') $$",
    "equality of text": "UPDATE pg_catalog.pg_operator SET oprcode = 'pg_catalog.textne'::regproc WHERE oprname = '=' AND oprleft = 'text'::regtype AND oprright = 'text'::regtype",
    "clock_timestamp()": "CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2000-01-01'::timestamptz $$",
    "nothing": "SELECT 1",
}


def signs_no_more(one):
    """It says why, or cannot lead at all, because the database cannot tell whose lease it is."""
    return has_stopped(one) or (one.get("/metrics")[0] == 200 and one.metric('reason_sidecar_leading{duty="seal"}') == 0 and "acquire_lease" in one.log())


@pytest.mark.parametrize("shadow", list(SHADOWS))
def test_functions_and_operators_of_the_server_are_others(database, sidecars, remembering, tmp_path, shadow):
    """The middle is rewritten under their cover: that is found live and after a restart, or nothing is signed at all."""
    one = sidecars(remembering)
    before = begin(database, one, 300)
    places = {row[:2] for row in before}
    rewrite(database, 100, unsign=False)
    with superuser(database) as connection:
        catalog(connection, SHADOWS[shadow])
    for _ in range(2):
        wait_for(lambda: signs_no_more(one), 40, lambda: f"a stop: {one.log()[-3000:]}")
        with contextlib.suppress(psycopg.Error):
            database.nodes(3)
        one.stop()
        state = [line for line in (tmp_path / "state" / "log").read_text().splitlines() if line.startswith(("division ", "signed ", "head "))]
        one.log_path.write_text("")
        one.start(ready=False)
    wait_for(lambda: signs_no_more(one), 40, lambda: f"a stop: {one.log()[-3000:]}")
    assert state == [line for line in (tmp_path / "state" / "log").read_text().splitlines() if line.startswith(("division ", "signed ", "head "))]
    if shadow == "nothing":
        assert {row for row in signed(database) if row[:2] in places} <= before


AROUND = {
    "a login's event trigger that raises": "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
                                           "CREATE EVENT TRIGGER no_more ON ddl_command_start EXECUTE FUNCTION public.refuse()",
    "numbers set back": "SELECT setval('reason.record_no', 1)",
    "numbers set far ahead": "SELECT setval('reason.record_no', 1000000000000)",
    "numbers that go backwards": "ALTER SEQUENCE reason.record_no INCREMENT BY -1 MINVALUE -1000000",
    "numbers that come again": "ALTER SEQUENCE reason.record_no MINVALUE 1 MAXVALUE 100000 CYCLE",
    "triggers switched off": "ALTER TABLE reason.audit_seal DISABLE TRIGGER ALL; ALTER TABLE reason.audit_event DISABLE TRIGGER ALL; ALTER TABLE reason.audit_signature DISABLE TRIGGER ALL",
    "seals that a trigger alters": "CREATE FUNCTION public.alter_seal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.hash := sha256(NEW.hash); RETURN NEW; END $$;"
                                   "CREATE TRIGGER a_alter BEFORE INSERT ON reason.audit_seal FOR EACH ROW EXECUTE FUNCTION public.alter_seal()",
    "events that a trigger alters": "CREATE FUNCTION public.alter_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.payload := '{}'; RETURN NEW; END $$;"
                                    "CREATE TRIGGER a_alter BEFORE INSERT ON reason.audit_event FOR EACH ROW EXECUTE FUNCTION public.alter_event()",
    "signatures that a trigger drops": "CREATE FUNCTION public.drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
                                       "CREATE TRIGGER a_drop BEFORE INSERT ON reason.audit_signature FOR EACH ROW EXECUTE FUNCTION public.drop_it()",
}


@pytest.mark.parametrize("change", list(AROUND))
def test_what_lies_around_the_log_is_changed(database, sidecars, remembering, tmp_path, change):
    """Nothing that was signed is signed otherwise, and what is signed from then on is of the events in their places."""
    one = sidecars(remembering)
    before = begin(database, one, 300)
    with database.connect() as connection:
        connection.execute(AROUND[change])
    for _ in range(5):
        with contextlib.suppress(psycopg.Error):
            database.nodes(3)
        time.sleep(0.5)
    places = {row[:2] for row in before}
    after = signed(database)
    assert {row for row in after if row[:2] in places} == before
    kept = next(int(line.split()[1]) for line in (tmp_path / "state" / "log").read_text().partition("division default ")[2].splitlines() if line.startswith("signed "))
    assert kept >= 300
    with database.connect() as connection:
        connection.execute("DROP EVENT TRIGGER IF EXISTS no_more")
    # what is refused, the extension names itself: then nothing more is signed
    assert not has_stopped(one)
    # what the database has no signature of is in no checkpoint
    kept = sum(division == "default" for division, _, _ in before)
    wait_for(lambda: PublishedLog(tmp_path / "store", "default").entries()[:kept] == sealed(database, kept), 20, f"all of it published: {one.log()[-2000:]}")


def memory_kb(one):
    with open(f"/proc/{one.process.pid}/status", encoding="ascii") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM:")))


def test_a_flood_of_notifications(database, sidecars, remembering, tmp_path):
    """Any login can send them: 400 MB at once while the sidecar waits for an answer. It keeps none of them, and goes on."""
    one = sidecars(remembering)
    begin(database, one, 20)
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.unsigned_seals_with_events(integer) RENAME TO unsigned_away")
        connection.execute("CREATE FUNCTION reason.unsigned_seals_with_events(max integer DEFAULT 1000) RETURNS TABLE (division text, seq bigint, hash bytea, payload text) LANGUAGE plpgsql"
                           " SECURITY DEFINER AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN QUERY SELECT * FROM reason.unsigned_away($1); END $$")
    database.connection.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'flooding') THEN CREATE ROLE flooding LOGIN; END IF; END $$")
    before = memory_kb(one)
    with psycopg.connect(database.server.conninfo(database.name, "flooding"), autocommit=True) as flooding:
        for batch in range(10):
            database.nodes(1)
            flooding.execute("SELECT count(pg_notify('reason_work', lpad(n::text, 7900, 'x'))) FROM generate_series(%s::integer, %s::integer) n", (batch * 5000, batch * 5000 + 4999))
    database.settled(60)
    assert memory_kb(one) - before < 60000
    goes_on(database, one, tmp_path)


@pytest.mark.parametrize("what", ["a pipe", "a socket's file", "a loop", "a gigabyte"])
def test_what_lies_in_the_store_is_no_object(database, sidecars, remembering, tmp_path, what):
    """Whoever can write there puts it in place of checkpoints, where a sidecar without a state looks for what was signed."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    log = tmp_path / "store" / "tlog"
    for path in (log / "other" / "checkpoint", log / "default" / "checkpoints" / "99999999", log / "zzz" / "checkpoint"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.unlink()
        if what == "a pipe":
            os.mkfifo(path)
        elif what == "a socket's file":
            path.symlink_to("/dev/zero")
        elif what == "a loop":
            path.symlink_to("..")
        else:
            with open(path, "wb") as file:
                file.truncate(1 << 30)
    one.start()
    database.nodes(3)
    database.settled(30)
    assert 'division "default" is remembered from here on: 20 events' in one.log() and one.metric(STOPPED) == 0
    assert memory_kb(one) < 150000
