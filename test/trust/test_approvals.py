"""Changes that decide whom to trust need k of n approvals, once a threshold says so: which functions make such changes, what an
approval is good for, and that nobody gets past it unnoticed.
"""
import concurrent.futures
import json
import re

import psycopg
import pytest

from approvals import APPROVERS, CALLS, FORGED, KINDS, NEW, OTHER, ROOT, ROOT_ROW, add_approvers, approve, execute, guard, named, propose, signature
from sealing import create_database, drop_database
from wait import wait_for


def literal(value):
    if isinstance(value, list):
        return "'{" + ",".join(value) + "}'"
    return json.dumps(value) if isinstance(value, (bool, int)) else "'" + value + "'"


def call(change, **arguments):
    return f"SELECT reason.{change}({', '.join(f'{name} => {literal(value)}' for name, value in arguments.items())})"


@pytest.fixture(scope="module")
def guarded(make_database):
    return guard(make_database("approvals_guarded"))


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
    db = guard(make_database("approvals_default"), 0)
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
