"""Changes that decide whom to trust need k of n approvals, once a threshold says so: which functions make them, what an approval
is good for, and that nobody gets past it unnoticed.
"""
import base64
import concurrent.futures
import hashlib
import json
import re
import subprocess
import uuid

import psycopg
import pytest

from approvals import APPROVERS, add_approvers, approve, execute, propose, signature
from evidence import canonical
from paths import VERIFY
from sealing import create_database, drop_database
from signer import Signer
from wait import wait_for

KINDS = ("approval", "client", "policy", "retention", "revocation", "safe_mode", "signer")
OTHER, NEW = (Signer(name, name.encode()).public.raw.hex() for name in ("other", "new"))
# A call of each change that decides whom to trust, and the same by proposal.
CALLS = {
    "add_approver": {"approver_id": "new", "public_key": NEW},
    "retire_approver": {"approver_id": "eve"},
    "set_approval_threshold": {"kind": "client", "threshold": 0},
    "add_signer": {"signer_id": "other", "public_key": OTHER, "valid_from": "2026-01-01T00:00:00Z"},
    "retire_signer": {"signer_id": "key-2"},
    "revoke_signer": {"signer_id": "key-3", "reason": "lost", "at": "2026-01-01T12:00:00+01:00"},
    "set_client": {"name": "root", "role": "admin", "divisions": ["*"]},
    "set_policy_rule": {"name": "p", "actions": ["node.create"], "path": "$.x ? (@ > 1)"},
    "set_archive_rule": {"division": "held", "retain_days": 30, "legal_hold": False},
    "leave_safe_mode": {"reason": "nothing is left outside"},
}


def literal(value):
    if isinstance(value, list):
        return "'{" + ",".join(value) + "}'"
    return json.dumps(value) if isinstance(value, (bool, int)) else "'" + value + "'"


def call(change, **arguments):
    return f"SELECT reason.{change}({', '.join(f'{name} => {literal(value)}' for name, value in arguments.items())})"


def prepare(db, threshold=2):
    """Two of three must agree to every kind of change."""
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    for name in ("key-2", "key-3"):
        db("SELECT reason.add_signer(%s, %s, '2026-01-01')", name, Signer(name, name.encode()).public.raw.hex())
    db("SELECT reason.set_archive_rule('held', 40, true)")
    db("SELECT reason.set_client('kernel', 'writer')")
    add_approvers(db)
    db.seal()
    if threshold:
        db("SELECT reason.set_approval_threshold('approval', %s)", threshold)
        for kind in KINDS:
            if kind != "approval":
                execute(db, "set_approval_threshold", ("ada", "bob"), kind=kind, threshold=threshold)
    db.settle()
    db("SELECT reason.change_safe_mode('a test')")
    return db


@pytest.fixture(scope="module")
def guarded(make_database):
    return prepare(make_database("approvals_guarded"))


@pytest.fixture
def within(guarded):
    """What a test changes is undone."""
    guarded("BEGIN")
    yield guarded
    guarded("ROLLBACK")


def refused(db, statement, *parameters):
    """The error; whatever else was done stays."""
    db("SAVEPOINT attempt")
    with pytest.raises(psycopg.Error) as error:
        db(statement, *parameters)
    db("ROLLBACK TO attempt")
    return error.value


def test_by_default_one_administrator_does_it_alone(make_database):
    db = prepare(make_database("approvals_default"), 0)
    for change, arguments in CALLS.items():
        if change != "set_approval_threshold":
            db(call(change, **arguments))
    assert db("SELECT * FROM reason.approval_faults()") == []


# ---------------------------------------------------------------- every such function


def test_every_change_of_the_table_is_tried_here(guarded):
    assert {c for c, in guarded("SELECT change FROM reason.guarded_changes()")} == set(CALLS)
    assert {k for k, in guarded("SELECT kind FROM reason.guarded_changes()")} == set(KINDS)


@pytest.mark.parametrize("change", CALLS)
def test_alone_it_is_refused(within, change):
    error = refused(within, call(change, **CALLS[change]))
    assert error.sqlstate == "42501" and "needs 2 approvals, and it has none" in str(error) and "reason.propose()" in error.diag.message_hint


