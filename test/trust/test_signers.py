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
    assert set(registry["a"]) == {"signerId", "algorithm", "publicKey", "status", "validFrom", "validTo"}
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
