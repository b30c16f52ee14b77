"""pg_dump and back: the same graph, the same chain, the same proofs."""
import base64
import json
import os
import pathlib
import subprocess
import time

import psycopg
import pytest

from conftest import PORT, SERVER, create_database, drop_database

BIN = pathlib.Path(os.environ.get("REASON_PG_BIN", "/usr/lib/postgresql/15/bin"))
TABLES = ("node", "edge", "annotation", "audit_event", "audit_seal", "audit_signature", "snapshot", "snapshot_chunk", "signer", "client",
          "division_grant", "division_grant_withdrawn", "pii_rule", "lease", "idempotency_key", "policy_rule", "quarantine", "quarantine_release")
CONNECTION = ("-h", "127.0.0.1", "-p", str(PORT), "-U", "postgres")


def run(program, *arguments):
    result = subprocess.run([BIN / program, *CONNECTION, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result


def contents(db):
    """A digest of every row of every table, and where the sequence stands."""
    found = {t: db.one(f"SELECT coalesce(encode(sha256(string_agg(md5(r::text), '' ORDER BY md5(r::text))::bytea), 'hex'), '') FROM reason.{t} r")
             for t in TABLES}
    found["record_no"] = db.row("SELECT last_value, is_called FROM reason.record_no")
    return found


def fill(db):
    """Something of everything."""
    nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada', metadata => '{\"big\": 1e300, \"ü\": [0.1, -0]}')",
                    f'{{"n": {n}, "text": "{"x" * 3000}"}}') for n in range(20)]
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.1)", cause, effect)
    db("SELECT reason.annotate(%s, 'note')", nodes[0])
    db("SELECT reason.add_node('score', '1', 'bob', division => 'tenant-a')")
    db("SELECT reason.set_client('kernel', 'writer', '{*}')")
    db("SELECT reason.set_policy_rule('edges', '{edge.create}', path => '$.metadata.x ? (@ > 1)')")
    held = base64.b64encode(b'{"decision": "quarantine", "reason": "r", "rationale": "because", "policy_id": "p", "policy_version": "1"}').decode()
    for author in ("released", "held"):
        db("SELECT * FROM reason.http_post_node('kernel', NULL, NULL, 'r', NULL, %s, NULL, '200', %s)",
           json.dumps({"type": "action", "author": author, "payload": 1}), held)
    db("SELECT reason.release_quarantine((SELECT id FROM reason.node WHERE author = 'released'), 'looked at')")
    db("SELECT reason.grant_division('reason_reader', 'tenant-a')")
    db("SELECT reason.revoke_division('reason_writer', 'default')")
    db("SELECT reason.set_quota('kernel', 'default', 1000)")
    db("SELECT reason.set_archive_rule('default', 30)")
    db("SELECT reason.set_pii_rule('staff', 'staff', pattern => 'S-1')")
    make = "SELECT reason.create_snapshot(%s, 100, include_annotations => true)"
    db.without_document = db.one(make, [nodes[-1]])
    db.complete(db.without_document)
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[5])
    db.snapshot = db.one(make, [nodes[-1]])
    db.complete(db.snapshot)
    db.settle()


@pytest.fixture(scope="module")
def source(db):
    fill(db)
    return db


def proofs(db, source, timezone="UTC"):
    """What a copy of source must show as the source does; its documents are named by source."""
    db(f"SET timezone = '{timezone}'")
    found = [db.verify(division) for division in ("default", "tenant-a", "system")]
    found.append(db.verify_snapshot(source.snapshot))
    assert all(f["ok"] for f in found), found
    assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    found.append(db.verify_snapshot(source.without_document))
    found.append(db.one("SELECT reason.snapshot_document(%s)", source.snapshot))
    db("SET timezone = 'UTC'")
    return found + [contents(db)]


