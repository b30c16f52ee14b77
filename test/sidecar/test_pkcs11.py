"""Signing with a key that never leaves its token: PKCS#11, here SoftHSM 2."""

import pathlib
import shlex
import signal
import subprocess

import psycopg
import pytest

from hsm import MODULE, PIN, Token
from paths import ROOT
from wait import wait_for


@pytest.fixture
def token(tmp_path):
    directory = tmp_path / "hsm"
    directory.mkdir()
    return Token(directory)


@pytest.fixture
def hsm_settings(database, settings, token):
    database.value("SELECT reason.add_signer('hsm-1', %s)", token.public_key())
    return {**settings, "signer": {"id": "hsm-1", "type": "pkcs11", "module": MODULE, "token": "reason", "key_label": "audit",
                                   "pin_file": token.pin_file, "timeout_ms": 2000}}


def test_a_token_signs_events_and_snapshots(database, sidecars, hsm_settings, token):
    one = sidecars(hsm_settings, token.environment).start()
    database.nodes(300)
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    database.settled()
    assert database.verified()
    assert database.value("SELECT signer_id FROM reason.snapshot WHERE id = %s", snapshot) == "hsm-1"
    assert database.value("SELECT DISTINCT signer_id FROM reason.audit_signature") == "hsm-1"
    assert PIN not in one.log()


def test_the_key_is_found_by_id_too(database, sidecars, hsm_settings, token):
    by_id = {key: value for key, value in hsm_settings["signer"].items() if key != "key_label"}
    sidecars({**hsm_settings, "signer": {**by_id, "key_id": "a1:b2"}}, token.environment).start()
    database.completed(database.snapshot(database.node()))


def test_a_wrong_pin_signs_nothing_until_it_is_put_right(database, sidecars, hsm_settings, token):
    token.pin_file.write_text("0815-mistyped\n")
    one = sidecars(hsm_settings, token.environment).start(ready=False)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "refuses the login" in one.log(), 10)
    # tokens lock after a few wrong ones
    wait_for(lambda: "it is not tried again until" in one.log(), 10)
    assert one.log().count("refuses the login") == 1
    assert database.status(snapshot) == "pending"
    assert "0815-mistyped" not in one.log()
    token.pin_file.write_text(PIN + "\n")
    database.completed(snapshot, 30)


def test_a_pin_that_was_changed_counts_after_sighup(database, sidecars, hsm_settings, token):
    one = sidecars(hsm_settings, token.environment).start()
    database.completed(database.snapshot(database.node()))
    token.tool("--change-pin", "--new-pin", "0815-other")
    one.signal(signal.SIGHUP)
    # it does log in again
    wait_for(lambda: "refuses the login" in one.log(), 10)
    snapshot = database.snapshot(database.node())
    token.pin_file.write_text("0815-other\n")
    database.completed(snapshot, 30)
    assert PIN not in one.log() and "0815-other" not in one.log()


def test_a_key_of_another_label_is_not_taken(sidecars, hsm_settings, token):
    answer = sidecars({**hsm_settings, "signer": {**hsm_settings["signer"], "key_label": "other"}}, token.environment).check()
    assert answer.returncode == 1
    assert "signer failed" in answer.stdout
    assert "has no private key of that label and id" in answer.stderr


def test_a_token_that_is_removed_and_comes_back_signs_again(database, sidecars, hsm_settings, token):
    one = sidecars(hsm_settings, token.environment).start()
    database.node()
    database.settled()
    token.take_away()
    one.signal(signal.SIGHUP)
    wait_for(lambda: "reloaded" in one.log(), 5)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: one.get("/ready")[0] == 503, 10, "noticing that the token is gone")
    assert database.status(snapshot) == "pending"
    token.put_back()
    database.completed(snapshot, 30)
    database.settled(30)
    assert database.verified()


@pytest.fixture
def losing(hsm_settings, token, tmp_path):
    """Settings and environment with a module that loses what the third says."""
    flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], check=True, capture_output=True, text=True).stdout)
    module = tmp_path / "losing_token.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", *flags, "-o", module, ROOT / "test/lib/losing_token.c"], check=True)
    fault = tmp_path / "fault"
    return ({**hsm_settings, "signer": {**hsm_settings["signer"], "module": module}},
            {**token.environment, "REASON_TOKEN_MODULE": MODULE, "REASON_TOKEN_FAULT": str(fault)}, fault)


@pytest.mark.parametrize("what", ["session", "login"])
def test_a_session_that_is_lost_is_opened_again_at_once(database, sidecars, losing, what):
    one = sidecars(*losing[:2]).start()
    database.node()
    database.settled()
    losing[2].write_text(what)
    database.node()
    database.settled(5)
    assert not losing[2].exists()
    assert "logging in again" in one.log()
    assert one.metric('reason_sidecar_failures_total{kind="signer"}') == 0
    assert database.verified()


def test_a_token_that_is_removed_while_running_is_found_again_when_it_is_back(database, sidecars, losing):
    one = sidecars(*losing[:2]).start()
    database.node()
    database.settled()
    losing[2].write_text("removed")
    snapshot = database.snapshot(database.node())
    wait_for(lambda: one.get("/ready")[0] == 503, 10, "noticing that the token is gone")
    assert database.status(snapshot) == "pending" and database.waiting() > 0
    assert one.metric('reason_sidecar_failures_total{kind="signer"}') > 0
    losing[2].unlink()
    database.completed(snapshot, 30)
    database.settled(30)
    assert database.verified()


def test_a_signature_of_another_key_is_refused_by_the_database(database, token):
    """What the sidecar checks is checked again where it counts."""
    lease = database.value("SELECT reason.acquire_lease('seal', 'me', '30 s')")
    database.node()
    database.value("SELECT reason.seal_events(%s)", lease)
    division, seq, digest = database.rows("SELECT division, seq, hash FROM reason.unsigned_seals(1)")[0]
    message = token.directory / "message"
    message.write_bytes(digest)
    token.tool("--sign", "--mechanism", "EDDSA", "--label", "audit", "--input-file", str(message), "--output-file", str(token.directory / "signature"))
    signature = pathlib.Path(token.directory / "signature").read_bytes()
    with pytest.raises(psycopg.errors.DataException, match="is not that of signer"):
        database.value("SELECT reason.record_seal_signatures(%s, 'test-signer', %s, %s, %s)", lease, [division], [seq], [signature])
    assert database.value("SELECT count(*) FROM reason.audit_signature") == 0
