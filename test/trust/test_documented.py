"""What the pages for operators show to be typed into psql and a shell does what they say: it is taken from there and run.

By a server of its own, as the pages make roles. Other pages have tests beside what they are about: backups, failover,
approvals, cells, debian and from-source (test/debian/check.sh), reason-rebuild (sidecar/test_rebuild_command.py).
"""
import base64
import json
import re
import subprocess

import pytest

from paths import PG_BIN, ROOT
from postgres import servers
from sealing import Database
from signer import Signer

PAGES = ROOT / "docs/for-operators"


def blocks(page, kind="sql"):
    return re.findall(rf"```{kind}\n(.*?)\n```", (PAGES / f"{page}.md").read_text(), re.S)


def block(page, start, kind="sql"):
    found, = [text for text in blocks(page, kind) if start in text]
    return found


class Operator:
    """Types what a page shows."""

    def __init__(self, server, database="reason"):
        self.server = server
        self.conninfo = server.conninfo(database)

    def psql(self, text, **variables):
        given = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        ended = subprocess.run([PG_BIN / "psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", *given, self.conninfo], input=text, text=True, capture_output=True, timeout=60, check=False)
        assert ended.returncode == 0 and ended.stderr == "", f"{text}\n{ended.stderr}"
        return ended.stdout


@pytest.fixture(scope="module")
def server():
    with servers() as make:
        made = make("documented", "max_prepared_transactions = 4")
        with made.connect() as admin:
            admin.execute("CREATE DATABASE reason")
        yield made


@pytest.fixture(scope="module")
def db(server):
    made = Database("reason", server)
    made("CREATE EXTENSION reasoning_graph")
    made("SELECT reason.add_signer(%s, %s)", made.signer.name, made.signer.public.raw.hex())
    made("SELECT reason.add_node('observation', '{\"note\": \"badge S-1234, ada@example.org, call (030) 123-4567\", \"first_name\": \"Ada\"}', 'ada')")
    return made


@pytest.fixture(scope="module")
def operator(server, db):
    return Operator(server)


def test_every_block_of_sql_is_run(db):
    """None is added without being tried here."""
    tried = {"database": ("pg_encoding_to_char", "CREATE ROLE nightly", "sees_all_rows", "PREPARE TRANSACTION", "ALTER ROLE gateway"), "redaction": ("set_pii_rule",),
             "sidecar": ("CREATE ROLE sidecar", "import_snapshot", "set_archive_rule"), "gateway": ()}
    for page, starts in tried.items():
        assert [sum(start in text for start in starts) for text in blocks(page)] == [1] * len(starts), page


def test_encoding_and_version_are_told(db, operator):
    assert operator.psql(block("database", "pg_encoding_to_char")).startswith("reason|UTF8|1")


