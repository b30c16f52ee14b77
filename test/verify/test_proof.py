"""Proofs that an event is in a log: what reason-verify accepts, and that each part of one counts."""
import json
import subprocess

import pytest

from evidence import REFUSED, UNCHECKED, VERIFIED, canonical, make_event, sha256, wrong, write_lines
from log_evidence import COSIGNATURE, ORIGIN, Log, LogWorld, NoteKey, base64_of
from paths import VERIFY


@pytest.fixture
def world(tmp_path):
    return LogWorld(tmp_path)


def details(report, check):
    return [c["detail"] for c in report["checks"] if c["check"] == check]


@pytest.mark.parametrize("size", range(1, 8))
def test_every_event_of_every_tree_is_proved(world, size):
    for index in range(size):
        report = world.check(VERIFIED, world.proof(index, size))
        assert (report["kind"], report["index"], report["size"], report["origin"]) == ("proof", index, size, ORIGIN)
        assert report["root"] == base64_of(world.log.root(size))
        assert details(report, "inclusion") == [f"it is entry {index} of the log"]


def test_a_person_reads_what_is_proved(world):
    said = world.run(world.proof(3)).stdout
    assert 'test.event, event 3 of division "default": hash and signature' in said
    assert f'log "{ORIGIN}" of 7 events' in said and "signed by log-1, registered for checkpoints" in said
    assert said.splitlines()[-1].startswith("verified: ")


def test_altered_bytes_are_refused(world):
    path = world.proof(4, 6)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1:])
        assert world.run("--type", "proof", path).returncode == REFUSED, position


def alter_payload(event):
    event["payload"]["number"] = 99


def alter_seq(event):
    event["seq"] = 2


def alter_division(event):
    event["division"] = event["payload"]["division"] = "other"


def alter_hash(event):
    event["hash"] = "00" * 32


def alter_signature(event):
    event["signature"] = base64_of(b"s" * 64)


def alter_signer(event):
    event["signerId"] = "other"


def alter_prev_hash(event):
    event["prevHash"] = "00" * 32


@pytest.mark.parametrize("alter", [alter_payload, alter_seq, alter_division, alter_hash, alter_signature, alter_signer, alter_prev_hash])
def test_an_event_that_was_altered_is_refused(world, alter):
    event = json.loads(canonical(world.chain[3]))
    alter(event)
    world.check(REFUSED, world.write("3.tlog-proof", world.log.proof(3, canonical(event))))


def test_another_event_of_the_chain_is_refused(world):
    report = world.check(REFUSED, world.write("x.tlog-proof", world.log.proof(3, canonical(world.chain[2]))))
    assert wrong(report) == {"event", "inclusion"}


def test_the_log_of_another_division_does_not_hold_the_event(world):
    """One key signs the logs of all divisions: which one a proof is of, its origin says."""
    for origin, verdict in (("log.example/reason/other", REFUSED), ("log.example/reason/default;2", VERIFIED), ("default", VERIFIED),
                            ("log.example/reason/default/more", REFUSED), ("log.example/reason/defaul", REFUSED)):
        log = Log(world.log.entries, world.log_key, origin=origin)
        report = world.check(verdict, world.write("x.tlog-proof", log.proof(3, canonical(world.chain[3]))))
        assert wrong(report) == ({"event"} if verdict == REFUSED else set()), origin


def test_a_signed_event_that_is_not_in_the_log_is_refused(world):
    """Whoever has the signing key alone proves nothing."""
    chain = world.chain[:3]
    make_event(world.signer, chain, {"eventType": "test.event", "number": 99})
    report = world.check(REFUSED, world.write("x.tlog-proof", world.log.proof(3, canonical(chain[3]))))
    assert wrong(report) == {"inclusion"}


def test_an_event_in_another_form_is_refused(world):
    for extra in (canonical(world.chain[3]) + b"\n", json.dumps(world.chain[3], indent=1).encode(), b"", b"{}", b"[1]", b"null", b"{\"payload\":{}}", b"\xff"):
        assert "event" in wrong(world.check(REFUSED, world.write("x.tlog-proof", world.log.proof(3, extra))))


def test_a_proof_without_its_event_proves_nothing_yet(world):
    report = world.check(UNCHECKED, world.write("x.tlog-proof", world.log.proof(3, None)))
    assert details(report, "event") == ["the proof does not bring its event along"]


