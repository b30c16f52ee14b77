"""The transit engine of a real Vault. It is built first, which takes minutes: REASON_VAULT=real (make check-vault)."""

import base64
import os
import re
import subprocess
import time

import pytest

from counterpart import CHECKPOINT, build_counterpart, signer_file
from vault_server import Vault
from wait import wait_for

if os.environ.get("REASON_VAULT") != "real":
    pytest.skip("the test with a real Vault is asked for by REASON_VAULT=real", allow_module_level=True)


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    running = Vault(tmp_path_factory.mktemp("vault"))
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def a_fresh_key(vault):
    vault.call("POST", "transit/keys/audit", {"type": "ed25519"})
    yield
    vault.call("POST", "transit/keys/audit/config", {"deletion_allowed": True})
    vault.call("DELETE", "transit/keys/audit")


@pytest.fixture
def transit(database, settings, sidecars, vault, tmp_path):
    """Starts a sidecar that signs with the key in Vault; its first version is registered."""
    database.value("SELECT reason.add_signer('vault-1', %s)", vault.key(1))
    path = tmp_path / "token"
    path.write_text(vault.token() + "\n")

    def start(ready=True, **signer):
        return sidecars({**settings, "signer": {"id": "vault-1", "type": "vault", "url": vault.url, "key_id": "audit", "token_file": path,
                                                "timeout_ms": 2000, **signer}}).start(ready)
    start.token_file = path
    return start


def works(database, signer, seconds=20):
    snapshot = database.snapshot(database.node())
    database.completed(snapshot, seconds)
    database.settled(seconds)
    assert database.verified()
    assert database.value("SELECT signer_id FROM reason.snapshot WHERE id = %s", snapshot) == signer
    assert database.value("SELECT ok FROM reason.verify_snapshot(%s)", snapshot)
    return snapshot


def test_it_signs_with_a_token_that_may_do_nothing_else(database, transit, vault):
    one = transit()
    database.nodes(100)
    snapshot = works(database, "vault-1")
    assert vault.root not in one.log() and transit.token_file.read_text().strip() not in one.log()
    # Vault itself says that the signature is of its key
    digest, signature = database.rows("SELECT decode(hash, 'hex'), signature FROM reason.snapshot WHERE id = %s", snapshot)[0]
    answer = vault.call("POST", "transit/verify/audit", {"input": base64.b64encode(digest).decode(),
                                                         "signature": "vault:v1:" + base64.b64encode(signature).decode()})
    assert answer["data"]["valid"] is True


def test_a_rotation_changes_nothing_until_the_new_key_is_asked_for(database, transit, vault):
    one = transit(key_version=1)
    works(database, "vault-1")
    vault.call("POST", "transit/keys/audit/rotate", {})
    works(database, "vault-1")
    one.stop()
    one.start()
    works(database, "vault-1")
    one.stop()
    # what the runbook says
    database.value("SELECT reason.add_signer('vault-2', %s)", vault.key(2))
    transit(id="vault-2", key_version=2)
    database.value("SELECT reason.retire_signer('vault-1')")
    works(database, "vault-2")


def test_the_latest_version_is_pinned_when_the_signer_is_opened(database, transit, vault):
    one = transit()
    works(database, "vault-1")
    vault.call("POST", "transit/keys/audit/rotate", {})
    # it goes on with the version that it found
    works(database, "vault-1")
    one.stop()
    other = transit(ready=False)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "registered with another key" in other.log(), 10)
    assert database.status(snapshot) == "pending" and other.get("/ready")[0] == 503


def test_a_version_that_vault_no_longer_signs_with_signs_nothing(database, transit, vault):
    one = transit(key_version=1)
    works(database, "vault-1")
    vault.call("POST", "transit/keys/audit/rotate", {})
    vault.call("POST", "transit/keys/audit/config", {"min_encryption_version": 2})
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "Vault answered with status" in one.log(), 10)
    assert database.status(snapshot) == "pending"
    vault.call("POST", "transit/keys/audit/config", {"min_encryption_version": 1})
    database.completed(snapshot, 30)


