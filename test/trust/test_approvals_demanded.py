"""Whoever replays or verifies a chain demands the approvals that its changes needed, and nothing passes for one that is not.

Events are altered, and the chain is sealed and signed anew with the key of the service: whoever has it can do the same.
"""
import base64
import hashlib
import json
import re
import subprocess
import uuid

import psycopg
import pytest

from approvals import APPROVERS, CALLS, FORGED, KINDS, NEW, OTHER, ROOT, ROOT_ROW, add_approvers, approve, execute, guard, named, propose
from evidence import canonical
from paths import VERIFY


@pytest.fixture(scope="module")
def history(make_database):
    db = guard(make_database("approvals_history"))
    for change, arguments in CALLS.items():
        if change != "set_approval_threshold":
            execute(db, change, ("bob", "ada"), **arguments)
    db.settle()
    return db


def lines(db):
    return [line for line, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY seq")]


def test_replay_demands_the_approvals(history, make_database):
    copy = make_database("approvals_replayed")
    for line in lines(history):
        assert copy.one("SELECT reason.replay(%s::json)", line)
    rules = "SELECT * FROM reason.present_rules() ORDER BY 1, 2"
    assert copy(rules) == history(rules)
    assert copy("SELECT * FROM reason.approval_faults()") == []
    # Everything later needs them too.
    assert "needs 2 approvals" in str(pytest.raises(psycopg.Error, copy, "SELECT reason.set_client('x', 'admin')").value)


def test_replay_refuses_a_change_made_past_the_functions(history, make_database):
    forged = make_database("approvals_forged")
    copy = make_database("approvals_refused")
    for line in lines(history):
        forged("SELECT reason.replay(%s::json)", line)
    forged(ROOT_ROW.replace("root", "mallory"))
    forged(FORGED, "client.changed", json.dumps({"client": {**ROOT, "name": "mallory"}}))
    # Somebody has the signing key as well.
    forged.settle()
    *good, bad = lines(forged)
    for line in good:
        assert copy.one("SELECT reason.replay(%s::json)", line)
    error = pytest.raises(psycopg.Error, copy, "SELECT reason.replay(%s::json)", bad).value
    assert error.sqlstate == "22000" and "does not have the approvals that it needs" in str(error)
    assert copy("SELECT * FROM reason.client WHERE name = 'mallory'") == []


def test_an_approver_whose_time_has_yet_to_come_is_retired(make_database, tmp_path):
    db = make_database("approvals_to_come")
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    add_approvers(db)
    db.seal()
    db("SELECT reason.set_approval_threshold('approval', 2)")
    execute(db, "add_approver", ("ada", "bob"), approver_id="late", public_key=NEW, valid_from="2100-01-01T00:00:00Z")
    execute(db, "retire_approver", ("ada", "bob"), approver_id="late")
    assert db.row("SELECT valid_from = '2100-01-01Z', valid_to = valid_from FROM reason.approver WHERE approver_id = 'late'") == (True, True)
    assert db("SELECT * FROM reason.approval_faults()") == []
    db.settle()
    copy = make_database("approvals_to_come_replayed")
    for line in lines(db):
        assert copy.one("SELECT reason.replay(%s::json)", line)
    assert offline(db, tmp_path, [json.loads(line) for line in lines(db)])[0] == 0


# ---------------------------------------------------------------- altered events


def sealed(db, events):
    """The events as a chain, sealed and signed with the key of the service."""
    result, previous = [], None
    for seq, event in enumerate(events):
        payload = event["payload"]
        hashed = hashlib.sha256(canonical(payload) + (previous or b"")).digest()
        result.append({**event, "eventType": payload["eventType"], "seq": seq, "prevHash": previous and previous.hex(), "hash": hashed.hex(),
                       "signature": base64.b64encode(db.signer.sign(hashed)).decode(), "signerId": db.signer.name})
        previous = hashed
    return result


def offline(db, directory, events, check="approvals"):
    (directory / "registry.json").write_text(json.dumps(db.one("SELECT reason.signer_registry()")))
    (directory / "0-999.jsonl").write_bytes(b"".join(canonical(e) + b"\n" for e in events))
    done = subprocess.run([VERIFY, "--json", "-r", directory / "registry.json", directory / "0-999.jsonl"], capture_output=True, text=True, check=False)
    return done.returncode, " ".join(f["detail"] for f in json.loads(done.stdout)["checks"] if f["check"] == check)


def test_reason_verify_demands_the_approvals(history, tmp_path):
    events = sealed(history, [json.loads(line) for line in lines(history)])
    assert [e["hash"] for e in events] == [json.loads(line)["hash"] for line in lines(history)]
    needed = len(CALLS) - 1 + len(KINDS) - 1
    assert offline(history, tmp_path, events) == (0, f"{needed} changes have the approvals that they needed")


def test_reason_verify_says_what_it_cannot_tell(history, tmp_path):
    code, said = offline(history, tmp_path, [json.loads(line) for line in lines(history)][12:])
    assert code == 0 and "cannot be told" in said


# Each alters the event that made the client admin.
ALTERATIONS = (
    (lambda e: e.pop("approved"), "needs 2 approvals, and has none", "it has none"),
    (lambda e: e["client"].update(name="mallory"), "records another name than was approved", 'recorded as "mallory"'),
    (lambda e: e["client"].update(issuer="CN=evil"), "records another issuer than was approved", "issuer was approved as null"),
    (lambda e: e["client"].update(divisions=["*", "x"]), "records another divisions than was approved", "divisions was approved as"),
    (lambda e: e["approved"]["proposal"]["arguments"].update(name="mallory") or e["client"].update(name="mallory"), "has 0 that count", "has 0 that count"),
    (lambda e: e["approved"]["proposal"].update(change="set_policy_rule"), "is not the change that was approved", 'change "set_policy_rule" was approved'),
    (lambda e: e["approved"]["proposal"].update(expiresAt="2026-01-01T00:00:00.000000Z"), "at a time at which", "could be executed from"),
    (lambda e: e["approved"]["proposal"]["head"].update(seq=1), "has 0 that count", "has 0 that count"),
    (lambda e: e["approved"]["approvals"].pop(), "has 1 that count", "has 1 that count"),
    (lambda e: e["approved"].update(approvals=[e["approved"]["approvals"][0]] * 5), "has 1 that count", "has 1 that count"),
    (lambda e: e["approved"]["approvals"][0].update(signature="AAAA"), "has 1 that count", "has 1 that count"),
    (lambda e: e["approved"].update(approvals={}), "no proposal with approvals", "no proposal with approvals"),
    (lambda e: e.update(approved=None), "no proposal with approvals", "no proposal with approvals"),
    # What PostgreSQL would make the same of.
    (lambda e: e.pop("approved") and e["client"].update(role="writer", divisions="{*}"), "needs 2 approvals, and has none", "it has none"),
    (lambda e: e.pop("approved") and e["client"].update(role="writer", divisions=[["*"]]), "needs 2 approvals, and has none", "it has none"),
    (lambda e: e.pop("approved") and e["client"].update(enabled="true"), "needs 2 approvals, and has none", "it has none"),
    (lambda e: e.pop("approved") and e["client"].update(enabled=1), "needs 2 approvals, and has none", "it has none"),
    (lambda e: e.pop("approved") and e["client"].update(role=["admin"]), "needs 2 approvals, and has none", "it has none"),
)


def altered(history, change, made_by="set_client"):
    """The chain up to the last event that such a change left, with this one altered."""
    events = [json.loads(line) for line in lines(history)]
    place = max(n for n, e in enumerate(events) if e["payload"].get("approved", {}).get("proposal", {}).get("change") == made_by)
    change(events[place]["payload"])
    return sealed(history, events[:place + 1])


@pytest.fixture(scope="module")
def before_the_client(history, make_database):
    """Replayed up to there."""
    copy = make_database("approvals_altered")
    for event in altered(history, lambda e: None)[:-1]:
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(event))
    return copy