@pytest.mark.parametrize("change", CALLS)
def test_with_enough_approvals_it_is_executed_once(within, change):
    proposal = approve(within, propose(within, change, **CALLS[change]), "ada")
    error = refused(within, "SELECT reason.execute(%s)", proposal)
    assert error.sqlstate == "42501" and "has 1 that count" in str(error)
    # The same signature again is no other one.
    assert within.one("SELECT reason.approve(%s, 'ada', %s)", proposal, signature(within, proposal, "ada")) == 1
    approve(within, proposal, "eve")
    event = within.one("SELECT payload FROM reason.audit_event WHERE division = 'system' AND id = %s", within.one("SELECT reason.execute(%s)", proposal))
    assert event["approved"]["proposal"]["id"] == str(proposal)
    assert [a["approverId"] for a in event["approved"]["approvals"]] == ["ada", "eve"]
    assert "was executed already" in str(refused(within, "SELECT reason.execute(%s)", proposal))
    assert within("SELECT * FROM reason.approval_faults()") == [] and within("SELECT * FROM reason.rule_faults()") == []


def test_every_function_that_reaches_a_trusted_table_is_guarded(guarded):
    """From the catalog: who writes to these tables, who calls those who do, and who of them may be called by anybody."""
    sources = dict(guarded("SELECT p.oid::regprocedure::text, p.prosrc FROM pg_proc p WHERE pronamespace = 'reason'::regnamespace"))
    short = {name: re.sub(r"\(.*", "", name) for name in sources}
    tables = "signer|client|policy_rule|archive_rule|safe_mode|approver|approval_rule"
    writing = {name for name, text in sources.items() if re.search(rf"(INSERT INTO|UPDATE|DELETE FROM) reason\.({tables})\b", text)}
    assert {short[w] for w in writing} >= {"reason.add_signer", "reason.change_signer", "reason.set_client", "reason.set_policy_rule", "reason.set_archive_rule",
                                           "reason.change_safe_mode", "reason.set_approval_threshold", "reason.add_approver", "reason.retire_approver"}
    while True:
        # With nothing between the parentheses it is named in a hint.
        callers = {name for name, text in sources.items() for w in writing if re.search(rf"{re.escape(short[w])}\((?!\))", text) and short[w] != short[name]}
        callers = {name for name in callers if "installed_guards" not in name}
        if callers <= writing:
            break
        writing |= callers
    callable_by = {name for name, in guarded("SELECT DISTINCT p.oid::regprocedure::text FROM pg_proc p, aclexplode(p.proacl) a"
                                             " WHERE pronamespace = 'reason'::regnamespace AND a.grantee <> p.proowner")}
    changes = {f"reason.{c}" for c in CALLS}
    # These bring what events with their approvals say (replay() refuses others), compare with what lies outside, or only execute what was approved.
    others = {"reason.replay", "reason.recover_event", "reason.recover_segment", "reason.compare_chains", "reason.report_log_fault", "reason.execute", "reason.propose"}
    assert {short[w] for w in writing & callable_by} - changes - others == set()


def test_no_other_function_appends_such_an_event(guarded):
    types = [t for t, in guarded("SELECT DISTINCT event_type FROM reason.guarded_changes()")]
    for name, text in guarded("SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'reason'::regnamespace AND prosrc ~ 'append_event'"):
        for kind in types:
            # set_quota() leaves an event of this type, about something else; append_change() is the way
            assert f"'{kind}'" not in text or name in ("set_quota", "append_change"), f"reason.{name}() appends {kind} itself: use append_change()"


# ---------------------------------------------------------------- what needs none


@pytest.mark.parametrize("statement", (
    "SELECT reason.set_client('kernel', 'reader')", "SELECT reason.set_client('kernel', 'writer', '{a,b}', true)", "SELECT reason.set_client('kernel', 'admin', enabled => false)",
    "SELECT reason.set_client('kernel', 'reader', '{*}')", "SELECT reason.set_archive_rule('held', 50, true)", "SELECT reason.set_quota('kernel', 'default', 5, 6)",
    "SELECT reason.add_approver('ada', '%s')" % APPROVERS["ada"].public.raw.hex()))
def test_what_gives_no_trust_needs_no_approval(within, statement):
    within(statement)


@pytest.mark.parametrize("statement", (
    "SELECT reason.set_client('kernel', 'writer', '{a,*}')", "SELECT reason.set_client('kernel', 'admin', '{a}')", "SELECT reason.set_archive_rule('held', 39, true)",
    "SELECT reason.set_archive_rule('held', 50)", "SELECT reason.set_archive_rule('first', 36500, true)"))
