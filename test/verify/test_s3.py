"""reason-verify reads objects from a store that speaks S3, and signs its requests as S3 demands.

The store here is a small server that checks AWS Signature Version 4 with code of its own, so that
a wrong signature is a wrong answer.
"""
import hashlib
import hmac
import json
import subprocess
import urllib.parse

import pytest

from evidence import REFUSED, UNCHECKED, VERIFIED, make_chain, make_document, write_lines
from http_service import Handler, Service
from log_evidence import Log, LogWorld
from paths import VERIFY

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"


def expected_signature(request):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    fields = dict(part.strip().split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(","))
    signed = fields["SignedHeaders"].split(";")
    path, _, query = request.path.partition("?")
    query = "&".join(sorted(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                            for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True)))
    canonical = "\n".join([request.command, path, query,
                           *(f"{name}:{' '.join(request.headers[name].split())}" for name in signed), "",
                           ";".join(signed), request.headers["x-amz-content-sha256"]])
    time = request.headers["x-amz-date"]
    scope = f"{time[:8]}/{REGION}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (time[:8], REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert fields["Credential"] == f"{KEY}/{scope}"
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), fields["Signature"]


@pytest.fixture
def store():
    """Objects by path: (bytes, metadata); only signed requests are answered."""
    objects = {}

    class Asked(Handler):
        def do_GET(self):
            objects.get("seen", []).append({name.lower(): value for name, value in self.headers.items()})
            expected, got = expected_signature(self) if "Authorization" in self.headers else ("", None)
            body, metadata = objects.get(self.path, (b"", None))
            status = 403 if expected != got else 404 if metadata is None else 200
            headers = [(name if name.startswith("x-amz-") else f"X-Amz-Meta-{name}", value) for name, value in (metadata or {}).items()]
            self.send(status, headers, body if status == 200 else b"")

    with Service(Asked) as server:
        objects["endpoint"] = server.url
        yield objects


