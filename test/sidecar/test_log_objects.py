"""Tables and functions of the log exchanged for others: the sidecar stops by name, or what it says is still exact."""

import contextlib

import psycopg
import pytest

from attacked_log import STOPPED, WHENS, attack, begin, covered, has_stopped, signed
from attacks import rewrite, superuser
from log_reader import PublishedLog
from wait import wait_for


@pytest.mark.parametrize("when", WHENS)
def test_a_table_replaced(database, sidecars, remembering, when):
    """The seals are another table's, which holds together as well."""
    one = sidecars(remembering)
    before = begin(database, one)

    def replace():
        with superuser(database) as connection:
            connection.execute("CREATE TABLE reason.others (LIKE reason.audit_seal INCLUDING ALL); INSERT INTO reason.others SELECT * FROM reason.audit_seal;"
                               "UPDATE reason.others SET hash = sha256(hash) WHERE division = 'default' AND seq = 300;"
                               "ALTER TABLE reason.audit_seal RENAME TO audit_seal_away; ALTER TABLE reason.others RENAME TO audit_seal;"
                               "ALTER INDEX reason.audit_seal_pkey RENAME TO audit_seal_away_pkey; ALTER INDEX reason.others_pkey RENAME TO audit_seal_pkey;"
                               "ALTER INDEX reason.audit_seal_event_key RENAME TO audit_seal_away_event_key; ALTER INDEX reason.others_event_no_division_key RENAME TO audit_seal_event_key")
    attack(when, database, one, replace)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    assert 'of division "default" are others than were signed' in one.log()
    assert {row for row in signed(database) if row[:2] in {place[:2] for place in before}} <= before


@pytest.mark.parametrize("when", WHENS)
def test_functions_that_lie(database, sidecars, remembering, when):
    """The tree is shown as it was, and what is to be signed is a place that was signed before, or one place twice."""
    one = sidecars(remembering)
    before = begin(database, one)

    def lie():
        with superuser(database) as connection:
            connection.execute("CREATE TABLE reason.shown AS SELECT * FROM reason.audit_seal; CREATE INDEX ON reason.shown (division, seq)")
            connection.execute("GRANT SELECT ON reason.shown TO PUBLIC")
            connection.execute("""
                CREATE OR REPLACE FUNCTION reason.log_hashes(division text, level integer, first bigint, count integer) RETURNS bytea
                LANGUAGE sql STABLE SECURITY DEFINER AS $$
                    SELECT CASE WHEN $2 = 0
                    THEN (SELECT string_agg(s.hash, ''::bytea ORDER BY s.seq) FROM reason.shown s WHERE s.division = $1 AND s.seq >= $3 AND s.seq < $3 + $4)
                    ELSE (SELECT string_agg(t.hash, ''::bytea ORDER BY t.index) FROM reason.audit_subtree t
                          WHERE t.division = $1 AND t.level = $2 AND t.index >= $3 AND t.index < $3 + $4) END
                $$""")
        rewrite(database, 500)
        with superuser(database) as connection:
            connection.execute("CREATE OR REPLACE FUNCTION reason.unsigned_seals(max integer DEFAULT 1000) RETURNS TABLE (division text, seq bigint, hash bytea)"
                               " LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT s.division, s.seq, s.hash FROM reason.audit_seal s"
                               " WHERE s.division = 'default' AND s.seq >= 500"
                               " UNION ALL SELECT 'default', 600, sha256('a') UNION ALL SELECT 'system', 0, sha256('b')"
                               " UNION ALL SELECT 'default', 600, sha256('c') $$")
    attack(when, database, one, lie)
    wait_for(lambda: "was signed before with another hash" in one.log() or "recorded, and" in one.log(), 15, f"a refusal: {one.log()[-3000:]}")
    assert one.metric(STOPPED) == 1
    assert {row for row in signed(database) if row[:2] in {place[:2] for place in before}} <= before


