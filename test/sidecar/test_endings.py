"""Nothing hangs; a sidecar that cannot do a duty gives up its lease; metrics and readiness say what is so now."""

import base64
import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from database import SIGNER_ID
from hostile import Hostile, s3_kind
from paths import ROOT
from proxy import Proxy
from remote_signers import proxy as signing_proxy
from signer import Key
from wait import wait_for

LEADING = 'reason_sidecar_leading{duty="seal"}'


@pytest.fixture
def archive(settings, tmp_path):
    """Settings with an archive at an S3 server that lists without end, and that server."""
    hostile = Hostile(lambda *request: (404, [("Content-Type", "application/xml")], b"<Error><Code>NoSuchKey</Code></Error>"), s3_kind)
    (tmp_path / "credentials").write_text("aws_access_key_id = a\naws_secret_access_key = s\n")
    yield {**settings, "store": {**settings["store"], "endpoint": hostile.url, "path_style": "yes", "credentials_file": tmp_path / "credentials"},
           "archive": {"url": "s3://archive"}}, hostile
    hostile.close()


def test_a_listing_that_stands_still_is_named_and_holds_nothing_up(database, sidecars, archive):
    settings, hostile = archive
    hostile.spoil("endless", "list")
    one = sidecars(settings).start()
    database.nodes(3)
    database.settled(20)
    assert "it says that there is more, and not where that begins" in one.log()


def test_sigterm_ends_a_listing_without_end(database, sidecars, archive):
    settings, hostile = archive
    hostile.spoil("endless ahead", "list")
    one = sidecars(settings).start()
    wait_for(lambda: hostile.pages > 20, 20, "the listing")
    one.signal(signal.SIGTERM)
    assert one.process.wait(15) == 0


def fifo(path):
    os.mkfifo(path, 0o600)


def encrypted(path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)


@pytest.mark.parametrize("make,said", [(fifo, "is no regular file"), (lambda path: path.mkdir(0o600), "is no regular file"),
                                       (encrypted, "is encrypted: it must be a key without a passphrase")])
def test_a_key_that_is_no_file_or_asks_for_a_passphrase_is_refused_at_once(sidecars, settings, tmp_path, make, said):
    path = tmp_path / "key"
    make(path)
    one = sidecars({**settings, "signer": {**settings["signer"], "key_file": path}}).start(False)
    assert one.process.wait(10) == 1
    assert said in one.log()


@pytest.mark.parametrize("name", ["token_file", "ca_file", "cert_file"])
def test_a_fifo_in_place_of_a_secret_is_not_waited_for(sidecars, settings, tmp_path, name):
    (tmp_path / "token").write_text("token\n")
    fifo(tmp_path / "fifo")
    signer = {"id": SIGNER_ID, "type": "proxy", "url": "https://127.0.0.1:9", "token_file": tmp_path / "token", name: tmp_path / "fifo"}
    checked = sidecars({**settings, "signer": signer}).check()
    assert checked.returncode == 1 and "is no regular file" in checked.stderr


def test_a_fifo_in_place_of_an_object_is_other_bytes(database, sidecars, settings):
    snapshot = database.snapshot(database.node())
    path = pathlib.Path(settings["store"]["url"].removeprefix("file://")) / "snapshots" / "default" / f"{snapshot}.json"
    path.parent.mkdir(parents=True)
    fifo(path)
    sidecars(settings).start()
    wait_for(lambda: database.status(snapshot) == "failed", 15)
    assert "exists with other bytes" in database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot)


def test_sigterm_ends_a_check(sidecars, settings):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        one = sidecars({**settings, "signer": {"id": SIGNER_ID, "type": "proxy", "url": f"http://127.0.0.1:{silent.getsockname()[1]}", "timeout_ms": 60000}})
        one.options = ("--check",)
        one.start(ready=False)
        time.sleep(1)
        assert one.process.poll() is None
        one.signal(signal.SIGTERM)
        assert one.process.wait(5) == -signal.SIGTERM


def test_who_cannot_sign_lets_another_lead(database, sidecars, settings, tmp_path):
    key = Key(tmp_path)
    honest = signing_proxy(key)

    def behind(method, path, headers, body):
        status, document = honest(method, path, headers, body)
        return status, [("Content-Type", "application/json")], json.dumps(document).encode()
    hostile, sane = Hostile(behind), Hostile(behind)
    try:
        (tmp_path / "token").write_text("s.token-1\n")
        database.value("SELECT reason.add_signer('remote-1', %s)", base64.b64encode(key.spki).decode())

        def make(server):
            return sidecars({**settings, "signer": {"id": "remote-1", "type": "proxy", "url": server.url, "token_file": tmp_path / "token",
                                                    "timeout_ms": 500}, "sidecar": {"lease_ms": 1000}}).start()
        one = make(hostile)
        wait_for(lambda: one.metric(LEADING) == 1, 10)
        two = make(sane)
        assert two.metric(LEADING) == 0
        hostile.spoil("html")
        database.node()
        wait_for(lambda: two.metric(LEADING) == 1, 30, "the other's lead")
        database.settled(20)
        assert "this sidecar cannot do it, and lets another take it" in one.log()
        wait_for(lambda: database.value("SELECT ok FROM reason.readiness()"), 20, "readiness")
        assert one.get("/ready")[0] == 503
    finally:
        hostile.close()
        sane.close()


def readiness(database):
    return database.rows("SELECT signer, object_store FROM reason.readiness()")[0]


