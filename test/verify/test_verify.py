"""reason-verify as a command: what it accepts, what it refuses, and how it exits.

Documents are made here from scratch, with Python's json and OpenSSL's signatures, so that
nothing is checked by the code that wrote it.
"""
import base64
import json
import subprocess

import pytest

from evidence import ANNOTATION_MEMBERS, EDGE_MEMBERS, REFUSED, UNCHECKED, VERIFIED, make_chain, make_document, make_event, sha256, with_digest, write_lines, wrong
from paths import VERIFY


def test_a_snapshot_with_its_metadata_is_verified(world):
    report = world.check(VERIFIED, world.snapshot(make_document()))
    assert report["verified"] is True
    assert report["kind"] == "snapshot"
    assert report["signerId"] == "kernel-1" and report["signerStatus"] == "active"
    assert report["id"] == "30000000-0000-7000-8000-000000000001"
    details = {c["check"]: c["detail"] for c in report["checks"]}
    assert details["nodes"] == "3 nodes: digests recomputed; 3 payloads match, 0 withheld or erased"
    assert details["edges"] == "2 edges: digests recomputed, both ends match; 0 ends outside this snapshot"
    assert details["annotations"] == "1 annotations: digests recomputed; 1 payloads match, 0 withheld or erased"


def test_a_person_reads_the_verdict(world):
    result = world.run(world.snapshot(make_document()))
    assert result.returncode == VERIFIED
    assert result.stdout.splitlines()[-1].startswith("verified: ")


def test_metadata_may_be_given_by_options(world):
    path = world.snapshot(make_document())
    metadata = json.loads((world.directory / "snapshot.json.meta.json").read_text())
    (world.directory / "snapshot.json.meta.json").unlink()
    world.check(UNCHECKED, path)
    options = ["--hash", metadata["hash"], "--signature", metadata["signature"], "--signer-id", "kernel-1"]
    world.check(VERIFIED, *options, "--signed-at", metadata["ts"], path)
    assert wrong(world.check(REFUSED, *options[2:], "--hash", "0" * 64, path)) == {"hash"}


def test_every_altered_byte_is_refused(world):
    path = world.snapshot(make_document())
    body = path.read_bytes()
    for position in range(0, len(body), 37):
        altered = bytearray(body)
        altered[position] ^= 1
        path.write_bytes(altered)
        assert {"hash", "signature"} & wrong(world.check(REFUSED, path)), position


def test_an_envelope_is_verified_however_it_is_laid_out(world):
    report = world.check(VERIFIED, world.envelope(make_document()))
    assert report["kind"] == "envelope" and report["verified"] is True


@pytest.mark.parametrize("change", [
    {"created_at": "2026-11-23T16:15:31.000000Z"}, {"signer_kid": "other"}, {"signer_kid": "nobody"},
    {"signature": base64.b64encode(bytes(64)).decode()}, {"signature": "!"}, {"added": 1},
    {"snapshot_bytes_canonical_hash": base64.b64encode(bytes(32)).decode()},
    {"root_ids": []}, {"eventType": "node.created"}])
def test_an_altered_envelope_is_refused(world, change):
    assert wrong(world.check(REFUSED, world.envelope(make_document(), **change)))


def resigned(world, alter):
    """The signer itself signs a document that does not hold together."""
    document = make_document()
    alter(document)
    return world.snapshot(document)