@pytest.mark.parametrize("change, said, replayed", ALTERATIONS)
def test_an_altered_event_is_refused_offline_and_by_replay(history, before_the_client, tmp_path, change, said, replayed):
    events = altered(history, change)
    code, found = offline(history, tmp_path, events)
    assert code == 1 and said in found
    assert replayed in str(pytest.raises(psycopg.Error, before_the_client, "SELECT reason.replay(%s::json)", json.dumps(events[-1])).value)


@pytest.mark.parametrize("changed", ({"retainDays": "50", "legalHold": True}, {"retainDays": 50, "legalHold": "true"}, {"retainDays": None, "legalHold": True}, {"retainDays": [50]}))
def test_a_rule_of_another_form_passes_for_no_longer_one(history, tmp_path, changed):
    events = altered(history, lambda e: e.pop("approved") and e["archiveRule"].update(changed), "set_archive_rule")
    code, found = offline(history, tmp_path, events)
    assert code == 1 and "needs 2 approvals, and has none" in found
    rule = {"eventType": "archiveRule.changed", "archiveRule": events[-1]["payload"]["archiveRule"]}
    earlier = {"division": "held", "retainDays": 40, "legalHold": True}
    assert history.one("SELECT reason.change_kind(%s::jsonb, %s::jsonb)", json.dumps(rule), json.dumps(earlier)) == "retention"


