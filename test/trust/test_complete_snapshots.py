"""A snapshot holds all that was signed when it was frozen, and nothing that was not known then.

Graphs are drawn at random, frozen among writers, quarantine and releases, and must verify whatever comes afterwards. Then
whoever has the tables and the real key alters the document, one record at a time, and everything around it to match. What
is expected comes from sets and a walk written here.
"""
import base64
import copy
import json
import os
import random

import psycopg
import pytest

from evidence import canonical, sha256

SEEDS = range(int(os.environ.get("REASON_COMPLETE_SEEDS", "24")))
CHECK = "00000000-0000-4000-8000-000000000001"
BEFORE, PERHAPS, HELD, AFTER = "before", "perhaps", "held", "after"


class World:
    """A graph that grows, and what of it was known when."""

    def __init__(self, db, chance):
        self.db, self.chance = db, chance
        self.when = {}          # (kind, id) → when
        self.records = {}       # (kind, id) → as a document has it
        self.nodes = []

    def take(self, kind, record_id, when):
        db = self.db
        member = {"node": "n.payload, n.salt", "annotation": "n.payload, n.salt", "edge": "NULL::jsonb, NULL::bytea"}[kind]
        event, digest, payload, salt = db.row(f"SELECT reason.event_payload(e), n.digest, {member} FROM reason.{kind} n JOIN reason.audit_event e ON e.no = n.no WHERE n.id = %s",
                                              record_id)
        record = event[kind] | {"digest": digest.hex()}
        if salt:
            record |= {"payload": payload, "salt": base64.b64encode(salt).decode()}
        self.records[kind, str(record_id)] = record
        self.when[kind, str(record_id)] = when
        if kind == "node":
            self.nodes.append(str(record_id))

    def hold(self, kind, record_id):
        self.db(f"SELECT reason.quarantine_records('{kind}', ARRAY(SELECT no FROM reason.{kind} WHERE id = %s), %s)", record_id, CHECK)
        self.when[kind, str(record_id)] = HELD

    def release_some(self, when):
        for (kind, record_id), known in list(self.when.items()):
            if known == HELD and self.chance.random() < 0.3:
                self.db("SELECT reason.release_quarantine(%s, 'why not')", record_id)
                if when != AFTER:
                    self.when[kind, record_id] = when

    def grow(self, when, nodes, edges, notes):
        chance, db = self.chance, self.db
        for _ in range(nodes):
            kind = chance.choice(["observation", "score", "decision"])
            self.take("node", db.one("SELECT reason.add_node(%s, %s::jsonb, 'ada')", kind, json.dumps({"n": chance.randint(0, 9)})), when)
        for _ in range(edges):
            kind = chance.choice(["causal", "causal", "supports", "corrects"])
            self.take("edge", db.one("SELECT reason.add_edge(%s, %s, %s, 1)", chance.choice(self.nodes), chance.choice(self.nodes), kind), when)
        for _ in range(notes):
            self.take("annotation", db.one("SELECT reason.annotate(%s, %s)", chance.choice(self.nodes), "so it was"), when)
        for kind, record_id in [key for key, known in self.when.items() if known == when]:
            if chance.random() < 0.08:
                self.hold(kind, record_id)


# ---------------------------------------------------------------- what is expected

def walk(world, document, seen):
    """Ids of nodes, edges and annotations that are within depth edges of the roots, and nodes of the last level."""
    payload = document["payload"]
    against = payload["direction"] == "ancestors"
    edges = [r for (kind, i), r in world.records.items() if kind == "edge" and ("edge", i) in seen]
    inside = set(document["root_ids"])
    level = set(inside)
    links = [(e["to"], e["from"]) if against else (e["from"], e["to"]) for e in edges]
    for _ in range(payload["depth"]):
        level = {b for a, b in links if a in level and ("node", b) in seen} - inside
        inside |= level
    onward = {a for a, b in links if a in level and b not in inside and ("node", b) in seen}
    return inside, {e["id"] for e in edges if {e["from"], e["to"]} <= inside}, \
        {i for (kind, i), r in world.records.items() if kind == "annotation" and ("annotation", i) in seen and r["target"] in inside}, onward


