"""Objects in a real S3 server: whole and in parts, under lock, with credentials that change."""

import base64
import datetime
import hashlib
import re
import signal
import ssl
import subprocess

import pytest

from ports import free_port
from s3_client import Refused
from s3_front import Front
from s3_server import ACCESS, BUCKET, REGION, S3, SECRET
from wait import wait_for


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    running = S3(tmp_path_factory.mktemp("s3"))
    yield running
    running.close()


@pytest.fixture
def s3_settings(settings, s3, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    return {**settings, "store": {"url": f"s3://{BUCKET}/{tmp_path.name}", "endpoint": s3.endpoint, "region": REGION, "path_style": "yes",
                                  "credentials_file": credentials, "lock_mode": "compliance", "lock_days": 2, "timeout_ms": 20000}}


def stored(database, snapshot):
    return database.rows("SELECT object_uri, object_version, hash FROM reason.snapshot WHERE id = %s", snapshot)[0]


def test_a_snapshot_is_stored_locked_with_its_metadata_and_read_by_version(database, sidecars, s3_settings, s3):
    one = sidecars(s3_settings)
    assert one.check().returncode == 0
    one.start()
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    uri, version, digest = stored(database, snapshot)
    headers, body = s3.object(uri, version)
    assert version and hashlib.sha256(body).hexdigest() == digest
    assert headers["x-amz-meta-hash"] == digest and headers["x-amz-meta-snapshot-id"] == str(snapshot)
    assert headers["x-amz-meta-signer-id"] == "test-signer" and headers["x-amz-meta-signature"] and headers["x-amz-meta-ts"]
    mode, days = s3.lock(uri, version)
    assert mode == "COMPLIANCE" and 1.9 < days < 2.1
    kind, headers = s3.front.uploads[-1]
    assert kind == "object" and "x-amz-checksum-sha256" in headers
    assert SECRET not in one.log()


def test_a_locked_version_cannot_be_deleted_and_a_delete_marker_hides_it_only(database, sidecars, s3_settings, s3):
    sidecars(s3_settings).start()
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    uri, version, digest = stored(database, snapshot)
    path = "/" + uri.removeprefix("s3://")
    with pytest.raises(Refused) as refusal:
        s3.call("DELETE", path, {"versionId": version})
    assert refusal.value.status in (400, 403)
    s3.call("DELETE", path)
    with pytest.raises(Refused):
        s3.object(uri)
    assert hashlib.sha256(s3.object(uri, version)[1]).hexdigest() == digest


def test_the_store_refuses_bytes_that_are_not_of_their_checksum(s3):
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(Refused) as refusal:
        s3.call("PUT", f"/{BUCKET}/wrong", body=b"bytes", headers={"x-amz-checksum-sha256": wrong})
    assert refusal.value.status == 400


def lock_headers():
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    return {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ")}


@pytest.mark.parametrize("locks", [lock_headers(), {"x-amz-object-lock-legal-hold": "ON"}])
def test_a_locked_object_without_a_checksum_is_refused_as_aws_does(s3, locks):
    """Else the tests below would prove nothing of our own checksums."""
    with pytest.raises(Refused) as refusal:
        s3.call("PUT", f"/{BUCKET}/bare", body=b"bytes", headers=locks)
    assert refusal.value.status == 400 and "<Code>InvalidRequest</Code>" in str(refusal.value)
    digest = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert s3.call("PUT", f"/{BUCKET}/checked", body=b"bytes", headers={**locks, "x-amz-checksum-sha256": digest})[0]["x-amz-version-id"]
    assert s3.call("PUT", f"/{BUCKET}/checked", body=b"bytes", headers={**locks, "content-md5": base64.b64encode(hashlib.md5(b"bytes").digest()).decode()})
    s3.call("PUT", f"/{BUCKET}/unlocked", body=b"bytes")


def test_a_part_of_a_locked_object_without_a_checksum_is_refused_as_aws_does(s3):
    upload = re.search(b"<UploadId>(.*?)</UploadId>", s3.call("POST", f"/{BUCKET}/parts", {"uploads": ""}, headers=lock_headers())[1]).group(1).decode()
    with pytest.raises(Refused) as refusal:
        s3.call("PUT", f"/{BUCKET}/parts", {"partNumber": "1", "uploadId": upload}, body=b"bytes")
    assert refusal.value.status == 400 and "<Code>InvalidRequest</Code>" in str(refusal.value)
    digest = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert s3.call("PUT", f"/{BUCKET}/parts", {"partNumber": "1", "uploadId": upload}, body=b"bytes", headers={"x-amz-checksum-sha256": digest})[0]["ETag"]
    s3.call("DELETE", f"/{BUCKET}/parts", {"uploadId": upload})


@pytest.mark.parametrize("large", [False, True])
def test_the_same_object_put_again_is_success_and_makes_no_second_version(database, sidecars, s3_settings, s3, large):
    """As after a death between the store's answer and recording it. A large one is read back in ranges."""
    one = sidecars(s3_settings).start()
    snapshot = database.large_snapshot(33) if large else database.snapshot(database.node())
    database.completed(snapshot, 30)
    uri, version, _ = stored(database, snapshot)
    one.stop()
    database.connection.execute("SET session_replication_role = replica")
    database.connection.execute("UPDATE reason.snapshot SET status = 'signed', object_uri = NULL, object_version = NULL, completed_at = NULL, "
                                "audit_event_id = NULL WHERE id = %s", (snapshot,))
    one.start()
    database.completed(snapshot, 30)
    assert stored(database, snapshot)[:2] == (uri, version)
    prefix = uri.removeprefix(f"s3://{BUCKET}/")
    assert s3.call("GET", f"/{BUCKET}", {"versions": "", "prefix": prefix})[1].count(b"<Version>") == 1


def test_an_object_with_other_bytes_fails_the_snapshot(database, sidecars, s3_settings, s3, tmp_path):
    snapshot = database.snapshot(database.node())
    s3.call("PUT", f"/{BUCKET}/{tmp_path.name}/snapshots/default/{snapshot}.json", body=b"something else")
    sidecars(s3_settings).start()
    wait_for(lambda: database.status(snapshot) == "failed", 15)
    assert "exists with other bytes" in database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot)


def test_a_large_snapshot_goes_in_parts(database, sidecars, s3_settings, s3):
    s3.front.uploads.clear()
    sidecars({**s3_settings, "store": {**s3_settings["store"], "multipart_mb": 5}}).start()
    snapshot = database.large_snapshot(17)
    database.completed(snapshot, 40)
    uri, version, digest = stored(database, snapshot)
    _, body = s3.object(uri, version)
    assert hashlib.sha256(body).hexdigest() == digest
    assert s3.lock(uri, version)[0] == "COMPLIANCE"
    parts = [headers for kind, headers in s3.front.uploads if kind == "part"]
    assert len(parts) == 2 and all("x-amz-checksum-sha256" in headers for headers in parts)


def unfinished(s3):
    return s3.call("GET", f"/{BUCKET}", {"uploads": ""})[1].count(b"<Upload>")


def test_what_a_kill_left_of_an_object_above_64_mb_is_removed_and_the_object_made_once(database, sidecars, s3_settings, s3):
    """With the threshold as it is by default."""
    snapshot = database.large_snapshot(65)
    database.node()
    s3.front.uploads.clear()
    s3.front.most_uploads = 1
    one = sidecars(s3_settings).start()
    wait_for(lambda: len(s3.front.uploads) >= 2, 30, "the second part")
    one.kill()
    s3.front.most_uploads = None
    s3.front.released.set()
    assert database.status(snapshot) != "complete" and unfinished(s3) == 1
    one.start()
    database.completed(snapshot, 60)
    uri, version, digest = stored(database, snapshot)
    _, body = s3.object(uri, version)
    assert len(body) > 65 * 1024 * 1024 and hashlib.sha256(body).hexdigest() == digest
    assert s3.lock(uri, version)[0] == "COMPLIANCE"
    assert unfinished(s3) == 0
    assert s3.call("GET", f"/{BUCKET}", {"versions": "", "prefix": uri.removeprefix(f"s3://{BUCKET}/")})[1].count(b"<Version>") == 1
    assert {kind for kind, _ in s3.front.uploads} == {"part"} and all("x-amz-checksum-sha256" in headers for _, headers in s3.front.uploads)


def test_a_store_that_was_away_gets_what_waited(database, sidecars, s3_settings, s3):
    one = sidecars(s3_settings).start()
    s3.kill()
    snapshot = database.snapshot(database.node())
    database.node()
    database.settled()
    wait_for(lambda: database.value("SELECT attempts FROM reason.snapshot WHERE id = %s", snapshot) > 0, 15)
    assert one.metric('reason_sidecar_failures_total{kind="store"}') > 0
    s3.start()
    database.completed(snapshot, 30)


def test_credentials_are_read_at_each_request(database, sidecars, s3_settings, tmp_path):
    """A mounted Secret is exchanged as the kubelet does it: the directory behind a link is another."""
    right = s3_settings["store"]["credentials_file"].read_text()
    for number, text in enumerate((right, right.replace(SECRET, "wrong-secret"), right)):
        (tmp_path / f"version-{number}").mkdir()
        (tmp_path / f"version-{number}" / "credentials").write_text(text)

    def mount(number):
        (tmp_path / "next").symlink_to(f"version-{number}")
        (tmp_path / "next").rename(tmp_path / "..data")

    mount(0)
    one = sidecars({**s3_settings, "store": {**s3_settings["store"], "credentials_file": tmp_path / "..data" / "credentials"}}).start()
    database.completed(database.snapshot(database.node()))
    mount(1)
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "status 403" in (database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot) or ""), 15)
    mount(2)
    database.completed(snapshot, 30)
    assert SECRET not in one.log() and "wrong-secret" not in one.log()