def test_what_gives_trust_or_shortens_does(within, statement):
    assert refused(within, statement).sqlstate == "42501"


def test_a_client_is_not_made_admin_in_two_steps(within):
    within("SELECT reason.set_client('kernel', 'admin', enabled => false)")
    assert refused(within, "SELECT reason.set_client('kernel', 'admin')").sqlstate == "42501"


# ---------------------------------------------------------------- what an approval is good for


def test_a_signature_counts_for_its_proposal_and_approver_alone(within):
    one, other = (propose(within, "set_client", name=name, role="admin") for name in ("one", "other"))
    for proposal, approver, signed in ((one, "ada", signature(within, other, "ada")), (one, "bob", signature(within, one, "ada")),
                                       (one, "nobody", signature(within, one, "ada")), (one, "ada", "no base64"), (one, "ada", "AAAA")):
        assert refused(within, "SELECT reason.approve(%s, %s, %s)", proposal, approver, signed).sqlstate == "42501"
    assert within("SELECT * FROM reason.approval") == [] or within.one("SELECT count(*) FROM reason.approval WHERE proposal_id = %s", one) == 0


def test_an_approver_who_was_retired_in_between_does_not_count(within):
    proposal = approve(within, propose(within, "set_client", name="root", role="admin"), "ada", "eve")
    execute(within, "retire_approver", ("ada", "bob"), approver_id="eve")
    assert "has 1 that count" in str(refused(within, "SELECT reason.execute(%s)", proposal))
    approve(within, proposal, "bob")
    within("SELECT reason.execute(%s)", proposal)
    assert "is no approver now" in str(refused(within, "SELECT reason.approve(%s, 'eve', %s)", propose(within, "set_client", name="x", role="admin"), "AAAA"))


def test_a_proposal_expires(within):
    proposal = approve(within, propose(within, "set_client", valid_for="1 second", name="root", role="admin"), "ada", "bob")
    within("SELECT pg_sleep(1.01)")
    assert "expired at" in str(refused(within, "SELECT reason.execute(%s)", proposal))


def test_a_proposal_is_of_one_chain(guarded):
    """In a database restored to before the proposal's place, or another one, what was signed is good for nothing."""
    proposal = approve(guarded, propose(guarded, "set_client", name="root", role="admin"), "ada", "bob")
    for tampering in ("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'system' AND seq = (SELECT max(seq) FROM reason.audit_seal WHERE division = 'system')",
                      "DELETE FROM reason.audit_seal WHERE division = 'system' AND seq = (SELECT max(seq) FROM reason.audit_seal WHERE division = 'system')"):
        with guarded.tampering():
            guarded(tampering)
            assert "made on another chain" in str(refused(guarded, "SELECT reason.execute(%s)", proposal))
    with guarded.tampering():
        guarded("UPDATE reason.proposal SET document = jsonb_set(document, '{database,system}', '\"1\"')")
        assert "made in another database" in str(refused(guarded, "SELECT reason.execute(%s)", proposal))


def test_what_cannot_be_executed_is_not_proposed(within):
    for change, arguments, said in (("add_node", {}, "no change that can be proposed"), ("set_client", {"name": "x"}, 'needs argument "role"'),
                                    ("set_client", {"name": "x", "role": "king"}, "client_role_check"), ("set_client", {"name": "x", "role": "admin", "y": 1}, 'no argument "y"'),
                                    ("set_client", {"name": "x", "role": "admin", "divisions": "a"}, "is of type text[]"),
                                    ("retire_signer", {"signer_id": "nobody"}, "does not exist"), ("add_signer", {"signer_id": "key-2", "public_key": OTHER}, "already exists"),
                                    ("set_policy_rule", {"name": "p", "actions": ["node.create"], "path": "$" + ".x" * 2000}, "at most 4096 bytes")):
        assert said in str(refused(within, "SELECT reason.propose(%s, %s::jsonb)", change, json.dumps(arguments)))
    for interval in ("0", "-1 day", "31 days"):
        assert "valid for" in str(refused(within, "SELECT reason.propose('set_client', '{\"name\": \"x\", \"role\": \"admin\"}', %s::interval)", interval))


