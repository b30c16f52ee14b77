"""Session tokens of a real server that gives and checks them. It is built first: REASON_STS=real (make check-sts)."""

import hashlib
import os

import pytest

from seaweedfs_server import BUCKET, REGION, SeaweedFS
from wait import wait_for

if os.environ.get("REASON_STS") != "real":
    pytest.skip("the test with a server of session tokens is asked for by REASON_STS=real", allow_module_level=True)


@pytest.fixture(scope="module")
def server_of_tokens(tmp_path_factory):
    running = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    yield running
    running.kill()


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
