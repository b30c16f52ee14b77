"""A document must be the graph it says it is, and the database and reason-verify say the same of it.

Documents are made at random, each signed as it stands by a key that counts: all that can be wrong is what they
hold. What is expected comes from sets and a walk written here.
"""
import base64
import datetime
import json
import random
import subprocess

import psycopg
import pytest

from evidence import ANNOTATION_MEMBERS, EDGE_MEMBERS, canonical, make_annotation, make_edge, make_node, sha256, with_digest
from paths import VERIFY

ABSENT = "00000000-0000-7000-8000-999999999999"
SEEDS = range(340)
LOG = {"origin": "example.org/reason/default", "root": base64.b64encode(bytes(32)).decode(), "size": 7}
LOGS = [LOG, LOG | {"size": 0}, LOG | {"size": 2 ** 53}]
BAD_LOGS = [{}, [], "log", None, LOG | {"size": -1}, LOG | {"size": 0.5}, LOG | {"size": "7"}, LOG | {"size": 2 ** 53 + 2}, LOG | {"origin": ""}, LOG | {"origin": 1},
            LOG | {"root": base64.b64encode(bytes(31)).decode()}, LOG | {"root": LOG["root"][:-2] + "B="}, LOG | {"more": 1},
            {m: v for m, v in LOG.items() if m != "origin"}]


def reached(payload, roots):
    """Ids within depth edges of a root."""
    against = payload["direction"] == "ancestors"
    links = [(e["to"], e["from"]) if against else (e["from"], e["to"]) for e in payload["edges"]]
    seen = set(roots)
    for _ in range(payload["depth"]):
        more = {b for a, b in links if a in seen} - seen
        if not more:
            break
        seen |= more
    return seen


def holds_together(document):
    payload, roots = document["payload"], document["root_ids"]
    ids = [n["id"] for n in payload["nodes"]]
    return (roots == sorted(set(roots)) and set(roots) <= set(ids) and payload["direction"] in ("ancestors", "descendants")
            and all({e["from"], e["to"]} <= set(ids) for e in payload["edges"])
            and {a["target"] for a in payload.get("annotations", [])} <= set(ids)
            and reached(payload, roots) == set(ids) and payload.get("log", LOG) in LOGS and records_may_stand(document))


def records_may_stand(document):
    """Redacted where something is, erased where nothing is left, with a salt for what is shown, and not from long after the document."""
    payload = document["payload"]
    records = [*payload["nodes"], *payload["edges"], *payload.get("annotations", [])]
    marked = [r for r in records if "redacted" in r]
    return (not (payload["pii_included"] and (marked or any(r.get("payload") is not None and r.get("salt") is None for r in records)))
            and all(r["redacted"] is True and "[redacted:email]" in json.dumps([r.get("author"), r["metadata"], r.get("payloadRef")]) for r in marked)
            and not any("erased" in r and (r.get("payload"), r.get("salt")) != (None, None) for r in records)
            and all(seconds(r["createdAt"]) - seconds(document["created_at"]) <= 600 for r in records))


