"""The chain alone holds all that is needed to rebuild the graph."""
import base64
import hashlib
import json

import psycopg
import pytest

from signer import Signer

DIGESTS = {
    "node": "id, division, type, author, payload, metadata, created_at, occurred_at, version, manifest_signature_id, payload_ref, salt,"
            " payload_hash, digest, audit_event_id",
    "edge": "id, division, type, weight, metadata, created_at, digest, audit_event_id,"
            " (SELECT f.id FROM reason.node f WHERE f.no = from_no), (SELECT t.id FROM reason.node t WHERE t.no = to_no)",
    "annotation": "id, division, type, author, payload, metadata, created_at, salt, payload_hash, digest, audit_event_id,"
                  " (SELECT t.id FROM reason.node t WHERE t.no = target_no)",
    "audit_event": "id, division, event_type, ts, payload::text, reason.event_payload(audit_event)::text",
    "audit_seal": "division, seq, prev_hash, hash, created_at, (SELECT e.id FROM reason.audit_event e WHERE e.no = event_no)",
    "audit_signature": "division, seq, signer_id, signature",
    "signer": "signer_id, algorithm, public_key, status, valid_from, valid_to, revoked_at, revocation_reason",
    "client": "name, issuer, san_uri, role, divisions, pii, enabled",
}


def contents(db):
    return {t: sorted(map(repr, db(f"SELECT {columns} FROM reason.{t}"))) for t, columns in DIGESTS.items()}


@pytest.fixture(scope="module")
def source(db):
    nodes = [db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada', metadata => '{\"x\": 1e-7}', ts => '2026-01-02', version => '2',"
                    " manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\"}')", json.dumps({"n": n, "é": "\u2028"})) for n in range(10)]
    for cause, effect in zip(nodes, nodes[1:]):
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.1)", cause, effect)
    note = db.one("SELECT reason.annotate(%s, 'note')", nodes[0])
    db("SELECT reason.annotate(%s, 'another')", nodes[0])
    db("SELECT reason.add_node('score', 'null', 'bob', division => 'tenant-a')")
    db("SELECT reason.set_client('kernel', 'writer', '{*}')")
    db("SELECT reason.set_client('kernel', 'reader')")
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[4])
    db("SELECT reason.erase_annotation(%s, 'asked for')", note)
    db("SELECT reason.add_signer('old', %s)", Signer("old", b"old").public.raw.hex())
    db("SELECT reason.retire_signer('old')")
    db("SELECT reason.revoke_signer('old', 'lost')")
    db.settle()
    return db


def events(db):
    """All, those of division system first: they name the signers."""
    return [json.loads(line) for line, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq")]


def test_a_rebuilt_database_is_equal(source, make_database):
    copy = make_database("trust_rebuilt")
    copy("SET timezone = 'America/St_Johns'")
    for event in events(source):
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(event))
    source("SET timezone = 'UTC'")
    copy("SET timezone = 'UTC'")
    assert contents(copy) == contents(source)
    for division in ("default", "tenant-a", "system"):
        assert copy.verify(division) == source.verify(division)
        assert copy.verify(division)["ok"]
    # Given again, nothing happens; what follows continues the chain.
    assert not any(copy.one("SELECT reason.replay(%s::json)", json.dumps(event)) for event in events(source))
    head = copy.verify()["head_seq"]
    copy("SELECT reason.add_node('score', '1', 'ada')")
    copy.settle()
    assert copy.verify()["ok"] and copy.verify()["head_seq"] == head + 1


def test_contents_may_be_missing(source, make_database):
    """Erased from the archive under its own retention: the graph comes back without them."""
    copy = make_database("trust_contentless")
    for event in events(source):
        if event["division"] == "default" and event["eventType"] == "annotation.created":
            event["content"] = None
        copy("SELECT reason.replay(%s::json)", json.dumps(event))
    assert copy.one("SELECT count(*) FROM reason.annotation WHERE payload IS NULL") == 2


def replay_system(source, copy):
    for event in events(source):
        if event["division"] == "system":
            copy("SELECT reason.replay(%s::json)", json.dumps(event))