def test_readiness_is_the_leaders(database):
    for duty in ("seal", "snapshot"):
        database.value("SELECT reason.acquire_lease(%s, 'leader', '1 minute')", duty)
    database.value("SELECT reason.report_sidecar('other', %s)", SIGNER_ID)
    assert readiness(database) == ("down", "down")
    database.value("SELECT reason.report_sidecar('leader', %s)", SIGNER_ID)
    assert readiness(database) == ("up", "up")


def test_a_report_and_a_lease_of_before_the_clock_was_set_back_do_not_count(database):
    for duty in ("seal", "snapshot"):
        database.value("SELECT reason.acquire_lease(%s, 'dead', '3 seconds')", duty)
    database.value("SELECT reason.report_sidecar('dead', %s)", SIGNER_ID)
    database.connection.execute("UPDATE reason.sidecar_report SET reported_at = clock_timestamp() + interval '2 hours'")
    database.connection.execute("UPDATE reason.lease SET expires_at = clock_timestamp() + interval '2 hours'")
    assert readiness(database) == ("down", "down")
    for duty in ("seal", "snapshot"):
        assert database.value("SELECT reason.acquire_lease(%s, 'alive', '3 seconds')", duty) == 2
    database.value("SELECT reason.report_sidecar('alive', %s)", SIGNER_ID)
    assert readiness(database) == ("up", "up")
    # a lease of now is not to be had
    assert database.value("SELECT reason.acquire_lease('seal', 'third', '3 seconds')") is None


def test_the_lag_counts_what_is_sealed_and_not_signed(database):
    database.node()
    token = database.value("SELECT reason.acquire_lease('seal', 'tester', '1 minute')")
    database.value("SELECT reason.compare_chains(%s, '', '{}', '{}', '{}', '{}', '')", token)
    wait_for(lambda: database.value("SELECT reason.seal_events(%s, 100)", token) >= 0 and
             database.value("SELECT (SELECT count(*) FROM reason.audit_event) = (SELECT count(*) FROM reason.audit_seal)"), 10, "sealing")
    lag = database.value("SELECT reason.audit_lag()")
    assert lag.total_seconds() > 0
    assert database.value("SELECT reason.audit_lag()") > lag


def test_the_clock_set_back_ends_no_reports(database, sidecars, settings, tmp_path):
    library, seconds = tmp_path / "set_back.so", tmp_path / "seconds"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, ROOT / "test/lib/set_back.c"], check=True)
    seconds.write_text("0\n")
    one = sidecars(settings, {"LD_PRELOAD": str(library), "SET_BACK_FILE": str(seconds)}).start()
    reported = "SELECT reported_at FROM reason.sidecar_report"
    wait_for(lambda: database.value(reported), 10, "a report")
    seconds.write_text("-7200\n")
    before = database.value("SELECT clock_timestamp()")
    wait_for(lambda: database.value(reported) > before, 15, "a report after the clock was set back")
    assert one.get("/ready")[0] == 200
    database.node()
    database.settled()


def test_metrics_say_that_the_database_is_away(database, server, sidecars, settings):
    network = Proxy(server.port)
    try:
        conninfo = database.server.conninfo(database.name, "sidecar").replace(f"port={server.port}", f"port={network.port}")
        one = sidecars({**settings, "database": {"conninfo": conninfo, "timeout_ms": 1000}, "sidecar": {"lease_ms": 1000}}).start()
        wait_for(lambda: one.metric(LEADING) == 1 and one.metric("reason_sidecar_database_up") == 1, 10)
        network.set("reset")
        wait_for(lambda: one.metric("reason_sidecar_database_up") == 0, 15)
        wait_for(lambda: one.metric(LEADING) == 0, 15, "the end of the lease")
        assert math.isnan(one.metric('reason_sidecar_queue_depth{duty="seal"}')) and math.isnan(one.metric('reason_sidecar_queue_age_seconds{duty="seal"}'))
        assert one.get("/ready")[0] == 503 and one.get("/health")[0] == 200
        network.set("pass")
        wait_for(lambda: one.metric("reason_sidecar_database_up") == 1 and one.metric('reason_sidecar_queue_depth{duty="seal"}') == 0, 20)
    finally:
        network.close()


@pytest.mark.parametrize("mode", ["governance|compliance", "|", "none|governance", "Governance", ""])
def test_a_lock_mode_is_one_of_those_there_are(sidecars, settings, mode):
    one = sidecars({**settings, "store": {**settings["store"], "lock_mode": mode}}).start(False)
    assert one.process.wait(10) == 1
    assert "store.lock_mode must be one of none|governance|compliance" in one.log()


@pytest.mark.parametrize("kind", ["vault", "proxy"])
def test_a_token_does_not_travel_in_the_clear_unless_that_is_said(sidecars, settings, tmp_path, kind):
    (tmp_path / "token").write_text("token\n")

    def said(url, **more):
        signer = {"id": SIGNER_ID, "type": kind, "key_id": "audit", "url": url, "token_file": tmp_path / "token", "timeout_ms": 300, **more}
        return sidecars({**settings, "signer": signer}).check().stderr
    refusal = "would get its token unencrypted"
    for url in ("http://vault.example:8200", "http://127.0.0.1.example:9", "http://127.0.0.1@192.0.2.1:9", "http://localhost.example:9", "http://192.0.2.1:9"):
        assert refusal in said(url), url
    for url in ("http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://127.0.0.1:9"):
        assert refusal not in said(url), url
    assert refusal not in said("http://192.0.2.1:9", plaintext="yes")