@pytest.mark.parametrize("threshold", ("2", 1.5, -1, None, [0], False))
def test_a_threshold_of_another_form_is_no_lower_one(history, tmp_path, threshold):
    assert history.one("SELECT reason.recorded_threshold(%s::jsonb)", json.dumps(threshold)) == 1000
    events = altered(history, lambda e: None)
    raised = event_in("system", "approvalRule.changed", approvalRule={"kind": "client", "threshold": threshold})
    code, found = offline(history, tmp_path, sealed(history, [*events[:-1], raised, {**events[-1], "payload": {k: v for k, v in events[-1]["payload"].items() if k != "approved"}}]))
    assert code == 1 and 'kind "client" that needs 1000 approvals, and has none' in found


@pytest.mark.parametrize("event_type, member, recorded, column", (
    ("client.changed", "client", {"name": "x", "role": "reader", "divisions": "{*}", "pii": False, "issuer": None, "sanUri": None, "enabled": True}, "divisions of a client"),
    ("client.changed", "client", {"name": "x", "role": "reader", "divisions": ["a"], "pii": "yes", "issuer": None, "sanUri": None, "enabled": True}, "pii of a client"),
    ("client.changed", "client", {"name": "x", "role": "reader", "divisions": ["a", 1], "pii": False, "issuer": None, "sanUri": None, "enabled": True}, "divisions of a client"),
    ("client.changed", "quota", {"client": "kernel", "division": "default", "nodesPerDay": "5", "edgesPerDay": 6}, "nodes_per_day of a quota"),
    ("divisionGrant.changed", "divisionGrant", {"grantee": "reason_reader", "division": "default", "granted": "true"}, "granted of a division_grant")))
def test_what_is_recorded_in_another_form_is_not_replayed(history, before_the_client, event_type, member, recorded, column):
    events = [*altered(history, lambda e: None)[:-1], event_in("system", event_type, **{member: recorded})]
    error = pytest.raises(psycopg.Error, before_the_client, "SELECT reason.replay(%s::json)", json.dumps(sealed(history, events)[-1])).value
    assert error.sqlstate == "22000" and f"records {column} as what it cannot be" in str(error)


# ---------------------------------------------------------------- in another division

ELSEWHERE = {
    "client.changed": {"client": ROOT}, "approvalRule.changed": {"approvalRule": {"kind": "approval", "threshold": 0}},
    "approver.changed": {"approver": {"approverId": "mallory", "publicKey": base64.b64encode(bytes.fromhex("302a300506032b6570032100" + OTHER)).decode(),
                                      "validFrom": "2026-01-01T00:00:00.000000Z", "validTo": None}},
    "change.approved": {"approval": {"proposalId": "00000000-0000-7000-8000-000000000001", "approverId": "ada", "signature": "AAAA"}},
    "safemode.accepted": {"safeMode": {"reason": "x"}}, "divisionGrant.changed": {"divisionGrant": {"grantee": "reason_reader", "division": "*", "granted": True}},
}


