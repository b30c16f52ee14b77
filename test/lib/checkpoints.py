"""The sidecar's part in a log, played by hand: checkpoints that are planned, signed and recorded, and a witness."""

import base64
import hashlib

from log_evidence import checkpoint_text
from signer import Signer


def key_id(name, kind, signer):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + signer.public.raw).digest()[:4]


class Checkpointer:
    """Signs for all logs of a database with a key of its own; `one` and `rows` are how that is asked."""

    def __init__(self, rows, name="checkpoints-by-hand", seed=b"c"):
        self.rows, self.signer = rows, Signer(name, seed)
        self.rows("SELECT reason.add_signer(%s, %s, valid_from => '2020-01-01Z', purpose => 'checkpoints')", name, self.signer.public.raw.hex())

    def token(self):
        """That of the sidecar that leads, or one of our own."""
        held = self.rows("SELECT token FROM reason.lease WHERE duty = 'seal' AND expires_at > clock_timestamp()")
        return held[0][0] if held else self.rows("SELECT reason.acquire_lease('seal', 'test', '1 hour')")[0][0]

    def make(self):
        """A checkpoint of each log that has grown."""
        token = self.token()
        made = self.rows("SELECT * FROM reason.checkpoints_due(%s, '0', true)", token)
        for division, origin, size, root in made:
            text = checkpoint_text(size, root, origin)
            signature = self.signer.sign(text.encode())
            line = base64.b64encode(key_id(origin, 1, self.signer) + signature).decode()
            self.rows("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token, division, origin, size, self.signer.name, signature,
                      f"{text}\n— {origin} {line}\n")
        return made

    def cosign(self, division="default", name="witness.example/w", made=1700000000):
        witness = Signer(name, b"w")
        (origin, size, root), = self.rows("SELECT origin, size, root FROM reason.last_checkpoint(%s)", division)
        signature = witness.sign(f"cosignature/v1\ntime {made}\n{checkpoint_text(size, root, origin)}".encode())
        vkey = f"{name}+{key_id(name, 4, witness).hex()}+{base64.b64encode(bytes([4]) + witness.public.raw).decode()}"
        self.rows("SELECT reason.record_cosignature(%s, %s, %s, %s, %s, %s, %s)", self.token(), division, origin, size, vkey, made, signature)
        return size
