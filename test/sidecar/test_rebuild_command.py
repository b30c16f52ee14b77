"""One command rebuilds a lost database from archive and store alone, and names each loss."""

import json
import subprocess

import pytest

from database import Database, SIGNER_ID
from fresh_database import drop_database
from paths import PG_BIN, ROOT
from reason_sidecar import Sidecar
from restored import chain, settle

REBUILD = ROOT / "sidecar/reason-rebuild"


@pytest.fixture(params=["directory", "s3"])
def places(request, tmp_path):
    """Where archive and store lie: sections of the configuration, and how an object is removed."""
    if request.param == "directory":
        for name in ("archive", "store"):
            (tmp_path / name).mkdir()
        yield {"store": {"url": f"file://{tmp_path}/store"}, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1}}
        return
    s3_server = pytest.importorskip("s3_server")
    (tmp_path / "s3").mkdir()
    s3 = s3_server.S3(tmp_path / "s3")
    credentials = tmp_path / "credentials"
    credentials.write_text(f"aws_access_key_id = {s3_server.ACCESS}\naws_secret_access_key = {s3_server.SECRET}\n")
    bucket = f"s3://{s3_server.BUCKET}"
    yield {"store": {"url": f"{bucket}/snapshots", "endpoint": s3.endpoint, "region": s3_server.REGION, "path_style": "yes", "credentials_file": credentials},
           "archive": {"url": f"{bucket}/archive", "interval_s": 1}}
    s3.close()


@pytest.fixture
def left(server, keys, places, tmp_path):
    """What a database leaves behind that is gone: archive, store, configuration, registry. And what was in it."""
    database = Database(server, "gone", keys[1])
    settings = {"database": {"conninfo": server.conninfo("gone", "sidecar")}, "signer": {"id": SIGNER_ID, "type": "local", "key_file": keys[0]}, **places}
    one = Sidecar(tmp_path, settings).start()
    cause, erased = database.node("a cause"), database.node("to be erased")
    decision = database.value("SELECT reason.add_node('decision', '\"so\"', 'tester')")
    database.value("SELECT reason.add_edge(%s, %s, 'causal')", cause, decision)
    database.value("SELECT reason.annotate(%s, 'a remark')", decision)
    database.value("SELECT reason.set_client('kernel', 'writer')")
    database.nodes(3, "other")
    snapshot = database.snapshot(decision)
    database.completed(snapshot)
    settle(database, settings)
    database.value("SELECT reason.erase_payload(%s, 'asked for')", erased)
    database.nodes(3, "other")
    settle(database, settings)
    assert one.stop() == 0
    (tmp_path / "registry.json").write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    known = chain(database)
    database.connection.close()
    drop_database(server.conninfo, "gone")
    settings["database"]["conninfo"] = server.conninfo("gone", "rebuilder")
    yield Sidecar(tmp_path, settings), known, snapshot, decision
    drop_database(server.conninfo, "gone")


def rebuild(sidecar, *options, first=""):
    done = subprocess.run([REBUILD, *options, sidecar.path], capture_output=True, text=True, timeout=240, check=False,
                          env={**sidecar.environment, "PATH": f"{first}{PG_BIN}:{sidecar.environment['PATH']}"})
    return done.returncode, done.stdout + done.stderr


def options(server, tmp_path):
    return "--registry", tmp_path / "registry.json", "--admin", server.conninfo("postgres", "postgres")


def opened(server):
    """The database as it is, nothing made."""
    database = Database.__new__(Database)
    database.server, database.name = server, "gone"
    database.connection = database.connect()
    return database


def test_an_empty_server_one_command_and_everything_is_back(server, left, tmp_path):
    sidecar, known, snapshot, decision = left
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code == 0 and "nothing is lost" in said and "lost: " not in said, said
    database = opened(server)
    now = chain(database)
    assert {place: now.get(place) for place in known} == known
    assert database.value("SELECT ok FROM reason.verify_snapshot(%s)", snapshot)
    assert database.value("SELECT count(*) FROM reason.trace(%s)", decision) == 2
    assert database.value("SELECT role FROM reason.client WHERE name = 'kernel'") == "writer"
    assert database.value("SELECT payload IS NULL FROM reason.node WHERE id IN (SELECT (payload #>> '{erased,id}')::uuid FROM reason.audit_event WHERE event_type = 'payload.erased')")
    # Nothing of it runs on, and the sidecar's service may start.
    assert sidecar.start().stop() == 0
    # Again: it is all there.
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code == 1 and "nothing to rebuild from" in said, said
    assert chain(database).items() >= known.items()
    database.connection.close()


def segments(tmp_path, division, suffix):
    paths = [path for path in (tmp_path / "archive/audit" / division).rglob("*.jsonl") if path.name.endswith(".contents.jsonl") == (suffix == "contents")]
    return sorted(paths, key=lambda path: int(path.name.split("-")[0]))


