"""The registry says whose signatures count: one that says two things of a key says nothing."""
import base64
import json

import pytest

from evidence import REFUSED, UNCHECKED, VERIFIED, make_document, wrong


@pytest.fixture
def path(world):
    return world.snapshot(make_document())


@pytest.mark.parametrize("change", [
    {}, {"status": "revoked"}, {"publicKey": None}, {"validFrom": "2026-11-01T00:00:00Z"}, {"status": "retired", "validTo": "2026-12-01T00:00:00Z"}])
@pytest.mark.parametrize("first", [True, False])
def test_two_entries_of_one_id_are_refused(world, path, change, first):
    own, other = world.signer.entry(), world.other.entry(signerId="kernel-1")
    second = dict(own, **change)
    if "publicKey" in change:
        second["publicKey"] = other["publicKey"]
    world.registry(*([second, own] if first else [own, second]), world.other.entry())
    ended = world.run(path)
    assert ended.returncode == UNCHECKED and "two entries of kernel-1" in ended.stderr


@pytest.mark.parametrize("statuses", [("revoked", "active"), ("active", "revoked"), ("retired", "revoked"), ("active", "active"), ("revoked", "revoked")])
def test_a_key_stands_under_one_id(world, path, statuses):
    """What ceased to count under one would count under the other."""
    entries = [world.signer.entry(), dict(world.signer.entry(), signerId="again")]
    for entry, status in zip(entries, statuses):
        entry.update(status=status, validTo="2026-12-01T00:00:00Z")
    world.registry(*entries)
    ended = world.run(path)
    assert ended.returncode == UNCHECKED and "two entries of one key: kernel-1 and again" in ended.stderr
    world.registry(world.signer.entry(), world.other.entry())
    assert world.run(path).returncode == VERIFIED


@pytest.mark.parametrize("change, said", [
    ({"validFrom": "2026-12-01T00:00:00Z", "validTo": "2026-01-01T00:00:00Z"}, "validTo lies before its validFrom"),
    ({"status": "active", "revokedAt": "2026-12-01T00:00:00Z"}, "is not revoked"),
    ({"validFrom": "2026-02-31T00:00:00Z"}, "is not a time"),
    ({"validTo": "2026-02-29T00:00:00Z"}, "is not a time"),
    ({"validFrom": 1767225600}, "is not a time"),
    ({"signerId": ""}, "has no signerId"),
    ({"signerId": "kernel 1"}, "signerId is not made of"),
    ({"signerId": "kernel-1\u202e"}, "signerId is not made of"),
    ({"signerId": "k" * 201}, "signerId is not made of"),
    ({"status": "Active"}, "status is none of"),
    ({"algorithm": "Ed25519"}, "algorithm is not"),
    ({"publicKey": base64.b64encode(bytes(32)).decode()}, "publicKey is not"),
])
def test_an_entry_that_contradicts_itself_is_refused(world, path, change, said):
    world.registry(world.signer.entry(**change))
    ended = world.run(path)
    assert ended.returncode == UNCHECKED and said in ended.stderr


def test_nothing_counts_of_a_key_that_was_revoked_as_of_before_it_was_valid(world, path):
    world.registry(world.signer.entry(status="revoked", validFrom="2026-11-01T00:00:00Z", validTo="2026-10-01T00:00:00Z"))
    assert wrong(world.check(REFUSED, path)) == {"signer"}


def test_duplicate_members_of_an_entry_are_refused(world, path):
    text = json.dumps({"signers": [world.signer.entry(status="revoked")]})
    (world.directory / "signers.json").write_text(text.replace('"status"', '"status": "active", "status"'))
    ended = world.run(path)
    assert ended.returncode == UNCHECKED and "name appears twice" in ended.stderr