def test_numbers_that_are_none(database, sidecars, remembering):
    """How many events there are, less than none: they are gone."""
    one = sidecars(remembering)
    before = begin(database, one)
    one.stop()
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.log_sizes(text) RENAME TO log_sizes_away")
        connection.execute("CREATE FUNCTION reason.log_sizes(division text DEFAULT NULL) RETURNS TABLE (division text, sealed bigint, signed bigint) LANGUAGE sql STABLE"
                           " SECURITY DEFINER AS $$ SELECT a.division, -a.sealed, a.signed FROM reason.log_sizes_away($1) a $$")
    one.start(ready=False)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    assert "were signed, is gone" in one.log()
    assert signed(database) == before


# ---------------------------------------------------------------- every table, every way

def away(table):
    """Its rows lie under another name now, and so do its indexes."""
    return (f"ALTER TABLE reason.{table} RENAME TO {table}_away;"
            f"DO $$ DECLARE i name; BEGIN FOR i IN SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = 'reason.{table}_away'::regclass LOOP"
            " EXECUTE format('ALTER INDEX reason.%I RENAME TO %I', i, i || '_away'); END LOOP; END $$;")


def with_names(table):
    """What has the table's name now has indexes with the names of those that are away."""
    return ("DO $$ DECLARE i record; BEGIN FOR i IN SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
            f" WHERE x.indrelid = 'reason.{table}_away'::regclass LOOP"
            f" EXECUTE replace(replace(i.definition, i.name, left(i.name, -5)), 'reason.{table}_away', 'reason.{table}'); END LOOP; END $$;")


def with_column(table, changed):
    """Another table under its name, in which the values of a column are changed."""
    return (f"{away(table)} DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE reason.{table} AS SELECT %s FROM reason.{table}_away',"
            f" string_agg(CASE attname WHEN '{COLUMNS[table]}' THEN '{changed}' ELSE quote_ident(attname) END, ', ' ORDER BY attnum))"
            f" FROM pg_attribute WHERE attrelid = 'reason.{table}_away'::regclass AND attnum > 0 AND NOT attisdropped); END $$; {with_names(table)}")


COLUMNS = {"audit_seal": "seq", "audit_signature": "seq", "audit_subtree": "index", "audit_event": "division"}
TYPES = {"audit_event": "hashtext(division)"}
WAYS = {
    "without indexes": lambda t: f"{away(t)} CREATE TABLE reason.{t} AS SELECT * FROM reason.{t}_away",
    "with other indexes": lambda t: f"ALTER TABLE reason.{t} RENAME TO {t}_away; CREATE TABLE reason.{t} (LIKE reason.{t}_away INCLUDING ALL); INSERT INTO reason.{t} SELECT * FROM reason.{t}_away",
    "with its indexes on other columns": lambda t: f"{away(t)} CREATE TABLE reason.{t} AS SELECT * FROM reason.{t}_away; CREATE INDEX {t}_pkey ON reason.{t} (({COLUMNS[t]}::text || 'x'))",
    "dropped": lambda t: f"ALTER EXTENSION reasoning_graph DROP TABLE reason.{t}; DROP TABLE reason.{t} CASCADE",
    "renamed": lambda t: f"ALTER TABLE reason.{t} RENAME TO {t}_away",
    "a view": lambda t: f"{away(t)} CREATE VIEW reason.{t} AS SELECT * FROM reason.{t}_away",
    "partitioned": lambda t: f"{away(t)} CREATE TABLE reason.{t} (LIKE reason.{t}_away INCLUDING DEFAULTS) PARTITION BY LIST (division);"
                             f"{with_names(t)} ALTER TABLE reason.{t} ATTACH PARTITION reason.{t}_away DEFAULT",
    "a copy that is not logged": lambda t: f"{away(t)} CREATE UNLOGGED TABLE reason.{t} (LIKE reason.{t}_away INCLUDING DEFAULTS); {with_names(t)} INSERT INTO reason.{t} SELECT * FROM reason.{t}_away",
    "inherited": lambda t: f"CREATE TABLE reason.{t}_more () INHERITS (reason.{t}); INSERT INTO reason.{t}_more SELECT * FROM ONLY reason.{t} WHERE division = 'default'",
    "with a column of another type": lambda t: with_column(t, f"{TYPES.get(t, COLUMNS[t] + '::numeric')} AS {COLUMNS[t]}"),
    "without a column": lambda t: f"ALTER TABLE reason.{t} RENAME COLUMN {COLUMNS[t]} TO another",
    "hidden by policies": lambda t: f"ALTER TABLE reason.{t} ENABLE ROW LEVEL SECURITY; ALTER TABLE reason.{t} FORCE ROW LEVEL SECURITY; CREATE POLICY none ON reason.{t} USING (false)",
    "with a rule": lambda t: f"CREATE RULE nothing AS ON INSERT TO reason.{t} DO INSTEAD NOTHING",
}
# What is read and written without the executor knows neither children nor policies nor rules.
GOES_ON = {"audit_seal": ("a copy that is not logged", "hidden by policies", "with a rule"), "audit_signature": ("hidden by policies",),
           "audit_subtree": ("a copy that is not logged", "inherited", "hidden by policies", "with a rule"),
           "audit_event": ("inherited", "hidden by policies", "with a rule")}
