"""A log that is published in a real S3 server with versions and object lock: read back from the bucket alone, by our verifier and by tessera."""

import base64
import os
import re
import signal
import subprocess

import pytest

import postgres
from paths import VERIFY
from s3_client import Refused
from s3_server import ACCESS, BUCKET, REGION, S3, SECRET
from tlog_reference import Tree, parse_checkpoint, tile_name
from wait import wait_for
from witnessed_log import WitnessedLog

SIZES = (1, 299, 700)
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    running = S3(tmp_path_factory.mktemp("s3"))
    yield running
    running.close()


def get(s3, name, version=None):
    return s3.object(f"s3://{BUCKET}/logs/tlog/default/{name}", version)


@pytest.fixture(scope="module")
def world(s3, tmp_path_factory):
    """A thousand events in three checkpoints."""
    folder = tmp_path_factory.mktemp("bucket")
    credentials = folder / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    with postgres.server() as server:
        log = WitnessedLog(server, folder / "log")
        log.settings["store"] = {"url": f"s3://{BUCKET}/logs", "endpoint": s3.endpoint, "region": REGION, "path_style": "yes",
                                 "credentials_file": credentials, "lock_mode": "compliance", "lock_days": 2}
        log.start()

        def newest():
            try:
                return parse_checkpoint(get(s3, "checkpoint")[1].decode())[1]
            except Refused:
                return 0
        for count in SIZES:
            log.database.nodes(count)
            log.database.settled(60)
            log.sidecar.signal(signal.SIGUSR1)
            wait_for(lambda: newest() == log.database.value("SELECT reason.tree_size('default')"), 60, f"a checkpoint: {log.sidecar.log()[-2000:]}")
        log.tree = Tree(bytes(row[0]) for row in log.database.rows("SELECT hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq"))
        yield log
        log.stop()


def full_tiles(size):
    return [tile_name(what, number, 256) for what in ("0", "entries") for number in range(size // 256)]


def test_caches_keep_what_never_changes(world, s3):
    for name in [*full_tiles(sum(SIZES)), f"checkpoints/{sum(SIZES)}"]:
        assert get(s3, name)[0]["Cache-Control"] == IMMUTABLE
    headers, _ = get(s3, "checkpoint")
    assert headers["Cache-Control"] == "no-cache" and headers["Content-Type"].startswith("text/plain")


def test_what_never_changes_is_locked_and_what_does_has_versions(world, s3):
    for name in [*full_tiles(sum(SIZES)), f"checkpoints/{sum(SIZES)}"]:
        headers, _ = get(s3, name)
        uri = f"s3://{BUCKET}/logs/tlog/default/{name}"
        mode, days = s3.lock(uri, headers["x-amz-version-id"])
        assert mode == "COMPLIANCE" and 1.9 < days < 2.1
        with pytest.raises(Refused):
            s3.call("DELETE", "/" + uri.removeprefix("s3://"), {"versionId": headers["x-amz-version-id"]})
    for name in ("checkpoint", tile_name("0", sum(SIZES) // 256, sum(SIZES) % 256)):
        headers, _ = get(s3, name)
        with pytest.raises(Refused):
            s3.lock(f"s3://{BUCKET}/logs/tlog/default/{name}", headers["x-amz-version-id"])
    # whoever replaced the newest by an older one would be found by the versions
    listed = s3.call("GET", f"/{BUCKET}", {"versions": "", "prefix": "logs/tlog/default/checkpoint"})[1].decode()
    versions = re.findall(r"<Key>logs/tlog/default/checkpoint</Key>.*?<VersionId>(.*?)</VersionId>", listed, re.S)
    assert max(parse_checkpoint(get(s3, "checkpoint", version)[1].decode())[1] for version in versions) == sum(SIZES) and len(versions) >= len(SIZES)


def test_every_byte_is_that_of_the_chain(world, s3):
    size = sum(SIZES)
    assert parse_checkpoint(get(s3, "checkpoint")[1].decode())[2] == world.tree.root(size)
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        entries = world.tree.leaves[256 * number:256 * number + width]
        assert get(s3, tile_name("entries", number, width))[1] == b"".join(b"\0\x20" + entry for entry in entries)


def from_bucket(world, s3, tmp_path, *arguments):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": s3.endpoint}
    (tmp_path / "policy").write_text(f"log {world.vkey()}\nquorum none\n")
    done = subprocess.run([VERIFY, "--type", "log", "--policy", tmp_path / "policy", *arguments, f"s3://{BUCKET}/logs/tlog/default/"], env=environment,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_our_verifier_reads_it_from_the_bucket(world, s3, tmp_path):
    status, said = from_bucket(world, s3, tmp_path)
    assert status == 0 and "1000 entries give the checkpoint's root" in said, said
    # as it was noted at the first visit
    origin, size, root = parse_checkpoint(get(s3, "checkpoints/1000")[1].decode())[:3]
    status, said = from_bucket(world, s3, tmp_path, "--checkpoint", origin, str(size), base64.b64encode(root).decode())
    assert status == 0, said
    status, said = from_bucket(world, s3, tmp_path, "--checkpoint", origin, str(size), base64.b64encode(bytes(32)).decode())
    assert status == 1, said


def test_fsck_of_tessera_over_what_the_bucket_holds(world, s3, libraries, tmp_path):
    for name in re.findall(r"<Key>logs/tlog/default/(.*?)</Key>", s3.call("GET", f"/{BUCKET}", {"list-type": "2", "prefix": "logs/tlog/default/"})[1].decode()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(get(s3, name)[1])
    asked = {"base": str(tmp_path), "log": world.vkey()}
    assert libraries(do="fsck", seconds=30, **asked) == {"tessera": ""}
    assert libraries(do="tiles", **asked) == {"sumdb": "", "size": sum(SIZES)}