def event_in(division, event_type, **body):
    identity = {"id": str(uuid.uuid4()), "division": division, "ts": "2026-11-01T00:00:00.000000Z"}
    return {**identity, "content": None, "payload": {**identity, "eventType": event_type, **body}}


@pytest.mark.parametrize("event_type", ELSEWHERE)
def test_a_change_in_another_division_is_not_replayed_and_found_offline(history, before_the_client, tmp_path, event_type):
    events = sealed(history, [event_in("default", event_type, **ELSEWHERE[event_type])])
    error = pytest.raises(psycopg.Error, before_the_client, "SELECT reason.replay(%s::json)", json.dumps(events[0])).value
    assert error.sqlstate == "22000" and f'is of type "{event_type}", which division "system" alone may hold' in str(error)
    code, found = offline(history, tmp_path, events, "event")
    assert code == 1 and 'a type that division "system" alone may hold' in found


def test_a_change_in_another_division_is_found(make_database):
    db = make_database("approvals_elsewhere")
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    db("SELECT reason.append_event('default', 'client.changed', %s::jsonb)", json.dumps({"client": ROOT}))
    db.settle()
    assert "client.changed" in db.verify()["detail"] and 'division "system" alone may hold' in db.verify()["detail"]
    assert list(named(db)) == ['division "default"']


def test_every_event_that_changes_a_rule_is_of_division_system(history):
    source = history.one("SELECT prosrc FROM pg_proc WHERE oid = 'reason.recorded_rules(jsonb)'::regprocedure")
    types = set(re.findall(r"'(\w+\.\w+)'", source)) | {t for t, in history("SELECT event_type FROM reason.guarded_changes()")}
    assert len(types) > 12 and not [t for t in types if not history.one("SELECT reason.is_system_event(%s)", t)]


@pytest.mark.parametrize("alter, said", (
    # The same proposal again, and one on a chain that is otherwise another.
    (lambda events: events.append(events[-1]), "was executed before"),
    (lambda events: events.insert(1, events[1]), "another chain than this one"),
))
def test_an_approval_is_of_one_place(history, tmp_path, alter, said):
    events = altered(history, lambda e: None)
    alter(events)
    code, found = offline(history, tmp_path, sealed(history, events))
    assert code == 1 and said in found


def without_a_place(event):
    """The proposal names no place of the chain, and its approvers have signed it so."""
    proposal = event["approved"]["proposal"]
    proposal["head"] = None
    event["approved"]["approvals"] = [{"approverId": name, "signature": base64.b64encode(APPROVERS[name].sign(canonical(proposal))).decode()} for name in ("ada", "bob")]


def test_a_proposal_without_a_place_is_of_no_chain_that_had_begun(history, before_the_client, tmp_path):
    events = altered(history, without_a_place)
    code, found = offline(history, tmp_path, events)
    assert code == 1 and "another chain than this one" in found
    assert "names no place" in str(pytest.raises(psycopg.Error, before_the_client, "SELECT reason.replay(%s::json)", json.dumps(events[-1])).value)


def test_nothing_is_proposed_before_the_chain_has_a_place_to_name(make_database):
    db = make_database("approvals_unsealed")
    arguments = {"name": "root", "role": "admin"}
    first = propose(db, "set_client", **arguments)
    assert json.loads(db.one("SELECT reason.proposal_text(%s)", first))["head"] is None
    add_approvers(db)
    error = pytest.raises(psycopg.Error, propose, db, "set_client", **arguments).value
    assert error.sqlstate == "55000" and "has its place in the chain yet" in str(error)
    # It is older than the chain.
    assert db.one("SELECT reason.execute(%s)", approve(db, first, "ada"))
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    db.settle()
    assert db("SELECT * FROM reason.approval_faults()") == []
    assert json.loads(db.one("SELECT reason.proposal_text(%s)", propose(db, "set_client", name="other", role="admin")))["head"]


def test_a_key_is_not_exchanged_where_an_approver_is_retired(history, tmp_path):
    spki = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(OTHER)).decode()
    code, found = offline(history, tmp_path, altered(history, lambda e: e["approver"].update(publicKey=spki), "retire_approver"))
    assert code == 1 and "another key than before" in found
