"""Proofs of events and nodes, the log as tiles, and who may read them, through SQL and the HTTP API."""
import base64
import io
import json
import subprocess
import zipfile

import psycopg
import pytest

from checkpoints import cosign, sign_checkpoints
from evidence import sha256
from log_evidence import consistency_of, leaf_hash, path_of, root_of, tile_path
from paths import VERIFY
from signer import Signer

CONFLICT = psycopg.errors.ObjectNotInPrerequisiteState
AUDITOR, READER, WRITER = "auditor", "reader", "writer"


@pytest.fixture(scope="module")
def log(db):
    db("SELECT reason.set_client('auditor', 'auditor', '{*}', true)")
    db("SELECT reason.set_client('reader', 'reader', '{default,own}', false)")
    db("SELECT reason.set_client('writer', 'writer', '{default}', true)")
    db.nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada')", json.dumps({"n": n})) for n in range(300)]
    db.edges = [db.one("SELECT reason.add_edge(%s, %s, 'causal')", *pair) for pair in zip(db.nodes, db.nodes[1:])]
    db.note = db.one("SELECT reason.annotate(%s, 'fine')", db.nodes[3])
    db("SELECT reason.add_node('observation', '{}', 'ada', division => 'own')")
    db.settle()
    sign_checkpoints(db)
    return db


def entries(db, division="default"):
    return [h for h, in db("SELECT hash FROM reason.audit_seal WHERE division = %s ORDER BY seq", division)]


def call(db, who, function, *arguments):
    """(status, headers, bytes) as the gateway gets them."""
    rows = db(f"SELECT * FROM reason.http_{function}(%s, NULL, '', 'r', NULL{', %s' * len(arguments)})", who, *arguments)
    status, headers, _ = rows[0]
    body = "".join(row[2] or "" for row in rows)
    headers = dict(line.split(": ", 1) for line in (headers or "").splitlines())
    return status, headers, bytes.fromhex(body) if headers.get("X-Reason-Body") == "hex" else body


def proved(db, proof):
    """The event in a proof, once its hash and the path to the root are found right."""
    head, note = proof.split("\n\n", 1)
    first, extra, index, *path = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    event = json.loads(base64.b64decode(extra.removeprefix("extra ")))
    index = int(index.removeprefix("index "))
    origin, size, root = note.split("\n\n")[0].split("\n")
    known = [leaf_hash(e) for e in entries(db, event["division"])]
    assert [base64.b64decode(h) for h in path] == path_of(index, known[:int(size)])
    assert base64.b64decode(root) == root_of(known[:int(size)]) and origin.endswith("/" + event["division"])
    assert event["seq"] == index and known[index] == leaf_hash(bytes.fromhex(event["hash"]))
    payload = db.one("SELECT reason.event_payload(e)::text FROM reason.audit_event e WHERE id = %s AND division = %s", event["id"], event["division"])
    assert json.loads(payload) == event["payload"] and "content" not in event
    previous = bytes.fromhex(event["prevHash"]) if event["prevHash"] else b""
    assert sha256(payload.encode() + previous).hex() == event["hash"]
    return event, int(size), note


def verifier(db, tmp_path, *paths):
    registry = tmp_path / "signers.json"
    registry.write_text(json.dumps(db.one("SELECT reason.signer_registry()")))
    return subprocess.run([VERIFY, "--json", "--registry", registry, *paths], capture_output=True, text=True, check=False)


# ---------------------------------------------------------------- proofs in SQL

