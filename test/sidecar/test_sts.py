"""Session tokens of a real server that gives and checks them. It is built first: REASON_STS=real (make check-sts)."""

import hashlib
import json
import os
import re
import subprocess
import urllib.parse

import pytest

from paths import ROOT
from ports import free_port
from s3_client import Credentials, Refused, signed_call
from wait import wait_for

if os.environ.get("REASON_STS") != "real":
    pytest.skip("the test with a server of session tokens is asked for by REASON_STS=real", allow_module_level=True)

OWNER, REGION, BUCKET, ROLE = Credentials("test-access", "test-secret-key"), "us-east-1", "reason-test", "arn:aws:iam::role/Sidecar"


def allow(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


class SeaweedFS:
    """The server with one owner and one role, which anybody may assume and which may do what it likes with objects."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test" / "stack" / "seaweedfs.sh", ROOT / ".build" / "seaweedfs"], check=True, capture_output=True,
                                 text=True, timeout=3600).stdout.strip()
        (directory / "owners.json").write_text(json.dumps({"identities": [
            {"name": "owner", "credentials": [{"accessKey": OWNER.access, "secretKey": OWNER.secret}], "actions": ["Admin"]}]}))
        (directory / "roles.json").write_text(json.dumps({
            "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "test", "signingKey": "dGhlIGtleSB0aGF0IHNpZ25zIHNlc3Npb24gdG9rZW5z"},
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "policies": [{"name": "objects", "document": allow(Action=["s3:*"], Resource=["arn:aws:s3:::*", "arn:aws:s3:::*/*"])}],
            "roles": [{"roleName": "Sidecar", "roleArn": ROLE, "trustPolicy": allow(Principal={"AWS": "*"}, Action=["sts:AssumeRole"]),
                       "attachedPolicies": ["objects"]}]}))
        (directory / "data").mkdir()
        self.port = free_port()
        ports = [f"-{name}={free_port()}" for name in ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
                                                       "filer.port.grpc", "s3.port.grpc")]
        with open(directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "server", f"-dir={directory}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.port={self.port}", *ports,
                 f"-s3.config={directory}/owners.json", f"-s3.iam.config={directory}/roles.json", "-master.volumeSizeLimitMB=64"],
                stdout=log, stderr=log)

        def has_bucket():
            try:
                return self.call("PUT", f"/{BUCKET}", headers={"x-amz-bucket-object-lock-enabled": "true"})
            except (OSError, Refused):
                return False
        wait_for(has_bucket, 60, "the server's start")

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, *request, credentials=OWNER, **more):
        return signed_call(self.endpoint, credentials, REGION, *request, **more)

    def assume_role(self):
        body = urllib.parse.urlencode({"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "sidecar"}).encode()
        answer = self.call("POST", "/", body=body, headers={"content-type": "application/x-www-form-urlencoded"}, service="sts")[1].decode()
        return Credentials(*(re.search(f"<{name}>(.*?)</{name}>", answer).group(1) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))


@pytest.fixture(scope="module")
def server_of_tokens(tmp_path_factory):
    running = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    yield running
    running.process.kill()
    running.process.wait(10)


@pytest.fixture
def store(settings, server_of_tokens, tmp_path):
    return {**settings, "store": {"url": f"s3://{BUCKET}/{tmp_path.name}", "endpoint": server_of_tokens.endpoint, "region": REGION, "path_style": "yes",
                                  "credentials_file": tmp_path / "credentials", "lock_mode": "governance", "lock_days": 1, "timeout_ms": 10000}}


def write(store, credentials):
    path = store["store"]["credentials_file"]
    token = f"aws_session_token = {credentials.token}\n" if credentials.token else ""
    path.write_text(f"[default]\naws_access_key_id = {credentials.access}\naws_secret_access_key = {credentials.secret}\n{token}")


def test_a_session_token_opens_the_store(database, sidecars, server_of_tokens, store):
    write(store, server_of_tokens.assume_role())
    one = sidecars(store)
    checked = one.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    one.start()
    small, large = database.snapshot(database.node()), database.large_snapshot(65)
    for snapshot in (small, large):
        database.completed(snapshot, 60)
        uri, version, digest = database.rows("SELECT object_uri, object_version, hash FROM reason.snapshot WHERE id = %s", snapshot)[0]
        body = server_of_tokens.call("GET", "/" + uri.removeprefix("s3://"), {"versionId": version})[1]
        assert version and hashlib.sha256(body).hexdigest() == digest


@pytest.mark.parametrize("spoil", [lambda session: session._replace(token=None), lambda session: session._replace(token=session.token[:-4] + "AAAA")])
def test_without_its_token_or_with_another_a_session_opens_nothing(database, sidecars, server_of_tokens, store, spoil):
    session = server_of_tokens.assume_role()
    write(store, spoil(session))
    sidecars(store).start()
    snapshot = database.snapshot(database.node())
    wait_for(lambda: "status 403" in (database.value("SELECT failure FROM reason.snapshot WHERE id = %s", snapshot) or ""), 15)
    write(store, session)
    database.completed(snapshot, 30)


def test_the_next_session_is_used_once_its_credentials_are_there(database, sidecars, server_of_tokens, store):
    one = sidecars(store)
    for _ in range(2):
        session = server_of_tokens.assume_role()
        write(store, session)
        if not one.process:
            one.start()
        database.completed(database.snapshot(database.node()), 30)
    assert session.secret not in one.log() and session.token not in one.log()