def test_trying_a_proposal_out_leaves_nothing(within):
    before = within("SELECT * FROM reason.present_rules() WHERE rule_table <> 'proposal' ORDER BY 1, 2")
    propose(within, "leave_safe_mode", reason="x")
    propose(within, "set_client", name="root", role="admin")
    assert within("SELECT * FROM reason.present_rules() WHERE rule_table <> 'proposal' ORDER BY 1, 2") == before
    assert within("SELECT * FROM reason.proposal_in_execution") == [] and within.one("SELECT reason.safe_mode_fault()") == "a test"


def test_a_proposal_says_all_that_will_hold(within):
    said = json.loads(within.one("SELECT reason.proposal_text(%s)", propose(within, "set_client", name="root", role="admin")))
    assert said["arguments"] == {"name": "root", "role": "admin", "divisions": ["default"], "pii": False, "issuer": None, "san_uri": None, "enabled": True}
    head = within.row("SELECT seq, encode(hash, 'hex') FROM reason.audit_seal WHERE division = 'system' ORDER BY seq DESC LIMIT 1")
    assert (said["kind"], said["head"]["seq"], said["head"]["hash"]) == ("client", *head)
    assert said["database"]["system"] == within.one("SELECT system_identifier::text FROM pg_control_system()")


# ---------------------------------------------------------------- thresholds


def test_thresholds_cannot_be_set_past_who_there_is(within):
    for change, arguments, said in (("set_approval_threshold", {"kind": "approval", "threshold": 4}, "there are 3 approvers"),
                                    ("set_approval_threshold", {"kind": "approval", "threshold": 1}, "no kind may need more approvals"),
                                    ("set_approval_threshold", {"kind": "client", "threshold": 3}, "no kind may need more approvals"),
                                    ("set_approval_threshold", {"kind": "all", "threshold": 1}, "there are no changes of kind")):
        assert said in str(refused(within, "SELECT reason.propose(%s, %s::jsonb)", change, json.dumps(arguments)))
    execute(within, "retire_approver", ("ada", "bob"), approver_id="eve")
    assert "2 approvals would be needed, and there are 1 approvers" in str(
        refused(within, "SELECT reason.propose('retire_approver', '{\"approver_id\": \"bob\"}')"))


def test_a_key_is_an_approvers_or_a_signers(within):
    assert "is that of a signer" in str(refused(within, "SELECT reason.add_approver('x', %s)", within.signer.public.raw.hex()))
    assert "is that of an approver" in str(refused(within, "SELECT reason.add_signer('x', %s)", APPROVERS["ada"].public.raw.hex()))