def test_events_are_proved_by_the_definitions_and_by_the_verifier(log, tmp_path):
    paths = []
    for seq in (0, 1, 255, 256, 511, 598):
        event_id = log.one("SELECT id FROM reason.audit_events WHERE division = 'default' AND seq = %s", seq)
        proof = log.one("SELECT reason.event_proof(%s)", event_id)
        event, _, _ = proved(log, proof)
        assert (event["id"], event["seq"]) == (str(event_id), seq)
        paths.append(tmp_path / f"{seq}.tlog-proof")
        paths[-1].write_text(proof)
    node = log.one("SELECT reason.node_proof(%s)", log.nodes[7])
    assert proved(log, node)[0]["payload"]["node"]["id"] == str(log.nodes[7])
    done = verifier(log, tmp_path, *paths)
    assert done.returncode == 0, done.stdout + done.stderr
    paths[0].write_text(paths[0].read_text().replace("index 0", "index 1"))
    assert verifier(log, tmp_path, *paths).returncode == 1


def test_the_event_is_the_line_of_the_archive(log):
    token = log.token("archive")
    line, = log.row("SELECT event FROM reason.segment_lines(%s, 'default', 5, 5)", token)
    assert line == log.one("SELECT reason.event_line('default', 5)") + "\n"


def test_what_no_checkpoint_covers_yet_is_told(log):
    sign_checkpoints(log)
    node = log.one("SELECT reason.add_node('observation', '{}', 'ada')")
    for _ in ("without a place", "signed"):
        with pytest.raises(CONFLICT, match="no checkpoint covers"):
            log("SELECT reason.node_proof(%s)", node)
        status, headers, body = call(log, AUDITOR, "get_node_proof", str(node), "{}")
        assert (status, headers["Retry-After"], json.loads(body)["code"]) == (409, "10", "REASONING_GRAPH_CONFLICT")
        assert call(log, AUDITOR, "get_node_proof", str(node), '{"format":"bundle"}')[0] == 409
        log.settle()
    sign_checkpoints(log)
    proved(log, log.one("SELECT reason.node_proof(%s)", node))


def test_a_checkpoint_that_a_witness_saw_is_preferred(log):
    cosign(log, Signer("witness.example/w", b"w"))
    witnessed = log.one("SELECT size FROM reason.last_checkpoint('default')")
    log("SELECT reason.add_node('observation', '{}', 'ada')")
    log.settle()
    sign_checkpoints(log)
    _, size, note = proved(log, log.one("SELECT reason.node_proof(%s)", log.nodes[0]))
    assert size == witnessed and "\u2014 witness.example/w " in note
    newest = log.one("SELECT id FROM reason.node WHERE division = 'default' ORDER BY no DESC LIMIT 1")
    assert proved(log, log.one("SELECT reason.node_proof(%s)", newest))[1] > witnessed


def test_roles_of_sql(log):
    event = log.one("SELECT audit_event_id FROM reason.node WHERE id = %s", log.nodes[0])
    log("DROP ROLE IF EXISTS proofs_auditor")
    log("CREATE ROLE proofs_auditor IN ROLE reason_auditor")
    other = log.one("SELECT audit_event_id FROM reason.node WHERE division = 'own'")
    try:
        log("SET ROLE proofs_auditor")
        proof = log.one("SELECT reason.event_proof(%s)", event)
        with pytest.raises(psycopg.errors.NoDataFound):
            log("SELECT reason.event_proof(%s)", other)
        with pytest.raises(psycopg.errors.NoDataFound):
            log("SELECT reason.event_proof(gen_random_uuid())")
        log("SET ROLE reason_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            log("SELECT reason.event_proof(%s)", event)
    finally:
        log("RESET ROLE")
        log("DROP ROLE proofs_auditor")
    proved(log, proof)


# ---------------------------------------------------------------- over HTTP

def test_proofs_over_http(log):
    event = log.one("SELECT audit_event_id FROM reason.annotation WHERE id = %s", log.note)
    for who in (AUDITOR, WRITER):
        status, headers, body = call(log, who, "get_event_proof", str(event), "{}")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/plain; charset=utf-8", "private, no-cache")
        assert proved(log, body.decode())[0]["id"] == str(event)
        assert call(log, who, "get_node_proof", str(log.nodes[1]), "{}")[0] == 200
    for function, record in (("get_event_proof", event), ("get_node_proof", log.nodes[1])):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="personal data"):
            call(log, READER, function, str(record), "{}")
        with pytest.raises(psycopg.errors.NoDataFound):
            call(log, READER, function, "00000000-0000-4000-8000-000000000999", "{}")
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            call(log, AUDITOR, function, "none", "{}")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown parameter"):
            call(log, AUDITOR, function, str(record), '{"colour":"red"}')