@pytest.mark.parametrize("membership", ["reason_backup", "pg_read_all_data"])
def test_a_dump_needs_no_superuser(source, tmp_path, membership):
    """A login that passes row security and may read; restored by a superuser, for CREATE EXTENSION takes one."""
    login = f"dumps_by_{membership}"
    source(f"DROP ROLE IF EXISTS {login}")
    source(f"CREATE ROLE {login} LOGIN BYPASSRLS IN ROLE {membership}")
    try:
        whole = proofs(source, source)
        dumped = subprocess.run([BIN / "pg_dump", *CONNECTION[:-1], login, "-Fc", "-f", tmp_path / "dump", source.name], capture_output=True, text=True, check=False)
        assert dumped.returncode == 0, dumped.stderr
        copy = create_database(f"dumped_by_{membership}", extension=False)
        try:
            run("pg_restore", "--exit-on-error", "-d", copy.name, tmp_path / "dump")
            assert proofs(copy, source) == whole
        finally:
            drop_database(copy)
        with psycopg.connect(f"{SERVER.replace('user=postgres', 'user=' + login)} dbname={source.name}", autocommit=True) as reader:
            for statement in ("SELECT reason.add_node('action', '1', 'a')", "DELETE FROM reason.node", "SELECT reason.set_client('x', 'admin')"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(statement)
    finally:
        source(f"DROP ROLE {login}")



def check_copy(source, copy):
    assert proofs(copy, source, "Asia/Kolkata") == proofs(source, source)


def goes_on(copy):
    """The copy is a database to work with, and its chain continues."""
    head = copy.verify()["head_seq"]
    copy("SELECT reason.add_node('score', '2', 'ada')")
    copy.settle()
    found = copy.verify()
    assert found["ok"] and found["head_seq"] == head + 1


@pytest.mark.parametrize("form, jobs", [("plain", 1), ("custom", 1), ("custom", 2), ("directory", 2)])
def test_a_dump_restores_to_the_same(source, tmp_path, form, jobs):
    archive = tmp_path / "dump"
    run("pg_dump", "-F", form, "-f", str(archive), *(("-j", str(jobs)) if form == "directory" else ()), source.name)
    copy = create_database(f"{source.name}_copy", extension=False)
    try:
        if form == "plain":
            run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(archive), copy.name)
        else:
            run("pg_restore", "-e", "-j", str(jobs), "-d", copy.name, str(archive))
        check_copy(source, copy)
        goes_on(copy)
    finally:
        drop_database(copy)


def test_data_alone_into_a_fresh_extension(source, tmp_path):
    archive = tmp_path / "dump"
    run("pg_dump", "-F", "custom", "--data-only", "-f", str(archive), source.name)
    copy = create_database(f"{source.name}_data")
    try:
        run("pg_restore", "-e", "--data-only", "-d", copy.name, str(archive))
        check_copy(source, copy)
        goes_on(copy)
    finally:
        drop_database(copy)


def payload_bytes(db):
    """Of a snapshot made now: what is signed but for its id, time and version."""
    roots = db.one("SELECT root_ids FROM reason.snapshot WHERE status = 'complete' ORDER BY no LIMIT 1")
    made = db.one("SELECT reason.create_snapshot(%s, 100, include_annotations => true)", roots)
    text = b"".join(c for c, in db("SELECT c.bytes FROM reason.snapshot_chunk c JOIN reason.snapshot s ON s.no = c.snapshot_no"
                                   " WHERE s.id = %s ORDER BY c.chunk", made)).decode()
    return text[text.index(',"payload":'):text.index('},"reasoning_graph_version"')]


def test_another_locale_freezes_the_same_bytes(source, tmp_path):
    if not source("SELECT FROM pg_collation WHERE collprovider = 'i' LIMIT 1"):
        pytest.skip("this PostgreSQL was built without ICU")
    archive = tmp_path / "dump"
    run("pg_dump", "-F", "custom", "-f", str(archive), source.name)
    copy = create_database(f"{source.name}_locale", False, "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE-u-co-phonebk-kf-upper'")
    try:
        run("pg_restore", "-e", "-d", copy.name, str(archive))
        check_copy(source, copy)
        copy("SET timezone = 'America/St_Johns'")
        copy("SET datestyle = 'sql, dmy'")
        assert copy.one("SELECT 'a' < 'B'") != source.one("SELECT 'a' < 'B'")
        assert payload_bytes(copy) == payload_bytes(source)
    finally:
        drop_database(copy)


def test_a_logical_replica_is_the_same(source):
    if source.one("SHOW wal_level") != "logical":
        pytest.skip("the server does not replicate logically")
    copy = create_database(f"{source.name}_replica")
    slot = f"{source.name}_slot"
    try:
        copy("DELETE FROM reason.division_grant")
        copy("DELETE FROM reason.division_grant_withdrawn")
        copy("DELETE FROM reason.pii_rule")
        source("CREATE PUBLICATION everything FOR TABLES IN SCHEMA reason")
        source("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
        copy(f"CREATE SUBSCRIPTION everything CONNECTION '{SERVER} dbname={source.name}' PUBLICATION everything"
             f" WITH (create_slot = false, slot_name = '{slot}')")
        source("SELECT reason.erase_payload((SELECT id FROM reason.node WHERE payload ->> 'n' = '7'), 'replicated')")
        source.settle()
        deadline = time.monotonic() + 60
        while True:
            here, there = contents(source), contents(copy)
            here.pop("record_no"), there.pop("record_no")
            if here == there or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert here == there
        for division in ("default", "tenant-a", "system"):
            assert copy.verify(division) == source.verify(division)
        assert copy.verify_snapshot(source.snapshot)["ok"]
    finally:
        for statement in ("ALTER SUBSCRIPTION everything DISABLE", "ALTER SUBSCRIPTION everything SET (slot_name = NONE)", "DROP SUBSCRIPTION everything"):
            try:
                copy(statement)
            except psycopg.Error:
                pass
        drop_database(copy)
        time.sleep(0.5)
        source("SELECT pg_drop_replication_slot(%s)", slot)
        source("DROP PUBLICATION everything")
