"""The sidecar's part of the transparency log, played by hand: growing trees, signing checkpoints, cosigning as a witness."""

import base64
import hashlib
import struct

from signer import Signer

LOG_KEY = Signer("log-1", b"log")


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def write(db, count, division="default"):
    db("SELECT reason.append_event(%s, 'policy.denied', jsonb_build_object('denied', jsonb_build_object('records', n))) FROM generate_series(1, %s) n", division, count)


def grow(db, *arguments):
    token = db.token("seal")
    grown = 0
    while True:
        leaves = db.one(f"SELECT reason.grow_tree(%s{', %s' * len(arguments)})", token, *arguments)
        grown += leaves
        if leaves == 0:
            return grown


def text_of(origin, size, root):
    return b"%s\n%d\n%s\n" % (origin.encode(), size, base64.b64encode(root))


def note_of(signer, origin, text):
    key_id = sha256(origin.encode(), b"\n\1", signer.public.raw)[:4]
    return text + b"\n" + "— {} {}\n".format(origin, base64.b64encode(key_id + signer.sign(text)).decode()).encode()


def register_log_key(db):
    db("SELECT reason.add_signer(%s, %s, purpose => 'checkpoints') WHERE NOT EXISTS (SELECT FROM reason.signer WHERE signer_id = %s)",
       LOG_KEY.name, LOG_KEY.public.raw.hex(), LOG_KEY.name)


def sign_checkpoints(db, max_age="0"):
    """Plans what is due, signs and records it; returns (division, origin, size, root) of each."""
    register_log_key(db)
    token = db.token("seal")
    due = db("SELECT * FROM reason.checkpoints_due(%s, %s::interval)", token, max_age)
    for division, origin, size, root in due:
        text = text_of(origin, size, root)
        db("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token, division, origin, size, LOG_KEY.name, LOG_KEY.sign(text),
           note_of(LOG_KEY, origin, text).decode())
    return due


def cosignature(db, witness, division="default", made=1700000000, configured=()):
    """What record_cosignature() takes behind the lease's token."""
    origin, size, root, _ = db.row("SELECT * FROM reason.last_checkpoint(%s)", division)
    return division, origin, size, vkey(witness), made, witness.sign(b"cosignature/v1\ntime %d\n" % made + text_of(origin, size, root)), list(configured)


RECORD_COSIGNATURE = "SELECT reason.record_cosignature(%s, %s, %s, %s, %s, %s, %s, %s)"


def cosign(db, witness, division="default", made=1700000000, configured=()):
    arguments = cosignature(db, witness, division, made, configured)
    db(RECORD_COSIGNATURE, db.token("seal"), *arguments)
    signature = arguments[-2]
    return struct.pack(">Q", made) + signature


def vkey(witness):
    key = b"\4" + witness.public.raw
    return "{}+{}+{}".format(witness.name, sha256(witness.name.encode(), b"\n", key)[:4].hex(), base64.b64encode(key).decode())
