"""A lost database is rebuilt into an empty one from its archive, by the registry of signers that the operator kept."""

import base64
import hashlib
import json
import shutil
import subprocess
import urllib.parse

import psycopg
import pytest

from database import Database, SIGNER_ID
from fresh_database import create_database, drop_database
from hostile import Hostile
from reason_sidecar import Sidecar
from restored import SAFE_MODE, chain, settle
from wait import wait_for


def empty(server, name):
    """As CREATE EXTENSION leaves it."""
    drop_database(server.conninfo, name)
    create_database(server.conninfo, name)
    made = Database.__new__(Database)
    made.server, made.name = server, name
    made.connection = made.connect()
    return made


@pytest.fixture(scope="module")
def archive(server, keys, tmp_path_factory):
    """What a database left behind: the archive, the store, the registry that was kept, its chain."""
    left = tmp_path_factory.mktemp("left")
    for name in ("archive", "store"):
        (left / name).mkdir()
    database = Database(server, "lost", keys[1])
    settings = {"database": {"conninfo": server.conninfo("lost", "sidecar")}, "signer": {"id": SIGNER_ID, "type": "local", "key_file": keys[0]},
                "store": {"url": f"file://{left}/store"}, "archive": {"url": f"file://{left}/archive", "interval_s": 1}}
    one = Sidecar(left, settings).start()
    root = database.node("a cause")
    database.value("SELECT reason.set_client('kernel', 'writer')")
    database.value("SELECT reason.set_quota('kernel', 'default', 100)")
    database.nodes(3, "other")
    database.completed(database.snapshot(root))
    settle(database, settings)
    assert one.stop() == 0
    registry = json.dumps(database.value("SELECT reason.signer_registry()"))
    known = chain(database)
    database.connection.close()
    return left, registry, known


@pytest.fixture
def lost(archiving, archive, tmp_path):
    """A copy of it for each test."""
    left, registry, known = archive
    for name in ("archive", "store"):
        shutil.copytree(left / name, tmp_path / name, dirs_exist_ok=True)
    (tmp_path / "registry.json").write_text(registry)
    return archiving, tmp_path / "registry.json", known


def in_safe_mode(server, sidecars, settings, name):
    database = empty(server, name)
    one = sidecars({**settings, "database": {"conninfo": server.conninfo(name, "sidecar")}}).start(ready=False)
    wait_for(lambda: f"\n{SAFE_MODE} 1\n" in one.get("/metrics")[1], 15, f"safe mode: {one.log()[-1000:]}")
    return database, one


def recover(sidecar, *options):
    done = sidecar.run("--recover", *options)
    return done.returncode, done.stdout + done.stderr


def untouched(database):
    return database.rows("SELECT (SELECT count(*) FROM reason.audit_seal), (SELECT count(*) FROM reason.client),"
                         " (SELECT count(*) FROM reason.signer WHERE signer_id <> 'own')") == [(0, 0, 0)]


def test_a_lost_database_comes_back_by_the_registry_that_was_kept(server, sidecars, lost):
    settings, registry, known = lost
    database, one = in_safe_mode(server, sidecars, settings, "rebuilt")
    code, said = recover(one)
    assert code == 1 and "a registry of signers that was kept outside" in said and "--registry" in said
    assert untouched(database)
    code, said = recover(one, "--registry", registry)
    assert code == 0, said
    wait_for(lambda: f"\n{SAFE_MODE} 0\n" in one.get("/metrics")[1], 30, f"the end of safe mode: {one.log()[-1000:]}")
    database.node("it goes on")
    database.settled()
    now = chain(database)
    assert {place: now.get(place) for place in known} == known
    assert database.rows("SELECT nodes_per_day FROM reason.quota") == [(100,)]
    assert all(database.verified(division) for division in ("default", "other", "system"))
    database.connection.close()


def test_the_registry_may_stand_in_the_configuration(server, sidecars, lost):
    settings, registry, _ = lost
    settings["archive"]["registry_file"] = registry
    database, one = in_safe_mode(server, sidecars, settings, "configured")
    code, said = recover(one)
    assert code == 0, said
    database.connection.close()


@pytest.mark.parametrize("text, refusal", ((None, "cannot read the registry"), ("{", "cannot read the registry"), ("[]", "no array"),
                                           ('{"signers": 1}', "no array"), ('{"signers": []}', "who is not registered|does not know")))
def test_what_is_no_registry_is_refused(server, sidecars, lost, text, refusal):
    settings, registry, _ = lost
    if text is None:
        registry.unlink()
    else:
        registry.write_text(text)
    database, one = in_safe_mode(server, sidecars, settings, "unregistered")
    code, said = recover(one, "--registry", registry)
    assert code == 1 and any(part in said for part in refusal.split("|")), said
    assert untouched(database)
    database.connection.close()