def test_the_backup_role_dumps_the_database(db, operator, server, tmp_path):
    operator.psql(block("database", "CREATE ROLE nightly"))
    command, = [line for line in block("database", "pg_dump", "sh").splitlines() if line.startswith("pg_dump")]
    place = server.conninfo("reason", user="nightly")
    shown = "host=/run/postgresql user=nightly dbname=reason"
    assert shown in command and "--file=reason.dump" in command
    command = command.replace(shown, place).replace("pg_dump ", f"{PG_BIN}/pg_dump ", 1)
    subprocess.run(["bash", "-euc", command], check=True, cwd=tmp_path, timeout=120)
    listed = subprocess.run([PG_BIN / "pg_restore", "--list", "reason.dump"], check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "TABLE DATA reason node" in listed and "TABLE DATA reason audit_event" in listed


def test_who_was_given_a_privilege_to_read_is_told(db, operator):
    shown = block("database", "sees_all_rows")
    assert operator.psql(shown) == ""
    db("GRANT SELECT ON reason.node TO pg_monitor")
    db("GRANT SELECT ON reason.edge TO public")
    assert sorted(operator.psql(shown).splitlines()) == ["edge|public|f", "node|pg_monitor|f"]
    db("REVOKE SELECT ON reason.node FROM pg_monitor")
    db("REVOKE SELECT ON reason.edge FROM public")


def test_a_write_in_two_phases_is_sealed_once_it_is_committed(db, operator):
    before = db.one("SELECT count(*) FROM reason.node")
    text = block("database", "PREPARE TRANSACTION")
    prepared, committed = text.split("-- later, in whatever session of this database:\n")
    operator.psql(prepared)
    assert db("SELECT gid FROM pg_prepared_xacts") == [("order 4711",)] and db.one("SELECT count(*) FROM reason.node") == before
    operator.psql(committed)
    db.settle()
    assert db.one("SELECT count(*) FROM reason.node") == before + 1 and db.verify("default")["ok"]


def test_what_a_pooler_needs_are_settings_that_there_are(db, operator):
    db("CREATE ROLE gateway LOGIN IN ROLE reason_gateway")
    text = block("database", "ALTER ROLE gateway")
    operator.psql(text)
    settings = dict(setting.split("=", 1) for setting in db.one("SELECT rolconfig FROM pg_roles WHERE rolname = 'gateway'"))
    assert settings == dict(re.findall(r"SET (\S+) = '(\S+)'", text)) and len(settings) == 4


def test_rules_of_redaction_are_tried_and_tuned(db, operator):
    db("SELECT reason.add_node('observation', '\"badge S-1234\"', 'ada')")
    said = operator.psql(block("redaction", "set_pii_rule"))
    assert '"S-1234"' in said and '(030) 123-4567' in said
    rules = {name for name, in db("SELECT name FROM reason.pii_rule WHERE NOT builtin")}
    assert {"names", "email", "phone"} <= rules and "staff number" not in rules
    assert db.one("SELECT reason.redact_text('ops@example.com, ada@example.net')") == "ops@example.com, [redacted:email]"


def test_the_sidecars_role_key_and_archive_rule(db, operator):
    text = block("sidecar", "CREATE ROLE sidecar")
    key = "-----BEGIN PUBLIC KEY----- …"
    assert key in text
    operator.psql(text.replace(key, pem(Signer("audit-2026", b"documented"))))
    assert ("audit-2026",) in db("SELECT signer_id FROM reason.signer")
    assert db.one("SELECT pg_has_role('sidecar', 'reason_sidecar', 'MEMBER')")
    operator.psql(block("sidecar", "set_archive_rule"))
    assert db("SELECT retain_days, legal_hold FROM reason.archive_rule WHERE division = 'trading'") == [(2555, True)]


def test_a_snapshot_is_imported_by_the_documented_command(db, operator, server):
    """Under the signer that the page names."""
    with server.connect() as admin:
        admin.execute("CREATE DATABASE other")
    source = Database("other", server)
    source("CREATE EXTENSION reasoning_graph")
    source.signer = Signer("audit-2026", b"documented")
    source("SELECT reason.add_signer(%s, %s)", source.signer.name, source.signer.public.raw.hex())
    node = source.one("SELECT reason.add_node('decision', '1', 'ada')")
    source.settle()
    snapshot = source.one("SELECT reason.create_snapshot(%s)", [node])
    document, hashed = source.row("SELECT reason.snapshot_document(id), hash FROM reason.snapshot WHERE id = %s", snapshot)
    registry = source.one("SELECT reason.signer_registry()")
    source.connection.close()
    said = operator.psql(block("sidecar", "import_snapshot"), document=document, registry=json.dumps(registry),
                         signature=base64.b64encode(source.signer.sign(bytes.fromhex(hashed))).decode())
    assert said.strip() == f"imported-{snapshot}"
    assert db.one("SELECT count(*) FROM reason.node WHERE division = %s", said.strip()) == 1


def pem(signer):
    """What `openssl pkey -pubout` prints."""
    der = bytes.fromhex("302a300506032b6570032100") + signer.public.raw
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