def seconds(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def honest(chance):
    """What is within some depth of some roots of a random graph."""
    nodes = [make_node(n + 1, {"n": n}) for n in range(chance.randint(1, 12))]
    edges = [make_edge(n + 1, chance.choice(nodes), chance.choice(nodes)) for n in range(chance.randint(0, 20))]
    payload = {"audience": "internal", "depth": chance.randint(0, 5), "description": None,
               "direction": chance.choice(["ancestors", "descendants"]), "pii_included": True, "edges": edges}
    roots = sorted({chance.choice(nodes)["id"] for _ in range(chance.randint(1, 3))})
    inside = reached(payload, roots)
    payload["nodes"] = [n for n in nodes if n["id"] in inside]
    payload["edges"] = [e for e in edges if {e["from"], e["to"]} <= inside]
    payload["annotations"] = [make_annotation(1, payload["nodes"][0])]
    return {"id": "30000000-0000-7000-8000-000000000001", "root_ids": roots, "created_at": "2026-11-23T16:15:30.000000Z",
            "reasoning_graph_version": "0.1.0", "payload": payload}


def drop_node(document, chance):
    document["payload"]["nodes"].remove(chance.choice(document["payload"]["nodes"]))


def drop_edge(document, chance):
    if document["payload"]["edges"]:
        document["payload"]["edges"].remove(chance.choice(document["payload"]["edges"]))


def add_node(document, chance):
    document["payload"]["nodes"].append(make_node(50, {"has": "nothing to do with it"}))


def add_pair(document, chance):
    """Two nodes that are linked, but to nothing else."""
    pair = [make_node(50, {}), make_node(51, {})]
    document["payload"]["nodes"] += pair
    document["payload"]["edges"].append(make_edge(50, *pair))


def retarget_edge(document, chance):
    if document["payload"]["edges"]:
        edge = chance.choice(document["payload"]["edges"])
        edge[chance.choice(["from", "to"])] = ABSENT
        with_digest(edge, EDGE_MEMBERS)


def move_edge(document, chance):
    if document["payload"]["edges"]:
        edge, node, end = chance.choice(document["payload"]["edges"]), chance.choice(document["payload"]["nodes"]), chance.choice(["from", "to"])
        edge[end], edge[end + "Digest"] = node["id"], node["digest"]
        with_digest(edge, EDGE_MEMBERS)


def less_depth(document, chance):
    document["payload"]["depth"] = max(0, document["payload"]["depth"] - chance.randint(1, 3))


def turn_round(document, chance):
    document["payload"]["direction"] = {"ancestors": "descendants", "descendants": "ancestors"}[document["payload"]["direction"]]


def other_roots(document, chance):
    document["root_ids"] = sorted(chance.sample([n["id"] for n in document["payload"]["nodes"]] + [ABSENT], 1))


def repeat_root(document, chance):
    document["root_ids"].append(document["root_ids"][0])


def retarget_annotation(document, chance):
    document["payload"]["annotations"][0]["target"] = ABSENT
    with_digest(document["payload"]["annotations"][0], ANNOTATION_MEMBERS)


def redact_a_record(document, chance):
    """The digest of the whole record stands beside what is left of it; where nothing says so it could be any."""
    kind = chance.choice(["nodes", "nodes", "edges", "annotations"]) if document["payload"]["edges"] else "nodes"
    record = chance.choice(document["payload"][kind])
    token = chance.choice(["[redacted:email]"] * 4 + ["[redacted]", "[redacted:]", "[redacted:Email]", "somebody else"])
    record["redacted"] = chance.choice([True] * 8 + [False, "true", None])
    changes = {"edges": [], "annotations": [{"author": token}], "nodes": [{"author": token}, {"payloadRef": {"uri": token}}]}[kind]
    record.update(chance.choice([{"metadata": {"tags": [f"by {token}"]}}, {"metadata": {"to": {token: 1}}}, {"type": token}, *changes]))
    document["payload"]["pii_included"] = chance.choice([True, False, False, False])


def erase_a_record(document, chance):
    """What is erased has no content; one that has could be any."""
    record = chance.choice(document["payload"][chance.choice(["nodes", "annotations"])])
    record["erased"] = {"at": "2026-11-23T16:15:29.000000Z", "by": "ada", "reason": "asked for"}
    gone = chance.choice([["payload", "salt"], ["payload", "salt"], ["payload"], ["salt"], []])
    for member in gone:
        del record[member]
    if gone == ["payload", "salt"] and chance.random() < 0.5:
        record["payload"] = None
    document["payload"]["pii_included"] = chance.choice([True, False])


def drop_a_salt(document, chance):
    """Nothing proves the payload then."""
    record = chance.choice(document["payload"]["nodes"])
    del record["salt"]
    if chance.random() < 0.3:
        record["payload"] = None
    document["payload"]["pii_included"] = chance.choice([True, False])


def date_back(document, chance):
    """With an earlier time less need be there; the records tell when they were written."""
    document["created_at"] = chance.choice(["2026-11-23T16:15:28.000000Z", "2026-11-23T16:05:29.999999Z", "2026-11-23T16:05:28.999999Z", "2026-11-23T16:05:26.999999Z",
                                            "2026-11-22T23:59:59.000000Z", "2024-02-29T00:00:00.000000Z", "1999-12-31T23:59:59.000000Z"])


def name_a_log(document, chance):
    document["payload"]["log"] = chance.choice([*LOGS, *BAD_LOGS])


def nothing(document, chance):
    pass


ALTERATIONS = [nothing, drop_node, drop_edge, add_node, add_pair, retarget_edge, move_edge, less_depth, turn_round, other_roots,
               repeat_root, retarget_annotation, redact_a_record, name_a_log, erase_a_record, drop_a_salt, date_back]


def documents():
    for seed in SEEDS:
        chance = random.Random(seed)
        document = honest(chance)
        assert holds_together(document)
        alteration = ALTERATIONS[seed % len(ALTERATIONS)]
        alteration(document, chance)
        yield alteration.__name__, document


@pytest.fixture(scope="module")
def registry(db, tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "signers.json"
    entry = db.one("SELECT reason.signer_registry()")["signers"][0]
    path.write_text(json.dumps({"signers": [dict(entry, validFrom="2026-01-01T00:00:00Z")]}))
    return path


def said_by_verifier(db, registry, tmp_path, found):
    """(verified, details of what is wrong) of each document."""
    paths = []
    for number, (_, document) in enumerate(found):
        body = canonical(document)
        path = tmp_path / f"snapshot-{number:04}.json"
        path.write_bytes(body)
        path.with_name(path.name + ".meta.json").write_text(json.dumps({
            "hash": sha256(body).hex(), "signer-id": db.signer.name, "ts": "2026-11-23T16:15:31.000000Z",
            "signature": base64.b64encode(db.signer.sign(sha256(body))).decode()}))
        paths.append(path)
    ended = subprocess.run([VERIFY, "--json", "--registry", registry, *paths], capture_output=True, text=True, check=False)
    reports = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(reports) == len(paths), ended.stderr
    return [(r["verified"], [c["detail"] for c in r["checks"] if c["result"] == "wrong"]) for r in reports]


def said_by_database(db, document):
    body = canonical(document)
    signature = base64.b64encode(db.signer.sign(sha256(body))).decode()
    return db.row("SELECT ok, detail, signature_ok FROM reason.verify_snapshot_document(%s, %s, %s)", body.decode(), signature, db.signer.name)


def test_database_and_verifier_agree_on_what_hangs_together(db, registry, tmp_path):
    found = list(documents())
    outcomes = {True: 0, False: 0}
    for (name, document), (verified, wrong) in zip(found, said_by_verifier(db, registry, tmp_path, found)):
        expected = holds_together(document)
        ok, detail, signature_ok = said_by_database(db, document)
        assert signature_ok
        assert ok == expected, (name, detail, document)
        assert verified == expected, (name, wrong, document)
        if not expected:
            # The same rule, in the same words.
            assert detail.removeprefix("document: ") in wrong, (name, detail, wrong)
        outcomes[expected] += 1
    assert min(outcomes.values()) > len(SEEDS) // 4, outcomes


def test_what_is_wrong_is_named(db):
    nodes = [make_node(n, {}) for n in (1, 2, 3)]
    document = {"id": "30000000-0000-7000-8000-000000000001", "root_ids": [nodes[0]["id"]], "created_at": "2026-11-23T16:15:30.000000Z",
                "reasoning_graph_version": "0.1.0",
                "payload": {"audience": "internal", "depth": 5, "description": None, "direction": "ancestors", "pii_included": True,
                            "nodes": nodes, "edges": [make_edge(1, nodes[1], nodes[0])]}}
    assert f"1 of 3 nodes are not within 5 edges of a root, the first is {nodes[2]['id']}" in said_by_database(db, document)[1]
    document["payload"]["nodes"] = nodes[:1]
    assert f"edge number 1 ends at node {nodes[1]['id']}, which is not in the document" in said_by_database(db, document)[1]
    del document["payload"]["direction"]
    assert "direction is neither" in said_by_database(db, document)[1]


def test_a_stored_document_must_hang_together(db):
    """Whoever has the key and the tables: chunk, hash, counts and signature agree, and the graph is not one."""
    nodes = [db.one("SELECT reason.add_node('observation', '{}', 'ada')") for _ in range(3)]
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal')", cause, effect)
    snapshot = db.one("SELECT reason.create_snapshot(%s)", [nodes[2]])
    db.complete(snapshot)
    db.settle()
    assert db.verify_snapshot(snapshot)["ok"]
    document = json.loads(db.one("SELECT reason.snapshot_document(%s)", snapshot))
    del document["payload"]["edges"][0]
    body = canonical(document)
    with psycopg.connect(db.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE reason.snapshot_chunk SET bytes = %s WHERE snapshot_no = (SELECT no FROM reason.snapshot WHERE id = %s)", (body, snapshot))
        connection.execute("UPDATE reason.snapshot SET hash = %s, signature = %s, size_bytes = %s, edge_count = 1 WHERE id = %s",
                           (sha256(body).hex(), db.signer.sign(sha256(body)), len(body), snapshot))
    said = db.verify_snapshot(snapshot)
    assert said["hash_ok"] and said["signature_ok"] and not said["ok"]
    assert "nodes are not within 10 edges of a root" in said["detail"]
