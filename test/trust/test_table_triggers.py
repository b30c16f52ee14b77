"""Triggers, defaults, generated columns and constraints that an administrator adds to the tables of records and events.

Each is put on the tables in a transaction of the test, which is rolled back.
"""
import json

import psycopg
import pytest

TABLES = ("node", "edge", "annotation", "audit_event")
BATCH = 70


@pytest.fixture
def notices(db):
    """Warnings of the server; a relation that is not closed makes one."""
    said = []
    handler = lambda diagnostic: said.append(diagnostic.message_primary)
    db("SET client_min_messages = warning")
    db.connection.add_notice_handler(handler)
    yield said
    db.connection.remove_notice_handler(handler)
    assert said == []


@pytest.fixture
def changed(db, notices):
    """Within, tables may be changed."""
    with db.connection.transaction(force_rollback=True):
        db("CREATE TABLE said (no bigserial, what text, at text)")
        yield db


def write_everything(db):
    """Rows that each table gets: (node, edge, annotation, audit_event)."""
    single = db.one("SELECT reason.add_node('observation', '{}', 'ada')")
    nodes = [node for node, in db("SELECT reason.add_nodes(%s::json)", json.dumps(
        {"nodes": [{"type": "observation", "author": "ada", "payload": {"n": n}} for n in range(BATCH)]}))]
    db("SELECT reason.add_edges(%s::json)", json.dumps(
        {"edges": [{"from": str(single), "to": str(node), "type": "causal"} for node in nodes]}))
    db("SELECT reason.add_edge(%s, %s, 'causal')", nodes[0], nodes[1])
    db("SELECT reason.annotate(%s, 'note')", single)
    return {"node": BATCH + 1, "edge": BATCH + 1, "annotation": 1, "audit_event": 2 * (BATCH + 1) + 1}


def trigger(db, table, when, level, body, options="", referencing=""):
    db(f"CREATE FUNCTION on_{table}_{level}_{when}() RETURNS trigger LANGUAGE plpgsql {options} AS $${body}$$")
    db(f"CREATE TRIGGER a_{table}_{level}_{when} {when} INSERT ON reason.{table} {referencing} FOR EACH {level}"
       f" EXECUTE FUNCTION on_{table}_{level}_{when}()")


def said(db):
    return dict(db("SELECT what, count(*) FROM said GROUP BY what"))


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_row_triggers_fire_once_for_each_row(changed, when):
    for table in TABLES:
        trigger(changed, table, when, "ROW", f"BEGIN INSERT INTO public.said (what) VALUES ('{table}'); RETURN new; END")
    assert write_everything(changed) == said(changed)


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_statement_triggers_fire_once_for_each_call(changed, when):
    for table in TABLES:
        trigger(changed, table, when, "STATEMENT", f"BEGIN INSERT INTO public.said (what) VALUES ('{table}'); RETURN NULL; END")
    write_everything(changed)
    assert said(changed) == {"node": 2, "edge": 2, "annotation": 1, "audit_event": 5}


def test_statement_triggers_see_all_rows_of_the_call(changed):
    for table in TABLES:
        trigger(changed, table, "AFTER", "STATEMENT", f"BEGIN INSERT INTO public.said (what) SELECT '{table}' FROM rows; RETURN NULL; END",
                referencing="REFERENCING NEW TABLE AS rows")
    assert write_everything(changed) == said(changed)


def test_what_a_trigger_keeps_between_calls_outlives_the_batch(changed):
    """A function with its owner's rights keeps its settings from call to call."""
    for table in TABLES:
        trigger(changed, table, "BEFORE", "ROW", f"BEGIN INSERT INTO public.said (what) VALUES ('{table}'); RETURN new; END",
                options="SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET work_mem = '1MB'")
    assert write_everything(changed) == said(changed)


def test_a_trigger_sees_the_rows_before_its_own(changed):
    trigger(changed, "node", "BEFORE", "ROW", "BEGIN INSERT INTO public.said (what, at) SELECT 'node', count(*) FROM reason.node; RETURN new; END")
    before = changed.one("SELECT count(*) FROM reason.node")
    count = write_everything(changed)["node"]
    assert [int(at) - before for at, in changed("SELECT at FROM said ORDER BY no")] == list(range(count))


def test_a_trigger_with_a_condition_fires_where_it_holds(changed):
    changed("CREATE FUNCTION on_score() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.said (what) VALUES (new.type); RETURN new; END$$")
    changed("CREATE TRIGGER a_score BEFORE INSERT ON reason.node FOR EACH ROW WHEN (new.payload @> '{\"n\": 66}') EXECUTE FUNCTION on_score()")
    write_everything(changed)
    assert said(changed) == {"observation": 1}