def test_contents_are_checked_when_they_come_along(world):
    content = {"salt": base64_of(b"s" * 16), "payload": {"a": 1}}
    record = {"id": "00000000-0000-7000-8000-000000000001", "payloadHash": sha256(b"s" * 16 + canonical({"a": 1})).hex()}
    event = make_event(world.signer, world.chain, {"eventType": "node.created", "node": record}, content)
    world.log = Log([bytes.fromhex(e["hash"]) for e in world.chain], world.log_key)
    assert details(world.check(VERIFIED, world.proof(7)), "contents") == ["its content matches its payloadHash"]
    event["content"]["payload"] = {"a": 2}
    assert wrong(world.check(REFUSED, world.proof(7))) == {"content"}


def test_only_a_key_for_checkpoints_signs_the_log(world):
    world.registry_of_log(log=world.log_key.entry("events"))
    assert wrong(world.check(REFUSED, world.proof(3))) == {"checkpoint"}
    world.registry_of_log(log=world.log_key.entry("witness"))
    assert wrong(world.check(REFUSED, world.proof(3))) == {"checkpoint"}
    world.registry(world.signer.entry())
    assert wrong(world.check(REFUSED, world.proof(3))) == {"checkpoint"}
    # a registry to come
    world.registry_of_log(log=world.log_key.entry("everything"))
    assert wrong(world.check(REFUSED, world.proof(3))) == {"checkpoint"}


def test_a_key_for_checkpoints_signs_no_event(world):
    chain = []
    signer = NoteKey(world.directory, "log-2", "log-2")
    make_event(signer, chain, {"eventType": "test.event"})
    world.registry_of_log(signer.entry("checkpoints"))
    world.check(REFUSED, write_lines(world.directory / "0-0.jsonl", chain))
    world.registry_of_log(signer.entry("events"))
    world.check(VERIFIED, write_lines(world.directory / "0-0.jsonl", chain))


def test_a_key_with_two_purposes_makes_no_registry(world):
    world.registry_of_log(world.log_key.entry("events", "again"))
    ended = world.run(world.proof(3))
    assert ended.returncode == UNCHECKED and "one key: log-1 and again" in ended.stderr


def test_a_revoked_key_counts_for_what_witnesses_saw_before(world):
    revoked = world.log_key.entry("checkpoints", status="revoked", validTo="2026-11-20T00:00:00.000000Z")
    world.registry_of_log(world.witness.entry("witness"), log=revoked)
    world.log.witnesses = [world.witness]
    assert "checkpoint" in wrong(world.check(REFUSED, world.proof(3)))
    later = world.log_key.entry("checkpoints", status="revoked", validTo="2026-11-24T00:00:00.000000Z")
    world.registry_of_log(world.witness.entry("witness"), log=later)
    # 18 November: cosigned before the key was lost
    report = world.check(VERIFIED, world.proof(3))
    assert len(details(report, "witness")) == 1
    world.log.witnesses = []
    assert "checkpoint" in wrong(world.check(REFUSED, world.proof(3)))
    world.log.witnesses = [world.witness]
    assert world.run("--refuse-revoked", world.proof(3)).returncode == REFUSED
    world.registry_of_log(world.witness.entry("witness", status="revoked", validTo="2026-11-28T00:00:00.000000Z"), log=later)
    assert "checkpoint" in wrong(world.check(REFUSED, world.proof(3)))


def test_a_cosignature_that_is_not_the_witness_spoils_the_checkpoint(world):
    world.registry_of_log(world.witness.entry("witness"))
    forger = NoteKey(world.directory, "forger", "witness.example/w1", COSIGNATURE)
    forger.key_id = lambda name=None: world.witness.key_id()
    world.log.witnesses = [forger]
    assert wrong(world.check(REFUSED, world.proof(3))) == {"witness"}
    # under its own id it is nobody
    world.log.witnesses = [NoteKey(world.directory, "stranger", "witness.example/w1", COSIGNATURE)]
    assert details(world.check(VERIFIED, world.proof(3)), "witness") == []


def test_a_cosignature_of_the_future_is_refused(world):
    world.registry_of_log(world.witness.entry("witness"))
    text = world.log.text()
    note = text + "\n" + world.log_key.line(text, name=ORIGIN) + world.witness.line(text, at=4102444800)
    assert wrong(world.check(REFUSED, world.write("checkpoint", note))) == {"witness"}


def policy(world, *lines):
    return world.write("policy", "".join(line + "\n" for line in lines))