def test_credentials_are_reloaded(database, sidecars, s3_settings):
    path = s3_settings["store"]["credentials_file"]
    right = path.read_text()
    path.write_text(right.replace(SECRET, "wrong-secret"))
    one = sidecars(s3_settings).start()
    snapshot = database.snapshot(database.node())
    wait_for(lambda: database.value("SELECT attempts FROM reason.snapshot WHERE id = %s", snapshot) > 0, 15)
    assert "status 403" in database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot)
    path.write_text(right)
    one.signal(signal.SIGHUP)
    database.completed(snapshot, 30)


def test_buckets_in_the_host_name(database, sidecars, s3_settings, s3):
    """Virtual-host style: BUCKET.s3.localhost, which glibc's resolver finds on this machine."""
    style = {**s3_settings["store"], "path_style": "no", "endpoint": f"http://s3.localhost:{s3.port}"}
    sidecars({**s3_settings, "store": style}).start()
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)


def test_credentials_come_from_the_environment_where_no_file_is_named(database, sidecars, s3_settings):
    store = {key: value for key, value in s3_settings["store"].items() if key != "credentials_file"}
    assert "store failed" in sidecars({**s3_settings, "store": store}, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}).check().stdout
    sidecars({**s3_settings, "store": store}, {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}).start()
    database.completed(database.snapshot(database.node()))