def keys(document):
    payload = document["payload"]
    return {(kind, r["id"]) for kind, name in (("node", "nodes"), ("edge", "edges"), ("annotation", "annotations")) for r in payload.get(name, [])}


def is_complete(world, document):
    held = keys(document)
    if any(world.when[key] not in (BEFORE, PERHAPS) for key in held):
        return False
    sure = {key for key, when in world.when.items() if when == BEFORE}
    nodes, edges, notes, onward = walk(world, document, sure | held)
    notes = notes if "annotations" in document["payload"] else set()
    if held != {("node", i) for i in nodes} | {("edge", i) for i in edges} | {("annotation", i) for i in notes}:
        return False
    surely = walk(world, document, sure | held)[3]
    # What may have been seen leads on from the same last level, without taking part in the walk.
    wider = {key for key, when in world.when.items() if when in (BEFORE, PERHAPS)}
    against = document["payload"]["direction"] == "ancestors"
    last = nodes - walk(world, dict(document, payload=dict(document["payload"], depth=document["payload"]["depth"] - 1)), sure | held)[0] \
        if document["payload"]["depth"] > 0 else nodes
    perhaps = {a for (kind, i), r in world.records.items() if kind == "edge" and (kind, i) in wider
               for a, b in [(r["to"], r["from"]) if against else (r["from"], r["to"])] if a in last and b not in nodes and ("node", b) in wider}
    return surely <= set(document["payload"]["frontier"]) <= perhaps


# ---------------------------------------------------------------- alterations

def holds(document):
    return {n["id"] for n in document["payload"]["nodes"]}


def prune(document):
    """Takes away what cannot be reached any more: a document that does not hang together is refused as such."""
    payload = document["payload"]
    against = payload["direction"] == "ancestors"
    inside, level = set(document["root_ids"]), set(document["root_ids"])
    for _ in range(payload["depth"]):
        level = {e["from" if against else "to"] for e in payload["edges"] if e["to" if against else "from"] in level} - inside
        inside |= level
    inside &= holds(document)
    payload["nodes"] = [n for n in payload["nodes"] if n["id"] in inside]
    payload["edges"] = [e for e in payload["edges"] if {e["from"], e["to"]} <= inside]
    if "annotations" in payload:
        payload["annotations"] = [a for a in payload["annotations"] if a["target"] in inside]
    payload["frontier"] = [i for i in payload["frontier"] if i in inside]


def leave_out(world, document, name):
    payload = document["payload"]
    left = [r["id"] for r in payload.get(name, []) if r["id"] not in document["root_ids"]]
    if not left:
        return False
    gone = world.chance.choice(left)
    payload[name] = [r for r in payload[name] if r["id"] != gone]
    if name == "nodes":
        payload["edges"] = [e for e in payload["edges"] if gone not in (e["from"], e["to"])]
    prune(document)
    return True


def leave_out_of_frontier(world, document):
    if not document["payload"]["frontier"]:
        return False
    document["payload"]["frontier"].remove(world.chance.choice(document["payload"]["frontier"]))
    return True


def add_to_frontier(world, document):
    more = holds(document) - set(document["payload"]["frontier"])
    if not more:
        return False
    document["payload"]["frontier"] = sorted(document["payload"]["frontier"] + [world.chance.choice(sorted(more))])
    return True


def add_edge(world, document):
    """One that is held back, too late, or has one end too far away, with that end."""
    payload, inside = document["payload"], holds(document)
    known = keys(document)
    outside = [r for (kind, i), r in world.records.items() if kind == "edge" and (kind, i) not in known and {r["from"], r["to"]} & inside]
    if not outside:
        return False
    edge = world.chance.choice(outside)
    payload["edges"] = sorted(payload["edges"] + [edge], key=lambda r: r["id"])
    for end in sorted({edge["from"], edge["to"]} - inside):
        payload["nodes"] = sorted(payload["nodes"] + [world.records["node", end]], key=lambda r: r["id"])
    return True


