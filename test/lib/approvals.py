"""Approvers with keys of their own, proposals that they sign, and every change that may need it."""
import base64
import json

from signer import Signer

APPROVERS = {name: Signer(name, b"approver " + name.encode()) for name in ("ada", "bob", "eve")}
KINDS = ("approval", "client", "placement", "policy", "retention", "revocation", "safe_mode", "signer")
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
    "move_division": {"division": "away", "cell": "cell_b"},
    "leave_safe_mode": {"reason": "nothing is left outside"},
}
# What whoever has a superuser's rights writes past the functions: a client who is admin, as a row and as an event.
FORGED = "SELECT reason.append_event('system', %s, %s::jsonb)"
ROOT = {"name": "root", "role": "admin", "divisions": ["*"], "pii": False, "issuer": None, "sanUri": None, "enabled": True}
ROOT_ROW = "INSERT INTO reason.client (name, role, divisions) VALUES ('root', 'admin', '{*}')"


def propose(db, change, valid_for="1 day", **arguments):
    """The id of a proposal."""
    return db.one("SELECT reason.propose(%s, %s::jsonb, %s::interval)", change, json.dumps(arguments), valid_for)


def signature(db, proposal, approver):
    """An approver's, over what the database says is the proposal."""
    return base64.b64encode(APPROVERS[approver].sign(db.one("SELECT reason.proposal_text(%s)", proposal).encode())).decode()


def approve(db, proposal, *approvers):
    for approver in approvers:
        db("SELECT reason.approve(%s, %s, %s)", proposal, approver, signature(db, proposal, approver))
    return proposal


def execute(db, change, approvers, **arguments):
    """Proposed, approved by these and executed: the event."""
    return db.one("SELECT reason.execute(%s)", approve(db, propose(db, change, **arguments), *approvers))


def add_approvers(db, *names):
    for name in names or APPROVERS:
        db("SELECT reason.add_approver(%s, %s)", name, APPROVERS[name].public.raw.hex())


def approved(db):
    """Something of everything: two approvers, a threshold, and a client who was approved."""
    add_approvers(db, "ada", "bob")
    db.seal()
    db("SELECT reason.set_approval_threshold('approval', 2)")
    execute(db, "set_approval_threshold", ("ada", "bob"), kind="client", threshold=2)
    return execute(db, "set_client", ("bob", "ada"), name="approved", role="admin")


def guard(db, threshold=2):
    """Two of three must agree to every kind of change, and there is something for each change to change."""
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
    db("SELECT reason.freeze_division('away', 'a test')")
    db("SELECT reason.change_safe_mode('a test')")
    return db


def named(db):
    """What verify_all() finds wrong."""
    return {what: detail for what, ok, detail in db("SELECT * FROM reason.verify_all()") if not ok}