@pytest.mark.parametrize("part, alter", [
    ("nodes", lambda d: d["payload"]["nodes"][0].update(author="someone else")),
    ("nodes", lambda d: d["payload"]["nodes"][1].update(payload="other text")),
    ("nodes", lambda d: d["payload"]["nodes"][1].update(salt=base64.b64encode(b"x" * 16).decode())),
    ("nodes", lambda d: d["payload"]["nodes"][1].update(digest="0" * 64)),
    ("nodes", lambda d: d["payload"]["nodes"].reverse()),
    ("nodes", lambda d: d["payload"]["nodes"].append(d["payload"]["nodes"][2])),
    ("edges", lambda d: d["payload"]["edges"][0].update(weight=0.5)),
    ("edges", lambda d: with_digest(d["payload"]["edges"][0], EDGE_MEMBERS).update(toDigest="1" * 64)),
    ("edges", lambda d: d["payload"]["edges"].__setitem__(
        0, with_digest(dict(d["payload"]["edges"][0], fromDigest="1" * 64), EDGE_MEMBERS))),
    ("annotations", lambda d: d["payload"]["annotations"][0].update(author="someone else")),
    ("annotations", lambda d: d["payload"]["annotations"].__setitem__(
        0, with_digest(dict(d["payload"]["annotations"][0], targetDigest="1" * 64), ANNOTATION_MEMBERS))),
    ("roots", lambda d: d.update(root_ids=["40000000-0000-7000-8000-000000000001"])),
    ("frontier", lambda d: d["payload"].update(frontier=["40000000-0000-7000-8000-000000000001"])),
    ("frontier", lambda d: d["payload"].update(frontier=[n["id"] for n in d["payload"]["nodes"]][::-1])),
    ("frontier", lambda d: d["payload"].update(frontier=[d["payload"]["nodes"][0]["id"]] * 2)),
    ("frontier", lambda d: d["payload"].update(frontier=[d["payload"]["nodes"][0]])),
    ("frontier", lambda d: d["payload"].update(frontier={})),
    ("document", lambda d: d.pop("reasoning_graph_version")),
    ("document", lambda d: d.update(eventType="node.created")),
    ("document", lambda d: d.update(created_at="yesterday")),
])
def test_a_signed_document_must_hold_together(world, part, alter):
    assert part in wrong(world.check(REFUSED, resigned(world, alter)))


def test_a_cut_by_depth_is_told(world):
    document = make_document()
    document["payload"]["frontier"] = []
    assert "frontier" not in [c["check"] for c in world.check(VERIFIED, world.snapshot(document))["checks"]]
    document["payload"].update(depth=2, frontier=[document["payload"]["nodes"][0]["id"]])
    report = world.check(VERIFIED, world.snapshot(document))
    assert "1 nodes have further edges" in [c["detail"] for c in report["checks"] if c["check"] == "frontier"][0]


def test_withheld_payloads_do_not_disturb(world):
    document = make_document()
    document["payload"]["pii_included"] = False
    del document["payload"]["nodes"][0]["payload"], document["payload"]["nodes"][0]["salt"]
    document["payload"]["nodes"][1].update(payload={"email": "[redacted:email]"}, salt=None)
    report = world.check(VERIFIED, world.snapshot(document))
    assert "1 payloads match, 2 withheld" in [c["detail"] for c in report["checks"] if c["check"] == "nodes"][0]


def test_a_payload_without_its_salt_is_refused_where_nothing_is_left_out(world):
    document = make_document()
    document["payload"]["nodes"][1].update(payload="invented", salt=None)
    report = world.check(REFUSED, world.snapshot(document))
    assert any("a payload has no salt to prove it" in c["detail"] for c in report["checks"])


@pytest.mark.parametrize("change", [{"payload": "invented", "salt": None}, {"payload": None}, {}])
def test_what_is_marked_as_erased_has_no_content(world, change):
    document = make_document()
    document["payload"]["pii_included"] = False
    erased = {"at": "2026-11-23T16:15:28.000000Z", "by": "ada", "reason": "asked for"}
    node = document["payload"]["nodes"][1]
    node.update(erased=erased, **change)
    report = world.check(REFUSED, world.snapshot(document))
    assert any("node number 2 is marked as erased, and has a content" in c["detail"] for c in report["checks"])
    document["payload"]["pii_included"] = True
    node.update(payload=None)
    del node["salt"]
    world.check(VERIFIED, world.snapshot(document))


