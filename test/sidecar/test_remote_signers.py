"""Signers behind an HTTP API: signing proxy, Vault's transit engine, AWS KMS.

Each is a small server that holds to what its documentation says of the requests: what is wrong in a request is
refused, and signatures are real ones of a real key. A real Vault is in test_vault.py; the others cannot be had.
"""

import base64
import hashlib
import hmac
import json
import threading

import pytest

from remote_signers import ACCESS, SECRET, Remote, proxy
from signer import Key
from wait import wait_for


@pytest.fixture
def service():
    running = Remote()
    yield running
    running.close()


@pytest.fixture
def key(tmp_path):
    return Key(tmp_path)


@pytest.fixture
def remote(database, settings, sidecars, service, key, tmp_path):
    """Starts a sidecar with a remote signer; the key is registered."""
    database.value("SELECT reason.add_signer('remote-1', %s)", base64.b64encode(key.spki).decode())
    (tmp_path / "token").write_text("s.token-1\n")
    (tmp_path / "credentials").write_text(f"aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")

    def start(ready=True, **signer):
        return sidecars({**settings, "signer": {"id": "remote-1", "url": service.url, "timeout_ms": 2000, **signer}}).start(ready)
    return start


def works(database, service):
    database.nodes(5)
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    database.settled()
    assert service.refused == []
    assert database.verified()
    assert database.value("SELECT DISTINCT signer_id FROM reason.audit_signature") == "remote-1"


def test_the_signing_proxy_signs(database, remote, service, key, tmp_path):
    service.respond = proxy(key)
    one = remote(type="proxy", token_file=tmp_path / "token")
    works(database, service)
    assert "s.token-1" not in one.log()


def test_a_token_that_was_replaced_counts_at_once(database, remote, service, key, tmp_path):
    service.respond = proxy(key)
    one = remote(type="proxy", token_file=tmp_path / "token")
    works(database, service)
    service.respond = proxy(key, token="s.token-2")
    database.node()
    wait_for(lambda: "answered with status 400" in one.log(), 10)
    (tmp_path / "token").write_text("s.token-2\n")
    service.refused.clear()
    database.settled(20)
    database.completed(database.snapshot(database.node()), 20)
    assert "s.token-2" not in one.log()


def test_a_signature_of_another_key_completes_nothing(database, remote, service, key, tmp_path):
    directory = tmp_path / "other"
    directory.mkdir()
    other = Key(directory)
    honest = proxy(key)

    def respond(method, path, headers, body):
        status, answer = honest(method, path, headers, body)
        if method == "POST":
            answer["signature"] = base64.b64encode(other.sign(base64.b64decode(json.loads(body)["digest"]))).decode()
        return status, answer
    service.respond = respond
    one = remote(False, type="proxy", token_file=tmp_path / "token")
    wait_for(lambda: one.get("/health")[0] == 200, 10)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: one.metric('reason_sidecar_failures_total{kind="signature_refused"}') > 0, 10)
    wait_for(lambda: one.get("/ready")[0] == 503, 5, "the end of readiness")
    assert database.status(snapshot) == "pending"
    assert database.value("SELECT count(*) FROM reason.audit_signature") == 0
    service.respond = honest
    database.completed(snapshot, 20)
    database.settled()


def test_a_silent_signer_holds_up_no_sealing(database, remote, service, key, tmp_path):
    honest = proxy(key)
    service.respond = honest
    remote(type="proxy", token_file=tmp_path / "token")
    database.node()
    database.settled()
    silence = threading.Event()

    def respond(*request):
        silence.wait(20)
        return honest(*request)
    service.respond = respond
    database.nodes(50)
    wait_for(lambda: database.value("SELECT (SELECT count(*) FROM reason.audit_event) = (SELECT count(*) FROM reason.audit_seal)"), 5, "sealing")
    assert database.waiting() > 0
    silence.set()
    database.settled(30)