def test_what_is_held_back_or_no_record_has_no_proof_for_others(log):
    held = log.one("SELECT reason.add_node('observation', '{}', 'ada')")
    edge = log.one("SELECT reason.add_edge(%s, %s, 'causal')", log.nodes[0], held)
    note = log.one("SELECT reason.annotate(%s, 'n')", held)
    log("SELECT reason.quarantine_records('node', ARRAY(SELECT no FROM reason.node WHERE id = %s), %s)", held, held)
    log.settle()
    sign_checkpoints(log)
    events = [log.one(f"SELECT audit_event_id FROM reason.{kind} WHERE id = %s", record) for kind, record in (("node", held), ("edge", edge), ("annotation", note))]
    for event in [*events, log.one("SELECT id FROM reason.audit_event WHERE division = 'system' LIMIT 1")]:
        assert call(log, AUDITOR, "get_event_proof", str(event), "{}")[0] == 200
        with pytest.raises(psycopg.errors.NoDataFound, match="does not exist"):
            call(log, WRITER, "get_event_proof", str(event), "{}")
    assert call(log, AUDITOR, "get_node_proof", str(held), "{}")[0] == 200
    for form in ("proof", "bundle"):
        with pytest.raises(psycopg.errors.NoDataFound, match="does not exist"):
            call(log, WRITER, "get_node_proof", str(held), json.dumps({"format": form}))
    log("SELECT reason.release_quarantine(%s, 'why not')", held)
    for event in events:
        assert call(log, WRITER, "get_event_proof", str(event), "{}")[0] == 200


def test_an_event_of_several_divisions(log):
    mine = "00000000-0000-4000-8000-0000000000aa"
    for division in ("one", "two"):
        log("SELECT reason.add_node('observation', '{}', 'ada', audit_event_id => %s, division => %s)", mine, division)
    log.settle()
    sign_checkpoints(log)
    with pytest.raises(CONFLICT, match="several divisions"):
        call(log, AUDITOR, "get_event_proof", mine, "{}")
    for division in ("one", "two"):
        assert proved(log, call(log, AUDITOR, "get_event_proof", mine, json.dumps({"division": division}))[2].decode())[0]["division"] == division