def forged(db, chain, place, sign, **changes):
    """The chain from an event on, with that one altered and every hash made anew; sign(hash) → (signer, signature)."""
    previous = chain[place]["prevHash"]
    made = []
    for event in chain[place:]:
        event = json.loads(json.dumps(event))
        if not made:
            event["payload"]["node"].update(changes)
        body = db.one("SELECT reason.canonical_json(%s::json)", json.dumps(event["payload"])).encode()
        event["prevHash"], event["hash"] = previous, hashlib.sha256(body + bytes.fromhex(previous or "")).hexdigest()
        event["signerId"], signature = sign(event)
        event["signature"] = base64.b64encode(signature).decode()
        previous = event["hash"]
        made.append(event)
    return made


def test_a_forged_segment_is_refused(source, make_database):
    """Hashes can be made by anybody, signatures cannot: by whatever key they are, it ends at the first altered event."""
    copy = make_database("trust_forged")
    registry = source.one("SELECT reason.signer_registry()::text")
    chain = [e for e in events(source) if e["division"] == "default"]
    replay = "SELECT reason.replay(%s::json, %s::json)"
    with pytest.raises(psycopg.errors.DataException, match='signed by "key-1", who is not registered'):
        copy(replay, json.dumps(chain[0]), None)
    replay_system(source, copy)
    for event in chain[:3]:
        assert copy.one(replay, json.dumps(event), registry)
    name, eve = source.signer.name, Signer("eve", b"e")
    for sign, refusal in (
            (lambda event: (name, base64.b64decode(event["signature"])), "the signature of event 3"),
            (lambda event: (name, eve.sign(bytes.fromhex(event["hash"]))), "the signature of event 3"),
            (lambda event: ("eve", eve.sign(bytes.fromhex(event["hash"]))), "who is not registered")):
        for event in forged(source, chain, 3, sign, author="eve")[:2]:
            for trusted in (None, registry):
                with pytest.raises(psycopg.errors.DataException if event["seq"] == 3 else psycopg.errors.ObjectNotInPrerequisiteState,
                                   match=refusal if event["seq"] == 3 else "does not follow"):
                    copy(replay, json.dumps(event), trusted)
    # The same segment, altered in nothing and signed by who may, is taken: it was the signatures that were missing.
    for event in forged(source, chain, 3, lambda event: (name, source.signer.sign(bytes.fromhex(event["hash"]))), author="ada"):
        assert copy.one(replay, json.dumps(event), None)
    assert copy.verify()["ok"]


def test_a_chain_with_signers_of_its_own_is_refused_by_the_registry(source, make_database):
    """Whoever makes a whole chain names his own keys in it; only what verifiers hold themselves tells."""
    eve = Signer("key-1", b"e")
    other = make_database("trust_other")
    other.signer = eve
    other("SELECT reason.add_signer(%s, %s)", eve.name, eve.public.raw.hex())
    other.settle()
    copy = make_database("trust_other_copy")
    event = json.dumps(events(other)[0])
    with pytest.raises(psycopg.errors.DataException, match="not that of signer"):
        copy("SELECT reason.replay(%s::json, %s::json)", event, source.one("SELECT reason.signer_registry()::text"))
    assert copy.one("SELECT reason.replay(%s::json)", event)


def test_what_was_signed_before_the_chain_named_the_key_is_checked_when_it_does(make_database):
    late = make_database("trust_late")
    late("SELECT reason.set_client('kernel', 'writer', '{*}')")
    late("SELECT reason.add_signer(%s, %s)", late.signer.name, late.signer.public.raw.hex())
    late.settle()
    first, second = events(late)
    copy = make_database("trust_late_copy")
    assert copy.one("SELECT reason.replay(%s::json)", json.dumps(dict(first, signature=second["signature"])))
    with pytest.raises(psycopg.errors.DataException, match="signatures up to event 1"):
        copy("SELECT reason.replay(%s::json)", json.dumps(second))
    copy = make_database("trust_late_copy")
    assert all(copy.one("SELECT reason.replay(%s::json)", json.dumps(event)) for event in (first, second))


def unsigned(copy, *seqs):
    """As a restore leaves events that had been sealed by then, and not signed."""
    with copy.connection.transaction():
        copy("SET LOCAL session_replication_role = replica")
        copy("DELETE FROM reason.audit_signature WHERE division = 'default' AND seq = ANY (%s)", list(seqs))