def test_a_document_is_not_older_than_its_records(world):
    document = make_document()
    document["created_at"] = "2026-11-23T16:05:28.999999Z"
    report = world.check(REFUSED, world.snapshot(document))
    assert any("more than 600 seconds before a record" in c["detail"] for c in report["checks"])
    document["created_at"] = "2026-11-23T16:05:29.000000Z"
    world.check(VERIFIED, world.snapshot(document))


def test_a_redacted_record_keeps_the_digest_of_the_whole(world):
    """Of a document that says it leaves out personal data: what edges and annotations name is still compared; what is not proved is named."""
    document = make_document()
    document["payload"]["pii_included"] = False
    node = document["payload"]["nodes"][0]
    node.update(author="[redacted:email]", redacted=True)
    report = world.check(VERIFIED, world.snapshot(document))
    said = [c for c in report["checks"] if c["check"] == "nodes" and "1 of 3 redacted" in c["detail"]]
    assert said[0]["result"] == "note" and said[0]["detail"].endswith("do not prove what is shown of them: author, createdAt, division, id, metadata, payloadHash, type")
    node["digest"] = "0" * 64
    report = world.check(REFUSED, world.snapshot(document))
    assert any("another version of its node" in c["detail"] for c in report["checks"])


@pytest.mark.parametrize("change", [{"author": "somebody else"}, {"type": "[redacted:email]"}, {"payload": "[redacted:email]"}, {"author": "[redacted]"}])
def test_a_mark_without_anything_that_is_redacted_is_refused(world, change):
    document = make_document()
    document["payload"]["pii_included"] = False
    document["payload"]["nodes"][0].update(change, redacted=True)
    if "payload" in change:
        document["payload"]["nodes"][0]["salt"] = None
    report = world.check(REFUSED, world.snapshot(document))
    assert any("node number 1 is marked as redacted, and nothing in it is" in c["detail"] for c in report["checks"])


def test_a_whole_document_has_no_redacted_records(world):
    document = make_document()
    document["payload"]["nodes"][0].update(author="somebody else", redacted=True)
    report = world.check(REFUSED, world.snapshot(document))
    assert any("has a digest that its record does not give" in c["detail"] for c in report["checks"])


def test_bytes_that_are_not_canonical_are_refused(world):
    document = make_document()
    path = world.snapshot(document)
    body = json.dumps(document, sort_keys=True).encode()
    path.write_bytes(body)
    digest = sha256(body)
    report = world.check(REFUSED, "--hash", digest.hex(), "--signature",
                         base64.b64encode(world.signer.sign(digest)).decode(), path)
    assert wrong(report) == {"canonical"}


def test_the_wrong_key_is_refused(world):
    assert wrong(world.check(REFUSED, world.snapshot(make_document(), **{"signer-id": "other"}))) == {"signature"}
    assert wrong(world.check(REFUSED, world.snapshot(make_document(), **{"signer-id": "nobody"}))) == {"signer"}


@pytest.mark.parametrize("entry, expected", [
    ({}, VERIFIED),
    ({"validTo": "2026-11-23T16:15:30.500000Z"}, REFUSED),
    ({"validTo": "2026-11-23T16:15:32Z", "status": "retired"}, VERIFIED),
    ({"validTo": "2026-11-23T18:15:32+02:00", "status": "retired"}, VERIFIED),
    ({"validFrom": "2026-11-23T16:15:32Z"}, REFUSED),
    ({"validFrom": None}, VERIFIED),
    ({"status": "revoked"}, REFUSED),
    ({"status": "revoked", "validTo": "2026-11-23T16:15:30.9Z"}, REFUSED),
])
def test_a_signature_counts_only_while_its_key_was_good(world, entry, expected):
    path = world.snapshot(make_document())
    world.registry(world.signer.entry(**entry))
    assert wrong(world.check(expected, path)) == ({"signer"} if expected else set())


