"""The log over HTTP, as the gateway of a whole stack serves it, by programs that others wrote. They know no client
certificates: a small proxy brings one.
"""
import os
import signal

import pytest

from client import Refused
from http_service import Handler, Service
from stack import new_stack
from tlog_reference import Tree, base64_of, parse_checkpoint, signatures
from wait import wait_for
from witnessed_log import public_key, vkey_of


@pytest.fixture(scope="module")
def stack():
    with new_stack() as running:
        yield running


@pytest.fixture(scope="module")
def events(stack):
    """How many there are; a checkpoint covers them."""
    client = stack.client()
    client.post("/nodes", {"nodes": [{"type": "observation", "actor": "tester", "payload": {"n": number}} for number in range(600)]})
    with stack.database() as database:
        size = wait_for(lambda: database.execute("SELECT CASE WHEN reason.tree_size('default') >= 600 THEN reason.tree_size('default') END").fetchone()[0], 60, "signatures")
        os.kill(stack.pid("sidecar.pid"), signal.SIGUSR1)
        wait_for(lambda: database.execute("SELECT size FROM reason.last_checkpoint('default') WHERE size >= %s", [size]).fetchone(), 60, "a checkpoint")
    return size


@pytest.fixture(scope="module")
def base(stack):
    """Plain HTTP in front of /reason/log/default of the gateway."""
    class Asked(Handler):
        def do_GET(self):
            try:
                status, body = 200, stack.client("reader").send("GET", f"/reason/log/default{self.path}")
            except Refused as refused:
                status, body = refused.status, b""
            self.send(status, body=body)

    with Service(Asked) as serving:
        yield serving.url


@pytest.fixture(scope="module")
def vkey(stack):
    return vkey_of(public_key(stack.run_dir / "keys" / "log.pem"), "localhost/reason/default")


@pytest.fixture(scope="module")
def tree(stack, events):
    with stack.database() as database:
        return Tree(bytes(row[0]) for row in database.execute("SELECT hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq"))


def test_all_of_it(libraries, base, vkey, events, tree):
    asked = {"base": base, "log": vkey}
    tiles = libraries(do="tiles", **asked)
    assert tiles["sumdb"] == "" and tiles["size"] >= events
    assert libraries(do="entries", **asked) == {"torchwood": "", "entries": [base64_of(entry) for entry in tree.leaves[:tiles["size"]]]}
    assert libraries(do="fsck", seconds=60, **asked) == {"tessera": ""}


def test_the_checkpoint(libraries, sigstore, stack, vkey, events, tree):
    note = stack.client("reader").text("/reason/log/default/checkpoint")
    size = parse_checkpoint(note)[1]
    assert size >= events and parse_checkpoint(note)[2] == tree.root(size) and signatures(note, vkey)
    asked = {"do": "note", "note": note, "log": vkey, "witnesses": []}
    assert {**libraries(**asked), **sigstore(**asked)} == {"sumdb": "", "formats": "", "torchwood": "", "sigstore": ""}


def test_a_proof(libraries, stack, vkey, events, tree):
    """Of an event and of a node, under a policy without witnesses."""
    client = stack.client("kernel")
    policy = f"log {vkey}\nquorum none\n"
    with stack.database() as database:
        event, node, hashed = database.execute("SELECT id, payload #>> '{node,id}', hash FROM reason.audit_events WHERE division = 'default' AND seq = 300").fetchone()
    for path in (f"/reason/event/{event}/proof", f"/reason/node/{node}/proof"):
        proof = client.text(path)
        assert libraries(do="proof", policy=policy, leaf=base64_of(bytes.fromhex(hashed)), proof=proof) == {"torchwood": ""}
        assert libraries(do="proof", policy=policy, leaf=base64_of(tree.leaves[301]), proof=proof)["torchwood"]


def test_consistency(libraries, stack, events, tree):
    client = stack.client("reader")
    size = parse_checkpoint(client.text("/reason/log/default/checkpoint"))[1]
    for old in (1, 255, 256, 500, size):
        hashes = client.get(f"/reason/log/default/consistency?from={old}&to={size}")["hashes"]
        asked = {"do": "consistency", "old": old, "size": size, "old_root": base64_of(tree.root(old)), "root": base64_of(tree.root(size)), "hashes": hashes}
        assert libraries(**asked) == {"sumdb": "", "merkle": ""}, (old, hashes)
