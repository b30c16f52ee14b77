"""From one snapshot alone a graph can be read again, which says of itself what it is."""
import base64
import hashlib
import json

import psycopg
import pytest

FAULT = psycopg.errors.DataException


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encoded(signature):
    return base64.b64encode(signature).decode()


@pytest.fixture(scope="module")
def kept(db):
    """What is left of a database: a snapshot's document, its signature, the registry of signers."""
    nodes = [db.one("SELECT reason.add_node('observation', %s, 'ada', metadata => %s, ts => '2020-01-01Z')", json.dumps({"n": n, "x": 1e300}),
                    json.dumps({"confidence": 0.5, "tags": ["t"]})) for n in range(4)]
    nodes.append(db.one("SELECT reason.add_node('decision', '\"gone\"', 'ada')"))
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.1, '{\"why\": \"so\"}')", cause, effect)
    db("SELECT reason.add_edge(%s, %s, 'supports')", nodes[3], nodes[1])
    db("SELECT reason.annotate(%s, 'a remark', author => 'eve')", nodes[2])
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[3])
    db.settle()
    snapshot = db.one("SELECT reason.create_snapshot(%s, include_annotations => true)", [nodes[-1]])
    document, hashed = db.row("SELECT reason.snapshot_document(id), hash FROM reason.snapshot WHERE id = %s", snapshot)
    registry = db.one("SELECT reason.signer_registry()")
    ordered = [row[1:] for row in db("SELECT t.depth, t.node_id, t.edge_id FROM reason.trace(%s) t ORDER BY t.step", nodes[-1])]
    return snapshot, document, encoded(db.signer.sign(bytes.fromhex(hashed))), registry, nodes, ordered


@pytest.fixture
def empty(make_database):
    return make_database("trust_import_into")


def bring(into, document, signature, registry, signer="key-1"):
    return into.one("SELECT reason.import_snapshot(%s, %s, %s, %s::json)", document, signature, signer, None if registry is None else json.dumps(registry))


def test_a_graph_comes_back_from_one_snapshot_and_says_what_it_is(kept, empty):
    snapshot, document, signature, registry, nodes, ordered = kept
    division = bring(empty, document, signature, registry)
    assert division == f"imported-{snapshot}"
    was = json.loads(document)["payload"]
    hashed = hashlib.sha256(document.encode()).hexdigest()
    for table, records in (("node", was["nodes"]), ("edge", was["edges"]), ("annotation", was["annotations"])):
        rows = {row["id"]: row for row, in empty(
            f"SELECT reason.canonical_json(to_jsonb(t))::json FROM reason.{table} t WHERE division = %s", division)}
        assert rows.keys() == {record["id"] for record in records} and rows
        for record in records:
            row = rows[record["id"]]
            mark = row["metadata"].pop("imported")
            # By the hash, which such readers are not shown, what was left out could be guessed.
            assert hashed not in json.dumps(row) + json.dumps(mark)
            assert row["metadata"] == record["metadata"] and row["type"] == record["type"]
            assert {name: mark[name] for name in ("snapshot", "signerId")} == {"snapshot": str(snapshot), "signerId": "key-1"}
            assert {name: mark.get(name) for name in ("digest", "createdAt", "division", "erased", "payloadHash")} == {
                name: record.get(name) for name in ("digest", "createdAt", "division", "erased", "payloadHash")}
            if table != "edge":
                assert (row["payload"], row["author"]) == (record["payload"], record["author"])
            else:
                assert row["weight"] == record["weight"]
    assert empty.one("SELECT metadata #>> '{imported,erased,reason}' FROM reason.node WHERE id = %s", nodes[3]) == "asked for"
    # The walk is the one that it was: the same steps, siblings in the same order.
    assert [row[1:] for row in empty("SELECT t.depth, t.node_id, t.edge_id FROM reason.trace(%s) t ORDER BY t.step", nodes[-1])] == ordered
    event, = empty("SELECT payload FROM reason.audit_event WHERE division = %s AND event_type = 'snapshot.imported'", division)
    told = event[0]["imported"]
    assert told["hash"] == hashed
    assert (told["snapshot"], told["signature"], told["registry"]) == (str(snapshot), signature, "given")
    assert (told["nodes"], told["edges"], told["annotations"]) == (len(was["nodes"]), len(was["edges"]), 1)