def test_a_signature_from_before_the_revocation_is_flagged(world):
    path = world.snapshot(make_document())
    world.registry(world.signer.entry(status="revoked", validTo="2026-11-23T16:15:32Z"))
    report = world.check(VERIFIED, path)
    assert report["signerStatus"] == "revoked"
    assert [c["check"] for c in report["checks"] if c["result"] == "note"] == ["signer"]
    assert wrong(world.check(REFUSED, "--refuse-revoked", path)) == {"signer"}


def test_metadata_of_another_snapshot_is_refused(world):
    report = world.check(REFUSED, world.snapshot(make_document(), **{"snapshot-id": "x"}))
    assert wrong(report) == {"metadata"}
    report = world.check(REFUSED, world.snapshot(make_document(), ts="2026-11-23T16:15:20.000000Z"))
    assert wrong(report) == {"metadata"}


def test_duplicate_names_are_refused(world):
    path = world.snapshot(make_document())
    path.write_bytes(path.read_bytes().replace(b'"audience":"internal",', b'"audience":"x","audience":"internal",', 1))
    report = world.check(REFUSED, path)
    assert any("name appears twice" in c["detail"] for c in report["checks"])


def test_audit_segments_are_verified_one_after_another(world):
    chain, _ = make_chain(world.signer)
    first = write_lines(world.directory / "0-2.jsonl", chain[:3])
    second = write_lines(world.directory / "3-6.jsonl", chain[3:])
    result = world.run("--json", first, second)
    assert result.returncode == VERIFIED, result.stdout
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["kind"] for r in reports] == ["audit", "audit"]
    assert [r["events"] for r in reports] == [3, 4]
    assert reports[1]["checks"][-1]["detail"] == f'division "default" at seq 6: {chain[-1]["hash"]}'
    # alone, the second says what it cannot know
    report = world.check(VERIFIED, second)
    assert report["checks"][0] == {"check": "chain", "result": "note", "detail":
                                   'division "default" begins at seq 3: what is before was not given'}


def test_segments_are_taken_in_the_order_of_their_events(world):
    chain, contents = make_chain(world.signer, with_contents=False)
    names = ["0-2.contents.jsonl", "0-2.jsonl", "10-12.jsonl", "3-9.jsonl"]     # as a shell lists them
    for _ in range(6):
        make_event(world.signer, chain, {"eventType": "policy.denied"})
    paths = [world.directory / name for name in names]
    for path, lines in zip(paths, (contents[:3], chain[:3], chain[10:], chain[3:10])):
        write_lines(path, lines)
    assert world.run(*paths).returncode == VERIFIED
    # other names say nothing, and then the order given has to be right
    renamed = [write_lines(world.directory / "b.jsonl", chain[3:]), write_lines(world.directory / "a.jsonl", chain[:3])]
    assert world.run(*renamed).returncode == REFUSED
    assert world.run(*renamed[::-1]).returncode == VERIFIED


def test_contents_may_come_in_a_segment_of_their_own(world):
    chain, contents = make_chain(world.signer, with_contents=False)
    events = write_lines(world.directory / "0-6.jsonl", chain)
    beside = write_lines(world.directory / "0-6.contents.jsonl", contents)
    result = world.run("--json", events, beside)
    assert result.returncode == VERIFIED, result.stdout
    assert json.loads(result.stdout.splitlines()[1])["checks"] == [
        {"check": "contents", "detail": "4 payloads match their hash", "result": "ok"}]
    assert world.run(beside).returncode == UNCHECKED
    contents[1]["content"]["payload"] = "other"
    assert world.run(events, write_lines(beside, contents)).returncode == REFUSED


def alter_payload(chain):
    chain[1]["payload"]["node"]["author"] = "someone else"


def alter_type(chain):
    chain[1]["eventType"] = "edge.created"


def drop_event(chain):
    del chain[3]


def swap_events(chain):
    chain[2], chain[3] = chain[3], chain[2]


def repeat_event(chain):
    chain.insert(2, chain[2])


def alter_content(chain):
    chain[0]["content"]["payload"] = {"reading": 21}


