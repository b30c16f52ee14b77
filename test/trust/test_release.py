"""A release after the first: its upgrade script is kept, installed and run; what was upgraded equals what is fresh.

The release is made up, and built in a copy of the sources and of PostgreSQL's tree: it adds a column, a table, a function
with a grant, and changes a function.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from paths import ROOT
from postgres import servers
from proofs import fill, goes_on, proofs
from sealing import Database

COLUMN = "ALTER TABLE reason.annotation ADD COLUMN language text CONSTRAINT annotation_language_check CHECK (language <> '');\n"
TABLE = """CREATE TABLE reason.glossary (term text NOT NULL, meaning text NOT NULL, CONSTRAINT glossary_pkey PRIMARY KEY (term));
COMMENT ON TABLE reason.glossary IS 'Words of a division.';
"""
REGISTERED = "SELECT pg_catalog.pg_extension_config_dump('reason.glossary', '');\n"
FUNCTION = """CREATE FUNCTION reason.meaning_of(term text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp AS $$ SELECT g.meaning FROM reason.glossary g WHERE g.term = $1 $$;
COMMENT ON FUNCTION reason.meaning_of(text) IS 'What a word means.';
"""
GRANTS = """REVOKE ALL ON FUNCTION reason.meaning_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reason.meaning_of(text) TO reason_reader;
GRANT SELECT ON reason.glossary TO reason_backup, reason_auditor;
"""
CHANGED = "COMMENT ON TABLE reason.lease IS 'Who leads a duty.';\n"

# What an installation is, but for oids: relations with their columns in order, constraints, indexes, triggers, policies,
# functions and types, who may do what, comments, and what pg_dump takes along.
CATALOG = {
    "relations": "SELECT c.relname, c.relkind, c.relacl::text, c.reloptions, obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.relnamespace = 'reason'::regnamespace",
    "columns": "SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl::text, col_description(c.oid, a.attnum),"
               " pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)"
               " WHERE c.relnamespace = 'reason'::regnamespace AND a.attnum > 0",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'reason'::regnamespace",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'reason'",
    "triggers": "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'reason'::regnamespace AND NOT t.tgisinternal",
    "policies": "SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies WHERE schemaname = 'reason'",
    "functions": "SELECT p.oid::regprocedure::text, CASE p.prokind WHEN 'a' THEN '' ELSE pg_get_functiondef(p.oid) END, p.proacl::text, obj_description(p.oid, 'pg_proc')"
                 " FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace",
    "members": "SELECT pg_describe_object(classid, objid, 0) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'"
               " AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'reasoning_graph')",
    "dumped": "SELECT t::regclass::text, c FROM pg_extension, unnest(extconfig, extcondition) u (t, c) WHERE extname = 'reasoning_graph'",
}


def make(source, *arguments):
    done = subprocess.run(["make", "-s", "-C", source / "extension", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def write_release(source, old, new):
    """The next release's sources: the pieces changed, and the step from the one before."""
    def edit(path, change):
        text = path.read_text()
        assert change(text) != text, path
        path.write_text(change(text))

    edit(source / "extension/reasoning_graph.control", lambda text: text.replace(f"'{old}'", f"'{new}'"))
    tables, grants = source / "sql/tables.sql", source / "sql/grants.sql"
    edit(tables, lambda text: text + TABLE + COLUMN)
    edit(tables, lambda text: re.sub(r"COMMENT ON TABLE reason.lease IS '[^']*';\n", CHANGED, text))
    edit(source / "sql/dump.sql", lambda text: FUNCTION + text)
    edit(grants, lambda text: text + GRANTS)
    step = source / f"extension/reasoning_graph--{old}--{new}.sql"
    # Last: what the script has made, written down.
    step.write_text(TABLE + COLUMN + CHANGED + FUNCTION + REGISTERED + GRANTS + (ROOT / "sql" / "installed.sql").read_text())
    return step


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources with what was built of them."""
    copy = tmp_path_factory.mktemp("release")
    for folder in ("extension", "sql"):
        shutil.copytree(ROOT / folder, copy / folder)
    return copy


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A PostgreSQL of its own to install into."""
    directory = tmp_path_factory.mktemp("pg")
    for above in (directory, *directory.parents[:2]):
        os.chmod(above, 0o755)
    return pathlib.Path(subprocess.run([ROOT / "test/stack/pgroot.sh", directory / "root"], check=True, capture_output=True, text=True,
                                       timeout=120).stdout.strip())


def catalog(db):
    return {what: sorted(map(repr, db(query))) for what, query in CATALOG.items()}


def difference(one, other):
    return {what: sorted(set(one[what]) ^ set(other[what])) for what in one if one[what] != other[what]}


def test_git_keeps_upgrade_scripts_and_ignores_what_is_built():
    def ignored(name):
        found = subprocess.run(["git", "check-ignore", "-q", f"extension/{name}"], cwd=ROOT, check=False)
        if found.returncode == 128:
            pytest.skip("not a git checkout")
        return found.returncode == 0
    assert ignored("reasoning_graph--0.1.0.sql")
    assert not ignored("reasoning_graph--0.1.0--0.2.0.sql")
    assert not ignored("reasoning_graph--1.9.3--2.0.0.sql")


def test_an_upgraded_database_equals_a_fresh_one(source, tree):
    old = re.search(r"default_version = '([^']+)'", (source / "extension/reasoning_graph.control").read_text()).group(1)
    new = "9.0.0"
    make(source, f"PG_CONFIG={tree}", "install")
    with servers() as start:
        server = start("release", programs=tree.parent)

        def database(name, *prepare):
            with server.connect() as admin:
                admin.execute(f"CREATE DATABASE {name}")
            made = Database(name, server)
            for statement in prepare:
                made(statement)
            return made

        upgraded = database("upgraded", "CREATE EXTENSION reasoning_graph")
        upgraded("SELECT reason.add_signer(%s, %s)", upgraded.signer.name, upgraded.signer.public.raw.hex())
        fill(upgraded)
        before = proofs(upgraded, upgraded)

        step = write_release(source, old, new)
        make(source, f"PG_CONFIG={tree}", "install")
        upgraded("ALTER EXTENSION reasoning_graph UPDATE")
        assert upgraded.one("SELECT extversion FROM pg_extension WHERE extname = 'reasoning_graph'") == new
        fresh = database("fresh", "CREATE EXTENSION reasoning_graph")
        assert difference(catalog(upgraded), catalog(fresh)) == {}
        after = proofs(upgraded, upgraded)
        for found in (before[-1], after[-1]):
            found.pop("annotation")         # its rows have got a column
        assert after == before
        upgraded("INSERT INTO reason.glossary VALUES ('cause', 'what an effect rests on')")
        kept = proofs(upgraded, upgraded)

        archive = server.directory / "dump"
        server.run("pg_dump", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "-F", "custom", "-f", archive, "upgraded")
        restored = database("restored")
        server.run("pg_restore", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "-e", "-d", "restored", archive)
        assert proofs(restored, upgraded) == kept
        assert restored.one("SELECT reason.meaning_of('cause')") == "what an effect rests on"
        assert difference(catalog(restored), catalog(fresh)) == {}
        for db in (upgraded, restored):
            goes_on(db)
            db.close()
        fresh.close()

        make(source, f"PG_CONFIG={tree}", "clean")
        assert step.exists()
        assert not (source / f"extension/reasoning_graph--{new}.sql").exists()