def test_what_was_imported_is_proved_like_what_was_written_here(kept, empty):
    snapshot, document, signature, registry, nodes, _ = kept
    empty("SELECT reason.add_signer(%s, %s)", empty.signer.name, empty.signer.public.raw.hex())
    division = bring(empty, document, signature, registry)
    empty.settle()
    assert empty.verify(division)["ok"]
    assert empty("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    # It can be frozen and brought elsewhere again; then it says both.
    again = empty.one("SELECT reason.create_snapshot(%s)", [nodes[-1]])
    text, hashed = empty.row("SELECT reason.snapshot_document(id), hash FROM reason.snapshot WHERE id = %s", again)
    second = bring(empty, text, encoded(empty.signer.sign(bytes.fromhex(hashed))), None)
    mark = empty.one("SELECT metadata -> 'imported' FROM reason.node WHERE division = %s AND id = %s", second, nodes[0])
    assert (mark["snapshot"], mark["imported"]["snapshot"]) == (str(again), str(snapshot))


def test_a_snapshot_is_imported_once(kept, empty):
    _, document, signature, registry, _, _ = kept
    bring(empty, document, signature, registry)
    with pytest.raises(psycopg.errors.UniqueViolation, match="is there already"):
        bring(empty, document, signature, registry)


def test_what_no_key_of_the_registry_signed_is_not_imported(kept, empty):
    _, document, signature, registry, _, _ = kept
    held = registry["signers"][0]
    changed = canonical({**json.loads(document), "created_at": "2101-01-01T00:00:00.000000Z"})
    other = {**held, "publicKey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}
    refused = (
        (changed, signature, registry, "key-1", "is not that of signer"),
        (document, encoded(bytes(64)), registry, "key-1", "is not that of signer"),
        (document, signature, {"signers": [other]}, "key-1", "is not that of signer"),
        (document, signature, {"signers": []}, "key-1", "0 entries"),
        (document, signature, {"signers": [held, held]}, "key-1", "2 entries"),
        (document, signature, {}, "key-1", "no array"),
        (document, signature, registry, "eve", "0 entries"),
        (document, signature, registry, None, "entries|no signer"),
        (document, signature, {"signers": [{**held, "purpose": "checkpoints"}]}, "key-1", "other purpose"),
        # Nobody vouches for its having been signed before.
        (document, signature, {"signers": [{**held, "status": "revoked", "validTo": json.loads(document)["created_at"]}]}, "key-1", "revoked"),
        (document, signature, {"signers": [{**held, "validTo": "2001-01-01T00:00:00Z", "status": "retired"}]}, "key-1", "no longer valid"),
        # Without a registry those count that are registered here: nobody.
        (document, signature, None, "key-1", "not registered"),
        (document + " ", signature, registry, "key-1", "is not that of signer"),
        ("{}", signature, registry, "key-1", "is no snapshot"),
    )
    for text, signed, given, signer, said in refused:
        with pytest.raises(FAULT, match=said):
            bring(empty, text, signed, given, signer)
    assert empty.one("SELECT count(*) FROM reason.node") == 0 == empty.one("SELECT count(*) FROM reason.audit_event")


def test_administrators_alone_import(kept, empty):
    _, document, signature, registry, nodes, _ = kept
    empty("SET ROLE reason_writer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        bring(empty, document, signature, registry)
    empty("SET ROLE reason_admin")
    division = bring(empty, document, signature, registry)
    empty("RESET ROLE")
    # Whoever sees no other division than the default sees nothing of it.
    assert empty.one("SELECT count(*) FROM reason.node WHERE division = %s", division) == len(nodes)
    empty("SET ROLE reason_reader")
    assert empty.one("SELECT count(*) FROM reason.redacted_node WHERE id = %s", nodes[0]) == 0
    empty("RESET ROLE")
