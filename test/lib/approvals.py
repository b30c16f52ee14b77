"""Approvers with keys of their own, and proposals that they sign."""
import base64
import json

from signer import Signer

APPROVERS = {name: Signer(name, b"approver " + name.encode()) for name in ("ada", "bob", "eve")}


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