def test_a_session_token_is_sent_and_signed(database, sidecars, s3_settings, s3):
    """The server issues none, and says so; test_sts.py has one that does."""
    path = s3_settings["store"]["credentials_file"]
    path.write_text(path.read_text() + "aws_session_token = a-token/with+signs==\n")
    sidecars(s3_settings).start()
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "InvalidToken" in (database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot) or ""), 15)
    headers = {name.lower(): value for name, value in s3.front.last_headers.items()}
    assert headers["x-amz-security-token"] == "a-token/with+signs=="
    assert "x-amz-security-token" in re.search("SignedHeaders=([^,]*)", headers["authorization"]).group(1).split(";")


def test_another_region_is_refused(sidecars, s3_settings):
    answer = sidecars({**s3_settings, "store": {**s3_settings["store"], "region": "us-west-2"}}).check()
    assert answer.returncode == 1 and "store failed" in answer.stdout


def test_a_server_of_an_authority_of_ones_own(database, sidecars, s3_settings, s3, tmp_path):
    certificate, key = tmp_path / "s3.pem", tmp_path / "s3.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=s3",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-out", certificate, "-keyout", key], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    front = Front(free_port(), s3.port_behind, tls)
    store = {**s3_settings["store"], "endpoint": front.url}
    stranger = sidecars({**s3_settings, "store": store}).check()
    assert stranger.returncode == 1 and "store failed" in stranger.stdout
    sidecars({**s3_settings, "store": {**store, "ca_file": certificate}}).start()
    database.completed(database.snapshot(database.node()))
    front.close()


def test_archive_segments_are_locked_and_their_contents_are_not(database, sidecars, s3_settings, s3, tmp_path):
    database.value("SELECT reason.set_archive_rule('default', 30, true)")
    sidecars({**s3_settings, "archive": {"url": f"s3://{BUCKET}/{tmp_path.name}", "interval_s": 1, "lock_mode": "governance", "lock_days": 3}}).start()
    database.nodes(20)
    database.settled()
    row = wait_for(lambda: database.rows("SELECT object_uri, object_version, contents_uri, contents_version, object_hash FROM reason.archive_segment "
                                         "WHERE division = 'default' AND archived_at IS NOT NULL"), 15)[0]
    assert hashlib.sha256(s3.object(row[0], row[1])[1]).hexdigest() == row[4]
    mode, days = s3.lock(row[0], row[1])
    assert mode == "GOVERNANCE" and 29 < days < 31
    assert s3.held(row[0], row[1])
    with pytest.raises(Refused):
        s3.call("DELETE", "/" + row[0].removeprefix("s3://"), {"versionId": row[1]})
    s3.call("DELETE", "/" + row[2].removeprefix("s3://"), {"versionId": row[3]})