# Nothing more can be written, sealed or recorded, which is an error by name for whoever tries; all else is a stop.
REFUSES = {"audit_signature": {"a copy that is not logged": 'constraint "audit_signature_pkey" for table "audit_signature" does not exist',
                               "with a rule": "is signed before the one before it"},
           # What makes an event's payload takes rows of the table that was there.
           "audit_event": {"a copy that is not logged": "function reason.event_payload(audit_event) does not exist",
                           "without indexes": "relation reason.audit_event_pkey does not exist", "with other indexes": "index reason.audit_event_pkey is not one of table reason.audit_event",
                           "with its indexes on other columns": "index reason.audit_event_pkey is on other columns", "a view": "relation reason.audit_event is not a table",
                           "partitioned": "relation reason.audit_event is not a table"}}


def state_of(folder):
    """What the sidecar has signed: kept durably before any signature leaves it."""
    return [line for line in (folder / "state" / "log").read_text().splitlines() if line.startswith(("division ", "signed ", "head "))]


def is_named_in_verification(database):
    return database.rows("SELECT what FROM reason.verify_all() WHERE NOT ok AND what <> 'guards'") != []


def stops_by_name(database, one, before, folder, tells=True):
    """In metrics, in the log, and where the database can still write (tells) in safe mode, which verify_all() shows."""
    wait_for(lambda: has_stopped(one), 30, lambda: f"a stop: {one.process.poll()} {one.log()[-3000:]}")
    fault = one.log().rpartition("nothing is signed: ")[2].splitlines()[0]
    assert any(one.metric(f'reason_sidecar_log_stops_total{{reason="{reason}"}}') >= 1 for reason in ("unreadable", "rewritten", "resigned", "cut", "vanished"))
    if tells:
        wait_for(lambda: database.value("SELECT reason.safe_mode_fault()") is not None, 30, f"safe mode: {one.log()[-3000:]}")
        # a function that is gone is named with its arguments, or without their types where the statement was prepared anew
        told = [detail for detail, in database.rows("SELECT detail FROM reason.verify_all() WHERE NOT ok AND what = 'safe mode'")]
        assert fault.partition("(")[0] in [detail.partition("(")[0] for detail in told]
    with contextlib.suppress(psycopg.Error):
        database.nodes(3)
    assert state_of(folder) == before
    return fault


def goes_on(database, one, folder):
    database.nodes(3)
    wait_for(lambda: database.value("SELECT reason.tree_size('default')") == 303, 30, f"signatures: {one.log()[-3000:]}")
    one.stop()
    one.start()
    covered(database, one)
    assert one.metric(STOPPED) == 0
    assert PublishedLog(folder / "store", "default").entries() == [row[0] for row in database.rows("SELECT hash FROM ONLY reason.audit_seal WHERE division = 'default' ORDER BY seq")]


