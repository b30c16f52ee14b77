"""The second signer: what signs checkpoints, with a key of its own and whole messages instead of hashes.

Each call is made by the sidecar's own code (test/lib/counterpart.c); what it gives is verified under the key.
"""
import base64
import json
import shlex
import subprocess

import pytest

from counterpart import CHECKPOINT, DIGEST, build_counterpart, signer_file
from hsm import MODULE, Token
from paths import ROOT
from remote_signers import Remote, proxy
from signer import Key


@pytest.fixture(scope="module")
def program():
    return build_counterpart()


@pytest.fixture
def call(program, tmp_path):
    def run(path, what, *signed, **environment):
        files = []
        for number, message in enumerate(signed):
            files.append(tmp_path / f"signed-{number}")
            files[-1].write_bytes(message)
        ended = subprocess.run([program, path, what, *files], capture_output=True, text=True, timeout=60, check=True,
                               env={"ASAN_OPTIONS": "detect_leaks=0", **environment})
        return ended.stdout.split(), ended.stderr
    return run


def local(tmp_path, name):
    directory = tmp_path / name
    directory.mkdir()
    key = Key(directory)
    key.path.chmod(0o600)
    return key


def test_a_key_file_signs_messages(call, tmp_path):
    key = local(tmp_path, "log")
    path = tmp_path / "conf"
    path.write_text(signer_file("checkpoint", {"id": "log", "type": "local", "key_file": key.path}))
    assert call(path, "sign-message", CHECKPOINT)[0] == [key.sign(CHECKPOINT).hex(), "ok"]
    assert call(path, "sign-message", b"m" * 4096)[0] == [key.sign(b"m" * 4096).hex(), "ok"]


@pytest.mark.parametrize("size", [0, 31, 32, 4097])
def test_what_could_pass_for_a_hash_or_is_too_long_is_no_message(call, tmp_path, size):
    key = local(tmp_path, "log")
    path = tmp_path / "conf"
    path.write_text(signer_file("checkpoint", {"id": "log", "type": "local", "key_file": key.path}))
    said, log = call(path, "sign-message", b"m" * size)
    assert said == ["failed"] and f"a message of {size} bytes is not signed: it must have more than 32 and at most 4096" in log


@pytest.fixture
def token(tmp_path):
    directory = tmp_path / "hsm"
    directory.mkdir()
    made = Token(directory)
    made.add_key("checkpoints", "c1")
    return made


def verified(token, label, message, signature):
    public = bytes.fromhex(token.public_key(label))
    directory = token.directory
    (directory / "public.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
    (directory / "message").write_bytes(message)
    (directory / "signature").write_bytes(bytes.fromhex(signature))
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", directory / "public.der",
                           "-in", directory / "message", "-sigfile", directory / "signature"], capture_output=True, check=False).returncode == 0


def two_keys(token, module=MODULE, pin_file=None):
    common = f"type = pkcs11\nmodule = {module}\ntoken = reason\npin_file = {pin_file or token.pin_file}\n"
    return ("[database]\nconninfo = none\n[store]\nurl = none\n"
            f"[signer]\nid = events\nkey_label = audit\n{common}[checkpoint]\nsigner = log\nkey_label = checkpoints\n{common}")


def test_two_keys_of_one_token_sign_in_turns(call, token, tmp_path):
    """Opening one has the module look again at its tokens, which ends the other's session: it is opened again."""
    path = tmp_path / "conf"
    path.write_text(two_keys(token))
    said, log = call(path, "both", DIGEST, CHECKPOINT, **token.environment)
    assert said[-1] == "ok" and len(said) == 9
    assert set(said[0:8:2]) == {said[0]} and set(said[1:8:2]) == {said[1]}
    assert verified(token, "audit", DIGEST, said[0]) and verified(token, "checkpoints", CHECKPOINT, said[1])
    assert not verified(token, "audit", CHECKPOINT, said[1])
    assert "could not sign" not in log