def test_a_token_that_is_renewed_by_another_goes_on_and_one_that_expires_is_exchanged(database, transit, vault):
    token = vault.token(ttl="4s")
    transit.token_file.write_text(token + "\n")
    one = transit()
    for _ in range(4):
        # as Vault's agent does it
        vault.call("POST", "auth/token/renew-self", {"increment": "4s"}, token)
        works(database, "vault-1")
        time.sleep(1.5)
    time.sleep(4)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "Vault answered with status 403" in one.log(), 10)
    wait_for(lambda: one.get("/ready")[0] == 503, 10)
    assert database.status(snapshot) == "pending"
    transit.token_file.write_text(vault.token() + "\n")
    database.completed(snapshot, 30)
    works(database, "vault-1")


def test_a_sealed_vault_signs_when_it_is_unsealed(database, transit, vault):
    one = transit()
    works(database, "vault-1")
    vault.call("PUT", "sys/seal")
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "Vault answered with status 503" in one.log(), 10)
    assert database.status(snapshot) == "pending"
    vault.call("PUT", "sys/unseal", {"key": vault.unseal_key})
    database.completed(snapshot, 30)
    works(database, "vault-1")


def test_a_key_of_another_type_is_refused(sidecars, settings, vault, tmp_path):
    vault.call("POST", "transit/keys/other", {"type": "ecdsa-p256"})
    (tmp_path / "token").write_text(vault.root + "\n")
    answer = sidecars({**settings, "signer": {"id": "vault-1", "type": "vault", "url": vault.url, "key_id": "other", "token_file": tmp_path / "token"}}).check()
    assert answer.returncode == 1
    assert re.search('key "other" .*is not of type ed25519', answer.stderr), answer.stderr


def test_it_signs_messages_as_they_are(vault, tmp_path):
    """A checkpoint, by the second signer: Vault itself says that the signature is over the text."""
    program = build_counterpart()
    (tmp_path / "token").write_text(vault.token() + "\n")
    path = tmp_path / "conf"
    path.write_text(signer_file("checkpoint", {"id": "log-1", "type": "vault", "url": vault.url, "key_id": "audit", "token_file": tmp_path / "token"}))
    for message in (CHECKPOINT, b"m" * 4096):
        (tmp_path / "message").write_bytes(message)
        ended = subprocess.run([program, path, "sign-message", tmp_path / "message"], capture_output=True, text=True, timeout=60, check=True,
                               env={"ASAN_OPTIONS": "detect_leaks=0"})
        signature, said = ended.stdout.split()
        assert said == "ok"
        answer = vault.call("POST", "transit/verify/audit", {"input": base64.b64encode(message).decode(),
                                                             "signature": "vault:v1:" + base64.b64encode(bytes.fromhex(signature)).decode()})
        assert answer["data"]["valid"] is True


def test_checkpoints_are_signed_and_what_another_key_signed_is_none(database, sidecars, settings, vault, tmp_path):
    """By the second signer of a running sidecar; then the key of that name is another one, and Vault signs with it as if nothing were."""
    database.value("SELECT reason.add_signer('log-1', %s, purpose => 'checkpoints')", vault.key(1))
    (tmp_path / "token").write_text(vault.token() + "\n")
    one = sidecars({**settings, "checkpoint": {"signer": "log-1", "type": "vault", "url": vault.url, "key_id": "audit", "token_file": tmp_path / "token",
                                               "interval_s": 1, "state_file": tmp_path / "state"}}).start()

    def last():
        return database.value("SELECT max(size) FROM reason.audit_checkpoint_signature WHERE division = 'default'")
    database.nodes(5)
    database.settled()
    wait_for(lambda: last() == 5, 20, f"a checkpoint: {one.log()[-2000:]}")
    assert database.verified()
    vault.call("POST", "transit/keys/audit/config", {"deletion_allowed": True})
    vault.call("DELETE", "transit/keys/audit")
    vault.call("POST", "transit/keys/audit", {"type": "ed25519"})
    database.nodes(5)
    database.settled()
    wait_for(lambda: 'cannot sign the checkpoint of 10 events of "localhost/reason/default"' in one.log(), 30, f"a refusal: {one.log()[-2000:]}")
    assert last() == 5 and one.metric('reason_sidecar_failures_total{kind="signer"}') >= 1
    assert not (tmp_path / "store" / "tlog" / "default" / "checkpoints" / "10").exists()