@pytest.fixture
def archiving(s3_settings, tmp_path):
    return {**s3_settings, "archive": {"url": f"s3://{BUCKET}/{tmp_path.name}", "interval_s": 1, "lock_mode": "governance", "lock_days": 3}}


def first_segment(database, division):
    """URI and version of the first stored segment."""
    return wait_for(lambda: database.rows("SELECT object_uri, object_version FROM reason.archive_segment WHERE division = %s AND archived_at IS NOT NULL "
                                          "ORDER BY first_seq LIMIT 1", division), 20, f"a segment of division {division}")[0]


def test_each_division_has_its_own_retention_and_hold(database, sidecars, archiving, s3):
    database.value("SELECT reason.set_archive_rule('held', 10, true)")
    database.value("SELECT reason.set_archive_rule('long', 40, false)")
    sidecars(archiving).start()
    for division in ("held", "long", "plain"):
        database.nodes(3, division)
    for division, days, hold in (("held", 10, True), ("long", 40, False), ("plain", 3, False)):
        segment = first_segment(database, division)
        mode, locked = s3.lock(*segment)
        assert mode == "GOVERNANCE" and abs(locked - days) < 0.1
        assert (division, s3.held(*segment)) == (division, hold)
    # who changed what is on record
    assert database.rows("SELECT payload #>> '{archiveRule,division}', payload #>> '{archiveRule,retainDays}', payload #>> '{archiveRule,legalHold}' "
                         "FROM reason.audit_event WHERE event_type = 'archiveRule.changed' ORDER BY no") == [("held", "10", "true"), ("long", "40", "false")]


def test_a_rule_reaches_what_is_archived_already(database, sidecars, archiving, s3):
    one = sidecars(archiving).start()
    database.nodes(3)
    segment = first_segment(database, "default")
    assert not s3.held(*segment)
    # a delete marker on the name does not keep the hold from the version
    s3.call("DELETE", "/" + segment[0].removeprefix("s3://"))
    database.value("SELECT reason.set_archive_rule('default', 20, true)")
    wait_for(lambda: s3.held(*segment), 20, "the legal hold")
    assert 19 < s3.lock(*segment)[1] <= 20.1
    wait_for(lambda: database.rows("SELECT legal_hold, retain_until > now() + interval '19 days' FROM reason.archive_segment WHERE object_version = %s",
                                   segment[1]) == [(True, True)], 5)
    assert {"retention", "legal-hold"} <= {kind for kind, _ in s3.front.uploads}
    # a shorter retention shortens nothing, and ends the hold
    database.value("SELECT reason.set_archive_rule('default', 1, false)")
    wait_for(lambda: not s3.held(*segment), 20, "the end of the hold")
    assert 19 < s3.lock(*segment)[1]
    # nothing is asked again of what follows its rule
    wait_for(lambda: database.value("SELECT (retain_days, legal_hold) = (1, false) FROM reason.archive_rule_applied WHERE division = 'default'"), 10)
    assert "under the rule" not in one.log()


def test_a_rule_that_the_store_cannot_keep_stops_the_divisions_archive_and_says_so(database, sidecars, archiving):
    database.value("SELECT reason.set_archive_rule('default', 20, true)")
    one = sidecars({**archiving, "archive": {**archiving["archive"], "lock_mode": "none"}}).start()
    database.nodes(3)
    database.nodes(3, "other")
    wait_for(lambda: "the division has an archive rule, but archive.lock_mode is none" in one.log(), 15)
    first_segment(database, "other")
    assert one.metric('reason_sidecar_failures_total{kind="archive"}') > 0
    assert database.value("SELECT count(*) FROM reason.archive_segment WHERE division = 'default' AND archived_at IS NOT NULL") == 0


def test_a_segment_that_was_stored_before_a_crash_gets_the_rule_of_now(database, sidecars, archiving, s3):
    """Under which lock it was stored then is not known: it is brought under the rule, not only recorded as if it were."""
    one = sidecars(archiving).start()
    database.nodes(3)
    segment = first_segment(database, "default")
    one.stop()
    database.connection.execute("UPDATE reason.archive_segment SET object_uri = NULL, object_version = NULL, archived_at = NULL, legal_hold = NULL, "
                                "retain_until = NULL WHERE division = 'default'")
    database.value("SELECT reason.set_archive_rule('default', 20, true)")
    one.start()
    wait_for(lambda: s3.held(*segment), 20, "the legal hold")
    assert first_segment(database, "default") == segment
    assert 19 < s3.lock(*segment)[1]
