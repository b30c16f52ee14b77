"""A release is tried that stores snapshots in a bucket: they are read from there, by version, as the sidecar's configuration or the environment says."""

import pytest

from s3_server import ACCESS, BUCKET, REGION, S3, SECRET
from trial import DIVISION, canary


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    running = S3(tmp_path_factory.mktemp("s3"))
    yield running
    running.close()


@pytest.fixture
def in_bucket(stack, s3):
    """The section [store]."""
    credentials = stack.run_dir / "credentials"
    credentials.write_text(f"aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    credentials.chmod(0o644)
    return {"url": f"s3://{BUCKET}/{stack.run_dir.name}", "endpoint": s3.endpoint, "region": REGION, "path_style": "yes", "credentials_file": credentials, "lock_mode": "compliance", "lock_days": 1}


def test_a_snapshot_is_read_from_the_bucket(stack, other, gateways, sidecars, in_bucket, s3):
    gateway, sidecar = gateways(other), sidecars(other, store=in_bucket)
    environment = {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    for store, given in ((("--sidecar-config", sidecar.path), {}), (("--store", in_bucket["url"]), environment)):
        status, said = canary(stack, gateway, sidecar, store, environment=given)
        assert status == 0 and said["ok"], said
    uri = f"{in_bucket['url']}/snapshots/{DIVISION}/{said['snapshot']['id']}.json".removeprefix("s3://")
    assert b"a release is tried" in s3.object(f"s3://{uri}")[1]
    # the wrong bucket has nothing
    status, said = canary(stack, gateway, sidecar, ("--store", f"s3://{BUCKET}/elsewhere"), environment=environment, deadline=60)
    assert (status, said["failed"]) == (1, "store") and "cannot be had from the store" in said["failure"], said