def test_a_constraint_trigger_can_wait_for_the_end(changed):
    for table in TABLES:
        changed(f"CREATE FUNCTION on_{table}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.said (what) VALUES ('{table}'); RETURN NULL; END$$")
        changed(f"CREATE CONSTRAINT TRIGGER a_{table} AFTER INSERT ON reason.{table} INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION on_{table}()")
    count = write_everything(changed)
    assert said(changed) == {}
    changed("SET CONSTRAINTS ALL IMMEDIATE")
    assert said(changed) == count


@pytest.mark.parametrize("table", TABLES)
def test_a_trigger_may_not_change_what_is_recorded(changed, table):
    trigger(changed, table, "BEFORE", "ROW", "BEGIN new.created_at := new.created_at + interval '1 s'; RETURN new; END"
            if table != "audit_event" else "BEGIN new.event_type := 'other'; RETURN new; END")
    with pytest.raises(psycopg.errors.TriggeredDataChangeViolation, match=f'a trigger changed column "(created_at|event_type)" of a row of "{table}"'):
        write_everything(changed)


def test_a_trigger_may_not_suppress_a_row(changed):
    trigger(changed, "edge", "BEFORE", "ROW", "BEGIN RETURN NULL; END")
    with pytest.raises(psycopg.errors.TriggeredDataChangeViolation, match='a trigger suppressed a row of "edge"'):
        write_everything(changed)


def test_a_trigger_may_fill_a_column_of_its_own(changed):
    for table in TABLES:
        changed(f"ALTER TABLE reason.{table} ADD COLUMN written_by text")
        trigger(changed, table, "BEFORE", "ROW", "BEGIN new.written_by := 'trigger ' || new.id; RETURN new; END")
    for table, count in write_everything(changed).items():
        assert changed.one(f"SELECT count(*) FROM reason.{table} WHERE written_by = 'trigger ' || id") == count


def test_added_columns_get_their_defaults(changed):
    changed("CREATE DOMAIN written AS text DEFAULT 'by domain'")
    before = {table: changed.one(f"SELECT count(*) FROM reason.{table}") for table in TABLES}
    for table in TABLES:
        changed(f"ALTER TABLE reason.{table} ADD COLUMN site text NOT NULL DEFAULT 'here', ADD COLUMN place bigint GENERATED ALWAYS AS IDENTITY,"
                f" ADD COLUMN at timestamptz DEFAULT clock_timestamp(), ADD COLUMN words text DEFAULT repeat('word ', 50), ADD COLUMN by written,"
                f" ADD COLUMN gone int DEFAULT 1")
        changed(f"ALTER TABLE reason.{table} DROP COLUMN gone")
    for table, count in write_everything(changed).items():
        assert changed.one(f"SELECT count(DISTINCT place) FROM reason.{table} WHERE site = 'here' AND at IS NOT NULL AND words = repeat('word ', 50)"
                           f" AND by = 'by domain'") == before[table] + count


def test_generated_columns_are_computed(changed):
    for table in TABLES:
        changed(f"ALTER TABLE reason.{table} ADD COLUMN label text GENERATED ALWAYS AS (division || ' ' || no) STORED")
    for table in write_everything(changed):
        assert changed.one(f"SELECT count(*) FROM reason.{table} WHERE label IS DISTINCT FROM division || ' ' || no") == 0


def test_added_constraints_hold(changed):
    changed("ALTER TABLE reason.node ADD CONSTRAINT few CHECK (coalesce((payload ->> 'n')::int, 0) < 68)")
    with pytest.raises(psycopg.errors.CheckViolation, match="few"):
        write_everything(changed)


def test_what_was_written_under_triggers_verifies(db, notices):
    db("CREATE TABLE seen (id uuid)")
    db("CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.seen VALUES (new.id); RETURN new; END$$")
    for table in TABLES:
        db(f"CREATE TRIGGER a_see BEFORE INSERT ON reason.{table} FOR EACH ROW EXECUTE FUNCTION see()")
        db(f"CREATE TRIGGER z_see AFTER INSERT ON reason.{table} FOR EACH ROW EXECUTE FUNCTION see()")
    try:
        counts = write_everything(db)
        assert db.one("SELECT count(*) FROM seen") == 2 * sum(counts.values())
        db.settle()
        assert db.verify()["ok"]
    finally:
        for table in TABLES:
            db(f"DROP TRIGGER a_see ON reason.{table}")
            db(f"DROP TRIGGER z_see ON reason.{table}")