def test_vault_signs_with_the_pinned_version(database, remote, service, key, tmp_path):
    """https://developer.hashicorp.com/vault/api-docs/secret/transit"""
    raw = base64.b64encode(key.spki[-32:]).decode()

    def respond(method, path, headers, body):
        assert headers["X-Vault-Token"] == "s.token-1"
        if method == "GET":
            assert path == "/v1/transit/keys/audit"
            return 200, {"data": {"type": "ed25519", "latest_version": 3, "keys": {"2": {"public_key": "AAAA"}, "3": {"public_key": raw}}}}
        ask = json.loads(body)
        assert path == "/v1/transit/sign/audit" and set(ask) == {"input", "key_version"} and ask["key_version"] == 3
        signature = key.sign(base64.b64decode(ask["input"], validate=True))
        return 200, {"data": {"key_version": 3, "signature": "vault:v3:" + base64.b64encode(signature).decode()}}
    service.respond = respond
    remote(type="vault", key_id="audit", token_file=tmp_path / "token")
    works(database, service)


def sigv4(headers, body, service_name, region):
    """What AWS makes of the request: the signature that it must have."""
    fields = dict(part.strip().split("=", 1) for part in headers["Authorization"].split(" ", 1)[1].split(","))
    names = fields["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-target", "content-type"} <= set(names)
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in names), "", ";".join(names), hashlib.sha256(body).hexdigest()])
    scope = f"{headers['x-amz-date'][:8]}/{region}/{service_name}/aws4_request"
    assert fields["Credential"] == f"{ACCESS}/{scope}"
    signing = ("AWS4" + SECRET).encode()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    for part in (*scope.split("/"), to_sign):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    assert fields["Signature"] == signing.hex()


def test_aws_kms_signs_the_message_raw(database, remote, service, key, tmp_path):
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html"""
    def respond(method, path, headers, body):
        sigv4(headers, body, "kms", "eu-west-1")
        ask = json.loads(body)
        assert (method, path, headers["content-type"]) == ("POST", "/", "application/x-amz-json-1.1")
        assert ask.pop("KeyId") == "alias/audit"
        if headers["x-amz-target"] == "TrentService.GetPublicKey":
            return 200, {"PublicKey": base64.b64encode(key.spki).decode(), "KeySpec": "ECC_NIST_EDWARDS25519"}
        assert headers["x-amz-target"] == "TrentService.Sign"
        message = base64.b64decode(ask.pop("Message"), validate=True)
        assert ask == {"MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"}
        return 200, {"Signature": base64.b64encode(key.sign(message)).decode()}
    service.respond = respond
    remote(type="aws-kms", key_id="alias/audit", region="eu-west-1", credentials_file=tmp_path / "credentials")
    works(database, service)


@pytest.mark.parametrize("bad", [1, 6, 20])
def test_a_wrong_signature_in_a_batch_is_not_remembered(database, remembering, sidecars, service, key, tmp_path, bad):
    """One answer of 64 bytes that are no signature: what is signed next is what the log remembers, live and after a restart."""
    honest, answers = proxy(key), []

    def respond(method, path, headers, body):
        status, document = honest(method, path, headers, body)
        if method == "POST" and answers and not answers.pop():
            document["signature"] = base64.b64encode(b"\x07" * 64).decode()
        return status, document

    service.respond = respond
    database.value("SELECT reason.add_signer('remote-1', %s)", base64.b64encode(key.spki).decode())
    (tmp_path / "token").write_text("s.token-1\n")
    signer = {"id": "remote-1", "type": "proxy", "url": service.url, "token_file": tmp_path / "token", "timeout_ms": 2000}
    one = sidecars({**remembering, "signer": signer}).start()
    database.node()
    database.settled(20)
    answers += [False] + [True] * (bad - 1)
    database.nodes(20)
    wait_for(lambda: not answers and database.waiting() == 0, 40, f"signatures: {one.log()[-2000:]}")
    assert "is not of its key" in one.log()
    for _ in range(2):
        database.nodes(2)
        database.settled(20)
        assert one.metric("reason_sidecar_log_stopped") == 0
        one.stop()
        one.start()
    assert database.verified()