def add_annotation(world, document):
    payload, inside = document["payload"], holds(document)
    known = keys(document)
    outside = [r for (kind, i), r in world.records.items() if kind == "annotation" and (kind, i) not in known and r["target"] in inside]
    if not outside or "annotations" not in payload:
        return False
    payload["annotations"] = sorted(payload["annotations"] + [world.chance.choice(outside)], key=lambda r: r["id"])
    return True


ALTERATIONS = {
    "a node is left out": lambda w, d: leave_out(w, d, "nodes"), "an edge is left out": lambda w, d: leave_out(w, d, "edges"),
    "an annotation is left out": lambda w, d: leave_out(w, d, "annotations"), "the frontier leaves a node out": leave_out_of_frontier,
    "the frontier has a node more": add_to_frontier, "an edge is added": add_edge, "an annotation is added": add_annotation}


def forge(db, snapshot, document):
    """Within tampering(): chunk, row, signature and event all say what the document says now."""
    body = canonical(document)
    no = db.one("SELECT no FROM reason.snapshot WHERE id = %s", snapshot)
    db("DELETE FROM reason.snapshot_chunk WHERE snapshot_no = %s", no)
    db("INSERT INTO reason.snapshot_chunk VALUES ('default', %s, 0, %s)", no, body)
    log = document["payload"].get("log")
    db("UPDATE reason.snapshot SET hash = %s, size_bytes = %s, node_count = %s, edge_count = %s, signature = %s, log = %s, depth = %s WHERE no = %s",
       sha256(body).hex(), len(body), len(document["payload"]["nodes"]), len(document["payload"]["edges"]), db.signer.sign(sha256(body)),
       json.dumps(log) if log else None, document["payload"]["depth"], no)
    db("UPDATE reason.audit_event e SET payload = reason.canonical_json(e.payload::jsonb || jsonb_build_object('snapshot', reason.snapshot_state(s)))::json"
       " FROM reason.snapshot s WHERE s.no = %s AND e.id = s.audit_event_id", no)


def verified(db, snapshot, document):
    with db.tampering():
        forge(db, snapshot, document)
        said = db.verify_snapshot(snapshot)
        assert said["hash_ok"] and said["signature_ok"], said
        return said["ok"], said["detail"]


# ---------------------------------------------------------------- the test

def frozen_world(db, seed):
    chance = random.Random(seed)
    world = World(db, chance)
    world.grow(BEFORE, chance.randint(3, 12), chance.randint(2, 26), chance.randint(0, 4))
    world.release_some(BEFORE)
    db.settle()
    if seed % 2:
        world.grow(PERHAPS, chance.randint(0, 4), chance.randint(1, 8), chance.randint(0, 2))
        world.release_some(PERHAPS)
    shown = [i for i in world.nodes if world.when["node", i] != HELD]
    roots = [chance.choice(shown) for _ in range(chance.randint(1, 3))] if shown else []
    if not roots:
        return None
    snapshot = db.one("SELECT reason.create_snapshot(%s::uuid[], %s, %s, include_annotations => %s, include_pii => %s)", roots,
                      chance.choice([0, 1, 2, 3, 10]), chance.choice(["ancestors", "descendants"]), chance.random() < 0.7, seed % 3 > 0)
    document = json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot))
    if seed % 5 == 0:
        # Beside the completion, and seen by nobody who froze: they come into the chain before it.
        world.grow(AFTER, 1, 3, 1)
        db.complete(snapshot)
    else:
        db.complete(snapshot)
        db.settle()
        world.grow(AFTER, chance.randint(1, 3), chance.randint(2, 6), 2)
    world.release_some(AFTER)
    db.settle()
    aside = [i for i in world.nodes if i not in holds(document)]
    if aside:
        db("SELECT reason.erase_payload(%s, 'asked for')", chance.choice(aside))
    return world, snapshot, document