@pytest.mark.parametrize("what", ["session", "login"])
def test_two_keys_of_one_token_that_is_reset_sign_on(call, token, tmp_path, what):
    flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], check=True, capture_output=True, text=True).stdout)
    module, fault = tmp_path / "losing_token.so", tmp_path / "fault"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", *flags, "-o", module, ROOT / "test/lib/losing_token.c"], check=True)
    fault.write_text(what)
    path = tmp_path / "conf"
    path.write_text(two_keys(token, module))
    said, log = call(path, "both", DIGEST, CHECKPOINT, REASON_TOKEN_MODULE=MODULE, REASON_TOKEN_FAULT=str(fault), **token.environment)
    assert said[-1] == "ok" and len(said) == 9 and not fault.exists()
    assert verified(token, "audit", DIGEST, said[0]) and verified(token, "checkpoints", CHECKPOINT, said[7])
    assert log.count("logging in again") == 1


def test_a_pin_that_a_token_refused_is_not_tried_for_its_other_key(call, token, tmp_path):
    wrong = tmp_path / "pin"
    wrong.write_text("0815-mistyped\n")
    path = tmp_path / "conf"
    path.write_text(two_keys(token, pin_file=wrong))
    said, log = call(path, "both", DIGEST, CHECKPOINT, **token.environment)
    assert said == ["failed"]
    assert log.count("refuses the login") == 1 and log.count("refused this PIN: it is not tried again") == 1


def test_the_signing_proxy_is_told_what_is_no_hash(call, tmp_path):
    """{digest} for a hash, {message} for the rest: the double refuses anything else."""
    key, asked = Key(tmp_path), []
    service = Remote()
    honest = proxy(key)
    service.respond = lambda method, path, headers, body: (asked.append(json.loads(body)) if body else None) or honest(method, path, headers, body)
    (tmp_path / "token").write_text("s.token-1\n")
    signer = {"id": "remote-1", "type": "proxy", "url": service.url, "token_file": tmp_path / "token"}
    try:
        for section, what, message in (("checkpoint", "sign-message", CHECKPOINT), ("signer", "sign", DIGEST), ("checkpoint", "sign-message", b"m" * 4096)):
            path = tmp_path / f"{section}.conf"
            path.write_text(signer_file(section, signer))
            assert call(path, what, message)[0] == [key.sign(message).hex(), "ok"]
        assert service.refused == []
        assert [set(a) - {"signerId", "algorithm"} for a in asked] == [{"message"}, {"digest"}, {"message"}]
        assert base64.b64decode(asked[0]["message"]) == CHECKPOINT
    finally:
        service.close()


def checkpoint_settings(settings, key, **others):
    return {**settings, "checkpoint": {"signer": "log-1", "type": "local", "key_file": key.path, **others}}


def test_the_key_must_be_registered_for_checkpoints(database, sidecars, settings, tmp_path):
    key = local(tmp_path, "log")
    said = sidecars(checkpoint_settings(settings, key)).check()
    assert said.returncode == 1 and "checkpoints failed" in said.stdout and 'signer "log-1" is not registered' in said.stderr
    database.value("SELECT reason.add_signer('log-1', %s)", base64.b64encode(key.spki).decode())
    said = sidecars(checkpoint_settings(settings, key)).check()
    assert said.returncode == 1 and 'signer "log-1" is registered for events, not for checkpoints' in said.stderr
    other = local(tmp_path, "other")
    database.value("SELECT reason.add_signer('log-2', %s, purpose => 'checkpoints')", base64.b64encode(other.spki).decode())
    said = sidecars(checkpoint_settings(settings, other, signer="log-2")).check()
    assert said.returncode == 0 and "checkpoints ok" in said.stdout, said.stderr
    said = sidecars(checkpoint_settings(settings, key, signer="log-2")).check()
    assert said.returncode == 1 and 'signer "log-2" is registered with another key' in said.stderr


def test_checkpoints_have_a_key_of_their_own(database, sidecars, settings):
    """Whatever the registry says, which a superuser can write."""
    events = settings["signer"]
    said = sidecars({**settings, "checkpoint": {"signer": events["id"], "type": "local", "key_file": events["key_file"]}}).check()
    assert said.returncode == 1 and "checkpoint.signer is signer.id" in said.stderr
    said = sidecars({**settings, "checkpoint": {"signer": "log-1", "type": "local", "key_file": events["key_file"]}}).check()
    assert said.returncode == 1 and 'signer "log-1" of [checkpoint] has the key of [signer]' in said.stderr


def test_a_sidecar_without_checkpoints_says_nothing_of_them(sidecars, settings):
    assert "checkpoints" not in sidecars(settings).check().stdout