def run(world, store, location, **environment):
    return subprocess.run([VERIFY, "--json", "--registry", world.directory / "signers.json", *location],
                          capture_output=True, text=True,
                          env={"AWS_ENDPOINT_URL": store["endpoint"] + "/", "AWS_REGION": REGION,
                               "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, **environment})


def put(world, store, path, **changes):
    file = world.snapshot(make_document(), **changes)
    store[path] = (file.read_bytes(), json.loads((world.directory / "snapshot.json.meta.json").read_text()))


def test_an_object_carries_its_metadata(world, store):
    put(world, store, "/bucket/snapshots/default/1.json")
    result = run(world, store, ["s3://bucket/snapshots/default/1.json"])
    assert result.returncode == VERIFIED, result.stdout
    put(world, store, "/bucket/snapshots/default/2.json", hash="0" * 64)
    assert run(world, store, ["s3://bucket/snapshots/default/2.json"]).returncode == REFUSED


def test_one_version_of_an_object(world, store):
    put(world, store, "/bucket/1.json?versionId=a-b_c")
    assert run(world, store, ["s3://bucket/1.json?versionId=a-b_c"]).returncode == VERIFIED
    assert run(world, store, ["s3://bucket/1.json?versionId=other"]).returncode == UNCHECKED


def test_another_version_than_was_asked_for_is_not_taken(world, store):
    put(world, store, "/bucket/1.json?versionId=v1")
    body, metadata = store["/bucket/1.json?versionId=v1"]
    for given, expected in (("v1", VERIFIED), ("v2", UNCHECKED), ("v", UNCHECKED), ("v11", UNCHECKED), ("null", UNCHECKED)):
        store["/bucket/1.json?versionId=v1"] = (body, dict(metadata, **{"x-amz-version-id": given}))
        result = run(world, store, ["s3://bucket/1.json?versionId=v1"])
        assert result.returncode == expected, (given, result.stdout)
        assert (f"the store gave another version: {given}" in result.stdout) == (expected == UNCHECKED)
    # A store that keeps versions, and says nothing of this one, is believed, and that is said
    store["/bucket/1.json?versionId=v1"] = (body, metadata)
    result = run(world, store, ["s3://bucket/1.json?versionId=v1"])
    assert result.returncode == VERIFIED and "does not say which version" in result.stdout
    assert "does not say which version" not in run(world, store, ["s3://bucket/missing.json"]).stdout


ODD_KEYS = ["a b.json", "a+b.json", "ü/é.json", "a%20b.json", "a&b=c.json", "a;b,c.json", "~.-_.json", "a/../b.json", "a//b.json", "(1)*!'.json", "a#b.json", "a?b.json"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_every_key_is_signed_as_it_is_sent(world, store, key):
    put(world, store, "/bucket/" + urllib.parse.quote(key, safe="/-_.~"))
    assert run(world, store, ["s3://bucket/" + key]).returncode == VERIFIED
    put(world, store, "/bucket/" + urllib.parse.quote(key, safe="/-_.~") + "?versionId=a%2Fb%3D%2B")
    assert run(world, store, ["s3://bucket/" + key + "?versionId=a/b=+"]).returncode == VERIFIED


def test_endpoints_tokens_and_no_credentials(world, store):
    put(world, store, "/gateway/of/bucket/1.json")
    put(world, store, "/bucket/1.json")
    place = "s3://bucket/1.json"
    assert run(world, store, [place], AWS_ENDPOINT_URL=store["endpoint"] + "/gateway/of//").returncode == VERIFIED
    assert run(world, store, [place], AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ENDPOINT_URL_S3=store["endpoint"]).returncode == VERIFIED
    assert run(world, store, [place], AWS_SESSION_TOKEN="T" * 1500).returncode == VERIFIED
    assert run(world, store, [place], AWS_REGION="us-east-1").returncode == UNCHECKED
    # This server's rule: who does not sign is not answered
    assert run(world, store, [place], AWS_ACCESS_KEY_ID="").returncode == UNCHECKED
    for odd in ({"AWS_ENDPOINT_URL": "no url"}, {"AWS_SECRET_ACCESS_KEY": "s" * 300}, {"AWS_SESSION_TOKEN": "t" * 9000}):
        result = run(world, store, [place], **odd)
        assert result.returncode == UNCHECKED and json.loads(result.stdout), odd
    assert run(world, store, ["s3://bucket/" + "k" * 2000]).returncode == UNCHECKED


def test_the_token_is_signed(world, store):
    put(world, store, "/bucket/1.json")
    seen = []
    store["seen"] = seen
    assert run(world, store, ["s3://bucket/1.json"], AWS_SESSION_TOKEN="token").returncode == VERIFIED
    headers, = seen
    assert headers["x-amz-security-token"] == "token" and "x-amz-security-token" in headers["authorization"]


def test_what_the_store_does_not_give_cannot_be_checked(world, store):
    put(world, store, "/bucket/1.json")
    result = run(world, store, ["s3://bucket/missing.json"])
    assert result.returncode == UNCHECKED and "the server answered 404" in result.stdout
    result = run(world, store, ["s3://bucket/1.json"], AWS_SECRET_ACCESS_KEY="wrong")
    assert result.returncode == UNCHECKED and "the server answered 403" in result.stdout
    result = run(world, store, ["s3://bucket/1.json"], AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert result.returncode == UNCHECKED


def test_audit_segments_from_the_store(world, store):
    chain, _ = make_chain(world.signer)
    for name, events in (("0-2", chain[:3]), ("3-6", chain[3:])):
        store[f"/bucket/audit/default/{name}.jsonl"] = (
            write_lines(world.directory / "segment", events).read_bytes(), {})
    locations = [f"s3://bucket/audit/default/{name}.jsonl" for name in ("0-2", "3-6")]
    assert run(world, store, locations).returncode == VERIFIED
    assert run(world, store, locations[::-1]).returncode == VERIFIED
    store["/bucket/audit/default/3-6.jsonl"] = store["/bucket/audit/default/0-2.jsonl"]
    assert run(world, store, locations).returncode == REFUSED


def test_a_log_of_tiles_is_read_from_a_bucket(store, tmp_path):
    world = LogWorld(tmp_path, 0)
    log = Log([number.to_bytes(32, "big") for number in range(300)], world.log_key)
    directory = log.write(tmp_path / "log")
    for path in directory.rglob("*"):
        if path.is_file():
            store[f"/bucket/tlog/default/{path.relative_to(directory)}"] = (path.read_bytes(), {})
    result = run(world, store, ["s3://bucket/tlog/default/"])
    assert result.returncode == VERIFIED and "300 entries give the checkpoint's root" in result.stdout, result.stdout
    assert run(world, store, ["s3://bucket/tlog/default/"], AWS_SECRET_ACCESS_KEY="wrong").returncode == UNCHECKED
    body, metadata = store["/bucket/tlog/default/tile/0/001.p/44"]
    store["/bucket/tlog/default/tile/0/001.p/44"] = (body[::-1], metadata)
    assert run(world, store, ["s3://bucket/tlog/default/"]).returncode == REFUSED