@pytest.mark.parametrize("seed", SEEDS)
def test_honest_snapshots_pass_and_each_alteration_is_named(db, seed):
    made = frozen_world(db, seed)
    if made is None:
        return
    world, snapshot, document = made
    said = db.verify_snapshot(snapshot)
    assert said["ok"] and said["detail"] is None, said
    if seed % 5 == 0:
        return
    for name, alter in ALTERATIONS.items():
        for _ in range(3):
            altered = copy.deepcopy(document)
            if not alter(world, altered):
                break
            ok, detail = verified(db, snapshot, altered)
            assert ok == is_complete(world, altered), (name, detail)
            changed = {i for _, i in keys(document) ^ keys(altered)} | set(document["payload"]["frontier"]) ^ set(altered["payload"]["frontier"])
            if not seed % 2:
                # Everything had been signed: nothing can be left out, whatever it is.
                assert not ok, name
            assert ok or any(i in detail for i in changed) or "not within" in detail, (name, detail, changed)


def chain(db, count):
    nodes = [db.one("SELECT reason.add_node('observation', '{}', 'ada')") for _ in range(count)]
    edges = [db.one("SELECT reason.add_edge(%s, %s, 'causal')", *pair) for pair in zip(nodes, nodes[1:])]
    return nodes, edges


@pytest.fixture
def frozen(db):
    """A chain of three, frozen when everything was signed, and its document."""
    nodes, edges = chain(db, 3)
    db.settle()
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[2]])
    db.complete(snapshot)
    db.settle()
    return snapshot, json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot)), nodes, edges


def test_a_record_without_an_event_is_named(db, frozen):
    """Whoever owns the tables makes records up, with rows that are right in themselves, and has them frozen."""
    _, _, nodes, edges = frozen
    for kind, record in (("node", nodes[0]), ("edge", edges[1])):
        with db.tampering():
            db(f"DELETE FROM reason.audit_event e WHERE event_type = '{kind}.created' AND reason.event_payload(e) #>> '{{{kind},id}}' = %s", str(record))
            snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[2]])
            db.complete(snapshot)
            said = db.verify_snapshot(snapshot)
            assert not said["ok"] and said["detail"] == f'{kind} "{record}": no event recorded it'


def test_an_event_that_recorded_something_else_is_named(db, frozen):
    snapshot, _, nodes, _ = frozen
    with db.tampering():
        # Row, document and signature agree on another author; the event does not.
        db("UPDATE reason.node SET author = 'eve' WHERE id = %s", nodes[0])
        said = db.verify_snapshot(snapshot)
        assert not said["ok"] and str(nodes[0]) in said["detail"]
    with db.tampering():
        db("UPDATE reason.audit_event e SET payload = replace(reason.event_payload(e)::text, 'ada', 'eve')::json WHERE event_type = 'node.created' AND reason.event_payload(e) #>> '{node,id}' = %s", str(nodes[0]))
        said = db.verify_snapshot(snapshot)
        assert not said["ok"] and f'node "{nodes[0]}": the event of its number recorded something else' in said["detail"]
    with db.tampering():
        # The record is in the event, but not as what it recorded.
        db("UPDATE reason.audit_event e SET payload = json_build_object('said', reason.event_payload(e)) WHERE event_type = 'node.created' AND reason.event_payload(e) #>> '{node,id}' = %s", str(nodes[0]))
        said = db.verify_snapshot(snapshot)
        assert not said["ok"] and f'node "{nodes[0]}": the event of its number recorded something else' in said["detail"]
    with db.tampering():
        db("UPDATE reason.audit_event e SET payload = replace(reason.event_payload(e)::text, '{', '{ ')::json WHERE event_type = 'node.created' AND reason.event_payload(e) #>> '{node,id}' = %s", str(nodes[0]))
        assert not db.verify_snapshot(snapshot)["ok"]