def test_an_earlier_state_decides_nothing(make_database):
    """Neither the snapshot of a transaction, nor what another one has not committed yet."""
    db = make_database("approvals_concurrent")
    add_approvers(db)
    db.seal()
    with psycopg.connect(db.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT reason.set_client('before', 'admin')")
        other.commit()
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM reason.client")
        db("SELECT reason.set_approval_threshold('approval', 2)")
        execute(db, "set_approval_threshold", ("ada", "bob"), kind="client", threshold=2)
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.execute("SELECT reason.set_client('root', 'admin')")
        other.rollback()
        execute(db, "set_approval_threshold", ("ada", "bob"), kind="client", threshold=0)
        db("BEGIN")
        execute(db, "set_approval_threshold", ("ada", "bob"), kind="client", threshold=2)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(other.execute, "SELECT reason.set_client('root', 'admin')")
            try:
                # within a transaction the activity is what it was when first looked at
                wait_for(lambda: db("SELECT pg_stat_clear_snapshot()") and db(
                    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%root%' AND pid <> pg_backend_pid()"), 20)
            finally:
                db("COMMIT")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                waiting.result(20)
        other.rollback()
    assert db("SELECT * FROM reason.approval_faults()") == []


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


@pytest.mark.parametrize("first, second, said", (
    ("SELECT reason.add_approver('x', %s)", "SELECT reason.add_signer('y', %s)", "is that of an approver"),
    ("SELECT reason.add_signer('y', %s)", "SELECT reason.add_approver('x', %s)", "is that of a signer")))
def test_a_key_is_not_both_by_a_race(make_database, first, second, said):
    db = make_database("approvals_race")
    with psycopg.connect(db.dsn) as other, concurrent.futures.ThreadPoolExecutor() as pool:
        db("BEGIN")
        db(first, NEW)
        waiting = pool.submit(other.execute, second, [NEW])
        try:
            wait_for(lambda: db("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND pid <> pg_backend_pid()"), 20)
        finally:
            db("COMMIT")
        assert said in str(pytest.raises(psycopg.errors.UniqueViolation, waiting.result, 20).value)


def test_names_of_members_are_the_same_in_every_language():
    """In Turkish the capital letter of i is another one."""
    db = create_database("approvals_turkish", options="TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr' LOCALE 'C'")
    try:
        assert db.one("SELECT initcap('id')") != "Id"
        assert [name for name, in db("SELECT reason.recorded_member(a, '{}') FROM unnest('{signer_id,san_uri,on_silence}'::text[]) a")] == ["signerId", "sanUri", "onSilence"]
        add_approvers(db)
        db.seal()
        db("SELECT reason.set_approval_threshold('approval', 2)")
        execute(db, "set_approval_threshold", ("ada", "bob"), kind="signer", threshold=2)
        execute(db, "add_signer", ("ada", "bob"), signer_id="other", public_key=OTHER)
        assert db("SELECT * FROM reason.approval_faults()") == []
        with pytest.raises(psycopg.Error, match='cannot insert table "audit_seal"|cannot update table "node"|cannot truncate'):
            db("TRUNCATE reason.node CASCADE")
    finally:
        drop_database(db)


# ---------------------------------------------------------------- past the functions

FORGED = "SELECT reason.append_event('system', %s, %s::jsonb)"
ROOT = {"name": "root", "role": "admin", "divisions": ["*"], "pii": False, "issuer": None, "sanUri": None, "enabled": True}
ROOT_ROW = "INSERT INTO reason.client (name, role, divisions) VALUES ('root', 'admin', '{*}')"


def named(db):
    return {what: detail for what, ok, detail in db("SELECT * FROM reason.verify_all()") if not ok}


def test_a_superusers_direct_changes_are_found(within):
    """With the event that it should have, and without."""
    within("SAVEPOINT before")
    within(ROOT_ROW)
    assert 'client "root": no event records it' in named(within)["rules"]
    within(FORGED, "client.changed", json.dumps({"client": ROOT}))
    assert "rules" not in named(within) and 'kind "client" needs 2 approvals, and it has none' in named(within)["approvals"]
    assert "needs 2 approvals" in within.verify("system")["detail"]
    within("ROLLBACK TO before")
    within("UPDATE reason.approval_rule SET threshold = 0")
    within("SELECT reason.set_client('root', 'admin', '{*}')")
    within("UPDATE reason.approval_rule SET threshold = 2")
    assert list(named(within)) == ['division "system"', "safe mode", "approvals"] and "has none" in named(within)["approvals"]


def approved_event(db):
    execute(db, "set_client", ("ada", "bob"), name="root", role="admin", divisions=["*"])
    return db.one("SELECT payload FROM reason.audit_event WHERE event_type = 'client.changed' ORDER BY no DESC LIMIT 1")


@pytest.mark.parametrize("change, said", (
    (lambda e: e["client"].update(name="mallory"), 'name was approved as "root", and is recorded as "mallory"'),
    (lambda e: e["client"].update(issuer="CN=evil"), "issuer was approved as null"),
    (lambda e: e["approved"]["proposal"]["arguments"].update(name="mallory") or e["client"].update(name="mallory"), "has 0 that count"),
    (lambda e: e["approved"]["approvals"].pop(), "has 1 that count"),
    (lambda e: e["approved"]["approvals"].append(e["approved"]["approvals"].pop(0)), "was executed before"),
    (lambda e: e["approved"].update(approvals=[e["approved"]["approvals"][0]] * 5), "has 1 that count"),
    (lambda e: e["approved"]["approvals"][0].update(approverId="eve"), "has 1 that count"),
    (lambda e: e["approved"]["proposal"].update(type="x"), "no proposal with approvals"),
    (lambda e: e.pop("approved"), "has none"),
))
def test_an_approval_is_not_used_for_something_else(within, change, said):
    event = approved_event(within)
    change(event)
    within(FORGED, "client.changed", json.dumps({key: value for key, value in event.items() if key in ("client", "approved")}))
    assert said in named(within)["approvals"]


# ---------------------------------------------------------------- replay


@pytest.fixture(scope="module")
def history(make_database):
    db = prepare(make_database("approvals_history"))
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


# ---------------------------------------------------------------- reason-verify, and replay, of chains that somebody signed anew


def sealed(db, events):
    """The events as a chain, sealed and signed with the key of the service: whoever has it can do the same."""
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