def test_a_bundle_holds_a_proof_of_each_record_of_the_reasoning(log, tmp_path):
    snapshot = log.one("SELECT reason.create_snapshot(%s, 4)", [log.nodes[5]])
    log.complete(snapshot)
    log.settle()
    sign_checkpoints(log)
    status, headers, body = call(log, WRITER, "get_node_proof", str(log.nodes[5]), '{"format":"bundle","depth":"4"}')
    assert (status, headers["Content-Type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    files = {i.filename: archive.read(i) for i in archive.infolist()}
    assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())
    expected = {f"node-{n}.tlog-proof" for n in log.nodes[1:6]} | {f"edge-{e}.tlog-proof" for e in log.edges[1:5]}
    assert {n for n in files if n.endswith(".tlog-proof")} == expected | {f"annotation-{log.note}.tlog-proof", f"snapshot-{snapshot}.tlog-proof"}
    checkpoint = files["checkpoint"].decode()
    for name, content in files.items():
        if name.endswith(".tlog-proof"):
            event, _, note = proved(log, content.decode())
            assert note == checkpoint
            assert event["payload"][name.split("-")[0]]["id"] == name.split("-", 1)[1].removesuffix(".tlog-proof")
    archive.extractall(tmp_path)
    done = verifier(log, tmp_path, *(tmp_path / n for n in files if n.endswith(".tlog-proof")), tmp_path / f"snapshot-{snapshot}.json")
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        call(log, WRITER, "get_node_proof", str(log.nodes[5]), '{"format":"bundle","limit":"2"}')
    for query in ('{"format":"tar"}', '{"depth":"1"}', '{"format":"bundle","limit":"1001"}'):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            call(log, WRITER, "get_node_proof", str(log.nodes[5]), query)


def test_tiles_are_those_of_the_last_checkpoint(log):
    sign_checkpoints(log)
    known = entries(log)
    note = call(log, READER, "get_log_checkpoint", "default", "{}", None)
    size = int(note[2].decode().split("\n")[1])
    assert (note[0], note[1]["Content-Type"], note[1]["Cache-Control"]) == (200, "text/plain; charset=utf-8", "private, no-cache")
    assert note[2].decode() == log.one("SELECT note FROM reason.last_checkpoint('default')")
    leaves = [leaf_hash(e) for e in known]
    for level, n, width in [(0, 0, 256), (0, 1, 256), (0, size // 256, size % 256), (0, 1, 7), (1, 0, size // 256)]:
        status, headers, body = call(log, READER, "get_log_tile", "default", tile_path(level, n, width).removeprefix("tile/"), "{}", None)
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/octet-stream", "private, max-age=31536000, immutable")
        step = 256 ** level
        assert body == b"".join(root_of(leaves[i * step:(i + 1) * step]) for i in range(n * 256, n * 256 + width))
        again = call(log, READER, "get_log_tile", "default", tile_path(level, n, width).removeprefix("tile/"), "{}", f'W/{headers["ETag"]}')
        assert (again[0], again[1]["ETag"], again[2]) == (304, headers["ETag"], "")
    bundle = call(log, READER, "get_log_tile", "default", f"entries/{size // 256:03}.p/{size % 256}", "{}", None)[2]
    assert bundle == b"".join(b"\0\x20" + e for e in known[size // 256 * 256:size])


@pytest.mark.parametrize("path", [
    "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/0", "0/00", "0/0000", "00/000", "64/000", "8/000", "2/000.p/1", "0/x000/000", "0/003", "0/x001/000",
    "x/000", "entries/000.p/0", "entries/999", "entries/", "0/000/", "0/000.p/", "0/000.p/1/2", "-1/000", "0/x999/x999/x999/x999/x999/999", "0/xx00/000",
    "0/000.p/257", "entries/x000/000", "0/x999/x999/x999/x999/x999/x999/999", "ä/000", "0/٠٠٠"])
def test_what_is_no_tile_is_not_there(log, path):
    with pytest.raises(psycopg.errors.NoDataFound, match="no tile"):
        call(log, READER, "get_log_tile", "default", path, "{}", None)


def test_nothing_is_there_before_it_is_published(log):
    sign_checkpoints(log)
    size = log.one("SELECT size FROM reason.last_checkpoint('default')")
    log("SELECT reason.add_node('observation', '{}', 'ada') FROM generate_series(1, 3)")
    log.settle()
    assert log.one("SELECT reason.tree_size('default')") == size + 3
    width = size % 256
    assert call(log, READER, "get_log_tile", "default", f"0/{size // 256:03}.p/{width}", "{}", None)[0] == 200
    with pytest.raises(psycopg.errors.NoDataFound):
        call(log, READER, "get_log_tile", "default", f"0/{size // 256:03}.p/{width + 1}", "{}", None)
    with pytest.raises(psycopg.errors.NoDataFound):
        call(log, READER, "get_log_consistency", "default", json.dumps({"from": "1", "to": str(size + 1)}))


def test_consistency(log):
    sign_checkpoints(log)
    size = log.one("SELECT size FROM reason.last_checkpoint('default')")
    leaves = [leaf_hash(e) for e in entries(log)]
    for old, new in ((1, size), (256, size), (300, 511), (size, size), (0, size)):
        status, headers, body = call(log, READER, "get_log_consistency", "default", json.dumps({"from": str(old), "to": str(new)}))
        answer = json.loads(body)
        assert (status, answer["from"], answer["to"], headers["Cache-Control"]) == (200, old, new, "private, max-age=31536000, immutable")
        assert [base64.b64decode(h) for h in answer["hashes"]] == (consistency_of(old, leaves[:new]) if old else [])
    status, headers, body = call(log, READER, "get_log_consistency", "default", '{"from":"5"}')
    assert (json.loads(body)["to"], headers["Cache-Control"]) == (size, "private, no-cache")
    for query in ("{}", '{"from":"-1"}', '{"from":"x"}', '{"from":"01"}', '{"from":"5","to":"4"}', f'{{"from":"{size + 1}"}}', '{"from":"1","colour":"red"}'):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            call(log, READER, "get_log_consistency", "default", query)


def test_a_log_is_there_for_who_sees_the_division(log):
    def said(who, name):
        try:
            return call(log, who, "get_log_checkpoint", name, "{}", None)[0]
        except psycopg.Error as error:
            return error.sqlstate, error.diag.message_primary.replace(name, "X"), error.diag.message_hint
    assert said(AUDITOR, "system") == 200 and said(READER, "own") == 200
    # What he may not see and what is not there are told alike.
    assert said(READER, "system") == said(READER, "nowhere") == said(READER, "own;2")[:2] + said(READER, "nowhere")[2:]
    assert said(AUDITOR, "nowhere")[0] == said(AUDITOR, "default;2")[0] == "P0002"
    assert said(AUDITOR, "default;2")[2] == 'The log of the division is named "default" now.'


# ---------------------------------------------------------------- divisions

def test_divisions(log):
    sign_checkpoints(log)
    seen = json.loads(call(log, AUDITOR, "get_divisions", "{}")[2])
    by_name = {d["division"]: d for d in seen["divisions"]}
    assert {"default", "own", "system"} <= set(by_name) and seen["client"] == {"name": "auditor", "role": "auditor", "pii": True}
    assert [d["division"] for d in seen["divisions"]] == sorted(by_name) and seen["truncated"] is False
    assert [n for n, d in by_name.items() if d["default"]] == ["default"]
    seq, digest = log.row("SELECT seq, encode(hash, 'hex') FROM reason.audit_seal WHERE division = 'default' ORDER BY seq DESC LIMIT 1")
    assert (by_name["default"]["head"]["seq"], by_name["default"]["head"]["hash"]) == (seq, digest)
    origin, size = log.row("SELECT origin, size FROM reason.last_checkpoint('default')")
    assert by_name["default"]["log"] == {"origin": origin, "size": size}
    listed = json.loads(call(log, READER, "get_divisions", "{}")[2])["divisions"]
    assert [(d["division"], d["default"], "head" in d) for d in listed] == [("default", True, False), ("own", False, False)]
    pages, cursor = [], None
    while True:
        page = json.loads(call(log, AUDITOR, "get_divisions", json.dumps({"limit": "2", **({"cursor": cursor} if cursor else {})}))[2])
        pages += page["divisions"]
        cursor = page.get("nextCursor")
        assert page["truncated"] == bool(cursor)
        if not cursor:
            break
    assert pages == seen["divisions"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="cursor"):
        call(log, AUDITOR, "get_divisions", '{"cursor":""}')


def test_the_division_that_is_meant_is_one_of_the_client_s(log):
    log("SELECT reason.set_client('elsewhere', 'reader', '{second,first}')")
    listed = json.loads(call(log, "elsewhere", "get_divisions", "{}")[2])["divisions"]
    # Granted, and nothing in it yet.
    assert listed == [{"division": "first", "default": False}, {"division": "second", "default": True}]
