"""The registry: forms of keys, rotation, revocation."""
import base64
import json

import psycopg
import pytest

from signer import Signer

SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
KEY = Signer("a", b"a").public.raw


def spki():
    return base64.b64encode(SPKI_PREFIX + KEY).decode()


@pytest.mark.parametrize("form", [
    KEY.hex(), KEY.hex().upper(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode().rstrip("="), spki(),
    f"-----BEGIN PUBLIC KEY-----\n{spki()}\n-----END PUBLIC KEY-----\n", f"  {spki()}\n"])
def test_forms_of_a_key(db, form):
    assert db.one("SELECT reason.public_key(%s)", form) == KEY


@pytest.mark.parametrize("form", [
    "", "x", KEY.hex()[:-2], KEY.hex() + "00", base64.b64encode(KEY + b"x").decode(), spki()[:-8], "ü" * 32,
    base64.b64encode(bytes.fromhex("302a300506032b656e032100") + KEY).decode(),  # X25519
    "00" * 32, "01" + "00" * 31, "ff" * 32])  # of small order, not on the curve
def test_what_is_no_key_is_refused(db, form):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        db("SELECT reason.public_key(%s)", form)


def test_published_signatures(db):
    """RFC 8032, section 7.1, tests 1 to 3; then the same with one bit changed."""
    for key, message, signature in (
            ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
            ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
            ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")):
        arguments = [bytes.fromhex(x) for x in (key, message, signature)]
        assert db.one("SELECT reason.ed25519_verify(%s, %s, %s)", *arguments)
        arguments[2] = bytes([arguments[2][0] ^ 1]) + arguments[2][1:]
        assert not db.one("SELECT reason.ed25519_verify(%s, %s, %s)", *arguments)
    assert not db.one("SELECT reason.ed25519_verify('', '', '')")


def test_rotation_is_recorded(db):
    db("SELECT reason.add_signer('a', %s)", KEY.hex())
    db("SELECT reason.add_signer('a', %s)", spki())  # again, the same: nothing to do
    with pytest.raises(psycopg.errors.UniqueViolation):
        db("SELECT reason.add_signer('a', %s)", Signer("b", b"b").public.raw.hex())
    db("SELECT reason.add_signer('b', %s)", Signer("b", b"b").public.raw.hex())
    db("SELECT reason.retire_signer('a')")
    db("SELECT reason.revoke_signer('b', 'laptop stolen', (SELECT valid_from FROM reason.signer WHERE signer_id = 'b'))")
    registry = {s["signerId"]: s for s in db.one("SELECT reason.signer_registry()")["signers"]}
    assert set(registry["a"]) == {"signerId", "algorithm", "publicKey", "status", "purpose", "validFrom", "validTo"}
    assert registry["a"]["purpose"] == "events"
    assert (registry["a"]["status"], registry["a"]["publicKey"]) == ("retired", spki())
    assert registry["b"]["status"] == "revoked" and registry["b"]["validTo"] == registry["b"]["validFrom"]
    events = db("SELECT event_type, payload #>> '{signer,signerId}', payload #>> '{signer,revocationReason}' FROM reason.audit_event"
                " WHERE division = 'system' AND payload #>> '{signer,signerId}' IN ('a', 'b') ORDER BY no")
    assert events == [("signer.added", "a", None), ("signer.added", "b", None), ("signer.retired", "a", None),
                      ("signer.revoked", "b", "laptop stolen")]
    db.settle()
    assert db.verify("system")["ok"]


def test_changes_that_make_no_sense_are_refused(db):
    for statement in ("retire_signer('a')", "retire_signer('b')", "revoke_signer('b', 'again')"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            db(f"SELECT reason.{statement}")
    for statement in ("revoke_signer('key-1', '')", "revoke_signer('key-1', 'x', now() + interval '1 day')"):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            db(f"SELECT reason.{statement}")
    with pytest.raises(psycopg.errors.NoDataFound):
        db("SELECT reason.retire_signer('nobody')")


def test_the_registry_is_what_verifiers_read(db):
    assert json.loads(json.dumps(db.one("SELECT reason.signer_registry()")))["signers"][0]["algorithm"] == "ed25519"


def test_a_key_has_one_purpose(db):
    checkpoints, witness = Signer("c", b"checkpoints").public.raw.hex(), Signer("w", b"witness").public.raw.hex()
    db("SELECT reason.add_signer('log', %s, purpose => 'checkpoints')", checkpoints)
    db("SELECT reason.add_signer('log', %s, purpose => 'checkpoints')", checkpoints)  # again, the same: nothing to do
    db("SELECT reason.add_signer('witness.example/w', %s, purpose => 'witness')", witness)
    for call in ("add_signer('log', %s)", "add_signer('log', %s, purpose => 'witness')", "add_signer('other', %s, purpose => 'events')"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            db(f"SELECT reason.{call}", checkpoints)
    with pytest.raises(psycopg.errors.UniqueViolation, match='that of signer "key-1" already, which is registered for events'):
        db("SELECT reason.add_signer('other', %s, purpose => 'checkpoints')", db.signer.public.raw.hex())
    with pytest.raises(psycopg.errors.CheckViolation, match="signer_purpose_check"):
        db("SELECT reason.add_signer('other', %s, purpose => 'all')", Signer("o", b"o").public.raw.hex())
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="cannot be changed this way"):
        db("UPDATE reason.signer SET purpose = 'events', status = 'retired' WHERE signer_id = 'log'")
    assert db("SELECT payload #>> '{signer,purpose}' FROM reason.audit_event WHERE event_type = 'signer.added' AND division = 'system'"
              " AND payload #>> '{signer,signerId}' IN ('log', 'witness.example/w') ORDER BY no") == [("checkpoints",), ("witness",)]
    db("SELECT reason.retire_signer('log')")
    db.settle()
    assert db.verify("system")["ok"]


def test_a_key_signs_what_it_is_registered_for(db):
    db("SELECT reason.add_signer('log-2', %s, purpose => 'checkpoints')", Signer("2", b"2").public.raw.hex())
    assert db.one("SELECT reason.signing_key('log-2', 'checkpoints')") == Signer("2", b"2").public.raw
    assert db.one("SELECT reason.signing_key('key-1')") == db.signer.public.raw
    for call, said in (("signing_key('log-2')", 'signer "log-2" is registered for checkpoints, not for events'),
                       ("signing_key('key-1', 'checkpoints')", 'signer "key-1" is registered for events, not for checkpoints'),
                       ("signing_key('log-2', 'witness')", 'signer "log-2" is registered for checkpoints, not for witness')):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=said):
            db(f"SELECT reason.{call}")


def test_what_a_key_signed_for_another_purpose_never_counts(db):
    """A superuser who gives the signing key another purpose finds every event and snapshot unsigned."""
    db("SELECT reason.append_event('default', 'test.event', '{}')")
    db.settle()
    assert db.verify("default")["ok"]
    with psycopg.connect(db.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE reason.signer SET purpose = 'checkpoints' WHERE signer_id = %s", (db.signer.name,))
        ok, detail = connection.execute("SELECT ok, detail FROM reason.verify_audit('default')").fetchone()
        assert not ok and f'signer "{db.signer.name}" is registered for checkpoints, and signs no events' in detail
        fault, = connection.execute("SELECT fault FROM reason.signature_fault(%s, %s, %s, now(), now(), true)",
                                    (db.signer.name, db.signer.sign(b"h" * 32), (b"h" * 32).hex())).fetchone()
        assert fault == f'signer "{db.signer.name}" is registered for checkpoints, and signs no snapshots'
        assert ("registry", False) in connection.execute("SELECT what, ok FROM reason.verify_all()").fetchall()
        connection.rollback()


def test_verifier_keys_are_those_of_signed_notes(db):
    """The example of https://c2sp.org/signed-note"""
    key = base64.b64decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    assert db.one("SELECT reason.note_vkey('example.com/foo', %s, %s)", key[0], key[1:]) == \
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    for name in ("", "a b", "a+b", "a\n", "\u00a0", "\u00e9"):
        assert db.one("SELECT reason.note_vkey(%s, 1, %s)", name, key[1:]) is None
    db("SELECT reason.add_signer('witness.example/v', %s, purpose => 'witness')", Signer("v", b"v").public.raw.hex())
    registry = {s["signerId"]: s for s in db.one("SELECT reason.signer_registry()")["signers"]}
    assert registry["witness.example/v"]["vkey"] == db.one("SELECT reason.note_vkey('witness.example/v', 4, %s)", Signer("v", b"v").public.raw)
