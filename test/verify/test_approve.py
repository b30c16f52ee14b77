"""reason-approve: what it shows is what it signs, with a key from a file or a token; and the whole way of docs/for-operators/approvals.md."""
import base64
import json
import os
import pty
import re
import subprocess
import time

import pytest

import shared_server
from evidence import canonical
from hsm import MODULE, Token
from paths import APPROVE, ROOT, VERIFY
from sealing import create_database, drop_database
from signer import make_keys

NOW = time.time()


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))


def document(**changes):
    return {"type": "reasoning-graph/proposal/v1", "id": "00000000-0000-7000-8000-000000000001", "change": "set_client", "kind": "client",
            "arguments": {"name": "root", "role": "admin", "divisions": ["*"], "issuer": None}, "database": {"origin": "log.example.org/system", "system": "7"},
            "head": {"seq": 4, "hash": "00" * 32}, "nonce": "11" * 32, "proposedAt": rfc3339(NOW), "expiresAt": rfc3339(NOW + 86400), **changes}


def approve(*arguments, text=None, **options):
    return subprocess.run([APPROVE, *arguments], input=text, capture_output=True, timeout=60, check=False, **options)


@pytest.fixture
def key(tmp_path):
    return make_keys(tmp_path)


def verifies(tmp_path, public, message, signature):
    (tmp_path / "public.pem").write_text(public)
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "public.pem", "-rawin", "-in", tmp_path / "message",
                           "-sigfile", tmp_path / "signature"], capture_output=True, check=False).returncode == 0


def test_it_signs_the_canonical_text(key, tmp_path):
    """With or without a line's end behind it, as OpenSSL verifies."""
    private, public = key
    text = canonical(document())
    (tmp_path / "proposal.json").write_bytes(text + b"\n")
    from_file = approve("--yes", "--key-file", private, tmp_path / "proposal.json")
    from_input = approve("-yk", private, "-", text=text)
    assert from_file.returncode == from_input.returncode == 0, from_file.stderr
    assert from_file.stdout == from_input.stdout and verifies(tmp_path, public, text, from_file.stdout)


def test_the_public_key_is_as_it_is_registered(key):
    private, public = key
    assert approve("--key-file", private, "--public-key").stdout.decode().strip() == "".join(public.split("\n")[1:-2])


def test_a_key_in_a_token_signs(tmp_path):
    (tmp_path / "hsm").mkdir()
    token = Token(tmp_path / "hsm")
    options = ["--module", MODULE, "--token", "reason", "--pin-file", token.pin_file]
    text = canonical(document())
    signed = approve("-y", *options, "--key-label", "audit", "-", text=text, env=token.shell)
    assert signed.returncode == 0, signed.stderr
    spki = bytes.fromhex("302a300506032b6570032100" + token.public_key())
    pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(spki).decode()}\n-----END PUBLIC KEY-----\n"
    assert verifies(tmp_path, pem, text, signed.stdout)
    assert approve("-P", *options, "--key-id", "a1b2", env=token.shell).stdout.strip() == base64.b64encode(spki)
    assert approve("-y", *options, "--key-label", "other", "-", text=text, env=token.shell).returncode == 2


def test_it_shows_everything_and_nothing_that_steers_a_terminal(key):
    text = canonical(document(arguments={"name": "ro\u202eot\u001b[2J", "role": "admin"}))
    shown = approve("--show", "-", text=text)
    said = shown.stderr.decode()
    assert shown.returncode == 0 and shown.stdout == b""
    for name, value in document().items():
        assert name in said and (isinstance(value, dict) or value in said)
    assert "\u202e" not in said and "\x1b" not in said and r"\u202e" in said


def test_members_within_members_cannot_be_taken_for_arguments(key):
    """Each level stands further in than what holds it, and what is empty says so."""
    text = canonical(document(arguments={"path": {"role": {"name": "admin"}, "none": {}}, "role": "reader"}))
    lines = [line for line in approve("--show", "-", text=text).stderr.decode().splitlines() if line.split()[:1] in (["path"], ["role"], ["name"], ["none"])]
    assert [(len(line) - len(line.lstrip()), line.split()) for line in lines] == [
        (2, ["path"]), (4, ["none", "{}"]), (4, ["role"]), (6, ["name", '"admin"']), (2, ["role", '"reader"'])]