def test_what_is_sealed_and_not_signed_gets_its_signature(source, make_database):
    copy = make_database("trust_unsigned")
    replay = "SELECT reason.replay(%s::json)"
    replay_system(source, copy)
    chain = [e for e in events(source) if e["division"] == "default"]
    for event in chain[:5]:
        copy(replay, json.dumps(event))
    unsigned(copy, 3, 4)
    # A signature behind a gap would hide the gap from whoever signs.
    for event in (chain[5], chain[4]):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="follows one that is sealed here and not signed"):
            copy(replay, json.dumps(event))
    altered = forged(source, chain, 3, lambda event: (source.signer.name, source.signer.sign(bytes.fromhex(event["hash"]))), author="eve")[0]
    with pytest.raises(psycopg.errors.UniqueViolation, match='event 3 of division "default" is another one here'):
        copy(replay, json.dumps(altered))
    with pytest.raises(psycopg.errors.DataException, match="the signature of event 3"):
        copy(replay, json.dumps(dict(chain[3], signature=chain[4]["signature"])))
    with pytest.raises(psycopg.errors.DataException, match="who is not registered"):
        copy(replay, json.dumps(dict(chain[3], signerId="eve")))
    assert [seq for division, seq, _ in copy("SELECT * FROM reason.unsigned_seals(10)")] == [3, 4]
    assert [copy.one(replay, json.dumps(event)) for event in chain[3:5] * 2] == [True, True, False, False]
    assert all(copy.one(replay, json.dumps(event)) for event in chain[5:])
    assert copy.verify()["ok"]
    assert contents(copy)["audit_signature"] == sorted(map(repr, source(f"SELECT {DIGESTS['audit_signature']} FROM reason.audit_signature"
                                                                        " WHERE division IN ('default', 'system')")))


def test_a_gap_among_signatures_is_closed_by_the_event_as_the_archive_has_it(source, make_database):
    """Recovery has left such gaps, which whoever signs does not find."""
    copy = make_database("trust_gap")
    for event in events(source):
        copy("SELECT reason.replay(%s::json)", json.dumps(event))
    unsigned(copy, 3, 4)
    assert copy("SELECT * FROM reason.unsigned_seals(10)") == []
    assert copy.verify()["detail"].endswith("the signature of 3 is missing")
    for event in events(source):
        # Lines of the archive's segments have no content.
        event.pop("content")
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(event)) == (event["division"] == "default" and event["seq"] in (3, 4))
    assert copy.verify()["ok"]
    assert contents(copy)["audit_signature"] == contents(source)["audit_signature"]


def test_of_two_signatures_of_an_event_that_stands_which_is_there(make_database):
    """Signed once before a restore and once after it, by the keys of two sidecars: each counts."""
    next_signer = Signer("key-2", b"key-2")
    origin = make_database("trust_keys")
    for signer in (origin.signer, next_signer):
        origin("SELECT reason.add_signer(%s, %s)", signer.name, signer.public.raw.hex())
    origin("SELECT reason.add_node('score', '1', 'ada')")
    origin.settle()
    known = events(origin)
    by_next = dict(known[2], signerId="key-2", signature=base64.b64encode(next_signer.sign(bytes.fromhex(known[2]["hash"]))).decode())
    for given, again in ((by_next, known[2]), (known[2], by_next)):
        copy = make_database("trust_keys_copy")
        for event in known:
            copy("SELECT reason.replay(%s::json)", json.dumps(event))
        unsigned(copy, 0)
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(given))
        assert not copy.one("SELECT reason.replay(%s::json)", json.dumps(again))
        assert copy.one("SELECT signer_id FROM reason.audit_signature WHERE division = 'default'") == given["signerId"]
        assert copy.verify()["ok"]