def refuses(database, one, says):
    try:
        database.nodes(3)
    except psycopg.Error as error:
        assert says in str(error)
    else:
        wait_for(lambda: says in one.log(), 30, f"a refusal: {one.log()[-3000:]}")
    assert database.value("SELECT reason.tree_size('default')") == 300
    assert one.metric(STOPPED) == 0


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("table", list(COLUMNS))
def test_a_table_that_is_another(database, sidecars, remembering, tmp_path, table, way):
    one = sidecars(remembering)
    begin(database, one, 300)
    before = state_of(tmp_path)
    with superuser(database) as connection:
        connection.execute(WAYS[way](table))
    if way in GOES_ON[table]:
        goes_on(database, one, tmp_path)
    elif way in REFUSES.get(table, {}):
        refuses(database, one, REFUSES[table][way])
    else:
        # nothing can tell where the extension is gone with its table, and nothing be written without events
        tells = way != "dropped" and table != "audit_event"
        stops_by_name(database, one, before, tmp_path, tells)
        assert way == "dropped" or is_named_in_verification(database)
        if way != "dropped":
            assert one.stop() == 0
            one.log_path.unlink()
            one.start(ready=False)
            stops_by_name(database, one, before, tmp_path, tells)


FUNCTIONS = {"log_sizes": "text DEFAULT NULL", "log_hashes": "text, integer, bigint, integer", "log_signatures": "text, bigint[]", "unsigned_seals_with_events": "integer DEFAULT 1000"}
RETURNS = {"log_sizes": "TABLE (division text, sealed bigint, signed bigint)", "log_hashes": "bytea", "log_signatures": "TABLE (seq bigint, hash bytea, signer_id text, signature bytea)",
           "unsigned_seals_with_events": "TABLE (division text, seq bigint, hash bytea, payload text)"}


@pytest.mark.parametrize("function", list(FUNCTIONS))
@pytest.mark.parametrize("how", ["raises", "is gone"])
def test_a_function_that_raises(database, sidecars, remembering, tmp_path, function, how):
    """It says nothing of the log, which is no reason to wait for ever; when it is what it was, all goes on."""
    one = sidecars(remembering)
    begin(database, one, 300)
    before = state_of(tmp_path)
    with superuser(database) as connection:
        connection.execute(f"DO $$ BEGIN EXECUTE (SELECT format('ALTER FUNCTION %s RENAME TO {function}_away', p.oid::regprocedure) FROM pg_proc p"
                           f" WHERE p.proname = '{function}' AND p.pronamespace = 'reason'::regnamespace); END $$")
        if how == "raises":
            connection.execute(f"CREATE FUNCTION reason.{function}({FUNCTIONS[function]}) RETURNS {RETURNS[function]} LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
                               " RAISE EXCEPTION 'nobody is at home' USING ERRCODE = 'object_not_in_prerequisite_state'; END $$")
    fault = stops_by_name(database, one, before, tmp_path)
    assert fault.startswith("the log cannot be read: ") and ("nobody is at home" if how == "raises" else "does not exist") in fault
    one.stop()
    one.log_path.unlink()
    one.start(ready=False)
    stops_by_name(database, one, before, tmp_path)
    with superuser(database) as connection:
        if how == "raises":
            connection.execute(f"DO $$ BEGIN EXECUTE (SELECT format('DROP FUNCTION %s', p.oid::regprocedure) FROM pg_proc p WHERE p.proname = '{function}'); END $$")
        connection.execute(f"DO $$ BEGIN EXECUTE (SELECT format('ALTER FUNCTION %s RENAME TO {function}', p.oid::regprocedure) FROM pg_proc p WHERE p.proname = '{function}_away'); END $$")
    wait_for(lambda: one.metric(STOPPED) == 0 and database.value("SELECT reason.safe_mode_fault()") is None, 30, f"that all goes on: {one.log()[-2000:]}")
    database.nodes(3)
    database.settled(30)