def dropped(database):
    try:
        database.connection.execute("DROP EXTENSION reasoning_graph CASCADE")
        return True
    except psycopg.errors.DeadlockDetected:
        return False


def test_a_database_with_events_of_its_own_is_refused_and_left_as_it_was(server, sidecars, lost, keys):
    """Its events would come to lie behind those of the archive, and contradict them."""
    settings, registry, known = lost
    for statement in ("SELECT reason.add_signer(%s, %s)", "SELECT reason.set_client(%s, 'reader')"):
        database, one = in_safe_mode(server, sidecars, settings, "own")
        database.value(statement, *(("own", keys[1]) if "signer" in statement else ("own",)))
        before = database.rows("SELECT event_type FROM reason.audit_event ORDER BY no")
        code, said = recover(one, "--registry", registry)
        assert code == 1 and "holds an event of its own" in said and "as CREATE EXTENSION leaves it" in said, said
        assert database.rows("SELECT event_type FROM reason.audit_event ORDER BY no") == before
        # What the message says to do, does; while the sidecar reads several tables, it may be the one that a deadlock ends.
        wait_for(lambda: dropped(database), 30)
        database.connection.execute("CREATE EXTENSION reasoning_graph")
        wait_for(lambda: database.value("SELECT since FROM reason.safe_mode"), 30, f"safe mode again: {one.log()[-2000:]}")
        code, said = recover(one, "--registry", registry)
        assert code == 0, said
        assert known.keys() <= chain(database).keys()
        one.stop()
        database.connection.close()


# ---------------------------------------------------------------- names that no division can have

STRANGE = (" first", "-", "a..b", "default ", "\u202edefault", "x" * 64, "x" * 255, "\u00e9" * 127)


def test_strange_folders_in_the_archive_hide_nothing_and_are_passed_over(server, sidecars, lost, tmp_path):
    """Whoever may write to the archive could else have an empty database go on as if it were the first."""
    settings, registry, known = lost
    for name in STRANGE:
        shutil.copytree(tmp_path / "archive/audit/other", tmp_path / "archive/audit" / name)
    (tmp_path / "archive/audit/!a file.jsonl").write_text("{}\n")
    database, one = in_safe_mode(server, sidecars, settings, "strange")
    code, said = recover(one, "--registry", registry)
    assert code == 0, said
    for name in (*STRANGE, "!a file.jsonl"):    # what would turn the line is escaped
        assert name.replace("\u202e", "\\u202e").encode()[:60].decode(errors="ignore") in said, name
    assert said.count("no division can have that name") >= len(STRANGE) + 1
    assert known.keys() <= chain(database).keys()
    assert database.rows("SELECT DISTINCT division FROM reason.audit_seal ORDER BY 1") == [("default",), ("other",), ("system",)]
    one.stop()
    database.connection.close()


def listing(*keys):
    """A store that holds these, one a page."""
    def answer(_method, path, _headers, _body):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query, keep_blank_values=True))
        if "versions" not in query:
            return 200, [], b"<ListBucketResult><Name>reason</Name></ListBucketResult>"
        found = sorted(key for key in keys if key.startswith(query.get("prefix", "")) and key.encode() > query.get("key-marker", "").encode())
        entry = f"<Version><Key>{urllib.parse.quote(found[0])}</Key><VersionId>1</VersionId><IsLatest>true</IsLatest></Version>" if found else ""
        more = f"<NextKeyMarker>{urllib.parse.quote(found[0])}</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>" if found[1:] else ""
        prefix = urllib.parse.quote(query.get("prefix", ""))
        return 200, [], (f"<ListVersionsResult><Prefix>{prefix}</Prefix><EncodingType>url</EncodingType><IsTruncated>{'true' if found[1:] else 'false'}</IsTruncated>"
                         f"{more}{entry}</ListVersionsResult>").encode()
    return answer


@pytest.mark.parametrize("first", ["audit/", "audit//x", "audit//0/0-9.jsonl", "audit/!", "audit/" + "0" * 300 + "/0-9.jsonl"])
def test_an_object_with_an_empty_or_endless_name_hides_no_division(server, sidecars, settings, tmp_path, first):
    store = Hostile(listing(first, "audit/default/2026/01/01/0-9.jsonl"))
    (tmp_path / "credentials").write_text("aws_access_key_id = a\naws_secret_access_key = b\n")
    settings["archive"] = {"url": "s3://reason", "interval_s": 1}
    settings["store"].update(endpoint=store.url, path_style="yes", credentials_file=tmp_path / "credentials")
    database, one = in_safe_mode(server, sidecars, settings, "hidden")
    assert 'the archive holds events 0 to 9 of division "default"' in database.value("SELECT reason FROM reason.safe_mode")
    one.stop()
    store.close()
    database.connection.close()