def alter_signature(chain):
    chain[2]["signature"] = chain[1]["signature"]


def alter_signer(chain):
    chain[2]["signerId"] = "other"


def cut_start(chain):
    chain[0]["prevHash"] = "0" * 64


def alter_time(chain):
    chain[4]["ts"] = "2026-11-23T16:15:28.000000Z"


def alter_division(chain):
    chain[4]["division"] = "another"


@pytest.mark.parametrize("alter", [alter_payload, alter_type, drop_event, swap_events, repeat_event, alter_content,
                                   alter_signature, alter_signer, cut_start, alter_time, alter_division])
def test_an_altered_chain_is_refused(world, alter):
    chain, _ = make_chain(world.signer)
    alter(chain)
    assert wrong(world.check(REFUSED, write_lines(world.directory / "0-6.jsonl", chain)))


def test_an_edge_over_another_version_of_its_node_is_refused(world):
    chain, _ = make_chain(world.signer)
    edge = dict(chain[3]["payload"]["edge"], toDigest="1" * 64)
    forged = chain[:3]
    make_event(world.signer, forged, {"eventType": "edge.created", "edge": edge})
    assert wrong(world.check(REFUSED, write_lines(world.directory / "0-3.jsonl", forged))) >= {"record"}


def test_events_of_a_key_that_was_not_good_are_refused(world):
    chain, _ = make_chain(world.signer)
    path = write_lines(world.directory / "0-6.jsonl", chain)
    world.registry(world.signer.entry(status="retired", validTo="2026-11-23T16:15:27.000003Z"))
    assert wrong(world.check(REFUSED, path)) >= {"signature"}
    world.registry(world.signer.entry(status="retired", validTo="2026-11-23T16:15:27.000006Z"))
    world.check(VERIFIED, path)


def test_a_snapshot_cannot_pass_for_events_nor_events_for_a_snapshot(world):
    path = world.snapshot(make_document())
    world.check(REFUSED, "--type", "audit", path)
    chain, _ = make_chain(world.signer)
    events = write_lines(world.directory / "one.jsonl", chain[:1])
    world.check(REFUSED, "--type", "snapshot", events)


def test_broken_lines_and_empty_segments(world):
    path = world.directory / "empty.jsonl"
    path.write_text("")
    world.check(UNCHECKED, path)
    chain, _ = make_chain(world.signer)
    write_lines(path, chain)
    path.write_bytes(path.read_bytes()[:-40])
    assert "event" in wrong(world.check(REFUSED, path))


@pytest.mark.parametrize("registry", ["", "{}", '{"signers":[{}]}', '{"signers":[{"signerId":"a"}]}'])
def test_without_a_registry_nothing_can_be_checked(world, registry):
    path = world.snapshot(make_document())
    (world.directory / "signers.json").write_text(registry)
    result = world.run(path)
    assert result.returncode == UNCHECKED
    assert result.stderr.startswith("reason-verify: cannot use the registry")


def test_what_is_missing_cannot_be_checked(world):
    world.check(UNCHECKED, world.directory / "missing.json")
    world.check(UNCHECKED, "--metadata", world.directory / "missing.json", world.snapshot(make_document()))
    assert subprocess.run([VERIFY, "x"], capture_output=True, env={}).returncode == UNCHECKED
    assert world.run("--nonsense").returncode == UNCHECKED
    assert world.run().returncode == UNCHECKED


def test_help_names_the_exit_status(world):
    result = subprocess.run([VERIFY, "--help"], capture_output=True, text=True)
    assert result.returncode == 0 and "0 verified, 1 refused, 2 could not be checked" in result.stdout


def test_the_worst_of_several_objects_decides(world):
    good = world.snapshot(make_document())
    bad = world.envelope(make_document(), signer_kid="other")
    missing = world.directory / "missing.json"
    assert world.run(good, good).returncode == VERIFIED
    assert world.run(good, missing).returncode == UNCHECKED
    assert world.run(bad, missing, good).returncode == REFUSED