def test_a_policy_says_who_must_have_signed(world):
    witnesses = [NoteKey(world.directory, f"w{i}", f"witness.example/{i}", COSIGNATURE) for i in range(3)]
    lines = [f"log {world.log_key.vkey(ORIGIN)}", *(f"witness w{i} {w.vkey()}" for i, w in enumerate(witnesses)), "group two 2 w0 w1 w2"]
    two = policy(world, *lines, "quorum two")
    for signers, verdict in (([], REFUSED), ([0], REFUSED), ([0, 2], VERIFIED), ([0, 1, 2], VERIFIED)):
        world.log.witnesses = [witnesses[i] for i in signers]
        report = world.check(verdict, "--policy", two, world.proof(3))
        assert wrong(report) == (set() if verdict == VERIFIED else {"policy"})
        assert len(details(report, "witness")) == len(signers)
    # with a policy that knows the log no registry is needed, but for the event's own signature
    ended = subprocess.run([VERIFY, "--json", "--policy", two, world.proof(3)], capture_output=True, text=True, check=False,
                           env={"PATH": "/usr/bin"})
    assert ended.returncode == VERIFIED
    assert details(json.loads(ended.stdout), "event")[-1] == "its own signature was not checked, for no registry was given"
    # nor is the registry asked who signs the log
    world.registry(world.signer.entry())
    world.check(VERIFIED, "--policy", two, world.proof(3))


def test_a_policy_knows_a_log_by_origin_and_key(world):
    other = NoteKey(world.directory, "another", "another")
    for line in (f"log {other.vkey(ORIGIN)}", f"log {world.log_key.vkey('log.example/reason/other')}"):
        assert wrong(world.check(REFUSED, "--policy", policy(world, line, "quorum none"), world.proof(3))) == {"checkpoint"}
    world.check(VERIFIED, "--policy", policy(world, f"log {world.log_key.vkey(ORIGIN)}", "quorum none"), world.proof(3))
    # a policy without logs leaves the log to the registry
    world.check(VERIFIED, "--policy", policy(world, "quorum none"), world.proof(3))
    ended = subprocess.run([VERIFY, "--json", "--policy", policy(world, "quorum none"), world.proof(3)], capture_output=True, text=True, check=False,
                           env={"PATH": "/usr/bin"})
    assert ended.returncode == UNCHECKED


@pytest.mark.parametrize("text, said", [("quorum w\n", "line 1: the quorum is defined on no line before"), ("", "the policy is empty"), ("# none\n", "the policy has no quorum line"),
                                        ("quorum none\nlog x\n", "line 2: a verifier key is")])
def test_a_policy_that_is_none_checks_nothing(world, text, said):
    ended = world.run("--policy", world.write("policy", text), world.proof(3))
    assert ended.returncode == UNCHECKED and said in ended.stderr


def noted_report(reports):
    return [(r["kind"], c["result"], c["detail"]) for r in reports for c in r["checks"] if c["check"] == "noted"]


def test_what_was_noted_is_extended_as_the_given_hashes_prove(world):
    old = world.write("old", world.log.text(3))
    hashes = world.write("hashes", "".join(base64_of(h) + "\n" for h in world.log.consistency(3)))
    as_json = world.write("hashes.json", json.dumps({"from": 3, "to": 7, "hashes": [base64_of(h) for h in world.log.consistency(3)]}))
    for path in (hashes, as_json):
        code, reports, _ = world.reports("--checkpoint", old, "--consistency", path, world.proof(5))
        assert code == VERIFIED and noted_report(reports) == [("proof", "ok", f"it extends the log of 3 events by {old}")]
    # of another tree, and without one
    wrong_hashes = world.write("hashes", "".join(base64_of(h) + "\n" for h in world.log.consistency(3)[::-1]))
    assert world.reports("--checkpoint", old, "--consistency", wrong_hashes, world.proof(5))[0] == REFUSED
    code, reports, _ = world.reports("--checkpoint", old, world.proof(5))
    assert code == UNCHECKED and reports[-1]["kind"] == "noted"


@pytest.mark.parametrize("root", [base64_of, bytes.hex])
def test_what_was_noted_can_be_typed(world, root):
    code, reports, _ = world.reports("--checkpoint", ORIGIN, "7", root(world.log.root()), world.proof(5))
    assert code == VERIFIED and noted_report(reports) == [("proof", "ok", "it is the log of 7 events by what you noted")]
    code, reports, _ = world.reports(world.proof(5), "-c", ORIGIN, "7", root(world.log.root(6)))
    assert code == REFUSED and noted_report(reports) == [("proof", "wrong", "the log has another root at 7 events than by what you noted")]


