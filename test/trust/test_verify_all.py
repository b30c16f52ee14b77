"""verify_all() names whatever a superuser changed behind the triggers' back, in any table of records or of rules.

Tables, columns, functions and triggers come from the catalog: a new one is changed here as well.
"""
import re

import psycopg
import pytest

from approvals import approved
from checkpoints import cosign, grow, sign_checkpoints, write
from signer import Signer

# Another value of each type; by name where a constraint or the meaning of the column asks for it.
BY_TYPE = {
    "bigint": "coalesce({c}, 0) + 100000", "integer": "coalesce({c}, 0) + 1", "double precision": "{c} + 1e-9", "text": "coalesce({c}, '') || 'x'",
    "name": "({c} || 'x')::name", "boolean": "NOT {c}", "uuid": "gen_random_uuid()", "json": "'{{\"b\":2}}'", "jsonb": "'{{\"b\": 2}}'",
    "smallint": "{c} + 1::smallint", "timestamp with time zone": "coalesce({c}, '2026-01-01') + interval '1 microsecond'", "bytea": "coalesce({c}, '') || '\\x00'",
    "uuid[]": "{c} || gen_random_uuid()", "text[]": "coalesce({c}, '{{}}') || 'x'::text", "jsonpath": "'$.other'",
}
# The end of a chain and its signature have nothing behind them in the database; the other rows have.
NOT_LAST = {"audit_event": "no NOT IN (SELECT event_no FROM reason.audit_seal s WHERE (division, seq) IN (SELECT division, max(seq) FROM reason.audit_seal GROUP BY 1))",
            "audit_seal": "(division, seq) NOT IN (SELECT division, max(seq) FROM reason.audit_seal GROUP BY 1)",
            "audit_signature": "(division, seq) NOT IN (SELECT division, max(seq) FROM reason.audit_seal GROUP BY 1)",
            "pii_rule": "NOT builtin"}
# A rule for personal data that somebody calls builtin is one that the extension did not bring.
RULES = ("client", "quota", "signer", "archive_rule", "policy_rule", "pii_rule", "division_grant", "mended_event", "log_prefix",
         "approver", "approval_rule", "proposal", "approval", "proposal_executed")


@pytest.fixture(scope="module")
def state(db):
    nodes = [db.one("SELECT reason.add_node('observation', '{\"n\": 1}', 'ada', metadata => '{\"a\": 1}', ts => '2026-01-02', version => '1',"
                    " manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\"}')") for _ in range(2)]
    db("SELECT reason.add_edge(%s, %s, 'causal')", *nodes)
    db("SELECT reason.annotate(%s, 'a remark')", nodes[0])
    check = db.one("SELECT reason.uuid_v7()")
    db("SELECT reason.policy_check_node(%s, 'node', 1, ROW(ARRAY['r'], true, 'default', ARRAY['decision'], '[]', '{}')::reason.policy_match,"
       " ROW('quarantine', 'r', '{}', 'p', '1')::reason.policy_verdict, '{}')", check)
    db("SELECT reason.release_quarantine(%s, 'harmless')", check)
    snapshot = db.one("SELECT reason.create_snapshot(%s, 5, description => 'd', manifest_signature_id => 'm', request_id => 'r')", [nodes[1]])
    db.complete(snapshot)
    db("SELECT reason.set_client('kernel', 'writer', '{default}', false, 'CN=ca', 'spiffe://k')")
    db("SELECT reason.set_quota('kernel', 'default', 5, 6)")
    db("SELECT reason.set_archive_rule('default', 30)")
    db("SELECT reason.set_policy_rule('p', '{node.create}', '{decision}', 'a.*', '$.x', 'allow', false)")
    db("SELECT reason.set_pii_rule('staff', 'staff', pattern => 'S-1')")
    db("SELECT reason.grant_division('reason_reader', 'north')")
    db("SELECT reason.add_node('score', '1', 'ada', division => 'mended')")
    with db.connection.transaction():
        db("SET LOCAL session_replication_role = replica")
        db("UPDATE reason.audit_event SET event_type = 'odd' WHERE division = 'mended'")
    db.seal()
    db("SELECT reason.mend_chain('mended', 'a test')")
    db("SELECT reason.set_log_prefix('log.example.org/reason')")
    approved(db)
    write(db, 300, "grown")
    db.settle()
    grow(db)
    sign_checkpoints(db)
    cosign(db, Signer("witness.example.org/w", b"w"))
    db("SELECT reason.append_event('default', 'test.end', '{}')")
    db("SELECT reason.append_event('system', 'test.end', '{}')")
    db.settle()
    return db


