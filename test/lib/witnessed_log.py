"""A database and a sidecar that publishes its log, to be read by others' programs."""

import signal
import subprocess
import uuid

from database import Database, SIGNER_ID
from reason_sidecar import Sidecar
from reason_witness import make_key
from tlog_reference import ED25519, base64_of, parse_checkpoint, sha256
from wait import wait_for


def vkey_of(public_pem, name, kind=ED25519):
    """The verifier key of a public key in PEM."""
    raw = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public_pem.encode(), capture_output=True, check=True).stdout[-32:]
    return f"{name}+{sha256(name.encode() + b'%c' % 10 + kind + raw)[:4].hex()}+{base64_of(kind + raw)}"


def public_key(private):
    return subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], check=True, capture_output=True, text=True).stdout


class WitnessedLog:
    """Its store and state lie in a folder; `prefix` begins the names of its logs; witnesses have url and vkey."""

    def __init__(self, server, folder, prefix="log.example.org/reason", quorum=0):
        self.folder, self.prefix, self.quorum = folder, prefix, quorum
        for name in ("store", "state"):
            (folder / name).mkdir(parents=True)
        keys = {name: make_key(folder / f"{name}.pem") for name in ("events", "checkpoints")}
        self.public = {name: public_key(key) for name, key in keys.items()}
        self.database = Database(server, f"log{uuid.uuid4().hex[:12]}", self.public["events"])
        self.database.value("SELECT reason.add_signer('log-signer', %s, purpose => 'checkpoints')", self.public["checkpoints"])
        self.database.value("SELECT reason.set_log_prefix(%s)", prefix)
        self.settings = {
            "database": {"conninfo": server.conninfo(self.database.name, "sidecar")},
            "signer": {"id": SIGNER_ID, "key_file": keys["events"]},
            "store": {"url": f"file://{folder}/store"},
            "checkpoint": {"signer": "log-signer", "key_file": keys["checkpoints"], "origin": prefix, "interval_s": 1,
                           "state_file": folder / "state" / "log", "quorum": quorum},
        }
        self.sidecar = None

    def vkey(self, division="default"):
        return vkey_of(self.public["checkpoints"], f"{self.prefix}/{division}")

    def vkeys(self):
        return [self.vkey("default"), self.vkey("system")]

    def start(self, witnesses=(), ready=True):
        sections = {f"witness w{number}": {"url": witness.url, "vkey": witness.vkey} for number, witness in enumerate(witnesses)}
        self.sidecar = Sidecar(self.folder, {**self.settings, **sections}).start(ready)
        return self

    def base(self, division="default"):
        """Where the log lies."""
        return self.folder / "store" / "tlog" / division

    def note(self, division="default"):
        path = self.base(division) / "checkpoint"
        return path.read_text() if path.exists() else ""

    def size(self, division="default"):
        return parse_checkpoint(self.note(division))[1] if self.note(division) else 0

    def grow(self, count, division="default"):
        """So many more nodes; the size that is announced then."""
        self.database.nodes(count, division)
        self.database.settled(60)
        self.sidecar.signal(signal.SIGUSR1)
        size = self.database.value("SELECT reason.tree_size(%s)", division)
        wait_for(lambda: self.size(division) >= size, 60, f"the newest checkpoint: {self.sidecar.log()[-2000:]}")
        return size

    def stop(self):
        if self.sidecar:
            self.sidecar.stop()
        self.database.connection.close()