@pytest.mark.parametrize("places", ["directory"], indirect=True)
def test_each_loss_is_named_and_keeps_nothing_else_from_coming_back(server, left, tmp_path):
    sidecar, known, snapshot, _ = left
    gone = segments(tmp_path, "other", "events")[0]
    gone.unlink()
    (tmp_path / f"store/snapshots/default/{snapshot}.json").unlink()
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code == 3 and "losses" in said, said
    lost = [line for line in said.splitlines() if line.startswith("lost: ")]
    assert any(f"the snapshot snapshots/default/{snapshot}.json" in line for line in lost), lost
    later = segments(tmp_path, "other", "events")[0].name.split(".")[0].split("-")
    assert any(f'events {later[0]} to {later[1]} of division "other"' in line for line in lost), lost
    assert any("safe mode does not end" in line for line in lost), lost
    database = opened(server)
    now = chain(database)
    assert {place for place in known if place not in now} == {place for place in known if place[0] == "other"}
    database.connection.close()


@pytest.mark.parametrize("places", ["directory"], indirect=True)
def test_a_content_that_is_gone_is_named(server, left, tmp_path):
    sidecar, known, _, _ = left
    for path in segments(tmp_path, "other", "contents"):
        path.unlink()
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code == 3 and 'lost: division "other" does not verify' in said, said
    database = opened(server)
    assert len(chain(database).keys() & known.keys()) == len(known)
    database.connection.close()


@pytest.mark.parametrize("places", ["directory"], indirect=True)
def test_a_server_is_named_by_a_uri_as_well(server, left, tmp_path):
    sidecar, known, _, _ = left
    place = f"postgresql://postgres@127.0.0.1:{server.port}"
    code, said = rebuild(sidecar, "--registry", tmp_path / "registry.json", "--admin", place)
    assert code == 0 and "nothing is lost" in said, said
    # with parameters behind it, and a database that is not the one to ask
    code, said = rebuild(sidecar, "--registry", tmp_path / "registry.json", "--admin", f"{place}/template1?connect_timeout=5")
    assert code == 1 and "nothing to rebuild from" in said, said
    code, said = rebuild(sidecar, "--registry", tmp_path / "registry.json", "--admin", "postgresql://postgres@127.0.0.1:1")
    assert code == 1 and "the server cannot be asked" in said, said


def failing_psql(tmp_path, holds, does):
    """A psql that does something else where the statements hold a word; the folder to look in first."""
    folder = tmp_path / "failing"
    folder.mkdir(exist_ok=True)
    (folder / "psql").write_text(f"""#!/bin/sh
statements=$(cat)
case $statements in *'{holds}'*) {does} ;; esac
printf '%s\\n' "$statements" | exec {PG_BIN}/psql "$@"
""")
    (folder / "psql").chmod(0o755)
    return f"{folder}:"


@pytest.mark.parametrize("places", ["directory"], indirect=True)
@pytest.mark.parametrize("holds, does, code, says", [
    # psql's own codes, 2 for a connection and 3 for an error, mean other things here
    ("AND NOT EXISTS (SELECT FROM reason.audit_seal)", "exit 2", 1, "cannot be asked what it holds"),
    ("reason.verify_all()", "exit 3", 1, "cannot be verified"),
    ("reason.chain_heads()", "exit 3", 1, "cannot be told"),
    ("(SELECT count(*) FROM reason.audit_signature)", "echo 2; exit 0", 3, "lost: 2 events at the ends of the chains were not signed"),
])
def test_what_cannot_be_asked_is_neither_a_loss_nor_none(server, left, tmp_path, holds, does, code, says):
    sidecar, _, _, _ = left
    found, said = rebuild(sidecar, *options(server, tmp_path), first=failing_psql(tmp_path, holds, does))
    assert (found, says in said, "nothing is lost" in said) == (code, True, False), said


@pytest.mark.parametrize("places", ["directory"], indirect=True)
def test_what_cannot_be_is_refused(server, left, tmp_path):
    sidecar, _, _, _ = left
    assert rebuild(sidecar)[0] == 2
    code, said = rebuild(sidecar, "--registry", tmp_path / "nowhere.json")
    assert code == 1 and "cannot read the registry" in said
    (tmp_path / "registry.json").write_text('{"signers": []}')
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code in (1, 3) and "does not know" in said, said
    database = opened(server)
    assert database.value("SELECT count(*) FROM reason.audit_seal") == 0
    database.connection.execute("DROP EXTENSION reasoning_graph CASCADE")
    database.connection.execute("CREATE EXTENSION reasoning_graph")
    database.value("SELECT reason.set_client('own', 'reader')")
    code, said = rebuild(sidecar, *options(server, tmp_path))
    assert code == 1 and "holds events of its own" in said, said
    database.connection.close()