def faults(db):
    return [row for row in db("SELECT what, ok, detail FROM reason.verify_all()") if not row[1]]


def guarded_tables(db):
    """Those whose rows are never changed, by the triggers that say so, and those of rules, by the function that reads them."""
    records = [t for t, in db("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'refuse_update' AND tgrelid::regclass::text LIKE 'reason.%'")]
    rules = [f"reason.{t}" for t, in db("SELECT DISTINCT rule_table FROM reason.present_rules()")]
    return sorted(set(records) | set(rules))


def test_all_is_well(state):
    assert faults(state) == []
    assert {what for what, _, _ in state("SELECT * FROM reason.verify_all()")} >= {
        'division "default"', 'division "system"', 'log of division "default"', 'log of division "system"', "registry", "rules", "approvals", "snapshots", "guards"}


def test_the_rules_that_have_events_are_all_there(state):
    assert {t for t, in state("SELECT DISTINCT rule_table FROM reason.present_rules()")} == set(RULES)


def test_every_column_of_every_table(state):
    missed, tried = [], 0
    for table in guarded_tables(state):
        bare = table.removeprefix("reason.")
        condition = NOT_LAST.get(bare, "true")
        for column, kind in state("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                                  " AND NOT attisdropped", table):
            change = BY_TYPE[kind].format(c=column)
            with state.tampering():
                for constraint, in state("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", table):
                    state(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
                # One row, as another may say the same.
                changed = state(f"UPDATE {table} SET {column} = {change} WHERE ctid = (SELECT ctid FROM {table} WHERE {condition} LIMIT 1) RETURNING 1")
                assert changed, f"{table} is empty: the fixture should fill it"
                tried += 1
                # The constraints that were dropped are named as well, and are not what is looked for.
                if {f[0] for f in faults(state)} <= {"guards"}:
                    missed.append((table, column, change))
    assert tried > 100
    assert not missed, "\n".join(map(str, missed))


@pytest.mark.parametrize("table", RULES)
def test_every_removed_and_every_invented_row_of_a_rule(state, table):
    with state.tampering():
        state(f"DELETE FROM reason.{table} WHERE ctid = (SELECT ctid FROM reason.{table} WHERE {NOT_LAST.get(table, 'true')} LIMIT 1)")
        (what, _, detail), *_ = [f for f in faults(state) if f[0] in ("registry", "rules")]
        assert what == ("registry" if table == "signer" else "rules") and table in detail and "its row is missing" in detail
    with state.tampering():
        key = state.one("SELECT attname FROM pg_attribute a JOIN pg_constraint c ON c.conrelid = a.attrelid AND a.attnum = c.conkey[1]"
                        " WHERE c.contype = 'p' AND c.conrelid = %s::regclass", f"reason.{table}")
        invented = {**dict.fromkeys(("mended_event", "proposal", "approval", "proposal_executed"), "00000000-0000-7000-8000-000000000000"), "log_prefix": "false"}.get(table, "invented")
        state("ALTER TABLE reason.log_prefix DROP CONSTRAINT log_prefix_only_row_check")
        state("ALTER TABLE reason.signer DROP CONSTRAINT signer_public_key_key")
        state("ALTER TABLE reason.approver DROP CONSTRAINT approver_public_key_key")
        state(f"INSERT INTO reason.{table} SELECT (jsonb_populate_record(t, jsonb_build_object('{key}', '{invented}'))).*"
              f" FROM (SELECT t FROM reason.{table} t WHERE {NOT_LAST.get(table, 'true')} LIMIT 1) x")
        assert any(table in f[2] and f'"{invented}"' in f[2] and "no event records it" in f[2] for f in faults(state))
        # verify_audit() of division system says so as well.
        assert not state.verify("system")["ok"]


def test_an_administrator_made_by_an_update_is_named(state):
    with state.tampering():
        state("UPDATE reason.client SET role = 'admin'")
        assert faults(state)[-1][1:] == (False, 'client "kernel": column role is not as recorded')
        assert state.verify("system")["detail"] == 'client "kernel": column role is not as recorded'


def test_what_cannot_be_read_does_not_hide_the_rest(state):
    with state.tampering():
        state("UPDATE pg_attribute SET atttypid = 'text'::regtype WHERE attrelid = 'reason.audit_event'::regclass AND attname = 'payload'")
        state("UPDATE reason.audit_event SET payload = 'no JSON' WHERE division = 'system' AND event_type = 'client.changed'")
        state("UPDATE pg_attribute SET atttypid = 'json'::regtype WHERE attrelid = 'reason.audit_event'::regclass AND attname = 'payload'")
        found = {what: (ok, detail) for what, ok, detail in state("SELECT * FROM reason.verify_all()")}
        assert not found['division "system"'][0] and not found["rules"][0] and found['division "default"'][0] and found["guards"][0]


def test_of_very_many_faults_the_first_are_named(state):
    with state.tampering():
        state("INSERT INTO reason.client (name, role) SELECT 'invented ' || n, 'admin' FROM generate_series(1, 1000) n")
        (what, _, detail), = [f for f in faults(state) if f[0] != 'division "system"']
        assert what == "rules" and "and 900 more" in detail and len(detail) < 10000


# ---------------------------------------------------------------- guards


def test_every_trigger_that_is_switched_off_is_named(state):
    triggers = state("SELECT tgname, tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                     " WHERE c.relnamespace = 'reason'::regnamespace AND NOT tgisinternal")
    assert len(triggers) > 30
    for change, said in (("ALTER TABLE {table} DISABLE TRIGGER {trigger}", "is not as installed"),
                         ("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}", "is not as installed"), ("DROP TRIGGER {trigger} ON {table}", "is missing")):
        with state.tampering():
            for trigger, table in triggers:
                state(change.format(table=table, trigger=trigger))
            named = dict(state("SELECT * FROM reason.guard_faults()"))
            for trigger, table in triggers:
                assert named[f"trigger {trigger} of table {table}"] == said


def test_every_function_that_is_replaced_is_named(state):
    """By its text alone, whatever it is called."""
    functions = state("SELECT p.oid, format('function reason.%s(%s)', proname, pg_get_function_identity_arguments(p.oid)) FROM pg_proc p"
                      " WHERE pronamespace = 'reason'::regnamespace AND proname <> 'installed_guards'")
    assert len(functions) > 200
    with state.tampering():
        # All but those that this needs itself.
        spared = ("guard_faults", "present_guards", "privileges_of")
        state("UPDATE pg_proc SET prosrc = prosrc || ' ' WHERE pronamespace = 'reason'::regnamespace AND proname <> ALL (%s)", list(spared + ("installed_guards",)))
        named = dict(state("SELECT * FROM reason.guard_faults()"))
        for _, name in functions:
            if not any(f"reason.{s}(" in name for s in spared):
                assert named[name] == "is not as installed"


ALWAYS = "CREATE FUNCTION public.always(text[], text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'"


@pytest.mark.parametrize("change, guard", (
    ("ALTER TABLE reason.node OWNER TO pg_monitor", "owner of reason.node"),
    ("ALTER FUNCTION reason.refuse_change() OWNER TO pg_monitor", "owner of function reason.refuse_change()"),
    ("ALTER TABLE reason.node DISABLE ROW LEVEL SECURITY", "row security of table reason.node"),
    ("DROP POLICY node_division ON reason.node", "policy node_division of table reason.node"),
    ("ALTER POLICY node_division ON reason.node USING (true)", "expression of policy node_division of table reason.node"),
    ("CREATE POLICY open ON reason.node FOR SELECT USING (true)", "policy open of table reason.node"),
    ("GRANT UPDATE ON reason.audit_seal TO pg_monitor", "privileges of reason.audit_seal"),
    ("GRANT UPDATE (hash) ON reason.audit_seal TO pg_monitor", "privileges of column reason.audit_seal.hash"),
    ("GRANT EXECUTE ON FUNCTION reason.append_event(text, text, jsonb) TO PUBLIC", "privileges of function reason.append_event(division text, event_type text, body jsonb)"),
    ("REVOKE EXECUTE ON FUNCTION reason.verify_all() FROM reason_auditor", "privileges of function reason.verify_all(OUT what text, OUT ok boolean, OUT detail text)"),
    ("GRANT CREATE ON SCHEMA reason TO pg_monitor", "privileges of schema reason"),
    ("ALTER FUNCTION reason.replay(json, json) SECURITY INVOKER", "function reason.replay(event json, registry json)"),
    ("ALTER FUNCTION reason.replay(json, json) RESET search_path", "function reason.replay(event json, registry json)"),
    ("ALTER TABLE reason.edge DROP CONSTRAINT edge_weight_check", "constraint edge_weight_check of table reason.edge"),
    ("CREATE RULE quiet AS ON UPDATE TO reason.node DO INSTEAD NOTHING", "rule quiet of reason.node"),
    ("CREATE FUNCTION reason.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'", "function reason.now()"),
    ("CREATE OR REPLACE VIEW reason.parked AS SELECT 'x' AS duty, NULL::text AS target, 'd' AS division, 'i' AS item, 'r' AS reason, 's' AS retry", "rule _RETURN of reason.parked"),
    ("CREATE TABLE public.more () INHERITS (reason.node)", "table public.more that inherits from reason.node"),
    ("ALTER VIEW reason.redacted_node RESET (security_barrier)", "options of view reason.redacted_node"),
    ("ALTER VIEW reason.redacted_node SET (security_invoker = true)", "options of view reason.redacted_node"),
    ("ALTER ROLE reason_writer SET session_replication_role = replica", "session_replication_role"),
    ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$", "session_replication_role"),
    ("UPDATE reason.pii_rule SET enabled = false WHERE name = 'email'", 'rule "email" for personal data'),
    ("ALTER TABLE reason.edge ALTER COLUMN weight SET DEFAULT 0.5", "default of column weight of table reason.edge"),
    ("ALTER TABLE reason.client ALTER COLUMN role SET DEFAULT 'admin'", "column role of table reason.client"),
    ("ALTER ROLE reason_reader BYPASSRLS", 'role "reason_reader"'),
    ("ALTER ROLE reason_gateway SUPERUSER", 'role "reason_gateway"'),
    ("ALTER ROLE reason_writer CREATEROLE", 'role "reason_writer"'),
    ("GRANT pg_write_all_data TO reason_gateway", 'role "reason_gateway"'),
    ("GRANT reason_admin TO reason_writer", 'role "reason_writer"'),
    ("DO $$ BEGIN EXECUTE format('GRANT %I TO pg_monitor', current_user); END $$", "owner of the extension"),
    # What fits the types of arguments better than PostgreSQL's own is taken instead of it.
    (f"{ALWAYS}; CREATE OPERATOR reason.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.always)", "operator reason.&&(text[], text[])"),
    (f"{ALWAYS}; CREATE OPERATOR pg_catalog.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.always)", "operator pg_catalog.&&(text[], text[])"),
    ("CREATE FUNCTION pg_catalog.to_jsonb(jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT ''{}''::jsonb'", "function pg_catalog.to_jsonb(jsonb)"),
    ("CREATE FUNCTION public.other(box) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'; CREATE CAST (box AS jsonb) WITH FUNCTION public.other(box)", "cast from box to jsonb"),
    ("ALTER TYPE reason.http_response ADD ATTRIBUTE more text", "type reason.http_response"),
    ("UPDATE pg_proc SET proargdefaults = NULL, pronargdefaults = 0 WHERE oid = 'reason.create_snapshot'::regproc", "defaults of function {reason.create_snapshot}"),
    ("UPDATE pg_proc SET proleakproof = true WHERE oid = 'reason.redact_text'::regproc", "function {reason.redact_text}"),
    ("ALTER SEQUENCE reason.record_no CYCLE", "sequence reason.record_no"),
    ("UPDATE pg_class SET relhastriggers = false WHERE oid = 'reason.audit_event'::regclass", "trigger refuse_update of table reason.audit_event"),
    ("UPDATE pg_trigger SET tgargs = 'x' WHERE tgrelid = 'reason.node'::regclass AND tgname = 'refuse_update'", "trigger refuse_update of table reason.node"),
))
def test_other_guards_are_named(state, change, guard):
    with state.tampering():
        for name in re.findall(r"{(.*)}", guard):
            guard = guard.replace("{%s}" % name, state.one("SELECT format('%%s(%%s)', p.oid::regproc, pg_get_function_identity_arguments(p.oid)) FROM pg_proc p WHERE oid = %s::regproc", name))
        state(change)
        assert guard in dict(state("SELECT * FROM reason.guard_faults()"))
        assert [f[0] for f in faults(state)] == ["guards"]


def test_every_column_that_may_be_null_now_is_named(state):
    columns = state("SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
                    " WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind = 'r' AND a.attnotnull"
                    " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))")
    assert len(columns) > 100
    with state.tampering():
        for table, column in columns:
            state(f'ALTER TABLE reason.{table} ALTER COLUMN "{column}" DROP NOT NULL')
        named = dict(state("SELECT * FROM reason.guard_faults()"))
        for table, column in columns:
            assert named[f"column {column} of table reason.{table}"] == "is not as installed"


def test_every_table_that_a_crash_would_empty_is_named(state):
    with state.tampering():
        # A table that others refer to by a foreign key cannot be made unlogged before them, so the catalog is changed itself.
        tables = state("UPDATE pg_class SET relpersistence = 'u' WHERE relnamespace = 'reason'::regnamespace AND relkind IN ('r', 'S') RETURNING relkind, relname")
        named = dict(state("SELECT * FROM reason.guard_faults()"))
        assert len(tables) > 40 and any(kind == b"S" or kind == "S" for kind, _ in tables)
        for kind, name in tables:
            what = "sequence" if kind in (b"S", "S") else "table"
            assert named[f"persistence of {what} reason.{name}"] == "is not as installed"


def test_every_unique_index_that_is_gone_or_asks_nothing_is_named(state):
    indexes = state("SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
                    " WHERE c.relnamespace = 'reason'::regnamespace AND i.indisunique")
    assert len(indexes) > 40
    for change, said in (("UPDATE pg_index SET indisready = false WHERE indexrelid = '{index}'::regclass", "is not as installed"),
                         ("UPDATE pg_index SET indisunique = false WHERE indexrelid = '{index}'::regclass", "is missing")):
        with state.tampering():
            for index, _ in indexes:
                state(change.format(index=index))
            named = dict(state("SELECT * FROM reason.guard_faults()"))
            for index, table in indexes:
                assert named[f"unique index {index} of table {table}"] == said


def test_what_users_may_do_is_no_fault(state):
    with state.tampering():
        state("GRANT SELECT ON reason.node, reason.client TO pg_monitor")
        state("CREATE FUNCTION public.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        state("CREATE TRIGGER told AFTER INSERT ON reason.node FOR EACH ROW EXECUTE FUNCTION public.told()")
        state("CREATE INDEX ON reason.node (author)")
        state("CREATE UNIQUE INDEX ON reason.node (id, author)")
        state("ALTER TABLE reason.node ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN author SET STATISTICS 500")
        state("CREATE ROLE analyst LOGIN IN ROLE reason_reader; CREATE ROLE nightly LOGIN BYPASSRLS IN ROLE reason_backup")
        state("ALTER TABLE reason.node ADD COLUMN place bigint GENERATED ALWAYS AS IDENTITY")
        state("ALTER TABLE reason.edge ADD COLUMN seen timestamptz DEFAULT now(), ADD COLUMN number serial")
        state("ALTER TABLE reason.annotation ADD COLUMN text text GENERATED ALWAYS AS (payload #>> '{}') STORED")
        assert faults(state) == []


def test_an_auditor_may_ask_and_sees_what_he_may(state):
    with state.tampering():
        state("SELECT reason.append_event('hidden', 'test.end', '{}')")
        state("SET LOCAL ROLE reason_auditor")
        found = state("SELECT what, ok FROM reason.verify_all()")
        assert all(ok for _, ok in found) and 'division "default"' in dict(found) and 'division "hidden"' not in dict(found)
    with state.tampering(), pytest.raises(psycopg.errors.InsufficientPrivilege):
        state("SET LOCAL ROLE reason_reader")
        state("SELECT * FROM reason.verify_all()")


def test_it_ends_when_it_is_canceled(state):
    with state.tampering(), pytest.raises(psycopg.errors.QueryCanceled):
        state("SET LOCAL statement_timeout = 1")
        while True:
            state("SELECT * FROM reason.verify_all()")