def test_a_log_that_was_longer_was_cut_off(world):
    code, reports, _ = world.reports("--checkpoint", ORIGIN, "7", base64_of(world.log.root()), world.proof(2, 5))
    assert code == REFUSED
    assert noted_report(reports) == [("proof", "wrong", "the log had 7 events by what you noted, and has 5 here: its end was cut off, or this is older")]


def test_another_log_says_nothing_of_what_was_noted(world):
    """As after a restore, which begins a log anew under another origin."""
    code, reports, _ = world.reports("--checkpoint", ORIGIN + ";2", "3", base64_of(world.log.root(3)), world.proof(5))
    assert code == UNCHECKED and noted_report(reports)[0][:2] == ("noted", "unchecked")


def test_two_proofs_of_one_log_must_agree(world):
    """A split view: both are signed."""
    forked = Log(world.log.entries[:4] + [b"f" * 32] + world.log.entries[5:], world.log_key)
    other = world.write("other.tlog-proof", forked.proof(2, canonical(world.chain[2])))
    world.check(VERIFIED, other)
    code, reports, _ = world.reports(world.proof(3), other)
    assert code == REFUSED and {c["check"] for r in reports for c in r["checks"] if c["result"] == "wrong"} == {"heads"}
    # which a forged one cannot bring about
    world.registry(world.signer.entry(), world.log_key.entry("checkpoints"))
    forged = Log(forked.entries, NoteKey(world.directory, "forger", "forger"))
    code, reports, _ = world.reports(world.write("a.tlog-proof", forged.proof(2, canonical(world.chain[2]))), world.proof(3))
    assert [r["verdict"] for r in reports] == ["refused", "verified"]


@pytest.mark.parametrize("old, said", [
    (("--checkpoint", "/nowhere"), "cannot use the checkpoint from before"), (("--checkpoint", ORIGIN, "x", "y"), "cannot use the checkpoint"),
    (("--checkpoint", "OLD", "--consistency", "/nowhere"), "cannot use the proof of consistency"), (("--consistency", "OLD"), "without --checkpoint"),
    (("--checkpoint", "OLD", "--checkpoint", "OLD"), "given twice"), (("--checkpoint", "BAD"), "32 bytes in Base 64")])
def test_what_cannot_be_used_ends_the_program(world, old, said):
    good, bad = world.write("good", world.log.text(3)), world.write("bad", world.log.text(3).replace("=", "\u2212"))
    ended = world.run(*({"OLD": good, "BAD": bad}.get(o, o) for o in old), world.proof(3))
    assert ended.returncode == UNCHECKED and said in ended.stderr


def test_hashes_that_are_none_end_the_program(world):
    good = world.write("good", world.log.text(3))
    for hashes in ("x\n", base64_of(b"h" * 31) + "\n", "{}", '{"hashes": 1}', '{"hashes": [1]}', '{"hashes": ["x"]}', (base64_of(b"h" * 32) + "\n") * 65):
        ended = world.run("--checkpoint", good, "--consistency", world.write("hashes", hashes), world.proof(3))
        assert ended.returncode == UNCHECKED and "cannot use the proof of consistency" in ended.stderr, hashes


def test_a_checkpoint_alone_is_verified(world):
    report = world.check(VERIFIED, world.write("checkpoint", world.log.checkpoint()))
    assert (report["kind"], report["size"]) == ("checkpoint", 7)
    unsigned = world.write("checkpoint", world.log.text() + "\n\u2014 somebody AAAAAAA=\n")
    assert wrong(world.check(REFUSED, unsigned)) == {"checkpoint"}
    assert wrong(world.check(REFUSED, "--type", "log", world.write("checkpoint", "nothing\n"))) == {"checkpoint"}


def test_names_that_would_steer_a_terminal_are_escaped(world):
    origin = "log.example/\u202edefault"
    log = Log(world.log.entries, world.log_key, origin=origin)
    said = world.run(world.write("checkpoint", log.checkpoint())).stdout
    assert "\u202e" not in said and "\\u202e" in said


def test_a_time_is_told(world):
    world.registry_of_log(world.witness.entry("witness"))
    world.log.witnesses = [world.witness]
    assert details(world.check(VERIFIED, world.proof(3)), "witness") == ['cosigned by "witness.example/w1" at 2026-11-18T11:06:40Z']