@pytest.fixture
def redacted(db):
    """A snapshot that leaves out personal data, and its document."""
    cause = db.one("SELECT reason.add_node('observation', %s::jsonb, 'jane@example.org', metadata => %s::jsonb)", json.dumps({"n": 1, "by": ["joe@example.org", "call +44 20 7946 0958."]}),
                   json.dumps({"tags": ["a", "by jane@example.org"], "jane@example.org": 1, "joe@example.org": {"card": 4111111111111111}, "[redacted:email]": 2}))
    effect = db.one("SELECT reason.add_node('decision', '{}', 'ada')")
    db.one("SELECT reason.add_edge(%s, %s, 'supports', metadata => %s::jsonb)", cause, effect, json.dumps({"by": "jane@example.org"}))
    db.one("SELECT reason.annotate(%s, 'write to jane@example.org')", effect)
    db.settle()
    snapshot = db.one("SELECT reason.create_snapshot(%s, include_pii => false, include_annotations => true)", [effect])
    db.complete(snapshot)
    db.settle()
    return snapshot, json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot))


def altered(kind, **members):
    def change(document):
        records = [r for r in document["payload"][kind] if "redacted" in r] or document["payload"][kind]
        records[0].update(members)
    return change


def another(member, change):
    def alter(document):
        record = next(r for r in document["payload"]["nodes"] if "redacted" in r)
        record[member] = json.loads(json.dumps(record[member]).replace(*change))
    return alter


@pytest.mark.parametrize("change, words", [
    (altered("nodes", type="hypothesis"), "shows more of it altered than what is redacted"),
    (altered("edges", type="contradicts"), "shows more of it altered than what is redacted"),
    (altered("edges", weight=0.5), "shows more of it altered than what is redacted"),
    (altered("nodes", author="somebody at [redacted:email]"), "shows more of it altered than what is redacted"),
    (altered("nodes", metadata={}), "shows more of it altered than what is redacted"),
    (another("metadata", ("by [", "for [")), "shows more of it altered than what is redacted"),
    (another("metadata", ('"tags": ["a"', '"tags": ["a", "b"')), "shows more of it altered than what is redacted"),
    (another("payload", ('"n": 1', '"n": 2')), "shows another payload than was recorded"),
    (another("payload", ("call ", "do not call ")), "shows another payload than was recorded"),
    (altered("nodes", payload={"text": "[redacted:email]"}), "shows another payload than was recorded"),
    (altered("annotations", payload={"note": "do not write to [redacted:email]"}), "shows another payload than was recorded"),
    (altered("nodes", payload=None, erased={"at": "2026-01-01T00:00:00.000000Z", "by": "ada", "reason": "asked for"}), "says that its content was erased, and it is there"),
    (lambda document: document.update(created_at="2001-01-01T00:00:00.000000Z"), "more than 600 seconds before a record"),
    (lambda document: None, None)])
def test_what_is_redacted_is_compared_as_far_as_it_is_shown(db, redacted, change, words):
    """Its digest is not that of what stands there: the row tells what it was."""
    snapshot, document = redacted
    assert sum("redacted" in r for r in document["payload"]["nodes"] + document["payload"]["edges"]) == 2
    change(document)
    ok, detail = verified(db, snapshot, document)
    assert ok == (words is None) and (ok or words in detail), detail


@pytest.mark.parametrize("change, words", [
    (lambda log: log | {"root": base64.b64encode(bytes(32)).decode()}, "the log has another root at size"),
    (lambda log: log | {"size": log["size"] + 10_000}, "events of the log, which has"),
    (lambda log: log | {"size": log["size"] - 1}, "the log has another root at size"),
    (lambda log: log | {"origin": "example.org/other"}, "which is none of division"),
    (lambda log: log | {"more": 1}, "its log is no origin, size and root"),
    (lambda log: log | {"root": "AAAA"}, "its log is no origin, size and root"),
    (lambda log: log | {"size": -1}, "its log is no origin, size and root"),
    (lambda log: log | {"size": 1.5}, "its log is no origin, size and root"),
    (lambda log: {"origin": log["origin"]}, "its log is no origin, size and root"),
    (lambda log: None, "it names no log, though the snapshot"),
])
def test_the_log_that_it_names_must_be_the_division_s(db, frozen, change, words):
    snapshot, document, _, _ = frozen
    log = change(document["payload"].pop("log"))
    if log is not None:
        document["payload"]["log"] = log
    ok, detail = verified(db, snapshot, document)
    assert not ok and words in detail, detail


