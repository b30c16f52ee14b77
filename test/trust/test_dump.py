"""pg_dump and back: the same graph, the same chain, the same proofs."""
import subprocess
import time

import psycopg
import pytest

from paths import PG_BIN
from proofs import contents, fill, goes_on, proofs
from sealing import create_database, drop_database
from shared_server import HOST, conninfo, port


def run(program, *arguments):
    result = subprocess.run([PG_BIN / program, "-h", HOST, "-p", str(port()), "-U", "postgres", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def source(db):
    fill(db)
    return db


@pytest.mark.parametrize("membership", ["reason_backup", "pg_read_all_data"])
def test_a_dump_needs_no_superuser(source, tmp_path, membership):
    """A login that passes row security and may read; restored by a superuser, for CREATE EXTENSION takes one."""
    login = f"dumps_by_{membership}"
    source(f"DROP ROLE IF EXISTS {login}")
    source(f"CREATE ROLE {login} LOGIN BYPASSRLS IN ROLE {membership}")
    try:
        whole = proofs(source, source)
        dumped = subprocess.run([PG_BIN / "pg_dump", "-h", HOST, "-p", str(port()), "-U", login, "-Fc", "-f", tmp_path / "dump", source.name], capture_output=True, text=True, check=False)
        assert dumped.returncode == 0, dumped.stderr
        copy = create_database(f"dumped_by_{membership}", extension=False)
        try:
            run("pg_restore", "--exit-on-error", "-d", copy.name, tmp_path / "dump")
            assert proofs(copy, source) == whole
        finally:
            drop_database(copy)
        with psycopg.connect(conninfo(source.name, login), autocommit=True) as reader:
            for statement in ("SELECT reason.add_node('action', '1', 'a')", "DELETE FROM reason.node", "SELECT reason.set_client('x', 'admin')"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(statement)
    finally:
        source(f"DROP ROLE {login}")


def check_copy(source, copy):
    assert proofs(copy, source, "Asia/Kolkata") == proofs(source, source)


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
        copy(f"CREATE SUBSCRIPTION everything CONNECTION '{conninfo(source.name)}' PUBLICATION everything"
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