# ---------------------------------------------------------------- forgeries


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Forger:
    """Writes an archive anew, hashes and all, with a key of his own."""

    def __init__(self, tmp_path):
        self.root = tmp_path / "archive"
        self.key = tmp_path / "eve.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True, capture_output=True)
        self.public = base64.b64encode(subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                                                      capture_output=True).stdout).decode()

    def sign(self, digest):
        path = self.key.with_suffix(".hash")
        path.write_bytes(digest)
        return base64.b64encode(subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", path], check=True,
                                               capture_output=True).stdout).decode()

    def segments(self, division):
        paths = [p for p in (self.root / "audit" / division).rglob("*.jsonl") if not p.name.endswith(".contents.jsonl")]
        return sorted(paths, key=lambda p: int(p.name.split("-")[0]))

    def rewrite(self, division, change, signed_by=lambda event: True):
        """change(event) alters an event in place; everything from the first one on is hashed and signed anew."""
        previous = None
        for path in self.segments(division):
            lines = []
            for line in path.read_text().splitlines():
                event = json.loads(line)
                change(event)
                event["prevHash"] = previous
                digest = hashlib.sha256(canonical(event["payload"]).encode() + bytes.fromhex(previous or ""))
                if event["hash"] != digest.hexdigest() or signed_by(event):
                    event["hash"], event["signature"] = digest.hexdigest(), self.sign(digest.digest())
                previous = event["hash"]
                lines.append(canonical(event))
            path.chmod(0o644)
            path.write_text("\n".join(lines) + "\n")


def own_key_under_a_known_name(forger, registry):
    def change(event):
        if event["eventType"] == "signer.added":
            event["payload"]["signer"]["publicKey"] = forger.public
        if event["eventType"] == "client.changed" and "client" in event["payload"]:
            event["payload"]["client"]["role"] = "admin"
    forger.rewrite("system", change)
    return f'registers a key or a purpose that is not that of signer "{SIGNER_ID}"'


def own_key_under_its_own_name(forger, registry):
    def change(event):
        event["signerId"] = "eve"
        if event["eventType"] == "signer.added":
            event["payload"]["signer"].update(publicKey=forger.public, signerId="eve")
    forger.rewrite("system", change)
    return 'signer "eve", whom the registry does not know'


def one_event_altered_and_signed_anew(forger, registry):
    def change(event):
        if event["eventType"] == "client.changed" and "client" in event["payload"]:
            event["payload"]["client"]["role"] = "admin"
    forger.rewrite("system", change, lambda event: False)
    return f'is not that of signer "{SIGNER_ID}"'


def a_signer_added(forger, registry):
    def change(event):
        if event["eventType"] == "client.changed" and "client" in event["payload"]:
            event["eventType"] = event["payload"]["eventType"] = "signer.added"
            del event["payload"]["client"]
            event["payload"]["signer"] = {"signerId": "eve", "algorithm": "ed25519", "publicKey": forger.public, "status": "active",
                                          "validFrom": event["ts"], "validTo": None, "revokedAt": None, "revocationReason": None}
    forger.rewrite("system", change, lambda event: False)
    return 'signer "eve", whom the registry does not know'


def a_key_that_was_revoked(forger, registry):
    held = json.loads(registry.read_text())
    held["signers"][0].update(status="revoked", validTo=held["signers"][0]["validFrom"])
    registry.write_text(json.dumps(held))
    return "whose key was revoked by then"


def no_beginning(forger, registry):
    path = forger.segments("system")[0]
    lines = path.read_text().splitlines()
    last = path.name.split("-")[1]
    path.rename(path.with_name(f"1-{last}"))
    path.with_name(f"1-{last}").write_text("\n".join(lines[1:]) + "\n")
    return "event 0, the beginning, is missing"


@pytest.mark.parametrize("forgery", (own_key_under_a_known_name, own_key_under_its_own_name, one_event_altered_and_signed_anew,
                                     a_signer_added, a_key_that_was_revoked, no_beginning))
def test_a_forged_archive_makes_nobody_an_administrator(server, sidecars, lost, tmp_path, forgery):
    settings, registry, _ = lost
    refusal = forgery(Forger(tmp_path), registry)
    database, one = in_safe_mode(server, sidecars, settings, "forged")
    code, said = recover(one, "--registry", registry)
    assert code == 1 and refusal in said, said
    assert database.value("SELECT count(*) FROM reason.client WHERE role = 'admin'") == 0
    assert database.value("SELECT count(*) FROM reason.signer WHERE signer_id = 'eve' OR public_key = reason.public_key(%s)",
                          Forger(tmp_path).public) == 0
    database.connection.close()