def test_what_does_not_hold_together_is_refused(source, make_database):
    copy = make_database("trust_refused")
    replay_system(source, copy)
    before = copy.one("SELECT count(*) FROM reason.audit_event")
    first, second, *_ = [e for e in events(source) if e["division"] == "default"]
    replay = "SELECT reason.replay(%s::json)"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not follow"):
        copy(replay, json.dumps(second))
    for change in ({"division": "other"}, {"id": second["id"]}, {"hash": second["hash"]}, {"eventType": "x"}, {"ts": second["ts"]},
                   {"payload": dict(first["payload"], eventType="edge.created")}):
        with pytest.raises(psycopg.errors.DataException, match="does not hold together"):
            copy(replay, json.dumps(dict(first, **change)))
    with pytest.raises(psycopg.errors.DataException, match="not what its payloadHash says"):
        copy(replay, json.dumps(dict(first, content={"salt": first["content"]["salt"], "payload": {"n": 99}})))
    assert copy.one("SELECT count(*) FROM reason.audit_event") == before


@pytest.mark.parametrize("event_type, body, named", (
    ("thing.happened", {"thing": {"id": 1}}, 'type "thing.happened" is not known'),
    ("client.changed", {"colour": {"of": "hair"}}, 'member "/colour" of type "client.changed"'),
    ("client.changed", {}, 'type "client.changed" says nothing without member "client" or "quota"'),
    ("client.changed", {"client": {"name": "x", "role": "reader", "divisions": ["a"], "pii": False, "enabled": True, "shoe": 9}},
     'member "/client/shoe" of type "client.changed"'),
    ("node.created", {"node": {"id": "x", "weight": 1}}, 'member "/node/weight" of type "node.created"'),
    ("signer.added", {"signer": {"signerId": "y", "curve": "25519"}}, 'member "/signer/curve" of type "signer.added"'),
    ("archiveRule.changed", {"rule": {}}, 'member "/rule" of type "archiveRule.changed"'),
))
def test_what_is_not_known_stops_a_replay(make_database, event_type, body, named):
    """Passed over in silence it would leave a database that looks whole."""
    strange = make_database("trust_strange")
    strange("SELECT reason.add_signer(%s, %s)", strange.signer.name, strange.signer.public.raw.hex())
    strange("SELECT reason.append_event('system', %s, %s::jsonb)", event_type, json.dumps(body))
    strange.settle()
    first, second = events(strange)
    copy = make_database("trust_strange_copy")
    assert copy.one("SELECT reason.replay(%s::json)", json.dumps(first))
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=f'event 1 of division "system": (its )?{named}'):
        copy("SELECT reason.replay(%s::json)", json.dumps(second))
    assert copy.one("SELECT count(*) FROM reason.audit_event") == 1


def test_every_rule_comes_back(make_database):
    ruled = make_database("trust_ruled")
    ruled("SELECT reason.add_signer(%s, %s)", ruled.signer.name, ruled.signer.public.raw.hex())
    ruled("SELECT reason.set_client('kernel', 'writer')")
    for call in ("set_quota('kernel', nodes_per_day => 5)", "set_quota('kernel', 'tenant-a', edges_per_day => 7)", "set_quota('kernel', 'tenant-a')",
                 "set_archive_rule('default', 30, true)", "set_archive_rule('default', 31)",
                 "set_policy_rule('p', '{node.create}', '{decision}', 'ten.*', '$.payload.x ? (@ > 1)', 'allow', false)",
                 "set_pii_rule('staff', 'staff', pattern => '\\mS-\\d{4}\\M')", "set_pii_rule('gone', 'staff', 'gone')", "drop_pii_rule('gone')", "set_pii_rule('email', enabled => false)", "set_pii_rule('iban', enabled => false)", "drop_pii_rule('iban')",
                 "grant_division('reason_reader', 'tenant-a')", "revoke_division('reason_writer', 'default')"):
        ruled(f"SELECT reason.{call}")
    ruled.settle()
    copy = make_database("trust_ruled_copy")
    for event in events(ruled):
        assert copy.one("SELECT reason.replay(%s::json)", json.dumps(event))
    for table in ("client", "quota", "archive_rule", "policy_rule", "pii_rule", "division_grant", "division_grant_withdrawn", "signer"):
        rows = [sorted(map(repr, d(f"SELECT to_jsonb(t) FROM reason.{table} t"))) for d in (ruled, copy)]
        assert rows[0] == rows[1], table
    assert ruled("SELECT * FROM reason.rule_faults()") == copy("SELECT * FROM reason.rule_faults()") == []