@pytest.mark.parametrize("text, said", (
    (b"", "JSON"), (b"{", "JSON"), (b"[]", "is no proposal"), (b"x" * 5000, "too large"), (canonical({"type": "other"}), "is no proposal"),
    (json.dumps(document()).encode(), "not as the database wrote it"), (canonical(document()) + b" ", "not as the database wrote it"),
    # Two members of one name: one is shown, the other is meant.
    (canonical(document()).replace(b'"role":"admin"', b'"role":"admin","role":"reader"'), "twice"),
    (canonical(document(expiresAt=rfc3339(NOW - 60))), "has expired"), (canonical(document(expiresAt="soon")), "no whole proposal"),
    (canonical(document(arguments=[])), "no whole proposal"), (canonical({k: v for k, v in document().items() if k != "id"}), "no whole proposal"),
))
def test_what_is_no_proposal_is_not_signed(key, text, said):
    answer = approve("--yes", "--key-file", key[0], "-", text=text)
    assert answer.returncode == 2 and answer.stdout == b"" and (said in answer.stderr.decode() or said == "JSON"), answer.stderr


@pytest.mark.parametrize("options", ([], ["--yes"], ["--key-file", "a", "--module", "b", "-"], ["--module", "b", "-"], ["--nonsense"], ["--key-file", "a", "-P", "-"],
                                     ["-k", "/nowhere", "-y", "-"], ["-k", "/dev/null", "-y", "-"]))
def test_what_it_cannot_be_asked(options):
    answer = approve(*options, text=canonical(document()))
    assert answer.returncode == 2 and answer.stdout == b"" and answer.stderr


def test_a_key_that_others_may_read_does_not_sign(key):
    key[0].chmod(0o644)
    assert approve("-yk", key[0], "-", text=canonical(document())).returncode == 2


@pytest.mark.parametrize("answer, code", ((b"yes\n", 0), (b"no\n", 1), (b"\n", 1), (b"yes please\n", 1)))
def test_it_asks_whoever_sits_at_the_terminal(key, tmp_path, answer, code):
    (tmp_path / "proposal.json").write_bytes(canonical(document()))
    child, terminal = pty.fork()
    if child == 0:
        os.execv(APPROVE, [str(APPROVE), "--key-file", str(key[0]), str(tmp_path / "proposal.json")])
    said = b""
    while b"Type yes" not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, answer)
    try:
        while piece := os.read(terminal, 4096):
            said += piece
    except OSError:
        # What a terminal says when its last program has ended
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    assert bool(re.search(rb"^[A-Za-z0-9+/]{86}==", said, re.M)) == (code == 0), said


# ---------------------------------------------------------------- the page for operators


def test_the_page_for_operators_leads_the_whole_way(tmp_path):
    page = (ROOT / "docs/for-operators/approvals.md").read_text()
    *way, audit = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    assert len(way) > 8 and "reason-verify" in audit
    (tmp_path / "hsm").mkdir()
    token = Token(tmp_path / "hsm")
    with shared_server.shared_server():
        db = create_database("approvals_page")
        try:
            db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
            db.settle()
            settings = db.connection.info
            shell = {**token.shell, "PATH": f"{APPROVE.parent}:{VERIFY.parent}:{os.environ['PATH']}", "PGHOST": settings.host, "PGPORT": str(settings.port),
                     "PGUSER": settings.user, "PGDATABASE": db.name}

            def run(script):
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=200, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout + done.stderr

            run("\n".join(way))
            assert db.row("SELECT role, divisions FROM reason.client WHERE name = 'root'") == ("admin", ["*"])
            assert db.one("SELECT valid_to IS NOT NULL FROM reason.approver WHERE approver_id = 'eve'")
            db.settle()
            assert db("SELECT what, detail FROM reason.verify_all() WHERE NOT ok") == []
            segment = tmp_path / "audit/system/2026/11/29"
            segment.mkdir(parents=True)
            (segment / "0-99.jsonl").write_text("".join(line + "\n" for line, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY seq")))
            (tmp_path / "signers.json").write_text(json.dumps(db.one("SELECT reason.signer_registry()")))
            assert "3 changes have the approvals that they needed" in run(audit)
        finally:
            drop_database(db)