def test_a_log_that_is_older_than_what_was_seen_is_told(db, frozen):
    """Naming an old size would make everything since then something that need not have been seen."""
    snapshot, document, _, _ = frozen
    size = document["payload"]["log"]["size"]
    with db.tampering():
        document["payload"]["log"] |= {"size": 1, "root": base64.b64encode(db.one("SELECT reason.tree_root('default', 1)")).decode()}
        document["payload"]["nodes"] = [n for n in document["payload"]["nodes"] if n["id"] in document["root_ids"]]
        del document["payload"]["edges"][:]
        forge(db, snapshot, document)
        said = db.verify_snapshot(snapshot)
        assert said["ok"] and said["detail"] is None
        # The seal says when the event was written: long before.
        db("UPDATE reason.audit_seal SET created_at = created_at - interval '11 minutes' WHERE division = 'default' AND seq = 1")
        said = db.verify_snapshot(snapshot)
        assert said["ok"] and "the events from 1 on were not signed yet when it was frozen" in said["detail"]
        # A witness that saw more by then refutes it; one that says it did before the event was there proves nothing.
        db("INSERT INTO reason.audit_cosignature (division, origin, size, witness, key_id, vkey, timestamp, signature)"
           " VALUES ('default', %s, %s, 'witness', '\\x00000000', 'v', extract(epoch FROM clock_timestamp() - interval '1 hour')::bigint, %s)",
           document["payload"]["log"]["origin"], size, bytes(64))
        assert db.verify_snapshot(snapshot)["ok"]
        db("UPDATE reason.audit_seal SET created_at = created_at - interval '2 hours' WHERE division = 'default'")
        said = db.verify_snapshot(snapshot)
        assert not said["ok"] and f"of which a witness saw {size} before it was frozen" in said["detail"]


def test_a_log_that_is_older_than_that_of_an_earlier_snapshot_is_told(db, frozen):
    """No witness is needed for that."""
    earlier, _, nodes, _ = frozen
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[2]])
    db.complete(snapshot)
    db.settle()
    document = json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot))
    with db.tampering():
        document["payload"]["log"] |= {"size": 1, "root": base64.b64encode(db.one("SELECT reason.tree_root('default', 1)")).decode()}
        document["payload"]["nodes"] = [n for n in document["payload"]["nodes"] if n["id"] in document["root_ids"]]
        del document["payload"]["edges"][:]
        forge(db, snapshot, document)
        assert db.verify_snapshot(snapshot)["ok"]
        db("UPDATE reason.snapshot SET created_at = created_at - interval '11 minutes' WHERE id = %s", earlier)
        said = db.verify_snapshot(snapshot)
        assert not said["ok"] and f'of which snapshot "{earlier}", frozen before it, names' in said["detail"]


def test_documents_from_before_there_were_logs_are_what_they_were(make_database):
    db = make_database("trust_before_logs")
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    nodes, _ = chain(db, 2)
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[1]])
    db.complete(snapshot)
    db.settle()
    document = json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot))
    del document["payload"]["log"]
    ok, detail = verified(db, snapshot, document)
    assert ok and "before snapshots named their log" in detail


def test_an_old_view_is_not_frozen_as_that_of_now(db, frozen):
    _, _, nodes, _ = frozen
    with psycopg.connect(db.dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert connection.execute("SELECT reason.create_snapshot(%s)", [[nodes[2]]]).fetchone()
        with pytest.raises(psycopg.errors.InvalidTransactionState, match="repeatable read"):
            connection.execute("SELECT reason.refuse_old_view('0')")
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection.execute("SELECT reason.refuse_old_view('0')")
